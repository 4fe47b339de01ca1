"""People taken out of Parquet: columns in, columns out, a batch of rows at a time.

A column of buyers is read twice: first alone, as codes and distinct words, so that each buyer is looked up once a
file; then its place in every batch is taken by the surrogates. Batches are written while the next ones are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.ingest.people import PersonBook, Roles
from data.ingest.plain_columns import PlainColumns, is_text, plain_footer

__all__ = ["split_parquet"]

_BATCH_ROWS = 122_880  # rows of one group that is written; DuckDB reads groups of this size best
_FEW_WORDS = 20_000
_LOOKED_AT = 16_384  # rows of a group that tell whether its words repeat
_DISTINCT_SHARE = 0.5  # of the first batch's values; beyond it a dictionary costs time and saves nothing


def split_parquet(
    path: Path, into: Path, roles_of: Callable[[Sequence[str]], Roles], *, tag: str, nulls: Sequence[str]
) -> PersonBook | None:
    """Write a Parquet file without people; return the people, None where there are none.

    Raises:
        pyarrow.ArrowException: it is not readable.
    """
    with pq.ParquetFile(path) as file:
        roles = roles_of(file.schema_arrow.names)
        if not roles:
            return None
        few = _columns_of_few_words(file, roles)
    with pq.ParquetFile(path, read_dictionary=few) as file:
        schema = _planning_schema(file.schema_arrow, roles)
        people = _People(path, roles, PersonBook(tag, roles.people), nulls)
        plain = PlainColumns(schema)
        with _Written(into, schema.remove_metadata(), plain) as written:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                rows = people.taken_out(pa.Table.from_batches([batch])).cast(schema)
                plain.add(rows)
                written.add(rows)
    return people.book if people.has_changed else None


def _columns_of_few_words(file: pq.ParquetFile, roles: Roles) -> list[str]:
    """Return the text columns that repeat some words: read, looked at and written as numbers of words.

    A reader of numbers hands out all words so far with every batch, so columns of many words are left out.
    """
    schema, groups = file.schema_arrow, file.metadata.num_row_groups
    names = [
        f.name
        for f in schema
        if pa.types.is_string(f.type) and f.name not in (*roles.people, *roles.masked) and "." not in f.name
    ]
    if not groups or not names or len(set(schema.names)) < len(schema.names):
        return []
    looked_at = [file.read_row_group(n, columns=names).slice(0, _LOOKED_AT) for n in {0, groups // 2, groups - 1}]
    rows = pa.concat_tables(looked_at)
    return [n for n in names if pc.count_distinct(rows[n]).as_py() <= min(_FEW_WORDS, rows.num_rows // 8)]


def _planning_schema(schema: pa.Schema, roles: Roles) -> pa.Schema:
    for column in (*roles.people, *roles.masked):
        if column in roles.people or is_text(schema.field(column).type):
            schema = schema.set(schema.get_field_index(column), pa.field(column, pa.string()))
    return schema


class _People:
    """Takes the people out of one batch after another."""

    def __init__(self, path: Path, roles: Roles, book: PersonBook, nulls: Sequence[str]) -> None:
        self.roles, self.book, self.nulls = roles, book, nulls
        self.has_changed = False
        self.codes: pa.ChunkedArray | None = None
        self.shown = pa.array([], pa.string())
        self.row = 0
        if roles.people and roles.people == (roles.buyer,):
            self.codes = _encoded(path, roles.people[0])
            self.shown = self._surrogates(self.codes)

    def taken_out(self, rows: pa.Table) -> pa.Table:
        """Return the next rows of the file without people."""
        if self.codes is not None:
            codes = self.codes.slice(self.row, rows.num_rows)
            column = pa.chunked_array([self.shown.take(c.indices) for c in codes.chunks], pa.string())
            at = rows.column_names.index(self.roles.people[0])
            rows = rows.set_column(at, self.roles.people[0], column)
        elif self.roles.people:
            rows = self._without_people(rows)
        self.row += rows.num_rows
        for column in self.roles.masked:
            rows = self._without_numbers(rows, column)
        return rows

    def _surrogates(self, codes: pa.ChunkedArray) -> pa.Array:
        """Return what stands in place of each buyer, by code."""
        words = codes.chunk(0).dictionary if codes.num_chunks else pa.array([], pa.string())
        shown = []
        for start in range(0, len(words), _BATCH_ROWS):
            some = words.slice(start, _BATCH_ROWS).to_pylist()
            shown.append(pa.array([self.book.ref((_plain(w, self.nulls),)) or None for w in some], pa.string()))
        self.has_changed = bool(self.book.numbers)
        return pa.chunked_array(shown, pa.string()).combine_chunks()

    def _without_people(self, rows: pa.Table) -> pa.Table:
        """Take out several columns that together name a person."""
        roles = self.roles
        codes = [_codes(rows[c], self.nulls) for c in roles.people]
        keys = np.stack([c for c, _ in codes], axis=1)
        distinct, row = np.unique(keys, axis=0, return_inverse=True)
        order = np.argsort(_first_rows(row.reshape(-1), len(distinct)), kind="stable")
        refs: list[str | None] = [None] * len(distinct)
        for i in order.tolist():
            values = tuple(words[code] for (_, words), code in zip(codes, distinct[i].tolist(), strict=True))
            refs[i] = self.book.ref(values) or None
            if roles.buyer and not values[0]:
                refs[i] = None
        shown = pa.array(refs, pa.string()).take(pa.array(row.reshape(-1)))
        self.has_changed = self.has_changed or any(r is not None for r in refs) or bool(roles.sealed)
        for column in roles.people:
            at = rows.column_names.index(column)
            rows = rows.set_column(at, column, shown if column == roles.buyer else pa.nulls(rows.num_rows, pa.string()))
        return rows

    def _without_numbers(self, rows: pa.Table, column: str) -> pa.Table:
        """Mask telephone numbers and e-mail addresses in a column of text."""
        if not is_text(rows.schema.field(column).type):
            return rows
        encoded = pc.dictionary_encode(rows[column].cast(pa.string())).combine_chunks()
        words = encoded.dictionary.to_pylist()
        clean = [None if w is None else self.roles.clean(w) for w in words]
        if clean == words:
            return rows
        self.has_changed = True
        return rows.set_column(
            rows.column_names.index(column), column, pa.array(clean, pa.string()).take(encoded.indices)
        )


def _plain(word: str | None, nulls: Sequence[str]) -> str:
    text = (word or "").strip()
    return "" if text in nulls else text


def _encoded(path: Path, column: str) -> pa.ChunkedArray:
    """Return a column as codes of distinct texts that are the same in all chunks.

    Each batch gets the words of its own rows: a reader that hands out dictionaries gives every batch all words so far,
    gigabytes of them where buyers are many.
    """
    with pq.ParquetFile(path) as file:
        parts = [
            pc.dictionary_encode(batch.column(0).cast(pa.string()))
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[column])
        ]
    return pa.chunked_array(parts, pa.dictionary(pa.int32(), pa.string())).unify_dictionaries()


def _codes(column: pa.ChunkedArray, nulls: Sequence[str]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return each row's value as a number, and the values; null is the blank one."""
    encoded = pc.dictionary_encode(pc.fill_null(column.cast(pa.string()), "")).combine_chunks()
    words = [w.strip() for w in encoded.dictionary.to_pylist()]
    return encoded.indices.to_numpy().astype(np.int64), ["" if w in nulls else w for w in words]


