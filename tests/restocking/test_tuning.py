"""The policy tuned by simulation: on earlier windows only, kept with its date, used from the next night on."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from restocking import tuning
from restocking.chosen_policy import ChosenPolicy, OrderRule
from restocking.plain_forecast import SIZES, plain_forecast
from restocking.policy_record import policy_in_force, read_policies, with_policy
from restocking.sample_paths import PROBABILITIES, PathSampler
from restocking.simulate import Costs
from restocking.tuning import OPTIONS, TuningSetup, choose_policy, recent_mean, windows_before

SETUP = TuningSetup(Costs(0.2, 1.0), lead=2, lost_sales=True, seed=1)


def shop(n=60, weeks=50, *, seed=3):
    """Weekly demand whose level wanders, as real items' does."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(1.5, 0.8, (n, 1)) + np.cumsum(rng.normal(0, 0.15, (n, weeks)), axis=1))
    return rng.poisson(level * rng.gamma(2.0, 0.5, (n, weeks))).astype(float)


def test_windows_end_before_tonight():
    for n_periods in (40, 52, 157):
        assert all(start + SETUP.lead + 6 <= n_periods for start in windows_before(n_periods, lead=2))
    assert windows_before(30, lead=2) == []


def test_the_choice_is_the_same_twice_and_none_without_history():
    history = shop()
    chosen = choose_policy(history, SETUP)
    assert chosen == choose_policy(history.copy(), SETUP)
    assert set(chosen.rules) == set(SIZES)
    assert (chosen.n_windows, chosen.n_series) == (5, 60)
    assert choose_policy(history[:, :30], SETUP) is None
    assert choose_policy(history[:0], SETUP) is None


def wanted(rule, need, *, rate, position=0.0):
    one = np.ones(1)
    tuned = ChosenPolicy(dict.fromkeys(SIZES, rule), {}, 6, 99)
    return tuned.wanted(need[None], one / 1.2, rate=rate * one, periods=3 * one, position=position * one).item()


def test_a_holding_factor_lowers_the_ratio_and_a_cover_is_mixed_in_by_its_weight():
    need = np.arange(1000.0)
    assert wanted(OrderRule(1.0), need, rate=8.0) == pytest.approx(1000 / 1.2, rel=0.01)
    assert wanted(OrderRule(1.5), need, rate=8.0) == pytest.approx(1000 / 1.3, rel=0.01)
    cover = (3 + 0.5) * 8.0 - 10.0
    assert wanted(OrderRule(1.5, 1.0, 0.5), need, rate=8.0, position=10.0) == pytest.approx(cover)
    mixed = wanted(OrderRule(1.5, 0.25, 0.5), need, rate=8.0, position=10.0)
    assert mixed == pytest.approx(0.75 * 1000 / 1.3 + 0.25 * cover, rel=0.01)


def test_an_item_without_a_past_keeps_the_textbook_ratio():
    need = np.arange(1000.0)
    assert wanted(OrderRule(2.0, 0.5, 1.0), need, rate=np.nan) == wanted(OrderRule(1.0), need, rate=8.0)


def test_the_recent_mean_leaves_out_what_is_unknown():
    history = np.concatenate([np.full((1, 20), 99.0), np.full((1, 12), 6.0), [[np.nan]]], axis=1)
    assert recent_mean(history).tolist() == [6.0]


def test_the_plain_forecast_reads_nothing_later_and_is_calibrated():
    history = shop(200, 60, seed=5)
    rows = np.arange(200)
    one = plain_forecast(history[:, :55], rows, periods=3)
    changed = history.copy()
    changed[:, 55:] = 0
    again = plain_forecast(changed[:, :55], rows, periods=3)
    assert np.array_equal(one.mean, again.mean)
    paths = one.paths(PathSampler(100, 3, seed=1))
    assert paths.shape == (3, 200, 100)
    total = history[:, 55:58].sum(axis=1)
    covered = (total[:, None] <= np.quantile(paths.sum(axis=0), PROBABILITIES, axis=1).T).mean(axis=0)
    assert abs(covered - PROBABILITIES)[4:9].max() < 0.12


def test_a_night_uses_the_newest_policy_chosen_before_it():
    policies = [ChosenPolicy({"under_1": OrderRule(k, 0.25, 0.6)}, {"under_1": 0.01}, 6, 99) for k in (1.25, 1.5)]
    text = None
    for day, policy in zip((date(2026, 6, 7), date(2026, 6, 14)), policies, strict=True):
        text = with_policy(read_policies(text), policy, as_of=day)
    record = read_policies(text)
    assert policy_in_force(record, before=date(2026, 6, 7)) is None  # chosen that very night: a rerun must not see it
    assert policy_in_force(record, before=date(2026, 6, 14)) == policies[0]
    assert policy_in_force(record, before=date(2026, 6, 21)) == policies[1]
    assert len(read_policies(with_policy(record, policies[0], as_of=date(2026, 6, 14)))) == 2


def test_a_record_of_an_earlier_version_is_read():
    record = [
        {"as_of": "2026-06-07", "family": {"under_1": "cover", "1_to_4": "projected_need"}, "n_windows": 6,
         "parameter": {"under_1": 0.5, "1_to_4": 1.5}, "gain": {"under_1": 0.01}, "n_series": 99}
    ]  # fmt: skip
    found = policy_in_force(record, before=date(2026, 6, 8))
    assert found.rules == {"under_1": OrderRule(1.0, 1.0, 0.5), "1_to_4": OrderRule(1.5)}


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"policies": [1, {"as_of": 3}]}'])
def test_a_damaged_record_is_no_record(text):
    assert read_policies(text) == []


def test_a_cover_that_earned_its_weight_beside_a_plain_forecast_gets_less_of_it():
    costs = np.full((len(OPTIONS), len(SIZES)), 100.0)
    best = OrderRule(1.5, 0.5, 1.0)
    costs[OPTIONS.index(best)] = 50.0
    chosen = tuning._cheapest(costs, np.full(len(SIZES), 1000.0), n_windows=3)
    assert set(chosen.rules.values()) == {OrderRule(1.5, 0.375, 1.0)}
