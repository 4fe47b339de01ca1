"""What the trends step reads of the shop: sales, stock, supply, traffic, and the plan that exposure is made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from data.step_io import StepIO
from trends.action import Goods
from trends.config import TrendConfig
from trends.elements import product_elements
from trends.exposure import cold_snaps, exposure_suggestions
from trends.heat import heat_of
from trends.sales import SalesPanel, sales_panel
from trends.signals import ALL_REGIONS, signal_cube
from trends.traffic import traffic_signals
from trends.vintages import signal_history
from trends.weather import weather_effects

__all__ = ["ShopPicture", "shop_picture", "suggestions"]

_EPOCH = date(1970, 1, 1)
_FOR_EVER = 3650.0  # days on sale of what has no end of sale [days]
_RATE_DAYS = 28
_EARLIER_DAYS = 112  # what sold in the three months before the last four weeks is what a burst falls back to [days]
_NEW_DAYS = 28
_KEYS = ["element_type", "element", "region"]


@dataclass(frozen=True)
class ShopPicture:
    """What is known of the shop on the run date; see the properties for shapes."""

    history: pl.DataFrame
    regions: pl.DataFrame
    zones: pl.DataFrame
    styles: pl.DataFrame
    goods: Goods
    money: dict[str, tuple[float, float]]
    traffic: pl.DataFrame
    last_day: int
    period_days: int

    def panel(self, days: int) -> SalesPanel:
        """Return sales by SKU and region over the last ``days``, fewer where the history is shorter."""
        known = self.history["ds"].min() if self.history.height else None
        held = self.last_day - (known - _EPOCH).days + 1 if isinstance(known, date) else 1
        return sales_panel(
            self.history,
            self.regions,
            last_day=self.last_day,
            days=max(min(days, held), 1),
            period_days=self.period_days,
        )

    def traffic_heat(self, alerts: pl.DataFrame, config: TrendConfig) -> pl.DataFrame:
        """Return ``traffic_heat`` of the shop's own traffic for the elements of the alerts."""
        asked = self.goods.elements.join(
            alerts.select("element_type", "element").unique(), on=["element_type", "element"], how="semi"
        )
        empty = pl.DataFrame(schema={**dict.fromkeys(_KEYS, pl.String), "traffic_heat": pl.Float64})
        if self.traffic.is_empty() or asked.is_empty():
            return empty
        first, _ = signal_history(traffic_signals(self.traffic, asked, self.regions))
        cube = signal_cube(first, last_day=self.last_day, config=config)
        heat = heat_of(cube, config=config)
        return cube.series.with_columns(traffic_heat=pl.Series(heat.heat[-1].astype(float)))


def shop_picture(io: StepIO, products: pl.DataFrame, elements: pl.DataFrame, config: TrendConfig) -> ShopPicture:
    """Return what is known of the shop on the run date."""
    regions = io.read_polars("stg_locations", columns=["location_id", "region", "climate_zone"])
    history = _history(io, max(config.sales_days, config.feature_days))
    day = (io.run_date - _EPOCH).days
    items = _items(io, products, regions, history, day)
    goods = Goods(
        items=items,
        elements=elements,
        bom=io.read_polars("stg_bom", columns=["sku", "component_sku", "quantity"]),
        materials=products.select("sku", "material"),
        suppliers=io.read_polars("stg_suppliers", columns=["supplier_id", "capacity_per_period"]),
    )
    zones = (
        regions.with_columns(pl.col("region").fill_null(ALL_REGIONS))
        .sort("region", "climate_zone", nulls_last=True)
        .unique("region", keep="first", maintain_order=True)
        .select("region", "climate_zone")
    )
    return ShopPicture(
        history=history,
        regions=regions.select("location_id", "region"),
        zones=zones,
        styles=_styles(io, products, day),
        goods=goods,
        money=_money(items, config),
        traffic=io.read_polars("stg_site_traffic") if io.has_source("site_traffic") else pl.DataFrame(),
        last_day=day,
        period_days=io.calendar.period_days,
    )


def _history(io: StepIO, days: int) -> pl.DataFrame:
    return io.query_polars(
        "select sku, location_id, ds, units from demand_history where not is_gap and not is_censored and units is not "
        f"null and ds > date '{io.run_date}' - {days} and ds <= date '{io.run_date}' order by sku, location_id, ds"
    ).with_columns(pl.col("units").cast(pl.Float64))


def _styles(io: StepIO, products: pl.DataFrame, day: int) -> pl.DataFrame:
    """Return what each SKU's style is, whether it may sell next quarter, and whether it is new."""
    status = (
        io.read_polars("assortment", columns=["sku", "status", "first_sale_date"])
        .with_columns(open=pl.col("status").is_in(["active", "not_launched"]))
        .group_by("sku")
        .agg(is_open=pl.col("open").any(), begun=pl.col("first_sale_date").min())
    )
    begun = pl.col("begun").cast(pl.Int32).cast(pl.Int64)
    return (
        products.select(
            "sku", style_id=pl.col("style_id").fill_null(pl.col("sku")), category=pl.col("category").fill_null("-")
        )
        .join(status, on="sku", how="left")
        .with_columns(is_open=pl.col("is_open").fill_null(False), is_new=begun.is_null() | (begun > day - _NEW_DAYS))
        .sort("sku")
    )


