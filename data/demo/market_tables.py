"""Prices, competitors, events, exchange rates and planners' decisions: frames in the input contracts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from data.demo.catalogue import LOCATIONS
from data.demo.prices import planned_prices, price_table
from data.demo.streams import stream
from data.demo.supply_tables import day_date
from data.demo.world import World

__all__ = ["competitor_prices", "events_table", "fx_rates", "planned_price_table", "prices_input", "proposal_decisions"]

_COMPETITORS = ("摊位喵", "次元仓")


def prices_input(world: World) -> pl.DataFrame:
    """Return ``prices``: the regular price from each day on which it changed; one price for all channels."""
    table = price_table(world.config, world.shop, world.prices)
    return (
        _priced(world, table)
        .with_columns(from_date=pl.lit(world.config.start_date) + pl.duration(days=pl.col("day")))
        .select("day", "sku", "location_id", "from_date", "price")
    )


def planned_price_table(world: World) -> pl.DataFrame:
    """Return ``planned_prices``."""
    table = planned_prices(world.config, world.shop, world.prices)
    return _priced(world, table).select("sku", "location_id", "from_date", "price")


def _priced(world: World, table: pl.DataFrame) -> pl.DataFrame:
    """Add SKU and location to a table by series."""
    series = table["series"].to_numpy()
    shop = world.shop
    return table.with_columns(
        sku=pl.Series(shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()[series]]),
        location_id=pl.Series(np.array([n for n, *_ in LOCATIONS])[shop.series["location"].to_numpy()[series]]),
    )


def competitor_prices(world: World) -> pl.DataFrame:
    """Return ``competitor_prices``: two competitors, weekly, the last half year, the better-selling goods."""
    rng = stream(world.config.seed, "competitors")
    config, shop = world.config, world.shop
    live = shop.styles.with_row_index("style").filter(
        (pl.col("launch_day") < config.n_days - 30) & (pl.col("end_day") > config.n_days) & pl.col("collar").is_null()
    )
    best = live.sort("popularity", descending=True).head(max(5, len(live) // 4)).sort("style_id")
    rows: list[dict[str, Any]] = []
    for style_id, style in best.select("style_id", "style").rows():
        for competitor in _COMPETITORS:
            level = float(rng.normal(0.0, 0.08))
            for day in range(max(0, config.n_days - 182), config.n_days, 7):
                level = 0.9 * level + float(rng.normal(0.0, 0.03))
                price = round(float(world.prices.regular[style, 0, day]) * float(np.exp(level)), 1)
                rows.append({"date": day_date(world, day), "sku": style_id, "competitor": competitor, "price": price})
    return pl.DataFrame(rows).sort("date", "sku", "competitor")


def events_table(world: World) -> pl.DataFrame:
    """Return ``events``, past and announced."""
    return pl.DataFrame(
        [
            {
                "name": e.name,
                "starts_date": e.starts,
                "ends_date": e.ends,
                "kind": e.kind,
                "region": e.region,
                "ip": e.ip,
            }
            for e in world.events
        ]
    ).unique(["name", "starts_date", "region", "ip"], keep="first", maintain_order=True)


def fx_rates(world: World) -> pl.DataFrame:
    """Return ``fx_rates`` of two currencies, every day."""
    rng = stream(world.config.seed, "fx")
    rows = [
        {"date": day_date(world, day), "currency": currency, "rate": round(level * float(step), 5)}
        for currency, level in (("JPY", 0.048), ("USD", 7.15))
        for day, step in enumerate(np.exp(np.cumsum(rng.normal(0.0, 0.003, world.config.n_days))))
    ]
    return pl.DataFrame(rows).sort("date", "currency")


def proposal_decisions(world: World) -> pl.DataFrame:
    """Return ``proposal_decisions`` about proposals of earlier systems; none of them is open any more."""
    day = world.config.run_date
    rows = [
        ("OLD-000017", "rejected", day + timedelta(10), "Licence talks are still open"),
        ("OLD-000021", "deferred", day + timedelta(7), "Wait for the new season's numbers"),
        ("OLD-000034", "accepted", None, None),
    ]
    return pl.DataFrame(rows, schema=["proposal_id", "decision", "until_date", "reason"], orient="row")
