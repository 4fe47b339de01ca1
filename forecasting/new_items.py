"""Launches with little or no history of their own: comparable items and the life-cycle curve.

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

from forecasting.launch_facts import known_by
from forecasting.launch_levels import Levels, launch_levels
from forecasting.models import weekday_profile
from forecasting.panel import Panel
from forecasting.young import next_weeks

__all__ = [
    "EARLY_SEASONS",
    "Analogues",
    "launch_analogues",
    "launch_curve",
    "launch_forecast",
    "was_launched",
]

_MIN_ANALOGUES = 3  # launches; fewer say more about themselves than about the group
EARLY_SEASONS = 4  # weeks of a launch that are compared
_UNSEEN_SEASONS = 4  # weeks without a row in which a slow seller may long have been on sale
_MATURE_SEASONS = 12  # weeks after which an item's level is no longer that of a launch
_CURVE_SEASONS = 26  # weeks over which demand by age is followed; flat from there
_MIN_CURVE_LAUNCHES = 8  # launches that a step of the curve is read from; fewer: flat
_DAILY_SEASONS = 2  # weeks in which the days of a launch differ
_MIN_DAILY_LAUNCHES = 30  # launches that the shape of a week is read from
_LEAST_PROFILE = 0.2  # [ratio] a weekday on which next to nothing sells says nothing about age
_STEEPEST = 2.0  # [ratio] a week on week change of the curve beyond this is noise
_PRICE_BAND = 1.5  # [ratio] width of a price band
_RECENT_SEASONS = 8  # weeks that an item's present level is read from
_USUAL_SHARE = 0.5  # weight of what such items sell now against what they sold when they were launched
_PLACE_PRIOR = 2.0  # [locations] weight of comparable items against the same item elsewhere
_ELSEWHERE = "the same item at other locations"
_POOLING = 10.0  # [periods] of comparable items against a young item's own, where the curve is judged

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
        soon: (n,) mean demand of the next four weeks that a young item's first days point to; NaN elsewhere.
        soon_share: weight of that against the level along the curve (0-1).
    """

    level: NDArray[np.float64]
    basis: list[str]
    curve: NDArray[np.float64]
    soon: NDArray[np.float64]
    soon_share: float

    def rows(self, index: NDArray[np.int64]) -> Analogues:
        """Return those of the series at the positions ``index``."""
        basis = [self.basis[i] for i in index.tolist()]
        return Analogues(self.level[index], basis, self.curve, self.soon[index], self.soon_share)


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
    periods = EARLY_SEASONS * panel.season
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
        known_by(panel),
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
    compared = _group_means(panel.keys, _recent_levels(panel, np.ones_like(curve)))
    soon, share = next_weeks(
        panel, was_launched(panel), compared, _group_means(panel.keys, recent), curve, pooling=_POOLING
    )
    return Analogues(mean, basis.tolist(), curve, soon, share)


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
    panel: Panel,
    analogues: Analogues,
    preorders: NDArray[np.float64],
    *,
    horizon: int,
    pooling: float,
    wanted: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return (n, horizon) means along the life-cycle curve; NaN where neither history nor a comparable item is.

    A series' own level, its demand over the curve's, is shrunk to the comparable items' (and the preorders') with the
    weight of ``pooling`` periods, then follows the curve from its age on, with the pooled weekday profile. Where past
    launches bear it out, what the first days say about the weeks after moves it (:mod:`.young`).

    Args:
        panel: history of the series.
        analogues: of the same series.
        preorders: (n,) levels that preorders point to; NaN where they say nothing.
        horizon: periods to forecast.
        pooling: weight of the comparison [periods].
        wanted: (n,) series that are asked about; the others are NaN. None: all.
    """
    shape = weekday_profile(panel)[:, np.arange(horizon) % panel.season]
    if wanted is None:
        return shape * _along_curve(panel, analogues, preorders, horizon=horizon, pooling=pooling)
    out, rows = np.full(shape.shape, np.nan), np.flatnonzero(wanted)
    few = panel.rows(rows)
    out[rows] = _along_curve(few, analogues.rows(rows), preorders[rows], horizon=horizon, pooling=pooling)
    return out * shape


def _along_curve(
    panel: Panel, analogues: Analogues, preorders: NDArray[np.float64], *, horizon: int, pooling: float
) -> NDArray[np.float64]:
    """Return (n, horizon) means along the life-cycle curve, weekdays alike; see :func:`launch_forecast`."""
    curve, last = analogues.curve, len(analogues.curve) - 1
    compared = np.where(np.isnan(preorders), analogues.level, (preorders + np.fmax(analogues.level, 0)) / 2)
    compared = np.where(np.isnan(compared), preorders, compared)
    age = np.arange(panel.n_periods)[None, :] - panel.first[:, None]
    sold = np.where(panel.teaches, np.nan_to_num(panel.demand), 0).sum(axis=1, dtype=np.float64)
    usual = np.where(panel.teaches, curve[np.clip(age, 0, last)], 0).sum(axis=1)
    weight = np.where(np.isnan(compared), 0.0, pooling)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = (sold + weight * np.nan_to_num(compared)) / (usual + weight)
    ahead = np.maximum(panel.n_periods - _starts(panel)[:, None] + np.arange(horizon)[None, :], 0)
    along = curve[np.clip(ahead, 0, last)]
    mean = level * along[:, : EARLY_SEASONS * panel.season].mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = (1 - analogues.soon_share) + analogues.soon_share * analogues.soon / mean
    along = along * np.where(np.isfinite(moved), moved, 1)[:, None]
    return np.asarray(level[:, None] * along)


def _starts(panel: Panel) -> NDArray[np.int64]:
    """Return (n,) column of each series' first period on sale: of those without one, of the launch that is stated."""
    if "launch_date" not in panel.keys.columns:
        return panel.first
    days = panel.keys.select((pl.col("launch_date").cast(pl.Date) - panel.start).dt.total_days()).to_series()
    launch = days.fill_null(0).to_numpy().astype(np.int64) // panel.period_days
    return np.where(panel.first < panel.n_periods, panel.first, np.maximum(launch, panel.n_periods))


def _described(keys: pl.DataFrame) -> pl.DataFrame:
    missing = [c for c in ("location_id", "product_type", "ip", "category") if c not in keys.columns]
    out = keys.with_columns([pl.lit(None, pl.String).alias(c) for c in missing])
    price = pl.col("regular_price") if "regular_price" in keys.columns else pl.lit(None, pl.Float64)
    band = (price.log() / np.log(_PRICE_BAND)).floor()
    return out.with_columns(price_band=pl.when(price > 0).then(band).otherwise(None))
