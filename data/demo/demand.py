"""True demand: what buyers wanted each day, whether or not there was stock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import ELEMENT_TYPES, LOCATIONS, REGIONS, Catalogue
from data.demo.config import DemoConfig
from data.demo.interest import LAG_DAYS, LEAD, STRENGTH, Interest
from data.demo.prices import Prices
from data.demo.shop_events import CATEGORIES, ShopEvent, event_lift, weekday_lift
from data.demo.streams import stream
from data.demo.vocabulary import PRODUCT_TYPES
from data.demo.weather import temperatures, weather_lift

__all__ = ["Demand", "demand", "interest_lift", "viral_spikes"]

_VIRAL_SHAPE = (1.0, 0.75, 0.4, 0.2)  # of the first day's volume, by day
_VIRAL_SCHEMA = {
    "spike_id": pl.String,
    "series": pl.Int64,
    "day": pl.Int64,
    "length_days": pl.Int64,
    "units": pl.Int64,
    "character": pl.String,
}
_DROP_HYPE, _DROP_DAYS = 220.0, 1.8
_HYPE, _HYPE_DAYS = 2.0, 12.0
_AGEING_DAYS = 800.0
_WEEKLY_NOISE_SD = 0.18


@dataclass(frozen=True)
class Demand:
    """True demand by series and day.

    Attributes:
        expected: mean demand [units/day], shape (n_series, n_days), float32; 0 where not on sale.
        units: drawn demand [units], same shape, int32.
        on_sale: same shape.
        viral: planted real spikes: ``spike_id``, ``series``, ``day``, ``length_days``, ``units`` (of the first day).
    """

    expected: NDArray[np.float32]
    units: NDArray[np.int32]
    on_sale: NDArray[np.bool_]
    viral: pl.DataFrame


def viral_spikes(config: DemoConfig, shop: Catalogue) -> pl.DataFrame:
    """Return which web series go viral, when and how far; real buyers, not fake."""
    rng = stream(config.seed, "viral")
    styles = shop.styles
    named = styles["character"].is_not_null() & ~styles["is_drop"] & (styles["campaign"] == "")
    small = styles["category"].is_in(["badge", "card", "acrylic"])
    popular = small & (styles["popularity"] > styles["popularity"].quantile(0.4))
    style = shop.series["style"].to_numpy()
    launch, end = shop.by_series("launch_day"), shop.by_series("end_day")
    first = np.maximum(launch + 40, 40)
    web = shop.series["location"].to_numpy() == 0
    open_long = web & (first < config.n_days - 10) & (end > config.n_days)
    best, rest = (np.flatnonzero((named & kind).to_numpy()[style] & open_long) for kind in (popular, ~popular))
    candidates = np.concatenate([rng.permutation(best), rng.permutation(rest)])
    rows = []
    for i, series in enumerate(candidates[: config.n_viral]):
        day = int(rng.integers(first[series], config.n_days - 6))
        if i == 0:
            day = config.n_days - 3  # one is on its first days when the run for D comes
        units = float(rng.uniform(140, 420))
        rows.append(
            {
                "spike_id": f"VIRAL-{i + 1:02d}",
                "series": int(series),
                "day": day,
                "length_days": len(_VIRAL_SHAPE),
                "units": round(units),
                "character": styles["character"][int(style[series])],
            }
        )
    return pl.DataFrame(rows, schema=_VIRAL_SCHEMA)


def demand(
    config: DemoConfig, shop: Catalogue, talk: Interest, found: Prices, events: list[ShopEvent], viral: pl.DataFrame
) -> Demand:
    """Return the true demand of every series and day; the total is scaled to ``config.target_units``."""
    style = shop.series["style"].to_numpy()
    location = shop.series["location"].to_numpy()
    sku = shop.series["sku_index"].to_numpy()
    base = (
        shop.by_series("popularity") * shop.series["place_share"].to_numpy() * shop.skus["size_share"].to_numpy()[sku]
    )
    days = np.arange(config.n_days)
    launch, end = shop.by_series("launch_day")[:, None], shop.by_series("end_day")[:, None]
    on_sale = (days >= launch) & (days <= end)
    expected = base[:, None].astype(np.float32) * _calendar_lift(config, shop, events)
    expected *= found.demand_lift[style, (location > 0).astype(int)]
    expected *= interest_lift(config, shop, talk)
    expected *= _life_lift(config, shop)
    expected *= _weather(config, shop)
    expected *= _weekly_noise(config, len(style))
    expected[~on_sale] = 0.0
    expected *= config.target_units / float(expected.sum(dtype=np.float64))
    for row in viral.iter_rows(named=True):
        for offset, share in enumerate(_VIRAL_SHAPE):
            if row["day"] + offset < config.n_days:
                expected[row["series"], row["day"] + offset] += row["units"] * share
    rng = stream(config.seed, "demand")
    dispersion = rng.lognormal(1.0, 0.5, len(style)).astype(np.float32)[:, None]
    mean = rng.standard_gamma(np.broadcast_to(dispersion, expected.shape), dtype=np.float32) / dispersion * expected
    for row in viral.iter_rows(named=True):  # a crowd is steadier than single buyers: no gamma noise
        days_of_spike = slice(row["day"], row["day"] + len(_VIRAL_SHAPE))
        mean[row["series"], days_of_spike] = expected[row["series"], days_of_spike]
    units = rng.poisson(mean).astype(np.int32)
    return Demand(expected, units, on_sale, viral)


def _calendar_lift(config: DemoConfig, shop: Catalogue, events: list[ShopEvent]) -> NDArray[np.float32]:
    """Return weekday and event lift [ratio], shape (n_series, n_days)."""
    category = np.array([CATEGORIES.index(c) for c in shop.styles["category"]])[shop.series["style"].to_numpy()]
    location = shop.series["location"].to_numpy()
    table = np.stack(
        [
            event_lift(config, events, region=region, is_web=is_web) * weekday_lift(config, is_web=is_web)
            for _, region, _, is_web in LOCATIONS
        ]
    )
    result: NDArray[np.float32] = table[location, category]
    return result


def interest_lift(config: DemoConfig, shop: Catalogue, talk: Interest) -> NDArray[np.float32]:
    """Return what the elements' interest, some days earlier, does to demand [ratio], shape (n_series, n_days)."""
    style, location = shop.series["style"].to_numpy(), shop.series["location"].to_numpy()
    region = np.array([REGIONS.index(r) for _, r, _, _ in LOCATIONS])[location]
    rows = {(k, e): i for i, (k, e) in enumerate(talk.elements.select("element_type", "element").rows())}
    result = np.ones((len(style), config.n_days), np.float32)
    for kind in ELEMENT_TYPES:
        index = np.array([rows.get((kind, e), -1) if e is not None else -1 for e in shop.styles[kind]])[style]
        lag = LAG_DAYS[kind]
        window = talk.values[:, :, LEAD - lag : LEAD - lag + config.n_days] ** np.float32(STRENGTH[kind])
        has = index >= 0
        result[has] *= window[index[has], region[has]]
    return np.minimum(result, np.float32(12.0))


