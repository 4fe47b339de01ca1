"""What the simulator knows and no estimator may read: the tables of ``truth/``."""

from __future__ import annotations

import numpy as np
import polars as pl

from data.demo.catalogue import LOCATIONS
from data.demo.demand import Demand
from data.demo.interest import LAG_DAYS, STRENGTH
from data.demo.sales_tables import instants, line_ids, preorder_ids
from data.demo.suppliers import SUPPLIERS
from data.demo.vocabulary import PRODUCT_TYPES
from data.demo.weather import cold_snaps
from data.demo.world import World

__all__ = ["truth_tables"]


def truth_tables(world: World) -> dict[str, pl.DataFrame]:
    """Return the truth by file name (without ``.parquet``)."""
    return {
        "daily": _daily(world),
        "elasticities": _elasticities(world),
        "promotions": world.prices.promotions,
        "trend_bursts": _dated(
            world,
            world.talk.bursts,
            {
                "start_day": "starts_date",
                "visible_day": "visible_date",
                "peak_day": "peak_date",
                "end_day": "ends_date",
            },
        ),
        "element_effects": _element_effects(),
        "planted_pairs": world.shop.pairs,
        "brushing": _marked_lines(world),
        "viral": _viral(world, world.demand),
        "return_rates": _return_rates(world),
        "return_problems": world.habits.problems,
        "preorders": _preorders(world),
        "preorder_finals": _finals(world),
        "lead_times": _lead_times(),
        "cold_snaps": _dated(world, cold_snaps(world.config), {"starts_day": "starts_date"}),
        "weather_effects": _weather_effects(),
        "size_gaps": _size_gaps(),
    }


def _daily(world: World) -> pl.DataFrame:
    """Return demand and stock of every series and day on sale or with stock: the accounting of the inventory."""
    shop, stock, demand = world.shop, world.stock, world.demand
    moved = (stock.start > 0) | (stock.received > 0) | (stock.returned > 0) | (stock.shipped > 0)
    row, day = np.nonzero(demand.on_sale | moved)
    sku = shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()[row]]
    sold, wanted = stock.sold[row, day], demand.units[row, day]
    frame = pl.DataFrame(
        {
            "sku": sku,
            "location_id": np.array([n for n, *_ in LOCATIONS])[shop.series["location"].to_numpy()[row]],
            "day": day.astype(np.int32),
            "expected_demand": demand.expected[row, day],
            "true_demand": wanted,
            "sold_qty": sold,
            "lost_qty": wanted - sold,
            "is_censored": wanted > sold,
            "start_qty": stock.start[row, day],
            "received_qty": stock.received[row, day],
            "returned_qty": stock.returned[row, day],
            "preorder_shipped_qty": stock.shipped[row, day],
            "end_qty": stock.end[row, day],
        }
    )
    return _dated(world, frame, {"day": "ds"})


def _dated(world: World, frame: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """Turn day numbers into dates."""
    return frame.with_columns(
        (pl.lit(world.config.start_date) + pl.duration(days=pl.col(day))).cast(pl.Date).alias(name)
        for day, name in names.items()
    ).drop(list(names))


def _elasticities(world: World) -> pl.DataFrame:
    """Return the true own-price elasticity of every SKU."""
    style = world.shop.skus["style"].to_numpy()
    return pl.DataFrame({"sku": world.shop.skus["sku"]}).with_columns(
        pl.Series(name, world.shop.styles[name].to_numpy()[style])
        for name in ("style_id", "category", "product_type", "elasticity")
    )


def _element_effects() -> pl.DataFrame:
    """Return by element type how long signals lead sales and with which power."""
    return pl.DataFrame(
        {"element_type": list(LAG_DAYS), "lag_days": list(LAG_DAYS.values()), "power": [STRENGTH[k] for k in LAG_DAYS]}
    )


def _marked_lines(world: World) -> pl.DataFrame:
    """Return the fake order lines."""
    fake = world.lines.with_columns(order_line_id=line_ids()).filter(pl.col("kind").is_not_null())
    series = fake["series"].to_numpy()
    shop = world.shop
    return fake.select(
        "order_line_id",
        "incident",
        "kind",
        pl.Series("sku", shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()[series]]),
        pl.Series("location_id", np.array([n for n, *_ in LOCATIONS])[shop.series["location"].to_numpy()[series]]),
        instants(world.config.start_date, fake["second"].to_numpy()).alias("ordered_at"),
        "quantity",
    )


