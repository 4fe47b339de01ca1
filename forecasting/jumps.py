"""What a sudden jump comes to: an item that is famous for a day or three seldom stays so, an item that is back does.

Where the last days of a series lie far above its level before, models read their forecast from those days, and how long
such days last differs from shop to shop. So it is learnt from the jumps before: the mean of the next four weeks is
regressed, in logarithms, on the level before, how far the last days lie above it, how far its best earlier weeks did
(an item that returns to what it once sold stays there), how much of it fell on one day, and whether it fades. A shop
without such cases is told what those of others came to (``_BELIEF``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasting.launch_levels import correction
from forecasting.panel import Panel

__all__ = ["Settled", "settled", "tempered"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RECENT_DAYS, _WITHIN_DAYS = 7, 28  # the last days in stock that say what is sold now, and how old they may be
_BEFORE_DAYS, _FEWEST_BEFORE = 56, 14  # days before them that say what was usual; fewer in stock: the whole past
_JUMP = 5.0  # [ratio] of recent days to usual ones from which a level is in doubt
_JUMP_UNITS = 7.0  # [units] that recent days must lie above usual ones: slow sellers jump by chance
_BEST_DAYS = 28  # window of the best earlier weeks
_AHEAD_DAYS, _FEWEST_AHEAD = 28, 10  # days that a jump is judged by, and how many of them must be in stock
_PAST_DAYS = 728  # history in which jumps are looked for
_STEP_DAYS = 4  # between two looks
_MOST_SERIES = 4_000  # that are looked at, drawn evenly
_LEAST = 0.5 / 28  # [units/day] added before logarithms
_LARGEST_LOG = 12.0
_BASE, _ABOVE = 1, 2  # columns of a case: the level before, and the last days over it
_BELIEF = np.array([0.0, 1.0, 0.4, 0.2, 0.0, 0.0])
_RIDGE = np.array([3.0, 30.0, 10.0, 10.0, 10.0, 10.0])  # [cases]
_ERRORS = (0.1, 4.0)  # squared relative error of a level after a jump: bounds
_DEFAULT_ERROR = 1.0
_FEWEST_CASES = 20
_FADES = 0.5  # [ratio] to the last days below which a level counts: a jump that lasts is left to the models (M5)


@dataclass(frozen=True)
class Settled:
    """What series that have jumped come to.

    Attributes:
        level: (n,) mean demand of the next four weeks [units/period]; NaN of those that have not jumped, or will stay.
        error: squared relative error of such a level.
    """

    level: Floats
    error: float

    def rows(self, index: Ints) -> Settled:
        """Return those of the series at the positions ``index``."""
        return Settled(self.level[index], self.error)

    @property
    def errors(self) -> Floats:
        """(n,) squared relative errors; 0 where there is no level."""
        return np.where(np.isnan(self.level), 0.0, self.error)


@dataclass(frozen=True)
class _Cases:
    """Series that have jumped.

    Attributes:
        rows: (m,) their positions.
        columns: (m, 6) one, and in logarithms: the level before, the last days over it, the best earlier weeks over
            it; the share of the best of the last days; the last two days over all of them, in logarithms.
    """

    rows: Ints
    columns: Floats


def settled(panel: Panel) -> Settled:
    """Return the levels at which series settle that jumped in the last days and will not stay there; daily only."""
    out = np.full(panel.n_series, np.nan)
    if panel.period_days > 1:
        return Settled(out, 0.0)
    now = _cases(panel, np.arange(panel.n_series), panel.n_periods)
    if not len(now.rows):
        return Settled(out, 0.0)
    effects, factor, error = _learnt(panel)
    level = factor * _foreseen(now.columns, effects)
    recent = np.exp(now.columns[:, _BASE] + now.columns[:, _ABOVE])
    out[now.rows] = np.where(level < _FADES * recent, level, np.nan)
    return Settled(out, error)


def tempered(
    mean: NDArray[np.floating], settled: Settled, lift: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return (n, h) means of which those that jumped come to no more than what jumps come to, and (n,) which were cut.

    Args:
        mean: (n, h) forecasts of models.
        settled: of the same series, without what events do.
        lift: (n, h) what events do ahead.
    """
    soon = slice(0, _AHEAD_DAYS)
    made, level = mean[:, soon].mean(axis=1), settled.level * lift[:, soon].mean(axis=1)
    cut = np.nan_to_num(made) > np.nan_to_num(level, nan=np.inf)
    factor = np.where(cut, level / np.where(cut, made, 1.0), 1.0)
    return np.asarray(mean * factor[:, None], dtype=np.float64), np.asarray(cut, dtype=np.bool_)


