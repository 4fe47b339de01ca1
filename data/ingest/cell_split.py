"""People taken out of formats whose values stand cell by cell: JSON lines and workbooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data.ingest.json_lines import parsed
from data.ingest.people import PersonBook, Roles
from data.settings import SourceSettings

__all__ = ["split_json_lines", "split_workbook"]

RolesOf = Callable[[Sequence[str]], Roles]


def split_json_lines(path: Path, into: Path, roles_of: RolesOf, *, tag: str, spec: SourceSettings) -> PersonBook | None:
    """Write JSON lines without people; return the people, None where there are none. A damaged line becomes ``{``."""
    columns = _columns_of(path)
    roles = roles_of(columns)
    if not roles:
        return None
    cells = _Cells(roles, PersonBook(tag, roles.people), frozenset(("", *spec.null_values)))
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines, into.open("w", encoding="utf-8") as out:
        for line in lines:
            row = parsed(line)
            if row is None:
                cells.has_changed = cells.has_changed or bool(line.strip())
                end = "\n" if line.endswith("\n") else ""  # one that was cut off stays so
                out.write(f"{{{end}" if line.strip() else end)
            else:
                out.write(json.dumps(cells.clean(row), ensure_ascii=False) + "\n")
    return cells.book if cells.has_changed else None


def split_workbook(path: Path, into: Path, roles_of: RolesOf, *, tag: str, spec: SourceSettings) -> PersonBook | None:
    """Write a workbook without people; return the people, None where there are none."""
    from openpyxl import load_workbook

    with path.open("rb") as file:
        workbook = load_workbook(file)
    changed, books = False, PersonBook(tag, ())
    for sheet in workbook.worksheets:
        rows = sheet.iter_rows()
        skipped = int(getattr(spec, "header_row", None) or 1) - 1
        header = [next(rows, ()) for _ in range(skipped + 1)][-1]
        names = [str(c.value).strip() if c.value is not None else "" for c in header]
        roles = roles_of(names)
        if not roles:
            continue
        books.names = roles.people
        cells = _Cells(roles, books, frozenset(("", *spec.null_values)))
        for row in rows:
            values = {n: c.value for n, c in zip(names, row, strict=False) if n}
            clean = cells.clean(values)
            for name, cell in zip(names, row, strict=False):
                if name and clean[name] != values[name]:
                    cell.value = clean[name]
        changed = changed or cells.has_changed
    if not changed:
        return None
    workbook.save(into)
    return books


class _Cells:
    """Cleans row by row."""

    def __init__(self, roles: Roles, book: PersonBook, nulls: frozenset[str]) -> None:
        self.roles, self.book, self.nulls = roles, book, nulls
        self.has_changed = False

    def clean(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row without its person."""
        out = dict(row)
        values = tuple(self._plain(row.get(c)) for c in self.roles.people)
        ref = self.book.ref(values) if values else ""
        for column in self.roles.people:
            if column in out and out[column] is not None:
                is_known = column == self.roles.buyer and bool(values[0])
                out[column] = ref if is_known else (out[column] if column == self.roles.buyer else None)
        for column in self.roles.masked:
            if isinstance(out.get(column), str):
                out[column] = self.roles.clean(out[column])
        self.has_changed = self.has_changed or out != row
        return out

    def _plain(self, value: Any) -> str:
        text = "" if value is None else str(value).strip()
        return "" if text in self.nulls else text


def _columns_of(path: Path) -> list[str]:
    """Return every key of the objects, in order of appearance."""
    columns: dict[str, None] = {}
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for line in lines:
            columns.update(dict.fromkeys(parsed(line) or {}))
    return list(columns)
