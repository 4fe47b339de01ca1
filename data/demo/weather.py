"""Weather by region with cold snaps, and what it does to clothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import REGIONS
from data.demo.config import DemoConfig
from data.demo.streams import stream

__all__ = ["FORECAST_DAYS", "cold_snaps", "temperatures", "weather_lift", "weather_table"]

FORECAST_DAYS = 15  # weather rows after D: forecasts
_MEAN = {"east": 16.5, "north": 11.5, "south": 22.5}  # [degC]
_SWING = {"east": 12.5, "north": 16.5, "south": 7.5}
_HOTTEST_DAY = 205  # day of the year
_LIMIT = 1.6  # the weather's effect on log demand is bounded
_NEUTRAL = 15.0  # [degC] where the weather neither helps nor hurts


def cold_snaps(config: DemoConfig) -> pl.DataFrame:
    """Return the planted cold snaps: ``region``, ``starts_day``, ``length_days``, ``drop`` [degC]."""
    rng = stream(config.seed, "cold_snaps")
    rows: list[dict[str, Any]] = []
    for day in range(config.n_days):
        month = (config.start_date + timedelta(day)).month
        chance = 0.03 if month in {11, 12, 1, 2} else 0.012 if month in {3, 10} else 0.0
        if rng.random() < chance:
            regions = [r for r in REGIONS if rng.random() < {"north": 0.85, "east": 0.7, "south": 0.4}[r]]
            length, drop = int(rng.integers(4, 9)), float(rng.uniform(6.0, 12.0))
            rows += [{"region": r, "starts_day": day, "length_days": length, "drop": round(drop, 1)} for r in regions]
    schema = {"region": pl.String, "starts_day": pl.Int64, "length_days": pl.Int64, "drop": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def temperatures(config: DemoConfig) -> NDArray[np.float64]:
    """Return the mean temperature by region and day [degC], shape (n_regions, n_days + FORECAST_DAYS)."""
    rng = stream(config.seed, "temperature")
    days = config.n_days + FORECAST_DAYS
    of_year = np.array([(config.start_date + timedelta(i)).timetuple().tm_yday for i in range(days)])
    season = np.cos(2 * np.pi * (of_year - _HOTTEST_DAY) / 365.25)
    result = np.zeros((len(REGIONS), days))
    snaps = cold_snaps(config)
    for i, region in enumerate(REGIONS):
        noise, shocks = np.zeros(days), rng.normal(0.0, 1.5, days)
        for day in range(1, days):
            noise[day] = 0.72 * noise[day - 1] + shocks[day]
        result[i] = _MEAN[region] + _SWING[region] * season + noise
        for row in snaps.filter(pl.col("region") == region).iter_rows(named=True):
            result[i, row["starts_day"] : row["starts_day"] + row["length_days"]] -= row["drop"]
    return np.round(result, 1)


def weather_lift(temperature: NDArray[np.float64], sensitivity: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the lift of demand [ratio], shape (n_rows, n_days).

    Args:
        temperature: by row and day [degC], shape (n_rows, n_days).
        sensitivity: log change of demand per degree above 15 degC, shape (n_rows,).
    """
    return np.exp(np.clip(sensitivity[:, None] * (temperature - _NEUTRAL), -_LIMIT, _LIMIT)).astype(np.float32)


def weather_table(config: DemoConfig) -> pl.DataFrame:
    """Return the ``weather`` input: every day of the history, and forecasts after D."""
    heat = temperatures(config)
    rng = stream(config.seed, "rain")
    days = [config.start_date + timedelta(i) for i in range(heat.shape[1])]
    rain = np.round(rng.gamma(0.35, 9.0, heat.shape) * (rng.random(heat.shape) < 0.4), 1)
    return pl.concat(
        [
            pl.DataFrame(
                {"date": days, "region": [region] * len(days), "temperature_mean": heat[i], "precipitation": rain[i]}
            )
            for i, region in enumerate(REGIONS)
        ]
    ).sort("date", "region")