def _items(io: StepIO, products: pl.DataFrame, regions: pl.DataFrame, history: pl.DataFrame, day: int) -> pl.DataFrame:
    """Return each active SKU and location with its rate, stock, open orders, terms and prices."""
    active = io.read_polars(
        "assortment", columns=["sku", "location_id", "status", "regular_price", "unit_cost", "end_of_sale_date"]
    ).filter(pl.col("status") == "active")
    stock = io.read_polars("stg_stock", columns=["sku", "location_id", "on_hand"])
    orders = io.read_polars("stg_purchase_orders", columns=["sku", "location_id", "open_qty"])
    supply = io.read_polars(
        "item_supply",
        columns=["sku", "supplier_id", "unit_cost", "lead_time_days", "review_period_days", "pack_size"],
    ).rename({"unit_cost": "supply_cost"})
    keys = ["sku", "location_id"]
    joined = (
        active.join(regions.select("location_id", "region"), on="location_id", how="left")
        .join(_rates(history, day=day, per_day=io.calendar.period_days), on=keys, how="left")
        .join(stock.group_by(keys).agg(stock=pl.col("on_hand").sum()), on=keys, how="left")
        .join(orders.group_by(keys).agg(open_orders=pl.col("open_qty").sum()), on=keys, how="left")
        .join(supply, on="sku", how="left")
        .join(products.select("sku", "salvage_value", "royalty_share", "size_group"), on="sku", how="left")
    )
    default = io.settings.planning.default_supply
    return _filled(joined, day=day, lead_days=default.lead_time_days, review_days=io.calendar.review_period_days)


def _rates(history: pl.DataFrame, *, day: int, per_day: int) -> pl.DataFrame:
    """Return what each SKU and location sold a day of late, and in the weeks before [units/day]."""
    ds, units = pl.col("ds").cast(pl.Int32), pl.col("units") / per_day
    is_late = ds > day - _RATE_DAYS
    is_earlier = ds.is_between(day - _EARLIER_DAYS, day - _RATE_DAYS, closed="right")
    return history.group_by("sku", "location_id").agg(
        rate=units.filter(is_late).mean(), earlier_rate=units.filter(is_earlier).mean()
    )


def _filled(joined: pl.DataFrame, *, day: int, lead_days: float, review_days: float) -> pl.DataFrame:
    """Return the items with what is not known filled by the shop's defaults."""
    keys = ["sku", "location_id"]
    cost = pl.coalesce("supply_cost", "unit_cost").cast(pl.Float64)
    end = pl.col("end_of_sale_date").cast(pl.Int32).cast(pl.Float64) - day
    return joined.select(
        *keys,
        region=pl.col("region").fill_null(ALL_REGIONS),
        rate=pl.col("rate").fill_null(0.0),
        earlier_rate="earlier_rate",
        stock=pl.col("stock").fill_null(0.0).cast(pl.Float64),
        open_orders=pl.col("open_orders").fill_null(0.0).cast(pl.Float64),
        supplier_id="supplier_id",
        unit_cost=cost.fill_null(0.0),
        price=pl.coalesce(pl.col("regular_price").cast(pl.Float64), cost).fill_null(0.0),
        salvage_value=pl.col("salvage_value").cast(pl.Float64).fill_null(0.0),
        royalty_share=pl.col("royalty_share").cast(pl.Float64).fill_null(0.0),
        lead_time_days=pl.col("lead_time_days").fill_null(float(lead_days)),
        review_period_days=pl.col("review_period_days").fill_null(float(review_days)),
        pack_size=pl.col("pack_size").fill_null(1),
        days_on_sale=end.fill_null(_FOR_EVER),
        size_group="size_group",
    ).sort(*keys)


def _money(items: pl.DataFrame, config: TrendConfig) -> dict[str, tuple[float, float]]:
    """Return margin of a unit, and what one too many costs: capital for half a year and a quarter of its write-down."""
    margin = (pl.col("price") * (1 - pl.col("royalty_share")) - pl.col("unit_cost")).clip(lower_bound=0)
    down = (pl.col("unit_cost") - pl.col("salvage_value")).clip(lower_bound=0) * 0.25
    worth = items.group_by("sku").agg(
        margin=margin.mean(), cost=(pl.col("unit_cost") * config.annual_holding_rate / 2 + down).mean()
    )
    return {sku: (float(m or 0), float(c or 0)) for sku, m, c in worth.iter_rows()}


