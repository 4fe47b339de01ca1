"""Distributions around a mean: negative binomial, dispersion shrunk to the class, calibrated on earlier windows.

Count demand with mean m and dispersion a has variance m + a m^2 (negative binomial; Poisson at a = 0). Beyond
``_GAMMA_FROM`` units the gamma distribution of the same two moments takes its place. What the shape gets wrong is put
right by calibration: the level tau is read at tau', below which a share tau of the probability integral transforms of
earlier windows lay (split conformal prediction with the PIT as score, by class and size of the mean).
Native model intervals are not used: AutoETS's explode on some series.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special, stats

from data.contracts import QUANTILES
from forecasting.panel import Panel, same_season_mean, trailing_mean
from forecasting.segments import mean_bin

__all__ = [
    "Calibration",
    "calibrate",
    "cells_of",
    "dispersions",
    "dither_of",
    "halves",
    "pit",
    "quantiles",
    "unit_step",
]

LEVELS: tuple[float, ...] = tuple(QUANTILES.values())

_LOWEST_DISPERSION, _HIGHEST_DISPERSION = 1e-3, 60.0
_GAMMA_FROM = 30.0  # [units] from this mean on the steps of a count matter less than the model's error
_MEAN_RATIO = 1.02  # [ratio] grid of means for the table of quantiles: 2% is far below any forecast's error
_DISPERSION_STEPS = 40
_SHAPE_STEPS = 400
_LEVEL_FLOOR, _LEVEL_CEILING = 0.0005, 0.9995  # a calibrated level never claims more than the cases can show
_RECENT_DAYS, _RECENT_WEEKS = 336, 52  # history the dispersion is measured on, daily and weekly [periods]
_MAX_CASES = 400_000  # probability transforms a calibration reads; more add nothing


def dispersions(panel: Panel, classes: NDArray[np.str_], *, prior_periods: float) -> NDArray[np.float64]:
    """Return (n,) dispersion a of each series, shrunk to its class.

    Measured as the excess of squared deviations from the trailing same-weekday mean over a Poisson's, relative to the
    squared mean: one ratio of sums for the series, with ``prior_periods`` periods of its class added.
    """
    season = panel.season
    width = min(panel.n_periods, (_RECENT_DAYS if season > 1 else _RECENT_WEEKS) + 8 * season)
    seen = np.where(panel.teaches, panel.demand, np.nan)[:, -width:]
    usual = same_season_mean(seen, season=season, count=8) if season > 1 else trailing_mean(seen, window=8)
    usable = ~np.isnan(seen) & ~np.isnan(usual)
    usual = np.where(usable, usual, 0).astype(np.float64)
    deviation = np.where(usable, seen, 0) - usual
    excess = (deviation**2).sum(axis=1) - usual.sum(axis=1)
    squares = (usual**2).sum(axis=1)
    count = usable.sum(axis=1)
    out = np.full(panel.n_series, np.nan)
    overall = _ratio(excess, squares, 0.5)
    for name in sorted(set(classes.tolist())):
        members = classes == name
        pooled = _ratio(excess[members], squares[members], overall)
        typical = squares[members] / np.maximum(count[members], 1)
        prior = prior_periods * np.maximum(typical, 1e-6)
        out[members] = (np.maximum(excess[members], 0) + prior * pooled) / (squares[members] + prior)
    return np.asarray(np.clip(out, _LOWEST_DISPERSION, _HIGHEST_DISPERSION))


def _ratio(excess: NDArray[np.float64], squares: NDArray[np.float64], default: float) -> float:
    """Return the typical dispersion: the mean of ratios would be ruled by dead series, the ratio of sums by giants."""
    usable = squares > 0
    if usable.sum() < 5:
        return default
    ratios = np.maximum(excess[usable], 0) / squares[usable]
    weight = np.sqrt(squares[usable])
    capped = np.minimum(ratios, np.quantile(ratios, 0.95))
    return float(np.clip((capped * weight).sum() / weight.sum(), _LOWEST_DISPERSION, _HIGHEST_DISPERSION))


def unit_step(panel: Panel) -> float:
    """Return the step that demand comes in [units]: 1 for counts; for fractional units a twentieth of the median.

    Distributions are of counts of such steps.
    """
    seen = panel.units[np.nan_to_num(panel.units) > 0]
    if not seen.size or float(np.mean(seen == np.round(seen))) > 0.95:
        return 1.0
    return float(np.median(seen)) / 20


def pit(
    actual: NDArray[np.floating],
    mean: NDArray[np.floating],
    dispersion: NDArray[np.floating],
    draws: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the randomised probability integral transform of each actual under its forecast distribution.

    Uniform on [0, 1] where the forecasts are right (Czado, Gneiting & Held 2009). All arguments have one shape; means
    in steps of demand.
    """
    m = np.maximum(mean.astype(np.float64), 1e-9)
    size = 1 / np.clip(dispersion, _LOWEST_DISPERSION, _HIGHEST_DISPERSION)
    probability = size / (size + m)
    count = np.floor(actual + 1e-9)
    at = special.betainc(size, count + 1, probability)
    below = np.where(count > 0, special.betainc(size, np.maximum(count, 1e-9), probability), 0)
    return np.asarray(below + draws * (at - below))


