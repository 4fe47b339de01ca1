"""Rises: the last days against the weeks just before them, over several windows at once and all sources together.

The CUSUM compares with the baseline of two months and is sure but slow; an element that drifts by itself keeps it from
being quick. Here the mean of the last 2, 3 and 5 days stands against that of the two weeks before, each window
measured against its own running noise, drift included (a window-limited likelihood ratio, Lai 1995). All sources count
by their precision, but the loudest may not do it alone: the others must rise too, and by their share. A day counts at
most a little more than the window's second highest, so that a spike of one day raises no window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trends.config import TrendConfig
from trends.sampled import spread_of
from trends.signals import Floats32

__all__ = ["Rises"]

_WINDOWS = (2, 3, 5)  # [days]
_REFERENCE = 14  # whole weeks, so that weekdays even out; a longer past has drifted further away [days]
_MIN_REFERENCE = 7  # known days of them
_SPIKE_MARGIN = 0.05  # that a day may count above the second highest of its window [log ratio]
_OTHERS_UNITS = 1.5  # that the sources but the loudest must show [standard units]
_OTHERS_PART = 0.33  # of the loudest's rise that the others must show
_MEMORY, _PRIOR = 60.0, 14.0  # of a window's running noise, and weight of all series' in each one's [days]
_LEAST_SD = 0.02  # [log ratio]
_MOST_VARIANCE = 0.1  # of a day's log count, about seven a day: smaller counts are too skewed for standard units
_CLIP = 3.0  # larger rises count as so many standard units in the running noise
_MIN_SERIES = 8  # from which the noise of all series is known


@dataclass
class _Noise:
    """Running variance of a window's rise: of each series, and of all."""

    own: Floats32
    seen: Floats32
    pooled: NDArray[np.float64]  # (n_rows,)

    @staticmethod
    def fresh(shape: tuple[int, int]) -> _Noise:
        return _Noise(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.full(shape[0], np.nan))

    def variance(self, rise: Floats32) -> Floats32:
        """Return the variance by row and series before today's figure counts; then let it count."""
        for row, values in enumerate(rise):
            spread = spread_of(values, at_least=_MIN_SERIES)
            if spread is not None:
                before = self.pooled[row]
                self.pooled[row] = spread if np.isnan(before) else before + (spread - before) / _MEMORY
        prior = np.nan_to_num(self.pooled, nan=0.0).astype(np.float32)[:, None]
        prior_days, clip = np.float32(_PRIOR), np.float32(_CLIP**2)
        now = np.maximum(
            (self.seen * self.own + prior_days * prior) / (self.seen + prior_days), np.float32(_LEAST_SD**2)
        )
        known = np.isfinite(rise)
        square = np.minimum(rise * rise, clip * now)
        self.seen += known
        np.minimum(self.seen, np.float32(_MEMORY), out=self.seen)
        self.own += np.where(known, (square - self.own) / np.maximum(self.seen, 1), np.float32(0))
        now[np.isnan(self.pooled)] = np.inf
        return np.asarray(now, dtype=np.float32)


