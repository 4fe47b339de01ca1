"""Where money or capacity is short: the orders with the best marginal return first.

An order is cut into pieces of whole packs; the first piece of a supplier and SKU is its smallest legal order. A piece
is worth what its units are expected to sell for, less what they are expected to lose when left over. Pieces are taken
in order of value per unit of the limit; that is greedy, and within one piece of the optimum of the relaxed problem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LineValues", "cut_to_limit", "expected_sold"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PIECES_PER_LINE = 25  # a line of hundreds of packs is cut into this many pieces at most
_ROWS_PER_CHUNK = 20_000  # bounds the memory of one evaluation


@dataclass(frozen=True)
class LineValues:
    """What a unit gains and loses, one entry per line, and the need it meets."""

    need: Floats  # shape (n, n_paths) [units]
    gain: Floats  # of a unit that sells [shop.currency]
    loss: Floats  # of a unit left over at the end of the protection period [shop.currency]


@dataclass(frozen=True)
class _Pieces:
    line: Ints
    group: Ints
    units: Ints
    weight: Floats
    value: Floats


def expected_sold(need: Floats, order_qty: npt.ArrayLike) -> Floats:
    """Return the expected units of an order that sell within the protection period, shape (n,) [units].

    >>> expected_sold(np.array([[0.0, 5.0, 10.0]]), [6]).round(2).tolist()
    [3.67]
    """
    order = np.asarray(order_qty, dtype=np.float64)[:, None]
    sold: Floats = np.clip(need, 0.0, order).mean(axis=1)
    return sold


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
    pieces = _with_smallest_orders(
        _pieces(quantity, weight=weight, values=values, group=group, pack_size=pack_size), min_order_qty=min_order_qty
    )
    kept = np.zeros_like(quantity)
    left = limit
    closed: set[int] = set()
    for block in pieces:
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


def _pieces(quantity: Ints, *, weight: Floats, values: LineValues, group: Ints, pack_size: Ints) -> _Pieces:
    """Return every line cut into pieces of whole packs, with the value of each."""
    lines = np.flatnonzero(quantity > 0)
    packs = -(-quantity[lines] // pack_size[lines])
    per_piece = -(-packs // _PIECES_PER_LINE)
    count = -(-packs // per_piece)
    line = np.repeat(lines, count)
    number = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    step = np.repeat(per_piece, count) * pack_size[line]
    start = number * step
    stop = np.minimum(start + step, quantity[line])
    sold = np.empty(len(line))
    for first in range(0, len(line), _ROWS_PER_CHUNK):
        part = slice(first, first + _ROWS_PER_CHUNK)
        need = values.need[line[part]]
        sold[part] = expected_sold(need, stop[part]) - expected_sold(need, start[part])
    units = stop - start
    value = values.gain[line] * sold - values.loss[line] * (units - sold)
    return _Pieces(line, group[line], units, units * weight[line], value)


def _with_smallest_orders(pieces: _Pieces, *, min_order_qty: Ints) -> list[_Block]:
    """Return the pieces, best first; those of a group's smallest legal order are one block before its others."""
    rate = np.divide(pieces.value, pieces.weight, out=np.full(len(pieces.line), np.inf), where=pieces.weight > 0)
    order = np.lexsort((np.arange(len(rate)), -rate, pieces.group))
    blocks: list[_Block] = []
    for rows in np.split(order, np.flatnonzero(np.diff(pieces.group[order])) + 1):
        reached = np.cumsum(pieces.units[rows])
        needed = int(min_order_qty[pieces.line[rows[0]]])
        first = int(np.searchsorted(reached, needed)) + 1
        parts = [rows[:first], *(rows[i : i + 1] for i in range(first, len(rows)))]
        ceiling = np.inf
        for part in parts:
            weight = float(pieces.weight[part].sum())
            ceiling = min(ceiling, float(pieces.value[part].sum()) / weight if weight > 0 else np.inf)
            blocks.append(_Block(int(pieces.group[rows[0]]), pieces.line[part], pieces.units[part], weight, ceiling))
    return sorted(blocks, key=lambda block: -block.rank)
