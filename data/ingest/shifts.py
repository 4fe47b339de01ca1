"""Undeclared shifts of unit: prices in another currency or in cents, quantities in boxes or a hundredfold.

A file is compared with the shop's own history, SKU by SKU: the ratio of its median to the median of the other
deliveries. Day totals swing too much to tell, and so do the units of a period: only prices, and the quantity of an
order line, are judged. Of a delivery the rows up to the date of the run that took it in are looked at: what comes after
must not decide what that run takes in.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from data.contracts import DType, Table
from data.ingest.deliveries import DeliveredFile
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.store import count_deliveries, raw_name
from data.ingest.zones import local_day_sql
from data.warehouse import quoted

__all__ = ["refuse_unit_shift"]

_JUDGED = {"order_lines": ("unit_price", "quantity"), "period_sales": ("unit_price",), "prices": ("price",)}
LOWEST_RATIO, HIGHEST_RATIO = 0.5, 2.0
MIN_SKUS = 20
SAMPLED_ROWS = 1_000_000  # of a larger delivery so many rows, evenly spread, tell its medians


def refuse_unit_shift(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[DeliveredFile], *, shop_timezone: str
) -> None:
    """Raise where a new delivery's prices or quantities are not in the unit of the others.

    Args:
        connection: with the raw table loaded.
        table: the input contract.
        files: the new deliveries.
        shop_timezone: says on which day something was sold.

    Raises:
        DeliveryRefused: ``UNIT_SHIFT``: over at least 20 SKUs the median ratio lies outside 0.5-2.
    """
    columns = _JUDGED.get(table.name, ())
    if not columns:
        return
    _learn_medians(connection, table, columns, files, shop_timezone)
    sightings = {f.delivery_id: f.sighting for f in files}
    for column in columns:
        for delivery_id, skus, ratio in _shifted(connection, table, column, list(sightings)):
            sighting = sightings[delivery_id]
            raise DeliveryRefused(
                Fault.UNIT_SHIFT,
                f"{column} is {ratio:.3g} times what it was in other deliveries (median over {skus:,} SKUs, expected "
                f"{LOWEST_RATIO} to {HIGHEST_RATIO}); another currency or unit? Deliver it in the usual one",
                source=sighting.source,
                file=sighting.file_name,
            )


def _shifted(
    connection: duckdb.DuckDBPyConnection, table: Table, column: str, ids: Sequence[int]
) -> list[tuple[int, int, float]]:
    """Return delivery, SKUs compared and median ratio of the deliveries beyond the band."""
    medians = _name(table, column)
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


def _learn_medians(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    columns: Sequence[str],
    files: Sequence[DeliveredFile],
    shop_timezone: str,
) -> None:
    """Store the medians of new deliveries by SKU, once and for all, with one look at their rows."""
    for column in columns:
        connection.execute(
            f"create table if not exists {_name(table, column)} (delivery_id bigint, sku varchar, m double)"
        )
        connection.execute(
            f"delete from {_name(table, column)} where delivery_id in (select unnest($1))",
            [[f.delivery_id for f in files]],
        )
    if not files:
        return
    cuts = ", ".join(
        f"({f.delivery_id}::bigint, date '{f.sighting.run_date}', {max(1, f.records // SAMPLED_ROWS)})" for f in files
    )
    known = "" if table.known_in_advance else f"and {_day(table, shop_timezone)} <= f.until "
    medians = ", ".join(f"median({quoted(c)}::double) filter ({quoted(c)} > 0) as {quoted(c)}" for c in columns)
    connection.execute(
        f"create or replace temp table new_medians as select r.delivery_id, r.sku, {medians} from {raw_name(table)} r "
        f"join (values {cuts}) f(delivery_id, until, every) on f.delivery_id = r.delivery_id where r.delivery_id >= "
        f"{min(f.delivery_id for f in files)} and r.row_number % f.every = 0 and not r.is_duplicate {known}"
        "group by r.delivery_id, r.sku"
    )
    for column in columns:
        connection.execute(
            f"insert into {_name(table, column)} select delivery_id, sku, {quoted(column)} from new_medians where "
            f"{quoted(column)} is not null"
        )


def _day(table: Table, shop_timezone: str) -> str:
    """Return SQL for the business date of a raw row."""
    assert table.business_date is not None
    if table.name == "order_lines":
        return "r.business_date"
    column = f"r.{quoted(table.business_date)}"
    is_instant = table.column(table.business_date).dtype is DType.TIMESTAMP
    return local_day_sql(shop_timezone, column) if is_instant else column


def _name(table: Table, column: str) -> str:
    return f"medians_{table.name}_{column}"
