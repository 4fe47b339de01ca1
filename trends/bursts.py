"""Online burst detection: a CUSUM that starts a burst, one that ends it, streaks and states. Nothing looks ahead.

Page's CUSUM (1954) sums how far each day lies above an allowance; an alarm is raised when the sum crosses a level. A
day may add only so much, so that a spike of one day is no trend. The first day of the run that led to the alarm is
the burst's start.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trends.config import TrendConfig

__all__ = ["Bursts", "State", "advanced", "fresh_bursts", "states"]

Floats32 = NDArray[np.float32]

_FAST_OF_DAYS = 3


class State(IntEnum):
    """State of an element in a region; an element that no product carries is reported as unknown while it rises."""

    QUIET = 0
    RISING = 1
    HOT = 2
    COOLING = 3


@dataclass(frozen=True)
class Bursts:
    """Where the automaton of each series stands at the close of a day; each of shape (n_series,)."""

    up: Floats32  # CUSUM towards a burst [standard units]
    down: Floats32  # CUSUM towards its end [standard units]
    up_since: NDArray[np.int32]  # day the upward run began
    active: NDArray[np.bool_]
    started: NDArray[np.int32]  # day the burst began, -1 none
    alarmed: NDArray[np.int32]  # day it was noticed, -1 none
    score: Floats32  # smoothed standard units
    streak: NDArray[np.int32]  # [days]
    above: NDArray[np.uint32]  # the last known days, newest in the lowest bit: 1 where above the baseline


def fresh_bursts(n_series: int) -> Bursts:
    """Return the automaton before the first day: all quiet."""
    zero, none = np.zeros(n_series, dtype=np.float32), np.full(n_series, -1, dtype=np.int32)
    return Bursts(
        up=zero,
        down=zero.copy(),
        up_since=none,
        active=np.zeros(n_series, dtype=bool),
        started=none.copy(),
        alarmed=none.copy(),
        score=zero.copy(),
        streak=np.zeros(n_series, dtype=np.int32),
        above=np.zeros(n_series, dtype=np.uint32),
    )


def advanced(
    before: Bursts,
    z: Floats32,
    rise: Floats32,
    risen: NDArray[np.bool_],
    is_weekly: NDArray[np.bool_],
    *,
    day: int,
    config: TrendConfig,
) -> Bursts:
    """Return the automaton after one more day.

    Args:
        before: after the day before.
        z: the day's standard units, NaN where nothing fresh is known: then everything waits.
        rise: log ratio of the last 3 days to the baseline, NaN unknown.
        risen: whether the last days stand out from the weeks before: see :mod:`trends.rises`.
        is_weekly: series that speak about once a week: of their figures, each of which is a week's, fewer will do.
        day: number of the day.
        config: allowance, levels, streak.
    """
    known = np.isfinite(z)
    unit = np.where(known, np.minimum(z, config.daily_cap), 0.0).astype(np.float32)
    grown = np.where(known, np.maximum(before.up + unit - config.drift, 0.0), before.up)
    since = np.where((grown > 0) & (before.up <= 0), day, before.up_since)
    above = np.where(known, (before.above << np.uint32(1)) | (unit > config.above_units), before.above).astype(
        np.uint32
    )
    lately = _days_above(above, _FAST_OF_DAYS) >= config.fast_days_above
    enough = (_days_above(above, config.of_days) >= config.days_above) | (is_weekly & (unit > config.above_units))
    level = np.where(is_weekly, config.weekly_alarm_level, config.alarm_level)
    slowly = enough & (grown >= level) & (rise >= config.min_rise)
    at_once = known & risen & lately
    starts = ~before.active & (slowly | at_once)
    shrunk = np.where(known & before.active, np.maximum(before.down + config.end_drift - unit, 0.0), before.down)
    ends = before.active & (shrunk >= config.end_level)
    active = (before.active | starts) & ~ends
    smooth = np.float32(np.exp(-1.0 / config.score_memory_days))
    score = np.where(known, smooth * before.score + (1 - smooth) * unit, before.score)
    goes_on = np.where(before.streak > 0, score >= config.streak_off, score >= config.streak_on)
    streak = np.where(known, np.where(goes_on, before.streak + 1, 0), before.streak)
    return Bursts(
        # an alarm or an end empties both sums: the next burst needs evidence of its own
        up=np.where(starts | ends | active, 0.0, grown).astype(np.float32),
        down=np.where(starts | ends | ~active, 0.0, shrunk).astype(np.float32),
        up_since=since.astype(np.int32),
        active=active,
        started=np.where(starts, since, np.where(active, before.started, -1)).astype(np.int32),
        alarmed=np.where(starts, day, np.where(active, before.alarmed, -1)).astype(np.int32),
        score=score.astype(np.float32),
        streak=streak.astype(np.int32),
        above=above,
    )


def _days_above(above: NDArray[np.uint32], of_days: int) -> NDArray[np.int64]:
    """Return how many of the last known days were above the baseline."""
    return sum(((above >> np.uint32(i)) & 1).astype(np.int64) for i in range(of_days))  # type: ignore[return-value]


def states(now: Bursts, growth: Floats32, *, day: int, config: TrendConfig) -> NDArray[np.int8]:
    """Return the ``State`` of each series at the close of ``day``.

    A young or growing burst is rising, one that shrinks or is about to end is cooling, any other is hot.
    """
    change = growth  # unknown compares as neither growing nor shrinking
    young = day - now.alarmed < config.rising_days
    cooling = (change <= -config.shrinking) | (now.down >= 0.5 * config.end_level)
    state = np.where(cooling, State.COOLING, np.where(young | (change >= config.growing), State.RISING, State.HOT))
    return np.where(now.active, state, State.QUIET).astype(np.int8)
