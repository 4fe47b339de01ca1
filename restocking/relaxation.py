"""What limits are worth: the Lagrangian dual of ordering within a budget and the suppliers' capacities.

A price on money and one on each scarce supplier's units are added to what goods cost. At given prices every supplier
and SKU decides alone: it takes the pieces that are still worth their price, filled up to the minimum order, or orders
nothing. The prices that make the sum of it lowest give an upper bound on the value of every legal plan; where a minimum
order is filled in part of a piece, the bound is only higher. The minimum order value of a supplier is left out of the
bound: that, too, can only raise it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restocking.pieces import Pieces

__all__ = ["Dual", "OrderProblem", "best_prices"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_STEPS = 40  # halvings of an interval of prices
_CAPACITY_STEPS = 24
_UNIT = 1e-6  # less than this is rounding [units]


@dataclass(frozen=True)
class OrderProblem:
    """Which pieces to take. Per piece unless it says otherwise."""

    pieces: Pieces
    group: Ints  # number of the piece's supplier and SKU
    cost: Floats  # of the whole piece [shop.currency]
    supplier: Ints
    min_order_qty: Ints  # by group [units]
    budget: float  # inf: none [shop.currency]
    capacity: Floats  # by supplier; inf: none [units]
    min_order_value: Floats  # by supplier; 0: none [shop.currency]

    @property
    def n_groups(self) -> int:
        """Suppliers and SKUs."""
        return len(self.min_order_qty)


@dataclass(frozen=True)
class Dual:
    """The best prices found and what they say."""

    bound: float  # no legal plan is worth more [shop.currency]
    worth: Floats  # by piece: value less what it takes at these prices [shop.currency]
    taken: Floats  # by piece: share of it that the best order of its group takes (0-1)
    group_worth: Floats  # by group: of its best legal order at these prices; below 0 where it orders nothing


def best_prices(problem: OrderProblem) -> Dual:
    """Return the dual at the prices with the lowest bound: of money, and of each scarce supplier's units."""
    free = _dual(problem, 0.0)
    if not np.isfinite(problem.budget) or _spent(problem, free) <= problem.budget:
        return free
    low, high = 0.0, float(np.max(problem.pieces.value / np.maximum(problem.cost, 1e-9), initial=0.0))
    best = free
    for _ in range(_STEPS):
        price = (low + high) / 2
        dual = _dual(problem, price)
        best = dual if dual.bound < best.bound else best
        if _spent(problem, dual) > problem.budget:
            low = price
        else:
            high = price
    return best


def _dual(problem: OrderProblem, price: float) -> Dual:
    """Return the dual at a price of money, each scarce supplier's units at their own best price."""
    worth = problem.pieces.value - price * problem.cost
    money = price * problem.budget if price > 0 else 0.0
    scarce = np.flatnonzero(np.isfinite(problem.capacity))
    if not len(scarce):
        return _decided(problem, worth, money)
    low = np.zeros(len(problem.capacity))
    high = np.zeros(len(problem.capacity))
    rate = worth / problem.pieces.units
    np.maximum.at(high, problem.supplier, rate)
    high[~np.isfinite(problem.capacity)] = 0.0
    capacity = np.where(np.isfinite(problem.capacity), problem.capacity, 0.0)
    best = _decided(problem, worth, money)
    for _ in range(_CAPACITY_STEPS):
        middle = (low + high) / 2
        dual = _decided(
            problem, worth - middle[problem.supplier] * problem.pieces.units, money + float(middle @ capacity)
        )
        best = dual if dual.bound < best.bound else best
        units = dual.taken * problem.pieces.units
        over = np.bincount(problem.supplier, weights=units, minlength=len(low)) > problem.capacity
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return best


def _decided(problem: OrderProblem, worth: Floats, constant: float) -> Dual:
    """Return what every group is worth at these prices, and the bound: their sum and what the limits cost."""
    n, group = problem.n_groups, problem.group
    units = problem.pieces.units.astype(np.float64)
    share = (worth > 0).astype(np.float64)
    missing = np.maximum(problem.min_order_qty - np.bincount(group, weights=share * units, minlength=n), 0.0)
    short = np.flatnonzero((share == 0) & (missing[group] > 0))
    share[short] = _least_bad(group[short], worth[short] / units[short], units[short], missing) / units[short]
    reached = np.bincount(group, weights=share * units, minlength=n) >= problem.min_order_qty - _UNIT
    value = np.where(reached, np.bincount(group, weights=share * worth, minlength=n), -np.inf)
    taken = np.where(value[group] > 0, share, 0.0)
    return Dual(float(np.maximum(value, 0.0).sum()) + constant, worth, taken, value)


def _least_bad(group: Ints, rate: Floats, units: Floats, missing: Floats) -> Floats:
    """Return by piece the units taken so that groups get what they miss: best rates first, the last in part."""
    if not len(group):
        return units
    order = np.lexsort((-rate, group))
    of, size = group[order], units[order]
    running = np.cumsum(size) - size
    first = np.concatenate([[True], of[1:] != of[:-1]])
    before = running - np.maximum.accumulate(np.where(first, running, 0.0))
    used = np.empty_like(units)
    used[order] = np.clip(missing[of] - before, 0.0, size)
    return used


def _spent(problem: OrderProblem, dual: Dual) -> float:
    return float((dual.taken * problem.cost).sum())
