"""Budget, supplier capacity and minimum order value in the plan, and the tuned policy, each in its why column."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from data.contracts import WHY_COLUMNS
from restocking.chosen_policy import ChosenPolicy, OrderRule
from restocking.plan import make_plan

EXPLICIT = {"holding_cost_per_unit_per_period": 0.2, "shortage_cost_per_unit": 1.0}
SIZES = ("under_1", "1_to_4", "4_to_16", "over_16")


def two_items(shop):
    """A and B need 14 each at a cost of 4; A earns more."""
    case = shop().item("A", demand=4.0, stock=70, regular_price=20.0)
    return case.item("B", demand=4.0, stock=70, regular_price=6.0)


def test_a_suppliers_capacity_goes_where_a_unit_earns_most(shop):
    plan = two_items(shop).add("stg_suppliers", supplier_id="S1", capacity_per_period=3.0).plan().restock_plan
    assert plan["order_qty"].tolist() == [14, 7]  # 3 a day until the next order in 7 days: 21
    assert plan["why_capacity"].tolist() == [0, -7]
    assert (plan[list(WHY_COLUMNS)].sum(axis=1) == plan["order_qty"]).all()
    assert plan["binding_constraint"].tolist()[1] == "capacity_per_period"


def test_the_budget_is_spent_where_it_earns_most_and_the_gap_is_known(shop):
    tables = two_items(shop).set(budget=80.0).plan()
    assert tables.restock_plan["order_qty"].tolist() == [14, 6]
    assert tables.restock_plan["why_budget"].tolist() == [0, -8]
    assert tables.budget_gap <= 0.001


def test_a_budget_that_cannot_reach_a_suppliers_minimum_value_goes_elsewhere(shop):
    case = two_items(shop).set(budget=80.0).add("stg_suppliers", supplier_id="S1", min_order_value=100.0)
    plan = case.plan().restock_plan
    assert plan["order_qty"].tolist() == [0, 0]  # 112 wanted; no part of it worth 80 is accepted


RECENT = pd.DataFrame({"sku": ["A"], "location_id": ["main"], "rate": [10.0]})


def weekly(shop, policy):
    case = shop(freq="W-MON").set(objective=EXPLICIT).item(demand=12.0, sd=4.0, stock=20)
    return make_plan(
        replace(case.inputs(), recent=RECENT),
        planning=case.planning,
        config=case.config,
        calendar=case.calendar,
        policy=policy,
    ).restock_plan.iloc[0]


def test_a_tuned_holding_factor_lowers_the_buffer_and_keeps_the_stated_ratio(shop):
    plain = weekly(shop, None)
    tuned = weekly(shop, ChosenPolicy(dict.fromkeys(SIZES, OrderRule(2.0)), {}, 6, 99))
    same = weekly(shop, ChosenPolicy(dict.fromkeys(SIZES, OrderRule(1.0)), {}, 6, 99))
    assert tuned["order_qty"] < plain["order_qty"] == same["order_qty"]
    assert tuned["why_buffer"] < plain["why_buffer"]
    assert tuned["service_level"] == plain["service_level"]  # the shop's objective, as the contract states it
    assert tuned[list(WHY_COLUMNS)].sum() == tuned["order_qty"]


def test_a_tuned_cover_orders_up_to_so_many_periods_of_recent_demand(shop):
    line = weekly(shop, ChosenPolicy(dict.fromkeys(SIZES, OrderRule(1.0, 1.0, 0.5)), {}, 6, 99))
    assert line["order_qty"] == round(3.5 * 10 - 20)  # L + R = 3 weeks, 10 a week of late
    assert line[list(WHY_COLUMNS)].sum() == line["order_qty"]


def test_a_mix_orders_between_its_two_levels_and_adds_up(shop):
    lines = [
        weekly(shop, ChosenPolicy(dict.fromkeys(SIZES, OrderRule(1.0, weight, 0.5)), {}, 6, 99))
        for weight in (0.0, 0.25, 1.0)
    ]
    need, mixed, cover = (line["order_qty"] for line in lines)
    assert mixed == pytest.approx(0.75 * need + 0.25 * cover, abs=1)
    assert cover != need
    assert lines[1][list(WHY_COLUMNS)].sum() == mixed
