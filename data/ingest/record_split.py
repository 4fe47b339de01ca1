"""People taken out of delimited text: bytes in, bytes out, record by record, with NumPy where quotes allow it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.contracts import Table
from data.ingest.people import PersonBook, Roles
from data.ingest.records import MAX_COLUMNS, MAX_RECORD_BYTES, RecordLimit, first_record
from data.ingest.schema import required_in_source
from data.settings import SourceSettings

__all__ = ["RecordSplitter", "header_of"]

_LF, _TAB, _SPACE, _DEL = 10, 9, 32, 127
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_DELIMITERS = (",", ";", "\t", "|")
Positions = npt.NDArray[np.int64]


def header_of(pieces: Iterator[bytes], *, table: Table, spec: SourceSettings) -> tuple[list[str], str, bytes]:
    """Return the column names, the delimiter and the bytes of the header of a normalised text.

    The delimiter is the declared one, unless only another one shows the columns that must be there.
    """
    head = b""
    for piece in pieces:
        head += piece
        if b"\n" in head or len(head) > MAX_RECORD_BYTES:
            break
    if b"\n" not in head and len(head) > MAX_RECORD_BYTES:
        raise RecordLimit(f"a header of more than {MAX_RECORD_BYTES:,} bytes")
    wanted = set(required_in_source(table, spec).values())
    candidates = [spec.delimiter, *(d for d in _DELIMITERS if d != spec.delimiter)]
    read = {d: first_record(head, delimiter=d, quote=spec.quote) for d in candidates}
    names = {d: [n.strip() for n in fields] for d, (fields, _) in read.items()}
    delimiter = next((d for d in candidates if wanted <= set(names[d])), spec.delimiter)
    if len(names[delimiter]) > MAX_COLUMNS:
        raise RecordLimit(f"{len(names[delimiter]):,} columns; at most {MAX_COLUMNS:,} are read")
    return names[delimiter], delimiter, head[: read[delimiter][1]]


class RecordSplitter:
    """Takes the people out of the records behind a header."""

    def __init__(
        self,
        header: Sequence[str],
        roles: Roles,
        book: PersonBook,
        *,
        delimiter: str,
        quote: str,
        nulls: Iterable[str],
    ) -> None:
        self.width = len(header)
        self.delimiter, self.quote = delimiter.encode(), quote.encode()
        self.people = [header.index(c) for c in roles.people]
        self.masked = [header.index(c) for c in roles.masked]
        self.clean = roles.clean
        self.has_buyer = roles.buyer is not None
        self.nulls = frozenset(("", *nulls))
        self.book = book
        self.has_changed = False

    def run(self, pieces: Iterator[bytes], write: Callable[[bytes], object]) -> None:
        """Write what remains of the records in ``pieces``."""
        rest = b""
        for piece in pieces:
            text = rest + piece
            end = text.rfind(b"\n") + 1
            done = self._regular(text[:end]) if end else None
            if done is not None:
                write(done)
                rest = text[end:]
            else:
                rest = text[self._careful(text, write, is_last=False) :]
            if len(rest) > 2 * MAX_RECORD_BYTES:
                raise RecordLimit(f"a record of more than {MAX_RECORD_BYTES:,} bytes")
        if rest:
            tail: list[bytes] = []
            self._careful(rest + b"\n", tail.append, is_last=True)
            write(b"".join(tail).removesuffix(b"\n"))

    def _regular(self, text: bytes) -> bytes | None:
        """Return whole records without people; None where one of them needs care."""
        data = np.frombuffer(text, dtype=np.uint8)
        quotes = np.flatnonzero(data == self.quote[0]) if self.quote in text else None
        if quotes is not None and not self._quotes_are_regular(data, quotes):
            return None
        if ((data < _SPACE) & (data != _LF) & (data != _TAB)).any() or (data == _DEL).any():
            return None
        marks = np.flatnonzero((data == _LF) | (data == self.delimiter[0]))
        if quotes is not None:
            marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
        if len(marks) % self.width:
            return None
        grid = marks.reshape(-1, self.width)
        is_end = data[grid] == _LF
        if not is_end[:, -1].all() or is_end[:, :-1].any():
            return None
        before = np.concatenate(([-1], grid[:-1, -1]))
        starts = {k: (grid[:, k - 1] if k else before) + 1 for k in (*self.people, *self.masked)}
        fields = {k: _texts(data, starts[k], grid[:, k]) for k in starts}
        fresh = self._new_values(fields)
        return _replaced(data, starts, grid, fresh) if fresh else text

    def _quotes_are_regular(self, data: npt.NDArray[np.uint8], quotes: Positions) -> bool:
        """True where each quote opens a field at its beginning, closes it at its end, or stands doubled inside."""
        if len(quotes) % 2:
            return False
        opening, closing = quotes[0::2], quotes[1::2]
        doubled = np.concatenate(([False], opening[1:] - 1 == closing[:-1]))
        before = data[np.maximum(opening - 1, 0)]
        after = data[np.minimum(closing + 1, len(data) - 1)]
        opens = (opening == 0) | (before == self.delimiter[0]) | (before == _LF) | doubled
        closes = (after == self.delimiter[0]) | (after == _LF) | (after == self.quote[0])
        return bool(opens.all() and closes.all())

    def _new_values(self, fields: dict[int, pa.Array]) -> dict[int, pa.Array]:
        """Return the new values of the columns that change."""
        fresh: dict[int, pa.Array] = {}
        if len(self.people) == 1 and self.has_buyer:
            k = self.people[0]
            encoded = fields[k].dictionary_encode()
            words = [self._value(w) for w in encoded.dictionary.to_pylist()]
            refs = [self._ref(w).encode() for w in words]
            self.has_changed |= any(r != w.encode() for r, w in zip(refs, words, strict=True))
            fresh[k] = pa.array(refs, pa.binary()).take(encoded.indices)
        elif self.people:
            columns = [[self._value(w) for w in fields[k].to_pylist()] for k in self.people]
            shown = [self._refs(values)[0].encode() for values in zip(*columns, strict=True)]
            self.has_changed = True
            for n, k in enumerate(self.people):
                fresh[k] = pa.array(shown if n == 0 and self.has_buyer else [b""] * len(shown), pa.binary())
        for k in self.masked:
            encoded = fields[k].dictionary_encode()
            words = [self._value(w) for w in encoded.dictionary.to_pylist()]
            clean = [self.clean(w) for w in words]
            if clean != words:
                self.has_changed = True
                fresh[k] = pa.array([self._written(w) for w in clean], pa.binary()).take(encoded.indices)
        return fresh

    def _ref(self, value: str) -> str:
        plain = value.strip()
        return value if plain in self.nulls else self.book.ref((plain,))

    def _refs(self, values: Sequence[str]) -> list[str]:
        """Return what stands in the people's columns of one record."""
        plain = tuple("" if v.strip() in self.nulls else v.strip() for v in values)
        ref = self.book.ref(plain)
        first = (ref if plain[0] else values[0]) if self.has_buyer else ""
        return [first, *[""] * (len(values) - 1)]

    def _careful(self, text: bytes, write: Callable[[bytes], object], *, is_last: bool) -> int:
        """Split record by record; return the offset behind the last whole one."""
        at, out = 0, []
        while at < len(text):
            line_end = text.find(b"\n", at)
            if line_end < 0:
                break
            spans = _spans(text, at, self.delimiter, self.quote)
            is_open = spans is None or spans[-1][1] >= len(text)
            if is_open and not is_last and len(text) - at < MAX_RECORD_BYTES:
                break  # the quote may close, or the field go on, in the next piece
            if line_end == at:
                out.append(b"\n")
                at = line_end + 1
            elif spans is not None and len(spans) == self.width and _CONTROL.search(text, at, spans[-1][1]):
                out.append(b"\x07" + self.delimiter * (self.width - 1) + b"\n")
                self.has_changed = True
                at = spans[-1][1] + 1
            elif spans is None or len(spans) != self.width:
                end = line_end if spans is None else spans[-1][1]
                out.append(self._damaged(text[at:end], spans))
                self.has_changed = True
                at = end + 1
            else:
                out.append(self._record(text, at, spans))
                at = spans[-1][1] + 1
        write(b"".join(out))
        return at

    def _damaged(self, line: bytes, spans: list[tuple[int, int]] | None) -> bytes:
        """Return an empty record with the same damage: nobody can tell which of its fields names a person."""
        quote = self.quote
        if spans is None:
            return quote + b"x" + quote + b"x\n"
        if quote in line:
            return (self.delimiter * (len(spans) - 1) or b"x") + b"\n"
        kept = bytes(b for b in line if chr(b) in _DELIMITERS or b == self.delimiter[0])
        return (kept or b"x") + b"\n"

    def _record(self, text: bytes, at: int, spans: list[tuple[int, int]]) -> bytes:
        """Return one sound record without people."""
        values = {k: self._value(text[slice(*spans[k])]) for k in (*self.people, *self.masked)}
        fresh = {k: self.clean(values[k]) for k in self.masked}
        if self.people:
            fresh.update(zip(self.people, self._refs([values[k] for k in self.people]), strict=True))
        pieces, done = [], at
        for k in sorted(fresh):
            if fresh[k] != values[k]:
                self.has_changed = True
                start, end = spans[k]
                pieces += [text[done:start], self._written(fresh[k])]
                done = end
        return b"".join([*pieces, text[done : spans[-1][1] + 1]])

    def _value(self, raw: bytes) -> str:
        if raw.startswith(self.quote) and raw.endswith(self.quote) and len(raw) > 1:
            raw = raw[1:-1].replace(self.quote * 2, self.quote)
        return raw.decode("utf-8", "replace")

    def _written(self, value: str) -> bytes:
        raw = value.encode()
        if self.delimiter in raw or self.quote in raw or b"\n" in raw:
            return self.quote + raw.replace(self.quote, self.quote * 2) + self.quote
        return raw


