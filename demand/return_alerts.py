"""Return alerts: styles and sizes that come back for their size or their fabric far more often than their category.

The rate of a style and size is returns for the reason over units sold, recent sales counted only as far as their
returns can have come back by now. It is compared with the rest of its category as a posterior: an alert stands where
the rate exceeds 1.5 times the category's with a probability of at least 95%.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import polars as pl
from scipy import special, stats

from demand.config import ReturnConfig
from demand.panel import Floats, Ints

__all__ = ["Advice", "AlertReason", "lag_distribution", "return_alerts", "return_reasons"]

ALL_SIZES = "*"
_STRENGTHS = np.array([10.0, 20, 40, 80, 160, 320, 640])  # of the prior, in units sold
_NODES = 64  # quantiles that stand for what the category's rate may be
_ONE_SIDED = 0.7  # share of the size returns that say too small (or too large) from which the text is to blame
_SIGNS = {
    "size": (
        *("size", "too small", "too large", "too tight", "too loose", "too short", "too long", "fit"),
        *("尺码", "尺寸", "偏大", "偏小", "大小"),
    ),
    "fabric": ("fabric", "material", "cloth", "texture", "thin", "scratch", "面料", "材质", "布料", "质感"),
}
_SMALL, _LARGE = ("small", "tight", "short", "偏小", "太小"), ("large", "loose", "big", "long", "偏大", "太大")
_KEYS = ["style_id", "size"]


class AlertReason(StrEnum):
    """What the buyers blame."""

    SIZE = "size"
    FABRIC = "fabric"


class Advice(StrEnum):
    """What to look at."""

    RUNS_SMALL = "size_text_runs_small"
    RUNS_LARGE = "size_text_runs_large"
    PATTERN = "check_pattern"
    FABRIC_TEXT = "check_fabric_text"


def return_reasons(texts: pl.Series) -> pl.DataFrame:
    """Return ``reason`` (``size``, ``fabric`` or null) and ``side`` (``small``, ``large`` or null) of shops' texts.

    >>> return_reasons(pl.Series(["size_too_small", "Fabric thin", "changed_mind"]))["reason"].to_list()
    ['size', 'fabric', None]
    """
    lowered = texts.cast(pl.String).fill_null("").str.to_lowercase()
    found = pl.DataFrame({"text": lowered})

    def says(words: tuple[str, ...]) -> pl.Expr:
        return pl.col("text").str.contains_any(list(words))

    return found.select(
        reason=pl.when(says(_SIGNS["fabric"])).then(pl.lit("fabric")).when(says(_SIGNS["size"])).then(pl.lit("size")),
        side=pl.when(says(_SMALL)).then(pl.lit("small")).when(says(_LARGE)).then(pl.lit("large")),
    )


def lag_distribution(lags: Ints, ages: Ints, weights: Floats, *, longest: int) -> Floats:
    """Return P(lag <= l) for l = 0 ... ``longest``, of a return that comes back within ``longest`` days.

    A return is seen only if its lag is no longer than its sale is old: the lags of recent sales are truncated from
    the right, and a plain histogram would make returns look quicker than they are. Source: the product-limit estimator
    for right-truncated data, Lynden-Bell (1971).

    Args:
        lags: days from sale to return, shape (n,).
        ages: days from sale to the run date, shape (n,); no smaller than the lag.
        weights: units of each return, shape (n,) [units].
        longest: lags beyond count as this one [days].

    >>> lag_distribution(np.array([1, 2]), np.array([9, 9]), np.ones(2), longest=3).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    if not len(lags):
        return np.ones(longest + 1)
    lag, age = np.minimum(lags, longest), np.minimum(ages, longest)
    came = np.bincount(lag, weights=weights, minlength=longest + 1)
    # at risk at l: returns with lag <= l whose sale is at least l days old
    old = np.bincount(age, weights=weights, minlength=longest + 1)
    at_risk = np.cumsum(came) - (np.cumsum(old) - old)
    with np.errstate(invalid="ignore", divide="ignore"):
        stays = np.where(at_risk > 0, 1.0 - came / np.maximum(at_risk, came), 1.0)
    below = np.concatenate([np.cumprod(stays[::-1])[::-1][1:], [1.0]])
    out: Floats = np.clip(below, 0.0, 1.0)
    return out


