"""The records of a batch as delivered: DuckDB reads them, and a second reader must have counted the same.

Text is read as text and nothing else, with every option of the dialect pinned; the number of records and their order
are compared with :mod:`data.ingest.records`, file by file. Parquet row counts are compared with the footer as
pyarrow reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from data.ingest.casting import literal
from data.ingest.delimited import Stretch
from data.ingest.deliveries import Batch, DeliveredFile
from data.ingest.exchange import keep_rows
from data.ingest.faults import DeliveryRefused, Fault
from data.warehouse import quoted

__all__ = ["delivered", "placed"]

_COPY_BYTES = 16_777_216


@contextmanager
def delivered(batch: Batch) -> Iterator[str]:
    """Yield SQL over the source's taken columns as ``c0, c1 ...``; ``filename`` too where there are several files."""
    if batch.first.text is None:
        yield _scan_of_parquet(batch)
        return
    stretches = [f.text.stretches[batch.part] for f in batch.files if f.text is not None]
    cut = [s for s in stretches if s.size is not None]
    if not cut:
        yield _scan_of_text(batch, [s.path for s in stretches], has_header=stretches[0].has_header)
        return
    copies = [batch.first.text.work / f"stretch-{number}" for number in range(len(stretches))]
    try:
        for stretch, copy in zip(stretches, copies, strict=True):
            _cut_out(stretch, copy)
        yield _scan_of_text(batch, copies, has_header=False)
    finally:
        for copy in copies:
            copy.unlink(missing_ok=True)


def _cut_out(stretch: Stretch, copy: Path) -> None:
    """Copy a stretch into a file of its own; it seldom leaves memory before it is removed again."""
    left = stretch.size or 0
    with stretch.path.open("rb") as source, copy.open("wb") as target:
        source.seek(stretch.offset)
        while left > 0 and (piece := source.read(min(left, _COPY_BYTES))):
            target.write(piece)
            left -= len(piece)


def _scan_of_text(batch: Batch, paths: list[Path], *, has_header: bool) -> str:
    text = batch.first.text
    assert text is not None
    names = [f"c{i}" for i in range(len(text.header))]
    taken = [names[text.header.index(s)] for s in batch.first.mapping.taken.values()] or names[:1]
    quote = literal(batch.first.spec.quote)
    columns = "{" + ", ".join(f"'{n}': 'VARCHAR'" for n in names) + "}"
    several = len(paths) > 1
    used = ", ".join([*dict.fromkeys(taken), *(["filename"] if several else [])])
    return (
        f"select {used} from read_csv({_listed(paths)}, columns = {columns}, auto_detect = false, "
        f"header = {str(has_header).lower()}, delim = {literal(text.delimiter)}, quote = {quote}, escape = {quote}, "
        f"compression = '{'gzip' if text.is_gzip else 'none'}', filename = {str(several).lower()}, "
        "strict_mode = true, null_padding = false, ignore_errors = false, max_line_size = 8000000, "
        "new_line = '\\n', encoding = 'utf-8', parallel = true)"
    )


def _listed(paths: list[Path]) -> str:
    """Return SQL for a list of paths in which nothing is a wild card."""
    plain = [re.sub(r"([*?\[])", r"[\1]", str(p)) for p in paths]
    return f"[{', '.join(literal(p) for p in plain)}]"


def _scan_of_parquet(batch: Batch) -> str:
    taken = dict.fromkeys(batch.first.mapping.taken.values())
    names = {s: f"c{batch.first.header.index(s)}" for s in taken}
    columns = "".join(f", d.{quoted(s)} as {n}" for s, n in names.items())
    several = len(batch.files) > 1
    scan = (
        f"read_parquet({_listed([f.path for f in batch.files])}, file_row_number = true, "
        f"filename = {str(several).lower()})"
    )
    part = ""
    if not batch.is_whole:
        last = batch.first_row + batch.good(batch.first) - 1
        part = f" where d.file_row_number between {batch.first_row} and {last}"
    return f"select d.file_row_number as row_at{', d.filename' if several else ''}{columns} from {scan} d{part}"


