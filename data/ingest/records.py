"""Where each record of a delimited text begins and ends, found without a CSV library.

DuckDB reads the values; this module counts the records independently, with NumPy on the bytes, and finds those that
no parser should be trusted with: wrong width, control characters, quotes that never close. It follows RFC 4180
(a quote opens a field only at its beginning, ``""`` is a quote inside) with two mercies: a quote in the middle of an
unquoted field is text (``MIRROR 5" ROUND``), and after a damaged record reading goes on at the next line.

Input is normalised text: UTF-8, line feeds only, no byte-order mark (:mod:`data.ingest.encodings`).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from data.ingest.faults import Reason

__all__ = ["MAX_COLUMNS", "MAX_FIELD_BYTES", "BadRecord", "RecordLimit", "RecordScan", "first_record", "scan_records"]

MAX_FIELD_BYTES = 262_144  # [bytes] a quarter of a million: longer than any text a shop sends, short of a bomb
MAX_COLUMNS = 1_000
MAX_BAD_RECORDS = 1_000_000  # each is named in the quarantine; so many are no damage but another format
MAX_RECORD_BYTES = 1_048_576  # [bytes] a quoted record that is longer never closed its quote
_LF, _QUOTE, _TAB, _DEL, _SPACE = 10, 34, 9, 127, 32
_OTHER_DELIMITERS = b",;\t|"

_IS_LF, _IS_DELIMITER, _IS_QUOTE, _IS_CONTROL = 1, 2, 3, 4  # what a byte is to the scan; 0: ordinary text

Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]


class RecordLimit(Exception):
    """A field or record is larger than any honest file has it."""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that goes to quarantine before anything reads its values. ``number`` counts from 1."""

    number: int
    reason: Reason
    width: int


@dataclass
class RecordScan:
    """What a scan found.

    ``records`` counts all of them, good and bad, the header not included. ``is_plain`` is true where the text can be
    given to a CSV reader as it is: no bad record, no blank line, no irregular quote. ``is_ascii`` and ``is_tight``
    (no field begins or ends with white space) spare the casts what they need not look for. ``cuts`` has the offset
    behind the text (or what was emitted of it), and the good records so far, for each stretch of ``stretch_bytes``.
    """

    width: int
    records: int = 0
    bad: list[BadRecord] = field(default_factory=list)
    bad_count: int = 0
    blank_lines: int = 0
    irregular_quotes: int = 0
    is_cut_off: bool = False
    is_ascii: bool = True
    is_tight: bool = True
    size: int = 0
    emitted: int = 0
    cuts: list[tuple[int, int]] = field(default_factory=list)
    drift: Counter[str] = field(default_factory=Counter)

    @property
    def is_plain(self) -> bool:
        """True where a CSV reader sees the same records."""
        return not (self.bad_count or self.blank_lines or self.irregular_quotes)

    @property
    def good(self) -> int:
        """Records that go on to be read."""
        return self.records - self.bad_count

    def add_bad(self, number: int, reason: Reason, raw: bytes, width: int) -> None:
        """Note a bad record and, where its fields are too many or too few, which other delimiter would explain it."""
        self.bad_count += 1
        if self.bad_count > MAX_BAD_RECORDS:
            raise RecordLimit(f"more than {MAX_BAD_RECORDS:,} damaged records")
        if reason is Reason.WIDTH:
            for other in _OTHER_DELIMITERS:
                if raw.count(other) + 1 == self.width:
                    self.drift[chr(other)] += 1
        self.bad.append(BadRecord(number, reason, width))

    def note_text(self, text: bytes, *, stretch_bytes: int) -> None:
        """Note what whole records that were just scanned are made of."""
        self.is_ascii = self.is_ascii and text.isascii()
        self.size += len(text)
        at = self.emitted or self.size
        if stretch_bytes and at - (self.cuts[-1][0] if self.cuts else 0) >= stretch_bytes:
            self.cuts.append((at, self.good))


