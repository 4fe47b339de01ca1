"""The plan's definitions, on a shop small enough to check by hand."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contracts import TABLES, WHY_COLUMNS
from data.contracts.frames import conform

TODAY = pd.Timestamp("2026-06-28")


def test_a_steady_item_is_ordered_up_to_its_protection_period(shop):
    # 4 a day, L = 14, R = 7: 84 in all; 70 there; lost before receipt: none
    line = shop().item(demand=4.0, stock=70).line()
    assert (line["order_qty"], line["why_need"], line["why_position"]) == (14, 84, -70)
    assert line["order_up_to_level"] == pytest.approx(84)
    assert line["p_stockout_before_receipt"] == 0
    assert (line["p_stockout_if_not_ordered"], line["p_stockout_if_ordered"]) == (1, 0)
    assert line["expected_lost_units_avoided"] == pytest.approx(14)
    assert line["expected_excess_units"] == pytest.approx(0)
    assert line["expected_fill_rate"] == pytest.approx(1)
    assert line["days_of_cover"] == pytest.approx(17.5)
    assert line["expected_receipt_date"] == TODAY + timedelta(days=15)
    assert line["stockout_date"] == TODAY + timedelta(days=18)
    assert (line["status"], line["action"], line["reason"]) == ("ok", "order", "cover_target")


def test_days_of_cover_count_orders_apart(shop):
    line = shop().item(demand=4.0, stock=20).purchase_order(12, due_in_days=5).line()
    assert line["days_of_cover"] == pytest.approx(5)
    assert line["days_of_cover_with_orders"] == pytest.approx(8)


def test_what_is_lost_before_receipt_is_not_ordered(shop):
    line = shop().item(demand=4.0, stock=10).line()
    assert line["why_lost_sales"] == -(56 - 10)
    assert line["order_qty"] == 28
    assert line["action"] == "expedite"
    assert line["reason"] == "runs_out_before_receipt"
    owed = shop().set(unmet_demand="backorder").item(demand=4.0, stock=10).line()
    assert (owed["why_lost_sales"], owed["order_qty"]) == (0, 74)


def test_an_order_due_after_the_protection_period_is_no_supply_for_it(shop):
    inside = shop().item(demand=4.0, stock=70).purchase_order(10, due_in_days=21).line()
    outside = shop().item(demand=4.0, stock=70).purchase_order(10, due_in_days=22).line()
    assert (inside["on_order"], inside["order_qty"]) == (10, 4)
    assert (outside["on_order"], outside["order_qty"]) == (0, 14)
    assert "po_after_protection" in outside["flags"]


def test_an_overdue_order_counts_from_the_suppliers_median_lateness(shop):
    case = shop().item(demand=4.0, stock=8).purchase_order(60, due_in_days=-3)
    for late in (2, 5, 9):
        case.add(
            "stg_receipts",
            po_id=f"R{late}",
            sku="A",
            location_id="main",
            supplier_id="S1",
            received_qty=5.0,
            ordered_date=TODAY - timedelta(days=60),
            received_date=TODAY - timedelta(days=60 - 15 - late),
        )
    line = case.line()
    assert "po_overdue" in line["flags"]
    # 8 last two days; the order comes five days after D, at the start of the fifth day: three... two days are lost
    assert line["why_lost_sales"] == -2 * 4
    assert line["on_order"] == 60


def test_a_weekly_shop_orders_for_the_week_after_two_weeks_of_lead_time(shop):
    case = shop(freq="W-MON").set(objective={"holding_cost_per_unit_per_period": 0.2, "shortage_cost_per_unit": 1.0})
    case.item(demand=[10, 10, 17, 99], stock=10, horizon=4)
    case.purchase_order(5, due_in_days=1).purchase_order(7, due_in_days=8)
    line = case.line()
    assert line["expected_receipt_date"] == TODAY + timedelta(days=15)
    assert line["service_level"] == pytest.approx(1 / 1.2)
    assert line["why_need"] == 37
    assert line["order_qty"] == 37 - 22
    assert line["p_stockout_before_receipt"] == 0


@pytest.mark.parametrize(("due_in_days", "lost"), [(1, 0), (8, 0), (15, 5)])
def test_weekly_open_orders_arrive_at_the_start_of_their_week(shop, due_in_days, lost):
    case = shop(freq="W-MON").item(demand=[5, 5, 5], stock=5, horizon=3).purchase_order(5, due_in_days=due_in_days)
    assert case.line()["why_lost_sales"] == -lost


def test_off_order_dates_what_can_wait_waits(shop):
    wednesday = pd.Timestamp("2026-07-01").date()
    case = shop(run_date=wednesday).item(demand=4.0, stock=200)
    calm = shop(run_date=wednesday).item(demand=4.0, sd=1.0, stock=71).line()
    assert case.line()["order_qty"] == 0
    assert calm["next_order_date"] == pd.Timestamp("2026-07-05")
    # R = 4 to Sunday: L + R = 18 days, 72 units, 71 there: waiting lifts the risk by far more than 10 points
    assert (calm["action"], calm["reason"]) == ("expedite", "waiting_raises_risk")
    patient = shop(run_date=wednesday).set(expedite_points=100).item(demand=4.0, sd=1.0, stock=71).line()
    assert (patient["order_qty"], patient["reason"]) == (0, "off_order_date")
    assert patient["why_off_date"] < 0
    assert patient["proposal_id"] is None
    assert patient["p_stockout_if_not_ordered"] > patient["p_stockout_if_ordered"]


def test_the_service_level_is_met_after_receipt(shop):
    for level in (0.8, 0.95):
        line = shop().set(objective={"service_level": level}).item(demand=10.0, sd=4.0, stock=150).line()
        assert line["p_stockout_if_ordered"] == pytest.approx(1 - level, abs=0.02)


def test_lead_time_spread_raises_the_order(shop):
    steady = shop().item(demand=4.0, sd=1.0, stock=70).line()
    late = shop().item(demand=4.0, sd=1.0, stock=70, horizon=40, supply={"lead_time_sd_days": 4.0})
    late.rows["protection_demand"] = []
    spread = late.line()
    assert spread["safety_stock"] > steady["safety_stock"] + 5


def test_no_stock_table_is_said_on_every_line(shop):
    case = shop().item(demand=4.0)
    case.has_stock_table = False
    line = case.line()
    assert (line["on_hand"], "no_stock_table" in line["flags"], line["confidence"]) == (0, True, "medium")


def test_an_old_snapshot_is_used_and_flagged(shop):
    case = shop().item(demand=4.0)
    case.add("stg_stock", sku="A", location_id="main", as_of_date=TODAY - timedelta(days=2), on_hand=33.0)
    assert (case.line()["on_hand"], case.line()["flags"]) == (33, ["stale_stock"])


def test_negative_stock_is_owed(shop):
    line = shop().item(demand=4.0, stock=-5).line()
    assert (line["on_hand"], line["backorders"], line["inventory_position"]) == (0, 5, -5)
    assert "negative_stock" in line["flags"]


def test_beyond_the_horizon_a_person_decides(shop):
    tables = shop().item(demand=4.0, stock=0, horizon=20).plan()
    line = tables.restock_plan.iloc[0]
    assert (line["status"], line["action"], line["reason"]) == ("held", "review", "beyond_horizon")
    assert "HORIZON" in line["flags"]
    assert line["why_need"] == 84  # the last weeks of the forecast repeat
    assert tables.supplier_orders.empty


def test_an_item_without_a_forecast_is_never_ordered_blindly(shop):
    case = shop().item(demand=4.0, stock=0)
    case.rows["forecasts"] = []
    line = case.line()
    assert (line["order_qty"], line["flags"], line["confidence"]) == (0, ["no_forecast"], "low")


def test_what_is_off_sale_before_receipt_is_not_ordered(shop):
    ends = shop().item(demand=4.0, stock=0, end_of_sale_date=TODAY + timedelta(days=14)).line()
    assert (ends["order_qty"], ends["status"], ends["reason"]) == (0, "not_replenished", "ends_before_receipt")
    last = shop().item(demand=4.0, stock=0, end_of_sale_date=TODAY + timedelta(days=17)).line()
    assert last["order_qty"] == 3 * 4  # the days that are left after receipt
    assert "last_buy" in last["flags"]
    owed = (
        shop()
        .set(unmet_demand="backorder")
        .item(demand=4.0, stock=0, end_of_sale_date=TODAY + timedelta(days=9))
        .line()
    )
    assert (owed["order_qty"], owed["why_cap"]) == (0, -36)


def test_discontinued_items_are_listed_and_never_planned(shop):
    case = shop().item(demand=4.0, stock=0).item("B", demand=4.0, stock=0, status="ended", reason="end_of_sale")
    tables = case.plan()
    assert tables.restock_plan["sku"].tolist() == ["A"]
    assert tables.not_replenished[["sku", "reason"]].values.tolist() == [["B", "end_of_sale"]]


def test_the_margin_objective_takes_the_one_shot_ratio_only_for_a_last_buy(shop):
    margin = {"margin": {"annual_holding_rate": 0.25}}
    normal = shop().set(objective=margin).item(demand=4.0, sd=2.0, stock=30).line()
    last = (
        shop()
        .set(objective=margin)
        .item(demand=4.0, sd=2.0, stock=30, end_of_sale_date=TODAY + timedelta(days=17))
        .line()
    )
    assert normal["service_level"] == pytest.approx(6 / (6 + 4 * 0.25 * 7 / 365))
    assert last["service_level"] == pytest.approx(6 / (6 + 4))
    unknown = shop().set(objective=margin).item(demand=4.0, stock=30, regular_price=None).line()
    assert unknown["service_level"] == 0.95
    assert "no_margin_data" in unknown["flags"]
    dear = shop().set(objective=margin).item(demand=4.0, stock=0, regular_price=3.0).line()
    assert (dear["order_qty"], dear["reason"]) == (0, "no_margin")


def test_expected_returns_are_supply(shop):
    case = shop().tune(resellable_share=1.0).item(demand=4.0, stock=70)
    case.add("returns", sku="A", location_id="main", return_receipts=100.0, gross_units=390.0)
    line = case.line()
    assert line["why_need"] == 84  # service is planned on gross demand
    assert "expected_returns" in line["flags"]
    assert line["order_qty"] == 0  # a quarter of 84 comes back
    assert line["safety_stock"] == pytest.approx(0, abs=0.01)


def test_the_budget_goes_to_the_best_return(shop):
    case = shop().item("A", demand=4.0, stock=70, regular_price=20.0).item("B", demand=4.0, stock=70, regular_price=5.0)
    plan = case.set(budget=70.0).lines()
    assert plan.loc[("A", "main"), "order_qty"] == 14
    assert plan.loc[("B", "main"), "order_qty"] == 3
    assert plan["order_value"].sum() <= 70
    assert plan.loc[("B", "main"), "binding_constraint"] == "budget"
    assert plan.loc[("B", "main"), "why_budget"] == -11


def test_a_suppliers_capacity_is_kept(shop):
    case = shop().item("A", demand=4.0, stock=70, regular_price=20.0).item("B", demand=4.0, stock=70, regular_price=5.0)
    plan = case.add("stg_suppliers", supplier_id="S1", capacity_per_period=2.0).lines()
    assert plan["order_qty"].sum() == 14
    assert plan["why_capacity"].sum() == -14


def test_an_order_below_the_suppliers_minimum_value_is_held(shop):
    small = shop().item(demand=4.0, stock=70).add("stg_suppliers", supplier_id="S1", min_order_value=57.0)
    line = small.line()
    assert (line["order_qty"], line["status"], line["reason"]) == (14, "held", "below_min_order_value")
    enough = shop().item(demand=4.0, stock=70).add("stg_suppliers", supplier_id="S1", min_order_value=56.0)
    assert enough.line()["status"] == "ok"


@pytest.mark.parametrize(("minimum", "held"), [(56.0, []), (57.0, ["A", "B"])])
def test_where_a_minimum_value_stands_a_line_of_unknown_cost_counts_for_nothing(shop, minimum, held):
    case = shop().item("A", demand=4.0, stock=70)  # worth 56
    case = case.item("B", demand=4.0, stock=70, unit_cost=None, supply={"unit_cost": None})
    plan = case.add("stg_suppliers", supplier_id="S1", min_order_value=minimum).lines()
    lines = plan[plan["status"] == "held"]
    assert [sku for sku, _ in lines.index] == held
    assert (lines["reason"] == "rail_unknown_value").all()
    assert (plan["order_qty"] == 14).all()


def test_money_at_risk_ranks_and_released_values_add_up(shop):
    case = shop().item("A", demand=4.0, stock=70).item("B", demand=9.0, stock=70).item("C", demand=1.0, stock=900)
    case.add("holds", scope="sku", id="B", reason="print error", expires_date=None)
    plan = case.plan().restock_plan.set_index("sku")
    assert plan["rank"].to_dict() == {"A": 2, "B": 1, "C": 3}
    assert plan["money_at_risk"].is_monotonic_decreasing is False
    assert plan.loc["A", "money_at_risk"] == pytest.approx(14 * 6)
    assert np.isnan(plan.loc["B", "cumulative_value"])
    assert plan.loc["A", "cumulative_value"] == 56


@st.composite
def shops(draw):
    items = draw(
        st.lists(
            st.tuples(
                st.floats(0, 20),
                st.floats(0, 10),
                st.floats(0, 400),
                st.integers(0, 60),
                st.integers(1, 12),
                st.sampled_from(["main", "east"]),
                st.integers(-3, 30),
                st.integers(0, 100),
            ),
            min_size=1,
            max_size=4,
        )
    )
    return (
        items,
        draw(st.integers(0, 6)),
        draw(st.sampled_from(["lost_sales", "backorder"])),
        draw(st.one_of(st.none(), st.floats(0, 500))),
    )


@settings(max_examples=25)
@given(case=shops())
def test_every_plan_adds_up_and_is_legal(case, request):
    items, weekday, unmet, budget = case
    make = request.getfixturevalue("shop")
    shop = make(run_date=(TODAY + timedelta(days=weekday)).date()).set(unmet_demand=unmet, budget=budget)
    for i, (demand, sd, stock, moq, pack, place, due, qty) in enumerate(items):
        sku = f"S{i // 2}"
        if (sku, place) in {(r["sku"], r["location_id"]) for r in shop.rows.get("assortment", [])}:
            continue
        shop.item(sku, place, demand=demand, sd=sd, stock=stock, supply={"min_order_qty": moq, "pack_size": pack})
        shop.purchase_order(qty, due_in_days=due, sku=sku, location_id=place)
    tables = shop.plan()
    plan = tables.restock_plan
    assert (plan[list(WHY_COLUMNS)].sum(axis=1) == plan["order_qty"]).all()
    assert (plan["order_qty"] >= 0).all()
    assert (plan["order_qty"] % plan["pack_size"] == 0).all()
    total = plan.groupby(["supplier_id", "sku"])["order_qty"].transform("sum")
    assert ((total == 0) | (total >= plan["min_order_qty"])).all()
    owned = plan["on_hand"] + plan["on_order"] - plan["backorders"] - plan["preorders_open"]
    assert (owned - plan["inventory_position"]).abs().max() < 1e-6
    if shop.calendar.is_order_date is False:
        assert set(plan.loc[plan["order_qty"] > 0, "action"]) <= {"expedite"}
    if budget is not None:
        assert plan["order_value"].sum() <= budget + 1e-6
    assert (plan["p_stockout_if_ordered"] <= plan["p_stockout_if_not_ordered"] + 1e-9).all()
    assert sorted(plan["rank"]) == list(range(1, len(plan) + 1))
    for name in set(vars(tables)) - {"budget_gap"}:
        conform(TABLES[name], getattr(tables, name))


def test_a_trend_proposal_is_a_line_to_look_at_and_never_an_order(shop):
    quiet = shop().item(demand=1.0, stock=500).line()
    hot = shop().item(demand=1.0, stock=500)
    hot.add(
        "trend_proposals", sku="A", location_id="main", element_type="ip", element="star", region="*",
        status="proposed", proposed_qty=120, extra_demand=120.0, reason="rising_signals",
    )  # fmt: skip
    line = hot.line()
    assert quiet["action"] != "review"
    assert (line["action"], line["reason"], line["order_qty"]) == ("review", "trend_proposal", 0)
    assert "trend_proposal" in line["flags"]
    assert hot.plan().supplier_orders.empty
