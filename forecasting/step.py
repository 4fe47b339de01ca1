"""The forecast step of the night: reads history and what is known in advance, writes forecasts and their accuracy."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.calendar import Calendar
from data.contracts import QUANTILES
from data.errors import DataError
from data.settings import Settings
from data.step_io import StepIO, open_step
from forecasting.backtest import Inputs
from forecasting.champions import read_champions
from forecasting.config import ForecastConfig
from forecasting.drift import drifted
from forecasting.features import Tables, price_matrix
from forecasting.fitting import Fitted
from forecasting.forecast import Forecast, learnt, make_forecast
from forecasting.heat_lift import Signals
from forecasting.intervals import unit_step
from forecasting.launch_facts import with_launch_facts
from forecasting.panel import build_panel
from forecasting.protection import Spans
from forecasting.week_model import WeekModel, read_week_model, stamp_of, write_week_model
from forecasting.workers import Workers, workers_of

__all__ = ["load_inputs", "run", "spans_of"]

_HISTORY = [
    *("sku", "location_id", "ds", "units", "recovered_units", "recovered_teaches"),
    *("is_censored", "is_closed", "is_gap", "is_partial"),
]
_SUPPLY = ["supplier_id", "lead_time_days", "lead_time_sd_days", "review_period_days", "expected_receipt_date"]
_LARGEST_TOTAL_BIAS = 0.25  # [0-1] of four weeks of the whole shop: a holiday season foreseen or not
_NOT_TEACHING = ("not_product",)


def run(home: Path, run_date: date) -> dict[str, int]:
    """Write ``forecasts``, ``protection_demand``, ``demand_paths``, ``series_accuracy`` and ``forecast_accuracy``.

    Returns:
        Counts of rows read and written.

    Raises:
        ChecksFailed: more than ``max_failed_share`` of the series got no usable first choice, or an output is not
            finite, non-negative and ordered.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before LightGBM is imported: 2.9 s instead of 50 s when busy
    with open_step("forecast", home=home, run_date=run_date) as io:
        config = ForecastConfig.model_validate(io.settings.rooms.get("forecasting", {}))
        inputs, step = load_inputs(io, config)
        supply = _supply(io, inputs)
        spans = _spans(supply, io.calendar)
        with workers_of(config.workers) as workers:
            week = _week_model(io, inputs, spans, config=config, workers=workers)
            io.progress.stage("tonight's forecast")
            result = make_forecast(
                inputs,
                spans,
                horizon=_horizon(spans, io.settings, config),
                config=config,
                seed=io.settings.planning.seed,
                step=step,
                firm_preorders=io.read_polars("preorder_ledger", columns=["sku", "firm_qty"]),
                overrides=io.read_polars("overrides"),
                week=week,
                workers=workers,
            )
        _report(io, inputs, result, config)
        _write(io, supply, result)
    return io.counts


def _week_model(io: StepIO, inputs: Inputs, spans: Spans, *, config: ForecastConfig, workers: Workers) -> WeekModel:
    """Return what was learnt as of the last day of a week, learning it where no night of the week has done so yet.

    Demand that has left what the week's model knows asks for a new one, as of the run date.
    """
    seed = io.settings.planning.seed
    back = io.calendar.days_since_week_closed // io.calendar.period_days if config.nights_share_a_model else 0
    origin = inputs.panel.n_periods - back
    past = inputs.until(origin)
    moved = drifted(inputs, origin=origin, ratio=config.drift_ratio) if len(past.targets) else ["no history before"]
    if moved:
        back, past = 0, inputs.until(inputs.panel.n_periods)
    as_of = io.run_date - timedelta(days=back * io.calendar.period_days)
    stamp = stamp_of(past, as_of=as_of, run_date=io.run_date, config=config, seed=seed)
    week = read_week_model(io.home, stamp)
    if week is None:
        io.progress.stage(f"learning from what was known on {as_of}")
        kept = np.isin(inputs.targets, inputs.kept_until(inputs.panel.n_periods - back))
        week = learnt(
            past,
            spans.rows(np.flatnonzero(kept)),
            config=config,
            seed=seed,
            prior=read_champions(io.home, before=as_of),
            workers=workers,
        )
        write_week_model(io.home, week, stamp)
    io.check(
        "model_of_the_week",
        failed=len(moved),
        rows=max(len(inputs.targets), 1),
        table="forecasts",
        severity="warn",
        sample=moved,
        observed=f"learnt as of {as_of}",
        expected="demand of the days since within reach of what was learnt",
        advice="Demand has left its recent level: the model was learnt anew from all that is known.",
    )
    return week


