"""The price with the highest expected margin over the horizon, inside the guardrails, given stock and elasticity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pricing import normal
from pricing.config import PricingConfig
from pricing.effects import Floats, Outlook, price_effects, profit_at
from pricing.guardrails import Cents

__all__ = ["best_prices", "is_known", "is_scarce"]


def is_scarce(outlook: Outlook, *, config: PricingConfig) -> npt.NDArray[np.bool_]:
    """Return which lines run out: within the horizon more likely than ``scarce_probability``, or within days."""
    spread = np.where(outlook.units_sd > 0, outlook.units_sd, 1e-9)
    p_out = normal.sf((outlook.supply - outlook.units_mean) / spread)
    return np.asarray((p_out > config.scarce_probability) | (outlook.days_of_cover < config.scarce_cover_days))


def is_known(outlook: Outlook, *, config: PricingConfig) -> npt.NDArray[np.bool_]:
    """Return where the elasticity is known well enough to act on: finite, and its interval not too wide."""
    width = outlook.elasticity_hi - outlook.elasticity_lo
    return np.asarray(
        np.isfinite(outlook.elasticity) & np.isfinite(width) & (width <= config.max_elasticity_width), dtype=bool
    )


def best_prices(outlook: Outlook, low: Cents, high: Cents, *, within_percent: float, config: PricingConfig) -> Cents:
    """Return the price in cents with the highest expected profit, the current one where none is clearly better.

    Candidates lie evenly between the bounds and within ``within_percent`` of the current price. What is scarce is
    never cheapened: lower candidates are left out. Where the elasticity is not known, where nothing is forecast to
    sell, the gain is below ``least_profit_gain_percent``, or profit rises less likely than
    ``least_profit_probability``, the current price stays.

    Args:
        outlook: of n lines.
        low: lowest admissible price, shape (n,) [cents].
        high: highest admissible price, shape (n,) [cents].
        within_percent: greatest distance from the current price [percent].
        config: validated settings.
    """
    current: Floats = np.rint(outlook.price * 100)
    near_low, near_high = current * (1 - within_percent / 100), current * (1 + within_percent / 100)
    floor = np.maximum(np.where(is_scarce(outlook, config=config), current, near_low), low)
    ceiling = np.minimum(near_high, high)
    usable = is_known(outlook, config=config) & (floor <= ceiling) & (outlook.units_mean > 0)
    best, best_profit = current.copy(), profit_at(current / 100, outlook, outlook.elasticity)[0]
    needed = best_profit + np.abs(best_profit) * config.least_profit_gain_percent / 100
    for share in np.linspace(0.0, 1.0, config.candidate_prices):
        price = np.rint(floor + share * (ceiling - floor))
        profit, _ = profit_at(price / 100, outlook, outlook.elasticity)
        better = usable & (price > 0) & (profit > best_profit) & (profit > needed)
        best, best_profit = np.where(better, price, best), np.where(better, profit, best_profit)
    likely = np.zeros(len(current), dtype=bool)
    moved = best != current
    effects = price_effects(best[moved] / 100, outlook.rows(moved))
    likely[moved] = effects.p_profit_up >= config.least_profit_probability
    return np.where(likely, best, current).astype(np.int64)
