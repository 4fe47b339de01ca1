"""Did overrides help? What each one gained or lost, summed by who made it and why."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue, is_missing
from reporting.tables import Column

__all__ = ["OVERRIDE_COLUMNS", "OVERRIDE_SUM_COLUMNS", "override_rows_shown", "override_sums"]

OVERRIDE_COLUMNS = (
    Column("override_subject", sub="override_run"),
    Column("override_kind", "code"),
    Column("role"),
    Column("override_reason"),
    Column("wape_before", "share1"),
    Column("wape_after", "share1"),
    Column("value_added_points", "points", tone="verdict"),
    Column("money_gained", "money_change"),
)
OVERRIDE_SUM_COLUMNS = (
    Column("overridden_by"),
    Column("overrides", "integer"),
    Column("helped", "integer"),
    Column("harmed", "integer"),
    Column("value_added_points", "points", tone="verdict"),
    Column("money_gained", "money_change"),
)
KEY_PARTS = re.compile(r"^(forecast|order|price)\|")


def override_rows_shown(values: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    """Return one row per judged override: what it was, its error before and after, and the points between.

    ``value_added_points`` is ``100 * (wape_before - wape_after)``: positive, the override helped.
    """
    if values.empty:
        return values
    parts = [_parts(text) for text in values["override"]]
    shown = values.rename(columns={"reason": "override_reason"}).assign(
        override_kind=[f"override_{kind}" if kind else "" for kind, _, _ in parts],
        override_subject=[subject for _, subject, _ in parts],
        override_run=[run for _, _, run in parts],
        role=[words.text("accuracy.nobody") if is_missing(role) else str(role) for role in values["role"]],
    )
    points = 100 * (shown["wape_before"].astype(float) - shown["wape_after"].astype(float))
    judged = shown.assign(value_added_points=points, verdict=[_verdict(point) for point in points])
    keys = ["_money", "override"]
    placed = judged.assign(_money=pd.to_numeric(judged["money_gained"]).astype(float).fillna(0.0))
    return placed.sort_values(keys, kind="stable").drop(columns="_money")


def override_sums(shown: pd.DataFrame, *, by: str) -> pd.DataFrame:
    """Return the overrides summed by ``role`` or ``override_reason``, what cost most first.

    Args:
        shown: from ``override_rows_shown``.
        by: the column to sum by.

    Returns:
        ``overridden_by``, ``overrides``, ``helped``, ``harmed``, ``value_added_points`` (mean) and ``money_gained``
        (sum; missing where nothing was judged in money).
    """
    if shown.empty:
        return pd.DataFrame(columns=[c.name for c in OVERRIDE_SUM_COLUMNS])
    rows: list[dict[str, Any]] = []
    for name, mine in shown.groupby(by, sort=True, dropna=False):
        points, money = mine["value_added_points"].astype(float), pd.to_numeric(mine["money_gained"]).astype(float)
        mean = float(points.mean())
        gain = money.where(money.notna(), points)  # in money where it is known, else in error
        rows.append(
            {
                "overridden_by": "" if is_missing(name) else str(name),
                "overrides": len(mine),
                "helped": int((gain > 0).sum()),
                "harmed": int((gain < 0).sum()),
                "value_added_points": mean,
                "verdict": _verdict(mean),
                "money_gained": float(money.sum()) if money.notna().any() else None,
            }
        )
    summed = pd.DataFrame(rows)
    worth = pd.to_numeric(summed["money_gained"]).fillna(0.0)
    return summed.assign(_worth=worth).sort_values(["_worth", "overridden_by"], kind="stable").drop(columns="_worth")


def _parts(text: Any) -> tuple[str, str, str]:
    """Return kind, subject and run of ``kind|sku|location|run date``; any other text is a subject."""
    if not KEY_PARTS.match(str(text)):
        return "", str(text), ""
    kind, *rest = str(text).split("|")
    return kind, " · ".join(rest[:-1]) if len(rest) > 1 else " · ".join(rest), rest[-1] if len(rest) > 1 else ""


def _verdict(points: float) -> str:
    return "pass" if points > 0 else "fail" if points < 0 else ""
