"""What the restock page's script needs: every line for the list, and the unfolded part of the lines that have one.

Columnar and short on purpose: codes are indexes into small dictionaries, days are offsets from D, amounts are rounded
to cents. The order of lines is that of ``plan_lines``; a line's position is its number on the page.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from reporting.arithmetic import WHY_TERMS, clauses
from reporting.catalogue import Catalogue, is_missing
from reporting.chart_data import BANDS, Key, LineSeries, compact
from reporting.config import ReportingConfig
from reporting.headline import out_or_at_risk, to_order
from reporting.plan_lines import records
from reporting.run_tables import RunFacts

__all__ = ["FACTS", "LIST_COLUMNS", "detail_blocks", "driver_parts", "idle_block", "list_block"]

CHUNK = 200  # lines per detail block: a block is read when the first of its lines is unfolded

DRIVERS = ("level", "season", "price", "event", "weather", "heat", "preorder", "override")
"""Parts of a forecast that add up to it, in the order in which they are told."""

LIST_COLUMNS: tuple[tuple[str, str], ...] = (
    ("sku", "text"),
    ("title", "text"),
    ("location_id", "code"),
    ("supplier_name", "code"),
    ("action", "code"),
    ("status", "code"),
    ("reason", "code"),
    ("order_qty", "quantity"),
    ("order_value", "money"),
    ("money_at_risk", "money"),
    ("order_by_date", "date"),
    ("expected_receipt_date", "date"),
    ("on_hand", "quantity"),
    ("on_order", "quantity"),
    ("inventory_position", "quantity"),
    ("days_of_cover", "number1"),
    ("stockout_date", "date"),
    ("confidence", "code"),
    ("today", "code"),
    ("danger", "code"),
)
"""Columns of the list of all lines, and how they are written; codes are sent as indexes."""

FACTS: tuple[tuple[str, str, str], ...] = (
    ("risk", "p_stockout_before_receipt", "share"),
    ("risk", "p_stockout_if_not_ordered", "share"),
    ("risk", "p_stockout_if_ordered", "share"),
    ("risk", "service_level", "share"),
    ("risk", "expected_fill_rate", "share"),
    ("risk", "stockout_date", "date"),
    ("risk", "stockout_date_early", "date"),
    ("stock", "on_hand", "quantity"),
    ("stock", "on_order", "quantity"),
    ("stock", "backorders", "quantity"),
    ("stock", "preorders_open", "quantity"),
    ("stock", "inventory_position", "quantity"),
    ("stock", "days_of_cover", "number1"),
    ("stock", "days_of_cover_with_orders", "number1"),
    ("stock", "reorder_point", "quantity"),
    ("stock", "order_up_to_level", "quantity"),
    ("stock", "safety_stock", "quantity"),
    ("demand", "demand_mean", "number1"),
    ("demand", "demand_p10", "number1"),
    ("demand", "demand_p50", "number1"),
    ("demand", "demand_p90", "number1"),
    ("demand", "forecast_wape", "share"),
    ("demand", "forecast_bias", "share"),
    ("demand", "confidence", "code"),
    ("terms", "supplier_name", "text"),
    ("terms", "lead_time_days", "quantity"),
    ("terms", "review_period_days", "quantity"),
    ("terms", "min_order_qty", "quantity"),
    ("terms", "pack_size", "quantity"),
    ("terms", "order_by_date", "date"),
    ("terms", "next_order_date", "date"),
    ("terms", "expected_receipt_date", "date"),
    ("money", "unit_cost", "money"),
    ("money", "order_value", "money"),
    ("money", "money_at_risk", "money"),
    ("money", "expected_lost_units_avoided", "number1"),
    ("money", "expected_excess_units", "number1"),
    ("money", "excess_value", "money"),
    ("money", "marginal_return", "number2"),
    ("more", "proposal_id", "text"),
    ("more", "first_proposed_date", "date"),
    ("more", "action_po_id", "text"),
    ("more", "binding_constraint", "code"),
    ("more", "override_qty", "quantity"),
    ("more", "override_reason", "text"),
    ("more", "flags", "codes"),
)
"""Group, column and kind of everything that an unfolded line shows."""


def list_block(
    lines: pd.DataFrame,
    *,
    words: Catalogue,
    facts: RunFacts,
    config: ReportingConfig,
    details: int,
    beyond: Sequence[int] = (),
) -> dict[str, Any]:
    """Return the data block of the list: words, dictionaries and one array per line.

    Args:
        lines: ``plan_lines`` of the whole plan.
        words: catalogue of the page.
        facts: the run.
        config: page size and sparkline settings.
        details: how many of the first lines can be unfolded.
        beyond: lines after those that can be unfolded too.
    """
    dictionaries: dict[str, list[list[str]]] = {}
    columns = []
    lines = lines.assign(
        today=np.where(to_order(lines), "to_order", ""),
        danger=np.where(out_or_at_risk(lines, at_risk_probability=config.at_risk_probability), "at_risk", ""),
    )
    for name, kind in LIST_COLUMNS:
        if kind == "code":
            dictionaries[name], indexes = _dictionary(
                lines[name], words=words, plain=name in ("location_id", "supplier_name")
            )
            columns.append(indexes)
        else:
            columns.append(encode(lines[name], kind, run_date=facts.run_date))
    return {
        "lang": words.language,
        "run": facts.run_date.isoformat(),
        "period": facts.period_days,
        "months": list(words.months),
        "t": {key.removeprefix("js."): text for key, text in words.texts.items() if key.startswith("js.")},
        "why": {key.removeprefix("why."): text for key, text in words.texts.items() if key.startswith("why.")},
        "day": [words.texts["format.day"], words.texts["format.day_year"]],
        "columns": [
            [name, kind, words.text(f"col.{name}").replace("¤", facts.currency)] for name, kind in LIST_COLUMNS
        ],
        "facts": [
            [words.text(f"facts.{group}"), name, kind, words.text(f"col.{name}").replace("¤", facts.currency)]
            for group, name, kind in FACTS
        ],
        "drivers": [words.text(f"driver.{name}") for name in DRIVERS],
        "terms": [words.text(f"term.{name}") for name in WHY_TERMS],
        "dict": dictionaries,
        "codes": _code_words(lines.iloc[[*range(details), *beyond]], words=words),
        "rows": [list(row) for row in zip(*columns, strict=True)],
        "details": details,
        "beyond": {str(line): details + n for n, line in enumerate(beyond)},
        "chunk": CHUNK,
        "page": config.page_size,
        "spark": [config.sparkline_periods, config.sparkline_ahead],
    }


def idle_block(idle: pd.DataFrame, *, words: Catalogue, facts: RunFacts, limit: int) -> dict[str, Any]:
    """Return the data block of the items that are not replenished: all of them, so that the search finds each.

    Args:
        idle: ``not_replenished`` with ``title``.
        words: catalogue of the page.
        facts: the run.
        limit: most rows drawn at a time.
    """
    if idle.empty:
        return {"reasons": [], "rows": [], "limit": limit}
    reasons, indexes = _dictionary(idle["reason"], words=words, plain=False)
    columns = [encode(idle[name], "text", run_date=facts.run_date) for name in ("sku", "title", "location_id")]
    since = encode(idle["since_date"], "date", run_date=facts.run_date)
    return {
        "reasons": reasons,
        "rows": [list(row) for row in zip(*columns, indexes, since, strict=True)],
        "limit": limit,
    }


def driver_parts(drivers: pd.DataFrame) -> dict[Key, list[float]]:
    """Return what moved each forecast, by SKU and location: periods, the parts in order, their sum."""
    if drivers.empty:
        return {}
    values = drivers[["periods", *DRIVERS, "total"]].astype(float).to_numpy().tolist()
    keys = zip(drivers["sku"].astype(str), drivers["location_id"].astype(str), strict=True)
    return dict(zip(keys, values, strict=True))


def detail_blocks(
    lines: pd.DataFrame,
    *,
    series: Mapping[Key, LineSeries],
    receipts: Mapping[Key, Sequence[tuple[int, float]]],
    facts: RunFacts,
    drivers: Mapping[Key, Sequence[float]] = MappingProxyType({}),
) -> list[str]:
    """Return the unfolded parts of ``lines``, the same for every language, packed in blocks of ``CHUNK`` lines.

    Each entry is ``[facts, why figures, clauses, chart, drivers]``; the chart is
    ``[history, censored positions, bands, receipts, order receipt day, protection days, reorder line]``,
    the drivers are periods, the parts in the order of ``DRIVERS`` and their sum, or null.
    """
    encoded = [encode(lines[name], kind, run_date=facts.run_date) for _, name, kind in FACTS]
    entries = []
    for values, line in zip(zip(*encoded, strict=True), records(lines), strict=True):
        key = (str(line["sku"]), str(line["location_id"]))
        entries.append(
            [
                list(values),
                [int(line[name]) if not is_missing(line[name]) else 0 for name in WHY_TERMS],
                [[clause.key, *clause.figures] for clause in clauses(line)],
                _chart(line, series=series.get(key, LineSeries()), receipts=receipts.get(key, ()), facts=facts),
                [_figure(value, 2) for value in drivers[key]] if key in drivers else None,
            ]
        )
    return [pack(entries[i : i + CHUNK]) for i in range(0, len(entries), CHUNK)]


def pack(value: Any) -> str:
    """Return JSON, deflated and in base64: a fifth of its size, which is what a mail attachment needs."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode("ascii")


