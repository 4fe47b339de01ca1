"""Staging of sales that writes nothing: ``stg_<table>`` as a view over the raw rows.

Where every visible row counts (no key came twice, nothing is left out), the staged rows are the raw rows of the
deliveries in force up to D, and to copy them would take as long as to load them. As soon as two deliveries say
different things of one key, or rows wait for their product, the table is written (:mod:`data.sql.staging`).
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from data.contracts import Table
from data.ingest.casting import literal
from data.ingest.store import among_deliveries, raw_name
from data.ingest.zones import local_day_sql
from data.sql.appending import Staged, clashes, make_fresh

__all__ = ["drop_staged", "every_row_counts", "is_unique_as_it_came", "keep_business_dates", "stage_view"]

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
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    before: Staged | None,
    *,
    is_alone: bool,
    day: str,
    rest_days: int,
) -> bool:
    """Return whether all candidates are staged as they are.

    Args:
        connection: with the view ``candidates``.
        table: the input contract.
        before: what stands in the staging view, if anything of it does.
        is_alone: no two candidates share a key; asked only where nothing stands yet.
        day: SQL of the business date of a candidate ``c``.
        rest_days: so long after it the candidate's period is over [days].
    """
    if not table.is_sales or table.known_at is not None or (before is not None and not before.is_view):
        return False
    for name in _VERDICTS:
        there = connection.execute("select 1 from duckdb_tables() where table_name = ?", [name]).fetchall()
        if there and connection.execute(f"select 1 from {name} limit 1").fetchall():
            return False
    if before is None:
        return is_alone
    make_fresh(connection, table, before, day=day, rest_days=rest_days)
    return not clashes(connection, table)


def stage_view(connection: duckdb.DuckDBPyConnection, table: Table, *, columns: str, day: str, until: date) -> None:
    """Lay the view ``stg_<table>`` over the raw rows.

    Deliveries and days stand in it as constants: what a reader asks is then answered without a join, and row groups
    that it does not concern are skipped.

    Args:
        connection: with the temporary tables ``visible`` and ``not_products``.
        table: the input contract.
        columns: SQL of the staging columns over a raw row ``w``.
        day: SQL of the business date of a raw row ``r``.
        until: last such day that is known on D where a source has no delay.
    """
    there = connection.execute("select 1 from duckdb_tables() where table_name = 'not_products'").fetchall()
    source = "from not_products" if there else "select null::varchar as sku where false"
    connection.execute(f"create or replace table staged_non_products as {source}")
    groups = connection.execute(
        "select source_name, delay_days, list(delivery_id order by delivery_id) from visible where in_force and "
        "table_name = ? group by all order by all",
        [table.name],
    ).fetchall() or [("", 0, [])]
    rows = " union all ".join(
        f"select r.*, {literal(source_name)} as source_name from {raw_name(table)} r where "
        f"{among_deliveries(connection, table, ids)} and {day} <= date '{until - timedelta(days=delay_days)}'"
        for source_name, delay_days, ids in groups
    )
    drop_staged(connection, table)
    connection.execute(f"create view stg_{table.name} as select {columns} from ({rows}) w")


def is_unique_as_it_came(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Return whether ``stg_<table>`` shows one delivery, and that was found never to repeat a key as it arrived."""
    if not table.is_sales:
        return False
    rows = connection.execute(
        "select 1 from stage_state s join never_repeating n on s.deliveries = [n.delivery_id] where s.table_name = $1 "
        "and list_contains($2, n.column_name) and exists (from duckdb_views() v where v.view_name = 'stg_' || $1) and "
        "not exists (from repairs p where p.delivery_id = n.delivery_id)",  # a repaired row may have any key
        [table.name, list(table.key)],
    ).fetchall()
    return bool(rows)


def drop_staged(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Drop ``stg_<table>``, table or view."""
    name = f"stg_{table.name}"
    for kind, found in (("view", "duckdb_views() where view_name"), ("table", "duckdb_tables() where table_name")):
        if connection.execute(f"select 1 from {found} = ?", [name]).fetchall():
            connection.execute(f"drop {kind} {name}")
