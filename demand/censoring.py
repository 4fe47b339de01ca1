"""Which periods were stocked out, and for how much of the period the item could be bought.

Three kinds of evidence, the strongest first: the share of the period that the source itself states; stock at the
close of each day, observed or rebuilt from the next snapshot by adding what sold and taking off what arrived; and,
where nothing is known of stock, a run of zeros so long that the rates before and after it rule it out.
"""

from __future__ import annotations

import numpy as np

from demand.config import CensoringConfig
from demand.panel import Floats, Ints, Mask, Panel

__all__ = ["closing_stock", "improbable_zero_runs", "in_stock_share", "selling_profile"]


def closing_stock(snapshots: Floats, outflow: Floats, inflow: Floats, panel: Panel, *, rebuild: bool) -> Floats:
    """Return stock at the close of each day, NaN where unknown, shape (panel.size,) [units].

    Between snapshots: ``close[t] = close[t + 1] + outflow[t + 1] - inflow[t + 1]``, from the next snapshot backwards.
    Stock is never negative; a rebuilt path that would be contradicts its inputs and counts as unknown from there back
    to the snapshot before.

    Args:
        snapshots: stock at the close where a snapshot tells it, else NaN [units].
        outflow: units that left in the day (sales that were shipped) [units].
        inflow: units that arrived in the day (receipts, returns) [units].
        panel: daily series.
        rebuild: False where receipts are not known: then only snapshots count.
    """
    if not rebuild or not np.isfinite(snapshots).any():
        return snapshots.copy()
    n = panel.size
    series_end = np.repeat(panel.offsets[1:], panel.lengths)
    anchored = np.isfinite(snapshots)
    position = np.where(anchored, np.arange(n), n)
    following = np.minimum.accumulate(position[::-1])[::-1]  # the next snapshot at or after each cell
    known = following < series_end
    flow = np.concatenate([[0.0], np.cumsum(outflow - inflow)])
    at = np.where(known, following, 0)
    path = np.where(known, snapshots[at] + flow[at + 1] - flow[np.arange(n) + 1], np.nan)
    return _without_contradictions(path, anchored, following, known)


def _without_contradictions(path: Floats, anchored: Mask, following: Ints, known: Mask) -> Floats:
    """Return the path with NaN from each negative value back to the snapshot before it."""
    negative = known & ~anchored & (path < -0.5)  # half a unit: sums of floats, and fractional units
    if not negative.any():
        return np.where(known, np.maximum(path, 0.0), np.nan)
    last_bad = np.full(len(path) + 1, -1, dtype=np.int64)
    bad = np.flatnonzero(negative)
    np.maximum.at(last_bad, following[bad], bad)
    contradicted = known & ~anchored & (np.arange(len(path)) <= last_bad[following])
    return np.where(known & ~contradicted, np.maximum(path, 0.0), np.nan)


def selling_profile(minute_counts: Floats) -> Floats:
    """Return the share of a usual day's orders placed before each hour's end, shape (24,), from counts by hour.

    >>> selling_profile(np.array([0.0] * 10 + [1.0, 3.0] + [0.0] * 12))[10:12].tolist()
    [0.25, 1.0]
    """
    total = minute_counts.sum()
    if total <= 0:
        return (np.arange(24) + 1) / 24.0
    return np.asarray(np.cumsum(minute_counts) / total)


