"""What would change the answer: the elasticity at which a new price stops paying, or begins to."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from pricing.bounds import line_rails
from pricing.config import PricingConfig
from pricing.effects import Floats, Outlook, profit_at
from pricing.outlook import outlook_of, whole_life_outlook
from pricing.rules import RuleBook

__all__ = ["tipping_points"]

_TRIED = np.linspace(-8.0, 0.0, 161)  # elasticities


def tipping_points(
    lines: pd.DataFrame, plan: pd.DataFrame, book: RuleBook, *, run_date: date, config: PricingConfig
) -> list[str | None]:
    """Return for each moved line at which elasticity its profit changes sign, in words; None for the others.

    Reckoned as the suggestion is: with stock, royalties, refunds and, near an end of sale, the rest of an item's life.

    Args:
        lines: those of the plan, in its order.
        plan: suggestions for them.
        book: the rule book.
        run_date: date of the lines.
        config: validated settings.
    """
    new = plan["suggested_price"].to_numpy(dtype=float)
    told: list[str | None] = [None] * len(plan)
    outlook = outlook_of(lines, book, line_rails(book, lines, run_date=run_date), config=config)
    outlook = whole_life_outlook(outlook, lines["days_to_end_of_sale"].to_numpy(dtype=float), config=config)
    moved = (new != outlook.price) & np.isfinite(outlook.elasticity) & (outlook.units_mean > 0)
    if not moved.any():
        return told
    part, price = outlook.rows(moved), new[moved]
    gains = np.stack([_gain(price, part, np.full(len(price), e)) for e in _TRIED])
    at_estimate = _gain(price, part, part.elasticity)
    for i, row in enumerate(np.flatnonzero(moved)):
        told[int(row)] = _in_words(gains[:, i], float(at_estimate[i]), float(part.elasticity[i]))
    return told


def _gain(price: Floats, part: Outlook, elasticity: Floats) -> Floats:
    after, _ = profit_at(price, part, elasticity)
    before, _ = profit_at(part.price, part, elasticity)
    return np.asarray(after - before, dtype=float)


def _in_words(gains: Floats, at_estimate: float, estimate: float) -> str:
    pays = at_estimate > 0
    other = _TRIED[(gains > 0) != pays]
    if not len(other):
        return f"profit {'rises' if pays else 'falls'} at any elasticity from -8 to 0"
    nearest = float(other[np.argmin(np.abs(other - estimate))])
    side = "above" if nearest > estimate else "below"
    return f"profit {'falls' if pays else 'rises'} with an elasticity {side} {nearest:.2f} (here {estimate:.2f})"
