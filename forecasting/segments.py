"""Segments: series that are alike in how they sell share blend weights, dispersion and calibration."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.panel import Panel

__all__ = [
    "CLASSES",
    "MEAN_EDGES",
    "classes_of",
    "demand_classes",
    "mean_bin",
    "observed_periods",
    "own_classes",
    "unseen_error",
]

CLASSES = ("smooth", "erratic", "intermittent", "lumpy", "new", "dead")

_CV2_CUT, _INTERVAL_CUT = 0.49, 1.32  # Syntetos, Boylan & Croston (2005), on demand sizes and mean interval
_NEW_WEEKS = 4  # [weeks] a younger series is new, unless the assortment says otherwise
_DEAD_WEEKS = 26  # [weeks] without a sale: dead, likewise
_UNSEEN_WEEKS = 4  # weeks without a period that teaches, after which a level is its siblings' word
_UNSEEN_ERROR = 0.3  # squared relative error of such a level (planted absences of a month to a year, demo shops)
MEAN_EDGES = (0.25, 1.0, 5.0)  # [units/period] edges of the bins of the mean within which calibration is done


def observed_periods(panel: Panel) -> NDArray[np.int64]:
    """Return (n,) periods that teach."""
    return np.asarray(panel.teaches.sum(axis=1), dtype=np.int64)


def demand_classes(panel: Panel, *, new_periods: int, dead_periods: int) -> NDArray[np.str_]:
    """Return (n,) the class of each series by size variability and interval between sales, as of the panel's end.

    Args:
        panel: history.
        new_periods: fewer observed periods make a series ``new``.
        dead_periods: so many last periods without a sale make it ``dead``.
    """
    seen = np.where(panel.teaches, panel.demand, np.nan)
    positive = np.nan_to_num(seen) > 0
    count, sales = observed_periods(panel), positive.sum(axis=1)
    total = np.where(positive, seen, 0).sum(axis=1, dtype=np.float64)
    squares = np.where(positive, seen, 0).astype(np.float64)
    squares = (squares**2).sum(axis=1)
    size = total / np.maximum(sales, 1)
    cv2 = np.where(size > 0, np.maximum(squares / np.maximum(sales, 1) - size**2, 0) / np.maximum(size, 1e-9) ** 2, 0)
    interval = count / np.maximum(sales, 1)
    regular, even = interval <= _INTERVAL_CUT, cv2 <= _CV2_CUT
    out = np.select([regular & even, regular, even], ["smooth", "erratic", "intermittent"], "lumpy")
    recent = positive[:, -dead_periods:].any(axis=1)
    out = np.where((sales == 0) | ~recent, "dead", out)
    return np.where(count < new_periods, "new", out)


def own_classes(panel: Panel) -> NDArray[np.str_]:
    """Return (n,) the classes as of the panel's end, by what it shows: those of an earlier origin, too."""
    week = 7 if panel.period_days == 1 else 1
    return demand_classes(panel, new_periods=_NEW_WEEKS * week, dead_periods=_DEAD_WEEKS * week)


def classes_of(panel: Panel) -> NDArray[np.str_]:
    """Return (n,) the segments of tonight: the assortment's demand class, else our own."""
    return given_or_own(panel.keys, own_classes(panel))


def unseen_error(panel: Panel) -> NDArray[np.float64]:
    """Return (n,) squared relative error on top for series long out of stock: nobody saw what they would sell."""
    recent = panel.teaches[:, -_UNSEEN_WEEKS * panel.season :].any(axis=1)
    return np.where(panel.teaches.any(axis=1) & ~recent, _UNSEEN_ERROR, 0.0)


def given_or_own(keys: pl.DataFrame, own: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the classes of the assortment where it states one we know, else our own."""
    if "demand_class" not in keys.columns:
        return own
    given = np.array([v or "" for v in keys["demand_class"].to_list()])
    return np.where(np.isin(given, CLASSES), given, own)


def mean_bin(mean: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the bin of each mean: below 0.25, below 1, below 5, above [units/period]."""
    return np.asarray(np.digitize(mean, MEAN_EDGES), dtype=np.int64)
