"""A delivery without its people: the planning part that landing keeps, in the delivery's own format.

Records keep their number, their order and their faults: a record that is damaged, and whose fields nobody can tell
apart, becomes an empty one with the same damage. So what is counted, quarantined or refused is the same as it would be
for the delivery itself.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.contracts import Table
from data.ingest.encodings import Normalised, normalised
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.formats import FileFormat, content, file_format
from data.ingest.parquet_split import split_parquet
from data.ingest.people import PersonBook, may_hold_people, roles_of
from data.ingest.record_split import RecordSplitter, header_of
from data.ingest.records import RecordLimit
from data.settings import SourceSettings

__all__ = ["split", "split_cells"]

_GZIP_LEVEL = 1  # landing wants speed; the planning part is written once and read seldom
_UTF8_BOM = b"\xef\xbb\xbf"


def split(
    path: Path, into: Path, *, table: Table, spec: SourceSettings, name: str, source: str, tag: str
) -> PersonBook | None:
    """Write the planning part of a delivery and return its people; None where the delivery holds none.

    Args:
        path: the delivery.
        into: where the planning part is written.
        table: the input contract.
        spec: settings of the source.
        name: under which it was delivered, for messages.
        source: of the file, for messages.
        tag: digest of the delivery.

    Raises:
        DeliveryRefused: the delivery is not readable at all. Faults of its rows are found later, in what is kept.
    """
    if not may_hold_people(table):
        return None
    form = file_format(path, name=name, source=source, declared=spec.format)
    if form is FileFormat.PARQUET:
        return _split_parquet(path, into, table=table, spec=spec, name=name, source=source, tag=tag)
    if form in (FileFormat.CSV, FileFormat.CSV_GZIP):
        return _split_text(path, into, form, table=table, spec=spec, name=name, source=source, tag=tag)
    from data.ingest.child import SplitRequest, reading_child  # the child inspects by what stands in this module

    with reading_child() as child:
        return child.split(SplitRequest(path, into, form, table.name, spec, tag, name, source))


def _split_text(
    path: Path, into: Path, form: FileFormat, *, table: Table, spec: SourceSettings, name: str, source: str, tag: str
) -> PersonBook | None:
    found = Normalised()

    def text() -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            return content(path, form, name=name, source=source)

        return normalised(pieces, encoding=spec.encoding, name=name, source=source, found=found)

    try:
        header, delimiter, head = header_of(text(), table=table, spec=spec)
        roles = roles_of(table, spec, header)
        if not roles:
            return None
        book = PersonBook(tag, roles.people)
        splitter = RecordSplitter(header, roles, book, delimiter=delimiter, quote=spec.quote, nulls=spec.null_values)
        with into.open("wb") as plain, _Packed(plain, form) as write:
            if _was_changed(text, found):
                write(_UTF8_BOM)  # it says UTF-8 whatever the source declares, and that the text was changed
            write(head)
            splitter.run(_behind(text(), len(head)), write)
    except RecordLimit as error:
        raise DeliveryRefused(Fault.LIMIT, str(error), source=source, file=name) from error
    return book if splitter.has_changed else None


class _Packed:
    """Writes as the delivery was: plain, or gzip without a time stamp."""

    def __init__(self, file: Any, form: FileFormat) -> None:
        self.file = file
        is_gzip = form is FileFormat.CSV_GZIP
        self.gzip = gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) if is_gzip else None

    def __enter__(self) -> Callable[[bytes], object]:
        return self.gzip.write if self.gzip is not None else self.file.write

    def __exit__(self, *_: object) -> None:
        if self.gzip is not None:
            self.gzip.close()


def _was_changed(text: Callable[[], Iterator[bytes]], found: Normalised) -> bool:
    """Return whether the text has to be changed to be read: known only at its end, for line ends may turn up late."""
    for _ in text():
        pass
    return bool(found.changes)


def _behind(pieces: Iterator[bytes], offset: int) -> Iterator[bytes]:
    """Yield a text from ``offset`` on."""
    for piece in pieces:
        if offset >= len(piece):
            offset -= len(piece)
            continue
        yield piece[offset:]
        offset = 0


def _split_parquet(
    path: Path, into: Path, *, table: Table, spec: SourceSettings, name: str, source: str, tag: str
) -> PersonBook | None:
    try:
        return split_parquet(path, into, lambda header: roles_of(table, spec, header), tag=tag, nulls=spec.null_values)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DeliveryRefused(
            Fault.FORMAT, f"not a readable Parquet file: {error}", source=source, file=name
        ) from error


def split_cells(
    path: Path, into: Path, form: FileFormat, *, table: Table, spec: SourceSettings, tag: str
) -> PersonBook | None:
    """Split formats whose values stand cell by cell, JSON lines and workbooks: only in the process that opens files."""
    from data.ingest.cell_split import split_json_lines, split_workbook

    by_cell = split_workbook if form.value == "xlsx" else split_json_lines
    return by_cell(path, into, lambda header: roles_of(table, spec, header), tag=tag, spec=spec)