def return_alerts(
    sales: pl.DataFrame, returns: pl.DataFrame, items: pl.DataFrame, *, run_day: int, config: ReturnConfig
) -> pl.DataFrame:
    """Return the styles and sizes that come back too often, in the columns of the table ``return_alerts``.

    Args:
        sales: one row per order line of ordinary demand: ``order_line_id``, ``day`` (day number), ``sku``, ``units``.
        returns: one row per matched part of a return: ``order_line_id``, ``day`` (of the return), ``units``, ``reason``
            (as the shop writes it; null: not told).
        items: ``sku``, ``style_id``, ``size``, ``category``.
        run_day: day number of the run date.
        config: window and thresholds.
    """
    recent = sales.filter(pl.col("day").is_between(run_day - config.alert_days + 1, run_day) & (pl.col("units") > 0))
    back = returns.join(recent.select("order_line_id", "sku", sold_on="day"), on="order_line_id", how="inner")
    back = back.with_columns(lag=pl.col("day") - pl.col("sold_on"), age=run_day - pl.col("sold_on"))
    lags = lag_distribution(
        back["lag"].to_numpy(), back["age"].to_numpy(), back["units"].to_numpy(), longest=config.longest_lag_days
    )
    ripe = lags[np.minimum(run_day - recent["day"].to_numpy(), config.longest_lag_days)]
    known = items.filter(pl.col("style_id").is_not_null() & pl.col("category").is_not_null())
    known = known.select("sku", "category", "style_id", pl.col("size").fill_null(ALL_SIZES))
    exposed = recent.with_columns(exposure=pl.col("units") * ripe).join(known, on="sku", how="inner")
    told = back.drop("reason").hstack(return_reasons(back["reason"])).drop_nulls("reason")
    told = told.join(known, on="sku", how="inner")
    sold = exposed.group_by("category", *_KEYS).agg(pl.col("units", "exposure").sum()).sort("category", *_KEYS)
    found = [_alerts(sold, told, reason, config=config) for reason in AlertReason]
    rows = pl.concat(found).sort("style_id", "size", "p_above", descending=[False, False, True])
    return rows.unique(_KEYS, keep="first", maintain_order=True)


def _alerts(sold: pl.DataFrame, told: pl.DataFrame, reason: AlertReason, *, config: ReturnConfig) -> pl.DataFrame:
    """Return the alerts for one reason: by style and size, and for a style as a whole.

    A style stands as a whole where the reason is its fabric, or where several of its sizes are at fault: then its
    sizes are not listed one by one.
    """
    counts = (
        told.filter(pl.col("reason") == reason.value)
        .group_by("category", *_KEYS)
        .agg(
            back=pl.col("units").sum(),
            small=pl.col("units").filter(pl.col("side") == "small").sum(),
            large=pl.col("units").filter(pl.col("side") == "large").sum(),
        )
    )
    cells = sold.join(counts, on=["category", *_KEYS], how="left").with_columns(
        pl.col("back", "small", "large").fill_null(0.0)
    )
    styles = (
        cells.group_by("category", "style_id")
        .agg(pl.col("units", "exposure", "back", "small", "large").sum(), sizes=pl.len())
        .with_columns(size=pl.lit(ALL_SIZES))
        .sort("category", "style_id")
    )
    by_size = _judged(cells, styles, config=config)
    whole = _judged(styles.select(cells.columns), styles, config=config)
    several = by_size.group_by("style_id").len().filter(pl.col("len") > 1)["style_id"]
    if reason is AlertReason.SIZE:
        whole = whole.filter(pl.col("style_id").is_in(several.implode()))
    alone = by_size.filter(~pl.col("style_id").is_in(whole["style_id"].implode()))
    return pl.concat([whole, alone]).select(
        *_KEYS,
        reason=pl.lit(reason.value),
        sold_units="units",
        returned_units="back",
        return_rate="rate",
        return_rate_lo="rate_lo",
        return_rate_hi="rate_hi",
        category_rate="category_rate",
        p_above="p_above",
        advice=_advice(reason),
    )


