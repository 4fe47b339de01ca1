"""Own-price elasticities by hierarchical shrinkage: SKU -> product type -> category -> the shop -> a prior.

Model of the weekly units of a SKU at a location: Poisson-like counts with mean

    mu = days * exp(a[series] + s[type, week] + g[type] * promotion + e * log(price))

with an effect of every series and of every product type and week (season), fitted by alternating between the effects,
which have closed forms, and Newton steps for the price and promotion terms of each product type (Poisson
pseudo-maximum-likelihood: right for any distribution whose mean is right; Santos Silva & Tenreyro 2006). Weeks without
sales stay in; stocked-out, closed and partial days were left out before, and days on promotion where the regular price
is known. Then each SKU's own price term is fitted with the rest held, with variances from sums of scores over blocks
of weeks (errors of neighbouring weeks hang together), and shrunk up the hierarchy as in a random-effects meta-analysis
(DerSimonian & Laird 1986). The sign is imposed at the end, on the posterior: elasticities are below zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from pricing.config import PricingConfig

__all__ = ["ALL", "estimate_elasticities"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

ALL = "*"
_LEAST_PERIODS = 8  # [weeks] a series shorter than this teaches nothing
_LEAST_SPREAD = 0.01  # [log price] below it a price never really moved
_BLOCK_WEEKS = 6  # [weeks] errors within a block hang together
_SWEEPS = 12
_NEWTON_LIMIT = 1.5  # [1] longest Newton step
_PROMOTION_PRIOR_SD = 0.5  # [log units] lift of a promotion beyond its price
_COEFFICIENT_RANGE = (-12.0, 8.0)
_Z = 1.6448536269514722  # standard deviations from the mean to the end of a 90% interval
_STEEPEST = -12.0


@dataclass(frozen=True)
class _Panel:
    """Weekly observations with integer codes of their groups."""

    units: Floats
    log_price: Floats
    promotion: Floats
    log_days: Floats
    series: Codes
    sku: Codes
    kind: Codes
    season: Codes
    block: Codes


def estimate_elasticities(weekly: pd.DataFrame, products: pd.DataFrame, *, config: PricingConfig) -> pd.DataFrame:
    """Return own-price elasticities of every SKU and product type, in the shape of the table ``elasticities``.

    Args:
        weekly: ``sku``, ``location_id``, ``week`` (date), ``units``, ``days`` (days on sale with stock), ``price``
            (average paid, null without sales), ``regular_price`` (in force, null: unknown), ``promotion_share`` (0-1).
        products: ``sku``, ``product_type``, ``category`` of every SKU that needs an estimate.
        config: validated settings.

    Returns:
        One row per SKU and one per product type (``sku`` is ``*``), with the posterior mean, the 90% interval, the
        level that contributes most, periods used and distinct prices seen.
    """
    items = _items(products)
    usable = _usable(weekly, items)
    own = _own_estimates(usable, items) if len(usable) else _no_estimates(items)
    return _shrunk(own, items, config)


def _items(products: pd.DataFrame) -> pd.DataFrame:
    items = products.drop_duplicates("sku").sort_values("sku", ignore_index=True)
    kind = items["product_type"].where(items["product_type"].notna(), "?").astype(str)
    category = items["category"].where(items["category"].notna(), "?").astype(str)
    return items.assign(product_type=kind, category=category)[["sku", "product_type", "category"]]


def _usable(weekly: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Weeks that can teach: of known SKUs, with days on sale and a price, in series whose price moved."""
    keys = ["sku", "location_id"]
    rows = weekly[(weekly["days"] > 0) & weekly["sku"].isin(items["sku"])].sort_values(
        [*keys, "week"], ignore_index=True
    )
    price = _filled_price(rows, [rows[k] for k in keys])
    rows = rows.assign(price=price, log_price=np.log(price))
    rows = rows[rows["price"].notna()]
    grouped = rows.groupby(keys, sort=False)
    enough = (grouped["units"].transform("sum") > 0) & (grouped["units"].transform("size") >= _LEAST_PERIODS)
    return rows[enough & (grouped["log_price"].transform("std") > 0)].reset_index(drop=True)


def _filled_price(rows: pd.DataFrame, groups: list[pd.Series]) -> pd.Series:
    """The regular price in force; where the shop keeps no prices, the price paid, else the last one paid.

    The price paid depends on which days of a week sold, and so on demand: with promotions it makes slow items look
    far more elastic than they are. The price in force does not.
    """
    paid = rows["price"].where(rows["price"] > 0).astype(float)
    regular = rows["regular_price"].where(rows["regular_price"] > 0).astype(float)
    has_regular = regular.notna().groupby(groups, sort=False).transform("any")
    last = paid.groupby(groups, sort=False).ffill()
    price = regular.where(has_regular, last)
    return price.groupby(groups, sort=False).bfill()


