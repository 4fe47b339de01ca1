"""What people talk about: the interest in each design element by region and day, with planted bursts.

Interest is 1 where nothing happens. Signals show it at once; sales follow ``LAG_DAYS`` later, raised to
``STRENGTH``. One-day spikes, a source that doubles by itself and holidays move signals and no sales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import ELEMENT_TYPES, REGIONS, Catalogue
from data.demo.config import DemoConfig
from data.demo.shop_events import seasons
from data.demo.streams import stream
from data.demo.vocabulary import UNSOLD_IPS

__all__ = ["LAG_DAYS", "LEAD", "STRENGTH", "VISIBLE", "Interest", "interest"]

LAG_DAYS: dict[str, int] = {"ip": 14, "character": 10, "colour": 18, "collar": 21, "motif": 12}
"""Days by which signals lead sales, by element type [days]."""

STRENGTH: dict[str, float] = {"ip": 0.75, "character": 0.70, "colour": 0.45, "collar": 0.45, "motif": 0.30}
"""Power to which interest moves demand, by element type."""

LEAD = 30  # days of interest before the first day of the history [days]
_DRIFT_SD, _DRIFT_MEMORY = 0.018, 0.985
VISIBLE = 0.25  # what a burst must add to the usual interest to be seen by anyone [ratio]
_BURST_SPACING = 75  # bursts of one element lie at least this far apart [days]


@dataclass(frozen=True)
class Interest:
    """Interest by element, region and day.

    Attributes:
        elements: one row an element: ``element_type``, ``element``, ``is_sold``, ``level`` [searches/day].
        values: [ratio to usual], shape (n_elements, n_regions, LEAD + n_days); day 0 is column ``LEAD``.
        noise_spikes: factor that only the signals show, same shape.
        bursts: the planted truth, one row a burst, spike, doubling or season.
    """

    elements: pl.DataFrame
    values: NDArray[np.float32]
    noise_spikes: NDArray[np.float32]
    bursts: pl.DataFrame


def interest(config: DemoConfig, shop: Catalogue, viral: pl.DataFrame) -> Interest:
    """Return the interest in every element, planted bursts included.

    ``viral`` are the real spikes of single SKUs: their character is talked about from two days before.
    """
    rng = stream(config.seed, "interest")
    elements = _elements(shop, rng)
    shape = (len(elements), len(REGIONS), LEAD + config.n_days)
    log = np.zeros(shape, np.float32)
    drift = rng.normal(0.0, _DRIFT_SD, (shape[0], shape[2]))
    level = np.zeros(shape[0])
    for day in range(shape[2]):
        level = _DRIFT_MEMORY * level + drift[:, day]
        log[:, :, day] = level[:, None]
    planted = _season_rows(config, elements) + _burst_rows(config, elements, rng)
    days = np.arange(-LEAD, config.n_days)
    for row in planted:
        regions = range(len(REGIONS)) if row["region"] == "*" else [REGIONS.index(row["region"])]
        shape_of_burst = np.log(_profile(days, row)).astype(np.float32)
        for region in regions:
            log[int(row["index"]), region] += shape_of_burst
    spikes = np.ones(shape, np.float32)
    false_rows = _false_rows(config, elements, planted, rng)
    for row in false_rows:
        if row["kind"] == "one_day_spike":
            regions = range(len(REGIONS)) if row["region"] == "*" else [REGIONS.index(row["region"])]
            for region in regions:
                spikes[int(row["index"]), region, LEAD + int(row["start_day"])] = float(row["peak"])
    viral_rows = _viral_rows(elements, viral)
    for row in viral_rows:
        spikes[int(row["index"])] *= _profile(days, row).astype(np.float32)
    rows = [row | {"visible_day": _visible_day(row)} for row in planted + viral_rows + false_rows]
    bursts = pl.DataFrame(rows, infer_schema_length=None).drop("index")
    return Interest(elements, np.exp(log), spikes, bursts)


def _elements(shop: Catalogue, rng: np.random.Generator) -> pl.DataFrame:
    """Return the elements that are sold, and a few that nobody sells yet."""
    rows: list[dict[str, Any]] = []
    for kind in ELEMENT_TYPES:
        sold = shop.styles.filter(pl.col(kind).is_not_null()).group_by(kind).agg(pl.col("popularity").sum()).sort(kind)
        for name, weight in sold.rows():
            rows.append(
                {"element_type": kind, "element": name, "is_sold": True, "level": 12.0 + 6.0 * float(weight) ** 0.7}
            )
    rows += [{"element_type": "ip", "element": name, "is_sold": False, "level": 60.0} for name, _ in UNSOLD_IPS]
    elements = pl.DataFrame(rows)
    jitter = rng.lognormal(0.0, 0.3, len(elements))
    return elements.with_columns(level=pl.col("level") * pl.Series(jitter))


def _row(
    elements: pl.DataFrame,
    index: int,
    kind: str,
    region: str,
    days: tuple[int, int, int],
    peak: float,
    source: str = "*",
) -> dict[str, Any]:
    """Return one planted row; ``days`` are the first, the peak and the last day."""
    kind_of_element, element = elements.row(index)[:2]
    is_true = kind in {"slow", "sudden", "season", "viral"}
    has_lag = is_true and kind != "viral"
    return {
        "index": index,
        "kind": kind,
        "element_type": kind_of_element,
        "element": element,
        "region": region,
        "source": source,
        "start_day": days[0],
        "peak_day": days[1],
        "end_day": days[2],
        "peak": round(peak, 2),
        "is_true_burst": is_true,
        "sales_lag_days": LAG_DAYS[str(kind_of_element)] if has_lag else 0,
        "sales_peak": round(peak ** STRENGTH[str(kind_of_element)], 2) if has_lag else 1.0,
    }


def _season_rows(config: DemoConfig, elements: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the anime seasons as slow bursts of their IPs."""
    index_of = {
        name: i for i, (kind, name) in enumerate(elements.select("element_type", "element").rows()) if kind == "ip"
    }
    rows: list[dict[str, Any]] = []
    for season in seasons(config):
        day = (season.starts - config.start_date).days
        if season.ip in index_of and day - 14 < config.n_days:
            rows.append(
                _row(elements, index_of[season.ip], "season", "*", (day - 14, day + 21, day + 110), 1 + season.strength)
            )
    return rows


