"""The demand step: sales in, ``demand_history``, ``excluded_lines`` and ``assortment`` out, for one run date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data.step_io import StepIO, open_step
from demand.assortment import Flag, assortment_frame, demand_classes, series_span
from demand.censoring import improbable_zero_runs
from demand.closed_days import classify_days, classify_periods, listed_days, partial_days
from demand.config import DemandConfig
from demand.exclusions import Reason
from demand.feed import Feed, feed_history
from demand.history import Cells, coarsened, coarser_panel, history_frame, price_in_force
from demand.items import item_facts, prices_by_location, regular_prices
from demand.lines import LineBook, daily_cells, hourly_orders, line_book, stock_flow, with_stock
from demand.panel import Floats, Ints, Mask, Panel, Periods, day_number

__all__ = ["run"]

_KEYS = ["sku", "location_id"]
_DAY = pl.Int64
_LINE_COLUMNS = (
    "order_line_id order_id ordered_at business_date sku location_id quantity unit_price promotion_id preorder_id "
    "buyer_ref status is_product"
).split()
_SHIFT_FACTOR = 3.0  # times the highest of the last 28 periods: more than any ordinary day
_SHIFT_UNITS = 30.0  # [units] a smaller day is no shift


def _day(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int32).cast(_DAY)


@dataclass(frozen=True)
class _World:
    """What the step has read."""

    lines: pl.DataFrame  # product lines with ``day``
    other_lines: pl.DataFrame  # keys of lines that are no products, with ``first_seen``
    returns: pl.DataFrame
    stock: pl.DataFrame  # snapshots: sku, location_id, day, on_hand
    held: pl.DataFrame  # keys with stock or an open order
    receipts: pl.DataFrame
    products: pl.DataFrame
    supply: pl.DataFrame
    prices: pl.DataFrame
    has_receipts: bool
    has_stock: bool


@dataclass(frozen=True)
class _Part:
    """The history that one shape of sales gives, at the planning periods."""

    panel: Panel
    cells: Cells
    price: Floats
    kinds: pl.DataFrame
    first_seen: Ints  # first period with a row
    feed_end: Ints | None


def run(home: Path, run_date: date) -> dict[str, int]:
    """Write ``demand_history``, ``excluded_lines`` and ``assortment`` of ``run_date`` and return row counts."""
    with open_step("demand", home=home, run_date=run_date) as io:
        config = DemandConfig.model_validate(getattr(io.settings.demand, "rules", {}))
        periods = Periods(day_number(io.calendar.first_period), io.calendar.period_days)
        world = _read(io)
        book, excluded = _sorted_lines(io, world, config)
        parts: list[_Part] = []
        hourly = hourly_orders(world.lines, timezone=io.settings.shop.timezone)
        days = _days(io, world, config)
        partial = partial_days(hourly, config=config.days)
        if world.lines.height or not io.has_source("period_sales"):
            parts.append(_line_part(world, book, hourly, days, partial, periods, config))
        if io.has_source("period_sales"):
            parts.append(_feed_part(io, days, partial, periods, config))
        _report_days(io, parts, partial)
        history = _history(parts, world, periods)
        io.write("demand_history", history)
        _check_history(io, history, book, excluded)
        io.write("excluded_lines", _ledger(excluded, periods))
        io.write("assortment", _assortment(io, world, parts, history, book, periods, config))
    return io.counts


def _read(io: StepIO) -> _World:
    """Read what the step needs, dates as day numbers."""
    lines = io.read_polars("stg_order_lines", columns=_LINE_COLUMNS).with_columns(day=_day("business_date"))
    other = lines.filter(~pl.col("is_product")).group_by(_KEYS).agg(first_seen=pl.col("day").min())
    returns = io.read_polars("stg_returns").with_columns(day=_day("business_date"))
    stock_now = io.read_polars("stg_stock", columns=[*_KEYS, "as_of_date", "on_hand"])
    stock = io.read_polars("stg_stock_history", columns=[*_KEYS, "as_of_date", "on_hand"])
    stock = pl.concat([stock, stock_now.select(stock.columns)]).unique([*_KEYS, "as_of_date"], keep="first")
    orders = io.read_polars("stg_purchase_orders", columns=["po_id", *_KEYS, "open_qty"])
    held = pl.concat(
        [stock_now.filter(pl.col("on_hand") > 0).select(_KEYS), orders.filter(pl.col("open_qty") > 0).select(_KEYS)]
    )
    receipts = io.read_polars("stg_receipts", columns=["po_id", *_KEYS, "received_date", "received_qty"])
    prices = io.read_polars("stg_prices")
    return _World(
        lines=lines.filter("is_product").drop("is_product"),
        other_lines=other.sort(_KEYS),
        returns=returns.join(lines.filter(~pl.col("is_product")).select("sku").unique(), on="sku", how="anti"),
        stock=stock.select(*_KEYS, "on_hand", day=_day("as_of_date")),
        held=held.unique().sort(_KEYS),
        receipts=receipts.select(*_KEYS, day=_day("received_date"), units="received_qty"),
        products=io.read_polars("stg_products"),
        supply=io.read_polars("item_supply", columns=["sku", "supplier_id", "unit_cost"]),
        prices=prices.select(*_KEYS, "channel", "price", from_day=_day("from_date")),
        has_receipts=io.has_source("receipts"),
        has_stock=io.has_source("stock"),
    )


def _sorted_lines(io: StepIO, world: _World, config: DemandConfig) -> tuple[LineBook, pl.DataFrame]:
    book = line_book(
        world.lines,
        world.returns.select("return_id", "day", *_KEYS, "quantity", "order_line_id"),
        timezone=io.settings.shop.timezone,
        run_day=day_number(io.run_date),
        exclude_suspicious=io.settings.demand.exclude_suspicious,
        config=config,
    )
    return book, book.excluded


def _days(io: StepIO, world: _World, config: DemandConfig) -> pl.DataFrame:
    """Return the kind of each day of the shop's history."""
    seen = [world.lines["day"].unique().to_numpy()]
    if world.other_lines.height:
        every = io.query_polars("select distinct business_date from stg_order_lines order by 1")
        seen.append(every.select(_day("business_date")).to_series().to_numpy())
    if io.has_source("period_sales"):
        labels = io.query_polars("select distinct ds from stg_period_sales order by 1").select(_day("ds")).to_series()
        seen.extend(labels.to_numpy() + i for i in range(io.calendar.period_days))
    known = np.concatenate(seen).astype(np.int64)
    last = day_number(io.run_date)
    first = int(known.min()) if len(known) else last
    listed = listed_days(io.settings.shop.closed_days, first=first, last=last)
    return classify_days(known, last=last, listed=listed, config=config.days)


