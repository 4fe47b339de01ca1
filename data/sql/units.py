"""Suppliers who seem to count in another unit than before: boxes for pieces, a price per box for a price per piece.

One slip of the keyboard moves one SKU; another unit moves most of a supplier's SKUs the same way. Their lines are held
for a person (``unit_suspect`` in ``item_supply``); nothing is refused, for the rest of the shop is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

__all__ = ["UnitSuspect", "find_unit_suspects"]

_MIN_SKUS = 5  # fewer may all be slips, or real
_MIN_SHARE = 2 / 3  # of the SKUs beyond the band, on the same side
_BANDS = {"unit_cost": 2.0, "received_qty": 3.0, "open_qty": 3.0}  # quantities of orders swing more than costs
_RECENT_DAYS = 7  # receipts of the last week are compared with those before

_COMPARED = """
select 'unit_cost' as what, n.supplier_id, n.sku, n.unit_cost::double as now, coalesce(o.usual, p.unit_cost::double)
    as usual
from stg_supply_terms n
left join (
    select r.sku, r.supplier_id, median(r.unit_cost::double) as usual from raw_supply_terms r
    join visible v using (delivery_id)
    where v.in_force and coalesce(r.as_of_date, v.snapshot_date) < (
        select max(coalesce(x.as_of_date, y.snapshot_date)) from raw_supply_terms x join visible y using (delivery_id)
        where coalesce(x.as_of_date, y.snapshot_date) <= $1)
    group by all
) o using (sku, supplier_id)
left join stg_products p on p.sku = n.sku and p.supplier_id is not distinct from n.supplier_id
where n.unit_cost > 0
union all
select 'received_qty', coalesce(r.supplier_id, p.supplier_id), r.sku,
       median(r.received_qty) filter (r.received_date > $1 - $2),
       median(r.received_qty) filter (r.received_date <= $1 - $2)
from stg_receipts r left join stg_products p using (sku) where r.received_qty > 0 group by all
union all
select 'open_qty', coalesce(nullif(o.supplier_id, '-'), p.supplier_id), o.sku, median(o.open_qty), any_value(h.usual)
from stg_purchase_orders o left join stg_products p using (sku)
join (select sku, median(received_qty) as usual from stg_receipts where received_date <= $1 - $2 group by sku) h
  using (sku)
where o.open_qty > 0 group by all
"""


@dataclass(frozen=True)
class UnitSuspect:
    """A supplier whose figures moved together: what, over how many SKUs, by which median factor."""

    supplier_id: str
    what: str
    skus: int
    ratio: float


def find_unit_suspects(connection: duckdb.DuckDBPyConnection, *, run_date: date) -> list[UnitSuspect]:
    """Return the suppliers whose unit costs, receipts or open orders seem to come in another unit than before.

    Over at least 5 SKUs the median of now over usual lies beyond the band (2 for costs, 3 for quantities), and two
    thirds of the SKUs with it. Usual is the SKU's own past: earlier terms (else the product's cost), earlier receipts.
    """
    bands = " ".join(f"when '{what}' then {band}" for what, band in _BANDS.items())
    rows = connection.execute(
        f"""
        with compared as ({_COMPARED}),
        ratios as (
            select what, supplier_id, now / usual as ratio, case what {bands} end as band
            from compared where now > 0 and usual > 0 and supplier_id is not null and supplier_id <> '-'
        )
        select supplier_id, what, count(*), median(ratio) from ratios group by supplier_id, what, band
        having count(*) >= {_MIN_SKUS} and (
            (median(ratio) > band and avg((ratio > band)::integer) >= {_MIN_SHARE})
            or (median(ratio) < 1 / band and avg((ratio < 1 / band)::integer) >= {_MIN_SHARE}))
        order by supplier_id, what
        """,
        [run_date, _RECENT_DAYS],
    ).fetchall()
    return [UnitSuspect(*row) for row in rows]
