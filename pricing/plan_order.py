"""Which lines of a plan are printed, in what order: what a person approves first, sizes of a style in one line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.suggest import Status

__all__ = ["Printed", "held_line", "printed"]

_MOST_HELD = 20  # [lines] held by a guardrail; more are counted
_RANK = {Status.CONFLICT.value: 0, Status.NEEDS_APPROVAL.value: 1, Status.AUTO.value: 2, Status.HELD.value: 3}
_ALIKE = ["style_id", "location_id", "channel", "status", "current_price", "suggested_price", "binding_rule"]

Printed = list[list[int]]
"""Rows of the plan that share an entry, entries in order; the first row of each stands for it."""


def printed(plan: pd.DataFrame, differs: npt.NDArray[np.bool_], *, everything: bool) -> tuple[Printed, pd.Series]:
    """Return the entries of a plan, and how many held lines each guardrail has that are only counted.

    First what differs from the book in force, then conflicts, what waits for a person, what moves by itself, and what
    a guardrail holds; within each the most profit at stake first. SKUs of a style with the same move share an entry.

    Args:
        plan: suggestions, with ``style_id`` where styles are to be folded.
        differs: lines that the book in force would price otherwise.
        everything: one entry a line, held ones too.
    """
    status = plan["status"].to_numpy()
    shown = (status != Status.UNCHANGED.value) | differs
    held = shown & ~differs & (status == Status.HELD.value) & (plan["suggested_price"] == plan["current_price"])
    counted = pd.Series(dtype="int64")
    if not everything and int(held.sum()) > _MOST_HELD:
        counted = plan.loc[held, "binding_rule"].fillna("a person").value_counts()
        shown = shown & ~held
    at = np.flatnonzero(shown)
    if not len(at):
        return [], counted
    folds = not everything and "style_id" in plan.columns
    keys = plan.iloc[at][_ALIKE].astype(str).assign(differs=differs[at]) if folds else pd.DataFrame({"row": at})
    alone = plan["style_id"].isna().to_numpy()[at] if folds else np.ones(len(at), dtype=bool)
    code = pd.MultiIndex.from_frame(keys.assign(own=np.where(alone, at, -1))).factorize()[0]
    stake = np.bincount(code, weights=np.abs(np.nan_to_num(plan["profit_change"].to_numpy(dtype=float)[at])))
    rank = pd.Series(status[at]).map(_RANK).fillna(4).to_numpy()
    order = np.lexsort((at, code, -stake[code], rank, ~differs[at]))
    entries: dict[int, list[int]] = {}
    for i in order:
        entries.setdefault(int(code[i]), []).append(int(at[i]))
    return list(entries.values()), counted


def held_line(counted: pd.Series) -> list[str]:
    """Return the line that counts what guardrails hold: "410 held: cooldown 300, min_margin 110"."""
    if counted.empty:
        return []
    parts = ", ".join(f"{name} {count}" for name, count in counted.items())
    return [f"  ! {int(counted.sum())} held by a guardrail or a person: {parts}   (--all lists them)"]
