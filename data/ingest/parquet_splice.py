"""A Parquet file with some columns replaced, where it lies: the bytes of all others as they are, under a new footer.

The chunks that stay are known one by one, and all other bytes become zeros, so nothing of a replaced column is left; of
the old footer only what says where and how values lie is written anew: no statistics, no indexes, no filters, no
metadata. A file in which anything is not known here is not spliced: it is decoded and encoded as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from data.ingest.thrift import BINARY, I32, I64, LIST, STRUCT, Struct, ThriftError, dumped, loaded

__all__ = ["Footer", "read_footer", "spliced"]

_MAGIC = b"PAR1"
_TAIL_BYTES = 8  # length of the footer, magic
_COPY_BYTES = 4_194_304
_MAX_FOOTER_BYTES = 67_108_864
_WRITER = b"merchcast"

# Fields by their number in parquet.thrift. The schema's first element is the root; the others are flat columns here.
_VERSION, _SCHEMA, _ROWS, _GROUPS, _METADATA, _CREATED_BY = 1, 2, 3, 4, 5, 6
_FILE_FIELDS = {_VERSION, _SCHEMA, _ROWS, _GROUPS, _METADATA, _CREATED_BY, 7}  # 7: order of statistics
_TYPE, _REPETITION, _NAME, _CHILDREN = 1, 3, 4, 5
_ELEMENT_FIELDS = set(range(1, 11))
_CHUNKS, _UNPACKED, _GROUP_ROWS, _GROUP_PACKED, _ORDINAL = 1, 2, 3, 6, 7
_GROUP_FIELDS = {_CHUNKS, _UNPACKED, _GROUP_ROWS, 4, 5, _GROUP_PACKED, _ORDINAL}
_CHUNK_AT, _CHUNK_META = 2, 3
_CHUNK_FIELDS = {_CHUNK_AT, _CHUNK_META, 4, 5, 6, 7}  # 4-7: indexes of pages. Another file (1), keys (8, 9): not known
_ENCODINGS, _PATH, _CODEC, _VALUES, _SIZE, _PACKED, _DATA_AT, _WORDS_AT = 2, 3, 4, 5, 6, 7, 9, 11
_META_KEPT = {
    **dict.fromkeys((_TYPE, _CODEC), I32),
    **dict.fromkeys((_ENCODINGS, _PATH), LIST),
    **dict.fromkeys((_VALUES, _SIZE, _PACKED, _DATA_AT, _WORDS_AT), I64),
}
_META_FIELDS = {*_META_KEPT, 8, 12, 13, 14, 15, 16, 17}  # metadata, statistics, filters; pages of an index (10): not
_TYPES = (0, 1, 2, 3, 4, 5, 6, 7)
_REPEATED = 2
_KNOWN_CODECS = (0, 1, 2, 6, 7)  # none, Snappy, gzip, Zstandard, LZ4: read by Arrow and DuckDB alike
_KNOWN_ENCODINGS = (0, 2, 3, 4, 5, 6, 7, 8, 9)
_OLD_WRITERS = re.compile(rb"parquet-mr version (0|1[.][0-9])[.]|parquet-mr$")  # their sizes lack a header
_FEWEST_ROWS, _MOST_ROWS = 10_000, 2_000_000  # of a group on average, and at most


@dataclass(frozen=True)
class Chunk:
    """Where the values of one column of one group lie, and the fields that say how."""

    start: int
    size: int
    meta: Struct


@dataclass(frozen=True)
class Footer:
    """What a new footer needs of a file: its schema, and the rows and chunks of each group."""

    root: Struct
    columns: dict[str, Struct]
    rows: int
    groups: list[tuple[int, dict[str, Chunk]]]


def read_footer(path: Path) -> Footer | None:
    """Return the footer of a Parquet file that can be spliced, None where anything in it is not known here."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            end, data = _footer_bytes(file, size)
        return _understood(loaded(data), end)
    except (ThriftError, LookupError, TypeError, ValueError, AttributeError):
        return None  # nothing of what was found is what it should be


def _footer_bytes(file: BinaryIO, size: int) -> tuple[int, bytes]:
    """Return where the values of a file end, and its footer."""
    head = file.read(len(_MAGIC))
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little")
    end = size - _TAIL_BYTES - length
    if head != _MAGIC or tail[4:] != _MAGIC or end < len(_MAGIC) or length > _MAX_FOOTER_BYTES:
        raise ThriftError("no plain Parquet file")
    file.seek(end)
    return end, file.read(length)


def _understood(found: Struct, end: int) -> Footer | None:
    schema = found[_SCHEMA][1][1]
    root, elements = schema[0], schema[1:]
    names = [e[_NAME][1].decode() for e in elements]
    is_flat = root[_CHILDREN][1] == len(elements) == len(set(names)) and all(map(_is_flat, elements))
    created_by = found.get(_CREATED_BY, (BINARY, b""))[1]
    if not is_flat or not set(found) <= _FILE_FIELDS or _OLD_WRITERS.match(created_by):
        return None
    groups = [_group(g, names) for g in found[_GROUPS][1][1]]
    rows = sum(n for n, _ in groups)
    fits = all(0 < n <= _MOST_ROWS for n, _ in groups) and rows >= _FEWEST_ROWS * len(groups)
    if found[_ROWS][1] != rows or not groups or not fits:
        return None
    at = len(_MAGIC)
    for start, size in sorted((c.start, c.size) for _, chunks in groups for c in chunks.values()):
        if start < at or size <= 0:
            return None  # chunks that share bytes would take a replaced column's along
        at = start + size
    return Footer(root, dict(zip(names, elements, strict=True)), rows, groups) if at <= end else None


