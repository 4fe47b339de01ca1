"""What several sources say together: no single one can raise an alarm where there are others.

The loudest source is left out and the rest are summed, so that a source that doubles by itself moves nothing, while a
rise that all of them show counts with all of them: ``(sum - largest) / sqrt(k - 1)`` of k sources in standard units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trends.signals import Cube, Floats32

__all__ = ["agreed_ratio", "agreed_units", "source_codes", "source_means"]

# mean of the largest of k standard normals (Tippett 1925); beyond the table its growth is slow
_EXPECTED_LARGEST = np.array([0.0, 0.0, 0.5642, 0.8463, 1.0294, 1.1630, 1.2672])

_ALONE = 2.0  # [standard units] a lead of the loudest source beyond this is its own doing


def source_codes(cube: Cube) -> list[NDArray[np.int64]]:
    """Return the rows of the metrics of each source."""
    names = cube.metrics["source"].to_list()
    return [np.array([i for i, n in enumerate(names) if n == s], dtype=np.int64) for s in sorted(set(names))]


def source_means(values: Floats32, sources: list[NDArray[np.int64]]) -> Floats32:
    """Return the mean over each source's known metrics, shape (n_sources, n_series)."""
    if not sources:
        return np.full((1, values.shape[1]), np.nan, dtype=np.float32)
    return np.stack([values[rows[0]] if len(rows) == 1 else _mean_known(values[rows]) for rows in sources])


def agreed_units(by_source: Floats32) -> Floats32:
    """Return the standard units that hold without the loudest source; mean 0 where nothing happens, NaN unknown.

    >>> agreed_units(np.array([[6.0], [0.0], [0.0]], np.float32)).round(1).tolist()
    [-0.6]
    >>> agreed_units(np.array([[3.0], [3.0], [3.0]], np.float32)).round(1).tolist()
    [4.8]
    """
    if len(by_source) == 1:
        return np.asarray(by_source[0], dtype=np.float32)
    rest, n, gap = _without_loudest(by_source)
    # what leaving the largest of k noises out takes away is given back; beside a source that shouts alone the others
    # are not the quieter ones of their kind, and their own noise counts against them
    usual = _EXPECTED_LARGEST[np.minimum(n, len(_EXPECTED_LARGEST) - 1)]
    bias = np.where(gap <= _ALONE, usual, -usual)
    value = (rest + bias) / np.sqrt(np.maximum(n - 1, 1))
    return np.where(n > 0, value, np.nan).astype(np.float32)


def agreed_ratio(by_source: Floats32) -> Floats32:
    """Return the second highest of the known sources' log ratios, the only one where there is one, NaN where none."""
    if len(by_source) == 1:
        return np.asarray(by_source[0], dtype=np.float32)
    ordered = np.sort(np.where(np.isfinite(by_source), by_source, -np.inf), axis=0)
    best, second = ordered[-1], ordered[-2]
    value = np.where(np.isfinite(second), second, best)
    return np.where(np.isfinite(value), value, np.nan).astype(np.float32)


def _without_loudest(by_source: Floats32) -> tuple[Floats32, NDArray[np.int64], Floats32]:
    """Return the sum of the known sources but the largest (of one source itself), their number, the largest's lead."""
    ordered = np.sort(np.where(np.isfinite(by_source), by_source, -np.inf), axis=0)
    n = np.isfinite(ordered).sum(axis=0)
    total = np.where(np.isfinite(ordered), ordered, 0.0).sum(axis=0)
    largest = np.where(n > 1, ordered[-1], 0.0)
    gap = np.where(n > 1, ordered[-1] - np.where(n > 1, ordered[-2], 0.0), 0.0)
    return (total - largest).astype(np.float32), n, gap.astype(np.float32)


def _mean_known(values: Floats32) -> Floats32:
    known = np.isfinite(values)
    n = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan).astype(np.float32)