def in_stock_share(
    close: Floats,
    sold: Floats,
    last_hour: Floats,
    profile: Floats,
    panel: Panel,
    *,
    config: CensoringConfig,
) -> Floats:
    """Return the share of each day in which the item could be bought, NaN where unknown, shape (panel.size,).

    Stock left at the close: 1. None left, and something sold: the share of a usual day's orders up to the last hour
    that sold. None left, nothing sold, nothing there or arrived before: 0.

    Args:
        close: stock at the close, NaN where unknown [units].
        sold: units sold in the day [units].
        last_hour: hour of the day's last sale, 0-23; anything where nothing sold.
        profile: as :func:`selling_profile` gives it, shape (24,).
        panel: daily series.
        config: the tolerance below which stock counts as none.
    """
    known = np.isfinite(close)
    empty = known & (close <= config.stock_tolerance)
    hour = np.clip(np.nan_to_num(last_hour), 0, 23).astype(np.int64)
    until_last = profile[hour]
    opening = np.concatenate([[np.nan], close[:-1]])
    if len(panel.first):
        opening[panel.offsets[:-1]] = np.nan
    # opened with stock, sold nothing and closed empty: it was moved or written off some time in the day
    moved = empty & (sold <= 0) & (opening > config.stock_tolerance)
    share = np.where(known, 1.0, np.nan)
    share = np.where(empty & (sold > 0), until_last, share)
    share = np.where(empty & (sold <= 0), 0.0, share)
    return np.where(moved, 0.5, share)


def improbable_zero_runs(units: Floats, ignored: Mask, panel: Panel, *, config: CensoringConfig) -> Mask:
    """Return the cells of runs of zeros that the rates before and after rule out, shape (panel.size,).

    With p0 the share of periods without a sale in the ``zero_run_window`` periods before the run and after it (the
    larger of the two), k zeros in a row have the chance p0 ** k. Runs at the start or the end of a series are left
    alone: an item that sells no more may just be dead. It takes half a window of periods on either side.

    Args:
        units: units sold, shape (panel.size,) [units].
        ignored: closed days and gaps: neither sold nor missed, they lengthen no run and break none.
        panel: the series.
        config: window, chance, shortest run.
    """
    out = np.zeros(panel.size, dtype=bool)
    kept = np.flatnonzero(~ignored)
    if not len(kept):
        return out
    series = panel.series()[kept]
    zero = units[kept] <= 0
    starts, stops = _zero_runs(zero, series)
    edges = np.flatnonzero(np.concatenate([[True], np.diff(series) != 0, [True]]))
    run_series = np.searchsorted(edges, starts, side="right") - 1
    low, high = edges[run_series], edges[run_series + 1]
    inside = (starts > low) & (stops < high) & (stops - starts >= config.zero_run_min_periods)
    starts, stops, low, high = starts[inside], stops[inside], low[inside], high[inside]
    zeros = np.concatenate([[0], np.cumsum(zero)])
    before = np.maximum(starts - config.zero_run_window, low)
    after = np.minimum(stops + config.zero_run_window, high)
    enough = np.minimum(starts - before, after - stops) >= config.zero_run_window // 2
    # one zero of doubt: a series that sold every day so far may still have a day without
    p_before = (zeros[starts] - zeros[before] + 1) / (starts - before + 1)
    p_after = (zeros[after] - zeros[stops] + 1) / (after - stops + 1)
    chance = np.maximum(p_before, p_after) ** (stops - starts)
    hit = enough & (chance < config.zero_run_chance)
    out[kept[_spread(starts[hit], stops[hit])]] = True
    return out


def _zero_runs(zero: Mask, series: np.ndarray) -> tuple[Ints, Ints]:
    """Return starts and stops (exclusive) of the runs of true values that stay within one series."""
    new_series = np.concatenate([[True], np.diff(series) != 0])
    begins = zero & (new_series | ~np.concatenate([[False], zero[:-1]]))
    ends = zero & (np.concatenate([new_series[1:], [True]]) | ~np.concatenate([zero[1:], [False]]))
    return np.flatnonzero(begins), np.flatnonzero(ends) + 1


def _spread(starts: Ints, stops: Ints) -> Ints:
    """Return all positions in the half-open spans.

    >>> _spread(np.array([1, 7]), np.array([3, 8])).tolist()
    [1, 2, 7]
    """
    lengths = stops - starts
    if not len(lengths):
        return np.zeros(0, dtype=np.int64)
    shift = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return np.asarray(shift + np.arange(int(lengths.sum())), dtype=np.int64)
