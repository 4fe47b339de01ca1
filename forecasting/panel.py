"""Demand history as a dense panel: one row per series, one column per period.

The panel says for each cell whether it was on sale, whether it may teach, and what demand was once stocked-out and
missing periods are put right. Every estimate in it looks backwards only, so a panel cut at a cutoff equals the panel
built from the history up to that cutoff.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Panel", "build_panel", "same_season_mean", "trailing_mean"]

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_LEAST_SOLD = 0.25  # [0-1] of recovered demand that really sold, from which a stocked-out period may count
_CELLS = (
    "units", "recovered_units", "recovered_teaches", "is_censored", "is_closed", "is_gap", "is_partial",
)  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """Demand of ``n`` series over ``t`` periods.

    Attributes:
        keys: (n,) rows with ``sku``, ``location_id`` and the attributes of the assortment; sorted by key.
        start: label of the first period.
        period_days: length of a period [days]: 1 or 7.
        units: (n, t) recorded demand [units/period]; NaN where not on sale, unknown or closed.
        demand: (n, t) demand as the models see it [units/period]: stocked-out periods put right, gaps filled, closed
            periods 0, NaN only where not on sale.
        teaches: (n, t) cells a model may learn from and be judged on.
        closed: (n, t) the shop does not trade.
        censored: (n, t) stock ran out: ``units`` are a lower bound, ``demand`` is what was recovered. Such a period
            teaches too, where at least a quarter of it really sold, or where the history says so.
        learns: (n, t) cells of ``teaches`` that the learner is fitted to: stocked-out ones only where the history says
            that stock runs out in better periods; elsewhere periods in stock are a fair sample and the surer targets.
    """

    keys: pl.DataFrame
    start: date
    period_days: int
    units: Floats
    demand: Floats
    teaches: Flags
    closed: Flags
    censored: Flags
    learns: Flags

    @property
    def season(self) -> int:
        """Periods in a season that repeats [periods]: 7 days, or 1 with weekly data."""
        return 7 if self.period_days == 1 else 1

    @property
    def n_periods(self) -> int:
        """Number of periods."""
        return int(self.units.shape[1])

    @property
    def n_series(self) -> int:
        """Number of series."""
        return int(self.units.shape[0])

    @property
    def first(self) -> NDArray[np.int64]:
        """(n,) column of each series' first period on sale; ``n_periods`` where it has none."""
        on_sale = ~np.isnan(self.demand)
        return np.where(on_sale.any(axis=1), on_sale.argmax(axis=1), self.n_periods)

    def labels(self, count: int, *, offset: int = 0) -> list[date]:
        """Return ``count`` period labels from column ``offset`` on."""
        return [self.start + timedelta(days=(offset + i) * self.period_days) for i in range(count)]

    def scaled(self, factor: float) -> Panel:
        """Return the panel with all demand times ``factor``."""
        if factor == 1:
            return self
        return replace(
            self, units=(self.units * factor).astype(np.float32), demand=(self.demand * factor).astype(np.float32)
        )

    def until(self, cutoff: int) -> Panel:
        """Return the panel as it stood after its first ``cutoff`` periods."""
        cut = slice(0, cutoff)
        return replace(
            self,
            units=self.units[:, cut],
            demand=self.demand[:, cut],
            teaches=self.teaches[:, cut],
            closed=self.closed[:, cut],
            censored=self.censored[:, cut],
            learns=self.learns[:, cut],
        )

    def rows(self, index: NDArray[np.int64]) -> Panel:
        """Return the panel of the series at the positions ``index``; itself where these are all, in order."""
        if len(index) == self.n_series and bool((index == np.arange(self.n_series)).all()):
            return self
        return replace(
            self,
            keys=self.keys[index.tolist()],
            units=self.units[index],
            demand=self.demand[index],
            teaches=self.teaches[index],
            closed=self.closed[index],
            censored=self.censored[index],
            learns=self.learns[index],
        )


