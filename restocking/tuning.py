"""The order policy, tuned by simulating what it would have cost on the shop's own earlier weeks.

A textbook ratio p / (p + h R) says that a unit too many is held for one review period. In a shop whose forecasts move
it is held longer: where the next forecast is lower nothing is ordered, and the unit waits. How much longer is found by
simulation: ``holding_factor`` k makes the ratio p / (p + k h R). It is chosen by size of demand, with the share and the
length of a plain cover of recent demand mixed in, on windows that all lie before tonight; then it is frozen until the
next weekly review.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from restocking.chosen_policy import COVER, RATE_PERIODS, ChosenPolicy, OrderRule
from restocking.explain import round_half_up
from restocking.plain_forecast import SIZES, plain_forecast, size_of
from restocking.projection import project
from restocking.sample_paths import PathSampler
from restocking.simulate import Costs, Policy, PolicyView, simulate

__all__ = ["TuningSetup", "choose_policy", "mean_rule", "mixed_policy", "recent_mean", "windows_before"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

UNTUNED = OrderRule()
_FACTORS = (0.75, 1.0, 1.25, 1.5, 2.0, 2.5)
_MIXED_FACTORS = (1.0, 1.25, 1.5, 2.0)
_MIXED_WEIGHTS = (0.25, 0.5)
_MIXED_COVERS = (0.5, 1.0)  # beyond L + R [periods]
_COVERS = (0.25, 0.5, 0.75, 1.0)
OPTIONS = (
    *(OrderRule(k) for k in _FACTORS),
    *(OrderRule(k, weight, cover) for k in _MIXED_FACTORS for weight in _MIXED_WEIGHTS for cover in _MIXED_COVERS),
    *(OrderRule(1.0, 1.0, cover) for cover in _COVERS),
)
_ORDERS = 6  # a window
_STEP = 4  # windows begin so many periods apart
_MOST_WINDOWS = 6
_FIRST_PERIODS = 26  # of history before the first window
_PATHS = 100
_MOST_SERIES = 600
_SHRINKAGE_SERIES = 300.0  # a size with so many series counts half for itself, half for the whole shop
_AS_GOOD = 0.015  # costs within this share of the cheapest are as good as the cheapest
_COVER_MUST_GAIN = 0.01  # a cover alone is taken where it is cheaper by more than this share


@dataclass(frozen=True)
class TuningSetup:
    """What the simulated shop pays and how it orders. Periods are weeks with a weekly ``planning.freq``."""

    costs: Costs
    lead: int  # L [periods]
    lost_sales: bool
    seed: int

    @property
    def ratio(self) -> float:
        """The untuned ratio p / (p + h R) with R = 1 period."""
        return self.costs.shortage / (self.costs.shortage + self.costs.holding)


def windows_before(n_periods: int, *, lead: int, count: int = _MOST_WINDOWS) -> list[int]:
    """Return the first periods of the windows, latest first; each ends with or before the history.

    >>> windows_before(60, lead=2)
    [52, 48, 44, 40, 36, 32]
    """
    last = n_periods - lead - _ORDERS
    return [start for start in (last - _STEP * k for k in range(count)) if start >= _FIRST_PERIODS]


def choose_policy(history: Floats, setup: TuningSetup, *, sold: Floats | None = None) -> ChosenPolicy | None:
    """Return the cheapest policy of each size on earlier windows; None where the history is too short.

    Args:
        history: shape (n_series, t): demand, nan where not on sale or stocked out [units/period].
        setup: costs and lead time.
        sold: same shape: what was sold, stock-outs or not; nan not on sale. Demand was at least that.
    """
    starts = windows_before(history.shape[1], lead=setup.lead)
    if not starts or not len(history):
        return None
    kept = np.linspace(0, len(history) - 1, min(len(history), _MOST_SERIES)).round().astype(np.int64)
    history, least = history[kept], None if sold is None else sold[kept]
    costs, counts = np.zeros((len(OPTIONS), len(SIZES))), np.zeros(len(SIZES))
    for start in starts:
        cost, size = _window(history, least, start, setup)
        for number, of_series in enumerate(cost):
            costs[number] += np.bincount(size, weights=of_series, minlength=len(SIZES))
        counts += np.bincount(size, minlength=len(SIZES))
    if not costs.sum():
        return None
    return _cheapest(costs, counts / len(starts), n_windows=len(starts))


def _window(history: Floats, sold: Floats | None, start: int, setup: TuningSetup) -> tuple[list[Floats], Ints]:
    """Return the cost of each series under each option in one window, and the series' sizes."""
    length = setup.lead + _ORDERS
    past, coming = history[:, :start], history[:, start : start + length]
    known = ~np.isnan(past[:, -RATE_PERIODS:]).all(axis=1) & ((~np.isnan(coming)).sum(axis=1) >= length - 2)
    rows = np.flatnonzero(known)
    recent = past[rows, -RATE_PERIODS:]
    rate = np.nan_to_num(recent).sum(axis=1) / (~np.isnan(recent)).sum(axis=1)
    hidden = np.repeat(np.round(rate)[:, None], length, axis=1)  # in a stock-out demand is what is usual, or more
    if sold is not None:
        hidden = np.fmax(hidden, sold[rows, start : start + length])
    demand = np.where(np.isnan(coming[rows]), hidden, coming[rows])
    forecasts = [plain_forecast(history[:, : start + t], rows, periods=setup.lead + 1) for t in range(_ORDERS)]
    sampler = PathSampler(_PATHS, setup.lead + 1, setup.seed)
    paths = [forecast.paths(sampler) for forecast in forecasts]
    opening, due = np.round(2 * rate), np.repeat(np.round(rate)[:, None], setup.lead, axis=1)
    found = []
    for rule in OPTIONS:
        chosen = ChosenPolicy(dict.fromkeys(SIZES, rule), {}, 0, 0)
        policy = mixed_policy(chosen, lambda view: paths[view.period + 1], past=past[rows], setup=setup)
        run = simulate(demand, _stopping(policy), opening=opening, due=due, lost_sales=setup.lost_sales)
        found.append(run.cost(setup.costs, first=setup.lead))
    return found, size_of(rate)


