"""Sample paths of demand from forecast quantiles.

A Gaussian copula with AR(1) correlation between periods gives every path a rank per period; the rank is read off the
forecast's quantile function. All series share the same ranks (common random numbers), so a draw is one small matrix
product per period, and a series' paths do not depend on which other series are planned.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from data.contracts import QUANTILES

__all__ = ["PathSampler", "calibrate_totals", "draw_lead_times", "late_lead_times"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PROBABILITIES: Floats = np.array(list(QUANTILES.values()))
_LEAD_CUT = 2.0  # lead times beyond so many spreads are cut: the forecast's horizon reaches to there
_CORRELATION_STEP = 0.05  # correlations are rounded to this grid, so that weights are shared
_KNOTS: Floats = np.concatenate([[0.0], PROBABILITIES])
_K95, _K99 = (1 + list(QUANTILES).index(name) for name in ("q95", "q99"))


@dataclass
class PathSampler:
    """Draws ``n_paths`` paths over ``horizon`` periods; the same seed gives the same paths."""

    n_paths: int
    horizon: int
    seed: int
    _weights: dict[float, Floats] = field(default_factory=dict, repr=False)

    def draw(self, quantiles: Floats, *, correlation: Floats, scale: Floats) -> Floats:
        """Return demand [units], shape (horizon, n_series, n_paths).

        Args:
            quantiles: shape (horizon, n_series, n_quantiles), per period, in the order of ``QUANTILES`` [units].
            correlation: shape (n_series,): correlation between neighbouring periods (-1 to 1).
            scale: shape (n_series,): factor on every path (``demand_paths.total_scale``).

        Example:
            >>> flat = np.full((3, 1, len(PROBABILITIES)), 4.0)
            >>> PathSampler(50, 3, seed=1).draw(flat, correlation=np.zeros(1), scale=np.ones(1)).max().item()
            4.0
        """
        horizon, n_series, _ = quantiles.shape
        if horizon > self.horizon:
            raise ValueError(f"the sampler holds {self.horizon} periods, the forecast has {horizon}")
        knots = with_low_tail(quantiles)
        grid = np.clip(np.round(correlation / _CORRELATION_STEP) * _CORRELATION_STEP, -0.95, 0.95).round(2)
        paths = np.empty((horizon, n_series, self.n_paths))
        for rho in np.unique(grid):
            rows = np.flatnonzero(grid == rho)
            paths[:, rows, :] = np.matmul(knots[:, rows, :], self._weights_of(float(rho))[:horizon])
        return np.maximum(paths * scale[:, None], 0.0)

    def _weights_of(self, rho: float) -> Floats:
        """Interpolation weights, shape (horizon, n_knots, n_paths), of the ranks under correlation ``rho``."""
        if rho not in self._weights:
            shocks = np.random.default_rng(self.seed).standard_normal((self.horizon, self.n_paths))
            latent = np.empty_like(shocks)
            latent[0] = shocks[0]
            for t in range(1, self.horizon):
                latent[t] = rho * latent[t - 1] + np.sqrt(1 - rho**2) * shocks[t]
            ranks = latent.argsort(axis=1).argsort(axis=1)
            self._weights[rho] = np.stack([interpolation_weights((row + 0.5) / self.n_paths) for row in ranks])
        return self._weights[rho]


def with_low_tail(quantiles: Floats) -> Floats:
    """Return the quantiles in ascending order, after a knot at probability 0, along the last axis [units].

    Below the lowest quantile the function falls on as between the lowest two, and never below 0. A fall to 0 at once
    would give every steady seller a day without sales in forty.
    """
    ordered = np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=-1)
    lowest = np.maximum(2 * ordered[..., :1] - ordered[..., 1:2], 0.0)
    return np.concatenate([lowest, ordered], axis=-1)


def interpolation_weights(u: Floats) -> Floats:
    """Return weights W, shape (n_knots, len(u)), such that ``with_low_tail(q) @ W`` is the quantile function at ``u``.

    Linear between knots; above 0.99 exponential: q99 + (q99 - q95) / ln 5 * ln(0.01 / (1 - u)).
    """
    upper = np.clip(np.searchsorted(_KNOTS, u, side="left"), 1, _K99)
    share = np.clip((u - _KNOTS[upper - 1]) / (_KNOTS[upper] - _KNOTS[upper - 1]), 0.0, 1.0)
    weights = np.zeros((len(_KNOTS), len(u)))
    weights[upper - 1, np.arange(len(u))] = 1 - share
    weights[upper, np.arange(len(u))] += share
    beyond = np.log(np.maximum((1 - _KNOTS[_K99]) / (1 - u), 1.0)) / np.log((1 - _KNOTS[_K95]) / (1 - _KNOTS[_K99]))
    weights[_K99] += beyond
    weights[_K95] -= beyond
    return weights


def calibrate_totals(
    paths: Floats, *, window: Ints, quantiles: Floats, mean: Floats, known: npt.NDArray[np.bool_]
) -> Floats:
    """Return paths whose totals over the window have the stated distribution; their order and shape are kept.

    Args:
        paths: shape (horizon, n_series, n_paths) [units].
        window: shape (n_series, n_paths): periods that the total counts, from the first on.
        quantiles: shape (n_series, n_quantiles) of the total over the window [units].
        mean: shape (horizon, n_series): mean demand per period, used where a path sold nothing [units].
        known: shape (n_series,): False leaves a series as it is.
    """
    inside = np.arange(len(paths))[:, None, None] < window
    totals = np.where(inside, paths, 0.0).sum(axis=0)
    order = totals.argsort(axis=1, kind="stable")
    n_paths = paths.shape[2]
    wanted = np.empty_like(totals)
    in_order = with_low_tail(quantiles) @ interpolation_weights((np.arange(n_paths) + 0.5) / n_paths)
    np.put_along_axis(wanted, order, in_order, axis=1)
    sold = totals > 0
    ratio = np.divide(wanted, totals, out=np.ones_like(totals), where=sold)
    share = np.where(inside, mean[:, :, None], 0.0)
    weight = share.sum(axis=0)
    spread = np.divide(share, weight, out=np.zeros_like(share), where=weight > 0) * wanted
    scaled = np.where(inside, np.where(sold, paths * ratio, spread), paths)
    return np.where(known[None, :, None], scaled, paths)


def late_lead_times(lead_days: Floats, lateness: Floats, *, period_days: int, seed: int) -> Ints:
    """Return lead times in whole periods, shape (n, n_paths), by real lateness, in the order of the stated ones.

    Args:
        lead_days: shape (n,): L [days].
        lateness: shape (n, n_paths), ascending [days].
        period_days: 1 or 7.
        seed: as for :func:`draw_lead_times`: a path that is late by the stated spread is late by the real one.

    >>> late_lead_times(np.array([14.0]), np.array([[0.0, 3.0, 5.0]]), period_days=7, seed=1).max().item()
    3
    """
    n_paths = lateness.shape[1]
    ranks = np.random.default_rng(seed + 1).permutation(n_paths)
    stated = np.ceil(np.round(lead_days / period_days, 9))[:, None]
    lead: Ints = np.maximum(stated + np.floor(lateness[:, ranks] / period_days + 0.5), 0.0).astype(np.int64)
    return lead


def draw_lead_times(lead_days: Floats, spread_days: Floats, *, period_days: int, n_paths: int, seed: int) -> Ints:
    """Return lead times in whole periods, shape (n_series, n_paths): normal, cut off at two spreads, never below 0.

    Days are rounded to whole days, weeks up to whole weeks: what comes on Tuesday is late for the week.

    >>> draw_lead_times(np.array([14.0]), np.array([0.0]), period_days=7, n_paths=3, seed=1).tolist()
    [[2, 2, 2]]
    """
    ranks = np.random.default_rng(seed + 1).permutation(n_paths)
    deviations = np.clip(ndtri((ranks + 0.5) / n_paths), -_LEAD_CUT, _LEAD_CUT)
    days = np.maximum(np.floor(lead_days[:, None] + spread_days[:, None] * deviations + 0.5), 0.0)
    return np.ceil(days / period_days).astype(np.int64)
