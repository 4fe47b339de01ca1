"""Stocked-out demand on freshretail: planted truth found again, and forecasts beside a masked 28-day mean.

    python -m benchmarks.stocked_out planted [--data ../shared/data]
    python -m benchmarks.stocked_out absent [--every 1]
    python -m benchmarks.stocked_out forecast [--origins 6] [--every 1]

``planted``: series that are nearly always in stock get a stock that their demand exceeds on a third of days; sales are
cut there, a flag is all that is told, and the mean of recovered demand is set beside the true one.
``absent``: a tenth of the series runs out with a sale and stays out to the end; recovered demand of the last fortnight
beside what really sold, and beside the level of the eight weeks before carried on.
``forecast``: rolling origins a week apart, seven days each; judged on days in stock all day, where sales are demand.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl

from benchmarks.accuracy_m5 import no_firm_preorders, no_overrides
from demand.config import CensoringConfig
from demand.panel import Panel as DemandPanel
from demand.recovery import recovered_demand
from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.features import Tables, price_matrix
from forecasting.forecast import Forecast, make_forecast
from forecasting.intervals import unit_step
from forecasting.metrics import bias, wape
from forecasting.panel import build_panel
from forecasting.protection import Spans

DAYS, HOURS, AHEAD = 90, 16, 7
STORES = {"days in stock >= 90%": 0.9, "days in stock >= 80%": 0.8, "days in stock >= 70%": 0.7}


def fresh_sales(folder: Path, *, every: int = 1) -> pl.DataFrame:
    """Return the daily sales, sorted; every n-th series."""
    frame = pl.read_parquet(folder / "freshretail" / "daily.parquet").sort("sku", "location_id", "date")
    return frame.with_row_index("row").filter((pl.col("row") // DAYS) % every == 0).drop("row")


def recovered(
    units: np.ndarray, share: np.ndarray, out: np.ndarray, groups: Sequence[np.ndarray] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Return recovered demand of (n, t) arrays, and where it teaches; ``groups`` of series that sell alike."""
    n, t = units.shape
    keys = pl.DataFrame({"sku": [f"{i:06d}" for i in range(n)], "location_id": ["main"] * n})
    panel = DemandPanel(keys, np.full(n, -t), np.full(n, -1))
    flat = (units.ravel(), share.ravel(), out.ravel(), np.zeros(n * t, dtype=bool))
    demand, teaches = recovered_demand(*flat, panel, config=CensoringConfig(), season=7, groups=groups)
    return demand.reshape(n, t), teaches.reshape(n, t)


def planted(folder: Path) -> None:
    """Print how much of the mean is found again, for several ways to cap sales."""
    sales = fresh_sales(folder)
    units = sales["units"].to_numpy().astype(float).reshape(-1, DAYS)
    stocked = sales["stockout_hours_6_22"].to_numpy().reshape(-1, DAYS) == 0
    for name, least in STORES.items():
        true = units[stocked.mean(axis=1) >= least]
        rng = np.random.default_rng(1)
        caps = {
            "one stock for every day": np.quantile(true, 0.65, axis=1, keepdims=True) + np.zeros_like(true),
            "stock drawn day by day": np.stack([np.quantile(r, rng.uniform(0.4, 0.85, DAYS)) for r in true]),
            "share of the mean": true.mean(axis=1, keepdims=True) * rng.uniform(0.4, 2.0, true.shape),
        }
        for way, stock in caps.items():
            sold, out = np.minimum(true, stock), true > stock
            masked = np.where(out, np.nan, sold)
            usual = true.mean()
            flag = recovered(sold, np.where(out, np.nan, 1.0), out)[0].mean() / usual - 1
            share = recovered(sold, np.where(out, sold / np.maximum(true, 1e-9), 1.0), out)[0].mean() / usual - 1
            print(
                f"{name} ({len(true)} series), {way:24s} out on {out.mean():.0%} of days: as sold "
                f"{sold.mean() / usual - 1:+.1%}, masked {np.nanmean(masked, axis=1).mean() / usual - 1:+.1%}, "
                f"recovered by flag {flag:+.1%}, by share of the day {share:+.1%}"
            )


