"""What a shop sees of the interest: social signals with the time they were known, and its own site's traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import REGIONS, Catalogue
from data.demo.config import DemoConfig
from data.demo.demand import Demand
from data.demo.interest import LEAD, Interest
from data.demo.shop_events import ShopEvent
from data.demo.streams import stream
from data.demo.vocabulary import CHARACTERS, IPS, UNSOLD_IPS

__all__ = ["OUTAGE", "element_aliases", "signals_table", "site_traffic"]


@dataclass(frozen=True)
class _Feed:
    """One source and metric: which element types it covers, how loud and how late it is."""

    source: str
    metric: str
    element_types: tuple[str, ...]
    scale: float
    noise: float
    power: float
    known_after: timedelta  # after the local midnight that begins the day


_FEEDS: tuple[_Feed, ...] = (
    _Feed("search_index", "searches", ("ip", "character", "colour", "collar", "motif"), 1.0, 0.10, 1.0,
          timedelta(hours=23, minutes=30)),
    _Feed("social_posts", "mentions", ("ip", "character"), 0.4, 0.16, 1.15, timedelta(hours=33)),
    _Feed("social_posts", "likes", ("ip",), 3.0, 0.20, 1.1, timedelta(hours=33)),
    _Feed("wishlist_app", "saves", ("ip",), 0.15, 0.14, 0.9, timedelta(hours=26)),
)  # fmt: skip
_REGION_SHARE = {"east": 0.5, "north": 0.24, "south": 0.26}
_WEEKDAY = np.array([0.95, 0.94, 0.95, 0.97, 1.04, 1.10, 1.05])
_LATE_SHARE = 0.02
OUTAGE = ("wishlist_app", 120, 3)
"""A source that was silent: its name, how many days before D it began, how many days it lasted."""

_ALIASED = 6  # IPs that social posts call by another name
_VIEWS_PER_UNIT = 28.0


def _aliases(config: DemoConfig) -> dict[str, str]:
    """Return element -> the name that social posts use, for some IPs."""
    return dict(IPS[: min(_ALIASED, config.n_ips)])


def element_aliases(config: DemoConfig) -> pl.DataFrame:
    """Return the ``element_aliases`` input: Chinese names of IPs and characters."""
    rows = [{"alias": title, "element_type": "ip", "element": code} for code, title in IPS[: config.n_ips]]
    rows += [{"alias": title, "element_type": "ip", "element": code} for code, title in UNSOLD_IPS]
    rows += [
        {"alias": f"{ip_title}·{title}", "element_type": "character", "element": f"{ip}_{code}"}
        for ip, ip_title in IPS[: config.n_ips]
        for code, title in CHARACTERS[:5]
    ]
    return pl.DataFrame(rows)


def signals_table(config: DemoConfig, talk: Interest, events: list[ShopEvent]) -> pl.DataFrame:
    """Return the ``signals`` input over the whole history, in order of date, with ``day`` beside it."""
    rng = stream(config.seed, "signals")
    holiday = _holiday_lift(config, events)
    kinds = talk.elements["element_type"].to_numpy()
    midnight = datetime.combine(config.start_date, datetime.min.time()) - timedelta(hours=8)  # UTC of local midnight
    parts = [
        _feed(config, talk, feed, np.flatnonzero(np.isin(kinds, feed.element_types)), holiday, midnight, rng)
        for feed in _FEEDS
    ]
    order = ["date", "source", "region", "element_type", "element", "metric"]
    return pl.concat(parts).sort(order)


def _feed(
    config: DemoConfig,
    talk: Interest,
    feed: _Feed,
    rows: NDArray[np.int64],
    holiday: NDArray[np.float64],
    midnight: datetime,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return the rows of one source and metric."""
    days = np.arange(config.n_days)
    seen = (talk.values * talk.noise_spikes)[rows, :, LEAD:].astype(np.float64) ** feed.power
    share = np.array([_REGION_SHARE[r] for r in REGIONS])
    level = talk.elements["level"].to_numpy()[rows] * feed.scale
    weekday = _WEEKDAY[(days + config.start_date.weekday()) % 7]
    mean = level[:, None, None] * share[None, :, None] * seen * (weekday * holiday)[None, None, :]
    mean *= rng.lognormal(0.0, feed.noise, mean.shape)
    for row in talk.bursts.filter((pl.col("kind") == "source_doubling") & (pl.col("source") == feed.source)).iter_rows(
        named=True
    ):
        index = np.flatnonzero(talk.elements["element"].to_numpy()[rows] == row["element"])
        mean[index, :, row["start_day"] : row["end_day"] + 1] *= row["peak"]
    value = rng.poisson(mean * 3.0)
    element, region, day = (a.ravel() for a in np.indices(value.shape))
    late = np.where(rng.random(value.size) < _LATE_SHARE, rng.integers(1, 4, value.size), 0)
    known = (day + late) * 86_400_000_000 + int(feed.known_after.total_seconds()) * 1_000_000
    names = talk.elements["element"].to_numpy()[rows]
    aliases = _aliases(config) if feed.source == "social_posts" else {}
    shown = np.array([aliases.get(n, n) for n in names])
    frame = pl.DataFrame(
        {
            "day": day,
            "element": shown[element],
            "element_type": talk.elements["element_type"].to_numpy()[rows][element],
            "region": np.array(REGIONS)[region],
            "value": value.ravel().astype(np.float64),
            "known": known,
        }
    )
    first = int((midnight - datetime(1970, 1, 1)).total_seconds()) * 1_000_000  # noqa: DTZ001 - both are UTC
    frame = frame.with_columns(
        date=pl.lit(config.start_date) + pl.duration(days=pl.col("day")),
        source=pl.lit(feed.source),
        metric=pl.lit(feed.metric),
        available_at=(pl.col("known") + first).cast(pl.Datetime("us", "UTC")),
    )
    name, before, length = OUTAGE
    if feed.source == name:
        begin = config.n_days - 1 - before
        frame = frame.filter(~pl.col("day").is_between(begin, begin + length - 1))
    return frame.select("day", "date", "source", "region", "element_type", "element", "metric", "value", "available_at")


