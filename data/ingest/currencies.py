"""Money of a source in another currency, converted at the rate of the row's own day, or the last one before it."""

from __future__ import annotations

import duckdb

from data.contracts import DType, Table
from data.ingest.casting import literal
from data.warehouse import quoted

__all__ = ["NO_RATE", "money_columns", "with_rates"]

NO_RATE = "fx_rate is null"


def money_columns(table: Table) -> list[str]:
    """Return the columns of a table that hold money."""
    return [c.name for c in table.columns if c.dtype is DType.MONEY]


def with_rates(
    connection: duckdb.DuckDBPyConnection, rows: str, table: Table, *, currency: str, shop_timezone: str
) -> str:
    """Return SQL for ``rows`` with the rate from ``currency`` to the shop's as ``fx_rate``; null where none is known.

    Rates are rows of ``fx_rates`` that were delivered before or come the same night; of two for one day the later
    delivery's counts. A table without a business date is converted at the rate of its arrival.
    """
    connection.execute(
        "create or replace temp table rates as select date as rate_date, arg_max(rate, delivery_id) as fx_rate "
        f"from raw_fx_rates where currency = {literal(currency)} and rate > 0 group by date"
    )
    moment = "landed_at"
    is_day = False
    if table.business_date is not None:
        moment = quoted(table.business_date)
        is_day = table.column(table.business_date).dtype is DType.DATE
    day = moment if is_day else f"timezone({literal(shop_timezone)}, {moment})::date"
    return (
        f"select m.*, rates.fx_rate from (select p.*, {day} as money_date from ({rows}) p) m "
        "asof left join rates on m.money_date >= rates.rate_date"
    )
