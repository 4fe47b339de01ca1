"""Rules between staging tables that stop the step."""

from __future__ import annotations

import duckdb

from data.calendar import WEEKDAYS
from data.errors import DataError
from data.ingest.faults import Fault

__all__ = ["period_sql", "refuse_both_sales_shapes"]


def period_sql(day: str, freq: str) -> str:
    """Return SQL for the label of the period that ``day`` falls into: the day, or the first day of its week.

    >>> period_sql("d", "D")
    'd'
    """
    if freq == "D":
        return day
    start = WEEKDAYS.index(freq.removeprefix("W-"))
    return f"({day} - ((isodow({day})::integer - 1 - {start} + 7) % 7))"


def refuse_both_sales_shapes(connection: duckdb.DuckDBPyConnection, *, freq: str) -> None:
    """Raise where one SKU, location and period is sold in ``order_lines`` and in ``period_sales``.

    Raises:
        DataError: ``BOTH_SALES_SHAPES``, with at most five culprits.
    """
    if not connection.execute("select 1 from stg_period_sales limit 1").fetchall():
        return  # no need to look through all order lines
    rows = connection.execute(
        "select l.sku, l.location_id, l.ds from (select distinct sku, location_id, "
        f"{period_sql('business_date', freq)} as ds "
        "from stg_order_lines where is_product) l semi join stg_period_sales p "
        "on p.sku = l.sku and p.location_id = l.location_id and p.ds = l.ds order by all limit 6"
    ).fetchall()
    if rows:
        shown = "; ".join(f"{sku} at {location} on {ds}" for sku, location, ds in rows[:5])
        raise DataError(
            f"{Fault.BOTH_SALES_SHAPES}: order_lines and period_sales both hold the sales of {shown}"
            f"{' and more' if len(rows) > 5 else ''}; deliver each sale in one shape"
        )
