"""From a need to a legal order: minimum order, whole packs, caps and largest order.

The minimum order quantity and the largest order hold for the SUM over locations of one supplier and SKU, never per row.
Packs hold per row: quantities are rounded UP to whole packs, except that a cap is rounded DOWN, so that no rounding
ever overshoots a maximum. An order that a limit pushes below the minimum is no legal order: it becomes 0, for a person
to see.

Arrays have one entry per line (SKU and location); ``group`` numbers the supplier and SKU of each line from 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["OrderRules", "cut_to_cap", "cut_to_max_order", "drop_below_moq", "lift_to_moq", "pack_down", "pack_up"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OrderRules:
    """What the supplier and the planner allow, one entry per line."""

    group: Ints  # number of the line's supplier and SKU
    min_order_qty: Ints  # over the group [units]
    pack_size: Ints  # per line [units]
    max_order_qty: Floats  # over the group; inf: none [units]
    cover_room: Floats  # most that keeps the line within its cover cap; inf: no cap [units]

    def of(self, rows: Ints) -> OrderRules:
        """Return the rules of some lines."""
        parts = (self.group, self.min_order_qty, self.pack_size, self.max_order_qty, self.cover_room)
        return OrderRules(*(part[rows] for part in parts))  # type: ignore[arg-type]


def pack_up(quantity: npt.ArrayLike, pack_size: npt.ArrayLike) -> Ints:
    """Return quantities rounded up to whole packs [units].

    >>> pack_up([0, 1, 12, 13], 12).tolist()
    [0, 12, 12, 24]
    """
    packs: Ints = -(-np.asarray(quantity, dtype=np.int64) // np.asarray(pack_size, dtype=np.int64))
    return packs * np.asarray(pack_size, dtype=np.int64)


def pack_down(quantity: npt.ArrayLike, pack_size: npt.ArrayLike) -> Floats:
    """Return quantities rounded down to whole packs, never below 0; inf stays inf [units].

    >>> pack_down([11.9, 12, 25], 12).tolist()
    [0.0, 12.0, 24.0]
    """
    pack = np.asarray(pack_size, dtype=np.float64)
    return np.maximum(np.floor(np.asarray(quantity, dtype=np.float64) / pack + 1e-9) * pack, 0.0)


def group_sum(quantity: npt.NDArray[np.number], group: Ints) -> Floats:
    """Return for every line the sum over its group [units]."""
    total = np.bincount(group, weights=quantity.astype(np.float64), minlength=int(group.max(initial=-1)) + 1)
    return total[group].astype(np.float64)


def lift_to_moq(quantity: Ints, *, rules: OrderRules, need: Floats) -> Ints:
    """Return quantities whose sum over each ordering group reaches the minimum order.

    The lift goes to the line with the greatest need, up to its cap, then to the next. Where the caps leave no room for
    the minimum, the rest goes to the greatest need all the same: :func:`cut_to_cap` then refuses the order.

    Args:
        quantity: shape (n,) [units].
        rules: of the same lines.
        need: shape (n,): quantile of need [units].

    Example: 10 and 5 are needed at two places, the supplier sells 30 or more.
        >>> none = np.full(2, np.inf)
        >>> rules = OrderRules(np.zeros(2, int), np.full(2, 30), np.ones(2, int), none, none)
        >>> lift_to_moq(np.array([5, 10]), rules=rules, need=np.array([5.0, 10.0])).tolist()
        [5, 25]
    """
    total = group_sum(quantity, rules.group)
    missing = np.where(total > 0, np.maximum(rules.min_order_qty - total, 0.0), 0.0)
    if not missing.any():
        return quantity.copy()
    order = np.lexsort((np.arange(len(quantity)), -need, -quantity, rules.group))
    group, lift = rules.group[order], missing[order]
    room = np.maximum(pack_down(rules.cover_room, rules.pack_size) - quantity, 0.0)[order]
    room = np.minimum(room, lift)  # finite, so that running sums stay finite
    is_first = np.concatenate([[True], group[1:] != group[:-1]])
    running = np.cumsum(room) - room
    used_before = running - np.maximum.accumulate(np.where(is_first, running, -np.inf))
    taken = np.clip(lift - used_before, 0.0, room)
    unplaced = lift - group_sum(taken, group)
    taken = taken + np.where(is_first, np.maximum(unplaced, 0.0), 0.0)
    lifted = quantity.copy()
    lifted[order] += np.ceil(taken - 1e-9).astype(np.int64)
    return lifted


def drop_below_moq(quantity: Ints, *, rules: OrderRules) -> Ints:
    """Return quantities with every group that orders less than its minimum set to 0."""
    total = group_sum(quantity, rules.group)
    return np.where(total >= rules.min_order_qty, quantity, 0)


def cut_to_cap(quantity: Ints, *, rules: OrderRules) -> Ints:
    """Return quantities within each line's cover cap, rounded down to whole packs; 0 below the group's minimum.

    >>> rules = OrderRules(np.zeros(1, int), np.ones(1, int), np.full(1, 12), np.full(1, np.inf), np.full(1, 30.0))
    >>> cut_to_cap(np.array([36]), rules=rules).tolist(), cut_to_cap(np.array([24]), rules=rules).tolist()
    ([24], [24])
    """
    capped = np.minimum(quantity, pack_down(rules.cover_room, rules.pack_size)).astype(np.int64)
    return np.where(
        group_sum(capped, rules.group) < group_sum(quantity, rules.group), drop_below_moq(capped, rules=rules), capped
    )


def cut_to_max_order(quantity: Ints, *, rules: OrderRules, need: Floats) -> Ints:
    """Return quantities whose sum over each group stays within the largest order, the greatest need served first.

    Every line is rounded down to whole packs; a group that falls below its minimum orders nothing.

    >>> rules = OrderRules(np.zeros(2, int), np.ones(2, int), np.full(2, 10), np.full(2, 35.0), np.full(2, np.inf))
    >>> cut_to_max_order(np.array([20, 30]), rules=rules, need=np.array([18.0, 27.0])).tolist()
    [0, 30]
    """
    total = group_sum(quantity, rules.group)
    if not (total > rules.max_order_qty).any():
        return quantity.copy()
    cut = quantity.copy()
    order = np.lexsort((np.arange(len(quantity)), -need, rules.group))
    left: dict[int, float] = {}
    for row in order[(total > rules.max_order_qty)[order]]:
        group = int(rules.group[row])
        available = left.get(group, float(rules.max_order_qty[row]))
        cut[row] = min(int(quantity[row]), int(pack_down(available, rules.pack_size[row])))
        left[group] = available - int(cut[row])
    return np.where(total > rules.max_order_qty, drop_below_moq(cut, rules=rules), cut)
