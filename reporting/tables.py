"""Frames to tables as a page shows them: every cell with its words in the reader's language and its sort value.

One builder for all pages, so that a date, an amount or an unknown code looks the same everywhere. Nothing is
computed here; a figure on a page is the figure of the table it came from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import quote

import pandas as pd

from reporting.catalogue import DASH, Catalogue, as_day, is_missing

__all__ = ["Cell", "Column", "Row", "TableView", "line_link", "table_view"]

NUMERIC = frozenset(
    {"integer", "quantity", "number1", "number2", "money", "money_change", "share", "share1", "percent"}
    | {"change", "points"}
)


@dataclass(frozen=True)
class Column:
    """One column: the frame's column, how it is written, and where it stands.

    Attributes:
        name: column of the frame; its heading is the catalogue's ``col.<name>`` unless ``label`` names another key.
        kind: text, phrase or wide (their fixed phrases are translated; wide is broad), code, codes, list, date,
            flag, svg or one of the numeric kinds.
        sub: a second column written small below the first.
        sub_kind: how the second column is written.
        group: the group of columns a reader can show or hide; empty: always shown.
        tone: column whose value becomes the cell's colour class (with a shape beside it).
    """

    name: str
    kind: str = "text"
    label: str = ""
    sub: str = ""
    sub_kind: str = "text"
    group: str = ""
    tone: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether the column is set flush right and sorted by number."""
        return self.kind in NUMERIC


@dataclass(frozen=True)
class Cell:
    """One cell. ``sort`` orders the column in the browser; ``svg`` is a drawing of ours, never text from data.

    ``link`` is an address within the reports.
    """

    text: str
    sort: str = ""
    sub: str = ""
    tone: str = ""
    svg: str = ""
    link: str = ""


@dataclass(frozen=True)
class Row:
    """One row: its cells, and what a link or the unfold needs to know of it."""

    cells: tuple[Cell, ...]
    anchor: str = ""
    index: int = -1


@dataclass(frozen=True)
class TableView:
    """A table ready for the template. ``total`` counts the rows there are, shown or not."""

    name: str
    columns: tuple[Column, ...]
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int
    groups: tuple[str, ...] = field(default=())

    @property
    def hidden(self) -> int:
        """Rows that are not shown."""
        return self.total - len(self.rows)


def table_view(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    *,
    name: str,
    words: Catalogue,
    today: date,
    limit: int | None = None,
    currency: str = "",
    anchor: str = "",
    total: int | None = None,
    link: str | None = None,
) -> TableView:
    """Return the first ``limit`` rows of a frame as a table, in the frame's order.

    Args:
        frame: any frame that has the columns' names; a column it lacks is shown as "no value".
        columns: what to show, in which order.
        name: short name of the table, unique on the page.
        words: catalogue of the reader's language.
        today: the run date; days of its year are written without the year.
        limit: most rows shown; None shows all.
        currency: written into the headings of amounts.
        anchor: column whose value becomes the row's id for links.
        total: number of rows there are, where ``frame`` was cut before.
        link: page (or ``#`` for this one) whose unfolded line the SKU of a row leads to.
    """
    shown = frame if limit is None else frame.head(limit)
    rendered = [_cells(shown, column, words=words, today=today) for column in columns]
    anchors = [str(value) for value in shown[anchor]] if anchor and anchor in shown else [""] * len(shown)
    if link is not None:
        rendered = [
            _linked(r, shown, page=link) if c.name == "sku" else r for r, c in zip(rendered, columns, strict=True)
        ]
    rows = tuple(Row(cells=cells, anchor=anchors[i]) for i, cells in enumerate(zip(*rendered, strict=True)))
    return TableView(
        name=name,
        columns=tuple(columns),
        headings=tuple(heading(column, words=words, currency=currency) for column in columns),
        rows=rows,
        total=len(frame) if total is None else total,
        groups=tuple(dict.fromkeys(column.group for column in columns if column.group)),
    )


