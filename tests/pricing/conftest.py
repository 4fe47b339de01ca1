"""Lines and books for the pricing tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pricing.book import load_book
from pricing.lines import LINE_COLUMNS
from pricing.rules import RuleBook

_BOOK = Path(__file__).resolve().parents[2] / "pricing" / "rules" / "default.yml"

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
    "curvature",
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


@pytest.fixture(scope="session")
def forecast_shop(small_shop, tmp_path_factory):
    """A small shop with demand, plain forecasts and stock positions."""
    from data import step as ingest
    from data.settings import load_settings
    from demand import step as demand

    home = tmp_path_factory.mktemp("pricing") / "home"
    shutil.copytree(small_shop, home)
    shutil.copyfile(_BOOK, home / "pricing_rules.yml")
    day = load_settings(home).planning.default_run_date
    ingest.run(home, day)
    demand.run(home, day)
    _plain_forecasts(home, day)
    return home, day


def _plain_forecasts(home, day):
    from data.contracts import QUANTILES
    from data.step_io import open_step

    with open_step("forecast", home=home, run_date=day) as io:
        keys = io.read("assortment")
        keys = keys.loc[keys["status"] == "active", ["sku", "location_id"]]
        levels = {name: 0.5 + level for name, level in QUANTILES.items()}
        spread = {"mean": 1.0, **levels}
        days = pd.DataFrame({"ds": pd.date_range(pd.Timestamp(day) + pd.Timedelta(days=1), periods=28)})
        daily = keys.merge(days, how="cross").assign(**spread, model="plain", fallback_level=0, reason="test")
        io.write("forecasts", daily)
        total = keys.assign(**{k: 21 * v for k, v in spread.items()}, lead_time_days=14.0, review_period_days=7.0)
        io.write("protection_demand", total.assign(supplier_id="-"))
        units = {"on_hand": 300.0, "on_order": 0.0, "backorders": 0.0, "preorders_open": 0.0}
        stock = keys.assign(**units, inventory_position=300.0, is_stale=False)
        io.write("inventory_positions", stock)


@pytest.fixture
def shop(forecast_shop, tmp_path):
    home, day = forecast_shop
    shutil.copytree(home, tmp_path / "home")
    return tmp_path / "home", day


@pytest.fixture(scope="session")
def priced_shop(forecast_shop, tmp_path_factory):
    """The small shop after its price step; never write into it."""
    from pricing import step

    home, day = forecast_shop
    copy = tmp_path_factory.mktemp("priced") / "home"
    shutil.copytree(home, copy)
    step.run(copy, day)
    return copy, day
