"""Staging of sales that only adds: what a new night brings goes behind what earlier nights staged.

A shop of fifty million order lines adds a few thousand a night. Where nothing that was visible changed, the rows of
the last run stay as they are, and only rows that are new, or known by now, are added; the keys they share with older
rows are decided again. In any doubt the table is made anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from data.contracts import Table
from data.ingest.store import among_deliveries, raw_name
from data.warehouse import quoted

__all__ = ["Staged", "append_new", "clashes", "in_force", "make_fresh", "remember_staged", "staged_before"]

_VERDICTS = ("unknown_skus", "not_products", "excess_returns", "returned_twice")


@dataclass(frozen=True)
class Staged:
    """What the last staging of a table was made of."""

    run_date: date
    deliveries: tuple[int, ...]
    is_view: bool = False


def staged_before(
    connection: duckdb.DuckDBPyConnection, table: Table, *, run_date: date, zone: str, period_days: int
) -> Staged | None:
    """Return what stands in ``stg_<table>``, where all of it is still as the run for D sees it, else None."""
    connection.execute(
        "create table if not exists stage_state (table_name varchar, run_date date, fingerprint varchar, rows_raw "
        "bigint, rows_duplicate bigint, deliveries bigint[])"
    )
    if not table.is_sales or table.known_at is not None:
        return None
    rows = connection.execute(
        "select run_date, fingerprint, rows_raw, rows_duplicate, deliveries from stage_state s where table_name = $1 "
        "and (exists (from duckdb_tables() t where t.table_name = 'stg_' || $1) or exists (from duckdb_views() t where "
        "t.view_name = 'stg_' || $1))",
        [table.name],
    ).fetchall()
    if not rows:
        return None
    day, fingerprint, raw, duplicate, deliveries = rows[0]
    now = in_force(connection, table)
    if day > run_date or not set(deliveries) <= set(now):
        return None
    if fingerprint != _fingerprint(connection, table, zone, period_days, deliveries):
        return None
    if (raw, duplicate) != _counts(connection, table, deliveries):
        return None
    views = connection.execute("select 1 from duckdb_views() where view_name = 'stg_' || ?", [table.name]).fetchall()
    return Staged(day, tuple(deliveries), bool(views))


def remember_staged(
    connection: duckdb.DuckDBPyConnection, table: Table, *, run_date: date, zone: str, period_days: int
) -> None:
    """Remember what ``stg_<table>`` is made of now."""
    if not table.is_sales:
        return
    deliveries = in_force(connection, table)
    connection.execute("delete from stage_state where table_name = ?", [table.name])
    connection.execute(
        "insert into stage_state values (?, ?, ?, ?, ?, ?)",
        [
            table.name,
            run_date,
            _fingerprint(connection, table, zone, period_days, deliveries),
            *_counts(connection, table, deliveries),
            deliveries,
        ],
    )


def append_new(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    before: Staged,
    *,
    columns: str,
    winners_order: str,
    day: str,
    rest_days: int,
) -> str:
    """Add the candidates that ``before`` did not hold; return SQL for the rows added.

    Args:
        connection: with the view ``candidates`` of all rows that the run may see.
        table: the input contract.
        before: what stands in the staging table.
        columns: SQL of the staging columns over a candidate ``w``.
        winners_order: order in which of several candidates with one key the first wins.
        day: SQL of the business date of a candidate ``c``.
        rest_days: so long after it the candidate's period is over [days].
    """
    stage = f"stg_{table.name}"
    make_fresh(connection, table, before, day=day, rest_days=rest_days)
    last = connection.execute(f"select coalesce(max(rowid), -1) from {stage}").fetchall()[0][0]
    identity = _identity(table, "f")
    on = " and ".join(f"{a} = {b}" for a, b in zip(_identity(table, "s"), identity, strict=True))
    winners = "fresh"
    if clashes(connection, table):
        rivals = " and ".join(f"{a} = {b}" for a, b in zip(_identity(table, "c"), identity, strict=True))
        winners = (
            f"(select c.* from candidates c semi join fresh f on {rivals} qualify row_number() over (partition by "
            f"{', '.join(_identity(table, 'c'))} order by {winners_order}) = 1)"
        )
        connection.execute(f"create or replace temp table decided as select * from {winners}")
        connection.execute(f"delete from {stage} s using fresh f where {on}")
        winners = "decided"
    connection.execute(f"insert into {stage} select {columns} from {winners} w")
    return f"from {stage} where rowid > {last}"


def make_fresh(
    connection: duckdb.DuckDBPyConnection, table: Table, before: Staged, *, day: str, rest_days: int
) -> None:
    """Make the temporary table ``fresh`` of the candidates that are new, or that the earlier run could not know yet."""
    new = sorted(set(in_force(connection, table)) - set(before.deliveries))
    is_new, is_old = (f"c.delivery_id in ({', '.join(map(str, ids)) or 'null'})" for ids in (new, before.deliveries))
    delays = connection.execute("select max(delay_days) from visible where table_name = ?", [table.name]).fetchall()
    known = before.run_date - timedelta(days=rest_days + delays[0][0])  # a constant: row groups before are skipped
    connection.execute(
        f"create or replace temp table fresh as select c.* from candidates c where {is_new} union all "
        f"select c.* from candidates c join visible v on v.delivery_id = c.delivery_id and v.table_name = "
        f"'{table.name}' where {is_old} and {day} > date '{known}' and {day} + {rest_days} + v.delay_days > date "
        f"'{before.run_date}'"
    )


def clashes(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Return whether a row of ``fresh`` shares its key with another, or with one that is staged."""
    identity = _identity(table, "f")
    on = " and ".join(f"{a} = {b}" for a, b in zip(_identity(table, "s"), identity, strict=True))
    found = connection.execute(
        f"select (select count(*) from stg_{table.name} s semi join fresh f on {on}) + (select count(*) from (select 1 "
        f"from fresh f group by {', '.join(identity)} having count(*) > 1))"
    ).fetchall()
    return bool(found[0][0])


