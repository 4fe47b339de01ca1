"""Attention: how much each element is talked about, as a log ratio to how it began; the figure that sales follow.

Heat says whether an element stands above its last two months; a burst that lasts is soon its own baseline, while its
sales stay up. Here the 7-day level itself is followed: by source the log ratio to a fixed reference, less the median of
all elements (holidays, a source that grows), and of the sources the median, so that none moves it alone. Each source's
reference is drawn slowly to what the sources say together: one that is missing, or counts otherwise for good, leaves no
step. Only its changes mean anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trends.config import TrendConfig
from trends.sampled import median_of, ordered
from trends.signals import Floats32

__all__ = ["Attention"]

_BEGIN_DAYS = 28  # known days whose mean is a source's first reference [days]
_ALIGN_DAYS = 60.0  # time in which a source's own offset is forgotten [days]


class Attention:
    """Attention of every series, day by day. Days must be given in order.

    Attributes:
        value: of the last day, shape (n_series,); NaN before anything is known.
    """

    def __init__(self, sources: list[NDArray[np.int64]], n_series: int, config: TrendConfig) -> None:
        """Start before the first day.

        Args:
            sources: rows of the metrics of each source, as :func:`trends.agreement.source_codes` gives them.
            n_series: series.
            config: floor of a level, elements from which a common move is taken out.
        """
        self._sources = sources
        self._config = config
        shape = (max(len(sources), 1), n_series)
        self._reference = np.zeros(shape, dtype=np.float32)
        self._seen = np.zeros(shape, dtype=np.float32)
        self.value = np.full(n_series, np.nan, dtype=np.float32)

    def after(self, levels: Floats32) -> Floats32:
        """Return the attention after one more day.

        Args:
            levels: 7-day levels of the metrics, (n_metrics, n_series), NaN unknown.
        """
        logs = np.log(levels + np.float32(self._config.level_floor))
        if not self._sources:
            return self.value
        told = np.stack([logs[rows[0]] if len(rows) == 1 else _mean(logs[rows]) for rows in self._sources])
        known = np.isfinite(told)
        # the first month makes the reference; later it moves with what sets this source apart from the others
        young = known & (self._seen < _BEGIN_DAYS)
        self._seen += known
        self._reference += np.where(young, (told - self._reference) / np.maximum(self._seen, 1), 0).astype(np.float32)
        apart = told - self._reference
        for row in range(len(apart)):
            apart[row] -= median_of(apart[row], at_least=self._config.common_min_elements) or 0.0
        if len(apart) == 1:  # nothing to be drawn to
            self.value = np.where(known[0], apart[0], self.value)
            return self.value
        now = _median(apart)
        ready = known & (self._seen >= _BEGIN_DAYS) & np.isfinite(now)
        drift = np.where(ready, (apart - now) / _ALIGN_DAYS, 0)
        self._reference += drift.astype(np.float32)
        self.value = np.where(np.isfinite(now), now, self.value).astype(np.float32)
        return self.value


def _mean(rows: Floats32) -> Floats32:
    known = np.isfinite(rows)
    n = known.sum(axis=0)
    return np.where(n > 0, np.where(known, rows, 0).sum(axis=0) / np.maximum(n, 1), np.nan).astype(np.float32)


def _median(rows: Floats32) -> Floats32:
    """Return the median of the known rows, place by place."""
    n = np.isfinite(rows).sum(axis=0)
    sorted_rows = np.stack(ordered(list(rows)))
    low, high = np.maximum(n - 1, 0) // 2, np.minimum(n // 2, len(rows) - 1)
    at = np.arange(rows.shape[1])
    with np.errstate(invalid="ignore"):
        return np.where(n > 0, (sorted_rows[low, at] + sorted_rows[high, at]) / 2, np.nan).astype(np.float32)
