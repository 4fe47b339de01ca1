"""A lottery that anybody can check from the published tables, and that cannot be gamed."""

from __future__ import annotations

import hashlib
import importlib.util

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.preorder_events import PreorderShop
from preorder.allocation import Rule, allocate, tickets
from preorder.campaigns import campaign_histories
from preorder.step import _check_lotteries

N_LINES = 50


@pytest.fixture(scope="module")
def script(repository):
    path = repository / "docs" / "operators" / "verify_lottery.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= N_LINES
    text = path.read_text(encoding="utf-8")
    assert "merchcast" not in text.split('"""')[2]
    assert "preorder." not in text  # independent of our code
    spec = importlib.util.spec_from_file_location("verify_lottery", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(folder):
    """A shop whose campaign C3 is drawn by lottery, its tables as CSV."""
    shop = PreorderShop(4, max_batch=None)
    for day in range(22):
        for i in range(12):
            shop.place(3, 1 + i % 3, (7 * i + day) % 40 if i % 4 else None)
        if day % 5 == 0:
            shop.cancel(3 * day)
        shop.day += 1
    for state in ("closed", "committed", "in_production", "received"):
        shop.move(3, state)
    shop.receive(3, 60)
    tables = shop.night()
    shop.ship(0.5)
    shop.cancel(1)
    tables = shop.night()
    for name in ("batch_plan", "preorder_allocations"):
        getattr(tables, name).to_csv(folder / f"{name}.csv", index=False)
    return tables


def test_the_script_agrees_with_the_draw_and_sees_every_fraud(script, tmp_path):
    tables = drawn(tmp_path)
    rows = tables.preorder_allocations
    mine = rows[rows["campaign_id"] == "C3"]
    assert mine["allocated_qty"].sum() == 60
    assert script.verify(tmp_path, "C3") == []
    root = tables.batch_plan.set_index("campaign_id")["ledger_root"]["C3"]
    assert script.verify(tmp_path, "C3", root) == []
    assert script.verify(tmp_path, "C3", "0" * 64) != []
    loser, winner = mine[mine["backlog_qty"] > 0].index[0], mine[mine["allocated_qty"] > 0].index[0]
    for change in (
        rows.assign(allocated_qty=rows["allocated_qty"].mask(rows.index == loser, 1)),  # a favour
        rows.assign(quantity=rows["quantity"].mask(rows.index == winner, 8)),  # a claim made bigger afterwards
        rows.assign(placed_at=rows["placed_at"].mask(rows.index == winner, pd.Timestamp("2026-01-01", tz="UTC"))),
        pd.concat([rows, mine.tail(1).assign(preorder_id="P-late", ledger_line=len(mine) + 1)]),  # put in later
    ):
        change.to_csv(tmp_path / "preorder_allocations.csv", index=False)
        assert script.verify(tmp_path, "C3") != []


def test_another_seed_than_the_committed_one_is_seen(script, tmp_path):
    plan = drawn(tmp_path).batch_plan
    plan.assign(seed=plan["seed"].mask(plan["campaign_id"] == "C3", "mine")).to_csv(tmp_path / "batch_plan.csv")
    assert "not the one committed to" in script.verify(tmp_path, "C3")[0]


class Asked:
    """What a step would report."""

    def __init__(self):
        self.red = {}

    def check(self, name, *, failed, **_):
        self.red[name] = failed


@pytest.mark.parametrize(
    ("committed", "revealed", "wrong"),
    [(0, 9, 0), (None, 9, 1), (2, 9, 1), (0, 5, 1), (0, None, 0)],  # days; placed on day 1, closed on day 6
)
def test_a_seed_that_could_have_been_chosen_to_please_is_said(committed, revealed, wrong):
    def day(n):
        return pd.Timestamp("2026-06-01", tz="UTC") + pd.Timedelta(days=n)

    seed = "s" * 64
    moves = [("open", 0, None, None), ("closed", 6, None, None)]
    moves += [("open", committed, hashlib.sha256(seed.encode()).hexdigest(), None)] if committed is not None else []
    moves += [("closed" if revealed > 6 else "open", revealed, None, seed)] if revealed is not None else []
    events = pd.DataFrame(moves, columns=["state", "at", "seed_commitment", "seed"])
    events = events.assign(campaign_id="C", at=events["at"].map(day), ledger_root=None).sort_values("at")
    campaigns = pd.DataFrame({"campaign_id": ["C"], "allocation": ["lottery"], "closes_at": [day(6)]})
    ledger = pd.DataFrame({"campaign_id": ["C"], "placed_at": [day(1)]})
    io = Asked()
    _check_lotteries(io, campaigns, ledger, campaign_histories(["C"], events))
    assert io.red == {"lottery_seed_in_order": wrong}


def test_a_lottery_is_fair():
    """Each of ten equal claims wins about as often as the others: 3 of 10, over 500 seeds."""
    claims = pd.DataFrame({"preorder_id": [f"P{i}" for i in range(10)], "identity": [f"b{i}" for i in range(10)],
                           "placed_at": pd.to_datetime(range(10), utc=True), "claim": 1})  # fmt: skip
    wins = sum(allocate(claims, 3, rule=Rule.LOTTERY, seed=str(s), ledger_root="r") for s in range(500))
    assert wins.between(150 - 41, 150 + 41).all()  # four standard deviations


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 4)), min_size=1, max_size=15),
    st.integers(0, 150), st.sampled_from(list(Rule)), st.lists(st.integers(0, 20), max_size=3), st.integers(0, 14),
)  # fmt: skip
def test_splitting_over_accounts_of_one_identity_gains_nothing_by_any_rule(claims, supply, rule, parts, who):
    """One order, or the same units in pieces over several accounts that are known to be one person's."""
    placed = pd.to_datetime([10**9 * i for i in range(len(claims))], utc=True)
    rows = pd.DataFrame(
        {"preorder_id": [f"P{i:03d}" for i in range(len(claims))], "identity": [f"b{w}" for _, w in claims],
         "placed_at": placed, "claim": [q for q, _ in claims]}
    )  # fmt: skip
    at = who % len(rows)
    one = allocate(rows, supply, rule=rule, seed="s", ledger_root="r")
    whole, pieces = int(rows.loc[at, "claim"]), []
    for part in parts:
        pieces.append(min(part, whole - sum(pieces)))
    extra = pd.concat([rows.iloc[[at]]] * len(pieces)) if pieces else rows.iloc[:0]
    later = pd.to_timedelta(range(1, len(pieces) + 1), unit="ms")
    extra = extra.assign(
        preorder_id=[f"Z{i}" for i in range(len(pieces))], claim=pieces, placed_at=extra["placed_at"] + later
    )
    kept = rows.assign(claim=rows["claim"].mask(rows.index == at, whole - sum(pieces)))
    split = pd.concat([kept, extra], ignore_index=True)
    many = allocate(split, supply, rule=rule, seed="s", ledger_root="r")
    person = rows.loc[at, "identity"]
    assert many[split["identity"] == person].sum() <= one[rows["identity"] == person].sum()


def test_a_ticket_is_the_first_preorder_of_its_buyer_even_if_that_was_cancelled():
    claims = pd.DataFrame({"preorder_id": ["P2", "P1", "P3"], "identity": ["a", "a", "b"],
                           "placed_at": pd.to_datetime([2, 1, 3], utc=True), "claim": [1, 0, 1]})  # fmt: skip
    assert tickets(claims).tolist() == ["P1", "P1", "P3"]
    assert hashlib.sha256(b"").hexdigest().startswith("e3b0")