def _life_lift(config: DemoConfig, shop: Catalogue) -> NDArray[np.float32]:
    """Return launch hype and slow ageing [ratio], shape (n_series, n_days)."""
    age = np.maximum(np.arange(config.n_days) - shop.by_series("launch_day")[:, None], 0).astype(np.float32)
    drop = shop.by_series("is_drop").astype(bool)
    hype = np.where(drop, _DROP_HYPE, _HYPE).astype(np.float32)[:, None]
    fade = np.where(drop, _DROP_DAYS, _HYPE_DAYS).astype(np.float32)[:, None]
    lift: NDArray[np.float32] = (1.0 + hype * np.exp(-age / fade)) * np.exp(-age / np.float32(_AGEING_DAYS))
    return lift


def _weather(config: DemoConfig, shop: Catalogue) -> NDArray[np.float32]:
    """Return what the weather does to clothing [ratio], shape (n_series, n_days): today's and tomorrow's count."""
    heat = temperatures(config)
    felt = 0.7 * heat[:, : config.n_days] + 0.3 * heat[:, 1 : config.n_days + 1]
    kinds = np.array([t.temperature for t in PRODUCT_TYPES])
    lift = np.stack([weather_lift(np.broadcast_to(row, (len(kinds), len(row))), kinds) for row in felt])
    region = np.array([REGIONS.index(r) for _, r, _, _ in LOCATIONS])[shop.series["location"].to_numpy()]
    kind = shop.by_series("type_index").astype(int)
    result: NDArray[np.float32] = lift[region, kind]
    return result


def _weekly_noise(config: DemoConfig, n_series: int) -> NDArray[np.float32]:
    """Return slow noise of each series [ratio], constant within a week, shape (n_series, n_days)."""
    rng = stream(config.seed, "weekly_noise")
    weeks = rng.normal(0.0, _WEEKLY_NOISE_SD, (n_series, config.n_days // 7 + 1)).astype(np.float32)
    return np.exp(np.repeat(weeks, 7, axis=1)[:, : config.n_days])
