"""What becomes of each deposit: held, deducted from the price, given back, or kept by the shop."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pandas as pd

from preorder.ledger import LedgerReason, LedgerState

__all__ = ["DepositAction", "settle_deposits"]


class DepositAction(StrEnum):
    """What to do with a deposit tonight."""

    HELD = "deposit_held"
    OFFSET = "offset"  # shipped: deducted from the price
    REFUND = "refund"
    FORFEIT = "forfeit"


def settle_deposits(ledger: pd.DataFrame, preorders: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Return the settlement of each preorder with a deposit paid or due; what was paid is split to the cent.

    A cancellation while the campaign lets buyers go, a refused claim and a cancelled campaign give everything back; a
    cancellation against the rules or too late is kept. A claim cut by a cap gives back what its firm units do not need.

    Args:
        ledger: from :func:`preorder.ledger.preorder_ledger`.
        preorders: ``preorder_id``, ``deposit_paid`` [currency].
        campaigns: ``campaign_id``, ``sku``, ``deposit`` [currency/unit].

    Returns:
        ``preorder_id``, ``campaign_id``, ``sku``, ``deposit_due``, ``deposit_paid``, ``refund_amount``,
        ``held_amount``, ``offset_amount``, ``forfeit_amount`` [currency], ``action``, ``reason``.
    """
    rows = ledger.merge(campaigns[["campaign_id", "sku", "deposit"]], on=["campaign_id", "sku"], how="left")
    paid_by = preorders.set_index("preorder_id")["deposit_paid"].astype(float)
    each = rows["deposit"].astype(float).fillna(0.0)
    paid = rows["preorder_id"].map(paid_by).fillna(0.0).round(2)
    due = (each * rows["firm_qty"].astype(float)).round(2)
    is_kept = rows["reason"].isin([LedgerReason.CANCELLED_AGAINST_RULES, LedgerReason.CANCELLED_TOO_LATE])
    is_live = ~rows["state"].isin([LedgerState.CANCELLED, LedgerState.REFUSED])
    is_shipped = rows["state"].eq(LedgerState.SHIPPED)
    # a shop without a deposit a unit has none to give back: what was paid belongs to the price
    needed = np.where(is_live, np.where(each > 0, np.minimum(paid, due), paid), 0.0)
    forfeit = np.where(is_kept, paid, 0.0)
    refund = paid - needed - forfeit
    action = np.select(
        [is_kept, is_live & is_shipped, is_live],
        [DepositAction.FORFEIT.value, DepositAction.OFFSET.value, DepositAction.HELD.value],
        default=DepositAction.REFUND.value,
    )
    settled = pd.DataFrame(
        {
            "preorder_id": rows["preorder_id"],
            "campaign_id": rows["campaign_id"],
            "sku": rows["sku"],
            "deposit_due": due,
            "deposit_paid": paid,
            "refund_amount": refund.round(2),
            "held_amount": np.where(is_shipped, 0.0, needed),
            "offset_amount": np.where(is_shipped, needed, 0.0),
            "forfeit_amount": forfeit,
            "action": action,
            "reason": rows["reason"].astype(str),
        }
    )
    return settled[(paid > 0) | (due > 0)].reset_index(drop=True)
