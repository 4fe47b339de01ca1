"""The shop's own traffic as a signal, for elements that no social source speaks of."""

from __future__ import annotations

import polars as pl

from trends.signals import ALL_REGIONS

__all__ = ["TRAFFIC_SOURCE", "traffic_signals"]

_METRICS = ("page_views", "add_to_cart", "live_interactions")
TRAFFIC_SOURCE = "site_traffic"
_PER = 10_000.0


def traffic_signals(traffic: pl.DataFrame, elements: pl.DataFrame, regions: pl.DataFrame) -> pl.DataFrame:
    """Return traffic by element, region, metric and day, in the columns of :func:`trends.vintages.signal_history`.

    The views of a product count for each of its elements, as so many of every 10,000 of the region's on that day: what
    moves the whole shop is nobody's trend. They are known at the close of their day.

    Args:
        traffic: ``date``, ``sku``, ``location_id`` and the counts.
        elements: ``sku``, ``element_type``, ``element`` to be scored.
        regions: ``location_id``, ``region``; a location without one counts for all regions.
    """
    day = pl.col("date").cast(pl.Int32).cast(pl.Int64)
    by_place = traffic.join(regions, on="location_id", how="left").with_columns(
        day=day, region=pl.col("region").fill_null(ALL_REGIONS)
    )
    # summed by SKU first, so that the join with elements stays small
    by_sku = by_place.group_by("sku", "region", "day").agg(pl.col(_METRICS).sum())
    total = {metric: pl.col(metric).sum().over("region", "day") for metric in _METRICS}
    by_sku = by_sku.with_columns(
        pl.when(total[m] > 0).then(_PER * pl.col(m) / total[m]).otherwise(0.0).alias(m) for m in _METRICS
    )
    by_element = (
        by_sku.join(elements, on="sku")
        .group_by("element_type", "element", "region", "day")
        .agg(pl.col(_METRICS).sum())
        .unpivot(on=_METRICS, index=["element_type", "element", "region", "day"], variable_name="metric")
        .filter(pl.col("value").max().over("metric") > 0)
    )
    return by_element.select(
        "element_type",
        "element",
        "region",
        source=pl.lit(TRAFFIC_SOURCE),
        metric="metric",
        date=pl.col("day").cast(pl.Int32).cast(pl.Date),
        known_date=pl.col("day").cast(pl.Int32).cast(pl.Date),
        value=pl.col("value").cast(pl.Float64),
    ).sort("element_type", "element", "region", "source", "metric", "date")
