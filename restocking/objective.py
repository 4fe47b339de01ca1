"""What an order optimises, line by line: the critical ratio, and what a unit gains or loses.

Whatever the objective, ratio = gain / (gain + loss): ``gain`` is what a unit that sells brings, ``loss`` what a unit
left over at the end of the protection period costs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.settings import Planning
from restocking.config import RestockConfig
from restocking.safety_stock import MarginTerms, explicit_ratio, margin_ratio, need_quantile

__all__ = ["UnitEconomics", "unit_economics", "with_sets"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_SMALLEST_RATIO = 1e-6


@dataclass(frozen=True)
class UnitEconomics:
    """One entry per line."""

    ratio: Floats  # critical ratio, the plan's service_level (0-1)
    gain: Floats  # of a unit that sells; nan where neither price nor cost is known [shop.currency]
    loss: Floats  # of a unit left over [shop.currency]
    is_unpriced: Mask  # the margin objective lacks price or cost: the fallback service level applies
    is_without_margin: Mask  # the price does not cover the cost: never ordered


def unit_economics(
    lines: pd.DataFrame,
    *,
    need: Floats,
    demand_total: Floats,
    planning: Planning,
    period_days: int,
    config: RestockConfig,
) -> UnitEconomics:
    """Return the ratio, gain and loss of every line.

    Args:
        lines: ``regular_price``, ``unit_cost``, ``salvage_value`` [shop.currency; nan unknown], ``review_period_days``,
            ``protection_days``, ``days_to_sale_end`` [days; nan: no end], ``is_last_buy``.
        need: shape (n, n_paths), before any order [units].
        demand_total: shape (n, n_paths), over L + R [units].
        planning: the shop's objective.
        period_days: length of a period [days].
        config: fallback service level.
    """
    price, cost = (lines[name].to_numpy(np.float64) for name in ("regular_price", "unit_cost"))
    margin = price - cost
    gain = np.where(np.isnan(margin), np.where(np.isnan(price), cost, price), np.maximum(margin, 0.0))
    n = len(lines)
    never = np.zeros(n, dtype=bool)
    objective = planning.objective
    if objective.service_level is not None:
        ratio = np.full(n, objective.service_level)
        return UnitEconomics(ratio, gain, _implied_loss(gain, ratio), never, never)
    if objective.margin is None:
        assert objective.holding_cost_per_unit_per_period is not None  # the settings demand exactly one way
        assert objective.shortage_cost_per_unit is not None
        periods = np.ceil(lines["review_period_days"].to_numpy(np.float64) / period_days)
        holding, shortage = objective.holding_cost_per_unit_per_period, objective.shortage_cost_per_unit
        ratio = explicit_ratio(holding=holding, shortage=shortage, review_periods=periods)
        return UnitEconomics(ratio, np.full(n, shortage), holding * periods, never, never)
    rate = objective.margin.annual_holding_rate
    nothing = np.zeros(n)
    terms = _terms(lines, p_left_over=nothing)
    first = np.nan_to_num(margin_ratio(terms, annual_holding_rate=rate), nan=config.fallback_service_level)
    left = _p_left_over(lines, need, demand_total, level=need_quantile(need, first))
    found = margin_ratio(_terms(lines, p_left_over=left), annual_holding_rate=rate)
    ratio = np.nan_to_num(found, nan=config.fallback_service_level)
    return UnitEconomics(ratio, gain, _implied_loss(gain, ratio), np.isnan(found), found == 0.0)


def with_sets(economics: UnitEconomics, gain: Floats) -> UnitEconomics:
    """Return the economics with a greater gain of a unit that sells, and the ratio that follows from it."""
    worth = np.nan_to_num(gain) + np.nan_to_num(economics.loss)
    more = np.divide(np.nan_to_num(gain), worth, out=economics.ratio.copy(), where=worth > 0)
    is_more = ~economics.is_unpriced & (gain > economics.gain)
    return replace(economics, gain=gain, ratio=np.where(is_more, np.maximum(more, economics.ratio), economics.ratio))


def _implied_loss(gain: Floats, ratio: Floats) -> Floats:
    """Return the loss that makes ``ratio`` the best choice at this gain."""
    safe = np.maximum(ratio, _SMALLEST_RATIO)
    loss: Floats = gain * (1 - safe) / safe
    return loss


def _terms(lines: pd.DataFrame, *, p_left_over: Floats) -> MarginTerms:
    return MarginTerms(
        price=lines["regular_price"].to_numpy(np.float64),
        unit_cost=lines["unit_cost"].to_numpy(np.float64),
        salvage=lines["salvage_value"].fillna(0.0).to_numpy(np.float64),
        review_days=lines["review_period_days"].to_numpy(np.float64),
        p_left_over=p_left_over,
        is_last_buy=lines["is_last_buy"].to_numpy(np.bool_),
    )


def _p_left_over(lines: pd.DataFrame, need: Floats, demand_total: Floats, *, level: Floats) -> Floats:
    """Return P(the item goes off sale before the last unit ordered up to ``level`` sells); 0 without an end of sale.

    Demand to the end of sale is each path's demand over L + R, stretched to the days that are left.
    """
    stretch = (lines["days_to_sale_end"] / lines["protection_days"]).to_numpy(np.float64)[:, None]
    need_to_end = need + demand_total * (np.maximum(np.nan_to_num(stretch), 1.0) - 1.0)
    share: Floats = (need_to_end < level[:, None]).mean(axis=1)
    return np.where(np.isnan(stretch[:, 0]), 0.0, share)
