"""Weekly sales beside the regular price in force: what elasticities are learnt from."""

from __future__ import annotations

import pandas as pd
import polars as pl

__all__ = ["weekly_with_prices"]

_MIDDLE = 3  # [days] a week is given the price in force on its fourth day


def weekly_with_prices(weekly: pl.DataFrame, prices: pl.DataFrame) -> pd.DataFrame:
    """Return ``weekly`` as pandas with ``regular_price``: in force at the location in the middle of the week.

    Args:
        weekly: ``sku``, ``location_id``, ``week`` and more, in any order.
        prices: ``sku``, ``location_id``, ``from_date``, ``price``; of several channels the first counts.
    """
    first = prices.unique(["sku", "location_id", "from_date"], keep="first", maintain_order=True).sort("from_date")
    joined = (
        weekly.with_columns(middle=pl.col("week") + pl.duration(days=_MIDDLE))
        .sort("middle", "sku", "location_id")
        .join_asof(
            first.select("sku", "location_id", "from_date", regular_price=pl.col("price")),
            left_on="middle",
            right_on="from_date",
            by=["sku", "location_id"],
            strategy="backward",
            check_sortedness=False,
        )
        .drop("middle", "from_date")
        .sort("sku", "location_id", "week")
    )
    return pd.DataFrame({name: joined[name].to_numpy() for name in joined.columns})
