"""What a price does: units, revenue and profit over the horizon, with what is not known about demand and elasticity.

Demand at price p is ``D(p) = D exp(e ((p / p0)^c - 1) / c)``, with the curvature c that the shop's own sales show (0:
constant elasticity; :mod:`pricing.curve`); sales are the part of it that supply covers,
``E[min(D(p), S)]`` for normal D cut at zero, reckoned on the part of the horizon that passes before a new order can be
sold. Profit is the margin, less the licensor's royalty, times sales, plus salvage for what is left where the item ends
within the horizon, less refunds under price protection and to preorders with a price guarantee.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pricing import normal
from pricing.curve import bent

__all__ = ["Effects", "Outlook", "expected_sales", "price_effects", "profit_at", "refund_cost"]

Floats = npt.NDArray[np.float64]

_DRAWS = 9
_LEVELS: Floats = (np.arange(_DRAWS) + 0.5) / _DRAWS
_INTERVAL = 1.6448536269514722  # standard deviations from the mean to the end of a 90% interval
_LARGEST_EXPONENT = 20.0  # log units; beyond it demand has no meaning


@dataclass(frozen=True)
class Outlook:
    """What profits are reckoned from. Arrays of shape (n,).

    ``units_mean`` and ``units_sd`` at the current price over the horizon [units]; ``supply`` [units]; prices and costs
    [currency]; ``salvage_value`` counts only where ``ends_within`` the horizon; ``refund_units`` are units sold lately
    whose buyers are refunded a cut [units]; ``days_of_cover`` is from stock on hand alone [days]; ``exposed_share`` is
    the part of the horizon before a new order can be sold (1: nothing more comes); ``royalty_share`` of the price goes
    to the licensor; ``guaranteed_units`` are preorders at ``guaranteed_price`` that get a lower price too; lines of one
    ``family`` move together, -1: alone.
    """

    price: Floats
    unit_cost: Floats
    salvage_value: Floats
    ends_within: npt.NDArray[np.bool_]
    units_mean: Floats
    units_sd: Floats
    supply: Floats
    elasticity: Floats
    elasticity_lo: Floats
    elasticity_hi: Floats
    curvature: Floats
    refund_units: Floats
    days_of_cover: Floats
    exposed_share: Floats
    royalty_share: Floats
    guaranteed_units: Floats
    guaranteed_price: Floats
    family: npt.NDArray[np.int64]

    def rows(self, mask: npt.NDArray[np.bool_]) -> Outlook:
        """Return the outlook of the lines in a mask."""
        return Outlook(**{name: getattr(self, name)[mask] for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class Effects:
    """Effects of new prices over the horizon, arrays of shape (n,): units and money as expected, with quantiles."""

    units_now: Floats
    units_new: Floats
    profit_change: Floats
    profit_change_p10: Floats
    profit_change_p90: Floats
    p_profit_up: Floats
    refund_cost: Floats

    def without(self, mask: npt.NDArray[np.bool_]) -> Effects:
        """Return the effects with the lines in a mask left at their current price."""
        return Effects(
            units_now=self.units_now,
            units_new=np.where(mask, self.units_now, self.units_new),
            profit_change=np.where(mask, 0.0, self.profit_change),
            profit_change_p10=np.where(mask, 0.0, self.profit_change_p10),
            profit_change_p90=np.where(mask, 0.0, self.profit_change_p90),
            p_profit_up=np.where(mask, 0.0, self.p_profit_up),
            refund_cost=np.where(mask, 0.0, self.refund_cost),
        )


def expected_sales(mean: Floats, sd: Floats, supply: Floats) -> Floats:
    """Return E[min(D, S)] for normal demand, never below 0 nor above supply [units].

    ``E[min(D, S)] = mean - sd * (phi(z) - z * (1 - Phi(z)))`` with ``z = (S - mean) / sd`` (Silver, Pyke & Thomas).

    >>> round(float(expected_sales(np.array([100.0]), np.array([10.0]), np.array([100.0]))[0]), 4)
    96.0106
    """
    spread = np.where(sd > 0, sd, 1.0)
    z = (supply - mean) / spread
    lost = spread * (normal.pdf(z) - z * normal.sf(z))
    sold = np.where(sd > 0, mean - lost, np.minimum(mean, supply))
    return np.asarray(np.clip(sold, 0.0, np.maximum(supply, 0.0)), dtype=float)


def profit_at(
    price: Floats, outlook: Outlook, elasticity: Floats, *, shift: float | Floats = 0.0
) -> tuple[Floats, Floats]:
    """Return expected profit and sales at ``price`` [currency, units].

    Args:
        price: shape (n,) [currency].
        outlook: of the same lines.
        elasticity: to reckon with, shape (n,).
        shift: demand moved by so many standard deviations; with one, demand is taken as that very number.
    """
    ratio = np.log(np.maximum(price, 1e-9) / np.maximum(outlook.price, 1e-9))
    factor = np.exp(np.clip(elasticity * bent(ratio, outlook.curvature), -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
    mean, sd = outlook.units_mean * factor, outlook.units_sd * factor
    share = outlook.exposed_share
    supply = np.maximum(outlook.supply, 0.0)
    is_drawn = not (isinstance(shift, float) and shift == 0.0)
    if is_drawn:
        wanted = np.clip(mean + shift * sd, 0.0, None)
        sold = np.minimum(wanted * share, supply) + wanted * (1 - share)
    else:
        sold = expected_sales(mean * share, sd * share, supply) + mean * (1 - share)
    left = np.where(outlook.ends_within, np.maximum(outlook.supply - sold, 0.0), 0.0)
    profit = (
        (price * (1 - outlook.royalty_share) - outlook.unit_cost) * sold
        - (outlook.unit_cost - outlook.salvage_value) * left
        - refund_cost(price, outlook)
    )
    return np.asarray(profit, dtype=float), np.asarray(sold, dtype=float)


def refund_cost(price: Floats, outlook: Outlook) -> Floats:
    """Return what a price is to pay back [currency]: to buyers of late under price protection, and to preorders.

    A cut from 100 to 90 owes 10 to each of 3 recent buyers: 30.
    """
    protected = outlook.refund_units * np.maximum(outlook.price - price, 0.0)
    return np.asarray(
        protected + outlook.guaranteed_units * np.maximum(outlook.guaranteed_price - price, 0.0), dtype=float
    )


def price_effects(new_price: Floats, outlook: Outlook) -> Effects:
    """Return what moving to ``new_price`` does; zero where it is the current price.

    The quantiles come from 9 x 9 equally likely pairs of elasticity (normal between its bounds) and demand level.
    """
    profit_now, units_now = profit_at(outlook.price, outlook, outlook.elasticity)
    profit_new, units_new = profit_at(new_price, outlook, outlook.elasticity)
    sd = (outlook.elasticity_hi - outlook.elasticity_lo) / (2 * _INTERVAL)
    changes = []
    for level in normal.ppf(_LEVELS):
        elasticity = np.minimum(outlook.elasticity + level * sd, 0.0)
        for shift in normal.ppf(_LEVELS):
            drawn = np.full(len(new_price), float(shift))
            before, _ = profit_at(outlook.price, outlook, elasticity, shift=drawn)
            after, _ = profit_at(new_price, outlook, elasticity, shift=drawn)
            changes.append(after - before)
    table = np.stack(changes) if changes else np.zeros((1, len(new_price)))
    low, high = np.quantile(table, [0.1, 0.9], axis=0)
    moved = new_price != outlook.price
    return Effects(
        units_now=units_now,
        units_new=np.where(moved, units_new, units_now),
        profit_change=np.where(moved, profit_new - profit_now, 0.0),
        profit_change_p10=np.where(moved, low, 0.0),
        profit_change_p90=np.where(moved, high, 0.0),
        p_profit_up=np.where(moved, np.mean(table > 0, axis=0), 0.0),
        refund_cost=np.where(moved, refund_cost(new_price, outlook) - refund_cost(outlook.price, outlook), 0.0),
    )
