"""What a degree does to each product type's sales, learned from the shop's own past."""

from __future__ import annotations

import numpy as np
import polars as pl

from trends.config import TrendConfig
from trends.heat import heat_of
from trends.sales import SalesPanel, element_sales
from trends.signals import ALL_REGIONS

__all__ = ["weather_effects"]

_TYPE = "product_type"
_MIN_CERTAINTY = 3.0  # [standard errors] less is no effect
_SCHEMA = {"product_type": pl.String, "weather_effect": pl.Float64}


def weather_effects(
    panel: SalesPanel, elements: pl.DataFrame, weather: pl.DataFrame, *, config: TrendConfig
) -> pl.DataFrame:
    """Return ``product_type``, ``weather_effect`` [log change of sales per degC], 0 where nothing is sure.

    Sales of a type in a region against their own past are regressed on the week's temperature against the temperature
    of the same past weeks; weeks are the points, regions and types have no say of their own. Sales heat has the day's
    common move taken out, so an effect is one against the rest of the shop.
    """
    types = elements.filter(pl.col("element_type") == _TYPE)
    if types.is_empty() or weather.is_empty() or panel.n_days < 120:
        return pl.DataFrame(schema=_SCHEMA)
    sold = element_sales(panel, types)
    heat = heat_of(sold, config=config).heat
    change = {region: _change(part, panel, config) for (region,), part in weather.group_by(["region"])}
    days = np.arange(panel.n_days - 1, 7 * max(config.baseline_weeks) + 7, -7)
    rows = []
    for (kind,), part in sold.series.with_row_index("s").group_by(["element"], maintain_order=True):
        xs, ys = [], []
        for s, region in part.filter(pl.col("region") != ALL_REGIONS).select("s", "region").iter_rows():
            if region in change:
                xs.append(change[region][days])
                ys.append(heat[days, s].astype(np.float64))
        rows.append((kind, _slope(np.concatenate(xs), np.concatenate(ys)) if xs else 0.0))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _change(part: pl.DataFrame, panel: SalesPanel, config: TrendConfig) -> np.ndarray:
    """Return the week's mean temperature against that of the baseline weeks, by day of the panel; NaN unknown."""
    daily = np.full(panel.n_days, np.nan)
    known = part.drop_nulls("temperature_mean").sort("date")
    day = known["date"].cast(pl.Int32).to_numpy().astype(np.int64) - panel.first_day
    inside = (day >= 0) & (day < panel.n_days)
    daily[day[inside]] = known["temperature_mean"].to_numpy()[inside]
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(daily))])
    count = np.concatenate([[0], np.cumsum(np.isfinite(daily))])
    ends = np.arange(1, panel.n_days + 1)
    begins = np.maximum(ends - 7, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        weekly = (total[ends] - total[begins]) / (count[ends] - count[begins])
    at = [
        np.concatenate([np.full(7 * w, np.nan), weekly[: -7 * w]])
        for w in config.baseline_weeks
        if 7 * w < panel.n_days
    ]
    before = np.stack(at)
    known_weeks = np.isfinite(before)
    mean = np.where(known_weeks, before, 0).sum(axis=0) / np.maximum(known_weeks.sum(axis=0), 1)
    return np.asarray(np.where(known_weeks.any(axis=0), weekly - mean, np.nan))


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    used = np.isfinite(x) & np.isfinite(y) & (y != 0)
    if used.sum() < 20:
        return 0.0
    x, y = x[used] - x[used].mean(), y[used] - y[used].mean()
    xx = float(x @ x)
    if xx <= 0:
        return 0.0
    slope = float(x @ y) / xx
    error = float(np.sqrt(((y - slope * x) ** 2).sum() / max(len(x) - 2, 1) / xx))
    return slope if abs(slope) >= _MIN_CERTAINTY * error else 0.0
