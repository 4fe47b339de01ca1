"""The M5 figure: WRMSSE of the mean forecast over 28 days beside the same-weekday control, with time and memory.

    python -m benchmarks.accuracy_m5 [--cutoff 2016-03-27] [--data ../shared/data] [--no-snap]

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
from forecasting.metrics import bias, pinball, randomised_pit, wrmsse
from forecasting.models import control_forecast
from forecasting.panel import build_panel
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
        heat=pl.DataFrame(
            schema={
                "element_type": pl.String,
                "element": pl.String,
                "region": pl.String,
                "ds": pl.Date,
                "heat": pl.Float64,
            }
        ),
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


def m5_forecast(folder: Path, *, cutoff: date, snap: bool, config: ForecastConfig) -> tuple[Inputs, Forecast]:
    history = m5_history(folder, until=cutoff)
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
    losses = pinball(actual, {q: result.quantiles[:, :, k] for k, q in enumerate(LEVELS)})
    print(f"pinball {losses:.4f} units")
    classes = np.array([str(c) for c in result.fitted.choices])
    for name in classes.tolist():
        choice = result.fitted.choices[name]
        print(f"  {name:13s} score {choice.score:.3f} {choice.weights} singles {choice.scores}")
    report_calibration(classes_of(panel), actual, result)


def report_calibration(classes: np.ndarray, actual: np.ndarray, result: Forecast) -> None:
    """Print the randomised PIT of totals over the protection period, by demand class, and of single days."""
    rng = np.random.default_rng(1)
    total = actual[:, : int(result.spans.fixed[0])].sum(axis=1)
    u, v = rng.random(len(total)), rng.random(actual.shape)
    checked = [(q, LEVELS.index(q)) for q in (0.5, 0.8, 0.9, 0.95)]
    for name in [*sorted(set(classes.tolist())), "all"]:
        members = (classes == name) | (name == "all")
        found = [randomised_pit(total[members], result.totals.quantiles[members, k], u[members]) for _, k in checked]
        figures = " ".join(f"P{q * 100:.0f} {value:.3f}" for (q, _), value in zip(checked, found, strict=True))
        print(f"  totals {name:13s} {int(members.sum()):6d} series  {figures}")
    found = [randomised_pit(actual, result.quantiles[:, :, k], v) for _, k in checked]
    print(
        "  days   all    "
        + " ".join(f"P{q * 100:.0f} {value:.3f}" for (q, _), value in zip(checked, found, strict=True))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cutoff", type=date.fromisoformat, default=date(2016, 3, 27))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    parser.add_argument("--no-snap", action="store_true")
    arguments = parser.parse_args()
    started, cpu = time.monotonic(), time.process_time()
    folder = arguments.data / "m5"
    inputs, result = m5_forecast(folder, cutoff=arguments.cutoff, snap=not arguments.no_snap, config=ForecastConfig())
    wall, cpu = time.monotonic() - started, time.process_time() - cpu
    report(folder, inputs, result, arguments.cutoff)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{inputs.panel.n_series} series, cutoff {arguments.cutoff}, seen without the warehouse:")
    print(f"{wall:.0f} s wall, {cpu:.0f} s CPU, peak {memory:.1f} GB")


if __name__ == "__main__":
    main()
