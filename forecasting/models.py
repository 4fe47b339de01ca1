"""The candidate models: each takes a panel as it stood at an origin and returns (n, h) mean demand per period.

* ``control``: mean of the same weekday over the last weeks (weekly: the last weeks), stocked-out periods masked;
* statistical models of statsforecast: daily ones forecast the level, a pooled weekday profile gives it its shape;
* the global learner of ``learner.py``.

NaN means "no forecast from this model"; nothing here is negative or infinite.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.config import ForecastConfig
from forecasting.panel import Panel
from forecasting.workers import HERE, Workers, shards

__all__ = [
    "CONTROL",
    "LEARNER",
    "control_forecast",
    "in_stock_ratio",
    "sane",
    "statistical_forecasts",
    "weekday_profile",
]

CONTROL = "moving_average"
LEARNER = "lightgbm"

_PROFILE_PRIOR_UNITS = 150.0  # [units] sales of a series at which its own weekday profile weighs as much as the pooled
_PROFILE_WEEKS = 8
_RATIO_WEEKS = 8  # [weeks] over which periods in stock are compared with all
_LEAST_RATIO = 0.8  # [ratio] below this the flags, not the demand, are in doubt
_LONG_WEEKS = 26  # [weeks] of the long mean
_SHARD_CELLS = 1_000_000  # cells of history that the statistical models are given at a time


def control_forecast(panel: Panel, *, horizon: int, weeks: int) -> NDArray[np.float32]:
    """Return the moving-average control: (n, horizon) means of the same weekday over the last ``weeks`` weeks.

    Only periods that teach count. Where a weekday has none, the mean of all of them; NaN where there is none at all.
    """
    recent = np.where(panel.teaches, panel.demand, np.nan)[:, -weeks * panel.season :]
    by_season = _season_means(recent, season=panel.season)
    overall = _mean(recent)[:, None]
    filled = np.where(np.isnan(by_season), overall, by_season)
    return filled[:, np.arange(horizon) % panel.season].astype(np.float32)


def _season_means(recent: NDArray[np.floating[Any]], *, season: int) -> NDArray[np.float64]:
    """Return (n, season) means by position in the season, position 0 being that of the next period."""
    width = recent.shape[1]
    out = np.full((recent.shape[0], season), np.nan)
    for position in range(season):
        columns = [c for c in range(width) if (width - c) % season == (season - position) % season]
        if columns:
            out[:, position] = _mean(recent[:, columns])
    return out


def _mean(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def in_stock_ratio(panel: Panel) -> float:
    """Return mean demand of the periods that teach the learner over that of all periods that teach (ratio, at most 1).

    Below 1 where stock runs out in periods that had sold well by then and the history says that periods in stock are
    a fair sample all the same: recovered demand then lifts every mean that counts it, and the learner, taught by
    periods in stock alone, would be mixed with models of another level. 1 where all teaching periods teach it.
    """
    recent = slice(-_RATIO_WEEKS * panel.season, None)
    demand, learns, teaches = panel.demand[:, recent], panel.learns[:, recent], panel.teaches[:, recent]
    usable = learns.sum(axis=1) >= panel.season
    sure, whole = (_mean(np.where(kept, demand, np.nan)[usable]).sum() for kept in (learns, teaches))
    return float(np.clip(sure / whole, _LEAST_RATIO, 1.0)) if whole > 0 else 1.0


def weekday_profile(panel: Panel) -> NDArray[np.float64]:
    """Return (n, season) ratios of each weekday to the mean day, position 0 being the next period's; mean 1.

    A series' own profile is shrunk to that of its location and category, and this to its location's.
    """
    recent = np.where(panel.teaches, panel.demand, np.nan)[:, -_PROFILE_WEEKS * panel.season :]
    own = np.nan_to_num(_season_means(recent, season=panel.season))
    profile = np.ones_like(own)
    for columns in (["location_id"], ["location_id", "category"]):
        names = [c for c in columns if c in panel.keys.columns]
        code = panel.keys.select(pl.struct(names).rank("dense")).to_series().to_numpy().astype(np.int64) - 1
        pooled = np.zeros((code.max() + 1 if len(code) else 0, panel.season))
        np.add.at(pooled, code, own)
        profile = _shrunk(pooled, _at_first(profile, code, len(pooled)))[code]
    return _shrunk(own * _PROFILE_WEEKS, profile)


def _at_first(profile: NDArray[np.float64], code: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    out = np.ones((count, profile.shape[1]))
    out[code] = profile
    return out


def _shrunk(sums: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    season = sums.shape[1]
    mean = sums.sum(axis=1, keepdims=True) / season
    prior_units = _PROFILE_PRIOR_UNITS / season
    ratio: NDArray[np.float64] = (sums + prior_units * prior) / (mean + prior_units)
    return ratio


def statistical_forecasts(
    panel: Panel,
    *,
    horizon: int,
    config: ForecastConfig,
    lift: NDArray[np.float32] | None = None,
    workers: Workers = HERE,
) -> dict[str, NDArray[np.float32]]:
    """Return (n, horizon) forecasts by model name; NaN for series with too few periods.

    Daily: IMAPA and TSB levels (Petropoulos & Kourentzes 2015; Teunter, Syntetos & Babai 2011) and the mean of half a
    year, which slow sellers are as well foreseen by, times the weekday profile. Weekly: exponential smoothing, Theta
    and IMAPA; the automatic searches cost ten times as much.
    With ``lift``, (n, n_periods + horizon), they see demand without what events did to it, and are lifted by it.
    """
    daily = panel.season > 1
    if lift is not None:
        panel = replace(panel, demand=panel.demand / lift[:, : panel.n_periods])
    width = config.statistical_history_days if daily else config.statistical_history_weeks
    demand = panel.demand[:, -width:]
    long_enough = (~np.isnan(demand)).sum(axis=1) >= config.min_periods_for_statistics
    long_enough &= np.nansum(demand, axis=1) > 0
    rows = np.flatnonzero(long_enough)
    names = ("imapa", "tsb") if daily else ("imapa", "ets", "theta")
    out = {name: np.full((panel.n_series, horizon), np.nan, dtype=np.float32) for name in names}
    shape = (
        weekday_profile(panel)[:, np.arange(horizon) % panel.season] if daily else np.ones((panel.n_series, horizon))
    )
    shape = shape if lift is None else shape * lift[:, panel.n_periods :]
    parts = shards(rows, width=demand.shape[1], cells=_SHARD_CELLS)
    found = workers.map(_levels, ((demand[part], names, 1 if daily else horizon) for part in parts))
    for part, levels in zip(parts, found, strict=True):
        for name, values in levels.items():
            out[name][part] = (values * shape[part]).astype(np.float32)
    if daily:
        level = _mean(demand[rows, -_LONG_WEEKS * panel.season :].astype(np.float64))[:, None]
        out["long_mean"] = np.full((panel.n_series, horizon), np.nan, dtype=np.float32)
        out["long_mean"][rows] = (level * shape[rows]).astype(np.float32)
    return {name: sane(values, demand) for name, values in out.items()}


def _levels(demand: NDArray[np.float32], names: Sequence[str], steps: int) -> dict[str, NDArray[np.float64]]:
    """Return (n, steps) forecasts of each model for a shard of series."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from statsforecast import StatsForecast
    from statsforecast.models import IMAPA, TSB, AutoETS, HistoricAverage, Theta

    known = {
        "imapa": IMAPA(alias="imapa"),
        "tsb": TSB(alpha_d=0.1, alpha_p=0.1, alias="tsb"),
        "ets": AutoETS(model="ANN", alias="ets"),
        "theta": Theta(alias="theta"),
    }
    forecaster = StatsForecast(
        models=[known[name] for name in names], freq=1, n_jobs=1, fallback_model=HistoricAverage()
    )
    result = forecaster.forecast(df=_long(demand), h=steps).sort("unique_id", "ds")
    return {name: result[name].to_numpy().reshape(len(demand), steps) for name in names}


def _long(demand: NDArray[np.float32]) -> pl.DataFrame:
    """Return the series in Nixtla's long shape, integers for ids and time; inner NaN cannot occur."""
    series, period = np.nonzero(~np.isnan(demand))
    return pl.DataFrame(
        {
            "unique_id": series.astype(np.int32),
            "ds": period.astype(np.int32),
            "y": demand[series, period].astype(np.float32),
        }
    )


def sane(forecast: NDArray[np.float32], demand: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the forecast with negatives at 0 and what is not finite, or absurd beside the past, as NaN."""
    largest = np.nanmax(np.where(np.isnan(demand), -1, demand), axis=1, keepdims=True)
    usable = np.isfinite(forecast) & (forecast <= 10 * np.maximum(largest, 1))
    return np.where(usable, np.maximum(forecast, 0), np.nan).astype(np.float32)
