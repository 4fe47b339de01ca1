"""The workbook: the plan as a spreadsheet, every cell a real number, date or inert text.

Text from data is written as text, never as a formula or link, so that ``=HYPERLINK(...)`` stays what it is; the only
formulas are the totals below our own columns. Blue cells are for typing (``override_qty``, ``comment``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
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

__all__ = ["SHEETS", "write_workbook"]

SHEETS = ("Orders", "Exceptions", "All SKUs", "Preorder batches", "Prices", "Parameters", "Glossary", "Checks")
MAX_TEXT = 32_767  # Excel's limit of characters in a cell
DATE_EPOCH = date(1900, 1, 1)
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
        created = datetime.combine(facts.run_date, time(), tzinfo=UTC).replace(tzinfo=None)
        book.set_properties({"title": words.text("restock.title"), "author": "merchcast", "created": created})
        styles = _styles(book)
        for sheet in _sheets(lines, tables=tables, facts=facts, words=words):
            _write_sheet(book, sheet, styles=styles, facts=facts, words=words, most=config.excel_max_rows)


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
    writers = [_writer(column, styles=styles, words=words) for column in sheet.columns]
    values = [shown[column.name].tolist() if column.name in shown else [None] * len(shown) for column in sheet.columns]
    for r in range(len(shown)):
        for c, write in enumerate(writers):
            write(page, r + 1, c, values[c][r])
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
        known = [float(v) for v in values[c] if not is_missing(v)]
        formula = f"=SUBTOTAL(109,{name}2:{name}{last + 1})"
        page.write_formula(last + 1, c, formula, styles[f"total_{column.kind}"], math.fsum(known))


def _writer(
    column: SheetColumn, *, styles: Mapping[str, Format], words: Catalogue
) -> Callable[[Worksheet, int, int, Any], None]:
    """Return the function that writes a value of this column as what it is."""
    style = styles[column.kind]
    if column.kind in ("text", "comment"):
        translate = column.translate

        def write_text(page: Worksheet, r: int, c: int, value: Any) -> None:
            text = _text(value, words=words, translate=translate)
            if text:
                page.write_string(r, c, text, style)
            elif column.is_input:
                page.write_blank(r, c, None, style)

        return write_text
    if column.kind == "date":

        def write_date(page: Worksheet, r: int, c: int, value: Any) -> None:
            if is_missing(value):
                return
            when = pd.Timestamp(value).date()
            if when < DATE_EPOCH:
                page.write_string(r, c, when.isoformat(), styles["text"])
            else:
                page.write_datetime(r, c, datetime.combine(when, time()), style)

        return write_date

    def write_number(page: Worksheet, r: int, c: int, value: Any) -> None:
        if is_missing(value) or not math.isfinite(float(value)):
            if column.is_input:
                page.write_blank(r, c, None, style)
            return
        page.write_number(r, c, float(value), style)

    return write_number


def _text(value: Any, *, words: Catalogue, translate: bool) -> str:
    if isinstance(value, list | tuple) or (hasattr(value, "tolist") and not isinstance(value, str)):
        parts = [words.code(part) if translate else str(part) for part in value]
        return ", ".join(parts).translate(ILLEGAL)[:MAX_TEXT]
    if is_missing(value) or value == "":
        return ""
    text = words.code(value) if translate else str(value)
    return text.translate(ILLEGAL).encode("utf-8", "replace").decode("utf-8")[:MAX_TEXT]


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
