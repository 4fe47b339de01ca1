"""The mart ``item_supply``: from whom, in what time and on what terms each SKU is ordered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from data.calendar import Calendar
from data.contracts import TABLES
from data.contracts.frames import arrow_schema
from data.ingest.exchange import arrow_rows
from data.settings import Supply

__all__ = ["item_supply"]

_CHOSEN = """
with skus as (
    select sku from stg_products where is_product
    union select sku from stg_order_lines where is_product
    union select sku from stg_period_sales
    union select sku from stg_stock
    union select sku from stg_purchase_orders
    union select sku from stg_supply_terms
    union select sku from stg_preorder_campaigns
),
goods as (
    select s.sku, p.supplier_id as own_supplier, p.unit_cost as own_cost
    from skus s left join stg_products p using (sku)
    where s.sku not in (from not_products)
)
select g.sku,
       coalesce(g.own_supplier, t.supplier_id, '-') as supplier_id,
       cast(coalesce(t.unit_cost, g.own_cost) as decimal(18, 4)) as unit_cost,
       t.lead_time_days, t.lead_time_sd_days, t.min_order_qty, t.pack_size, t.max_order_qty,
       t.sku is not null as has_terms
from goods g
left join stg_supply_terms t
  on t.sku = g.sku and (g.own_supplier is null or t.supplier_id in (g.own_supplier, '-'))
qualify row_number() over (
    partition by g.sku
    order by t.supplier_id is not distinct from g.own_supplier desc, t.unit_cost nulls last, t.supplier_id
) = 1
order by g.sku
"""


def item_supply(
    connection: duckdb.DuckDBPyConnection,
    *,
    calendar: Calendar,
    default: Supply,
    suspects: Collection[str] = (),
) -> pa.Table:
    """Return one row per SKU that is or may be ordered, in the contract's columns.

    A SKU is ordered from ``products.supplier_id``, else at the lowest unit cost, else from the first supplier by id.
    Where it has no terms those of ``default`` hold, flagged ``default_supply``. L counts whole days, weekly whole weeks
    (``lead_time_rounded``); a supplier's closed days push the receipt out (``supplier_closed``). ``suspects`` are
    suppliers who seem to count in another unit than before (``unit_suspect``).
    """
    rows = arrow_rows(connection, _CHOSEN).to_pylist()
    closures = _closures(connection)
    receipts: dict[tuple[str, float], date] = {}
    found = []
    shared = {
        "review_period_days": float(calendar.review_period_days),
        "next_order_date": calendar.next_order_date,
        "is_order_date": calendar.is_order_date,
    }
    for row in rows:
        line, delivered = _terms(row, calendar=calendar, default=default)
        line |= shared
        place = (str(row["supplier_id"]), delivered)
        if place not in receipts:
            receipts[place] = calendar.receipt_date(delivered, closures.get(place[0], []))
        line["expected_receipt_date"] = receipts[place]
        if closures.get(place[0]) and receipts[place] != calendar.receipt_date(delivered):
            line["flags"].append("supplier_closed")
        if place[0] in suspects:
            line["flags"].append("unit_suspect")
        found.append(line)
    return pa.Table.from_pylist(found, schema=arrow_schema(TABLES["item_supply"]))


def _terms(row: dict[str, Any], *, calendar: Calendar, default: Supply) -> tuple[dict[str, Any], float]:
    """Return the line without the dates of orders and receipt, and the lead time as agreed [days]."""
    flags = []
    agreed = row["lead_time_days"]
    if not row["has_terms"]:
        flags.append("default_supply")
    elif agreed is None:
        flags.append("default_lead_time")
    lead_time = default.lead_time_days if agreed is None else agreed
    whole = calendar.lead_time(lead_time)
    if whole != lead_time:
        flags.append("lead_time_rounded")
    line = {
        "sku": row["sku"],
        "supplier_id": row["supplier_id"],
        "unit_cost": row["unit_cost"],
        "lead_time_days": float(whole),
        "lead_time_sd_days": _first_of(
            row["lead_time_sd_days"], None if row["has_terms"] else default.lead_time_sd_days, 0.0
        ),
        "min_order_qty": _first_of(row["min_order_qty"], default.min_order_qty),
        "pack_size": _first_of(row["pack_size"], default.pack_size),
        "max_order_qty": row["max_order_qty"],
        "flags": flags,
    }
    return line, float(lead_time)


def _first_of(*values: Any) -> Any:
    return next(v for v in values if v is not None)


def _closures(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[date, date]]]:
    rows = connection.execute(
        "select supplier_id, closed_from_date, closed_to_date from stg_supplier_calendar order by all"
    ).fetchall()
    found: dict[str, list[tuple[date, date]]] = {}
    for supplier_id, first, last in rows:
        found.setdefault(supplier_id, []).append((first, last))
    return found
