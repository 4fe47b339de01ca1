"""What the run publishes of its intake: the accounts of every file version, and the quarantine, as of the run.

Some verdicts depend on the run and not on the file: sales of a SKU that no product delivery up to D knows, negative
order lines that the returns table brings too, returns of more than their line sold. They are taken anew on every
run, so such a row loads by itself once the product, or the corrected line, arrives.
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pyarrow as pa

from data.contracts import TABLES, Table
from data.contracts.frames import arrow_schema
from data.errors import DataError
from data.ingest.exchange import arrow_rows
from data.ingest.faults import JUDGED_ANEW, Reason
from data.ingest.store import raw_name
from data.warehouse import quoted

__all__ = [
    "find_excess_returns",
    "find_returned_twice",
    "find_unknown_campaigns",
    "find_unknown_skus",
    "quarantine",
    "row_accounts",
    "settle_quarantine",
]

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
        connection.execute(
            f"insert into unknown_skus select distinct r.sku from {raw_name(TABLES[name])} r join visible v using "
            "(delivery_id) "
            "where r.sku not in (select sku from known_skus) and r.sku not in (from not_products)"
        )
    row = connection.execute("select count(distinct sku) from unknown_skus").fetchone()
    return int(row[0]) if row else 0


def find_returned_twice(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``returned_twice``: order lines below zero whose line the returns table brings back too."""
    connection.execute("create or replace temp table returned_twice (delivery_id bigint, row_number bigint)")
    connection.execute(
        "insert into returned_twice select r.delivery_id, r.row_number from raw_order_lines r join visible v using "
        "(delivery_id) "
        "where r.quantity < 0 and not r.is_duplicate "
        "and r.order_line_id in (select order_line_id from stg_returns where order_line_id is not null)"
    )


