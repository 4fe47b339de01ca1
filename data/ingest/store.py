"""The ingest's own tables in the warehouse: deliveries, sightings, rows in quarantine, notes, and the raw tables.

All of them are derived from landing: a line of the ledger that the warehouse does not know is loaded again from the
landed copy, so a lost or damaged warehouse is made anew by the next run.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from data.contracts import INPUTS, Column, Table
from data.ingest.casting import sql_type
from data.ingest.landing import Sighting
from data.ingest.privacy import buyer_key, set_key
from data.warehouse import quoted

__all__ = [
    "among_deliveries",
    "count_deliveries",
    "create_store",
    "known_sightings",
    "raw_name",
    "remember_delivery",
    "remember_first_zone",
    "remember_sighting",
    "set_buyer_key",
]

_STORE = (
    """create table if not exists sightings (
        seq bigint, source varchar, table_name varchar, file_name varchar, sha256 varchar, size bigint,
        modified_at timestamptz, landed_at timestamptz, run_date date, in_first_run boolean, delivery_id bigint)""",
    """create table if not exists deliveries (
        delivery_id bigint, source varchar, table_name varchar, file_name varchar, sha256 varchar,
        landed_at timestamptz, landed_run_date date, header varchar[], rows_in bigint, rows_raw bigint,
        rows_quarantined bigint, rows_duplicate bigint)""",
    """create table if not exists seen_files (
        source varchar, table_name varchar, file_name varchar, size bigint, modified_ns bigint, changed_ns bigint,
        sha256 varchar)""",
    """create table if not exists quarantine_rows (
        source varchar, table_name varchar, delivery_id bigint, file_sha256 varchar, row_number bigint, reason varchar,
        column_name varchar, value varchar, raw_row varchar, first_seen_date date, status varchar)""",
    """create table if not exists released_rows (
        delivery_id bigint, row_number bigint, reason varchar, run_date date)""",
    """create table if not exists repairs (
        seq bigint, table_name varchar, delivery_id bigint, row_number bigint, action varchar)""",
    "create table if not exists raw_zones (table_name varchar, zone varchar)",
    # columns of deliveries that were found, as they arrived, to hold no null and no value twice
    "create table if not exists never_repeating (delivery_id bigint, column_name varchar)",
    """create table if not exists run_notes (
        run_date date, code varchar, table_name varchar, message varchar, rows bigint, sample varchar[])""",
)


def create_store(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the ingest's tables and a ``raw_<table>`` for each input table, unless they exist.

    A raw table has the contract's columns behind where each row comes from. ``is_duplicate`` marks a row that an
    earlier delivery already brought, value for value; it stays, for the earlier delivery may be superseded. Order
    lines have their day in the shop's timezone behind them: it is worked out once, and spares reading whole years.
    """
    for statement in _STORE:
        connection.execute(statement)
    there = {row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall()}
    for table in INPUTS:
        if raw_name(table) not in there:
            columns = ", ".join(f"{quoted(c.name)} {sql_type(c.dtype)}{_compression(table, c)}" for c in table.columns)
            connection.execute(
                f"create table {raw_name(table)} (delivery_id bigint, row_number bigint, is_duplicate boolean, "
                f"{columns})"
            )
    connection.execute("alter table raw_order_lines add column if not exists business_date date")


def _compression(table: Table, column: Column) -> str:
    """Return how the values of a column are packed: where hardly two are equal, words are looked for in vain.

    Looking takes a fifth of the time of a load; Zstandard packs them as small and is read as fast.
    """
    is_key = table.name == "order_lines" and column.name in (*table.key, "order_id")
    return " using compression zstd" if is_key or column.person else ""


def set_buyer_key(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the session the key of the pseudonyms."""
    set_key(connection, buyer_key())


def remember_first_zone(connection: duckdb.DuckDBPyConnection, table: Table, zone: str) -> None:
    """Remember the timezone of the business dates that the first rows of a table are about to get."""
    if table.name == "order_lines" and not connection.execute(f"select 1 from {raw_name(table)} limit 1").fetchall():
        connection.execute("delete from raw_zones where table_name = ?", [table.name])
        connection.execute("insert into raw_zones values (?, ?)", [table.name, zone])


def raw_name(table: Table) -> str:
    """Return the name of the raw table of an input table."""
    return f"raw_{table.name}"


def count_deliveries(connection: duckdb.DuckDBPyConnection, table: Table, ids: Sequence[int]) -> int:
    """Return how many deliveries of ``table`` there are, the new ones ``ids`` included."""
    row = connection.execute(
        "select count(*) from (select delivery_id from deliveries where table_name = $1 union select unnest($2))",
        [table.name, list(ids)],
    ).fetchone()
    return int(row[0]) if row else 0


def among_deliveries(connection: duckdb.DuckDBPyConnection, table: Table, ids: Sequence[int]) -> str:
    """Return SQL for whether a raw row ``r`` of ``table`` came with one of the deliveries ``ids``.

    The numbers stand in it: so DuckDB passes or skips row groups unread, which it does not after a join. Of a range it
    can tell so of both; it is asked for where no other delivery of the table lies between.
    """
    if not ids:
        return "false"
    others = connection.execute(
        "select 1 from deliveries where table_name = $1 and delivery_id between $2 and $3 and delivery_id not in "
        "(select unnest($4)) limit 1",
        [table.name, min(ids), max(ids), list(ids)],
    ).fetchall()
    return (
        f"r.delivery_id in ({', '.join(map(str, ids))})"
        if others
        else f"r.delivery_id between {min(ids)} and {max(ids)}"
    )


def known_sightings(connection: duckdb.DuckDBPyConnection) -> list[tuple[Sighting, int]]:
    """Return every sighting that the warehouse knows, with its delivery, oldest first."""
    rows = connection.execute(
        "select seq, source, table_name, file_name, sha256, size, modified_at, landed_at, run_date, in_first_run, "
        "delivery_id "
        "from sightings order by seq"
    ).fetchall()
    return [(Sighting(*row[:10]), row[10]) for row in rows]


def remember_sighting(connection: duckdb.DuckDBPyConnection, sighting: Sighting, delivery_id: int) -> None:
    """Store one sighting."""
    s = sighting
    connection.execute(
        "insert into sightings values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            s.seq,
            s.source,
            s.table,
            s.file_name,
            s.sha256,
            s.size,
            s.modified_at,
            s.landed_at,
            s.run_date,
            s.in_first_run,
            delivery_id,
        ],
    )


def remember_delivery(
    connection: duckdb.DuckDBPyConnection,
    sighting: Sighting,
    *,
    delivery_id: int,
    header: tuple[str, ...],
    rows_in: int,
    rows_raw: int,
    rows_quarantined: int,
    rows_duplicate: int,
) -> None:
    """Store what became of the records of one delivery."""
    s = sighting
    connection.execute(
        "insert into deliveries values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            delivery_id,
            s.source,
            s.table,
            s.file_name,
            s.sha256,
            s.landed_at,
            s.run_date,
            list(header),
            rows_in,
            rows_raw,
            rows_quarantined,
            rows_duplicate,
        ],
    )
