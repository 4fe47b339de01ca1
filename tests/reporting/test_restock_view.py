"""What the restock page shows equals the tables it came from."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from reporting.catalogue import load_catalogue
from reporting.plan_lines import EXCEPTION_ACTIONS, action_groups, plan_lines
from reporting.restock_report import shared_series
from reporting.restock_view import restock_view

DAYS_AGO = timedelta(days=30)


@pytest.fixture(scope="module")
def view(run_tables, shop):
    config = shop.config.model_copy(update={"group_limit": 10})
    shared = shared_series(run_tables, facts=shop.facts(), config=config)
    return restock_view(run_tables, shared=shared, facts=shop.facts(), words=load_catalogue("en"), config=config)


def test_groups_come_in_the_order_of_urgency_and_hold_every_exception(view, run_tables):
    plan = run_tables.frame("restock_plan")
    assert [g.group.action for g in view.groups] == [a for a in EXCEPTION_ACTIONS if (plan["action"] == a).any()]
    counts = {g.group.action: g.group.total for g in view.groups}
    assert counts == plan.loc[plan["action"] != "none", "action"].value_counts().to_dict()
    assert view.n_none + sum(counts.values()) == view.n_lines == len(plan)


def test_inside_a_group_the_most_money_at_risk_comes_first(view):
    for group in view.groups:
        risks = group.group.lines["money_at_risk"].tolist()
        assert risks == sorted(risks, reverse=True)
        assert len(risks) <= 10


def test_a_group_above_the_limit_is_summed_up_over_all_its_lines(view, run_tables):
    plan = run_tables.frame("restock_plan")
    cut = [g for g in view.groups if g.table.hidden]
    assert cut
    for group in cut:
        mine = plan[plan["action"] == group.group.action]
        assert group.group.order_value == pytest.approx(mine["order_value"].sum())
        assert group.table.total == len(mine)
        assert sum(float(row.cells[1].sort) for row in group.suppliers.rows) == len(mine)


def test_a_row_points_at_its_line(run_tables, shop):
    config = shop.config
    shared = shared_series(run_tables, facts=shop.facts(), config=config)
    view = restock_view(run_tables, shared=shared, facts=shop.facts(), words=load_catalogue("en"), config=config)
    for group in view.groups:
        for row in group.table.rows:
            assert row.cells[0].text == shared.lines["sku"].iloc[row.index]


def test_batches_that_must_be_committed_first_come_first_and_add_up(view, run_tables):
    dates = [row.cells[3].sort for row in view.batches.rows]
    assert dates == sorted(dates)
    assert [row.cells[2].text for row in view.batches.rows] == ["produce", "produce", "wait"]
    assert view.batches.rows[1].cells[4].sub == (
        "+320 firm preorders · +90 bookings still to come · +20 stock for later demand · +70 smallest batch"
    )


def test_buyers_who_must_be_told_come_first(view):
    assert [row.cells[4].text for row in view.promises.rows] == ["yes", "no"]


def test_why_an_item_is_not_replenished_is_counted(view):
    assert dict(view.idle_reasons)["off sale"] == 3
    assert dict(view.idle_reasons)["some_code_of_tomorrow"] == 3


def test_rows_and_checks_in_the_header_are_the_tables(view):
    assert view.rows == {"rows_in": 1800, "rows_loaded": 1785, "rows_quarantined": 11, "rows_duplicate": 4}
    assert view.checks == {"pass": 9, "warn": 2, "fail": 0}
    assert [w["status"] for w in view.warnings] == ["warn", "warn"]


def test_an_unknown_action_is_an_exception_before_no_action():
    plan = pd.DataFrame(
        {
            "sku": ["A", "B", "C"],
            "location_id": "main",
            "supplier_id": ["S", None, "S"],
            "action": ["none", "dance", "order"],
            "money_at_risk": [9.0, 1.0, 2.0],
            "order_by_date": pd.to_datetime([None, None, "2026-11-30"]),
            "order_qty": [0, 5, 5],
            "packs": [0, 5, 5],
            "pack_size": [1, 1, 1],
            "order_value": [0.0, 5.0, 5.0],
        }
    )
    lines = plan_lines(plan, products=pd.DataFrame(), suppliers=pd.DataFrame())
    assert lines["sku"].tolist() == ["C", "B", "A"]
    assert [g.action for g in action_groups(lines, limit=5)] == ["order", "dance"]


def test_a_run_without_anything_still_makes_a_page(shop):
    from data.contracts import TABLES
    from data.contracts.frames import empty_frame
    from reporting.restock_report import restock_html

    full = shop.make_run(5)
    empty = {
        name: empty_frame(TABLES[name]) if name in TABLES else frame.head(0) for name, frame in full.frames.items()
    }
    tables = type(full)(frames=empty, history=full.history.head(0), forecasts=full.forecasts.head(0))
    facts = shop.facts(data_through=None)
    shared = shared_series(tables, facts=facts, config=shop.config)
    for language in ("en", "zh"):
        html = restock_html(
            tables, shared=shared, facts=facts, words=load_catalogue(language), main_language="en", config=shop.config
        )
        assert load_catalogue(language).text("section.no_exceptions") in html


def test_a_batch_in_production_is_not_asked_for_and_one_past_its_date_is(run_tables, shop):
    from reporting.batch_view import batch_rows, due_campaigns

    words = load_catalogue("en")
    batches = run_tables.frame("batch_plan").assign(
        decision=["produce", "wait", "produce"], reason=["minimum_met", "commit_date_past", "batch_under_way"]
    )
    late = batches.assign(commit_by_date=batches["commit_by_date"] - pd.Timedelta(days=30))
    due = due_campaigns(late, words=words, today=shop.run_date, currency="CNY")
    assert {d.campaign: d.tone for d in due} == {"CAMP-0": "late", "CAMP-1": "late"}
    rows = batch_rows(late, titles={}, words=words, today=shop.run_date).set_index("campaign_id")
    assert rows.loc["CAMP-2", "commit_tone"] == ""
    assert rows.loc["CAMP-1", "reason_words"] == "commit date past"


def test_a_campaign_is_asked_for_from_seven_days_before_its_date_on(run_tables, shop):
    from reporting.batch_view import batch_rows, due_campaigns

    def of(days, **columns):
        day = pd.Timestamp(shop.run_date) + pd.Timedelta(days=days)
        return run_tables.frame("batch_plan").head(1).assign(commit_by_date=day, **columns)

    words = load_catalogue("en")
    known = {"words": words, "today": shop.run_date}
    produced = {"decision": "produce", "reason": "minimum_met"}
    assert [len(due_campaigns(of(days, **produced), currency="CNY", **known)) for days in (7, 8)] == [1, 0]
    two = pd.concat(
        [
            of(-1, decision="wait", reason="below_minimum", sku="PAST"),
            of(0, decision="wait", reason="below_minimum", sku="TODAY"),
        ]
    )
    assert batch_rows(two, titles={}, **known)["sku"].tolist() == ["TODAY", "PAST"]


def test_a_batch_in_production_is_neither_late_nor_undecided(run_tables, shop):
    from reporting.batch_view import batch_rows

    def shown(reason):
        batches = run_tables.frame("batch_plan").head(1)
        late = batches.assign(
            decision="wait", reason=reason, why_decision=-45, commit_by_date=pd.Timestamp(shop.run_date - DAYS_AGO)
        )
        return batch_rows(late, titles={}, words=load_catalogue("en"), today=shop.run_date).iloc[0]

    assert shown("batch_under_way")["commit_note"] == ""
    assert "−45 already under way" in shown("batch_under_way")["batch_words"]
    assert "30 days late" in shown("commit_date_past")["commit_note"]
    assert "−45 not decided to produce" in shown("commit_date_past")["batch_words"]
