"""The calendar of the demo shop: sales festivals, holidays, conventions, premieres; what they do to demand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.demo.config import DemoConfig
from data.demo.streams import stream
from data.demo.vocabulary import IPS

__all__ = ["CATEGORIES", "Season", "ShopEvent", "event_lift", "seasons", "shop_events", "weekday_lift"]

CATEGORIES: tuple[str, ...] = ("badge", "card", "acrylic", "figure", "costume", "clothing")
_MERCH = ("badge", "card", "acrylic", "figure")
_HORIZON_DAYS = 240  # events are known this long in advance
_WEEKDAY_WEB = (0.92, 0.90, 0.93, 0.97, 1.08, 1.14, 1.06)  # Monday first [ratio]
_WEEKDAY_SHOP = (0.70, 0.68, 0.74, 0.82, 1.15, 1.60, 1.31)


@dataclass(frozen=True)
class ShopEvent:
    """One event: when, where, and the demand it brings [ratio] on ordinary and on peak days."""

    name: str
    kind: str
    starts: date
    ends: date
    region: str = "*"
    ip: str = "*"
    lift_web: float = 1.0
    lift_shop: float = 1.0
    peak_web: float = 1.0
    peaks: tuple[date, ...] = ()
    categories: tuple[str, ...] = CATEGORIES
    dip_days: int = 0
    signal_lift: float = 1.0


@dataclass(frozen=True)
class Season:
    """One IP on air for a quarter: ``strength`` is the peak of its interest above usual [ratio]."""

    ip: str
    starts: date
    strength: float


_PATTERN = 2024  # the year in which the yearly events are written
_COSPLAY = (*_MERCH, "costume")


def _yearly(
    name: str, kind: str, first: tuple[int, int], last: tuple[int, int], region: str = "*", **effects: Any
) -> ShopEvent:
    """Return an event of every year, from one (month, day) to another."""
    return ShopEvent(name, kind, date(_PATTERN, *first), date(_PATTERN, *last), region, **effects)


_JUNE, _NOVEMBER = date(_PATTERN, 6, 16), date(_PATTERN, 11, 10)
_JUNE_PEAKS = (_JUNE, _JUNE + timedelta(1), _JUNE + timedelta(2))
_NOVEMBER_PEAKS = (_NOVEMBER, _NOVEMBER + timedelta(1))
# fmt: off
_YEARLY = (
    _yearly("618", "sale", (6, 1), (6, 20), lift_web=1.25, peak_web=2.9, peaks=_JUNE_PEAKS, dip_days=8),
    _yearly("Double 11", "sale", (11, 1), (11, 11), lift_web=1.35, peak_web=3.6, peaks=_NOVEMBER_PEAKS, dip_days=10),
    _yearly("Double 12", "sale", (12, 10), (12, 12), lift_web=1.5),
    _yearly("Labour Day", "holiday", (5, 1), (5, 5), lift_shop=1.5, signal_lift=1.35),
    _yearly("National Day", "holiday", (10, 1), (10, 7), lift_shop=1.6, signal_lift=1.45),
    _yearly("Children's Day", "holiday", (6, 1), (6, 1), lift_shop=1.3),
    _yearly("Bilibili World", "convention", (7, 10), (7, 12), "east", lift_web=1.35, categories=_COSPLAY),
    _yearly("ChinaJoy", "convention", (7, 31), (8, 3), "east", lift_web=1.3, categories=_MERCH),
    _yearly("Firefly Guangzhou", "convention", (10, 2), (10, 4), "south", lift_shop=1.8, categories=_COSPLAY),
    _yearly("IDO Beijing", "convention", (5, 2), (5, 4), "north", lift_shop=1.8, categories=_COSPLAY),
    _yearly("Comicup winter", "convention", (12, 20), (12, 21), "east", lift_web=1.25, categories=_COSPLAY),
    _yearly("Cosplay season", "convention", (7, 1), (7, 25), lift_web=1.45, lift_shop=1.45, categories=("costume",)),
)
# fmt: on
_NEW_YEAR = {2024: date(2024, 2, 10), 2025: date(2025, 1, 29), 2026: date(2026, 2, 17), 2027: date(2027, 2, 6)}


def _of_year(year: int) -> list[ShopEvent]:
    """Return the events of one year."""
    found = [
        replace(
            event,
            starts=event.starts.replace(year=year),
            ends=event.ends.replace(year=year),
            peaks=tuple(day.replace(year=year) for day in event.peaks),
        )
        for event in _YEARLY
    ]
    if year in _NEW_YEAR:
        first = _NEW_YEAR[year] - timedelta(1)
        last = first + timedelta(7)
        found.append(
            ShopEvent("Lunar New Year", "holiday", first, last, lift_web=0.55, lift_shop=1.35, signal_lift=1.5)
        )
    return found


def seasons(config: DemoConfig) -> list[Season]:
    """Return which IPs are on air in which quarter; every quarter moves other IPs, so nothing stays."""
    rng = stream(config.seed, "seasons")
    last = config.run_date + timedelta(days=_HORIZON_DAYS)
    found: list[Season] = []
    for year in range(config.start_date.year, last.year + 1):
        for month in (1, 4, 7, 10):
            premiere = date(year, month, 1) + timedelta(days=int(rng.integers(2, 9)))
            for ip in rng.permutation(config.n_ips)[: max(1, config.n_ips // 5)]:
                found.append(Season(IPS[int(ip)][0], premiere, float(rng.uniform(0.7, 2.6))))
    return [s for s in found if config.start_date - timedelta(30) <= s.starts <= last]


def shop_events(config: DemoConfig) -> list[ShopEvent]:
    """Return every event that touches the history or the months after D, in order of date."""
    first, last = config.start_date - timedelta(30), config.run_date + timedelta(days=_HORIZON_DAYS)
    found = [e for year in range(first.year, last.year + 1) for e in _of_year(year)]
    found += [
        ShopEvent("Season premiere", "season", s.starts, s.starts + timedelta(83), ip=s.ip) for s in seasons(config)
    ]
    return sorted((e for e in found if e.ends >= first and e.starts <= last), key=lambda e: (e.starts, e.name, e.ip))


def event_lift(config: DemoConfig, events: list[ShopEvent], *, region: str, is_web: bool) -> NDArray[np.float32]:
    """Return the lift of demand by category and day [ratio], shape (n_categories, n_days).

    After a sales festival the web shop sells less for some days: what was pulled forward is missing.
    """
    lift = np.ones((len(CATEGORIES), config.n_days), np.float32)
    start = config.start_date
    for event in events:
        if event.region not in {"*", region}:
            continue
        rows = [CATEGORIES.index(c) for c in event.categories]
        base = event.lift_web if is_web else event.lift_shop
        for day in range((event.starts - start).days, (event.ends - start).days + 1):
            if 0 <= day < config.n_days:
                is_peak = is_web and start + timedelta(day) in event.peaks
                lift[rows, day] *= event.peak_web if is_peak else base
        if is_web:
            after = (event.ends - start).days + 1
            lift[:, max(0, after) : max(0, min(after + event.dip_days, config.n_days))] *= 0.8
    return lift


def weekday_lift(config: DemoConfig, *, is_web: bool) -> NDArray[np.float32]:
    """Return the lift of demand by day of the week [ratio], shape (n_days,)."""
    pattern = np.array(_WEEKDAY_WEB if is_web else _WEEKDAY_SHOP, np.float32)
    result: NDArray[np.float32] = pattern[(np.arange(config.n_days) + config.start_date.weekday()) % 7]
    return result