def _identity(table: Table, alias: str) -> list[str]:
    """Return the SQL of a row's identity. Nothing in it is null, so it is compared by ``=``, which skips row groups."""
    keys = [f"{alias}.{quoted(k)}" for k in table.key]
    return [*keys, f"({alias}.quantity < 0)"] if table.name == "order_lines" else keys


def in_force(connection: duckdb.DuckDBPyConnection, table: Table) -> list[int]:
    """Return the deliveries of ``table`` that the run may see and that none supersedes."""
    rows = connection.execute(
        "select delivery_id from visible where table_name = ? and in_force order by delivery_id", [table.name]
    ).fetchall()
    return [row[0] for row in rows]


def _counts(connection: duckdb.DuckDBPyConnection, table: Table, deliveries: list[int]) -> tuple[int, int]:
    rows = f"select count(*) from {raw_name(table)} r where {among_deliveries(connection, table, deliveries)}"
    row = connection.execute(f"select ({rows}), ({rows} and is_duplicate)").fetchall()[0]
    return int(row[0]), int(row[1])


def _fingerprint(
    connection: duckdb.DuckDBPyConnection, table: Table, zone: str, period_days: int, deliveries: list[int]
) -> str:
    """Return a digest of everything else that decides what is staged: settings, verdicts on rows, order of versions."""
    parts: list[object] = [zone, period_days]
    parts.append(
        connection.execute(
            "select delivery_id, delay_days, source_name, row_number() over (order by version) from visible where "
            "table_name = $1 and delivery_id in (select unnest($2)) order by 1",
            [table.name, deliveries],
        ).fetchall()
    )
    there = {row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall()}
    for name in _VERDICTS:
        rows = connection.execute(f"select distinct * from {name} order by all").fetchall() if name in there else []
        parts.append([name, rows])
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()
