"""The demand step: sales in, ``demand_history``, ``excluded_lines`` and ``assortment`` out, for one run date."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data.step_io import StepIO, open_step
from demand.assortment import assortment_frame
from demand.closed_days import classify_days, listed_days, partial_days
from demand.config import DemandConfig
from demand.exclusions import Reason
from demand.facts import item_flags, item_keys, last_paid, series_facts
from demand.items import item_facts, prices_by_location, regular_prices
from demand.lines import LineBook, hourly_orders, line_book
from demand.panel import Ints, Periods, day_number
from demand.parts import Part, World, feed_part, joined_history, line_part
from demand.return_alerts import return_alerts

__all__ = ["run"]

_KEYS = ["sku", "location_id"]
_LINE_COLUMNS = [
    *("order_line_id", "order_id", "ordered_at", "business_date", *_KEYS, "quantity", "unit_price"),
    *("promotion_id", "preorder_id", "buyer_ref", "status", "is_product"),
]
_FEED_KEYS = (
    "select distinct s.sku, s.location_id from stg_period_sales s left join stg_products p using (sku) "
    "where coalesce(p.is_product, true)"
)


def run(home: Path, run_date: date) -> dict[str, int]:
    """Write ``demand_history``, ``excluded_lines`` and ``assortment`` of ``run_date`` and return row counts."""
    with open_step("demand", home=home, run_date=run_date) as io:
        config = DemandConfig.model_validate(io.settings.demand.rules)
        periods = Periods(day_number(io.calendar.first_period), io.calendar.period_days)
        world = _read(io)
        book = line_book(
            world.lines,
            world.returns,
            timezone=io.settings.shop.timezone,
            run_day=periods.first - 1,
            exclude_suspicious=io.settings.demand.exclude_suspicious,
            config=config,
        )
        parts = _parts(io, world, book, periods, config)
        assortment = _assortment(io, world, parts, book, periods, config)
        history = joined_history(parts, world.prices, world.products, periods=periods, config=config)
        del parts  # the history of a large shop is large: one copy is enough
        io.write("demand_history", history)
        io.write("excluded_lines", _ledger(book.excluded, periods))
        io.write("assortment", assortment)
        io.write("return_alerts", _return_alerts(io, world, book, config))
        _check_units(io, history, book)
        _report_exclusions(io, book)
    return io.counts


def _day(column: str) -> pl.Expr:
    """Return a date column as day number."""
    return pl.col(column).cast(pl.Int32).cast(pl.Int64)


def _read(io: StepIO) -> World:
    """Read what the step needs, dates as day numbers."""
    lines = io.read_polars("stg_order_lines", columns=_LINE_COLUMNS).with_columns(day=_day("business_date"))
    other = lines.filter(~pl.col("is_product"))
    returns = io.read_polars("stg_returns").with_columns(day=_day("business_date"))
    stock_now = io.read_polars("stg_stock", columns=[*_KEYS, "as_of_date", "on_hand"])
    stock = io.read_polars("stg_stock_history", columns=[*_KEYS, "as_of_date", "on_hand"])
    stock = pl.concat([stock, stock_now.select(stock.columns)]).unique([*_KEYS, "as_of_date"], keep="first")
    orders = io.read_polars("stg_purchase_orders", columns=["po_id", *_KEYS, "open_qty"])
    held = [stock_now.filter(pl.col("on_hand") > 0), orders.filter(pl.col("open_qty") > 0)]
    receipts = io.read_polars("stg_receipts", columns=["po_id", *_KEYS, "received_date", "received_qty"])
    return World(
        lines=lines.filter("is_product").drop("is_product", "business_date"),
        other_lines=other.group_by(_KEYS).agg(first_seen=pl.col("day").min()).sort(_KEYS),
        returns=returns.join(other.select("sku").unique(), on="sku", how="anti").select(
            "return_id", "day", *_KEYS, "quantity", "order_line_id"
        ),
        stock=stock.select(*_KEYS, "on_hand", day=_day("as_of_date")),
        held=pl.concat([f.select(_KEYS) for f in held]).unique().sort(_KEYS),
        receipts=receipts.select(*_KEYS, day=_day("received_date"), units="received_qty"),
        products=io.read_polars("stg_products"),
        supply=io.read_polars("item_supply", columns=["sku", "supplier_id", "unit_cost"]),
        prices=io.read_polars("stg_prices").select(*_KEYS, "channel", "price", from_day=_day("from_date")),
        has_receipts=io.has_source("receipts"),
        has_stock=io.has_source("stock"),
    )


def _parts(io: StepIO, world: World, book: LineBook, periods: Periods, config: DemandConfig) -> list[Part]:
    """Return the history by shape of sales, and say which days cannot be used."""
    hourly = hourly_orders(world.lines, timezone=io.settings.shop.timezone)
    partial = partial_days(hourly, config=config.days)
    days = _days(io, world, config)
    parts = []
    if world.lines.height or not io.has_source("period_sales"):
        parts.append(line_part(world, book, hourly, days, partial, periods=periods, config=config))
    if io.has_source("period_sales"):
        keys = io.query_polars(f"{_FEED_KEYS} order by 1, 2")
        sales = io.query_polars(_feed_query(io.calendar.first_period, periods))
        parts.append(feed_part(keys, sales, days, partial, periods=periods, config=config))
    _report_days(io, parts, partial)
    return parts


def _days(io: StepIO, world: World, config: DemandConfig) -> pl.DataFrame:
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


def _feed_query(first_period: date, periods: Periods) -> str:
    """Return the query for period sales. Keys become numbers in it: strings of ten million rows stay in DuckDB."""
    return (
        "with keys as (select *, (row_number() over (order by sku, location_id) - 1)::integer as series "
        f"from ({_FEED_KEYS})) "
        f"select k.series, floor((s.ds - date '{first_period.isoformat()}') / {periods.days})::integer as index, "
        "s.units, s.unit_price::double as unit_price, s.in_stock, s.stockout_share, s.on_promotion "
        "from stg_period_sales s join keys k using (sku, location_id) order by k.series, index"
    )


def _assortment(
    io: StepIO, world: World, parts: list[Part], book: LineBook, periods: Periods, config: DemandConfig
) -> pl.DataFrame:
    """Return the assortment with its flags."""
    run_day = day_number(io.run_date)
    series = pl.concat([series_facts(part, periods=periods, config=config) for part in parts])
    series = series.unique(_KEYS, keep="first", maintain_order=True)
    keys = item_keys(world, series, run_day=run_day, config=config)
    in_force = prices_by_location(world.prices, keys)
    prices = regular_prices(in_force, world.products, last_paid(world, parts), keys)
    items = (
        item_facts(keys, world.products, world.supply, run_day=run_day)
        .join(series, on=_KEYS, how="left")
        .join(prices, on=_KEYS, how="left")
        .join(world.held.with_columns(is_held=True), on=_KEYS, how="left")
        .join(world.other_lines.with_columns(no_product=True), on=_KEYS, how="left")
        .with_columns(
            is_held=pl.col("is_held").fill_null(value=False),
            is_product=pl.col("is_product") & pl.col("no_product").is_null(),
            first_seen=pl.coalesce("first_seen", "first_period"),
        )
    )
    flags = item_flags(keys, parts, book, world)
    frame = assortment_frame(items, run_day=run_day, config=config.status)
    return frame.join(flags, on=_KEYS, how="left", maintain_order="left")


def _return_alerts(io: StepIO, world: World, book: LineBook, config: DemandConfig) -> pl.DataFrame:
    """Return the styles and sizes that come back too often; returns without a reason say nothing here."""
    told = io.read_polars("stg_returns", columns=["return_id", "reason"])
    events = book.events.select("event_id", "day").join(
        told.select(event_id=pl.concat_str(pl.lit("r:"), "return_id"), reason="reason"), on="event_id", how="left"
    )
    kept = pl.col("gross") - pl.col("cancelled") - pl.col("excluded")
    return return_alerts(
        book.book.select("order_line_id", "day", "sku", units=kept),
        book.matched.select("event_id", "order_line_id", "units").join(events, on="event_id", how="inner"),
        world.products.select("sku", "style_id", "size", "category"),
        run_day=day_number(io.run_date),
        config=config.returns,
    )


def _ledger(excluded: pl.DataFrame, periods: Periods) -> pl.DataFrame:
    """Return ``excluded_lines``: each line taken out, with the period it belongs to."""
    labels = periods.label(periods.index(excluded["day"].to_numpy().astype(np.int64)))
    ds = pl.Series("ds", labels.astype(np.int32)).cast(pl.Date)
    return excluded.select("order_line_id", "order_id", *_KEYS, ds, "units", "reason")


def _report_days(io: StepIO, parts: list[Part], partial: Ints) -> None:
    """Say which days were delivered in part, doubtful or missing."""
    if day_number(io.run_date) in partial.tolist():
        io.note(
            "PARTIAL_DAY", f"{io.run_date} was delivered in part: it is kept out of training.", table="demand_history"
        )
    doubtful = sum(len(part.doubtful) for part in parts)
    if doubtful:
        io.note("ALL_ZERO", f"{doubtful} periods in which every SKU sold nothing are kept out of training.")
    kinds = parts[0].kinds
    shown = ", ".join(str(np.datetime64(int(day), "D")) for day in partial[-5:])
    io.check(
        "days_of_history",
        table="demand_history",
        failed=0,
        rows=kinds.height,
        severity="warn",
        observed=f"{kinds.height} periods: {kinds['is_gap'].sum()} gaps, {kinds['is_closed'].sum()} closed, "
        f"{kinds['is_partial'].sum()} partial" + (f" (days {shown})" if len(partial) else ""),
        expected="gaps and partial periods are kept out of training; closed periods are true zeros",
    )


def _check_units(io: StepIO, history: pl.DataFrame, book: LineBook) -> None:
    """Check the identities of the history."""
    off = pl.col("gross_units") - pl.col("cancelled_units") - pl.col("excluded_units") - pl.col("units")
    wrong = history.filter((off.abs() > 1e-6) | (pl.col("units") < -1e-9))
    io.check(
        "units_add_up",
        table="demand_history",
        failed=wrong.height,
        rows=history.height,
        sample=[f"{sku} {location} {ds}" for sku, location, ds in wrong.select(*_KEYS, "ds").head(5).iter_rows()],
        expected="units = gross_units - cancelled_units - excluded_units >= 0",
        advice="A defect of the demand room: report it with the sample.",
    )
    sold, came_back = float(book.book["gross"].sum()), float(book.events["units"].sum())
    counted = [float(history[name].sum()) for name in ("gross_units", "return_receipts")]
    lost = [max(sold - counted[0], 0.0), max(came_back - counted[1], 0.0)]
    io.check(
        "lines_all_counted",
        table="demand_history",
        failed=int(max(lost) > 1e-6 * max(sold, 1.0)),
        rows=max(book.book.height, history.height),
        observed=f"{counted[0]:g} of {sold:g} units sold, {counted[1]:g} of {came_back:g} units returned",
        expected="every unit of the order lines and returns stands in the history",
        advice="A defect of the demand room: report it.",
    )


def _report_exclusions(io: StepIO, book: LineBook) -> None:
    """Say what was left out of demand, and which returns found no sale."""
    came_back, unmatched = float(book.events["units"].sum()), book.unmatched_units
    io.check(
        "RETURN_UNMATCHED",
        table="demand_history",
        failed=round(unmatched),
        rows=round(came_back),
        severity="warn",
        observed=f"{unmatched:g} of {came_back:g} units came back whose sale is not found",
        expected="each return belongs to a sale; those that do not are kept out of return rates",
    )
    for reason in Reason:
        lines = book.excluded.filter(pl.col("reason") == reason.value)
        io.check(
            f"excluded_{reason.value}",
            table="excluded_lines",
            failed=lines.height,
            rows=book.book.height,
            severity="warn",
            sample=lines["order_line_id"].head(5).to_list(),
            observed=f"{lines.height} lines, {float(lines['units'].sum()):g} units left out",
            expected="no suspicious order, no slip of the keyboard",
            advice="Kept in excluded_lines. Set demand.exclude_suspicious: false to count suspicious orders.",
        )