def placed(connection: duckdb.DuckDBPyConnection, batch: Batch) -> str:
    """Return SQL for the rows of ``cast_rows`` with ``delivery_id, row_number, landed_at`` in front.

    Raises:
        DeliveryRefused: ``PARSER_DISAGREEMENT``: DuckDB did not read the records that the other reader counted.
    """
    if batch.first.text is None:
        _compare_with_footers(connection, batch)
        starts, number = [0] * len(batch.files), "d.row_at + 1"
    else:
        starts, number = _compare_counts(connection, batch), f"d.rowid - f.start + 1 + {batch.first_row}"
    rows = ", ".join(
        f"({f.delivery_id}, {literal(p)}, {start}::bigint, timestamptz '{f.sighting.landed_at.isoformat()}')"
        for f, p, start in zip(batch.files, _names(batch), starts, strict=True)
    )
    files = f"(values {rows}) f(delivery_id, filename, start, landed_at)"
    if len(batch.files) == 1:
        only = batch.first
        number = number.replace("f.start", str(starts[0]))
        files = ""
        place = f"{only.delivery_id}::bigint as delivery_id"
        arrived = f"timestamptz '{only.sighting.landed_at.isoformat()}'"
    else:
        files = f" join {files} using (filename)"
        place, arrived = "f.delivery_id", "f.landed_at"
    if not any(f.text is not None and f.text.scan.bad_count for f in batch.files):
        return f"select {place}, {number} as row_number, {arrived} as landed_at, d.* from cast_rows d{files}"
    _store_gaps(connection, batch)
    inner = f"select {place}, {number} as clean_number, {arrived} as landed_at, d.* from cast_rows d{files}"
    return (
        "select p.delivery_id, p.clean_number + coalesce(g.shift, 0) as row_number, p.* exclude (delivery_id, "
        f"clean_number) from ({inner}) p asof left join gaps g on g.delivery_id = p.delivery_id and p.clean_number >= "
        "g.from_clean"
    )


def _names(batch: Batch) -> list[str]:
    """Return the file names as DuckDB reports them."""
    if batch.first.text is None:
        return [str(f.path) for f in batch.files]
    stretches = [f.text.stretches[batch.part] for f in batch.files if f.text is not None]
    work = batch.first.text.work
    return [str(s.path if s.size is None else work / f"stretch-{n}") for n, s in enumerate(stretches)]


def _compare_with_footers(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    if batch.part:
        return
    scan = f"read_parquet({_listed([f.path for f in batch.files])}, filename = true)"
    counts = dict(connection.execute(f"select filename, count(*) from {scan} group by filename").fetchall())
    for path, file in zip(_names(batch), batch.files, strict=True):
        if counts.get(path, 0) != file.records:
            raise _disagreement(
                file, f"its footer counts {file.records:,} rows, reading it gives {counts.get(path, 0):,}"
            )


def _compare_counts(connection: duckdb.DuckDBPyConnection, batch: Batch) -> list[int]:
    """Return the row id at which each file begins.

    DuckDB must have read exactly the records that the scan found, each file in one piece and in order. Within a
    transaction row ids count from a base far above zero.
    """
    name = "filename" if len(batch.files) > 1 else literal(_names(batch)[0])
    rows = connection.execute(
        f"select {name}, count(*), min(rowid), max(rowid) from cast_rows group by all having count(*) > 0"
    ).fetchall()
    found = {name: (count, low, high) for name, count, low, high in rows}
    at = min((low for _, low, _ in found.values()), default=0)
    starts = []
    for path, file in zip(_names(batch), batch.files, strict=True):
        good = batch.good(file)
        expected = (good, at, at + good - 1) if good else (0, None, None)
        if found.get(path, (0, None, None)) != expected:
            raise _disagreement(
                file,
                f"one reader counts {good:,} sound records, the other {found.get(path, (0,))[0]:,}; "
                "check quotes and line ends",
            )
        starts.append(at)
        at += good
    return starts


def _disagreement(file: DeliveredFile, message: str) -> DeliveryRefused:
    s = file.sighting
    return DeliveryRefused(Fault.PARSER_DISAGREEMENT, message, source=s.source, file=s.file_name)


def _store_gaps(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Bad records are missing in the clean copies: remember by how much the numbers behind them shift."""
    rows = []
    for file in batch.files:
        bad = [] if file.text is None else file.text.scan.bad
        for shift, record in enumerate(bad, start=1):
            rows.append((file.delivery_id, record.number - shift + 1, shift))
    last = {(delivery_id, clean): shift for delivery_id, clean, shift in rows}
    arrow = pa.table(
        {
            "delivery_id": pa.array([k[0] for k in last], pa.int64()),
            "from_clean": pa.array([k[1] for k in last], pa.int64()),
            "shift": pa.array(list(last.values()), pa.int64()),
        }
    )
    keep_rows(connection, "gaps", arrow)
