"""What demand of an item long out of stock has become since: what its siblings sell now over what they sold then.

While nothing of an item can be bought, nothing says how it would sell. Other sizes of its style, then other items of
its type and category, went through the same seasons, festivals and years of age; so its last level is carried along by
the ratio of their level now to their level in the weeks in which the item was last seen. Only siblings in stock in both
count, those of its own youth: a launch fades as launches do. A narrow group is pulled to the wider one around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from demand.panel import Floats, Ints, Mask

__all__ = ["Siblings", "siblings_of"]

_NOW_SEASONS = 4  # weeks that say what siblings sell now
_LEAST_SHARE = 0.25  # of a stretch's periods in stock from which its level counts
_MATURE_SEASONS = 12  # weeks after which an item no longer sells as a launch
_PRIOR_UNITS = 30.0  # [units] that siblings sold in a month at which they count as much as the wider group
_LOWEST, _HIGHEST = 0.02, 5.0  # [ratio]


@dataclass(frozen=True)
class Siblings:
    """Levels of all series by week.

    Attributes:
        then: (n, weeks) mean demand of the weeks before each that a level is read from [units]; NaN where unknown.
        now: (n, weeks) the same of the last four weeks.
        age: (n,) week of each series' first period.
        groups: (n,) group of each series, the narrowest first; -1: in none.
        season: periods in a week.
    """

    then: Floats
    now: Floats
    age: Ints
    groups: Sequence[Ints]
    season: int
    _known: dict[tuple[int, int, int, bool], tuple[Floats, Floats]] = field(default_factory=dict)

    def since(self, series: int, left: int, week: int) -> float:
        """Return siblings' level in the weeks before ``week`` over that in the weeks before ``left`` (ratio).

        Args:
            series: the item that has been away.
            left: week after the last one in which it was seen.
            week: the week that is put right.
        """
        young = bool(left - self.age[series] < _MATURE_SEASONS)
        ratio = 1.0
        for level in range(len(self.groups) - 1, -1, -1):
            group = int(self.groups[level][series])
            if group < 0:
                continue
            now, then = self._sums(level, group, left, young)
            ratio = (now[week] + _PRIOR_UNITS * ratio) / (then[week] + _PRIOR_UNITS)
        return float(np.clip(ratio, _LOWEST, _HIGHEST))

    def _sums(self, level: int, group: int, left: int, young: bool) -> tuple[Floats, Floats]:
        """Return (weeks,) what the group's members seen both before ``left`` and before each week sold in a month."""
        key = (level, group, left, young)
        if key not in self._known:
            before = self.then[:, left]
            fit = (self.groups[level] == group) & np.isfinite(before) & ((left - self.age < _MATURE_SEASONS) == young)
            members = np.flatnonzero(fit)
            now = self.now[members]
            both = np.isfinite(now)
            month = float(_NOW_SEASONS * self.season)
            self._known[key] = (
                month * np.where(both, now, 0).sum(axis=0),
                month * np.where(both, before[members][:, None], 0).sum(axis=0),
            )
        return self._known[key]


def siblings_of(
    units: Floats,
    plain: Mask,
    series: Ints,
    index: Ints,
    first: Ints,
    groups: Sequence[Ints],
    *,
    season: int,
    window: int,
) -> Siblings:
    """Return the levels of all series, week by week, from periods in stock.

    Args:
        units: demand of each cell [units].
        plain: cells in stock.
        series: series of each cell.
        index: period of each cell, from 0.
        first: (n,) first period of each series.
        groups: (n,) group numbers, the narrowest first; -1: in none.
        season: periods in a week.
        window: periods that a level is read from.
    """
    weeks = int(index.max()) // season + 1
    shape = (len(first), weeks)
    at = series[plain] * weeks + index[plain] // season
    sums = np.bincount(at, weights=units[plain], minlength=shape[0] * weeks).astype(np.float64).reshape(shape)
    counts = np.bincount(at, minlength=shape[0] * weeks).astype(np.int64).reshape(shape)
    return Siblings(
        _level(sums, counts, window // season, season),
        _level(sums, counts, _NOW_SEASONS, season),
        first // season,
        [*groups, np.zeros(len(first), dtype=np.int64)],
        season,
    )


def _level(sums: Floats, counts: Ints, width: int, season: int) -> Floats:
    """Return mean demand of the ``width`` weeks before each week; NaN where too little of them was in stock."""
    total, count = (np.cumsum(np.pad(v, ((0, 0), (1, 0))), axis=1) for v in (sums, counts))
    low = np.maximum(np.arange(sums.shape[1]) - width, 0)
    here = np.arange(sums.shape[1])
    known = count[:, here] - count[:, low]
    found = (total[:, here] - total[:, low]) / np.maximum(known, 1)
    return np.where(known >= _LEAST_SHARE * width * season, found, np.nan)
