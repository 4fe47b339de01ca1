"""Lines and books for the pricing tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from pricing.book import load_book
from pricing.lines import LINE_COLUMNS
from pricing.rules import RuleBook

_USUAL: dict[str, Any] = {
    "sku": "COS-0131",
    "location_id": "web",
    "channel": "*",
    "title": "Sailor costume, size L",
    "category": "costume",
    "current_price": 268.0,
    "regular_price": 268.0,
    "list_price": 268.0,
    "unit_cost": 157.58,
    "salvage_value": 60.0,
    "on_hand": 164.0,
    "supply_units": 164.0,
    "units_mean": 28.0,
    "units_sd": 8.0,
    "weekly_units": 7.0,
    "recent_units": 0.0,
    "days_of_cover": 164.0,
    "age_days": 400.0,
    "elasticity": -2.0,
    "elasticity_lo": -2.6,
    "elasticity_hi": -1.4,
    "elasticity_level": "sku",
    "has_planned_price": False,
    "is_held": False,
}
_NUMBERS = {
    "reference_price",
    "licensor_min_price",
    "competitor_median",
    "lowest_price_30_days",
    "highest_price_30_days",
    "family_price",
    "days_since_change",
    "days_to_end_of_sale",
    "trend_heat",
    "override_price",
    "reorder_days",
    "royalty_share",
    "guaranteed_units",
    "guaranteed_price",
}


@pytest.fixture(scope="session")
def lines() -> Callable[..., pd.DataFrame]:
    """A frame of lines: one for each set of changes to a usual line."""

    def make(*changes: dict[str, Any]) -> pd.DataFrame:
        rows = []
        for change in changes or ({},):
            row = dict.fromkeys(LINE_COLUMNS) | _USUAL | change
            for name in ("lowest_price_30_days", "highest_price_30_days"):
                row[name] = row["current_price"] if row[name] is None else row[name]
            rows.append(row)
        frame = pd.DataFrame(rows, columns=list(LINE_COLUMNS))
        return frame.astype(dict.fromkeys(_NUMBERS, float))

    return make


@pytest.fixture(scope="session")
def book() -> Callable[..., RuleBook]:
    """A book from the text of its rules and guardrails."""

    def make(rules: str = "[]", guardrails: str = "", scopes: str = "[]") -> RuleBook:
        rails = "min_margin_percent: 15, max_change_percent_per_day: 10" + (f", {guardrails}" if guardrails else "")
        return load_book(f"version: 1\ncurrency: CNY\nguardrails: {{{rails}}}\nscopes: {scopes}\nrules: {rules}\n")

    return make
