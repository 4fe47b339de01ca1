"""The workbook: the plan as a spreadsheet, every cell a real number, date or inert text.

Text from data is written as text, never as a formula or link, so that ``=HYPERLINK(...)`` stays what it is; the only
formulas are the totals below our own columns. Blue cells are for typing (``override_qty``, ``comment``).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from reporting.catalogue import Catalogue, is_missing
from reporting.config import ReportingConfig
from reporting.glossary import glossary
from reporting.headline import to_order
from reporting.overrides_import import PLAN_PROPERTY, RUN_PROPERTY
from reporting.run_tables import RunFacts, RunTables
from reporting.workbook_columns import (
    BATCH_SHEET,
    CHECK_SHEET,
    EXCEPTION_SHEET,
    GLOSSARY_SHEET,
    ORDER_SHEET,
    PARAMETER_SHEET,
    PLAN_SHEET,
    PRICE_SHEET,
    TOTALLED,
    SheetColumn,
)

__all__ = ["plan_fingerprint", "write_workbook"]

MAX_TEXT = 32_767  # Excel's limit of characters in a cell
EPOCH = pd.Timestamp("1899-12-30")  # Excel's day 0 for days from March 1900 on
FIRST_SAFE_DAY = 60
NUMBER_FORMATS = {
    "integer": "#,##0",
    "number": "#,##0.0",
    "money": "#,##0.00",
    "share": "0.0%",
    "percent": '0.0"%"',
    "date": "yyyy-mm-dd",
    "text": "@",
    "input": "#,##0",
    "comment": "@",
}
ILLEGAL = dict.fromkeys([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0xFFFE, 0xFFFF])  # not allowed in XML


@dataclass(frozen=True)
class Sheet:
    """One sheet: its name, columns and rows, and whether totals stand below."""

    name: str
    columns: Sequence[SheetColumn]
    rows: pd.DataFrame
    total: bool = False


def write_workbook(
    path: Path, *, lines: pd.DataFrame, tables: RunTables, facts: RunFacts, words: Catalogue, config: ReportingConfig
) -> None:
    """Write the workbook of a run.

    Args:
        path: file to write; its parent exists.
        lines: ``plan_lines`` of the whole plan.
        tables: the run's tables.
        facts: the run.
        words: catalogue of the shop's language.
        config: most rows of one sheet.
    """
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": False,
        "default_date_format": "yyyy-mm-dd",
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        created = datetime.combine(facts.run_date, time())  # never the clock: same inputs, same bytes
        book.set_properties({"title": words.text("restock.title"), "author": "merchcast", "created": created})
        book.set_custom_property(RUN_PROPERTY, facts.run_date.isoformat(), "text")
        book.set_custom_property(PLAN_PROPERTY, plan_fingerprint(lines), "text")
        styles = _styles(book)
        for sheet in _sheets(lines, tables=tables, facts=facts, words=words):
            _write_sheet(book, sheet, styles=styles, facts=facts, words=words, most=config.excel_max_rows)


def plan_fingerprint(lines: pd.DataFrame) -> str:
    """Return a short fingerprint of a plan's quantities: which plan a workbook that comes back was written from."""
    digest = hashlib.sha256()
    for name in ("sku", "location_id", "order_qty", "status", "override_qty"):
        digest.update("\x1f".join(map(str, lines[name].tolist())).encode("utf-8", "replace"))
    return digest.hexdigest()[:16]


def _sheets(lines: pd.DataFrame, *, tables: RunTables, facts: RunFacts, words: Catalogue) -> list[Sheet]:
    ranked = lines.sort_values(["rank", "sku", "location_id"], kind="stable")
    titles = dict(zip(lines["sku"], lines["title"], strict=True))
    batches = tables.frame("batch_plan")
    prices = tables.frame("price_suggestions")
    return [
        Sheet("Orders", ORDER_SHEET, lines[to_order(lines)], total=True),
        Sheet("Exceptions", EXCEPTION_SHEET, lines[lines["action"] != "none"], total=True),
        Sheet("All SKUs", PLAN_SHEET, ranked, total=True),
        Sheet("Preorder batches", BATCH_SHEET, _titled(batches, titles), total=True),
        Sheet("Prices", PRICE_SHEET, _titled(prices, titles)),
        Sheet("Parameters", PARAMETER_SHEET, _parameters(facts)),
        Sheet("Glossary", GLOSSARY_SHEET, _glossary(words)),
        Sheet("Checks", CHECK_SHEET, tables.frame("checks")),
    ]


