"""From a target to a price that breaks no guardrail: bounds are intersected, not chained, in whole cents.

*Hard* bounds: freeze, cost floor (a clearance: salvage value, with approval), licensor minimum, limits of the book,
list-price bounds. *Soft* ones, dropped in this order where a current price that breaks a hard bound could not get
back otherwise: grid and endings, family band, competitor band, cooldown, move caps. Soft bounds always contain the
current price: they stop a move and never cause one.

The price is the admissible price nearest the target, rounded toward the current price. All money is in ``int64``
cents, rounded inward by integer division, so that no bound is broken by a fraction of a cent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_CENTS", "Bounds", "Clamped", "Soft", "clamp", "floor_for_margin", "to_cents"]

Cents = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAX_CENTS = 10**11  # [cents] no price beyond a billion
_SCALE = 10_000  # money has four decimals, percents four
NO_LOW, NO_HIGH = 0, MAX_CENTS

Soft = tuple[str, Cents, Cents]


@dataclass(frozen=True)
class Bounds:
    """What a price may be. Arrays of shape (n,) in cents; ``hard`` and ``soft`` carry the name of each bound.

    ``soft`` is in the order in which bounds are dropped after the grid: family, competitors, cooldown, caps.
    ``ending`` and ``modulus`` give the grid: prices of the form ``ending + k * modulus``; modulus 1: any cent.
    """

    current: Cents
    hard: tuple[Soft, ...]
    soft: tuple[Soft, ...]
    ending: Cents
    modulus: Cents
    frozen: Flags

    def hard_range(self) -> tuple[Cents, Cents]:
        """Return the lowest and highest price that no hard bound forbids."""
        return _intersection(self.current, self.hard)

    def soft_range(self) -> tuple[Cents, Cents]:
        """Return the range inside all bounds, hard and soft; empty (low above high) where they are at odds."""
        return _intersection(self.current, (*self.hard, *self.soft))


@dataclass(frozen=True)
class Clamped:
    """What came of the targets. Arrays of shape (n,).

    Attributes:
        price: [cents].
        inside: the target cut to the bounds, before the grid [cents].
        low_name: index into ``names`` of the bound that holds the price from below, -1: none did.
        high_name: likewise from above.
        on_grid: the grid moved the price.
        dropped: number of soft bounds given up, the grid first (0: none).
        breaks_hard: the current price breaks a hard bound.
        is_empty: the hard bounds leave no price: no change.
        names: bound names.
    """

    price: Cents
    inside: Cents
    low_name: npt.NDArray[np.int64]
    high_name: npt.NDArray[np.int64]
    on_grid: Flags
    dropped: npt.NDArray[np.int64]
    breaks_hard: Flags
    is_empty: Flags
    names: tuple[str, ...]


def to_cents(money: npt.NDArray[np.float64]) -> Cents:
    """Return money in whole cents, half to even; 0 where it is missing, not finite, or beyond ``MAX_CENTS``.

    >>> to_cents(np.array([19.9, 0.125, np.nan, np.inf])).tolist()
    [1990, 12, 0, 0]
    """
    usable = np.isfinite(money) & (np.abs(money) < MAX_CENTS / 100)
    return np.asarray(np.rint(np.where(usable, money, 0.0) * 100), dtype=np.int64)


def floor_for_margin(unit_cost: npt.NDArray[np.float64], margin_percent: npt.NDArray[np.float64]) -> Cents:
    """Return the lowest price in cents whose margin over ``unit_cost`` reaches ``margin_percent``, rounded up.

    Exact: cost in units of 1/10,000, margin in units of 1/10,000 percent, ceiling of an integer quotient.

    >>> floor_for_margin(np.array([12.75, 10.0]), np.array([15.0, 0.0])).tolist()
    [1500, 1000]
    """
    usable = np.isfinite(unit_cost) & (unit_cost > 0) & (unit_cost < MAX_CENTS / 100)
    cost = np.rint(np.where(usable, unit_cost, 0.0) * _SCALE).astype(np.int64)
    whole = 100 * _SCALE
    kept = whole - np.rint(margin_percent * _SCALE).astype(np.int64)
    # price = cost / (1 - margin): in cents, cost / 100 * whole / kept
    return np.asarray(-((-cost * (whole // 100)) // np.maximum(kept, 1)), dtype=np.int64)


def clamp(target: Cents, bounds: Bounds) -> Clamped:
    """Return the admissible price nearest each target, and what it met on the way.

    Args:
        target: shape (n,) [cents].
        bounds: of the same n lines.

    Example:
        >>> one = np.ones(1, dtype=np.int64)
        >>> bounds = Bounds(current=26800 * one, hard=(("min_margin", 18539 * one, NO_HIGH * one),),
        ...     soft=(("max_change_per_day", 24120 * one, 29480 * one),), ending=90 * one, modulus=100 * one,
        ...     frozen=np.zeros(1, dtype=bool))
        >>> clamp(24120 * one, bounds).price.tolist()
        [24190]
    """
    current = bounds.current
    low, high = bounds.hard_range()
    empty = low > high
    breaks = ~empty & ((current < low) | (current > high))
    soft_low, soft_high, dropped = _after_dropping(bounds, breaks)
    forced = breaks & (dropped > len(bounds.soft))  # the caps had to go: to the bound, and no further
    aim = np.where(forced, current, target)
    inside = np.clip(aim, np.minimum(soft_low, soft_high), soft_high)
    gridded = _on_grid(inside, soft_low, soft_high, bounds, may_stay=~breaks)
    has_grid = gridded >= 0
    price = np.where(has_grid, gridded, inside)
    dropped = np.where(~has_grid, np.maximum(dropped, 1), dropped)
    stays = empty | bounds.frozen
    price, inside = np.where(stays, current, price), np.where(stays, current, inside)
    names, low_name, high_name = _binding(aim, inside, bounds, dropped)
    return Clamped(
        price=price,
        inside=inside,
        low_name=np.where(stays, -1, low_name),
        high_name=np.where(stays, -1, high_name),
        on_grid=~stays & (price != inside),
        dropped=dropped,
        breaks_hard=breaks,
        is_empty=empty,
        names=names,
    )


def _intersection(current: Cents, bounds: tuple[Soft, ...]) -> tuple[Cents, Cents]:
    low, high = np.full_like(current, NO_LOW), np.full_like(current, NO_HIGH)
    for _, bound_low, bound_high in bounds:
        low, high = np.maximum(low, bound_low), np.minimum(high, bound_high)
    return low, high


def _after_dropping(bounds: Bounds, breaks: Flags) -> tuple[Cents, Cents, npt.NDArray[np.int64]]:
    """The range after as few soft bounds were dropped as leave one, and how many that were, the grid included.

    Only where the current price breaks a hard bound can they be at odds, as every soft bound contains it.
    """
    best_low, best_high = _intersection(bounds.current, (*bounds.hard, *bounds.soft))
    dropped = np.zeros_like(bounds.current)
    for count in range(1, len(bounds.soft) + 1):
        left_low, left_high = _intersection(bounds.current, (*bounds.hard, *bounds.soft[count:]))
        stuck = breaks & (best_low > best_high)
        best_low, best_high = np.where(stuck, left_low, best_low), np.where(stuck, left_high, best_high)
        dropped = np.where(stuck, count + 1, dropped)
    return best_low, best_high, dropped


def _on_grid(inside: Cents, low: Cents, high: Cents, bounds: Bounds, *, may_stay: Flags) -> Cents:
    """The grid point for each price, -1 where the range holds none on the side of the target.

    Toward the current price first, never past it; a price that has to move (``may_stay`` false) may also take the
    next grid point further inside. A cheap item whose next grid point lies beyond its caps would never move again:
    for it the grid is given up.
    """
    ending, step, current = bounds.ending, bounds.modulus, bounds.current
    up = inside + (ending - inside) % step
    down = inside - (inside - ending) % step
    toward = np.where(inside < current, up, np.where(inside > current, down, inside))
    past = ((inside < current) & (toward >= current)) | ((inside > current) & (toward <= current))
    toward = np.where(past & may_stay, current, toward)
    ok = (toward >= low) & (toward <= high) & (toward >= 0) & (may_stay | ~past)
    away = np.where(inside < current, down, up)
    away_ok = ~may_stay & (away >= low) & (away <= high) & (away >= 0)
    next_up = current + 1 + (ending - current - 1) % step
    next_down = current - 1 - (current - 1 - ending) % step
    stuck = ((inside > current) & (next_up > high)) | ((inside < current) & (next_down < np.maximum(low, 0)))
    kept = np.where(ok, toward, np.where(away_ok, away, np.where(may_stay, current, -1)))
    return np.where(stuck & (kept == current), -1, kept)


def _binding(
    aim: Cents, inside: Cents, bounds: Bounds, dropped: npt.NDArray[np.int64]
) -> tuple[tuple[str, ...], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Names of the bounds, and which of them cut the aim from below and from above."""
    every = (*bounds.hard, *bounds.soft)
    names = tuple(name for name, _, _ in every)
    if not every:
        nothing = np.full_like(inside, -1)
        return names, nothing, nothing
    gone = dropped[None, :] - 1 > np.arange(len(every))[:, None] - len(bounds.hard)
    gone &= np.arange(len(every))[:, None] >= len(bounds.hard)
    lows = np.where(gone, NO_LOW, np.stack([low for _, low, _ in every]))
    highs = np.where(gone, NO_HIGH, np.stack([high for _, _, high in every]))
    low_name = np.where(inside > aim, np.argmax(lows, axis=0), -1)
    high_name = np.where(inside < aim, np.argmin(highs, axis=0), -1)
    return names, low_name, high_name
