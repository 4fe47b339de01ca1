"""What `merchcast show` prints: which table, which of its columns for people, and what comes first."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from data.errors import ConfigError

__all__ = ["SHOWN", "Shown", "for_people", "of_sku", "similar"]

_URGENCY = {
    "fail": 0, "warn": 1, "pass": 2,
    "needs_approval": 0, "conflict": 1, "auto": 2, "held": 3, "unchanged": 4,
    "produce": 0, "extend": 1, "cancel": 2, "wait": 3,
}  # fmt: skip
"""Statuses of checks and prices and decisions on batches, the one that asks for a person first."""


_KEYS: dict[str, Callable[[pd.Series[Any]], pd.Series[Any]]] = {
    "smallest": lambda values: values,
    "largest": lambda values: -values.astype(float),
    "farthest": lambda values: -values.astype(float).abs(),  # from zero
    "urgent": lambda values: values.map(_URGENCY),
}


@dataclass(frozen=True)
class Shown:
    """One thing to show.

    Attributes:
        table: the published table.
        columns: those printed for people; JSON has all.
        first: columns to sort by, each with how: see ``_KEYS``.
    """

    table: str
    columns: tuple[str, ...]
    first: tuple[tuple[str, str], ...] = ()


SHOWN = {
    "restock": Shown(
        "restock_plan",
        ("rank", "sku", "location_id", "action", "status", "order_qty", "order_value", "order_by_date",
         "expected_receipt_date", "on_hand", "on_order", "days_of_cover", "money_at_risk", "reason"),
        (("rank", "smallest"),),
    ),
    "batches": Shown(
        "batch_plan",
        ("campaign_id", "sku", "decision", "reason", "units_firm", "forecast_final_p10", "forecast_final_p50",
         "forecast_final_p90", "p_min_batch_met", "batch_qty", "commit_by_date", "promise_p90_date"),
        (("decision", "urgent"), ("commit_by_date", "smallest")),
    ),
    "prices": Shown(
        "price_suggestions",
        ("sku", "location_id", "channel", "status", "current_price", "suggested_price", "change_percent",
         "binding_rule", "profit_change", "reason"),
        (("status", "urgent"), ("profit_change", "farthest")),
    ),
    "forecast": Shown("forecasts", ("sku", "location_id", "ds", "mean", "q10", "q50", "q90", "model", "reason")),
    "trends": Shown(
        "trend_scores",
        ("element_type", "element", "region", "state", "score", "heat", "growth", "streak_days"),
        (("score", "largest"),),
    ),
    "checks": Shown(
        "checks",
        ("step", "table", "check", "status", "observed", "expected", "rows_failed", "advice"),
        (("status", "urgent"),),
    ),
    "quarantine": Shown("quarantine", ("source", "row_number", "table", "reason", "column", "value", "status")),
}  # fmt: skip


def for_people(rows: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """Return the rows in the order in which a person wants them; ties stay in the table's order."""
    ordered = rows
    for name, how in reversed(shown.first):
        ordered = ordered.sort_values(name, key=_KEYS[how], kind="stable", na_position="last")
    return ordered


def of_sku(rows: pd.DataFrame, sku: str, *, what: str, table: str) -> pd.DataFrame:
    """Return the rows of one SKU.

    Raises:
        ConfigError: the table knows no SKUs, or not this one.
    """
    if "sku" not in rows.columns:
        raise ConfigError(f"show {what} knows no SKU; leave it out")
    chosen = rows[rows["sku"] == sku]
    if chosen.empty:
        raise ConfigError(f"SKU {sku!r} is not in {table} of the current run{similar(sku, rows['sku'])}")
    return chosen


def similar(typed: str, known: pd.Series[Any]) -> str:
    """Return what may have been meant by something mistyped, for the end of a message; empty where nothing is near.

    >>> similar("bdg-0044", pd.Series(["BDG-0044", "COS-0131"]))
    "; did you mean 'BDG-0044'?"
    """
    names = {str(name).casefold(): str(name) for name in known.unique()}
    close = difflib.get_close_matches(typed.casefold(), list(names), n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""
