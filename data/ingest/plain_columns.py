"""Text columns of Parquet that need no second look: nothing in them has to be stripped, masked out or refused.

The bytes of a whole batch are looked at at once, some gigabytes a second. DuckDB would look at every value of every
row, which takes longer than reading them. What is found of a planning part that the ingest wrote itself stands in the
footer of that file; no delivery can write there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = [
    "PlainColumns",
    "PlainFacts",
    "are_plain_words",
    "distinct_in_footer",
    "is_text",
    "means_no_null",
    "plain_footer",
    "plain_in_footer",
    "plain_in_rows",
]

_FOOTER_KEY = b"merchcast.plain"
_DISTINCT_KEY = b"merchcast.distinct"
_FIRST_VISIBLE, _VISIBLE = 33, 94  # of ASCII: from `!` to `~`
_MARKS = b"+.,"  # a number in a spreadsheet's notation has one of them
_LONGEST = 10_000  # [bytes] of one value; longer ones are looked at one by one
_SHORT = 8  # [bytes]: a value that means null is no longer
_MAX_WORDS = 100  # short values remembered of one column


PlainFacts = dict[str, tuple[int, tuple[str, ...]]]
"""Plain column -> number of its nulls, and its short words."""


def is_text(dtype: pa.DataType) -> bool:
    """Return whether a column holds text, plain or by numbers of words."""
    inner = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner))


class PlainColumns:
    """Collects, batch by batch, which text columns are plain, and the short words in them."""

    def __init__(self, schema: pa.Schema) -> None:
        self.names = names = schema.names
        self.words: dict[str, set[str]] = {
            f.name: set() for f in schema if is_text(f.type) and names.count(f.name) == 1
        }
        self.nulls: dict[str, int] = dict.fromkeys(self.words, 0)
        self.hashes: dict[str, list[npt.NDArray[np.uint64]]] = {}
        self.distinct: list[str] = []

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Look at the next rows, of some or all columns."""
        for name in set(self.words) & set(rows.schema.names):
            column = rows.column(rows.schema.get_field_index(name))
            for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
                self.nulls[name] += chunk.null_count
                values = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
                values = values.cast(pa.string()) if pa.types.is_string_view(values.type) else values
                if name in self.hashes:
                    self._hash(name, values)
                if not _is_plain(values) or not self._remembers(name, values):
                    del self.words[name]
                    break

    def _remembers(self, name: str, values: pa.Array) -> bool:
        """Remember the short words; false where there are too many."""
        shortest = pc.min(pc.binary_length(values)).as_py()
        if shortest is None or shortest > _SHORT:
            return True
        known = self.words[name]
        for word in pc.unique(values).to_pylist():
            if word is not None and len(word) <= _SHORT:
                known.add(word)
                if len(known) > _MAX_WORDS:
                    return False
        return True

    def watch(self, columns: Iterable[str]) -> None:
        """From the first row on look whether a word of some columns comes twice."""
        self.hashes = {name: [] for name in columns}

    def _hash(self, name: str, values: pa.Array) -> None:
        """Remember 8 bytes of each word."""
        import polars as pl  # here: the child that opens files never asks, and starts sooner without

        self.hashes[name].append(pl.Series(values).hash(seed=0).to_numpy())

    def compare(self) -> None:
        """Find ``distinct``, the watched columns that are plain and in which no two words are equal, nor null."""
        from data.ingest.exchange import sorted_numbers

        found = []
        for name, parts in self.hashes.items():
            if parts and name in self.words and not self.nulls[name]:
                hashes = sorted_numbers(np.concatenate(parts))
                found += [] if (hashes[1:] == hashes[:-1]).any() else [name]
        self.distinct = sorted(found)
        self.hashes = {}

    def found(self) -> PlainFacts:
        """Return the plain columns, each with its number of nulls and its short words."""
        return {name: (self.nulls[name], tuple(sorted(words))) for name, words in self.words.items()}


def _is_plain(values: pa.Array) -> bool:
    """Return whether all bytes are visible ASCII without the marks of numbers; a slice is judged by its own bytes."""
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return True
    kind = np.int64 if pa.types.is_large_string(values.type) else np.int32
    ends = np.frombuffer(offsets, dtype=kind)[values.offset : values.offset + len(values) + 1]
    text = np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]]
    if ((text - np.uint8(_FIRST_VISIBLE)) >= _VISIBLE).any() or any((text == mark).any() for mark in _MARKS):
        return False
    return int(np.diff(ends).max()) <= _LONGEST


def are_plain_words(words: pa.Array, nulls: Iterable[str]) -> bool:
    """Return whether each of some texts stands for itself: it is plain, not blank, and means no null."""
    if words.null_count or not _is_plain(words) or pc.min(pc.binary_length(words)).as_py() == 0:
        return False
    return not pc.any(pc.is_in(words, value_set=pa.array(list(nulls), words.type))).as_py()


def plain_footer(columns: PlainColumns) -> dict[bytes, bytes]:
    """Return what the footer of a planning part says of its columns."""
    said: dict[bytes, object] = {_FOOTER_KEY: columns.found(), _DISTINCT_KEY: columns.distinct}
    return {key: json.dumps(value, sort_keys=True).encode() for key, value in said.items()}


def distinct_in_footer(metadata: Mapping[bytes, bytes] | None) -> tuple[str, ...]:
    """Return the columns of a planning part in which no word comes twice, as far as its footer says."""
    return tuple(json.loads((metadata or {}).get(_DISTINCT_KEY, b"[]")))


def plain_in_footer(metadata: Mapping[bytes, bytes] | None) -> PlainFacts:
    """Return what the footer of a planning part says; nothing where it was written before footers said it."""
    said = json.loads((metadata or {}).get(_FOOTER_KEY, b"{}"))
    return {name: (int(nulls), tuple(words)) for name, (nulls, words) in said.items()}


def plain_in_rows(path: Path, *, only_text: bool) -> PlainFacts:
    """Return the plain columns of a Parquet file, decoded (all columns, or those of text) and validated to its end.

    Raises:
        pyarrow.ArrowException: it is not readable, or holds text that is no UTF-8.
    """
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        plain = PlainColumns(schema)
        columns = list(plain.words) if only_text else None
        for rows in file.iter_batches(batch_size=65_536, columns=columns, use_threads=False):
            rows.validate(full=True)
            plain.add(rows)
    return plain.found()


def means_no_null(words: Iterable[str], null_values: Iterable[str]) -> bool:
    """Return whether no value of a plain column means null, by the short words in it.

    >>> means_no_null(("app", "web"), ("NULL", "-"))
    True
    """
    meant = set(null_values)
    return "" not in set(words) and all(len(v.encode()) <= _SHORT for v in meant) and not meant & set(words)
