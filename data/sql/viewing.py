"""Staging of sales that writes nothing: ``stg_<table>`` as a view over the raw rows.

Where every visible row counts (no key came twice, nothing is left out), the staged rows are the raw rows of the
deliveries in force up to D, and to copy them would take as long as to load them. As soon as two deliveries say
different things of one key, or rows wait for their product, the table is written (:mod:`data.sql.staging`).
"""

from __future__ import annotations

import duckdb

from data.contracts import DType, Table
from data.ingest.casting import literal
from data.ingest.store import raw_name
from data.ingest.zones import local_day_sql
from data.sql.appending import Staged, clashes, make_fresh
from data.warehouse import quoted

__all__ = ["drop_staged", "every_row_counts", "keep_business_dates", "stage_view"]

_VERDICTS = ("unknown_skus", "returned_twice")  # rows that the run leaves out


def keep_business_dates(connection: duckdb.DuckDBPyConnection, table: Table, zone: str) -> None:
    """Bring ``business_date`` of the raw rows to the shop's timezone, where it was another or none yet."""
    if table.name != "order_lines":
        return
    known = connection.execute("select zone from raw_zones where table_name = ?", [table.name]).fetchall()
    if known == [(zone,)]:
        return
    day = local_day_sql(zone, "ordered_at")
    connection.execute(f"update {raw_name(table)} set business_date = {day} where business_date is distinct from {day}")
    connection.execute("delete from raw_zones where table_name = ?", [table.name])
    connection.execute("insert into raw_zones values (?, ?)", [table.name, zone])


def every_row_counts(
    connection: duckdb.DuckDBPyConnection, table: Table, before: Staged | None, *, is_alone: bool, day: str
) -> bool:
    """Return whether all candidates are staged as they are.

    Args:
        connection: with the view ``candidates``.
        table: the input contract.
        before: what stands in the staging view, if anything of it does.
        is_alone: no two candidates share a key; asked only where nothing stands yet.
        day: SQL of the day on which a candidate ``c`` is known.
    """
    if not table.is_sales or table.known_at is not None or (before is not None and not before.is_view):
        return False
    for name in _VERDICTS:
        there = connection.execute("select 1 from duckdb_tables() where table_name = ?", [name]).fetchall()
        if there and connection.execute(f"select 1 from {name} limit 1").fetchall():
            return False
    if before is None:
        return is_alone
    make_fresh(connection, table, before, day=day)
    return not clashes(connection, table)


def stage_view(connection: duckdb.DuckDBPyConnection, table: Table, *, columns: str, known_on: str, until: str) -> None:
    """Lay the view ``stg_<table>`` over the raw rows.

    Args:
        connection: with the temporary tables ``visible`` and ``not_products``.
        table: the input contract.
        columns: SQL of the staging columns over a raw row ``w``.
        known_on: SQL of the day on which a raw row ``r`` of a delivery ``v`` is known.
        until: D as SQL.
    """
    name = literal(table.name)
    connection.execute(
        "create table if not exists staged_deliveries (table_name varchar, delivery_id bigint, source_name varchar, "
        "delay_days integer)"
    )
    connection.execute(f"delete from staged_deliveries where table_name = {name}")
    connection.execute(
        f"insert into staged_deliveries select table_name, delivery_id, source_name, delay_days from visible where "
        f"in_force and table_name = {name}"
    )
    there = connection.execute("select 1 from duckdb_tables() where table_name = 'not_products'").fetchall()
    source = "from not_products" if there else "select null::varchar as sku where false"
    connection.execute(f"create or replace table staged_non_products as {source}")
    assert table.business_date is not None
    kind = "timestamptz" if table.column(table.business_date).dtype is DType.TIMESTAMP else "date"
    coarse = f"r.{quoted(table.business_date)} < {kind} {until} + to_days(3)"  # skips whole row groups
    drop_staged(connection, table)
    connection.execute(
        f"create view stg_{table.name} as select {columns} from (select r.*, v.source_name from {raw_name(table)} r "
        f"join staged_deliveries v on v.delivery_id = r.delivery_id and v.table_name = {name} where {coarse} and "
        f"{known_on} <= date {until}) w"
    )


def drop_staged(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Drop ``stg_<table>``, table or view."""
    name = f"stg_{table.name}"
    for kind, found in (("view", "duckdb_views() where view_name"), ("table", "duckdb_tables() where table_name")):
        if connection.execute(f"select 1 from {found} = ?", [name]).fetchall():
            connection.execute(f"drop {kind} {name}")
