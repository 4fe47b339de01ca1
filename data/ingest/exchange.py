"""Arrow in and out of a DuckDB connection whose last statement may not be read to its end, and into files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data.errors import DataError

__all__ = ["arrow_rows", "keep_rows", "let_go", "sorted_hashes", "sorted_numbers", "written_behind"]

_SORTED_IN_PLACE = 20_000_000  # hashes, beyond which a second array of them is felt beside what DuckDB holds


def let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of what an earlier statement left unread; DuckDB 2.0 refuses to look at a frame before."""
    connection.execute("select 1").fetchall()


def arrow_rows(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return the rows of a query as Arrow."""
    let_go(connection)
    return connection.sql(query).to_arrow_table()


def sorted_hashes(connection: duckdb.DuckDBPyConnection, columns: str, rows_sql: str) -> npt.NDArray[np.uint64]:
    """Return the sorted 64-bit hashes of some columns of all rows: 8 bytes a row, however many there are.

    Sorting them takes a tenth of the time and memory of grouping the values themselves.
    """
    let_go(connection)
    found = connection.execute(f"select count(*) {rows_sql}").fetchall()
    hashes = np.empty(int(found[0][0]), dtype=np.uint64)
    at = 0
    for batch in connection.sql(f"select hash({columns}) as hash {rows_sql}").to_arrow_reader():
        part = batch.column(0).to_numpy(zero_copy_only=False)
        hashes[at : at + len(part)] = part
        at += len(part)
    if at != len(hashes):
        raise DataError(f"{len(hashes):,} rows were counted, {at:,} were read {rows_sql}")
    if len(hashes) > _SORTED_IN_PLACE:
        hashes.sort()
        return hashes
    return sorted_numbers(hashes)


def sorted_numbers(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return numbers in their order: Polars takes half the time that NumPy does, but a second array."""
    return pl.Series(numbers).sort().to_numpy()


def keep_rows(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Make the temporary table ``name`` of ``rows``. Counts are compared: a scan of a frame must not lose a row."""
    let_go(connection)
    connection.register("incoming_rows", rows)
    try:
        connection.execute(f"create or replace temp table {name} as select * from incoming_rows").fetchall()
    finally:
        connection.unregister("incoming_rows")
    stored = connection.execute(f"select count(*) from {name}").fetchall()[0][0]
    if stored != rows.num_rows:
        raise DataError(f"temporary table {name}: {rows.num_rows} rows were written, {stored} arrived")


@contextmanager
def written_behind(write: Callable[[pa.Table], None]) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that writes rows in a thread of its own, at most two batches behind, in their order."""
    pending: list[Future[None]] = []

    def add(rows: pa.Table) -> None:
        while len(pending) > 1:
            pending.pop(0).result()
        pending.append(pool.submit(write, rows))

    with ThreadPoolExecutor(1) as pool:
        yield add
        for left in pending:
            left.result()
