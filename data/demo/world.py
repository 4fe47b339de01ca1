"""The whole simulated world of one config, before it is written anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.bookings import DAY_SECONDS, Bookings, bookings
from data.demo.brushing import brushing_lines
from data.demo.catalogue import Catalogue, catalogue
from data.demo.config import DemoConfig
from data.demo.demand import Demand, demand, viral_spikes
from data.demo.interest import Interest, interest
from data.demo.inventory import Inventory, inventory
from data.demo.orders import SaleLines, cancelled_lines, preorder_lines, sale_lines
from data.demo.prices import Prices, prices
from data.demo.returns import POS_SHARE, ReturnHabits, return_habits, return_lift, returned_lines
from data.demo.shop_events import ShopEvent, shop_events

__all__ = ["World", "simulate"]

_LINE_COLUMNS = (
    "series", "day", "second", "quantity", "unit_price", "list_price", "promotion", "order", "channel", "buyer",
    "status", "preorder", "incident", "kind", "sale_line",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """Everything that happened.

    Attributes:
        lines: every order line in order of time: the columns of ``SaleLines.lines`` and ``preorder``, ``incident``,
            ``kind`` (null for real orders), ``sale_line`` (row in ``SaleLines.lines``, null for others),
            ``order_number`` (1, 2, ... by time), ``line_number`` within the order.
        returned: what came back at the counter or by post: ``series``, ``return_second``, ``quantity``, ``reason``,
            ``line`` (row of ``lines``); what was booked at the till stands in ``lines`` as negative quantities.
    """

    config: DemoConfig
    shop: Catalogue
    events: list[ShopEvent]
    talk: Interest
    prices: Prices
    demand: Demand
    stock: Inventory
    habits: ReturnHabits
    booked: Bookings
    lines: pl.DataFrame
    returned: pl.DataFrame


def simulate(config: DemoConfig) -> World:
    """Return the simulated world: the same config gives the same world."""
    shop = catalogue(config)
    events = shop_events(config)
    viral = viral_spikes(config, shop)
    talk = interest(config, shop, viral)
    found = prices(config, shop, events)
    wanted = demand(config, shop, talk, found, events, viral)
    habits = return_habits(config, shop)
    booked = bookings(config, shop)
    stock = inventory(config, shop, wanted, habits.rate, return_lift(config, events), booked.batches)
    sales = sale_lines(config, shop, wanted, stock, found)
    back = returned_lines(stock.returns, sales.lines, habits, config=config, first_unit=sales.first_unit)
    lines, back = _all_lines(config, shop, wanted, stock, found, booked, sales, back)
    return World(config, shop, events, talk, found, wanted, stock, habits, booked, lines, back)


def _all_lines(
    config: DemoConfig,
    shop: Catalogue,
    wanted: Demand,
    stock: Inventory,
    found: Prices,
    booked: Bookings,
    sales: SaleLines,
    back: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return all order lines in order of time, and the returns that name them."""
    cancelled = cancelled_lines(config, sales)
    shipped = preorder_lines(config, shop, booked, _next_order(cancelled))
    fake = brushing_lines(config, shop, wanted, stock, found, _next_order(shipped))
    at_shop = shop.series["location"].to_numpy()[back["series"].to_numpy()] > 0
    is_pos = at_shop & (back["pos_draw"].to_numpy() < POS_SHARE)
    till = _till_lines(sales.lines, back.filter(pl.Series(is_pos)), _next_order(fake))
    ordinary = sales.lines.with_row_index("sale_line")
    parts = [_shaped(part) for part in (ordinary, cancelled, shipped, fake, till)]
    lines = pl.concat(parts).sort("second", "order", "series", maintain_order=True)
    lines = lines.with_columns(
        order_number=pl.col("order").rle_id() + 1, line_number=pl.int_range(1, pl.len() + 1).over("order")
    )
    row_of = np.empty(len(sales.lines), np.int64)
    is_sale = lines["sale_line"].is_not_null().to_numpy()
    row_of[lines["sale_line"].drop_nulls().to_numpy()] = np.flatnonzero(is_sale)
    posted = back.filter(pl.Series(~is_pos))
    return lines, posted.with_columns(line=pl.Series(row_of[posted["line"].to_numpy()])).drop("pos_draw")


def _next_order(lines: pl.DataFrame) -> int:
    return int(lines["order"].to_numpy().max()) + 1


def _till_lines(sales: pl.DataFrame, back: pl.DataFrame, first_order: int) -> pl.DataFrame:
    """Return returns booked at a shop's till: negative lines that name no sale."""
    rows: NDArray[np.int64] = back["line"].to_numpy()
    second = back["return_second"].to_numpy()
    return sales[rows].with_columns(
        second=pl.Series(second),
        day=pl.Series(second // DAY_SECONDS),
        quantity=pl.Series(-back["quantity"].to_numpy().astype(np.int64)),
        order=pl.Series(first_order + np.arange(len(rows))),
        promotion=pl.lit(-1, dtype=pl.Int64),
        buyer=pl.lit(-1, dtype=pl.Int64),
        status=pl.lit("completed"),
    )


def _shaped(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the lines with every column in one order and dtype."""
    strings, floats = {"channel", "status", "incident", "kind"}, {"unit_price", "list_price"}
    return lines.select(
        (pl.col(name) if name in lines.columns else pl.lit(None))
        .cast(pl.String if name in strings else pl.Float64 if name in floats else pl.Int64)
        .alias(name)
        for name in _LINE_COLUMNS
    )
