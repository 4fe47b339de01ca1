"""Demand over the protection period: the distribution of the TOTAL over L + R, never a sum of quantiles.

The total over T periods has mean M and variance

    V = sum m_t + a sum m_t^2 + b M^2          b = 0 would mean that errors of different periods are independent

with the series' dispersion a and a level error b that all periods share, fitted per class on totals of earlier
windows. A random lead time mixes totals of different lengths: the mixture's mean and variance follow from the law of
total variance. The total is then negative binomial (gamma when large) with these two moments, calibrated per class on
the transforms of earlier totals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from forecasting.intervals import LEVELS, Calibration, quantiles

__all__ = [
    "LEAD_TIME_POINTS",
    "Spans",
    "Totals",
    "copula",
    "effective_dispersion",
    "level_errors",
    "protection_totals",
    "total_moments",
]

LEAD_TIME_POINTS = 25  # equally likely lead times that stand for its normal spread
_HERMITE_ORDER = 6
_HERMITE_NODES = 64
_CORRELATIONS = np.linspace(0.0, 0.99, 100)


@dataclass(frozen=True)
class Spans:
    """The protection period of each series.

    Attributes:
        lead_time: (n,) L [days].
        lead_time_sd: (n,) spread of L [days].
        review: (n,) R [days].
        period_days: 1 or 7.
    """

    lead_time: NDArray[np.float64]
    lead_time_sd: NDArray[np.float64]
    review: NDArray[np.float64]
    period_days: int

    def rows(self, index: NDArray[np.int64]) -> Spans:
        """Return the protection periods of the series at the positions ``index``."""
        return replace(
            self,
            lead_time=self.lead_time[index],
            lead_time_sd=self.lead_time_sd[index],
            review=self.review[index],
        )

    @property
    def fixed(self) -> NDArray[np.int64]:
        """(n,) L + R without spread [periods]."""
        return self._periods(np.ceil(self.lead_time))

    @property
    def drawn(self) -> NDArray[np.int64]:
        """(n, LEAD_TIME_POINTS) equally likely lengths of L + R [periods]."""
        z = special.ndtri((np.arange(LEAD_TIME_POINTS) + 0.5) / LEAD_TIME_POINTS)
        centre = np.ceil(self.lead_time)[:, None]
        return self._periods(np.maximum(np.round(centre + self.lead_time_sd[:, None] * z[None, :]), 0))

    def _periods(self, lead_time: NDArray[np.float64]) -> NDArray[np.int64]:
        review = self.review.reshape(-1, *([1] * (lead_time.ndim - 1)))
        lead = np.ceil(np.round(lead_time / self.period_days, 9))
        back = np.ceil(np.round(review / self.period_days, 9))
        return np.asarray(np.maximum(lead + back, 1), dtype=np.int64)


@dataclass(frozen=True)
class Totals:
    """Demand over the protection period: mean, variance and quantiles [units], one row a series."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    fixed_mean: NDArray[np.float64]
    fixed_variance: NDArray[np.float64]


