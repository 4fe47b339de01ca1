"""Where money or capacity is short, the plain way: the orders with the best marginal return first.

The plan itself uses :mod:`restocking.exact_orders`; this list is its yardstick. An order is cut into pieces of whole
packs; the first piece of a supplier and SKU is its smallest legal order. Pieces are taken in order of value per unit of
the limit; that is greedy, and within one piece of the optimum of the relaxed problem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restocking.pieces import LineValues, Pieces, cut_in_pieces, expected_sold

__all__ = ["LineValues", "cut_to_limit", "expected_sold"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def cut_to_limit(
    quantity: Ints,
    *,
    weight: Floats,
    limit: float,
    values: LineValues,
    group: Ints,
    min_order_qty: Ints,
    pack_size: Ints,
) -> Ints:
    """Return quantities whose total weight stays within ``limit``.

    Args:
        quantity: shape (n,): legal orders in whole packs [units].
        weight: shape (n,): what a unit takes of the limit, such as its cost.
        limit: the budget, or the capacity.
        values: need, gain and loss of the same lines.
        group: number of each line's supplier and SKU.
        min_order_qty: over the group [units].
        pack_size: per line [units].

    Example: 100 to spend on two lines that cost 10 a unit; the first gains twice as much.
        >>> values = LineValues(np.full((2, 4), 10.0), gain=np.array([8.0, 4.0]), loss=np.zeros(2))
        >>> cut_to_limit(np.array([8, 8]), weight=np.full(2, 10.0), limit=100.0, values=values,
        ...     group=np.arange(2), min_order_qty=np.ones(2, int), pack_size=np.ones(2, int)).tolist()
        [8, 2]
    """
    if float(quantity @ weight) <= limit:
        return quantity.copy()
    pieces = cut_in_pieces(quantity, values=values, pack_size=pack_size)
    blocks = _with_smallest_orders(pieces, weight=pieces.units * weight[pieces.line], group=group, least=min_order_qty)
    kept = np.zeros_like(quantity)
    left = limit
    closed: set[int] = set()
    for block in blocks:
        if block.group in closed:
            continue
        if block.weight <= left + 1e-9:
            left -= block.weight
            np.add.at(kept, block.lines, block.units)
        else:
            closed.add(block.group)  # pieces of a group build on each other: no later one without this one
    return kept


@dataclass(frozen=True)
class _Block:
    group: int
    lines: Ints
    units: Ints
    weight: float
    rank: float


def _with_smallest_orders(pieces: Pieces, *, weight: Floats, group: Ints, least: Ints) -> list[_Block]:
    """Return the pieces, best first; those of a group's smallest legal order are one block before its others."""
    rate = np.divide(pieces.value, weight, out=np.full(len(pieces.line), np.inf), where=weight > 0)
    of_piece = group[pieces.line]
    order = np.lexsort((np.arange(len(rate)), -rate, of_piece))
    blocks: list[_Block] = []
    for rows in np.split(order, np.flatnonzero(np.diff(of_piece[order])) + 1):
        if not len(rows):
            continue
        reached = np.cumsum(pieces.units[rows])
        first = int(np.searchsorted(reached, int(least[pieces.line[rows[0]]]))) + 1
        parts = [rows[:first], *(rows[i : i + 1] for i in range(first, len(rows)))]
        ceiling = np.inf
        for part in parts:
            taken = float(weight[part].sum())
            ceiling = min(ceiling, float(pieces.value[part].sum()) / taken if taken > 0 else np.inf)
            blocks.append(_Block(int(of_piece[rows[0]]), pieces.line[part], pieces.units[part], taken, ceiling))
    return sorted(blocks, key=lambda block: -block.rank)
