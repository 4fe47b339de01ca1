"""Six rounds of a real weekly shop through the nightly steps, what it sells cut by the stock that the plan leaves it.

    python -m benchmarks.decision_rounds [--series 600] [--start 2016-01-11] [--offset 0] [--years 1] [--data FOLDER]

Item-stores of M5 by weeks, from 2015-03-09 on. Each round is a night: ingest to publish, with sales,
`in_stock`, stock and open orders as a shop delivers them; what was missed nobody tells. Six orders, L two weeks,
holding 0.2, lost sale 1.0, opening stock two weeks of demand and one week in each of two transits, cost of weeks 3-8.
Controls live in the same world with the same knowledge: the mean of the last 13 weeks in stock, with so many weeks of
cover. Standard errors: bootstrap over series.

`--years 3`: a small shop's like. Only item-stores of up to 12 units a week; before the real weeks two more years are
drawn from them (Poisson about the same weeks' five-week mean, another level each year), for M5 reaches no further back;
and a tenth of the weeks before the first order are stocked out: flagged, and only a part of the demand sold.
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
MOST_A_WEEK = 12.0  # of the small shop's series [units/week]
STOCKOUT_STARTS, STOCKOUT_ENDS = 0.05, 0.5  # probability in a week
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


def m5_demand(folder: Path, *, n_series: int, offset: int, start: date, most: float = np.inf) -> Floats:
    """Return sales of some item-stores on sale for half a year and in the window, shape (n, n_weeks) [units/week]."""
    keys = ["sku", "location_id"]
    sales = pl.scan_parquet(folder / "m5" / "daily_sales.parquet").with_columns(ds=pl.col("date").dt.truncate("1w"))
    sales = sales.filter(pl.col("ds").is_between(FIRST_WEEK, start + timedelta(weeks=WEEKS - 1)))
    weekly = sales.group_by(*keys, "ds").agg(pl.col("units").sum()).collect()
    weekly = weekly.sort("ds").pivot(on="ds", index=keys, values="units").sort(keys)
    units = weekly.drop(keys).to_numpy().astype(np.float64)
    is_lasting = ~np.isnan(units[:, -(26 + WEEKS) :]).any(axis=1)
    lasting = np.flatnonzero(is_lasting & (np.nan_to_num(units[:, -(13 + WEEKS) : -WEEKS]).mean(axis=1) <= most))
    step = max(len(lasting) // n_series, 1)
    return units[lasting[offset % step :: step][:n_series]]


def with_years_before(demand: Floats, *, years: int) -> Floats:
    """Return demand with ``years`` more of 52 weeks in front, drawn about the first 52 weeks of each series."""
    rng = np.random.default_rng(5)
    weeks = np.lib.stride_tricks.sliding_window_view(np.pad(demand[:, :-WEEKS], ((0, 0), (2, 2)), "edge"), 5, axis=1)
    known = (~np.isnan(weeks)).sum(axis=2)
    usual = np.divide(np.nan_to_num(weeks).sum(axis=2), known, out=np.full(known.shape, np.nan), where=known > 0)
    usual = np.where(np.isnan(usual), np.nanmean(usual, axis=1, keepdims=True), usual)
    year = np.concatenate([usual, usual[:, -1:]], axis=1)[:, :52] if usual.shape[1] < 52 else usual[:, :52]
    levels = np.exp(np.cumsum(rng.normal(0, 0.25, (len(demand), years)), axis=1))[:, ::-1]
    before = [rng.poisson(year * levels[:, [k]]).astype(float) for k in range(years)]
    return np.concatenate([*before, np.nan_to_num(demand)], axis=1)


def stocked_out(n_series: int, n_weeks: int) -> npt.NDArray[np.bool_]:
    """Return which weeks before the first order are stocked out, shape (n_series, n_weeks): about a tenth, in runs."""
    rng = np.random.default_rng(6)
    out = np.zeros((n_series, n_weeks), dtype=bool)
    for week in range(1, n_weeks):
        draw = rng.random(n_series)
        out[:, week] = np.where(out[:, week - 1], draw >= STOCKOUT_ENDS, draw < STOCKOUT_STARTS)
    return out


class RealShop(WeeklyShop):
    """The weekly shop with series that start where real ones started, and its costs by series."""

    def __init__(self, home: Path, demand: Floats, first_week: date, *, is_out: npt.NDArray[np.bool_]) -> None:
        self.n_history = demand.shape[1] - WEEKS
        self.series_costs: list[Floats] = []
        self.real_starts = np.isnan(demand).sum(axis=1)
        self.is_out = is_out
        part = np.random.default_rng(7).random(is_out.shape)  # sold of a stocked-out week's demand
        self.sold_before = np.where(is_out, np.floor(part * demand[:, :-WEEKS]), demand[:, :-WEEKS])
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
            units, in_stock = self.sold_before[row, week], ~self.is_out[row, week]
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


def cover_cost(demand: Floats, *, cover: float, is_out: npt.NDArray[np.bool_]) -> Floats:
    """Return each series' cost of weeks 3 to 8 under so many weeks of the mean of the last 13 weeks in stock."""
    past, coming = demand[:, :-WEEKS], demand[:, -WEEKS:]
    recent = np.nan_to_num(past)[:, -8:].mean(axis=1)
    stock, due = np.ceil(2 * recent), [np.ceil(recent), np.ceil(recent)]
    told, cost = np.where(is_out, np.nan, past), np.zeros(len(demand))
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
    parser.add_argument("--years", type=int, default=1, help="of history; beyond one: the small shop's like")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--home", type=Path, help="keep the home folder here")
    asked = parser.parse_args()
    if not asked.data.is_dir():
        print(f"skipped, no real data at {asked.data}")
        return
    most = MOST_A_WEEK if asked.years > 1 else np.inf
    demand = m5_demand(asked.data, n_series=asked.series, offset=asked.offset, start=asked.start, most=most)
    first_week, is_out = FIRST_WEEK, np.zeros(demand[:, :-WEEKS].shape, dtype=bool)
    if asked.years > 1:
        demand = with_years_before(demand, years=asked.years - 1)
        first_week -= timedelta(weeks=52 * (asked.years - 1))
        is_out = stocked_out(len(demand), demand.shape[1] - WEEKS)
    with tempfile.TemporaryDirectory() as folder:
        shop = RealShop(asked.home or Path(folder) / "home", demand, first_week, is_out=is_out)
        plan = through_the_nights(shop)
    print(f"m5, {len(demand)} series, first week {asked.start}: the plan through the nights costs {plan.sum():,.0f}")
    for cover in COVERS:
        control = cover_cost(demand, cover=cover, is_out=is_out)
        share, error = saved(plan, control)
        print(f"  {cover:g} weeks of cover {control.sum():10,.0f}   the plan saves {share:6.1%} +- {error:.1%}")


if __name__ == "__main__":
    main()