def total_moments(
    mean: NDArray[np.floating],
    dispersion: NDArray[np.float64],
    level_error: NDArray[np.float64],
    lengths: NDArray[np.int64],
    *,
    reference: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of the total over each length; shapes of ``lengths``, (n,) or (n, k).

    Args:
        mean: (n, h) means per period [units]; beyond h the mean of the last 28 goes on.
        dispersion: (n,) a.
        level_error: (n,) b, for totals of ``reference`` periods; it grows with the root of the length.
        lengths: periods.
        reference: periods.

    Example:
        >>> m, v = total_moments(np.array([[2.0, 2.0]]), np.array([0.0]), np.array([0.0]), np.array([2]), reference=28)
        >>> float(m[0]), float(v[0])
        (4.0, 4.0)
    """
    m = np.nan_to_num(mean.astype(np.float64))
    h = m.shape[1]
    sums = np.concatenate([np.zeros((len(m), 1)), np.cumsum(m, axis=1)], axis=1)
    squares = np.concatenate([np.zeros((len(m), 1)), np.cumsum(m**2, axis=1)], axis=1)
    tail = m[:, -28:].mean(axis=1)
    tail_squares = (m[:, -28:] ** 2).mean(axis=1)
    wide = lengths.reshape(len(m), -1)
    inside, beyond = np.minimum(wide, h), np.maximum(wide - h, 0)
    total = np.take_along_axis(sums, inside, axis=1) + beyond * tail[:, None]
    square = np.take_along_axis(squares, inside, axis=1) + beyond * tail_squares[:, None]
    growth = np.sqrt(wide / reference)
    variance = total + dispersion[:, None] * square + level_error[:, None] * growth * total**2
    return total.reshape(lengths.shape), variance.reshape(lengths.shape)


def level_errors(
    actual: NDArray[np.float64],
    mean: NDArray[np.float64],
    squares: NDArray[np.float64],
    dispersion: NDArray[np.float64],
    classes: NDArray[np.str_],
    growth: NDArray[np.float64],
) -> dict[str, float]:
    """Return b by class: squared errors of totals beyond what independent periods explain, over squared means.

    Args:
        actual: (m,) totals that came [units].
        mean: (m,) forecast totals [units].
        squares: (m,) sums of squared period means.
        dispersion: (m,) a.
        classes: (m,) classes; ``all`` is added for those that come up later.
        growth: (m,) root of each total's length over the reference length.
    """
    excess = (actual - mean) ** 2 - mean - dispersion * squares
    usable = mean > 0.5
    out: dict[str, float] = {}
    for name in ["all", *sorted(set(classes.tolist()))]:
        members = usable & ((classes == name) | (name == "all"))
        if members.sum() < 30:
            continue
        ratio = excess[members] / (growth[members] * mean[members] ** 2)
        low, high = np.quantile(ratio, [0.01, 0.98])
        weight = np.minimum(mean[members], np.quantile(mean[members], 0.9))
        out[name] = float(np.clip((np.clip(ratio, low, high) * weight).sum() / weight.sum(), 0.0, 4.0))
    out.setdefault("all", 0.1)
    return out


def protection_totals(
    mean: NDArray[np.floating],
    spans: Spans,
    *,
    dispersion: NDArray[np.float64],
    level_error: NDArray[np.float64],
    classes: NDArray[np.str_],
    calibration: Calibration,
    reference: int,
) -> Totals:
    """Return the distribution of demand over L + R for each series, lead-time spread included.

    Quantiles of counts are jittered, from 0 on: published are their :func:`forecasting.intervals.halves`.
    """
    fixed_mean, fixed_variance = total_moments(mean, dispersion, level_error, spans.fixed, reference=reference)
    drawn_mean, drawn_variance = total_moments(mean, dispersion, level_error, spans.drawn, reference=reference)
    has_spread = spans.lead_time_sd > 0
    total = np.where(has_spread, drawn_mean.mean(axis=1), fixed_mean)
    variance = np.where(has_spread, drawn_variance.mean(axis=1) + drawn_mean.var(axis=1), fixed_variance)
    values = quantiles(total, effective_dispersion(total, variance), classes, calibration, jittered=True)
    values = np.where(total[:, None] > 0, np.maximum(values, 0.0), 0.0)
    return Totals(total, variance, values, fixed_mean, fixed_variance)


def effective_dispersion(mean: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the negative binomial dispersion that has this mean and variance; 0 where the mean is 0."""
    return np.where(mean > 0, np.maximum(variance - mean, 0) / np.maximum(mean, 1e-12) ** 2, 0.0)


def copula(
    marginals: NDArray[np.float64], totals: Totals, lengths: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``period_correlation`` and ``total_scale`` of each series.

    Paths z_t are stationary Gaussian AR(1) with correlation rho; y_t = scale * Q_t(Phi(z_t)) with Q_t as in
    :func:`quantile_curve`. Both are solved for so that the sum over the fixed L + R
    periods has the mean and the variance of ``totals`` without lead-time spread. The covariance of two periods is the
    Hermite series sum_j c_j^2 rho^(j k) / j! of the average period's quantile function.

    Args:
        marginals: (n, h, 11) quantiles per period.
        totals: as :func:`protection_totals` gives them.
        lengths: (n,) fixed L + R [periods].
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_HERMITE_NODES)
    weights = weights / weights.sum()
    uniform = special.ndtr(nodes)
    h = marginals.shape[1]
    inside = (np.arange(h)[None, :] < np.minimum(lengths, h)[:, None])[:, :, None]
    average = np.where(inside, marginals, 0).sum(axis=1) / np.minimum(lengths, h)[:, None]
    curve = quantile_curve(average, uniform)
    period_mean = curve @ weights
    variance = np.maximum((curve**2) @ weights - period_mean**2, 0)
    coefficients = np.stack(
        [
            (curve * np.polynomial.hermite_e.hermeval(nodes, np.eye(_HERMITE_ORDER + 1)[j])[None, :]) @ weights
            for j in range(1, _HERMITE_ORDER + 1)
        ],
        axis=1,
    )
    path_mean = period_mean * lengths
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(path_mean > 0, totals.fixed_mean / np.maximum(path_mean, 1e-12), 1.0)
    wanted = totals.fixed_variance / np.maximum(scale, 1e-12) ** 2
    return _solved_correlation(coefficients, variance, lengths, wanted), np.clip(scale, 0.0, 1e6)


def _solved_correlation(
    coefficients: NDArray[np.float64],
    variance: NDArray[np.float64],
    lengths: NDArray[np.int64],
    wanted: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the rho whose variance of the sum is the wanted one, interpolated on a grid."""
    factorial = special.factorial(np.arange(1, _HERMITE_ORDER + 1))
    strength = coefficients**2 / factorial[None, :]
    out = np.zeros(len(lengths))
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        lags = np.arange(1, length)
        pairs = 2.0 * (length - lags)
        powers = np.stack(
            [(_CORRELATIONS[:, None] ** (lags * j)[None, :]) @ pairs for j in range(1, _HERMITE_ORDER + 1)], axis=0
        )
        sums = length * variance[rows, None] + strength[rows] @ powers
        position = np.clip((sums < wanted[rows, None]).sum(axis=1), 1, len(_CORRELATIONS) - 1)
        low, high = (
            np.take_along_axis(sums, (position - 1)[:, None], 1)[:, 0],
            np.take_along_axis(sums, position[:, None], 1)[:, 0],
        )
        share = np.clip((wanted[rows] - low) / np.maximum(high - low, 1e-12), 0, 1)
        out[rows] = _CORRELATIONS[position - 1] + share * (_CORRELATIONS[position] - _CORRELATIONS[position - 1])
    return out


def quantile_curve(values: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, k) values of each row's quantile function at ``uniform``: linear, exponential at the top.

    Below the first level it goes on as between the first two, not below 0; above the last (0.99):
    q99 + (q99 - q95) / ln 5 * ln(0.01 / (1 - u)). Restocking draws its paths by the same rule.
    """
    grid = np.concatenate([[0.0], LEVELS])
    lowest = np.maximum(2 * values[:, :1] - values[:, 1:2], 0.0)
    padded = np.concatenate([lowest, values], axis=1)
    at = np.clip(np.searchsorted(grid, uniform, side="right") - 1, 0, len(grid) - 2)
    share = (uniform - grid[at]) / (grid[at + 1] - grid[at])
    inner = padded[:, at] + (padded[:, at + 1] - padded[:, at]) * np.minimum(share, 1.0)[None, :]
    slope = (values[:, -1] - values[:, LEVELS.index(0.95)]) / np.log(5.0)
    beyond = np.where(uniform > LEVELS[-1], np.log(0.01 / np.maximum(1 - uniform, 1e-15)), 0.0)
    return np.asarray(inner + slope[:, None] * beyond[None, :])
