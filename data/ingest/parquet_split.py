"""People taken out of Parquet: columns in, columns out, a batch of rows at a time.

A column of buyers is read twice: first alone, as codes and distinct words, so that each buyer is looked up once a
file; then its place in every batch is taken by the surrogates. Batches are written while the next ones are read.

Of a large file only the columns that change are written; the bytes of all others are copied as they are
(:mod:`data.ingest.parquet_splice`), and their text is only looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.ingest.parquet_splice import Footer, read_footer, spliced
from data.ingest.people import PersonBook, Roles
from data.ingest.plain_columns import PlainColumns, are_plain_words, is_text, plain_footer

__all__ = ["PeopleTaken", "plain_word", "planning_schema", "split_parquet"]

_BATCH_ROWS = 122_880  # rows of one group that is written; DuckDB reads groups of this size best
SPLICED_BYTES = 4_194_304  # smaller files are written anew: it takes no time, and packs odd ones alike
_READERS = 2  # of the buyers
_FEW_WORDS = 20_000
_LOOKED_AT = 16_384  # rows of a group that tell whether its words repeat
_DISTINCT_SHARE = 0.5  # of the first batch's values; beyond it a dictionary costs time and saves nothing


def split_parquet(
    path: Path, into: Path, roles_of: Callable[[Sequence[str]], Roles], *, tag: str, nulls: Sequence[str]
) -> PersonBook | None:
    """Write a Parquet file without people; return the people, None where there are none.

    Args:
        path: a private copy of the file. Where there are people, it may become the one that is written.
        into: where the file without people is written.
        roles_of: says by the header who is meant by which column.
        tag: digest of the delivery.
        nulls: texts that mean nobody.

    Raises:
        pyarrow.ArrowException: it is not readable.
    """
    with pq.ParquetFile(path) as file:
        roles = roles_of(file.schema_arrow.names)
        if not roles:
            return None
        few = _columns_of_few_words(file, roles)
        schema = planning_schema(file.schema_arrow, roles)
    take = partial(PeopleTaken, path, roles, PersonBook(tag, roles.people), nulls)
    footer = read_footer(path) if path.stat().st_size >= SPLICED_BYTES else None
    if footer is not None:
        taken = _changed_columns(path, into, footer, take, PlainColumns(schema), roles=roles, few=few)
        if taken is not None:
            return taken.book if taken.has_changed else None
    people, plain = take(), PlainColumns(schema)
    with (
        pq.ParquetFile(path, read_dictionary=few) as file,
        _Written(into, schema.remove_metadata(), plain) as written,
    ):
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            rows = people.taken_out(pa.Table.from_batches([batch])).cast(schema)
            plain.add(rows)
            written.add(rows)
    return people.book if people.has_changed else None


def _changed_columns(
    path: Path,
    into: Path,
    footer: Footer,
    take: Callable[[], PeopleTaken],
    plain: PlainColumns,
    *,
    roles: Roles,
    few: Sequence[str],
) -> PeopleTaken | None:
    """Write the planning part with new chunks for the columns that people leave; None where that is not possible."""
    changing = [n for n in plain.words if n in roles.masked or n in roles.people]
    if set(footer.columns) != set(plain.names) or not set(roles.people) <= set(changing):
        return None
    others = [n for n in plain.words if n not in changing]
    plain.watch(_never_repeating(path, [n for n in others if n not in few]))
    side = into.with_suffix(".side")
    try:
        with ThreadPoolExecutor(1) as pool:
            looked_at = pool.submit(_look_at, path, others, plain, few)
            people = take()
            _write_changed(path, side, [rows for rows, _ in footer.groups], changing, people, plain)
            looked_at.result()
        if people.has_changed:
            if not spliced(path, footer, side, said=plain_footer(plain)):
                return None
            path.replace(into)
        return people
    finally:
        side.unlink(missing_ok=True)


def _never_repeating(path: Path, columns: list[str]) -> list[str]:
    """Return the columns that repeat no word in the first rows."""
    with pq.ParquetFile(path) as file:
        rows = next(file.iter_batches(batch_size=_LOOKED_AT, columns=columns)) if columns else pa.table({})
    return [n for n in columns if pc.count_distinct(rows.column(n).cast(pa.string())).as_py() == rows.num_rows]


def _look_at(path: Path, columns: list[str], plain: PlainColumns, few: Sequence[str]) -> None:
    with pq.ParquetFile(path, read_dictionary=few) as file:
        for rows in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns, use_threads=False) if columns else ():
            plain.add(rows)
    plain.compare()


def _write_changed(
    path: Path, side: Path, groups: Sequence[int], columns: list[str], people: PeopleTaken, plain: PlainColumns
) -> None:
    """Write the columns that change, in the groups of the file."""
    from data.ingest.exchange import written_behind  # here: the child that opens files needs no database

    schema = pa.schema([(c, pa.string()) for c in columns])
    are_many = len(people.shown) > _DISTINCT_SHARE * max(groups)
    repeating = [c for c in columns if not (are_many and c in people.roles.people)]
    with (
        pq.ParquetFile(path) as file,
        pq.ParquetWriter(side, schema, compression="lz4", write_statistics=False, use_dictionary=repeating) as writer,
        written_behind(partial(writer.write_table, row_group_size=max(groups))) as write,
    ):
        for group, rows in enumerate(groups):
            if people.codes is not None and len(columns) == 1:
                found = pa.table({columns[0]: pa.nulls(rows, pa.string())})
            else:
                found = file.read_row_group(group, columns=columns)
            found = people.taken_out(found).select(columns).cast(schema)
            plain.add(found)
            write(found)


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
    deltas = _deltas(file.metadata)
    names = [n for n in names if n not in deltas]
    if not names:
        return []
    looked_at = [file.read_row_group(n, columns=names).slice(0, _LOOKED_AT) for n in {0, groups // 2, groups - 1}]
    rows = pa.concat_tables(looked_at)
    return [n for n in names if pc.count_distinct(rows[n]).as_py() <= min(_FEW_WORDS, rows.num_rows // 8)]


def _deltas(footer: pq.FileMetaData) -> set[str]:
    """Return the columns packed in a way of which no numbers of words can be read."""
    chunks = (footer.row_group(g).column(c) for g in range(footer.num_row_groups) for c in range(footer.num_columns))
    return {c.path_in_schema for c in chunks if any("DELTA" in encoding for encoding in c.encodings)}


def planning_schema(schema: pa.Schema, roles: Roles) -> pa.Schema:
    """Return the schema of the planning part: who is meant is text there, whatever it was."""
    for column in (*roles.people, *roles.masked):
        if column in roles.people or is_text(schema.field(column).type):
            schema = schema.set(schema.get_field_index(column), pa.field(column, pa.string()))
    return schema


class PeopleTaken:
    """Takes the people out of one batch after another. ``path``: the file of all of them, None where rows stream in."""

    def __init__(self, path: Path | None, roles: Roles, book: PersonBook, nulls: Sequence[str]) -> None:
        self.roles, self.book, self.nulls = roles, book, nulls
        self.has_changed = False
        self.codes: pa.ChunkedArray | None = None
        self.shown = pa.array([], pa.string())
        self.row = 0
        if path is not None and roles.people and roles.people == (roles.buyer,):
            words, self.codes = _encoded(path, roles.people[0])
            self.shown = self._surrogates(words)

    def taken_out(self, rows: pa.Table) -> pa.Table:
        """Return the next rows of the file without people."""
        if self.codes is not None:
            codes = self.codes.slice(self.row, rows.num_rows)
            column = pa.chunked_array([self.shown.take(c) for c in codes.chunks], pa.string())
            at = rows.column_names.index(self.roles.people[0])
            rows = rows.set_column(at, self.roles.people[0], column)
        elif self.roles.people:
            rows = self._without_people(rows)
        self.row += rows.num_rows
        for column in self.roles.masked:
            rows = self.without_numbers(rows, column)
        return rows

    def _surrogates(self, words: pa.Array) -> pa.Array:
        """Return what stands in place of each buyer, by code."""
        if len(words) and are_plain_words(words, self.nulls):
            self.has_changed = True
            return self.book.numbered(words)
        shown = []
        for start in range(0, len(words), _BATCH_ROWS):
            some = words.slice(start, _BATCH_ROWS).to_pylist()
            shown.append(pa.array([self.book.ref((plain_word(w, self.nulls),)) or None for w in some], pa.string()))
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

    def without_numbers(self, rows: pa.Table, column: str) -> pa.Table:
        """Mask telephone numbers and e-mail addresses in a column of text, where the rows have it."""
        if column not in rows.column_names or not is_text(rows.schema.field(column).type):
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


def plain_word(word: str | None, nulls: Sequence[str]) -> str:
    """Return a person's value as it is looked up: stripped, blank where it means null."""
    text = (word or "").strip()
    return "" if text in nulls else text


