"""Totals over the protection period learnt directly, for weekly shops: quantile regressions over all series.

A distribution built around a mean has the tails its shape gives it, and in a weekly shop orders are made in the upper
tail. Here gradient boosting learns the levels of the total itself, from what followed each earlier week of all series,
every series measured by its own recent mean. The published levels are the mean of both views: their errors differ, and
the mean was better than either. Whether it is here is asked of the last earlier window, by pinball loss in units.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from forecasting.config import LearnerConfig
from forecasting.intervals import LEVELS
from forecasting.panel import Panel
from forecasting.year_season import year_lift

__all__ = ["HEADS", "DirectTotals", "direct_totals", "mixed", "pinball"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEADS = (0.25, 0.5, 0.75, 0.9, 0.975)  # levels that are learnt; those between follow
_SCALE_WEEKS = 13  # of the mean that a series is measured by
_MEANS = (1, 2, 4, 8, 26, 52)  # [weeks]
_DECAYS = (0.1, 0.3)  # weight of the newest week
_SMALLEST_SCALE = 0.3  # [units/week] a series that hardly sells is not measured by nothing
_FIRST_WEEKS = 10  # of the panel before the first example
_OWN_WEEKS = 8  # of a series before its first example
_SOLD_WEEKS = 26  # with a sale among them: a dead series teaches nothing
_YEAR = 52
_LONGEST = 8  # [weeks] of a total that is learnt
_MOST_LENGTHS = 3  # that differ; rarer ones keep their own distribution
_MOST_ROWS = 60_000
_FEWEST_ROWS = 3_000
_TREES = 120
_PARAMETERS: dict[str, Any] = {
    "objective": "quantile",
    "num_leaves": 12,
    "learning_rate": 0.05,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class DirectTotals:
    """Learnt levels of totals after a panel's last week.

    Attributes:
        levels: (n, len(HEADS)) in steps of demand, ascending; NaN where a series has none.
    """

    levels: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) series that have levels."""
        return np.asarray(~np.isnan(self.levels).any(axis=1))


