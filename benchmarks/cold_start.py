"""Launches without history: forecasts from what is known before the launch, beside the mean of the category.

    python -m benchmarks.cold_start m5 [--data ../shared/data]
    python -m benchmarks.cold_start demo [HOME] [--date 2026-06-28]

Every four weeks the launches of the next four are forecast from what was known then, and judged on their first 28 days:
periods that stock allowed, recovered demand where it ran out. ``demo`` reads a home folder whose night has run (none
named: a shop is made). The category's mean: mean daily demand over the last 28 days of the items of its category at its
location, which is what a shop without analogues would take. Demo launches are judged again without their first orders,
without the levels that trends foresaw, without both, and as items launched in the last three weeks, whose few days of
history count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl

from benchmarks.accuracy_m5 import m5_history, m5_keys
from forecasting.event_lift import event_lift
from forecasting.new_items import launch_analogues, launch_forecast, was_launched
from forecasting.panel import Panel, build_panel

AHEAD, YOUNG_DAYS, POOLING = 28, 21, 10.0
LAST = date(2016, 4, 24)
LACKING = {
    "without first orders": ("launch_qty",),
    "without levels foreseen": ("prior_level", "prior_known"),
    "without both": ("launch_qty", "prior_level", "prior_known"),
}
NIGHT = ("ingest", "demand", "trends")


def m5_panel(folder: Path) -> Panel:
    """Return the whole panel; ``regular_price`` is the price at the launch, which the shop knows in advance."""
    history = m5_history(folder, until=LAST)
    prices = pl.read_parquet(folder / "weekly_prices.parquet").sort("week_start")
    first = prices.group_by("sku", "location_id", maintain_order=True).agg(launch=pl.col("price").first())
    keys = m5_keys(folder, history).join(first, on=["sku", "location_id"], how="left")
    keys = keys.with_columns(regular_price=pl.col("launch").cast(pl.Float64)).drop("launch")
    return build_panel(history, keys, last_period=LAST, period_days=1, max_periods=800)


def demo_panel(home: Path | None, run_date: date) -> tuple[Panel, pl.DataFrame]:
    """Return the panel of a demo home and its events; one is made where none is named."""
    from data.step_io import open_step
    from forecasting.config import ForecastConfig
    from forecasting.step import load_inputs

    with tempfile.TemporaryDirectory() as made:
        if home is None:
            home = Path(made) / "shop"
            _night(home, run_date)
        with open_step("backtest", home=home, run_date=run_date) as io:
            inputs = load_inputs(io, ForecastConfig())[0]
            return inputs.panel, inputs.tables.events


def _night(home: Path, run_date: date) -> None:
    """Make a demo shop and run the steps that forecasts read."""
    import importlib

    from data.demo import write_demo

    write_demo(home)
    for room in NIGHT:
        step = "data.step" if room == "ingest" else f"{room}.step"
        importlib.import_module(step).run(home, run_date)


def category_means(panel: Panel, origin: int) -> np.ndarray:
    """Return (n,) mean daily demand over the last 28 days of the items of each series' category and location."""
    recent = panel.demand[:, origin - AHEAD : origin].astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # items not yet on sale have no mean
        mean = pl.Series(np.nanmean(recent, axis=1)).fill_nan(None)
    pooled = panel.keys.with_columns(mean=mean).select(
        by_category=pl.col("mean").mean().over("category", "location_id"),
        by_location=pl.col("mean").mean().over("location_id"),
    )
    return pooled.select(pl.coalesce("by_category", "by_location")).to_series().to_numpy().astype(float)