def _advice(reason: AlertReason) -> pl.Expr:
    if reason is AlertReason.FABRIC:
        return pl.lit(Advice.FABRIC_TEXT.value)
    told = pl.col("small") + pl.col("large")
    return (
        pl.when((told > 0) & (pl.col("small") >= _ONE_SIDED * told))
        .then(pl.lit(Advice.RUNS_SMALL.value))
        .when((told > 0) & (pl.col("large") >= _ONE_SIDED * told))
        .then(pl.lit(Advice.RUNS_LARGE.value))
        .otherwise(pl.lit(Advice.PATTERN.value))
    )


def _judged(cells: pl.DataFrame, styles: pl.DataFrame, *, config: ReturnConfig) -> pl.DataFrame:
    """Return the cells whose rate exceeds that of the other styles of their category, with rates and interval.

    Rates are beta-distributed around the category's; how closely is estimated from the styles (empirical Bayes).
    """
    totals = styles.group_by("category").agg(all_back=pl.col("back").sum(), all_exposed=pl.col("exposure").sum())
    own = styles.select("category", "style_id", own_back="back", own_exposed="exposure")
    cells = cells.join(totals, on="category", how="left").join(own, on=["category", "style_id"], how="left")
    cells = cells.filter((pl.col("back") >= config.alert_min_units) & (pl.col("all_exposed") > pl.col("own_exposed")))
    if cells.is_empty():
        return cells.with_columns(
            pl.lit(0.0).alias(n) for n in ("rate", "rate_lo", "rate_hi", "category_rate", "p_above")
        )
    back, exposed = (cells[c].to_numpy().astype(float) for c in ("back", "exposure"))
    rest_back = (cells["all_back"] - cells["own_back"]).to_numpy()
    rest_exposed = (cells["all_exposed"] - cells["own_exposed"]).to_numpy()
    usual = (rest_back + 0.5) / (rest_exposed + 1.0)
    strength = _prior_strength(styles)
    a, b = back + strength * usual, np.maximum(exposed - back, 0.0) + strength * (1.0 - usual)
    nodes = (np.arange(_NODES) + 0.5) / _NODES
    category = stats.beta.ppf(
        nodes[None, :], (rest_back + 0.5)[:, None], (np.maximum(rest_exposed - rest_back, 0.0) + 0.5)[:, None]
    )
    limit = np.minimum(config.alert_ratio * category, 1.0)
    above = np.asarray(stats.beta.sf(limit, a[:, None], b[:, None])).mean(axis=1)
    judged = cells.with_columns(
        rate=pl.Series(a / (a + b)),
        rate_lo=pl.Series(np.asarray(stats.beta.ppf(0.05, a, b))),
        rate_hi=pl.Series(np.asarray(stats.beta.ppf(0.95, a, b))),
        category_rate=pl.Series(usual),
        p_above=pl.Series(above),
    )
    return judged.filter(pl.col("p_above") >= config.alert_probability)


def _prior_strength(styles: pl.DataFrame) -> float:
    """Return how closely styles keep to their category's rate [units], the likeliest of a grid (beta-binomial)."""
    seen = styles.filter(pl.col("exposure") >= 1.0)
    if seen.is_empty():
        return float(_STRENGTHS[0])
    usual = seen.select(rate=pl.col("back").sum().over("category") / pl.col("exposure").sum().over("category"))
    rate = np.clip(usual["rate"].to_numpy(), 1e-4, 1 - 1e-4)
    k = seen["back"].to_numpy().astype(float)
    n = np.maximum(seen["exposure"].to_numpy(), k)
    a, b = _STRENGTHS[:, None] * rate, _STRENGTHS[:, None] * (1 - rate)
    likelihood = (special.betaln(k + a, n - k + b) - special.betaln(a, b)).sum(axis=1)
    return float(_STRENGTHS[int(np.argmax(likelihood))])