def first_record(text: bytes, *, delimiter: str, quote: str) -> tuple[list[str], int]:
    r"""Return the fields of the first record and the offset behind it.

    >>> first_record(b'sku,"a,b"\n1,2\n', delimiter=",", quote='"')
    (['sku', 'a,b'], 10)
    """
    end = _record_end(text, 0, delimiter.encode(), quote.encode())
    stop = len(text) if end is None else end
    rows = list(csv.reader(io.StringIO(text[:stop].decode("utf-8"), newline=""), delimiter=delimiter, quotechar=quote))
    return (rows[0] if rows else []), stop


def scan_records(
    chunks: Iterator[bytes],
    *,
    delimiter: str,
    quote: str,
    width: int,
    emit: Callable[[bytes], object] | None = None,
    stretch_bytes: int = 0,
) -> RecordScan:
    """Return the records of a text whose header is already taken off.

    Args:
        chunks: the normalised text in pieces of any size.
        delimiter: one ASCII character.
        quote: one ASCII character.
        width: number of fields of the header.
        emit: called with the text of the good records, in order, each ended by a line feed and fit for any CSV
            reader; ``None`` where only the count is wanted.
        stretch_bytes: cut the text, between records, into stretches of about so many [bytes]; 0: not at all.

    Raises:
        RecordLimit: a field or record beyond the limits.
    """
    scan = RecordScan(width=width)

    def counted(text: bytes) -> None:
        scan.emitted += len(text)
        if emit is not None:
            emit(text)

    scanner = _Scanner(scan, delimiter.encode(), quote.encode(), None if emit is None else counted, stretch_bytes)
    rest = b""
    for chunk in chunks:
        rest = scanner.feed(rest + chunk if rest else chunk)
    scanner.finish(rest)
    return scan


