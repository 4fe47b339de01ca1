"""Forecasts of whole departments, day by day, that the forecasts of their series are led to: middle-out.

What a location sells of a product type (category where items have none) shows its weekdays and its level plainly, where
single series drown them in chance and a learner of all series pulls them to what is common. So each such node gets a
forecast of its own: a slowly moving level times the weekday profile of the last weeks, days that were out of the
ordinary put right, over demand without what events, signals and days of the month did to it. Its geometric mean with
the sums of the learner leads the series: each keeps its share of the node's day.

Only series sold for long take part: what launches and the youngest items come to is not in a node's past.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.event_lift import event_lift
from forecasting.features import Tables
from forecasting.heat_lift import heat_lift
from forecasting.models import in_stock_ratio
from forecasting.month_days import month_day_ratios
from forecasting.panel import Panel

__all__ = ["Nodes", "foreseen_nodes", "led"]

Floats = NDArray[np.floating]

_WEEKS, _FEWEST_WEEKS = 10, 6  # [weeks] that a node is read from, and in a young shop
_FORGETS = 0.1  # [0-1] share of the level that a day's demand replaces
_ODD_LOW, _ODD_HIGH = 0.6, 1.6  # [ratio] to the usual same weekday, beyond which a day tells nothing of other weeks
_BELIEF = 0.5  # [0-1] weight of a large node's own forecast against the learner's sum, in logarithms
_PRIOR_UNITS = 20.0  # [units/day] of a node at which that weight is halved: small ones are chance
_FURTHEST = 1.5  # [ratio] a day is moved at most, up or down


@dataclass(frozen=True)
class Nodes:
    """Forecasts of the nodes.

    Attributes:
        node: (n,) node of each series, -1 where it takes no part.
        daily: (nodes, h) demand foreseen [units/day].
        share: (n,) what each series sold of late, in any unit: where one is no longer sold its node comes to less.
    """

    node: NDArray[np.int64]
    daily: NDArray[np.float64]
    share: NDArray[np.float64]


def foreseen_nodes(
    past: Panel, tables: Tables, *, horizon: int, without: NDArray[np.bool_] | None = None
) -> Nodes | None:
    """Return the nodes' own forecasts after the end of ``past``; None for weekly periods and young shops.

    Args:
        past: history of the series that are forecast.
        tables: events and signals.
        horizon: periods to forecast.
        without: (n,) series that take no part: what they sold of late says nothing of the weeks ahead.
    """
    weeks = min(_WEEKS, past.n_periods // 7)
    if past.period_days > 1 or weeks < _FEWEST_WEEKS:
        return None
    steady = (past.first <= past.n_periods - 7 * weeks) & ~np.isnan(past.demand[:, -1])
    steady &= ~without if without is not None else True
    if not steady.any():
        return None
    rows = np.flatnonzero(steady)
    node = _node_codes(past.keys[rows.tolist()])
    lift = event_lift(past, tables.events, horizon=horizon) * heat_lift(past, tables.signals, horizon=horizon)
    lift = lift[rows]
    calm = np.nan_to_num(past.demand[rows]) / lift[:, : past.n_periods]
    total = _summed(calm, node)
    labels = past.labels(past.n_periods + horizon)
    of_month = month_day_ratios(total.astype(np.float32), np.arange(len(total)), labels, origin=past.n_periods)
    daily = _repeated((total / of_month[:, : past.n_periods])[:, -7 * weeks :], horizon=horizon)
    share = calm[:, -7 * weeks :].sum(axis=1, dtype=np.float64) + 1e-9
    ahead = _summed(lift[:, past.n_periods :] * share[:, None], node) / _summed(share[:, None], node)
    ahead = ahead * of_month[:, past.n_periods :]
    codes, shares = np.full(past.n_series, -1, dtype=np.int64), np.zeros(past.n_series)
    codes[rows], shares[rows] = node, share
    return Nodes(codes, daily * ahead * in_stock_ratio(past), shares)


def led(nodes: Nodes | None, mean: Floats, learner: Floats | None) -> NDArray[np.float64]:
    """Return (n, h) what each series' day is multiplied by, so that its node comes to what is believed of it.

    Args:
        nodes: forecasts of nodes; None: nothing is moved.
        mean: (n, h) forecasts of the series; NaN counts as 0.
        learner: the learner's, whose sums are believed as much as the nodes' own; None, or NaN: ``mean``.
    """
    out = np.ones(mean.shape)
    if nodes is None or not (nodes.node >= 0).any():
        return out
    rows = np.flatnonzero(nodes.node >= 0)
    node, own = nodes.node[rows], np.nan_to_num(mean[rows])
    made = own if learner is None else np.where(np.isnan(learner[rows]), own, learner[rows])
    sums, learnt = _summed(own, node), _summed(np.where(own > 0, made, 0), node)
    share = nodes.share[rows, None]
    daily = nodes.daily[:, : mean.shape[1]] * _summed(share * (own > 0), node) / _summed(share, node)
    volume = daily.mean(axis=1, keepdims=True)
    belief = _BELIEF * volume / (volume + _PRIOR_UNITS)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.exp((1 - belief) * np.log(learnt) + belief * np.log(daily)) / sums
    usable = (sums > 0) & (learnt > 0) & (daily > 0) & np.isfinite(moved)
    out[rows] = np.clip(np.where(usable, moved, 1.0), 1 / _FURTHEST, _FURTHEST)[node]
    return out


def _node_codes(keys: pl.DataFrame) -> NDArray[np.int64]:
    """Return (n,) node numbers: location and product type, or category."""
    kind = next((c for c in ("product_type", "category") if c in keys.columns and keys[c].null_count() == 0), None)
    names = ["location_id", *([kind] if kind else [])]
    codes = keys.select(pl.struct(names).rank("dense")).to_series().to_numpy().astype(np.int64)
    return np.asarray(codes - 1, dtype=np.int64)


def _summed(values: Floats, node: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (nodes, t) sums over the series of each node."""
    order = np.argsort(node, kind="stable")
    _, first = np.unique(node[order], return_index=True)
    return np.asarray(np.add.reduceat(values[order], first, axis=0, dtype=np.float64))


def _repeated(daily: NDArray[np.float64], *, horizon: int) -> NDArray[np.float64]:
    """Return (nodes, horizon) forecasts from whole weeks of (nodes, t) demand: level times weekday profile."""
    days = daily.reshape(len(daily), -1, 7)
    usual = np.median(days, axis=1, keepdims=True)
    ratio = days / np.maximum(usual, 1e-9)
    days = np.where((ratio > _ODD_LOW) & (ratio < _ODD_HIGH), days, usual)
    week = np.maximum(days.mean(axis=2, keepdims=True), 1e-9)
    profile = np.median(days / week, axis=1)
    profile /= np.maximum(profile.mean(axis=1, keepdims=True), 1e-9)
    flat = (days / np.maximum(profile, 1e-9)[:, None, :]).reshape(len(daily), -1)
    weight = (1 - _FORGETS) ** np.arange(flat.shape[1])[::-1]
    level = (flat * weight).sum(axis=1) / weight.sum()
    return np.asarray(level[:, None] * profile[:, np.arange(horizon) % 7])
