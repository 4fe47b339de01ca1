"""The safety-stock rule against the textbook, where the textbook's assumptions hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from restocking.policies import base_stock_normal
from restocking.safety_stock import MarginTerms, explicit_ratio, margin_ratio, need_quantile, normal_safety_stock


def terms(**changes):
    one = np.ones(1)
    values = {
        "price": 10 * one,
        "unit_cost": 6 * one,
        "salvage": 2 * one,
        "review_days": 7 * one,
        "p_left_over": 0 * one,
        "is_last_buy": np.array([False]),
    }
    return MarginTerms(**{**values, **changes})


def ratio(**changes):
    return margin_ratio(terms(**changes), annual_holding_rate=0.25).item()


def test_explicit_costs_charge_holding_for_the_whole_review_period():
    assert explicit_ratio(holding=0.2, shortage=1.0, review_periods=[1, 7]).tolist() == pytest.approx(
        [1 / 1.2, 1 / 2.4]
    )


def test_replenished_goods_pay_a_week_of_holding_for_a_unit_too_many():
    holding = 6 * 0.25 * 7 / 365
    assert ratio() == pytest.approx(4 / (4 + holding))


def test_a_unit_that_may_outlive_the_item_costs_its_salvage_loss_in_proportion():
    holding = 6 * 0.25 * 7 / 365
    assert ratio(p_left_over=np.array([0.5])) == pytest.approx(4 / (4 + holding + 0.5 * 4))


def test_only_a_last_buy_takes_the_one_shot_ratio():
    assert ratio(is_last_buy=np.array([True])) == pytest.approx(4 / (4 + 4))


def test_no_margin_means_no_order_and_an_unknown_price_is_said():
    assert ratio(price=np.array([5.0])) == 0
    assert np.isnan(ratio(price=np.array([np.nan])))
    assert np.isnan(ratio(unit_cost=np.array([np.nan])))


def test_goods_without_any_loss_are_never_short():
    assert ratio(unit_cost=np.zeros(1), salvage=np.zeros(1)) == 1


@given(st.lists(st.floats(-50, 50), min_size=5, max_size=40), st.floats(0.01, 0.99))
def test_the_quantile_is_that_of_each_row(row, level):
    found = need_quantile(np.array([row, row[::-1]]), np.array([level, level]))
    assert found[0] == pytest.approx(found[1])
    assert found[0] == pytest.approx(np.quantile(row, level, method="hazen"), abs=1e-9)


def test_the_quantile_of_normal_need_is_the_base_stock_level():
    # L = 4, R = 1, backorders: need over five periods of N(50, 8), the textbook's base stock
    level, _ = base_stock_normal(h=0.18, p=0.70, mean=50, sd=8, lead=4)
    ranks = (np.arange(20_000) + 0.5) / 20_000
    need = 250 + 8 * np.sqrt(5) * norm.ppf(ranks)
    ratio = explicit_ratio(holding=0.18, shortage=0.70, review_periods=[1])
    assert need_quantile(need[None], ratio)[0] == pytest.approx(level, abs=1e-2)


def test_normal_safety_stock_adds_lead_time_spread():
    steady = normal_safety_stock(0.95, demand_sd=10, demand_mean=50, lead=3, review=1)
    late = normal_safety_stock(0.95, demand_sd=10, demand_mean=50, lead=3, review=1, lead_sd=1)
    assert steady == pytest.approx(norm.ppf(0.95) * 20)
    assert late == pytest.approx(norm.ppf(0.95) * np.sqrt(400 + 2500))