def _is_flat(element: Struct) -> bool:
    is_leaf = element.get(_CHILDREN, (I32, 0))[1] == 0 and element[_REPETITION][1] != _REPEATED
    return is_leaf and set(element) <= _ELEMENT_FIELDS and element[_TYPE][1] in _TYPES


def _group(group: Struct, names: list[str]) -> tuple[int, dict[str, Chunk]]:
    """Return the rows of a group and its chunks. Raises where it holds what is not known."""
    chunks = group[_CHUNKS][1][1]
    if not set(group) <= _GROUP_FIELDS or len(chunks) != len(names):
        raise ThriftError("a group that is not known here")
    return group[_GROUP_ROWS][1], {n: _chunk(c, n, group[_GROUP_ROWS][1]) for n, c in zip(names, chunks, strict=True)}


def _chunk(chunk: Struct, name: str, rows: int) -> Chunk:
    meta = chunk[_CHUNK_META][1]
    is_known = set(chunk) <= _CHUNK_FIELDS and set(meta) <= _META_FIELDS
    is_read = meta[_CODEC][1] in _KNOWN_CODECS and set(meta[_ENCODINGS][1][1]) <= set(_KNOWN_ENCODINGS)
    if not (is_known and is_read) or meta[_PATH][1][1] != [name.encode()] or meta[_VALUES][1] != rows:
        raise ThriftError("a chunk that is not known here")
    start, words = meta[_DATA_AT][1], meta.get(_WORDS_AT, (I64, 0))[1]
    kept = {n: meta[n] for n in _META_KEPT if n in meta}
    first, size = min(start, words) if words > 0 else start, meta[_PACKED][1]
    if any(kind != _META_KEPT[n] for n, (kind, _) in kept.items()) or max(start, words) >= first + size:
        raise ThriftError("a chunk that is not known here")
    return Chunk(first, size, kept)


def spliced(path: Path, footer: Footer, side: Path, *, said: Mapping[bytes, bytes]) -> bool:
    """Put the columns of ``side`` in place of those of ``path``, where it lies; return whether that was possible.

    What the new footer does not name is overwritten with zeros: the replaced columns, statistics, indexes, filters.

    Args:
        path: the file; where nothing was possible it is as it was.
        footer: of it.
        side: a file of the replaced columns, in the same groups.
        said: metadata of the file from now on.
    """
    other = read_footer(side)
    if other is None or [n for n, _ in other.groups] != [n for n, _ in footer.groups]:
        return False
    kept = [c for _, chunks in footer.groups for n, c in chunks.items() if n not in other.columns]
    with path.open("r+b") as target, side.open("rb") as source:
        end = _leave_only(target, kept)
        first, beyond = _stretch([c for _, chunks in other.groups for c in chunks.values()])
        _copy(source, first, beyond - first, target)
        groups = []
        for ordinal, ((rows, chunks), (_, others)) in enumerate(zip(footer.groups, other.groups, strict=True)):
            written = [_moved(others[n], end - first) if n in others else _moved(c, 0) for n, c in chunks.items()]
            groups.append(_written_group(written, rows, ordinal))
        words = [{1: (BINARY, k), 2: (BINARY, v)} for k, v in said.items()]
        data = dumped(
            {
                _VERSION: (I32, 2),
                _SCHEMA: (LIST, (STRUCT, [footer.root, *{**footer.columns, **other.columns}.values()])),
                _ROWS: (I64, footer.rows),
                _GROUPS: (LIST, (STRUCT, groups)),
                _METADATA: (LIST, (STRUCT, words)),
                _CREATED_BY: (BINARY, _WRITER),
            }
        )
        target.write(data + len(data).to_bytes(4, "little") + _MAGIC)
    return True


def _leave_only(target: BinaryIO, kept: list[Chunk]) -> int:
    """Overwrite with zeros what lies between some chunks and drop what lies behind them; return where they end."""
    at = len(_MAGIC)
    for chunk in sorted(kept, key=lambda c: c.start):
        target.seek(at)
        while at < chunk.start:
            at += target.write(bytes(min(_COPY_BYTES, chunk.start - at)))
        at = chunk.start + chunk.size
    target.truncate(at)
    target.seek(at)
    return at


def _stretch(chunks: list[Chunk]) -> tuple[int, int]:
    """Return where the first of some chunks begins and the last one ends."""
    return min(c.start for c in chunks), max(c.start + c.size for c in chunks)


def _written_group(written: list[Struct], rows: int, ordinal: int) -> Struct:
    """Return the part of the footer that tells of one group."""
    metas = [c[_CHUNK_META][1] for c in written]
    return {
        _CHUNKS: (LIST, (STRUCT, written)),
        _UNPACKED: (I64, sum(m[_SIZE][1] for m in metas)),
        _GROUP_ROWS: (I64, rows),
        _GROUP_PACKED: (I64, sum(m[_PACKED][1] for m in metas)),
        _ORDINAL: (4, ordinal),
    }


def _moved(chunk: Chunk, by: int) -> Struct:
    meta = dict(chunk.meta)
    for field in (_DATA_AT, _WORDS_AT):
        if field in meta and meta[field][1] > 0:
            meta[field] = (I64, meta[field][1] + by)
    return {_CHUNK_AT: (I64, 0), _CHUNK_META: (STRUCT, meta)}


def _copy(source: BinaryIO, start: int, size: int, target: BinaryIO) -> None:
    """Copy a stretch of a file. Raises ``OSError`` where it ends before."""
    source.seek(start)
    while size:
        piece = source.read(min(size, _COPY_BYTES))
        if not piece:
            raise OSError("it ends within its columns")
        target.write(piece)
        size -= len(piece)
