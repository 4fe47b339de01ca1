"""Whole nights, timed: the demo shop, a gift shop's exports, M5, and a weekly shop over six rounds.

    python -m benchmarks.nights [demo] [online_retail] [m5] [weekly] [--data ../shared/data]

Each night is `merchcast run` in a process of its own. Seconds and peak memory by step come from `run_log`; the whole
includes starting Python and Airflow.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "e2e")]

from test_online_retail import SETTINGS as ONLINE_RETAIL_SETTINGS  # noqa: E402
from weekly_shop import WeeklyShop, weekly_demand  # noqa: E402

M5_RUN_DATE = "2016-03-27"
M5_SETTINGS = """\
shop: {name: M5, timezone: America/New_York, currency: USD, language: en}
planning: {horizon_days: 28}
sources:
  period_sales: {kind: file, path: drop/daily_sales.parquet, columns: {ds: date}}
  prices: {kind: file, path: drop/weekly_prices.parquet, columns: {from_date: week_start}}
  events: {kind: file, path: drop/events.csv}
  products: {kind: file, path: drop/products.csv}
"""


def night(home: Path, run_date: str | None = None) -> None:
    """Run one night and print its seconds and its peak memory by step."""
    dated = ["--date", run_date] if run_date else []
    started = time.monotonic()
    command = [sys.executable, "-m", "cli.main", "run", "--home", str(home), *dated]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    log = pd.read_parquet(home / "published" / "current" / "tables" / "run_log.parquet")
    steps = ", ".join(f"{s} {t:.0f} s" for s, t in zip(log["step"], log["seconds"], strict=True) if t >= 1)
    print(f"{seconds:.0f} s, peak {log['peak_memory_mb'].max() / 1024:.1f} GB ({steps})")
    print(f"  {done.stdout.strip()}")


def demo(home: Path, data: Path) -> None:
    """The demo shop: 2,000 SKUs, three locations, two years."""
    from cli.home import make_home

    started = time.monotonic()
    make_home(home, demo=True)
    print(f"generation {time.monotonic() - started:.0f} s")
    night(home)


def online_retail(home: Path, data: Path) -> None:
    """A gift shop's daily exports, two nights two weeks apart."""
    drop = home / "drop" / "orders"
    drop.mkdir(parents=True)
    (home / "merchcast.yml").write_text(ONLINE_RETAIL_SETTINGS)
    for run_date in ("2011-11-13", "2011-11-27"):
        for path in sorted((data / "online_retail").glob("*.csv.gz")):
            if path.name[:10] <= run_date:
                shutil.copy(path, drop)
        night(home, run_date)
    tables = home / "published" / "current" / "tables"
    accounts = pd.read_parquet(tables / "row_accounts.parquet")
    print("  " + ", ".join(f"{c} {accounts[c].sum():,}" for c in accounts.columns if c.startswith("rows_")))
    called = brushing_share_of_hours(data / "online_retail", tables)
    print(f"  SKU-hours with a line called brushing: {called:.4%}")


def brushing_share_of_hours(exports: Path, tables: Path) -> float:
    """Return the share of SKU-hours on days of which units were called brushing (an upper bound)."""
    lines = pd.concat(pd.read_csv(p, dtype=str) for p in sorted(exports.glob("*.csv.gz")))
    hours = lines.assign(hour=lines["InvoiceDate"].str[:13])[["StockCode", "hour"]].drop_duplicates()
    demand = pd.read_parquet(tables / "demand_history.parquet", columns=["sku", "ds", "exclusion_reason"])
    called = demand[demand["exclusion_reason"].fillna("").str.contains("brushing")]
    days = set(zip(called["sku"], called["ds"].astype(str), strict=True))
    hit = [(sku, hour[:10]) in days for sku, hour in zip(hours["StockCode"].str.strip(), hours["hour"], strict=True)]
    return float(np.mean(hit))


def m5(home: Path, data: Path) -> None:
    """M5: 30,467 series, 12.3 million rows, daily."""
    source, drop = data / "m5", home / "drop"
    drop.mkdir(parents=True)
    (home / "merchcast.yml").write_text(M5_SETTINGS)
    for name in ("daily_sales.parquet", "weekly_prices.parquet"):
        shutil.copy(source / name, drop)
    calendar = pl.read_csv(source / "calendar.csv")
    events = [
        calendar.select(
            name=f"event_name_{k}", starts_date="date", ends_date="date", kind=f"event_type_{k}"
        ).drop_nulls("name")
        for k in (1, 2)
    ]
    pl.concat(events).write_csv(drop / "events.csv")
    products = pl.read_csv(source / "products.csv").rename({"department": "product_type"})
    products.select("sku", "category", "product_type").write_csv(drop / "products.csv")
    night(home, M5_RUN_DATE)
    forecasts = home / "published" / "current" / "tables" / "forecasts.parquet"
    command = [sys.executable, "-m", "benchmarks.wrmsse_m5", str(forecasts), "--data", str(data)]
    print(subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout)


def weekly(home: Path, data: Path) -> None:
    """A weekly shop of 599 series that obeys its plan for six rounds; what weeks 3 to 8 cost, beside plain covers."""
    from benchmarks.decision_rounds import LEAD, ORDERS, WEEKS, cover_cost

    history = 157
    shop = WeeklyShop(home, weekly_demand(599, history + WEEKS, seed=3), date(2021, 1, 4), history)
    for number in range(history, history + WEEKS):
        ordered = pd.Series(dtype=float)
        if number < history + ORDERS:
            night(home, shop.run_date(number).isoformat())
            plan = pd.read_parquet(home / "published" / "current" / "tables" / "restock_plan.parquet")
            ordered = plan[plan["status"] != "held"].groupby("sku")["order_qty"].sum()
        shop.advance(number, ordered)
    print(
        f"  cost by week: {', '.join(f'{cost:,.0f}' for cost in shop.costs)}; weeks 3-8: {sum(shop.costs[LEAD:]):,.0f}"
    )
    told = np.where(np.arange(history + WEEKS)[None, :] < shop.starts[:, None], np.nan, shop.demand)
    in_stock = np.zeros((len(told), history), dtype=bool)
    for cover in (3.5, 4.0):
        print(f"  {cover:g} weeks of cover: {cover_cost(told, cover=cover, is_out=in_stock).sum():,.0f}")


NIGHTS: dict[str, Callable[[Path, Path], None]] = {
    "demo": demo,
    "online_retail": online_retail,
    "m5": m5,
    "weekly": weekly,
}


def main() -> None:
    """Run the nights that were asked for, each in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nights", nargs="*", default=list(NIGHTS))
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    asked = parser.parse_args()
    for name in asked.nights:
        if name in ("online_retail", "m5") and not asked.data.is_dir():
            print(f"{name}: skipped, no real data at {asked.data}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name}: ", end="", flush=True)
            NIGHTS[name](Path(folder) / "home", asked.data)


if __name__ == "__main__":
    main()