@dataclass(frozen=True)
class Calibration:
    """Calibrated levels by cell. ``levels[cell]`` are (k,) levels tau' at which ``LEVELS`` are read."""

    levels: Mapping[tuple[str, int], NDArray[np.float64]]
    fallback: NDArray[np.float64]
    cases: Mapping[tuple[str, int], int]

    def of(self, cell: tuple[str, int]) -> NDArray[np.float64]:
        """Return the levels of a cell, or those of all cases where it has none of its own."""
        return self.levels.get(cell, self.fallback)


def cells_of(classes: NDArray[np.str_], mean: NDArray[np.floating]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return class and bin of the mean for each case; classes are (n,), means (n,) or (n, h)."""
    bins = mean_bin(mean)
    return np.broadcast_to(classes.reshape(-1, *([1] * (mean.ndim - 1))), mean.shape), bins


def calibrate(
    transforms: NDArray[np.float64], classes: NDArray[np.str_], bins: NDArray[np.int64], *, min_cases: int
) -> Calibration:
    """Return the calibration that the transforms of earlier windows ask for.

    Args:
        transforms: (m,) randomised PIT values.
        classes: (m,) class of each case.
        bins: (m,) bin of each case's mean.
        min_cases: a cell with fewer takes its class's levels, a class with fewer all cases', all with fewer none.
    """
    overall = _levels(transforms, min_cases, np.array(LEVELS))
    levels: dict[tuple[str, int], NDArray[np.float64]] = {}
    cases: dict[tuple[str, int], int] = {}
    for name in sorted(set(classes.tolist())):
        members = classes == name
        own = _levels(transforms[members], min_cases, overall)
        for number in range(int(bins.max(initial=0)) + 1):
            cell = members & (bins == number)
            levels[name, number] = _levels(transforms[cell], min_cases, own)
            cases[name, number] = int(cell.sum())
    return Calibration(levels, overall, cases)


def _levels(transforms: NDArray[np.float64], min_cases: int, wider: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of the transforms, pulled to the wider cell's in proportion to how few they are."""
    if len(transforms) == 0:
        return wider
    own = np.clip(np.quantile(transforms, LEVELS), _LEVEL_FLOOR, _LEVEL_CEILING)
    trust = len(transforms) / (len(transforms) + min_cases)
    return np.maximum.accumulate(trust * own + (1 - trust) * wider)


def quantiles(
    mean: NDArray[np.floating],
    dispersion: NDArray[np.floating],
    classes: NDArray[np.str_],
    calibration: Calibration,
    *,
    jittered: bool = False,
) -> NDArray[np.float64]:
    """Return (m, 11) calibrated quantiles of each case: finite, ordered, and not negative unless ``jittered``.

    Args:
        mean: (m,) means, in steps of demand.
        dispersion: (m,) dispersions.
        classes: (m,) classes.
        calibration: levels by class and bin of the mean.
        jittered: of y + U - 1/2, U uniform on [0, 1): continuous, from -1/2 on (Machado & Santos Silva 2005); see
            :func:`halves`.
    """
    scaled = np.clip(np.nan_to_num(mean.astype(np.float64)), 0, 1e12)
    spread = np.clip(np.nan_to_num(dispersion.astype(np.float64), nan=1.0), _LOWEST_DISPERSION, _HIGHEST_DISPERSION)
    bins = mean_bin(scaled)
    out = np.zeros((len(scaled), len(LEVELS)))
    names, code = np.unique(classes, return_inverse=True)
    cell = code * 100 + bins
    for number in np.unique(cell).tolist():
        rows = np.flatnonzero(cell == number)
        levels = calibration.of((str(names[number // 100]), int(number % 100)))
        small = scaled[rows] < _GAMMA_FROM
        out[rows[small]] = _count_quantiles(scaled[rows[small]], spread[rows[small]], levels, jittered=jittered)
        out[rows[~small]] = _gamma_quantiles(scaled[rows[~small]], spread[rows[~small]], levels)
    return np.asarray(np.maximum.accumulate(out, axis=1))


def halves(jittered: NDArray[np.float64], dither: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, k) jittered quantiles of counts as halves, not below 0; large ones as they are.

    A whole number k stands for the middle between P(y < k) and P(y <= k), k + 1/2 for P(y <= k). Whole numbers alone
    leave too few of a class of slow sellers below a level, as many of them as sell nothing at all more often than not.
    ``dither``, (n,) and spread evenly over [0, 1), decides to which side a level is rounded, near ones oftener: of many
    series a share tau then comes below their levels tau.

    >>> halves(np.array([[-0.4, 0.2, 1.6, 80.3], [-0.4, 0.2, 1.6, 80.3]]), np.array([0.1, 0.9])).tolist()
    [[0.0, 0.0, 1.5, 80.3], [0.0, 0.5, 2.0, 80.3]]
    """
    rounded = np.floor(2 * jittered + dither[:, None]) / 2
    return np.maximum(np.where(jittered < _GAMMA_FROM, rounded, jittered), 0.0)


def dither_of(keys: pl.DataFrame) -> NDArray[np.float64]:
    """Return (n,) numbers on [0, 1) that hang on sku and location: a series is rounded alike each night."""
    names = zip(keys["sku"].to_list(), keys["location_id"].to_list(), strict=True)
    return np.array([zlib.crc32(f"{sku}|{location}".encode()) / 2**32 for sku, location in names])


def _count_quantiles(
    mean: NDArray[np.float64],
    dispersion: NDArray[np.float64],
    levels: Sequence[float] | NDArray[np.float64],
    *,
    jittered: bool,
) -> NDArray[np.float64]:
    """Return (m, k) negative binomial quantiles, each distinct pair of rounded moments worked out once."""
    if not len(mean):
        return np.zeros((0, len(levels)))
    at_mean = np.round(np.log(np.maximum(mean, 1e-4)) / np.log(_MEAN_RATIO)).astype(np.int64)
    width = np.log(_HIGHEST_DISPERSION / _LOWEST_DISPERSION) / _DISPERSION_STEPS
    at_spread = np.round(np.log(dispersion / _LOWEST_DISPERSION) / width).astype(np.int64)
    pairs, back = np.unique(at_mean * 1000 + at_spread, return_inverse=True)
    m = _MEAN_RATIO ** np.floor_divide(pairs, 1000).astype(np.float64)
    size = 1 / (_LOWEST_DISPERSION * np.exp(np.mod(pairs, 1000) * width))
    law = stats.nbinom(size[:, None], (size / (size + m))[:, None])
    wanted = np.asarray(levels)[None, :]
    table = np.nan_to_num(np.maximum(law.ppf(wanted), 0))
    if jittered:
        share = (wanted - law.cdf(table - 1)) / np.maximum(law.pmf(table), 1e-12)
        table = table - 0.5 + np.clip(share, 0, 1)
    return np.asarray(table[back])


def _gamma_quantiles(
    mean: NDArray[np.float64], dispersion: NDArray[np.float64], levels: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (m, k) gamma quantiles with the same mean and variance, from a table over the shape."""
    if not len(mean):
        return np.zeros((0, len(levels)))
    shape = 1 / (dispersion + 1 / mean)
    grid = np.geomspace(1e-2, 1e7, _SHAPE_STEPS)
    table = special.gammaincinv(grid[:, None], np.asarray(levels)[None, :]) / grid[:, None]
    columns = [np.interp(np.log(shape), np.log(grid), table[:, k]) for k in range(len(levels))]
    return np.stack(columns, axis=1) * mean[:, None]


def sampled(count: int, *, seed: int) -> NDArray[np.int64]:
    """Return at most ``_MAX_CASES`` of ``count`` positions, drawn without replacement and sorted."""
    if count <= _MAX_CASES:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, _MAX_CASES, replace=False))