def _line_part(
    world: _World,
    book: LineBook,
    hourly: pl.DataFrame,
    days: pl.DataFrame,
    partial: Ints,
    periods: Periods,
    config: DemandConfig,
) -> _Part:
    """Return the history of order lines: daily first, then in planning periods."""
    daily = Periods(periods.first, 1)
    run_day = periods.first - 1
    spans = _spans(world, book, days, run_day=run_day, config=config).drop_nulls("start").sort(_KEYS)
    to_index = {name: daily.index(spans[name].to_numpy()) for name in ("start", "end")}
    panel = Panel(spans.select(_KEYS), to_index["start"], np.minimum(to_index["end"], -1))
    dated = _shifted(book, daily)
    cells = daily_cells(dated, panel)
    if world.has_stock:
        stock, receipts = (f.with_columns(pl.col("day") - periods.first) for f in (world.stock, world.receipts))
        flow = stock_flow(dated, stock, receipts, panel)
        cells = with_stock(cells, flow, hourly, panel, rebuild=world.has_receipts, config=config)
    kinds = classify_periods(days, partial, periods=daily)
    shut = _shut(panel, kinds)
    cells = _inferred(cells, shut, panel, config)
    if periods.days > 1:
        coarse = coarser_panel(panel, days=daily, periods=periods)
        cells = coarsened(cells, panel, coarse, days=daily, periods=periods, open_day=~shut)
        panel, kinds = coarse, classify_periods(days, partial, periods=periods)
    return _Part(panel, cells, np.full(panel.size, np.nan), kinds, panel.first, None)


