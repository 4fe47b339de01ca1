"""``stg_<table>``: the rows of an input table as the run for D may see them, one per key.

A row is visible if its business date, plus the source's delay, is D at the latest and, where the table says when a
row was known, if that was before D closed. Of upserts and events the latest version of a key wins; of snapshots the
newest on or before D replaces all before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb

from data.contracts import TABLES, DType, Mode, Table
from data.ingest.casting import sql_type
from data.ingest.store import raw_name
from data.ingest.versions import VisibleDelivery
from data.ingest.zones import local_day_sql
from data.sql.appending import Staged, append_new, in_force, remember_staged, staged_before
from data.sql.viewing import drop_staged, every_row_counts, keep_business_dates, stage_view
from data.warehouse import quoted

__all__ = ["create_visible", "local_day", "stage_history", "stage_table"]

_WINS = "version desc, row_number desc"  # of several rows with one key
_ALL = "select * from candidates"
_FIRST_DAY = "date '0001-01-01'"


def create_visible(
    connection: duckdb.DuckDBPyConnection, deliveries: list[VisibleDelivery], *, delays: dict[tuple[str, str], int]
) -> None:
    """Create the temporary table ``visible`` of deliveries, with the delay of each source [days]."""
    connection.execute(
        "create or replace temp table visible (delivery_id bigint, source_name varchar, table_name varchar, version "
        "bigint, "
        "snapshot_date date, arrival_rank bigint, landed_run_date date, in_force boolean, delay_days integer)"
    )
    for d in deliveries:
        connection.execute(
            "insert into visible values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                d.delivery_id,
                d.source,
                d.table,
                d.version,
                d.snapshot_date,
                d.arrival_rank,
                d.landed_run_date,
                d.in_force,
                delays.get((d.table, d.source), 0),
            ],
        )


def stage_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    *,
    run_date: date,
    zone: str,
    period_days: int,
    without: Sequence[str] = (),
) -> str:
    """Bring ``stg_<table>`` to what the run for ``run_date`` may see; return SQL for the rows written by this run.

    Args:
        connection: with the temporary table ``visible``.
        table: the input contract.
        run_date: D.
        zone: the shop's IANA timezone.
        period_days: 1 or 7: a row of ``period_sales`` is known when its period is over.
        without: conditions on the raw row ``r``; rows that meet one of them are left out.
    """
    if not connection.execute("select 1 from visible where table_name = $1 limit 1", [table.name]).fetchall():
        _stage_nothing(connection, table)
        return f"from stg_{table.name}"
    keep_business_dates(connection, table, zone)
    before = staged_before(connection, table, run_date=run_date, zone=zone, period_days=period_days)
    if table.mode is Mode.SNAPSHOT:
        candidates = _snapshot_candidates(connection, table, run_date)
    else:
        candidates = _dated_candidates(table, run_date=run_date, zone=zone, period_days=period_days)
    left_out = "".join(f" and not coalesce({condition}, false)" for condition in without)
    connection.execute(f"create or replace temp view candidates as {candidates}{left_out}")
    columns = ", ".join(
        _column_sql(table, name, run_date=run_date, zone=zone) for name in TABLES[f"stg_{table.name}"].names
    )
    written = _write(connection, table, before, columns=columns, run_date=run_date, zone=zone, period_days=period_days)
    remember_staged(connection, table, run_date=run_date, zone=zone, period_days=period_days)
    return written


def _write(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    before: Staged | None,
    *,
    columns: str,
    run_date: date,
    zone: str,
    period_days: int,
) -> str:
    """Write the winners among ``candidates``, or lay a view where all of them win; return SQL for what is new."""
    stage = f"stg_{table.name}"
    winners = "" if before is not None else _winners(connection, table)
    day, rest_days = _day("c", table, zone) if table.is_sales else "", _rest_of_period(table, period_days)
    if every_row_counts(connection, table, before, is_alone=winners == _ALL, day=day, rest_days=rest_days):
        shown = columns.replace("(from not_products)", "(from staged_non_products)")
        until = run_date - timedelta(days=rest_days)
        stage_view(connection, table, columns=shown, day=_day("r", table, zone), until=until)
        return f"from {stage}" if before is None else f"from (select {shown} from fresh w)"
    if before is not None and not before.is_view:
        return append_new(connection, table, before, columns=columns, winners_order=_WINS, day=day, rest_days=rest_days)
    winners = winners or _winners(connection, table)
    # Readers order by key; to sort the largest tables here too would take longer than all the rest.
    order = "" if table.is_sales else f" order by {', '.join(quoted(k) for k in table.key)}"
    drop_staged(connection, table)
    connection.execute(f"create table {stage} as select {columns} from ({winners}) w{order}")
    return f"from {stage}"


def _stage_nothing(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    columns = ", ".join(f"{quoted(c.name)} {sql_type(c.dtype)}" for c in TABLES[f"stg_{table.name}"].columns)
    drop_staged(connection, table)
    connection.execute(f"create table stg_{table.name} ({columns})")


def local_day(column: str, zone: str) -> str:
    """Return SQL for the calendar day of an instant in the shop's timezone."""
    return local_day_sql(zone, column)


