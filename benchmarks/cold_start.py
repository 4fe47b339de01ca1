"""Launches without history: forecasts from comparable items beside the mean of the category.

    python -m benchmarks.cold_start m5 [--data ../shared/data]

On M5 a launch is an item-store whose first day on sale lies after the cutoff; forecast is what the ladder gives an item
with attributes and a price, and no history; judged on its first 28 days. The category's mean: mean daily demand over
the last 28 days of the items of its category in its store, which is what a shop without analogues would take.
"""

from __future__ import annotations

import argparse
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.accuracy_m5 import m5_history, m5_keys
from forecasting.metrics import bias, wape
from forecasting.new_items import launch_analogues, launch_forecast
from forecasting.panel import Panel, build_panel

AHEAD = 28
LAST = date(2016, 4, 24)


def m5_panel(folder: Path) -> Panel:
    """Return the whole panel; ``regular_price`` is the price at the launch, which the shop knows in advance."""
    history = m5_history(folder, until=LAST)
    prices = pl.read_parquet(folder / "weekly_prices.parquet").sort("week_start")
    first = prices.group_by("sku", "location_id", maintain_order=True).agg(launch=pl.col("price").first())
    keys = m5_keys(folder, history).join(first, on=["sku", "location_id"], how="left")
    keys = keys.with_columns(regular_price=pl.col("launch").cast(pl.Float64)).drop("launch")
    return build_panel(history, keys, last_period=LAST, period_days=1, max_periods=800)


def category_means(panel: Panel, origin: int) -> np.ndarray:
    """Return (n,) mean daily demand over the last 28 days of the items of each series' category and store."""
    recent = panel.demand[:, origin - AHEAD : origin]
    mean = pl.Series(np.nan_to_num(np.nanmean(np.where(np.isnan(recent), np.nan, recent), axis=1), nan=np.nan))
    frame = panel.keys.with_columns(mean=mean.fill_nan(None))
    pooled = frame.select(pl.col("mean").mean().over("category", "location_id"))["mean"]
    return pooled.to_numpy().astype(float)


def launches(panel: Panel, *, origin: int, within: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return position, actual, forecast and category mean, (k, 28) each, of the items launched after ``origin``."""
    first = panel.first
    rows = np.flatnonzero((first >= origin) & (first < origin + within) & (first + AHEAD <= panel.n_periods))
    past = panel.until(origin)
    analogues = launch_analogues(past).rows(rows)
    nothing = np.full(len(rows), np.nan)
    made = launch_forecast(past.rows(rows), analogues, nothing, horizon=AHEAD + within, pooling=10.0)
    wait = first[rows] - origin
    column = wait[:, None] + np.arange(AHEAD)[None, :]
    actual = panel.demand[rows[:, None], first[rows][:, None] + np.arange(AHEAD)[None, :]].astype(float)
    # the life-cycle curve starts at the launch, the weekday at the date
    shape = made / np.maximum(made.mean(axis=1, keepdims=True), 1e-9)
    level = made[:, :AHEAD].mean(axis=1, keepdims=True)
    forecast = (
        level
        * np.take_along_axis(shape, column, axis=1)
        / np.maximum(np.take_along_axis(shape, column, axis=1).mean(axis=1, keepdims=True), 1e-9)
    )
    means = category_means(past, origin)[rows][:, None] + np.zeros((1, AHEAD))
    return rows, actual, forecast, means


def m5(folder: Path) -> None:
    """Print WAPE of the launches of several cutoffs."""
    panel = m5_panel(folder)
    report(panel)


def report(panel: Panel) -> None:
    found = []
    for origin in range(140, panel.n_periods - AHEAD - 27, 28):
        rows, actual, forecast, means = launches(panel, origin=origin, within=28)
        if not len(rows):
            continue
        found.append((actual, forecast, means))
        day = panel.start + timedelta(days=origin)
        print(f"launched from {day}: {_figures(actual, forecast, means)}")
    print("all: " + _figures(*(np.concatenate([f[k] for f in found]) for k in range(3))))


def _figures(actual: np.ndarray, forecast: np.ndarray, means: np.ndarray) -> str:
    ours, theirs = wape(actual, forecast), wape(actual, means)
    totals = [wape(actual.sum(axis=1), f.sum(axis=1)) for f in (forecast, means)]
    return (
        f"{len(actual)} items, WAPE by day {ours:.3f}, category mean {theirs:.3f}, ratio {ours / theirs:.3f}; of the "
        f"28 days' total {totals[0]:.3f} and {totals[1]:.3f}, ratio {totals[0] / totals[1]:.3f}; "
        f"bias {bias(actual, forecast):+.2f} and {bias(actual, means):+.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", help="m5")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    asked = parser.parse_args()
    m5(asked.data / "m5")


if __name__ == "__main__":
    main()
