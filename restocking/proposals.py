"""Proposals over time.

A proposal is not supply, and it is not a second need: while the same need stays open it is the same proposal, with its
identity and its first date, until a purchase order answers it or the need is gone.
"""

from __future__ import annotations

import hashlib
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from restocking.codes import Cause, Change

__all__ = ["open_proposals", "plan_changes", "proposal_id"]

Mask = npt.NDArray[np.bool_]
_KEYS = ["sku", "location_id"]
_ID_LENGTH = 12
_CAUSES: dict[str, Cause] = {
    "why_need": Cause.DEMAND,
    "why_position": Cause.POSITION,
    "why_lost_sales": Cause.LOST_SALES,
    "why_buffer": Cause.BUFFER,
    "why_surplus": Cause.CONSTRAINT,
    "why_moq": Cause.CONSTRAINT,
    "why_pack": Cause.CONSTRAINT,
    "why_cap": Cause.CONSTRAINT,
    "why_max_order": Cause.CONSTRAINT,
    "why_capacity": Cause.CONSTRAINT,
    "why_budget": Cause.CONSTRAINT,
    "why_transfer": Cause.CONSTRAINT,
    "why_off_date": Cause.OFF_ORDER_DATE,
    "why_override": Cause.OVERRIDE,
}


_SPAN = ("lead_time_days", "review_period_days")
_FOLLOW_THE_DATE = ("why_moq", "why_pack", "why_cap", "why_max_order", "why_capacity", "why_budget")


def proposal_id(sku: str, location_id: str, supplier_id: str, first_proposed_date: date) -> str:
    """Return the identity of a proposal: the same inputs give the same id in any home folder.

    >>> proposal_id("A", "main", "S1", date(2026, 6, 28))
    'P-ff226aaae00b'
    """
    text = "\x1f".join((sku, location_id, supplier_id, first_proposed_date.isoformat()))
    return "P-" + hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


def open_proposals(
    lines: pd.DataFrame,
    *,
    is_needed: Mask,
    is_new_allowed: Mask,
    previous: pd.DataFrame | None,
    answers: pd.DataFrame,
    run_date: date,
) -> pd.DataFrame:
    """Return ``proposal_id`` and ``first_proposed_date`` of every line; null where nothing is proposed.

    Args:
        lines: ``sku``, ``location_id``, ``supplier_id``, in plan order.
        is_needed: lines with an open need, ordered today or not.
        is_new_allowed: lines that may start a proposal today (off order dates, only expedited ones).
        previous: ``sku``, ``location_id``, ``supplier_id``, ``proposal_id``, ``first_proposed_date`` of the last run's
            plan, or None.
        answers: purchase orders and receipts: ``sku``, ``location_id``, ``ordered_date``, ``proposal_id``. One that
        names
            the proposal answers it; so does one that names none and was placed on or after its first date.
        run_date: D.
    """
    today = pd.Timestamp(run_date)
    known = _carried(lines, previous, answers)
    carried = is_needed & known["proposal_id"].notna().to_numpy()
    new = is_needed & ~carried & is_new_allowed
    ids = np.full(len(lines), None, dtype=object)
    ids[carried] = known["proposal_id"].to_numpy(dtype=object)[carried]
    for row in np.flatnonzero(new):
        sku, location, supplier = (str(lines[name].iloc[int(row)]) for name in (*_KEYS, "supplier_id"))
        ids[row] = proposal_id(sku, location, supplier, run_date)
    dates = known["first_proposed_date"].where(pd.Series(carried, index=known.index))
    dates = dates.mask(pd.Series(new, index=known.index), today)
    return pd.DataFrame(
        {"proposal_id": ids, "first_proposed_date": dates.to_numpy("datetime64[ns]")}, index=lines.index
    )


