"""What planners typed into the workbook: its blue cells against the workbook as it was published.

The published file is the truth. Rows are matched by SKU and location, columns by their headings, so that sorting,
filtering, hiding and deleting rows do no harm. A cell of ours that changed, a row we never wrote or a figure that is
no whole quantity is an error that names the cell; nothing is taken over before all of them are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, BinaryIO

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import to_excel

from data.errors import ConfigError
from reporting.catalogue import LANGUAGES, load_catalogue

__all__ = [
    "PLAN_PROPERTY",
    "PLAN_SHEETS",
    "RUN_PROPERTY",
    "OverrideError",
    "Returned",
    "TypedOverride",
    "problem_error",
    "read_returned",
    "typed_overrides",
]

PLAN_SHEETS = ("Orders", "Exceptions", "All SKUs")
"""The sheets with blue cells."""

RUN_PROPERTY = "merchcast run"
PLAN_PROPERTY = "merchcast plan"
MOST_NAMED = 5  # culprits in one error
SAME = 1e-9  # relative difference that a round trip through another program may leave

Cell = Any
Row = tuple[Cell, ...]
LineKey = tuple[str, str]


class OverrideError(ConfigError):
    """The workbook holds something that cannot become an override."""


@dataclass(frozen=True)
class Returned:
    """A workbook as read: its sheets' rows, and which plan it was written from."""

    sheets: Mapping[str, list[Row]]
    run: str = ""
    plan: str = ""


@dataclass(frozen=True)
class TypedOverride:
    """One quantity that a planner typed.

    Attributes:
        sku: SKU of the line.
        location_id: its location.
        quantity: what to order instead [whole units].
        comment: what stands in the comment cell.
        cell: where it was typed, as ``Orders!F12``.
        next_order_date: the line's next order date; None where it has none.
    """

    sku: str
    location_id: str
    quantity: int
    comment: str
    cell: str
    next_order_date: date | None


@dataclass(frozen=True)
class _Headings:
    """Where the columns of one sheet stand, by heading."""

    at: Mapping[str, int]
    sku: int
    location: int
    quantity: int
    comment: int
    next_order: int


def read_returned(file: BinaryIO, *, name: str) -> Returned:
    """Return the plan sheets of a workbook with the values as typed; a formula in a blue cell counts by its result.

    Raises:
        OverrideError: the file is no workbook, or lacks a plan sheet.
    """
    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever its zip and XML readers raise
        raise OverrideError(f"{name}: expected an .xlsx workbook of merchcast, found none ({error})") from error
    try:
        missing = [sheet for sheet in PLAN_SHEETS if sheet not in book.sheetnames]
        if missing:
            raise OverrideError(
                f"{name}: expected the sheets {', '.join(PLAN_SHEETS)}; missing: {', '.join(missing)}. "
                "Take restock.xlsx of a published run"
            )
        properties = {str(p.name): str(p.value) for p in book.custom_doc_props.props}  # type: ignore[attr-defined]
        sheets = {sheet: [tuple(row) for row in book[sheet].iter_rows(values_only=True)] for sheet in PLAN_SHEETS}
    finally:
        book.close()
    return Returned(sheets, run=properties.get(RUN_PROPERTY, ""), plan=properties.get(PLAN_PROPERTY, ""))


def typed_overrides(returned: Returned, published: Returned) -> list[TypedOverride]:
    """Return the quantities that ``returned`` has and ``published`` has not, one per SKU and location.

    Args:
        returned: the workbook with the blue cells filled in.
        published: the same workbook as the run published it.

    Raises:
        OverrideError: naming at most five cells: a row we never wrote, a column of ours that changed, a quantity that
            is no whole number, or two different ones for one line.
    """
    problems: list[str] = []
    found: dict[LineKey, TypedOverride] = {}
    for sheet in PLAN_SHEETS:
        for typed in _of_sheet(sheet, returned.sheets[sheet], published.sheets[sheet], problems):
            key = (typed.sku, typed.location_id)
            other = found.setdefault(key, typed)
            if other.quantity != typed.quantity:
                problems.append(
                    f"{typed.cell}: {typed.quantity} typed for {typed.sku}, and {other.quantity} in {other.cell}"
                )
            elif typed.comment and not other.comment:
                found[key] = typed
    if problems:
        raise problem_error(problems)
    return [found[key] for key in sorted(found)]


def problem_error(problems: Sequence[str]) -> OverrideError:
    """Return one error for all problems, at most five of them named."""
    more = f"\n  and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
    return OverrideError(
        f"{len(problems)} cells cannot be taken over, nothing was changed:\n  "
        + "\n  ".join(problems[:MOST_NAMED])
        + more
    )


