"""Checks of deliveries, each with a planted fault, and the words for planners."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.checks import deliveries
from data.checks.deliveries import freshness, rows_accounted_for, volume
from data.checks.results import CheckResult
from data.checks.summary import counts_by_status, in_words, red_first

D = date(2026, 6, 28)
USUAL = {D - timedelta(days=n): 100 for n in range(80)}
ROWS = {"rows_in": 10, "rows_loaded": 7, "rows_quarantined": 2, "rows_duplicate": 1}
GOOD = {"source": "s", "table": "t", "file_sha256": "abcdef0123", **ROWS}

ASKED = {
    "freshness": lambda newest=D: freshness("signals", newest, run_date=D, max_age_days=3),
    "volume": lambda today=100: volume("order_lines", {**USUAL, D: today}, run_date=D),
    "rows_accounted_for": lambda **row: rows_accounted_for(pd.DataFrame([{**GOOD, **row}])),
}
PLANTED = {
    "freshness": [{"newest": D - timedelta(days=4)}, {"newest": None}],
    "volume": [{"today": 0}, {"today": 29}, {"today": 401}],
    "rows_accounted_for": [{"rows_in": 11}, {"rows_duplicate": 0}, {"rows_loaded": None}],
}


def test_every_check_of_deliveries_has_a_planted_fault():
    assert set(deliveries.__all__) == set(PLANTED) == set(ASKED)


@pytest.mark.parametrize(("check", "fault"), [(c, f) for c, faults in PLANTED.items() for f in faults], ids=str)
def test_each_planted_fault_turns_its_check_red(check, fault):
    green, red = ASKED[check](), ASKED[check](**fault)
    assert (green.check, green.status, green.rows_failed) == (check, "pass", 0)
    assert (red.check, red.status) == (check, "fail" if check == "rows_accounted_for" else "warn")
    assert red.rows_failed == 1
    assert red.advice


def test_no_delivery_at_all_is_not_green():
    assert rows_accounted_for(pd.DataFrame([GOOD]).head(0)).status == "fail"


def test_culprits_are_named():
    assert rows_accounted_for(pd.DataFrame([GOOD, {**GOOD, "rows_in": 3}])).sample_keys == ("s / t / abcdef01",)


def test_a_weekday_on_which_the_shop_never_trades_is_not_judged():
    closed = {d: n for d, n in USUAL.items() if d.weekday() != D.weekday()}
    assert volume("order_lines", closed, run_date=D) is None
    assert volume("order_lines", dict.fromkeys(USUAL, 3), run_date=D) is None  # too few rows to tell
    assert volume("order_lines", {}, run_date=D) is None


@given(factor=st.floats(0.31, 3.9), usual=st.integers(40, 100_000))
def test_ordinary_swings_are_no_fault(factor, usual):
    days = dict.fromkeys(USUAL, usual)
    assert volume("order_lines", {**days, D: round(usual * factor)}, run_date=D).status == "pass"


def test_the_summary_names_failures_first_and_reads_as_a_sentence():
    where = "restock", "restock_plan", "bounds.qty"
    bad = CheckResult(*where, "fail", "error", "1 of 3 rows", "at least 0", 3, 1, ("A",), "Look.")
    results = [
        CheckResult("restock", "restock_plan", "columns", "pass", "error"),
        CheckResult("demand", "-", "NO_STOCK", "warn", "warn", "No stock.", advice="No stock."),
        bad,
    ]
    checks = pd.DataFrame([asdict(result) for result in results])
    assert counts_by_status(checks) == {"pass": 1, "warn": 1, "fail": 1}
    assert [in_words(row) for _, row in red_first(checks).iterrows()] == [
        "restock_plan: bounds.qty: 1 of 3 rows (expected at least 0), such as A. Look.",
        "demand: NO_STOCK: No stock.",
    ]