@dataclass
class Rises:
    """The last days of every source and series; days must be given in order.

    Attributes:
        config: how large a rise must be, in log ratio and in standard units.
        n_sources, n_series: shape of a day.
    """

    config: TrendConfig
    n_sources: int
    n_series: int
    _days: list[Floats32] = field(default_factory=list)
    _sums: list[Floats32] = field(default_factory=list)
    _counts: list[Floats32] = field(default_factory=list)
    _by_source: dict[int, _Noise] = field(default_factory=dict)
    _together: dict[int, _Noise] = field(default_factory=dict)

    def after(self, ratios: Floats32, least: Floats32) -> NDArray[np.bool_]:
        """Return which series have risen at the close of one more day, shape (n_series,).

        Args:
            ratios: the day's log ratios less the common move, (n_sources, n_series); NaN unknown.
            least: the smallest variance that a day of each may have: counts vary at least as Poisson's do.
        """
        self._push(ratios)
        least = np.nan_to_num(least)  # of what has no baseline yet nothing is told anyway
        risen = np.zeros(self.n_series, dtype=np.bool_)
        if len(self._sums) <= _MIN_REFERENCE + max(_WINDOWS):
            return risen
        today = np.isfinite(ratios) & (least <= _MOST_VARIANCE)
        for days, recent, n in _without_spikes(self._days):
            floor = least * np.float32(1 / days + 1 / _REFERENCE)
            risen |= self._window(days, recent, today & (n >= max(days - 1, 2)), floor)
        return risen

    def _push(self, ratios: Floats32) -> None:
        known = np.isfinite(ratios)
        filled = np.where(known, ratios, np.float32(0))
        self._days = [*self._days, ratios][-max(_WINDOWS) :]
        last, count = (self._sums[-1], self._counts[-1]) if self._sums else (np.zeros_like(filled),) * 2
        keep = _REFERENCE + max(_WINDOWS) + 1
        self._sums = [*(self._sums or [last]), last + filled][-keep:]
        self._counts = [*(self._counts or [count]), count + known][-keep:]

    def _window(self, days: int, recent: Floats32, told: NDArray[np.bool_], least: Floats32) -> NDArray[np.bool_]:
        """Return which series a window of so many days shows risen."""
        first = max(len(self._sums) - 1 - days - _REFERENCE, 0)
        count = self._counts[-1 - days] - self._counts[first]
        told = told & (count >= _MIN_REFERENCE)
        before = (self._sums[-1 - days] - self._sums[first]) / np.maximum(count, 1)
        variance = self._by_source.setdefault(days, _Noise.fresh(recent.shape)).variance(
            np.where(told, recent - before, np.float32(np.nan))
        )
        variance = np.maximum(variance, least)
        # what comes back from below its usual level has not risen
        rise = np.where(told, recent - np.maximum(before, np.float32(-self.config.fast_return)), np.float32(0))
        if self.n_sources == 1:
            enough = np.maximum(self.config.fast_units * np.sqrt(variance[0]), self.config.fast_rise)
            return np.asarray(told[0] & (rise[0] >= enough))
        weight = np.where(told, 1 / variance, np.float32(0))
        together, others, others_sd, loudest = _pooled(rise, weight, told)
        noise = self._together.setdefault(days, _Noise.fresh((1, self.n_series)))
        apart = least.mean(axis=0) / np.maximum(told.sum(axis=0), 1)
        sd = np.sqrt(np.maximum(noise.variance(together[None])[0], apart))
        with np.errstate(invalid="ignore"):
            return np.asarray(
                (together >= self.config.fast_units * sd)
                & (others >= _OTHERS_UNITS * others_sd)
                & (others >= _OTHERS_PART * loudest)
                & (others >= self.config.fast_rise)
            )


def _without_spikes(days: list[Floats32]) -> Iterator[tuple[int, Floats32, NDArray[np.int8]]]:
    """Yield of each window its length, the mean of its known days, the highest capped near the second, their number."""
    lowest = np.float32(-np.inf)
    first = second = np.full(days[-1].shape, lowest, dtype=np.float32)
    total = np.zeros(days[-1].shape, dtype=np.float32)
    n = np.zeros(days[-1].shape, dtype=np.int8)
    for length, values in enumerate(reversed(days), start=1):
        known = np.isfinite(values)
        told = np.where(known, values, lowest)
        second = np.maximum(second, np.minimum(first, told))
        first = np.maximum(first, told)
        total = total + np.where(known, values, np.float32(0))
        n = n + known.astype(np.int8)
        if length in _WINDOWS:
            with np.errstate(invalid="ignore"):
                mean = (total - np.maximum(first - second - np.float32(_SPIKE_MARGIN), 0)) / np.maximum(n, 1)
            yield length, np.where(n >= 2, mean, np.float32(np.nan)), n


def _pooled(rise: Floats32, weight: Floats32, told: NDArray[np.bool_]) -> tuple[Floats32, Floats32, Floats32, Floats32]:
    """Return the rise of all sources, of all but the loudest with its error, and the loudest's own.

    Where one of them speaks alone it is its own other: there is nothing to compare it with.
    """
    total, mass = (weight * rise).sum(axis=0), weight.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        together = np.where(mass > 0, total / mass, np.nan)
        loud = np.argmax(np.where(told, rise, -np.inf), axis=0)[None]
        loudest, part = np.take_along_axis(rise, loud, 0)[0], np.take_along_axis(weight, loud, 0)[0]
        several = told.sum(axis=0) > 1
        left = np.where(several, mass - part, mass)
        others = np.where(several, (total - part * loudest) / left, together)
        error = np.where(several, 1 / np.sqrt(left), 0.0)
    return (
        together.astype(np.float32),
        others.astype(np.float32),
        error.astype(np.float32),
        np.where(several, loudest, together).astype(np.float32),
    )
