"""Demand from order lines: what counts, what is taken out, what came back, and when stock was out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from demand.censoring import closing_stock, in_stock_share, selling_profile
from demand.config import DemandConfig
from demand.exclusions import Reason, line_spikes, suspicious_lines
from demand.history import Cells, from_lines
from demand.panel import Floats, Panel
from demand.returns import match_returns, return_events

__all__ = ["LineBook", "daily_cells", "hourly_orders", "line_book", "stock_flow", "with_stock"]


@dataclass(frozen=True)
class LineBook:
    """Order lines sorted out.

    ``book``: ordinary demand, one row per line, as :func:`demand.history.from_lines` takes it. ``events``, ``matched``:
    returns and their sales. ``excluded``: lines taken out, whole or in part. ``shipped``: units that left the shelf,
    shipments of preorders included, by ``sku``, ``location_id``, ``day`` and ``units``, with the last ``hour``.
    """

    book: pl.DataFrame
    events: pl.DataFrame
    matched: pl.DataFrame
    excluded: pl.DataFrame
    shipped: pl.DataFrame

    @property
    def unmatched_units(self) -> float:
        """Units that came back and whose sale is not found, stock corrections included [units]."""
        return float(self.events["units"].sum()) - float(self.matched["units"].sum())


def line_book(
    lines: pl.DataFrame,
    returns: pl.DataFrame,
    *,
    timezone: str,
    run_day: int,
    exclude_suspicious: bool,
    config: DemandConfig,
) -> LineBook:
    """Return the order lines sorted out.

    Args:
        lines: product lines up to the run date: ``order_line_id``, ``order_id``, ``ordered_at`` (UTC), ``day`` (day
            number), ``sku``, ``location_id``, ``quantity`` [units], ``unit_price`` [currency/unit], ``promotion_id``,
            ``preorder_id``, ``buyer_ref``, ``status``.
        returns: ``return_id``, ``day``, ``sku``, ``location_id``, ``quantity`` [units], ``order_line_id``.
        timezone: the shop's.
        run_day: day number of the run date.
        exclude_suspicious: False keeps suspicious orders in demand.
        config: the room's settings.
    """
    is_cancelled = (
        pl.col("status")
        .str.strip_chars()
        .str.to_lowercase()
        .is_in(config.returns.cancelled_statuses)
        .fill_null(value=False)
    )
    marked = lines.with_columns(is_cancelled=is_cancelled)
    sales = marked.filter(pl.col("quantity") > 0)
    negative = marked.filter((pl.col("quantity") < 0) & ~pl.col("is_cancelled"))
    events = return_events(negative, returns)
    wanted = sales.filter(~pl.col("is_cancelled"))
    matched = match_returns(
        wanted.select(
            "order_line_id",
            "order_id",
            "day",
            "sku",
            "location_id",
            "buyer_ref",
            units=pl.col("quantity").cast(pl.Float64),
        ),
        events,
        config=config.returns,
    )
    ordinary = wanted.filter(pl.col("preorder_id").is_null())
    excluded = _excluded(
        ordinary, matched, timezone=timezone, run_day=run_day, exclude_suspicious=exclude_suspicious, config=config
    )
    shipped = wanted.join(
        excluded.filter(pl.col("reason") != Reason.SPIKE.value).select("order_line_id"), on="order_line_id", how="anti"
    )
    return LineBook(
        book=_book(sales.filter(pl.col("preorder_id").is_null()), excluded),
        events=events,
        matched=matched,
        excluded=excluded,
        shipped=_daily_shipped(shipped, timezone=timezone),
    )


def _excluded(
    lines: pl.DataFrame,
    matched: pl.DataFrame,
    *,
    timezone: str,
    run_day: int,
    exclude_suspicious: bool,
    config: DemandConfig,
) -> pl.DataFrame:
    """Return the lines taken out, with their keys, ``units`` and ``reason``."""
    keys = ["order_line_id", "order_id", "sku", "location_id", "day"]
    came_back = pl.col("order_line_id").is_in(matched["order_line_id"].unique().implode())
    fake = lines.head(0).select("order_line_id", reason=pl.lit(""))
    if exclude_suspicious:
        fake = suspicious_lines(
            lines.with_columns(is_returned=came_back), timezone=timezone, run_day=run_day, config=config.brushing
        )
    honest = lines.join(fake, on="order_line_id", how="anti")
    spikes = line_spikes(honest.select("order_line_id", "sku", "quantity"), config=config.spikes)
    whole = lines.join(fake, on="order_line_id").select(
        *keys, units=pl.col("quantity").cast(pl.Float64), reason="reason"
    )
    part = honest.join(spikes, on="order_line_id").select(
        *keys, units=pl.col("excess").cast(pl.Float64), reason=pl.lit(Reason.SPIKE.value)
    )
    return pl.concat([whole, part]).sort("order_line_id")


def _book(sales: pl.DataFrame, excluded: pl.DataFrame) -> pl.DataFrame:
    quantity = pl.col("quantity").cast(pl.Float64)
    return (
        sales.join(excluded.select("order_line_id", "units", "reason"), on="order_line_id", how="left")
        .select(
            "order_line_id",
            "day",
            "sku",
            "location_id",
            "unit_price",
            "reason",
            gross=quantity,
            cancelled=pl.when("is_cancelled").then(quantity).otherwise(0.0),
            excluded=pl.col("units").fill_null(0.0),
            is_promotion=pl.col("promotion_id").is_not_null(),
        )
        .sort("sku", "location_id", "day", "order_line_id")
    )


def _daily_shipped(lines: pl.DataFrame, *, timezone: str) -> pl.DataFrame:
    hour = pl.col("ordered_at").dt.convert_time_zone(timezone).dt.hour().cast(pl.Int64)
    return (
        lines.with_columns(hour=hour)
        .group_by("sku", "location_id", "day")
        .agg(units=pl.col("quantity").sum().cast(pl.Float64), hour=pl.col("hour").max())
        .sort("sku", "location_id", "day")
    )


def hourly_orders(lines: pl.DataFrame, *, timezone: str) -> pl.DataFrame:
    """Return ``day``, ``hour``, ``n_orders`` of the shop, for partial days and the selling profile.

    Args:
        lines: ``order_line_id``, ``order_id``, ``ordered_at`` (UTC), ``day``.
        timezone: the shop's.
    """
    local = pl.col("ordered_at").dt.convert_time_zone(timezone)
    return (
        lines.select(
            "day", hour=local.dt.hour().cast(pl.Int64), order=pl.coalesce("order_id", "order_line_id").hash(seed=0)
        )
        .unique()
        .group_by("day", "hour")
        .agg(n_orders=pl.len().cast(pl.Int64))
        .sort("day", "hour")
    )


def daily_cells(book: LineBook, panel: Panel) -> Cells:
    """Return the daily cells of the sorted lines, stock not yet in them."""
    return from_lines(book.book, book.events, book.matched, panel)


@dataclass(frozen=True)
class _Flow:
    snapshots: Floats
    outflow: Floats
    inflow: Floats
    last_hour: Floats


def stock_flow(book: LineBook, stock: pl.DataFrame, receipts: pl.DataFrame, panel: Panel) -> _Flow:
    """Return what is known of stock in each daily cell: snapshots, units out, units in, hour of the last sale.

    Args:
        book: the sorted lines.
        stock: ``sku``, ``location_id``, ``day``, ``on_hand`` [units].
        receipts: ``sku``, ``location_id``, ``day``, ``units`` [units].
        panel: daily series.
    """
    snapshots = np.full(panel.size, np.nan)
    at = panel.cells(panel.series_of(stock), stock["day"].to_numpy().astype(np.int64))
    snapshots[at[at >= 0]] = stock["on_hand"].to_numpy().astype(float)[at >= 0]
    out = panel.cells(panel.series_of(book.shipped), book.shipped["day"].to_numpy().astype(np.int64))
    last_hour = np.zeros(panel.size)
    last_hour[out[out >= 0]] = book.shipped["hour"].to_numpy()[out >= 0]
    arrived = pl.concat(
        [
            receipts.select("sku", "location_id", "day", pl.col("units").cast(pl.Float64)),
            book.events.select("sku", "location_id", "day", "units"),
        ]
    ).sort("sku", "location_id", "day", "units")
    into = panel.cells(panel.series_of(arrived), arrived["day"].to_numpy().astype(np.int64))
    return _Flow(
        snapshots=snapshots,
        outflow=panel.scatter(out, book.shipped["units"].to_numpy().astype(float)),
        inflow=panel.scatter(into, arrived["units"].to_numpy().astype(float)),
        last_hour=last_hour,
    )


def with_stock(
    cells: Cells, flow: _Flow, hourly: pl.DataFrame, panel: Panel, *, rebuild: bool, config: DemandConfig
) -> Cells:
    """Return the cells with the share of each day in stock, and whether stock ran out.

    Args:
        cells: daily cells.
        flow: as :func:`stock_flow` gives it.
        hourly: as :func:`hourly_orders` gives it.
        panel: daily series.
        rebuild: the shop's receipts are known, so stock between snapshots can be worked out.
        config: the room's settings.
    """
    by_hour = np.bincount(
        hourly["hour"].to_numpy(), weights=hourly["n_orders"].to_numpy().astype(float), minlength=24
    ).astype(float)
    close = closing_stock(flow.snapshots, flow.outflow, flow.inflow, panel, rebuild=rebuild)
    share = in_stock_share(
        close, flow.outflow, flow.last_hour, selling_profile(by_hour), panel, config=config.censoring
    )
    return replace(cells, in_stock=share, is_censored=share < 1.0)
