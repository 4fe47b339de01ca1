"""A home with a warehouse of a few rows, and a filler for tests of the protocol alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from data.contracts import TABLES
from data.contracts.frames import arrow_schema
from data.publish.manifest import Manifest, file_entry
from data.publish.step import reports_folder
from data.warehouse import open_warehouse

D = date(2026, 6, 28)

Write = Callable[..., None]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with default settings and nothing in it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "merchcast.yml").write_text("shop: {name: Test, timezone: UTC}\n")
    return home


@pytest.fixture
def write_table() -> Write:
    """Write rows (a list of dicts; columns left out are null) into a table of the warehouse."""

    def write(home: Path, name: str, rows: list[dict], *, run_date: date = D) -> None:
        table = TABLES[name]
        schema = arrow_schema(table, exclude=("run_date",))
        full = [{field.name: row.get(field.name) for field in schema} for row in rows]
        with open_warehouse(home) as warehouse:
            warehouse.replace(table, pa.Table.from_pylist(full, schema=schema), run_date)

    return write


@pytest.fixture
def write_report() -> Write:
    """Leave reports where the report step leaves them."""

    def write(home: Path, *, run_date: date = D, text: str = "<html></html>", names: tuple[str, ...] = ()) -> None:
        folder = reports_folder(home, run_date)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("restock.html", *names):
            (folder / name).write_text(text)

    return write


@pytest.fixture
def filler() -> Callable[..., Callable[[Path], Manifest]]:
    """Make a fill function that writes one table and one report of a given content."""

    def make(run_date: date, content: str = "a") -> Callable[[Path], Manifest]:
        def fill(folder: Path) -> Manifest:
            files = {}
            for name in ("tables/forecasts.parquet", "reports/restock.html"):
                (folder / name).parent.mkdir()
                (folder / name).write_text(f"{name} {content}")
                files[name] = file_entry(folder / name)
            return Manifest(run_date, "0.1.0", "c" * 64, files)

        return fill

    return make
