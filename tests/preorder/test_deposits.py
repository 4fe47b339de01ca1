"""Deposits, channel quotas, and what a cancellation costs by the campaign's state."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preorder.campaigns import campaign_histories
from preorder.config import PreorderConfig
from preorder.deposits import settle_deposits
from preorder.ledger import preorder_ledger
from preorder.step import _check_quotas

NOW = pd.Timestamp("2026-06-28T16:00Z")
OPENED = pd.Timestamp("2026-06-01T00:00Z")
DAY = pd.Timedelta(days=1)
MOVES = (("open", 0), ("closed", 10), ("committed", 14))


def book(*rows, moves=MOVES, shipped=None, terms=None, **settings):
    campaign = {"campaign_id": "C", "sku": "S", "opens_at": OPENED, "closes_at": OPENED + 20 * DAY,
                "min_batch_qty": 1, "max_batch_qty": 10, "identity_cap": 4, "allocation": "fifo",
                "cancellable": True, "deposit": 5.0} | (terms or {})  # fmt: skip
    campaigns = pd.DataFrame([campaign]).astype({"max_batch_qty": "Int64", "identity_cap": "Int64"})
    base = {"campaign_id": "C", "sku": "S", "location_id": "main", "buyer_ref": None, "channel": "web", "quantity": 1,
            "day": 1, "cancelled": None, "deposit_paid": 5.0}  # fmt: skip
    made = pd.DataFrame([base | row for row in rows])
    preorders = made.assign(
        preorder_id=[f"P{i}" for i in range(len(made))],
        placed_at=OPENED + pd.to_timedelta(made["day"], unit="D") + pd.to_timedelta(range(len(made)), unit="s"),
        cancelled_at=pd.to_datetime([None if pd.isna(d) else OPENED + d * DAY for d in made["cancelled"]], utc=True),
    ).drop(columns=["day", "cancelled"])
    events = pd.DataFrame([{"campaign_id": "C", "state": s, "at": OPENED + d * DAY, "seed_commitment": None,
                            "ledger_root": None, "seed": None} for s, d in moves])  # fmt: skip
    histories = campaign_histories(["C"], events)
    sent = pd.Series(shipped or {}, dtype="int64")
    ledger = preorder_ledger(preorders, campaigns, histories, sent, pd.Series(dtype="int64"), known_until=NOW,
                             config=PreorderConfig(**settings))  # fmt: skip
    deposits = settle_deposits(ledger, preorders, campaigns)
    return ledger.set_index("preorder_id"), deposits.set_index("preorder_id")


@pytest.mark.parametrize(
    ("cancelled", "terms", "settings", "action", "reason"),
    [
        (5, {}, {}, "refund", "cancelled"),
        (12, {}, {}, "refund", "cancelled"),  # closed, and not committed yet
        (12, {}, {"cancel_until": "closed"}, "forfeit", "cancelled_too_late"),
        (15, {}, {}, "forfeit", "cancelled_too_late"),
        (5, {"cancellable": False}, {}, "forfeit", "cancelled_against_rules"),
    ],
)
def test_a_cancellation_costs_what_the_state_of_the_campaign_says(cancelled, terms, settings, action, reason):
    ledger, deposits = book({"cancelled": cancelled}, terms=terms, **settings)
    assert ledger.loc["P0", ["firm_qty", "state", "reason"]].tolist() == [0, "cancelled", reason]
    assert deposits.loc["P0", "action"] == action
    assert deposits.loc["P0", f"{action}_amount"] == 5.0


def test_a_deposit_is_held_then_deducted_and_given_back_for_a_cancelled_campaign():
    assert book({})[1].loc["P0", ["action", "held_amount"]].tolist() == ["deposit_held", 5.0]
    assert book({}, shipped={"P0": 1})[1].loc["P0", ["action", "offset_amount"]].tolist() == ["offset", 5.0]
    gone = book({}, moves=(("open", 0), ("cancelled", 12)))[1]
    assert gone.loc["P0", ["action", "refund_amount"]].tolist() == ["refund", 5.0]


def test_a_claim_cut_by_a_cap_gets_the_rest_of_its_deposit_back():
    ledger, deposits = book({"quantity": 6, "deposit_paid": 30.0, "buyer_ref": "b"})
    assert ledger.loc["P0", "firm_qty"] == 4
    assert deposits.loc["P0", ["held_amount", "refund_amount"]].tolist() == [20.0, 10.0]


def test_without_its_deposit_a_preorder_claims_nothing_where_the_shop_wants_it():
    rows = [{"deposit_paid": None}, {"deposit_paid": 4.0}, {}]
    assert book(*rows)[0]["firm_qty"].tolist() == [1, 1, 1]
    ledger = book(*rows, require_deposit=True)[0]
    assert ledger["firm_qty"].tolist() == [0, 0, 1]
    assert ledger["reason"].tolist() == ["deposit_missing", "deposit_missing", "accepted"]


@pytest.mark.parametrize(("paid", "firm"), [(0.30, 3), (0.29, 0)])
def test_a_deposit_paid_to_the_cent_is_paid_in_full(paid, firm):
    row = {"quantity": 3, "deposit_paid": paid}  # three times 0.10 is a little more than 0.30 in binary
    assert book(row, terms={"deposit": 0.10}, require_deposit=True)[0].loc["P0", "firm_qty"] == firm


def test_a_channel_claims_at_most_its_quota_and_others_the_rest():
    rows = [{"quantity": 3, "channel": "live"}, {"quantity": 3, "channel": "live"}, {"quantity": 4}]
    ledger = book(*rows, channel_quotas={"live": 0.4})[0]
    assert ledger["firm_qty"].tolist() == [3, 1, 4]
    assert ledger["reason"].tolist() == ["accepted", "above_channel_quota", "accepted"]


def test_a_quota_above_one_is_in_units_and_needs_no_largest_batch():
    rows = [{"quantity": 3, "channel": "live"}, {"quantity": 3, "channel": "live"}, {"quantity": 3}]
    ledger = book(*rows, channel_quotas={"live": 4}, terms={"max_batch_qty": None})[0]
    assert ledger["firm_qty"].tolist() == [3, 1, 3]
    assert ledger["reason"].tolist() == ["accepted", "above_channel_quota", "accepted"]


@pytest.mark.parametrize(("early", "firm", "state"), [("count", 1, "firm"), ("refuse", 0, "refused")])
def test_a_preorder_from_before_the_opening_is_listed_and_counts_only_where_the_shop_lets_it(early, firm, state):
    ledger = book({"day": -1}, {"day": 2}, early_preorders=early)[0]
    assert ledger.loc["P0", ["firm_qty", "state", "reason"]].tolist() == [firm, state, "before_open"]
    assert ledger.loc["P1", ["firm_qty", "reason"]].tolist() == [1, "accepted"]


def test_after_an_early_close_nothing_is_claimed():
    ledger = book({"day": 9}, {"day": 11})[0]
    assert ledger["reason"].tolist() == ["accepted", "after_close"]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 13), st.one_of(st.none(), st.integers(14, 20)),
                          st.integers(0, 4000), st.integers(0, 2)), min_size=1, max_size=8))  # fmt: skip
def test_every_cent_paid_is_somewhere(orders):
    rows = [{"quantity": q, "day": d, "cancelled": c, "deposit_paid": cents / 100, "buyer_ref": f"b{w}"}
            for q, d, c, cents, w in orders]  # fmt: skip
    deposits = book(*rows, shipped={"P0": 1})[1]
    parts = deposits[["refund_amount", "held_amount", "offset_amount", "forfeit_amount"]]
    assert (parts >= 0).all(axis=None)
    assert parts.sum(axis=1).to_numpy() == pytest.approx(deposits["deposit_paid"].to_numpy(), abs=1e-6)


@pytest.mark.parametrize(
    ("quotas", "red"), [({"live": 0.4}, {"channel_quotas_apply": 1}), ({"live": 40}, {}), ({}, {})]
)
def test_a_quota_that_holds_nobody_back_is_said(quotas, red):
    found = {}
    io = SimpleNamespace(check=lambda name, *, failed, **_: found.update({name: failed}))
    campaigns = pd.DataFrame({"campaign_id": ["C1", "C2"], "max_batch_qty": pd.array([100, None], dtype="Int64")})
    _check_quotas(io, campaigns, PreorderConfig(channel_quotas=quotas))
    assert found == red
