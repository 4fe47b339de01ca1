"""From the need of every line to tonight's order, one rule after the other, each booked to its why column.

need -> position -> lost sales -> buffer -> size set -> surplus -> whole units -> (not orderable) -> transfers ->
order date -> minimum order -> packs -> cover cap -> largest order -> capacity -> budget -> override.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restocking.codes import Constraint
from restocking.exact_orders import Limited, SupplierLimits, best_orders
from restocking.explain import WhyTrail, round_half_up
from restocking.order_quantity import OrderRules, cut_to_cap, cut_to_max_order, lift_to_moq, pack_up
from restocking.pieces import LineValues

__all__ = ["Limits", "Need", "Quantities", "order_quantities", "whole_need", "with_overrides"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Need:
    """What the protection period needs, one entry per line [units]."""

    mean_demand: Floats  # over L + R
    position: Floats  # inventory position
    mean_lost: Floats  # lost before receipt whatever we do; 0 with backorders
    mean_returns: Floats  # expected back and sold again within L + R; lowers the quantile, booked to why_buffer
    own_quantile: Floats  # of need, at the line's own critical ratio
    quantile: Floats  # of need, at the ratio with what the line is worth to its size set


@dataclass(frozen=True)
class Limits:
    """What stands between need and order."""

    rules: OrderRules
    is_orderable: Mask  # False: off sale before receipt, or no margin
    waits: Mask  # off order dates: the need can wait for the next one
    transferred: Ints  # comes from another location [units]
    capacity: dict[int, float]  # supplier number -> units it can deliver for this order
    min_order_value: dict[int, float]  # supplier number -> least value of its order [shop.currency]
    supplier: Ints  # number of each line's supplier
    budget: float | None  # [shop.currency]
    unit_cost: Floats  # nan: unknown, counts as 0 against the budget [shop.currency/unit]
    values: LineValues
    is_free: Mask  # False: held or silenced, takes nothing of capacity and budget


@dataclass(frozen=True)
class Quantities:
    """Tonight's quantities and how they came about, one entry per line."""

    trail: WhyTrail
    base_qty: Ints  # whole need, before any rule [units]
    order_qty: Ints  # after all rules but overrides [units]
    binding: npt.NDArray[np.object_]  # a ``Constraint`` each
    gap: float  # where money or capacity was short: how much more another plan could be worth, at most (0-1)


def whole_need(quantile: Floats, *, rounding: str) -> Ints:
    """Return the need in whole units, never below 0: rounded to the nearest, or up.

    >>> whole_need(np.array([-3.0, 2.4, 2.6]), rounding="nearest").tolist()
    [0, 2, 3]
    >>> whole_need(np.array([-3.0, 2.4, 2.6]), rounding="up").tolist()
    [0, 3, 3]
    """
    positive = np.maximum(quantile, 0.0)
    return round_half_up(positive) if rounding == "nearest" else np.ceil(positive - 1e-6).astype(np.int64)


def order_quantities(need: Need, limits: Limits, *, rounding: str) -> Quantities:
    """Return tonight's quantities, before overrides.

    Args:
        need: of every line.
        limits: rules, dates and money.
        rounding: ``nearest`` or ``up``.
    """
    n = len(need.position)
    trail = WhyTrail(n)
    trail.move_to("why_need", need.mean_demand)
    trail.move_to("why_position", need.mean_demand - need.position)
    trail.move_to("why_lost_sales", need.mean_demand - need.position - need.mean_lost)
    trail.move_to("why_buffer", need.own_quantile)
    trail.move_to("why_set", need.quantile)
    trail.move_to("why_surplus", np.maximum(need.quantile, 0.0))
    base = whole_need(need.quantile, rounding=rounding)
    trail.move_to("why_round", base)
    chain = _Chain(trail, base)
    chain.step("why_cap", np.where(limits.is_orderable, base, 0), Constraint.END_OF_SALE)
    chain.step("why_transfer", np.maximum(chain.qty - limits.transferred, 0), Constraint.TRANSFER)
    chain.step("why_off_date", np.where(limits.waits, 0, chain.qty), Constraint.ORDER_DATE)
    rules = limits.rules
    chain.step("why_moq", lift_to_moq(chain.qty, rules=rules, need=need.quantile), Constraint.MIN_ORDER_QTY)
    chain.step("why_pack", pack_up(chain.qty, rules.pack_size), Constraint.PACK_SIZE)
    chain.step("why_cap", cut_to_cap(chain.qty, rules=rules), Constraint.MAX_COVER)
    chain.step("why_max_order", cut_to_max_order(chain.qty, rules=rules, need=need.quantile), Constraint.MAX_ORDER_QTY)
    wanted, gaps = chain.qty, [0.0]
    for why, constraint, budget in _short(wanted, limits):
        best = _within(wanted, limits, budget=budget)
        chain.step(why, best[0], constraint)
        gaps.append(best[1])
    return Quantities(trail, base, chain.qty, chain.binding, max(gaps))


