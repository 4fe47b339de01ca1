"""Measures of a forecast: plain functions on arrays, NaN cells left out. ``error = forecast - actual``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["bias", "coverage", "pinball", "randomised_pit", "rmsse", "scale", "wape", "wrmsse"]

Array = NDArray[np.floating]


def wape(actual: Array, forecast: Array) -> float:
    """Return the sum of absolute errors over the sum of actuals; NaN where nothing sold.

    >>> wape(np.array([2.0, 4.0]), np.array([3.0, 2.0]))
    0.5
    """
    known = ~np.isnan(actual)
    total = float(np.sum(actual[known], dtype=np.float64))
    return float(np.sum(np.abs(forecast - actual)[known], dtype=np.float64)) / total if total > 0 else float("nan")


def bias(actual: Array, forecast: Array) -> float:
    """Return (sum of forecasts - sum of actuals) over the sum of actuals; NaN where nothing sold.

    >>> bias(np.array([2.0, 4.0]), np.array([3.0, 6.0]))
    0.5
    """
    known = ~np.isnan(actual)
    total = float(np.sum(actual[known], dtype=np.float64))
    return float(np.sum((forecast - actual)[known], dtype=np.float64)) / total if total > 0 else float("nan")


def scale(history: Array) -> NDArray[np.float64]:
    """Return (n,) mean squared one-step differences of each row, from its first known period on [units^2].

    The scale of Hyndman & Koehler's (2006) scaled errors, squared as in M5. 0 where there is no pair of periods.

    >>> scale(np.array([[np.nan, 1.0, 3.0, 3.0]])).tolist()
    [2.0]
    """
    steps = np.diff(history.astype(np.float64), axis=1) ** 2
    known = ~np.isnan(steps)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, steps, 0).sum(axis=1) / np.maximum(count, 1), 0.0)


def rmsse(actual: Array, forecast: Array, scales: Array) -> NDArray[np.float64]:
    """Return (n,) root mean squared scaled errors; NaN where the scale is 0 or nothing is known."""
    errors = (forecast.astype(np.float64) - actual) ** 2
    known = ~np.isnan(errors)
    count = known.sum(axis=1)
    squared = np.where(known, errors, 0).sum(axis=1) / np.maximum(count, 1)
    usable = (scales > 0) & (count > 0)
    return np.where(usable, np.sqrt(squared / np.where(usable, scales, 1)), np.nan)


def wrmsse(
    history: Array, actual: Array, forecast: Array, revenue: Array, levels: Sequence[NDArray[np.int64]]
) -> tuple[float, list[float]]:
    """Return the weighted RMSSE, averaged over aggregation levels, and its value at each level (M5's measure).

    Args:
        history: (n, t) training demand; NaN before a series is on sale.
        actual: (n, h) demand that came.
        forecast: (n, h) mean forecast.
        revenue: (n,) weight of each series: its revenue in the last 28 training days.
        levels: for each level, (n,) the node each series belongs to.

    Nodes without a scale (constant history) carry no weight in the sum but keep theirs in the total, as in M5.
    """
    values = []
    for node in levels:
        nodes = int(node.max()) + 1
        sums, on_sale = _summed(np.nan_to_num(history), node, nodes), _summed(~np.isnan(history), node, nodes) > 0
        started = np.maximum.accumulate(on_sale, axis=1)
        scales = scale(np.where(started, sums, np.nan))
        error = rmsse(_summed(np.nan_to_num(actual), node, nodes), _summed(forecast, node, nodes), scales)
        weight = np.bincount(node, revenue.astype(np.float64), nodes)
        values.append(float(np.nansum(weight * error) / weight.sum()))
    return float(np.mean(values)), values


def _summed(values: NDArray[np.generic], node: NDArray[np.int64], nodes: int) -> NDArray[np.float64]:
    if nodes == len(node):
        out = np.empty(values.shape)
        out[node] = values
        return out
    order = np.argsort(node, kind="stable")
    present, first = np.unique(node[order], return_index=True)
    out = np.zeros((nodes, values.shape[1]))
    out[present] = np.add.reduceat(values[order].astype(np.float64), first, axis=0)
    return out


def pinball(actual: Array, quantiles: Mapping[float, Array]) -> float:
    """Return the mean pinball loss over levels and known cells [units].

    >>> pinball(np.array([10.0]), {0.9: np.array([8.0])})
    1.8
    """
    losses = []
    for level, forecast in quantiles.items():
        error = (actual - forecast)[~np.isnan(actual)].astype(np.float64)
        losses.append(float(np.mean(np.maximum(level * error, (level - 1) * error))) if error.size else float("nan"))
    return float(np.mean(losses))


def coverage(actual: Array, low: Array, high: Array) -> float:
    """Return the share of known actuals within [low, high] (0-1); NaN without any."""
    known = ~np.isnan(actual)
    return float(np.mean(((actual >= low) & (actual <= high))[known])) if known.any() else float("nan")


def randomised_pit(actual: Array, quantile: Array, draws: Array) -> float:
    """Return mean of P(y < q) + u P(y = q): for a calibrated quantile its level, on counts too (Czado et al. 2009).

    Args:
        actual: demand that came, NaN left out.
        quantile: forecast quantile of one level.
        draws: uniform draws u in [0, 1), same shape.
    """
    known = ~np.isnan(actual)
    below, equal = (actual < quantile)[known], np.isclose(actual, quantile)[known]
    return float(np.mean(np.where(equal, draws[known], below))) if known.any() else float("nan")
