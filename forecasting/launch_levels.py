"""The level of a launch from what is known before it: attributes and design elements, then the shop's first order.

Log levels of past launches, and at a lower weight those of items that have long been sold, are regressed on location,
category, product type, IP, size, design elements, price and the level that the hit map foresaw (ridge, so that a rare
element says little). Where the first delivery of past launches is known, the logarithm of its size, a buyer's own
judgement, joins in a second regression. Each of the two, alone or in the mean with the comparison by groups, has to
prove itself on launches whose styles were left out; else that comparison stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Levels", "correction", "folds", "launch_levels", "loss"]

Floats = NDArray[np.float64]

_FEWEST_LAUNCHES = 40  # launches below which regressions fit noise
_FOLDS = 5  # parts of the styles, each left out once
_RIDGE = 10.0  # [launches] a column seen in so many launches is believed by half
_FREE = 1e-3  # intercepts are not shrunk
_SHARES = (0.0, 0.5, 1.0)  # weight of the regression against the comparison by groups, the plainer first
_MATURE_WEIGHT = 0.3  # of an item that was not seen at its launch
_MOST_MATURE = 6_000  # such items that a regression reads, drawn evenly
_RAREST = 5  # rows of a column
_LEAST = 0.5 / 28  # [units/period] added before logarithms: half a unit in four weeks
_LARGEST_LOG = 12.0
_ORDER_POWER = 0.5  # of the first order in the weight of a launch (demo shops of three seeds)
_ATTRIBUTES = (
    ("location_id",), ("category",), ("product_type",), ("ip",), ("location_id", "category"),
    ("location_id", "product_type"), ("category", "size"), ("location_id", "ip"), ("category", "ip"),
)  # fmt: skip
BY_ATTRIBUTES, BY_FIRST_ORDER = "attributes of past launches", "attributes and first order"


@dataclass(frozen=True)
class Levels:
    """Levels of launches [units/period], NaN unknown, and what each was read from."""

    level: Floats
    basis: NDArray[np.object_]


Plain = Callable[[Floats, Floats], Levels]


def launch_levels(
    keys: pl.DataFrame, launched: Floats, recent: Floats, *, mature: NDArray[np.bool_], plain: Plain, usual: Floats
) -> Levels:
    """Return the level of each series at its launch, in the way that foresaw past launches best.

    Args:
        keys: (n,) attributes of the series, ``elements``, ``prior_level`` and ``launch_qty`` where they are known.
        launched: (n,) levels of the launches that were seen [units/period]; NaN elsewhere.
        recent: (n,) present levels, stated at the launch [units/period]; NaN unknown.
        mature: (n,) long on sale: the present level is no longer that of a launch.
        plain: the comparison by groups, from ``launched`` and ``recent`` with some of them hidden.
        usual: (n,) periods that each launched level was seen for, at 1 a period at the launch: errors count in units.
    """
    found = plain(launched, recent)
    seen = np.flatnonzero(~np.isnan(launched))
    if len(seen) < _FEWEST_LAUNCHES or not launched[seen].sum() > 0:
        return found
    fold = folds(keys)
    columns = _columns(keys)
    long_sold = np.where(mature, recent, np.nan)
    held_out, judged = np.full(len(launched), np.nan), np.full(len(launched), np.nan)
    for number in range(_FOLDS):
        hidden = fold == number
        shown = np.where(hidden, np.nan, launched)
        rows = seen[hidden[seen]]
        judged[rows] = plain(shown, np.where(hidden, np.nan, recent)).level[rows]
        held_out[rows] = _ridge(columns, shown, np.where(hidden, np.nan, long_sold))[rows]
    sold, weight = launched[seen] * usual[seen], usual[seen]
    factor = correction(sold, held_out[seen] * weight)
    held_out *= factor
    scores = {share: loss(sold, _mixed(judged, held_out, share)[seen] * weight) for share in _SHARES}
    best = min(_SHARES, key=lambda share: round(scores[share], 9))
    if best > 0:
        level = _mixed(found.level, factor * _ridge(columns, launched, long_sold), best)
        found = Levels(level, np.full(len(level), BY_ATTRIBUTES, dtype=object))
    return _with_first_order(keys, launched, found, _mixed(judged, held_out, best), fold, usual)


def _mixed(plain: Floats, fitted: Floats, share: float) -> Floats:
    """Return the mean of both levels; the fitted one alone where there is no other."""
    return np.where(np.isnan(plain) & (share > 0), fitted, (1 - share) * plain + share * fitted)


def loss(actual: Floats, forecast: Floats) -> float:
    """Return (sum of absolute errors + half the absolute sum of errors) / sum of actuals; a missing forecast is 0.

    Half, because a quantile of a launch is read from its own calibration, which puts a bias of all launches right.

    >>> loss(np.array([2.0, 2.0]), np.array([1.0, 4.0]))
    0.875
    """
    error = np.nan_to_num(forecast) - actual
    return float((np.abs(error).sum() + 0.5 * abs(error.sum())) / actual.sum())


def folds(keys: pl.DataFrame) -> NDArray[np.int64]:
    """Return the part that each series is left out with: sizes and locations of one style share theirs."""
    names = [c for c in ("style_id", "sku") if c in keys.columns]
    rank = keys.select(pl.coalesce(names).rank("dense")).to_series().to_numpy().astype(np.int64)
    return np.asarray(rank % _FOLDS)


def correction(actual: Floats, forecast: Floats) -> float:
    """Return the factor on the median of logs, by loss: none, or the root of what would make the sums equal.

    The whole of it would follow the one launch in a hundred that sells a hundredfold.
    """
    total = np.nansum(forecast)
    if not total > 0:
        return 1.0
    root = float(np.sqrt(np.clip(actual.sum() / total, 0.25, 9.0)))
    return root if loss(actual, root * forecast) < loss(actual, forecast) else 1.0


def _columns(keys: pl.DataFrame) -> Floats:
    """Return (n, k) columns of attributes, elements, price and the level foreseen, zero where unknown."""
    parts = []
    for names in _ATTRIBUTES:
        if all(c in keys.columns for c in names):
            parts.append(_indicators(keys.select(pl.concat_str(names, separator="\n")).to_series()))
    if "elements" in keys.columns:
        parts.append(_element_columns(keys))
    if "regular_price" in keys.columns:
        by = [c for c in ("product_type",) if c in keys.columns] or pl.lit(0)
        price = pl.when(pl.col("regular_price") > 0).then(pl.col("regular_price").cast(pl.Float64).log())
        relative = keys.select((price - price.mean().over(by)).fill_null(0).fill_nan(0)).to_series()
        parts.append(relative.to_numpy()[:, None])
    if "prior_level" in keys.columns:
        parts.append(keys["prior_level"].log().fill_null(0.0).to_numpy()[:, None])
    return np.concatenate(parts, axis=1) if parts else np.zeros((keys.height, 0))


def _indicators(values: pl.Series) -> Floats:
    """Return a column for each value that enough rows have."""
    counted = values.drop_nulls().value_counts().filter(pl.col("count") >= _RAREST)
    names = counted[counted.columns[0]].sort().to_list()
    code = values.replace_strict(names, range(len(names)), default=-1, return_dtype=pl.Int64).to_numpy()
    return np.asarray(code[:, None] == np.arange(len(names))[None, :], dtype=np.float64)


def _element_columns(keys: pl.DataFrame) -> Floats:
    cells = keys.select("elements").with_row_index("row").explode("elements").drop_nulls("elements")
    frequent = cells.group_by("elements").len().filter(pl.col("len") >= _RAREST).sort("elements")
    placed = cells.join(frequent.select("elements").with_row_index("column"), on="elements")
    out = np.zeros((keys.height, frequent.height))
    out[placed["row"].to_numpy(), placed["column"].to_numpy()] = 1.0
    return out


def _ridge(columns: Floats, launched: Floats, mature: Floats) -> Floats:
    """Return (n,) levels at launch [units/period], median of logs, fitted to the levels that are not NaN."""
    new = np.flatnonzero(~np.isnan(launched))
    old = np.flatnonzero(np.isnan(launched) & ~np.isnan(mature))
    old = old[:: max(-(-len(old) // _MOST_MATURE), 1)]
    rows = np.concatenate([new, old])
    is_new = np.concatenate([np.ones(len(new)), np.zeros(len(old))])
    kept = columns[:, (columns[rows] != 0).sum(axis=0) >= _RAREST]
    level = np.log(np.concatenate([launched[new], mature[old]]) + _LEAST)
    weight = np.where(is_new > 0, 1.0, _MATURE_WEIGHT)
    design = np.concatenate([np.ones((len(rows), 1)), is_new[:, None], kept[rows]], axis=1)
    penalty = np.full(design.shape[1], _RIDGE)
    penalty[:2] = _FREE
    weighted = design * weight[:, None]
    effect = np.linalg.solve(weighted.T @ design + np.diag(penalty), weighted.T @ level)
    logs = effect[0] + effect[1] + kept @ effect[2:]
    return np.asarray(np.round(np.maximum(np.exp(np.minimum(logs, _LARGEST_LOG)) - _LEAST, 0), 9))


def _with_first_order(
    keys: pl.DataFrame, launched: Floats, found: Levels, judged: Floats, fold: NDArray[np.int64], usual: Floats
) -> Levels:
    """Return the levels with the size of the first order in them, where it is known and has proved itself.

    Args:
        keys: with ``launch_qty``, or nothing changes.
        launched: (n,) levels of launches seen.
        found: levels so far.
        judged: (n,) the same for launches whose styles were left out.
        fold: (n,) part of each series.
        usual: (n,) periods that each launched level was seen for.
    """
    if "launch_qty" not in keys.columns:
        return found
    quantity = keys["launch_qty"].cast(pl.Float64).fill_null(0).to_numpy()
    usable = ~np.isnan(launched) & ~np.isnan(judged) & (quantity > 0)
    rows = np.flatnonzero(usable)
    if len(rows) < _FEWEST_LAUNCHES or not launched[rows].sum() > 0:
        return found
    held_out = np.full(len(launched), np.nan)
    for number in range(_FOLDS):
        left = rows[fold[rows] == number]
        effect = _ordered_fit(judged[rows], quantity[rows], launched[rows], fold[rows] != number)
        held_out[left] = _ordered_level(effect, judged[left], quantity[left])
    sold, weight = launched[rows] * usual[rows], usual[rows]
    factor = correction(sold, held_out[rows] * weight)
    if not loss(sold, factor * held_out[rows] * weight) < loss(sold, judged[rows] * weight):
        return found
    effect = _ordered_fit(judged[rows], quantity[rows], launched[rows], np.ones(len(rows), dtype=np.bool_))
    told = (quantity > 0) & ~np.isnan(found.level)
    level = factor * _ordered_level(effect, np.where(told, found.level, 1.0), np.where(told, quantity, 1.0))
    return Levels(np.where(told, level, found.level), np.where(told, BY_FIRST_ORDER, found.basis))


def _ordered_fit(judged: Floats, quantity: Floats, launched: Floats, rows: NDArray[np.bool_]) -> Floats:
    design = np.stack([np.ones(len(judged)), np.log(judged + _LEAST), np.log(quantity)], axis=1)[rows]
    weighted = design * _order_weights(quantity[rows])[:, None]
    penalised = weighted.T @ design + np.diag([_FREE, 1.0, 1.0])
    return np.asarray(np.linalg.solve(penalised, weighted.T @ np.log(launched[rows] + _LEAST)))


def _order_weights(quantity: Floats) -> Floats:
    """Return the weights of launches, 1 on average: logarithms of large ones are surer, and their units are at stake.

    Unweighted, launches of a unit or two bend the line, and the largest are foreseen at twice their first order.
    """
    weight = quantity**_ORDER_POWER
    return np.asarray(weight / weight.mean())


def _ordered_level(effect: Floats, judged: Floats, quantity: Floats) -> Floats:
    logs = effect[0] + effect[1] * np.log(judged + _LEAST) + effect[2] * np.log(quantity)
    return np.asarray(np.round(np.maximum(np.exp(np.minimum(logs, _LARGEST_LOG)) - _LEAST, 0), 9))