def _dated_candidates(table: Table, *, run_date: date, zone: str, period_days: int) -> str:
    """Return SQL for all visible versions of an upsert or event table."""
    conditions = ["v.in_force"]
    if table.business_date is not None:
        day, known_on = _day("r", table, zone), _known_on(table, "r", zone=zone, period_days=period_days)
        if table.known_at is not None:
            known = f"r.{quoted(table.known_at)}"
            known_on = f"case when {known} is null then {known_on} else greatest({day}, {local_day(known, zone)}) end"
        conditions.append(f"{known_on} <= date '{run_date}'")
    return (
        f"select r.*, v.source_name, v.version, null::date as snapshot from {raw_name(table)} r join visible v "
        f"on v.delivery_id = r.delivery_id and v.table_name = '{table.name}' where {' and '.join(conditions)}"
    )


def _day(alias: str, table: Table, zone: str) -> str:
    """Return SQL for the business date of a row."""
    assert table.business_date is not None
    if table.name == "order_lines":
        return f"{alias}.business_date"
    column = f"{alias}.{quoted(table.business_date)}"
    return local_day(column, zone) if table.column(table.business_date).dtype is DType.TIMESTAMP else column


def _known_on(table: Table, alias: str, *, zone: str, period_days: int) -> str:
    """Return SQL for the day on which a row is known: when its period is over, and the source's delay."""
    return f"{_day(alias, table, zone)} + {_rest_of_period(table, period_days)} + v.delay_days"


def _rest_of_period(table: Table, period_days: int) -> int:
    """Return how many days after its business date the period of a row is over [days]."""
    return period_days - 1 if table.name == "period_sales" else 0


def _snapshot_candidates(connection: duckdb.DuckDBPyConnection, table: Table, run_date: date) -> str:
    """Return SQL for the rows of the snapshot in force of each source.

    A delivery without rows is a snapshot too: nothing is there any more.
    """
    dated = "as_of_date" in table.names
    day = "coalesce(r.as_of_date, v.snapshot_date)" if dated else "v.snapshot_date"
    rank = "case when r.as_of_date is null then v.arrival_rank else 0 end" if dated else "v.arrival_rank"
    connection.execute(
        f"create or replace temp table snapshots as select source_name, day, max(rank) as rank from ("
        f"select v.source_name, {day} as day, {rank} as rank from {raw_name(table)} r join visible v using "
        "(delivery_id) "
        f"where v.in_force and v.table_name = '{table.name}' group by all "
        f"union all select v.source_name, v.snapshot_date, v.arrival_rank from visible v where v.in_force "
        f"and v.table_name = '{table.name}' and v.delivery_id not in (select delivery_id from {raw_name(table)})"
        f") where day <= date '{run_date}' group by source_name, day "
        "qualify row_number() over (partition by source_name order by day desc) = 1"
    )
    return (
        f"select r.*, v.source_name, v.version, case when {day} = {_FIRST_DAY} then least(v.landed_run_date, date "
        f"'{run_date}') "
        f"else {day} end as snapshot from {raw_name(table)} r join visible v using (delivery_id) "
        f"join snapshots s on s.source_name = v.source_name and s.day = {day} and s.rank = {rank} "
        f"where v.in_force and v.table_name = '{table.name}'"
    )


