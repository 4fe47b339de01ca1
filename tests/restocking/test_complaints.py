"""What users of such systems complain about: each complaint a test that bears its name."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from data.contracts import WHY_COLUMNS
from restocking.explain import describe_line

RUN_DATE = date(2026, 6, 28)  # a Sunday


def test_the_same_proposal_added_again_every_night(shop):
    first = shop(order_weekdays=("SUN", "MON", "TUE")).item(demand=4.0, stock=20)
    plan = first.plan().restock_plan
    second = first.next_run(1, plan).item(demand=4.0, stock=16).plan().restock_plan
    before, now = plan.iloc[0], second.iloc[0]
    assert now["order_qty"] == before["order_qty"]  # not the need of yesterday on top of the need of today
    assert now["proposal_id"] == before["proposal_id"]
    assert now["first_proposed_date"] == pd.Timestamp("2026-06-28")
    assert "still_open" in now["flags"]
    assert now["on_order"] == 0  # and a proposal is no supply


def test_a_purchase_order_answers_the_proposal_and_the_next_need_is_a_new_one(shop):
    first = shop().item(demand=4.0, stock=20)
    plan = first.plan().restock_plan
    later = first.next_run(7, plan).item(demand=4.0, stock=0)
    later.purchase_order(plan["order_qty"].iloc[0], due_in_days=8, ordered_date=pd.Timestamp("2026-06-28"))
    line = later.line()
    assert line["order_qty"] > 0
    assert line["proposal_id"] != plan["proposal_id"].iloc[0]
    assert line["first_proposed_date"] == pd.Timestamp("2026-07-05")


def test_moq_applied_per_row_instead_of_per_supplier_and_item(shop):
    two = (
        shop()
        .item("A", "east", demand=1.0, stock=12, supply={"min_order_qty": 40})
        .item("A", "west", demand=2.0, stock=30)
    )
    plan = two.lines()  # 21 - 12 = 9 less the 2 lost before receipt, and 42 - 30 = 12
    assert plan["order_qty"].sum() == 40
    assert plan.loc[("A", "east"), "why_moq"] + plan.loc[("A", "west"), "why_moq"] == 40 - 7 - 12
    assert plan.loc[("A", "west"), "why_moq"] > 0  # the greater need takes the lift
    assert plan.loc[("A", "east"), "why_moq"] == 0


def test_safety_stock_added_per_row(shop):
    one = shop().item(demand=4.0, sd=2.0, stock=60)
    several = (
        shop().item(demand=4.0, sd=2.0, stock=20).purchase_order(20, due_in_days=3).purchase_order(20, due_in_days=4)
    )
    assert several.line()["safety_stock"] == pytest.approx(one.line()["safety_stock"], abs=0.01)
    assert several.line()["order_qty"] == one.line()["order_qty"]


def test_lead_time_ignored_in_the_needed_by_date(shop):
    tables = shop().item(demand=4.0, stock=100, horizon=40).plan()
    line, order = tables.restock_plan.iloc[0], tables.supplier_orders
    assert line["stockout_date_early"] == pd.Timestamp("2026-06-29") + timedelta(days=25)
    assert line["order_by_date"] == line["stockout_date_early"] - timedelta(days=14 + 1)
    assert order.empty
    short = shop().item(demand=4.0, stock=10).plan().supplier_orders
    assert short["needed_by_date"].iloc[0] == pd.Timestamp("2026-06-28") + timedelta(days=14 + 1)


def test_supplier_holidays_push_receipt_and_order_by_date(shop):
    closed = (pd.Timestamp("2026-07-01").date(), pd.Timestamp("2026-07-05").date())
    line = shop().item(demand=4.0, stock=100, horizon=60, supply={"closures": [closed]}).line()
    assert line["expected_receipt_date"] == pd.Timestamp("2026-06-28") + timedelta(days=14 + 5 + 1)
    assert line["order_by_date"] == line["stockout_date_early"] - timedelta(days=14 + 5 + 1)
    assert line["why_need"] == 4 * (14 + 5 + 7)


def test_fractional_quantities(shop):
    plan = shop().item(demand=0.37, sd=0.6, stock=1.5).item("B", demand=3.3, sd=1.0, stock=0.25).plan().restock_plan
    assert plan["order_qty"].dtype == "int64"
    assert all(plan[name].dtype == "int64" for name in WHY_COLUMNS)
    assert (plan[list(WHY_COLUMNS)].sum(axis=1) == plan["order_qty"]).all()


@pytest.mark.parametrize(("cover_days", "order"), [(24, 36), (23, 24)])
def test_pack_rounding_that_overshoots_the_maximum_in_one_version_and_not_in_the_next(shop, cover_days, order):
    # 58 there, need 84 - 58 = 26 -> 3 packs of 12 = 36: room 24 * 4 - 58 = 38, or 23 * 4 - 58 = 34
    line = shop().tune(max_cover_days=cover_days).item(demand=4.0, stock=58, supply={"pack_size": 12}).line()
    assert line["order_qty"] == order
    assert line["why_pack"] == 36 - 26
    assert line["why_cap"] == order - 36


def test_pack_rounding_goes_up_where_no_maximum_stands_in_the_way(shop):
    line = shop().item(demand=4.0, stock=10, supply={"pack_size": 12}).line()
    lost = 56 - 10
    need = 84 - 10 - lost
    assert line["order_qty"] == -(-need // 12) * 12
    assert line["why_pack"] == line["order_qty"] - need


def test_the_largest_order_rounds_down_to_packs(shop):
    line = shop().item(demand=4.0, stock=0, supply={"pack_size": 12, "max_order_qty": 20}).line()
    assert line["order_qty"] == 12
    assert line["status"] == "capped"
    assert line["binding_constraint"] == "max_order_qty"


def test_why_does_it_order_2_when_the_forecast_shows_0(shop):
    # median demand is 0, but the 95% quantile of the total is not: the explanation says so in the figures shown
    case = shop().set(unmet_demand="backorder").item(demand=0.05, stock=0, total={"mean": 1.0, "sd": 0.9})
    line = case.line()
    assert line["order_qty"] == 2
    assert line["why_need"] == round(line["demand_mean"])
    assert line["why_position"] == -line["inventory_position"]
    assert line["why_need"] + line["why_position"] + line["why_lost_sales"] + line["why_buffer"] == 2
    assert line["why_buffer"] >= 1
    text = describe_line(line)
    assert f"{line['why_buffer']} more for a 95% chance" in text
    assert text.endswith("order 2.")


def test_no_warning_when_too_much_is_ordered_on_open_orders(shop):
    case = shop().item(demand=1.0, stock=100).purchase_order(300, due_in_days=10, po_id="PO-BIG")
    case.purchase_order(5, due_in_days=2, po_id="PO-SMALL")
    line = case.line()
    assert line["action"] == "postpone_or_cancel"
    assert line["action_po_id"] == "PO-BIG"
    assert "excess_stock" in line["flags"]
    assert line["expected_excess_units"] > 300
    assert line["excess_value"] == pytest.approx(line["expected_excess_units"] * 4.0)


def test_no_warning_when_too_much_is_ordered_by_a_minimum(shop):
    line = shop().item(demand=1.0, stock=15, supply={"min_order_qty": 100}).line()
    assert line["order_qty"] == 100
    assert "excess_from_moq" in line["flags"]
    assert line["expected_excess_units"] > 90


def test_a_minimum_beyond_the_cover_cap_is_left_to_the_planner(shop):
    line = shop().item(demand=1.0, stock=15, supply={"min_order_qty": 500}).line()
    assert (line["order_qty"], line["action"], line["status"]) == (0, "review", "capped")
    assert line["reason"] == "moq_above_cap"
    assert line["why_moq"] == -line["why_cap"] - 6
    assert line["proposal_id"] is not None


def test_stock_reduced_twice_for_a_preorder(shop):
    case = shop().item(demand=4.0, stock=100)
    case.add(
        "preorder_commitments",
        campaign_id="C",
        sku="A",
        location_id="main",
        firm_qty=30,
        covered_qty=20,
        promise_date=pd.Timestamp("2026-07-10"),
        is_open=True,
    )
    case.add(
        "preorder_commitments",
        campaign_id="D",
        sku="A",
        location_id="main",
        firm_qty=50,
        covered_qty=0,
        promise_date=pd.Timestamp("2026-12-10"),
        is_open=True,
    )
    line = case.line()
    assert line["preorders_open"] == 10  # only what nothing covers and what is promised within the protection period
    assert line["inventory_position"] == 90


@pytest.mark.parametrize("stock", [0, 10, 40, 70, 200])
def test_a_reorder_point_above_the_order_up_to_level(shop, stock):
    line = shop().item(demand=4.0, sd=2.0, stock=stock).line()
    assert 0 <= line["reorder_point"] <= line["order_up_to_level"]


def test_a_minimum_order_named_as_the_cause_where_the_order_date_is(shop):
    terms = {"min_order_qty": 60, "pack_size": 12}
    saturday = shop(run_date=(RUN_DATE - timedelta(days=1))).set(expedite_points=100)
    plan = saturday.item(demand=4.0, stock=50, supply=terms).plan().restock_plan
    assert plan["order_qty"].tolist() == [0]
    sunday = saturday.next_run(1, plan).item(demand=4.0, stock=46, supply=terms).plan()
    assert sunday.restock_plan["why_moq"].iloc[0] > abs(plan["why_off_date"].iloc[0])
    assert sunday.plan_changes["cause"].tolist() == ["order_date"]
    monday = saturday.next_run(2, sunday.restock_plan).item(demand=4.0, stock=42, supply=terms).plan()
    assert monday.plan_changes["cause"].tolist() == ["off_order_date"]


def test_excess_that_comes_and_goes_with_the_order_date(shop):
    excess = []
    for day in range(7):  # the same stock and demand on every day of a week, orders on Sundays
        case = shop(run_date=RUN_DATE + timedelta(days=day)).item(demand=4.0, stock=300, horizon=40)
        excess.append(case.line()["expected_excess_units"])
    assert excess == pytest.approx([300 - 4 * 21] * 7)
