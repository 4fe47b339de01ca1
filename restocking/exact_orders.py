"""Where money or capacity is short: the best legal orders, with a proof of how good they are.

Up to a few thousand pieces the whole choice is one mixed-integer program, solved to optimality by HiGHS. Above that,
the prices of :mod:`restocking.relaxation` settle the suppliers and SKUs whose decision is clear, and the program is
solved for the rest. Either way the plan comes with its gap: how much more, at most, any legal plan could be worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from restocking.pieces import LineValues, cut_in_pieces
from restocking.relaxation import Dual, OrderProblem, best_prices

__all__ = ["Limited", "SupplierLimits", "best_orders"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_WHOLE_PIECES = 4_000  # up to so many pieces the program is solved as a whole
_CORE_GROUPS = (250, 1_000)  # else for so many undecided groups; the second try only if the gap is too wide
_WIDE_GAP = 5e-4
_SECONDS = 15.0  # of HiGHS, per program; what it has by then is used, with its gap
_WHOLE_GAP, _CORE_GAP = 1e-9, 1e-4  # HiGHS stops there; the core is a small part of the plan's value
_ROUNDING = 1e-9


@dataclass(frozen=True)
class SupplierLimits:
    """What suppliers can deliver and what they insist on, by supplier number."""

    capacity: dict[int, float]  # until the next order [units]
    min_order_value: dict[int, float]  # of all their lines together [shop.currency]


@dataclass(frozen=True)
class Limited:
    """The orders within the limits."""

    order_qty: Ints
    value: float  # expected, of all orders [shop.currency]
    bound: float  # no legal plan is worth more [shop.currency]

    @property
    def gap(self) -> float:
        """How much more another plan could be worth, as a share of the bound (0-1)."""
        return max(self.bound - self.value, 0.0) / max(abs(self.bound), _ROUNDING)


def best_orders(
    quantity: Ints,
    *,
    values: LineValues,
    unit_cost: Floats,
    group: Ints,
    supplier: Ints,
    min_order_qty: Ints,
    pack_size: Ints,
    budget: float | None = None,
    limits: SupplierLimits | None = None,
) -> Limited:
    """Return the most valuable orders that no limit forbids; no line gets more than its ``quantity``.

    Args:
        quantity: shape (n,): the legal orders that unlimited money would buy, in whole packs [units].
        values: need, gain and loss of the same lines.
        unit_cost: per line [shop.currency/unit].
        group: number of each line's supplier and SKU.
        supplier: number of each line's supplier.
        min_order_qty: over the group [units].
        pack_size: per line [units].
        budget: for all lines; None: no limit [shop.currency].
        limits: of the suppliers.

    Example: 100 to spend on two lines that cost 10 a unit; the first gains twice as much.
        >>> values = LineValues(np.full((2, 4), 10.0), gain=np.array([8.0, 4.0]), loss=np.zeros(2))
        >>> one = np.ones(2, int)
        >>> best = best_orders(np.array([8, 8]), values=values, unit_cost=np.full(2, 10.0), group=np.arange(2),
        ...     supplier=0 * one, min_order_qty=one, pack_size=one, budget=100.0)
        >>> best.order_qty.tolist(), round(best.gap, 6)
        ([8, 2], 0.0)
    """
    pieces = cut_in_pieces(quantity, values=values, pack_size=pack_size)
    _, of_piece = np.unique(group[pieces.line], return_inverse=True)
    n_suppliers = int(supplier.max(initial=-1)) + 1
    asked = limits or SupplierLimits({}, {})
    problem = OrderProblem(
        pieces=pieces,
        group=of_piece.astype(np.int64),
        cost=pieces.units * unit_cost[pieces.line],
        supplier=supplier[pieces.line],
        min_order_qty=_reachable_minimum(of_piece, min_order_qty[pieces.line], pack_size[pieces.line]),
        budget=np.inf if budget is None else budget,
        capacity=np.array([asked.capacity.get(s, np.inf) for s in range(n_suppliers)]),
        min_order_value=np.array([asked.min_order_value.get(s, 0.0) for s in range(n_suppliers)]),
    )
    packs, value, bound = _solved(problem)
    units = np.minimum(packs * pack_size[pieces.line], pieces.units)
    ordered = np.bincount(pieces.line, weights=units, minlength=len(quantity))
    return Limited(ordered.round().astype(np.int64), value, bound)


def _reachable_minimum(group: Ints, minimum: Ints, pack: Ints) -> Ints:
    """Return by group the smallest order of whole packs that reaches its minimum [units].

    Totals are multiples of the packs' common divisor; so many units more make the bound tighter.

    >>> _reachable_minimum(np.array([0, 0, 1]), np.array([20, 20, 1]), np.array([6, 12, 5])).tolist()
    [24, 5]
    """
    n = int(group.max(initial=-1)) + 1
    common, wanted = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    np.gcd.at(common, group, pack)
    np.maximum.at(wanted, group, minimum)
    return -(-wanted // np.maximum(common, 1)) * common


def _solved(problem: OrderProblem) -> tuple[Ints, float, float]:
    """Return packs by piece, their value, and the bound."""
    if len(problem.group) <= _WHOLE_PIECES:
        everything = np.ones(problem.n_groups, dtype=bool)
        packs, found = _program(problem, everything, np.zeros(len(problem.group), dtype=np.int64))
        value = _value(problem, packs)
        if np.isfinite(found):
            return packs, value, max(found, value)
    dual = best_prices(problem)
    best = np.zeros(len(problem.group), dtype=np.int64)
    for size in _CORE_GROUPS:
        packs, _ = _program(problem, _undecided(problem, dual, size), _settled(problem, dual))
        best = packs if _value(problem, packs) > _value(problem, best) else best
        if dual.bound - _value(problem, best) <= _WIDE_GAP * abs(dual.bound):
            break
    return best, _value(problem, best), dual.bound


def _value(problem: OrderProblem, packs: Ints) -> float:
    return float((problem.pieces.value * packs / problem.pieces.packs).sum())


def _settled(problem: OrderProblem, dual: Dual) -> Ints:
    """Return the packs that the groups take at the best prices; a minimum order is reached in whole packs."""
    return np.ceil(dual.taken * problem.pieces.packs - _ROUNDING).astype(np.int64)


def _undecided(problem: OrderProblem, dual: Dual, size: int) -> Mask:
    """Return the ``size`` groups whose decision hangs on the smallest margin, and all of suppliers with a minimum."""
    margin = np.abs(dual.group_worth)
    in_use = dual.group_worth[problem.group] > 0
    np.minimum.at(margin, problem.group[in_use], np.abs(dual.worth[in_use]))
    mask = np.zeros(problem.n_groups, dtype=bool)
    mask[np.argsort(margin, kind="stable")[:size]] = True
    mask[problem.group[problem.min_order_value[problem.supplier] > 0]] = True  # its minimum binds groups together
    return mask


def _program(problem: OrderProblem, free: Mask, settled: Ints) -> tuple[Ints, float]:
    """Return packs by piece and an upper bound for the free groups decided together, the others as ``settled``."""
    core = np.flatnonzero(free[problem.group])
    fixed = np.where(free[problem.group], 0, settled)
    share = fixed / problem.pieces.packs
    spent = float((share * problem.cost).sum())
    used = np.bincount(problem.supplier, weights=share * problem.pieces.units, minlength=len(problem.capacity))
    if not len(core):
        return fixed, _value(problem, fixed)
    solution = _Program(problem, core).solve(problem.budget - spent, problem.capacity - used)
    if solution is None:  # what is settled leaves no room: no plan rather than one beyond the limits
        return np.zeros_like(fixed), float("inf")
    packs = fixed.copy()
    packs[core] = solution[0]
    return packs, _value(problem, fixed) + solution[1]


class _Program:
    """Variables: packs of each piece; whether a group orders at all; whether a supplier with a minimum does."""

    def __init__(self, problem: OrderProblem, core: Ints) -> None:
        pieces = problem.pieces
        self.problem, self.core = problem, core
        self.packs = pieces.packs[core]
        self.value = pieces.value[core] / self.packs
        self.cost = problem.cost[core] / self.packs
        self.units = pieces.units[core] / self.packs
        self.groups, self.group = np.unique(problem.group[core], return_inverse=True)
        self.supplier = problem.supplier[core]
        self.strict = np.flatnonzero(problem.min_order_value > 0)
        self.strict = self.strict[np.isin(self.strict, self.supplier)]
        self.gap = _WHOLE_GAP if len(core) == len(problem.group) else _CORE_GAP
        self.n = len(core) + len(self.groups) + len(self.strict)

    def solve(self, budget: float, capacity: Floats) -> tuple[Ints, float] | None:
        rows, lower, upper = self._rows(budget, capacity)
        top = np.concatenate([self.packs, np.ones(self.n - len(self.packs))]).astype(np.float64)
        objective = np.concatenate([-self.value, np.zeros(self.n - len(self.value))])
        found = milp(
            objective,
            integrality=np.ones(self.n, dtype=np.int64),
            bounds=Bounds(np.zeros(self.n), top),
            constraints=LinearConstraint(sp.vstack(rows, format="csr"), np.array(lower), np.array(upper)),
            options={"mip_rel_gap": self.gap, "time_limit": _SECONDS},
        )
        if found.x is None:
            return None
        bound = -found.mip_dual_bound if found.mip_dual_bound is not None else -found.fun
        return np.round(found.x[: len(self.core)]).astype(np.int64), float(bound)

    def _rows(self, budget: float, capacity: Floats) -> tuple[list[sp.csr_matrix], list[float], list[float]]:
        k, g = len(self.core), len(self.groups)
        minimum = self.problem.min_order_qty[self.groups].astype(np.float64)
        most = np.bincount(self.group, weights=self.units * self.packs, minlength=g)
        in_group = sp.csr_matrix((self.units, (self.group, np.arange(k))), shape=(g, k))
        no_strict = sp.csr_matrix((g, len(self.strict)))
        rows = [
            sp.hstack([in_group, sp.diags(-minimum), no_strict], format="csr"),  # at least the minimum order ...
            sp.hstack([in_group, sp.diags(-most), no_strict], format="csr"),  # ... or nothing
        ]
        lower, upper = [0.0] * g + [-np.inf] * g, [np.inf] * g + [0.0] * g
        if np.isfinite(budget):
            rows.append(self._row(self.cost))
            lower.append(-np.inf)
            upper.append(budget + _ROUNDING * max(abs(budget), 1.0))
        for s in np.flatnonzero(np.isfinite(capacity)):
            rows.append(self._row(np.where(self.supplier == s, self.units, 0.0)))
            lower.append(-np.inf)
            upper.append(float(capacity[s]))
        for number, s in enumerate(self.strict):
            spent = np.where(self.supplier == s, self.cost, 0.0)
            least = float(self.problem.min_order_value[s])
            everything = float((spent * self.packs).sum())
            for weight, low, high in ((-least, 0.0, np.inf), (-everything, -np.inf, 0.0)):
                row = self._row(spent).tolil()
                row[0, k + g + number] = weight
                rows.append(row.tocsr())
                lower.append(low)
                upper.append(high)
        return rows, lower, upper

    def _row(self, weights: Floats) -> sp.csr_matrix:
        padded = np.concatenate([weights, np.zeros(self.n - len(weights))])
        return sp.csr_matrix(padded[None, :])
