"""Which past campaigns an open one is compared with, and what those still running say about the present.

Nearness has four steps: the same SKU, the same IP and product type, one of the two, anything else. A further step
has its say while nearer ones are few, and next to none when they are many. Younger campaigns count for more where
that foretold earlier ones better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from preorder.bookings import Bookings, snapshot
from preorder.config import PreorderConfig

__all__ = ["N_STEPS", "PaceGrid", "comparable_weights", "memory", "nearness", "pace_grid", "present_pace", "spacing"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_STEPS = 4
_STEP_WEIGHTS = np.array([1.0, 0.3, 0.1, 0.03])  # what the present pace takes from each step
_GRID = (0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.27, 0.2, 0.13, 0.07, 0.03, 0.0)  # shares of the window left
_FEW_CLOSES = 4
_FEWEST_BACKTESTS = 5
_WORTH_IT = 0.05  # a short memory is taken where it lowers the backtest's error by this share: less is often chance


def nearness(kinds: Ints, here: Ints) -> Ints:
    """Return the step (0 nearest, 3 furthest) of items of ``kinds`` (..., 3) to those of ``here`` (..., 3)."""
    same = (kinds == here) & (here >= 0)
    sku, ip, product_type = same[..., 0], same[..., 1], same[..., 2]
    return np.asarray(np.select([sku, ip & product_type, ip | product_type], [0, 1, 2], default=3), dtype=np.int64)


def spacing(closes: Floats) -> float:
    """Return the days between one close and the next, on average; infinity where that cannot be told [days].

    >>> spacing(np.array([0.0, 7.0, 7.0, 14.0, 21.0]))
    7.0
    """
    distinct = np.unique(closes)
    return float(distinct[-1] - distinct[0]) / (len(distinct) - 1) if len(distinct) >= _FEW_CLOSES else np.inf


def comparable_weights(
    steps: Ints, closes: Floats, *, recency: Callable[[npt.NDArray[np.bool_]], float], config: PreorderConfig
) -> Floats:
    """Return the weight of each past item, shape (n,): 1 for the nearest and youngest.

    The weights of a step add up to at most ``prior_campaigns / (1 + n / prior_campaigns)`` where ``n`` nearer items
    have gone before; the age of a close halves a weight every so many closes as ``recency`` says of the nearest.
    """
    weights = np.zeros(len(steps))
    nearer = 0
    for step in range(N_STEPS):
        mine = steps == step
        count = int(mine.sum())
        if count:
            most = config.prior_campaigns / (1 + nearer / config.prior_campaigns) if nearer else np.inf
            weights[mine] = min(1.0, most / count)
        nearer += count
    if not nearer:
        return weights
    near = steps == steps.min()
    if len(np.unique(closes[near])) < _FEW_CLOSES:
        near = np.ones(len(steps), dtype=bool)
    half_life = spacing(closes[near]) * recency(near)
    return np.asarray(weights * 0.5 ** ((closes.max() - closes) / half_life), dtype=float)


def memory(closes: Floats, instants: Floats, outcomes: tuple[Floats, ...], *, config: PreorderConfig) -> float:
    """Return the half-life of a past campaign's weight, chosen by backtest: ``recency_campaigns``, or infinity.

    Each item is foretold, as known at its instant, by the mean of those closed by then: all alike, or the younger
    ones with more weight. The short memory is taken where its mean absolute error is clearly lower.

    Args:
        closes: (n,) days of the closes.
        instants: (n,) days on which each is foretold.
        outcomes: what is foretold, arrays (n,): final volumes and pick-ups.
        config: validated settings.
    """
    known = closes[None, :] <= instants[:, None]
    judged = known.sum(axis=1) >= _FEW_CLOSES
    if judged.sum() < _FEWEST_BACKTESTS:
        return np.inf
    age = np.maximum(instants[:, None] - closes[None, :], 0)[judged]
    errors = []
    for half_life in (config.recency_campaigns, np.inf):
        weights = np.where(known[judged], 0.5 ** (age / (spacing(closes) * half_life)), 0.0)
        weights = weights / weights.sum(axis=1, keepdims=True)
        spread = [float(np.abs(y - y.mean()).mean()) + 1e-9 for y in outcomes]
        errors.append(
            sum(float(np.abs(y[judged] - weights @ y).mean()) / s for y, s in zip(outcomes, spread, strict=True))
        )
    return config.recency_campaigns if errors[0] < (1 - _WORTH_IT) * errors[1] else np.inf


@dataclass(frozen=True)
class PaceGrid:
    """Firm units of every item at fixed shares of its window, and when each was reached; shapes (n_items, n_shares)."""

    reached: Floats  # [days]
    firm: Floats  # [units]


def pace_grid(bookings: Bookings) -> PaceGrid:
    """Return firm units along the window of every item."""
    window = bookings.window
    reached = np.column_stack([bookings.closes - g * window for g in _GRID])
    return PaceGrid(reached, np.column_stack([snapshot(bookings, column).firm for column in reached.T]))


def present_pace(
    bookings: Bookings, grid: PaceGrid, items: Ints, instants: Floats, firm: Floats, *, left: float, half_days: float
) -> tuple[Floats, Floats]:
    """Return, as known at each item's instant, the level of recent finals and the pick-up still to come [units].

    The advanced pick-up (Talluri & van Ryzin 2004, section 9.3.2): stretch by stretch of what is left of the window,
    the mean increment of the items that passed that stretch, the latest with the most weight; open ones teach too.

    Args:
        bookings: all items.
        grid: from :func:`pace_grid`.
        items: (n,) which items to look at, and to learn from.
        instants: (n,) when each is looked at [days].
        firm: (n,) firm units of each when the share ``left`` of its window was left [units].
        left: share of the window left at these instants, 0-1.
        half_days: a stretch passed so long ago counts half [days].

    Returns:
        Two arrays (n,); NaN where nothing was known yet.
    """
    kinds = bookings.kinds[items]
    weights = _STEP_WEIGHTS[nearness(kinds[None, :, :], kinds[:, None, :])]
    window, closes = bookings.window[items], bookings.closes[items]
    before, reached_left = firm, closes - left * window

    def mean_of(values: Floats, reached: Floats) -> Floats:
        age = instants[:, None] - reached[None, :]
        w = np.where(age >= 0, weights * 0.5 ** (np.maximum(age, 0) / half_days), 0.0)
        w = np.where(reached_left[None, :] <= instants[:, None], w, 0.0)
        total = w.sum(axis=1)
        return np.where(total > 0, (w @ values) / np.where(total > 0, total, 1.0), np.nan)

    pick_up = np.zeros(len(items))
    for step in [k for k, g in enumerate(_GRID) if g < left]:
        now = grid.firm[items, step]
        pick_up = pick_up + mean_of(now - before, grid.reached[items, step])
        before = now
    return mean_of(grid.firm[items, -1], closes), pick_up