class _Scanner:
    """Scans chunk by chunk; a chunk always begins at the beginning of a record."""

    def __init__(
        self,
        scan: RecordScan,
        delimiter: bytes,
        quote: bytes,
        emit: Callable[[bytes], object] | None,
        stretch_bytes: int = 0,
    ) -> None:
        self.scan = scan
        self.delimiter = delimiter
        self.quote = quote
        self.emit = emit
        self.stretch_bytes = stretch_bytes
        self.kinds = _kinds_of_bytes(delimiter, quote)

    def feed(self, text: bytes) -> bytes:
        """Scan the whole records in ``text``; return the unfinished rest."""
        end = self._regular(text)
        if end is None:
            self.scan.is_tight = False
            end = self._careful(text, is_last=False)
        self.scan.note_text(text if end == len(text) else text[:end], stretch_bytes=self.stretch_bytes)
        rest = text[end:]
        if len(rest) > 2 * MAX_RECORD_BYTES:
            raise RecordLimit(f"a record of more than {MAX_RECORD_BYTES:,} bytes")
        return rest

    def finish(self, rest: bytes) -> None:
        """Scan what stands behind the last line feed."""
        if not rest:
            return
        before = self.scan.records
        text = rest + b"\n"
        if self.quote in rest or self._regular(text) != len(text):
            self.scan.is_tight = False
            self._careful(text, is_last=True)
        self.scan.note_text(rest, stretch_bytes=self.stretch_bytes)
        last_is_bad = bool(self.scan.bad) and self.scan.bad[-1].number == self.scan.records
        narrow = last_is_bad and self.scan.bad[-1].width < self.scan.width
        self.scan.is_cut_off = self.scan.records > before and narrow and not rest.endswith(b"\n")

    def _regular(self, text: bytes) -> int | None:
        """Scan with NumPy; return the offset behind the last whole record, or None where quotes are irregular."""
        data = np.frombuffer(text, dtype=np.uint8)
        kinds = text.translate(self.kinds)
        marks = np.flatnonzero(np.frombuffer(kinds, dtype=np.bool_))
        kind = np.frombuffer(kinds, dtype=np.uint8)[marks]
        control = marks[kind == _IS_CONTROL]
        if self.quote in text:
            quotes = marks[kind == _IS_QUOTE]
            if not self._quotes_are_regular(data, quotes):
                return None
            marks = marks[(kind <= _IS_DELIMITER)]
            marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
            self.scan.is_tight = False
        elif len(control):
            marks = marks[kind <= _IS_DELIMITER]
        ends_at = np.flatnonzero(data[marks] == _LF)
        if not len(ends_at):
            return None if len(text) > MAX_RECORD_BYTES else 0
        ends = marks[ends_at]
        starts = np.concatenate(([0], ends[:-1] + 1))
        widths = np.diff(ends_at, prepend=-1)
        if len(text) > MAX_FIELD_BYTES and int((ends - starts).max()) > MAX_FIELD_BYTES:
            self._check_lengths(marks[: ends_at[-1] + 1])
        self._look_for_space(data, marks[: ends_at[-1] + 1])
        stop = int(ends[-1]) + 1
        if len(text) - stop > MAX_RECORD_BYTES:
            return None
        self._take(text[:stop], starts, ends, widths, control[control < stop])
        return stop

    def _quotes_are_regular(self, data: Bytes, quotes: Positions) -> bool:
        """True where each quote opens a field at its beginning, closes it at its end, or stands doubled inside."""
        opening, closing = quotes[0::2], quotes[1::2]
        before = data[np.maximum(opening - 1, 0)]
        doubled = np.zeros(len(opening), dtype=np.bool_)
        doubled[1:] = opening[1:] - 1 == closing[: len(opening) - 1]
        opens_well = (opening == 0) | (before == self.delimiter[0]) | (before == _LF) | doubled
        inner = closing[closing + 1 < len(data)]
        after = data[inner + 1]
        closes_well = (after == self.delimiter[0]) | (after == _LF) | (after == self.quote[0])
        return bool(opens_well.all() and closes_well.all())

    def _check_lengths(self, marks: Positions) -> None:
        longest = int(np.diff(marks, prepend=-1).max()) if len(marks) else 0
        if longest > MAX_FIELD_BYTES:
            raise RecordLimit(f"a field of {longest:,} bytes; at most {MAX_FIELD_BYTES:,} are read")

    def _look_for_space(self, data: Bytes, marks: Positions) -> None:
        """Note whether a field begins or ends with a space or tab."""
        if self.scan.is_tight and len(marks):
            before, after = data[marks - 1], data[np.minimum(marks + 1, len(data) - 1)]
            loose = (before == _SPACE) | (after == _SPACE)
            if self.delimiter[0] != _TAB:
                loose |= (before == _TAB) | (after == _TAB)
            self.scan.is_tight = not (bool(loose.any()) or data[0] in (_SPACE, _TAB))

    def _take(self, text: bytes, starts: Positions, ends: Positions, widths: Positions, control_at: Positions) -> None:
        """Count the records of a regular piece and emit the good ones."""
        blank = (ends == starts) & (widths == 1)
        wrong = (widths != self.scan.width) & ~blank
        control = np.zeros(len(starts), dtype=np.bool_)
        control[np.searchsorted(ends, control_at)] = True
        odd = wrong | blank | control
        if not odd.any():
            self.scan.records += len(starts)
            if self.emit is not None:
                self.emit(text)
            return
        numbers = self.scan.records + np.cumsum(~blank)
        keep_from = 0
        for index in np.flatnonzero(odd):
            start, end = int(starts[index]), int(ends[index])
            if self.emit is not None and start > keep_from:
                self.emit(text[keep_from:start])
            keep_from = end + 1
            if blank[index]:
                self.scan.blank_lines += 1
                continue
            reason = Reason.WIDTH if wrong[index] else Reason.CONTROL_CHAR
            self.scan.add_bad(int(numbers[index]), reason, text[start:end], int(widths[index]))
        if self.emit is not None and keep_from < len(text):
            self.emit(text[keep_from:])
        self.scan.records += int((~blank).sum())

    def _careful(self, text: bytes, *, is_last: bool) -> int:
        """Scan record by record; return the offset behind the last whole one."""
        at = 0
        while at < len(text):
            line_end = text.find(b"\n", at)
            if line_end < 0:
                break
            end = _record_end(text, at, self.delimiter, self.quote)
            if end is None and not is_last and len(text) - at < MAX_RECORD_BYTES:
                break  # the quote may close in the next chunk
            at = self._take_one(text, at, line_end + 1, end)
        return at

    def _take_one(self, text: bytes, at: int, line_end: int, end: int | None) -> int:
        """Take the record at ``at``; a damaged one is its first line only. Return the offset behind it."""
        line = text[at : line_end - 1]
        if not line:
            self.scan.blank_lines += 1
            return line_end
        self.scan.records += 1
        if end is None:
            self.scan.add_bad(self.scan.records, Reason.QUOTE, line, 0)
            return line_end
        record = text[at : end - 1]
        fields = _fields(record, self.delimiter, self.quote)
        if len(fields) != self.scan.width:
            reason = Reason.QUOTE if end != line_end else Reason.WIDTH
            self.scan.add_bad(self.scan.records, reason, line, len(fields))
            return line_end
        self._emit_one(record, fields)
        return end

    def _emit_one(self, record: bytes, fields: list[bytes]) -> None:
        if max(map(len, fields)) > MAX_FIELD_BYTES:
            raise RecordLimit(f"a field of more than {MAX_FIELD_BYTES:,} bytes")
        if any((b < _SPACE and b not in (_LF, _TAB)) or b == _DEL for b in record):
            self.scan.add_bad(self.scan.records, Reason.CONTROL_CHAR, record, len(fields))
            return
        strict = self.delimiter.join(_quoted(f, self.delimiter, self.quote) for f in fields)
        if strict != record:
            self.scan.irregular_quotes += 1
        if self.emit is not None:
            self.emit(strict + b"\n")