def build_panel(
    history: pl.DataFrame, keys: pl.DataFrame, *, last_period: date, period_days: int, max_periods: int
) -> Panel:
    """Return the panel of the series in ``keys``.

    Args:
        history: ``demand_history``: sku, location_id, ds, units, is_censored, is_closed, is_gap,
            is_partial and, where demand of stocked-out periods was recovered, recovered_units and
            recovered_teaches; any order.
        keys: sku, location_id and attributes; one row per series. Series without history get an empty row.
        last_period: label of the last closed period; later rows are left out.
        period_days: 1 or 7.
        max_periods: older periods are left out.
    """
    keys = keys.sort("sku", "location_id")
    horizon_start = last_period - timedelta(days=(max_periods - 1) * period_days)
    known = history.filter(pl.col("ds").is_between(horizon_start, last_period))
    start = known["ds"].min() if known.height else last_period
    assert isinstance(start, date)
    n_periods = (last_period - start).days // period_days + 1
    if "recovered_units" not in known.columns:
        known = known.with_columns(recovered_units=pl.lit(None, pl.Float64), recovered_teaches=pl.lit(False))
    cells = known.select("sku", "location_id", "ds", *_CELLS)
    index = keys.select("sku", "location_id").with_row_index("series")
    cells = cells.join(index, on=["sku", "location_id"], how="inner").with_columns(
        period=(pl.col("ds") - start).dt.total_days() // period_days
    )
    at = cells["series"].to_numpy(), cells["period"].to_numpy()
    shape = (keys.height, n_periods)

    def numbers(name: str) -> Floats:
        out = np.full(shape, np.nan, dtype=np.float32)
        out[at] = cells[name].cast(pl.Float32).to_numpy()
        return out

    def flags(name: str) -> Flags:
        out = np.zeros(shape, dtype=np.bool_)
        out[at] = cells[name].fill_null(False).to_numpy()
        return out

    units = np.maximum(numbers("units"), 0)  # demand is never negative
    units[~np.isfinite(units)] = np.nan
    on_sale = np.zeros(shape, dtype=np.bool_)
    on_sale[at] = True
    unknown = flags("is_gap") | flags("is_partial") | (on_sale & np.isnan(units))
    return _panel(
        keys,
        start,
        period_days,
        units=units,
        on_sale=on_sale,
        unknown=unknown,
        censored=flags("is_censored"),
        told=flags("recovered_teaches"),
        recovered=numbers("recovered_units"),
        closed=flags("is_closed"),
    )


def _panel(
    keys: pl.DataFrame,
    start: date,
    period_days: int,
    *,
    units: Floats,
    on_sale: Flags,
    unknown: Flags,
    censored: Flags,
    told: Flags,
    recovered: Floats,
    closed: Flags,
) -> Panel:
    """Put stocked-out and unknown periods right, looking backwards only."""
    closed = closed & ~(units > 0)  # a sale proves that the shop was open
    censored = censored & on_sale & ~unknown & ~closed
    plain = on_sale & ~unknown & ~closed & ~censored
    put_right = censored & ~np.isnan(recovered)
    teaches = plain | (put_right & (told | (units >= _LEAST_SOLD * recovered)))
    season = 7 if period_days == 1 else 1
    seen = np.where(teaches, np.where(censored, np.fmax(units, recovered), units), np.nan)
    usual = same_season_mean(seen, season=season, count=8)
    level = trailing_mean(seen, window=8 * season)
    usual = np.where(np.isnan(usual), level, usual)
    estimate = np.fmax(units, np.where(np.isnan(recovered), usual, recovered))
    demand = np.where(unknown, usual, np.where(censored, estimate, np.where(teaches, units, 0)))
    demand = np.where(on_sale, np.nan_to_num(np.where(closed, 0, demand)), np.nan).astype(np.float32)
    return Panel(
        keys=keys,
        start=start,
        period_days=period_days,
        units=np.where(on_sale & ~unknown & ~closed, units, np.nan).astype(np.float32),
        demand=demand,
        teaches=teaches,
        closed=closed,
        censored=censored,
        learns=plain | (put_right & told),
    )


def trailing_mean(values: NDArray[np.floating], *, window: int) -> Floats:
    """Return (n, t) means of the ``window`` periods *before* each period, NaN skipped; NaN where there is none."""
    known = ~np.isnan(values)
    total = np.cumsum(np.where(known, values, 0), axis=1, dtype=np.float64)
    count = np.cumsum(known, axis=1, dtype=np.int32)
    return _window_ratio(total, count, window)


def same_season_mean(values: NDArray[np.floating], *, season: int, count: int) -> Floats:
    """Return (n, t) means of the same season position (weekday) in the ``count`` seasons before each period.

    >>> week = np.tile(np.arange(7.0), 3)[None, :]
    >>> same_season_mean(week, season=7, count=2)[0, 14:17].tolist()
    [0.0, 1.0, 2.0]
    """
    out = np.full(values.shape, np.nan, dtype=np.float32)
    for position in range(season):
        out[:, position::season] = trailing_mean(values[:, position::season], window=count)
    return out


def _window_ratio(total: NDArray[np.float64], count: NDArray[np.int32], window: int) -> Floats:
    """Return sums over counts of the ``window`` columns before each column, from cumulative sums."""
    n, t = total.shape
    before_total = np.concatenate([np.zeros((n, 1)), total], axis=1)
    before_count = np.concatenate([np.zeros((n, 1), dtype=np.int32), count], axis=1)
    low = np.maximum(np.arange(t) - window, 0)
    sums = before_total[:, :t] - before_total[:, low]
    counts = before_count[:, :t] - before_count[:, low]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(np.float32)
