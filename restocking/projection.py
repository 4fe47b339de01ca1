"""Stock projected period by period over sample paths, to the receipt of what is ordered today and to the next receipt.

Timeline, periods counted from 0 = D + 1: an order placed on D with a lead time of L periods can be sold from period L
on; it has to last through the R periods L ... L + R - 1, since the next order arrives at L + R. Open orders can be sold
from the period of their expected receipt on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Outcomes", "project"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_WHOLE_UNIT = 0.5  # less than half a unit unmet is rounding of a fractional forecast, not a lost customer [units]


@dataclass(frozen=True)
class Outcomes:
    """What happens on each path, before anything is ordered today. Arrays of shape (n_series, n_paths) [units].

    ``total``: demand over L + R.
    ``need``: the same, less the position, less the sales lost before receipt: what an order has to bring.
    ``shortfall``: the smallest order without a stock-out on the R periods after receipt.
    ``unmet_before``: on the L periods before receipt. ``demand_after``: on the R periods after it.
    ``stocked_out_by``: shape (n_series, horizon), P(first stock-out in or before the period), open orders included;
    ``stocked_out_after_receipt_by``: the same, counting from the period of receipt on.
    """

    total: Floats
    need: Floats
    shortfall: Floats
    unmet_before: Floats
    demand_after: Floats
    stocked_out_by: Floats
    stocked_out_after_receipt_by: Floats

    def unmet_after(self, order_qty: npt.ArrayLike) -> Floats:
        """Units unmet on the R periods after receipt, with ``order_qty`` received, shape (n_series, n_paths)."""
        order = np.asarray(order_qty, dtype=np.float64)[:, None]
        unmet: Floats = np.clip(self.shortfall - order, 0.0, self.demand_after)
        return unmet

    def p_stockout_before(self) -> Floats:
        """P(demand goes unmet before receipt), whatever is ordered today."""
        return _share(self.unmet_before)

    def p_stockout_after(self, order_qty: npt.ArrayLike) -> Floats:
        """P(demand goes unmet on the R periods after receipt), with ``order_qty`` received."""
        return _share(self.unmet_after(order_qty))

    def fill_rate(self, order_qty: npt.ArrayLike) -> Floats:
        """1 - E[unmet] / E[demand] on the R periods after receipt; 1 where nothing is demanded."""
        demand = self.demand_after.mean(axis=1)
        unmet = self.unmet_after(order_qty).mean(axis=1)
        lost_share = np.divide(unmet, demand, out=np.zeros_like(demand), where=demand > 0)
        rate: Floats = np.clip(1 - lost_share, 0.0, 1.0)
        return rate

    def excess(self, order_qty: npt.ArrayLike, *, demand_later: npt.ArrayLike = 0.0) -> Floats:
        """Units expected to be left at the end of the protection period, with ``order_qty`` received.

        ``demand_later`` goes off it: demand between that end and the day up to which stock is no excess [units].
        """
        order = np.asarray(order_qty, dtype=np.float64)[:, None]
        later = np.broadcast_to(np.asarray(demand_later, dtype=np.float64), len(order))[:, None]
        left: Floats = np.maximum(order - self.need + self.unmet_after(order[:, 0]) - later, 0.0).mean(axis=1)
        return left


def _share(unmet: Floats) -> Floats:
    share: Floats = (unmet >= _WHOLE_UNIT).mean(axis=1)
    return share


def project(
    paths: Floats, *, stock: Floats, arrivals: Floats, supply: Floats, lead: Ints, review: Ints, lost_sales: bool
) -> Outcomes:
    """Return what happens on each path.

    Args:
        paths: shape (horizon, n_series, n_paths): demand [units]. The horizon reaches at least to L + R.
        stock: shape (n_series,): on hand, less what is owed; may be negative [units].
        arrivals: shape (horizon, n_series): what is coming, by the first period in which they can be sold [units].
        supply: shape (n_series,): what of them counts for the protection period [units].
        lead: shape (n_series, n_paths): L of an order placed today [periods].
        review: shape (n_series,): R [periods].
        lost_sales: True where an unmet customer goes away, False where he waits.

    Example: 10 on hand, 4 demanded a period, L = 2, R = 1: 12 in all, 10 in hand, 2 to order.
        >>> out = project(np.full((3, 1, 1), 4.0), stock=np.array([10.0]), arrivals=np.zeros((3, 1)),
        ...     supply=np.zeros(1), lead=np.array([[2]]), review=np.array([1]), lost_sales=True)
        >>> out.need.item(), out.p_stockout_after([0]).item(), out.p_stockout_after([2]).item()
        (2.0, 1.0, 0.0)
    """
    horizon, _, n_paths = paths.shape
    end = lead + review[:, None]
    if end.size and int(end.max()) > horizon:
        raise ValueError(f"paths of {horizon} periods cannot show a protection period of {int(end.max())}")
    on_hand = np.repeat(stock[:, None], n_paths, axis=1)
    zeros = np.zeros_like(on_hand)
    total, unmet_before, demand_after, net_after, unmet_so_far, unmet_later = (zeros.copy() for _ in range(6))
    at_receipt, shortfall = on_hand.copy(), np.full_like(on_hand, -np.inf)
    out_by, out_later_by = np.empty((len(stock), horizon)), np.empty((len(stock), horizon))
    for t in range(horizon):
        demand, arrived = paths[t], arrivals[t][:, None]
        before, after = t < lead, (t >= lead) & (t < end)
        at_receipt = np.where(t == lead, on_hand, at_receipt)
        on_hand = on_hand + arrived
        unmet = np.maximum(demand - np.maximum(on_hand, 0.0), 0.0)
        on_hand = on_hand - demand + (unmet if lost_sales else 0.0)
        total += np.where(before | after, demand, 0.0)
        unmet_before += np.where(before, unmet, 0.0)
        demand_after += np.where(after, demand, 0.0)
        net_after += np.where(after, demand - arrived, 0.0)
        shortfall = np.where(after & (demand > 0), np.maximum(shortfall, net_after - at_receipt), shortfall)
        unmet_so_far += unmet
        unmet_later += np.where(t >= lead, unmet, 0.0)
        out_by[:, t], out_later_by[:, t] = _share(unmet_so_far), _share(unmet_later)
    lost = unmet_before if lost_sales else zeros
    need = total - (stock + supply)[:, None] - lost
    return Outcomes(total, need, shortfall, unmet_before, demand_after, out_by, out_later_by)
