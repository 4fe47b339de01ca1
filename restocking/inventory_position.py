"""What we own, less what we owe; and when open orders can be sold.

inventory position = on hand + on order - backorders - preorders open [units]. A proposal is no supply: only open
purchase orders are. An order that comes after the protection period is no supply for it either, but is still projected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.calendar import Calendar
from restocking.codes import Flag

__all__ = [
    "OpenOrders",
    "StockInputs",
    "expected_return_share",
    "inventory_positions",
    "median_lateness",
    "open_orders",
]

_KEYS = ["sku", "location_id"]
_PRIOR_UNITS = 10.0  # return shares are shrunk towards 0 as if so many more units had sold and stayed sold [units]
_LARGEST_RETURN_SHARE = 0.6  # a cancelled bulk order is no return habit (0-1)


@dataclass(frozen=True)
class StockInputs:
    """Staged tables that say what is there and what is coming; every one may be empty."""

    stock: pd.DataFrame
    purchase_orders: pd.DataFrame
    receipts: pd.DataFrame
    commitments: pd.DataFrame
    has_stock_table: bool

    def answers(self) -> pd.DataFrame:
        """Return what can answer a proposal: orders placed and goods received."""
        columns = [*_KEYS, "ordered_date"]
        received = self.receipts[columns].assign(proposal_id=None)
        return (
            pd.concat([self.purchase_orders[[*columns, "proposal_id"]], received], ignore_index=True)
            if len(received)
            else (self.purchase_orders[[*columns, "proposal_id"]])
        )


@dataclass(frozen=True)
class OpenOrders:
    """Open orders of the planned lines.

    ``orders``: one row per order and line: ``row`` (position of the line), ``po_id``, ``arrives_date``, ``period``
    (first one in which it can be sold, from 0), ``qty`` [units], ``is_overdue``, ``counts`` (comes within L + R)
    """

    orders: pd.DataFrame

    def arrivals(self, n_lines: int, *, horizon: int) -> npt.NDArray[np.float64]:
        """Return units by the first period in which they can be sold, shape (horizon, n_lines)."""
        shown = self.orders.loc[self.orders["period"] < horizon]
        units = np.zeros((horizon, n_lines))
        np.add.at(units, (shown["period"].to_numpy(np.int64), shown["row"].to_numpy(np.int64)), shown["qty"].to_numpy())
        return units

    def counted(self, n_lines: int) -> npt.NDArray[np.float64]:
        """Return units that arrive within the protection period, shape (n_lines,)."""
        return self._sum(self.orders.loc[self.orders["counts"]], n_lines)

    def total(self, n_lines: int) -> npt.NDArray[np.float64]:
        """Return all open units, shape (n_lines,)."""
        return self._sum(self.orders, n_lines)

    def rows_with(self, condition: pd.Series) -> npt.NDArray[np.int64]:
        """Return the lines with an order that meets ``condition``."""
        return np.unique(self.orders.loc[condition, "row"].to_numpy(np.int64))

    @staticmethod
    def _sum(orders: pd.DataFrame, n_lines: int) -> npt.NDArray[np.float64]:
        rows, units = orders["row"].to_numpy(np.int64), orders["qty"].to_numpy(np.float64)
        return np.bincount(rows, weights=units, minlength=n_lines).astype(np.float64)


def median_lateness(receipts: pd.DataFrame, supply: pd.DataFrame) -> pd.Series:
    """Return each supplier's median lateness against its stated lead time [days], indexed by ``supplier_id``.

    Args:
        receipts: ``sku``, ``supplier_id``, ``ordered_date``, ``received_date``.
        supply: ``sku``, ``lead_time_days``.
    """
    dated = receipts.dropna(subset=["ordered_date", "received_date"])
    known = dated.merge(supply[["sku", "lead_time_days"]], on="sku", how="inner")
    took = (known["received_date"] - known["ordered_date"]).dt.days - 1
    return (took - known["lead_time_days"]).groupby(known["supplier_id"], sort=True).median()


def open_orders(lines: pd.DataFrame, inputs: StockInputs, *, calendar: Calendar) -> OpenOrders:
    """Return the open orders of the planned lines, with the period from which each can be sold.

    An order due on or before D has not come: it counts from D + max(1, the supplier's median lateness). Of an order
    for a preorder campaign, only what the campaign's firm preorders do not take is supply. In weekly plans an order
    that arrives in mid-week is booked to the nearer start of a week.

    Args:
        lines: ``sku``, ``location_id``, ``protection_end_date``, in plan order.
        inputs: staged tables.
        calendar: of this run.
    """
    orders = _free_of_campaigns(inputs.purchase_orders.loc[inputs.purchase_orders["open_qty"] > 0], inputs.commitments)
    rows = lines[[*_KEYS, "protection_end_date"]].assign(row=np.arange(len(lines)))
    orders = orders.merge(rows, on=_KEYS, how="inner").sort_values(["row", "expected_receipt_date", "po_id"])
    today = pd.Timestamp(calendar.run_date)
    late = median_lateness(inputs.receipts, lines)
    lateness = np.maximum(1, np.ceil(orders["supplier_id"].map(late).fillna(1.0).to_numpy(np.float64)))
    is_overdue = orders["expected_receipt_date"] <= today
    arrives = orders["expected_receipt_date"].where(~is_overdue, today + pd.to_timedelta(lateness, unit="D"))
    counts = arrives <= orders["protection_end_date"]
    days = (arrives - today).dt.days.to_numpy(np.int64) - 1
    period = np.floor(days / calendar.period_days + 0.5).astype(np.int64)
    last = (orders["protection_end_date"] - today).dt.days.to_numpy(np.int64) // calendar.period_days - 1
    period = np.where(counts, np.minimum(period, last), period)
    columns = {"row": orders["row"], "po_id": orders["po_id"], "arrives_date": arrives, "period": period}
    return OpenOrders(
        pd.DataFrame({**columns, "qty": orders["open_qty"], "is_overdue": is_overdue, "counts": counts}).reset_index(
            drop=True
        )
    )


def _free_of_campaigns(orders: pd.DataFrame, commitments: pd.DataFrame) -> pd.DataFrame:
    """Return open orders less what is ring-fenced for preorders, earliest receipts first."""
    if not orders["campaign_id"].notna().any():
        return orders
    taken = commitments.groupby(["campaign_id", *_KEYS])["covered_qty"].sum().rename("taken").reset_index()
    orders = orders.sort_values(["expected_receipt_date", "po_id"]).merge(taken, on=["campaign_id", *_KEYS], how="left")
    taken_units = orders["taken"].fillna(0.0).to_numpy(np.float64)
    running = orders.groupby(["campaign_id", *_KEYS], dropna=False)["open_qty"].cumsum()
    before = (running - orders["open_qty"]).to_numpy(np.float64)
    ring_fenced = np.clip(taken_units - before, 0.0, orders["open_qty"].to_numpy(np.float64))
    free = orders.assign(
        open_qty=np.where(orders["campaign_id"].notna(), orders["open_qty"] - ring_fenced, orders["open_qty"])
    )
    return free.loc[free["open_qty"] > 0].drop(columns="taken")


def inventory_positions(
    lines: pd.DataFrame, inputs: StockInputs, orders: OpenOrders, *, run_date: date
) -> tuple[pd.DataFrame, dict[Flag, npt.NDArray[np.bool_]]]:
    """Return the position of every line, and the lines that each flag holds for.

    Args:
        lines: ``sku``, ``location_id``, ``protection_end_date``, in plan order.
        inputs: staged tables.
        orders: from :func:`open_orders`.
        run_date: D.

    Returns:
        Same order: ``sku``, ``location_id``, ``on_hand``, ``on_order`` (due within the protection period),
        ``backorders``, ``preorders_open``, ``inventory_position`` [units], ``as_of_date``, ``is_stale``.
    """
    n_lines = len(lines)
    merged = lines[_KEYS].merge(inputs.stock[[*_KEYS, "on_hand", "backorders", "as_of_date"]], on=_KEYS, how="left")
    listed = merged["on_hand"].notna().to_numpy()
    counted = merged["on_hand"].fillna(0.0).to_numpy(np.float64)
    on_hand = np.maximum(counted, 0.0)
    backorders = np.maximum(merged["backorders"].fillna(0.0).to_numpy(np.float64), 0.0) + (on_hand - counted)
    on_order = orders.counted(n_lines)
    preorders = _preorders_open(lines, inputs.commitments)
    is_stale = (merged["as_of_date"] < pd.Timestamp(run_date)).to_numpy()
    table = (
        lines[_KEYS]
        .reset_index(drop=True)
        .assign(
            on_hand=on_hand,
            on_order=on_order,
            backorders=backorders,
            preorders_open=preorders,
            inventory_position=on_hand + on_order - backorders - preorders,
            as_of_date=merged["as_of_date"].to_numpy(),
            is_stale=is_stale,
        )
    )
    everywhere = np.ones(n_lines, dtype=bool)
    flags = {
        Flag.NO_STOCK_TABLE: everywhere & (not inputs.has_stock_table),
        Flag.NO_STOCK_ROW: ~listed & inputs.has_stock_table,
        Flag.STALE_STOCK: is_stale,
        Flag.NEGATIVE_STOCK: counted < 0,
        Flag.PO_OVERDUE: _mask(orders.rows_with(orders.orders["is_overdue"]), n_lines),
        Flag.PO_AFTER_PROTECTION: _mask(orders.rows_with(~orders.orders["counts"]), n_lines),
    }
    return table, flags


def expected_return_share(lines: pd.DataFrame, returns: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the share of demand that buyers are expected to send back (0-1).

    Args:
        lines: ``sku``, ``location_id``, in plan order.
        returns: ``sku``, ``location_id``, ``return_receipts``, ``gross_units`` of the last weeks [units].
    """
    known = lines[_KEYS].merge(returns, on=_KEYS, how="left")
    back, sold = (np.nan_to_num(known[name].to_numpy(np.float64)) for name in ("return_receipts", "gross_units"))
    share: npt.NDArray[np.float64] = np.clip(back / (sold + _PRIOR_UNITS), 0.0, _LARGEST_RETURN_SHARE)
    return share


def _mask(rows: npt.NDArray[np.int64], n_lines: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros(n_lines, dtype=bool)
    mask[rows] = True
    return mask


def _preorders_open(lines: pd.DataFrame, commitments: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return firm preorders promised within the protection period that no batch or order covers [units]."""
    rows = lines[[*_KEYS, "protection_end_date"]].assign(row=np.arange(len(lines)))
    due = commitments.merge(rows, on=_KEYS, how="inner")
    due = due.loc[due["promise_date"].isna() | (due["promise_date"] <= due["protection_end_date"])]
    open_qty = (due["firm_qty"] - due["covered_qty"]).clip(lower=0).to_numpy(np.float64)
    return np.bincount(due["row"].to_numpy(np.int64), weights=open_qty, minlength=len(lines)).astype(np.float64)