def _cases(panel: Panel, among: Ints, until: int) -> _Cases:
    """Return the series of ``among`` that had jumped after ``until`` periods, and what was seen of them by then."""
    start = max(until - _WITHIN_DAYS, 0)
    teaches = panel.teaches[among, start:until]
    back = teaches[:, ::-1].cumsum(axis=1, dtype=np.int32)[:, ::-1]
    recent = teaches & (back <= _RECENT_DAYS)
    demand = np.where(recent, panel.demand[among, start:until], 0).astype(np.float64)
    sold, days = demand.sum(axis=1), recent.sum(axis=1)
    kept = np.flatnonzero(sold >= _JUMP_UNITS)
    if not len(kept):
        return _Cases(among[:0], np.zeros((0, len(_BELIEF))))
    rows, demand, recent, sold, days = among[kept], demand[kept], recent[kept], sold[kept], days[kept]
    first = start + recent.argmax(axis=1)
    usual, best = _before(panel, rows, first)
    mean = sold / days
    jumped = np.isfinite(usual) & (mean > _JUMP * usual) & (sold - days * usual >= _JUMP_UNITS)
    rows, demand, recent = rows[jumped], demand[jumped], recent[jumped]
    mean, usual, best, sold = mean[jumped], usual[jumped], best[jumped], sold[jumped]
    last = np.where(recent & (back[kept][jumped] <= 2), demand, 0).sum(axis=1) / np.minimum(days[jumped], 2)
    base = np.log(usual + _LEAST)
    columns = [
        np.ones(len(rows)), base, np.log(mean + _LEAST) - base, np.log(np.maximum(best, usual) + _LEAST) - base,
        demand.max(axis=1) / sold, np.log((last + 0.1 * mean) / mean),
    ]  # fmt: skip
    return _Cases(rows, np.stack(columns, axis=1))


def _before(panel: Panel, rows: Ints, first: Ints) -> tuple[Floats, Floats]:
    """Return (m,) mean demand before the periods ``first``, NaN unknown, and the best earlier four weeks' mean."""
    usual, best = np.full(len(rows), np.nan), np.zeros(len(rows))
    for part in np.array_split(np.arange(len(rows)), max(len(rows) // 4000, 1)):
        column = np.arange(first[part].max(initial=0))[None, :]
        teaches = panel.teaches[rows[part], : column.shape[1]] & (column < first[part, None])
        sold = np.where(teaches, panel.demand[rows[part], : column.shape[1]], 0)
        total = np.pad(sold.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        count = np.pad(teaches.cumsum(axis=1, dtype=np.int32), ((0, 0), (1, 0)))
        low = np.maximum(first[part] - _BEFORE_DAYS, 0)
        at = np.arange(len(part))
        near = count[:, -1] - count[at, low]
        low = np.where(near >= _FEWEST_BEFORE, low, 0)
        days = count[:, -1] - count[at, low]
        usual[part] = np.where(days >= _FEWEST_BEFORE, (total[:, -1] - total[at, low]) / np.maximum(days, 1), np.nan)
        if column.shape[1] > _BEST_DAYS:
            seen = count[:, _BEST_DAYS:] - count[:, :-_BEST_DAYS]
            means = (total[:, _BEST_DAYS:] - total[:, :-_BEST_DAYS]) / np.maximum(seen, 1)
            best[part] = np.where(seen >= _FEWEST_BEFORE, means, 0).max(axis=1)
    return usual, best


def _learnt(panel: Panel) -> tuple[Floats, float, float]:
    """Return coefficients, the factor on the median of logs and the squared relative error of past jumps."""
    among = np.arange(0, panel.n_series, max(-(-panel.n_series // _MOST_SERIES), 1))
    last = panel.n_periods - _AHEAD_DAYS
    columns, came = [], []
    for until in range(last, max(last - _PAST_DAYS, _WITHIN_DAYS + _FEWEST_BEFORE), -_STEP_DAYS):
        found = _cases(panel, among, until)
        ahead = slice(until, until + _AHEAD_DAYS)
        teaches = panel.teaches[found.rows, ahead]
        days = teaches.sum(axis=1)
        sold = np.where(teaches, panel.demand[found.rows, ahead], 0).sum(axis=1, dtype=np.float64)
        judged = days >= _FEWEST_AHEAD
        columns.append(found.columns[judged])
        came.append((sold / np.maximum(days, 1))[judged])
    if not columns:
        return _BELIEF, 1.0, _DEFAULT_ERROR
    seen, actual = np.concatenate(columns), np.concatenate(came)
    effects = np.linalg.solve(seen.T @ seen + np.diag(_RIDGE), seen.T @ np.log(actual + _LEAST) + _RIDGE * _BELIEF)
    if len(actual) < _FEWEST_CASES or not actual.sum() > 0:
        return effects, 1.0, _DEFAULT_ERROR
    made = _foreseen(seen, effects)
    factor = correction(actual, made)
    weight = np.minimum(made, np.quantile(made, 0.9)) + _LEAST
    relative = ((actual - factor * made) / (factor * made + _LEAST)) ** 2
    error = (np.minimum(relative, np.quantile(relative, 0.98)) * weight).sum() / weight.sum()
    return effects, factor, float(np.clip(error, *_ERRORS))


def _foreseen(columns: Floats, effects: Floats) -> Floats:
    return np.asarray(np.round(np.maximum(np.exp(np.minimum(columns @ effects, _LARGEST_LOG)) - _LEAST, 0), 9))
