"""Does anything known after D change what the trends room says for D? Fifty random dates of a small shop.

Run ``python -m benchmarks.trend_look_ahead [DATES]``: for each date the shop is delivered twice, once with the figures
of every record after D scrambled (signals also by when they were known), once with those records removed; the steps up
to ``trends`` are run on both, and every table of the room is compared row by row. Prints the tables that differ.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from data.demo import write_small
from data.step import run as ingest
from data.warehouse import open_warehouse
from demand.step import run as demand
from trends.step import run as trends

TABLES = (
    "trend_scores", "trend_alerts", "trend_features", "trend_proposals", "trend_alert_history", "trend_scorecard",
    "signal_leads", "element_pairs", "hit_map", "new_item_priors", "product_elements",
)  # fmt: skip
TIME_OF = {
    "order_lines": "ordered_at", "returns": "returned_at", "stock": "as_of_date", "receipts": "received_date",
    "signals": "date", "site_traffic": "date", "competitor_prices": "date",
}  # fmt: skip
KNOWN = "available_at"
DATES = 50
FIRST, LAST = 80, 10  # days after the beginning and before the end of the history between which dates are drawn


def main(arguments: list[str]) -> int:
    """Print what differs, and how many dates were looked at."""
    count = int(arguments[0]) if arguments else DATES
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "shop"
        last = date.fromisoformat(write_small(made).run_date)
        rng = np.random.default_rng(8)
        back = sorted(rng.choice(np.arange(LAST, 200 - FIRST), size=count, replace=False).tolist())
        rows = differing = 0
        for days in back:
            found, n = differences(made, last - timedelta(days=int(days)), folder=Path(folder), seed=int(days))
            rows, differing = rows + n, differing + bool(found)
            if found:
                print(f"{last - timedelta(days=int(days))}: {', '.join(found)}", flush=True)
    print(f"{differing} of {count} dates differ; {rows} rows compared in {len(TABLES)} tables")
    return int(differing > 0)


def differences(made: Path, run_date: date, *, folder: Path, seed: int) -> tuple[list[str], int]:
    """Return the tables that differ when everything after ``run_date`` is scrambled."""
    said = []
    for name, scramble in (("scrambled", True), ("removed", False)):
        home = folder / name
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(made, home)
        truncate(home, run_date, scramble=scramble, seed=seed)
        for step in (ingest, demand, trends):
            step(home, run_date)
        with open_warehouse(home) as warehouse:
            said.append({table: warehouse.polars(f"select * from {table} order by all") for table in TABLES})
    return [t for t in TABLES if not said[0][t].equals(said[1][t])], sum(frame.height for frame in said[0].values())


def truncate(home: Path, run_date: date, *, scramble: bool, seed: int) -> None:
    """Scramble the figures of every Parquet record after D, or remove it; the CSV files are of later days: dropped."""
    settings = home / "merchcast.yml"
    lines = settings.read_text(encoding="utf-8").splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if "order_lines_daily" not in line), encoding="utf-8")
    for table, column in TIME_OF.items():
        for path in sorted((home / "drop" / table).iterdir()):
            if path.suffix != ".parquet":
                path.unlink()
                continue
            frame = pl.read_parquet(path)
            frame = _changed(frame, _is_late(frame, column, run_date), scramble=scramble, seed=seed)
            if frame.height:
                frame.write_parquet(path)
            else:
                path.unlink()


def _is_late(frame: pl.DataFrame, column: str, run_date: date) -> pl.Expr:
    late = pl.col(column).cast(pl.String).str.slice(0, 10) > str(run_date)
    if KNOWN in frame.columns:  # spoken of an earlier day, but known only after D's close
        zone = "Asia/Shanghai"
        late |= pl.col(KNOWN).dt.convert_time_zone(zone).dt.date() > run_date
    return late


def _changed(frame: pl.DataFrame, late: pl.Expr, *, scramble: bool, seed: int) -> pl.DataFrame:
    if not scramble:
        return frame.filter(~late)
    rng = np.random.default_rng(seed)
    figures = [c for c, t in frame.schema.items() if t.is_numeric()]
    # within what a unit may be: a delivery whose prices look like another currency's is refused as a whole
    factors = {c: pl.Series(rng.uniform(0.6, 1.6, frame.height)) for c in figures}
    return frame.with_columns(
        pl.when(late)
        .then((pl.col(c).cast(pl.Float64) * factors[c]).round(2).cast(frame.schema[c], strict=False))
        .otherwise(pl.col(c))
        .alias(c)
        for c in figures
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
