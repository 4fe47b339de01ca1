"""What the histories say of each item: class, first and last sale, flags; and which items there are at all."""

from __future__ import annotations

import numpy as np
import polars as pl

from demand.assortment import Flag, demand_classes
from demand.config import DemandConfig
from demand.exclusions import Reason
from demand.lines import LineBook
from demand.panel import Ints, Periods
from demand.parts import Part, World, shut_cells

__all__ = ["item_flags", "item_keys", "last_paid", "series_facts"]

_KEYS = ["sku", "location_id"]
_SHIFT_FACTOR = 3.0  # times the highest of the last 28 periods: more than any ordinary day
_SHIFT_UNITS = 30.0  # [units] a smaller period is no shift
_SHIFT_PERIODS = 28
_NEVER = np.iinfo(np.int64).min


def series_facts(part: Part, *, periods: Periods, config: DemandConfig) -> pl.DataFrame:
    """Return ``demand_class`` and, as day numbers, ``first_sale``, ``last_sale``, ``first_period``, ``feed_end``.

    Args:
        part: the history.
        periods: the planning periods.
        config: the room's settings.
    """
    partial = part.kinds.filter("is_partial")["index"].to_numpy()
    silent = part.cells.is_censored & (part.cells.units <= 0)
    ignored = shut_cells(part.panel, part.kinds) | np.isin(part.panel.index(), partial) | silent
    named, first, last = demand_classes(part.cells.units, ignored, part.panel, periods=periods, config=config.status)
    end = np.zeros(len(first), dtype=np.int64) if part.feed_end is None else part.feed_end
    return part.panel.keys.select(_KEYS).with_columns(
        named,
        first_sale=_day_or_null(first, periods.label(first)),
        last_sale=_day_or_null(last, periods.label(last) + periods.days - 1),
        first_period=pl.Series(periods.label(part.panel.first)),
        feed_end=_day_or_null(end, periods.label(end) + periods.days - 1),
    )


def _day_or_null(index: Ints, day: Ints) -> pl.Series:
    """Return the day numbers, null where ``index`` is 0: never."""
    return pl.Series(np.where(index < 0, day, _NEVER)).replace(_NEVER, None)


def item_keys(world: World, series: pl.DataFrame, *, run_day: int, config: DemandConfig) -> pl.DataFrame:
    """Return every SKU-location that sold, has stock or an open order, or is to be launched soon; sorted.

    Args:
        world: what the step has read.
        series: ``sku``, ``location_id`` of the histories.
        run_day: day number of the run date.
        config: the room's settings.
    """
    launch = pl.col("launch_date").cast(pl.Int32).cast(pl.Int64)
    soon = launch.is_between(run_day + 1, run_day + config.status.launch_ahead_days)
    places = series.select("location_id").unique()
    coming = world.products.filter(soon).select("sku").join(places, how="cross")
    shipped = world.lines.filter(pl.col("quantity") > 0)
    frames = (series, world.other_lines, world.held, shipped, coming)
    return pl.concat([f.select(pl.col(_KEYS).cast(pl.String)) for f in frames]).unique().sort(_KEYS)


def last_paid(world: World, parts: list[Part]) -> pl.DataFrame:
    """Return ``sku``, ``location_id``, ``paid``: the median price paid on the last day each item sold."""
    priced = world.lines.filter((pl.col("quantity") > 0) & (pl.col("unit_price") > 0))
    last = priced.filter(pl.col("day") == pl.col("day").max().over(_KEYS))
    found = [last.group_by(_KEYS).agg(paid=pl.col("unit_price").median())]
    for part in parts:
        cells = part.cells
        sold = np.flatnonzero((cells.priced > 0) & (cells.units > 0))
        series = part.panel.series()[sold]
        latest = np.flatnonzero(np.diff(np.append(series, -1)) != 0)  # the last cell of each series that sold
        price = cells.revenue[sold[latest]] / cells.priced[sold[latest]]
        found.append(part.panel.keys.select(_KEYS).gather(series[latest]).with_columns(paid=pl.Series(price)))
    return pl.concat(found).unique(_KEYS, keep="first", maintain_order=True).sort(_KEYS)


def item_flags(keys: pl.DataFrame, parts: list[Part], book: LineBook, world: World) -> pl.DataFrame:
    """Return ``sku``, ``location_id``, ``flags`` (``Flag`` values, sorted) of each item."""
    taken = book.matched.group_by("event_id").agg(taken=pl.col("units").sum())
    unmatched = book.events.join(taken, on="event_id", how="left").filter(
        pl.col("units") > pl.col("taken").fill_null(0.0) + 1e-9
    )
    found = [
        (book.excluded.filter(pl.col("reason") == Reason.SPIKE.value), Flag.SPIKE),
        (unmatched, Flag.RETURN_UNMATCHED),
        *((_shifting(part), Flag.DEMAND_SHIFT) for part in parts),
        *((_spiking(part), Flag.SPIKE) for part in parts),
    ]
    if world.has_stock:
        found.append((keys.join(world.stock.select(_KEYS).unique(), on=_KEYS, how="anti"), Flag.NO_STOCK_HISTORY))
    rows = pl.concat([f.select(_KEYS).with_columns(flags=pl.lit(flag.value)) for f, flag in found])
    joined = rows.unique().sort(*_KEYS, "flags").group_by(_KEYS, maintain_order=True).agg("flags")
    none = pl.lit([], dtype=pl.List(pl.String))
    return (
        keys.select(_KEYS)
        .join(joined, on=_KEYS, how="left", maintain_order="left")
        .with_columns(pl.col("flags").fill_null(none))
    )


def _spiking(part: Part) -> pl.DataFrame:
    cells = part.cells.reasons.filter(pl.col("reason") == Reason.SPIKE.value)["cell"].to_numpy()
    return part.panel.keys.select(_KEYS).gather(np.unique(part.panel.series()[cells]))


def _shifting(part: Part) -> pl.DataFrame:
    """Return the items whose last period lies far above all of the 28 before: wanted, but new."""
    panel, units = part.panel, part.cells.units
    open_series = np.flatnonzero((panel.last == -1) & (panel.lengths > _SHIFT_PERIODS))
    last = panel.offsets[1:][open_series] - 1
    high = units[last] >= _SHIFT_UNITS
    shifted = [
        int(series)
        for series, cell in zip(open_series[high], last[high], strict=True)
        if units[cell] > _SHIFT_FACTOR * units[cell - _SHIFT_PERIODS : cell].max()
    ]
    return panel.keys.select(_KEYS).gather(shifted)
