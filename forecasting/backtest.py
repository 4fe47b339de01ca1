"""Forecasts made as of earlier origins, beside what came: the evidence for weights, calibration and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.config import ForecastConfig
from forecasting.event_lift import calm, event_lift
from forecasting.features import Tables, closed_ahead, known_features
from forecasting.heat_lift import beyond_level, heat_lift
from forecasting.jumps import Settled, settled
from forecasting.learner import Learner, fit_learner
from forecasting.metrics import scale
from forecasting.middle_out import Nodes, foreseen_nodes
from forecasting.models import CONTROL, LEARNER, control_forecast, in_stock_ratio, statistical_forecasts
from forecasting.month_days import month_lift
from forecasting.new_items import Analogues, launch_analogues
from forecasting.panel import Panel
from forecasting.selection import Window
from forecasting.workers import HERE, Workers
from forecasting.year_season import year_lift

__all__ = ["Inputs", "Trial", "candidates", "origins", "run_trials"]

_MIN_WEEKS = 8  # [weeks] history before the first origin
_FEWER_WEEKS, _FEWEST_WEEKS = 6, 4  # [weeks] the same in a young shop, with windows of half and a quarter the length
_BACKTEST_SHARE = 0.5  # of the rows of the nightly fit: it weighs models, it does not forecast
_WEEKLY_WINDOWS = 2  # weekly windows are short: twice as many of them


@dataclass(frozen=True)
class Inputs:
    """What a forecast is made from.

    Attributes:
        panel: all series that may teach, in steps of demand.
        targets: positions of the series that get a forecast.
        tables: the other inputs.
        prices: (n, >= t) prices in force.
        closed_days: days listed in the settings.
    """

    panel: Panel
    targets: NDArray[np.int64]
    tables: Tables
    prices: NDArray[np.float32]
    closed_days: tuple[date | str, ...] = ()

    def until(self, origin: int) -> Inputs:
        """Return the inputs as they stood after the first ``origin`` periods, without series that had none by then."""
        kept = self.kept_until(origin)
        return replace(
            self,
            panel=self.panel.until(origin).rows(kept),
            targets=np.flatnonzero(np.isin(kept, self.targets)),
            prices=self.prices[kept, :origin],
        )

    def kept_until(self, origin: int) -> NDArray[np.int64]:
        """Return the positions of the series that had any history after the first ``origin`` periods."""
        return np.flatnonzero((~np.isnan(self.panel.demand[:, : max(origin, 0)])).any(axis=1))


@dataclass(frozen=True)
class Trial:
    """One origin: forecasts of the target series made after ``origin`` periods, and what came.

    Attributes:
        origin: periods known.
        past: panel of the targets up to the origin.
        forecasts: model -> (n, h).
        actual: (n, h) demand that may be judged, NaN elsewhere.
        sold: (n, h) what sold where stock ran out, a lower bound of demand; NaN elsewhere.
        total_actual: (n, h) demand where the whole window may be judged, closed periods 0; else NaN.
        scales: (n,) mean squared one-step difference of the past.
        analogues: what launches of all series were compared with then.
        nodes: what departments were foreseen to come to; see :mod:`forecasting.middle_out`.
        jumps: what series that had jumped then were to settle at; see :mod:`forecasting.jumps`.
        sure: (n, h) periods at whose level forecasts stand, those that teach the learner; None: all of them.
    """

    origin: int
    past: Panel
    forecasts: dict[str, NDArray[np.float32]]
    actual: NDArray[np.float32]
    sold: NDArray[np.float32]
    total_actual: NDArray[np.float32]
    scales: NDArray[np.float64]
    window: Window
    analogues: Analogues | None = None
    nodes: Nodes | None = None
    jumps: Settled | None = None
    sure: NDArray[np.bool_] | None = None


def origins(panel: Panel, *, config: ForecastConfig, count: int | None = None) -> tuple[list[int], int]:
    """Return the origins of the earlier windows, oldest first, and their length [periods].

    The last window ends with the panel. Where the history is too short for two of them, windows are halved, once or
    twice, and less history is asked for before the first. Fewer, or none, where even that is too much.
    """
    length = whole = max(config.backtest_days // panel.period_days, 1)
    wanted = count or config.backtest_origins * (1 if panel.season > 1 else _WEEKLY_WINDOWS)
    earliest = _MIN_WEEKS * panel.season
    for shorter, weeks in ((2, _FEWER_WEEKS), (4, _FEWEST_WEEKS)):
        if panel.n_periods >= earliest + min(wanted, 2) * length or whole // shorter < panel.season:
            break
        length, earliest = whole // shorter, weeks * panel.season
    found = [panel.n_periods - k * length for k in range(wanted, 0, -1)]
    return [o for o in found if o >= earliest], length


def candidates(
    inputs: Inputs,
    past: Panel,
    *,
    origin: int,
    horizon: int,
    config: ForecastConfig,
    learner: Learner | None,
    workers: Workers = HERE,
) -> dict[str, NDArray[np.float32]]:
    """Return (n, horizon) forecasts of the targets by each model, as of ``origin``; closed periods are 0.

    Args:
        inputs: everything, of which only what was known at the origin is read.
        past: panel of the targets up to the origin.
        origin: periods known.
        horizon: periods to forecast.
        config: settings.
        learner: fitted on nothing later than the origin.
        workers: who works on the shards of series.
    """
    out = {CONTROL: control_forecast(past, horizon=horizon, weeks=config.control_weeks)}
    told = heat_lift(past, inputs.tables.signals, horizon=horizon)
    lift = event_lift(past, inputs.tables.events, horizon=horizon) * told
    lift *= month_lift(replace(past, demand=past.demand / lift[:, :origin]), horizon=horizon)
    lift *= year_lift(past, horizon=horizon)
    out |= statistical_forecasts(past, horizon=horizon, config=config, lift=lift, workers=workers)
    out = {name: forecast * np.float32(in_stock_ratio(past)) for name, forecast in out.items()}
    if learner is not None:
        whole = inputs.panel.until(origin)
        known = known_features(
            whole, inputs.tables, inputs.prices, origin=origin, horizon=horizon, values=learner.values
        )
        made = learner.predict(past, known.rows(inputs.targets), horizon=horizon, workers=workers)
        out[LEARNER] = made * beyond_level(told, past)
    closed = closed_ahead(past, origin=origin, horizon=horizon, closed_days=inputs.closed_days)
    return {name: np.where(closed & ~np.isnan(f), 0, f).astype(np.float32) for name, f in out.items()}


def learner_as_of(
    inputs: Inputs,
    *,
    origin: int,
    config: ForecastConfig,
    seed: int,
    share: float = 1.0,
    workers: Workers = HERE,
) -> Learner | None:
    """Return the global learner fitted on what was known at ``origin``, on a share of the usual number of rows."""
    past = inputs.panel.until(origin)
    known = known_features(past, inputs.tables, inputs.prices, origin=origin, horizon=0)
    rows = min(config.learner.max_rows, config.learner.max_rows_per_series * past.n_series)
    wanted = max(int(rows * share), 1)
    return fit_learner(past, known, config=config.learner, max_rows=wanted, seed=seed, workers=workers)


def run_trials(
    inputs: Inputs, *, config: ForecastConfig, seed: int, count: int | None = None, workers: Workers = HERE
) -> list[Trial]:
    """Return one trial for each earlier window, oldest first.

    One learner serves all of them: it is fitted as of the oldest origin, so no window has taught it.
    """
    at, length = origins(inputs.panel, config=config, count=count)
    if not at:
        return []
    learner = learner_as_of(inputs, origin=at[0], config=config, share=_BACKTEST_SHARE, seed=seed, workers=workers)
    return [_trial(inputs, origin=o, length=length, config=config, learner=learner, workers=workers) for o in at]


def _trial(
    inputs: Inputs, *, origin: int, length: int, config: ForecastConfig, learner: Learner | None, workers: Workers
) -> Trial:
    whole = inputs.panel.rows(inputs.targets)
    past = whole.until(origin)
    forecasts = candidates(inputs, past, origin=origin, horizon=length, config=config, learner=learner, workers=workers)
    window = slice(origin, origin + length)
    known_before = ~np.isnan(past.demand[:, -1:])
    judged = whole.teaches[:, window] & known_before
    actual = np.where(judged, whole.demand[:, window], np.nan).astype(np.float32)
    complete = (judged | (whole.closed[:, window] & known_before)).all(axis=1, keepdims=True)
    total_actual = np.where(complete, np.nan_to_num(actual), np.nan).astype(np.float32)
    scales = scale(np.where(past.teaches, past.demand, np.nan))
    sold = np.where(judged & whole.censored[:, window], whole.units[:, window], np.nan).astype(np.float32)
    seen = _window(inputs, past, forecasts, actual, scales)
    usually = calm(inputs.panel.until(origin), inputs.tables.events)
    compared, jumps = launch_analogues(usually), settled(usually).rows(inputs.targets)
    nodes = foreseen_nodes(past, inputs.tables, horizon=length, without=np.isfinite(jumps.level))
    return Trial(
        origin,
        past,
        forecasts,
        actual,
        sold,
        total_actual,
        scales,
        seen,
        compared,
        nodes,
        jumps,
        sure=whole.learns[:, window],
    )


def _window(
    inputs: Inputs,
    past: Panel,
    forecasts: dict[str, NDArray[np.float32]],
    actual: NDArray[np.float32],
    scales: NDArray[np.float64],
) -> Window:
    recent = np.nan_to_num(past.demand[:, -4 * past.season :]).sum(axis=1, dtype=np.float64)
    price = inputs.prices[inputs.targets, past.n_periods - 1].astype(np.float64)
    usual = float(np.nanmedian(price)) if np.isfinite(price).any() else 1.0
    revenue = recent * np.where(np.isfinite(price) & (price > 0), price, usual)
    floor = np.maximum(np.nan_to_num(past.demand).mean(axis=1, dtype=np.float64), 0.05)
    return Window(forecasts, actual, revenue / np.maximum(scales, floor), _nodes(past.keys))


def _nodes(keys: pl.DataFrame) -> Sequence[NDArray[np.int64]]:
    """Return the totals in which bias is watched: the shop, its locations, their categories."""
    nodes = [np.zeros(keys.height, dtype=np.int64)]
    for columns in (["location_id"], ["location_id", "category"]):
        names = [c for c in columns if c in keys.columns]
        nodes.append(keys.select(pl.struct(names).rank("dense")).to_series().to_numpy().astype(np.int64) - 1)
    return nodes
