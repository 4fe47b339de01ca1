"""Learning by trying: Thompson sampling of prices on the grid inside the guardrails, within a budget of regret.

For a share of the SKUs that the shop sets, an elasticity is drawn from its posterior and the price is the best one for
that draw: what is not known is tried, in proportion to the chance that it is better (Thompson 1933). What a trial
costs if today's best estimate is right is its regret; trials are admitted until a night's budget is spent.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.config import PricingConfig
from pricing.effects import Floats, Outlook, profit_at
from pricing.experiments import in_share
from pricing.guardrails import Cents, Flags
from pricing.optimise import best_prices, is_scarce

__all__ = ["EXPLORE", "HOLDOUT", "arms", "trial_prices"]

EXPLORE, HOLDOUT = "explore", "holdout"
_INTERVAL = 2 * 1.6448536269514722


def arms(lines: pd.DataFrame, *, config: PricingConfig) -> npt.NDArray[np.object_]:
    """Return the arm of each line: ``holdout``, ``explore`` or None; a style has one arm, at every location.

    Shares come from the settings; who is in by a hash of the style, so that it stays the same from night to night.
    """
    style = lines["style_id"].where(lines["style_id"].notna(), lines["sku"]).astype(str)
    held = in_share(style, salt=HOLDOUT, share=config.holdout_share)
    tried = in_share(style, salt=EXPLORE, share=config.exploration_share) & ~held
    found = np.full(len(lines), None, dtype=object)
    found[held] = HOLDOUT
    found[tried] = EXPLORE
    return found


def trial_prices(
    outlook: Outlook, low: Cents, high: Cents, wanted: Flags, *, within_percent: float, config: PricingConfig, seed: int
) -> Cents:
    """Return the price to try for each line, the current one where none is tried [cents].

    Args:
        outlook: of n lines.
        low: lowest admissible price [cents].
        high: highest admissible price [cents].
        wanted: lines that explore and that no rule moves otherwise.
        within_percent: farthest from the current price [percent].
        config: validated settings; ``regret_budget_percent`` of the expected profit of all lines is the budget.
        seed: of the draws.
    """
    n = len(outlook.price)
    current: Cents = np.asarray(np.rint(outlook.price * 100), dtype=np.int64)
    sd = (outlook.elasticity_hi - outlook.elasticity_lo) / _INTERVAL
    drawn = np.minimum(outlook.elasticity + sd * np.random.default_rng(seed).standard_normal(n), -0.05)
    eager = config.model_copy(update={"least_profit_gain_percent": 0.0, "least_profit_probability": 0.0,
                                      "max_elasticity_width": 10.0})  # fmt: skip
    usable = wanted & np.isfinite(drawn) & ~is_scarce(outlook, config=config)
    if not usable.any():
        return current
    guess = replace(outlook, elasticity=drawn, elasticity_lo=drawn, elasticity_hi=drawn)
    tried = current.copy()
    tried[usable] = best_prices(guess.rows(usable), low[usable], high[usable], within_percent=within_percent,
                                config=eager)  # fmt: skip
    now, _ = profit_at(outlook.price, outlook, outlook.elasticity)
    then, _ = profit_at(tried / 100, outlook, outlook.elasticity)
    regret = np.where(tried != current, np.maximum(np.nan_to_num(now - then), 0.0), 0.0)
    return np.where(_admitted(regret, tried != current, _budget(now, config)), tried, current)


def _budget(profit: Floats, config: PricingConfig) -> float:
    return float(np.maximum(np.nan_to_num(profit), 0.0).sum()) * config.regret_budget_percent / 100


def _admitted(regret: Floats, moved: Flags, budget: float) -> Flags:
    """The cheapest trials first, until the budget is spent."""
    order = np.lexsort((np.arange(len(regret)), regret))
    order = order[moved[order]]
    admitted = np.zeros(len(regret), dtype=bool)
    admitted[order[np.cumsum(regret[order]) <= budget]] = True
    return admitted