def find_excess_returns(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``excess_returns``: returns of more than what is left of the order line they name.

    The versions in force count, in the order in which the goods came back. What exceeds the line by itself takes
    nothing from the others; a line without a return that exceeds it is not looked at.
    """
    connection.execute("create or replace temp table excess_returns (delivery_id bigint, row_number bigint)")
    rows = connection.execute(
        """
        with back as (
            select r.*, v.version from raw_returns r join visible v using (delivery_id)
            where v.in_force and not r.is_duplicate and r.order_line_id is not null
            qualify row_number() over (partition by r.return_id order by v.version desc, r.row_number desc) = 1
        ),
        sold as (
            select l.order_line_id, max(l.quantity) as sold from raw_order_lines l join visible using (delivery_id)
            where l.quantity > 0 and l.order_line_id in (select order_line_id from back) group by l.order_line_id
        )
        select b.order_line_id, s.sold, b.quantity, b.delivery_id, b.row_number
        from back b join sold s using (order_line_id)
        qualify sum(b.quantity) over (partition by b.order_line_id) > s.sold
        order by b.order_line_id, b.returned_at, b.delivery_id, b.row_number
        """
    ).fetchall()
    left: dict[str, int] = {}
    for line, sold, quantity, delivery_id, row_number in rows:
        rest = left.get(line, sold)
        if quantity > rest:
            connection.execute("insert into excess_returns values (?, ?)", [delivery_id, row_number])
        else:
            left[line] = rest - quantity


def find_unknown_campaigns(connection: duckdb.DuckDBPyConnection, run_date: date) -> None:
    """Create ``unknown_campaigns``: preorders of what no campaign delivered up to D sells, where campaigns are told.

    Preorders placed after D may be of campaigns that nobody told of yet.
    """
    connection.execute("create or replace temp table unknown_campaigns (delivery_id bigint, row_number bigint)")
    connection.execute(
        f"""
        insert into unknown_campaigns
        with known as (
            select distinct c.campaign_id, c.sku from raw_preorder_campaigns c join visible v using (delivery_id)
            where v.snapshot_date <= date '{run_date}'
        )
        select r.delivery_id, r.row_number from raw_preorders r join visible v using (delivery_id)
        where not r.is_duplicate and r.placed_at < timestamptz '{run_date + timedelta(days=1)}'
        and exists (from known) and (r.campaign_id, r.sku) not in (select (campaign_id, sku) from known)
        """
    )


def settle_quarantine(connection: duckdb.DuckDBPyConnection, *, run_date: date) -> tuple[int, int]:
    """Bring the rows that only this run's view condemns into quarantine, release those it does not condemn any more.

    Returns the rows of unknown SKUs held, and the rows that the run for ``run_date`` was the first to release. Rows of
    deliveries that the run may not see stay as they are.
    """
    connection.execute(
        "create or replace temp table verdicts (table_name varchar, delivery_id bigint, row_number bigint, reason "
        "varchar)"
    )
    for name in _SALES:
        connection.execute(
            f"insert into verdicts select '{name}', r.delivery_id, r.row_number, '{Reason.UNKNOWN_SKU}' "
            f"from {raw_name(TABLES[name])} r join visible v using (delivery_id) where not r.is_duplicate and "
            f"{_UNKNOWN_CONDITION}"
        )
        _hold(connection, TABLES[name], Reason.UNKNOWN_SKU, "sku", run_date)
    connection.execute(
        f"insert into verdicts select 'returns', delivery_id, row_number, '{Reason.RETURN_EXCEEDS_SALES}' from "
        "excess_returns"
    )
    _hold(connection, TABLES["returns"], Reason.RETURN_EXCEEDS_SALES, "quantity", run_date)
    connection.execute(
        f"insert into verdicts select 'preorders', delivery_id, row_number, '{Reason.NO_CAMPAIGN}' from "
        "unknown_campaigns"
    )
    _hold(connection, TABLES["preorders"], Reason.NO_CAMPAIGN, "campaign_id", run_date)
    judged = f"reason in ({', '.join(repr(str(r)) for r in JUDGED_ANEW)})"
    condemned = "(table_name, delivery_id, row_number, reason) in (from verdicts)"
    connection.execute(
        f"update quarantine_rows set status = 'open' where {judged} and status = 'replayed' and {condemned}"
    )
    acquitted = f"{judged} and not {condemned} and delivery_id in (select delivery_id from visible)"
    connection.execute(
        f"insert into released_rows select delivery_id, row_number, reason, date '{run_date}' from quarantine_rows q "
        f"where {acquitted} and status = 'open' and not exists (from released_rows r where r.delivery_id = "
        "q.delivery_id and r.row_number = q.row_number and r.reason = q.reason)"
    )
    connection.execute(f"update quarantine_rows set status = 'replayed' where {acquitted} and status = 'open'")
    released = connection.execute(
        f"select count(*) from quarantine_rows q join released_rows r using (delivery_id, row_number, reason) where "
        f"r.run_date = date '{run_date}' and {acquitted}"
    ).fetchall()[0][0]
    row = connection.execute(f"select count(*) from verdicts where reason = '{Reason.UNKNOWN_SKU}'").fetchone()
    return (int(row[0]) if row else 0), int(released)


def _hold(connection: duckdb.DuckDBPyConnection, table: Table, reason: Reason, column: str, run_date: date) -> None:
    """Store the condemned rows of one table that are not in quarantine yet."""
    connection.execute(
        f"insert into quarantine_rows select d.source, '{table.name}', r.delivery_id, d.sha256, r.row_number, "
        f"'{reason}', '{column}', "
        f"cast(r.{quoted(column)} as varchar), {_raw_row(table)}, date '{run_date}', 'open' from {raw_name(table)} r "
        f"join verdicts u on u.table_name = '{table.name}' and u.reason = '{reason}' and u.delivery_id = r.delivery_id "
        "and u.row_number = r.row_number join deliveries d on d.delivery_id = r.delivery_id "
        "where not exists (from quarantine_rows q where q.delivery_id = r.delivery_id and q.row_number = r.row_number "
        f"and q.reason = '{reason}') order by r.delivery_id, r.row_number"
    )


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
            select delivery_id, count(*) as held, 0 as returned from verdicts group by delivery_id
            union all select delivery_id, 0, count(*) from returned_twice t
            where not exists (from verdicts u where u.delivery_id = t.delivery_id and u.row_number = t.row_number)
            group by delivery_id
        ), repaired as (
            select delivery_id, count(*) as n, count(*) filter (is_duplicate) as again from shown_repairs
            group by delivery_id
        ), sums as (
            select delivery_id, sum(held)::bigint as held, sum(returned)::bigint as returned
            from moved group by delivery_id
        )
        select d.source, d.table_name as "table", d.sha256 as file_sha256, d.file_name,
               d.landed_run_date as first_run_date, d.rows_in,
               d.rows_raw - coalesce(s.held, 0) - coalesce(s.returned, 0) + coalesce(p.n - p.again, 0) as rows_loaded,
               d.rows_quarantined + coalesce(s.held, 0) - coalesce(p.n, 0) as rows_quarantined,
               d.rows_duplicate + coalesce(s.returned, 0) + coalesce(p.again, 0) as rows_duplicate
        from deliveries d join visible v using (delivery_id) left join sums s using (delivery_id)
        left join repaired p using (delivery_id)
        order by all
        """,
    )
    for row in arrow.to_pylist():
        if (
            row["rows_in"] != row["rows_loaded"] + row["rows_quarantined"] + row["rows_duplicate"]
            or row["rows_loaded"] < 0
        ):
            raise DataError(f"row accounts of {row['file_name']} (source {row['source']}) do not add up: {row}")
    return arrow.cast(arrow_schema(TABLES["row_accounts"], exclude=("run_date",)))


def quarantine(connection: duckdb.DuckDBPyConnection, *, run_date: date) -> pa.Table:
    """Return every row in quarantine of the deliveries that the run may see, replayed ones included.

    A row that only a later run condemned is not shown.
    """
    arrow = arrow_rows(
        connection,
        'select source, file_sha256, row_number, table_name as "table", reason, column_name as "column", value, '
        "raw_row, "
        "first_seen_date, status from quarantine_rows q semi join visible v on v.delivery_id = q.delivery_id "
        f"where status = 'open' or first_seen_date <= date '{run_date}' "
        "order by source, file_sha256, row_number, table_name, reason",
    )
    return arrow.cast(arrow_schema(TABLES["quarantine"], exclude=("run_date",)))
