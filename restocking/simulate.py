"""An inventory simulator: what a policy costs on demand that really came.

Order of events in a period t: goods due arrive and can be sold; demand comes; what is missing is lost or owed; holding
cost is paid on what is left; at the close the policy sees stock and what is on the way, and orders. An order placed at
the close of period t with a lead time of L periods can be sold from period t + 1 + L on: nothing of it arrives in the L
periods in between. A policy sees nothing that is later than the close.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restocking.explain import round_half_up
from restocking.projection import project
from restocking.safety_stock import need_quantile

__all__ = ["Costs", "PolicyView", "SimulationResult", "cover_policy", "no_orders", "projected_need", "simulate"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Costs:
    """Costs per unit: ``holding`` per period on what is left at its close, ``shortage`` per unit missed [currency]."""

    holding: float
    shortage: float


@dataclass(frozen=True)
class PolicyView:
    """What a policy may know at the close of a period, one row per series."""

    period: int  # the period that just closed; -1 before the first
    on_hand: Floats  # less what is owed, with backorders [units]
    due: Floats  # shape (n, lead): units that can be sold from the next period on, from the one after it ... [units]
    history: Floats  # shape (n, period + 1): demand of the periods that closed [units]


Policy = Callable[[PolicyView], npt.ArrayLike]


@dataclass(frozen=True)
class SimulationResult:
    """What happened, each of shape (n_series, n_periods) [units]."""

    left: Floats  # on hand at the close
    missed: Floats  # demand unmet in the period
    arrived: Floats
    ordered: Floats  # at the close of the period; the first column is before period 0

    def cost(self, costs: Costs, *, first: int = 0) -> Floats:
        """Return each series' cost over the periods from ``first`` on [currency]."""
        per_period = costs.holding * self.left + costs.shortage * self.missed
        total: Floats = per_period[:, first:].sum(axis=1)
        return total


def simulate(
    demand: Floats, policy: Policy, *, opening: Floats, due: Floats, lost_sales: bool = True
) -> SimulationResult:
    """Return what a policy makes of real demand.

    Args:
        demand: shape (n_series, n_periods) [units].
        policy: from what is known at a close to the quantities ordered then [units].
        opening: shape (n_series,): on hand before period 0 [units].
        due: shape (n_series, L): units on the way, to be sold from period 0, 1 ... L - 1 on [units].
        lost_sales: True where an unmet customer goes away, False where he waits.

    Example: L = 1. The 5 ordered before period 0 can be sold from period 1 on.
        >>> orders = iter([5.0, 0.0, 0.0])
        >>> demand, nothing = np.array([[3.0, 3.0]]), np.zeros((1, 1))
        >>> out = simulate(demand, lambda view: [next(orders)], opening=np.array([3.0]), due=nothing)
        >>> out.arrived.tolist(), out.left.tolist(), out.missed.tolist()
        ([[0.0, 5.0]], [[0.0, 2.0]], [[0.0, 0.0]])
    """
    n_series, n_periods = demand.shape
    lead = due.shape[1]
    pipeline = np.zeros((n_series, n_periods + lead + 1))
    pipeline[:, :lead] = due
    on_hand = opening.astype(np.float64).copy()
    left, missed, ordered = np.zeros_like(demand), np.zeros_like(demand), np.zeros((n_series, n_periods + 1))
    for t in range(-1, n_periods):
        if t >= 0:
            on_hand = on_hand + pipeline[:, t]
            missed[:, t] = np.maximum(demand[:, t] - np.maximum(on_hand, 0.0), 0.0)
            on_hand = on_hand - demand[:, t] + (missed[:, t] if lost_sales else 0.0)
            left[:, t] = np.maximum(on_hand, 0.0)
        view = PolicyView(t, on_hand.copy(), pipeline[:, t + 1 : t + 1 + lead].copy(), demand[:, : t + 1].copy())
        ordered[:, t + 1] = np.maximum(np.asarray(policy(view), dtype=np.float64), 0.0)
        pipeline[:, t + 1 + lead] += ordered[:, t + 1]
    return SimulationResult(left, missed, pipeline[:, :n_periods], ordered)


def no_orders(view: PolicyView) -> Floats:
    """Order nothing: the control that shows what the opening stock alone costs."""
    return np.zeros_like(view.on_hand)


def cover_policy(rate: Callable[[PolicyView], Floats], *, periods: float) -> Policy:
    """Return the policy that raises the position to ``periods`` of ``rate`` [units per period]."""

    def order(view: PolicyView) -> Ints:
        position = view.on_hand + view.due.sum(axis=1)
        return round_half_up(np.maximum(periods * rate(view) - position, 0.0))

    return order


def projected_need(
    paths: Callable[[PolicyView], Floats],
    *,
    ratio: float | Floats,
    review: int = 1,
    lost_sales: bool = True,
    lead_error: int = 0,
) -> Policy:
    """Return the policy of the plan: the quantile of need at the critical ratio, over projected stock.

    Args:
        paths: from what is known at a close to sample paths of demand from the next period on, shape
            (horizon, n_series, n_paths) with a horizon of at least L + R [units].
        ratio: critical ratio (0-1), of all series or of each.
        review: R [periods].
        lost_sales: True where an unmet customer goes away.
        lead_error: plans with a lead time wrong by so many periods, to see what the mistake costs [periods].
    """

    def order(view: PolicyView) -> Ints:
        drawn = paths(view)
        n_series, lead = view.due.shape
        planned = max(lead + lead_error, 0)
        arrivals = np.zeros((len(drawn), n_series))
        arrivals[:lead] = view.due.T[: len(drawn)]
        outcome = project(
            drawn,
            stock=view.on_hand,
            arrivals=arrivals,
            supply=view.due.sum(axis=1),
            lead=np.full((n_series, drawn.shape[2]), planned),
            review=np.full(n_series, review),
            lost_sales=lost_sales,
        )
        return round_half_up(np.maximum(need_quantile(outcome.need, np.broadcast_to(ratio, n_series)), 0.0))

    return order
