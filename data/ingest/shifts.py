"""Undeclared shifts of unit: prices in another currency or in cents, quantities in boxes or a hundredfold.

A file is compared with the shop's own history, SKU by SKU: the ratio of its median to the median of the other
deliveries. Day totals swing too much to tell, and so do the units of a period: only prices, and the quantity of an
order line, are judged.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from data.contracts import Table
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.store import count_deliveries, raw_name
from data.warehouse import quoted

__all__ = ["refuse_unit_shift"]

_JUDGED = {"order_lines": ("unit_price", "quantity"), "period_sales": ("unit_price",), "prices": ("price",)}
LOWEST_RATIO, HIGHEST_RATIO = 0.5, 2.0
MIN_SKUS = 20


def refuse_unit_shift(
    connection: duckdb.DuckDBPyConnection, table: Table, names: dict[int, tuple[str, str]], ids: Sequence[int]
) -> None:
    """Raise where a new delivery's prices or quantities are not in the unit of the others.

    Args:
        connection: with the raw table loaded.
        table: the input contract.
        names: delivery -> source and file name, for the message.
        ids: the new deliveries.

    Raises:
        DeliveryRefused: ``UNIT_SHIFT``: over at least 20 SKUs the median ratio lies outside 0.5-2.
    """
    for column in _JUDGED.get(table.name, ()):
        for delivery_id, skus, ratio in _shifted(connection, table, column, ids):
            source, file = names[delivery_id]
            raise DeliveryRefused(
                Fault.UNIT_SHIFT,
                f"{column} is {ratio:.3g} times what it was in other deliveries (median over {skus:,} SKUs, expected "
                f"{LOWEST_RATIO} to {HIGHEST_RATIO}); another currency or unit? Deliver it in the usual one",
                source=source,
                file=file,
            )


def _shifted(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str, ids: Sequence[int]
) -> list[tuple[int, int, float]]:
    """Return delivery, SKUs compared and median ratio of the deliveries beyond the band."""
    medians = _medians(connection, table, column, ids)
    if count_deliveries(connection, table, ids) < 2:
        return []
    return connection.execute(
        f"""
        with new_medians as (select * from {medians} where delivery_id in (select unnest($1))),
        history as (
            select sku, median(m) as usual, count(*) as n, min(m) as low, max(m) as high
            from {medians} where sku in (select sku from new_medians) group by sku
        ),
        ratios as (
            select d.delivery_id, d.m / case when h.n = 2 then h.low + h.high - d.m else h.usual end as ratio
            from new_medians d join history h using (sku) where h.n >= 2
        )
        select delivery_id, count(*), median(ratio) from ratios group by delivery_id
        having count(*) >= {MIN_SKUS} and (median(ratio) > {HIGHEST_RATIO} or median(ratio) < {LOWEST_RATIO})
        order by delivery_id
        """,
        [list(ids)],
    ).fetchall()


def _medians(connection: duckdb.DuckDBPyConnection, table: Table, column: str, ids: Sequence[int]) -> str:
    """Return the name of a table of each delivery's medians by SKU. They are worked out once, when it is new."""
    name, value = f"medians_{table.name}_{column}", quoted(column)
    connection.execute(f"create table if not exists {name} (delivery_id bigint, sku varchar, m double)")
    rows = connection.execute(
        f"select delivery_id from (select delivery_id from deliveries where table_name = $1 union select unnest($2)) "
        f"where delivery_id > (select coalesce(max(delivery_id), -1) from {name}) order by 1",
        [table.name, list(ids)],
    ).fetchall()
    if rows:
        listed = ", ".join(str(row[0]) for row in rows)
        connection.execute(
            f"insert into {name} select delivery_id, sku, median({value}::double) from {raw_name(table)} where "
            f"delivery_id >= {rows[0][0]} and delivery_id in ({listed}) and {value} > 0 and not is_duplicate "
            "group by delivery_id, sku"
        )
    return name
