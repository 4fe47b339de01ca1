"""The candidate models: each takes a panel as it stood at an origin and returns (n, h) mean demand per period.

* ``control``: mean of the same weekday over the last weeks (weekly: the last weeks), stocked-out periods masked;
* statistical models of statsforecast: daily ones forecast the level, a pooled weekday profile gives it its shape;
* one global LightGBM over all series through mlforecast, recursive, on lags of at least a week.

NaN means "no forecast from this model"; nothing here is negative or infinite.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.config import ForecastConfig, LearnerConfig
from forecasting.features import Known
from forecasting.panel import Panel

__all__ = [
    "CONTROL",
    "LEARNER",
    "Learner",
    "control_forecast",
    "fit_learner",
    "statistical_forecasts",
    "weekday_profile",
]

CONTROL = "moving_average"
LEARNER = "lightgbm"

_PROFILE_PRIOR_UNITS = 150.0  # [units] sales of a series at which its own weekday profile weighs as much as the pooled
_PROFILE_WEEKS = 8
_SHARD_CELLS = 2_000_000  # cells whose features are made at a time: some 300 MB
_KNUTH, _MIX = 2_654_435_761, 40_503  # multiplicative hashing: an even draw of rows that needs no random state


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
    panel: Panel, *, horizon: int, config: ForecastConfig, threads: int = 1
) -> dict[str, NDArray[np.float32]]:
    """Return (n, horizon) forecasts by model name; NaN for series with too few periods.

    Daily: IMAPA and TSB levels (Petropoulos & Kourentzes 2015; Teunter, Syntetos & Babai 2011) times the weekday
    profile. Weekly: exponential smoothing, Theta and IMAPA; the automatic searches cost ten times as much.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from statsforecast import StatsForecast
    from statsforecast.models import IMAPA, TSB, AutoETS, HistoricAverage, Theta

    daily = panel.season > 1
    width = config.statistical_history_days if daily else config.statistical_history_weeks
    demand = panel.demand[:, -width:]
    long_enough = (~np.isnan(demand)).sum(axis=1) >= config.min_periods_for_statistics
    long_enough &= np.nansum(demand, axis=1) > 0
    models: list[Any] = [IMAPA(), TSB(alpha_d=0.1, alpha_p=0.1)] if daily else [IMAPA(), AutoETS(model="ANN"), Theta()]
    names = {"IMAPA": "imapa", "TSB": "tsb", "AutoETS": "ets", "Theta": "theta"}
    rows = np.flatnonzero(long_enough)
    out = {names[str(m)]: np.full((panel.n_series, horizon), np.nan, dtype=np.float32) for m in models}
    if not len(rows):
        return out
    frame = _long(demand, rows)
    step = 1 if daily else horizon
    forecaster = StatsForecast(models=models, freq=1, n_jobs=threads, fallback_model=HistoricAverage())
    result = forecaster.forecast(df=frame, h=step).sort("unique_id", "ds")
    shape = (
        weekday_profile(panel)[:, np.arange(horizon) % panel.season] if daily else np.ones((panel.n_series, horizon))
    )
    for model, name in ((str(m), names[str(m)]) for m in models):
        values = result[model].to_numpy().reshape(len(rows), step)
        out[name][rows] = (values * shape[rows]).astype(np.float32)
        out[name] = _sane(out[name], demand)
    return out


def _long(demand: NDArray[np.float32], rows: NDArray[np.int64]) -> pl.DataFrame:
    """Return the series at ``rows`` in Nixtla's long shape, integers for ids and time; inner NaN cannot occur."""
    on_sale = ~np.isnan(demand[rows])
    series, period = np.nonzero(on_sale)
    return pl.DataFrame(
        {
            "unique_id": rows[series].astype(np.int32),
            "ds": period.astype(np.int32),
            "y": demand[rows][series, period].astype(np.float32),
        }
    )


