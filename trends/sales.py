"""Sales by SKU and region, day by day, for what signals are judged by; and by element, in the shape of signals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trends.signals import ALL_REGIONS, Cube, Floats32

__all__ = ["SalesPanel", "element_sales", "sales_panel"]

_WEEK = 7


@dataclass(frozen=True)
class SalesPanel:
    """Demand of each SKU in each region.

    Attributes:
        keys: ``sku``, ``region``, one row a series.
        units: (n_series, n_days) [units/day], NaN where not on sale, stocked out or unknown; a weekly figure is spread
            over its days.
        first_day: day number of the first column.
    """

    keys: pl.DataFrame
    units: Floats32
    first_day: int

    @property
    def n_days(self) -> int:
        """Days in the panel."""
        return int(self.units.shape[1])

    def rate(self, first: int, last: int, *, at_least: int = _WEEK) -> NDArray[np.float64]:
        """Return mean demand from column ``first`` up to before ``last`` [units/day]; NaN with too few known days."""
        part = self.units[:, max(first, 0) : max(last, 0)].astype(np.float64)
        known = np.isfinite(part)
        n = known.sum(axis=1)
        return np.where(n >= at_least, np.where(known, part, 0).sum(axis=1) / np.maximum(n, 1), np.nan)


def sales_panel(
    history: pl.DataFrame, regions: pl.DataFrame, *, last_day: int, days: int, period_days: int
) -> SalesPanel:
    """Return demand by SKU and region over the last ``days`` up to ``last_day``.

    Args:
        history: ``sku``, ``location_id``, ``ds``, ``units``: periods on sale with stock only.
        regions: ``location_id``, ``region``; a location without one counts for all regions.
        last_day: day number of the run date.
        days: length of the panel.
        period_days: 1 or 7.
    """
    first_day = last_day - days + 1
    rows = (
        history.join(regions, on="location_id", how="left")
        .with_columns(
            region=pl.col("region").fill_null(ALL_REGIONS), day=pl.col("ds").cast(pl.Int32).cast(pl.Int64) - first_day
        )
        .filter((pl.col("day") >= 0) & (pl.col("day") < days) & pl.col("units").is_finite())
        .group_by("sku", "region", "day")
        .agg(pl.col("units").sum())
    )
    keys = rows.select("sku", "region").unique().sort("sku", "region")
    coded = rows.join(keys.with_row_index("row"), on=["sku", "region"])
    units = np.full((keys.height, days), np.nan, dtype=np.float32)
    row, day = coded["row"].to_numpy(), coded["day"].to_numpy()
    for step in range(period_days):
        inside = day + step < days
        units[row[inside], day[inside] + step] = coded["units"].to_numpy()[inside] / period_days
    return SalesPanel(keys, units, first_day)


def element_sales(panel: SalesPanel, elements: pl.DataFrame) -> Cube:
    """Return mean sales per SKU on sale by element and region, as a cube of one metric, in hundredths of a unit.

    The mean over what is on sale, not the sum: a launch of ten more products that carry a colour is no trend of it.
    """
    carried = panel.keys.with_row_index("row").join(elements, on="sku")
    everywhere = carried.with_columns(region=pl.lit(ALL_REGIONS))
    both = pl.concat([carried, everywhere.filter(~(carried["region"] == ALL_REGIONS))])
    series = both.select("element_type", "element", "region").unique().sort("element_type", "element", "region")
    members = both.join(series.with_row_index("s"), on=["element_type", "element", "region"]).sort("s", "row")
    values = np.full((panel.n_days, 1, series.height), np.nan, dtype=np.float32)
    known = np.isfinite(panel.units)
    filled = np.where(known, panel.units, 0)
    for (s,), part in members.group_by(["s"], maintain_order=True):
        rows = part["row"].to_numpy()
        n = known[rows].sum(axis=0)
        values[:, 0, int(s)] = np.where(n > 0, 100 * filled[rows].sum(axis=0) / np.maximum(n, 1), np.nan)
    metrics = pl.DataFrame({"source": ["sales"], "metric": ["units"]})
    return Cube(values, series, metrics, panel.first_day)
