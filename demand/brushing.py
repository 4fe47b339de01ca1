"""Fake orders ("brushing"): few buyers, rings of fresh accounts, and night bursts that never come back.

Three habits of fakers, each with the test that real trade passes:

* **few buyers**: in one hour at least 30 orders of a SKU, three or more for each distinct buyer;
* **ring**: many accounts that never order again, one order each, in a narrow window. A real viral rise brings known
  buyers along: the orders beyond the usual ones must come almost all from one-order accounts, improbably so for the
  shop at that time;
* **night burst**: a SKU's night runs far beyond its usual night while its day does not, and nothing of it is
  returned. A midnight sale lifts many SKUs: the rest of the shop's night scales what is usual.

All evidence lies on or before the run date, for only lines known by then are passed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from demand.config import BrushingConfig
from demand.panel import Floats, Ints

__all__ = ["few_buyer_orders", "night_burst_orders", "orders_of", "ring_orders"]

_HOUR = 3600
_DAY = 86_400
_SLACK = 2.0  # ordinary trade spreads more than Poisson: twice the usual rate, and half an order, still count as usual
_FLOOR = 0.5
_RETURN_WAIT_DAYS = 30  # younger orders may still come back
_RETURN_INFORMATIVE = 3.0  # expected returns from which none of them means something [orders]
_TAIL_GAPS = 5.0  # times a ring's own gap that still belong to it
_TAIL_SECONDS = 600.0  # a gap this short belongs to it anyway
_TAIL_USUAL = 4.0  # but none longer than a quarter of the SKU's usual gap
_RETURN_RATIO = 0.34  # a burst that comes back at over a third of the usual rate was really bought


def orders_of(lines: pl.DataFrame, *, timezone: str) -> pl.DataFrame:
    """Return one row per SKU and order: ``sku``, ``order``, ``buyer`` (null: unknown), ``at`` [s], ``day``, ``hour``.

    Args:
        lines: ``order_line_id``, ``order_id``, ``ordered_at`` (UTC), ``sku``, ``buyer_ref``, ``is_returned``.
        timezone: of ``day`` (day number) and ``hour``. A line without order is an order of its own.
    """
    local = pl.col("ordered_at").dt.convert_time_zone(timezone)
    return (
        lines.select(
            "sku",
            order=pl.coalesce("order_id", "order_line_id"),
            buyer="buyer_ref",
            at=pl.col("ordered_at").dt.epoch("s"),
            day=local.dt.date().cast(pl.Int32).cast(pl.Int64),
            hour=local.dt.hour().cast(pl.Int64),
            is_returned="is_returned",
        )
        .sort("sku", "at", "order")
        .unique(subset=["sku", "order"], keep="first", maintain_order=True)
    )


def few_buyer_orders(orders: pl.DataFrame, *, config: BrushingConfig) -> pl.DataFrame:
    """Return the ``sku``, ``order`` of repeated orders in hours where few buyers placed many.

    Hours are taken on the hour and on the half, so that a burst across the full hour is one. Buyers with one order in
    the hour stay: they may be real. The repeaters' other orders of the SKU near by go along.
    """
    found = [_few_buyers(orders, shift=shift, config=config) for shift in (0, _HOUR // 2)]
    hits = pl.concat(found).unique()
    spans = hits.group_by("sku", "buyer").agg(first=pl.col("at").min(), last=pl.col("at").max())
    reach = config.spill_hours * _HOUR
    return (
        orders.join(spans, on=["sku", "buyer"], how="inner")
        .filter(pl.col("at").is_between(pl.col("first") - reach, pl.col("last") + reach))
        .select("sku", "order")
    )


def _few_buyers(orders: pl.DataFrame, *, shift: int, config: BrushingConfig) -> pl.DataFrame:
    cell = ["sku", "window"]
    busy = orders.with_columns(window=(pl.col("at") + shift) // _HOUR).filter(
        pl.len().over(cell) >= config.min_orders_per_hour
    )
    buyers = busy.group_by(cell).agg(
        n=pl.len(),
        buyers=pl.col("buyer").drop_nulls().n_unique() + pl.col("buyer").null_count(),
    )
    bad = buyers.filter(pl.col("n") >= config.min_orders_per_buyer * pl.col("buyers"))
    return (
        busy.join(bad, on=cell, how="semi")
        .filter(pl.col("buyer").is_not_null())
        .filter(pl.len().over([*cell, "buyer"]) >= 2)
        .select("sku", "buyer", "at")
    )


def ring_orders(orders: pl.DataFrame, *, config: BrushingConfig) -> pl.DataFrame:
    """Return the ``sku``, ``order`` of rings: many accounts with this one order only, in a narrow window.

    Windows are tried from narrow to wide; what a narrow one explains is gone before a wider one is tried.
    """
    per_buyer = orders.unique(["order", "buyer"]).drop_nulls("buyer").group_by("buyer").agg(n_orders=pl.len())
    known = orders.drop_nulls("buyer").join(per_buyer, on="buyer", how="left", maintain_order="left")
    known = known.with_columns(is_fresh=pl.col("n_orders") == 1)
    base = _fresh_base(known)
    everyone = known
    found: list[pl.DataFrame] = []
    for hours in sorted(config.ring_window_hours):
        for shift in (0, hours * _HOUR // 2):
            hits = _rings(known, base, width=hours * _HOUR, shift=shift, config=config)
            found.append(hits)
            known = known.join(hits, on=["sku", "order"], how="anti", maintain_order="left")
    return _with_tails(everyone, pl.concat(found))


def _with_tails(known: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """Return the hits and the one-order accounts that follow or precede them in the ring's own rhythm.

    A window's edge cuts a ring: what is left beyond it is too little to be found by itself. Orders belong to the ring
    as long as no gap is far longer than the ring's usual one, or near the SKU's usual one.
    """
    marked = hits.with_columns(is_hit=True)
    fresh = (
        known.filter("is_fresh")
        .join(hits.select("sku").unique(), on="sku", how="semi")
        .join(marked, on=["sku", "order"], how="left")
        .with_columns(pl.col("is_hit").fill_null(value=False))
        .sort("sku", "at", "order")
    )
    gap = pl.col("at").diff().over("sku")
    usual = (pl.col("at").max() - pl.col("at").min()).over("sku") / pl.len().over("sku")
    rhythm = gap.filter("is_hit").median().over("sku")
    limit = pl.min_horizontal(pl.max_horizontal(_TAIL_GAPS * rhythm, pl.lit(_TAIL_SECONDS)), usual / _TAIL_USUAL)
    chained = fresh.with_columns(chain=(gap.fill_null(0) > limit).cum_sum().over("sku"))
    return chained.filter(pl.col("is_hit").any().over("sku", "chain")).select("sku", "order")


def _fresh_base(known: pl.DataFrame) -> pl.DataFrame:
    """Return the shop's share of orders by accounts that order more than once, by ``day``, over +-7 days."""
    daily = known.group_by("day").agg(n=pl.len(), returning=(~pl.col("is_fresh")).sum()).sort("day")
    around = daily.rolling(index_column="day", period="15i", offset="-8i").agg(
        pl.col("n").sum(), pl.col("returning").sum()
    )
    # half an order of doubt on either side keeps the share off 0 and 1
    return around.select("day", base_share=(pl.col("returning") + 0.5) / (pl.col("n") + 1.0))


