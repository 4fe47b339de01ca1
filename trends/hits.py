"""Hit map: the probability that a product with given elements is a hit next quarter, by region and season.

A logistic regression on the elements a style carries, its region, climate zone and quarter of the year, and the heat of
its elements when the quarter begins; every effect is shrunk to none (ridge), the more the less is known of it. How much
is chosen on the last quarter that lies in the past, from the quarters before it, and so is the scale of the log odds:
the map is made for a season that nobody trained on, of styles most of which sold before, and is calibrated that way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "HitModel",
    "LevelModel",
    "brier",
    "calibration_error",
    "fit_hits",
    "fit_levels",
    "hit_map",
    "level_ratios",
    "predicted_hits",
]

Floats = NDArray[np.float64]

_RIDGES = (10.0, 30.0, 100.0, 300.0)  # prior precision of an effect [1/log odds squared]
_STEPS = 25
_MIN_SEASONS = 2
_MIN_STYLES = 40
_Z90 = 1.6448536269514722
_LEVEL_RIDGE = 8.0  # styles' worth of no effect in the level of an element


@dataclass(frozen=True)
class LevelModel:
    """What features say of the level of a style.

    Attributes:
        names: features by column.
        effects: log level against the category's median, intercept first.
    """

    names: dict[str, int]
    effects: Floats


@dataclass(frozen=True)
class HitModel:
    """The fitted map.

    Attributes:
        names: features by column.
        weights: log odds, intercept first.
        covariance: of the weights.
        levels: what the same features say of the level.
        base_rate: share of hits in what was learned from.
    """

    names: dict[str, int]
    weights: Floats
    covariance: Floats
    levels: LevelModel
    base_rate: float


def fit_hits(seasons: pl.DataFrame, features: pl.DataFrame) -> HitModel | None:
    """Return the map learned from past quarters; None where there are too few.

    Args:
        seasons: as :func:`trends.seasons.style_seasons` gives them, of complete quarters.
        features: ``style_id``, ``region``, ``season``, ``feature``, ``value``: what is known when the quarter begins.
    """
    if not _is_enough(seasons):
        return None
    known = sorted(seasons["season"].unique().to_list())
    names = _columns(features)
    x, y, level, weight, season = _matrix(seasons, features, names)
    taught, judged = season != known[-1], season == known[-1]
    losses = []
    for ridge in _RIDGES:
        fitted, _ = _logistic(x[taught], y[taught], weight[taught], ridge)
        odds = x[judged] @ fitted
        a, b = _platt(odds, y[judged])
        losses.append((float(np.mean((_logit_inverse(a + b * odds) - y[judged]) ** 2)), ridge, a, b))
    _, ridge, a, b = min(losses)
    weights, covariance = _logistic(x, y, weight, ridge)
    weights = b * weights
    weights[0] += a
    for _ in range(_STEPS):  # a fifth are hits by definition: the mean is known better than any quarter tells it
        p = _logit_inverse(x @ weights)
        weights[0] += float((y.mean() - p.mean()) / max((p * (1 - p)).mean(), 1e-3))
    levels = LevelModel(names, _level_effects(x, level, weight))
    return HitModel(names, weights, b * b * covariance, levels, float(y.mean()))


def fit_levels(seasons: pl.DataFrame, features: pl.DataFrame) -> LevelModel | None:
    """Return the levels alone, learned from the same quarters as the map; None where there are too few.

    Args:
        seasons: as for :func:`fit_hits`.
        features: of these seasons, and of others, which teach nothing.
    """
    if not _is_enough(seasons):
        return None
    taught = features.join(seasons.select("season").unique(), on="season", how="semi")
    names = _columns(taught)
    x, _, level, weight, _ = _matrix(seasons, taught, names)
    return LevelModel(names, _level_effects(x, level, weight))


def level_ratios(model: LevelModel, rows: pl.DataFrame, features: pl.DataFrame) -> Floats:
    """Return the level of each of ``rows`` (``style_id``, ``region``, ``season``) over the usual (1 = usual)."""
    return _ratios(model, _design(rows, features, model.names))


def predicted_hits(model: HitModel, rows: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` (``style_id``, ``region``, ``season``) with ``p_hit`` and ``level_ratio`` (1 = usual)."""
    x = _design(rows, features, model.names)
    return rows.with_columns(
        p_hit=pl.Series(_logit_inverse(x @ model.weights)),
        level_ratio=pl.Series(_ratios(model.levels, x)),
    )


