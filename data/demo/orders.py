"""Order lines: sold units become lines, lines become orders of buyers at times of the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.bookings import DAY_SECONDS, Bookings
from data.demo.catalogue import Catalogue
from data.demo.config import DemoConfig
from data.demo.demand import Demand
from data.demo.inventory import Inventory
from data.demo.prices import Prices
from data.demo.streams import stream
from data.demo.vocabulary import PRODUCT_TYPES

__all__ = ["SaleLines", "cancelled_lines", "preorder_lines", "sale_lines"]

_HOURS_WEB = (3.0, 1.6, 0.6, 0.4, 0.3, 0.35, 0.9, 2, 3, 4, 5, 5.5, 6, 5, 4.5, 4.5, 4.5, 4.6, 5, 6.5, 8.5, 9.5, 9, 6)
_HOURS_SHOP = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 6, 8, 9, 10, 10, 10, 10, 10, 10, 8, 4, 0, 0)
_NEW_ORDER = 0.62  # chance that the next line belongs to another order (0-1)
_NEW_BUYER = 0.16
_WALK_IN = 0.5  # of a shop's orders have no known buyer (0-1)
_GIFT_SHARE = 0.004
_CANCELLED_SHARE = 0.018
_DROP_SECONDS = 5400.0  # a hyped launch sells out within hours of 20:00 [s]
_RECENT_DAYS = 3  # orders of the last days are paid, not yet completed
_CHANNELS = ("web", "marketplace", "live", "store")


@dataclass(frozen=True)
class SaleLines:
    """Ordinary order lines, in order of cells (series, then day).

    Attributes:
        lines: ``series``, ``day``, ``second`` (since the start, local), ``quantity``, ``unit_price``, ``list_price``,
            ``promotion``, ``order`` (number), ``channel``, ``buyer`` (-1: unknown), ``status``, ``first_unit``.
        first_unit: number of each cell's first unit, shape (n_series * n_days,), -1 where nothing sold.
    """

    lines: pl.DataFrame
    first_unit: NDArray[np.int64]


def sale_lines(config: DemoConfig, shop: Catalogue, wanted: Demand, stock: Inventory, found: Prices) -> SaleLines:
    """Return the order lines of everything sold from stock."""
    rng = stream(config.seed, "orders")
    series, day = np.nonzero(stock.sold)
    units = stock.sold[series, day]
    single = np.array([t.single for t in PRODUCT_TYPES])[shop.by_series("type_index").astype(int)]
    cell = np.repeat(np.arange(len(series)), units)
    begins = rng.random(len(cell)) < single[series[cell]]
    first = np.cumsum(units) - units
    begins[first] = True
    starts = np.flatnonzero(begins)
    quantity = np.diff(np.append(starts, len(cell)))
    of_cell = cell[starts]
    first_unit = np.full(stock.sold.size, -1, np.int64)
    first_unit[series * config.n_days + day] = first
    lines = pl.DataFrame({"series": series[of_cell], "day": day[of_cell], "quantity": quantity, "first_unit": starts})
    second = lines["day"].to_numpy() * DAY_SECONDS + _time_of_day(shop, wanted, stock, lines, rng)
    lines = _with_orders(config, shop, lines.with_columns(second=pl.Series(second)), rng)
    return SaleLines(_with_prices(config, shop, lines, found, rng), first_unit)


def _time_of_day(
    shop: Catalogue,
    wanted: Demand,
    stock: Inventory,
    lines: pl.DataFrame,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the second of the day of each line; where stock ran out, all sales lie before that hour."""
    series, day = lines["series"].to_numpy(), lines["day"].to_numpy()
    sold, units = stock.sold[series, day], wanted.units[series, day]
    reached = rng.random(len(series)) * (sold / np.maximum(units, sold))
    is_shop = shop.series["location"].to_numpy()[series] > 0
    result = np.zeros(len(series), np.int64)
    for mask, hours in ((~is_shop, _HOURS_WEB), (is_shop, _HOURS_SHOP)):
        edges = np.concatenate([[0.0], np.cumsum(hours) / np.sum(hours)])
        result[mask] = (np.interp(reached[mask], edges, np.arange(25)) * 3600).astype(np.int64)
    launch = shop.by_series("launch_day")[series]
    dropped = shop.by_series("is_drop").astype(bool)[series] & (day == launch) & ~is_shop
    late = 20 * 3600 + np.minimum(-np.log1p(-reached * 0.93) * _DROP_SECONDS, 14_000)
    return np.where(dropped, late, np.minimum(result, DAY_SECONDS - 1)).astype(np.int64)