def _rings(known: pl.DataFrame, base: pl.DataFrame, *, width: int, shift: int, config: BrushingConfig) -> pl.DataFrame:
    cell = ["sku", "window"]
    placed = known.with_columns(window=(pl.col("at") + shift) // width)
    cells = (
        placed.group_by(cell)
        .agg(n=pl.len(), fresh=pl.col("is_fresh").sum(), day=pl.col("day").min())
        .filter(pl.col("fresh") >= config.ring_min_orders)
        .join(base, on="day", how="left")
        .sort(cell)
    )
    few_known = stats.binom.cdf(
        (cells["n"] - cells["fresh"]).to_numpy(), cells["n"].to_numpy(), cells["base_share"].to_numpy()
    )
    cells = cells.gather(np.flatnonzero(few_known < config.share_chance))
    if cells.is_empty():
        return known.head(0).select("sku", "order")
    windows = _usual(placed.join(cells, on="sku", how="semi"), cells, width=width, shift=shift, config=config)
    beyond = stats.poisson.sf(windows.fresh - 1, _SLACK * windows.usual_fresh + _FLOOR)
    excess = np.maximum(windows.n - windows.usual_n, 1e-9)
    pure = (windows.fresh - windows.usual_fresh) / excess >= config.ring_min_fresh_share
    bad = cells.gather(np.flatnonzero((beyond < config.chance) & pure))
    return placed.filter("is_fresh").join(bad, on=cell, how="semi").select("sku", "order")


@dataclass(frozen=True)
class _Windows:
    """Counts of candidate windows, and what is usual for their SKU in a window so wide."""

    n: Floats
    fresh: Floats
    usual_n: Floats
    usual_fresh: Floats


def _usual(placed: pl.DataFrame, cells: pl.DataFrame, *, width: int, shift: int, config: BrushingConfig) -> _Windows:
    """Return counts and usual counts of each candidate window, from the SKU's other days near by."""
    reach = config.neighbourhood_days * _DAY
    first_at, last_at = int(placed["at"].min()), int(placed["at"].max())  # type: ignore[arg-type]
    by_sku = {str(key[0]): part for key, part in placed.group_by("sku", maintain_order=True)}
    usual_n, usual_fresh = np.zeros(cells.height), np.zeros(cells.height)
    for i, (sku, window) in enumerate(cells.select("sku", "window").iter_rows()):
        part = by_sku[str(sku)]
        at = part["at"].to_numpy()
        fresh_at = at[part["is_fresh"].to_numpy()]
        start = window * width - shift
        # the window's own surroundings do not count: a ring may spill over its edge
        hole = (start - _DAY, start + width + _DAY)
        span = (max(start - reach, first_at), min(start + width + reach, last_at))
        length = max((hole[0] - span[0]), 0) + max((span[1] - hole[1]), 0)
        scale = width / length if length else 0.0
        usual_n[i] = scale * (_count(at, *span) - _count(at, *hole))
        usual_fresh[i] = scale * (_count(fresh_at, *span) - _count(fresh_at, *hole))
    return _Windows(
        n=cells["n"].to_numpy().astype(float),
        fresh=cells["fresh"].to_numpy().astype(float),
        usual_n=np.maximum(usual_n, 0.0),
        usual_fresh=np.maximum(usual_fresh, 0.0),
    )


def _count(at: Ints, start: int, stop: int) -> int:
    return int(np.searchsorted(at, stop, side="left") - np.searchsorted(at, start, side="left"))


def night_burst_orders(orders: pl.DataFrame, *, run_day: int, config: BrushingConfig) -> pl.DataFrame:
    """Return the ``sku``, ``order`` of night bursts: far above the SKU's usual night, an ordinary day, no return.

    Args:
        orders: as :func:`orders_of` gives them.
        run_day: day number of the run date: younger orders may still come back.
        config: hours of the night and thresholds.
    """
    if orders.is_empty():
        return orders.select("sku", "order")
    at_night = pl.col("hour").is_between(config.night_from_hour, config.night_to_hour, closed="left")
    marked = orders.with_columns(is_night=at_night)
    daily = marked.group_by("sku", "day").agg(
        night=pl.col("is_night").sum().cast(pl.Float64),
        light=(~pl.col("is_night")).sum().cast(pl.Float64),
        night_returned=(pl.col("is_night") & pl.col("is_returned")).sum().cast(pl.Float64),
    )
    bursts = daily.filter(pl.col("night") >= config.night_min_orders).sort("sku", "day")
    if bursts.is_empty():
        return orders.head(0).select("sku", "order")
    usual = _usual_night(daily, bursts, config=config)
    return_rate = _return_rate(marked, run_day=run_day)
    waited = (run_day - bursts["day"].to_numpy()) >= _RETURN_WAIT_DAYS
    came_back = bursts["night_returned"].to_numpy() > _RETURN_RATIO * return_rate * bursts["night"].to_numpy()
    informative = return_rate * bursts["night"].to_numpy() >= _RETURN_INFORMATIVE
    beyond = stats.poisson.sf(bursts["night"].to_numpy() - 1, _SLACK * usual["night"].to_numpy() + _FLOOR)
    ordinary_day = bursts["light"].to_numpy() <= config.night_max_day_ratio * usual["light"].to_numpy() + 3.0
    bad = bursts.filter(pl.Series((beyond < config.chance) & ordinary_day & ~(waited & informative & came_back)))
    return marked.filter("is_night").join(bad, on=["sku", "day"], how="semi").select("sku", "order")


def _return_rate(orders: pl.DataFrame, *, run_day: int) -> float:
    """Return the share of orders old enough to have come back that did."""
    old = orders.filter(pl.col("day") <= run_day - _RETURN_WAIT_DAYS)
    return float(old["is_returned"].mean() or 0.0)  # type: ignore[arg-type]


def _usual_night(daily: pl.DataFrame, bursts: pl.DataFrame, *, config: BrushingConfig) -> pl.DataFrame:
    """Return the usual ``night`` and ``light`` orders of each burst's SKU near that day.

    Usual is the mean of the SKU's other days within the neighbourhood, and no less than its share of the shop's orders
    would be of what the rest of the shop sold that night: a midnight sale is usual.
    """
    first, last = int(daily["day"].min()), int(daily["day"].max())  # type: ignore[arg-type]
    totals = daily.group_by("day").agg(pl.col("night").sum(), pl.col("light").sum()).sort("day")
    shop = np.zeros((2, last - first + 1))
    shop[:, totals["day"].to_numpy() - first] = totals.select("night", "light").to_numpy().T
    parts = {str(k[0]): p for k, p in daily.join(bursts, on="sku", how="semi").group_by("sku", maintain_order=True)}
    night, light = np.zeros(bursts.height), np.zeros(bursts.height)
    for i, (sku, day, own) in enumerate(bursts.select("sku", "day", "night").iter_rows()):
        low, high = max(day - config.neighbourhood_days, first), min(day + config.neighbourhood_days, last)
        near = parts[str(sku)].filter(pl.col("day").is_between(low, high) & (pl.col("day") != day))
        others = max(high - low, 1)
        mine = float(near["night"].sum()) + float(near["light"].sum())
        all_orders = shop[:, low - first : high - first + 1].sum() - shop[:, day - first].sum()
        share = mine / all_orders if all_orders > 0 else 0.0
        rest_of_night = shop[0, day - first] - own
        night[i] = max(_capped_sum(near["night"].to_numpy()) / others, share * rest_of_night / max(1.0 - share, 0.1))
        light[i] = float(near["light"].sum()) / others
    return pl.DataFrame({"night": night, "light": light})


def _capped_sum(counts: Floats) -> float:
    """Return the sum with the largest value brought down to the second largest: so no burst hides another."""
    if len(counts) < 2:
        return 0.0
    ordered = np.sort(counts)
    return float(ordered[:-1].sum() + ordered[-2])