def suggestions(io: StepIO, config: TrendConfig) -> pl.DataFrame:
    """Return ``exposure_suggestions`` from tonight's plan, forecasts, alerts and weather."""
    day = (io.run_date - _EPOCH).days
    items = _shown_items(io, config, day)
    if items.is_empty():
        return pl.DataFrame()
    weather = io.read_polars("stg_weather", columns=["date", "region", "temperature_mean"])
    turns = cold_snaps(weather, day=day, config=config)
    found = exposure_suggestions(items, _alert_lifts(io, items), turns, day=day, config=config)
    dates = {f"{name}_date": pl.col(f"{name}_day").cast(pl.Int32).cast(pl.Date) for name in ("from", "to")}
    return found.with_columns(**dates).drop("from_day", "to_day")


def _shown_items(io: StepIO, config: TrendConfig, day: int) -> pl.DataFrame:
    """Return what may be shown: SKUs in regions with their stock, demand, cover, margin, size and weather effect."""
    plan = io.query_polars(
        "select sku, location_id, days_of_cover, "
        "coalesce(on_hand, 0) - coalesce(backorders, 0) - coalesce(preorders_open, 0) as stock "
        "from restock_plan where status <> 'not_replenished' order by sku, location_id"
    )
    demand = io.query_polars(
        "select sku, location_id, avg(mean) as daily, avg(q90) as p90 from forecasts "
        f"where ds <= date '{io.run_date}' + {config.exposure_days} group by all order by sku, location_id"
    )
    products = io.read_polars("stg_products")
    regions = io.read_polars("stg_locations", columns=["location_id", "region"])
    prices = io.read_polars("assortment", columns=["sku", "location_id", "regular_price", "unit_cost", "category"])
    per_day = io.calendar.period_days
    by_region = (
        plan.join(demand, on=["sku", "location_id"])
        .join(regions, on="location_id", how="left")
        .join(prices, on=["sku", "location_id"], how="left")
        .with_columns(region=pl.col("region").fill_null(ALL_REGIONS))
        .group_by("sku", "region")
        .agg(
            stock_units=pl.col("stock").sum().cast(pl.Float64),
            daily_units=pl.col("daily").sum() / per_day,
            p90_daily_units=pl.col("p90").sum() / per_day,
            cover_days=pl.col("days_of_cover").max().fill_null(_FOR_EVER),
            margin=(pl.col("regular_price") - pl.col("unit_cost")).mean().cast(pl.Float64).fill_null(0.0),
            category=pl.col("category").first().fill_null("-"),
        )
    )
    tail = pl.col("daily_units").rank("average").over("category", "region") <= 0.5 * pl.len().over("category", "region")
    described = by_region.join(products.select("sku", "size_group", "product_type"), on="sku", how="left")
    effects = _effects(io, products, config, day)
    return (
        described.join(effects, on="product_type", how="left")
        .with_columns(is_tail=tail, weather_effect=pl.col("weather_effect").fill_null(0.0))
        .sort("sku", "region")
    )


def _effects(io: StepIO, products: pl.DataFrame, config: TrendConfig, day: int) -> pl.DataFrame:
    weather = io.query_polars(
        "select date, region, temperature_mean from stg_weather "
        f"where date <= date '{io.run_date}' order by region, date"
    )
    history = _history(io, config.feature_days)
    if weather.is_empty() or history.is_empty():
        return pl.DataFrame(schema={"product_type": pl.String, "weather_effect": pl.Float64})
    regions = io.read_polars("stg_locations", columns=["location_id", "region"])
    first = history["ds"].min()
    assert isinstance(first, date)
    panel = sales_panel(
        history, regions, last_day=day, days=day - (first - _EPOCH).days + 1, period_days=io.calendar.period_days
    )
    return weather_effects(panel, product_elements(products), weather, config=config)


def _alert_lifts(io: StepIO, items: pl.DataFrame) -> pl.DataFrame:
    """Return ``sku``, ``region``, ``lift`` [log]: the strongest rise that a burst brings to a product."""
    alerts = io.read_polars("trend_alerts", columns=[*_KEYS, "status"]).filter(pl.col("status") != "withdrawn")
    heat = io.read_polars("trend_scores", columns=[*_KEYS, "heat"])
    leads = io.read_polars("signal_leads", columns=["element_type", "strength"])
    warm = (
        alerts.join(heat, on=_KEYS)
        .join(leads, on="element_type")
        .with_columns(lift=(pl.col("heat") * pl.col("strength")).clip(lower_bound=0.0))
        .filter(pl.col("lift") > 0)
    )
    carried = io.read_polars("product_elements").join(warm, on=["element_type", "element"])
    placed = carried.join(items.select("sku", place="region"), on="sku").filter(
        (pl.col("region") == ALL_REGIONS) | (pl.col("region") == pl.col("place"))
    )
    return placed.group_by("sku", region="place").agg(pl.col("lift").max()).sort("sku", "region")
