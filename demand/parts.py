"""The history that each shape of sales gives: order lines, counted day by day, and period sales."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from demand.assortment import series_span
from demand.censoring import improbable_zero_runs
from demand.closed_days import classify_periods
from demand.config import DemandConfig
from demand.feed import feed_history
from demand.history import Cells, coarsened, coarser_panel, history_frame, price_in_force
from demand.items import alike, prices_by_location
from demand.lines import LineBook, daily_cells, stock_flow, with_stock
from demand.panel import Floats, Ints, Mask, Panel, Periods

__all__ = ["Part", "World", "feed_part", "joined_history", "line_part", "shut_cells"]

_KEYS = ["sku", "location_id"]


@dataclass(frozen=True)
class World:
    """What the step has read; days are day numbers.

    ``lines``: product lines with ``day``. ``other_lines``: keys and ``first_seen`` of lines that are no products.
    ``stock``: snapshots (``day``, ``on_hand``). ``held``: keys with stock or an open order. ``receipts``: ``day``,
    ``units``. ``prices``: ``channel``, ``from_day``, ``price``.
    """

    lines: pl.DataFrame
    other_lines: pl.DataFrame
    returns: pl.DataFrame
    stock: pl.DataFrame
    held: pl.DataFrame
    receipts: pl.DataFrame
    products: pl.DataFrame
    supply: pl.DataFrame
    prices: pl.DataFrame
    has_receipts: bool
    has_stock: bool


@dataclass(frozen=True)
class Part:
    """The history of one shape of sales at the planning periods.

    ``price``: stated where nothing sold, NaN none. ``kinds``: as :func:`demand.closed_days.classify_periods` gives
    them. ``feed_end``: last period of each series with a row, None for order lines. ``doubtful``: periods of zeros.
    """

    panel: Panel
    cells: Cells
    price: Floats
    kinds: pl.DataFrame
    feed_end: Ints | None
    doubtful: Ints


def line_part(
    world: World,
    book: LineBook,
    hourly: pl.DataFrame,
    days: pl.DataFrame,
    partial: Ints,
    *,
    periods: Periods,
    config: DemandConfig,
) -> Part:
    """Return the history of order lines, counted by day, then put together to planning periods.

    Args:
        world: what the step has read.
        book: the lines sorted out.
        hourly: as :func:`demand.lines.hourly_orders` gives it.
        days: as :func:`demand.closed_days.classify_days` gives it.
        partial: day numbers of partial days.
        periods: the planning periods.
        config: the room's settings.
    """
    daily = Periods(periods.first, 1)
    spans = _spans(world, book, days, run_day=periods.first - 1, config=config).drop_nulls("start").sort(_KEYS)
    start, end = (daily.index(spans[name].to_numpy()) for name in ("start", "end"))
    panel = Panel(spans.select(_KEYS), start, np.minimum(end, -1))
    counted = _counted_from(book, daily)
    cells = daily_cells(counted, panel)
    if world.has_stock:
        stock, receipts = (f.with_columns(pl.col("day") - periods.first) for f in (world.stock, world.receipts))
        flow = stock_flow(counted, stock, receipts, panel)
        cells = with_stock(cells, flow, hourly, panel, rebuild=world.has_receipts, config=config)
    kinds = classify_periods(days, partial, periods=daily)
    shut = shut_cells(panel, kinds)
    cells = _inferred(cells, shut, panel, config, tells_stock=world.has_stock)
    if periods.days > 1:
        coarse = coarser_panel(panel, days=daily, periods=periods)
        cells = coarsened(cells, panel, coarse, days=daily, periods=periods, open_day=~shut)
        panel, kinds = coarse, classify_periods(days, partial, periods=periods)
    return Part(panel, cells, np.full(panel.size, np.nan), kinds, None, np.zeros(0, dtype=np.int64))


def feed_part(
    keys: pl.DataFrame,
    sales: pl.DataFrame,
    days: pl.DataFrame,
    partial: Ints,
    *,
    periods: Periods,
    config: DemandConfig,
) -> Part:
    """Return the history of period sales.

    Args:
        keys: ``sku``, ``location_id`` of each series.
        sales: as :func:`demand.feed.feed_history` takes them.
        days: as :func:`demand.closed_days.classify_days` gives it.
        partial: day numbers of partial days.
        periods: the planning periods.
        config: the room's settings.
    """
    feed = feed_history(keys, sales, period_days=periods.days, config=config)
    kinds = classify_periods(days, partial, periods=periods)
    kinds = kinds.with_columns(is_partial=pl.col("is_partial") | pl.col("index").is_in(feed.doubtful.tolist()))
    tells_stock = bool(np.isfinite(feed.cells.in_stock).any())
    cells = _inferred(feed.cells, shut_cells(feed.panel, kinds), feed.panel, config, tells_stock=tells_stock)
    return Part(feed.panel, cells, feed.price, kinds, feed.feed_end, feed.doubtful)


def _counted_from(book: LineBook, daily: Periods) -> LineBook:
    """Return the book with days counted like periods: -1 is the run date."""
    move = (pl.col("day") - daily.first).alias("day")
    return replace(
        book,
        book=book.book.with_columns(move),
        events=book.events.with_columns(move),
        shipped=book.shipped.with_columns(move),
    )


def shut_cells(panel: Panel, kinds: pl.DataFrame) -> Mask:
    """Return the cells on closed days and gaps, shape (panel.size,)."""
    shut = kinds.filter(pl.col("is_closed") | pl.col("is_gap"))["index"].to_numpy()
    return np.isin(panel.index(), shut)


def _inferred(cells: Cells, shut: Mask, panel: Panel, config: DemandConfig, *, tells_stock: bool) -> Cells:
    """Return the cells with stock-outs inferred where nothing is known of stock."""
    if config.censoring.infer == "never" or (config.censoring.infer != "always" and not tells_stock):
        return cells
    out = improbable_zero_runs(cells.gross, shut, panel, config=config.censoring)
    out &= ~np.isfinite(cells.in_stock) & ~cells.is_censored
    return replace(cells, in_stock=np.where(out, 0.0, cells.in_stock), is_censored=cells.is_censored | out)


def _spans(world: World, book: LineBook, days: pl.DataFrame, *, run_day: int, config: DemandConfig) -> pl.DataFrame:
    """Return from when to when each SKU-location of the order lines is on sale."""
    sold = book.book.group_by(_KEYS).agg(first_sale=pl.col("day").min(), last_sale=pl.col("day").max())
    back = book.events.group_by(_KEYS).agg(first_receipt=pl.col("day").min(), last_receipt=pl.col("day").max())
    stocked = world.stock.filter(pl.col("on_hand") > 0).group_by(_KEYS).agg(first_stocked=pl.col("day").min())
    one_place = book.book["location_id"].n_unique() <= 1 and not world.has_stock
    dated = [pl.col(f"{name}_date").cast(pl.Int32).cast(pl.Int64).alias(name) for name in ("launch", "end_of_sale")]
    items = (
        pl.concat([frame.select(_KEYS) for frame in (sold, back, stocked)])
        .unique()
        .join(sold, on=_KEYS, how="left")
        .join(back, on=_KEYS, how="left")
        .join(stocked, on=_KEYS, how="left")
        .join(world.held.with_columns(is_held=True), on=_KEYS, how="left")
        .join(world.products.select("sku", "is_product", *dated), on="sku", how="left")
        .filter(pl.col("is_product").fill_null(value=True))
        .with_columns(
            is_held=pl.col("is_held").fill_null(value=False),
            launch_is_local=pl.col("first_stocked").is_not_null() | one_place,
        )
    )
    first_day = int(days["day"].min()) if days.height else run_day  # type: ignore[arg-type]
    return series_span(items, first_day=first_day, run_day=run_day, config=config.status)


def joined_history(
    parts: list[Part], prices: pl.DataFrame, products: pl.DataFrame, *, periods: Periods, config: DemandConfig
) -> pl.DataFrame:
    """Return ``demand_history`` of all parts, ordered by key; where two hold a period, their units add up.

    Args:
        parts: histories by shape of sales.
        prices: ``sku``, ``location_id``, ``channel``, ``from_day``, ``price``: for periods without a sale.
        products: the product table: which items sell alike.
        periods: the planning periods.
        config: the room's settings.
    """
    frames = []
    for part in parts:
        in_force = price_in_force(prices_by_location(prices, part.panel.keys), part.panel, periods)
        price = np.where(np.isfinite(part.price), part.price, in_force)
        frames.append(
            history_frame(
                part.cells,
                part.panel,
                part.kinds,
                price,
                periods=periods,
                config=config.censoring,
                groups=alike(part.panel.keys, products),
            )
        )
    return frames[0] if len(frames) == 1 else _added_up(frames)


def _added_up(frames: list[pl.DataFrame]) -> pl.DataFrame:
    both = pl.concat([f.with_columns(pl.col(*_KEYS, "exclusion_reason").cast(pl.String)) for f in frames])
    counts = ["units", "gross_units", "cancelled_units", "returned_units", "return_receipts", "excluded_units"]
    counts.append("recovered_units")
    return (
        both.group_by(*_KEYS, "ds", maintain_order=True)
        .agg(
            pl.col(counts).sum(),
            pl.col("unit_price", "in_stock_share", "exclusion_reason").drop_nulls().first(),
            pl.col("is_censored", "is_excluded", "on_promotion", "is_partial").any(),
            pl.col("is_closed", "is_gap", "recovered_teaches").all(),
        )
        .select(frames[0].columns)
        .sort(*_KEYS, "ds")
    )
