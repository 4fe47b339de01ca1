"""The time of year in a weekly shop: what a week of the year sells beside the usual, pooled over items.

One item's two years say little about its season; all items of a category together say much. A week's ratio is the sum
of its demand over the sum of each item's mean of the year around it, large items held back to the root of their size so
that no single one makes the season. Years are averaged, neighbouring weeks smoothed, categories pulled to the whole
shop, and all of it to 1 as far as one year did not foretell the next. Below two years there is no season.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecasting.panel import Panel

__all__ = ["year_lift"]

Floats = NDArray[np.float64]

_YEAR = 52
_HALF = _YEAR // 2
_FEWEST_WEEKS = 2 * _YEAR
_SMOOTHING = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9
_PRIOR_SERIES = 60.0  # a category with so many series counts half for itself
_ONE_YEAR_BELIEF = 0.5  # of a season that was seen once
_LEAST, _MOST = 0.4, 2.5  # [ratio]


def year_lift(panel: Panel, *, horizon: int) -> NDArray[np.float32]:
    """Return (n, n_periods + horizon) demand over that of the year around; 1 for daily or less than two years.

    Args:
        panel: history; nothing after it is read.
        horizon: periods to forecast.
    """
    width = panel.n_periods + horizon
    out = np.ones((panel.n_series, width), dtype=np.float32)
    if panel.season > 1 or panel.n_periods < _FEWEST_WEEKS or not panel.n_series:
        return out
    seen = np.where(panel.teaches, panel.demand, np.nan).astype(np.float64)
    level = _year_around(seen)
    usable = ~np.isnan(seen) & (level > 0)
    weight = np.where(usable, 1 / np.sqrt(np.where(usable, level, 1.0)), 0.0)
    came, usual = np.where(usable, np.nan_to_num(seen), 0.0) * weight, np.where(usable, level, 0.0) * weight
    whole = _log_ratio(came.sum(axis=0), usual.sum(axis=0))
    belief = _belief(whole)
    if belief == 0:
        return out
    season = belief * _by_week(whole)
    week = np.arange(width) % _YEAR
    group, count = _categories(panel)
    for number in range(count):
        rows = np.flatnonzero(group == number)
        own = _log_ratio(came[rows].sum(axis=0), usual[rows].sum(axis=0))
        trust = len(rows) / (len(rows) + _PRIOR_SERIES) if _belief(own) > 0 and count > 1 else 0.0
        curve = (1 - trust) * season + trust * _belief(own) * _by_week(own)
        out[rows] = np.clip(np.exp(curve), _LEAST, _MOST)[week][None, :]
    return out


def _categories(panel: Panel) -> tuple[NDArray[np.int64], int]:
    if "category" not in panel.keys.columns:
        return np.zeros(panel.n_series, dtype=np.int64), 1
    codes = panel.keys["category"].fill_null("").rank("dense").to_numpy().astype(np.int64) - 1
    return codes, int(codes.max()) + 1


def _year_around(seen: Floats) -> Floats:
    """Return (n, t) means of the 52 weeks around each week; NaN within half a year of either end of a series."""
    known = ~np.isnan(seen)
    total = np.concatenate([np.zeros((len(seen), 1)), np.nan_to_num(seen).cumsum(axis=1)], axis=1)
    count = np.concatenate([np.zeros((len(seen), 1)), known.cumsum(axis=1)], axis=1)
    out = np.full(seen.shape, np.nan)
    inner = slice(_HALF, seen.shape[1] - _HALF)
    sums, counts = total[:, _YEAR:] - total[:, :-_YEAR], count[:, _YEAR:] - count[:, :-_YEAR]
    mean = np.where(counts >= 0.8 * _YEAR, sums / np.maximum(counts, 1), np.nan)
    out[:, inner] = mean[:, : out[:, inner].shape[1]]
    return out


def _log_ratio(came: Floats, usual: Floats) -> Floats:
    """Return (t,) smoothed log ratios; NaN where nothing is known."""
    known = usual > 0
    ratio = np.where(known, np.log(np.maximum(came, 1e-9) / np.where(known, usual, 1.0)), 0.0)
    ratio = np.clip(ratio, np.log(_LEAST), np.log(_MOST))
    total = np.convolve(ratio * known, _SMOOTHING, mode="same")
    weight = np.convolve(known.astype(np.float64), _SMOOTHING, mode="same")
    return np.where(known, total / np.maximum(weight, 1e-9), np.nan)


def _by_week(ratio: Floats) -> Floats:
    """Return (52,) means over the years, their own mean taken out; weeks never seen are 0."""
    week = np.arange(len(ratio)) % _YEAR
    known = ~np.isnan(ratio)
    total = np.bincount(week, weights=np.nan_to_num(ratio), minlength=_YEAR)
    count = np.bincount(week, weights=known.astype(np.float64), minlength=_YEAR)
    mean = np.divide(total, count, out=np.zeros(_YEAR), where=count > 0)
    return np.asarray(np.where(count > 0, mean - mean[count > 0].mean() if (count > 0).any() else 0.0, 0.0))


def _belief(ratio: Floats) -> float:
    """Return how far one year's ratios foretold the next's (0-1): the slope of one on the other."""
    now, before = ratio[_YEAR:], ratio[:-_YEAR]
    both = ~np.isnan(now) & ~np.isnan(before)
    if both.sum() < _HALF:
        return _ONE_YEAR_BELIEF if (~np.isnan(ratio)).sum() >= _HALF else 0.0
    x, y = before[both] - before[both].mean(), now[both] - now[both].mean()
    return float(np.clip((x * y).sum() / max((x * x).sum(), 1e-9), 0.0, 1.0))