class Score:
    """Sums of what came and what was forecast, by origin."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, actual: np.ndarray, ours: np.ndarray, means: np.ndarray) -> None:
        """Add the cells of one origin, (k, 28) each; NaN in ``actual`` is not judged."""
        judged = ~np.isnan(actual)
        self.cells.append(tuple(np.where(judged, np.nan_to_num(v), 0) for v in (actual, ours, means)))  # type: ignore[arg-type]

    def line(self) -> str:
        """Return the figures as text."""
        actual, ours, means = (np.concatenate([c[k] for c in self.cells]) for k in range(3))
        parts = []
        for label, axis in (("by day", None), ("of the 28 days' total", 1)):
            a, o, m = (v if axis is None else v.sum(axis=axis) for v in (actual, ours, means))
            mine, theirs = np.abs(o - a).sum() / a.sum(), np.abs(m - a).sum() / a.sum()
            parts.append(f"WAPE {label} {mine:.3f}, category mean {theirs:.3f}, ratio {mine / theirs:.3f}")
        lean = [v.sum() / actual.sum() - 1 for v in (ours, means)]
        return f"{self.name}: {len(actual)} items, {'; '.join(parts)}; bias {lean[0]:+.2f} and {lean[1]:+.2f}"


def launches(panel: Panel, events: pl.DataFrame | None, origin: int, score: Score) -> None:
    """Judge the launches of the four weeks after ``origin``."""
    first = panel.first
    rows = np.flatnonzero(
        was_launched(panel) & (first >= origin) & (first < origin + AHEAD) & (first + AHEAD <= panel.n_periods)
    )
    past = panel.until(origin)
    made = _published(past, events, rows, horizon=2 * AHEAD)
    column = (first[rows] - origin)[:, None] + np.arange(AHEAD)[None, :]
    forecast = np.take_along_axis(made, column, axis=1)
    if "launch_date" not in panel.keys.columns:  # else the life-cycle curve has begun at the launch by itself
        level = made[:, :AHEAD].mean(axis=1, keepdims=True)
        forecast = level * forecast / np.maximum(forecast.mean(axis=1, keepdims=True), 1e-9)
    score.add(_came(panel, rows, first[rows]), forecast, _flat(category_means(past, origin)[rows]))


def young(panel: Panel, events: pl.DataFrame | None, origin: int, score: Score) -> None:
    """Judge the next four weeks of items launched in the three weeks before ``origin``."""
    first = panel.first
    rows = np.flatnonzero(was_launched(panel) & (first < origin) & (first >= origin - YOUNG_DAYS))
    if origin + AHEAD > panel.n_periods or not len(rows):
        return
    past = panel.until(origin)
    made = _published(past, events, rows, horizon=AHEAD)
    score.add(_came(panel, rows, np.full(len(rows), origin)), made, _flat(category_means(past, origin)[rows]))


def _published(past: Panel, events: pl.DataFrame | None, rows: np.ndarray, *, horizon: int) -> np.ndarray:
    """Return (k, horizon) means of the series ``rows`` as the ladder gives them, events taken out and put back."""
    lift = np.ones((past.n_series, past.n_periods + horizon), dtype=np.float32)
    if events is not None:
        lift = event_lift(past, events, horizon=horizon)
    usual = replace(past, demand=past.demand / lift[:, : past.n_periods])
    analogues = launch_analogues(usual).rows(rows)
    made = launch_forecast(usual.rows(rows), analogues, np.full(len(rows), np.nan), horizon=horizon, pooling=POOLING)
    return made * lift[rows, past.n_periods :]


def _came(panel: Panel, rows: np.ndarray, start: np.ndarray) -> np.ndarray:
    at = rows[:, None], start[:, None] + np.arange(AHEAD)[None, :]
    return np.where(panel.teaches[at], panel.demand[at], np.nan).astype(float)


def _flat(means: np.ndarray) -> np.ndarray:
    return means[:, None] + np.zeros((1, AHEAD))


def report(panel: Panel, events: pl.DataFrame | None, *, by_origin: bool) -> None:
    """Print the figures of launches, without what else is known of them too, and of young items."""
    kinds = {"launches": panel}
    for name, lacking in LACKING.items():
        if all(c in panel.keys.columns for c in lacking):
            kinds[name] = replace(panel, keys=panel.keys.drop(lacking))
    scores = {name: Score(name) for name in [*kinds, "launched in the last three weeks"]}
    for origin in range(140, panel.n_periods - 27, 28):
        for name, given in kinds.items():
            launches(given, events, origin, scores[name])
        young(panel, events, origin, scores["launched in the last three weeks"])
        if by_origin:
            one = Score(f"launched from {panel.start + timedelta(days=origin)}")
            launches(panel, events, origin, one)
            print(one.line() if len(one.cells[0][0]) else f"{one.name}: none", flush=True)
    for score in scores.values():
        print(score.line(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["m5", "demo"])
    parser.add_argument("home", nargs="?", type=Path, help="demo home whose ingest, demand and trends steps have run")
    parser.add_argument("--date", type=date.fromisoformat, default=date(2026, 6, 28))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    parser.add_argument("--origins", action="store_true", help="a line for each origin")
    asked = parser.parse_args()
    panel, events = (m5_panel(asked.data / "m5"), None) if asked.what == "m5" else demo_panel(asked.home, asked.date)
    report(panel, events, by_origin=asked.origins)


if __name__ == "__main__":
    main()
