"""What stocked-out periods would have sold: demand recovered from what is known of stock.

Three kinds of evidence. Where only a flag says that stock ran out, sales are a lower bound: demand of a period is taken
as gamma distributed, and its mean and spread solve the estimating equations of censored data (expectation
maximisation; Dempster, Laird & Rubin 1977). Leaving such periods out instead keeps only the slow ones. Where the share
of the period in stock is known, sales stopped when stock did, which is no selection once the time is counted: the rest
of the period is expected at the rate that sales so far and the series' own level point to; where such periods are
hardly better than others, periods in stock are a fair sample, and the rest is filled up to what is usual and no more.
Where nothing could be bought at all, the level takes the period's place.

Levels look backwards: at the weeks before the one that is put right; a launch's first four weeks count as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from demand.absence import Siblings, siblings_of
from demand.config import CensoringConfig
from demand.panel import Floats, Ints, Mask, Panel

__all__ = ["recovered_demand", "sold_by_share"]

_PROFILE_BINS = 16
_CURVES = np.arange(1.0, 3.01, 0.1)  # exponents of the curve of sales over the share of the period
_SMALL_SALE = 0.02  # quantile of the shop's positive sales
_MOST_SELECTION = 0.35  # of a usual period's sales: more says that the flag itself picks the days, not the hour
_MIN_PROFILE_CELLS = 500  # cells that the curve is read from; fewer: sales are even over the period
_FIRST_STEPS, _NEXT_STEPS = 60, 6  # iterations of the first block, and of those that start from the last one's
_LOWEST_CV2, _HIGHEST_CV2 = 0.02, 6.0
_LEAST_SHARE = 0.25  # of a period's usual sales, made before stock ran out, from which it may teach
_SPREAD_PRIOR = 20.0  # [periods] weight of the shop's typical spread against the series' own
_SETTLED = 5  # periods from which a series' own spread counts
_LAUNCH_SEASONS = 4  # weeks of a launch that are seen as one block
_AWAY_SEASONS = 2  # weeks unseen after which a level is no longer read from the weeks before, which say less and less
_MOST = 8.0  # [ratio] recovered demand above so many times the level is noise, unless it was sold


@dataclass(frozen=True)
class _Grid:
    """Cells of the series that ever ran out, (n, t), NaN or False where not on sale."""

    units: Floats  # in units of a usual weekday
    share: Floats  # of a usual period's sales made by the time stock ran out; 1 in stock, NaN unknown
    flagged: Mask  # ran out, nobody knows when
    partial: Mask  # ran out after a known share
    usable: Mask  # says something of the level
    weekday: Floats  # (t,) usual demand of the weekday over the mean
    sale: float  # size of a small sale: what chance within a day comes in [units]
    is_fair: bool  # periods in stock are a fair sample of all: known shares show hardly any selection


def recovered_demand(
    units: Floats,
    in_stock: Floats,
    censored: Mask,
    ignored: Mask,
    panel: Panel,
    *,
    config: CensoringConfig,
    season: int,
    groups: Sequence[Ints] = (),
) -> tuple[Floats, Mask]:
    """Return demand of each cell had the item been in stock all the time [units], and where that may teach a model.

    Both of shape (panel.size,). Demand is never below what sold, and what sold wherever stock did not run out.
    Stocked-out periods teach where those in stock are no fair sample, and at least a quarter of the period was left.

    Args:
        units: demand as sold, shape (panel.size,) [units].
        in_stock: share of the period in stock (0-1), NaN unknown.
        censored: stock ran out.
        ignored: closed days and gaps, which say nothing.
        panel: the series.
        config: weeks of history a level is read from.
        season: periods in a week, 1 with weekly periods.
        groups: (n_series,) numbers of the groups whose members sell alike, the narrowest first; -1: in none. They
            carry the level of items that have long been out of stock.
    """
    hit = censored & ~ignored
    if not hit.any():
        return units.copy(), np.zeros(panel.size, dtype=bool)
    index = panel.index() - int(panel.first.min())
    series = panel.series().astype(np.int64)
    rows = np.unique(series[hit])
    kept = np.isin(series, rows)
    at = np.searchsorted(rows, series[kept]), index[kept]
    grid = _grid(units, in_stock, censored, ignored, index, kept, at, len(rows), season=season, config=config)
    window = config.level_weeks_weekly if season == 1 else config.level_weeks * season
    first = panel.first - int(panel.first.min())
    siblings = siblings_of(
        units / grid.weekday[index], ~censored & ~ignored, series, index, first, groups, season=season, window=window
    )
    found = _recovered(grid, rows, siblings, first=first[rows], season=season, window=window)
    if grid.is_fair:
        found = _as_usual(grid, found)
    out = units.copy()
    out[kept] = np.where(hit[kept], np.maximum(found[at], units[kept]), units[kept])
    teaches = np.zeros(panel.size, dtype=bool)
    teaches[kept] = (grid.flagged | (grid.partial & (not grid.is_fair) & (grid.share >= _LEAST_SHARE)))[at]
    return out, teaches


def _as_usual(grid: _Grid, found: Floats) -> Floats:
    """Return recovered demand cut so that partly stocked periods, by share, together come to what is usual at most.

    What a series usually sells is its mean in stock; where the periods sold more than that already, nothing is added.
    """
    sold = np.nan_to_num(grid.units * grid.weekday[None, :])
    plain = grid.usable & ~grid.flagged
    count = plain.sum(axis=1)
    usual = np.where(plain, sold, 0).sum(axis=1) / np.maximum(count, 1)
    judged = grid.partial & (count >= _SETTLED)[:, None]
    at = np.minimum((np.nan_to_num(grid.share) * _PROFILE_BINS).astype(np.int64), _PROFILE_BINS - 1)

    def sums(values: Floats) -> Floats:
        return np.bincount(at[judged], weights=values[judged], minlength=_PROFILE_BINS).astype(np.float64)

    added = sums(found - sold)
    wanted = sums(np.broadcast_to(usual[:, None], sold.shape)) - sums(sold)
    part = np.where(added > 0, np.clip(wanted / np.maximum(added, 1e-9), 0, 1), 1.0)
    return np.where(grid.partial, sold + part[at] * (found - sold), found)


def _grid(
    units: Floats,
    in_stock: Floats,
    censored: Mask,
    ignored: Mask,
    index: Ints,
    kept: Mask,
    at: tuple[Ints, Ints],
    n_rows: int,
    *,
    season: int,
    config: CensoringConfig,
) -> _Grid:
    plain = ~censored & ~ignored
    width = int(index.max()) + 1
    weekday = _weekdays(units, plain, index, width, season=season, weeks=config.level_weeks)
    shape = (n_rows, width)

    def dense(values: Floats, fill: float) -> Floats:
        out = np.full(shape, fill)
        out[at] = values[kept]
        return out

    level = dense(units / weekday[index], np.nan)
    open_cell = dense((~ignored).astype(float), 0.0) > 0
    ran_out = dense(censored.astype(float), 0.0) > 0
    in_time = dense(in_stock, np.nan)
    curve, extra = sold_by_share(level, in_time, ran_out & open_cell, (~ran_out) & open_cell)
    is_fair = extra <= _MOST_SELECTION
    curve = curve if is_fair else 1.0
    known = ran_out & np.isfinite(in_time)
    share = np.where(known, 1 - (1 - np.clip(np.nan_to_num(in_time), 0, 1)) ** curve, np.where(ran_out, np.nan, 1.0))
    flagged = ran_out & open_cell & ~known
    partial = known & open_cell & (share > 0)
    usable = open_cell & (~ran_out | flagged | (partial & (not is_fair)))
    positive = units[units > 0]
    sale = float(np.quantile(positive, _SMALL_SALE)) if len(positive) else 1.0
    return _Grid(level, share, flagged, partial, usable, weekday, sale, is_fair)


def sold_by_share(units: Floats, in_time: Floats, ran_out: Mask, plain: Mask) -> tuple[float, float]:
    """Return how sales run through a period, and how much better than usual the periods are in which stock runs out.

    The first is the exponent c of the curve 1 - (1 - s)^c: share of a period's sales made in its first share s of time.
    1 means even sales; above 1, most is sold early. The second, in usual periods' sales, is what sold on top of the
    curve: stock runs out in better periods. Fitted to sales of stocked-out periods over the series' mean in stock;
    1 and infinity where there are too few to tell.

    Args:
        units: (n, t) sales [units].
        in_time: (n, t) share of the period in stock, NaN unknown.
        ran_out: (n, t) stocked-out cells.
        plain: (n, t) cells in stock.
    """
    count = plain.sum(axis=1)
    mean = np.where(plain, np.nan_to_num(units), 0).sum(axis=1) / np.maximum(count, 1)
    cells = ran_out & np.isfinite(in_time) & (in_time > 0) & (in_time < 1) & ((count >= 5) & (mean > 0))[:, None]
    if cells.sum() < _MIN_PROFILE_CELLS:
        return 1.0, np.inf
    at = np.minimum((in_time[cells] * _PROFILE_BINS).astype(np.int64), _PROFILE_BINS - 1)
    usual = np.broadcast_to(mean[:, None], units.shape)[cells]
    sold = np.bincount(at, weights=units[cells], minlength=_PROFILE_BINS)
    wanted = np.bincount(at, weights=usual, minlength=_PROFILE_BINS)
    middle = np.bincount(at, weights=in_time[cells] * usual, minlength=_PROFILE_BINS) / np.maximum(wanted, 1e-9)
    ratio = sold / np.maximum(wanted, 1e-9)
    curves = 1 - (1 - middle[None, :]) ** _CURVES[:, None]
    extra = ((ratio[None, :] - curves) * wanted).sum(axis=1) / wanted.sum()
    misfit = (wanted * (ratio[None, :] - curves - np.maximum(extra, 0)[:, None]) ** 2).sum(axis=1)
    best = int(np.argmin(misfit))
    return float(_CURVES[best]), float(extra[best])


def _weekdays(units: Floats, plain: Mask, index: Ints, width: int, *, season: int, weeks: int) -> Floats:
    """Return (t,) the shop's usual demand of the weekday over its mean, from the weeks before; 1 with weekly data."""
    if season == 1:
        return np.ones(width)
    total = np.bincount(index[plain], weights=units[plain], minlength=width)
    count = np.bincount(index[plain], minlength=width).astype(float)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    out = np.ones(width)
    for t in range(2 * season, width):
        past = mean[max(t - weeks * season, 0) : t]
        same = past[len(past) % season :: season]
        if np.isfinite(same).sum() >= 2 and np.nanmean(past) > 0:
            out[t] = float(np.clip(np.nanmean(same) / np.nanmean(past), 0.3, 3.0))
    return out