def _burst_rows(config: DemoConfig, elements: pl.DataFrame, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return slow and sudden bursts, some of them alive on D, and the rise of what nobody sells."""
    sold = [i for i, flag in enumerate(elements["is_sold"]) if flag]
    rows: list[dict[str, Any]] = []
    taken: dict[int, list[int]] = {}
    alive = max(2, config.n_bursts // 8)
    while len(rows) < config.n_bursts:
        index, kind = int(rng.choice(sold)), "slow" if len(rows) % 2 else "sudden"
        day = int(rng.integers(25, config.n_days - 60))
        if len(rows) < alive:
            day = config.n_days - 1 - int(rng.integers(7, 16))
        if any(abs(day - other) < _BURST_SPACING for other in taken.get(index, [])):
            continue
        taken.setdefault(index, []).append(day)
        rise, fall = (3, 40) if kind == "sudden" else (24, 75)
        peak = float(rng.uniform(2.6, 5.0)) if kind == "sudden" else float(rng.uniform(2.2, 4.0))
        region = "*" if rng.random() < 0.55 else str(rng.choice(REGIONS))
        rows.append(_row(elements, index, kind, region, (day, day + rise, day + rise + fall), peak))
    for i, index in enumerate(i for i, flag in enumerate(elements["is_sold"]) if not flag):
        day = config.n_days - 24 - 6 * i
        rows.append(_row(elements, index, "slow", "*", (day, day + 20, day + 120), 6.0))
    return rows


def _viral_rows(elements: pl.DataFrame, viral: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the talk that comes with real viral spikes: it moves signals, and one SKU's sales."""
    index_of = {name: i for i, name in enumerate(elements["element"])}
    return [
        _row(elements, index_of[name], "viral", "*", (day - 2, day + 1, day + 14), 3.2)
        for name, day in viral.select("character", "day").rows()
    ]


def _false_rows(
    config: DemoConfig, elements: pl.DataFrame, planted: list[dict[str, Any]], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return what looks like a burst and is none: one-day spikes, a source that doubles by itself."""
    busy = {(int(r["index"]), int(r["start_day"]), int(r["end_day"])) for r in planted}
    rows: list[dict[str, Any]] = []
    while len(rows) < config.n_false_spikes + config.n_source_doublings:
        is_spike = len(rows) < config.n_false_spikes
        index = int(rng.integers(len(elements)))
        if not is_spike and elements["element_type"][index] != "ip":
            continue
        day = int(rng.integers(30, config.n_days - 30))
        if any(i == index and first - 20 <= day <= last + 20 for i, first, last in busy) and rng.random() < 0.95:
            continue
        region = "*" if rng.random() < 0.5 else str(rng.choice(REGIONS))
        if is_spike:
            rows.append(_row(elements, index, "one_day_spike", region, (day, day, day), float(rng.uniform(4.0, 9.0))))
        else:
            rows.append(_row(elements, index, "source_doubling", "*", (day, day, day + 20), 2.0, "social_posts"))
    return rows


def _visible_day(row: dict[str, Any]) -> int:
    """Return the first day on which a burst adds ``VISIBLE`` to the usual interest: its start has added nothing yet."""
    days = np.arange(int(row["start_day"]), int(row["peak_day"]) + 1)
    return int(days[np.argmax(_profile(days, row) >= 1 + VISIBLE)])


def _profile(days: NDArray[np.int64], row: dict[str, Any]) -> NDArray[np.float64]:
    """Return the interest a burst adds, by day [ratio, 1 = none]: a smooth rise to the peak, a slow fall."""
    start, top, end = (int(row[name]) for name in ("start_day", "peak_day", "end_day"))
    rise = np.clip((days - start) / max(1, top - start), 0.0, 1.0)
    fall = np.where(days > top, np.exp(-2.5 * (days - top) / max(1, end - top)), 1.0)
    height = (float(row["peak"]) - 1.0) * (3 * rise**2 - 2 * rise**3) * fall
    return np.asarray(1.0 + height)
