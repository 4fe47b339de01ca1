"""Combinations that sell beyond their parts: character and product type, colour and collar ...

The log level of every style is explained by its elements alone (ridge); what is left over of the styles that carry
both elements of a pair is the pair's. Its lift is shrunk by what other pairs show (method of moments), and pairs are
reported so that at most ``pair_false_share`` of them are expected to be false (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from trends.config import TrendConfig

__all__ = ["PAIR_TYPES", "element_pairs", "style_levels"]

Floats = NDArray[np.float64]

PAIR_TYPES: tuple[tuple[str, str], ...] = (
    ("ip", "product_type"),
    ("character", "product_type"),
    ("colour", "collar"),
    ("colour", "motif"),
    ("collar", "sleeve"),
)
_MIN_PAIR_STYLES = 3
_RIDGE = 2.0  # styles' worth of no effect in each element
_PAIR_RIDGE = 6.0  # likewise in each pair: most have none
_MAD_TO_SD = 1.4826
_Z90 = 1.6448536269514722
_SCHEMA = {
    **dict.fromkeys(("first_type", "first_element", "second_type", "second_element"), pl.String),
    **dict.fromkeys(("lift", "lift_lo", "lift_hi", "p_value", "q_value"), pl.Float64),
    "n_styles": pl.Int64,
    "is_reported": pl.Boolean,
}


def style_levels(seasons: pl.DataFrame) -> pl.DataFrame:
    """Return ``style_id``, ``level``: each style's mean log level against its category, over regions and quarters."""
    return seasons.group_by("style_id").agg(level=pl.col("log_ratio").mean()).sort("style_id")


def element_pairs(levels: pl.DataFrame, elements: pl.DataFrame, *, config: TrendConfig) -> pl.DataFrame:
    """Return ``element_pairs``: every pair that enough styles carry, with its lift, and whether it is beyond chance.

    Args:
        levels: as :func:`style_levels` gives them.
        elements: ``style_id``, ``element_type``, ``element``.
        config: the share of false pairs allowed.
    """
    mine = elements.join(levels, on="style_id", how="semi")
    if mine.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    residual = levels.with_columns(left=pl.Series(_left_over(levels, mine)))
    left = residual["left"].to_numpy()
    # by the median: styles of a pair that sells beyond its parts are no noise
    spread = _MAD_TO_SD * float(np.median(np.abs(left)))
    found = pl.concat([_pairs_of(a, b, mine, residual) for a, b in PAIR_TYPES])
    found = found.filter(pl.col("n_styles") >= _MIN_PAIR_STYLES)
    if found.is_empty() or spread == 0:
        return pl.DataFrame(schema=_SCHEMA)
    n = found["n_styles"].to_numpy().astype(np.float64)
    mean = found["mean"].to_numpy()
    error = spread / np.sqrt(n)
    z = mean / error
    p = 2 * stats.t.sf(np.abs(z), df=max(levels.height - mine.select("element").n_unique(), 10))
    q = _false_discovery(p)
    between = max(float(np.mean(mean**2 - error**2)), 1e-6)
    kept = between / (between + error**2)
    # a pair beyond chance is an effect of its own kind: it is shrunk by its own evidence, not to the crowd of nothing
    reported = q <= config.pair_false_share
    kept = np.where(reported, np.maximum(kept, 1 - 1 / np.maximum(z * z, 1.01)), kept)
    return (
        found.with_columns(
            lift=pl.Series(np.exp(kept * mean)),
            lift_lo=pl.Series(np.exp(kept * mean - _Z90 * np.sqrt(kept) * error)),
            lift_hi=pl.Series(np.exp(kept * mean + _Z90 * np.sqrt(kept) * error)),
            p_value=pl.Series(p),
            q_value=pl.Series(q),
            is_reported=pl.Series(reported),
        )
        .select(_SCHEMA.keys())
        .cast(_SCHEMA)  # type: ignore[arg-type]
        .sort("first_type", "first_element", "second_type", "second_element")
    )


def _left_over(levels: pl.DataFrame, elements: pl.DataFrame) -> Floats:
    """Return what the elements one by one do not explain of each style's level.

    Pairs stand beside the elements while those are estimated, or an element would take a part of its pairs for its own.
    """
    alone = elements.select("style_id", column=pl.format("{}={}", "element_type", "element"))
    together = pl.concat(
        _carried_pairs(first, second, elements).select(
            "style_id", column=pl.format(f"{first}={{}}&{second}={{}}", "first_element", "second_element")
        )
        for first, second in PAIR_TYPES
    )
    x, y = _indicator(levels, alone), levels["level"].to_numpy()
    both = np.hstack([x, _indicator(levels, together)])
    penalty = np.full(both.shape[1], _PAIR_RIDGE)
    penalty[: x.shape[1]] = _RIDGE
    y = y - y.mean()
    beta = np.linalg.solve(both.T @ both + np.diag(penalty), both.T @ y)
    left = y - x @ beta[: x.shape[1]]
    return np.asarray(left - np.median(left))


def _indicator(levels: pl.DataFrame, carried: pl.DataFrame) -> Floats:
    """Return (n_styles, n_columns) ones where a style carries what a column names."""
    names = carried.select("column").unique().sort("column").with_row_index("place")
    cells = carried.join(names, on="column").join(levels.select("style_id").with_row_index("row"), on="style_id")
    x = np.zeros((levels.height, names.height))
    x[cells["row"].to_numpy(), cells["place"].to_numpy()] = 1.0
    return x


def _carried_pairs(first: str, second: str, elements: pl.DataFrame) -> pl.DataFrame:
    one = elements.filter(pl.col("element_type") == first).select("style_id", first_element="element")
    other = elements.filter(pl.col("element_type") == second).select("style_id", second_element="element")
    return one.join(other, on="style_id")


def _pairs_of(first: str, second: str, elements: pl.DataFrame, residual: pl.DataFrame) -> pl.DataFrame:
    return (
        _carried_pairs(first, second, elements)
        .join(residual, on="style_id")
        .group_by("first_element", "second_element")
        .agg(mean=pl.col("left").sort_by("style_id").mean(), n_styles=pl.len().cast(pl.Int64))
        .with_columns(first_type=pl.lit(first), second_type=pl.lit(second))
        .sort("first_element", "second_element")
    )


def _false_discovery(p: Floats) -> Floats:
    """Return the q-value of each p-value.

    >>> _false_discovery(np.array([0.01, 0.5, 0.02])).round(3).tolist()
    [0.03, 0.5, 0.03]
    """
    order = np.argsort(p, kind="stable")
    n = len(p)
    raised = p[order] * n / np.arange(1, n + 1)
    q = np.empty(n)
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return q
