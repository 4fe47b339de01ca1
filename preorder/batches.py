"""When to have a preorder batch made, and how big: produce, wait, extend or cancel.

The batch covers the firm preorders, the bookings still to come (median) and stock for demand after the close, by
newsvendor on the distribution of the whole need, over all-units price tiers (Silver, Pyke & Thomas, 9.2 and 4.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy import stats

from preorder.campaigns import COMMITTED_STATES, TAKING_STATES, State
from preorder.config import PreorderConfig

__all__ = [
    "BatchCase",
    "BatchSize",
    "Decision",
    "DecisionReason",
    "Tier",
    "batch_size",
    "decide",
    "expected_profit",
    "extended",
    "p_min_batch_met",
    "p_reached",
]

Floats = npt.NDArray[np.float64]


class Decision(StrEnum):
    """What to do with a campaign tonight."""

    PRODUCE = "produce"
    WAIT = "wait"
    EXTEND = "extend"
    CANCEL = "cancel"


class DecisionReason(StrEnum):
    """Why."""

    CAMPAIGN_CANCELLED = "campaign_cancelled"
    BATCH_UNDER_WAY = "batch_under_way"
    BELOW_MINIMUM = "below_minimum"
    COMMIT_DATE_PAST = "commit_date_past"  # below the minimum still, and the promise needs a batch already
    NOT_DUE_YET = "not_due_yet"
    COMMIT_DATE_REACHED = "commit_date_reached"
    MINIMUM_MET = "minimum_met"
    MINIMUM_IN_REACH = "minimum_in_reach"
    CHEAPER_THAN_CANCELLING = "cheaper_than_cancelling"
    MINIMUM_OUT_OF_REACH = "minimum_out_of_reach"


@dataclass(frozen=True)
class Tier:
    """From this quantity on, every unit of the batch costs ``unit_cost`` and the batch ``setup_cost``."""

    from_qty: int
    unit_cost: float
    setup_cost: float = 0.0


@dataclass(frozen=True)
class BatchCase:
    """One campaign and SKU. Distributions are equally likely outcomes, ascending [units]; money in shop.currency."""

    firm: int
    volume: Floats  # units firm at the close
    late: Floats  # demand after the close that this batch may serve
    min_batch_qty: int = 0
    max_batch_qty: int | None = None
    tiers: tuple[Tier, ...] = ()
    price: float | None = None
    salvage_value: float = 0.0
    cancel_cost: float = 0.0


@dataclass(frozen=True)
class BatchSize:
    """A batch and the terms it is made of; ``sum(why.values()) == qty``."""

    qty: int
    tier: Tier | None
    profit: float | None  # expected, all units of need served at ``price``
    why: dict[str, int]


def p_min_batch_met(volume: Floats, min_batch_qty: int) -> float:
    """Return P(final volume >= the smallest batch).

    >>> p_min_batch_met(np.array([80.0, 120.0, 150.0, 200.0]), 100)
    0.75
    """
    return float(np.mean(volume >= min_batch_qty))


def expected_profit(qty: int, need: Floats, tier: Tier, *, price: float, salvage_value: float) -> float:
    """Return the expected profit of a batch [currency]: sales and salvage less units and set-up.

    >>> expected_profit(100, np.array([80.0, 120.0]), Tier(0, 4.0, 50.0), price=10.0, salvage_value=1.0)
    460.0
    """
    sold = float(np.mean(np.minimum(need, qty)))
    return price * sold + salvage_value * (qty - sold) - tier.unit_cost * qty - tier.setup_cost


def batch_size(case: BatchCase) -> BatchSize:
    """Return the batch to make if it were committed today, and why it is that big.

    Never less than the median of the final volume: a firm preorder is a promise, no bet. Without a price or a cost
    no stock is added. A dearer quantity is chosen only where a cheaper tier lifts the expected profit.
    """
    volume = ceil(float(np.median(case.volume)) - 1e-9)
    need = np.quantile(np.add.outer(case.volume[::2], case.late[::2]).ravel(), _levels(len(case.volume)))
    stocked = max(volume, _newsvendor(case, need, volume))
    smallest = max(case.min_batch_qty, case.tiers[0].from_qty if case.tiers else 0) if stocked > 0 else 0
    lifted = max(stocked, smallest)
    tiered = max(lifted, _best_tier_qty(case, need, lifted))
    capped = tiered if case.max_batch_qty is None else min(tiered, case.max_batch_qty)
    why = {
        "why_firm": case.firm,
        "why_late_bookings": volume - case.firm,
        "why_stock": stocked - volume,
        "why_min_batch": lifted - stocked,
        "why_tier": tiered - lifted,
        "why_max_batch": capped - tiered,
    }
    tier = _tier_at(case.tiers, capped)
    profit = None
    if tier is not None and case.price is not None:
        profit = expected_profit(capped, need, tier, price=case.price, salvage_value=case.salvage_value)
    return BatchSize(capped, tier, profit, why)


def decide(
    case: BatchCase,
    size: BatchSize,
    *,
    state: State,
    has_supply: bool,
    run_date: date,
    commit_by_date: date | None,
    latest_extension_date: date | None,
    pace_per_day: float,
    config: PreorderConfig,
) -> tuple[Decision, DecisionReason]:
    """Return what to do tonight, and why.

    - Committed, or a purchase order or receipt names the campaign: wait, the batch is on its way.
    - Still open: produce on the last day that keeps the promise, if the minimum is met; until then wait.
    - Closed: produce at or above the minimum. Below it: extend where the shop may and the minimum is in reach; else
      produce all the same where a batch of the minimum earns more than cancelling costs; else cancel.
    """
    if state is State.CANCELLED:
        return Decision.CANCEL, DecisionReason.CAMPAIGN_CANCELLED
    if has_supply or state in COMMITTED_STATES:
        return Decision.WAIT, DecisionReason.BATCH_UNDER_WAY
    enough = case.firm >= case.min_batch_qty and case.firm > 0
    if state in TAKING_STATES:
        return _while_open(enough, is_due=commit_by_date is not None and run_date >= commit_by_date)
    if enough:
        return Decision.PRODUCE, DecisionReason.MINIMUM_MET
    if latest_extension_date is not None and latest_extension_date > run_date:
        days = (latest_extension_date - run_date).days
        if p_reached(case.min_batch_qty - case.firm, pace_per_day * days) >= config.extend_probability:
            return Decision.EXTEND, DecisionReason.MINIMUM_IN_REACH
    pays = size.profit is not None and case.firm > 0 and size.profit > -case.cancel_cost
    makes_sense = case.max_batch_qty is None or size.qty >= case.min_batch_qty
    if pays and makes_sense:
        return Decision.PRODUCE, DecisionReason.CHEAPER_THAN_CANCELLING
    return Decision.CANCEL, DecisionReason.MINIMUM_OUT_OF_REACH


def _while_open(enough: bool, *, is_due: bool) -> tuple[Decision, DecisionReason]:
    if enough:
        due = (Decision.PRODUCE, DecisionReason.COMMIT_DATE_REACHED)
        return due if is_due else (Decision.WAIT, DecisionReason.NOT_DUE_YET)
    return Decision.WAIT, DecisionReason.COMMIT_DATE_PAST if is_due else DecisionReason.BELOW_MINIMUM


def extended(case: BatchCase, *, expected: float) -> BatchCase:
    """Return the case of a closed campaign that is opened again: Poisson bookings on top of the firm ones.

    Args:
        case: as it closed.
        expected: bookings until the extension ends [units].
    """
    more = stats.poisson.ppf(_levels(len(case.volume)), max(expected, 0.0))
    return replace(case, volume=case.firm + np.asarray(more, dtype=float))


def p_reached(missing: int, expected: float) -> float:
    """Return P(at least ``missing`` more units are booked) where ``expected`` are, by Poisson.

    >>> p_reached(0, 0.0), round(p_reached(3, 3.0), 4)
    (1.0, 0.5768)
    """
    return 1.0 if missing <= 0 else float(stats.poisson.sf(missing - 1, max(expected, 0.0)))


def _levels(n: int) -> Floats:
    return np.asarray((np.arange(n) + 0.5) / n, dtype=float)


def _tier_at(tiers: tuple[Tier, ...], qty: int) -> Tier | None:
    """The tier a quantity falls into; below the first, the first."""
    reached = [t for t in tiers if t.from_qty <= qty]
    return reached[-1] if reached else (tiers[0] if tiers else None)


def _newsvendor(case: BatchCase, need: Floats, volume: int) -> int:
    tier = _tier_at(case.tiers, volume)
    if tier is None or case.price is None or float(case.late[-1]) <= 0:
        return 0
    ratio = _critical_ratio(case, tier)
    return ceil(float(np.quantile(need, ratio)) - 1e-9) if ratio > 0 else 0


def _critical_ratio(case: BatchCase, tier: Tier) -> float:
    assert case.price is not None
    under, over = case.price - tier.unit_cost, max(tier.unit_cost - case.salvage_value, 0.0)
    return 0.0 if under <= 0 else min(under / (under + over), 0.995)


def _best_tier_qty(case: BatchCase, need: Floats, lifted: int) -> int:
    """The most profitable of: the quantity as it is, and the start of each dearer-to-reach tier above it."""
    here = _tier_at(case.tiers, lifted)
    if here is None or case.price is None or lifted == 0:
        return lifted
    candidates = {lifted: here}
    for tier in case.tiers:
        if tier.from_qty > lifted and (case.max_batch_qty is None or tier.from_qty <= case.max_batch_qty):
            candidates[tier.from_qty] = tier
    profits = {
        qty: expected_profit(qty, need, tier, price=case.price, salvage_value=case.salvage_value)
        for qty, tier in candidates.items()
    }
    return max(sorted(profits), key=lambda qty: profits[qty])
