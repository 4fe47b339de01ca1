"""Records that come as cells, of a workbook or of JSON lines, written as clean delimited text.

What is written takes the same road as any CSV: the same second count, limits, control characters and casts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data.ingest.delimited import STRETCH_BYTES, Delimited, Stretch, stretches_of
from data.ingest.faults import DeliveryRefused, Fault, Reason
from data.ingest.records import MAX_COLUMNS, BadRecord, RecordLimit, RecordScan, scan_records

__all__ = ["header_of_cells", "written"]

_CHUNK_BYTES = 4_194_304
_DELIMITER, _QUOTE = ",", '"'
_SPECIAL = (",", '"', "\n", "\r")


def header_of_cells(names: Sequence[str], *, source: str, file: str) -> tuple[str, ...]:
    """Return the column names. Raises ``DeliveryRefused`` where there are too many, none, or one comes twice."""
    if len(names) > MAX_COLUMNS:
        raise DeliveryRefused(
            Fault.LIMIT, f"{len(names):,} columns; at most {MAX_COLUMNS:,} are read", source=source, file=file
        )
    repeated = sorted({n for n in names if n and names.count(n) > 1})
    if repeated:
        raise DeliveryRefused(
            Fault.SCHEMA_DRIFT, f"the header states {repeated[:5]} more than once", source=source, file=file, line=1
        )
    if not any(names):
        raise DeliveryRefused(Fault.EMPTY_FILE, "expected a header, found nothing", source=source, file=file)
    return tuple(names)


def written(
    rows: Iterable[Sequence[str | None] | None],
    header: tuple[str, ...],
    path: Path,
    *,
    work: Path,
    name: str,
    source: str,
) -> Delimited:
    """Write rows to ``path`` and return the text they became; a row that is None could not be read at all.

    Raises:
        DeliveryRefused: ``LIMIT``.
    """
    unreadable: list[int] = []
    try:
        with path.open("wb") as file:
            scan = scan_records(
                _chunks(rows, unreadable),
                delimiter=_DELIMITER,
                quote=_QUOTE,
                width=len(header),
                emit=file.write,
                stretch_bytes=STRETCH_BYTES,
            )
    except RecordLimit as error:
        raise DeliveryRefused(Fault.LIMIT, str(error), source=source, file=name) from error
    merged = _with_unreadable(scan, unreadable)
    stretches = stretches_of(path, scan, 0) if scan.cuts else (Stretch(path, scan.good),)
    return Delimited(stretches, False, header, _DELIMITER, merged, (), work)


def _chunks(rows: Iterable[Sequence[str | None] | None], unreadable: list[int]) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    for number, row in enumerate(rows, start=1):
        if row is None:
            unreadable.append(number)
            continue
        line = _DELIMITER.join(_cell(value) for value in row)
        held.append(line or '""')  # a record whose one cell is empty is no blank line
        size += len(line)
        if size >= _CHUNK_BYTES:
            yield _encoded(held)
            held, size = [], 0
    if held:
        yield _encoded(held)


def _encoded(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", errors="replace")


def _cell(value: str | None) -> str:
    if not value:
        return ""
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if any(mark in value for mark in _SPECIAL):
        return _QUOTE + value.replace(_QUOTE, _QUOTE * 2) + _QUOTE
    return value


def _with_unreadable(scan: RecordScan, unreadable: list[int]) -> RecordScan:
    """Count the rows that could not be read among the records, and number the others as they were delivered."""
    if not unreadable:
        return scan
    # The n-th readable row stands behind as many unreadable ones as have a number below its own.
    before = [number - at for at, number in enumerate(unreadable, start=1)]
    shifted = [BadRecord(b.number + bisect_left(before, b.number), b.reason, b.width) for b in scan.bad]
    scan.bad = sorted(
        [*shifted, *(BadRecord(n, Reason.JSON_FORMAT, 0) for n in unreadable)], key=lambda record: record.number
    )
    scan.bad_count += len(unreadable)
    scan.records += len(unreadable)
    return scan
