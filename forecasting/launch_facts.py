"""What is known of a launch before it sells: its design elements, the shop's first order, and what trends foresaw."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from forecasting.panel import Panel

__all__ = ["known_by", "with_launch_facts"]

_ORDER = ("sku", "location_id", "campaign_id", "ordered_date")
_FIRST_ORDER_DAYS = 7  # [days] after the launch within which a first delivery is due
_EVERYWHERE = "*"  # region of locations without one


def with_launch_facts(
    keys: pl.DataFrame,
    *,
    elements: pl.DataFrame,
    receipts: pl.DataFrame,
    open_orders: pl.DataFrame,
    priors: pl.DataFrame,
) -> pl.DataFrame:
    """Return the keys with ``elements``, ``launch_qty`` [units], ``prior_level`` [ratio] and its day ``prior_known``.

    The first order is what was ordered before the launch and is due at the latest a week after it: known at the launch.
    What a preorder campaign ordered for its own buyers is no part of it.

    Args:
        keys: sku, location_id, region, launch_date and more.
        elements: sku, element_type, element.
        receipts: sku, location_id, campaign_id, ordered_date, received_date, received_qty.
        open_orders: sku, location_id, campaign_id, ordered_date, expected_receipt_date, open_qty.
        priors: sku, region, level_ratio, known_date; region ``*`` for locations without one.
    """
    named = elements.filter(~pl.col("element_type").is_in(["ip", "product_type"])).select(
        "sku", elements=pl.concat_str("element_type", "element", separator="=")
    )
    orders = pl.concat(
        [
            receipts.select(*_ORDER, due="received_date", qty="received_qty"),
            open_orders.select(*_ORDER, due="expected_receipt_date", qty="open_qty"),
        ]
    )
    launch = pl.col("launch_date").cast(pl.Date)
    first = (
        orders.join(keys.select("sku", "location_id", launch), on=["sku", "location_id"])
        .filter(pl.col("campaign_id").is_null() & (pl.col("ordered_date") < pl.col("launch_date")))
        .filter(pl.col("due") <= pl.col("launch_date") + pl.duration(days=_FIRST_ORDER_DAYS))
        .group_by("sku", "location_id")
        .agg(launch_qty=pl.col("qty").cast(pl.Float64).sum())
    )
    lists = named.unique().sort("sku", "elements").group_by("sku", maintain_order=True).agg("elements")
    prior = priors.select("sku", "region", prior_level="level_ratio", prior_known=pl.col("known_date").cast(pl.Date))
    joined: pl.DataFrame = (
        keys.join(lists, on="sku", how="left", maintain_order="left")
        .join(first, on=["sku", "location_id"], how="left", maintain_order="left")
        .with_columns(pl.col("region").fill_null(_EVERYWHERE).alias("_region"))
        .join(prior, left_on=["sku", "_region"], right_on=["sku", "region"], how="left", maintain_order="left")
        .drop("_region")
    )
    return joined


def known_by(panel: Panel) -> pl.DataFrame:
    """Return the keys as the last day of the panel knew them: priors foreseen later are unknown."""
    keys = panel.keys
    if "prior_known" not in keys.columns:
        return keys
    last_day = panel.start + timedelta(days=panel.n_periods * panel.period_days - 1)
    return keys.with_columns(prior_level=pl.when(pl.col("prior_known") <= last_day).then("prior_level"))
