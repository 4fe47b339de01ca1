"""What we own, less what we owe."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from restocking.inventory_position import expected_return_share, median_lateness

TODAY = pd.Timestamp("2026-06-28")


def commitment(case, campaign="C", *, firm, covered, promised_in_days=5):
    return case.add(
        "preorder_commitments",
        campaign_id=campaign,
        sku="A",
        location_id="main",
        firm_qty=firm,
        covered_qty=covered,
        promise_date=TODAY + timedelta(days=promised_in_days),
        is_open=True,
    )


def test_an_order_for_a_campaign_is_ring_fenced(shop):
    case = (
        shop()
        .item(demand=4.0, stock=70)
        .purchase_order(30, due_in_days=3, campaign_id="C")
        .purchase_order(7, due_in_days=4)
    )
    line = commitment(case, firm=25, covered=25).line()
    assert line["on_order"] == 7 + 5  # only what the campaign's preorders do not take
    assert line["preorders_open"] == 0


def test_ring_fencing_takes_the_earliest_orders_first(shop):
    case = shop().item(demand=4.0, stock=70)
    case.purchase_order(10, due_in_days=3, campaign_id="C").purchase_order(10, due_in_days=12, campaign_id="C")
    assert commitment(case, firm=14, covered=14).line()["on_order"] == 6


@pytest.mark.parametrize(("promised_in_days", "owed"), [(21, 25), (22, 0)])
def test_a_promise_for_the_last_day_of_the_protection_period_is_owed(shop, promised_in_days, owed):
    case = commitment(shop().item(demand=4.0, stock=70), firm=25, covered=0, promised_in_days=promised_in_days)
    assert case.line()["preorders_open"] == owed  # L + R = 21 days


@pytest.mark.parametrize(("due_in_days", "is_overdue"), [(0, True), (1, False)])
def test_an_order_due_today_has_not_come_and_counts_from_tomorrow(shop, due_in_days, is_overdue):
    line = shop().item(demand=4.0, stock=0).purchase_order(60, due_in_days=due_in_days).line()
    assert ("po_overdue" in line["flags"]) == is_overdue
    assert (line["on_order"], line["why_lost_sales"]) == (60, 0)  # 14 days at 4: nothing is lost before receipt


@pytest.mark.parametrize(("back", "share"), [(50.0, 0.5), (60.0, 0.6), (61.0, 0.6), (100.0, 0.6)])
def test_no_more_than_six_in_ten_are_expected_back(back, share):
    lines = pd.DataFrame({"sku": ["A", "B"], "location_id": ["main", "main"]})
    known = pd.DataFrame({"sku": ["A"], "location_id": ["main"], "return_receipts": [back], "gross_units": [90.0]})
    assert expected_return_share(lines, known).tolist() == pytest.approx([share, 0.0])


def test_orders_of_other_places_and_items_do_not_count(shop):
    case = shop().item(demand=4.0, stock=70).purchase_order(9, due_in_days=3, location_id="east")
    assert case.purchase_order(9, due_in_days=3, sku="B").line()["on_order"] == 0


def test_a_missing_stock_row_is_zero_and_said(shop):
    case = shop().item("A", demand=4.0, stock=5).item("B", demand=4.0)
    lines = case.lines()
    assert "no_stock_row" in lines.loc[("B", "main"), "flags"]
    assert "no_stock_row" not in lines.loc[("A", "main"), "flags"]


def test_lateness_is_measured_against_the_stated_lead_time():
    receipts = pd.DataFrame(
        {
            "sku": ["A"] * 3,
            "supplier_id": ["S1"] * 3,
            "ordered_date": [TODAY] * 3,
            "received_date": [TODAY + timedelta(days=15 + late) for late in (0, 4, 7)],
        }
    )
    supply = pd.DataFrame({"sku": ["A"], "lead_time_days": [14.0]})
    assert median_lateness(receipts, supply)["S1"] == 4


@pytest.mark.parametrize(("due_in_days", "week"), [(15, 2), (18, 2), (19, 2), (12, 2), (11, 1)])
def test_in_weekly_plans_an_arrival_in_mid_week_goes_to_the_nearer_start(shop, due_in_days, week):
    # L + R = 3 weeks: what arrives in the last week counts for it, however late in the week
    case = shop(freq="W-MON").item(demand=[0, 5, 5], stock=0, horizon=3).purchase_order(10, due_in_days=due_in_days)
    assert case.line()["why_lost_sales"] == (-5 if week == 2 else 0)
    assert case.line()["on_order"] == 10
