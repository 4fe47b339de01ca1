"""How late suppliers really are: the distribution of lateness, learnt from receipts.

A supplier's stated lead time and spread are a promise; its receipts are the record. One order is one observation, with
the lateness of its goods. Observations weigh against the stated spread as many orders as ``_STATED_ORDERS``, so that a
supplier with three receipts is not taken for one that is never late.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

__all__ = ["lateness_points", "supplier_lateness"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_STATED_ORDERS = 8.0  # orders that the stated spread counts for
_FEWEST_ORDERS = 5  # fewer say nothing
_MOST_ORDERS = 200  # of the newest
_STATED_POINTS = 25
_LEAD_CUT = 2.0  # spreads beyond which a stated lead time is cut, as the forecast cuts it
_LATEST_DAYS = 60.0  # later is a lost order, not a late one [days]


def supplier_lateness(receipts: pd.DataFrame, supply: pd.DataFrame) -> dict[str, Floats]:
    """Return for each supplier the lateness of its newest orders, days beyond the stated lead time.

    Args:
        receipts: ``po_id``, ``sku``, ``supplier_id``, ``ordered_date``, ``received_date``.
        supply: ``sku``, ``lead_time_days``.

    >>> receipts = pd.DataFrame({"po_id": list("112345"), "sku": "A", "supplier_id": "S",
    ...     "ordered_date": pd.Timestamp("2026-01-01"),
    ...     "received_date": pd.to_datetime([f"2026-01-{day}" for day in (13, 15, 12, 12, 13, 11)])})
    >>> found = supplier_lateness(receipts, pd.DataFrame({"sku": ["A"], "lead_time_days": [10.0]}))
    >>> found["S"].tolist()
    [2.0, 0.0, 0.0, 1.0, -1.0]
    """
    dated = receipts.dropna(subset=["ordered_date", "received_date", "supplier_id"])
    stated = supply[["sku", "lead_time_days"]].drop_duplicates("sku")
    known = dated.merge(stated, on="sku", how="inner")
    took = (pd.to_datetime(known["received_date"]) - pd.to_datetime(known["ordered_date"])).dt.days - 1
    known = known.assign(late=(took - known["lead_time_days"]).astype("float64"))
    orders = known.groupby(["supplier_id", "ordered_date", "po_id"], sort=True)["late"].mean()
    found = {}
    for supplier, late in orders.groupby(level="supplier_id", sort=True):
        if len(late) >= _FEWEST_ORDERS:
            found[str(supplier)] = np.clip(late.to_numpy(np.float64)[-_MOST_ORDERS:], -_LATEST_DAYS, _LATEST_DAYS)
    return found


def lateness_points(suppliers: pd.Series, spread_days: Floats, known: dict[str, Floats], *, n_points: int) -> Floats:
    """Return equally likely lateness of an order of each line, ascending, shape (n, n_points) [days].

    Args:
        suppliers: of the lines.
        spread_days: stated spread of the lead time of the lines [days].
        known: from :func:`supplier_lateness`.
        n_points: how many.

    Example: a supplier that came 4 days late 24 times, on time by its own word.
        >>> late = lateness_points(pd.Series(["S"]), np.zeros(1), {"S": np.full(24, 4.0)}, n_points=4)
        >>> late.tolist()
        [[0.0, 4.0, 4.0, 4.0]]
    """
    levels = (np.arange(n_points) + 0.5) / n_points
    points = np.empty((len(suppliers), n_points))
    cases = pd.DataFrame({"supplier": suppliers.astype(str).to_numpy(), "spread": spread_days})
    for _, rows in cases.groupby(["supplier", "spread"], sort=True):
        supplier, spread = str(rows["supplier"].iloc[0]), float(rows["spread"].iloc[0])
        points[rows.index.to_numpy(np.int64)] = _mixed(known.get(supplier, np.empty(0)), spread, levels)
    return points


def _mixed(seen: Floats, spread: float, levels: Floats) -> Floats:
    """Return quantiles of what was seen mixed with the stated normal spread."""
    if not len(seen):
        return spread * np.clip(ndtri(levels), -_LEAD_CUT, _LEAD_CUT)
    normal = spread * np.clip(ndtri((np.arange(_STATED_POINTS) + 0.5) / _STATED_POINTS), -_LEAD_CUT, _LEAD_CUT)
    values = np.concatenate([seen, normal])
    weights = np.concatenate([np.ones(len(seen)), np.full(_STATED_POINTS, _STATED_ORDERS / _STATED_POINTS)])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    mixed: Floats = values[order][np.minimum(np.searchsorted(reached, levels - 1e-9), len(values) - 1)]
    return mixed
