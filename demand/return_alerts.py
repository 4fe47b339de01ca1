"""Return alerts: styles and sizes that come back for their size or their fabric far more often than their category.

The rate of a style and size is returns for the reason over units sold, recent sales counted only as far as their
returns can have come back by now. It is compared with the rest of its category as a posterior
(:mod:`demand.return_ratios`): an alert stands where the rate exceeds 1.5 times the category's with a probability of
at least 95%, unless the sales of the last half-year alone take it back.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import polars as pl
from scipy import stats

from demand.config import ReturnConfig
from demand.panel import Floats, Ints
from demand.return_ratios import ratio_posterior

__all__ = ["Advice", "AlertReason", "lag_distribution", "return_alerts", "return_reasons"]

ALL_SIZES = "*"
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
_COUNTS = ("back", "squares", "late_back", "small", "large")  # of the returns for one reason [units]


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
    late = run_day - config.alert_recent_days
    exposed = exposed.with_columns(late_exposure=pl.when(pl.col("day") > late).then("exposure").otherwise(0.0))
    told = back.drop("reason").hstack(return_reasons(back["reason"])).drop_nulls("reason")
    told = told.join(known, on="sku", how="inner").with_columns(is_late=pl.col("sold_on") > late)
    sold = exposed.group_by("category", *_KEYS).agg(pl.col("units", "exposure", "late_exposure").sum())
    sold = sold.sort("category", *_KEYS)
    found = [_alerts(sold, told, reason, config=config) for reason in AlertReason]
    rows = pl.concat(found).sort("style_id", "size", "p_above", descending=[False, False, True])
    return rows.unique(_KEYS, keep="first", maintain_order=True)


def _alerts(sold: pl.DataFrame, told: pl.DataFrame, reason: AlertReason, *, config: ReturnConfig) -> pl.DataFrame:
    """Return the alerts for one reason: by style and size, and for a style as a whole.

    A style stands as a whole where the reason is its fabric, or where several of its sizes are at fault: then its
    sizes are not listed one by one.
    """
    of_reason = told.filter(pl.col("reason") == reason.value)
    of_reason = of_reason.with_columns(of_line=pl.col("units").sum().over("order_line_id"))
    counts = of_reason.group_by("category", *_KEYS).agg(
        back=pl.col("units").sum(),
        squares=(pl.col("units") * pl.col("of_line")).sum(),
        late_back=pl.col("units").filter("is_late").sum(),
        small=pl.col("units").filter(pl.col("side") == "small").sum(),
        large=pl.col("units").filter(pl.col("side") == "large").sum(),
    )
    cells = sold.join(counts, on=["category", *_KEYS], how="left").with_columns(pl.col(_COUNTS).fill_null(0.0))
    styles = (
        cells.group_by("category", "style_id")
        .agg(pl.col("units", "exposure", "late_exposure", *_COUNTS).sum())
        .with_columns(size=pl.lit(ALL_SIZES))
        .sort("category", "style_id")
    )
    by_size = _judged(cells, styles, config=config)
    whole = _judged(styles.select(cells.columns), styles, config=config)
    if reason is AlertReason.SIZE:
        whole = _beyond_one_size(whole, by_size, limit=config.alert_ratio)
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


def _beyond_one_size(whole: pl.DataFrame, by_size: pl.DataFrame, *, limit: float) -> pl.DataFrame:
    """Return the styles at fault as a whole: without their one size at fault they still exceed the limit."""
    sizes = by_size.group_by("style_id").agg(
        n_sizes=pl.len(), size_back=pl.col("back").sum(), size_exposure=pl.col("exposure").sum()
    )
    others = whole.join(sizes, on="style_id", how="left", maintain_order="left").with_columns(
        pl.col("n_sizes", "size_back", "size_exposure").fill_null(0)
    )
    rate = (pl.col("back") - pl.col("size_back")) / (pl.col("exposure") - pl.col("size_exposure")).clip(1e-9)
    return others.filter((pl.col("n_sizes") != 1) | (rate > limit * pl.col("category_rate"))).select(whole.columns)


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

    Args:
        cells: ``units``, ``exposure`` and ``back`` of styles, or of styles and sizes [units].
        styles: the same of whole styles.
        config: thresholds.
    """
    totals = styles.group_by("category").agg(all_back=pl.col("back").sum(), all_exposed=pl.col("exposure").sum())
    own = styles.select("category", "style_id", own_back="back", own_exposed="exposure")
    cells = cells.join(totals, on="category", how="left").join(own, on=["category", "style_id"], how="left")
    cells = cells.filter((pl.col("exposure") > 0) & (pl.col("all_exposed") > pl.col("own_exposed")))
    rest = {"rest_back": pl.col("all_back") - pl.col("own_back")}
    rest["rest_exposed"] = pl.col("all_exposed") - pl.col("own_exposed")
    cells = cells.with_columns(**rest)
    told = ("back", "exposure", "rest_back", "rest_exposed")
    found = ratio_posterior(*(cells[name].to_numpy().astype(float) * _independent_share(cells) for name in told))
    usual = (cells["rest_back"].to_numpy() + 0.5) / (cells["rest_exposed"].to_numpy() + 1.0)
    judged = cells.with_columns(
        rate=pl.Series(np.minimum(found.mean * usual, 1.0)),
        rate_lo=pl.Series(np.minimum(found.quantile(0.05) * usual, 1.0)),
        rate_hi=pl.Series(np.minimum(found.quantile(0.95) * usual, 1.0)),
        category_rate=pl.Series(usual),
        p_above=pl.Series(found.above(config.alert_ratio)),
    )
    is_enough = pl.col("back") >= config.alert_min_units
    alarming = judged.filter(is_enough & (pl.col("p_above") >= config.alert_probability))
    return alarming.filter(~_is_corrected(alarming, config=config))


def _independent_share(cells: pl.DataFrame) -> Floats:
    """Return the share of each cell's units that were decided on by themselves (0-1).

    Fifty units of one line that come back together are one buyer's verdict: Kish's design effect, inverted.
    """
    back, squares = (cells[name].to_numpy().astype(float) for name in ("back", "squares"))
    out: Floats = np.where(squares > 0, np.minimum(back / np.maximum(squares, 1e-9), 1.0), 1.0)
    return out


def _is_corrected(cells: pl.DataFrame, *, config: ReturnConfig) -> pl.Series:
    """Return which cells the sales of late, taken alone, clear: somebody has corrected the text or the pattern."""
    back = cells["late_back"].to_numpy().astype(float) * _independent_share(cells)
    kept = np.maximum(cells["late_exposure"].to_numpy().astype(float) * _independent_share(cells) - back, 0.0)
    limit = np.minimum(config.alert_ratio * cells["category_rate"].to_numpy(), 1.0)
    above = np.asarray(stats.beta.sf(limit, back + 0.5, kept + 0.5))  # Jeffreys: late sales speak for themselves
    return pl.Series(above < config.alert_taken_back)
