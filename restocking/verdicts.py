"""Status, action and reason of every line: the first rule that applies, in the order written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from restocking.codes import Action, Confidence, Constraint, Flag, Reason, Status

__all__ = ["Evidence", "confidence", "flag_lists", "verdicts"]

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_CUTS = {
    Constraint.MAX_COVER: Reason.COVER_CAP,
    Constraint.MAX_ORDER_QTY: Reason.MAX_ORDER_QTY,
    Constraint.CAPACITY: Reason.CAPACITY,
    Constraint.BUDGET: Reason.BUDGET,
}
_LIFTS = {Constraint.MIN_ORDER_QTY: Reason.MIN_ORDER_QTY, Constraint.PACK_SIZE: Reason.PACK_SIZE}
_DOUBTS = (Flag.NO_STOCK_TABLE, Flag.STALE_STOCK, Flag.HORIZON, Flag.NO_FORECAST)
_LEVELS = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


@dataclass(frozen=True)
class Evidence:
    """What the verdict rests on, one entry per line."""

    order_qty: Ints
    base_qty: Ints
    binding: npt.NDArray[np.object_]
    held_by: dict[Reason, Mask]  # holds, decisions and rails
    is_overridden: Mask
    is_orderable: Mask
    has_no_margin: Mask
    waits: Mask
    is_order_date: Mask
    runs_out_first: Mask  # likely empty before an order of today can arrive
    has_open_order: Mask
    is_excess_on_order: Mask  # an open order is not needed
    is_transferred: Mask  # gives or receives by transfer
    is_giving: Mask  # gives by transfer
    is_trend_proposed: Mask  # a trend alert proposes more than the plan


def verdicts(evidence: Evidence) -> pd.DataFrame:
    """Return ``status``, ``action`` and ``reason`` (codes) of every line."""
    e = evidence
    n = len(e.order_qty)
    ordered = e.order_qty > 0
    held = np.logical_or.reduce(list(e.held_by.values())) if e.held_by else np.zeros(n, dtype=bool)
    is_cut = np.isin(e.binding.astype(str), [str(c) for c in _CUTS])
    lost_to_limit = (e.base_qty > 0) & ~ordered & is_cut
    status = np.select(
        [held, ~e.is_orderable & ~ordered, is_cut], [Status.HELD, Status.NOT_REPLENISHED, Status.CAPPED], Status.OK
    )
    pulled_forward = ordered & ~e.is_order_date & ~e.is_overridden
    late = e.runs_out_first & (ordered | e.has_open_order)
    surplus = e.is_excess_on_order & ~ordered
    rules: list[tuple[Mask, Action, npt.NDArray[np.object_] | Reason]] = [
        *((mask, _held_action(reason), reason) for reason, mask in e.held_by.items()),
        (e.is_overridden, Action.REVIEW, Reason.OVERRIDE),
        (~e.is_orderable & surplus, Action.POSTPONE_OR_CANCEL, Reason.EXCESS_ON_ORDER),
        (~e.is_orderable & e.has_no_margin, Action.NONE, Reason.NO_MARGIN),
        (~e.is_orderable, Action.NONE, Reason.ENDS_BEFORE_RECEIPT),
        (lost_to_limit, Action.REVIEW, _limit_reasons(e)),
        (pulled_forward, Action.EXPEDITE, Reason.WAITING_RAISES_RISK),
        (late & ~e.waits, Action.EXPEDITE, Reason.RUNS_OUT_BEFORE_RECEIPT),
        (ordered, Action.ORDER, _order_reasons(e)),
        (e.is_giving & ~e.waits, Action.TRANSFER, Reason.SURPLUS_HERE),
        (e.is_transferred & ~e.waits, Action.TRANSFER, Reason.SURPLUS_ELSEWHERE),
        (surplus, Action.POSTPONE_OR_CANCEL, Reason.EXCESS_ON_ORDER),
        (e.is_trend_proposed, Action.REVIEW, Reason.TREND_PROPOSAL),
        (e.waits & (e.base_qty > 0), Action.NONE, Reason.OFF_ORDER_DATE),
    ]
    conditions = [mask for mask, _, _ in rules]
    action = np.select(conditions, [np.full(n, a, dtype=object) for _, a, _ in rules], Action.NONE)
    reason = np.select(
        conditions,
        [r if isinstance(r, np.ndarray) else np.full(n, r, dtype=object) for _, _, r in rules],
        Reason.NOT_NEEDED,
    )
    return pd.DataFrame(
        {name: _texts(values) for name, values in (("status", status), ("action", action), ("reason", reason))}
    )


def _texts(values: npt.NDArray[np.object_]) -> list[str]:
    return [str(value) for value in values]


def _held_action(reason: Reason) -> Action:
    return Action.NONE if reason is Reason.DECISION else Action.REVIEW


def _limit_reasons(e: Evidence) -> npt.NDArray[np.object_]:
    """Reasons of lines that a limit cut to nothing: a cap does so only where the smallest legal order is too much."""
    reasons = np.full(len(e.order_qty), Reason.MOQ_ABOVE_CAP, dtype=object)
    for constraint in (Constraint.CAPACITY, Constraint.BUDGET):
        reasons[e.binding == constraint] = _CUTS[constraint]
    return reasons


def _order_reasons(e: Evidence) -> npt.NDArray[np.object_]:
    reasons = np.full(len(e.order_qty), Reason.COVER_TARGET, dtype=object)
    for constraint, reason in {**_CUTS, **_LIFTS}.items():
        reasons[e.binding == constraint] = reason
    return reasons


def confidence(stated: pd.Series, flags: dict[Flag, Mask]) -> list[str]:
    """Return how far to trust each line.

    The forecast's own confidence (low where unknown), one step lower for each doubt about the data: no stock table, a
    stale snapshot, a horizon too short; low without a forecast.

    >>> confidence(pd.Series(["high", None]), {Flag.STALE_STOCK: np.array([True, False])})
    ['medium', 'low']
    """
    level = stated.map({str(name): i for i, name in enumerate(_LEVELS)}).fillna(0).to_numpy(np.int64)
    for flag in _DOUBTS:
        if flag in flags:
            level = level - flags[flag].astype(np.int64) * (len(_LEVELS) if flag is Flag.NO_FORECAST else 1)
    return [str(_LEVELS[max(int(i), 0)]) for i in level.tolist()]


def flag_lists(flags: dict[Flag, Mask], *, more: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the flags of every line, in the order of ``flags``; ``more`` are texts from other rooms, put behind."""
    lists: list[list[str]] = [[] for _ in more]
    for flag, mask in flags.items():
        for row in np.flatnonzero(mask):
            lists[row].append(str(flag))
    for own, others in zip(lists, more, strict=True):
        own += [text for text in others if text not in own]
    return lists