def _winners(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """Return SQL for one row per key: the latest known, then the latest version."""
    known = [f"{quoted(table.known_at)} desc nulls last"] if table.known_at is not None else []
    order = ", ".join([*known, _WINS])
    identity = [f"c.{quoted(k)}" for k in table.key] + (["(c.quantity < 0)"] if table.name == "order_lines" else [])
    key = ", ".join(identity)
    if table.known_at is None and _came_at_once(connection, table):
        return _ALL
    aliased = ", ".join(f"{k} as k{i}" for i, k in enumerate(identity))
    connection.execute(
        f"create or replace temp table rivals as select {aliased} from candidates c group by all having count(*) > 1"
    )
    row = connection.execute("select count(*) from rivals").fetchone()
    if row is None or row[0] == 0:
        return _ALL
    on = " and ".join(f"r.k{i} is not distinct from {k}" for i, k in enumerate(identity))
    return (
        f"select c.* from candidates c anti join rivals r on {on} union all "
        f"select c.* from candidates c semi join rivals r on {on} "
        f"qualify row_number() over (partition by {key} order by {order}) = 1"
    )


def _came_at_once(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Return whether all candidates are of one delivery, and none repeats another: a repaired row may."""
    if connection.execute("select 1 from candidates where is_duplicate limit 1").fetchall():
        return False
    if len(in_force(connection, table)) < 2:  # of a large table this says it without reading
        return True
    return connection.execute("select count(distinct delivery_id) < 2 from candidates").fetchall() == [(True,)]


def _column_sql(table: Table, name: str, *, run_date: date, zone: str) -> str:
    """Return SQL for one column of the staging table over the winning raw rows ``w``."""
    column = f"w.{quoted(name)}"
    if name == "source" and "source" not in table.names:
        return "w.source_name as source"
    if name == "as_of_date" and table.mode is Mode.SNAPSHOT:
        return "coalesce(w.as_of_date, w.snapshot) as as_of_date"
    if name == "business_date" and table.business_date is not None:
        return f"{_day('w', table, zone)} as business_date"
    if name == "placed_date":
        return f"{local_day('w.placed_at', zone)} as placed_date"
    if table.name == "preorders" and name in ("cancelled_at", "cancelled_date"):
        shown = "w.cancelled_at" if name == "cancelled_at" else local_day("w.cancelled_at", zone)
        return f"case when {local_day('w.cancelled_at', zone)} <= date '{run_date}' then {shown} end as {name}"
    if name == "is_product":
        return "w.sku not in (from not_products) as is_product"
    return f"{column}"


def stage_history(connection: duckdb.DuckDBPyConnection, *, run_date: date) -> None:
    """Create ``stg_stock_history``: every stock snapshot up to D, the latest version of each day.

    Superseded deliveries count: what the stock was on a day stays true when the file is written anew.
    """
    connection.execute(
        "create or replace table stg_stock_history as select sku, location_id, as_of_date, on_hand from ("
        "select r.*, v.version, v.in_force from raw_stock r join visible v using (delivery_id) "
        f"where r.as_of_date <= date '{run_date}') "
        "qualify row_number() over (partition by sku, location_id, as_of_date order by in_force desc, version desc, "
        "row_number desc) = 1 "
        "order by sku, location_id, as_of_date"
    )