def _of_sheet(sheet: str, rows: list[Row], original: list[Row], problems: list[str]) -> Iterator[TypedOverride]:
    """Yield what was typed into one sheet; what is wrong with it goes to ``problems``."""
    ours = _headings(sheet, original)
    moved = _moved(sheet, rows, ours, problems)
    if moved is None:
        return
    known = {_key(row, ours): row for row in original[1:]}
    fixed = [(heading, c, ours.at[heading]) for heading, c in moved.at.items()]
    fixed = [(h, c, o) for h, c, o in fixed if o not in (ours.quantity, ours.comment, ours.sku, ours.location)]
    for number, row in enumerate(rows[1:], start=2):
        key = _key(row, moved)
        if not key[1] and (not key[0] or key in known):
            continue  # blank, or the totals: their results change with a filter
        before = known.get(key)
        if before is None:
            line = f"{key[0] or '(blank)'} at {key[1] or '(blank)'}"
            problems.append(f"{_cell(sheet, moved.sku, number)}: {line} is no line of the plan")
            continue
        for heading, c, o in fixed:
            if not _same(_at(row, c), _at(before, o)):
                problems.append(
                    f"{_cell(sheet, c, number)}: {heading!r} is {_at(row, c)!r}, published was {_at(before, o)!r}; "
                    "only blue cells may change"
                )
        quantity, was = _at(row, moved.quantity), _at(before, ours.quantity)
        if _same(quantity, was):
            continue
        where = _cell(sheet, moved.quantity, number)
        whole = _whole(quantity)
        if whole is None:
            problems.append(f"{where}: {_complaint(quantity, was)}")
            continue
        comment = _at(row, moved.comment)
        due = _at(before, ours.next_order)
        yield TypedOverride(
            sku=key[0],
            location_id=key[1],
            quantity=whole,
            comment="" if comment is None else " ".join(str(comment).split()),
            cell=where,
            next_order_date=due.date() if isinstance(due, datetime) else None,
        )


def _headings(sheet: str, rows: list[Row]) -> _Headings:
    """Return where our own columns stand in a published sheet."""
    at = {str(text): c for c, text in enumerate(rows[0] if rows else ()) if text is not None}
    places = {name: next((at[text] for text in _names(name) if text in at), None) for name in _NEEDED}
    missing = [name for name, place in places.items() if place is None]
    if missing:
        raise OverrideError(f"the published sheet {sheet} has no column {', '.join(missing)}: it is of another version")
    return _Headings(at, *(int(places[name] or 0) for name in _NEEDED))


_NEEDED = ("sku", "location_id", "override_qty", "comment", "next_order_date")


@cache
def _names(column: str) -> tuple[str, ...]:
    """Return a column's heading in each language."""
    return tuple(load_catalogue(language).text(f"col.{column}") for language in LANGUAGES)


def _moved(sheet: str, rows: list[Row], ours: _Headings, problems: list[str]) -> _Headings | None:
    """Return where our columns stand in the returned sheet; None where a heading is gone."""
    at = {str(text): c for c, text in enumerate(rows[0] if rows else ()) if text is not None}
    gone = [(heading, c) for heading, c in ours.at.items() if heading not in at]
    for heading, c in gone:
        problems.append(f"{_cell(sheet, c, 1)}: the column {heading!r} is gone or renamed")
    if gone:
        return None
    place = {c: at[heading] for heading, c in ours.at.items()}
    wanted = (ours.sku, ours.location, ours.quantity, ours.comment, ours.next_order)
    return _Headings({heading: at[heading] for heading in ours.at}, *(place[c] for c in wanted))


def _key(row: Row, headings: _Headings) -> LineKey:
    sku, location = _at(row, headings.sku), _at(row, headings.location)
    return "" if sku is None else str(sku), "" if location is None else str(location)


def _at(row: Row, column: int) -> Cell:
    """Return a cell; a row may be shorter than the heading."""
    value = row[column] if column < len(row) else None
    return None if value == "" else value


def _same(a: Cell, b: Cell) -> bool:
    """Return whether two cells hold the same value, whichever program wrote them."""
    x, y = _plain(a), _plain(b)
    if isinstance(x, float) and isinstance(y, float):
        return abs(x - y) <= SAME * max(1.0, abs(x), abs(y))
    return bool(x == y)


def _plain(value: Cell) -> Cell:
    if isinstance(value, datetime | date):
        return float(to_excel(value))  # type: ignore[no-untyped-call]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _whole(value: Cell) -> int | None:
    """Return a typed quantity as a whole number of units; None where it is none."""
    if isinstance(value, str):
        text = value.strip().replace(",", "")
        return int(text) if text.isascii() and text.isdigit() else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and float(value).is_integer() else None


def _complaint(quantity: Cell, was: Cell) -> str:
    if quantity is None:
        return f"was {was} and is empty now; an override in force ends by removing its row from overrides.csv"
    return f"{quantity!r} is no whole quantity of 0 or more"


def _cell(sheet: str, column: int, row: int) -> str:
    name = f"'{sheet}'" if " " in sheet else sheet
    return f"{name}!{get_column_letter(column + 1)}{row}"
