"""The cold winter: commit a base, reserve capacity that can still react, and say when to call it.

When the model may be wrong for a whole season, one order made on its belief is a bet. The two-stage plan commits a base
order, pays to reserve capacity for a second one, and calls it if, by a trigger date, at least so many units were sold.
Every regime keeps a floor of probability, however little the model believes in it. *Loss* is what it costs to have been
wrong: the profit of perfect foresight less the profit made; it counts goods written off and customers lost alike. The
plan has the smallest worst case (the mean of the worst 5% of losses, less that of the worst 5% of profits) among those
that expect more profit than the best single order and have neither tail worse than it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import norm

from restocking.policies import BaseStock

__all__ = ["HedgePlan", "Regime", "Season", "floored", "outcomes", "plan_hedge", "quick_response_normal"]

Floats = npt.NDArray[np.float64]

TAIL = 0.05  # worst share of outcomes
_BASES, _RESERVES, _TRIGGERS = 28, 16, 8  # grid of the search
_MARGIN = 0.03  # more profit than the single order: means of samples differ a little from the truth (share)
_TOP = 0.995  # quantile of demand that nothing above is worth planning for


@dataclass(frozen=True)
class Season:
    """What a unit of the style costs and brings [shop.currency/unit]."""

    price: float
    unit_cost: float
    salvage: float
    second_cost: float  # of a unit of the second order
    reservation_fee: float  # of a unit of capacity, called or not


@dataclass(frozen=True)
class Regime:
    """A way the season may go."""

    name: str
    probability: float
    early: Floats  # samples of demand up to the trigger date [units]
    late: Floats  # the same samples, after it [units]


@dataclass(frozen=True)
class HedgePlan:
    """What to commit, to reserve, and when to call it; money by regime and over all of them."""

    base_qty: int
    reserved_capacity: int
    trigger_units: int
    probability: dict[str, float]  # with the floor
    profit: dict[str, float]  # expected, by regime
    tail_loss: dict[str, float]  # mean of the worst 5% of losses, by regime
    expected_profit: float
    expected_tail_loss: float
    one_shot_qty: int
    one_shot_profit: float
    one_shot_tail_loss: float


def quick_response_normal(
    *, price: float, cost: float, salvage: float, second_cost: float, mean: float, sd: float, capacity: float = np.inf
) -> BaseStock:
    """Return the first order and the expected profit where demand is known before a second, dearer order.

    Q1 solves p P(D > Q1 + K) + c2 P(Q1 < D <= Q1 + K) + s P(D <= Q1) = c.

    Args:
        price: p [currency/unit].
        cost: c, of the first order [currency/unit].
        salvage: s [currency/unit].
        second_cost: c2, at least ``cost`` [currency/unit].
        mean: of demand [units].
        sd: of demand [units].
        capacity: K, of the second order [units]; 0: there is none.

    Source: Fisher & Raman (1996), Operations Research 44; Snyder & Shen, section 4.3.2 for K = 0.

    >>> terms = dict(price=190, cost=110, salvage=90, second_cost=132, mean=3192, sd=1181)
    >>> [round(x, 2) for x in quick_response_normal(capacity=0, **terms)]
    [4185.95, 222296.5]
    >>> [round(x, 2) for x in quick_response_normal(**terms)]
    [3262.53, 235606.92]
    """

    def slope(first: float) -> float:
        above, beyond = norm.sf(first, mean, sd), norm.sf(first + capacity, mean, sd)
        return float(price * beyond + second_cost * (above - beyond) + salvage * (1 - above) - cost)

    first = float(brentq(slope, mean - 8 * sd, mean + 8 * sd, xtol=1e-9))
    over, unmet = _normal_excess(first, mean, sd), 0.0
    if np.isfinite(capacity):
        unmet = _normal_excess(first + capacity, mean, sd)
    second = over - unmet
    left = first - mean + over
    profit = price * (mean - unmet) - cost * first - second_cost * second + salvage * left
    return BaseStock(first, float(profit))


def _normal_excess(level: float, mean: float, sd: float) -> float:
    """Return E[(D - level)+] [units]."""
    z = (level - mean) / sd
    return float(sd * (norm.pdf(z) - z * norm.sf(z)))


def floored(probabilities: Sequence[float], floor: float) -> list[float]:
    """Return probabilities that sum to 1, none below ``floor``.

    >>> floored([0.99, 0.01], 0.1)
    [0.892, 0.108]
    """
    n, total = len(probabilities), sum(probabilities)
    if n * floor > 1:
        raise ValueError(f"a floor of {floor} cannot hold for {n} regimes; expected at most {1 / n:.3f}")
    return [round(floor + (1 - n * floor) * p / total, 12) for p in probabilities]


def outcomes(
    season: Season, early: Floats, late: Floats, *, base: float, reserved: float, trigger: float
) -> tuple[Floats, Floats]:
    """Return profit and loss on each sample [shop.currency].

    Args:
        season: prices and costs.
        early: demand up to the trigger date [units].
        late: after it [units].
        base: committed [units].
        reserved: capacity of the second order, which can be sold after the trigger date [units].
        trigger: the second order is called if at least so many units were sold by then [units].
    """
    sold_early = np.minimum(early, base)
    called = np.where(sold_early >= trigger, reserved, 0.0)
    sold_late = np.minimum(late, base - sold_early + called)
    sold = sold_early + sold_late
    profit = season.price * sold + season.salvage * (base + called - sold)
    profit = profit - season.unit_cost * base - season.second_cost * called - season.reservation_fee * reserved
    best = (season.price - season.unit_cost) * (early + late)
    return profit, best - profit


def plan_hedge(season: Season, regimes: Sequence[Regime], *, floor: float) -> HedgePlan:
    """Return the two-stage plan, and the best single order beside it.

    Args:
        season: prices and costs.
        regimes: how the season may go; each with as many samples.
        floor: least probability of a regime (0-1).
    """
    probability = floored([r.probability for r in regimes], floor)
    weight = np.concatenate(
        [np.full(len(r.early), p / len(r.early)) for r, p in zip(regimes, probability, strict=True)]
    )
    early, late = (np.concatenate([getattr(r, part) for r in regimes]) for part in ("early", "late"))
    top = float(np.quantile(early + late, _TOP))
    bases = np.unique(np.round(np.linspace(0, top, _BASES)))
    single = [(base, *_judged(season, early, late, weight, (base, 0.0, 0.0))) for base in bases]
    one_shot = max(single, key=lambda option: option[1])
    best, found = one_shot[1:], (float(one_shot[0]), 0.0, 0.0)
    for base in bases:
        triggers = np.unique(np.round(np.quantile(np.minimum(early, base), np.linspace(0.05, 0.95, _TRIGGERS))))
        for reserved in np.round(np.linspace(0, top - base, _RESERVES))[1:]:
            for trigger in triggers:
                option = (float(base), float(reserved), float(trigger))
                profit, tail, worst = _judged(season, early, late, weight, option)
                fair = (
                    profit >= one_shot[1] + _MARGIN * abs(one_shot[1]) and worst >= one_shot[3] and tail <= one_shot[2]
                )
                if fair and tail - worst < best[1] - best[2]:
                    best, found = (profit, tail, worst), option
    by_regime = {
        r.name: _judged(season, r.early, r.late, np.full(len(r.early), 1 / len(r.early)), found) for r in regimes
    }
    return HedgePlan(
        base_qty=int(found[0]),
        reserved_capacity=int(found[1]),
        trigger_units=int(found[2]),
        probability={r.name: p for r, p in zip(regimes, probability, strict=True)},
        profit={name: money[0] for name, money in by_regime.items()},
        tail_loss={name: money[1] for name, money in by_regime.items()},
        expected_profit=best[0],
        expected_tail_loss=best[1],
        one_shot_qty=int(one_shot[0]),
        one_shot_profit=one_shot[1],
        one_shot_tail_loss=one_shot[2],
    )


def _judged(
    season: Season, early: Floats, late: Floats, weight: Floats, option: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Return expected profit, and the weighted means of the worst 5% of losses and of profits."""
    base, reserved, trigger = option
    profit, loss = outcomes(season, early, late, base=base, reserved=reserved, trigger=trigger)
    return float(profit @ weight), tail_mean(loss, weight), -tail_mean(-profit, weight)


def tail_mean(loss: Floats, weight: Floats) -> float:
    """Return the mean of the worst 5% of losses; weights sum to 1.

    >>> tail_mean(np.arange(100.0), np.full(100, 0.01))
    97.0
    """
    order = np.argsort(-loss, kind="stable")
    taken = np.minimum(np.cumsum(weight[order]), TAIL)
    share = np.diff(taken, prepend=0.0)
    return round(float((loss[order] * share).sum() / TAIL), 9)
