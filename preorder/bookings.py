"""Bookings of all campaigns on one clock, so that any moment of the past can be looked at as it was known then.

An item is one SKU of one campaign. Its clock is the share of its window that is left: 1 at the opening, 0 at the
close. A *snapshot* at an instant counts what was placed by then, less what was cancelled by then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["COHORT_EDGES", "Bookings", "Snapshot", "bookings_of", "snapshot"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COHORT_EDGES: tuple[float, ...] = (0.1, 0.25, 0.5)  # [share of the window] age of a booking: four cohorts
_N_COHORTS = len(COHORT_EDGES) + 1
_SECONDS = 86_400.0
_KINDS = ("sku", "ip", "product_type")


@dataclass(frozen=True)
class Bookings:
    """Items in the order of their close, and their bookings. Instants are days since 1970 [days]."""

    keys: tuple[tuple[str, str], ...]  # campaign and SKU of each item
    opens: Floats  # (n_items,)
    closes: Floats
    is_closed: npt.NDArray[np.bool_]  # the final volume is known
    kinds: Ints  # (n_items, 3) codes of SKU, IP and product type; -1: unknown
    item: Ints  # (n_bookings,)
    placed: Floats
    cancelled: Floats  # infinity: never
    quantity: Floats  # [units]
    known_until: float  # [days] nothing later is looked at

    @property
    def window(self) -> Floats:
        """Length of each item's window [days]."""
        return np.maximum(self.closes - self.opens, 1 / _SECONDS)


@dataclass(frozen=True)
class Snapshot:
    """What was known of each item at its instant; shapes (n_items,) and, by cohort, (n_items, 4) [units]."""

    firm: Floats
    spread: Floats  # sum over days of the root of the day's firm units: one large group counts for less
    cohorts: Floats  # firm units by age of the booking, youngest first
    kept: Floats  # of them still firm at the close, by cohort; only of closed items does it say anything
    later: Floats  # firm at the close and placed after the instant


def bookings_of(
    items: pd.DataFrame, preorders: pd.DataFrame, *, known_until: pd.Timestamp, is_closed: npt.NDArray[np.bool_]
) -> Bookings:
    """Return the bookings of these items, as known at ``known_until``.

    Args:
        items: ``campaign_id``, ``sku``, ``opens_at``, ``closes_at``; ``ip`` and ``product_type`` where they are known.
        preorders: ``campaign_id``, ``sku``, ``placed_at``, ``cancelled_at``, ``quantity`` [units within the caps].
        known_until: the instant at which the run date closes.
        is_closed: (n_items,) whether the item's campaign has closed by then.
    """
    known = items.reset_index(drop=True).assign(is_closed=np.asarray(is_closed, dtype=bool))
    known = known.sort_values(["closes_at", "campaign_id", "sku"], kind="stable", ignore_index=True)
    number = known[["campaign_id", "sku"]].astype(str).assign(item=np.arange(len(known)))
    rows = preorders.assign(campaign_id=preorders["campaign_id"].astype(str), sku=preorders["sku"].astype(str))
    rows = rows.merge(number, on=["campaign_id", "sku"], how="inner")
    rows = rows[(rows["placed_at"] <= known_until) & (rows["quantity"] > 0)]
    gone = _days(rows["cancelled_at"])
    return Bookings(
        keys=tuple(zip(number["campaign_id"], number["sku"], strict=True)),
        opens=_days(known["opens_at"]),
        closes=_days(known["closes_at"]),
        is_closed=known["is_closed"].to_numpy(dtype=bool),
        kinds=np.column_stack([_codes(known, name) for name in _KINDS]).astype(np.int64),
        item=rows["item"].to_numpy(dtype=np.int64),
        placed=_days(rows["placed_at"]),
        cancelled=np.where(np.isnan(gone) | (gone > _day(known_until)), np.inf, gone),
        quantity=rows["quantity"].to_numpy(dtype=float),
        known_until=_day(known_until),
    )


def _codes(items: pd.DataFrame, name: str) -> Ints:
    if name not in items.columns:
        return np.full(len(items), -1, dtype=np.int64)
    words = items[name].where(items[name].notna() & items[name].ne(""))
    return np.asarray(pd.factorize(words, sort=True)[0], dtype=np.int64)


def _day(instant: pd.Timestamp) -> float:
    return float(instant.timestamp()) / _SECONDS


def _days(instants: pd.Series) -> Floats:
    since = pd.to_datetime(instants, utc=True) - pd.Timestamp(0, tz="UTC")
    return np.asarray(since.dt.total_seconds() / _SECONDS, dtype=float)


def snapshot(bookings: Bookings, instants: Floats) -> Snapshot:
    """Return what was known of each item at its instant of ``instants``, shape (n_items,) [days].

    A booking placed or cancelled at the very instant is known.
    """
    n = len(bookings.keys)
    at = instants[bookings.item]
    is_placed = bookings.placed <= at
    firm = np.flatnonzero(is_placed & ~(bookings.cancelled <= at))
    at_close = ~(bookings.cancelled <= bookings.closes[bookings.item])
    item, units = bookings.item[firm], bookings.quantity[firm]
    age = (at[firm] - bookings.placed[firm]) / bookings.window[item]
    cell = item * _N_COHORTS + np.searchsorted(COHORT_EDGES, age)
    kept = at_close[firm]
    late = np.flatnonzero(~is_placed & at_close & (bookings.placed <= bookings.closes[bookings.item]))

    def by_cohort(which: npt.NDArray[np.bool_] | slice) -> Floats:
        totals = np.bincount(cell[which], weights=units[which], minlength=n * _N_COHORTS)
        return np.asarray(totals.reshape(n, _N_COHORTS), dtype=float)

    cohorts = by_cohort(slice(None))
    return Snapshot(
        firm=cohorts.sum(axis=1),
        spread=_spread(item, np.floor(bookings.placed[firm]), units, n),
        cohorts=cohorts,
        kept=by_cohort(kept),
        later=np.bincount(bookings.item[late], weights=bookings.quantity[late], minlength=n).astype(float),
    )


def _spread(item: Ints, day: Floats, units: Floats, n: int) -> Floats:
    if not len(item):
        return np.zeros(n)
    first = float(day.min())
    cell = item * (int(day.max() - first) + 1) + (day - first).astype(np.int64)
    cells, where = np.unique(cell, return_inverse=True)
    of_item = cells // (int(day.max() - first) + 1)
    return np.bincount(of_item, weights=np.sqrt(np.bincount(where, weights=units)), minlength=n).astype(float)