def load_inputs(io: StepIO, config: ForecastConfig) -> tuple[Inputs, float]:
    """Return the inputs of the forecast as of the run date, in steps of demand, and the step [units]."""
    assortment = io.read_polars("assortment").filter(~pl.col("status").is_in(_NOT_TEACHING))
    regions = io.read_polars("stg_locations", columns=["location_id", "region"])
    keys = assortment.join(regions, on="location_id", how="left").sort("sku", "location_id")
    keys = with_launch_facts(
        keys,
        elements=io.read_polars("product_elements", columns=["sku", "element_type", "element"]),
        receipts=io.read_polars(
            "stg_receipts",
            columns=["sku", "location_id", "campaign_id", "ordered_date", "received_date", "received_qty"],
        ),
        open_orders=io.read_polars(
            "stg_purchase_orders",
            columns=["sku", "location_id", "campaign_id", "ordered_date", "expected_receipt_date", "open_qty"],
        ),
        priors=io.read_polars("new_item_priors", columns=["sku", "region", "level_ratio", "known_date"]),
    )
    history = io.read_polars("demand_history", columns=_HISTORY)
    calendar = io.calendar
    longest = config.max_history_weeks if calendar.is_weekly else config.max_history_days
    with_history = history.select("sku", "location_id").unique()
    keys = pl.concat(
        [
            keys.filter(pl.col("status") == "active"),
            keys.filter(pl.col("status") != "active").join(with_history, on=["sku", "location_id"], how="semi"),
        ]
    )
    panel = build_panel(
        history, keys, last_period=calendar.last_period, period_days=calendar.period_days, max_periods=longest
    )
    del history
    step = unit_step(panel)
    panel = panel.scaled(1 / step)
    tables = _tables(io)
    targets = np.flatnonzero(panel.keys["status"].to_numpy() == "active")
    furthest = max(config.max_horizon_days, config.min_horizon_days) // calendar.period_days + 1
    prices = price_matrix(panel, tables, horizon=furthest)
    return Inputs(panel, targets, tables, prices, closed_days=tuple(io.settings.shop.closed_days)), step


def _tables(io: StepIO) -> Tables:
    prices = io.read_polars("stg_prices", columns=["sku", "location_id", "channel", "from_date", "price"])
    paid = pl.DataFrame(schema={"sku": pl.String, "location_id": pl.String, "ds": pl.Date, "unit_price": pl.Float64})
    if not prices.height:
        paid = io.read_polars("demand_history", columns=["sku", "location_id", "ds", "unit_price"])
    return Tables(
        prices=prices,
        planned_prices=io.read_polars("stg_planned_prices", columns=["sku", "location_id", "from_date", "price"]),
        events=io.read_polars("stg_events", columns=["name", "starts_date", "ends_date", "kind", "region", "ip"]),
        paid=paid,
        weather=io.read_polars("stg_weather", columns=["date", "region", "temperature_mean", "precipitation"]),
        signals=_signals_that_help(io),
    )


def _signals_that_help(io: StepIO) -> Signals:
    """Return the attention of the element types whose signals earned their place, with their lead and strength."""
    gate = io.read_polars("signal_leads", columns=["element_type", "lead_days", "strength", "use_in_forecast"])
    told = io.read_polars("trend_features", columns=["element_type", "element", "region", "ds", "attention"])
    helping = gate.filter(pl.col("use_in_forecast")).drop("use_in_forecast")
    carried = io.read_polars("product_elements", columns=["sku", "element_type", "element"])
    return Signals(told.join(helping, on="element_type"), carried)


def spans_of(io: StepIO, inputs: Inputs) -> Spans:
    """Return the protection periods of the target series."""
    return _spans(_supply(io, inputs), io.calendar)


