"""Sums of the series' forecasts over the levels that reports show. Bottom-up: coherent by construction."""

from __future__ import annotations

import polars as pl

__all__ = ["LEVELS", "bottom_up"]

LEVELS: tuple[tuple[str, ...], ...] = ((), ("location_id",), ("category",), ("ip",), ("location_id", "category"))


def bottom_up(forecasts: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Return mean demand by level, node and period: ``level``, ``node``, ``ds``, ``mean`` [units/period].

    Only means add up; quantiles of a sum are not sums of quantiles.

    Args:
        forecasts: sku, location_id, ds, mean.
        keys: sku, location_id and the attributes named in ``LEVELS`` (missing ones leave their level out).
    """
    joined = forecasts.select("sku", "location_id", "ds", "mean").join(
        keys.drop([c for c in keys.columns if c in ("ds", "mean")]), on=["sku", "location_id"], how="left"
    )
    parts = []
    for level in LEVELS:
        if any(c not in joined.columns for c in level):
            continue
        node = pl.concat_str([pl.col(c).fill_null("-") for c in level], separator="/") if level else pl.lit("all")
        named = joined.sort("sku", "location_id", "ds").with_columns(node=node)
        summed = named.group_by("node", "ds", maintain_order=True).agg(pl.col("mean").sum())
        parts.append(summed.select(pl.lit("/".join(level) or "total").alias("level"), "node", "ds", "mean"))
    return pl.concat(parts).sort("level", "node", "ds")