class _Chain:
    """The running quantity, and the last rule that changed it."""

    def __init__(self, trail: WhyTrail, qty: Ints) -> None:
        self.trail, self.qty = trail, qty
        self.binding: npt.NDArray[np.object_] = np.full(len(qty), Constraint.NONE, dtype=object)

    def step(self, why: str, qty: Ints, constraint: Constraint) -> None:
        self.binding = np.where(qty != self.qty, constraint, self.binding)
        self.trail.move_to(why, qty)
        self.qty = qty.astype(np.int64)


def _short(wanted: Ints, limits: Limits) -> list[tuple[str, Constraint, float | None]]:
    """Return the limits that bind, in the order of the why columns; the budget is decided with the capacities."""
    free = np.where(limits.is_free, wanted, 0)
    found: list[tuple[str, Constraint, float | None]] = []
    by_supplier = np.bincount(limits.supplier, weights=free)
    if any(by_supplier[supplier] > most for supplier, most in limits.capacity.items() if supplier < len(by_supplier)):
        found.append(("why_capacity", Constraint.CAPACITY, None))
    if limits.budget is not None and float(free @ np.nan_to_num(limits.unit_cost)) > limits.budget:
        found.append(("why_budget", Constraint.BUDGET, limits.budget))
    return found


def _within(wanted: Ints, limits: Limits, *, budget: float | None) -> tuple[Ints, float]:
    """Return the best legal quantities within capacities and budget, held lines as they are, and the gap.

    A supplier whose whole order is worth less than it accepts is held later on; here its minimum is kept only where
    money could buy it.
    """
    rows = np.flatnonzero(limits.is_free & (wanted > 0))
    cost = np.nan_to_num(limits.unit_cost[rows])
    supplier = limits.supplier[rows]
    asked = np.bincount(supplier, weights=wanted[rows] * cost)
    strict = {s: least for s, least in limits.min_order_value.items() if s < len(asked) and asked[s] >= least}
    best: Limited = best_orders(
        wanted[rows],
        values=limits.values.of(rows),
        unit_cost=cost,
        group=limits.rules.group[rows],
        supplier=supplier,
        min_order_qty=limits.rules.min_order_qty[rows],
        pack_size=limits.rules.pack_size[rows],
        budget=budget,
        limits=SupplierLimits(limits.capacity, strict if budget is not None else {}),
    )
    quantity = wanted.copy()
    quantity[rows] = best.order_qty
    return quantity, best.gap


def with_overrides(quantities: Quantities, override_qty: Floats) -> Quantities:
    """Return the quantities after overrides; ``override_qty`` is nan where nobody typed one [units]."""
    typed = ~np.isnan(override_qty)
    qty = np.where(typed, np.nan_to_num(override_qty), quantities.order_qty).astype(np.int64)
    quantities.trail.move_to("why_override", qty)
    binding = np.where(typed, Constraint.OVERRIDE, quantities.binding)
    return Quantities(quantities.trail, quantities.base_qty, qty, binding, quantities.gap)
