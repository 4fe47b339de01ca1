"""Launches without history of their own: what comparable items sold when they were new, and the pace of preorders.

The comparison narrows as far as there are at least ``_MIN_ANALOGUES`` launches to compare with: same location,
product type and IP; product type and price band; product type; category; location; the whole shop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.panel import Panel

__all__ = ["Analogues", "launch_analogues", "preorder_levels"]

_MIN_ANALOGUES = 3  # launches; fewer say more about themselves than about the group
_EARLY_SEASONS = 4  # weeks of a launch that are compared
_PRICE_BAND = 1.5  # [ratio] width of a price band
_MIN_CAMPAIGNS = 3  # past campaigns that a pace is read from

_RUNGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("location, product type and IP", ("location_id", "product_type", "ip")),
    ("location, product type and price band", ("location_id", "product_type", "price_band")),
    ("location and product type", ("location_id", "product_type")),
    ("location and category", ("location_id", "category")),
    ("location", ("location_id",)),
    ("shop", ()),
)


@dataclass(frozen=True)
class Analogues:
    """What comparable launches sold.

    Attributes:
        mean: (n,) [units/period]; NaN without any.
        basis: (n,) with whom each series was compared; empty without any.
    """

    mean: NDArray[np.float64]
    basis: list[str]

    def rows(self, index: NDArray[np.int64]) -> Analogues:
        """Return those of the series at the positions ``index``."""
        return Analogues(self.mean[index], [self.basis[i] for i in index.tolist()])


def launch_analogues(panel: Panel) -> Analogues:
    """Return for each series the mean demand of comparable items over their first four weeks.

    Items that were on sale when the panel starts were not seen at launch; where no launch was seen at all, the last
    four weeks of all items take their place.
    """
    periods = _EARLY_SEASONS * max(panel.season, 1)
    first = panel.first
    column = np.arange(panel.n_periods)[None, :]
    early = panel.teaches & (column >= first[:, None]) & (column < first[:, None] + periods)
    seen_at_launch = (first > 0) & (early.sum(axis=1) >= periods // 2)
    if not seen_at_launch.any():
        early = panel.teaches & (column >= panel.n_periods - periods)
        seen_at_launch = early.sum(axis=1) >= periods // 2
    total = np.where(early, np.nan_to_num(panel.demand), 0).sum(axis=1, dtype=np.float64)
    level = np.where(seen_at_launch, total / np.maximum(early.sum(axis=1), 1), np.nan)
    frame = _described(panel.keys).with_columns(level=pl.Series(level, nan_to_null=True))
    mean = np.full(panel.n_series, np.nan)
    basis = [""] * panel.n_series
    for name, columns in _RUNGS:
        by = [pl.col(c) for c in columns] or [pl.lit(0)]
        pooled = frame.select(
            mean=pl.col("level").mean().over(by),
            count=pl.col("level").count().over(by),
            stated=pl.all_horizontal([pl.col(c).is_not_null() for c in columns] or [pl.lit(True)]),
        )
        usable = (pooled["count"] >= (_MIN_ANALOGUES if columns else 1)) & pooled["stated"]
        for row in np.flatnonzero(usable.to_numpy() & np.isnan(mean)).tolist():
            mean[row], basis[row] = pooled["mean"][row], name
    return Analogues(mean, basis)


def _described(keys: pl.DataFrame) -> pl.DataFrame:
    missing = [c for c in ("location_id", "product_type", "ip", "category") if c not in keys.columns]
    out = keys.with_columns([pl.lit(None, pl.String).alias(c) for c in missing])
    price = pl.col("regular_price") if "regular_price" in keys.columns else pl.lit(None, pl.Float64)
    band = (price.log() / np.log(_PRICE_BAND)).floor()
    return out.with_columns(price_band=pl.when(price > 0).then(band).otherwise(None))


def preorder_levels(panel: Panel, firm: pl.DataFrame) -> NDArray[np.float64]:
    """Return (n,) means that the pace of preorders points to [units/period]; NaN where it says nothing.

    Past campaigns give the ratio of ordinary demand in the first four weeks (all locations) to firm preorders; the
    median ratio times an item's own firm preorders is its expected total, split over its locations alike.

    Args:
        panel: history.
        firm: sku, firm_qty: firm preorders of each SKU's campaigns.
    """
    out = np.full(panel.n_series, np.nan)
    if not firm.height:
        return out
    periods = _EARLY_SEASONS * max(panel.season, 1)
    column = np.arange(panel.n_periods)[None, :]
    early = (column >= panel.first[:, None]) & (column < panel.first[:, None] + periods)
    sold = pl.DataFrame(
        {
            "sku": panel.keys["sku"],
            "units": np.where(early, np.nan_to_num(panel.demand), 0).sum(axis=1, dtype=np.float64),
            "complete": (panel.first > 0) & (panel.first + periods <= panel.n_periods),
        }
    )
    by_sku = sold.group_by("sku").agg(pl.col("units").sum(), pl.col("complete").any(), places=pl.len())
    joined = by_sku.join(firm.group_by("sku").agg(pl.col("firm_qty").sum()), on="sku").filter(pl.col("firm_qty") > 0)
    past = joined.filter(pl.col("complete"))
    if past.height < _MIN_CAMPAIGNS:
        return out
    pace = float((past["units"] / past["firm_qty"]).median() or 0.0)  # type: ignore[arg-type]
    level = {
        sku: pace * quantity / periods / places
        for sku, quantity, places in joined.select("sku", "firm_qty", "places").iter_rows()
    }
    return np.array([level.get(sku, np.nan) for sku in panel.keys["sku"].to_list()])
