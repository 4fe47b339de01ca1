"""Allocation: never more than supply or claim, nothing gained by splitting."""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preorder.allocation import Rule, allocate, lottery_rank, pro_rata, seed_matches, uniform

CLAIMS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=25)
RULES = st.sampled_from(list(Rule))


def frame(claims):
    return pd.DataFrame(
        {
            "preorder_id": [f"P{i:03d}" for i in range(len(claims))],
            "identity": [f"b{who}" for _, who in claims],
            "placed_at": pd.to_datetime(np.arange(len(claims)) * 10**9, utc=True),
            "claim": [quantity for quantity, _ in claims],
        }
    )


@given(CLAIMS, st.integers(0, 400), RULES)
def test_never_above_claim_or_supply_and_nothing_left_over(claims, supply, rule):
    rows = frame(claims)
    given_out = allocate(rows, supply, rule=rule, seed="s", ledger_root="r")
    assert (given_out >= 0).all()
    assert (given_out <= rows["claim"]).all()
    assert given_out.sum() == min(supply, rows["claim"].sum())


@given(CLAIMS, st.integers(0, 400), st.sampled_from([Rule.UNIFORM, Rule.PRO_RATA, Rule.LOTTERY]), st.integers(0, 30))
def test_splitting_a_claim_gains_nothing(claims, supply, rule, part):
    rows = frame(claims)
    before = allocate(rows, supply, rule=rule, seed="s", ledger_root="r")
    last = len(rows) - 1
    first_part = min(part, int(rows.loc[last, "claim"]))
    extra = rows.iloc[[last]].assign(preorder_id="Z", claim=rows.loc[last, "claim"] - first_part)
    split = pd.concat(
        [rows.assign(claim=rows["claim"].where(rows.index != last, first_part)), extra], ignore_index=True
    )
    after = allocate(split, supply, rule=rule, seed="s", ledger_root="r")
    who = rows.loc[last, "identity"]
    assert after[split["identity"] == who].sum() == before[rows["identity"] == who].sum()


@given(CLAIMS, st.integers(0, 400), RULES, st.integers(0, 24))
def test_units_of_a_cancelled_claim_go_to_others_and_nobody_loses_more_than_a_rounding(claims, supply, rule, gone):
    rows = frame(claims)
    before = allocate(rows, supply, rule=rule, seed="s", ledger_root="r")
    cancelled = rows.assign(claim=rows["claim"].where(rows.index != gone % len(rows), 0))
    after = allocate(cancelled, supply, rule=rule, seed="s", ledger_root="r")
    assert after.sum() == min(supply, cancelled["claim"].sum())
    if rule is Rule.FIFO:
        others = rows.index != gone % len(rows)
        assert (after[others] >= before[others]).all()


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(0, 300), st.integers(0, 11), st.integers(1, 50)
)
def test_an_inflated_claim_gains_nothing_under_max_min(claims, supply, who, more):
    truth = np.array(claims, dtype=np.int64)
    lie = truth.copy()
    lie[who % len(truth)] += more
    got = uniform(lie, supply)[who % len(truth)]
    assert min(got, truth[who % len(truth)]) <= uniform(truth, supply)[who % len(truth)] + (supply > truth.sum()) * more


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(0, 300))
def test_pro_rata_is_within_a_unit_of_the_exact_share(claims, supply):
    truth = np.array(claims, dtype=np.int64)
    exact = truth * min(1.0, supply / max(truth.sum(), 1))
    assert (np.abs(pro_rata(truth, supply) - exact) < 1 + 1e-9).all()


def test_anyone_can_check_a_lottery():
    rows = frame([(1, i) for i in range(40)])
    served = allocate(rows, 10, rule=Rule.LOTTERY, seed="open sesame", ledger_root="abc")
    draws = {p: hmac.new(b"open sesame", f"{p}|abc".encode(), hashlib.sha256).hexdigest() for p in rows["preorder_id"]}
    winners = sorted(draws, key=draws.__getitem__)[:10]
    assert sorted(rows.loc[served > 0, "preorder_id"]) == sorted(winners)
    assert lottery_rank("open sesame", "P000", "abc") == draws["P000"]
    assert seed_matches("open sesame", hashlib.sha256(b"open sesame").hexdigest())
    assert not seed_matches("other", hashlib.sha256(b"open sesame").hexdigest())


def test_negative_supply_is_refused():
    with pytest.raises(ValueError, match="never negative"):
        allocate(frame([(1, 0)]), -1, rule=Rule.FIFO)
