"""A landed CSV file, scanned and ready to be read by DuckDB: its header, its records, its bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.ingest.encodings import Normalised, normalised
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.formats import FileFormat, content
from data.ingest.records import MAX_COLUMNS, MAX_RECORD_BYTES, RecordLimit, RecordScan, first_record, scan_records
from data.settings import SourceSettings

__all__ = ["Delimited", "prepared"]

_OTHER_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Delimited:
    """A CSV file as DuckDB is to read it: ``path`` is the landed file itself, or a clean copy of its good records."""

    path: Path
    is_gzip: bool
    header: tuple[str, ...]
    delimiter: str
    scan: RecordScan
    changes: tuple[str, ...]


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
        scan = scan_records(
            _behind_header(text(), delimiter, spec.quote), delimiter=delimiter, quote=spec.quote, width=len(header)
        )
        if scan.is_cut_off:
            raise DeliveryRefused(
                Fault.TRUNCATED,
                f"the last record has {scan.bad[-1].width} of {len(header)} fields and no line end; deliver it again",
                source=source,
                file=name,
                line=scan.records,
            )
        if scan.is_plain and not found.changes:
            return Delimited(path, form is FileFormat.CSV_GZIP, header, delimiter, scan, ())
        copy = work / f"{path.name}.csv"
        with copy.open("wb") as file:
            file.write(b"header" + delimiter.encode() * (len(header) - 1) + b"\n")
            scan_records(
                _behind_header(text(), delimiter, spec.quote),
                delimiter=delimiter,
                quote=spec.quote,
                width=len(header),
                emit=file.write,
            )
    except RecordLimit as error:
        raise DeliveryRefused(Fault.LIMIT, str(error), source=source, file=name) from error
    return Delimited(copy, False, header, delimiter, scan, tuple(sorted(found.changes)))


def _header(
    text: Iterator[bytes], *, spec: SourceSettings, wanted: frozenset[str], name: str, source: str
) -> tuple[tuple[str, ...], str]:
    """Return the header's names and the delimiter: as declared, unless only another one shows the wanted columns."""
    head = b""
    for piece in text:
        head += piece
        if b"\n" in head or len(head) > MAX_RECORD_BYTES:
            break
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


def _behind_header(text: Iterator[bytes], delimiter: str, quote: str) -> Iterator[bytes]:
    head = b""
    for piece in text:
        head += piece
        if b"\n" in head or len(head) > MAX_RECORD_BYTES:
            break
    _, offset = first_record(head, delimiter=delimiter, quote=quote)
    if offset < len(head):
        yield head[offset:]
    yield from text