def _texts(data: npt.NDArray[np.uint8], starts: Positions, ends: Positions) -> pa.Array:
    """Return the bytes between ``starts`` and ``ends`` as a binary array."""
    lengths = ends - starts
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    at = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    return pa.Array.from_buffers(
        pa.binary(), len(starts), [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data[at])]
    )


def _replaced(
    data: npt.NDArray[np.uint8], starts: dict[int, Positions], grid: Positions, fresh: dict[int, pa.Array]
) -> bytes:
    """Return the text with new values in some of its columns."""
    columns = sorted(fresh)
    begin = np.concatenate(([0], grid[:-1, -1] + 1))
    pieces: list[pa.Array] = []
    for k in columns:
        pieces += [_texts(data, begin, starts[k]), fresh[k]]
        begin = grid[:, k]
    pieces.append(_texts(data, begin, grid[:, -1] + 1))
    joined = pc.binary_join_element_wise(*pieces, b"")
    buffers = joined.buffers()
    return b"" if buffers[2] is None else buffers[2].to_pybytes()[: _total(joined)]


def _total(array: pa.Array) -> int:
    return int(np.frombuffer(array.buffers()[1], dtype=np.int32)[len(array)])


def _spans(text: bytes, at: int, delimiter: bytes, quote: bytes) -> list[tuple[int, int]] | None:
    """Return where the fields of the record at ``at`` begin and end; None where a quote does not close well."""
    spans = []
    while True:
        start = at
        if text[at : at + 1] == quote:
            closing = _closing_quote(text, at + 1, quote)
            if closing is None:
                return None
            at = closing + 1
            if at < len(text) and text[at] not in (delimiter[0], _LF):
                return None
        else:
            line, next_field = text.find(b"\n", at), text.find(delimiter, at)
            at = min((p for p in (line, next_field) if p >= 0), default=len(text))
        spans.append((start, at))
        if at >= len(text) or text[at] == _LF:
            return spans
        at += 1


def _closing_quote(text: bytes, at: int, quote: bytes) -> int | None:
    limit = at + MAX_RECORD_BYTES
    while True:
        found = text.find(quote, at, limit)
        if found < 0:
            return None
        if text[found + 1 : found + 2] != quote:
            return found
        at = found + 2
