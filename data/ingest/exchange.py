"""Arrow in and out of a DuckDB connection whose last statement may not be read to its end."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from data.errors import DataError

__all__ = ["arrow_rows", "keep_rows", "let_go"]


def let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of what an earlier statement left unread; DuckDB 2.0 refuses to look at a frame before."""
    connection.execute("select 1").fetchall()


def arrow_rows(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return the rows of a query as Arrow."""
    let_go(connection)
    return connection.sql(query).to_arrow_table()


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