def direct_totals(panel: Panel, targets: Ints, lengths: Ints, *, config: LearnerConfig, seed: int) -> DirectTotals:
    """Return the levels of the totals of the next ``lengths`` weeks; nothing after the panel is read.

    Args:
        panel: weekly history of all series: all of them teach.
        targets: (m,) positions of the series asked for.
        lengths: (m,) weeks of each one's total.
        config: of the global learner: threads.
        seed: of the draws.
    """
    out = np.full((len(targets), len(HEADS)), np.nan)
    usable, counts = np.unique(lengths[lengths <= min(_LONGEST, panel.n_periods // 4)], return_counts=True)
    if panel.season > 1 or not len(usable):
        return DirectTotals(out)
    lift = year_lift(panel, horizon=int(usable.max())).astype(np.float64)
    usual = _taught(panel) / lift[:, : panel.n_periods]
    features, scale = _features(usual)
    for length in usable[np.argsort(-counts, kind="stable")][:_MOST_LENGTHS].tolist():
        examples = _examples(panel, usual, lift, length, seed=seed)
        if len(examples[1]) < _FEWEST_ROWS:
            continue
        asked = np.flatnonzero((lengths == length) & _teachable(usual, panel)[targets])
        rows = targets[asked]
        ahead = lift[rows, panel.n_periods : panel.n_periods + length].mean(axis=1) * scale[rows]
        for number, level in enumerate(HEADS):
            booster = _fitted(examples, level, config=config, seed=seed)
            out[asked, number] = np.maximum(booster.predict(features[rows]), 0.0) * ahead
    return DirectTotals(np.sort(out, axis=1))


def mixed(own: Floats, direct: DirectTotals, *, weight: float | Floats, kept: NDArray[np.bool_]) -> Floats:
    """Return (n, 11) levels: ``weight`` of the direct ones, the rest of ``own``; ``own`` where not ``kept``.

    ``weight`` is one for all, or (n,).

    Between the heads direct levels are interpolated along the normal score; beyond them own levels go along with the
    outermost head.

    Example:
        >>> heads = DirectTotals(np.array([[2.0, 4.0, 6.0, 8.0, 10.0]]))
        >>> own = np.full((1, len(LEVELS)), 6.0)
        >>> mixed(own, heads, weight=0.5, kept=np.array([True]))[0, [3, 4, 5]].tolist()
        [4.0, 5.0, 6.0]
    """
    weights = np.broadcast_to(weight, len(own))
    rows = np.flatnonzero(kept & direct.known & (weights > 0))
    if not len(rows):
        return own
    score, heads = special.ndtri(np.array(LEVELS)), special.ndtri(np.array(HEADS))
    mine = own[rows]
    found = np.stack([np.interp(score, heads, levels) for levels in direct.levels[rows]])
    share = weights[rows, None]
    both = (1 - share) * mine + share * found
    first, last = LEVELS.index(HEADS[0]), LEVELS.index(HEADS[-1])
    for edge, outside in ((first, slice(0, first)), (last, slice(last + 1, None))):
        ratio = np.divide(both[:, edge], mine[:, edge], out=np.ones(len(rows)), where=mine[:, edge] > 0)
        both[:, outside] = mine[:, outside] * ratio[:, None]
    out = own.copy()
    out[rows] = np.maximum.accumulate(both, axis=1)
    return out


def pinball(actual: Floats, levels: Floats, heads: tuple[float, ...]) -> float:
    """Return the summed pinball loss of (n, k) levels at ``heads`` [steps of demand].

    >>> pinball(np.array([3.0]), np.array([[1.0, 5.0]]), (0.5, 0.75))
    1.5
    """
    missed = actual[:, None] - levels
    tau = np.array(heads)[None, :]
    return float(np.maximum(tau * missed, (tau - 1) * missed).sum())


def _taught(panel: Panel) -> Floats:
    """Return (n, t) demand, NaN where it does not teach: not on sale, a gap, stocked out beyond recovery."""
    return np.where(panel.teaches, panel.demand, np.nan).astype(np.float64)


def _teachable(usual: Floats, panel: Panel) -> NDArray[np.bool_]:
    """Return (n,) series on sale now, long enough, and with a recent sale."""
    on_sale = ~np.isnan(panel.demand[:, -1]) & (panel.n_periods - panel.first >= _OWN_WEEKS)
    return np.asarray(on_sale & (np.nan_to_num(usual[:, -_SOLD_WEEKS:]) > 0).any(axis=1))


def _examples(panel: Panel, usual: Floats, lift: Floats, length: int, *, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return features, totals over scale, and scales, of earlier weeks spread evenly over the history.

    Totals are jittered by half a unit: levels of counts are then smooth in what is known (Machado & Santos Silva 2005).
    """
    rng = np.random.default_rng([seed, length])
    last = panel.n_periods - length
    count = max(_MOST_ROWS // max(panel.n_series, 1), 8)
    origins = np.unique(
        np.linspace(min(_FIRST_WEEKS, last), last, min(count, max(last - _FIRST_WEEKS + 1, 1))).astype(int)
    )
    known = _taught(panel)
    matrix, target, scales = [], [], []
    for origin in origins.tolist():
        coming = known[:, origin : origin + length]
        seen = (~np.isnan(coming)).sum(axis=1)
        filled = np.where(np.isnan(coming), np.nan_to_num(panel.demand[:, origin : origin + length]), coming)
        taught = (seen >= length - length // 3) & _teachable(usual[:, :origin], panel.until(origin))
        rows = np.flatnonzero(taught)
        features, scale = _features(usual[rows, :origin])
        measure = scale * lift[rows, origin : origin + length].mean(axis=1)
        matrix.append(features)
        target.append((filled[rows].sum(axis=1) + rng.random(len(rows)) - 0.5) / measure)
        scales.append(measure)
    return np.concatenate(matrix), np.concatenate(target), np.concatenate(scales)


def _fitted(examples: tuple[Floats, Floats, Floats], level: float, *, config: LearnerConfig, seed: int) -> Any:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm as lgb

    features, target, scale = examples
    parameters = {**_PARAMETERS, "alpha": level, "seed": seed, "num_threads": config.threads}
    data = lgb.Dataset(features, target, weight=np.sqrt(scale), params=parameters)
    return lgb.train(parameters, data, num_boost_round=_TREES)


def _features(usual: Floats) -> tuple[Floats, Floats]:
    """Return (n, k) features as of the end of ``usual``, and the (n,) scale [units/week]."""
    recent = usual[:, -_SCALE_WEEKS:]
    scale = np.maximum(np.nan_to_num(_mean(recent)), _SMALLEST_SCALE)
    known = ~np.isnan(recent)
    filled = np.where(known, recent, 0.0)
    spread = np.sqrt(np.maximum(_mean(recent**2) - _mean(recent) ** 2, 0))
    sold = np.nan_to_num(usual) > 0
    since = np.where(sold.any(axis=1), sold[:, ::-1].argmax(axis=1), _YEAR)
    columns = [_mean(usual[:, -weeks:]) / scale for weeks in _MEANS]
    columns += [_decayed(usual[:, -2 * _YEAR :], newest) / scale for newest in _DECAYS]
    columns += [scale, spread / scale, (filled > 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)]
    columns += [filled.max(axis=1, initial=0) / scale, np.median(filled, axis=1) / scale]
    columns += [np.minimum(since, _YEAR), np.minimum((~np.isnan(usual)).sum(axis=1), 3 * _YEAR)]
    columns += [_year_before(usual, years) for years in (1, 2)]
    lately, before = _mean(usual[:, -4:]), _mean(usual[:, -_SCALE_WEEKS:])
    columns.append(np.full(len(usual), np.nansum(lately) / max(np.nansum(before), 1e-9)))  # the whole shop's turn
    return np.column_stack(columns), scale


def _year_before(usual: Floats, years: int) -> Floats:
    """Return (n,) what the coming weeks were so many years ago, over the quarter before them; NaN unknown."""
    t = usual.shape[1]
    at = t - years * _YEAR
    if at < _SCALE_WEEKS:
        return np.full(len(usual), np.nan)
    then, before = usual[:, max(at - 1, 0) : at + 5], usual[:, at - _SCALE_WEEKS : at]
    level = np.nan_to_num(_mean(before))
    return np.clip((_mean(then) + 0.2) / (level + 0.2), 0.1, 10.0)


def _decayed(values: Floats, newest: float) -> Floats:
    weight = (1 - newest) ** np.arange(values.shape[1])[::-1]
    known = ~np.isnan(values)
    return np.asarray((np.nan_to_num(values) * weight).sum(axis=1) / np.maximum((known * weight).sum(axis=1), 1e-9))


def _mean(values: Floats) -> Floats:
    known = (~np.isnan(values)).sum(axis=1)
    total = np.nan_to_num(values).sum(axis=1)
    return np.asarray(np.divide(total, known, out=np.full(len(values), np.nan), where=known > 0))