def chart_periods(line: Mapping[str, Any], *, period_days: int, most: int) -> int:
    """Return how many forecast periods a line's chart shows: its protection period and half as much again."""
    days = _number(line.get("lead_time_days")) + _number(line.get("review_period_days"))
    return int(min(most, max(math.ceil(days * 1.5 / period_days), 14 if period_days == 1 else 4)))


def encode(values: pd.Series[Any], kind: str, *, run_date: date) -> list[Any]:
    """Return a column as JSON values: days as offsets from D, figures rounded as shown, null where there is none."""
    if kind == "date":
        offsets = (pd.to_datetime(values) - pd.Timestamp(run_date)).dt.days
        return [None if is_missing(day) else int(day) for day in offsets]
    if kind == "text":
        return [None if is_missing(text) else str(text) for text in values]
    if kind == "code":
        return [None if is_missing(code) or code in ("", "none") else str(code) for code in values]
    if kind == "codes":
        return [_codes(codes) for codes in values]
    digits = {"share": 4, "share1": 4, "money": 2, "number2": 2}.get(kind, 2)
    return [_figure(value, digits) for value in values.tolist()]


def _chart(
    line: Mapping[str, Any], *, series: LineSeries, receipts: Sequence[tuple[int, float]], facts: RunFacts
) -> list[Any]:
    periods = chart_periods(line, period_days=facts.period_days, most=10_000)
    protection = _number(line.get("lead_time_days")) + _number(line.get("review_period_days"))
    level = line.get("reorder_point")
    per_period = None
    if not is_missing(level) and protection > 0:
        per_period = _figure(max(_number(level), 0.0) / protection * facts.period_days, 3)
    arrival = line.get("expected_receipt_date")
    return [
        compact(series.history),
        list(series.censored),
        [compact(series.ahead.get(band, ())[:periods]) for band in BANDS],
        [[day, _figure(qty, 1)] for day, qty in receipts],
        None if is_missing(arrival) else (pd.Timestamp(str(arrival)) - pd.Timestamp(facts.run_date)).days,
        int(protection),
        per_period,
    ]