def mixed_policy(
    chosen: ChosenPolicy, paths: Callable[[PolicyView], Floats], *, past: Floats, setup: TuningSetup
) -> Policy:
    """Return the policy of the plan with a tuned rule, for the simulator.

    Args:
        chosen: rules by size.
        paths: from what is known at a close to sample paths of the L + R periods after it [units].
        past: shape (n, t): demand before the simulation, nan where unknown [units/period].
        setup: costs and lead time; R is one period.
    """

    def order(view: PolicyView) -> npt.ArrayLike:
        drawn = paths(view)
        n = len(view.on_hand)
        arrivals = np.zeros((len(drawn), n))
        arrivals[: setup.lead] = view.due.T[: len(drawn)]
        outcome = project(
            drawn,
            stock=view.on_hand,
            arrivals=arrivals,
            supply=view.due.sum(axis=1),
            lead=np.full((n, drawn.shape[2]), setup.lead),
            review=np.ones(n, dtype=np.int64),
            lost_sales=setup.lost_sales,
        )
        wanted = chosen.wanted(
            outcome.need,
            np.full(n, setup.ratio),
            rate=recent_mean(np.concatenate([past, view.history], axis=1)),
            periods=np.full(n, setup.lead + 1.0),
            position=view.on_hand + view.due.sum(axis=1),
        )
        return round_half_up(np.maximum(wanted, 0.0))

    return order


def recent_mean(history: Floats) -> Floats:
    """Return the mean of the last thirteen periods, unknown ones left out; nan where all are [units/period].

    >>> recent_mean(np.array([[9.0, np.nan, 2.0, 4.0], [np.nan] * 4])).tolist()
    [5.0, nan]
    """
    recent = history[:, -RATE_PERIODS:]
    known = (~np.isnan(recent)).sum(axis=1)
    total = np.nan_to_num(recent).sum(axis=1)
    mean: Floats = np.divide(total, known, out=np.full(len(history), np.nan), where=known > 0)
    return mean


def _stopping(policy: Policy) -> Policy:
    """Return the policy without orders after the last one of the window: they would come after it."""

    def order(view: PolicyView) -> npt.ArrayLike:
        return policy(view) if view.period < _ORDERS - 1 else np.zeros_like(view.on_hand)

    return order


def _cheapest(costs: Floats, counts: Floats, *, n_windows: int) -> ChosenPolicy:
    """Return the rule of each size: the mean of the cheapest ones, pulled to the whole shop's where the size is small.

    A handful of windows cannot tell rules apart whose costs differ by a percent: which of them is cheapest is chance,
    and their mean is safer than any.
    """
    untuned = OPTIONS.index(UNTUNED)
    overall = costs.sum(axis=1) / costs[untuned].sum()
    must_gain = np.array([_COVER_MUST_GAIN if rule.family == COVER else 0.0 for rule in OPTIONS])
    rules, gain = {}, {}
    for s, name in enumerate(SIZES):
        own = costs[:, s] / costs[untuned, s] if costs[untuned, s] > 0 else overall
        weight = counts[s] / (counts[s] + _SHRINKAGE_SERIES)
        score = weight * own + (1 - weight) * overall + must_gain
        near = np.flatnonzero(score <= score.min() + _AS_GOOD)
        rules[name] = _less_cover(mean_rule([OPTIONS[i] for i in near]))
        gain[name] = round(float(1 - own[near].mean()), 6)
    return ChosenPolicy(rules, gain, n_windows, round(float(counts.sum())))


def _less_cover(rule: OrderRule) -> OrderRule:
    """Return the rule with a part of its cover's weight; a cover alone stays one.

    A cover earns its weight here beside a plain forecast. The nightly forecast is better, and knows the recent mean.

    >>> _less_cover(OrderRule(1.5, 0.3, 0.5)).cover_weight, _less_cover(OrderRule(1.0, 1.0, 0.5)).cover_weight
    (0.195, 1.0)
    """
    return replace(rule, cover_weight=round(rule.cover_weight * (1 + rule.cover_weight) / 2, 4))


def mean_rule(rules: list[OrderRule]) -> OrderRule:
    """Return the mean of some rules; a cover counts by its weight.

    >>> mean_rule([OrderRule(1.0), OrderRule(2.0, 0.5, 1.0)])
    OrderRule(holding_factor=1.5, cover_weight=0.25, cover=1.0)
    """
    factor, weight = (float(np.mean([getattr(r, n) for r in rules])) for n in ("holding_factor", "cover_weight"))
    covers = sum(rule.cover_weight * rule.cover for rule in rules)
    return OrderRule(round(factor, 4), round(weight, 4), round(covers / len(rules) / weight, 4) if weight else 0.0)