def _carried(lines: pd.DataFrame, previous: pd.DataFrame | None, answers: pd.DataFrame) -> pd.DataFrame:
    """Return for every line the last run's proposal, where nothing answered it since."""
    columns = ["proposal_id", "first_proposed_date"]
    if previous is None:
        nothing = pd.DataFrame({"proposal_id": None, "first_proposed_date": pd.NaT}, index=range(len(lines)))
        return nothing.astype({"proposal_id": object, "first_proposed_date": "datetime64[ns]"})
    before = previous.loc[previous["proposal_id"].notna(), [*_KEYS, "supplier_id", *columns]]
    before = before.assign(first_proposed_date=pd.to_datetime(before["first_proposed_date"]))
    known = lines[[*_KEYS, "supplier_id"]].merge(before, on=[*_KEYS, "supplier_id"], how="left")
    placed = answers.loc[answers["proposal_id"].isna(), [*_KEYS, "ordered_date"]].groupby(_KEYS)["ordered_date"].max()
    last = known[_KEYS].merge(placed.rename("placed").reset_index(), on=_KEYS, how="left")["placed"]
    is_answered = known["proposal_id"].isin(answers["proposal_id"].dropna())
    is_answered |= pd.to_datetime(last) >= known["first_proposed_date"]
    return known[columns].mask(is_answered)


def plan_changes(plan: pd.DataFrame, previous: pd.DataFrame | None) -> pd.DataFrame:
    """Return the lines whose order changed since the last run's plan, with what changed it most; empty without one.

    Args:
        plan: this run's ``restock_plan``.
        previous: the last run's: ``sku``, ``location_id``, ``order_qty``, L, R and the why columns.

    Returns:
        ``sku``, ``location_id``, ``change``, ``qty_before``, ``qty_now`` [units], ``cause``.
    """
    names = [*_KEYS, "change", "qty_before", "qty_now", "cause"]
    if previous is None:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in names}).astype(
            {"qty_before": "int64", "qty_now": "int64"}
        )
    columns = [*_KEYS, "order_qty", *_SPAN, *_CAUSES]
    both = plan[columns].merge(previous[columns], on=_KEYS, how="outer", suffixes=("", "_before"), indicator=True)
    both = both.sort_values(_KEYS, ignore_index=True)
    now, before = (both[name].fillna(0).astype("int64") for name in ("order_qty", "order_qty_before"))
    change = np.select(
        [(before == 0) & (now > 0), (before > 0) & (now == 0), now > before],
        [Change.NEW, Change.GONE, Change.UP],
        Change.DOWN,
    )
    changed = both.assign(change=change, qty_before=before, qty_now=now, cause=_causes(both))
    return changed.loc[now != before, names].reset_index(drop=True)


def _longer_cover(both: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return how much more is needed because L + R is longer than the night before, at that night's demand [units]."""
    now, before = (sum(both[f"{name}{side}"].astype("float64") for name in _SPAN) for side in ("", "_before"))
    more: pd.Series = both["why_need_before"].astype("float64") * (now / before - 1)
    return more.round().fillna(0.0).to_numpy(np.float64)


def _causes(both: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Return the why column that moved each line most in the direction of the change, as a cause.

    What an order date brings with it is its doing: a longer time to cover, the end of waiting, and the minimum orders,
    packs and caps that come and go with an order.
    """
    moves = np.column_stack(
        [(both[name].fillna(0) - both[f"{name}_before"].fillna(0)).to_numpy(np.float64) for name in _CAUSES]
    )
    need, off_date = (list(_CAUSES).index(name) for name in ("why_need", "why_off_date"))
    longer = _longer_cover(both)
    moves[:, need] -= longer
    moves[:, off_date] += longer
    date_moved = moves[:, off_date] != 0
    follows = np.array([name in _FOLLOW_THE_DATE for name in _CAUSES])
    moves[np.ix_(date_moved, follows)] = 0.0
    direction = np.sign((both["order_qty"].fillna(0) - both["order_qty_before"].fillna(0)).to_numpy(np.float64))
    largest = (moves * direction[:, None]).argmax(axis=1)
    causes: npt.NDArray[np.object_] = np.array(list(_CAUSES.values()), dtype=object)[largest]
    causes[(causes == Cause.OFF_ORDER_DATE) & (direction > 0)] = Cause.ORDER_DATE
    side = both["_merge"].astype(str).to_numpy()
    causes[side == "left_only"] = Cause.JOINED_ASSORTMENT
    causes[side == "right_only"] = Cause.LEFT_ASSORTMENT
    return causes
