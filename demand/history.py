"""The demand history: sales, returns, exclusions and stock-outs put together, one cell per series and period.

``units = gross_units - cancelled_units - excluded_units``. Gross units are what was ordered, on the day of the order;
shipments of preorders are no demand again and are left out before. Everything is summed in a fixed order, so that the
same lines give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from demand.config import CensoringConfig
from demand.panel import Floats, Ints, Mask, Panel, Periods
from demand.recovery import recovered_demand

__all__ = [
    "Cells",
    "coarsened",
    "coarser_panel",
    "empty_cells",
    "from_lines",
    "from_periods",
    "history_frame",
    "price_in_force",
    "stated_prices",
]


@dataclass(frozen=True)
class Cells:
    """Figures of every cell of a panel, each of shape (panel.size,)."""

    gross: Floats  # [units]
    cancelled: Floats  # [units]
    excluded: Floats  # [units]
    returned: Floats  # by the period of the sale [units]
    receipts: Floats  # by the period they came back [units]
    revenue: Floats  # of units with a price above 0 [currency]
    priced: Floats  # units with a price above 0 [units]
    in_stock: Floats  # share of the period (0-1), NaN unknown
    is_censored: Mask
    on_promotion: Mask
    reasons: pl.DataFrame  # cell, reason: why units are excluded

    @property
    def units(self) -> Floats:
        """Demand [units]: gross less cancelled and excluded."""
        return self.gross - self.cancelled - self.excluded


def empty_cells(size: int) -> Cells:
    """Return cells without any figure."""
    return Cells(
        gross=np.zeros(size),
        cancelled=np.zeros(size),
        excluded=np.zeros(size),
        returned=np.zeros(size),
        receipts=np.zeros(size),
        revenue=np.zeros(size),
        priced=np.zeros(size),
        in_stock=np.full(size, np.nan),
        is_censored=np.zeros(size, dtype=bool),
        on_promotion=np.zeros(size, dtype=bool),
        reasons=pl.DataFrame(schema={"cell": pl.Int64, "reason": pl.String}),
    )


def from_lines(book: pl.DataFrame, events: pl.DataFrame, matched: pl.DataFrame, panel: Panel) -> Cells:
    """Return the daily cells of order lines; stock is not in them yet.

    Args:
        book: one row per line of ordinary demand: ``order_line_id``, ``day``, ``sku``, ``location_id``, ``gross``,
            ``cancelled``, ``excluded`` [units], ``unit_price``, ``reason`` (null: nothing excluded), ``is_promotion``.
        events: returns as :func:`demand.returns.return_events` gives them, ``day`` counted like the panel's periods.
        matched: as :func:`demand.returns.match_returns` gives it. Returns of lines that are not in ``book``, or that
            were cancelled or excluded, are no returns of demand.
        panel: daily series; every line lies in it.
    """
    book = book.sort("sku", "location_id", "day", "order_line_id")
    cell = panel.cells(panel.series_of(book), book["day"].to_numpy().astype(np.int64))
    gross, cancelled, excluded = (book[c].to_numpy().astype(float) for c in ("gross", "cancelled", "excluded"))
    kept = gross - cancelled - excluded
    price = book["unit_price"].fill_null(0.0).to_numpy().astype(float)
    priced = np.where(price > 0, kept, 0.0)
    receipts = events.sort("sku", "location_id", "day", "event_id")
    receipt_cell = panel.cells(panel.series_of(receipts), receipts["day"].to_numpy().astype(np.int64))
    promoted = np.zeros(panel.size, dtype=bool)
    promoted[cell[(cell >= 0) & book["is_promotion"].to_numpy() & (kept > 0)]] = True
    return replace(
        empty_cells(panel.size),
        gross=panel.scatter(cell, gross),
        cancelled=panel.scatter(cell, cancelled),
        excluded=panel.scatter(cell, excluded),
        returned=panel.scatter(cell, _returned_of(book, kept, matched)),
        receipts=panel.scatter(receipt_cell, receipts["units"].to_numpy().astype(float)),
        revenue=panel.scatter(cell, priced * price),
        priced=panel.scatter(cell, priced),
        on_promotion=promoted,
        reasons=book.select(cell=pl.Series(cell), reason="reason").drop_nulls().filter(pl.col("cell") >= 0),
    )


def _returned_of(book: pl.DataFrame, kept: Floats, matched: pl.DataFrame) -> Floats:
    """Return the units that came back of each line, at most what it counts for in demand [units]."""
    back = matched.group_by("order_line_id").agg(back=pl.col("units").sum())
    joined = book.select("order_line_id").join(back, on="order_line_id", how="left", maintain_order="left")
    came_back: Floats = np.minimum(joined["back"].fill_null(0.0).to_numpy(), kept)
    return came_back


def from_periods(sales: pl.DataFrame, panel: Panel) -> Cells:
    """Return the cells of period sales.

    A negative number of units is a return of that period: its sale is not known, so cohort and receipt are the same.

    Args:
        sales: ``series`` (position in ``panel.keys``), ``index`` (period), ``units`` [units], ``unit_price``,
            ``in_stock``, ``stockout_share``, ``on_promotion``; one row per series and period.
        panel: series whose periods hold every row.
    """
    cell = panel.cells(sales["series"].to_numpy().astype(np.int64), sales["index"].to_numpy().astype(np.int64))
    units = sales["units"].to_numpy().astype(float)
    cells = empty_cells(panel.size)
    cells.gross[cell] = np.maximum(units, 0.0)
    if (units < 0).any():
        cells.returned[cell] = np.maximum(-units, 0.0)
        cells.receipts[cell] = np.maximum(-units, 0.0)
    if sales["unit_price"].null_count() < sales.height:
        price = sales["unit_price"].fill_null(0.0).to_numpy()
        cells.priced[cell] = np.where(price > 0, np.maximum(units, 0.0), 0.0)
        cells.revenue[cell] = price * cells.priced[cell]
    if sales["on_promotion"].null_count() < sales.height:
        cells.on_promotion[cell] = sales["on_promotion"].fill_null(value=False).to_numpy()
    share = _stated_share(sales)
    if share is not None:
        cells.in_stock[cell] = share
        cells.is_censored[cell] = _stated_censored(sales, share)
    return cells


def stated_prices(sales: pl.DataFrame, panel: Panel) -> Floats:
    """Return the price that period sales state for each cell, sold or not, NaN where none [currency].

    Args:
        sales: as for :func:`from_periods`.
        panel: series whose periods hold every row.
    """
    out = np.full(panel.size, np.nan)
    if sales["unit_price"].null_count() < sales.height:
        cell = panel.cells(sales["series"].to_numpy().astype(np.int64), sales["index"].to_numpy().astype(np.int64))
        out[cell] = sales["unit_price"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return out


def _stated_share(sales: pl.DataFrame) -> Floats | None:
    """Return the in-stock share that the source states; None where it states nothing.

    ``in_stock = false`` says out at any time in the period: how long is unknown, unless nothing sold.
    """
    if sales["stockout_share"].null_count() == sales.height and sales["in_stock"].null_count() == sales.height:
        return None
    by_flag = (
        pl.when(pl.col("in_stock"))
        .then(pl.lit(1.0))
        .when(~pl.col("in_stock") & (pl.col("units") <= 0))
        .then(pl.lit(0.0))
    )
    share = sales.select(share=pl.coalesce(1.0 - pl.col("stockout_share"), by_flag))["share"]
    return share.fill_null(np.nan).to_numpy().astype(float)


def _stated_censored(sales: pl.DataFrame, share: Floats) -> Mask:
    has_share = sales["stockout_share"].is_not_null().to_numpy()
    flagged = (~sales["in_stock"].fill_null(value=True)).to_numpy()
    return np.where(has_share, share < 1.0, flagged).astype(bool)


def coarser_panel(panel: Panel, *, days: Periods, periods: Periods) -> Panel:
    """Return the panel of the periods that the days of ``panel`` fall into."""
    return Panel(panel.keys, periods.index(days.label(panel.first)), periods.index(days.label(panel.last)))


def coarsened(cells: Cells, panel: Panel, coarse: Panel, *, days: Periods, periods: Periods, open_day: Mask) -> Cells:
    """Return the cells of ``coarse`` (weeks): sums of the days; stock as the mean over open days with known stock.

    Args:
        cells: daily figures.
        panel: daily series.
        coarse: as :func:`coarser_panel` gives it.
        days: the periods of ``panel``.
        periods: the periods of ``coarse``.
        open_day: days that are neither closed nor gaps, shape (panel.size,).
    """
    cell = coarse.cells(panel.series().astype(np.int64), periods.index(days.label(panel.index())))
    known = np.isfinite(cells.in_stock) & open_day
    known_days = coarse.scatter(cell, known.astype(float))
    stocked = coarse.scatter(cell, np.where(known, cells.in_stock, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        in_stock = np.where(known_days > 0, stocked / known_days, np.nan)
    sums = {
        name: coarse.scatter(cell, getattr(cells, name))
        for name in ("gross", "cancelled", "excluded", "returned", "receipts", "revenue", "priced")
    }
    return Cells(
        **sums,
        in_stock=in_stock,
        is_censored=coarse.scatter(cell, (cells.is_censored & open_day).astype(float)) > 0,
        on_promotion=coarse.scatter(cell, cells.on_promotion.astype(float)) > 0,
        reasons=cells.reasons.with_columns(cell=pl.Series(cell[cells.reasons["cell"].to_numpy()])),
    )


def price_in_force(prices: pl.DataFrame, panel: Panel, periods: Periods) -> Floats:
    """Return the price in force in each cell, NaN before the first known one, shape (panel.size,) [currency].

    Args:
        prices: ``sku``, ``location_id``, ``from_day`` (day number), ``price``: one price per SKU, location and day.
        panel: the series.
        periods: the periods of ``panel``. In a period the price counts that was in force on its first day.
    """
    out = np.full(panel.size, np.nan)
    if prices.is_empty() or not panel.size:
        return out
    ordered = prices.sort("sku", "location_id", "from_day")
    series = panel.series_of(ordered)
    # in force from the first period that starts on or after from_day
    index = -periods.index(-ordered["from_day"].to_numpy().astype(np.int64) + 2 * periods.first)
    known = series >= 0
    series, index, price = series[known], index[known], ordered["price"].to_numpy().astype(float)[known]
    within = index <= panel.last[series]
    series, index, price = series[within], index[within], price[within]
    cell = panel.offsets[series] + np.maximum(index, panel.first[series]) - panel.first[series]
    out[cell] = price  # the last one written to a cell is the latest
    return _filled_forward(out, panel)


def _filled_forward(values: Floats, panel: Panel) -> Floats:
    n = len(values)
    source = np.where(np.isfinite(values), np.arange(n), -1)
    source = np.maximum.accumulate(source)
    start = np.repeat(panel.offsets[:-1], panel.lengths)
    return np.where(source >= start, values[np.maximum(source, 0)], np.nan)


def history_frame(
    cells: Cells,
    panel: Panel,
    kinds: pl.DataFrame,
    fallback_price: Floats,
    *,
    periods: Periods,
    config: CensoringConfig = CensoringConfig(),  # noqa: B008 -- frozen
    groups: Sequence[Ints] = (),
) -> pl.DataFrame:
    """Return ``demand_history`` in its contract's columns, ordered by key; keys are dictionary-encoded.

    Args:
        cells: the figures.
        panel: the series.
        kinds: as :func:`demand.closed_days.classify_periods` gives it: one row per period.
        fallback_price: price where nothing was paid, NaN unknown, shape (panel.size,) [currency].
        periods: the periods of ``panel``.
        config: how demand of stocked-out periods is recovered.
        groups: group numbers of the series, the narrowest first, as :func:`demand.items.alike` gives them.
    """
    index = panel.index()
    flags = _flags_of(index, kinds)
    unknown = flags["is_closed"] | flags["is_gap"]
    recovered, teaches = recovered_demand(
        cells.units,
        cells.in_stock,
        cells.is_censored,
        unknown,
        panel,
        config=config,
        season=7 if periods.days == 1 else 1,
        groups=groups,
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        price = np.where(cells.priced > 0, cells.revenue / cells.priced, fallback_price)
    sku, location_id = panel.key_columns()
    return pl.DataFrame(
        [
            sku,
            location_id,
            pl.Series("ds", periods.label(index).astype(np.int32)).cast(pl.Date),
            pl.Series("units", cells.units),
            pl.Series("gross_units", cells.gross),
            pl.Series("cancelled_units", cells.cancelled),
            pl.Series("returned_units", cells.returned),
            pl.Series("return_receipts", cells.receipts),
            pl.Series("unit_price", price, nan_to_null=True),
            pl.Series("in_stock_share", cells.in_stock, nan_to_null=True),
            pl.Series("is_censored", cells.is_censored & ~unknown),
            pl.Series("recovered_units", recovered),
            pl.Series("recovered_teaches", teaches),
            pl.Series("is_excluded", cells.excluded > 0),
            pl.Series("excluded_units", cells.excluded),
            _reason_column(cells, panel.size),
            pl.Series("is_closed", flags["is_closed"]),
            pl.Series("is_gap", flags["is_gap"]),
            pl.Series("is_partial", flags["is_partial"]),
            pl.Series("on_promotion", cells.on_promotion),
        ]
    )


def _flags_of(index: Ints, kinds: pl.DataFrame) -> dict[str, Mask]:
    """Return the flags of each cell's period; a period before the first known one is a gap."""
    low = int(index.min()) if len(index) else 0
    out: dict[str, Mask] = {}
    for name in ("is_closed", "is_gap", "is_partial"):
        by_period = np.full(max(-low, 0) + 1, name == "is_gap")
        position = kinds["index"].to_numpy() - low
        inside = (position >= 0) & (position < len(by_period))
        by_period[position[inside]] = kinds[name].to_numpy()[inside]
        out[name] = by_period[index - low]
    return out


def _reason_column(cells: Cells, size: int) -> pl.Series:
    """Return the reasons of each cell, joined by ``;``."""
    joined = (
        cells.reasons.unique()
        .sort("cell", "reason")
        .group_by("cell", maintain_order=True)
        .agg(pl.col("reason").str.join(";"))
    )
    words = joined["reason"].unique().sort()
    if not len(words):
        return pl.repeat(None, size, dtype=pl.String, eager=True).alias("exclusion_reason")
    coded = joined["reason"].cast(pl.Enum(words)).extend_constant(None, 1)  # the last row stands for no reason
    row = np.full(size, joined.height, dtype=np.int64)
    row[joined["cell"].to_numpy()] = np.arange(joined.height)
    return coded.gather(row).alias("exclusion_reason")
