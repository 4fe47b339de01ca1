"""Is everything here that a run needs?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from data.errors import MerchcastError
from data.settings import Settings, load_settings

__all__ = ["findings"]

_LIBRARIES = (
    "apache-airflow",
    "duckdb",
    "great-expectations",
    "lightgbm",
    "mlforecast",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "statsforecast",
)
_FREE_BYTES = 2_000_000_000  # a night on the demo shop needs well under a tenth of it
_Finding = tuple[str, bool, str]


def findings(home: Path) -> Iterator[_Finding]:
    """Yield ``(what, whether it is fine, in words)`` for each thing that a run needs."""
    yield "python", sys.version_info[:2] >= (3, 11), sys.version.split()[0]
    for name in _LIBRARIES:
        yield _library(name)
    yield "home", os.access(home, os.W_OK), f"{home.resolve()} can be written"
    free = shutil.disk_usage(home if home.exists() else Path.cwd()).free
    yield "disk", free >= _FREE_BYTES, f"{free / 1e9:.1f} GB free"
    try:
        settings = load_settings(home)
    except MerchcastError as error:
        yield "merchcast.yml", False, str(error)
        return
    yield "merchcast.yml", True, f"{len(settings.sources)} tables connected"
    yield from _sources(home, settings)
    rules = home / "pricing_rules.yml"
    yield "pricing_rules.yml", rules.is_file(), str(rules)


def _library(name: str) -> _Finding:
    try:
        return name, True, metadata.version(name)
    except metadata.PackageNotFoundError:
        return name, False, "not installed: run `make run` or `uv sync`"


def _sources(home: Path, settings: Settings) -> Iterator[_Finding]:
    sales = {"order_lines", "period_sales"} & set(settings.sources)
    yield "sales", bool(sales), ", ".join(sorted(sales)) or "neither order_lines nor period_sales is connected"
    for table, sources in settings.sources.items():
        for source in sources:
            if source.kind != "file" or source.path is None:
                continue
            pattern = Path(source.path)
            base, glob = (
                (Path(pattern.anchor), str(pattern.relative_to(pattern.anchor)))
                if pattern.is_absolute()
                else (home, source.path)
            )
            count = sum(1 for _ in base.glob(glob))
            yield f"source {source.name}", count > 0 or table not in sales, f"{count} files match {source.path}"
