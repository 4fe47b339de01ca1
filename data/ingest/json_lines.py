"""JSON lines: one object a line. Numbers keep the digits they came with; nested objects are reached by dots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.ingest.cells import header_of_cells, written
from data.ingest.delimited import Delimited
from data.ingest.encodings import Normalised, normalised
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.formats import FileFormat, content
from data.ingest.records import MAX_COLUMNS, MAX_RECORD_BYTES
from data.settings import SourceSettings

__all__ = ["cells_of", "parsed", "prepared_json_lines"]

_DEEPEST = 4  # levels of objects that columns reach into


def prepared_json_lines(
    path: Path, form: FileFormat, *, name: str, source: str, spec: SourceSettings, work: Path, wanted: frozenset[str]
) -> Delimited:
    """Return a file of JSON lines as clean text. The columns are those of any line, in order of appearance.

    A file without a line has the columns that a delivery must have. A line that is no JSON object goes to quarantine.

    Raises:
        DeliveryRefused: for every fault that concerns the whole file.
    """

    def lines() -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            return content(path, form, name=name, source=source)

        text = normalised(pieces, encoding=spec.encoding, name=name, source=source, found=Normalised())
        return _lines(text, name=name, source=source)

    columns: dict[str, None] = {}
    for line in lines():
        for column in cells_of(line) or {}:
            columns.setdefault(column)
        if len(columns) > MAX_COLUMNS:
            break
    header = header_of_cells(list(columns) or sorted(wanted), source=source, file=name)

    def rows() -> Iterator[list[str | None] | None]:
        for line in lines():
            cells = cells_of(line)
            yield None if cells is None else [cells.get(column) for column in header]

    return written(rows(), header, work / f"{path.name}.csv", work=work, name=name, source=source)


def _lines(text: Iterator[bytes], *, name: str, source: str) -> Iterator[bytes]:
    """Yield the lines that are not blank; the last one of a file that was cut off is no JSON and is seen as that."""
    rest = b""
    for piece in text:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        if len(rest) > MAX_RECORD_BYTES:
            raise DeliveryRefused(
                Fault.LIMIT, f"a line of more than {MAX_RECORD_BYTES:,} bytes", source=source, file=name
            )
    if rest.strip():
        if cells_of(rest) is None:
            raise DeliveryRefused(
                Fault.TRUNCATED, "the last line is no whole JSON object; deliver it again", source=source, file=name
            )
        yield rest


def cells_of(line: bytes | str) -> dict[str, str | None] | None:
    """Return column -> text of one line, None where it is no JSON object.

    >>> cells_of('{"sku": "A", "price": {"amount": 1.10}, "sold": true, "note": null}')
    {'sku': 'A', 'price': '{"amount": "1.10"}', 'price.amount': '1.10', 'sold': 'true', 'note': None}
    """
    found = parsed(line)
    if found is None:
        return None
    cells: dict[str, str | None] = {}
    _fill(cells, "", found, _DEEPEST)
    return cells


def parsed(line: bytes | str) -> dict[str, Any] | None:
    """Return the object of one line, its numbers as the text they came as; None where it is no JSON object."""
    try:
        found = json.loads(line, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a field twice: which one is meant?"""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field comes twice")
    return found


def _fill(cells: dict[str, str | None], prefix: str, found: dict[str, Any], depth: int) -> None:
    for key, value in found.items():
        name = f"{prefix}{key}"
        if isinstance(value, (dict, list)):
            cells[name] = json.dumps(value, ensure_ascii=False)
            if isinstance(value, dict) and depth > 1:
                _fill(cells, f"{name}.", value, depth - 1)
        elif isinstance(value, bool):
            cells[name] = "true" if value else "false"
        else:
            cells[name] = value
