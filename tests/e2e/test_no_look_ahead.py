"""Nothing that happened after D changes what the run for D says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.e2e

RUN_DATE = "2026-05-17"
COMPARED = (
    "demand_history",
    "forecasts",
    "protection_demand",
    "restock_plan",
    "price_suggestions",
    "trend_scores",
    "batch_plan",
)
TIME_OF = {
    "order_lines": "ordered_at", "returns": "returned_at", "stock": "as_of_date", "receipts": "received_date",
    "signals": "date", "site_traffic": "date", "competitor_prices": "date",
}  # fmt: skip


def truncate(home: Path, *, scramble: bool) -> None:
    """Remove every Parquet record after D, or scramble its figures; drop the CSV files, which are of later days."""
    settings = home / "merchcast.yml"
    lines = settings.read_text(encoding="utf-8").splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if "order_lines_daily" not in line), encoding="utf-8")
    for table, column in TIME_OF.items():
        for path in sorted((home / "drop" / table).iterdir()):
            if path.suffix != ".parquet":
                path.unlink()
                continue
            frame = pl.read_parquet(path)
            late = pl.col(column).cast(pl.String).str.slice(0, 10) > RUN_DATE
            if scramble:
                rng = np.random.default_rng(0)
                figures = [c for c, t in frame.schema.items() if t.is_numeric()]
                noise = [
                    pl.when(late).then(pl.Series(rng.permutation(frame[c].to_numpy()))).otherwise(pl.col(c)).alias(c)
                    for c in figures
                ]
                frame = frame.with_columns(noise)
            else:
                frame = frame.filter(~late)
            if frame.height:
                frame.write_parquet(path)
            else:
                path.unlink()


def test_scrambling_or_removing_the_future_changes_nothing(small_shop: Path, tmp_path: Path, merchcast):
    results = []
    for name, scramble in (("scrambled", True), ("removed", False)):
        home = tmp_path / name
        shutil.copytree(small_shop, home)
        truncate(home, scramble=scramble)
        merchcast("run", "--home", str(home), "--date", RUN_DATE)
        tables = home / "published" / RUN_DATE / "tables"
        results.append({t: (tables / f"{t}.parquet").read_bytes() for t in COMPARED})
    assert [t for t in COMPARED if results[0][t] != results[1][t]] == []