def _shifted(book: LineBook, daily: Periods) -> LineBook:
    """Return the book with days counted like periods: -1 is the run date."""
    move = (pl.col("day") - daily.first).alias("day")
    return LineBook(
        book=book.book.with_columns(move),
        events=book.events.with_columns(move),
        matched=book.matched,
        excluded=book.excluded,
        shipped=book.shipped.with_columns(move),
    )


def _shut(panel: Panel, kinds: pl.DataFrame) -> Mask:
    """Return the cells on closed days and gaps."""
    shut = kinds.filter(pl.col("is_closed") | pl.col("is_gap"))["index"].to_numpy()
    return np.isin(panel.index(), shut)


def _inferred(cells: Cells, shut: Mask, panel: Panel, config: DemandConfig) -> Cells:
    """Return the cells with stock-outs inferred where nothing is known of stock."""
    if not config.censoring.infer_without_stock:
        return cells
    known = np.isfinite(cells.in_stock)
    out = improbable_zero_runs(cells.gross, shut, panel, config=config.censoring) & ~known & ~cells.is_censored
    return Cells(
        **{**vars(cells), "in_stock": np.where(out, 0.0, cells.in_stock), "is_censored": cells.is_censored | out}
    )


def _spans(world: _World, book: LineBook, days: pl.DataFrame, *, run_day: int, config: DemandConfig) -> pl.DataFrame:
    """Return from when to when each SKU-location of the order lines is on sale."""
    sold = book.book.group_by(_KEYS).agg(first_sale=pl.col("day").min(), last_sale=pl.col("day").max())
    back = book.events.group_by(_KEYS).agg(first_receipt=pl.col("day").min(), last_receipt=pl.col("day").max())
    stocked = world.stock.filter(pl.col("on_hand") > 0).group_by(_KEYS).agg(first_stocked=pl.col("day").min())
    one_place = book.book["location_id"].n_unique() <= 1 and not world.has_stock
    keys = pl.concat([f.select(_KEYS) for f in (sold, back, stocked)]).unique()
    products = world.products.select(
        "sku", "is_product", launch=_day("launch_date"), end_of_sale=_day("end_of_sale_date")
    )
    items = (
        keys.join(sold, on=_KEYS, how="left")
        .join(back, on=_KEYS, how="left")
        .join(stocked, on=_KEYS, how="left")
        .join(world.held.with_columns(is_held=True), on=_KEYS, how="left")
        .join(products, on="sku", how="left")
        .filter(pl.col("is_product").fill_null(value=True))
        .with_columns(
            is_held=pl.col("is_held").fill_null(value=False),
            launch_is_local=pl.col("first_stocked").is_not_null() | one_place,
        )
    )
    first_day = int(days["day"].min()) if days.height else run_day  # type: ignore[arg-type]
    return series_span(items, first_day=first_day, run_day=run_day, config=config.status)


def _feed_part(io: StepIO, days: pl.DataFrame, partial: Ints, periods: Periods, config: DemandConfig) -> _Part:
    """Return the history of period sales. Keys become numbers in SQL: strings of ten million rows stay there."""
    keys = io.query_polars(
        "select distinct s.sku, s.location_id from stg_period_sales s left join stg_products p using (sku) "
        "where coalesce(p.is_product, true) order by s.sku, s.location_id"
    )
    label = f"(s.ds - date '{io.calendar.first_period.isoformat()}')"
    sales = io.query_polars(
        "with keys as (select sku, location_id, (row_number() over (order by sku, location_id) - 1)::integer as series "
        "from (select distinct s.sku, s.location_id from stg_period_sales s left join stg_products p using (sku) "
        "where coalesce(p.is_product, true))) "
        f"select k.series, floor({label} / {periods.days})::integer as index, s.units, s.unit_price::double as unit_price, "
        "s.in_stock, s.stockout_share, s.on_promotion from stg_period_sales s join keys k using (sku, location_id) "
        "order by k.series, index"
    )
    feed: Feed = feed_history(keys, sales, period_days=periods.days, config=config)
    kinds = classify_periods(days, partial, periods=periods)
    kinds = kinds.with_columns(is_partial=pl.col("is_partial") | pl.col("index").is_in(feed.doubtful.tolist()))
    if feed.n_doubtful_periods:
        io.note(
            "ALL_ZERO", f"{feed.n_doubtful_periods} periods in which every SKU sold nothing are kept out of training."
        )
    cells = _inferred(feed.cells, _shut(feed.panel, kinds), feed.panel, config)
    return _Part(feed.panel, cells, feed.price, kinds, feed.panel.first, feed.feed_end)


