"""Which lines a rule is for."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.conflicts import RANGES, SETS
from pricing.rules import EventPrice, Rule, When

__all__ = ["NUMBERS", "condition_numbers", "holds_today", "margin_percent", "matches", "witness_text"]

NUMBERS = {
    "days_of_cover": "days_of_cover",
    "age_days": "age_days",
    "price": "current_price",
    "on_hand": "on_hand",
    "weekly_units": "weekly_units",
    "trend_heat": "trend_heat",
    "days_to_end_of_sale": "days_to_end_of_sale",
}
"""Conditions with a range, and the column they look at; ``margin_percent`` is computed."""

_WORDS = {
    "days_of_cover": "{value:.0f} days of cover",
    "age_days": "{value:.0f} days on sale",
    "margin_percent": "margin {value:.1f} %",
    "price": "price {value:.2f}",
    "on_hand": "{value:.0f} on hand",
    "weekly_units": "{value:.1f} a week",
    "trend_heat": "heat {value:.2f}",
    "days_to_end_of_sale": "{value:.0f} days to the end of sale",
}


def margin_percent(price: npt.NDArray[np.float64], unit_cost: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the margin of a price over its cost, of the price [percent]; NaN for a price of 0.

    >>> margin_percent(np.array([20.0]), np.array([15.0])).tolist()
    [25.0]
    """
    priced = np.where(price > 0, price, np.nan)
    return np.asarray((priced - unit_cost) / priced * 100, dtype=float)


def holds_today(rule: Rule, run_date: date) -> bool:
    """Return whether the run date lies within the rule's dates; an event price also holds for its way back."""
    after_start = rule.from_date is None or rule.from_date <= run_date
    back = timedelta(days=rule.return_days) if isinstance(rule, EventPrice) else timedelta(0)
    return after_start and (rule.to_date is None or run_date <= rule.to_date + back)


def matches(when: When, lines: pd.DataFrame, *, run_date: date) -> npt.NDArray[np.bool_]:
    """Return which lines meet every condition, shape (n,); a value that is missing meets no condition.

    >>> lines = pd.DataFrame({"category": ["costume", "badge"], "days_of_cover": [200.0, 300.0]})
    >>> matches(When(category=("costume",), min_days_of_cover=120), lines, run_date=date(2026, 6, 28)).tolist()
    [True, False]
    """
    mask = np.ones(len(lines), dtype=bool)
    if when.months is not None and run_date.month not in when.months:
        return np.zeros(len(lines), dtype=bool)
    for field in SETS:
        values = getattr(when, field)
        if values is not None and field != "months":
            mask &= lines[field].isin(list(values)).to_numpy(dtype=bool)
    for field in RANGES:
        low, high = getattr(when, f"min_{field}"), getattr(when, f"max_{field}")
        if low is None and high is None:
            continue
        value = _number(field, lines)
        mask &= np.isfinite(value)
        mask &= (value >= low) if low is not None else True
        mask &= (value <= high) if high is not None else True
    return mask


def condition_numbers(lines: pd.DataFrame) -> dict[str, npt.NDArray[np.float64]]:
    """Return the numbers that conditions with a range look at, one array a field."""
    return {field: _number(field, lines) for field in RANGES}


def witness_text(when: When, numbers: dict[str, npt.NDArray[np.float64]], i: int) -> str:
    """Return the numbers of line ``i`` that meet the conditions: "164 days of cover (>= 120)"."""
    parts = []
    for field in RANGES:
        low, high = getattr(when, f"min_{field}"), getattr(when, f"max_{field}")
        if low is None and high is None:
            continue
        value = float(numbers[field][i])
        bounds = " and ".join(f"{sign} {bound:g}" for sign, bound in ((">=", low), ("<=", high)) if bound is not None)
        parts.append(f"{_WORDS[field].format(value=value)} ({bounds})")
    return ", ".join(parts)


def _number(field: str, lines: pd.DataFrame) -> npt.NDArray[np.float64]:
    if field == "margin_percent":
        price, cost = lines["current_price"].to_numpy(dtype=float), lines["unit_cost"].to_numpy(dtype=float)
        return margin_percent(price, cost)
    return lines[NUMBERS[field]].to_numpy(dtype=float)
