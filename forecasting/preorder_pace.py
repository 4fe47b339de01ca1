"""The pace of preorders: what firm orders before a launch say about ordinary demand after it."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.launch_levels import loss
from forecasting.new_items import EARLY_SEASONS, was_launched
from forecasting.panel import Panel

__all__ = ["preorder_levels"]

_MIN_CAMPAIGNS = 3  # past campaigns that a pace is read from


def preorder_levels(
    panel: Panel, firm: pl.DataFrame, compared: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return (n,) launch levels that the pace of preorders points to [units/period]; NaN where it says nothing.

    Past campaigns give the ratio of ordinary demand in the first four weeks (all locations) to firm preorders; the
    median ratio times an item's own firm preorders is its expected total, split over its locations alike. Where past
    campaigns were foreseen better by comparison alone, preorders say nothing.

    Args:
        panel: history.
        firm: sku, firm_qty: firm preorders of each SKU's campaigns.
        compared: (n,) levels of comparable items; None: preorders need not beat them.
    """
    out = np.full(panel.n_series, np.nan)
    if not firm.height:
        return out
    periods = EARLY_SEASONS * max(panel.season, 1)
    column = np.arange(panel.n_periods)[None, :]
    early = (column >= panel.first[:, None]) & (column < panel.first[:, None] + periods)
    sold = pl.DataFrame(
        {
            "sku": panel.keys["sku"],
            "units": np.where(early, np.nan_to_num(panel.demand), 0).sum(axis=1, dtype=np.float64),
            "compared": np.full(panel.n_series, np.nan) if compared is None else compared,
            "complete": was_launched(panel) & (panel.first + periods <= panel.n_periods),
        }
    )
    by_sku = sold.group_by("sku").agg(
        pl.col("units").sum(), pl.col("complete").any(), places=pl.len(), compared=pl.col("compared").sum() * periods
    )
    joined = by_sku.join(firm.group_by("sku").agg(pl.col("firm_qty").sum()), on="sku").filter(pl.col("firm_qty") > 0)
    past = joined.filter(pl.col("complete"))
    if past.height < _MIN_CAMPAIGNS:
        return out
    pace = float((past["units"] / past["firm_qty"]).median() or 0.0)  # type: ignore[arg-type]
    if compared is not None and not _pace_helps(past, pace):
        return out
    level = {
        sku: pace * quantity / periods / places
        for sku, quantity, places in joined.select("sku", "firm_qty", "places").iter_rows()
    }
    return np.array([level.get(sku, np.nan) for sku in panel.keys["sku"].to_list()])


def _pace_helps(past: pl.DataFrame, pace: float) -> bool:
    """Return whether the mean of pace and comparison foresaw past campaigns' items better than the comparison alone."""
    known = past.filter(pl.col("compared").is_finite())
    if not known["units"].sum() > 0:
        return True
    units, alone = known["units"].to_numpy(), known["compared"].to_numpy()
    return loss(units, (alone + pace * known["firm_qty"].to_numpy()) / 2) < loss(units, alone)