def _encoded(path: Path, column: str) -> tuple[pa.Array, pa.ChunkedArray]:
    """Return the distinct texts of a column, in the order in which they first come, and each row's place among them.

    Both halves of the file are read at once, for the words of a shop's buyers fill more than the caches.
    """
    with pq.ParquetFile(path) as file:
        groups = range(file.num_row_groups)
    with ThreadPoolExecutor(_READERS) as pool:
        (words, codes), (others, after) = pool.map(
            partial(_encoded_groups, path, column), (groups[: len(groups) // 2], groups[len(groups) // 2 :])
        )
    known = pc.index_in(others, value_set=words)
    is_new = pc.is_null(known)
    place = known.fill_null(0).to_numpy(zero_copy_only=False).copy()
    new = is_new.to_numpy(zero_copy_only=False)
    place[new] = np.arange(len(words), len(words) + new.sum())
    moved = [pa.array(place, pa.int32()).take(chunk) for chunk in after]
    return pa.concat_arrays([words, others.filter(is_new)]), pa.chunked_array([*codes, *moved], pa.int32())


def _encoded_groups(path: Path, column: str, groups: Sequence[int]) -> tuple[pa.Array, list[pa.Array]]:
    """Return the distinct texts of some groups and the codes of their rows.

    Each batch gets the words of its own rows: a reader that hands out dictionaries gives every batch all words so far,
    gigabytes of them where buyers are many.
    """
    with pq.ParquetFile(path) as file:
        parts = [
            pc.dictionary_encode(batch.column(0).cast(pa.string()))
            for batch in file.iter_batches(
                batch_size=_BATCH_ROWS, row_groups=list(groups), columns=[column], use_threads=False
            )
        ]
    unified = pa.chunked_array(parts, pa.dictionary(pa.int32(), pa.string())).unify_dictionaries()
    words = unified.chunk(0).dictionary if unified.num_chunks else pa.array([], pa.string())
    return words, [chunk.indices for chunk in unified.chunks]


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


def is_view(dtype: pa.DataType) -> bool:
    """Return whether a column holds views of text or bytes, of which Arrow cannot tell how many differ."""
    return bool(pa.types.is_string_view(dtype) or pa.types.is_binary_view(dtype))


def _repeating(rows: pa.Table) -> Iterator[str]:
    for field in rows.schema:
        head = rows[field.name].slice(0, 10_000)
        if pa.types.is_dictionary(field.type):
            yield field.name
            continue
        is_plain = not (pa.types.is_nested(field.type) or pa.types.is_null(field.type) or is_view(field.type))
        if not is_plain or pc.count_distinct(head).as_py() <= _DISTINCT_SHARE * len(head):
            yield field.name
