"""Orders cut into pieces of whole packs, and what each piece is worth.

A line's first pieces are worth most: expected sales are concave in the quantity. So the best way to spend a limit takes
the pieces of a line in order, and a piece may be taken or left without asking for the ones before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LineValues", "Pieces", "cut_in_pieces", "expected_sold"]

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

    def of(self, rows: Ints) -> LineValues:
        """Return the values of some lines; unknown gains and losses are 0."""
        return LineValues(self.need[rows], np.nan_to_num(self.gain[rows]), np.nan_to_num(self.loss[rows]))


@dataclass(frozen=True)
class Pieces:
    """One entry per piece; the pieces of a line follow each other."""

    line: Ints
    units: Ints
    packs: Ints  # a piece of several packs may be taken in part, pack by pack
    value: Floats  # of all its units [shop.currency]


def expected_sold(need: Floats, order_qty: npt.ArrayLike) -> Floats:
    """Return the expected units of an order that sell within the protection period, shape (n,) [units].

    >>> expected_sold(np.array([[0.0, 5.0, 10.0]]), [6]).round(2).tolist()
    [3.67]
    """
    order = np.asarray(order_qty, dtype=np.float64)[:, None]
    sold: Floats = np.clip(need, 0.0, order).mean(axis=1)
    return sold


def cut_in_pieces(quantity: Ints, *, values: LineValues, pack_size: Ints) -> Pieces:
    """Return every line cut into pieces of whole packs, with the value of each.

    Args:
        quantity: shape (n,) [units].
        values: need, gain and loss of the same lines.
        pack_size: per line [units].

    >>> values = LineValues(np.array([[2.0, 6.0]]), gain=np.array([3.0]), loss=np.array([1.0]))
    >>> pieces = cut_in_pieces(np.array([6]), values=values, pack_size=np.array([2]))
    >>> pieces.units.tolist(), pieces.value.tolist()
    ([2, 2, 2], [6.0, 2.0, 2.0])
    """
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
    return Pieces(line, units, -(-units // pack_size[line]), value)
