"""Stock period by period: hand-made timelines, and a plain loop over days as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restocking.projection import project


def one(demand, *, stock, arrivals=None, lead, review, lost_sales=True):
    horizon = len(demand)
    due = np.zeros((horizon, 1)) if arrivals is None else np.array(arrivals, float)[:, None]
    return project(
        np.array(demand, float)[:, None, None],
        stock=np.array([float(stock)]),
        arrivals=due,
        supply=due[: lead + review].sum(axis=0),
        lead=np.array([[lead]]),
        review=np.array([review]),
        lost_sales=lost_sales,
    )


def test_an_order_of_today_serves_the_period_after_the_lead_time_and_not_the_one_before():
    # L = 2 weeks, R = 1: weeks 1 and 2 live on what is there, the order has to serve week 3, and not week 4
    out = one([5, 5, 7, 100], stock=10, lead=2, review=1)
    assert out.need.item() == 7
    assert out.p_stockout_before().item() == 0
    assert out.p_stockout_after([6]).item() == 1
    assert out.p_stockout_after([7]).item() == 0


def test_sales_lost_before_receipt_are_not_ordered_again():
    assert one([8, 8, 8], stock=5, lead=2, review=1).need.item() == 8
    assert one([8, 8, 8], stock=5, lead=2, review=1, lost_sales=False).need.item() == 19


def test_an_open_order_counts_from_its_own_period_on():
    early = one([5, 5, 5], stock=5, arrivals=[0, 5, 0], lead=2, review=1)
    late = one([5, 5, 5], stock=5, arrivals=[0, 0, 5], lead=2, review=1)
    assert (early.unmet_before.item(), early.need.item()) == (0, 5)
    assert (late.unmet_before.item(), late.need.item()) == (5, 0)


def test_what_is_owed_is_served_first_and_is_no_new_demand():
    out = one([1, 1, 1], stock=-4, lead=1, review=2)
    assert out.unmet_before.item() == 1
    assert out.need.item() == 6  # 4 owed and 2 for the periods after receipt
    assert out.unmet_after([4]).item() == 2


def test_a_horizon_too_short_is_refused():
    with pytest.raises(ValueError, match="protection period of 4"):
        one([1, 1, 1], stock=0, lead=3, review=1)


def oracle(demand, stock, arrivals, lead, review, order, lost_sales):
    """Days one by one, with the order placed: unmet before receipt, unmet after, stock at the end."""
    on_hand, before, after = stock, 0.0, 0.0
    for t in range(lead + review):
        on_hand += arrivals[t] + (order if t == lead else 0.0)
        unmet = max(demand[t] - max(on_hand, 0.0), 0.0)
        on_hand = on_hand - demand[t] + (unmet if lost_sales else 0.0)
        before, after = (before + unmet, after) if t < lead else (before, after + unmet)
    return before, after, on_hand


@given(data=st.data(), lost_sales=st.booleans())
def test_projection_equals_the_days_one_by_one(data, lost_sales):
    lead, review = data.draw(st.integers(0, 5)), data.draw(st.integers(1, 4))
    horizon = lead + review + data.draw(st.integers(0, 2))
    demand = data.draw(st.lists(st.integers(0, 9), min_size=horizon, max_size=horizon))
    arrivals = data.draw(st.lists(st.integers(0, 9), min_size=horizon, max_size=horizon))
    stock, order = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 30))
    out = one(demand, stock=stock, arrivals=arrivals, lead=lead, review=review, lost_sales=lost_sales)
    before, after, left = oracle(demand, stock, arrivals, lead, review, order, lost_sales)
    assert out.unmet_before.item() == before
    assert (out.unmet_after([order]).item() > 0) == (after > 0)
    if lost_sales:
        assert out.unmet_after([order]).item() == after
        assert out.excess([order]).item() == pytest.approx(left)
    without = oracle(demand, stock, arrivals, lead, review, 0, lost_sales)
    assert out.need.item() == sum(demand[: lead + review]) - stock - sum(arrivals[: lead + review]) - (
        without[0] if lost_sales else 0
    )


def test_a_random_lead_time_gives_each_path_its_own_window():
    out = project(
        np.ones((6, 1, 2)),
        stock=np.zeros(1),
        arrivals=np.zeros((6, 1)),
        supply=np.zeros(1),
        lead=np.array([[1, 4]]),
        review=np.array([2]),
        lost_sales=True,
    )
    assert out.unmet_before.tolist() == [[1, 4]]
    assert out.demand_after.tolist() == [[2, 2]]
    assert out.total.tolist() == [[3, 6]]
    assert out.need.tolist() == [[2, 2]]


def test_the_day_stock_runs_out_counts_open_orders():
    out = one([2, 2, 2, 2, 2], stock=4, arrivals=[0, 0, 2, 0, 0], lead=1, review=1)
    assert out.stocked_out_by.tolist() == [[0, 0, 0, 1, 1]]
