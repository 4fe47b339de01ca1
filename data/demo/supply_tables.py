"""Products, suppliers, stock, purchase orders, prices and calendars: frames in the input contracts."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from data.demo.catalogue import LOCATIONS, NEVER
from data.demo.sales_tables import CATALOGUE_DAYS
from data.demo.streams import stream
from data.demo.suppliers import SECOND_SUPPLIER, SUPPLIERS, closed_spans
from data.demo.vocabulary import PRODUCT_TYPES
from data.demo.world import World

__all__ = [
    "bom_table",
    "day_date",
    "lanes_table",
    "locations_table",
    "open_orders",
    "products_table",
    "receipts_table",
    "stock_table",
    "supplier_calendar",
    "suppliers_table",
    "supply_terms",
]

_ELEMENTS = ("ip", "character", "colour", "collar", "sleeve", "fabric", "motif")
_SECOND_SOURCE_SHARE = 0.1  # of the goods can also be had from the quick supplier (0-1)
_DAYS_A_YEAR = 365


def day_date(world: World, day: int | float) -> date | None:
    """Return the date of a day number, None for never."""
    return None if day >= NEVER else world.config.start_date + timedelta(days=int(day))


def products_table(world: World, *, as_of_day: int) -> pl.DataFrame:
    """Return ``products`` as registered by a day: a product is known some weeks before its launch."""
    styles, rows = world.shop.styles, []
    campaigns = {plan.campaign_id: plan for plan in world.shop.campaigns}
    known = [
        min(s["launch_day"], campaigns[s["campaign"]].open_day if s["campaign"] else NEVER) - CATALOGUE_DAYS
        <= as_of_day
        for s in styles.iter_rows(named=True)
    ]
    replaced = _replacements(world)
    for sku in world.shop.skus.iter_rows(named=True):
        index = sku["style"]
        if not known[index]:
            continue
        style = styles.row(index, named=True)
        kind = PRODUCT_TYPES[style["type_index"]]
        has_ip = style["ip"] is not None
        title = f"{style['ip_title']} {style['character_title']} {kind.title}".replace("  ", " ")
        rows.append(
            {
                "sku": sku["sku"],
                "style_id": style["style_id"],
                "title": title + (f" {sku['size']}" if sku["size"] else f" {style['colour_title']}"),
                "category": style["category"],
                "ip": style["ip"],
                "character": style["character"],
                "product_type": style["product_type"],
                "size": sku["size"],
                "size_group": sku["size_group"],
                "colour": style["colour"],
                "material": style["fabric"],
                "attributes": json.dumps({k: style[k] for k in _ELEMENTS if style[k] is not None}),
                "supplier_id": style["supplier_id"],
                "unit_cost": style["unit_cost"],
                "list_price": style["price"],
                "salvage_value": style["salvage_value"],
                "licensor_min_price": round(0.7 * style["price"], 2) if has_ip else None,
                "royalty_share": style["royalty_share"] if has_ip else None,
                "licence_end_date": day_date(world, world.config.n_days + 200 + 7 * (index % 90)) if has_ip else None,
                "launch_date": day_date(world, style["launch_day"]),
                "end_of_sale_date": day_date(world, style["end_day"]),
                "replaces_sku": replaced.get(sku["sku"]),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _replacements(world: World) -> dict[str, str]:
    """Return new SKU -> the ended SKU it supersedes, for some goods of one product type."""
    styles = world.shop.styles.with_row_index("style")
    ended = styles.filter((pl.col("end_day") < world.config.n_days) & pl.col("collar").is_null())
    found: dict[str, str] = {}
    for row in ended.iter_rows(named=True):
        heirs = styles.filter(
            (pl.col("product_type") == row["product_type"])
            & pl.col("launch_day").is_between(row["end_day"] - 20, row["end_day"] + 40)
            & pl.col("collar").is_null()
        )
        for heir in heirs["style_id"]:
            if heir not in found:
                found[heir] = row["style_id"]
                break
    return found


def locations_table() -> pl.DataFrame:
    """Return ``locations``."""
    return pl.DataFrame(LOCATIONS, schema=["location_id", "region", "climate_zone", "is_warehouse"], orient="row")


def suppliers_table() -> pl.DataFrame:
    """Return ``suppliers``."""
    return pl.DataFrame(
        [
            {
                "supplier_id": s.supplier_id,
                "name": s.name,
                "min_order_value": s.min_order_value,
                "capacity_per_period": s.capacity_per_period,
                "freight_per_order": s.freight_per_order,
            }
            for s in (*SUPPLIERS, SECOND_SUPPLIER)
        ]
    )


def supply_terms(world: World, products: pl.DataFrame) -> pl.DataFrame:
    """Return ``supply_terms`` of the products: what suppliers say of lead times, and a quick second source for some."""
    rng = stream(world.config.seed, "supply_terms")
    terms = {s.supplier_id: s for s in SUPPLIERS}
    kinds = {t.name: t for t in PRODUCT_TYPES}
    rows: list[dict[str, Any]] = []
    for sku, supplier_id, cost, name in products.select("sku", "supplier_id", "unit_cost", "product_type").rows():
        kind, supplier = kinds[name], terms[supplier_id]
        rows.append(
            {
                "sku": sku,
                "supplier_id": supplier_id,
                "unit_cost": cost,
                "lead_time_days": supplier.lead_time_days,
                "lead_time_sd_days": supplier.lead_time_sd_days,
                "min_order_qty": kind.moq,
                "pack_size": kind.pack,
                "max_order_qty": 4000 if kind.price < 100 else 800,
            }
        )
        if kind.category in {"badge", "card", "acrylic"} and rng.random() < _SECOND_SOURCE_SHARE:
            quick = {**rows[-1], "supplier_id": SECOND_SUPPLIER.supplier_id, "unit_cost": round(cost * 1.25, 2)}
            quick.update(
                lead_time_days=SECOND_SUPPLIER.lead_time_days, lead_time_sd_days=1, min_order_qty=2 * kind.pack
            )
            rows.append(quick)
    return pl.DataFrame(rows)


def supplier_calendar(world: World) -> pl.DataFrame:
    """Return ``supplier_calendar``: factory holidays from the first day to a year after D."""
    first, last = world.config.start_date, world.config.run_date + timedelta(days=_DAYS_A_YEAR)
    return pl.DataFrame(
        [
            {"supplier_id": s.supplier_id, "closed_from_date": a, "closed_to_date": b}
            for s in SUPPLIERS
            for a, b in closed_spans(s.supplier_id, first=first, last=last)
        ]
    )


def lanes_table() -> pl.DataFrame:
    """Return ``lanes``."""
    rows = [
        ("web", "shop_north", 3, 1.2),
        ("web", "shop_south", 2, 0.9),
        ("shop_north", "web", 3, 1.2),
        ("shop_south", "web", 2, 0.9),
        ("shop_north", "shop_south", 4, 1.8),
        ("shop_south", "shop_north", 4, 1.8),
    ]
    return pl.DataFrame(rows, schema=["from_location_id", "to_location_id", "days", "freight_per_unit"], orient="row")


def bom_table(products: pl.DataFrame) -> pl.DataFrame:
    """Return ``bom``: fabric and packaging of what is sewn, blanks of badges and stands."""
    rows: list[dict[str, Any]] = []
    metres = {"S": 1.9, "M": 2.0, "L": 2.1, "XL": 2.3, "2XL": 2.5, "3XL": 2.7, "4XL": 2.9}
    blanks = {"tin_badge": "BLK-TIN58", "enamel_badge": "BLK-ENAMEL", "acrylic_stand": "BLK-ACRYL3MM"}
    for sku, kind, size, material, colour in products.select(
        "sku", "product_type", "size", "material", "colour"
    ).rows():
        if size is not None:
            rows.append({"sku": sku, "component_sku": f"FAB-{material}-{colour}".upper(), "quantity": metres[size]})
            rows.append({"sku": sku, "component_sku": "PKG-GARMENT", "quantity": 1.0})
        elif kind in blanks:
            rows.append({"sku": sku, "component_sku": blanks[kind], "quantity": 1.0})
    return pl.DataFrame(rows)


def stock_table(world: World) -> pl.DataFrame:
    """Return ``stock``, daily for the last ``stock_daily_days`` and every Sunday before, and ``day`` beside it."""
    config, shop = world.config, world.shop
    days = np.arange(config.n_days)
    weekday = (days + config.start_date.weekday()) % 7
    kept = days[(days >= config.n_days - config.stock_daily_days) | (weekday == 6)]
    listed = (world.demand.on_sale | (world.stock.end > 0))[:, kept]
    column, row = np.nonzero(listed.T)
    day = kept[column]
    return pl.DataFrame(
        {
            "day": day,
            "as_of_date": pl.Series(day).cast(pl.Int32) + (config.start_date - date(1970, 1, 1)).days,
            "sku": shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()[row]],
            "location_id": np.array([n for n, *_ in LOCATIONS])[shop.series["location"].to_numpy()[row]],
            "on_hand": world.stock.end[row, day].astype(np.int64),
            "backorders": np.zeros(len(row), np.int64),
        }
    ).with_columns(pl.col("as_of_date").cast(pl.Date))


def _named_orders(world: World) -> pl.DataFrame:
    """Return the purchase-order lines with names for numbers."""
    orders, shop, start = world.stock.orders, world.shop, world.config.start_date
    series = orders["series"].to_numpy()
    suppliers = np.array([s.supplier_id for s in SUPPLIERS])
    return orders.with_columns(
        sku=pl.Series(shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()[series]]),
        location_id=pl.Series(np.array([n for n, *_ in LOCATIONS])[shop.series["location"].to_numpy()[series]]),
        supplier_id=pl.Series(suppliers[orders["supplier"].to_numpy()]),
        ordered_date=pl.lit(start) + pl.duration(days=pl.col("ordered_day")),
        expected_receipt_date=pl.lit(start) + pl.duration(days=pl.col("expected_day")),
    )


def open_orders(world: World, *, as_of_day: int) -> pl.DataFrame:
    """Return ``purchase_orders`` open at the close of a day, some overdue.

    What a short delivery never sent is closed, not open.
    """
    named = _named_orders(world).filter(pl.col("ordered_day") <= as_of_day)
    first_open = pl.when(pl.col("received_day") > as_of_day).then(pl.col("qty")).otherwise(0)
    later_open = pl.when((pl.col("received_day") <= as_of_day) & (pl.col("second_day") > as_of_day)).then("second_qty")
    frame = named.with_columns(open_qty=first_open + later_open.fill_null(0)).filter(pl.col("open_qty") > 0)
    return frame.select(
        pl.lit(world.config.start_date + timedelta(as_of_day)).alias("as_of_date"),
        "po_id",
        "sku",
        "location_id",
        "supplier_id",
        "ordered_date",
        "expected_receipt_date",
        "open_qty",
        pl.lit(None, dtype=pl.String).alias("proposal_id"),
        "campaign_id",
    ).sort("po_id", "sku", "location_id")


def receipts_table(world: World) -> pl.DataFrame:
    """Return ``receipts`` up to D, and ``day`` beside it: true lead times, short shipments and what came later."""
    named = _named_orders(world)
    first = named.with_columns(day=pl.col("received_day"), units=pl.col("received_qty"))
    later = named.filter(pl.col("second_qty") > 0).with_columns(day=pl.col("second_day"), units=pl.col("second_qty"))
    both = pl.concat([first, later]).filter((pl.col("day") < world.config.n_days) & (pl.col("units") > 0))
    return both.select(
        "day",
        "po_id",
        "sku",
        "supplier_id",
        "location_id",
        "campaign_id",
        "ordered_date",
        (pl.lit(world.config.start_date) + pl.duration(days=pl.col("day"))).alias("received_date"),
        pl.col("units").alias("received_qty"),
    ).sort("day", "po_id", "sku", "location_id")
