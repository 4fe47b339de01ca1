"""What is proved of a book by intervals holds for every type of rule, in states nobody thinks of."""

from __future__ import annotations

from typing import get_args

import pytest

from benchmarks import price_states
from pricing.config import PricingConfig
from pricing.proof import proof_text, reaches
from pricing.rules import Freeze, Limit, Rule
from pricing.suggest import suggest_prices

RULES = {
    "markdown": "percent: 60",
    "markup": "percent: 50, of: list",
    "match_competitor": "within_percent: 30, offset_percent: -5",
    "ladder": "by: size, rungs: [{values: [L], percent: 30}]",
    "clearance": "start_days: 300, percent_at_end: 80",
    "launch_price": "days: 300, percent: 20",
    "event_price": "percent: 40, from_date: 2026-06-01, to_date: 2026-07-30",
    "set_price": "price: 33",
    "optimise": "within_percent: 20",
    "limit": "min_price: 5, max_price: 90",
    "freeze": "",
}
RAILS = "max_change_percent_per_30_days: 25"


def test_every_type_of_rule_is_looked_at():
    types = {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(get_args(Rule)[0])}
    assert set(RULES) == types


@pytest.mark.parametrize("kind", sorted(RULES))
def test_no_automatic_price_leaves_what_is_proved(book, kind):
    rest = f", {RULES[kind]}" if RULES[kind] else ""
    rules = book(f"\n  - {{id: one, type: {kind}, when: {{all: true}}{rest}}}", RAILS)
    states = price_states.random_states(600, seed=len(kind))
    states = states[states["override_price"].isna() & states["switchback_level"].isna()]  # a person's, not the book's
    table = suggest_prices(states, rules, run_date=price_states._DAY, config=PricingConfig())
    moved = table[(table["status"] == "auto") & (table["suggested_price"] != table["current_price"])]
    ratio = (moved["suggested_price"] / moved["current_price"]).to_numpy()
    margin = (1 - moved["unit_cost"].round(4) / moved["suggested_price"]).to_numpy()  # money has four decimals
    reach = reaches(rules)
    assert (margin >= 0.15 - 1e-9).all()
    assert "never below unit cost plus 15 % margin" in "\n".join(proof_text(rules))
    if isinstance(rules.rules[0], Limit | Freeze):
        assert reach == []
        return
    assert len(moved) > 20
    assert reach[0].low - 1e-9 <= ratio.min() <= ratio.max() <= reach[0].high + 1e-9
    assert 0.9 <= reach[0].low <= 1 <= reach[0].high <= 1.1