def _report_days(io: StepIO, parts: list[_Part], partial: Ints) -> None:
    if day_number(io.run_date) in partial.tolist():
        io.note("PARTIAL_DAY", f"{io.run_date} was delivered in part: it is kept out of training.")
    if len(partial):
        shown = ", ".join(str(np.datetime64(int(d), "D")) for d in partial[-5:])
        io.check(
            "partial_days",
            table="demand_history",
            failed=0,
            rows=len(partial),
            severity="warn",
            observed=f"{len(partial)} partial days: {shown}",
        )
    kinds = pl.concat([p.kinds for p in parts])
    gaps = kinds.filter("is_gap").height
    io.check(
        "gaps",
        table="demand_history",
        failed=0,
        rows=max(kinds.height, 1),
        severity="warn",
        observed=f"{gaps} gaps, {kinds.filter('is_closed').height} closed periods of {kinds.height}",
    )


def _history(parts: list[_Part], world: _World, periods: Periods) -> pl.DataFrame:
    frames = []
    for part in parts:
        prices = price_in_force(prices_by_location(world.prices, part.panel.keys), part.panel, periods)
        fallback = np.where(np.isfinite(part.price), part.price, prices)
        frames.append(history_frame(part.cells, part.panel, part.kinds, fallback, periods=periods))
    return frames[0] if len(frames) == 1 else _joined(frames)


