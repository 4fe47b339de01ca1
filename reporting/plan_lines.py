"""The lines of the restock plan as a planner reads them: named, grouped by action and sorted by money at risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reporting.catalogue import is_missing

__all__ = ["ACTIONS", "EXCEPTION_ACTIONS", "ActionGroup", "action_groups", "plan_lines", "records"]

ACTIONS = ("expedite", "order", "review", "postpone_or_cancel", "transfer", "none")
EXCEPTION_ACTIONS = ACTIONS[:-1]
NOT_WORTH_A_CUT = 1.25  # a group a little over its limit is listed whole: nobody wants a button for one line more


@dataclass(frozen=True)
class ActionGroup:
    """One group of exceptions.

    Attributes:
        action: its code.
        lines: the lines that are listed, the most money at risk first.
        total: lines in the group, listed or not.
        order_value: of all its lines [currency].
        money_at_risk: of all its lines [currency].
        listed_risk: money at risk of the lines that are listed [currency].
    """

    action: str
    lines: pd.DataFrame
    total: int
    order_value: float
    money_at_risk: float
    listed_risk: float


def plan_lines(plan: pd.DataFrame, *, products: pd.DataFrame, suppliers: pd.DataFrame) -> pd.DataFrame:
    """Return the plan with ``title``, ``supplier_name``, ``packs_text`` and ``is_off_date``, sorted for reading.

    Order: action as in ``ACTIONS``, then money at risk (most first), order-by date (soonest first), SKU, location.
    An action that is not known comes right before "none", so that nobody overlooks it.
    """
    titles = _names(products, key="sku", name="title")
    names = _names(suppliers, key="supplier_id", name="name")
    rank = {action: i for i, action in enumerate(EXCEPTION_ACTIONS)} | {"none": len(ACTIONS)}
    lines = plan.assign(
        title=plan["sku"].map(titles).astype(object),
        supplier_name=plan["supplier_id"].map(names).astype(object).where(lambda s: s.notna(), plan["supplier_id"]),
        packs_text=[_packs(*row) for row in zip(plan["order_qty"], plan["packs"], plan["pack_size"], strict=True)],
        _action=plan["action"].map(rank).fillna(len(ACTIONS) - 1),
        _risk=-plan["money_at_risk"].fillna(0.0),
    )
    ordered = lines.sort_values(["_action", "_risk", "order_by_date", "sku", "location_id"], kind="stable")
    return ordered.drop(columns=["_action", "_risk"]).reset_index(drop=True)


def action_groups(lines: pd.DataFrame, *, limit: int) -> list[ActionGroup]:
    """Return the groups of exceptions that have lines, in the order of urgency, each cut to ``limit`` lines.

    A group of up to a quarter more is not cut.
    """
    groups = []
    known = [action for action in EXCEPTION_ACTIONS if (lines["action"] == action).any()]
    other = sorted(set(lines["action"]) - set(ACTIONS))
    for action in known + other:
        mine = lines[lines["action"] == action]
        listed = mine if len(mine) <= limit * NOT_WORTH_A_CUT else mine.head(limit)
        groups.append(
            ActionGroup(
                action=action,
                lines=listed,
                total=len(mine),
                order_value=float(mine["order_value"].fillna(0.0).sum()),
                money_at_risk=float(mine["money_at_risk"].fillna(0.0).sum()),
                listed_risk=float(listed["money_at_risk"].fillna(0.0).sum()),
            )
        )
    return groups


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as mappings from column to value."""
    names = [str(name) for name in frame.columns]
    columns = [frame[name].tolist() for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _names(frame: pd.DataFrame, *, key: str, name: str) -> dict[str, str]:
    if frame.empty or name not in frame or key not in frame:
        return {}
    known = frame[[key, name]].dropna()
    return dict(zip(known[key], known[name], strict=True))


def _packs(qty: object, packs: object, pack_size: object) -> str:
    if is_missing(packs) or is_missing(pack_size) or not qty or int(pack_size) <= 1:  # type: ignore[call-overload]
        return ""
    return f"{int(packs)} × {int(pack_size)}"  # type: ignore[call-overload]