def _dictionary(values: pd.Series[Any], *, words: Catalogue, plain: bool) -> tuple[list[list[str]], list[int]]:
    """Return the distinct codes with their words, sorted, and each line's index into them."""
    texts = ["" if is_missing(value) else str(value) for value in values]
    codes = sorted(set(texts))
    index = {code: i for i, code in enumerate(codes)}
    named = [[code, code if plain else words.code(code)] for code in codes]
    return named, [index[text] for text in texts]


def _code_words(lines: pd.DataFrame, *, words: Catalogue) -> dict[str, str]:
    """Return the words of every code that an unfolded line may show."""
    found: set[str] = set()
    for _, name, kind in FACTS:
        if kind == "code":
            found |= {str(code) for code in lines[name].dropna().unique()}
        elif kind == "codes":
            found |= {code for codes in lines[name] for code in _codes(codes) or ()}
    return {code: words.code(code) for code in sorted(found)}


def _codes(codes: Any) -> list[str] | None:
    if isinstance(codes, str) or not hasattr(codes, "__len__"):
        return None if is_missing(codes) or codes == "" else [str(codes)]
    return [str(code) for code in codes] or None


def _figure(value: Any, digits: int) -> int | float | None:
    if is_missing(value):
        return None
    figure = float(value)
    if not math.isfinite(figure):
        return None
    rounded = round(figure, digits)
    return int(rounded) if rounded.is_integer() else rounded


def _number(value: Any) -> float:
    return 0.0 if is_missing(value) else float(value)