def _kinds_of_bytes(delimiter: bytes, quote: bytes) -> bytes:
    """Return the table that turns each byte into what it is to the scan."""
    kinds = bytearray(256)
    for byte in (*range(_SPACE), _DEL):
        kinds[byte] = _IS_CONTROL
    kinds[_TAB] = 0
    kinds[_LF], kinds[delimiter[0]], kinds[quote[0]] = _IS_LF, _IS_DELIMITER, _IS_QUOTE
    return bytes(kinds)


def _record_end(text: bytes, at: int, delimiter: bytes, quote: bytes) -> int | None:
    """Return the offset behind the record at ``at`` and its line feed; None where a quote does not close well."""
    while True:
        if text[at : at + 1] == quote:
            closing = _closing_quote(text, at + 1, quote)
            if closing is None:
                return None
            at = closing + 1
            if at >= len(text):
                return at
            if text[at] not in (delimiter[0], _LF):
                return None
        else:
            line, next_field = text.find(b"\n", at), text.find(delimiter, at)
            at = min((p for p in (line, next_field) if p >= 0), default=len(text))
        if at >= len(text):
            return at
        if text[at] == _LF:
            return at + 1
        at += 1


def _closing_quote(text: bytes, at: int, quote: bytes) -> int | None:
    """Return the offset of the quote that closes a field, skipping doubled ones."""
    limit = at + MAX_RECORD_BYTES
    while True:
        found = text.find(quote, at, limit)
        if found < 0:
            return None
        if text[found + 1 : found + 2] != quote:
            return found
        at = found + 2


def _fields(record: bytes, delimiter: bytes, quote: bytes) -> list[bytes]:
    """Split one sound record into its fields, unquoted."""
    fields: list[bytes] = []
    at = 0
    while True:
        if record[at : at + 1] == quote:
            closing = _closing_quote(record, at + 1, quote)
            end = len(record) if closing is None else closing
            fields.append(record[at + 1 : end].replace(quote * 2, quote))
            at = end + 1
        else:
            found = record.find(delimiter, at)
            end = len(record) if found < 0 else found
            fields.append(record[at:end])
            at = end
        if at >= len(record):
            return fields
        at += 1
        if at == len(record):
            fields.append(b"")
            return fields


def _quoted(value: bytes, delimiter: bytes, quote: bytes) -> bytes:
    if delimiter in value or quote in value or b"\n" in value:
        return quote + value.replace(quote, quote * 2) + quote
    return value
