"""Days of sales that an earlier run has planned with, and that late rows or corrections have changed since."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from data.contracts import TABLES, DType
from data.ingest.casting import literal
from data.ingest.store import raw_name
from data.warehouse import quoted

__all__ = ["RESTATED_TABLES", "restated_days"]

RESTATED_TABLES = ("order_lines", "period_sales", "returns")
"""Tables whose past makes the demand history."""


def restated_days(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    *,
    run_date: date,
    before: date,
    delay_days: int,
    zone: str,
) -> dict[date, int]:
    """Return day -> rows that came in for ``run_date`` though the run for ``before`` had planned with that day.

    A row that an earlier delivery brought, value for value, changes nothing and is not counted.

    Args:
        connection: with the raw tables loaded.
        table: one of ``RESTATED_TABLES``.
        run_date: D.
        before: date of the run before.
        delay_days: after which the source's rows are known [days].
        zone: the shop's timezone.
    """
    column = TABLES[table].business_date
    assert column is not None
    day = quoted(column)
    if TABLES[table].column(column).dtype is DType.TIMESTAMP:
        day = f"timezone({literal(zone)}, {day})::date"
    last = before - timedelta(days=delay_days)
    rows = connection.execute(
        f"select {day} as day, count(*) from {raw_name(TABLES[table])} where delivery_id in (select delivery_id from "
        f"deliveries where table_name = $1 and landed_run_date = $2) and not is_duplicate and {day} <= $3 "
        "group by 1 order by 1",
        [table, run_date, last],
    ).fetchall()
    return dict(rows)