def _first_rows(row: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    first = np.full(n, len(row), dtype=np.int64)
    np.minimum.at(first, row, np.arange(len(row)))
    return first


class _Written:
    """Writes batches in a thread of its own, at most two behind."""

    def __init__(self, path: Path, schema: pa.Schema, plain: PlainColumns) -> None:
        self.path, self.schema, self.plain = path, schema, plain
        self.writer: pq.ParquetWriter | None = None
        self.pool = ThreadPoolExecutor(1)
        self.pending: list[Future[None]] = []

    def __enter__(self) -> _Written:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self.pending:
                self.pending.pop(0).result()
        finally:
            self.pool.shutdown(cancel_futures=True)
            if kind is None or self.writer is not None:
                writer = self._opened(self.schema.empty_table())
                writer.add_key_value_metadata(plain_footer(self.plain))
                writer.close()

    def add(self, rows: pa.Table) -> None:
        """Write ``rows`` behind those before."""
        while len(self.pending) > 1:
            self.pending.pop(0).result()
        self.pending.append(self.pool.submit(self._write, rows))

    def _write(self, rows: pa.Table) -> None:
        self._opened(rows).write_table(rows)

    def _opened(self, rows: pa.Table) -> pq.ParquetWriter:
        """Return the writer, opened when the first rows show which columns repeat themselves."""
        if self.writer is None:
            self.writer = pq.ParquetWriter(
                self.path, self.schema, compression="lz4", write_statistics=False, use_dictionary=list(_repeating(rows))
            )
        return self.writer


def _repeating(rows: pa.Table) -> Iterator[str]:
    for field in rows.schema:
        head = rows[field.name].slice(0, 10_000)
        if pa.types.is_dictionary(field.type):
            yield field.name
            continue
        is_plain = not (pa.types.is_nested(field.type) or pa.types.is_null(field.type))
        if not is_plain or pc.count_distinct(head).as_py() <= _DISTINCT_SHARE * len(head):
            yield field.name
