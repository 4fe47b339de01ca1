"""Weather as a model may use it: how far from the usual, by region and period; forecasts tonight, nothing before.

Rows after the run date are forecasts, which nobody had at an earlier origin: there the weather ahead is the usual one.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["weather_features"]

_USUAL_DAYS = 28  # [days] past that says what temperature is usual
_NAMES = ("weather_warm", "weather_rain")


def weather_features(
    weather: pl.DataFrame, regions: list[str], labels: list[date], *, period_days: int, known: int
) -> dict[str, NDArray[np.float32]]:
    """Return by feature (regions, periods): warmth against the 28 days before [degC], rain as log(1 + mm) above usual.

    0 where nothing is known, and from column ``known`` on. Empty without any row of these regions.

    Args:
        weather: date, region, temperature_mean [degC], precipitation [mm].
        regions: the regions wanted; rows of region ``*`` hold for those without their own.
        labels: first days of the periods.
        period_days: 1 or 7.
        known: columns from here on are unknown.
    """
    mine = weather.filter(pl.col("region").is_in([*regions, "*"])) if weather.height else weather
    if not mine.height:
        return {}
    days = len(labels) * period_days
    found = {}
    for region, part in mine.sort("region", "date").group_by("region", maintain_order=True):
        at = (part["date"] - labels[0]).dt.total_days().to_numpy() + _USUAL_DAYS
        kept = (at >= 0) & (at < days + _USUAL_DAYS)
        warm, rain = np.full(days + _USUAL_DAYS, np.nan), np.full(days + _USUAL_DAYS, np.nan)
        warm[at[kept]] = part["temperature_mean"].cast(pl.Float64).to_numpy()[kept]
        rain[at[kept]] = np.log1p(np.maximum(part["precipitation"].cast(pl.Float64).to_numpy()[kept], 0))
        found[str(region[0])] = tuple(_anomaly(v)[_USUAL_DAYS:] for v in (warm, rain))
    nothing = (np.zeros(days), np.zeros(days))
    chosen = [found.get(region, found.get("*", nothing)) for region in regions]
    out = {}
    for number, name in enumerate(_NAMES):
        values = np.stack([c[number] for c in chosen]).reshape(len(regions), len(labels), period_days).mean(axis=2)
        values[:, known:] = 0
        out[name] = values.astype(np.float32)
    return out


def _anomaly(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values less the mean of the 28 before each; 0 where either is unknown."""
    seen = ~np.isnan(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(seen, values, 0))])
    count = np.concatenate([[0], np.cumsum(seen)])
    low = np.maximum(np.arange(len(values)) - _USUAL_DAYS, 0)
    before = total[:-1] - total[low], count[:-1] - count[low]
    usual = np.where(before[1] > 0, before[0] / np.maximum(before[1], 1), np.nan)
    return np.asarray(np.nan_to_num(values - usual))
