"""Prices: regular prices that change now and then, promotions, and what they do to demand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import NEVER, Catalogue
from data.demo.config import DemoConfig
from data.demo.shop_events import ShopEvent
from data.demo.streams import stream

__all__ = ["Prices", "planned_prices", "price_table", "prices"]

_MEAN_DAYS_BETWEEN_CHANGES = 70
_STEP_SD = 0.09  # a new price lies this far from the launch price [log]
_FLASH_A_YEAR = 4.0
_FESTIVAL_SHARE = 0.7  # of the styles take part in a festival (0-1)
_PLANNED_SHARE = 0.04


@dataclass(frozen=True)
class Prices:
    """Prices by style, group (0 = web, 1 = shops) and day.

    Attributes:
        regular: [CNY], shape (n_styles, 2, n_days).
        paid: after promotions [CNY], same shape.
        promotion: row of ``promotions`` or -1, shape (n_styles, n_days), of the web shop.
        promotions: ``promotion_id``, ``kind``, ``discount`` (0-1), ``lift`` beyond the price effect [ratio].
        demand_lift: price effect times promotion lift [ratio], shape (n_styles, 2, n_days).
    """

    regular: NDArray[np.float64]
    paid: NDArray[np.float64]
    promotion: NDArray[np.int32]
    promotions: pl.DataFrame
    demand_lift: NDArray[np.float32]


def prices(config: DemoConfig, shop: Catalogue, events: list[ShopEvent]) -> Prices:
    """Return all prices and promotions. Price changes are drawn without looking at demand."""
    regular = _regular(config, shop)
    promotion, promotions = _promotions(config, shop, events)
    discount = np.append(promotions["discount"].to_numpy(), 0.0)[promotion]
    lift = np.append(promotions["lift"].to_numpy(), 1.0)[promotion]
    paid = regular.copy()
    paid[:, 0, :] = np.round(regular[:, 0, :] * (1.0 - discount), 1)
    launch = shop.styles["price"].to_numpy()[:, None, None]
    demand = np.exp(shop.styles["elasticity"].to_numpy()[:, None, None] * np.log(paid / launch))
    demand[:, 0, :] *= lift
    return Prices(regular, paid, promotion, promotions, demand.astype(np.float32))


def _regular(config: DemoConfig, shop: Catalogue) -> NDArray[np.float64]:
    """Return regular prices: a step every ten weeks on average, ending in .9, web and shops apart."""
    rng = stream(config.seed, "regular_prices")
    launch = shop.styles["price"].to_numpy()
    result = np.empty((len(launch), 2, config.n_days))
    changes = rng.random(result.shape) < 1.0 / _MEAN_DAYS_BETWEEN_CHANGES
    changes[:, :, 0] = True
    step = changes.cumsum(axis=2, dtype=np.int64)
    for group in range(2):
        levels = np.exp(np.clip(rng.normal(0.0, _STEP_SD, (len(launch), int(step[:, group].max()) + 1)), -0.25, 0.25))
        levels[:, 1] = 1.0  # the price at launch
        factor = np.take_along_axis(levels, step[:, group, :], axis=1)
        result[:, group, :] = np.maximum(np.round(launch[:, None] * factor), 2.0) - 0.1
    return np.round(result, 1)


def _promotions(config: DemoConfig, shop: Catalogue, events: list[ShopEvent]) -> tuple[NDArray[np.int32], pl.DataFrame]:
    """Return which promotion is on, by style and day, and the promotions."""
    rng = stream(config.seed, "promotions")
    n_styles = len(shop.styles)
    on = np.full((n_styles, config.n_days), -1, np.int32)
    rows: list[dict[str, Any]] = []

    def add(name: str, kind: str, discount: float, lift: float) -> int:
        rows.append({"promotion_id": name, "kind": kind, "discount": round(discount, 2), "lift": round(lift, 2)})
        return len(rows) - 1

    number = 0
    for style in range(n_styles):
        for _ in range(int(rng.poisson(_FLASH_A_YEAR * config.n_days / 365))):
            number += 1
            day, length = int(rng.integers(config.n_days)), int(rng.integers(3, 8))
            row = add(f"FLASH-{number:05d}", "flash", float(rng.uniform(0.08, 0.25)), float(rng.uniform(1.05, 1.35)))
            on[style, day : day + length] = row
    for event in events:
        first = (event.starts - config.start_date).days
        last = (event.ends - config.start_date).days + 1
        if event.kind != "sale" or last <= 0 or first >= config.n_days:
            continue
        label = event.name.upper().replace(" ", "")
        for depth in (0.1, 0.2, 0.3):
            name = f"{label}-{event.starts.year}-{int(depth * 100)}"
            row = add(name, "festival", depth, float(rng.uniform(1.05, 1.2)))
            takes = np.flatnonzero(rng.random(n_styles) < _FESTIVAL_SHARE / 3)
            on[takes, max(0, first) : last] = row
    return on, pl.DataFrame(rows)


def price_table(config: DemoConfig, shop: Catalogue, found: Prices) -> pl.DataFrame:
    """Return the ``prices`` input: the regular price from each day on which it changed, while on sale."""
    style, location = shop.series["style"].to_numpy(), shop.series["location"].to_numpy()
    group = (location > 0).astype(int)
    regular = found.regular[style, group]
    changed = np.diff(regular, axis=1, prepend=np.nan) != 0
    launch, end = shop.by_series("launch_day"), shop.by_series("end_day")
    days = np.arange(config.n_days)
    first = np.clip(launch, 0, config.n_days).astype(int)
    on_sale = (days >= first[:, None]) & (days <= end[:, None])
    starts = days == first[:, None]
    rows, cols = np.nonzero((changed | starts) & on_sale)
    return pl.DataFrame({"series": rows, "day": cols, "price": regular[rows, cols]})


def planned_prices(config: DemoConfig, shop: Catalogue, found: Prices) -> pl.DataFrame:
    """Return prices decided for the weeks after D: ``series``, ``from_date``, ``price``."""
    rng = stream(config.seed, "planned_prices")
    live = (shop.by_series("launch_day") < config.n_days) & (shop.by_series("end_day") >= NEVER)
    picks = np.flatnonzero(live & (rng.random(len(live)) < _PLANNED_SHARE))
    group = (shop.series["location"].to_numpy()[picks] > 0).astype(int)
    now = found.regular[shop.series["style"].to_numpy()[picks], group, -1]
    price = np.maximum(np.round(now * rng.choice([0.85, 0.9, 1.05], len(picks))), 2.0) - 0.1
    dates = [config.run_date + timedelta(days=int(n)) for n in rng.integers(2, 30, len(picks))]
    return pl.DataFrame({"series": picks, "from_date": dates, "price": np.round(price, 1)})
