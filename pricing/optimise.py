"""The price with the highest expected margin over the horizon, inside the guardrails, given stock and elasticity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pricing import normal
from pricing.config import PricingConfig
from pricing.effects import Floats, Outlook, price_effects, profit_at
from pricing.guardrails import Cents

Codes = npt.NDArray[np.int64]

_WIDEST_RATIO = 1.2  # [1] an elasticity of -5 may have an interval of 6: it is far from zero all the same

__all__ = ["best_prices", "is_known", "is_scarce"]


def is_scarce(outlook: Outlook, *, config: PricingConfig) -> npt.NDArray[np.bool_]:
    """Return which lines run out: within the horizon more likely than ``scarce_probability``, or within days."""
    spread = np.where(outlook.units_sd > 0, outlook.units_sd, 1e-9)
    p_out = normal.sf((outlook.supply / np.maximum(outlook.exposed_share, 1e-9) - outlook.units_mean) / spread)
    return np.asarray((p_out > config.scarce_probability) | (outlook.days_of_cover < config.scarce_cover_days))


def is_known(outlook: Outlook, *, config: PricingConfig) -> npt.NDArray[np.bool_]:
    """Return where the elasticity is known well enough to act on: finite, and its interval not too wide.

    Too wide is wider than ``max_elasticity_width``; for steep demand, wider than so many times the elasticity itself.
    """
    width = outlook.elasticity_hi - outlook.elasticity_lo
    widest = np.maximum(config.max_elasticity_width, _WIDEST_RATIO * np.abs(outlook.elasticity))
    return np.asarray(np.isfinite(outlook.elasticity) & np.isfinite(width) & (width <= widest), dtype=bool)


def best_prices(outlook: Outlook, low: Cents, high: Cents, *, within_percent: float, config: PricingConfig) -> Cents:
    """Return the price in cents with the highest expected profit, the current one where none is clearly better.

    Candidates lie evenly between the bounds and within ``within_percent`` of the current price. What is scarce is
    never cheapened: lower candidates are left out. Where the elasticity is not known, where nothing is forecast to
    sell, the gain is below ``least_profit_gain_percent``, or profit rises less likely than
    ``least_profit_probability``, the current price stays. Lines of one family (of one current price) get one price:
    the best for all of them together.

    Args:
        outlook: of n lines.
        low: lowest admissible price, shape (n,) [cents].
        high: highest admissible price, shape (n,) [cents].
        within_percent: greatest distance from the current price [percent].
        config: validated settings.
    """
    current: Floats = np.rint(outlook.price * 100)
    family = _families(outlook)
    near_low, near_high = current * (1 - within_percent / 100), current * (1 + within_percent / 100)
    lowest = np.where(_mostly(is_scarce(outlook, config=config), outlook, family), current, near_low)
    floor = _over(np.maximum.reduceat, np.maximum(lowest, low), family)
    ceiling = _over(np.minimum.reduceat, np.minimum(near_high, high), family)
    known = _mostly(is_known(outlook, config=config), outlook, family)
    usable = known & (floor <= ceiling) & (_sum(outlook.units_mean, family) > 0)
    best, best_profit = current.copy(), _sum(profit_at(current / 100, outlook, outlook.elasticity)[0], family)
    needed = best_profit + np.abs(best_profit) * config.least_profit_gain_percent / 100
    for share in np.linspace(0.0, 1.0, config.candidate_prices):
        price = np.rint(floor + share * (ceiling - floor))
        profit = _sum(profit_at(price / 100, outlook, outlook.elasticity)[0], family)
        better = usable & (price > 0) & (profit > best_profit) & (profit > needed)
        best, best_profit = np.where(better, price, best), np.where(better, profit, best_profit)
    likely = np.zeros(len(current), dtype=bool)
    moved = best != current
    effects = price_effects(best[moved] / 100, outlook.rows(moved))
    likely[moved] = effects.p_profit_up >= config.least_profit_probability
    return np.where(_mostly(likely, outlook, family), best, current).astype(np.int64)


def _families(outlook: Outlook) -> Codes:
    """Codes from 0, one a family; a line that moves alone is a family of one."""
    alone = outlook.family < 0
    keys = np.where(alone, -1 - np.arange(len(alone)), outlook.family)
    return np.asarray(np.unique(keys, return_inverse=True)[1], dtype=np.int64)


def _sum(values: Floats, family: Codes) -> Floats:
    return np.asarray(np.bincount(family, weights=values)[family], dtype=float)


def _over(reduce_at: Callable[[Floats, npt.NDArray[np.intp]], Floats], values: Floats, family: Codes) -> Floats:
    """The maximum or minimum of each family, on each of its lines."""
    if not len(values):
        return values
    order = np.argsort(family, kind="stable")
    starts = np.flatnonzero(np.diff(family[order], prepend=-1))
    return np.asarray(reduce_at(values[order], starts)[family], dtype=float)


def _mostly(mask: npt.NDArray[np.bool_], outlook: Outlook, family: Codes) -> npt.NDArray[np.bool_]:
    """Whether something holds for at least half of what a family sells."""
    weight = outlook.units_mean + 1e-9
    return np.asarray(_sum(mask * weight, family) >= 0.5 * _sum(weight, family), dtype=bool)
