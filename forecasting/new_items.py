"""Launches with little or no history of their own: comparable items, the life-cycle curve, the pace of preorders.

The comparison narrows as far as there are at least ``_MIN_ANALOGUES`` launches to compare with: same location,
product type and IP; product type and price band; product type; category; location; the whole shop. A launch seldom
goes on as it began, so levels are stated at the launch and carried along the shop's own curve of demand by age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.models import weekday_profile
from forecasting.panel import Panel

__all__ = ["Analogues", "launch_analogues", "launch_curve", "launch_forecast", "preorder_levels"]

_MIN_ANALOGUES = 3  # launches; fewer say more about themselves than about the group
_EARLY_SEASONS = 4  # weeks of a launch that are compared
_CURVE_SEASONS = 26  # weeks over which demand by age is followed; flat from there
_MIN_CURVE_LAUNCHES = 8  # launches that a step of the curve is read from; fewer: flat
_STEEPEST = 2.0  # [ratio] a week on week change of the curve beyond this is noise
_PRICE_BAND = 1.5  # [ratio] width of a price band
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
    return np.repeat(curve, season)


def _by_age(panel: Panel, *, periods: int) -> NDArray[np.float64]:
    """Return (launches, periods) demand by age of the series whose launch was seen; NaN where it does not teach."""
    rows = np.flatnonzero((panel.first > 0) & (panel.first < panel.n_periods))
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
    seen_at_launch = (first > 0) & (early.sum(axis=1) >= periods // 2)
    if not seen_at_launch.any():
        curve = np.ones_like(curve)
        early = panel.teaches & (column >= panel.n_periods - periods)
        seen_at_launch = early.sum(axis=1) >= periods // 2
    total = np.where(early, np.nan_to_num(panel.demand), 0).sum(axis=1, dtype=np.float64)
    usual = np.where(early, curve[np.clip(column - first[:, None], 0, len(curve) - 1)], 0).sum(axis=1)
    level = np.where(seen_at_launch & (usual > 0), total / np.maximum(usual, 1e-9), np.nan)
    frame = _described(panel.keys).with_columns(level=pl.Series(level, nan_to_null=True))
    mean = np.full(panel.n_series, np.nan)
    basis = np.full(panel.n_series, "", dtype=object)
    recent = _recent_levels(panel, curve)
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
    usual = _group_means(panel.keys, recent)
    mean = np.where(np.isnan(usual), mean, (1 - _USUAL_SHARE) * np.fmax(mean, 0) + _USUAL_SHARE * usual)
    elsewhere, places = _elsewhere(panel.keys, recent, usual)
    told = ~np.isnan(elsewhere)
    trust = places / (places + _PLACE_PRIOR)
    mean = np.where(told, trust * elsewhere + (1 - trust) * np.where(np.isnan(mean), elsewhere, mean), mean)
    basis[told] = _ELSEWHERE
    return Analogues(mean, basis.tolist(), curve)


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


def preorder_levels(panel: Panel, firm: pl.DataFrame) -> NDArray[np.float64]:
    """Return (n,) launch levels that the pace of preorders points to [units/period]; NaN where it says nothing.

    Past campaigns give the ratio of ordinary demand in the first four weeks (all locations) to firm preorders; the
    median ratio times an item's own firm preorders is its expected total, split over its locations alike.

    Args:
        panel: history.
        firm: sku, firm_qty: firm preorders of each SKU's campaigns.
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
            "complete": (panel.first > 0) & (panel.first + periods <= panel.n_periods),
        }
    )
    by_sku = sold.group_by("sku").agg(pl.col("units").sum(), pl.col("complete").any(), places=pl.len())
    joined = by_sku.join(firm.group_by("sku").agg(pl.col("firm_qty").sum()), on="sku").filter(pl.col("firm_qty") > 0)
    past = joined.filter(pl.col("complete"))
    if past.height < _MIN_CAMPAIGNS:
        return out
    pace = float((past["units"] / past["firm_qty"]).median() or 0.0)  # type: ignore[arg-type]
    level = {
        sku: pace * quantity / periods / places
        for sku, quantity, places in joined.select("sku", "firm_qty", "places").iter_rows()
    }
    return np.array([level.get(sku, np.nan) for sku in panel.keys["sku"].to_list()])
