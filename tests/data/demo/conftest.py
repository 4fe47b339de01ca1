"""The small and the full demo world, written once a session, and readers of what was written."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from data.demo import DemoSummary, write_demo, write_small
from data.demo.config import small_config
from data.demo.world import World, simulate


@dataclass(frozen=True)
class WrittenHome:
    """A written home and readers of it that share no code with the writers."""

    home: Path
    summary: DemoSummary
    read: dict[str, pl.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    def truth(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.home / "truth" / f"{name}.parquet")

    def files(self, table: str) -> list[Path]:
        return sorted((self.home / "drop" / table).iterdir())

    def ledger(self) -> pl.DataFrame:
        return self.truth("dirt")

    def records(self, path: Path) -> tuple[list[str], list[list[str]]]:
        """Header and records of a CSV file."""
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        return rows[0], rows[1:]

    def clean(self, table: str) -> pl.DataFrame:
        """All rows of a table as text, without what the ledger says is bad or a duplicate; read once."""
        if table not in self.read:
            self.read[table] = self._clean(table)
        return self.read[table]

    def _clean(self, table: str) -> pl.DataFrame:
        name = {p: f"drop/{table}/{p.name}" for p in self.files(table)}
        dirty = self.ledger().filter(pl.col("row_number").is_not_null() & pl.col("outcome").is_in(["Q", "DUP", "L"]))
        skip = {(f, n) for f, n in dirty.select("file", "row_number").rows()}
        parts = []
        for path in self.files(table):
            if path.name.endswith("_resent.csv.gz"):
                continue
            if path.suffix == ".parquet":
                frame = pl.read_parquet(path)
                instants = [c for c, t in frame.schema.items() if isinstance(t, pl.Datetime)]
                local = [
                    pl.col(c).dt.convert_time_zone("Asia/Shanghai").dt.strftime("%Y-%m-%d %H:%M:%S") for c in instants
                ]
                parts.append(frame.with_columns(local).with_columns(pl.all().cast(pl.String)))
                continue
            header, rows = self.records(path)
            kept = [r for i, r in enumerate(rows, start=1) if (name[path], i) not in skip]
            frame = pl.DataFrame(kept, schema=header, orient="row")
            parts.append(frame.drop("utm_source", strict=False))
        columns = parts[0].columns
        frame = pl.concat([p.select(columns) for p in parts])
        empties = pl.all().replace({"": None, "NULL": None, "-": None, "N/A": None})
        result = frame.with_columns(empties)
        if "sku" in columns:
            ascii_only = pl.col("sku").str.normalize("NFKC").str.strip_chars()
            result = result.with_columns(ascii_only)
        return result


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> WrittenHome:
    home = tmp_path_factory.mktemp("demo_small") / "home"
    return WrittenHome(home, write_small(home, seed=5))


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> WrittenHome:
    home = tmp_path_factory.mktemp("demo_full") / "home"
    summary = write_demo(home)
    print(f"\nwrite_demo: {summary.order_lines:,} order lines, {len(summary.files)} files in {summary.seconds:.1f} s")
    return WrittenHome(home, summary)


@pytest.fixture(scope="session")
def small_world() -> World:
    return simulate(small_config(seed=5))


@pytest.fixture(params=["small", "full"])
def written(request: pytest.FixtureRequest) -> WrittenHome:
    """Both worlds in turn."""
    home: WrittenHome = request.getfixturevalue(request.param)
    return home