def _supply(io: StepIO, inputs: Inputs) -> pl.DataFrame:
    """Return the supply terms of each target series, in their order; the defaults where it has none."""
    keys = inputs.panel.keys[inputs.targets.tolist()]
    default = io.settings.planning.default_supply
    calendar = io.calendar
    terms = io.read_polars("item_supply", columns=["sku", *_SUPPLY])
    joined: pl.DataFrame = keys.select("sku", "location_id").join(terms, on="sku", how="left", maintain_order="left")
    receipt = calendar.receipt_date(default.lead_time_days)
    return joined.with_columns(
        pl.col("supplier_id").fill_null("-"),
        pl.col("lead_time_days").fill_null(calendar.lead_time(default.lead_time_days)),
        pl.col("lead_time_sd_days").fill_null(default.lead_time_sd_days),
        pl.col("review_period_days").fill_null(calendar.review_period_days),
        pl.col("expected_receipt_date").fill_null(receipt),
    )


def _spans(supply: pl.DataFrame, calendar: Calendar) -> Spans:
    """Return the protection periods. A supplier's closed days push the receipt out: L is what it really takes."""
    waited = (supply["expected_receipt_date"].cast(pl.Date) - calendar.first_period).dt.total_days()
    lead_time = np.maximum(supply["lead_time_days"].to_numpy(), waited.to_numpy()).astype(np.float64)
    return Spans(
        lead_time=lead_time,
        lead_time_sd=supply["lead_time_sd_days"].to_numpy().astype(np.float64),
        review=supply["review_period_days"].to_numpy().astype(np.float64),
        period_days=calendar.period_days,
    )


def _horizon(spans: Spans, settings: Settings, config: ForecastConfig) -> int:
    """Return the periods to forecast: the longest L + R + 2 sd, at least 28 days; a number in the settings caps it."""
    longest = float(np.max(spans.lead_time + spans.review + 2 * spans.lead_time_sd, initial=0.0))
    days = min(max(longest, config.min_horizon_days), config.max_horizon_days)
    cap = settings.planning.horizon_days
    days = days if cap == "auto" else min(days, float(cap))
    return max(int(np.ceil(round(days / spans.period_days, 9))), 1)


def _report(io: StepIO, inputs: Inputs, result: Forecast, config: ForecastConfig) -> None:
    n = len(inputs.targets)
    unusable = result.ladder.unusable
    skus = inputs.panel.keys["sku"].to_numpy()[inputs.targets]
    limit = config.max_failed_share * n
    io.check(
        "first_choice_usable",
        failed=int(unusable.sum()) if unusable.sum() > limit else 0,
        rows=n,
        table="forecasts",
        sample=skus[unusable].tolist(),
        observed=f"{int(unusable.sum())} of {n} series without a usable first choice",
        expected=f"at most {config.max_failed_share:.0%}",
        advice="See the reason column of forecasts; the model's inputs are damaged.",
    )
    cut = np.array(["cut_to_cap" in reason for reason in result.ladder.reason], dtype=np.bool_)
    io.check(
        "within_cap",
        failed=cut,
        rows=n,
        table="forecasts",
        severity="warn" if cut.sum() <= limit else "error",
        sample=skus[cut].tolist(),
        expected=f"means up to {config.growth_cap:g} times the largest demand seen",
        advice="The forecast was cut to the cap: look at the item before ordering.",
    )
    io.check(
        "ordered_and_finite",
        failed=_disordered(result),
        rows=n,
        table="forecasts",
        sample=skus[_disordered(result)].tolist(),
        expected="finite, non-negative, ordered quantiles",
    )
    _report_total_bias(io, result.fitted)
    if not result.fitted.n_windows:
        io.note(
            "NO_BACKTEST", "History is too short for a backtest: the moving average is forecast, its spread is assumed."
        )
    if not inputs.tables.events.height:
        io.note("NO_EVENTS", "No events table: the forecast knows no events.")


