"""A delivery without its people: the planning part that landing keeps, in the delivery's own format.

Records keep their number, their order and their faults: a record that is damaged, and whose fields nobody can tell
apart, becomes an empty one with the same damage. So what is counted, quarantined or refused is the same as it would be
for the delivery itself.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.contracts import Table
from data.ingest.encodings import Normalised, normalised
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.formats import FileFormat, content, file_format
from data.ingest.people import PersonBook, Roles, may_hold_people, roles_of
from data.ingest.privacy import masked
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
        file = pq.ParquetFile(path)
        roles = roles_of(table, spec, file.schema_arrow.names)
        if not roles:
            return None
        book, has_changed = PersonBook(tag, roles.people), False
        schema = file.schema_arrow
        for column in (*roles.people, *roles.masked):
            if column in roles.people or _is_text(schema.field(column).type):
                schema = schema.set(schema.get_field_index(column), pa.field(column, pa.string()))
        with pq.ParquetWriter(into, schema, compression="lz4") as writer:
            for n in range(file.num_row_groups):
                rows, changed = _split_frame(file.read_row_group(n), roles, book, nulls=spec.null_values)
                has_changed = has_changed or changed
                writer.write_table(rows.cast(schema))
    except (pa.ArrowException, OSError) as error:
        raise DeliveryRefused(
            Fault.FORMAT, f"not a readable Parquet file: {error}", source=source, file=name
        ) from error
    return book if has_changed else None


def _is_text(dtype: pa.DataType) -> bool:
    inner = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner))


def _split_frame(rows: pa.Table, roles: Roles, book: PersonBook, *, nulls: Sequence[str]) -> tuple[pa.Table, bool]:
    """Return rows without people, and whether anything was taken out."""
    changed = False
    if roles.people:
        codes = [_codes(rows[c], nulls) for c in roles.people]
        keys = np.stack([c for c, _ in codes], axis=1)
        distinct, row = np.unique(keys, axis=0, return_inverse=True)
        order = np.argsort(_first_rows(row.reshape(-1), len(distinct)), kind="stable")
        refs: list[str | None] = [None] * len(distinct)
        for i in order.tolist():
            values = tuple(words[code] for (_, words), code in zip(codes, distinct[i].tolist(), strict=True))
            refs[i] = book.ref(values) or None
            if roles.buyer and not values[0]:
                refs[i] = None
        shown = pa.array(refs, pa.string()).take(pa.array(row.reshape(-1)))
        changed = any(r is not None for r in refs) or bool(roles.sealed)
        for column in roles.people:
            at = rows.column_names.index(column)
            rows = rows.set_column(at, column, shown if column == roles.buyer else pa.nulls(rows.num_rows, pa.string()))
    for column in roles.masked:
        if _is_text(rows.schema.field(column).type):
            encoded = pc.dictionary_encode(rows[column].cast(pa.string())).combine_chunks()
            words = encoded.dictionary.to_pylist()
            clean = [None if w is None else masked(w) for w in words]
            if clean != words:
                changed = True
                column_now = pa.array(clean, pa.string()).take(encoded.indices)
                rows = rows.set_column(rows.column_names.index(column), column, column_now)
    return rows, changed


def _codes(column: pa.ChunkedArray, nulls: Sequence[str]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return each row's value as a number, and the values; null is the blank one."""
    encoded = pc.dictionary_encode(pc.fill_null(column.cast(pa.string()), "")).combine_chunks()
    words = [w.strip() for w in encoded.dictionary.to_pylist()]
    return encoded.indices.to_numpy().astype(np.int64), ["" if w in nulls else w for w in words]


def _first_rows(row: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    first = np.full(n, len(row), dtype=np.int64)
    np.minimum.at(first, row, np.arange(len(row)))
    return first


def split_cells(
    path: Path, into: Path, form: FileFormat, *, table: Table, spec: SourceSettings, tag: str
) -> PersonBook | None:
    """Split formats whose values stand cell by cell, JSON lines and workbooks: only in the process that opens files."""
    from data.ingest.cell_split import split_json_lines, split_workbook

    by_cell = split_workbook if form.value == "xlsx" else split_json_lines
    return by_cell(path, into, lambda header: roles_of(table, spec, header), tag=tag, spec=spec)
