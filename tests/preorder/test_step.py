"""The two steps on a small shop, and the tables they write."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from preorder.campaigns import campaign_histories
from preorder.config import PreorderConfig
from preorder.ledger import preorder_ledger
from preorder.plan import PlanInputs, campaign_plans
from preorder.tables import plan_tables

D = date(2026, 6, 28)
NOW = pd.Timestamp("2026-06-28T16:00Z")
START = pd.Timestamp("2026-06-01", tz="UTC")
CONFIG = PreorderConfig()


def utc(*texts):
    return pd.to_datetime(list(texts), utc=True)


def inputs(*, state=("open",), received=0, open_qty=0, previous=None, cancelled=(), allocation="fifo", seed=None,
           promised="2026-09-01", quantities=(5, 5, 5), closes="2026-06-20", max_batch=100):  # fmt: skip
    from zoneinfo import ZoneInfo

    n = len(quantities)
    campaigns = pd.DataFrame(
        {"campaign_id": ["C"], "sku": ["S"], "opens_at": utc("2026-06-01"), "closes_at": utc(closes),
         "promised_date": [pd.Timestamp(promised)], "min_batch_qty": [10], "max_batch_qty": [max_batch],
         "latest_extension_date": [pd.NaT], "cancel_cost": [None], "identity_cap": pd.array([None], dtype="Int64"),
         "allocation": [allocation], "price": [20.0], "cancellable": [True]}
    )  # fmt: skip
    events = pd.DataFrame(
        {"campaign_id": "C", "state": list(state),
         "at": [START] + [pd.Timestamp("2026-06-20", tz="UTC") + pd.Timedelta(hours=i) for i in range(1, len(state))],
         "seed_commitment": None, "ledger_root": None, "seed": seed}
    )  # fmt: skip
    histories = campaign_histories(["C"], events)
    gone = [pd.Timestamp("2026-06-15", tz="UTC") if i in cancelled else pd.NaT for i in range(n)]
    preorders = pd.DataFrame(
        {"preorder_id": [f"P{i}" for i in range(n)], "campaign_id": "C", "sku": "S", "location_id": "main",
         "placed_at": pd.Timestamp("2026-06-02", tz="UTC") + pd.to_timedelta(range(n), unit="h"),
         "cancelled_at": pd.to_datetime(pd.Series(gone), utc=True), "quantity": quantities, "buyer_ref": None}
    )  # fmt: skip
    nothing = pd.Series(dtype="int64")
    ledger = preorder_ledger(preorders, campaigns, histories, nothing, nothing, known_until=NOW, config=CONFIG)
    receipts = pd.DataFrame(
        {"po_id": ["PO"], "sku": ["S"], "supplier_id": ["A"], "campaign_id": ["C"],
         "ordered_date": [pd.Timestamp("2026-06-21")], "received_date": [pd.Timestamp("2026-06-27")],
         "received_qty": [float(received)]}
    ).iloc[: int(received > 0)]  # fmt: skip
    orders = pd.DataFrame(
        {"po_id": ["PO"], "sku": ["S"], "supplier_id": ["A"], "campaign_id": ["C"],
         "ordered_date": [pd.Timestamp("2026-06-21")], "expected_receipt_date": [pd.Timestamp("2026-08-01")],
         "open_qty": [float(open_qty)]}
    ).iloc[: int(open_qty > 0)]  # fmt: skip
    return PlanInputs(
        ledger=ledger, campaigns=campaigns, histories=histories,
        tiers=pd.DataFrame(
            {"campaign_id": ["C"], "sku": ["S"], "from_qty": [10], "unit_cost": [8.0], "setup_cost": [0.0]}
        ),
        receipts=receipts, purchase_orders=orders,
        supply=pd.DataFrame({"sku": ["S"], "supplier_id": ["A"], "lead_time_days": [30.0], "lead_time_sd_days": [3.0],
                             "unit_cost": [9.0]}),
        products=pd.DataFrame({"sku": ["S"], "salvage_value": [2.0]}), shipped=nothing,
        late_ratios=pd.Series(dtype=float), on_sale=frozenset(), previous=previous, run_date=D, known_until=NOW,
        timezone=ZoneInfo("Asia/Shanghai"),
    )  # fmt: skip


def tables(**case):
    made = inputs(**case)
    return plan_tables(campaign_plans(made, config=CONFIG), made, config=CONFIG)


def test_a_closed_campaign_is_produced_and_its_preorders_wait():
    out = tables()
    batch = out.batch_plan.iloc[0]
    assert (batch["decision"], batch["units_firm"]) == ("produce", 15)
    assert batch["batch_qty"] >= 15
    assert out.preorder_allocations["reason"].unique().tolist() == ["not_received"]
    assert out.preorder_commitments.iloc[0][["firm_qty", "covered_qty"]].tolist() == [15, 15]


def test_a_short_receipt_is_shared_out_and_never_oversold():
    rows = tables(received=12, state=("open", "closed", "committed", "in_production", "received")).preorder_allocations
    assert rows["allocated_qty"].tolist() == [5, 5, 2]
    assert rows["backlog_qty"].tolist() == [0, 0, 3]


def test_fault_64_units_of_a_cancelled_preorder_go_to_the_next():
    state = ("open", "closed", "committed", "in_production", "received")
    rows = tables(received=12, state=state, cancelled=(0,)).preorder_allocations
    assert rows["allocated_qty"].tolist() == [0, 5, 5]
    assert rows["reason"].tolist() == ["cancelled", "served", "served"]


def test_what_has_arrived_is_owed_from_stock_and_what_is_on_order_is_covered():
    state = ("open", "closed", "committed", "in_production", "received")
    assert tables(received=12, state=state).preorder_commitments.iloc[0]["covered_qty"] == 0
    assert tables(open_qty=15, state=state[:4]).preorder_commitments.iloc[0]["covered_qty"] == 15


def test_a_batch_on_order_is_not_made_a_second_time():
    batch = tables(open_qty=20, state=("open", "closed", "committed")).batch_plan.iloc[0]
    assert (batch["decision"], batch["batch_qty"]) == ("wait", 0)


def test_a_lottery_waits_for_its_seed_and_refuses_a_wrong_one():
    state = ("open", "closed", "committed", "in_production", "received")
    rows = tables(received=7, state=state, allocation="lottery").preorder_allocations
    assert rows["reason"].unique().tolist() == ["seed_not_revealed"]
    drawn = tables(received=7, state=state, allocation="lottery", seed="s").preorder_allocations
    assert drawn["allocated_qty"].sum() == 7


@pytest.mark.parametrize("allocation", ["fifo", "uniform", "pro_rata", "lottery"])
def test_600_sold_of_a_run_of_400(allocation):
    state = ("open", "closed", "committed", "in_production", "received")
    case = {"quantities": (1,) * 600, "max_batch": 400, "allocation": allocation, "seed": "s"}
    planned = tables(**case).batch_plan.iloc[0]
    assert planned["batch_qty"] <= 400
    rows = tables(received=400, state=state, **case).preorder_allocations
    assert rows["allocated_qty"].sum() == 400
    without = rows[rows["allocated_qty"] == 0]
    assert len(without) == 200
    assert set(without["reason"]) <= {"refused", "short_supply"}  # and everyone hears why


def test_a_promise_date_that_moves_without_a_word():
    told = tables(promised="2026-09-01").preorder_allocations[["preorder_id", "promise_date"]]
    later = tables(promised="2026-09-01", previous=told.assign(promise_date=pd.Timestamp("2026-07-05")))
    now = later.preorder_allocations.set_index("preorder_id")["promise_date"]
    moved = now.index[now > pd.Timestamp("2026-07-05")]
    assert len(moved) == 3
    changes = later.promise_changes.set_index("preorder_id")
    assert sorted(changes.index) == sorted(moved)
    assert changes["must_tell"].all()
    assert changes["cause"].notna().all()


def test_a_promise_that_cannot_be_kept_moves_and_is_told():
    out = tables(promised="2026-07-05")
    assert out.promise_changes["cause"].unique().tolist() == ["not_committed"]
    assert out.promise_changes["must_tell"].all()
    told = out.preorder_allocations[["preorder_id", "promise_date"]]
    again = tables(promised="2026-07-05", previous=told)
    assert again.promise_changes.empty
    assert again.preorder_allocations["promise_date"].tolist() == told["promise_date"].tolist()


def test_a_cancelled_campaign_is_told_to_those_who_had_a_date():
    told = tables().preorder_allocations[["preorder_id", "promise_date"]]
    out = tables(state=("open", "cancelled"), previous=told)
    assert out.promise_changes["cause"].unique().tolist() == ["campaign_cancelled"]
    assert out.promise_changes["promise_now_date"].isna().all()
    assert out.batch_plan["decision"].tolist() == ["cancel"]


@pytest.fixture(scope="module")
def planned(small_shop, tmp_path_factory):
    """A small shop after ingest, demand and both preorder steps."""
    pytest.importorskip("demand.step")
    from data import step as ingest
    from demand import step as demand
    from preorder import step

    home = tmp_path_factory.mktemp("preorder") / "home"
    shutil.copytree(small_shop, home)
    day = _run_date(home)
    ingest.run(home, day)
    demand.run(home, day)
    step.run_ledger(home, day)
    step.run_plan(home, day)
    return home, day


def _run_date(home: Path) -> date:
    from data.settings import load_settings

    day = load_settings(home).planning.default_run_date
    assert day is not None
    return day


def read(home, day, *names):
    from data.step_io import open_step

    with open_step("test", home=home, run_date=day) as io:
        return [io.read(name) for name in names]


def test_the_small_shop_gets_its_preorder_tables(planned):
    home, day = planned
    batches, rows, ledger = read(home, day, "batch_plan", "preorder_allocations", "preorder_ledger")
    assert len(batches)
    assert len(ledger)
    assert (rows["claimed_qty"] == rows["allocated_qty"] + rows["backlog_qty"]).all()
    why = [c for c in batches.columns if c.startswith("why_")]
    assert (batches[why].sum(axis=1) == batches["batch_qty"]).all()
    assert {"accepted", "above_identity_cap"} <= set(ledger["reason"])


def test_a_second_run_of_the_plan_gives_the_same(planned):
    from preorder import step

    home, day = planned
    names = ("batch_plan", "preorder_allocations", "promise_changes", "preorder_commitments")
    before = read(home, day, *names)
    step.run_plan(home, day)
    for first, second in zip(before, read(home, day, *names), strict=True):
        pd.testing.assert_frame_equal(first, second)


def test_a_shop_without_preorders_gets_empty_tables(small_shop, tmp_path):
    from data import step as ingest
    from demand import step as demand
    from preorder import step

    home = tmp_path / "home"
    shutil.copytree(small_shop, home)
    for name in ("preorders", "preorder_campaigns", "campaign_events", "batch_tiers"):
        shutil.rmtree(home / "drop" / name)
    text = (home / "merchcast.yml").read_text(encoding="utf-8")
    gone = ("  preorders:", "  preorder_campaigns:", "  campaign_events:", "  batch_tiers:")
    (home / "merchcast.yml").write_text(
        "\n".join(line for line in text.split("\n") if not line.startswith(gone)), encoding="utf-8"
    )
    day = _run_date(home)
    ingest.run(home, day)
    demand.run(home, day)
    step.run_ledger(home, day)
    step.run_plan(home, day)
    assert [len(t) for t in read(home, day, "batch_plan", "preorder_allocations", "preorder_commitments")] == [0, 0, 0]
