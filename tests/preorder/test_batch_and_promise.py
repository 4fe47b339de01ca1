"""Batch size and decision, demand after the close, and promise dates."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from preorder.batches import BatchCase, Decision, Tier, batch_size, decide, extended, p_min_batch_met, p_reached
from preorder.booking_curve import N_POINTS
from preorder.campaigns import State
from preorder.config import PreorderConfig
from preorder.late_demand import late_demand
from preorder.promise import Delays, delay_outcomes, p_kept, promise_date, real_delays, remaining_outcomes

CONFIG = PreorderConfig()
D = date(2026, 6, 28)
NONE = np.zeros(N_POINTS)


def test_the_batch_without_stock_is_what_is_firm():
    size = batch_size(BatchCase(firm=80, volume=np.full(N_POINTS, 80.0), late=NONE))
    assert (size.qty, size.tier, size.profit) == (80, None, None)


def test_the_batch_is_the_newsvendor_quantity_of_the_textbook():
    # Snyder & Shen: price 1, cost 0.3, salvage 0.12, N(50, 8) -> 56.6, in whole units 57
    late = np.asarray(stats.norm.ppf((np.arange(N_POINTS) + 0.5) / N_POINTS, 50, 8))
    case = BatchCase(firm=0, volume=NONE, late=late, tiers=(Tier(0, 0.3),), price=1.0, salvage_value=0.12)
    size = batch_size(case)
    assert size.qty == 57
    assert size.profit == pytest.approx(33.0, abs=0.1)


@pytest.mark.parametrize(("cost_from_200", "expected"), [(5.0, 200), (9.5, 150)])
def test_a_cheaper_tier_lifts_the_batch_only_where_it_pays(cost_from_200, expected):
    case = BatchCase(firm=150, volume=np.full(N_POINTS, 150.0), late=NONE, price=20.0,
                     tiers=(Tier(0, 10.0), Tier(200, cost_from_200)))  # fmt: skip
    size = batch_size(case)
    assert size.qty == expected
    assert size.why["why_tier"] == expected - 150


@given(st.integers(0, 500), st.integers(0, 400), st.one_of(st.none(), st.integers(0, 900)), st.floats(0.1, 30),
       st.one_of(st.none(), st.floats(1, 40)), st.floats(0, 3))  # fmt: skip
def test_why_adds_up_and_the_largest_batch_is_never_passed(firm, least, most, cost, price, spread):
    volume = firm + spread * 50 * np.arange(N_POINTS) / N_POINTS
    late = spread * 30 * np.arange(N_POINTS) / N_POINTS
    size = batch_size(
        BatchCase(firm=firm, volume=volume, late=late, min_batch_qty=least, max_batch_qty=most, price=price,
                  tiers=(Tier(1, cost), Tier(300, cost * 0.8)))
    )  # fmt: skip
    assert sum(size.why.values()) == size.qty
    assert size.qty >= 0
    assert most is None or size.qty <= most
    if most is None and size.qty:
        assert size.qty >= max(firm, least)


def decision(firm, *, state=State.CLOSED, extension=None, pace=0.0, supply=False, commit=D, cost=5.0, cancel=0.0):
    case = BatchCase(firm=firm, volume=np.full(N_POINTS, float(firm)), late=NONE, min_batch_qty=100,
                     tiers=(Tier(0, cost),), price=10.0, cancel_cost=cancel)  # fmt: skip
    return decide(case, batch_size(case), state=state, has_supply=supply, run_date=D, commit_by_date=commit,
                  latest_extension_date=extension, pace_per_day=pace, config=CONFIG)[0]  # fmt: skip


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (decision(100), Decision.PRODUCE),
        (decision(40), Decision.CANCEL),
        (decision(90, cost=6.0), Decision.PRODUCE),  # a batch of 100 for 90 buyers still earns
        (decision(40, cancel=500.0), Decision.PRODUCE),  # cancelling costs more than a poor batch
        (decision(90, extension=date(2026, 7, 12), pace=2.0), Decision.EXTEND),
        (decision(40, extension=date(2026, 7, 12), pace=0.5), Decision.CANCEL),
        (decision(150, state=State.THRESHOLD_MET), Decision.PRODUCE),
        (decision(150, state=State.THRESHOLD_MET, commit=date(2026, 7, 9)), Decision.WAIT),
        (decision(40, state=State.OPEN), Decision.WAIT),
        (decision(150, supply=True), Decision.WAIT),
        (decision(150, state=State.COMMITTED), Decision.WAIT),
        (decision(150, state=State.CANCELLED), Decision.CANCEL),
    ],
)
def test_the_decision_of_the_night(made, expected):
    assert made is expected


@pytest.mark.parametrize(
    ("firm", "word", "why"), [(100, "produce", "minimum_met"), (99, "wait", "cheaper_than_cancelling")]
)
def test_exactly_the_minimum_is_enough(firm, word, why):
    assert decision(firm, state=State.THRESHOLD_MET).value == word
    assert reason(firm, state=State.CLOSED)[1].value == why


def test_an_extension_shows_what_the_campaign_may_still_come_to():
    closed = BatchCase(firm=90, volume=np.full(N_POINTS, 90.0), late=NONE, min_batch_qty=100)
    longer = extended(closed, expected=12.0)
    assert p_min_batch_met(closed.volume, 100) == 0.0
    assert p_min_batch_met(longer.volume, 100) == pytest.approx(p_reached(10, 12.0), abs=0.01)
    assert np.median(longer.volume) == 90 + 12


def reason(firm, *, state, commit=D, supply=False):
    case = BatchCase(firm=firm, volume=np.full(N_POINTS, float(firm)), late=NONE, min_batch_qty=100,
                     tiers=(Tier(0, 5.0),), price=10.0)  # fmt: skip
    return decide(case, batch_size(case), state=state, has_supply=supply, run_date=D, commit_by_date=commit,
                  latest_extension_date=None, pace_per_day=0.0, config=CONFIG)  # fmt: skip


def test_a_batch_that_waits_though_its_commit_date_is_past_says_why():
    past = date(2026, 6, 20)
    waits = [
        reason(40, state=State.OPEN, commit=past),  # the minimum is not met, and the promise is in danger
        reason(40, state=State.OPEN, commit=date(2026, 7, 20)),
        reason(150, state=State.THRESHOLD_MET, commit=date(2026, 7, 20)),
        reason(150, state=State.IN_PRODUCTION, commit=past),  # nothing to do: it is being made
    ]
    assert [w[0] for w in waits] == [Decision.WAIT] * 4
    assert [w[1].value for w in waits] == ["commit_date_past", "below_minimum", "not_due_yet", "batch_under_way"]


def test_demand_after_the_close_learns_from_past_campaigns():
    none = late_demand(100.0, pd.Series([], dtype=float), config=CONFIG)
    taught = late_demand(100.0, pd.Series([0.5] * 40), config=CONFIG)
    assert np.median(none) == pytest.approx(15)
    assert 40 < np.median(taught) < 50
    assert late_demand(0.0, pd.Series([0.5]), config=CONFIG).tolist() == NONE.tolist()


def receipts(days, *, supplier="A"):
    ordered = pd.Timestamp("2026-01-01")
    return pd.DataFrame(
        {
            "po_id": [f"{supplier}{i}" for i in range(len(days))],
            "sku": "S",
            "supplier_id": supplier,
            "ordered_date": ordered,
            "received_date": [ordered + pd.Timedelta(days=int(d)) for d in days],
        }
    )


def test_a_supplier_that_is_always_late_is_promised_late():
    late = real_delays(receipts([30] * 60), pd.Series({"S": 19.0}))
    outcomes = delay_outcomes(19.0, 0.0, "A", late, config=CONFIG)
    assert np.median(outcomes) == pytest.approx(30, abs=1)
    assert np.median(delay_outcomes(19.0, 0.0, "A", Delays(), config=CONFIG)) == pytest.approx(20)


def test_the_p90_promise_is_kept_about_nine_times_in_ten():
    rng = np.random.default_rng(4)
    real = np.round(20 * np.exp(rng.normal(0.15, 0.25, 1100)))
    delays = real_delays(receipts(real[:100]), pd.Series({"S": 19.0}))
    outcomes = delay_outcomes(19.0, 0.0, "A", delays, config=CONFIG)
    days = (promise_date(D, outcomes, 0.9) - D).days
    assert 0.87 <= np.mean(real[100:] <= days) <= 0.95


@given(st.integers(0, 400))
def test_an_order_that_has_not_come_is_never_promised_for_the_past(elapsed):
    outcomes = remaining_outcomes(delay_outcomes(20.0, 3.0, None, Delays(), config=CONFIG), elapsed)
    assert len(outcomes)
    assert (outcomes > elapsed).all()
    assert (np.diff(outcomes) >= 0).all()
    assert p_kept(D, outcomes, promise_date(D, outcomes, 0.9)) >= 0.895  # whole outcomes
