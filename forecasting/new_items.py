"""Launches with little or no history of their own: comparable items, the life-cycle curve, the pace of preorders.

The comparison narrows as far as there are at least ``_MIN_ANALOGUES`` launches to compare with: same location,
product type and IP; product type and price band; product type; category; location; the whole shop. Where past launches
show that it does better, a regression on attributes and the first order takes its place (:mod:`.launch_levels`). A
launch seldom goes on as it began, so levels are stated at the launch and carried along the shop's own curve of demand
by age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.launch_levels import Levels, launch_levels, loss
from forecasting.models import weekday_profile
from forecasting.panel import Panel

__all__ = [
    "Analogues",
    "launch_analogues",
    "launch_curve",
    "launch_forecast",
    "preorder_levels",
    "was_launched",
    "with_launch_facts",
]

_MIN_ANALOGUES = 3  # launches; fewer say more about themselves than about the group
_EARLY_SEASONS = 4  # weeks of a launch that are compared
_UNSEEN_SEASONS = 4  # weeks without a row in which a slow seller may long have been on sale
_MATURE_SEASONS = 12  # weeks after which an item's level is no longer that of a launch
_CURVE_SEASONS = 26  # weeks over which demand by age is followed; flat from there
_MIN_CURVE_LAUNCHES = 8  # launches that a step of the curve is read from; fewer: flat
_DAILY_SEASONS = 2  # weeks in which the days of a launch differ
_MIN_DAILY_LAUNCHES = 30  # launches that the shape of a week is read from
_LEAST_PROFILE = 0.2  # [ratio] a weekday on which next to nothing sells says nothing about age
_STEEPEST = 2.0  # [ratio] a week on week change of the curve beyond this is noise
_PRICE_BAND = 1.5  # [ratio] width of a price band
_ORDER = ("sku", "location_id", "campaign_id", "ordered_date")
_FIRST_ORDER_DAYS = 7  # [days] after the launch within which a first delivery is due
_RECENT_SEASONS = 8  # weeks that an item's present level is read from
_USUAL_SHARE = 0.5  # weight of what such items sell now against what they sold when they were launched
_PLACE_PRIOR = 2.0  # [locations] weight of comparable items against the same item elsewhere
_ELSEWHERE = "the same item at other locations"
_MIN_CAMPAIGNS = 3  # past campaigns that a pace is read from

_RUNGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("location, product type and IP", ("location_id", "product_type", "ip")),
    ("location, product type and price band", ("location_id", "product_type", "price_band")),
    ("location and product type", ("location_id", "product_type")),
    ("location and category", ("location_id", "category")),
    ("location", ("location_id",)),
    ("shop", ()),
)


@dataclass(frozen=True)
class Analogues:
    """What comparable launches sold.

    Attributes:
        level: (n,) demand per period at the launch, where the curve is 1 [units/period]; NaN without any.
        basis: (n,) with whom each series was compared; empty without any.
        curve: (ages,) demand by age in periods, relative to the first week.
    """

    level: NDArray[np.float64]
    basis: list[str]
    curve: NDArray[np.float64]

    def rows(self, index: NDArray[np.int64]) -> Analogues:
        """Return those of the series at the positions ``index``."""
        return Analogues(self.level[index], [self.basis[i] for i in index.tolist()], self.curve)


def with_launch_facts(
    keys: pl.DataFrame, *, elements: pl.DataFrame, receipts: pl.DataFrame, open_orders: pl.DataFrame
) -> pl.DataFrame:
    """Return the keys with ``elements`` (a list of design elements) and ``launch_qty`` (the first order) [units].

    The first order is what was ordered before the launch and is due at the latest a week after it: known at the launch.
    What a preorder campaign ordered for its own buyers is no part of it.

    Args:
        keys: sku, location_id, launch_date and more.
        elements: sku, element_type, element.
        receipts: sku, location_id, campaign_id, ordered_date, received_date, received_qty.
        open_orders: sku, location_id, campaign_id, ordered_date, expected_receipt_date, open_qty.
    """
    named = elements.filter(~pl.col("element_type").is_in(["ip", "product_type"])).select(
        "sku", elements=pl.concat_str("element_type", "element", separator="=")
    )
    orders = pl.concat(
        [
            receipts.select(*_ORDER, due="received_date", qty="received_qty"),
            open_orders.select(*_ORDER, due="expected_receipt_date", qty="open_qty"),
        ]
    )
    launch = pl.col("launch_date").cast(pl.Date)
    first = (
        orders.join(keys.select("sku", "location_id", launch), on=["sku", "location_id"])
        .filter(pl.col("campaign_id").is_null() & (pl.col("ordered_date") < pl.col("launch_date")))
        .filter(pl.col("due") <= pl.col("launch_date") + pl.duration(days=_FIRST_ORDER_DAYS))
        .group_by("sku", "location_id")
        .agg(launch_qty=pl.col("qty").cast(pl.Float64).sum())
    )
    lists = named.unique().sort("sku", "elements").group_by("sku", maintain_order=True).agg("elements")
    joined: pl.DataFrame = keys.join(lists, on="sku", how="left", maintain_order="left").join(
        first, on=["sku", "location_id"], how="left", maintain_order="left"
    )
    return joined


def was_launched(panel: Panel) -> NDArray[np.bool_]:
    """Return which series were seen at their launch: it lies within the panel.

    A first row some days after the panel starts is no launch: it may be the first sale of an old slow seller. Where no
    launch date is stated, a series must have been missing for four weeks before it.
    """
    first = panel.first
    out = (first < panel.n_periods) & (first >= _UNSEEN_SEASONS * panel.season)
    if "launch_date" in panel.keys.columns:
        age = (pl.col("launch_date").cast(pl.Date) - panel.start).dt.total_days() / panel.period_days
        stated = panel.keys.select(age).to_series().cast(pl.Float64).fill_null(np.nan).to_numpy()
        out = np.where(np.isnan(stated), out, (stated > 0) & (first > 0) & (first < panel.n_periods))
    return np.asarray(out)


def launch_curve(panel: Panel) -> NDArray[np.float64]:
    """Return mean demand by age [periods] relative to the first week of a launch; 1 throughout without launches.

    Each step is the ratio of summed demand in two following weeks over the launches seen in both, so that what came
    and went in between does not bend the curve.
    """
    season = panel.season
    ages = _by_age(panel, periods=_CURVE_SEASONS * season)
    weekly = ages.reshape(len(ages), _CURVE_SEASONS, season)
    known = ~np.isnan(weekly)
    mean = np.where(
        known.sum(axis=2) > season // 2, np.nan_to_num(weekly).sum(axis=2) / np.maximum(known.sum(axis=2), 1), np.nan
    )
    curve = np.ones(_CURVE_SEASONS)
    for week in range(1, _CURVE_SEASONS):
        both = ~np.isnan(mean[:, week]) & ~np.isnan(mean[:, week - 1])
        before, after = float(mean[both, week - 1].sum()), float(mean[both, week].sum())
        if both.sum() < _MIN_CURVE_LAUNCHES or before <= 0 or after <= 0:
            curve[week:] = curve[week - 1]
            break
        curve[week] = curve[week - 1] * float(np.clip(after / before, 1 / _STEEPEST, _STEEPEST))
    return np.asarray((curve[:, None] * _within_weeks(panel, ages)).reshape(-1))


def _within_weeks(panel: Panel, ages: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (weeks, season) ratios of each day of age to its week's mean: a launch sells most on its first days.

    Only the first weeks differ from 1, and only where there are enough launches. Weekdays are taken out first.

    Args:
        panel: history.
        ages: (launches, periods) as :func:`_by_age` gives them.
    """
    season = panel.season
    out = np.ones((_CURVE_SEASONS, season))
    if season == 1 or len(ages) < _MIN_DAILY_LAUNCHES:
        return out
    rows = np.flatnonzero(was_launched(panel))
    position = (panel.first[rows][:, None] + np.arange(ages.shape[1])[None, :] - panel.n_periods) % season
    level = ages / np.maximum(np.take_along_axis(weekday_profile(panel)[rows], position, axis=1), _LEAST_PROFILE)
    for week in range(_DAILY_SEASONS):
        days = level[:, week * season : (week + 1) * season]
        known = ~np.isnan(days).any(axis=1)
        sold = days[known].sum(axis=0)
        if known.sum() >= _MIN_DAILY_LAUNCHES and (sold > 0).all():
            out[week] = sold / sold.mean()
    return out


