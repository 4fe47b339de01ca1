"""Levels and baselines of every series, day by day, with the figures that were known that day.

The 7-day level is compared with its baseline, the median of the 7-day levels of 2 to 8 weeks before. A figure that a
source corrects later counts with its new value from the day the correction became known, and with its old one before:
what a past night saw stays what it saw. A series that speaks once a week has its level from its last two figures, and
of its growth only what stands out from their noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trends.config import TrendConfig
from trends.sampled import median_of, ordered, spread_of
from trends.signals import Cube, Floats32

__all__ = ["DayRatios", "Levels"]

_WEEK = 7
_RECENT = 3  # days whose median must have risen for a burst to start: one day proves nothing
_MIN_LEVEL_DAYS = 3  # known days of seven that make a level
_CADENCE_DAYS = 28  # days over which the rhythm of a source is read
_WEEKLY_AT_MOST = 6  # figures in that time: it speaks about once a week
_MIN_BASELINE_WEEKS = 2
_COUNT_SHARE = 0.9  # of a metric's figures that are whole numbers: it counts something
_NOISE_SERIES = 8  # weekly series from which their noise is known
_SURE = 2.0  # standard errors of a weekly series' growth that are taken for noise
_LEAST_MEAN = 0.2  # a count that is nearly always zero still comes once in five days [units]


@dataclass(frozen=True)
class DayRatios:
    """Log ratios of one day, each of shape (n_metrics, n_series), and the 7-day ``level`` itself."""

    level: Floats32
    daily: Floats32
    recent: Floats32
    heat: Floats32
    growth: Floats32
    least_variance: Floats32  # of ``daily``: counts vary at least as Poisson's do, 0 for what is no count


class Levels:
    """Running 7-day levels of a cube, and what each day compares with them. Days must be asked for in order."""

    def __init__(self, cube: Cube, config: TrendConfig) -> None:
        """Start before the first day; the cube's values are copied only where corrections will change them."""
        self._values = cube.values.copy() if cube.revisions.size else cube.values
        self._revisions = cube.revisions
        self._config = config
        self._weekly = np.full_like(cube.values, np.nan)
        self._sum = np.zeros(cube.values.shape[1:])
        self._count = np.zeros(cube.values.shape[1:], dtype=np.int16)
        self._month = np.zeros(cube.values.shape[1:], dtype=np.int16)
        self._weekly_metric = np.zeros(cube.values.shape[1:], dtype=np.bool_)

    def at(self, day: int) -> DayRatios:
        """Return the log ratios of ``day``."""
        self._correct(day)
        self._push(day)
        values, config = self._values, self._config
        level = self._level(day)
        base = self._baseline(day)
        eps = config.level_floor_share * base + config.level_floor
        low = np.log(base + eps)
        last = values[max(0, day - _RECENT + 1) : day + 1]
        return DayRatios(
            level=level,
            daily=_log_sum(values[day], eps) - low,
            recent=_log_sum(_low_median(last), eps) - low,
            heat=_log_sum(level, eps) - low,
            growth=self._growth(day, eps),
            least_variance=_count_variance(values[day], base, eps),
        )

    @property
    def is_weekly(self) -> NDArray[np.bool_]:
        """Whether each series speaks about once a week, by all its metrics, shape (n_series,)."""
        spoken = self._month.max(axis=0, initial=0)
        return np.asarray((spoken > 0) & (spoken <= _WEEKLY_AT_MOST))

    def _level(self, day: int) -> Floats32:
        """Return the 7-day level; of what speaks once a week the mean of its last two figures."""
        level: Floats32 = self._weekly[day]
        if day < _WEEK or not self._weekly_metric.any():
            return level
        before = self._weekly[day - _WEEK]
        both = self._weekly_metric & np.isfinite(before)
        return np.asarray(np.where(both, (level + before) / 2, level), dtype=np.float32)

    def _growth(self, day: int, eps: Floats32) -> Floats32:
        """Return the log growth a week; of what speaks once a week that of a fortnight by week, less its noise."""
        level = _log_sum(self._weekly[day], eps)
        growth = level - _log_sum(self._weekly[day - _WEEK], eps) if day >= _WEEK else np.full_like(level, np.nan)
        if day >= 2 * _WEEK and self._weekly_metric.any():
            week, fortnight = (_log_sum(self._weekly[day - _WEEK * n], eps) for n in (1, 2))
            change, bend = level - fortnight, level - 2 * week + fortnight
            sure = _less_noise(np.asarray(change / 2, dtype=np.float32), bend, self._weekly_metric)
            growth = np.where(self._weekly_metric, sure, growth)
        return np.asarray(growth, dtype=np.float32)

    def _correct(self, day: int) -> None:
        """Put in what became known today of earlier days, and the levels that it changes."""
        found = self._revisions.on(day)
        if found is None:
            return
        at, metric, series, delta = found
        known = np.isfinite(self._values[at, metric, series])
        at, metric, series, delta = at[known], metric[known], series[known], delta[known]
        np.add.at(self._values, (at, metric, series), delta)
        inside = at >= day - _WEEK
        np.add.at(self._sum, (metric[inside], series[inside]), delta[inside])
        cells = np.unique(np.stack([metric, series]), axis=1)
        for first in np.unique(at):
            for later in range(int(first), min(int(first) + _WEEK, day)):
                self._weekly[later, cells[0], cells[1]] = self._window(later, cells)

    def _window(self, day: int, cells: NDArray[np.int64]) -> Floats32:
        """Return the levels of some cells on an earlier day, summed anew."""
        part = self._values[max(0, day - _WEEK + 1) : day + 1, cells[0], cells[1]]
        count = np.isfinite(part).sum(axis=0)
        mean = np.where(np.isfinite(part), part, 0).sum(axis=0) / np.maximum(count, 1)
        had = np.isfinite(self._weekly[day, cells[0], cells[1]])
        return np.where(had, np.maximum(mean, 0), np.nan).astype(np.float32)

    def _push(self, day: int) -> None:
        for sign, at in ((1, day), (-1, day - _WEEK)):
            if at >= 0:
                known = np.isfinite(self._values[at])
                self._sum += sign * np.where(known, self._values[at], 0.0)
                self._count += (sign * known).astype(np.int16)
                self._month += known.astype(np.int16) if sign == 1 else np.int16(0)
        if day >= _CADENCE_DAYS:
            self._month -= np.isfinite(self._values[day - _CADENCE_DAYS]).astype(np.int16)
        # a daily source that begins has few figures too, for its first days: the least that makes a week must be past
        weekly = (self._month <= _WEEKLY_AT_MOST) & (self._count >= 1) & (self._month > self._count)
        self._weekly_metric = (self._month > 0) & (self._month <= _WEEKLY_AT_MOST)
        enough = (self._count >= _MIN_LEVEL_DAYS) | weekly
        self._weekly[day] = np.where(enough, np.maximum(self._sum, 0.0) / np.maximum(self._count, 1), np.nan)

    def _baseline(self, day: int) -> Floats32:
        """Return the median of the earlier weekly levels, NaN with fewer than two known."""
        at = [day - _WEEK * weeks for weeks in self._config.baseline_weeks if day >= _WEEK * weeks]
        if not at:
            return np.full(self._values.shape[1:], np.nan, dtype=np.float32)
        rows = [self._weekly[day] for day in at]
        n = _known(rows)
        weeks = ordered(rows)
        low, high = _place(weeks, (n - 1) // 2), _place(weeks, n // 2)
        with np.errstate(invalid="ignore"):
            return np.where(n >= _MIN_BASELINE_WEEKS, (low + high) / 2, np.nan).astype(np.float32)


def _count_variance(values: Floats32, base: Floats32, eps: Floats32) -> Floats32:
    """Return the variance of the log of a Poisson count about its baseline; 0 for metrics that are no whole numbers."""
    known = np.isfinite(values)
    whole = np.where(known, values == np.floor(values), False).sum(axis=1) >= _COUNT_SHARE * known.sum(axis=1)
    mean = np.fmax(base, _LEAST_MEAN)
    return np.where(whole[:, None], mean / (mean + eps) ** 2, 0.0).astype(np.float32)


def _less_noise(growth: Floats32, bend: Floats32, told: NDArray[np.bool_]) -> Floats32:
    """Return growths drawn to the day's usual one by what noise alone would make of them (James and Stein 1961).

    Of three figures with noise of variance v the bend (second difference) has 6 v, half the change of a fortnight v/2.

    Args:
        growth: half the log change of a fortnight, (n_metrics, n_series).
        bend: second difference of the three log figures.
        told: where a series speaks once a week.
    """
    out = growth.copy()
    for row, mask in enumerate(told):
        usual = median_of(growth[row, mask], at_least=_NOISE_SERIES)
        noise = spread_of(bend[row, mask], at_least=_NOISE_SERIES)
        if usual is not None and noise is not None:
            own = growth[row] - usual
            with np.errstate(divide="ignore", invalid="ignore"):
                kept = np.maximum(1 - _SURE**2 * (noise / 12) / (own * own), 0)
            out[row] = usual + np.where(own == 0, 0, own * kept)
    return out


def _log_sum(values: Floats32, eps: Floats32) -> Floats32:
    return np.asarray(np.log(np.maximum(values, 0) + eps), dtype=np.float32)


def _low_median(values: Floats32) -> Floats32:
    """Return the median of the known days, the lower of the middle two where their number is even; NaN of none."""
    rows = list(values)
    n = _known(rows)
    return np.where(n > 0, _place(ordered(rows), (n - 1) // 2), np.nan).astype(np.float32)


def _known(rows: list[Floats32]) -> NDArray[np.int8]:
    n = np.zeros(rows[0].shape, dtype=np.int8)
    for row in rows:
        n += np.isfinite(row)
    return n


def _place(rows: list[Floats32], place: NDArray[np.int8]) -> Floats32:
    """Return from rows, cell by cell, the one at ``place``."""
    out = rows[0]
    for i in range(1, len(rows)):
        out = np.where(place >= i, rows[i], out)
    return out
