"""Combinations that sell beyond their parts: character and product type, colour and collar ...

The log level of every style is explained by its elements alone, as random effects whose size is learned by element
type; what is left over of the styles that carry both elements of a pair is the pair's. Only pairs that could show a
lift at all are tested (independent filtering, Bourgon et al. 2010). A lift is shrunk by what other pairs show (method
of moments), and pairs are reported so that at most ``pair_false_share`` of them are expected to be false (Benjamini and
Hochberg 1995).
"""

from __future__ import annotations

from dataclasses import dataclass

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
_RIDGES = (0.5, 1000.0)  # styles' worth of no effect in an element, at least and at most
_ROUNDS = 20  # of learning how much the elements of a type differ
_TESTED_OWN = 5.0  # styles' worth of its own that a pair needs to be tested: with fewer no usual lift would show
_PAIR_RIDGE = 0.5  # likewise in a pair already found
_MAX_REPORTED = 60
_LEAST_OWN = 0.5  # styles' worth of a pair that its elements do not explain: with less nothing can be said
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
    pairs = _pairs(levels, mine)
    if pairs.names.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    mean, error, p, q = _tested(levels, mine, pairs, config)
    found = pairs.names
    z = mean / error
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
            n_styles=pl.Series(pairs.member.sum(axis=0).astype(np.int64)),
        )
        .select(_SCHEMA.keys())
        .cast(_SCHEMA)  # type: ignore[arg-type]
        .sort("first_type", "first_element", "second_type", "second_element")
    )


@dataclass(frozen=True)
class _Pairs:
    """Pairs that enough styles carry: their names, and (n_styles, n_pairs) which style carries which."""

    names: pl.DataFrame
    member: Floats


def _pairs(levels: pl.DataFrame, elements: pl.DataFrame) -> _Pairs:
    keys = ["first_type", "first_element", "second_type", "second_element"]
    parts = []
    for first, second in PAIR_TYPES:
        one = elements.filter(pl.col("element_type") == first).select("style_id", first_element="element")
        other = elements.filter(pl.col("element_type") == second).select("style_id", second_element="element")
        parts.append(one.join(other, on="style_id").with_columns(first_type=pl.lit(first), second_type=pl.lit(second)))
    carried = pl.concat(parts).filter(pl.len().over(keys) >= _MIN_PAIR_STYLES)
    names = carried.select(keys).unique().sort(keys)
    return _Pairs(names, _members(levels, carried, names, keys))


def _members(levels: pl.DataFrame, carried: pl.DataFrame, names: pl.DataFrame, keys: list[str]) -> Floats:
    """Return (n_styles, n_names) ones where a style carries what a name stands for."""
    cells = carried.join(names.with_row_index("place"), on=keys).join(
        levels.select("style_id").with_row_index("row"), on="style_id"
    )
    member = np.zeros((levels.height, names.height))
    member[cells["row"].to_numpy(), cells["place"].to_numpy()] = 1.0
    return member


def _tested(
    levels: pl.DataFrame, elements: pl.DataFrame, pairs: _Pairs, config: TrendConfig
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return each pair's mean beyond its parts, its standard error, p-value and q-value.

    The pair with the most evidence is taken out of its elements' levels before the next is looked for: an element one
    of whose pairs sells well would otherwise look better than it is, and its other pairs worse.
    """
    keys = ["element_type", "element"]
    names = elements.select(keys).unique().sort(keys)
    x = _members(levels, elements, names, keys)
    kinds = names["element_type"].rank("dense").to_numpy().astype(np.int64) - 1
    y = levels["level"].to_numpy() - float(np.mean(levels["level"].to_numpy()))
    penalty = _penalties(x, y, kinds)
    chosen: list[int] = []
    for _ in range(_MAX_REPORTED):
        mean, error, own = _beyond_parts(x, y, pairs.member, chosen, penalty)
        # beyond their parts, not below: one side
        p = stats.t.sf(mean / error, df=max(len(y) - x.shape[1], 10))
        tested = (own >= _TESTED_OWN) | np.isin(np.arange(len(p)), chosen)
        q = np.ones(len(p))
        q[tested] = _false_discovery(p[tested])
        new = [int(i) for i in np.flatnonzero(q <= config.pair_false_share) if i not in chosen]
        if not new:
            break
        chosen.append(min(new, key=lambda i: (p[i], i)))
    return mean, error, p, q


def _penalties(x: Floats, y: Floats, kinds: NDArray[np.int64]) -> Floats:
    """Return by column the noise of a style over the variance between elements of its type [styles].

    Fixed point of the marginal likelihood (MacKay 1992): each type's variance is its effects' sum of squares over the
    number of them that the data determine.
    """
    penalty = np.full(x.shape[1], 1.0)
    gram, product = x.T @ x, x.T @ y
    for _ in range(_ROUNDS):
        inverse = np.linalg.inv(gram + np.diag(penalty))
        beta = inverse @ product
        told = 1 - penalty * np.diag(inverse)
        noise = float(((y - x @ beta) ** 2).sum()) / max(len(y) - float(told.sum()), 1.0)
        squares, known = np.bincount(kinds, beta**2), np.bincount(kinds, told)
        between = squares / np.maximum(known, 1e-6)
        penalty = np.clip(noise / np.maximum(between, 1e-9), *_RIDGES)[kinds]
    return penalty


def _beyond_parts(
    x: Floats, y: Floats, member: Floats, chosen: list[int], ridge: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return each pair's effect beside the elements and pairs already chosen, its standard error, its own styles.

    The effect of a column that is added to a regression (Frisch and Waugh 1933): its covariance with what is left over,
    over the part of it that the others do not explain.
    """
    both = np.hstack([x, member[:, chosen]])
    penalty = np.concatenate([ridge, np.full(len(chosen), _PAIR_RIDGE)])
    inverse = np.linalg.inv(both.T @ both + np.diag(penalty))
    beta = inverse @ (both.T @ y)
    left = y - both @ beta
    # by the median: styles of a pair that sells beyond its parts are no noise
    spread = max(_MAD_TO_SD * float(np.median(np.abs(left - np.median(left)))), 1e-9)
    spread *= float(np.sqrt(len(y) / max(len(y) - both.shape[1], 1)))
    shared = both.T @ member
    own = np.maximum(member.sum(axis=0) - (shared * (inverse @ shared)).sum(axis=0), _LEAST_OWN)
    mean = member.T @ left / own
    for place, pair in enumerate(chosen):
        column = x.shape[1] + place
        mean[pair], own[pair] = beta[column], 1 / inverse[column, column]
    return mean, spread / np.sqrt(own), own


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
