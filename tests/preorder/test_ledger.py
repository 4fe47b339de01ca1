"""The ledger: who may claim how much, and why; and the states of a campaign."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preorder.campaigns import LEGAL_MOVES, State, campaign_histories, campaign_states, is_legal
from preorder.config import PreorderConfig
from preorder.ledger import ledger_root, preorder_ledger

NOW = pd.Timestamp("2026-06-28T16:00Z")
CHAIN = ["open", "threshold_met", "closed", "committed", "in_production", "received", "allocated", "shipped"]


def campaigns(**change):
    row = {
        "campaign_id": "C",
        "sku": "S",
        "opens_at": pd.Timestamp("2026-06-01T00:00Z"),
        "closes_at": pd.Timestamp("2026-07-01T00:00Z"),
        "min_batch_qty": 100,
        "max_batch_qty": None,
        "identity_cap": None,
        "allocation": "fifo",
        "cancellable": True,
    }
    return pd.DataFrame([row | change]).astype(
        {"min_batch_qty": "Int64", "max_batch_qty": "Int64", "identity_cap": "Int64"}
    )


def orders(*rows):
    base = {"campaign_id": "C", "sku": "S", "location_id": "main", "cancelled_at": pd.NaT, "buyer_ref": None}
    made = [
        base | {"preorder_id": f"P{i}", "placed_at": pd.Timestamp("2026-06-02T00:00Z") + pd.Timedelta(minutes=i)} | row
        for i, row in enumerate(rows)
    ]
    frame = pd.DataFrame(made)
    return frame.assign(
        placed_at=pd.to_datetime(frame["placed_at"], utc=True),
        cancelled_at=pd.to_datetime(frame["cancelled_at"], utc=True),
    )


def events(*moves):
    at = pd.Timestamp("2026-06-01T00:00Z")
    rows = [{"campaign_id": "C", "state": s, "at": at + pd.Timedelta(days=i)} for i, s in enumerate(moves)]
    columns = ["campaign_id", "state", "at", "seed_commitment", "ledger_root", "seed"]
    return pd.DataFrame(rows, columns=columns)


def ledger(preorders, terms, moves=(), shipped=None):
    histories = campaign_histories(terms["campaign_id"], events(*moves))
    nothing = pd.Series(dtype="int64")
    sent = nothing if shipped is None else pd.Series(shipped, dtype="int64")
    rows = preorder_ledger(preorders, terms, histories, sent, nothing, known_until=NOW, config=PreorderConfig())
    return rows.set_index("preorder_id")


def test_fault_62_a_preorder_without_a_campaign_claims_nothing():
    row = ledger(orders({"quantity": 2, "sku": "OTHER"}), campaigns()).loc["P0"]
    assert (row["firm_qty"], row["state"], row["reason"]) == (0, "refused", "no_campaign")


def test_fault_63_units_above_an_identity_cap_are_clipped_with_a_reason():
    rows = ledger(
        orders({"quantity": 2, "buyer_ref": "b"}, {"quantity": 3, "buyer_ref": "b"}), campaigns(identity_cap=4)
    )
    assert rows["firm_qty"].tolist() == [2, 2]
    assert rows.loc["P1", "reason"] == "above_identity_cap"


def test_fault_63_units_above_the_largest_batch_are_clipped_with_a_reason():
    rows = ledger(orders({"quantity": 8}, {"quantity": 3}), campaigns(max_batch_qty=10))
    assert rows["firm_qty"].tolist() == [8, 2]
    assert rows.loc["P1", "reason"] == "above_batch_cap"


def test_a_cancelled_claim_makes_room_for_the_next():
    gone = pd.Timestamp("2026-06-10T00:00Z")
    rows = ledger(orders({"quantity": 8, "cancelled_at": gone}, {"quantity": 9}), campaigns(max_batch_qty=10))
    assert rows["firm_qty"].tolist() == [0, 9]
    assert rows.loc["P0", "state"] == "cancelled"


def test_fault_65_two_preorders_one_second_apart_are_flagged_and_both_count():
    at = pd.Timestamp("2026-06-02T00:00Z")
    twins = orders(
        {"quantity": 1, "buyer_ref": "b", "placed_at": at},
        {"quantity": 1, "buyer_ref": "b", "placed_at": at + pd.Timedelta(seconds=1)},
    )
    rows = ledger(twins, campaigns())
    assert rows["firm_qty"].tolist() == [1, 1]
    assert rows["reason"].tolist() == ["accepted", "possible_duplicate"]


@pytest.mark.parametrize(("seconds", "reason"), [(5, "possible_duplicate"), (5.001, "accepted")])
def test_a_twin_exactly_as_close_as_the_setting_says_is_flagged(seconds, reason):
    at = pd.Timestamp("2026-06-02T00:00Z")
    twins = [{"quantity": 1, "buyer_ref": "b", "placed_at": at + pd.Timedelta(seconds=s)} for s in (0, seconds)]
    assert ledger(orders(*twins), campaigns())["reason"].tolist() == ["accepted", reason]


def test_unknown_buyers_are_each_their_own():
    assert ledger(orders({"quantity": 2}, {"quantity": 2}), campaigns(identity_cap=2))["firm_qty"].sum() == 4


def test_after_the_close_nothing_is_claimed_and_a_shipment_is_seen():
    terms = campaigns(closes_at=pd.Timestamp("2026-06-20T00:00Z"))
    late = orders({"quantity": 1}, {"quantity": 1, "placed_at": pd.Timestamp("2026-06-21T00:00Z")})
    rows = ledger(late, terms, shipped={"P0": 1})
    assert rows["state"].tolist() == ["shipped", "refused"]
    assert rows.loc["P1", "reason"] == "after_close"


def test_a_preorder_at_the_very_close_is_still_taken():
    close = pd.Timestamp("2026-06-20T12:00Z")
    just_after = close + pd.Timedelta(microseconds=1)
    rows = ledger(orders({"quantity": 1, "placed_at": close}, {"quantity": 1, "placed_at": just_after}),
                  campaigns(closes_at=close))  # fmt: skip
    assert rows["firm_qty"].tolist() == [1, 0]
    assert rows["reason"].tolist() == ["accepted", "after_close"]


def test_a_cancelled_campaign_releases_everybody():
    rows = ledger(orders({"quantity": 5}), campaigns(), moves=("open", "cancelled"))
    assert (rows.loc["P0", "firm_qty"], rows.loc["P0", "reason"]) == (0, "campaign_cancelled")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3), st.booleans()), min_size=1, max_size=20),
       st.integers(1, 12), st.integers(1, 40))  # fmt: skip
def test_no_identity_and_no_campaign_ever_claims_above_its_cap(placed, identity_cap, batch):
    gone = pd.Timestamp("2026-06-10T00:00Z")
    rows = [{"quantity": q, "buyer_ref": f"b{w}", "cancelled_at": gone if c else pd.NaT} for q, w, c in placed]
    book = ledger(orders(*rows), campaigns(identity_cap=identity_cap, max_batch_qty=batch))
    assert (book["firm_qty"] <= book["quantity"]).all()
    assert book["firm_qty"].sum() <= batch
    assert book.groupby("buyer_ref")["firm_qty"].sum().max() <= identity_cap
    assert (book.loc[book["state"] == "cancelled", "firm_qty"] == 0).all()


def test_the_root_changes_with_any_entry_and_not_with_the_order_of_rows():
    rows = ledger(orders({"quantity": 1}, {"quantity": 2}), campaigns()).reset_index()
    root = ledger_root(rows)
    assert ledger_root(rows.iloc[::-1]) == root
    assert ledger_root(rows.assign(quantity=[1, 3])) != root


def test_the_whole_chain_is_legal_and_nothing_leads_back():
    for before, after in pairwise(CHAIN):
        assert is_legal(State(before), State(after))
    assert not is_legal(State.SHIPPED, State.OPEN)
    assert not is_legal(State.COMMITTED, State.CANCELLED)
    assert set(LEGAL_MOVES) == set(State)


@given(st.lists(st.sampled_from([*CHAIN, "cancelled", "nonsense"]), max_size=12))
def test_no_list_of_events_makes_an_illegal_move(moves):
    history = campaign_histories(["C"], events(*moves))["C"]
    state = State.OPEN
    for move in moves:
        if move in State.__members__.values() and is_legal(state, State(move)):
            state = State(move)
    assert history.state is state


@pytest.mark.parametrize(("closes", "firm", "state"), [("2026-07-01", 5, "open"), ("2026-07-01", 100, "threshold_met"),
                                                       ("2026-06-20", 100, "closed")])  # fmt: skip
def test_a_campaign_that_nobody_moved_goes_by_the_clock(closes, firm, state):
    terms = campaigns(closes_at=pd.Timestamp(closes, tz="UTC"))
    histories = campaign_histories(terms["campaign_id"], events())
    assert campaign_states(terms, histories, pd.Series([firm]), known_until=NOW).tolist() == [state]