def _recovered(grid: _Grid, series: Ints, siblings: Siblings, *, first: Ints, season: int, window: int) -> Floats:
    """Return (n, t) demand of the censored cells, block by block, from the levels before each block.

    An item that was not seen for weeks keeps the level of the last weeks in which it was, carried on by its siblings.
    """
    n, width = grid.units.shape
    launch, seen = _LAUNCH_SEASONS * season, _last_seen(grid)
    mean, spread = np.full(n, np.nan), np.full(n, 1.0)
    left = np.full(n, -1)
    out = np.full((n, width), np.nan)
    for start in range(0, width, season):
        stop = min(start + season, width)
        young = (first <= start) & (start < first + launch)
        away = ~young & (seen[:, start] >= 0) & (start - seen[:, start] > _AWAY_SEASONS * season)
        gone, left = away & (left < 0), np.where(away, left, -1)
        left[gone] = seen[gone, start] // season + 1
        limit = np.where(young, np.minimum(first + launch, width), np.where(gone, seen[:, start], start))
        rows = np.flatnonzero((first < stop) & (~away | (gone & (limit > first))))
        if len(rows):
            low = np.maximum(first, np.where(young, start, limit) - window)[rows]
            columns = np.arange(low.min(), limit[rows].max())
            inside = (columns[None, :] >= low[:, None]) & (columns[None, :] < limit[rows][:, None])
            mean[rows], spread[rows] = _level(grid, rows, columns, inside, mean[rows], spread[rows])
        once = np.flatnonzero(gone & (limit <= first))  # seen in one period alone, by the sale that emptied it
        mean[once] = np.maximum(np.nan_to_num(grid.units[once, first[once]]) - grid.sale, 0)
        moved = np.ones(n)
        for row in np.flatnonzero(away):
            moved[row] = siblings.since(int(series[row]), int(left[row]), start // season)
        block = np.ix_(np.arange(n), np.arange(start, stop))
        out[block] = _expected(grid, block, mean * moved, spread) * grid.weekday[None, start:stop]
    return out


def _last_seen(grid: _Grid) -> Ints:
    """Return (n, t) the last period before each that sold, or in which the item was in stock; -1 without one."""
    told = grid.usable & (~grid.flagged | (np.nan_to_num(grid.units) > 0))
    last = np.maximum.accumulate(np.where(told, np.arange(told.shape[1])[None, :], -1), axis=1)
    return np.concatenate([np.full((len(told), 1), -1), last[:, :-1]], axis=1)


def _level(grid: _Grid, rows: Ints, columns: Ints, inside: Mask, mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return mean and squared coefficient of variation of each series over the cells ``inside``."""
    used = grid.usable[np.ix_(rows, columns)] & inside
    count = np.maximum(used.sum(axis=1), 1)
    known = used.any(axis=1)
    seen = np.where(used, np.nan_to_num(grid.units[np.ix_(rows, columns)]), 0)
    start = seen.sum(axis=1) / count
    fresh = ~np.isfinite(mean)
    censored = ((grid.flagged | grid.partial)[np.ix_(rows, columns)] & used).any(axis=1)
    mean = np.where(known & (fresh | ~censored), start, mean)
    raw = np.where(used, (seen - start[:, None]) ** 2, 0).sum(axis=1) / count / np.maximum(mean, 1e-9) ** 2
    settled = known & (count >= _SETTLED) & (mean > 0)
    hit = np.flatnonzero(censored)
    part = np.ix_(rows[hit], columns)
    for _ in range(_FIRST_STEPS if fresh[hit].mean() > 0.1 else _NEXT_STEPS) if len(hit) else ():
        value, square = _moments(grid, part, mean[hit], spread[hit], seen[hit])
        mean[hit] = np.where(used[hit], value, 0).sum(axis=1) / count[hit]
        raw[hit] = np.where(used[hit], square, 0).sum(axis=1) / count[hit] / np.maximum(mean[hit], 1e-9) ** 2 - 1
        pooled = float(np.median(raw[settled])) if settled.any() else 1.0
        own = np.where(settled, raw, pooled)
        spread = (count * own + _SPREAD_PRIOR * pooled) / (count + _SPREAD_PRIOR)
        spread = np.clip(np.nan_to_num(spread, nan=1.0), _LOWEST_CV2, _HIGHEST_CV2)
    return mean, spread


def _moments(grid: _Grid, part: tuple[Ints, ...], mean: Floats, spread: Floats, seen: Floats) -> tuple[Floats, Floats]:
    """Return expected demand and its expected square of each cell, given what sold."""
    value, square = seen.copy(), seen**2
    flagged, partial = grid.flagged[part], grid.partial[part]
    level = np.maximum(np.broadcast_to(mean[:, None], seen.shape), 1e-9)
    shape = 1 / np.clip(np.broadcast_to(spread[:, None], seen.shape), _LOWEST_CV2, _HIGHEST_CV2)
    if flagged.any():
        value[flagged], square[flagged] = _beyond(seen[flagged], level[flagged], shape[flagged])
    if partial.any():
        expected = _rest(seen[partial], grid.share[part][partial], level[partial], shape[partial], grid.sale)
        value[partial], square[partial] = expected, expected**2
    return value, square


def _beyond(sold: Floats, mean: Floats, shape: Floats) -> tuple[Floats, Floats]:
    """Return E[D | D > sold] and E[D^2 | D > sold] of gamma demand.

    With x = sold / scale and Q the regularised upper incomplete gamma function:
    mean Q(k + 1, x) / Q(k, x) and mean scale (k + 1) Q(k + 2, x) / Q(k, x).
    """
    scale = mean / shape
    x = np.minimum(sold / scale, 600.0)
    tail = special.gammaincc(shape, x)
    thin = tail < 1e-10
    safe = np.where(thin, 1.0, tail)
    value = np.where(thin, sold + scale, mean * special.gammaincc(shape + 1, x) / safe)
    square = np.where(thin, value**2, mean * scale * (shape + 1) * special.gammaincc(shape + 2, x) / safe)
    return np.maximum(value, sold), np.maximum(square, sold**2)


def _rest(sold: Floats, share: Floats, mean: Floats, shape: Floats, sale: float) -> Floats:
    """Return what sold plus what the rest of the period would have sold, at the expected rate.

    Sales come in a Poisson process of sales of size ``sale`` whose rate differs from period to period by a gamma
    distribution of shape a, 1 / a = 1 / shape - sale / mean. Its posterior mean after ``share`` of the period is
    (a + sold / sale) / (a / mean + share / sale); that the process stopped with the stock does not change it.
    """
    between = 1 / np.clip(1 / shape - sale / mean, _LOWEST_CV2, _HIGHEST_CV2)
    rate = (between + sold / sale) / (between / mean + share / sale)
    return np.asarray(sold + (1 - share) * rate)


def _expected(grid: _Grid, block: tuple[Ints, ...], mean: Floats, spread: Floats) -> Floats:
    sold = np.nan_to_num(grid.units[block])
    value, _ = _moments(grid, block, np.nan_to_num(mean), spread, sold)
    level = np.nan_to_num(mean)[:, None]
    known = grid.flagged[block] | grid.partial[block]
    return np.maximum(np.where(known, np.minimum(value, _MOST * level), level), sold)
