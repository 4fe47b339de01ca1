"""XLSX workbooks: one sheet, a header row, values as their cells declare them; never the formulas, never the guess.

A cell is a date where its number format says so, in the date system of its workbook (1900 or 1904). A number keeps
its value: a bar code typed as a number is its digits, not ``6.93E+12``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from data.ingest.cells import header_of_cells, written
from data.ingest.delimited import Delimited
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.records import MAX_COLUMNS
from data.settings import SourceSettings

__all__ = ["prepared_workbook"]

_MAX_ROWS = 1_048_576  # of a sheet; the format allows no more
_EXACT = 9e15  # beyond it a double has lost digits


def prepared_workbook(path: Path, *, name: str, source: str, spec: SourceSettings, work: Path) -> Delimited:
    """Return a sheet as clean text. Rows without any value are no records.

    Raises:
        DeliveryRefused: ``FORMAT`` (not readable, or no such sheet), ``EMPTY_FILE`` or ``LIMIT``.
    """
    import openpyxl

    try:
        with path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheet = _sheet(book, spec.sheet, name=name, source=source)
            sheet.reset_dimensions()  # what the file says of its size may be wrong
            rows = sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS + 1, max_row=_MAX_ROWS)
            head: tuple[Any, ...] = ()
            for _ in range(spec.header_row):
                head = next(rows, ())
            names = [(_text(value) or "").strip() for value in head]
            while names and not names[-1]:
                names.pop()
            header = header_of_cells(names, source=source, file=name)
            text = written(
                _records(rows, len(header), spec.decimal),
                header,
                work / f"{path.name}.csv",
                work=work,
                name=name,
                source=source,
            )
            book.close()
    except DeliveryRefused:
        raise
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        ParseError,
        OSError,
    ) as error:
        raise DeliveryRefused(
            Fault.FORMAT, f"not a readable workbook: {type(error).__name__}: {error}", source=source, file=name
        ) from error
    return text


def _sheet(book: Any, wanted: str | None, *, name: str, source: str) -> Any:
    found = {s.title: s for s in book.worksheets}
    if wanted is None and found:
        return book.worksheets[0]
    if wanted not in found:
        raise DeliveryRefused(Fault.FORMAT, f"no sheet {wanted!r}; it has {list(found)[:5]}", source=source, file=name)
    return found[wanted]


def _records(rows: Iterator[tuple[Any, ...]], width: int, decimal: str) -> Iterator[list[str | None]]:
    """Yield the rows that hold anything; a value right of the header makes a record wider than it."""
    for row in rows:
        values = [_text(value, decimal) for value in row]
        while len(values) > width and values[-1] is None:
            values.pop()
        values += [None] * (width - len(values))
        if any(values):
            yield values


def _text(value: Any, decimal: str = ".") -> str | None:
    """Return a cell's value in plain notation, a number with the decimal mark that the source declares for its text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if isfinite(value) and value == int(value) and abs(value) < _EXACT:
            return str(int(value))
        return format(Decimal(repr(value)), "f").replace(".", decimal) if isfinite(value) else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value.total_seconds() / 86_400) if isinstance(value, timedelta) else str(value)