def _by_age(panel: Panel, *, periods: int) -> NDArray[np.float64]:
    """Return (launches, periods) demand by age of the series whose launch was seen; NaN where it does not teach."""
    rows = np.flatnonzero(was_launched(panel))
    column = panel.first[rows][:, None] + np.arange(periods)[None, :]
    inside = np.minimum(column, panel.n_periods - 1)
    values = panel.demand[rows[:, None], inside].astype(np.float64)
    return np.where((column < panel.n_periods) & panel.teaches[rows[:, None], inside], values, np.nan)


def launch_analogues(panel: Panel) -> Analogues:
    """Return for each series the level that comparable items had at their launch.

    Items that were on sale when the panel starts were not seen at launch; where no launch was seen at all, the last
    four weeks of all items take their place.
    """
    curve = launch_curve(panel)
    periods = _EARLY_SEASONS * panel.season
    first = panel.first
    column = np.arange(panel.n_periods)[None, :]
    early = panel.teaches & (column >= first[:, None]) & (column < first[:, None] + periods)
    seen_at_launch = was_launched(panel) & (early.sum(axis=1) >= periods // 2)
    if not seen_at_launch.any():
        curve = np.ones_like(curve)
        early = panel.teaches & (column >= panel.n_periods - periods)
        seen_at_launch = early.sum(axis=1) >= periods // 2
    total = np.where(early, np.nan_to_num(panel.demand), 0).sum(axis=1, dtype=np.float64)
    usual = np.where(early, curve[np.clip(column - first[:, None], 0, len(curve) - 1)], 0).sum(axis=1)
    level = np.where(seen_at_launch & (usual > 0), total / np.maximum(usual, 1e-9), np.nan)
    recent = _recent_levels(panel, curve)
    found = launch_levels(
        panel.keys,
        level,
        recent,
        mature=panel.n_periods - first >= _MATURE_SEASONS * panel.season,
        plain=lambda shown, now: _group_levels(panel.keys, shown, now),
        usual=usual,
    )
    mean, basis = found.level, found.basis.copy()
    elsewhere, places = _elsewhere(panel.keys, recent, _group_means(panel.keys, recent))
    told = ~np.isnan(elsewhere)
    trust = places / (places + _PLACE_PRIOR)
    mean = np.where(told, trust * elsewhere + (1 - trust) * np.where(np.isnan(mean), elsewhere, mean), mean)
    basis[told] = _ELSEWHERE
    return Analogues(mean, basis.tolist(), curve)


def _group_levels(keys: pl.DataFrame, level: NDArray[np.float64], recent: NDArray[np.float64]) -> Levels:
    """Return the mean level of the nearest group with enough launches, and of what its items sell now."""
    frame = _described(keys).with_columns(level=pl.Series(level, nan_to_null=True))
    mean = np.full(keys.height, np.nan)
    basis = np.full(keys.height, "", dtype=object)
    for name, columns in _RUNGS:
        by = [pl.col(c) for c in columns] or [pl.lit(0)]
        pooled = frame.select(
            mean=pl.col("level").mean().over(by),
            count=pl.col("level").count().over(by),
            stated=pl.all_horizontal([pl.col(c).is_not_null() for c in columns] or [pl.lit(True)]),
        )
        enough = (pooled["count"] >= (_MIN_ANALOGUES if columns else 1)) & pooled["stated"]
        taken = enough.to_numpy() & np.isnan(mean)
        mean[taken], basis[taken] = pooled["mean"].to_numpy()[taken], name
    usual = _group_means(keys, recent)
    mean = np.where(np.isnan(usual), mean, (1 - _USUAL_SHARE) * np.fmax(mean, 0) + _USUAL_SHARE * usual)
    return Levels(mean, basis)


def _recent_levels(panel: Panel, curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) demand of the last weeks, stated at the launch, where the curve is 1 [units/period]; NaN unknown."""
    width = min(panel.n_periods, _RECENT_SEASONS * panel.season)
    teaches = panel.teaches[:, panel.n_periods - width :]
    age = np.arange(panel.n_periods - width, panel.n_periods)[None, :] - panel.first[:, None]
    usual = np.where(teaches, curve[np.clip(age, 0, len(curve) - 1)], 0).sum(axis=1)
    sold = np.where(teaches, np.nan_to_num(panel.demand[:, panel.n_periods - width :]), 0).sum(axis=1, dtype=np.float64)
    enough = teaches.sum(axis=1) >= panel.season
    return np.where(enough & (usual > 0), sold / np.maximum(usual, 1e-9), np.nan)


def _group_means(keys: pl.DataFrame, level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) mean level of the items of each one's location and product type (else category, else location)."""
    frame = _described(keys).with_columns(level=pl.Series(level, nan_to_null=True))
    out = np.full(keys.height, np.nan)
    for columns in (("location_id", "product_type"), ("location_id", "category"), ("location_id",)):
        by = [pl.col(c) for c in columns]
        found = frame.select(
            mean=pl.col("level").mean().over(by),
            usable=(pl.col("level").count().over(by) >= _MIN_ANALOGUES)
            & pl.all_horizontal(c.is_not_null() for c in by),
        )
        out = np.where(np.isnan(out) & found["usable"].to_numpy(), found["mean"].to_numpy().astype(float), out)
    return out


def _elsewhere(
    keys: pl.DataFrame, level: NDArray[np.float64], usual: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (n,) what the same SKU's level at other locations says for this one, and at how many it is known.

    Levels are carried over as ratios to what is usual at each location for such items.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(usual > 0, level / usual, np.nan)
    frame = keys.select("sku").with_columns(ratio=pl.Series(ratio, nan_to_null=True))
    sums = frame.select(
        total=pl.col("ratio").fill_null(0.0).sum().over("sku"), count=pl.col("ratio").count().over("sku")
    )
    own = np.isfinite(ratio)
    others = sums["count"].to_numpy().astype(np.int64) - own
    total = sums["total"].to_numpy() - np.where(own, ratio, 0)
    out = np.where(others > 0, total / np.maximum(others, 1) * usual, np.nan)
    return out, np.where(np.isnan(out), 0, others)


def launch_forecast(
    panel: Panel, analogues: Analogues, preorders: NDArray[np.float64], *, horizon: int, pooling: float
) -> NDArray[np.float64]:
    """Return (n, horizon) means along the life-cycle curve; NaN where neither history nor a comparable item is.

    A series' own level, its demand over the curve's, is shrunk to the comparable items' (and the preorders') with the
    weight of ``pooling`` periods, then follows the curve from its age on, with the pooled weekday profile.

    Args:
        panel: history of the series.
        analogues: of the same series.
        preorders: (n,) levels that preorders point to; NaN where they say nothing.
        horizon: periods to forecast.
        pooling: weight of the comparison [periods].
    """
    curve, last = analogues.curve, len(analogues.curve) - 1
    compared = np.where(np.isnan(preorders), analogues.level, (preorders + np.fmax(analogues.level, 0)) / 2)
    compared = np.where(np.isnan(compared), preorders, compared)
    age = np.arange(panel.n_periods)[None, :] - panel.first[:, None]
    sold = np.where(panel.teaches, np.nan_to_num(panel.demand), 0).sum(axis=1, dtype=np.float64)
    usual = np.where(panel.teaches, curve[np.clip(age, 0, last)], 0).sum(axis=1)
    weight = np.where(np.isnan(compared), 0.0, pooling)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = (sold + weight * np.nan_to_num(compared)) / (usual + weight)
    ahead = panel.n_periods - panel.first[:, None] + np.arange(horizon)[None, :]
    shape = weekday_profile(panel)[:, np.arange(horizon) % panel.season]
    return np.asarray(level[:, None] * curve[np.clip(ahead, 0, last)] * shape)


def _described(keys: pl.DataFrame) -> pl.DataFrame:
    missing = [c for c in ("location_id", "product_type", "ip", "category") if c not in keys.columns]
    out = keys.with_columns([pl.lit(None, pl.String).alias(c) for c in missing])
    price = pl.col("regular_price") if "regular_price" in keys.columns else pl.lit(None, pl.Float64)
    band = (price.log() / np.log(_PRICE_BAND)).floor()
    return out.with_columns(price_band=pl.when(price > 0).then(band).otherwise(None))


def preorder_levels(
    panel: Panel, firm: pl.DataFrame, compared: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return (n,) launch levels that the pace of preorders points to [units/period]; NaN where it says nothing.

    Past campaigns give the ratio of ordinary demand in the first four weeks (all locations) to firm preorders; the
    median ratio times an item's own firm preorders is its expected total, split over its locations alike. Where past
    campaigns were foreseen better by comparison alone, preorders say nothing.

    Args:
        panel: history.
        firm: sku, firm_qty: firm preorders of each SKU's campaigns.
        compared: (n,) levels of comparable items; None: preorders need not beat them.
    """
    out = np.full(panel.n_series, np.nan)
    if not firm.height:
        return out
    periods = _EARLY_SEASONS * max(panel.season, 1)
    column = np.arange(panel.n_periods)[None, :]
    early = (column >= panel.first[:, None]) & (column < panel.first[:, None] + periods)
    sold = pl.DataFrame(
        {
            "sku": panel.keys["sku"],
            "units": np.where(early, np.nan_to_num(panel.demand), 0).sum(axis=1, dtype=np.float64),
            "compared": np.full(panel.n_series, np.nan) if compared is None else compared,
            "complete": was_launched(panel) & (panel.first + periods <= panel.n_periods),
        }
    )
    by_sku = sold.group_by("sku").agg(
        pl.col("units").sum(), pl.col("complete").any(), places=pl.len(), compared=pl.col("compared").sum() * periods
    )
    joined = by_sku.join(firm.group_by("sku").agg(pl.col("firm_qty").sum()), on="sku").filter(pl.col("firm_qty") > 0)
    past = joined.filter(pl.col("complete"))
    if past.height < _MIN_CAMPAIGNS:
        return out
    pace = float((past["units"] / past["firm_qty"]).median() or 0.0)  # type: ignore[arg-type]
    if compared is not None and not _pace_helps(past, pace):
        return out
    level = {
        sku: pace * quantity / periods / places
        for sku, quantity, places in joined.select("sku", "firm_qty", "places").iter_rows()
    }
    return np.array([level.get(sku, np.nan) for sku in panel.keys["sku"].to_list()])


def _pace_helps(past: pl.DataFrame, pace: float) -> bool:
    """Return whether the mean of pace and comparison foresaw past campaigns' items better than the comparison alone."""
    known = past.filter(pl.col("compared").is_finite())
    if not known["units"].sum() > 0:
        return True
    units, alone = known["units"].to_numpy(), known["compared"].to_numpy()
    return loss(units, (alone + pace * known["firm_qty"].to_numpy()) / 2) < loss(units, alone)
