"""Sizes of a style valued as a set, and the curve of what sells in which size.

A style with a size missing sells less of the others too: shops take broken sets off display, and buyers leave (Caro &
Gallien, Operations Research 58 (2010) 257-273). How much less is read from the shop's own record: what the sizes in
stock sold while a sister size was out, against what they sold while the set was whole. What that proves, and no more,
is added to what a unit of a size is worth: while one size is out, its sisters lose that share of their sales.

The sizes' shares come from periods in stock, shrunk towards the product type's curve. How far is learnt by foretelling
the second half of the record from the first; sizes beyond standard weigh at least 30% in that (``learning_weights``).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from restocking.size_audit import learning_weights

__all__ = ["broken_set_loss", "set_gain", "size_shares"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PULLS = (2.0, 10.0, 50.0, 250.0)  # units that the product type's curve counts for, to choose from [units]
_DRAWS = 200
_PROVED = 0.1  # the lower end of an 80% interval: what is not proved counts for nothing
_FEWEST_PERIODS = 50.0  # with a broken set, over all styles
_MOST_LOSS = 0.5  # of a sister's sales (share)
_MOST_GAIN = 3.0  # a unit of a rare size counts for at most so many times its own gain


def broken_set_loss(items: pd.DataFrame, *, seed: int) -> float:
    """Return the share of its sales that a size proved to lose while a sister size was out of stock (0-1).

    Args:
        items: one row per SKU and location: ``style_id``, ``whole_periods``, ``whole_units`` (in stock, as were all
            sisters), ``broken_periods``, ``broken_units`` (in stock, a sister out) [periods, units].
        seed: of the resampling of styles.
    """
    known = items.loc[(items["whole_periods"] > 0) & (items["broken_periods"] > 0)]
    if known["broken_periods"].sum() < _FEWEST_PERIODS:
        return 0.0
    usual = known["broken_periods"] * known["whole_units"] / known["whole_periods"]
    by_style = pd.DataFrame({"usual": usual, "sold": known["broken_units"]}).groupby(known["style_id"]).sum()
    picks = np.random.default_rng(seed).integers(0, len(by_style), (_DRAWS, len(by_style)))
    sold, expected = (by_style[name].to_numpy(np.float64)[picks].sum(axis=1) for name in ("sold", "usual"))
    lost = 1 - np.divide(sold, expected, out=np.ones(_DRAWS), where=expected > 0)
    return float(np.clip(np.quantile(lost, _PROVED), 0.0, _MOST_LOSS))


def size_shares(items: pd.DataFrame) -> Floats:
    """Return each SKU's share of what its style sells, shape (n,), adding up to 1 by style (0-1).

    Args:
        items: one row per SKU: ``style_id``, ``product_type``, ``size``, ``size_group``, and ``rate_1``, ``rate_2``,
            units per period in stock in the first and second half of the record, ``units`` sold [units].
    """
    rows = items.reset_index(drop=True)
    pull = _best_pull(rows)
    return _shrunk(rows, (rows["rate_1"] + rows["rate_2"]).to_numpy(np.float64), pull)


def _best_pull(rows: pd.DataFrame) -> float:
    """Return the pull that foretells the second half best, sizes beyond standard weighing at least their share."""
    weights = learning_weights(rows["size_group"])
    later = _of_style(rows, rows["rate_2"].to_numpy(np.float64))
    first = rows["rate_1"].to_numpy(np.float64)
    errors = [float(weights @ np.abs(_shrunk(rows, first, pull) - later)) for pull in _PULLS]
    return _PULLS[int(np.argmin(errors))]


def _shrunk(rows: pd.DataFrame, rate: Floats, pull: float) -> Floats:
    own = _of_style(rows, rate)
    keys = [rows["product_type"].fillna("-"), rows["size"].fillna("-")]
    usual = _of_style(rows, pd.Series(own).groupby(keys).transform("mean").to_numpy(np.float64))
    sold = rows.groupby("style_id")["units"].transform("sum").to_numpy(np.float64)
    weight = sold / (sold + pull)
    return _of_style(rows, weight * own + (1 - weight) * usual)


def _of_style(rows: pd.DataFrame, values: Floats) -> Floats:
    """Return values as shares of their style's sum; alike where the style has none."""
    style = rows["style_id"]
    total = pd.Series(values).groupby(style).transform("sum").to_numpy(np.float64)
    count = style.groupby(style).transform("size").to_numpy(np.float64)
    shares: Floats = np.divide(values, total, out=1 / count, where=total > 0)
    return shares


def set_gain(gain: Floats, *, style: Ints, share: Floats, loss: float) -> Floats:
    """Return what a unit that sells is worth with its set, shape (n,): its own gain, and its sisters' share of sales.

    A unit of a size lasts 1 / d periods at demand d; in that time its sisters sell d_j / d each, and lose ``loss`` of
    that where the size is out.

    Args:
        gain: of a unit that sells [shop.currency].
        style: number of each line's style and location; -1: no set.
        share: of each line in its style's sales (0-1).
        loss: from :func:`broken_set_loss` (0-1).

    Example: two sizes alike, a third of a sister's sales lost.
        >>> set_gain(np.array([3.0, 3.0]), style=np.array([0, 0]), share=np.array([0.5, 0.5]), loss=1 / 3).tolist()
        [4.0, 4.0]
    """
    in_set = (style >= 0) & ~np.isnan(gain) & (share > 0)
    if loss <= 0 or not in_set.any():
        return gain.copy()
    worth = np.where(in_set, gain * share, 0.0)
    total = np.bincount(np.maximum(style, 0), weights=worth)[np.maximum(style, 0)]
    sisters = np.divide(total - worth, share, out=np.zeros_like(gain), where=in_set)
    return np.where(in_set, np.minimum(gain + loss * sisters, _MOST_GAIN * gain), gain)
