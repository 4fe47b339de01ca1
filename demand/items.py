"""Facts about each SKU and location, gathered for the assortment."""

from __future__ import annotations

import numpy as np
import polars as pl

from demand.panel import Ints

__all__ = ["alike", "item_facts", "prices_by_location", "regular_prices"]

_KEYS = ["sku", "location_id"]
_DAY = pl.Int64
_DEFAULT_LOCATION = "main"  # of rows that state no location
_ALIKE = (
    ("style_id", "location_id"),
    ("style_id",),
    ("product_type", "location_id"),
    ("category", "location_id"),
    ("location_id",),
)


def prices_by_location(prices: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Return ``sku``, ``location_id``, ``from_day``, ``price`` for each item of ``keys``.

    A SKU without prices of its own at a location takes those filed under ``main``: a shop with one price
    list states no location. Of several channels the first by name counts, ``*`` before all.

    Args:
        prices: ``sku``, ``location_id``, ``channel``, ``from_day`` (day number), ``price`` [currency/unit].
        keys: ``sku``, ``location_id``.
    """
    channel = pl.col("channel") == pl.col("channel").min().over(_KEYS)
    own = prices.filter(channel).select(*_KEYS, "from_day", "price")
    general = own.filter(pl.col("location_id") == _DEFAULT_LOCATION).drop("location_id")
    lacking = keys.select(_KEYS).join(own.select(_KEYS).unique(), on=_KEYS, how="anti")
    return pl.concat(
        [
            own.join(keys.select(_KEYS), on=_KEYS, how="semi"),
            lacking.join(general, on="sku").select(*_KEYS, "from_day", "price"),
        ]
    ).sort(*_KEYS, "from_day")


def regular_prices(
    in_force: pl.DataFrame, products: pl.DataFrame, paid: pl.DataFrame, keys: pl.DataFrame
) -> pl.DataFrame:
    """Return ``sku``, ``location_id``, ``regular_price``: in force, else the list price, else what was last paid.

    Args:
        in_force: as :func:`prices_by_location` gives it, up to the run date.
        products: ``sku``, ``list_price``.
        paid: ``sku``, ``location_id``, ``paid``: median price paid on the last day it sold.
        keys: the items.
    """
    latest = in_force.sort(*_KEYS, "from_day").group_by(_KEYS, maintain_order=True).agg(pl.col("price").last())
    return (
        keys.select(_KEYS)
        .join(latest, on=_KEYS, how="left")
        .join(products.select("sku", "list_price"), on="sku", how="left")
        .join(paid, on=_KEYS, how="left")
        .select(*_KEYS, regular_price=pl.coalesce("price", "list_price", "paid"))
    )


def item_facts(keys: pl.DataFrame, products: pl.DataFrame, supply: pl.DataFrame, *, run_day: int) -> pl.DataFrame:
    """Return ``keys`` with what products and supply say of each SKU; day numbers for dates.

    Args:
        keys: ``sku``, ``location_id``.
        products: the product table; may be empty.
        supply: ``sku``, ``supplier_id``, ``unit_cost``: from whom it is ordered.
        run_day: day number of the run date: a SKU is replaced once its successor is launched.
    """
    day = {
        name: pl.col(name).cast(pl.Int32).cast(_DAY) for name in ("launch_date", "end_of_sale_date", "licence_end_date")
    }
    facts = products.select(
        "sku",
        "is_product",
        "style_id",
        "title",
        "category",
        "ip",
        "product_type",
        "size",
        own_supplier="supplier_id",
        own_cost="unit_cost",
        launch=day["launch_date"],
        end_of_sale=day["end_of_sale_date"],
        licence_end=day["licence_end_date"],
    )
    successors = (
        products.filter(pl.col("replaces_sku").is_not_null())
        .select(sku="replaces_sku", replaced_on=day["launch_date"].fill_null(run_day))
        .group_by("sku")
        .agg(pl.col("replaced_on").min())
    )
    return (
        keys.join(facts, on="sku", how="left")
        .join(successors, on="sku", how="left")
        .join(supply.select("sku", "supplier_id", "unit_cost"), on="sku", how="left")
        .with_columns(
            is_product=pl.col("is_product").fill_null(value=True),
            supplier_id=pl.coalesce("supplier_id", "own_supplier"),
            unit_cost=pl.coalesce("unit_cost", "own_cost"),
        )
        .drop("own_supplier", "own_cost")
    )


def alike(keys: pl.DataFrame, products: pl.DataFrame) -> list[Ints]:
    """Return groups of items that sell alike, the narrowest first: group numbers of ``keys``, -1 where not stated.

    Args:
        keys: ``sku``, ``location_id``.
        products: ``sku``, ``style_id``, ``product_type``, ``category``; may be empty.
    """
    facts = products.select("sku", "style_id", "product_type", "category")
    described = keys.select(_KEYS).join(facts, on="sku", how="left", maintain_order="left")
    found = []
    for names in _ALIKE:
        stated = pl.all_horizontal(pl.col(name).is_not_null() for name in names)
        group = pl.when(stated).then(pl.struct(names).rank("dense").cast(pl.Int64)).otherwise(-1)
        found.append(described.select(group=group)["group"].to_numpy().astype(np.int64))
    return found