def _write_sheet(
    book: xlsxwriter.Workbook,
    sheet: Sheet,
    *,
    styles: Mapping[str, Format],
    facts: RunFacts,
    words: Catalogue,
    most: int,
) -> None:
    """Write one sheet row by row (constant memory): header, data, totals."""
    page = book.add_worksheet(sheet.name)
    for c, column in enumerate(sheet.columns):
        page.set_column(c, c, column.width)
    for c, column in enumerate(sheet.columns):
        text = words.text("col." + column.word).replace("¤", facts.currency)
        page.write_string(0, c, text, styles["input_head" if column.is_input else "head"])
    shown = sheet.rows.head(most)
    values = [_cells(shown, column, words=words) for column in sheet.columns]
    kinds = [(c, column.is_input, styles[column.kind]) for c, column in enumerate(sheet.columns)]
    for r, row in enumerate(zip(*values, strict=True), start=1):
        for c, is_input, style in kinds:
            value = row[c]
            if value is None:
                if is_input:
                    page.write_blank(r, c, None, style)
            elif isinstance(value, str):
                page.write_string(r, c, value, style)
            else:
                page.write_number(r, c, value, style)
    last = len(shown)
    if sheet.total and last:
        _totals(page, sheet, values=values, last=last, styles=styles, words=words)
    page.freeze_panes(1, 1)
    page.autofilter(0, 0, max(last, 1), len(sheet.columns) - 1)
    for c, column in enumerate(sheet.columns):
        if column.kind == "input" and last:
            page.data_validation(1, c, last, c, {"validate": "integer", "criteria": ">=", "value": 0})
    page.set_landscape()
    page.repeat_rows(0)
    page.fit_to_pages(1, 0)


def _totals(
    page: Worksheet,
    sheet: Sheet,
    *,
    values: Sequence[Sequence[Any]],
    last: int,
    styles: Mapping[str, Format],
    words: Catalogue,
) -> None:
    """Write the totals below the data: sums of what the filter leaves, with today's sums as their stored values."""
    page.write_string(last + 1, 0, words.text("col.total"), styles["total_text"])
    for c, column in enumerate(sheet.columns):
        if column.name not in TOTALLED:
            continue
        name = xl_col_to_name(c)
        known = [v for v in values[c] if v is not None]
        formula = f"=SUBTOTAL(109,{name}2:{name}{last + 1})"
        page.write_formula(last + 1, c, formula, styles[f"total_{column.kind}"], math.fsum(known))


def _cells(frame: pd.DataFrame, column: SheetColumn, *, words: Catalogue) -> list[Any]:
    """Return a column as cell values: numbers, days as Excel's day numbers, text, and None for empty."""
    if column.name not in frame:
        return [None] * len(frame)
    values = frame[column.name]
    if column.kind in ("text", "comment"):
        return [_text(value, words=words, translate=column.translate) or None for value in values.tolist()]
    if column.kind == "date":
        return [_day_number(day) for day in (pd.to_datetime(values) - EPOCH).dt.days.tolist()]
    numbers = pd.to_numeric(values).astype("float64")
    return [number if math.isfinite(number) else None for number in numbers.tolist()]


def _day_number(days: Any) -> int | str | None:
    """Return Excel's number of a day; as ISO text before 1 March 1900, where Excel counts a day that never was."""
    if is_missing(days):
        return None
    return int(days) if days > FIRST_SAFE_DAY else (EPOCH + pd.Timedelta(days=int(days))).date().isoformat()


def _text(value: Any, *, words: Catalogue, translate: bool) -> str:
    if isinstance(value, list | tuple) or (hasattr(value, "tolist") and not isinstance(value, str)):
        return _clean(", ".join(words.code(part) if translate else str(part) for part in value))
    if is_missing(value) or value == "":
        return ""
    return _clean(words.code(value) if translate else str(value))


def _clean(text: str) -> str:
    """Return text without the characters that XML cannot hold, cut to what a cell can hold."""
    if not text.isprintable():
        text = text.translate(ILLEGAL).encode("utf-8", "replace").decode("utf-8")
    return text[:MAX_TEXT]


def _styles(book: xlsxwriter.Workbook) -> dict[str, Format]:
    """Return the cell formats; blue font and a light ground mean: you may type here."""
    styles = {
        kind: book.add_format({"num_format": pattern, "valign": "top"}) for kind, pattern in NUMBER_FORMATS.items()
    }
    blue = {"font_color": "#0000FF", "bg_color": "#FFFBE6"}
    styles["input"] = book.add_format({"num_format": NUMBER_FORMATS["input"], "valign": "top", **blue})
    styles["comment"] = book.add_format({"num_format": "@", "valign": "top", **blue})
    head = {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E8ECF2", "bottom": 1}
    styles["head"] = book.add_format(head)
    styles["input_head"] = book.add_format({**head, "font_color": "#0000FF"})
    for kind, pattern in NUMBER_FORMATS.items():
        styles[f"total_{kind}"] = book.add_format({"bold": True, "top": 1, "num_format": pattern})
    return styles


def _titled(frame: pd.DataFrame, titles: Mapping[Any, Any]) -> pd.DataFrame:
    return frame.assign(title=frame["sku"].map(titles).astype(object)) if len(frame) else frame


def _parameters(facts: RunFacts) -> pd.DataFrame:
    pairs = sorted(facts.parameters.items())
    return pd.DataFrame({"parameter": [k for k, _ in pairs], "parameter_value": [v for _, v in pairs]}, dtype=object)


def _glossary(words: Catalogue) -> pd.DataFrame:
    entries = glossary(words)
    return pd.DataFrame(
        {
            "term": [e.term for e in entries],
            "formula": [e.formula for e in entries],
            "meaning": [e.text for e in entries],
        },
        dtype=object,
    )
