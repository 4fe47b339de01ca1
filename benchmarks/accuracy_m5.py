"""The M5 figure: WRMSSE of the mean forecast over 28 days beside the same-weekday control, with time and memory.

    python -m benchmarks.accuracy_m5 [--cutoff 2016-03-27] [--data ../shared/data] [--no-snap] [--every 1]

Scaled pinball over nine levels stands beside the control's empirical quantiles (the last eight of the same weekday),
and totals over the protection period beside the series' own climatology: its totals of the same length before.

Runs the pure forecast (no warehouse) for all series of the M5 sample on what was known at the cutoff.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from datetime import date, timedelta
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl

from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.features import Tables, price_matrix
from forecasting.forecast import Forecast, classes_of, make_forecast
from forecasting.intervals import LEVELS
from forecasting.metrics import bias, randomised_pit, wrmsse
from forecasting.models import control_forecast
from forecasting.panel import Panel, build_panel
from forecasting.protection import Spans

HORIZON = 28


def m5_history(folder: Path, *, until: date) -> pl.DataFrame:
    """Return daily sales shaped as ``demand_history``."""
    sales = pl.read_parquet(folder / "daily_sales.parquet").rename({"date": "ds"}).filter(pl.col("ds") <= until)
    return sales.with_columns(
        in_stock_share=pl.lit(None, pl.Float64),
        is_censored=pl.lit(False),
        is_closed=pl.lit(False),
        is_gap=pl.lit(False),
        is_partial=pl.lit(False),
    )


def m5_keys(folder: Path, history: pl.DataFrame) -> pl.DataFrame:
    products = pl.read_csv(folder / "products.csv").rename({"department": "product_type"})
    keys = history.select("sku", "location_id").unique().join(products, on="sku", how="left")
    return keys.with_columns(
        status=pl.lit("active"), region=pl.col("location_id").str.slice(0, 2), regular_price=pl.lit(None, pl.Float64)
    ).sort("sku", "location_id")


def m5_tables(folder: Path, *, cutoff: date, snap: bool) -> Tables:
    prices = pl.read_parquet(folder / "weekly_prices.parquet").rename({"week_start": "from_date"})
    calendar = pl.read_csv(folder / "calendar.csv", try_parse_dates=True)
    events = [
        calendar.filter(pl.col(f"event_name_{k}").is_not_null()).select(
            name=f"event_name_{k}", starts_date="date", ends_date="date", kind=f"event_type_{k}", region=pl.lit("*")
        )
        for k in (1, 2)
    ]
    for state in ("CA", "TX", "WI") if snap else ():
        days = calendar.filter(pl.col(f"snap_{state}") == 1)
        events.append(
            days.select(
                name=pl.lit("SNAP"), starts_date="date", ends_date="date", kind=pl.lit("snap"), region=pl.lit(state)
            )
        )
    nothing = {"sku": pl.String, "location_id": pl.String, "price": pl.Float64, "from_date": pl.Date}
    return Tables(
        prices=prices.filter(pl.col("from_date") <= cutoff).with_columns(channel=pl.lit("*")),
        planned_prices=pl.DataFrame(schema=nothing),
        events=pl.concat(events).with_columns(ip=pl.lit("*")),
        paid=pl.DataFrame(schema={"sku": pl.String, "location_id": pl.String, "ds": pl.Date, "unit_price": pl.Float64}),
    )


def m5_levels(keys: pl.DataFrame) -> list[np.ndarray]:
    """Return the 12 official aggregation levels as node numbers."""
    groups = [
        [], ["region"], ["location_id"], ["category"], ["product_type"], ["region", "category"],
        ["region", "product_type"], ["location_id", "category"], ["location_id", "product_type"],
        ["sku"], ["sku", "region"], ["sku", "location_id"],
    ]  # fmt: skip
    return [
        (
            keys.select(pl.struct(g).rank("dense")).to_series().to_numpy().astype(np.int64) - 1
            if g
            else np.zeros(keys.height, dtype=np.int64)
        )
        for g in groups
    ]


def m5_forecast(
    folder: Path,
    *,
    cutoff: date,
    snap: bool,
    config: ForecastConfig,
    every: int = 1,
    also: pl.DataFrame | None = None,
) -> tuple[Inputs, Forecast]:
    """Return inputs and forecast of every n-th item, and of the series of ``also`` (sku, location_id)."""
    history = m5_history(folder, until=cutoff)
    if every > 1:
        items = sorted(history["sku"].unique().to_list())[::every]
        more = [] if also is None else [history.join(also, on=["sku", "location_id"], how="semi")]
        history = pl.concat([history.filter(pl.col("sku").is_in(items)), *more]).unique(["sku", "location_id", "ds"])
    keys = m5_keys(folder, history)
    panel = build_panel(history, keys, last_period=cutoff, period_days=1, max_periods=config.max_history_days)
    del history
    tables = m5_tables(folder, cutoff=cutoff, snap=snap)
    n = panel.n_series
    inputs = Inputs(panel, np.arange(n), tables, price_matrix(panel, tables, horizon=HORIZON))
    spans = Spans(np.full(n, 14.0), np.zeros(n), np.full(n, 7.0), 1)
    result = make_forecast(
        inputs, spans, horizon=HORIZON, config=config, seed=2026, step=1.0, firm_preorders=no_firm_preorders(),
        overrides=no_overrides(),
    )  # fmt: skip
    return inputs, result


def no_firm_preorders() -> pl.DataFrame:
    """Return an empty table of firm preorders."""
    return pl.DataFrame(schema={"sku": pl.String, "firm_qty": pl.Int64})


def no_overrides() -> pl.DataFrame:
    """Return an empty table of overrides."""
    return pl.DataFrame(schema={"kind": pl.String, "from_date": pl.Date, "override_id": pl.String})


def report(folder: Path, inputs: Inputs, result: Forecast, cutoff: date) -> None:
    panel = inputs.panel
    wide = pl.read_parquet(folder / "daily_sales.parquet").filter(
        pl.col("date").is_between(cutoff + timedelta(days=1), cutoff + timedelta(days=HORIZON))
    )
    index = panel.keys.select("sku", "location_id").with_row_index("series")
    cells = wide.join(index, on=["sku", "location_id"])
    actual = np.zeros((panel.n_series, HORIZON))
    actual[cells["series"].to_numpy(), (cells["date"] - cutoff).dt.total_days().to_numpy() - 1] = cells[
        "units"
    ].to_numpy()
    revenue = (
        np.nan_to_num(panel.demand[:, -28:]) * np.nan_to_num(inputs.prices[:, panel.n_periods - 28 : panel.n_periods])
    ).sum(axis=1)
    levels = m5_levels(panel.keys)
    control = np.nan_to_num(control_forecast(panel, horizon=HORIZON, weeks=8))
    for name, mean in (("model", result.mean), ("control", control)):
        value, by_level = wrmsse(panel.demand, actual, mean, revenue, levels)
        print(
            f"WRMSSE {name:8s} {value:.4f}  bias {bias(actual, mean):+.3f}  " + " ".join(f"{v:.3f}" for v in by_level)
        )
    report_pinball(panel, actual, result)
    classes = np.array([str(c) for c in result.fitted.choices])
    for name in classes.tolist():
        choice = result.fitted.choices[name]
        print(f"  {name:13s} score {choice.score:.3f} {choice.weights} singles {choice.scores}")
    report_calibration(panel, classes_of(panel), actual, result)


JUDGED = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99)


def losses_of(actual: np.ndarray, quantile: np.ndarray, level: float) -> np.ndarray:
    """Return the pinball losses of one level [units]."""
    error = actual - quantile
    return np.maximum(level * error, (level - 1) * error)


def report_pinball(panel: Panel, actual: np.ndarray, result: Forecast) -> None:
    """Print scaled pinball of days beside the control's empirical quantiles."""
    steps = np.abs(np.diff(panel.demand, axis=1))
    scale = np.nanmean(np.where(np.isnan(steps), np.nan, steps), axis=1)
    usable = np.isfinite(scale) & (scale > 0)
    past = panel.demand[usable, -56:].reshape(int(usable.sum()), 8, 7)
    ours, theirs = [], []
    for level in JUDGED:
        control = np.tile(np.nan_to_num(np.nanquantile(past, level, axis=1)), (1, HORIZON // 7))
        own = result.quantiles[usable][:, :, LEVELS.index(level)]
        for losses, quantile in ((ours, own), (theirs, control)):
            losses.append((losses_of(actual[usable], quantile, level).mean(axis=1) / scale[usable]).mean())
    a, b = float(np.mean(ours)), float(np.mean(theirs))
    print(f"scaled pinball {a:.4f}, control's empirical quantiles {b:.4f}, ratio {a / b:.3f}")


def report_calibration(panel: Panel, classes: np.ndarray, actual: np.ndarray, result: Forecast) -> None:
    """Print the randomised PIT of totals over the protection period, by demand class, and of single days."""
    rng = np.random.default_rng(1)
    length = int(result.spans.fixed[0])
    total = actual[:, :length].sum(axis=1)
    u, v = rng.random(len(total)), rng.random(actual.shape)
    checked = [(q, LEVELS.index(q)) for q in (0.5, 0.8, 0.9, 0.95)]
    climatology = own_climatology(panel, length, [q for q, _ in checked])
    for name in [*sorted(set(classes.tolist())), "all"]:
        members = (classes == name) | (name == "all")
        found = [randomised_pit(total[members], result.totals.quantiles[members, k], u[members]) for _, k in checked]
        figures = " ".join(f"P{q * 100:.0f} {value:.3f}" for (q, _), value in zip(checked, found, strict=True))
        known = members & ~np.isnan(climatology[:, 0])
        ours = np.mean([losses_of(total[known], result.totals.quantiles[known, k], q).mean() for q, k in checked])
        own = np.mean([losses_of(total[known], climatology[known, i], q).mean() for i, (q, _) in enumerate(checked)])
        ratio = f"pinball {ours / own:.3f} of climatology's" if known.any() and own > 0 else ""
        print(f"  totals {name:13s} {int(members.sum()):6d} series  {figures}  {ratio}")
    found = [randomised_pit(actual, result.quantiles[:, :, k], v) for _, k in checked]
    print(
        "  days   all    "
        + " ".join(f"P{q * 100:.0f} {value:.3f}" for (q, _), value in zip(checked, found, strict=True))
    )


def own_climatology(panel: Panel, length: int, levels: list[float]) -> np.ndarray:
    """Return (n, k) quantiles of each series' own totals over ``length`` periods, a week apart; NaN with under four."""
    demand = panel.demand[:, -min(panel.n_periods, 400) :].astype(np.float64)
    sums = np.lib.stride_tricks.sliding_window_view(demand, length, axis=1)[:, :: panel.season].sum(axis=2)
    enough = (~np.isnan(sums)).sum(axis=1) >= 4
    out = np.full((len(demand), len(levels)), np.nan)
    out[enough] = np.nanquantile(sums[enough], levels, axis=1).T
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cutoff", type=date.fromisoformat, default=date(2016, 3, 27))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    parser.add_argument("--no-snap", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="every n-th item, for a quick look")
    arguments = parser.parse_args()
    started, cpu = time.monotonic(), time.process_time()
    folder = arguments.data / "m5"
    snap, every = not arguments.no_snap, arguments.every
    inputs, result = m5_forecast(folder, cutoff=arguments.cutoff, snap=snap, config=ForecastConfig(), every=every)
    wall, cpu = time.monotonic() - started, time.process_time() - cpu
    report(folder, inputs, result, arguments.cutoff)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{inputs.panel.n_series} series, cutoff {arguments.cutoff}, seen without the warehouse:")
    print(f"{wall:.0f} s wall, {cpu:.0f} s CPU, peak {memory:.1f} GB")


if __name__ == "__main__":
    main()
