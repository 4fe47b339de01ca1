"""What the first days of a launch say about the weeks after them, learnt from the launches before.

A launch that bursts falls back further than one that began quietly, and what is left of it shows in its last days
rather than in all of them. One curve of demand by age cannot say that. So the level of the next four weeks is
regressed, in logarithms, on the level of comparable items, the item's own last days and all its days, in four classes
of how many days were seen. Its mean with the curve comes in where that foresaw launches whose styles were left out
better than the curve alone. The regression is never taken alone: launches that sold out and stayed away could not teach
it, and they are the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasting.launch_levels import correction, folds, loss
from forecasting.panel import Panel

__all__ = ["next_weeks"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_AHEAD_SEASONS = 4  # weeks whose level is foreseen
_LEAST_JUDGED = 0.35  # of these weeks' periods that must teach
_YOUNG_SEASONS, _YOUNG_WEEKS = 4, 8  # weeks seen after which the blend takes over, daily and weekly
_AGES, _AGES_WEEKLY = (2, 4, 7, 10, 14, 18, 22, 27), (1, 2, 3, 4, 5, 6, 7)  # [periods] at which launches are looked at
_CLASSES, _CLASSES_WEEKLY = (3, 8, 15), (2, 3, 5)  # [periods] seen: edges
_HALF_LIFE, _HALF_LIFE_WEEKLY = 4.0, 2.0  # [periods] in which a day's say about the present level falls by half
_FEWEST_LAUNCHES = 40  # launches below which a regression fits noise
_FEWEST_CASES = 60  # of a class; fewer: all classes together
_OWN_PRIOR = 1.0  # [periods] of comparable items' level mixed into an item's own, so that its logarithm is tame
_BELIEF = np.array([0.0, 1.0, 0.5, 0.5, 0.0])  # what a regression without evidence says: the item's own level
_RIDGE = np.array([1e-3, 1.0, 3.0, 3.0, 3.0])  # [cases]
_SHARES = (0.0, 0.5)  # weight of the regression against the curve, the plainer first
_FOLDS = 5
_LEAST = 0.5 / 28  # [units/period] added before logarithms
_LARGEST_LOG = 12.0


@dataclass(frozen=True)
class _Cases:
    """Launches as they stood some periods after their first."""

    columns: Floats  # (m, 5)
    seen: Ints  # (m,) periods that teach
    plain: Floats  # (m,) mean of the weeks ahead by the curve [units/period]

    def rows(self, kept: NDArray[np.bool_]) -> _Cases:
        return _Cases(self.columns[kept], self.seen[kept], self.plain[kept])


def next_weeks(
    panel: Panel, launched: NDArray[np.bool_], compared: Floats, usual: Floats, curve: Floats, *, pooling: float
) -> tuple[Floats, float]:
    """Return (n,) mean demand of the next four weeks of young items [units/period], NaN elsewhere, and its weight.

    Args:
        panel: history.
        launched: (n,) series whose launch was seen.
        compared: (n,) present level of comparable items [units/period].
        usual: (n,) the same, stated at a launch, where the curve is 1.
        curve: demand by age in periods.
        pooling: weight of the comparison in the forecast along the curve [periods].
    """
    out = np.full(panel.n_series, np.nan)
    daily = panel.season > 1
    ahead, first = _AHEAD_SEASONS * panel.season, panel.first
    rows = np.flatnonzero(launched & np.isfinite(compared) & np.isfinite(usual))
    ages = _AGES if daily else _AGES_WEEKLY
    grown = [(rows[first[rows] + age + ahead <= panel.n_periods], age) for age in ages]
    found = [(at, age) for at, age in grown if len(at)]
    if not found or len(found[0][0]) < _FEWEST_LAUNCHES:
        return out, 0.0
    past = [_cases(panel, at, first[at] + age, compared, usual, curve, pooling=pooling) for at, age in found]
    came = [_came(panel, at, first[at] + age, ahead) for at, age in found]
    cases = _Cases(*(np.concatenate([getattr(p, name) for p in past]) for name in ("columns", "seen", "plain")))
    actual, fold = np.concatenate(came), folds(panel.keys)[np.concatenate([at for at, _ in found])]
    share, factor, effects = _learnt(cases, actual, fold, daily=daily)
    if share == 0:
        return out, 0.0
    longest = (_YOUNG_SEASONS if daily else _YOUNG_WEEKS) * panel.season
    young = np.flatnonzero(
        np.isfinite(compared) & np.isfinite(usual) & (first < panel.n_periods) & (first > panel.n_periods - longest)
    )
    now = _cases(panel, young, np.full(len(young), panel.n_periods), compared, usual, curve, pooling=pooling)
    out[young] = factor * _foreseen(now, effects, daily=daily)
    return out, share


def _cases(
    panel: Panel, rows: Ints, until: Ints, compared: Floats, usual: Floats, curve: Floats, *, pooling: float
) -> _Cases:
    """Return the series ``rows`` as they stood after ``until`` periods."""
    daily, last = panel.season > 1, len(curve) - 1
    width = (_YOUNG_SEASONS if daily else _YOUNG_WEEKS) * panel.season
    column = until[:, None] - np.arange(width, 0, -1)[None, :]
    age = column - panel.first[rows][:, None]
    at = rows[:, None], np.maximum(column, 0)
    teaches = panel.teaches[at] & (age >= 0) & (column >= 0)
    sold = np.where(teaches, np.nan_to_num(panel.demand[at]), 0).astype(np.float64)
    recent = teaches * 0.5 ** (np.arange(width - 1, -1, -1) / (_HALF_LIFE if daily else _HALF_LIFE_WEEKLY))
    group = compared[rows]
    own = ((recent * sold).sum(axis=1) + _OWN_PRIOR * group) / (recent.sum(axis=1) + _OWN_PRIOR)
    whole = (sold.sum(axis=1) + _OWN_PRIOR * group) / (teaches.sum(axis=1) + _OWN_PRIOR)
    seen = teaches.sum(axis=1)
    base = np.log(group + _LEAST)
    columns = [np.ones(len(rows)), base, np.log(own + _LEAST) - base, np.log(whole + _LEAST) - base, np.log1p(seen)]
    along = np.where(teaches, curve[np.clip(age, 0, last)], 0).sum(axis=1)
    level = (sold.sum(axis=1) + pooling * usual[rows]) / (along + pooling)
    steps = np.arange(_AHEAD_SEASONS * panel.season)[None, :]
    following = curve[np.clip((until - panel.first[rows])[:, None] + steps, 0, last)].mean(axis=1)
    return _Cases(np.stack(columns, axis=1), seen, level * following)


def _came(panel: Panel, rows: Ints, start: Ints, ahead: int) -> Floats:
    """Return the mean demand of the ``ahead`` periods from ``start`` on; NaN where too few of them teach."""
    at = rows[:, None], start[:, None] + np.arange(ahead)[None, :]
    teaches = panel.teaches[at]
    count = teaches.sum(axis=1)
    mean = np.where(teaches, np.nan_to_num(panel.demand[at]), 0).sum(axis=1, dtype=np.float64) / np.maximum(count, 1)
    return np.where(count >= _LEAST_JUDGED * ahead, mean, np.nan)


def _learnt(cases: _Cases, actual: Floats, fold: Ints, *, daily: bool) -> tuple[float, float, dict[int, Floats]]:
    """Return the regression's weight, the factor on it and its coefficients by class."""
    known = np.isfinite(actual)
    cases, actual, fold = cases.rows(known), actual[known], fold[known]
    if len(actual) < _FEWEST_CASES or not actual.sum() > 0:
        return 0.0, 1.0, {}
    target = np.log(actual + _LEAST)
    held_out = np.zeros(len(actual))
    for number in range(_FOLDS):
        left = fold == number
        effects = _fit(cases, target, ~left, daily=daily)
        held_out[left] = _foreseen(
            _Cases(cases.columns[left], cases.seen[left], cases.plain[left]), effects, daily=daily
        )
    factor = correction(actual, held_out)
    scores = {s: loss(actual, (1 - s) * cases.plain + s * factor * held_out) for s in _SHARES}
    share = min(_SHARES, key=lambda s: round(scores[s], 9))
    return share, factor, _fit(cases, target, np.ones(len(actual), dtype=np.bool_), daily=daily)


def _classes(seen: Ints, *, daily: bool) -> Ints:
    return np.asarray(np.digitize(seen, _CLASSES if daily else _CLASSES_WEEKLY), dtype=np.int64)


def _fit(cases: _Cases, target: Floats, rows: NDArray[np.bool_], *, daily: bool) -> dict[int, Floats]:
    """Return coefficients by class, pulled to ``_BELIEF``."""
    out: dict[int, Floats] = {}
    number = _classes(cases.seen, daily=daily)
    for one in range(len(_CLASSES) + 1):
        mine = rows & (number == one)
        mine = mine if mine.sum() >= _FEWEST_CASES else rows
        columns = cases.columns[mine]
        out[one] = np.linalg.solve(columns.T @ columns + np.diag(_RIDGE), columns.T @ target[mine] + _RIDGE * _BELIEF)
    return out


def _foreseen(cases: _Cases, effects: dict[int, Floats], *, daily: bool) -> Floats:
    number = _classes(cases.seen, daily=daily)
    logs = np.array([cases.columns[i] @ effects[one] for i, one in enumerate(number.tolist())])
    return np.asarray(np.round(np.maximum(np.exp(np.minimum(logs, _LARGEST_LOG)) - _LEAST, 0), 9))
