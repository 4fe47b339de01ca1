"""The safety-stock rule: how far above mean need an order goes.

The order is the quantile of need at the critical ratio of the shop's objective; the safety stock is that quantile less
the mean of need, so it covers demand, lead time and lost sales as they are, without a normal approximation. It is one
figure per SKU and location over the whole protection period, never one per order row. The normal formula is kept for
comparison. Notation (Silver, Pyke & Thomas): L lead time, R review period, h holding cost, p cost of a lost sale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

__all__ = ["MarginTerms", "explicit_ratio", "margin_ratio", "need_quantile", "normal_safety_stock"]

Floats = npt.NDArray[np.float64]
_DAYS_A_YEAR = 365


def explicit_ratio(*, holding: float, shortage: float, review_periods: npt.ArrayLike) -> Floats:
    """Return the critical ratio p / (p + h R) for costs per unit and period.

    A unit too many is held for the R periods until the next order can do without it; a unit too few loses p.

    >>> explicit_ratio(holding=0.2, shortage=1.0, review_periods=[1]).round(4).tolist()
    [0.8333]
    """
    overage = holding * np.asarray(review_periods, dtype=np.float64)
    return shortage / (shortage + overage)


@dataclass(frozen=True)
class MarginTerms:
    """What the margin objective needs, one entry per series. Null prices and costs are nan."""

    price: Floats  # regular selling price [shop.currency/unit]
    unit_cost: Floats  # landed cost [shop.currency/unit]
    salvage: Floats  # what a left-over unit still brings [shop.currency/unit]
    review_days: Floats  # R [days]
    p_left_over: Floats  # P(the item ends before the marginal unit sells) (0-1)
    is_last_buy: npt.NDArray[np.bool_]  # off sale before the next order's receipt


def margin_ratio(terms: MarginTerms, *, annual_holding_rate: float) -> Floats:
    """Return Cu / (Cu + Co) per series; 0 where the price does not cover the cost, nan where price or cost is unknown.

    Cu = price - unit_cost. Co = unit_cost * rate * R / 365 + P(left over) * (unit_cost - salvage). Only for a last buy
    is Co the whole one-shot loss, unit_cost - salvage: on replenished goods a unit too many sells next time.

    >>> one = np.ones(1)
    >>> terms = MarginTerms(10 * one, 4 * one, 0 * one, 7 * one, 0 * one, np.array([True]))
    >>> margin_ratio(terms, annual_holding_rate=0.25).tolist()
    [0.6]
    """
    underage = terms.price - terms.unit_cost
    loss = np.maximum(terms.unit_cost - terms.salvage, 0.0)
    holding = terms.unit_cost * annual_holding_rate * terms.review_days / _DAYS_A_YEAR
    overage = np.where(terms.is_last_buy, loss, holding + terms.p_left_over * loss)
    gain = np.maximum(underage, 0.0)
    total = gain + overage
    ratio = np.divide(gain, total, out=np.ones_like(total), where=total > 0)
    return np.where(np.isnan(underage), np.nan, np.where(underage > 0, ratio, 0.0))


def need_quantile(need: Floats, ratio: Floats) -> Floats:
    """Return the quantile of each row of ``need`` at its own ``ratio``, linear between mid-ranks [units].

    Args:
        need: shape (n_series, n_paths) [units].
        ratio: shape (n_series,) (0-1).

    >>> need_quantile(np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([0.5])).tolist()
    [2.5]
    """
    n_paths = need.shape[1]
    ordered = np.sort(need, axis=1)
    position = np.clip(ratio * n_paths - 0.5, 0.0, n_paths - 1.0)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, n_paths - 1)
    share = position - low
    rows = np.arange(len(need))
    quantile: Floats = (1 - share) * ordered[rows, low] + share * ordered[rows, high]
    return quantile


def normal_safety_stock(
    service_level: float, *, demand_sd: float, demand_mean: float, lead: float, review: float, lead_sd: float = 0.0
) -> float:
    """Return the textbook safety stock z sqrt((L + R) sd^2 + mean^2 sd_L^2) under normal demand [units].

    Args:
        service_level: cycle service level (0-1).
        demand_sd: spread of demand per period [units/period].
        demand_mean: mean demand per period [units/period].
        lead: L [periods].
        review: R [periods].
        lead_sd: spread of L [periods].

    Source: Silver, Pyke & Thomas, Inventory and Production Management, 4th ed., section 6.

    >>> round(normal_safety_stock(0.95, demand_sd=10, demand_mean=50, lead=3, review=1), 2)
    32.9
    """
    spread = np.sqrt((lead + review) * demand_sd**2 + demand_mean**2 * lead_sd**2)
    return float(norm.ppf(service_level) * spread)