def absent(folder: Path, *, every: int) -> None:
    """Print how near recovered demand comes to what sold, for planted absences of three to eight weeks."""
    sales = fresh_sales(folder, every=every)
    units = sales["units"].to_numpy().astype(float).reshape(-1, DAYS)
    share = 1 - sales["stockout_hours_6_22"].to_numpy().reshape(-1, DAYS) / HOURS
    keys = sales.group_by("sku", "location_id", maintain_order=True).agg(pl.col("^category_.*$", "region").first())
    names = (("category_3", "location_id"), ("category_3", "region"), ("category_2", "location_id"), ("location_id",))
    groups = [keys.select(pl.struct(n).rank("dense")).to_series().to_numpy().astype(np.int64) for n in names]
    rng = np.random.default_rng(5)
    steady = np.flatnonzero((share[:, -14:] == 1).mean(axis=1) >= 0.8)
    drawn = np.sort(rng.choice(steady, len(steady) // 10, replace=False))
    came = np.where(share[drawn, -14:] == 1, units[drawn, -14:], np.nan)
    then = np.full(len(drawn), np.nan)
    for number, row in enumerate(drawn.tolist()):
        last = DAYS - int(rng.integers(21, 57))
        sold = np.flatnonzero(units[row, :last] > 0)
        if not len(sold) or sold[-1] < 21:
            continue
        past = slice(max(sold[-1] - 56, 0), sold[-1])
        then[number] = units[row, past][share[row, past] == 1].mean() if (share[row, past] == 1).any() else np.nan
        share[row, sold[-1]] = np.minimum(share[row, sold[-1]], 0.5)
        units[row, sold[-1] + 1 :] = share[row, sold[-1] + 1 :] = 0
    kept = np.flatnonzero(np.isfinite(then))
    actual = np.nanmean(came[kept], axis=1)
    found = recovered(units, share, share < 1, groups)[0][drawn[kept], -14:].mean(axis=1)
    for name, level in (("recovered", found), ("level before, carried on", then[kept])):
        error = np.abs(level - actual).sum() / actual.sum()
        print(f"{len(kept)} series, {name}: {level.sum() / actual.sum() - 1:+.1%} of what sold, WAPE {error:.3f}")


def fresh_inputs(sales: pl.DataFrame, *, until: date, config: ForecastConfig) -> tuple[Inputs, float]:
    """Return the inputs of a forecast as of ``until``; demand is recovered from what was known by then."""
    past = sales.filter(pl.col("date") <= until)
    days = past["date"].n_unique()
    units = past["units"].to_numpy().astype(float).reshape(-1, days)
    share = 1 - past["stockout_hours_6_22"].to_numpy().reshape(-1, days) / HOURS
    demand, teaches = recovered(units, share, share < 1)
    history = past.select(
        "sku", "location_id", ds="date", units=pl.col("units").cast(pl.Float64),
        in_stock_share=pl.Series(share.ravel()), is_censored=pl.Series((share < 1).ravel()),
        is_closed=pl.lit(False), is_gap=pl.lit(False), is_partial=pl.lit(False),
        recovered_units=pl.Series(demand.ravel()),
        recovered_teaches=pl.Series(teaches.ravel()),
    )  # fmt: skip
    keys = past.group_by("sku", "location_id", maintain_order=True).agg(
        pl.col("region", "category_1", "category_2", "category_3").first()
    )
    keys = keys.rename({"category_1": "category", "category_2": "product_type", "category_3": "style_id"})
    keys = keys.with_columns(status=pl.lit("active"), regular_price=pl.lit(None, pl.Float64))
    panel = build_panel(history, keys, last_period=until, period_days=1, max_periods=config.max_history_days)
    step = unit_step(panel)
    tables = fresh_tables(sales, until=until)
    prices = price_matrix(panel, tables, horizon=AHEAD)
    return Inputs(panel.scaled(1 / step), np.arange(panel.n_series), tables, prices), step


def fresh_tables(sales: pl.DataFrame, *, until: date) -> Tables:
    """Return discounts as prices (known a week ahead: planned), holidays as events, past weather."""
    price = sales.select("sku", "location_id", from_date="date", price=pl.col("discount").cast(pl.Float64))
    ahead = until + timedelta(days=AHEAD)
    days = sales.group_by("date").agg(pl.col("holiday_flag").max()).filter(pl.col("holiday_flag") > 0).sort("date")
    text, day, number = pl.String, pl.Date, pl.Float64
    return Tables(
        prices=price.filter(pl.col("from_date") <= until).with_columns(channel=pl.lit("*")),
        planned_prices=price.filter(pl.col("from_date").is_between(until + timedelta(days=1), ahead)),
        events=days.select(
            name=pl.lit("holiday"), starts_date="date", ends_date="date", kind=pl.lit("holiday"), region=pl.lit("*"),
            ip=pl.lit("*"),
        ),
        paid=pl.DataFrame(schema={"sku": text, "location_id": text, "ds": day, "unit_price": number}),
        weather=sales.filter(pl.col("date") <= until).group_by("date", "region").agg(
            pl.col("temperature_mean", "precipitation").cast(pl.Float64).mean()
        ).sort("region", "date"),
    )  # fmt: skip


def fresh_forecast(sales: pl.DataFrame, *, until: date, config: ForecastConfig) -> tuple[Inputs, Forecast]:
    """Return the forecast of the week after ``until``."""
    inputs, step = fresh_inputs(sales, until=until, config=config)
    n = inputs.panel.n_series
    spans = Spans(np.full(n, 3.0), np.zeros(n), np.full(n, 4.0), 1)
    result = make_forecast(
        inputs, spans, horizon=AHEAD, config=config, seed=2026, step=step, firm_preorders=no_firm_preorders(),
        overrides=no_overrides(),
    )  # fmt: skip
    return inputs, result


def forecast(folder: Path, *, origins: int, every: int) -> None:
    """Print WAPE and bias of each origin and of all of them."""
    sales = fresh_sales(folder, every=every)
    units = sales["units"].to_numpy().astype(float).reshape(-1, DAYS)
    out = sales["stockout_hours_6_22"].to_numpy().reshape(-1, DAYS)
    first = sales["date"].min()
    assert isinstance(first, date)
    rows: list[list[np.ndarray]] = []
    for number in range(origins, 0, -1):
        at = DAYS - AHEAD * number
        started = time.monotonic()
        _, result = fresh_forecast(sales, until=first + timedelta(days=at - 1), config=ForecastConfig())
        past = np.where(out[:, :at] == 0, units[:, :at], np.nan)[:, -28:]
        with np.errstate(invalid="ignore"):
            count = (~np.isnan(past)).sum(axis=1)
            control = np.where(count > 0, np.nansum(past, axis=1) / np.maximum(count, 1), np.nan)
        control = np.where(np.isnan(control), units[:, :at][:, -28:].mean(axis=1), control)[:, None] + np.zeros(
            (1, AHEAD)
        )
        window = slice(at, at + AHEAD)
        actual = np.where(out[:, window] == 0, units[:, window], np.nan)
        rows.append([actual, result.mean, control])
        mixtures = [(v.weights, v.scores) for k, v in result.fitted.choices.items() if k == "all"]
        print(f"day {at}: {_figures(*rows[-1])}  {mixtures}  {time.monotonic() - started:.0f} s", flush=True)
    print("all:    " + _figures(*(np.concatenate([r[k] for r in rows]) for k in range(3))))


def _figures(actual: np.ndarray, mean: np.ndarray, control: np.ndarray) -> str:
    ours, theirs = wape(actual, mean), wape(actual, control)
    return (
        f"WAPE {ours:.4f} control {theirs:.4f} ratio {ours / theirs:.3f}; "
        f"bias {bias(actual, mean):+.3f} control {bias(actual, control):+.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["planted", "absent", "forecast"])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    parser.add_argument("--origins", type=int, default=6)
    parser.add_argument("--every", type=int, default=1)
    asked = parser.parse_args()
    if asked.what == "planted":
        planted(asked.data)
    elif asked.what == "absent":
        absent(asked.data, every=asked.every)
    else:
        forecast(asked.data, origins=asked.origins, every=asked.every)


if __name__ == "__main__":
    main()
