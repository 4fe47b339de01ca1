"""What a landed file is, judged by its bytes, and its decompressed content in pieces."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from data.ingest.faults import DeliveryRefused, Fault

__all__ = ["CHUNK_BYTES", "FileFormat", "content", "file_format"]

CHUNK_BYTES = 8_388_608  # [bytes] read and scanned at a time
MAX_EXPANSION = 200  # decompressed / compressed; text from shops compresses 4- to 50-fold, a bomb 1,000-fold
_MAX_WORKBOOK_BYTES = 1_000_000_000  # [bytes] unpacked; a million rows of 12 columns have some 400 million
_BOMB_FLOOR_BYTES = 4_194_304  # [bytes] smaller outputs harm nobody
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_PARQUET_MAGIC = b"PAR1"


class FileFormat(StrEnum):
    """Formats that are read."""

    CSV = "csv"
    CSV_GZIP = "csv.gz"
    PARQUET = "parquet"
    XLSX = "xlsx"
    JSON_LINES = "jsonl"
    JSON_LINES_GZIP = "jsonl.gz"

    @property
    def is_gzip(self) -> bool:
        """Whether the bytes are packed."""
        return self in (FileFormat.CSV_GZIP, FileFormat.JSON_LINES_GZIP)


_JSON_LINES = (FileFormat.JSON_LINES, FileFormat.JSON_LINES_GZIP)


def file_format(path: Path, *, name: str, source: str, declared: str | None = None) -> FileFormat:
    """Return the format of the landed file ``path`` that was delivered as ``name``.

    Raises:
        DeliveryRefused: ``EMPTY_FILE``, ``FORMAT`` (name and content disagree, or a format that is not read),
            ``TRUNCATED`` (a Parquet file without its end) or ``DECOMPRESSION_LIMIT``.
    """
    size = path.stat().st_size
    if size == 0:
        raise DeliveryRefused(
            Fault.EMPTY_FILE, "expected records, found 0 bytes; deliver it again", source=source, file=name
        )
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, size - 4))
        tail = file.read(4)
    wanted = _format_by_name(name, declared)
    if head.startswith(_ZIP_MAGIC):
        _refuse_zip(path, wanted, name=name, source=source)
        return FileFormat.XLSX
    found = _format_of(head)
    if wanted in _JSON_LINES and found.is_gzip == wanted.is_gzip and found is not FileFormat.PARQUET:
        return wanted
    if found is not wanted:
        raise DeliveryRefused(
            Fault.FORMAT,
            f"the name promises {wanted}, the content is {_described(head)}; name the file by what it holds",
            source=source,
            file=name,
        )
    if found is FileFormat.PARQUET and tail != _PARQUET_MAGIC:
        raise DeliveryRefused(Fault.TRUNCATED, "the end of the Parquet file is missing", source=source, file=name)
    return found


def content(path: Path, form: FileFormat, *, name: str, source: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of a CSV file in pieces.

    Raises:
        DeliveryRefused: ``TRUNCATED`` (broken or missing gzip trailer), ``FORMAT`` (gzip in gzip) or
            ``DECOMPRESSION_LIMIT``, before the piece that breaks the rule is handed out.
    """
    if not form.is_gzip:
        with path.open("rb") as plain:
            while piece := plain.read(CHUNK_BYTES):
                yield piece
        return
    yield from _unzipped(path, name=name, source=source)


def _unzipped(path: Path, *, name: str, source: str) -> Iterator[bytes]:
    out = 0
    with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
        while True:
            try:
                piece = unpacked.read(CHUNK_BYTES)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise DeliveryRefused(
                    Fault.TRUNCATED,
                    f"the gzip stream is broken after {out:,} bytes ({error}); deliver it again",
                    source=source,
                    file=name,
                ) from error
            if not piece:
                break
            if out == 0 and piece.startswith((_GZIP_MAGIC, _ZIP_MAGIC)):
                raise DeliveryRefused(Fault.FORMAT, "an archive within gzip; compress once", source=source, file=name)
            out += len(piece)
            if out > _BOMB_FLOOR_BYTES and out > MAX_EXPANSION * max(1, packed.tell()):
                raise DeliveryRefused(
                    Fault.DECOMPRESSION_LIMIT,
                    f"{packed.tell():,} bytes unpack to over {out:,}; at most {MAX_EXPANSION}-fold is read",
                    source=source,
                    file=name,
                )
            yield piece
    if out == 0:
        raise DeliveryRefused(
            Fault.EMPTY_FILE, "expected records, found 0 bytes; deliver it again", source=source, file=name
        )


def _format_of(head: bytes) -> FileFormat:
    if head.startswith(_GZIP_MAGIC):
        return FileFormat.CSV_GZIP
    if head == _PARQUET_MAGIC:
        return FileFormat.PARQUET
    return FileFormat.CSV


def _format_by_name(name: str, declared: str | None) -> FileFormat:
    lowered = name.lower()
    is_packed = lowered.endswith(".gz")
    plain = lowered.removesuffix(".gz")
    if declared == "jsonl" or (declared is None and plain.endswith((".jsonl", ".ndjson"))):
        return FileFormat.JSON_LINES_GZIP if is_packed else FileFormat.JSON_LINES
    if is_packed:
        return FileFormat.CSV_GZIP
    if declared == "parquet" or (declared is None and lowered.endswith((".parquet", ".pq"))):
        return FileFormat.PARQUET
    if declared == "xlsx" or (declared is None and lowered.endswith(".xlsx")):
        return FileFormat.XLSX
    return FileFormat.CSV


def _described(head: bytes) -> str:
    names = {FileFormat.CSV: "neither gzip, Parquet nor a workbook", FileFormat.CSV_GZIP: "gzip"}
    return names.get(_format_of(head), "Parquet")


def _refuse_zip(path: Path, wanted: FileFormat, *, name: str, source: str) -> None:
    """Refuse a zip archive that is no workbook, and any that is a bomb: by what it says it holds, unread.

    Unpacking stops at the size that the archive states for each part, so a false statement cannot hurt either.
    """
    packed = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DeliveryRefused(
            Fault.TRUNCATED if wanted is FileFormat.XLSX else Fault.FORMAT,
            f"not a whole archive: {error}; deliver it again",
            source=source,
            file=name,
        ) from error
    if unpacked > _BOMB_FLOOR_BYTES and (unpacked > MAX_EXPANSION * packed or unpacked > _MAX_WORKBOOK_BYTES):
        raise DeliveryRefused(
            Fault.DECOMPRESSION_LIMIT, f"{packed:,} bytes unpack to {unpacked:,}", source=source, file=name
        )
    if wanted is not FileFormat.XLSX or not any(m.filename == "xl/workbook.xml" for m in members):
        raise DeliveryRefused(
            Fault.FORMAT,
            f"the name promises {wanted}, the content is a zip archive; only XLSX workbooks are read, as .xlsx",
            source=source,
            file=name,
        )
