"""What the price step learns elasticities from: weekly sales with prices, promotions, heat, weather and events."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import polars as pl

from data.step_io import StepIO
from pricing.config import PricingConfig
from pricing.elasticity import estimate_elasticities
from pricing.weekly import weekly_with_prices

__all__ = ["learnt_elasticities"]

_MOST_HEAT = 50.0  # [log ratio]
_COSTED = "sku in (select sku from assortment where unit_cost is not null)"
_USUAL = "not (h.is_censored or h.is_closed or h.is_gap or h.is_partial)"


def learnt_elasticities(io: StepIO, config: PricingConfig) -> pd.DataFrame:
    """Return elasticities of the SKUs whose cost is known: the others get no suggestion, nothing is spent on them."""
    products = io.query(
        "select sku, any_value(product_type order by location_id) as product_type, "
        "any_value(category order by location_id) as category, any_value(style_id order by location_id) as style_id, "
        "cast(any_value(unit_cost order by location_id) as double) as unit_cost "
        "from assortment where unit_cost is not null and status <> 'not_product' group by sku order by sku"
    )
    if products.empty:
        io.note("NO_UNIT_COST", "No SKU has a unit cost: there are no price suggestions.", table="price_suggestions")
        return products.head(0)
    since = io.run_date - timedelta(weeks=config.elasticity_weeks)
    weekly = _weekly_sales(io, since)
    for control in (_heat(io, since), _weather(io, since), _events(io, since)):
        shared = [c for c in ("sku", "location_id", "week") if c in control.columns]
        weekly = weekly.join(control, on=shared, how="left")
    prices = io.query_polars(
        "select sku, location_id, from_date, cast(price as double) as price from stg_prices "
        f"where {_COSTED} and price > 0 order by sku, location_id, from_date, channel"
    )
    return estimate_elasticities(weekly_with_prices(weekly, prices), products, config=config)


def _weekly_sales(io: StepIO, since: date) -> pl.DataFrame:
    """Units, days and price paid a week, of days with stock; and the share of days on promotion, now and before.

    Where regular prices are known, elasticity is learnt from them alone, on days without promotion: promotions lift
    demand beyond their price. What they leave behind (a dip, a halo) is a control.
    """
    plain = f"{_USUAL} and not h.on_promotion" if io.has_source("prices") else _USUAL
    return io.query_polars(
        "with weeks as (select h.sku, h.location_id, cast(date_trunc('week', h.ds) as date) as week, "
        f"cast(sum(cast(h.units as decimal(18, 4))) filter (where {plain}) as double) as units, "
        f"cast(count(*) filter (where {plain}) * {io.calendar.period_days} as double) as days, "
        "cast(sum(cast(h.units as decimal(18, 4)) * h.unit_price) filter (where h.unit_price > 0 "
        f"and {plain}) as double) / nullif(cast(sum(cast(h.units as decimal(18, 4))) filter "
        f"(where h.unit_price > 0 and {plain}) as double), 0) as price, "
        "cast(count(*) filter (where h.on_promotion) as double) / count(*) as promotion_share "
        f"from demand_history h where h.{_COSTED} and h.ds > $1 group by h.sku, h.location_id, week), "
        "lagged as (select *, coalesce(lag(promotion_share) over (partition by sku, location_id order by week), 0) "
        "as promotion_before from weeks) "
        "select * from lagged where days > 0 order by sku, location_id, week",
        [since],
    )


def _heat(io: StepIO, since: date) -> pl.DataFrame:
    """Heat of the hotter of a SKU's IP and character, a week: ``sku``, ``week``, ``heat``."""
    felt = io.read_polars("trend_features", columns=["element_type", "element", "region", "ds", "heat"])
    felt = (
        felt.filter(
            (pl.col("region") == "*")
            & pl.col("element_type").is_in(["ip", "character"])
            & (pl.col("ds") > since)
            & pl.col("heat").is_finite()
            & (pl.col("heat").abs() < _MOST_HEAT)
        )
        .sort("element_type", "element", "ds")
        .group_by("element_type", "element", week=pl.col("ds").dt.truncate("1w").cast(pl.Date), maintain_order=True)
        .agg(pl.col("heat").mean())
    )
    carried = io.query_polars(
        "select sku, 'ip' as element_type, ip as element from stg_products where ip is not null "
        f"and {_COSTED} union all select sku, 'character', character from stg_products "
        f"where character is not null and {_COSTED} order by sku, element_type"
    )
    joined = carried.join(felt, on=["element_type", "element"])
    return joined.group_by("sku", "week").agg(pl.col("heat").max()).sort("sku", "week")


def _weather(io: StepIO, since: date) -> pl.DataFrame:
    """Mean temperature of a location's region, a week: ``location_id``, ``week``, ``temperature`` [10 degC]."""
    return io.query_polars(
        "select l.location_id, cast(date_trunc('week', w.date) as date) as week, "
        "cast(avg(cast(w.temperature_mean as decimal(18, 4))) as double) / 10 as temperature "
        "from stg_weather w join stg_locations l using (region) where w.date > $1 and w.date <= $2 "
        "group by l.location_id, week order by l.location_id, week",
        [since, io.run_date],
    )


def _events(io: StepIO, since: date) -> pl.DataFrame:
    """Share of a week's days with an event of the SKU's IP: ``sku``, ``week``, ``event_share``."""
    return io.query_polars(
        "with days as (select distinct e.ip, cast(d.ds as date) as ds from stg_events e, "
        "unnest(generate_series(e.starts_date, e.ends_date, interval 1 day)) as d(ds) "
        "where e.ip <> '*' and e.ends_date > $1 and e.starts_date <= $2 and e.ends_date - e.starts_date < 400), "
        "weeks as (select ip, cast(date_trunc('week', ds) as date) as week, count(*) / 7.0 as event_share "
        "from days group by ip, week) "
        "select p.sku, w.week, cast(w.event_share as double) as event_share from stg_products p "
        f"join weeks w using (ip) where p.{_COSTED} order by p.sku, w.week",
        [since, io.run_date],
    )
