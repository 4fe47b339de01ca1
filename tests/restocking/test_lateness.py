"""Lateness learnt from receipts: it shapes risks and orders, and three receipts prove little."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from restocking.lateness import lateness_points, supplier_lateness

TODAY = pd.Timestamp("2026-06-28")


def received(case, late, *, supplier_id="S1"):
    """One receipt per entry, so many days later than the 14 stated."""
    for number, days in enumerate(late):
        ordered = TODAY - timedelta(days=200 - number)
        arrived = ordered + timedelta(days=15 + int(days))
        case.add("stg_receipts", po_id=f"R{number}", sku="A", location_id="main", supplier_id=supplier_id,
                 ordered_date=ordered, received_date=arrived, received_qty=5.0)  # fmt: skip
    return case


def test_a_supplier_that_is_often_late_raises_risk_and_order(shop):
    explicit = {"holding_cost_per_unit_per_period": 0.1, "shortage_cost_per_unit": 1.0}
    late = np.tile([0, 0, 4, 8], 10)

    def line(case):
        return case.set(objective=explicit).item(demand=4.0, sd=1.0, stock=40).purchase_order(40, due_in_days=10).line()

    punctual, tardy = line(received(shop(), np.zeros(40))), line(received(shop(), late))
    assert tardy["order_qty"] > punctual["order_qty"]
    assert tardy["p_stockout_before_receipt"] > punctual["p_stockout_before_receipt"]
    assert tardy["why_need"] == punctual["why_need"]  # L and the protection period stay as agreed
    assert tardy["lead_time_days"] == punctual["lead_time_days"] == 14


def test_receipts_of_another_supplier_change_nothing(shop):
    own = shop().item(demand=4.0, sd=1.0, stock=40).line()
    other = received(shop(), np.full(40, 9), supplier_id="S2").item(demand=4.0, sd=1.0, stock=40).line()
    assert other["order_qty"] == own["order_qty"]


def test_the_distribution_is_the_one_that_receipts_show():
    rng = np.random.default_rng(4)
    truth = rng.gamma(2.0, 3.0, 2000).round()
    arrived = TODAY + pd.to_timedelta(15 + truth[:200], unit="D")
    receipts = pd.DataFrame({"po_id": np.arange(200), "ordered_date": TODAY, "received_date": arrived})
    receipts = receipts.assign(sku="A", supplier_id="S")
    known = supplier_lateness(receipts, pd.DataFrame({"sku": ["A"], "lead_time_days": [14.0]}))
    points = lateness_points(pd.Series(["S"]), np.zeros(1), known, n_points=200)[0]
    assert np.quantile(points, [0.5, 0.9]) == pytest.approx(np.quantile(truth, [0.5, 0.9]), abs=1.5)
    assert (np.diff(points) >= 0).all()


def test_few_receipts_leave_most_of_the_stated_spread():
    few = lateness_points(pd.Series(["S"]), np.array([1.0]), {"S": np.full(3, 20.0)}, n_points=200)[0]
    assert (few == 20).mean() == pytest.approx(3 / 11, abs=0.02)
    none = supplier_lateness(pd.DataFrame(columns=["po_id", "sku", "supplier_id", "ordered_date", "received_date"]),
                             pd.DataFrame({"sku": ["A"], "lead_time_days": [14.0]}))  # fmt: skip
    assert none == {}