def _with_orders(config: DemoConfig, shop: Catalogue, lines: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Group lines that follow each other at one location into orders, and give each order a buyer and a channel."""
    place = shop.series["location"].to_numpy()[lines["series"].to_numpy()]
    second = lines["second"].to_numpy()
    order = np.argsort((lines["day"].to_numpy() * 3 + place) * DAY_SECONDS + second % DAY_SECONDS, kind="stable")
    group = (lines["day"].to_numpy() * 3 + place)[order]
    begins = rng.random(len(order)) < _NEW_ORDER
    begins[0] = True
    series = lines["series"].to_numpy()[order]
    begins[1:] |= (group[1:] != group[:-1]) | (series[1:] == series[:-1])
    number = np.cumsum(begins) - 1
    head = order[begins]
    buyer = _buyers(config, second[head], place[head], rng)
    channel = np.where(place[head] > 0, 3, rng.choice(3, len(head), p=[0.68, 0.22, 0.10]))
    back = np.empty(len(order), np.int64)
    back[order] = number
    return lines.with_columns(
        second=pl.Series(second[head][back]),
        order=pl.Series(back),
        buyer=pl.Series(buyer[back]),
        channel=pl.Series(np.array(_CHANNELS)[channel[back]]),
    )


def _buyers(
    config: DemoConfig, second: NDArray[np.int64], place: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the buyer of each order: a growing crowd of which some buy far more often; -1 for unknown walk-ins."""
    by_time = np.argsort(second, kind="stable")
    new = rng.random(len(second)) < _NEW_BUYER
    crowd = config.buyers_at_start + np.cumsum(new)
    known = (crowd * rng.random(len(second)) ** 1.4).astype(np.int64)
    buyer = np.empty(len(second), np.int64)
    buyer[by_time] = np.where(new, crowd - 1, known)
    return np.where((place > 0) & (rng.random(len(second)) < _WALK_IN), -1, buyer)


def _with_prices(
    config: DemoConfig, shop: Catalogue, lines: pl.DataFrame, found: Prices, rng: np.random.Generator
) -> pl.DataFrame:
    """Add the price paid, the list price, the promotion, a few gifts, and the status."""
    series, day = lines["series"].to_numpy(), lines["day"].to_numpy()
    style = shop.series["style"].to_numpy()[series]
    group = (shop.series["location"].to_numpy()[series] > 0).astype(int)
    paid, regular = found.paid[style, group, day], found.regular[style, group, day]
    promotion = np.where(group == 0, found.promotion[style, day], -1)
    cheap = shop.styles["category"].is_in(["badge", "card"]).to_numpy()[style]
    gift = cheap & (lines["quantity"].to_numpy() == 1) & (rng.random(len(lines)) < _GIFT_SHARE)
    recent = day > config.n_days - 1 - _RECENT_DAYS
    return lines.with_columns(
        unit_price=pl.Series(np.where(gift, 0.0, paid)),
        list_price=pl.Series(regular),
        promotion=pl.Series(np.where(gift, -1, promotion)),
        status=pl.Series(np.where(recent, "paid", "completed")),
    )


def cancelled_lines(config: DemoConfig, sales: SaleLines) -> pl.DataFrame:
    """Return orders that were cancelled within minutes: they took no stock. Columns as ``SaleLines.lines``."""
    rng = stream(config.seed, "cancelled")
    picks = np.flatnonzero(rng.random(len(sales.lines)) < _CANCELLED_SHARE)
    lines = sales.lines[picks].filter(pl.col("unit_price") > 0)
    second = lines["second"].to_numpy() + rng.integers(1, 1800, len(lines))
    second = np.minimum(second, (lines["day"].to_numpy() + 1) * DAY_SECONDS - 1)
    base = int(sales.lines["order"].to_numpy().max()) + 1
    return lines.with_columns(
        second=pl.Series(second),
        order=pl.Series(base + np.arange(len(lines))),
        status=pl.lit("cancelled"),
        first_unit=pl.lit(-1, dtype=pl.Int64),
    )


def preorder_lines(config: DemoConfig, shop: Catalogue, booked: Bookings, first_order: int) -> pl.DataFrame:
    """Return the shipments of fulfilled preorders as order lines, first come first served where the batch was short.

    Columns as ``SaleLines.lines`` and ``preorder`` (number).
    """
    rng = stream(config.seed, "shipments")
    place = shop.series["location"].to_numpy()
    series_of = {s: i for i, s in enumerate(shop.series["sku_index"]) if place[i] == 0}
    parts: list[pl.DataFrame] = []
    left = {row["series"]: row["ship_qty"] for row in booked.batches.iter_rows(named=True)}
    price = {(r["campaign"], r["sku_index"]): r["price"] for r in booked.terms.iter_rows(named=True)}
    for number, plan in enumerate(shop.campaigns):
        if plan.fate != "fulfilled":
            continue
        mine = booked.preorders.filter((pl.col("campaign") == number) & (pl.col("cancel_second") < 0))
        rows: list[dict[str, Any]] = []
        for row in mine.iter_rows(named=True):
            series = series_of[row["sku_index"]]
            qty = min(row["quantity"], left[series])
            left[series] -= qty
            if qty:
                amount = price[(number, row["sku_index"])]
                rows.append(
                    {
                        "series": series,
                        "quantity": qty,
                        "unit_price": amount,
                        "buyer": row["buyer"],
                        "preorder": row["preorder"],
                    }
                )
        second = plan.receive_day * DAY_SECONDS + rng.integers(9 * 3600, 18 * 3600, len(rows))
        list_price = float(shop.styles["price"][plan.style_index])
        parts.append(
            pl.DataFrame(rows).with_columns(
                second=pl.Series(second), day=pl.lit(plan.receive_day, dtype=pl.Int64), list_price=pl.lit(list_price)
            )
        )
    lines = pl.concat(parts)
    return lines.with_columns(
        order=pl.Series(first_order + np.arange(len(lines))),
        channel=pl.lit("web"),
        promotion=pl.lit(-1, dtype=pl.Int64),
        status=pl.lit("completed"),
        first_unit=pl.lit(-1, dtype=pl.Int64),
    )