def line_link(sku: Any, location: Any = None, *, page: str = "#") -> str:
    """Return the address of a plan line's unfolded row on a restock page.

    >>> line_link("A/1", "main", page="restock.html")
    'restock.html#sku=A%2F1&location=main'
    """
    place = "" if is_missing(location) else "&location=" + quote(str(location), safe="")
    return f"{page.rstrip('#')}#sku={quote(str(sku), safe='', errors='replace')}{place}"


def _linked(cells: list[Cell], frame: pd.DataFrame, *, page: str) -> list[Cell]:
    places = _values(frame, "location_id")
    pairs = zip(cells, _values(frame, "sku"), places, strict=True)
    return [replace(cell, link=line_link(sku, place, page=page)) for cell, sku, place in pairs]


def heading(column: Column, *, words: Catalogue, currency: str = "") -> str:
    """Return a column's heading with its unit."""
    text = words.text("col." + (column.label or column.name))
    return text.replace("¤", currency)


def write(value: Any, kind: str, *, words: Catalogue, today: date) -> str:
    """Return one value as text, the way its kind is written in the reader's language."""
    if kind not in ("list", "codes") and (is_missing(value) or (isinstance(value, str) and value == "")):
        return DASH
    if kind == "date":
        return words.near_day(value, today=today)
    return _WRITERS[kind](words, value)


def sort_value(value: Any, kind: str) -> str:
    """Return what the browser sorts by: a plain number, an ISO day or the text. Empty sorts last."""
    if kind in ("list", "codes"):
        return ""
    if is_missing(value):
        return ""
    if kind == "date":
        return as_day(value).isoformat()
    if kind in NUMERIC:
        figure = float(value)
        if not math.isfinite(figure):
            return "1e999" if figure > 0 else "-1e999"
        return repr(int(figure)) if figure.is_integer() else repr(figure)
    return ""


def _cells(frame: pd.DataFrame, column: Column, *, words: Catalogue, today: date) -> list[Cell]:
    values = _values(frame, column.name)
    subs = _values(frame, column.sub) if column.sub else [None] * len(frame)
    tones = _values(frame, column.tone) if column.tone else [""] * len(frame)
    if column.kind == "svg":
        return [Cell(text="", svg=str(value or "")) for value in values]
    return [
        Cell(
            text=write(value, column.kind, words=words, today=today),
            sort=sort_value(value, column.kind),
            sub=write(sub, column.sub_kind, words=words, today=today) if not is_missing(sub) and sub != "" else "",
            tone="" if is_missing(tone) else str(tone),
        )
        for value, sub, tone in zip(values, subs, tones, strict=True)
    ]


def _values(frame: pd.DataFrame, name: str) -> list[Any]:
    return frame[name].tolist() if name in frame else [None] * len(frame)


def _list(value: Any) -> str:
    if value is None or isinstance(value, float):
        return DASH
    parts = [value] if isinstance(value, str) else list(value)
    return ", ".join(str(part) for part in parts) or DASH


_WRITERS: dict[str, Callable[[Catalogue, Any], str]] = {
    "text": lambda _, value: str(value),
    "wide": lambda words, value: words.phrase(value).replace("->", "→"),  # a browser breaks lines inside "->"
    "phrase": lambda words, value: words.phrase(value),
    "list": lambda _, value: _list(value),
    "code": Catalogue.code,
    "codes": Catalogue.code_list,
    "flag": lambda words, value: words.text("format.yes" if value else "format.no"),
    "integer": Catalogue.number,
    "quantity": Catalogue.quantity,
    "number1": lambda words, value: words.number(value, digits=1),
    "number2": lambda words, value: words.number(value, digits=2),
    "money": Catalogue.money,
    "share": Catalogue.percent,
    "share1": lambda words, value: words.percent(value, digits=1),
    "percent": lambda words, value: words.number(value, digits=1) + "%",
    "money_change": lambda words, value: words.signed(value, digits=2),
    "change": lambda words, value: words.signed(value, digits=1) + "%",
    "points": lambda words, value: words.signed(value, digits=1),
}
