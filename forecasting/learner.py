"""The global learner: one LightGBM over all series through mlforecast, recursive on means over weeks.

Features and forecasts are made for a shard of series at a time, by whoever works on it; the booster is fitted here, on
rows drawn evenly from all shards, so it fits one machine however many series there are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.config import LearnerConfig
from forecasting.features import Known
from forecasting.models import LEARNER, sane
from forecasting.panel import Panel
from forecasting.workers import HERE, Workers, shards

__all__ = ["Learner", "fit_learner"]

_SHARD_CELLS = 2_000_000  # cells whose features are made at a time: some 300 MB
_FULL_ROWS = 400_000  # rows from which all rounds are worth their while; fewer rows are learnt by heart
_FEWEST_ROUNDS = 0.35  # of the settings' rounds
_TREES_AT_ONCE = 50  # of 64 leaves: about 70 kB
_KNUTH, _MIX = 2_654_435_761, 40_503  # multiplicative hashing: an even draw of rows that needs no random state


@dataclass(frozen=True)
class Learner:
    """A fitted global model.

    Attributes:
        booster: LightGBM's.
        values: what the codes of the attributes count, by attribute.
        features: names of the features that change with the period, in the order that the booster knows.
        season: periods in a season.
        rows: rows it learnt from.
    """

    booster: Any
    values: dict[str, list[str]]
    features: list[str]
    season: int
    rows: int

    def predict(self, panel: Panel, known: Known, *, horizon: int, workers: Workers = HERE) -> NDArray[np.float32]:
        """Return (n, horizon) mean demand after the panel's last period; NaN for series without history.

        Args:
            panel: history.
            known: what is known, its attributes coded by ``values``.
            horizon: periods to forecast.
            workers: who works on the shards of series.
        """
        known = known.like(self.features)
        out = np.full((panel.n_series, horizon), np.nan, dtype=np.float32)
        rows = np.flatnonzero(~np.isnan(panel.demand[:, -1]))  # recursion starts from the last period
        parts = shards(rows, width=_tail(panel) + horizon, cells=_SHARD_CELLS)
        found = workers.map(
            _predictions, ((self, _recent(panel, part), known.rows(part), panel.n_periods, horizon) for part in parts)
        )
        for part, values in zip(parts, found, strict=True):
            out[part] = values
        return sane(out, panel.demand[:, -400:])


def _tail(panel: Panel) -> int:
    """Return the longest lag plus window [periods]."""
    return min(panel.n_periods, 10 * 7 if panel.season > 1 else 60)


def _recent(panel: Panel, part: NDArray[np.int64]) -> NDArray[np.float32]:
    return panel.demand[part, -_tail(panel) :]


def _predictions(
    learner: Learner, recent: NDArray[np.float32], known: Known, origin: int, horizon: int
) -> NDArray[np.float32]:
    """Return (n, horizon) recursive forecasts of a shard from its ``recent`` demand."""
    rows = np.arange(len(recent))
    first = origin - recent.shape[1]
    past = _cells(recent, known, rows, first=first, last=origin, offset=first)
    ahead = _cells(None, known, rows, first=origin, last=origin + horizon, offset=0).drop(list(learner.values))
    forecaster = _forecaster(learner.season)
    forecaster.models_ = {LEARNER: _Booster(learner.booster)}
    forecaster.preprocess(past, static_features=list(learner.values), dropna=False, validate_data=False)
    result = forecaster.predict(horizon, X_df=ahead).sort("unique_id", "ds")
    return np.asarray(result[LEARNER].to_numpy().reshape(len(rows), horizon), dtype=np.float32)


class _Booster:
    """What mlforecast needs of a model: ``predict``.

    LightGBM takes each row through all trees, which together do not fit a processor's nearest memory; some trees at a
    time do, and their sums, in logarithms for both objectives, come to the same.
    """

    def __init__(self, booster: Any) -> None:
        self.booster = booster

    def predict(self, features: Any) -> NDArray[np.float64]:
        rows = np.asarray(features, dtype=np.float32)
        total = np.zeros(len(rows))
        for first in range(0, self.booster.num_trees(), _TREES_AT_ONCE):
            total += self.booster.predict(rows, raw_score=True, start_iteration=first, num_iteration=_TREES_AT_ONCE)
        return np.exp(total)


def _cells(
    demand: NDArray[np.float32] | None,
    known: Known,
    rows: NDArray[np.int64],
    *,
    first: int,
    last: int,
    offset: int,
) -> pl.DataFrame:
    """Return features of the periods ``first`` to ``last`` in long shape, sorted by series and period.

    With ``demand``, whose first column is period ``offset``, only periods on sale, and their target ``y``.
    """
    if demand is not None:
        series, period = np.nonzero(~np.isnan(demand[rows, first - offset : last - offset]))
        period = period + first
    else:
        series = np.repeat(np.arange(len(rows)), last - first)
        period = np.tile(np.arange(first, last), len(rows))
    at = rows[series]
    columns: dict[str, Any] = {"unique_id": at.astype(np.int32), "ds": period.astype(np.int32)}
    if demand is not None:
        columns["y"] = demand[at, period - offset]
    columns |= {name: codes[at] for name, codes in known.static.items()}
    columns |= {name: known.cells(name, at, period) for name in known.names}
    return pl.DataFrame(columns)


def _forecaster(season: int) -> Any:
    import lightgbm as lgb
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean, RollingStd, SeasonalRollingMean

    if season > 1:
        # single days of the last week would be fed back forecasts; means over weeks bear that, and tell the level.
        # The same means a week before are no forecasts in the first week, and steadier after it: large shops need both
        lags = [7, 14, 21, 28]
        transforms = {
            1: [RollingMean(width, min_samples=1) for width in (7, 14, 28, 56)],
            7: [
                *(RollingMean(width, min_samples=1) for width in (7, 28, 56)),
                RollingStd(28, min_samples=2),
                SeasonalRollingMean(7, 4, min_samples=1),
                SeasonalRollingMean(7, 8, min_samples=1),
            ],
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


def fit_learner(
    panel: Panel, known: Known, *, config: LearnerConfig, max_rows: int, seed: int, workers: Workers = HERE
) -> Learner | None:
    """Return the learner fitted on the whole panel, or None where the shop has too little history for one.

    Rows that do not teach are left out, and at most ``max_rows`` are drawn, evenly over series and periods.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm as lgb

    if panel.learns.sum() < config.min_rows or not (np.nan_to_num(panel.demand) * panel.learns).any():
        return None
    features, target, names = _training_matrix(panel, known, max_rows=max_rows, workers=workers)
    parameters = _parameters(config, len(target), seed)
    statics = [n for n in names if n in known.static]
    train = lgb.Dataset(
        features, label=target, feature_name=names, categorical_feature=statics, params=parameters, free_raw_data=True
    )
    booster = lgb.train(parameters, train, num_boost_round=_rounds(config, len(target)))
    return Learner(booster, known.values, known.names, panel.season, len(target))


