"""Six rounds of a real weekly shop through the nightly steps, what it sells cut by the stock that the plan leaves it.

    python -m benchmarks.decision_rounds [--series 600] [--start 2016-01-11] [--offset 0] [--data ../shared/data]

Item-stores of M5 by weeks, from 2015-03-09 on. Each round is a night: ingest to publish, with sales,
`in_stock`, stock and open orders as a shop delivers them; what was missed nobody tells. Six orders, L two weeks,
holding 0.2, lost sale 1.0, opening stock two weeks of demand and one week in each of two transits, cost of weeks 3-8.
Controls live in the same world with the same knowledge: the mean of the last 13 weeks in stock, with so many weeks of
cover. Standard errors: bootstrap over series.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from benchmarks.nights import WeeklyShop
from restocking.explain import round_half_up

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIRST_WEEK = date(2015, 3, 9)
ORDERS, WEEKS, LEAD = 6, 8, 2
HOLDING, SHORTAGE = 0.2, 1.0
COVERS = (3.0, 3.5, 4.0)
DRAWS = 400
STEPS = (
    "data.step:run",
    "demand.step:run",
    "trends.step:run",
    "preorder.step:run_ledger",
    "forecasting.step:run",
    "preorder.step:run_plan",
    "restocking.step:run",
    "pricing.step:run",
    "reporting.step:run",
    "data.publish.step:run",
)


def m5_demand(folder: Path, *, n_series: int, offset: int, start: date) -> Floats:
    """Return sales of some item-stores on sale for half a year and in the window, shape (n, n_weeks) [units/week]."""
    keys = ["sku", "location_id"]
    sales = pl.scan_parquet(folder / "m5" / "daily_sales.parquet").with_columns(ds=pl.col("date").dt.truncate("1w"))
    sales = sales.filter(pl.col("ds").is_between(FIRST_WEEK, start + timedelta(weeks=WEEKS - 1)))
    weekly = sales.group_by(*keys, "ds").agg(pl.col("units").sum()).collect()
    weekly = weekly.sort("ds").pivot(on="ds", index=keys, values="units").sort(keys)
    units = weekly.drop(keys).to_numpy().astype(np.float64)
    lasting = np.flatnonzero(~np.isnan(units[:, -(26 + WEEKS) :]).any(axis=1))
    step = max(len(lasting) // n_series, 1)
    return units[lasting[offset % step :: step][:n_series]]


class RealShop(WeeklyShop):
    """The weekly shop with series that start where real ones started, and its costs by series."""

    def __init__(self, home: Path, demand: Floats, first_week: date) -> None:
        self.n_history = demand.shape[1] - WEEKS
        self.series_costs: list[Floats] = []
        self.real_starts = np.isnan(demand).sum(axis=1)
        super().__init__(home, np.nan_to_num(demand), first_week, self.n_history)

    def advance(self, number: int, orders: pd.Series) -> None:
        """Let a week happen; what each series cost is kept."""
        arriving = self.arrivals.get(self.week(number), 0)
        available = self.stock + arriving
        super().advance(number, orders)
        missed = self.demand[:, number] - (available - self.stock)
        self.series_costs.append(HOLDING * self.stock + SHORTAGE * missed)

    def _write_sales(self, row: Ints, week: Ints, units: Floats, in_stock: npt.NDArray[np.bool_], name: str) -> None:
        if name == "history":
            row, week = np.nonzero(np.arange(self.n_history)[None, :] >= self.real_starts[:, None])
            units, in_stock = self.demand[row, week], np.ones(len(row), dtype=bool)
        super()._write_sales(row, week, units, in_stock, name)


def through_the_nights(shop: RealShop) -> Floats:
    """Return each series' cost of weeks 3 to 8, ordering what the plan releases in six rounds."""
    first = shop.n_history
    for number in range(first, first + WEEKS):
        orders = pd.Series(dtype=float)
        if number < first + ORDERS:
            for step in STEPS:
                module, function = step.split(":")
                getattr(importlib.import_module(module), function)(shop.home, shop.run_date(number))
            plan = pd.read_parquet(shop.home / "published" / "current" / "tables" / "restock_plan.parquet")
            orders = plan[plan["status"] != "held"].groupby("sku")["order_qty"].sum()
        shop.advance(number, orders)
        print(f"  week {number - first + 1}: cost {shop.costs[-1]:,.0f}, ordered {orders.sum():,.0f}", flush=True)
    return np.sum(shop.series_costs[LEAD:], axis=0)


def cover_cost(demand: Floats, *, cover: float) -> Floats:
    """Return each series' cost of weeks 3 to 8 under so many weeks of the mean of the last 13 weeks in stock."""
    past, coming = demand[:, :-WEEKS], demand[:, -WEEKS:]
    recent = np.nan_to_num(past)[:, -8:].mean(axis=1)
    stock, due = np.ceil(2 * recent), [np.ceil(recent), np.ceil(recent)]
    told, cost = past.copy(), np.zeros(len(demand))
    for week in range(WEEKS):
        position = stock + due[0] + due[1] if len(due) > 1 else stock + due[0]
        order = round_half_up(np.maximum(cover * np.nanmean(told[:, -13:], axis=1) - position, 0.0)).astype(float)
        due.append(order if week < ORDERS else np.zeros(len(demand)))
        stock = stock + due.pop(0)
        sold = np.minimum(coming[:, week], stock)
        stock = stock - sold
        if week >= LEAD:
            cost += HOLDING * stock + SHORTAGE * (coming[:, week] - sold)
        told = np.column_stack([told, np.where(sold >= coming[:, week], sold, np.nan)])
        blind = np.isnan(told[:, -13:]).all(axis=1)
        told[blind, -1] = sold[blind]
    return cost


def saved(plan: Floats, other: Floats) -> tuple[float, float]:
    """Return the share that the plan saves, and its standard error by bootstrap over series."""
    picks = np.random.default_rng(1).integers(0, len(plan), (DRAWS, len(plan)))
    drawn = 1 - plan[picks].sum(axis=1) / other[picks].sum(axis=1)
    return float(1 - plan.sum() / other.sum()), float(drawn.std(ddof=1))


def main() -> None:
    """Run the rounds and print what everything cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=600)
    parser.add_argument("--offset", type=int, default=0, help="which of the samples of item-stores")
    parser.add_argument("--start", type=date.fromisoformat, default=date(2016, 1, 11), help="a Monday: the first week")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--home", type=Path, help="keep the home folder here")
    asked = parser.parse_args()
    if not asked.data.is_dir():
        print(f"skipped, no real data at {asked.data}")
        return
    demand = m5_demand(asked.data, n_series=asked.series, offset=asked.offset, start=asked.start)
    with tempfile.TemporaryDirectory() as folder:
        shop = RealShop(asked.home or Path(folder) / "home", demand, FIRST_WEEK)
        plan = through_the_nights(shop)
    print(f"m5, {len(demand)} series, first week {asked.start}: the plan through the nights costs {plan.sum():,.0f}")
    for cover in COVERS:
        control = cover_cost(demand, cover=cover)
        share, error = saved(plan, control)
        print(f"  {cover:g} weeks of cover {control.sum():10,.0f}   the plan saves {share:6.1%} +- {error:.1%}")


if __name__ == "__main__":
    main()