def _joined(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the histories of both shapes of sales as one; where both hold a period, units add up."""
    plain = [f.with_columns(pl.col(*_KEYS, "exclusion_reason").cast(pl.String)) for f in frames]
    both = pl.concat(plain)
    counts = ["units", "gross_units", "cancelled_units", "returned_units", "return_receipts", "excluded_units"]
    any_of = ["is_censored", "is_excluded", "on_promotion", "is_partial"]
    return (
        both.group_by(*_KEYS, "ds", maintain_order=True)
        .agg(
            pl.col(counts).sum(),
            pl.col("unit_price", "in_stock_share", "exclusion_reason").drop_nulls().first(),
            pl.col(any_of).any(),
            pl.col("is_closed", "is_gap").all(),
        )
        .select(frames[0].columns)
        .sort(*_KEYS, "ds")
    )


def _ledger(excluded: pl.DataFrame, periods: Periods) -> pl.DataFrame:
    labels = periods.label(periods.index(excluded["day"].to_numpy().astype(np.int64)))
    return excluded.select(
        "order_line_id",
        "order_id",
        *_KEYS,
        pl.Series("ds", labels.astype(np.int32)).cast(pl.Date),
        "units",
        "reason",
    )


def _check_history(io: StepIO, history: pl.DataFrame, book: LineBook, excluded: pl.DataFrame) -> None:
    """Check the identities of the history and report what was left out and what could not be matched."""
    n = history.height
    off = pl.col("gross_units") - pl.col("cancelled_units") - pl.col("excluded_units") - pl.col("units")
    wrong = history.filter((off.abs() > 1e-6) | (pl.col("units") < -1e-9))
    io.check(
        "units_add_up",
        table="demand_history",
        failed=wrong.height,
        rows=n,
        sample=[f"{r[0]}@{r[1]} {r[2]}" for r in wrong.select(*_KEYS, "ds").head(5).iter_rows()],
        expected="units = gross_units - cancelled_units - excluded_units >= 0",
        advice="A defect of the demand room: report it with the sample.",
    )
    sold = float(book.book["gross"].sum())
    if book.book.height:
        io.check(
            "lines_all_counted",
            table="demand_history",
            failed=int(not book.book.is_empty() and _total(history, "gross_units") + 1e-6 < sold),
            rows=n,
            observed=f"{_total(history, 'gross_units'):g} units in the history, {sold:g} in the lines",
            expected="every unit sold stands in the history",
        )
    unmatched = book.unmatched_units
    io.check(
        "RETURN_UNMATCHED",
        table="demand_history",
        failed=round(unmatched),
        rows=max(round(float(book.events["units"].sum())), 1),
        severity="warn",
        observed=f"{unmatched:g} units came back whose sale is not found",
        expected="each return belongs to a sale; those that do not are kept out of return rates",
    )
    for reason in Reason:
        part = excluded.filter(pl.col("reason") == reason.value)
        io.check(
            f"excluded_{reason.value}",
            table="excluded_lines",
            failed=part.height,
            rows=max(book.book.height, part.height, 1),
            severity="warn",
            sample=part["order_line_id"].head(5).to_list(),
            observed=f"{part.height} lines, {float(part['units'].sum()):g} units",
            advice="Left out of demand, kept in excluded_lines. Set demand.exclude_suspicious: false to count them.",
        )


def _total(history: pl.DataFrame, column: str) -> float:
    return float(history[column].sum())


def _assortment(
    io: StepIO,
    world: _World,
    parts: list[_Part],
    history: pl.DataFrame,
    book: LineBook,
    periods: Periods,
    config: DemandConfig,
) -> pl.DataFrame:
    run_day = day_number(io.run_date)
    series = pl.concat([_series_facts(p, periods, config) for p in parts]).unique(
        _KEYS, keep="first", maintain_order=True
    )
    keys = _item_keys(world, series, run_day=run_day, config=config)
    paid = _last_paid(world.lines, history)
    facts = item_facts(keys, world.products, world.supply, run_day=run_day)
    prices = regular_prices(prices_by_location(world.prices, keys), world.products, paid, keys)
    other = world.other_lines.with_columns(no_product=True)
    items = (
        facts.join(series, on=_KEYS, how="left")
        .join(prices, on=_KEYS, how="left")
        .join(world.held.with_columns(is_held=True), on=_KEYS, how="left")
        .join(other, on=_KEYS, how="left")
        .with_columns(
            is_held=pl.col("is_held").fill_null(value=False),
            is_product=pl.col("is_product") & pl.col("no_product").is_null(),
            first_seen=pl.coalesce("first_seen", "first_period"),
        )
    )
    flags = _flags(keys, parts, book, world)
    return assortment_frame(items, run_day=run_day, config=config.status).join(
        flags, on=_KEYS, how="left", maintain_order="left"
    )


def _series_facts(part: _Part, periods: Periods, config: DemandConfig) -> pl.DataFrame:
    """Return class, first and last sale and the end of the feed of each series, as day numbers."""
    shut = _shut(part.panel, part.kinds)
    partial = part.kinds.filter("is_partial")["index"].to_numpy()
    silent = part.cells.is_censored & (part.cells.units <= 0)
    ignored = shut | np.isin(part.panel.index(), partial) | silent
    named, first, last = demand_classes(part.cells.units, ignored, part.panel, periods=periods, config=config.status)
    end = np.zeros(len(first), dtype=np.int64) if part.feed_end is None else part.feed_end
    return part.panel.keys.select(_KEYS).with_columns(
        named,
        first_sale=_when_sold(first, periods.label(first)),
        last_sale=_when_sold(last, periods.label(last) + periods.days - 1),
        first_period=pl.Series(periods.label(part.first_seen)),
        feed_end=_when_sold(end, periods.label(end) + periods.days - 1),
    )


def _when_sold(index: Ints, day: Ints) -> pl.Series:
    """Return the day numbers, null where ``index`` is 0: never."""
    return pl.Series(np.where(index < 0, day, np.iinfo(np.int64).min)).replace(np.iinfo(np.int64).min, None)


def _item_keys(world: _World, series: pl.DataFrame, *, run_day: int, config: DemandConfig) -> pl.DataFrame:
    """Return every SKU-location that sold, has stock or an open order, or is to be launched soon."""
    launch = _day("launch_date")
    coming = world.products.filter((launch > run_day) & (launch <= run_day + config.status.launch_ahead_days)).select(
        "sku"
    )
    places = series.select("location_id").unique()
    shipped = world.lines.filter(pl.col("quantity") > 0).select(_KEYS)
    return (
        pl.concat(
            [
                series.select(pl.col(_KEYS).cast(pl.String)),
                world.other_lines.select(_KEYS),
                world.held,
                shipped,
                coming.join(places, how="cross").select(_KEYS),
            ]
        )
        .unique()
        .sort(_KEYS)
    )


def _last_paid(lines: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Return ``paid``: the median price paid on the last day each item sold."""
    priced = lines.filter((pl.col("quantity") > 0) & (pl.col("unit_price") > 0))
    if priced.height:
        last = priced.filter(pl.col("day") == pl.col("day").max().over(_KEYS))
        return last.group_by(_KEYS).agg(paid=pl.col("unit_price").median()).sort(_KEYS)
    sold = history.lazy().filter((pl.col("units") > 0) & pl.col("unit_price").is_not_null())
    last_paid = sold.group_by(_KEYS).agg(paid=pl.col("unit_price").last()).collect()
    return last_paid.with_columns(pl.col(_KEYS).cast(pl.String)).sort(_KEYS)


def _flags(keys: pl.DataFrame, parts: list[_Part], book: LineBook, world: _World) -> pl.DataFrame:
    """Return ``flags`` of each item."""
    open_units = (
        book.events.join(book.matched.group_by("event_id").agg(taken=pl.col("units").sum()), on="event_id", how="left")
        .filter(pl.col("units") > pl.col("taken").fill_null(0.0) + 1e-9)
        .select(_KEYS)
    )
    spiky = book.excluded.filter(pl.col("reason") == Reason.SPIKE.value).select(_KEYS)
    found = [
        (spiky, Flag.SPIKE),
        (open_units, Flag.RETURN_UNMATCHED),
        *((_shifting(p), Flag.DEMAND_SHIFT) for p in parts),
        *((_spiking(p), Flag.SPIKE) for p in parts),
    ]
    if world.has_stock:
        found.append((keys.join(world.stock.select(_KEYS).unique(), on=_KEYS, how="anti"), Flag.NO_STOCK_HISTORY))
    rows = (
        pl.concat([f.select(_KEYS).with_columns(flags=pl.lit(flag.value)) for f, flag in found])
        .unique()
        .sort(*_KEYS, "flags")
    )
    joined = rows.group_by(_KEYS, maintain_order=True).agg("flags")
    empty = pl.lit([], dtype=pl.List(pl.String))
    return keys.join(joined, on=_KEYS, how="left", maintain_order="left").with_columns(pl.col("flags").fill_null(empty))


def _spiking(part: _Part) -> pl.DataFrame:
    cells = part.cells.reasons.filter(pl.col("reason") == Reason.SPIKE.value)["cell"].to_numpy()
    return part.panel.keys[np.unique(part.panel.series()[cells]).tolist()].select(_KEYS)


def _shifting(part: _Part) -> pl.DataFrame:
    """Return the items whose last period lies far above all of the 28 before: wanted, but new."""
    panel, units = part.panel, part.cells.units
    rows = np.flatnonzero((panel.last == -1) & (panel.lengths > 1))
    last = panel.offsets[1:][rows] - 1
    high = rows[units[last] >= _SHIFT_UNITS]
    shifted = [
        int(s)
        for s in high
        if units[panel.offsets[s + 1] - 1]
        > _SHIFT_FACTOR * units[max(panel.offsets[s], panel.offsets[s + 1] - 29) : panel.offsets[s + 1] - 1].max()
    ]
    return panel.keys[shifted].select(_KEYS)