def hit_map(model: HitModel, rows: pl.DataFrame, features: pl.DataFrame, elements: pl.DataFrame) -> pl.DataFrame:
    """Return ``hit_map`` without the climate zone: the mean over the styles that carry each element in each region.

    Args:
        model: as :func:`fit_hits` gives it.
        rows: ``style_id``, ``region``, ``season`` of what is or will be on sale.
        features: of the same rows.
        elements: ``style_id``, ``element_type``, ``element``.
    """
    x = _design(rows, features, model.names)
    odds = x @ model.weights
    known = rows.with_row_index("row").join(elements, on="style_id").sort("element_type", "element", "region", "row")
    out = []
    base = dict(
        rows.with_columns(p=pl.Series(_logit_inverse(odds))).group_by("region").agg(pl.col("p").mean()).iter_rows()
    )
    keys = ["element_type", "element", "region", "season"]
    for key, part in known.group_by(keys, maintain_order=True):
        index = part["row"].to_numpy()
        middle = x[index].mean(axis=0)
        sd = float(np.sqrt(max(middle @ model.covariance @ middle, 0.0)))
        p = _logit_inverse(odds[index])
        out.append(
            (
                *key,
                float(p.mean()),
                float(_logit_inverse(odds[index] - _Z90 * sd).mean()),
                float(_logit_inverse(odds[index] + _Z90 * sd).mean()),
                base[key[2]],
                len(index),
            )
        )
    schema = {
        **dict.fromkeys(keys, pl.String),
        **dict.fromkeys(("p_hit", "p_hit_lo", "p_hit_hi", "base_rate"), pl.Float64),
    }
    return pl.DataFrame(out, schema={**schema, "n_products": pl.Int64}, orient="row")


def brier(p: Floats, y: Floats) -> float:
    """Return the mean squared error of probabilities (Brier 1950)."""
    return float(np.mean((p - y) ** 2))


def calibration_error(p: Floats, y: Floats, *, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal count (Naeini et al. 2015).

    >>> calibration_error(np.array([0.5, 0.5]), np.array([0.0, 1.0]), bins=1)
    0.0
    """
    parts = np.array_split(np.argsort(p, kind="stable"), bins)
    return float(sum(len(i) / len(p) * abs(p[i].mean() - y[i].mean()) for i in parts if len(i)))


def _is_enough(seasons: pl.DataFrame) -> bool:
    return seasons["season"].n_unique() >= _MIN_SEASONS and seasons["style_id"].n_unique() >= _MIN_STYLES


def _columns(features: pl.DataFrame) -> dict[str, int]:
    return {name: i + 1 for i, name in enumerate(sorted(features["feature"].unique().to_list()))}


def _level_effects(x: Floats, level: Floats, weight: Floats) -> Floats:
    weighted = (x * weight[:, None]).T
    return np.asarray(np.linalg.solve(weighted @ x + _LEVEL_RIDGE * _penalty(x.shape[1]), weighted @ level))


def _ratios(model: LevelModel, x: Floats) -> Floats:
    return np.asarray(np.exp(np.clip(x[:, 1:] @ model.effects[1:], -1.5, 1.5)))


def _matrix(
    seasons: pl.DataFrame, features: pl.DataFrame, names: dict[str, int]
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.object_]]:
    x = _design(seasons.select("style_id", "region", "season"), features, names)
    # a style that sold in six quarters is still one style: its rows share one weight and a half, not six
    n = seasons.select(n=pl.len().over("style_id", "region"))["n"].to_numpy()
    return (
        x,
        seasons["is_hit"].to_numpy().astype(np.float64),
        seasons["log_ratio"].to_numpy(),
        1.0 / np.sqrt(n),
        seasons["season"].to_numpy(),
    )


def _design(rows: pl.DataFrame, features: pl.DataFrame, names: dict[str, int]) -> Floats:
    x = np.zeros((rows.height, len(names) + 1))
    x[:, 0] = 1.0
    found = rows.with_row_index("row").join(features, on=["style_id", "region", "season"])
    code = found["feature"].replace_strict(names, default=0, return_dtype=pl.Int64).to_numpy()
    kept = code > 0
    x[found["row"].to_numpy()[kept], code[kept]] = found["value"].to_numpy()[kept]
    return x


def _penalty(n: int) -> Floats:
    penalty = np.eye(n)
    penalty[0, 0] = 1e-9
    return penalty


def _logistic(x: Floats, y: Floats, weight: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Return ridge logistic weights and their covariance, by Newton's method."""
    beta = np.zeros(x.shape[1])
    beta[0] = np.log((y.mean() + 0.01) / (1.01 - y.mean()))
    penalty = ridge * _penalty(x.shape[1])
    hessian = penalty
    for _ in range(_STEPS):
        p = _logit_inverse(x @ beta)
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + penalty
        step = np.linalg.solve(hessian, x.T @ (weight * (y - p)) - penalty @ beta)
        beta = beta + step
        if float(np.abs(step).max()) < 1e-6:
            break
    return beta, np.asarray(np.linalg.inv(hessian), dtype=np.float64)


def _platt(odds: Floats, y: Floats) -> tuple[float, float]:
    """Return intercept and slope that calibrate log odds (Platt 1999), shrunk to none: 0 and 1."""
    centred = np.stack([np.ones_like(odds), odds], axis=1)
    beta, prior = np.array([0.0, 1.0]), np.diag([5.0, 5.0])
    start = beta.copy()
    for _ in range(_STEPS):
        p = _logit_inverse(centred @ beta)
        hessian = (centred * (p * (1 - p))[:, None]).T @ centred + prior
        beta = beta + np.linalg.solve(hessian, centred.T @ (y - p) - prior @ (beta - start))
    return float(beta[0]), float(max(beta[1], 0.0))


def _logit_inverse(odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -30, 30))))