def _training_matrix(
    panel: Panel, known: Known, *, max_rows: int, workers: Workers
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    """Return features, targets and feature names of the drawn rows.

    Lag features belong to one series each, so the matrix is made for a shard of series at a time: the whole of it
    would take gigabytes of which most rows are not drawn.
    """
    rows = np.flatnonzero((~np.isnan(panel.demand)).any(axis=1))
    usable = panel.learns & (np.arange(panel.n_periods)[None, :] - panel.first[:, None] >= panel.season)
    share = max_rows / max(int(usable.sum()), 1)
    found = workers.map(
        _drawn_rows,
        (
            (panel.demand[part], usable[part], known.rows(part), part, panel.season, share)
            for part in shards(rows, width=panel.n_periods, cells=_SHARD_CELLS)
        ),
    )
    kept = [part for part in found if len(part[1])]
    return np.concatenate([part[0] for part in kept]), np.concatenate([part[1] for part in kept]), kept[0][2]


def _drawn_rows(
    demand: NDArray[np.float32],
    usable: NDArray[np.bool_],
    known: Known,
    positions: NDArray[np.int64],
    season: int,
    share: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    """Return features, targets and feature names of the rows drawn from one shard, at ``positions`` of the panel."""
    frame = _cells(demand, known, np.arange(len(demand)), first=0, last=demand.shape[1], offset=0)
    at, period = frame["unique_id"].to_numpy(), frame["ds"].to_numpy()
    kept = usable[at, period] & _drawn(positions[at], period, share=share)
    if not kept.any():
        return np.empty((0, 0), dtype=np.float32), np.empty(0, dtype=np.float32), []
    forecaster = _forecaster(season)
    matrix, target = forecaster.preprocess(
        frame, static_features=list(known.static), dropna=False, return_X_y=True, as_numpy=True, validate_data=False
    )
    names = list(forecaster.ts.features_order_)
    return np.asarray(matrix[kept], dtype=np.float32), np.asarray(target[kept], dtype=np.float32), names


def _drawn(at: NDArray[np.int64], period: NDArray[np.int32], *, share: float) -> NDArray[np.bool_]:
    """Return a mask that keeps ``share`` of the cells, by a hash of series and period."""
    if share >= 1:
        return np.ones(len(at), dtype=np.bool_)
    mixed = (at.astype(np.uint64) * _KNUTH + period.astype(np.uint64) * _MIX * 7919) % np.uint64(2**32)
    mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(_KNUTH) % np.uint64(2**32)
    return np.asarray(mixed < np.uint64(int(share * 2**32)))


def _rounds(config: LearnerConfig, rows: int) -> int:
    """Return the boosting rounds for so many rows: the cube root of their share in what a large shop has.

    >>> _rounds(LearnerConfig(trees=200), 50_000), _rounds(LearnerConfig(trees=200), 4_000_000)
    (100, 200)
    """
    return max(round(config.trees * float(np.clip((rows / _FULL_ROWS) ** (1 / 3), _FEWEST_ROUNDS, 1.0))), 1)


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
