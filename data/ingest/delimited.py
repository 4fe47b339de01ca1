"""A landed CSV file, scanned and ready to be read by DuckDB: its header, its records, its bad ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data.ingest.encodings import Normalised, normalised
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.formats import FileFormat, content
from data.ingest.records import MAX_COLUMNS, MAX_RECORD_BYTES, RecordLimit, RecordScan, first_record, scan_records
from data.settings import SourceSettings

__all__ = ["STRETCH_BYTES", "Delimited", "Stretch", "prepared", "stretches_of"]

STRETCH_BYTES = 201_326_592  # [bytes] of text cast at a time: some 2 million rows, half a gigabyte of memory
_OTHER_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Stretch:
    """A part of a text that DuckDB reads at a time: ``size`` bytes of ``path`` from ``offset``; None: the whole file.

    ``good`` counts the records in it. A whole file that is the landed one begins with its header.
    """

    path: Path
    good: int
    offset: int = 0
    size: int | None = None
    has_header: bool = False


@dataclass(frozen=True)
class Delimited:
    """A CSV file as DuckDB is to read it: stretches of the landed file itself, or of a clean copy of its good records.

    ``work`` is a private folder for copies.
    """

    stretches: tuple[Stretch, ...]
    is_gzip: bool
    header: tuple[str, ...]
    delimiter: str
    scan: RecordScan
    changes: tuple[str, ...]
    work: Path

    @property
    def needs_strip(self) -> bool:
        """Whether a field may begin or end with white space."""
        return not (self.scan.is_tight and self.scan.is_ascii)


def prepared(
    path: Path, form: FileFormat, *, name: str, source: str, spec: SourceSettings, work: Path, wanted: frozenset[str]
) -> Delimited:
    """Return the scanned file.

    Args:
        path: the landed file.
        form: plain or gzip.
        name: under which it was delivered, for messages.
        source: of the file, for messages.
        spec: delimiter, quote and encoding as declared.
        work: private folder for a clean copy, made only where the file cannot be read as it is.
        wanted: source columns that a delivery must have; they tell the right delimiter from a wrong one.

    Raises:
        DeliveryRefused: for every fault that concerns the whole file.
    """
    found = Normalised()

    def text() -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            return content(path, form, name=name, source=source)

        return normalised(pieces, encoding=spec.encoding, name=name, source=source, found=found)

    try:
        header, delimiter = _header(text(), spec=spec, wanted=wanted, name=name, source=source)
        scan, offset = _scanned(text(), delimiter, spec.quote, len(header), None)
        if scan.is_cut_off:
            raise DeliveryRefused(
                Fault.TRUNCATED,
                f"the last record has {scan.bad[-1].width} of {len(header)} fields and no line end; deliver it again",
                source=source,
                file=name,
                line=scan.records,
            )
        is_gzip = form is FileFormat.CSV_GZIP
        is_plain = scan.is_plain and not found.changes
        if is_plain and scan.size <= STRETCH_BYTES:
            stretches: tuple[Stretch, ...] = (Stretch(path, scan.good, has_header=True),)
        elif is_plain and not is_gzip:
            stretches = stretches_of(path, scan, offset)
        else:
            copy = work / f"{path.name}.csv"
            with copy.open("wb") as file:
                again, _ = _scanned(text(), delimiter, spec.quote, len(header), file.write)
            stretches, is_gzip = stretches_of(copy, again, 0), False
    except RecordLimit as error:
        raise DeliveryRefused(Fault.LIMIT, str(error), source=source, file=name) from error
    return Delimited(stretches, is_gzip, header, delimiter, scan, tuple(sorted(found.changes)), work)


def stretches_of(path: Path, scan: RecordScan, offset: int) -> tuple[Stretch, ...]:
    """Return the stretches between the cuts of a scan; the text, without header, begins at ``offset`` of the file."""
    if offset == 0 and not scan.cuts:
        return (Stretch(path, scan.good),)
    ends = scan.cuts if scan.cuts and scan.cuts[-1][1] == scan.good else [*scan.cuts, (-1, scan.good)]
    found, at, good = [], 0, 0
    for end, good_there in ends:
        size = path.stat().st_size - offset - at if end < 0 else end - at
        found.append(Stretch(path, good_there - good, offset + at, size))
        at, good = end, good_there
    return tuple(found)


def _scanned(
    text: Iterator[bytes], delimiter: str, quote: str, width: int, emit: Callable[[bytes], object] | None
) -> tuple[RecordScan, int]:
    """Return the scan of what stands behind the header, and the offset of that."""
    head = _head(text)
    _, offset = first_record(head, delimiter=delimiter, quote=quote)
    rest = _chained(head[offset:], text)
    scan = scan_records(rest, delimiter=delimiter, quote=quote, width=width, emit=emit, stretch_bytes=STRETCH_BYTES)
    return scan, offset


def _chained(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from pieces


def _head(text: Iterator[bytes]) -> bytes:
    """Return the beginning of a text, with at least its first line."""
    head = b""
    for piece in text:
        head += piece
        if b"\n" in head or len(head) > MAX_RECORD_BYTES:
            break
    return head


def _header(
    text: Iterator[bytes], *, spec: SourceSettings, wanted: frozenset[str], name: str, source: str
) -> tuple[tuple[str, ...], str]:
    """Return the header's names and the delimiter: as declared, unless only another one shows the wanted columns."""
    head = _head(text)
    if not head.strip():
        raise DeliveryRefused(Fault.EMPTY_FILE, "expected a header, found nothing", source=source, file=name)
    if b"\n" not in head and len(head) > MAX_RECORD_BYTES:
        raise RecordLimit(f"a header of more than {MAX_RECORD_BYTES:,} bytes")
    candidates = [spec.delimiter, *(d for d in _OTHER_DELIMITERS if d != spec.delimiter)]
    read = {d: tuple(n.strip() for n in first_record(head, delimiter=d, quote=spec.quote)[0]) for d in candidates}
    fits = [d for d in candidates if wanted <= set(read[d])]
    delimiter = fits[0] if fits else spec.delimiter
    header = read[delimiter]
    if len(header) > MAX_COLUMNS:
        raise RecordLimit(f"{len(header):,} columns; at most {MAX_COLUMNS:,} are read")
    repeated = sorted({n for n in header if n and header.count(n) > 1})
    if repeated:
        raise DeliveryRefused(
            Fault.SCHEMA_DRIFT, f"the header states {repeated[:5]} more than once", source=source, file=name, line=1
        )
    return header, delimiter
