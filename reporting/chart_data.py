"""Series behind the sparklines and fan charts, per SKU and location, written compactly for the page.

A series is text: figures parted by spaces, ``v*n`` for a figure that repeats, ``-`` for "no value". A slow seller's
28 zeros are then four characters, which is what keeps 5,000 unfoldable lines in a few megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

import pandas as pd
import polars as pl

__all__ = ["BANDS", "LineSeries", "compact", "line_series", "receipts_by_line"]

BANDS = ("mean", "q50", "q025", "q10", "q90", "q975")
Key = tuple[str, str]


@dataclass(frozen=True)
class LineSeries:
    """One line's past and future.

    Attributes:
        history: demand of the last periods up to D, oldest first; None before the series began [units/period].
        censored: positions in ``history`` of periods in which stock ran out.
        ahead: per name in ``BANDS`` the forecast from D + 1 on [units/period].
    """

    history: tuple[float | None, ...] = ()
    censored: tuple[int, ...] = ()
    ahead: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def line_series(
    history: pl.DataFrame,
    forecasts: pl.DataFrame,
    *,
    keys: Iterable[Key],
    first_period: date,
    period_days: int,
    history_periods: int,
    ahead_periods: int,
) -> dict[Key, LineSeries]:
    """Return the series of the lines in ``keys``.

    Args:
        history: ``sku, location_id, ds, units, is_censored``.
        forecasts: ``sku, location_id, ds`` and the columns in ``BANDS``.
        keys: SKU and location of the lines wanted.
        first_period: label of the first forecast period.
        period_days: 1 for days, 7 for weeks.
        history_periods: periods of history kept.
        ahead_periods: most forecast periods kept.
    """
    wanted = pl.DataFrame(list(keys), schema={"sku": pl.String, "location_id": pl.String}, orient="row").unique()
    past = _with_position(history, wanted, first_period=first_period, period_days=period_days)
    past = past.filter(pl.col("position").is_between(-history_periods, -1)).sort("sku", "location_id", "position")
    ahead = _with_position(forecasts, wanted, first_period=first_period, period_days=period_days)
    ahead = ahead.filter(pl.col("position").is_between(0, ahead_periods - 1)).sort("sku", "location_id", "position")
    told = {(row[0], row[1]): _history(*row[2:]) for row in _grouped(past, ("position", "units", "is_censored"))}
    bands = {
        (row[0], row[1]): {band: tuple(values) for band, values in zip(BANDS, row[2:], strict=True)}
        for row in _grouped(ahead, BANDS)
    }
    return {
        key: LineSeries(*told.get(key, ((), ())), ahead=bands.get(key, {})) for key in sorted(set(told) | set(bands))
    }


def compact(values: Sequence[float | None]) -> str:
    """Return a series as text.

    >>> compact([0, 0, 0, 1.504, None, 12.04, 118.4])
    '0*3 1.5 - 12 118'
    """
    shown = [_short(value) for value in values]
    runs = [(text, len(list(same))) for text, same in groupby(shown)]
    return " ".join(text if n == 1 else f"{text}*{n}" for text, n in runs)


def receipts_by_line(orders: pd.DataFrame, *, run_date: date, days: int) -> dict[Key, list[tuple[int, float]]]:
    """Return open purchase orders as (days after D, units) per SKU and location, for markers in the chart.

    Orders due on or before D are shown on D + 1, the earliest day they can still arrive.
    """
    if orders.empty:
        return {}
    due = orders.dropna(subset=["expected_receipt_date"])
    offset = (due["expected_receipt_date"] - pd.Timestamp(run_date)).dt.days.clip(lower=1)
    near = due.assign(offset=offset)[offset <= days]
    summed = near.groupby(["sku", "location_id", "offset"], sort=True)["open_qty"].sum()
    found: dict[Key, list[tuple[int, float]]] = {}
    for sku, location, day, qty in summed.reset_index().itertuples(index=False):
        found.setdefault((str(sku), str(location)), []).append((int(day), float(qty)))
    return found


def _with_position(frame: pl.DataFrame, wanted: pl.DataFrame, *, first_period: date, period_days: int) -> pl.DataFrame:
    """Return the wanted series with their position: 0 is the first forecast period, -1 the last of history."""
    keyed = frame.with_columns(pl.col("sku").cast(pl.String), pl.col("location_id").cast(pl.String))
    days = (pl.col("ds").cast(pl.Date) - pl.lit(first_period)).dt.total_days()
    return keyed.join(wanted, on=["sku", "location_id"], how="semi").with_columns(
        (days / period_days).floor().cast(pl.Int64).alias("position")
    )


def _grouped(frame: pl.DataFrame, columns: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    if frame.is_empty():
        return []
    grouped = frame.group_by("sku", "location_id", maintain_order=True).agg(pl.col(name) for name in columns)
    return grouped.select("sku", "location_id", *columns).iter_rows()


def _history(
    positions: Sequence[int], units: Sequence[float], censored: Sequence[bool]
) -> tuple[tuple[float | None, ...], tuple[int, ...]]:
    start, length = positions[0], -positions[0]
    values: list[float | None] = [None] * length
    for position, value in zip(positions, units, strict=True):
        values[position - start] = value
    out = tuple(p - start for p, flag in zip(positions, censored, strict=True) if flag)
    return tuple(values), out


def _short(value: float | None) -> str:
    """Return a figure with two to three significant digits, as short as it can be written."""
    if value is None or value != value:
        return "-"
    size = abs(value)
    text = f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if text not in ("", "-0") else "0"
