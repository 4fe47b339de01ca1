"""What stands in small letters below a line's reason: status, which open order, which transfers, open since, flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue, is_missing
from reporting.plan_lines import records

__all__ = ["common_flags", "line_notes"]

COMMON_SHARE = 0.9  # a flag on more of the lines is said once, in the header
FEWEST_LINES = 3  # with fewer lines no flag is common
SAID_ELSEWHERE = ("still_open",)


def common_flags(lines: pd.DataFrame) -> tuple[str, ...]:
    """Return the flags that nearly every line carries: one sentence says them better than every line."""
    if len(lines) < FEWEST_LINES:
        return ()
    counts = lines["flags"].explode().dropna().value_counts()
    return tuple(sorted(str(flag) for flag, n in counts.items() if n > COMMON_SHARE * len(lines)))


def line_notes(
    lines: pd.DataFrame, *, transfers: pd.DataFrame, words: Catalogue, today: date, common: Sequence[str]
) -> list[str]:
    """Return the note of each line, in the order of ``lines``; empty where there is nothing to say.

    Args:
        lines: ``plan_lines``.
        transfers: ``transfer_plan``; each transfer is told on the line that gives and on the line that gets.
        words: catalogue of the page.
        today: the run date.
        common: flags that are said once for all lines.
    """
    moves = _moves(transfers, words=words)
    return [
        _note(line, moves=moves.get((line["sku"], line["location_id"]), []), words=words, today=today, common=common)
        for line in records(lines)
    ]


def _note(
    line: Mapping[str, Any], *, moves: Sequence[str], words: Catalogue, today: date, common: Sequence[str]
) -> str:
    notes = [] if line["status"] == "ok" else [words.code(line["status"])]
    if not is_missing(line.get("action_po_id")):
        notes.append(words.text("line.order_named", po=line["action_po_id"]))
    notes += moves
    since = line.get("first_proposed_date")
    if not is_missing(since) and pd.Timestamp(str(since)) < pd.Timestamp(today):
        notes.append(words.text("line.open_since", date=words.near_day(since, today=today)))
    flags = line.get("flags")
    listed = list(flags) if flags is not None and not is_missing(flags) else []
    unsaid = [flag for flag in listed if flag not in (*common, *SAID_ELSEWHERE)]
    return " · ".join([*notes, *(words.code(flag) for flag in unsaid)])


def _moves(transfers: pd.DataFrame, *, words: Catalogue) -> dict[tuple[Any, Any], list[str]]:
    """Return what each SKU and location sends and gets, in words."""
    told: dict[tuple[Any, Any], list[str]] = {}
    for move in records(transfers):
        sku, giver, getter = move["sku"], move["from_location_id"], move["to_location_id"]
        qty = words.quantity(move["qty"])
        told.setdefault((sku, giver), []).append(words.text("line.send", qty=qty, place=getter))
        told.setdefault((sku, getter), []).append(words.text("line.get", qty=qty, place=giver))
    return told
