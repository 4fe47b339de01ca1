"""The five numbers, recomputed line by line."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from data.contracts import TABLES
from data.contracts.frames import empty_frame
from reporting.headline import headline, out_or_at_risk, to_order, total_accuracy
from reporting.plan_lines import records


def test_the_five_numbers_equal_a_count_by_hand(shop):
    plan = shop.make_plan(500, seed=4)
    lines = records(plan)
    ordered = [line for line in lines if line["order_qty"] > 0 and line["status"] != "held"]
    risky = [
        line
        for line in lines
        if line["demand_mean"] > 0 and (line["on_hand"] <= 0 or line["p_stockout_before_receipt"] >= 0.5)
    ]
    found = headline(plan, empty_frame(TABLES["forecast_accuracy"]), at_risk_probability=0.5)
    assert found.lines_to_order == len(ordered) > 0
    assert found.order_value == pytest.approx(math.fsum(line["order_value"] for line in ordered))
    assert found.lines_at_risk == len(risky) > 0
    assert found.skus_at_risk == len({line["sku"] for line in risky})
    assert found.excess_value == pytest.approx(math.fsum(line["excess_value"] for line in lines))
    weight = math.fsum(line["demand_mean"] for line in lines)
    assert found.wape == pytest.approx(
        math.fsum(line["forecast_wape"] * line["demand_mean"] for line in lines) / weight
    )


def test_a_sku_at_risk_in_two_places_counts_once():
    plan = pd.DataFrame(
        {
            "sku": ["A", "A", "B", "C"],
            "demand_mean": [5.0, 5.0, 0.0, 5.0],
            "on_hand": [0.0, 3.0, 0.0, 90.0],
            "p_stockout_before_receipt": [1.0, 0.9, 1.0, 0.0],
        }
    )
    assert out_or_at_risk(plan, at_risk_probability=0.5).tolist() == [True, True, False, False]


def test_a_risk_of_exactly_the_limit_counts_and_one_below_does_not():
    plan = pd.DataFrame({"demand_mean": [5.0, 5.0], "on_hand": [1.0, 1.0], "p_stockout_before_receipt": [0.5, 0.4999]})
    assert out_or_at_risk(plan, at_risk_probability=0.5).tolist() == [True, False]


def test_a_held_line_is_no_order_of_today():
    plan = pd.DataFrame({"order_qty": [10, 10, 0], "status": ["ok", "held", "ok"]})
    assert to_order(plan).tolist() == [True, False, False]


def test_the_published_total_over_the_widest_horizon_wins():
    accuracy = pd.DataFrame(
        {
            "segment": ["smooth", "total", "total", "total"],
            "horizon": ["1-28", "1-7", "1-28", "15-28"],
            "wape": [0.1, 0.4, 0.5, 0.6],
            "bias": [0.0, 0.1, -0.2, 0.3],
        }
    )
    assert total_accuracy(accuracy, pd.DataFrame()) == (0.5, -0.2)


def test_nothing_judged_is_none_and_not_zero():
    plan = pd.DataFrame({"forecast_wape": [None], "forecast_bias": [None], "demand_mean": [3.0]}).astype(float)
    assert total_accuracy(pd.DataFrame(), plan) == (None, None)
