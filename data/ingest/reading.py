"""The records of a batch as delivered: DuckDB reads them, and a second reader must have counted the same.

Text is read as text and nothing else, with every option of the dialect pinned; the number of records and their order
are compared with :mod:`data.ingest.records`, file by file. Parquet row counts are compared with the footer as
pyarrow reads it.
"""

from __future__ import annotations

import re

import duckdb
import pyarrow as pa

from data.ingest.casting import literal
from data.ingest.deliveries import Batch, DeliveredFile
from data.ingest.exchange import keep_rows
from data.ingest.faults import DeliveryRefused, Fault
from data.warehouse import quoted

__all__ = ["delivered"]


def delivered(connection: duckdb.DuckDBPyConnection, batch: Batch) -> str:
    """Return SQL that yields ``delivery_id, row_number, landed_at`` and the source's taken columns, row by row."""
    if batch.first.text is None:
        return _delivered_parquet(connection, batch)
    return _delivered_text(connection, batch)


def _delivered_text(connection: duckdb.DuckDBPyConnection, batch: Batch) -> str:
    text = batch.first.text
    assert text is not None
    paths = [str(f.text.path) for f in batch.files if f.text is not None]
    names = [f"c{i}" for i in range(len(text.header))]
    taken = [names[text.header.index(s)] for s in batch.first.mapping.taken.values()] or names[:1]
    quote = literal(batch.first.spec.quote)
    columns = "{" + ", ".join(f"'{n}': 'VARCHAR'" for n in names) + "}"
    used = ", ".join(dict.fromkeys(taken))
    connection.execute(
        f"create or replace temp table delivered as select {used}, filename from read_csv("
        f"{_listed(paths)}, columns = {columns}, auto_detect = false, header = true, "
        f"delim = {literal(text.delimiter)}, quote = {quote}, escape = {quote}, compression = "
        f"'{'gzip' if text.is_gzip else 'none'}', filename = true, "
        "strict_mode = true, null_padding = false, ignore_errors = false, max_line_size = 8000000, "
        "new_line = '\\n', encoding = 'utf-8', parallel = true)"
    )
    starts = _compare_counts(connection, batch, dict(zip(paths, batch.files, strict=True)))
    rows = ", ".join(
        f"({f.delivery_id}, {literal(p)}, {start}, timestamptz '{f.sighting.landed_at.isoformat()}')"
        for f, p, start in zip(batch.files, paths, starts, strict=True)
    )
    files = f"(values {rows}) f(delivery_id, filename, start, landed_at)"
    number, gaps = "d.rowid - f.start + 1", ""
    if any(f.text is not None and f.text.scan.bad_count for f in batch.files):
        _store_gaps(connection, batch)
        gaps = " asof left join gaps g on g.delivery_id = f.delivery_id and d.rowid - f.start + 1 >= g.from_clean"
        number += " + coalesce(g.shift, 0)"
    return (
        f"select f.delivery_id, {number} as row_number, f.landed_at, d.* exclude (filename) "
        f"from delivered d join {files} using (filename){gaps}"
    )


def _listed(paths: list[str]) -> str:
    """Return SQL for a list of paths in which nothing is a wild card."""
    plain = [re.sub(r"([*?\[])", r"[\1]", p) for p in paths]
    return f"[{', '.join(literal(p) for p in plain)}]"


def _starts(batch: Batch, base: int) -> list[int]:
    """Return the row id at which each file begins; within a transaction ids count from a ``base`` far above zero."""
    starts, at = [], base
    for file in batch.files:
        starts.append(at)
        at += file.good
    return starts


def _compare_counts(connection: duckdb.DuckDBPyConnection, batch: Batch, files: dict[str, DeliveredFile]) -> list[int]:
    """Return the row id at which each file begins.

    DuckDB must have read exactly the records that the scan found, each file in one piece and in order.
    """
    rows = connection.execute(
        "select filename, count(*), min(rowid), max(rowid) from delivered group by filename"
    ).fetchall()
    found = {name: (count, low, high) for name, count, low, high in rows}
    starts = _starts(batch, min((low for _, low, _ in found.values()), default=0))
    for (path, file), start in zip(files.items(), starts, strict=True):
        expected = (file.good, start, start + file.good - 1) if file.good else (0, None, None)
        if found.get(path, (0, None, None)) != expected:
            raise DeliveryRefused(
                Fault.PARSER_DISAGREEMENT,
                f"one reader counts {file.good:,} sound records, the other {found.get(path, (0,))[0]:,}; "
                "check quotes and line ends",
                source=file.sighting.source,
                file=file.sighting.file_name,
            )
    return starts


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


def _delivered_parquet(connection: duckdb.DuckDBPyConnection, batch: Batch) -> str:
    taken = dict.fromkeys(batch.first.mapping.taken.values())
    names = {s: f"c{batch.first.header.index(s)}" for s in taken}
    columns = "".join(f", d.{quoted(s)} as {n}" for s, n in names.items())
    paths = [str(f.path) for f in batch.files]
    scan = f"read_parquet({_listed(paths)}, filename = true, file_row_number = true)"
    counts = dict(connection.execute(f"select filename, count(*) from {scan} group by filename").fetchall())
    for path, file in zip(paths, batch.files, strict=True):
        if counts.get(path, 0) != file.records:
            raise DeliveryRefused(
                Fault.PARSER_DISAGREEMENT,
                f"its footer counts {file.records:,} rows, reading it gives {counts.get(path, 0):,}",
                source=file.sighting.source,
                file=file.sighting.file_name,
            )
    if len(batch.files) == 1:
        only = batch.first
        arrived = f"timestamptz '{only.sighting.landed_at.isoformat()}'"
        return (
            f"select {only.delivery_id} as delivery_id, d.file_row_number + 1 as row_number, {arrived} as landed_at"
            f"{columns} from {scan} d"
        )
    rows = ", ".join(
        f"({f.delivery_id}, {literal(p)}, timestamptz '{f.sighting.landed_at.isoformat()}')"
        for f, p in zip(batch.files, paths, strict=True)
    )
    files = f"(values {rows}) f(delivery_id, filename, landed_at)"
    return (
        f"select f.delivery_id, d.file_row_number + 1 as row_number, f.landed_at{columns} "
        f"from {scan} d join {files} using (filename)"
    )