def _viral(world: World, demand: Demand) -> pl.DataFrame:
    """Return the real order lines of the viral spikes: no detector may call them fake."""
    shop = world.shop
    real = world.lines.filter(pl.col("kind").is_null() & (pl.col("quantity") > 0)).with_columns(
        order_line_id=line_ids()
    )
    spikes = demand.viral.select("spike_id", "series", "length_days", pl.col("day").alias("first_day"))
    during = pl.col("day").is_between(pl.col("first_day"), pl.col("first_day") + pl.col("length_days") - 1)
    mine = real.join(spikes, on="series").filter(during).sort("spike_id", "order_line_id")
    sku = shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()[mine["series"].to_numpy()]]
    frame = mine.select(
        "order_line_id",
        "spike_id",
        pl.Series("sku", sku, dtype=pl.String),
        pl.lit("web").alias("location_id"),
        pl.col("first_day"),
        "quantity",
    )
    return _dated(world, frame, {"first_day": "starts_date"})


def _return_rates(world: World) -> pl.DataFrame:
    """Return the true return rate of every series."""
    shop = world.shop
    return pl.DataFrame(
        {
            "sku": shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()],
            "location_id": np.array([n for n, *_ in LOCATIONS])[shop.series["location"].to_numpy()],
            "return_rate": world.habits.rate,
        }
    )


def _preorders(world: World) -> pl.DataFrame:
    """Return every preorder of every campaign, those after D included."""
    booked, start = world.booked.preorders, world.config.start_date
    ids = pl.Series([plan.campaign_id for plan in world.shop.campaigns])
    cancel = instants(start, np.maximum(booked["cancel_second"].to_numpy(), 0))
    return booked.select(
        preorder_ids(pl.col("preorder")).alias("preorder_id"),
        ids[booked["campaign"].to_numpy()].alias("campaign_id"),
        world.shop.skus["sku"][booked["sku_index"].to_numpy()].alias("sku"),
        instants(start, booked["second"].to_numpy()).alias("placed_at"),
        "quantity",
        pl.when(pl.col("cancel_second") >= 0).then(cancel).alias("cancelled_at"),
        "planted",
    )


def _finals(world: World) -> pl.DataFrame:
    """Return what each campaign and SKU comes to at its close; refused orders above the cap do not count."""
    fates = pl.Series([plan.fate for plan in world.shop.campaigns])
    counted = world.booked.preorders.filter((pl.col("planted") != "above_cap").fill_null(value=True))
    kept = pl.when(pl.col("cancel_second") < 0).then("quantity").otherwise(0)
    final = counted.group_by("campaign", "sku_index").agg(
        pl.col("quantity").sum().alias("final_placed_qty"), kept.sum().alias("final_firm_qty")
    )
    final = final.sort("campaign", "sku_index")
    ids = pl.Series([plan.campaign_id for plan in world.shop.campaigns])
    return final.select(
        ids[final["campaign"].to_numpy()].alias("campaign_id"),
        world.shop.skus["sku"][final["sku_index"].to_numpy()].alias("sku"),
        fates[final["campaign"].to_numpy()].alias("fate"),
        "final_placed_qty",
        "final_firm_qty",
    )


def _lead_times() -> pl.DataFrame:
    """Return how the suppliers really deliver."""
    return pl.DataFrame(
        [
            {"supplier_id": s.supplier_id, "stated_days": s.lead_time_days, "true_mean_days": s.true_lead_days,
             "true_sd_days": s.true_sd_days, "short_share": s.short_share}
            for s in SUPPLIERS
        ]
    )  # fmt: skip


def _weather_effects() -> pl.DataFrame:
    """Return the log change of demand per degree above 15 degC."""
    return pl.DataFrame(
        [{"product_type": t.name, "log_per_degree": t.temperature} for t in PRODUCT_TYPES if t.temperature]
    )


def _size_gaps() -> pl.DataFrame:
    """Return where the simulated buyer under-orders extended sizes, and where not."""
    return pl.DataFrame(
        {"category": ["costume", "clothing"], "size_group": ["extended"] * 2, "is_planted": [True, False]}
    )
