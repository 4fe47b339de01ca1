"""The working database of a home folder: the only module that opens DuckDB on it.

One private file with one writer. People and reports read published files, never this database. Every table that a
room writes holds the rows of one run; earlier runs are kept in ``published/``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from data.contracts import TABLES, Table, TableKind
from data.contracts.frames import arrow_schema
from data.errors import DataError, SourceError

__all__ = ["SCHEMA_VERSION", "Warehouse", "open_warehouse", "quoted"]

SCHEMA_VERSION = 1
"""Version of the tables' layout in ``warehouse.duckdb``; another version is rebuilt from landing."""

_LOCK_PATIENCE_SECONDS = 30.0
_LOCK_POLL_SECONDS = 0.5
_MEMORY_LIMIT = "6GB"  # beyond it DuckDB spills to the home's temp folder


def quoted(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class Warehouse:
    """A connection with the few operations that steps need. Made by :func:`open_warehouse`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def has(self, table: str) -> bool:
        """Return whether ``table`` exists, as a table or a view."""
        names = "select table_name from duckdb_tables() union all select view_name from duckdb_views()"
        return bool(self._rows(f"select 1 from ({names}) where table_name = ?", [table]))

    def columns(self, table: str) -> list[str]:
        """Return the names of the columns of ``table``, as it was written."""
        return [row[0] for row in self._rows(f"describe {quoted(table)}")]

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> None:
        """Run one statement."""
        self.connection.execute(sql, list(parameters or [])).fetchall()

    def arrow(self, sql: str, parameters: Sequence[Any] | None = None) -> pa.Table:
        """Return the rows of a query as Arrow."""
        relation = self.connection.sql(sql, params=list(parameters or []))
        return relation.to_arrow_table()

    def polars(self, sql: str, parameters: Sequence[Any] | None = None) -> pl.DataFrame:
        """Return the rows of a query as polars, money as ``Float64``."""
        frame = pl.from_arrow(self.arrow(sql, parameters))
        assert isinstance(frame, pl.DataFrame)
        return frame.with_columns(pl.selectors.decimal().cast(pl.Float64))

    def replace(self, table: Table, rows: pa.Table, run_date: date) -> int:
        """Replace ``table`` by ``rows`` (in the contract's shape), sorted by key, and return their number.

        Output tables get ``run_date`` as their first column. Counts are compared after the insert, for a scan of a
        frame must not lose a row.
        """
        order = ", ".join(quoted(k) for k in table.key)
        run_date_column = f"date '{run_date.isoformat()}' as run_date, " if table.kind is TableKind.OUTPUT else ""
        self.connection.register("incoming", rows)
        try:
            self.execute(
                f"create or replace table {quoted(table.name)} as "
                f"select {run_date_column}* from incoming order by {order}"
            )
        finally:
            self.connection.unregister("incoming")
        stored = int(self._rows(f"select count(*) from {quoted(table.name)}")[0][0])
        if stored != rows.num_rows:
            raise DataError(f"table {table.name}: {rows.num_rows} rows were written, {stored} arrived")
        self.mark(table.name, run_date)
        return stored

    def mark(self, table: str, run_date: date) -> None:
        """Remember that ``table`` holds the rows of the run for ``run_date``."""
        self.execute("delete from partitions where table_name = ?", [table])
        self.execute("insert into partitions values (?, ?)", [table, run_date])

    def holds(self, table: str) -> date | None:
        """Return the run date whose rows ``table`` holds, or None."""
        rows = self._rows("select run_date from partitions where table_name = ?", [table])
        return rows[0][0] if rows else None

    def create_empty(self, table: Table) -> None:
        """Create ``table`` with its columns and no rows, unless it exists."""
        if self.has(table.name):
            return
        self.connection.register("incoming", arrow_schema(table).empty_table())
        try:
            self.execute(f"create table {quoted(table.name)} as select * from incoming")
        finally:
            self.connection.unregister("incoming")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is written inside, or nothing of it."""
        self.execute("begin transaction")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.execute("commit")

    def _rows(self, sql: str, parameters: Sequence[Any] | None = None) -> list[Any]:
        return self.connection.execute(sql, list(parameters or [])).fetchall()


@contextmanager
def open_warehouse(home: Path, *, patience_seconds: float = _LOCK_PATIENCE_SECONDS) -> Iterator[Warehouse]:
    """Open ``warehouse.duckdb`` of a home folder for writing, and close it at the end.

    Raises:
        SourceError: another process holds the file (named in the message), or it was made by another version.
    """
    connection = _connect(home / "warehouse.duckdb", patience_seconds)
    try:
        _configure(connection, home)
        warehouse = Warehouse(connection)
        _prepare(warehouse)
        yield warehouse
    finally:
        connection.close()


def _connect(path: Path, patience_seconds: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.Error as error:
            if not isinstance(error, duckdb.IOException) or "lock" not in str(error).lower():
                raise SourceError(
                    f"cannot open {path}: {error}; `merchcast rebuild` makes it anew from landing"
                ) from error
            if time.monotonic() >= deadline:
                raise SourceError(
                    f"{path} is held by another process; wait for it or end it. DuckDB says: {error}"
                ) from error
        time.sleep(_LOCK_POLL_SECONDS)


def _configure(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    spill = home / ".tmp"
    spill.mkdir(parents=True, exist_ok=True)
    for statement in (
        "set enable_progress_bar = false",
        f"set memory_limit = '{_MEMORY_LIMIT}'",
        f"set temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'",
        "set timezone = 'UTC'",
    ):
        connection.execute(statement)


def _prepare(warehouse: Warehouse) -> None:
    warehouse.execute("create table if not exists schema_version (version integer)")
    warehouse.execute("create table if not exists partitions (table_name varchar, run_date date)")
    found = warehouse.connection.execute("select version from schema_version").fetchall()
    if not found:
        warehouse.execute("insert into schema_version values (?)", [SCHEMA_VERSION])
    elif found[0][0] != SCHEMA_VERSION:
        raise SourceError(
            f"warehouse.duckdb has schema version {found[0][0]}, this merchcast needs {SCHEMA_VERSION}: "
            "run `merchcast rebuild` to make it anew from landing"
        )
    for name in ("checks", "run_log"):
        warehouse.create_empty(TABLES[name])