def _no_estimates(items: pd.DataFrame) -> pd.DataFrame:
    return items.assign(estimate=np.nan, variance=np.inf, n_periods=0, n_prices=0)


def _own_estimates(rows: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Each SKU's own estimate with its variance, unshrunk; infinite variance where nothing was learnt."""
    panel = _panel(rows, items)
    n_kinds, n_skus = int(panel.kind.max()) + 1, len(items)
    slope, offset = _fit_types(panel, n_kinds)
    estimate, variance = _fit_skus(panel, slope, offset, n_skus)
    rounded = rows["price"].round(2)
    seen = rounded.groupby(rows["sku"], sort=False).agg(["size", "nunique"])
    spread = rows.groupby("sku")["log_price"].std().reindex(items["sku"]).fillna(0.0).to_numpy(dtype=float)
    return items.assign(
        estimate=estimate,
        variance=np.where(spread > _LEAST_SPREAD, variance, np.inf),
        n_periods=items["sku"].map(seen["size"]).fillna(0).astype("int64"),
        n_prices=items["sku"].map(seen["nunique"]).fillna(0).astype("int64"),
    )


def _panel(rows: pd.DataFrame, items: pd.DataFrame) -> _Panel:
    position = pd.Series(np.arange(len(items)), index=items["sku"])
    sku = rows["sku"].map(position).to_numpy(dtype=np.int64)
    kinds = pd.factorize(items["product_type"], sort=True)[0].astype(np.int64)
    weeks, labels = pd.factorize(rows["week"], sort=True)
    series = pd.factorize(pd.MultiIndex.from_frame(rows[["sku", "location_id"]]))[0].astype(np.int64)
    log_price = rows["log_price"].to_numpy(dtype=float)
    centre = np.bincount(series, weights=log_price) / np.bincount(series)
    return _Panel(
        units=rows["units"].to_numpy(dtype=float),
        log_price=log_price - centre[series],
        promotion=np.nan_to_num(rows["promotion_share"].to_numpy(dtype=float)),
        log_days=np.log(rows["days"].to_numpy(dtype=float)),
        series=series,
        sku=sku,
        kind=kinds[sku],
        season=kinds[sku] * len(labels) + weeks.astype(np.int64),
        block=weeks.astype(np.int64) // _BLOCK_WEEKS,
    )


def _log_effect(units: Floats, mean: Floats, group: Codes) -> Floats:
    """The log effect of each group that makes its fitted total equal its units; it stays finite."""
    size = int(group.max()) + 1
    sold = np.bincount(group, weights=units, minlength=size)
    fitted = np.bincount(group, weights=mean, minlength=size)
    return np.asarray(np.log((sold + 0.02) / (fitted + 0.02)), dtype=float)


def _fit_types(panel: _Panel, n_kinds: int) -> tuple[Floats, Floats]:
    """Price slope of each type, shape (n_kinds,), and the fitted log mean without price, one an observation."""
    slope, lift = np.full(n_kinds, -1.0), np.zeros(n_kinds)
    series_effect = np.zeros(int(panel.series.max()) + 1)
    season_effect = np.zeros(int(panel.season.max()) + 1)
    for _ in range(_SWEEPS):
        base = panel.log_days + slope[panel.kind] * panel.log_price + lift[panel.kind] * panel.promotion
        mean = np.exp(base + season_effect[panel.season])
        series_effect = _log_effect(panel.units, mean, panel.series)
        mean = np.exp(base + series_effect[panel.series])
        season_effect = _log_effect(panel.units, mean, panel.season)
        mean = mean * np.exp(season_effect[panel.season])
        slope, lift = _newton_step(panel, mean, slope, lift, n_kinds)
    offset = panel.log_days + series_effect[panel.series] + season_effect[panel.season]
    return slope, offset + lift[panel.kind] * panel.promotion


def _newton_step(panel: _Panel, mean: Floats, slope: Floats, lift: Floats, n_kinds: int) -> tuple[Floats, Floats]:
    """One Newton step for slope and promotion lift of each type, series effects profiled out."""
    x, z = _within(panel.log_price, mean, panel.series), _within(panel.promotion, mean, panel.series)
    residual = panel.units - mean

    def total(values: Floats) -> Floats:
        return np.asarray(np.bincount(panel.kind, weights=values, minlength=n_kinds), dtype=float)

    # a wide prior about the literature keeps types without information in place
    xx, zz = total(mean * x * x) + 0.5, total(mean * z * z) + 1 / _PROMOTION_PRIOR_SD**2
    xz = total(mean * x * z)
    score_x = total(residual * x) - 0.5 * (slope + 1.8)
    score_z = total(residual * z) - lift / _PROMOTION_PRIOR_SD**2
    determinant = np.maximum(xx * zz - xz * xz, 1e-12)
    step_x = (zz * score_x - xz * score_z) / determinant
    step_z = (xx * score_z - xz * score_x) / determinant
    new_slope = np.clip(slope + np.clip(step_x, -_NEWTON_LIMIT, _NEWTON_LIMIT), *_COEFFICIENT_RANGE)
    return new_slope, np.clip(lift + np.clip(step_z, -_NEWTON_LIMIT, _NEWTON_LIMIT), -3.0, 3.0)


def _within(values: Floats, weights: Floats, group: Codes) -> Floats:
    """Deviations from the weighted mean of the group."""
    size = int(group.max()) + 1
    mass = np.bincount(group, weights=weights, minlength=size)
    mean = np.bincount(group, weights=weights * values, minlength=size) / np.maximum(mass, 1e-12)
    return np.asarray(values - mean[group], dtype=float)


def _fit_skus(panel: _Panel, slope: Floats, offset: Floats, n_skus: int) -> tuple[Floats, Floats]:
    """Each SKU's own slope and its variance, the effects of series profiled out."""
    own = np.bincount(panel.sku, weights=slope[panel.kind], minlength=n_skus) / np.maximum(
        np.bincount(panel.sku, minlength=n_skus), 1
    )
    mean, x = np.zeros(0), np.zeros(0)
    information: Floats = np.zeros(n_skus)
    for _ in range(_SWEEPS):
        log_mean = offset + own[panel.sku] * panel.log_price
        mean = np.exp(log_mean)
        mean = mean * np.exp(_log_effect(panel.units, mean, panel.series))[panel.series]
        x = _within(panel.log_price, mean, panel.series)
        information = np.asarray(np.bincount(panel.sku, weights=mean * x * x, minlength=n_skus), dtype=float)
        score = np.bincount(panel.sku, weights=(panel.units - mean) * x, minlength=n_skus)
        step = np.where(information > 0, score / np.maximum(information, 1e-12), 0.0)
        own = np.clip(own + np.clip(step, -_NEWTON_LIMIT, _NEWTON_LIMIT), *_COEFFICIENT_RANGE)
    variance = _variance(panel, mean, x, information, n_skus)
    return own, variance


def _variance(panel: _Panel, mean: Floats, x: Floats, information: Floats, n_skus: int) -> Floats:
    """Sandwich variances over blocks of weeks, never below those of a Poisson with the SKU's own dispersion."""
    residual = panel.units - mean
    n_blocks = int(panel.block.max()) + 1
    scores = np.bincount(panel.sku * n_blocks + panel.block, weights=residual * x, minlength=n_skus * n_blocks)
    filled = np.bincount(panel.sku * n_blocks + panel.block, minlength=n_skus * n_blocks) > 0
    meat = (scores**2).reshape(n_skus, n_blocks).sum(axis=1)
    blocks = filled.reshape(n_skus, n_blocks).sum(axis=1)
    small = np.where(blocks > 1, blocks / np.maximum(blocks - 1, 1), 4.0)
    counts = np.maximum(np.bincount(panel.sku, minlength=n_skus), 1)
    pearson = np.bincount(panel.sku, weights=residual**2 / np.maximum(mean, 1e-9), minlength=n_skus)
    dispersion = np.maximum(pearson / np.maximum(counts - 2, 1), 1.0)
    known = information > 1e-9
    sandwich = small * meat / np.maximum(information, 1e-9) ** 2
    plain = dispersion / np.maximum(information, 1e-9)
    return np.where(known, np.maximum(sandwich, plain), np.inf)


def _shrunk(own: pd.DataFrame, items: pd.DataFrame, config: PricingConfig) -> pd.DataFrame:
    """Posterior of each SKU and type, up and down the hierarchy."""
    kinds, kind_names = pd.factorize(items["product_type"], sort=True)
    pairs = items.drop_duplicates("product_type").set_index("product_type")["category"].reindex(kind_names)
    categories, _ = pd.factorize(pairs, sort=True)
    b, v = own["estimate"].to_numpy(dtype=float), own["variance"].to_numpy(dtype=float)
    known = np.isfinite(b) & np.isfinite(v)
    tau2 = max(_between(b[known], v[known], kinds[known]), config.least_sku_sd**2)
    kind_mean, kind_var, has_kind = _pooled(
        np.where(known, b, 0.0), np.where(known, v + tau2, np.inf), kinds, len(kind_names)
    )
    between = config.between_categories_sd**2
    cat_mean, cat_var, has_cat = _pooled(kind_mean, kind_var + between, categories, int(categories.max(initial=-1)) + 1)
    top_mean, top_var = config.prior_elasticity, config.prior_elasticity_sd**2
    cat_post, cat_post_var, _ = _combine(cat_mean, cat_var, top_mean, top_var)
    kind_post, kind_post_var, kind_weight = _combine(
        kind_mean, kind_var, cat_post[categories], cat_post_var[categories] + between
    )
    post, post_var, weight = _combine(
        np.where(known, b, 0.0), np.where(known, v, np.inf), kind_post[kinds], kind_post_var[kinds] + tau2
    )
    kind_level = np.select([kind_weight >= 0.5, has_cat[categories]], ["product_type", "category"], default="prior")
    level = np.where(weight >= 0.5, "sku", kind_level[kinds])
    rows = _posterior_rows(post, post_var).assign(
        product_type=items["product_type"].to_numpy(),
        sku=items["sku"].to_numpy(),
        elasticity_level=level,
        n_periods=own["n_periods"].to_numpy(),
        n_prices=own["n_prices"].to_numpy(),
    )
    totals = own.assign(kind=kinds).groupby("kind", sort=True)[["n_periods", "n_prices"]].sum()
    types = _posterior_rows(kind_post, kind_post_var).assign(
        product_type=kind_names,
        sku=ALL,
        elasticity_level=np.where(has_kind, kind_level, np.where(has_cat[categories], "category", "prior")),
        n_periods=totals["n_periods"].to_numpy(),
        n_prices=totals["n_prices"].to_numpy(),
    )
    table = pd.concat([rows, types], ignore_index=True).sort_values(["product_type", "sku"], ignore_index=True)
    names = ["product_type", "sku", "elasticity", "elasticity_lo", "elasticity_hi", "elasticity_level"]
    return table[[*names, "n_periods", "n_prices"]]


def _between(b: Floats, v: Floats, group: Codes) -> float:
    """Variance of SKUs about the mean of their type, pooled over types, by moments."""
    if len(b) < 3:
        return 0.0
    w = 1 / v
    size = int(group.max()) + 1
    mass = np.bincount(group, weights=w, minlength=size)
    mean = np.bincount(group, weights=w * b, minlength=size) / np.maximum(mass, 1e-12)
    q = float((w * (b - mean[group]) ** 2).sum())
    squares = np.bincount(group, weights=w * w, minlength=size)
    groups = int((np.bincount(group, minlength=size) > 0).sum())
    scale = float(w.sum() - (squares / np.maximum(mass, 1e-12)).sum())
    return max(0.0, (q - (len(b) - groups)) / scale) if scale > 0 else 0.0


def _pooled(b: Floats, v: Floats, group: Codes, size: int) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Precision-weighted mean and variance of each group; infinite variance where nothing is known."""
    w = np.where(np.isfinite(v), 1 / v, 0.0)
    mass = np.bincount(group, weights=w, minlength=size)
    mean = np.bincount(group, weights=w * np.where(w > 0, b, 0.0), minlength=size) / np.maximum(mass, 1e-12)
    has_any = mass > 0
    return mean, np.where(has_any, 1 / np.maximum(mass, 1e-12), np.inf), has_any


def _combine(
    b: Floats, v: Floats, prior_mean: float | Floats, prior_var: float | Floats
) -> tuple[Floats, Floats, Floats]:
    """Posterior mean and variance of normal with normal, and the weight of the data (0-1)."""
    precision = np.where(np.isfinite(v), 1 / np.maximum(v, 1e-12), 0.0)
    total = precision + 1 / np.asarray(prior_var)
    mean = (precision * b + np.asarray(prior_mean) / np.asarray(prior_var)) / total
    return mean, 1 / total, precision / total


def _posterior_rows(mean: Floats, variance: Floats) -> pd.DataFrame:
    """Mean and 90% interval of the normal posterior cut at zero: demand does not rise with the price."""
    sd = np.sqrt(variance)
    upper = (0.0 - mean) / sd
    below_zero = stats.norm.cdf(upper)
    usable = below_zero > 1e-9
    share = np.where(usable, below_zero, 1.0)
    cut_mean = np.where(usable, mean - sd * stats.norm.pdf(upper) / share, -0.01)
    low = mean + sd * stats.norm.ppf(np.clip(0.05 * share, 1e-12, 1))
    high = mean + sd * stats.norm.ppf(np.clip(0.95 * share, 1e-12, 1))
    return pd.DataFrame(
        {
            "elasticity": np.clip(cut_mean, _STEEPEST, -1e-6),
            "elasticity_lo": np.clip(low, 2 * _STEEPEST, -1e-6),
            "elasticity_hi": np.clip(high, 2 * _STEEPEST, 0.0),
        }
    )
