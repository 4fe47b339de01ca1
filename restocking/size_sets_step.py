"""What the shop's record says of size sets: the curve of sizes, and what a broken set loses."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from data.step_io import StepIO
from restocking.config import RestockConfig
from restocking.size_sets import broken_set_loss, size_shares

__all__ = ["size_record"]

_IN_STOCK, _OUT = 0.999, 0.5  # share of a period in stock: from here on in stock; up to here out

_PERIODS = """
with own as (
    select h.sku, h.location_id, h.ds, p.style_id, h.units::double as units, h.in_stock_share as stock
    from demand_history h join stg_products p using (sku)
    where h.ds > $1 and h.in_stock_share is not null and p.style_id is not null and p.size is not null
),
sets as (
    select style_id, location_id, ds, count(*) as sizes, count(*) filter (stock <= $4) as gone,
        count(*) filter (stock >= $3) as there
    from own group by all having count(*) > 1
)
select o.sku, o.location_id, o.style_id,
    count(*) filter (o.ds <= $2) as periods_1, sum(o.units::decimal(18, 4)) filter (o.ds <= $2)::double as units_1,
    count(*) filter (o.ds > $2) as periods_2, sum(o.units::decimal(18, 4)) filter (o.ds > $2)::double as units_2,
    count(*) filter (s.there = s.sizes) as whole_periods,
    sum(o.units::decimal(18, 4)) filter (s.there = s.sizes)::double as whole_units,
    count(*) filter (s.gone > 0) as broken_periods,
    sum(o.units::decimal(18, 4)) filter (s.gone > 0)::double as broken_units
from own o join sets s using (style_id, location_id, ds)
where o.stock >= $3
group by all order by all
"""


def size_record(io: StepIO, config: RestockConfig) -> tuple[pd.DataFrame, float]:
    """Return ``sku``, ``style_id``, ``share`` of every SKU in a size set, and the loss of a broken set (0-1).

    Only periods in stock are looked at: what a size did not sell because it was not there says nothing of it.
    """
    nothing = pd.DataFrame(columns=["sku", "style_id", "share"]), 0.0
    products = io.read("stg_products", columns=["sku", "product_type", "size", "size_group"])
    if products["size"].isna().all():
        return nothing
    since, middle = (io.run_date - timedelta(days=days) for days in (config.audit_days, config.audit_days // 2))
    rows = io.query(_PERIODS, [since, middle, _IN_STOCK, _OUT]).fillna(0)
    if rows.empty:
        return nothing
    loss = broken_set_loss(rows, seed=io.settings.planning.seed)
    numbers = ["periods_1", "units_1", "periods_2", "units_2"]
    items = rows.groupby(["sku", "style_id"], as_index=False, sort=True)[numbers].sum()
    items = items.merge(products, on="sku", how="left").assign(
        rate_1=items["units_1"] / items["periods_1"].clip(lower=1),
        rate_2=items["units_2"] / items["periods_2"].clip(lower=1),
        units=items["units_1"] + items["units_2"],
    )
    return items[["sku", "style_id"]].assign(share=size_shares(items)), loss
