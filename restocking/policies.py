"""The textbook's ordering policies, with their exact costs.

The plan itself orders the quantile of need over sample paths (``safety_stock.py``); these are the closed forms it must
agree with where their assumptions hold, and the yardsticks of the tuning. Notation and sources: Snyder & Shen,
Fundamentals of Supply Chain Theory (2nd ed.); Silver, Pyke & Thomas, Inventory and Production Management (4th ed.);
Zheng & Federgruen (1991); Federgruen & Zheng (1992); Wagner & Whitin (1958).

h holding cost [currency/unit/period], p cost of a unit short [currency/unit/period], K cost of placing an order
[currency], L lead time [periods], D demand per period [units].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import norm, poisson

__all__ = [
    "BaseStock",
    "LotSizes",
    "ReorderPointLevel",
    "ReorderPointQuantity",
    "base_stock_normal",
    "newsvendor_normal",
    "newsvendor_normal_explicit",
    "newsvendor_poisson",
    "rq_poisson",
    "rs_normal",
    "ss_poisson",
    "wagner_whitin",
]


class BaseStock(NamedTuple):
    """Order-up-to level ``S`` [units] and expected cost (or profit) per period [currency]."""

    S: float
    cost: float


class ReorderPointLevel(NamedTuple):
    """(s, S): at a position of ``s`` or less, order up to ``S`` [units]; expected ``cost`` per period [currency]."""

    s: int
    S: int
    cost: float


class ReorderPointQuantity(NamedTuple):
    """(r, Q): at a position of ``r``, order ``Q`` [units]; expected ``cost`` per period [currency]."""

    r: int
    Q: int
    cost: float


class LotSizes(NamedTuple):
    """Quantity to order in each period [units] and total cost [currency]."""

    orders: list[float]
    cost: float


def newsvendor_normal(*, h: float, p: float, mean: float, sd: float) -> BaseStock:
    """Return the one-period level under normal demand, and its expected cost.

    S = mean + z sd with z = Phi^-1(p / (p + h)); cost = (h + p) phi(z) sd.

    Args:
        h: holding cost [currency/unit].
        p: cost of a unit short [currency/unit].
        mean: of demand [units].
        sd: of demand [units].

    Source: Snyder & Shen, section 4.3.

    >>> S, cost = newsvendor_normal(h=0.18, p=0.70, mean=50, sd=8)
    >>> round(S, 6), round(cost, 6)
    (56.603956, 1.997605)
    """
    z = float(norm.ppf(p / (p + h)))
    return BaseStock(mean + z * sd, (h + p) * float(norm.pdf(z)) * sd)


def newsvendor_normal_explicit(*, price: float, cost: float, salvage: float, mean: float, sd: float) -> BaseStock:
    """Return the one-shot order under normal demand and its expected profit.

    Cu = price - cost, Co = cost - salvage; profit = Cu mean - (Cu + Co) phi(z) sd.

    Args:
        price: selling price [currency/unit].
        cost: unit cost [currency/unit].
        salvage: what a left-over unit brings [currency/unit].
        mean: of demand [units].
        sd: of demand [units].

    Source: Snyder & Shen, section 4.3.2.

    >>> S, profit = newsvendor_normal_explicit(price=1, cost=0.3, salvage=0.12, mean=50, sd=8)
    >>> round(S, 6), round(profit, 6)
    (56.603956, 33.002395)
    """
    underage, overage = price - cost, cost - salvage
    level = newsvendor_normal(h=overage, p=underage, mean=mean, sd=sd)
    return BaseStock(level.S, underage * mean - level.cost)


def newsvendor_poisson(*, h: float, p: float, mean: float) -> BaseStock:
    """Return the smallest S with P(D <= S) >= p / (p + h) under Poisson demand, and its expected cost.

    Args:
        h: holding cost [currency/unit].
        p: cost of a unit short [currency/unit].
        mean: of demand [units].

    Source: Snyder & Shen, section 4.3.2.

    >>> S, cost = newsvendor_poisson(h=1, p=4, mean=6)
    >>> S, round(cost, 6)
    (8, 3.570107)
    """
    level = int(poisson.ppf(p / (p + h), mean))
    return BaseStock(level, _poisson_cost(level, h=h, p=p, mean=mean))


def base_stock_normal(*, h: float, p: float, mean: float, sd: float, lead: int) -> BaseStock:
    """Return the base-stock level under normal demand and backorders: the newsvendor over L + 1 periods.

    Args:
        h: holding cost [currency/unit/period].
        p: cost of a unit owed [currency/unit/period].
        mean: of demand per period [units].
        sd: of demand per period [units].
        lead: L [periods].

    Source: Snyder & Shen, section 4.3.4.

    >>> S, cost = base_stock_normal(h=0.18, p=0.70, mean=50, sd=8, lead=4)
    >>> round(S, 6), round(cost, 6)
    (264.766894, 4.466781)
    """
    return newsvendor_normal(h=h, p=p, mean=(lead + 1) * mean, sd=float(np.sqrt(lead + 1)) * sd)


def rs_normal(*, h: float, p: float, mean: float, sd: float, lead: int, review: int) -> BaseStock:
    """Return the best (R, S) under normal demand and backorders: every R periods the position is raised to S.

    An order answers for the ends of periods L + 1 ... L + R, so S solves mean P(D over k <= S) = p / (p + h) over
    these k, and the cost is the mean of their one-period costs. With R = 1 it is the base-stock level.

    Args:
        h: holding cost [currency/unit/period].
        p: cost of a unit owed [currency/unit/period].
        mean: of demand per period [units].
        sd: of demand per period [units].
        lead: L [periods].
        review: R [periods].

    Source: Silver, Pyke & Thomas, section 6.10; Snyder & Shen, section 4.3.4, for R = 1.

    >>> S, cost = rs_normal(h=0.18, p=0.70, mean=50, sd=8, lead=4, review=1)
    >>> round(S, 6), round(cost, 6)
    (264.766894, 4.466781)
    """
    ends = np.arange(lead + 1, lead + review + 1)
    centre, spread = mean * ends, sd * np.sqrt(ends)
    ratio = p / (p + h)
    level = centre + float(norm.ppf(ratio)) * spread  # the best for each period alone brackets the best for all
    S = float(level[0])
    if review > 1:
        S = float(brentq(lambda s: norm.cdf((s - centre) / spread).mean() - ratio, level.min(), level.max()))
    z = (S - centre) / spread
    short = spread * (norm.pdf(z) - z * norm.sf(z))
    return BaseStock(S, float((h * (S - centre) + (h + p) * short).mean()))


def ss_poisson(*, h: float, p: float, K: float, mean: float) -> ReorderPointLevel:
    """Return the best (s, S) under Poisson demand, no lead time and backorders.

    Args:
        h: holding cost [currency/unit/period].
        p: cost of a unit owed [currency/unit/period].
        K: cost of placing an order [currency].
        mean: of demand per period [units].

    Source: Zheng & Federgruen (1991), Operations Research 39, the exact algorithm on the renewal reward function
    c(s, S) = (K + sum m(j) G(S - j)) / M(S - s), j = 0 ... S - s - 1.

    >>> s, S, cost = ss_poisson(h=1, p=4, K=5, mean=6)
    >>> (s, S), round(cost, 6)
    ((4, 10), 8.034112)
    """

    def one_period(level: int) -> float:
        return _poisson_cost(level, h=h, p=p, mean=mean)

    renewal = _Renewal(mean)

    def average(s: int, S: int) -> float:
        m = renewal.density(S - s)
        cost = K + sum(float(m[j]) * one_period(S - j) for j in range(S - s))
        return cost / float(m[: S - s].sum())

    S = newsvendor_poisson(h=h, p=p, mean=mean).S
    lowest = S = int(S)
    s = S - 1
    while average(s, S) > one_period(s):
        s -= 1
    best, best_S = average(s, S), S
    S = lowest + 1
    while one_period(S) <= best:
        if average(s, S) < best:
            best_S = S
            while average(s, S) <= one_period(s + 1):
                s += 1
            best = average(s, S)
        S += 1
    return ReorderPointLevel(s, best_S, best)


class _Renewal:
    """Renewal density m(j) of Poisson demand: expected periods in which the position lies j below S."""

    def __init__(self, mean: float) -> None:
        self._mean = mean
        self._density = np.array([1 / (1 - float(poisson.pmf(0, mean)))])

    def density(self, count: int) -> npt.NDArray[np.float64]:
        while len(self._density) < count:
            j = len(self._density)
            mass = poisson.pmf(np.arange(1, j + 1), self._mean)
            following = float(mass @ self._density[::-1][:j]) / (1 - float(poisson.pmf(0, self._mean)))
            self._density = np.append(self._density, following)
        return self._density[:count]


def rq_poisson(*, h: float, p: float, K: float, rate: float, lead: float) -> ReorderPointQuantity:
    """Return the best (r, Q) under continuous review, Poisson demand and backorders.

    Args:
        h: holding cost [currency/unit/period].
        p: cost of a unit owed [currency/unit/period].
        K: cost of placing an order [currency].
        rate: of demand [units/period].
        lead: L [periods].

    Source: Federgruen & Zheng (1992), Operations Research 40: C(r, Q) = (K rate + sum G(y)) / Q, y = r + 1 ... r + Q,
    the set of y grown by its cheaper neighbour as long as that lowers the average.

    >>> r, Q, cost = rq_poisson(h=20, p=150, K=100, rate=1.5, lead=2)
    >>> (r, Q), round(cost, 6)
    ((3, 5), 107.923581)
    """

    def one_position(level: int) -> float:
        return _poisson_cost(level, h=h, p=p, mean=rate * lead)

    low = high = int(newsvendor_poisson(h=h, p=p, mean=rate * lead).S)
    total, count = K * rate + one_position(low), 1
    while True:
        below, above = one_position(low - 1), one_position(high + 1)
        if min(below, above) >= total / count:
            return ReorderPointQuantity(low - 1, count, total / count)
        if below <= above:
            low -= 1
        else:
            high += 1
        total, count = total + min(below, above), count + 1


def wagner_whitin(demand: Sequence[float], *, h: float, K: float) -> LotSizes:
    """Return the cheapest orders for known demand: each order covers whole periods, stock is held at h per period.

    Args:
        demand: of each period [units].
        h: holding cost of a unit from one period to the next [currency/unit/period].
        K: cost of placing an order [currency].

    Source: Wagner & Whitin (1958), Management Science 5; ties go to the earlier order.

    >>> wagner_whitin([90, 120, 80, 70], h=2, K=500)
    LotSizes(orders=[210.0, 0.0, 150.0, 0.0], cost=1380.0)
    """
    n = len(demand)
    best, following = [0.0] * (n + 1), [n] * n
    for first in range(n - 1, -1, -1):
        held, choice = 0.0, (float("inf"), n)
        for last in range(first, n):
            held += h * (last - first) * demand[last]
            choice = min(choice, (K + held + best[last + 1], last + 1), key=lambda option: option[0])
        best[first], following[first] = choice
    orders = [0.0] * n
    period = 0
    while period < n:
        orders[period] = float(sum(demand[period : following[period]]))
        period = following[period]
    return LotSizes(orders, best[0])


def _poisson_cost(level: int, *, h: float, p: float, mean: float) -> float:
    """Return h E[(level - D)+] + p E[(D - level)+] for Poisson demand [currency]."""
    short = (
        mean - level
        if level < 0
        else mean * float(poisson.sf(level - 1, mean)) - level * float(poisson.sf(level, mean))
    )
    return h * (level - mean + short) + p * short
