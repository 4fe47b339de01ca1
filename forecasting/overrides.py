"""The planner's word: forecast overrides, the last layer on the mean, before the distribution is laid around it."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["with_overrides"]


def with_overrides(
    mean: NDArray[np.float32],
    keys: pl.DataFrame,
    labels: list[date],
    overrides: pl.DataFrame,
    *,
    period_days: int,
    step: float,
) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
    """Return the means after overrides, and for each cell which override was the last to change it.

    Args:
        mean: (n, h) means, in steps of demand; not changed.
        keys: (n,) sku, location_id.
        labels: (h,) period labels.
        overrides: rows of the table ``overrides`` of kind ``forecast``; values are in units per period.
        period_days: 1 or 7; a weekly period is overridden where any of its days lies in the range.
        step: step of demand [units].

    Returns:
        The means, (n, h) positions in the list of reasons (-1: none), and the reasons.
    """
    out = mean.astype(np.float64)
    which = np.full(mean.shape, -1, dtype=np.int64)
    reasons: list[str] = []
    sku, location = keys["sku"].to_numpy(), keys["location_id"].to_numpy()
    rows = overrides.filter(pl.col("kind") == "forecast").sort("from_date", "override_id")
    for row in rows.iter_rows(named=True):
        series = np.flatnonzero((sku == row["sku"]) & ((location == row["location_id"]) | (row["location_id"] is None)))
        inside = [
            h
            for h, day in enumerate(labels)
            if row["from_date"] <= day + timedelta(days=period_days - 1) and day <= row["to_date"]
        ]
        if not len(series) or not inside:
            continue
        at = np.ix_(series, np.array(inside))
        value = float(row["value"])
        now = out[at]
        changed = {"set": np.full_like(now, value / step), "multiply": now * value, "add": now + value / step}
        out[at] = np.maximum(changed[row["operation"]], 0)
        which[at] = len(reasons)
        reasons.append(f"override {row['operation']} {value:g}: {row['reason']}")
    return out.astype(np.float32), which, reasons
