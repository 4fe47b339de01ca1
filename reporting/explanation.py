"""One SKU's forecast, order and price in words and numbers, for the terminal.

Every figure is a figure of a published table; the sentence on the order is the one of the restock report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pandas as pd

from reporting.arithmetic import in_words
from reporting.catalogue import Catalogue, as_day, load_catalogue
from reporting.plan_lines import records

__all__ = ["EXPLAINED", "explained_rows", "explanation"]

EXPLAINED = ("restock_plan", "not_replenished", "forecasts", "price_suggestions")
"""Tables that an explanation reads."""

_Row = Mapping[str, Any]
_ORDER = (
    ("action", "code"), ("status", "code"), ("reason", "code"), ("order_qty", "quantity"), ("packs", "quantity"),
    ("order_value", "money"), ("supplier_id", "plain"), ("order_by_date", "day"), ("expected_receipt_date", "day"),
    ("on_hand", "quantity"), ("on_order", "quantity"), ("days_of_cover", "quantity"), ("stockout_date", "day"),
    ("p_stockout_before_receipt", "percent"), ("p_stockout_if_not_ordered", "percent"),
    ("p_stockout_if_ordered", "percent"), ("money_at_risk", "money"), ("confidence", "code"), ("flags", "code_list"),
)  # fmt: skip
_PRICE = (
    ("current_price", "money"), ("suggested_price", "money"), ("status", "code"), ("reason", "code"),
    ("rule_ids", "list"), ("binding_rule", "code"), ("clamp_trail", "phrase"), ("elasticity", "number2"),
    ("elasticity_lo", "number2"), ("elasticity_hi", "number2"), ("elasticity_level", "code"), ("units_now", "quantity"),
    ("units_new", "quantity"), ("profit_change", "money"), ("profit_change_p10", "money"),
    ("profit_change_p90", "money"), ("p_profit_up", "percent"), ("refund_cost", "money"),
)  # fmt: skip
_MOVED = {
    *("units_new", "profit_change", "profit_change_p10", "profit_change_p90", "p_profit_up", "refund_cost"),
    "clamp_trail",
}
_PRICE_KEPT = tuple((name, kind) for name, kind in _PRICE if name not in _MOVED)
"""What is told of a price that stays and that no rule touched: there is no change to weigh."""


def explanation(sku: str, location: str | None, *, tables: Mapping[str, pd.DataFrame], language: str) -> str | None:
    """Return what the run says about ``sku``, one paragraph a location; None where it says nothing.

    Args:
        sku: the SKU.
        location: only this location; None: all.
        tables: the published tables named in ``EXPLAINED``.
        language: ``zh`` or ``en``.
    """
    words = load_catalogue(language)
    rows = {name: _of(frame, sku, location) for name, frame in tables.items()}
    parts = [_line(line, rows, words) for line in records(rows["restock_plan"])]
    for line in records(rows["not_replenished"]):
        facts = _facts(line, (("reason", "code"), ("since_date", "day")), words)
        parts.append(_heading(line) + f"\n{words.code('not_replenished')}\n" + facts)
    return "\n\n".join(parts) or None


def explained_rows(
    sku: str, location: str | None, *, tables: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame] | None:
    """Return the rows that ``explanation`` tells of, by table; None where the run neither plans nor names it."""
    rows = {name: _of(frame, sku, location) for name, frame in tables.items()}
    return rows if len(rows["restock_plan"]) or len(rows["not_replenished"]) else None


def _of(frame: pd.DataFrame, sku: str, location: str | None) -> pd.DataFrame:
    chosen = frame[frame["sku"] == sku]
    return chosen if location is None else chosen[chosen["location_id"] == location]


def _line(line: _Row, rows: Mapping[str, pd.DataFrame], words: Catalogue) -> str:
    today = as_day(line["run_date"])
    here = {name: frame[frame["location_id"] == line["location_id"]] for name, frame in rows.items()}
    parts = [_heading(line), in_words(line, words=words, today=today), _facts(line, _ORDER, words)]
    if len(here["forecasts"]):
        parts.append(_forecast(here["forecasts"], words, today))
    for price in records(here["price_suggestions"]):
        told = _PRICE_KEPT if price["status"] == "unchanged" else _PRICE
        parts.append(f"{words.text('page.prices')} ({price['channel']})\n" + _facts(price, told, words))
    return "\n".join(parts)


def _heading(line: _Row) -> str:
    return f"{line['sku']} · {line['location_id']}"


def _forecast(forecasts: pd.DataFrame, words: Catalogue, today: date) -> str:
    """Return the forecast's total, its first and last period, and who made it."""
    ordered = forecasts.sort_values("ds")
    first, last = ordered.iloc[0], ordered.iloc[-1]
    span = f"{words.near_day(first['ds'], today=today)} – {words.near_day(last['ds'], today=today)}"
    made = f"{words.code(first['model'])} · {words.phrase(words.code(first['reason']))}"
    band = (
        f"P10 {words.quantity(first['q10'])} · P50 {words.quantity(first['q50'])} · P90 {words.quantity(first['q90'])}"
    )
    total = words.quantity(float(ordered["mean"].sum()))
    return (
        f"{words.text('columns.forecast')} {span}: {total}; {words.near_day(first['ds'], today=today)}: {band} ({made})"
    )


def _facts(row: _Row, columns: tuple[tuple[str, str], ...], words: Catalogue) -> str:
    writers: dict[str, Callable[[Any], str]] = {
        "code": words.code,
        "code_list": words.code_list,
        "quantity": words.quantity,
        "money": words.money,
        "percent": words.percent,
        "day": words.day,
        "number2": lambda value: words.number(value, digits=2),
        "phrase": lambda value: words.phrase(value) or "–",
        "list": lambda value: ", ".join(value) or "–",
        "plain": lambda value: "–" if value is None or pd.isna(value) else str(value),
    }
    # The currency stands in merchcast.yml, not in the tables: amounts are told without it.
    return "\n".join(
        f"  {words.text('col.' + name).replace(' [¤]', '')}: {writers[kind](row.get(name))}" for name, kind in columns
    )