def _holiday_lift(config: DemoConfig, events: list[ShopEvent]) -> NDArray[np.float64]:
    """Return how much more everybody talks on holidays [ratio], shape (n_days,): no burst of anything."""
    lift = np.ones(config.n_days)
    for event in events:
        first = max(0, (event.starts - config.start_date).days)
        last = min(config.n_days, (event.ends - config.start_date).days + 1)
        if event.signal_lift != 1.0 and first < last:
            lift[first:last] *= event.signal_lift
    return lift


def site_traffic(config: DemoConfig, shop: Catalogue, wanted: Demand) -> pl.DataFrame:
    """Return the ``site_traffic`` input of the last ``traffic_days``: views come whether or not there is stock."""
    rng = stream(config.seed, "traffic")
    begin = config.n_days - config.traffic_days
    web = np.flatnonzero(shop.series["location"].to_numpy() == 0)
    on = wanted.on_sale[web, begin:]
    row, col = np.nonzero(on)
    expected = wanted.expected[web, begin:][row, col].astype(np.float64)
    units = wanted.units[web, begin:][row, col]
    views = rng.poisson((expected + 0.03) * _VIEWS_PER_UNIT * rng.lognormal(0.0, 0.2, len(row)))
    carts = rng.binomial(np.maximum(views, units), np.clip(2.2 / _VIEWS_PER_UNIT, 0, 1)) + rng.binomial(units, 0.5)
    talk = rng.poisson(np.where(rng.random(len(row)) < 0.08, views * 0.4, 0.0))
    sku = shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()[web[row]]]
    return (
        pl.DataFrame(
            {
                "day": begin + col,
                "sku": sku,
                "page_views": views,
                "add_to_cart": carts,
                "dwell_seconds": np.round(rng.gamma(4.0, 9.0, len(row)), 1),
                "live_interactions": talk,
            }
        )
        .with_columns(
            date=pl.lit(config.start_date) + pl.duration(days=pl.col("day")),
            location_id=pl.lit("web"),
            channel=pl.lit("web"),
        )
        .sort("date", "sku")
        .select(
            "day",
            "date",
            "sku",
            "location_id",
            "channel",
            "page_views",
            "add_to_cart",
            "dwell_seconds",
            "live_interactions",
        )
    )
