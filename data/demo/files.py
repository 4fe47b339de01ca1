"""Writing drop files: Parquet, CSV, gzip; the same frames give the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

__all__ = ["Dialect", "csv_bytes", "text_rows", "write_bytes", "write_parquet"]

_LOCAL = "%Y-%m-%d %H:%M:%S"
_UTC = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Dialect:
    """How one CSV file looks: byte-order mark, line ends (LF, CRLF or mixed), order of columns, a column too many."""

    has_bom: bool = False
    line_end: str = "LF"
    is_reversed: bool = False
    extra_column: str | None = None


def text_rows(frame: pl.DataFrame, *, is_utc: bool = False) -> tuple[list[str], list[list[str]]]:
    """Return header and rows as text; null is empty, instants are naive Shanghai time, or UTC with a Z."""
    columns = []
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.Datetime):
            at = pl.col(name) if is_utc else pl.col(name).dt.convert_time_zone("Asia/Shanghai")
            columns.append(at.dt.strftime(_UTC if is_utc else _LOCAL))
        else:
            columns.append(pl.col(name).cast(pl.String))
    text = frame.select(pl.col(c) for c in frame.columns).select(columns).fill_null("")
    return text.columns, [list(row) for row in text.rows()]


def csv_bytes(header: list[str], rows: list[list[str]], dialect: Dialect) -> bytes:
    """Return a CSV file; rows may be wider or narrower than the header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n" if dialect.line_end == "CRLF" else "\n")
    writer.writerow(header)
    writer.writerows(rows)
    content = text.getvalue()
    if dialect.line_end == "mixed":
        lines = content.split("\n")
        content = "".join(line + ("\r\n" if i % 3 else "\n") for i, line in enumerate(lines[:-1]))
    return content.encode("utf-8-sig" if dialect.has_bom else "utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, compressed where its name ends in ``.gz`` (no time stamp: same content, same bytes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content)


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """Write a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path, compression="zstd", compression_level=1)
