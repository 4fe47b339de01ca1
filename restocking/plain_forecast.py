"""A plain forecast of one's own for simulating policies on earlier weeks: quick, as of any week, and calibrated.

The plan orders from the forecast room's distributions; those exist for tonight only. What a policy parameter is worth
depends less on the forecast's sharpness than on its honesty, so this forecast is made honest: a mean of two exponential
averages, a negative binomial with the series' own spread, and quantile levels corrected, by size of the series, to what
came after earlier weeks. Nothing later than the week it stands at is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import nbinom

from restocking.sample_paths import PROBABILITIES, PathSampler, calibrate_totals

__all__ = ["SIZES", "PlainForecast", "plain_forecast", "size_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SIZES = ("under_1", "1_to_4", "4_to_16", "over_16")  # mean demand per period [units/period]
_SIZE_EDGES = (1.0, 4.0, 16.0)
_FAST, _SLOW, _SPREAD = 0.25, 0.08, 0.04  # weights of the newest period: of the two means, of the variance
_SMALLEST_MEAN = 1e-3  # [units/period]
_LEAST_OVERDISPERSION = 1.05  # variance over mean
_CALIBRATION_ORIGINS = 12  # earlier weeks whose outcome corrects the levels
_FEWEST_CASES = 300  # a size with fewer takes the correction of all
_CORRELATION = 0.2  # between neighbouring periods of a path; totals are calibrated anyway


@dataclass(frozen=True)
class PlainForecast:
    """Distributions as of one period; ``levels`` are the corrected ones, by size."""

    mean: Floats  # shape (n,) [units/period]
    variance: Floats
    level_of_one: Floats  # shape (n_sizes, n_levels): of one period
    level_of_total: Floats  # of the total over L + R
    periods: int  # L + R

    def paths(self, sampler: PathSampler) -> Floats:
        """Return sample paths over L + R periods, shape (periods, n, n_paths) [units]."""
        n = len(self.mean)
        one = self._quantiles(1, self.level_of_one)
        drawn = sampler.draw(
            np.repeat(one[None], self.periods, axis=0), correlation=np.full(n, _CORRELATION), scale=np.ones(n)
        )
        return calibrate_totals(
            drawn,
            window=np.full((n, sampler.n_paths), self.periods),
            quantiles=self._quantiles(self.periods, self.level_of_total),
            mean=np.repeat(self.mean[None], self.periods, axis=0),
            known=np.ones(n, dtype=bool),
        )

    def _quantiles(self, periods: int, levels: Floats) -> Floats:
        r, p = _shape(self.mean, self.variance, periods)
        return np.asarray(nbinom.ppf(levels[size_of(self.mean)], r[:, None], p[:, None]), dtype=np.float64)


def size_of(mean: Floats) -> Ints:
    """Return the number of each series' size among ``SIZES``.

    >>> [SIZES[i] for i in size_of(np.array([0.2, 3.0, 40.0]))]
    ['under_1', '1_to_4', 'over_16']
    """
    return np.digitize(mean, _SIZE_EDGES).astype(np.int64)


def plain_forecast(history: Floats, rows: Ints, *, periods: int) -> PlainForecast:
    """Return the forecast of some series from all that is known.

    Args:
        history: shape (n_series, t): demand, nan where not on sale or stocked out [units/period].
        rows: series to forecast; all of them correct the levels.
        periods: L + R.
    """
    mean, variance = _moments(history[rows])
    return PlainForecast(mean, variance, _levels(history, 1), _levels(history, periods), periods)


def _moments(history: Floats) -> tuple[Floats, Floats]:
    mean = np.maximum((_average(history, _FAST) + _average(history, _SLOW)) / 2, _SMALLEST_MEAN)
    variance = _average((history - mean[:, None]) ** 2, _SPREAD)
    return mean, np.maximum(variance, _LEAST_OVERDISPERSION * mean)


def _average(values: Floats, newest: float) -> Floats:
    """Return exponentially weighted means along time; unknown periods are left out."""
    weight = (1 - newest) ** np.arange(values.shape[1])[::-1]
    known = ~np.isnan(values)
    total = (np.nan_to_num(values) * weight).sum(axis=1)
    return np.asarray(total / np.maximum((known * weight).sum(axis=1), 1e-9), dtype=np.float64)


def _shape(mean: Floats, variance: Floats, periods: int) -> tuple[Floats, Floats]:
    """Return r and p of the negative binomial total over some independent periods."""
    m, v = periods * mean, periods * variance
    return m * m / (v - m), m / v


def _levels(history: Floats, periods: int) -> Floats:
    """Return by size the levels at which the negative binomial really covered ``PROBABILITIES`` of earlier totals."""
    transforms, sizes = [np.empty(0)], [np.empty(0, dtype=np.int64)]
    last = history.shape[1] - periods
    for origin in range(max(last - _CALIBRATION_ORIGINS, periods), last + 1):
        total = history[:, origin : origin + periods].sum(axis=1)
        rows = np.flatnonzero(~np.isnan(total) & ~np.isnan(history[:, :origin]).all(axis=1))
        mean, variance = _moments(history[rows, :origin])
        r, p = _shape(mean, variance, periods)
        below, upto = nbinom.cdf(total[rows] - 1, r, p), nbinom.cdf(total[rows], r, p)
        transforms.append(below + np.random.default_rng(origin).random(len(rows)) * (upto - below))
        sizes.append(size_of(mean))
    u, size = np.concatenate(transforms), np.concatenate(sizes)
    overall = np.quantile(u, PROBABILITIES) if len(u) >= _FEWEST_CASES else PROBABILITIES
    found = [
        np.quantile(u[size == s], PROBABILITIES) if (size == s).sum() >= _FEWEST_CASES else overall
        for s in range(len(SIZES))
    ]
    return np.asarray(np.clip(np.stack(found), 1e-4, 1 - 1e-4), dtype=np.float64)