def _report_total_bias(io: StepIO, fitted: Fitted) -> None:
    gains = ", ".join(f"{score:.2f}" for score in fitted.coherence_scores)
    io.check(
        "total_bias",
        failed=int(abs(fitted.total_bias) > _LARGEST_TOTAL_BIAS),  # false where it is unknown
        rows=1,
        table="forecasts",
        severity="warn",
        observed=f"whole shop {fitted.total_bias:+.1%} on the last window; levels agree by {fitted.coherence}"
        + (f" (error reconciled over summed, by window: {gains})" if gains else ""),
        expected=f"within {_LARGEST_TOTAL_BIAS:.0%}",
        advice="Forecasts of the whole shop leaned to one side: look at the latest events and prices before ordering.",
    )


def _disordered(result: Forecast) -> NDArray[np.bool_]:
    values = result.quantiles
    sound = np.isfinite(values).all(axis=(1, 2)) & (values >= 0).all(axis=(1, 2)) & np.isfinite(result.mean).all(axis=1)
    sound &= (np.diff(values, axis=2) >= 0).all(axis=(1, 2)) & (result.mean >= 0).all(axis=1)
    sound &= np.isfinite(result.totals.quantiles).all(axis=1) & (np.diff(result.totals.quantiles, axis=1) >= 0).all(
        axis=1
    )
    return np.asarray(~sound)


def _write(io: StepIO, supply: pl.DataFrame, result: Forecast) -> None:
    n, horizon = result.mean.shape
    if n == 0:
        raise DataError(
            "forecast: no active SKU in the assortment, so there is nothing to forecast; see `not_replenished`"
        )
    keys = supply.select("sku", "location_id")
    io.write("forecasts", _forecast_frame(io, keys, result), row_floor=n * horizon)
    names = list(QUANTILES)
    io.write(
        "protection_demand",
        supply.select("sku", "location_id", "supplier_id").with_columns(
            lead_time_days=pl.Series(np.ceil(result.spans.lead_time)),
            review_period_days=pl.Series(result.spans.review),
            mean=pl.Series(result.totals.mean),
            **{name: pl.Series(result.totals.quantiles[:, k]) for k, name in enumerate(names)},
        ),
        row_floor=n,
    )
    paths = keys.with_columns(period_correlation=pl.Series(result.correlation), total_scale=pl.Series(result.scale))
    io.write("demand_paths", paths, row_floor=n)
    drivers = {name: pl.Series(values) for name, values in result.drivers.items()}
    lengths = np.minimum(result.spans.fixed, horizon)
    io.write("forecast_drivers", keys.with_columns(periods=pl.Series(lengths), **drivers), row_floor=n)
    io.write("series_accuracy", result.series_accuracy, row_floor=n)
    if result.accuracy.height:
        io.write("forecast_accuracy", result.accuracy)


def _forecast_frame(io: StepIO, keys: pl.DataFrame, result: Forecast) -> pl.DataFrame:
    n, horizon = result.mean.shape
    labels = io.calendar.periods(horizon)
    at = np.repeat(np.arange(n), horizon)
    ladder = pl.DataFrame(
        {
            "sku": keys["sku"],
            "location_id": keys["location_id"],
            "model": pl.Series(result.ladder.model, dtype=pl.String),
            "fallback_level": result.ladder.level,
            "reason": pl.Series(result.ladder.reason, dtype=pl.String),
        }
    )
    said = pl.Series([*result.override_reasons, None], dtype=pl.String)
    which = result.overridden.reshape(-1)
    frame: pl.DataFrame = ladder[at.tolist()].with_columns(
        ds=pl.Series(labels * n, dtype=pl.Date),
        mean=pl.Series(result.mean.reshape(-1)),
        **{name: pl.Series(result.quantiles[:, :, k].reshape(-1)) for k, name in enumerate(QUANTILES)},
        reason=pl.concat_str(
            [
                pl.col("reason"),
                pl.when(pl.Series(result.closed.reshape(-1))).then(pl.lit("closed_day")),
                pl.when(pl.Series(result.ended.reshape(-1))).then(pl.lit("not_on_sale")),
                said[np.where(which < 0, len(said) - 1, which)],
            ],
            separator="; ",
            ignore_nulls=True,
        ),
    )
    return frame
