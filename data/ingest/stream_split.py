"""People taken out of rows that stream in from a database: what is written is the planning part, at once.

The digest of what was delivered is taken of the batches as they came, so the delivery itself is never written down and
never read back. A surrogate holds a tag that has to be known before the first row: of files it is the delivery's
digest, here that of the source's name and of how many deliveries it brought before (`Pull.tag`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.ingest.parquet_split import PeopleTaken, plain_word, planning_schema
from data.ingest.people import PersonBook, Roles
from data.ingest.plain_columns import PlainColumns, are_plain_words, is_text, plain_footer
from data.ingest.sources import Parted

__all__ = ["StreamSplit"]

_LOOKED_AT = 16_384  # rows of the first batch that tell which columns repeat their words
_REPEATS = 8  # times that a word has to come again in them for a column to be written as numbers of words


class StreamSplit:
    """Writes the planning part of a stream, batch by batch."""

    def __init__(self, into: Path, schema: pa.Schema, roles: Roles, *, tag: str, nulls: Sequence[str]) -> None:
        self.into, self.roles, self.nulls = into, roles, nulls
        self.schema = planning_schema(schema, roles)
        self.book = PersonBook(tag, roles.people)
        self.people = PeopleTaken(None, roles, self.book, nulls)
        self.plain = PlainColumns(self.schema)
        self.digest = hashlib.sha256(schema.serialize())
        self.is_one_column = bool(roles.people) and roles.people == (roles.buyer,)
        self.repeating: list[str] | None = None
        self.writer: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table) -> None:
        """Take the next rows."""
        for column in rows.columns:
            self._digested(column)
        if not rows.num_rows:
            return
        rows = self._without_buyers(rows) if self.is_one_column else self.people.taken_out(rows)
        for name in self.roles.masked if self.is_one_column else ():
            rows = self.people.without_numbers(rows, name)
        rows = self._encoded(rows if self.is_one_column else rows.cast(self.schema))
        self.plain.add(rows)
        self._opened(rows.schema).write_table(rows)

    def parted(self) -> Parted:
        """Return whose delivery it was, and its digest. To be asked when all is written."""
        if self.is_one_column and self.book.numbers:
            self.book.numbered(pa.array(list(self.book.numbers), pa.string()))  # stripped when they were looked up
        return Parted(self.digest.hexdigest(), self.book)

    def close(self) -> None:
        """End the file."""
        writer = self._opened(self.schema)
        writer.add_key_value_metadata(plain_footer(self.plain))
        writer.close()

    def _without_buyers(self, rows: pa.Table) -> pa.Table:
        """Put surrogates in place of buyers, the only column that names a person: each is looked up once a batch."""
        at = rows.column_names.index(self.roles.people[0])
        column = rows.column(at).cast(pa.string()).combine_chunks().dictionary_encode()
        numbers = self._numbers(column.dictionary.to_pylist())
        texts = pa.array(numbers, pa.int64()).cast(pa.string())
        shown = pc.binary_join_element_wise(texts, self.book.surrogate_end, "")
        return rows.set_column(at, rows.column_names[at], pa.DictionaryArray.from_arrays(column.indices, shown))

    def _numbers(self, words: list[str]) -> list[int | None]:
        """Return the numbers of distinct buyers; a known one is known by the word as it came."""
        known = self.book.numbers
        numbers = list(map(known.get, words))
        new = [word for word, number in zip(words, numbers, strict=True) if number is None]
        if not new:
            return numbers
        if are_plain_words(pa.array(new, pa.string()), self.nulls):
            known.update(zip(new, count(len(known) + 1), strict=False))
            return list(map(known.get, words))
        return [
            self.book.number((plain_word(word, self.nulls),)) if number is None else number
            for word, number in zip(words, numbers, strict=True)
        ]

    def _digested(self, column: pa.ChunkedArray) -> None:
        """Take the bytes of a column into the digest, each buffer behind its size."""
        for chunk in column.chunks:
            self.digest.update(b"%d %d\n" % (len(chunk), chunk.offset))
            for buffer in chunk.buffers():
                self.digest.update(b"%d\n" % (-1 if buffer is None else buffer.size))
                self.digest.update(b"" if buffer is None else buffer)

    def _encoded(self, rows: pa.Table) -> pa.Table:
        """Turn text that repeats itself into numbers of words: looked at and written much sooner."""
        if self.repeating is None:
            self.repeating = list(_repeating(rows.slice(0, _LOOKED_AT), but=self.roles.people))
        for name in self.repeating:
            at = rows.column_names.index(name)
            if is_text(rows.schema.field(at).type):
                rows = rows.set_column(at, name, rows.column(at).dictionary_encode())
        return rows

    def _opened(self, schema: pa.Schema) -> pq.ParquetWriter:
        if self.writer is None:
            self.writer = pq.ParquetWriter(
                self.into,
                schema.remove_metadata(),
                compression="lz4",
                write_statistics=False,
                use_dictionary=[*(self.repeating or ()), *(self.roles.people if self.is_one_column else ())] or False,
            )
        return self.writer


def _repeating(rows: pa.Table, *, but: Sequence[str]) -> Iterator[str]:
    for field in rows.schema:
        is_plain = not (pa.types.is_nested(field.type) or pa.types.is_null(field.type))
        if is_plain and field.name not in but:
            words = pc.count_distinct(rows[field.name], mode="all").as_py()
            if words * _REPEATS <= rows.num_rows:
                yield field.name