def _sane(forecast: NDArray[np.float32], demand: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the forecast with negatives at 0 and what is not finite, or absurd beside the past, as NaN."""
    largest = np.nanmax(np.where(np.isnan(demand), -1, demand), axis=1, keepdims=True)
    usable = np.isfinite(forecast) & (forecast <= 10 * np.maximum(largest, 1))
    return np.where(usable, np.maximum(forecast, 0), np.nan).astype(np.float32)


@dataclass(frozen=True)
class Learner:
    """A fitted global model: the mlforecast object that makes its features, and the booster."""

    forecaster: Any
    booster: Any
    statics: list[str]
    rows: int

    def predict(self, panel: Panel, known: Known, *, horizon: int) -> NDArray[np.float32]:
        """Return (n, horizon) mean demand after the panel's last period; NaN for series without history."""
        out = np.full((panel.n_series, horizon), np.nan, dtype=np.float32)
        origin = panel.n_periods
        rows = np.flatnonzero(~np.isnan(panel.demand[:, -1]))  # recursion starts from the last period
        if not len(rows):
            return out
        tail = min(origin, 10 * 7 if panel.season > 1 else 60)  # longest lag plus window
        past = _cells(panel, known, rows, first=origin - tail, last=origin, with_target=True)
        ahead = _cells(panel, known, rows, first=origin, last=origin + horizon, with_target=False)
        ahead = ahead.drop(self.statics)
        self.forecaster.models_ = {LEARNER: _Booster(self.booster)}
        result = self.forecaster.predict(horizon, new_df=past, X_df=ahead).sort("unique_id", "ds")
        values = result[LEARNER].to_numpy().reshape(len(rows), horizon)
        out[rows] = values
        return _sane(out, panel.demand[:, -400:])


class _Booster:
    """What mlforecast needs of a model: ``predict``."""

    def __init__(self, booster: Any) -> None:
        self.booster = booster

    def predict(self, features: Any) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self.booster.predict(np.asarray(features, dtype=np.float32))
        return np.maximum(values, 0)


def _cells(
    panel: Panel, known: Known, rows: NDArray[np.int64], *, first: int, last: int, with_target: bool
) -> pl.DataFrame:
    """Return features of the periods ``first`` to ``last`` in long shape, sorted by series and period."""
    if with_target:
        series, period = np.nonzero(~np.isnan(panel.demand[rows, first:last]))
        period = period + first
    else:
        series = np.repeat(np.arange(len(rows)), last - first)
        period = np.tile(np.arange(first, last), len(rows))
    at = rows[series]
    columns: dict[str, Any] = {"unique_id": at.astype(np.int32), "ds": period.astype(np.int32)}
    if with_target:
        columns["y"] = panel.demand[at, period]
    columns |= {name: codes[at] for name, codes in known.static.items()}
    columns |= {name: known.cells(name, at, period) for name in known.names}
    return pl.DataFrame(columns)


def _forecaster(season: int) -> Any:
    import lightgbm as lgb
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean, RollingStd, SeasonalRollingMean

    if season > 1:
        lags = [7, 14, 21, 28]
        transforms = {
            7: [
                RollingMean(7, min_samples=1),
                RollingMean(28, min_samples=1),
                RollingMean(56, min_samples=1),
                RollingStd(28, min_samples=2),
                SeasonalRollingMean(7, 4, min_samples=1),
                SeasonalRollingMean(7, 8, min_samples=1),
            ]
        }
    else:
        lags = [1, 2, 3, 4, 8, 52]
        transforms = {
            1: [
                RollingMean(4, min_samples=1),
                RollingMean(8, min_samples=1),
                RollingMean(13, min_samples=1),
                RollingMean(26, min_samples=1),
                RollingStd(13, min_samples=2),
            ]
        }
    return MLForecast(
        models={LEARNER: lgb.LGBMRegressor()}, freq=1, lags=lags, lag_transforms=transforms, num_threads=1
    )


def fit_learner(panel: Panel, known: Known, *, config: LearnerConfig, max_rows: int, seed: int) -> Learner | None:
    """Return the learner fitted on the whole panel, or None where the shop has too little history for one.

    Rows that do not teach are left out, and at most ``max_rows`` are drawn, evenly over series and periods.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm as lgb

    if panel.teaches.sum() < config.min_rows or not (np.nan_to_num(panel.demand) * panel.teaches).any():
        return None
    forecaster = _forecaster(panel.season)
    features, target, names = _training_matrix(panel, known, forecaster, max_rows=max_rows)
    parameters = _parameters(config, len(target), seed)
    statics = [n for n in names if n in known.static]
    train = lgb.Dataset(
        features, label=target, feature_name=names, categorical_feature=statics, params=parameters, free_raw_data=True
    )
    booster = lgb.train(parameters, train, num_boost_round=config.trees)
    return Learner(forecaster, booster, list(known.static), len(target))


def _training_matrix(
    panel: Panel, known: Known, forecaster: Any, *, max_rows: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    """Return features, targets and feature names of the drawn rows.

    Lag features belong to one series each, so the matrix is made for a shard of series at a time: the whole of it
    would take gigabytes of which most rows are not drawn.
    """
    rows = np.flatnonzero((~np.isnan(panel.demand)).any(axis=1))
    first = panel.first
    column = np.arange(panel.n_periods)[None, :]
    usable = panel.teaches & (column - first[:, None] >= panel.season)
    share = max_rows / max(int(usable.sum()), 1)
    features, targets, names = [], [], []
    shard = max(_SHARD_CELLS // max(panel.n_periods, 1), 1)
    for start in range(0, len(rows), shard):
        part = rows[start : start + shard]
        frame = _cells(panel, known, part, first=0, last=panel.n_periods, with_target=True)
        at, period = frame["unique_id"].to_numpy(), frame["ds"].to_numpy()
        kept = usable[at, period] & _drawn(at, period, share=share)
        if not kept.any():
            continue
        matrix, target = forecaster.preprocess(
            frame,
            static_features=list(known.static),
            dropna=False,
            return_X_y=True,
            as_numpy=True,
            validate_data=False,
        )
        features.append(np.asarray(matrix[kept], dtype=np.float32))
        targets.append(np.asarray(target[kept], dtype=np.float32))
        names = list(forecaster.ts.features_order_)
    return np.concatenate(features), np.concatenate(targets), names


def _drawn(at: NDArray[np.int32], period: NDArray[np.int32], *, share: float) -> NDArray[np.bool_]:
    """Return a mask that keeps ``share`` of the cells, by a hash of series and period."""
    if share >= 1:
        return np.ones(len(at), dtype=np.bool_)
    mixed = (at.astype(np.uint64) * _KNUTH + period.astype(np.uint64) * _MIX * 7919) % np.uint64(2**32)
    mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(_KNUTH) % np.uint64(2**32)
    return np.asarray(mixed < np.uint64(int(share * 2**32)))


def _parameters(config: LearnerConfig, rows: int, seed: int) -> dict[str, Any]:
    leaf = int(np.clip(rows // 2000, 20, config.min_rows_per_leaf))  # a small shop has fewer rows to spare for a leaf
    parameters: dict[str, Any] = {
        "objective": config.objective,
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": leaf,
        "feature_fraction": config.feature_share,
        "bagging_fraction": config.row_share,
        "bagging_freq": 1,
        "max_bin": config.max_bins,
        "num_threads": config.threads,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
    }
    if config.objective == "tweedie":
        parameters["tweedie_variance_power"] = 1.1
    return parameters
