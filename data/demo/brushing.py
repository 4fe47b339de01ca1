"""Fake orders of three kinds, planted among the real ones. They take no stock and never come back."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.bookings import DAY_SECONDS
from data.demo.catalogue import Catalogue
from data.demo.config import DemoConfig
from data.demo.demand import Demand
from data.demo.inventory import Inventory
from data.demo.prices import Prices
from data.demo.streams import stream

__all__ = ["KINDS", "brushing_lines"]

KINDS: tuple[str, ...] = ("few_buyers", "ring", "night_burst")
_FRESH_FROM = 700_000_000  # numbers of accounts that never bought before
_RECENT_SHARE, _RECENT_DAYS = 0.25, 56  # of the incidents lie in the last eight weeks (0-1), [days]
_LEAST_STOCK = 3  # what cannot be bought cannot be brushed [units]
_LEAST_SALES = 0.05  # [units/day]


def brushing_lines(
    config: DemoConfig, shop: Catalogue, wanted: Demand, stock: Inventory, found: Prices, first_order: int
) -> pl.DataFrame:
    """Return the fake order lines: columns as ``SaleLines.lines``, and ``incident``, ``kind``.

    ``few_buyers``: 3 to 8 accounts place 36 to 90 orders on one SKU within an hour.
    ``ring``: 60 to 150 fresh accounts place one order each, one unit each, at nearly even intervals of under a minute.
    ``night_burst``: 40 to 110 orders between 01:00 and 05:00, some by known accounts, over one or two nights.
    """
    rng = stream(config.seed, "brushing")
    cells = _cells(config, shop, wanted, stock, 3 * config.n_brushing_each, rng)
    parts: list[pl.DataFrame] = []
    fresh, order = _FRESH_FROM, first_order
    for number, (series, day) in enumerate(cells):
        kind = KINDS[number % 3]
        second, buyer = _incident(kind, config, rng)
        is_new = buyer < 0
        buyer = np.where(is_new, fresh - buyer, buyer)  # -1, -2, ... are this incident's own fresh accounts
        fresh += int(is_new.sum()) + 1
        when = day * DAY_SECONDS + second
        on_day = when // DAY_SECONDS
        style = int(shop.series["style"][int(series)])
        parts.append(
            pl.DataFrame(
                {
                    "series": np.full(len(when), series),
                    "day": on_day,
                    "second": when,
                    "quantity": np.ones(len(when), np.int64)
                    if kind != "night_burst"
                    else rng.choice([1, 1, 2], len(when)),
                    "unit_price": found.paid[style, 0, on_day],
                    "list_price": found.regular[style, 0, on_day],
                    "promotion": found.promotion[style, on_day].astype(np.int64),
                    "order": order + np.arange(len(when)),
                    "buyer": buyer,
                }
            ).with_columns(incident=pl.lit(f"BRUSH-{number + 1:03d}"), kind=pl.lit(kind))
        )
        order += len(when)
    lines = pl.concat(parts)
    return lines.with_columns(
        channel=pl.lit("marketplace"), status=pl.lit("completed"), first_unit=pl.lit(-1, dtype=pl.Int64)
    )


def _cells(
    config: DemoConfig,
    shop: Catalogue,
    wanted: Demand,
    stock: Inventory,
    count: int,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """Choose web series and days with stock on both nights, away from real spikes and hyped launches."""
    web = shop.series["location"].to_numpy() == 0
    busy = shop.by_series("is_drop").astype(bool)
    busy[wanted.viral["series"].to_numpy()] = True
    sells = wanted.expected.mean(axis=1) > _LEAST_SALES
    fits = (stock.end >= _LEAST_STOCK) & wanted.on_sale & (web & ~busy & sells)[:, None]
    fits[:, 1:-1] &= fits[:, :-2] & fits[:, 2:]
    fits[:, : config.n_days // 20 + 1] = False
    fits[:, config.n_days - 2 :] = False
    chosen: list[tuple[int, int]] = []
    for _ in range(count):
        recent = fits.copy() if rng.random() < _RECENT_SHARE else fits
        if recent is not fits:
            recent[:, : config.n_days - _RECENT_DAYS] = False
        rows = np.flatnonzero(recent.any(axis=1))
        if not len(rows):
            continue
        row = int(rng.choice(rows))
        chosen.append((row, int(rng.choice(np.flatnonzero(recent[row])))))
        fits[row] = False  # one incident a SKU
    return chosen


def _incident(kind: str, config: DemoConfig, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return seconds since the day's start, and buyers: a known account's number, or -1, -2, ... for fresh ones."""
    if kind == "few_buyers":
        count, crew = int(rng.integers(36, 91)), int(rng.integers(3, 9))
        second = int(rng.integers(9, 23)) * 3600 + np.sort(rng.integers(60, 3540, count))
        return second, -1 - rng.integers(0, crew, count)
    if kind == "ring":
        count = int(rng.integers(60, 151))
        gap = rng.uniform(25, 55)
        begin = int(rng.integers(8 * 3600, 21 * 3600))
        second = begin + np.round(np.arange(count) * gap + rng.uniform(-2, 2, count)).astype(np.int64)
        return second, -1 - np.arange(count)
    count, nights = int(rng.integers(40, 111)), int(rng.integers(1, 3))
    night = np.sort(rng.integers(0, nights, count))
    second = night * DAY_SECONDS + rng.integers(3600, 5 * 3600 - 1, count)
    known = rng.random(count) < 0.35
    buyer = np.where(known, rng.integers(0, config.buyers_at_start, count), -1 - np.arange(count))
    return second.astype(np.int64), buyer
