"""Small versions of the benchmarks: known truth, real sales, hidden worlds, experiments, states nobody thinks of."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks import orange_juice, price_experiments, price_policies, price_states
from benchmarks.elasticities import judged, second_world
from data.contracts import TABLES
from pricing.book import load_book
from pricing.config import PricingConfig
from pricing.experiments import confidence_sequence, contrasts, cuped, days_needed, in_share, switchback
from pricing.lines import LINE_COLUMNS, LineInputs
from pricing.proof import reaches
from pricing.rules import When
from pricing.suggest import suggest_prices

CONFIG = PricingConfig()
PERSONAL = ("buyer", "customer", "user", "person", "email", "phone", "address", "account", "ip_address", "age_of")


def test_intervals_hold_in_a_world_of_another_form():
    found = judged(*second_world(160, seed=21), config=CONFIG)
    assert found["coverage"] >= 0.8
    assert found["score_better_than_log_log"] >= 0.3
    assert found["share_no_wider_than_2"] >= 0.5


def test_orange_juice_price_explains_sales_where_it_changes(real_data):
    weekly = orange_juice.juice_weeks(real_data / "orange_juice" / "weekly.parquet")
    found = orange_juice.score(weekly, config=CONFIG)
    assert found.gain >= 0.13
    assert 0.85 <= found.slope <= 1.15
    assert sum(0.7 <= s <= 1.3 for s in found.brand_slopes.values()) >= 7
    assert (found.intervals["elasticity_lo"] <= -1.4).all()
    assert (found.intervals["elasticity_hi"] >= -4.1).all()


def test_the_optimiser_earns_where_prices_are_wrong_and_loses_little_where_they_are_right():
    rules, ours, oracle = (price_policies.played("constant", p, seed=1) for p in ("rules", "optimise", "oracle"))
    assert ours.profit - rules.profit >= 0.5 * (oracle.profit - rules.profit) > 0
    assert ours.most_changed_percent <= 25
    rules, ours = (price_policies.played("right", p, seed=1) for p in ("rules", "optimise"))
    assert ours.profit >= 0.995 * rules.profit


def test_a_price_experiment_finds_five_percent_and_seldom_cries_wolf():
    false_alarms = sum(price_experiments.run_once(0.0, seed=i)[0] for i in range(10))
    assert false_alarms <= 1
    assert sum(price_experiments.run_once(0.05, seed=50 + i)[0] for i in range(10)) >= 7


@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_state_whatever_breaks_a_promise(number):
    states = price_states.random_states(2_000, seed=number)
    assert set(price_states.broken_promises(states, number, config=CONFIG).values()) == {0}


def test_the_checks_of_the_states_can_fail():
    states = price_states.random_states(500, seed=3, odd_share=0.0)
    book = price_states._book(0)
    table = suggest_prices(states, book, run_date=price_states._DAY, config=CONFIG)
    cheap = table.assign(suggested_price=0.01, status="auto", approval_level=None)
    broken = {k: int(v.sum()) for k, v in price_states._checks(states, cheap, book).items()}
    assert broken["no automatic price below its cost floor"] > 0
    assert broken["no automatic move above the daily cap"] > 0


def test_what_is_proved_of_a_book_holds_for_every_state():
    states = price_states.random_states(3_000, seed=9)
    book = price_states._book(1)
    table = suggest_prices(states, book, run_date=price_states._DAY, config=CONFIG)
    reach = {r.rule_id: r for r in reaches(book)}
    moved = table[(table["status"] == "auto") & (table["suggested_price"] != table["current_price"])]
    assert len(moved) > 100
    ratio = (moved["suggested_price"] / moved["current_price"]).to_numpy()
    for value, ids in zip(ratio, moved["rule_ids"], strict=True):
        known = [reach[i] for i in ids if i in reach]
        if known and "override" not in ids:
            assert min(r.low for r in known) - 1e-9 <= value <= max(r.high for r in known) + 1e-9


def test_no_pricing_input_is_about_a_person():
    names = [*LINE_COLUMNS, *When.model_fields, *(f.name for f in dataclasses.fields(LineInputs))]
    names += [c.name for table in ("price_suggestions", "elasticities", "experiments") for c in TABLES[table].columns]
    assert [n for n in names if any(word in n for word in PERSONAL)] == []


def test_shares_and_holdouts_are_kept_from_night_to_night(lines, book):
    frame = lines(*({"sku": f"S{i}", "style_id": f"Y{i // 2}"} for i in range(400)))
    config = CONFIG.model_copy(update={"holdout_share": 0.2})
    rules = book("\n  - {id: slow, type: markdown, when: {all: true}, percent: 8}")
    table = suggest_prices(frame, rules, run_date=price_states._DAY, config=config)
    held = table["experiment_arm"] == "holdout"
    assert 0.1 < held.mean() < 0.3
    assert (table["suggested_price"] == table["current_price"])[held].all()
    assert (table["suggested_price"] < table["current_price"])[~held].all()
    assert (held.to_numpy()[0::2] == held.to_numpy()[1::2]).all()  # both SKUs of a style


def test_trials_cost_no_more_than_their_budget(lines, book):
    frame = lines(*({"sku": f"S{i}", "elasticity_lo": -3.4, "elasticity_hi": -0.8} for i in range(300)))
    config = CONFIG.model_copy(update={"exploration_share": 0.5, "regret_budget_percent": 0.05})
    table = suggest_prices(frame, book(), run_date=price_states._DAY, config=config)
    tried = table[table["suggested_price"] != table["current_price"]]
    assert 0 < len(tried) < 160
    assert (tried["experiment_arm"] == "explore").all()
    assert (tried["change_percent"].abs() <= 5.01).all()
    margin = (table["current_price"] - table["unit_cost"]) * table["units_now"]
    assert -tried["profit_change"].clip(upper=0).sum() <= 0.0005 * margin.sum() * 1.05


def test_a_switchback_gives_every_cluster_every_level_once_a_block():
    schedule = switchback([f"K{i}" for i in range(12)], experiment_id="x", n_blocks=2, days_per_level=7)
    counts = schedule.groupby(["cluster", "block", "level"]).size()
    assert (counts == 7).all()
    assert len(counts) == 12 * 2 * 3
    daily = schedule.groupby(["day", "level"]).size().unstack()
    assert (daily == 4).all(axis=None)


def test_contrasts_leave_out_washout_days_and_blocks_that_are_not_complete():
    schedule = switchback(["A"], experiment_id="x", n_blocks=2, days_per_level=7)
    profit = np.where(schedule["day_of_level"] < 2, 1e6, np.where(schedule["level"] == "higher", 110.0, 100.0))
    daily = schedule[["cluster", "day"]].assign(profit=profit)
    usual = daily.groupby("cluster")["profit"].mean() * 0 + 100.0
    found = contrasts(daily, schedule, usual, level="higher", washout_days=2, as_of_day=30)
    assert found["contrast"].tolist() == [pytest.approx(0.1)]


def test_a_confidence_sequence_says_nothing_of_few_values_and_narrows():
    values = np.random.default_rng(1).normal(0.1, 1, 4000)
    assert confidence_sequence(values[:10], alpha=0.05) == (-np.inf, np.inf)
    widths = [np.diff(confidence_sequence(values[:n], alpha=0.05))[0] for n in (100, 1000, 4000)]
    assert widths[0] > widths[1] > widths[2]
    assert days_needed(effect=0.05, contrast_sd=0.2, n_clusters=60, block_days=21, alpha=0.05, power=0.8) % 21 == 0


def test_cuped_keeps_the_mean_and_takes_out_what_the_past_explains():
    rng = np.random.default_rng(2)
    past = rng.normal(0, 1, 500)
    outcome = 3 + past + rng.normal(0, 0.3, 500)
    adjusted = cuped(outcome, past)
    assert adjusted.mean() == pytest.approx(outcome.mean())
    assert adjusted.std() < 0.4


def test_a_share_grows_without_changing_who_was_in():
    import pandas as pd

    names = pd.Series([f"Y{i}" for i in range(500)])
    small, large = (in_share(names, salt="s", share=s) for s in (0.1, 0.3))
    assert (large | ~small).all()


NIGHTLY = "max_changed_percent_per_night: 10"


def test_a_night_changes_no_more_than_its_share_and_no_family_is_cut(lines, book):
    frame = lines(*({"sku": f"S{i}", "style_id": f"Y{i // 4}", "units_mean": 5.0 + i % 7} for i in range(200)))
    rules = book("\n  - {id: slow, type: markdown, when: {all: true}, percent: 8}", NIGHTLY)
    table = suggest_prices(frame, rules, run_date=price_states._DAY, config=CONFIG)
    moved = (table["suggested_price"] != table["current_price"]).to_numpy()
    assert moved.sum() == 20
    assert set(np.unique(moved.reshape(-1, 4).sum(axis=1))) == {0, 4}
    waits = table[~moved]
    assert set(waits["binding_rule"]) == {"max_changed_percent_per_night"}
    assert set(waits["status"]) == {"held"}


def test_a_style_with_one_price_keeps_one_price(lines, book):
    steep = {"elasticity": -4.0, "elasticity_lo": -4.4, "elasticity_hi": -3.6, "style_id": "Y"}
    frame = lines(steep | {"sku": "S"}, steep | {"sku": "M", "supply_units": 30.0, "unit_cost": 150.0})
    tune = "\n  - {id: tune, type: optimise, when: {all: true}, within_percent: 9}"
    together = suggest_prices(frame, book(tune, "one_price_per_style: true"), run_date=price_states._DAY, config=CONFIG)
    apart = suggest_prices(frame, book(tune), run_date=price_states._DAY, config=CONFIG)
    assert together["suggested_price"].nunique() == 1
    assert apart["suggested_price"].nunique() == 2


@pytest.mark.parametrize(
    ("rule", "line", "expected"),
    [
        ("{id: r, type: ladder, when: {all: true}, by: size, rungs: [{values: [XL], percent: 5}]}",
         {"size": "XL", "family_price": 260.0}, 273.0),
        ("{id: r, type: launch_price, when: {all: true}, days: 30, percent: 5}", {"age_days": 10.0}, 254.6),
        ("{id: r, type: launch_price, when: {all: true}, days: 30, percent: 5}",
         {"age_days": 31.0, "current_price": 254.6}, 268.0),
        ("{id: r, type: event_price, when: {all: true}, from_date: 2026-06-20, to_date: 2026-06-30, percent: 5}", {},
         254.6),
        ("{id: r, type: event_price, when: {all: true}, from_date: 2026-06-01, to_date: 2026-06-20, percent: 5}",
         {"current_price": 254.6}, 268.0),
        ("{id: r, type: clearance, when: {all: true}, start_days: 60, percent_at_end: 10, by_date: 2026-07-28}", {},
         254.6),
    ],
)  # fmt: skip
def test_rule_types_lead_to_their_prices(lines, book, rule, line, expected):
    rules = book(f"\n  - {rule}")
    table = suggest_prices(lines(line), rules, run_date=price_states._DAY, config=CONFIG)
    assert table["suggested_price"].iloc[0] == pytest.approx(expected, abs=0.011)


def test_a_preorder_price_guarantee_and_royalties_cost_what_they_cost(lines, book):
    slow = "\n  - {id: slow, type: markdown, when: {all: true}, percent: 10}"
    promised = {"guaranteed_units": 7.0, "guaranteed_price": 268.0}
    free = suggest_prices(lines(promised), book(slow), run_date=price_states._DAY, config=CONFIG).iloc[0]
    rails = book(slow, "preorder_price_guarantee: true")
    bound = suggest_prices(lines(promised), rails, run_date=price_states._DAY, config=CONFIG).iloc[0]
    assert bound["profit_change"] == pytest.approx(free["profit_change"] - 7 * 26.8)
    royal = suggest_prices(lines({"royalty_share": 0.1}), book(slow), run_date=price_states._DAY, config=CONFIG).iloc[0]
    assert royal["profit_change"] < free["profit_change"]


def test_stock_that_is_ordered_again_in_time_is_not_scarce(lines, book):
    steep = {"elasticity": -4.0, "elasticity_lo": -4.4, "elasticity_hi": -3.6, "supply_units": 20.0}
    tune = book("\n  - {id: tune, type: optimise, when: {all: true}, within_percent: 9}")
    alone = suggest_prices(lines(steep), tune, run_date=price_states._DAY, config=CONFIG)
    again = suggest_prices(lines(steep | {"reorder_days": 10.0}), tune, run_date=price_states._DAY, config=CONFIG)
    assert alone["suggested_price"].iloc[0] >= 268
    assert again["suggested_price"].iloc[0] < 268


def test_a_default_book_is_sound_and_says_its_share():
    from pathlib import Path

    import pricing

    text = (Path(pricing.__file__).parent / "rules" / "default.yml").read_text(encoding="utf-8")
    assert load_book(text, currency="CNY").guardrails.max_changed_percent_per_night == 25
