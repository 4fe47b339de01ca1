"""How much more sells on each day of the month: paydays, benefit days, month ends, by location and category.

The day of the month as a plain number asks a tree for many splits in each location and category; the ratio that the
same day showed in earlier months says it at once. As of a period, a day's ratio is the mean of that day's in the months
before, each the total over what is usual on that weekday in the four weeks before and after, pulled to 1 the more so
the fewer months there are and the less is sold.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.panel import Panel

__all__ = ["month_day_ratios", "month_days", "month_lift"]

_AROUND = (-28, -21, -14, -7, 7, 14, 21, 28)  # [days] the same weekday, before and after
_FEWEST_AROUND = 3  # of those must be known
_BACK = 56  # [days] what is used was known 28 days before, for every day of a horizon of four weeks alike
_LOWEST, _HIGHEST = 0.5, 2.0  # [ratio] beyond it a day was closed, or something else was on
_PRIOR_MONTHS = 3.0  # [months] of a ratio of 1
_PRIOR_UNITS = 50.0  # [units] sold on a usual day at which chance asks for another month of it


def month_days(panel: Panel, labels: Sequence[date], *, origin: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return (groups, periods) ratios as :func:`month_day_ratios` gives them, and the (n,) group of each series."""
    names = [c for c in ("location_id", "category") if c in panel.keys.columns]
    rows = panel.keys.select(pl.struct(names).rank("dense")).to_series().to_numpy().astype(np.int64) - 1
    return month_day_ratios(panel.demand, rows, labels, origin=origin), rows


def month_lift(panel: Panel, *, horizon: int) -> NDArray[np.float32]:
    """Return (n, n_periods + horizon) demand over what is usual by day of the month; 1 for weekly periods."""
    width = panel.n_periods + horizon
    if panel.period_days > 1 or not panel.n_series:
        return np.ones((panel.n_series, width), dtype=np.float32)
    ratios, rows = month_days(panel, panel.labels(width), origin=panel.n_periods)
    return ratios[rows]


def month_day_ratios(
    demand: NDArray[np.float32], rows: NDArray[np.int64], labels: Sequence[date], *, origin: int
) -> NDArray[np.float32]:
    """Return (groups, periods) what a group's demand usually is on that day of the month, over the usual; 1: as usual.

    Args:
        demand: (n, >= origin) daily demand; nothing from ``origin`` on is read.
        rows: (n,) group of each series.
        labels: days of all periods, before and after the origin.
        origin: periods known.
    """
    total = _totals(demand[:, :origin], rows)
    ratio = _ratios(total)
    level = np.cumsum(total, axis=1) / np.maximum(np.cumsum(total > 0, axis=1), 1)
    above, count = np.zeros((len(total), 32)), np.zeros((len(total), 32))
    prior = np.full(len(total), _PRIOR_MONTHS)
    out = np.ones((len(total), len(labels)), dtype=np.float32)
    for period, label in enumerate(labels):
        seen = period - _BACK
        if 0 <= seen <= origin - _BACK // 2:
            known = ~np.isnan(ratio[:, seen])
            prior = _PRIOR_MONTHS + _PRIOR_UNITS / np.maximum(level[:, seen], 0.1)
            above[:, labels[seen].day] += np.where(known, ratio[:, seen] - 1, 0)
            count[:, labels[seen].day] += known
        out[:, period] = 1 + above[:, label.day] / (count[:, label.day] + prior)
    return out


def _totals(demand: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (groups, t) totals of each group."""
    order = np.argsort(rows, kind="stable")
    _, first = np.unique(rows[order], return_index=True)
    if not demand.size:
        return np.zeros((len(first), demand.shape[1]))
    return np.asarray(np.add.reduceat(np.nan_to_num(demand[order]), first, axis=0, dtype=np.float64))


def _ratios(total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return totals over the mean of the same weekday around them; NaN where nothing sold or too little is known."""
    t = total.shape[1]
    sold = np.where(total > 0, total, np.nan)
    sums, count = np.zeros(total.shape), np.zeros(total.shape)
    for shift in _AROUND:
        low, high = max(0, -shift), min(t, t - shift)
        if high <= low:
            continue
        there = sold[:, low + shift : high + shift]
        sums[:, low:high] += np.nan_to_num(there)
        count[:, low:high] += ~np.isnan(there)
    usual = np.where(count >= _FEWEST_AROUND, sums / np.maximum(count, 1), np.nan)
    return np.asarray(np.clip(sold / usual, _LOWEST, _HIGHEST))
