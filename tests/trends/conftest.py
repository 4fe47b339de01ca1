"""Signals made for the trend tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trends.signals import Cube

START = date(2026, 1, 1)


@pytest.fixture
def make_cube() -> Callable[..., Cube]:
    """Return a maker of cubes of (n_days, n_metrics, n_series) with one source a metric and weekly rhythm."""

    def make(n_days: int = 200, n_metrics: int = 3, n_series: int = 30, *, level: float = 100.0, seed: int = 1) -> Cube:
        rng = np.random.default_rng(seed)
        rhythm = 1 + 0.3 * np.sin(2 * np.pi * np.arange(n_days) / 7)
        base = level * np.exp(rng.normal(0, 0.5, n_series))
        noise = np.exp(rng.normal(0, 0.1, (n_days, n_metrics, n_series)))
        values = rng.poisson(rhythm[:, None, None] * base * noise).astype(np.float32)
        series = pl.DataFrame(
            {
                "element_type": ["ip"] * n_series,
                "element": [f"e{i:03d}" for i in range(n_series)],
                "region": ["*"] * n_series,
            }
        )
        metrics = pl.DataFrame({"source": [f"s{i}" for i in range(n_metrics)], "metric": ["mentions"] * n_metrics})
        return Cube(values, series, metrics, 20_000)

    return make


@pytest.fixture
def make_signals() -> Callable[..., pl.DataFrame]:
    """Return a maker of signal rows from (day, element, value) with the defaults of everything else."""

    def make(rows: list[tuple[int, str, float]], **same: object) -> pl.DataFrame:
        full = [
            {
                "date": START + timedelta(days=day),
                "source": "s",
                "region": "*",
                "element_type": "ip",
                "element": element,
                "metric": "mentions",
                "value": float(value),
                "available_at": None,
            }
            | same
            for day, element, value in rows
        ]
        return pl.DataFrame(full, schema_overrides={"available_at": pl.Datetime("us", "UTC"), "date": pl.Date})

    return make


def instant(day: int, hour: int = 0) -> datetime:
    return datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=day, hours=hour)
