"""The check of staging tables: all rows of a table that was made anew, the added ones of one that only grew.

What was found in order as a whole stays so while rows are only added: their own rules are asked of them alone, and
their keys are looked for among all rows.
"""

from __future__ import annotations

from functools import partial

import duckdb
import pyarrow as pa

from data.checks.results import CheckResult
from data.checks.runner import check_added, check_batches, check_large
from data.contracts import Table
from data.ingest.exchange import let_go
from data.warehouse import quoted

__all__ = ["staged_results"]

_SMALL_ROWS = 200_000  # of a table that is looked at as a whole whatever happened to it: it takes no time


def staged_results(
    connection: duckdb.DuckDBPyConnection,
    step: str,
    table: Table,
    *,
    written: str,
    rows: int,
    is_unique: bool = False,
) -> list[CheckResult]:
    """Return what the contract of the staging table ``table`` finds in it, in memory that does not grow with it.

    Args:
        connection: with the table.
        step: name of the step that writes.
        table: the contract.
        written: SQL for the rows that this run wrote, ``from ...``: all of them, or what was added.
        rows: of the whole table; at least one.
        is_unique: it is known already that no key comes twice.
    """
    connection.execute("create table if not exists found_in_order (table_name varchar, rows bigint)")
    results = None
    if rows >= _SMALL_ROWS and written != f"from {table.name}" and _was_in_order(connection, table):
        added = int(connection.execute(f"select count(*) {written}").fetchall()[0][0])
        if not _stands_twice(connection, table, written, added):
            batches = partial(_batches_of, connection, written)
            results = check_added(step, table, batches, rows_before=rows - added)
    if results is None:
        whole = partial(_batches_of, connection, f"from {table.name}")
        if rows < _SMALL_ROWS:
            results = check_batches(step, table, whole)
        else:
            results = check_large(step, table, connection, whole, is_unique=is_unique)
    connection.execute("delete from found_in_order where table_name = ?", [table.name])
    if all(r.status == "pass" for r in results):
        connection.execute("insert into found_in_order values (?, ?)", [table.name, rows])
    return results


def _was_in_order(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    return bool(connection.execute("select 1 from found_in_order where table_name = ?", [table.name]).fetchall())


def _stands_twice(connection: duckdb.DuckDBPyConnection, table: Table, written: str, added: int) -> bool:
    """Return whether the key of an added row stands in the table more than once."""
    on = " and ".join(f"s.{quoted(k)} = w.{quoted(k)}" for k in table.key)
    keys = ", ".join(quoted(k) for k in table.key)
    found = connection.execute(
        f"select count(*) from {table.name} s semi join (select {keys} {written}) w on {on}"
    ).fetchall()
    return int(found[0][0]) != added


def _batches_of(connection: duckdb.DuckDBPyConnection, rows: str) -> pa.RecordBatchReader:
    let_go(connection)
    return connection.sql(rows).to_arrow_reader()
