"""What the run publishes of its intake: the accounts of every file version, and the quarantine, as of the run.

Two verdicts depend on the run and not on the file: sales of a SKU that no product delivery up to D knows, and negative
order lines that the returns table brings too. Both are taken anew on every run, so such a row loads by itself once
the product arrives.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pyarrow as pa

from data.contracts import TABLES, Table
from data.contracts.frames import arrow_schema
from data.errors import DataError
from data.ingest.faults import Reason
from data.ingest.store import arrow_rows, create_raw, raw_name
from data.warehouse import quoted

__all__ = ["find_returned_twice", "find_unknown_skus", "quarantine", "row_accounts", "settle_quarantine"]

_SALES = ("order_lines", "period_sales")
_UNKNOWN_CONDITION = "r.sku in (select sku from unknown_skus)"


def find_unknown_skus(connection: duckdb.DuckDBPyConnection, *, has_products: bool) -> int:
    """Create ``unknown_skus``: codes that sold, are products, and that no product delivery up to D knows.

    A SKU that an earlier product snapshot knew stays known: what it sold is history. Returns their number.
    """
    connection.execute("create or replace temp table unknown_skus (sku varchar)")
    if not has_products:
        return 0
    for name in _SALES:
        create_raw(connection, TABLES[name])
        connection.execute(
            f"insert into unknown_skus select distinct r.sku from {raw_name(TABLES[name])} r join visible v using (delivery_id) "
            "where r.sku not in (select sku from known_skus) and r.sku not in (from not_products)"
        )
    row = connection.execute("select count(distinct sku) from unknown_skus").fetchone()
    return int(row[0]) if row else 0


def find_returned_twice(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``returned_twice``: order lines below zero whose line the returns table brings back too."""
    connection.execute("create or replace temp table returned_twice (delivery_id bigint, row_number bigint)")
    connection.execute(
        "insert into returned_twice select r.delivery_id, r.row_number from raw_order_lines r join visible v using (delivery_id) "
        "where r.quantity < 0 and not r.is_duplicate "
        "and r.order_line_id in (select order_line_id from stg_returns where order_line_id is not null)"
    )


def settle_quarantine(connection: duckdb.DuckDBPyConnection, *, run_date: date) -> tuple[int, int]:
    """Bring the rows of unknown SKUs into quarantine and release those that are known now; return both counts."""
    unknown = str(Reason.UNKNOWN_SKU)
    connection.execute("create or replace temp table unknown_rows (table_name varchar, delivery_id bigint, row_number bigint)")
    for name in _SALES:
        table = TABLES[name]
        connection.execute(
            f"insert into unknown_rows select '{name}', r.delivery_id, r.row_number from {raw_name(table)} r "
            f"join visible v using (delivery_id) where not r.is_duplicate and {_UNKNOWN_CONDITION}"
        )
        connection.execute(
            f"insert into quarantine_rows select d.source, '{name}', r.delivery_id, d.sha256, r.row_number, '{unknown}', 'sku', "
            f"r.sku, {_raw_row(table)}, date '{run_date}', 'open' from {raw_name(table)} r join unknown_rows u "
            f"on u.table_name = '{name}' and u.delivery_id = r.delivery_id and u.row_number = r.row_number "
            "join deliveries d on d.delivery_id = r.delivery_id where not exists (from quarantine_rows q "
            f"where q.delivery_id = r.delivery_id and q.row_number = r.row_number and q.reason = '{unknown}') "
            "order by r.delivery_id, r.row_number"
        )
    is_unknown = "(table_name, delivery_id, row_number) in (from unknown_rows)"
    held = connection.execute(
        f"update quarantine_rows set status = 'open' where reason = '{unknown}' and status = 'replayed' and {is_unknown} returning 1"
    ).fetchall()
    released = connection.execute(
        f"update quarantine_rows set status = 'replayed' where reason = '{unknown}' and status = 'open' and not {is_unknown} "
        "returning 1"
    ).fetchall()
    row = connection.execute("select count(*) from unknown_rows").fetchone()
    del held
    return (int(row[0]) if row else 0), len(released)


def _raw_row(table: Table) -> str:
    """Return SQL for a raw row as JSON text; buyers are hashed and text masked already."""
    packed = ", ".join(f"{quoted(n)} := cast(r.{quoted(n)} as varchar)" for n in table.names)
    return f"cast(to_json(struct_pack({packed})) as varchar)"


def row_accounts(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the accounts of every file version delivered so far, as of the run.

    Raises:
        DataError: they do not add up; this is no check that could be switched off.
    """
    arrow = arrow_rows(
        connection,
        """
        with moved as (
            select delivery_id, count(*) as unknown, 0 as returned from unknown_rows group by delivery_id
            union all select delivery_id, 0, count(*) from returned_twice t
            where not exists (from unknown_rows u where u.delivery_id = t.delivery_id and u.row_number = t.row_number)
            group by delivery_id
        ), sums as (
            select delivery_id, sum(unknown)::bigint as unknown, sum(returned)::bigint as returned from moved group by delivery_id
        )
        select d.source, d.table_name as "table", d.sha256 as file_sha256, d.file_name, d.landed_run_date as first_run_date,
               d.rows_in, d.rows_raw - coalesce(s.unknown, 0) - coalesce(s.returned, 0) as rows_loaded,
               d.rows_quarantined + coalesce(s.unknown, 0) as rows_quarantined,
               d.rows_duplicate + coalesce(s.returned, 0) as rows_duplicate
        from deliveries d join visible v using (delivery_id) left join sums s using (delivery_id)
        order by all
        """,
    )
    for row in arrow.to_pylist():
        if row["rows_in"] != row["rows_loaded"] + row["rows_quarantined"] + row["rows_duplicate"] or row["rows_loaded"] < 0:
            raise DataError(f"row accounts of {row['file_name']} (source {row['source']}) do not add up: {row}")
    return arrow.cast(arrow_schema(TABLES["row_accounts"], exclude=("run_date",)))


def quarantine(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return every row in quarantine of the deliveries that the run may see, replayed ones included."""
    arrow = arrow_rows(
        connection,
        'select source, file_sha256, row_number, table_name as "table", reason, column_name as "column", value, raw_row, '
        "first_seen_date, status from quarantine_rows q semi join visible v on v.delivery_id = q.delivery_id "
        "order by source, file_sha256, row_number, table_name, reason",
    )
    return arrow.cast(arrow_schema(TABLES["quarantine"], exclude=("run_date",)))
