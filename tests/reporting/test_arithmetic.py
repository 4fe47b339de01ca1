"""The words of an order are its why columns: they end at the quantity, on every line."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contracts import WHY_COLUMNS
from reporting.arithmetic import WHY_TERMS, clauses, in_words
from reporting.catalogue import load_catalogue
from reporting.plan_lines import records

SPECIFIED = {
    "why_need": 360, "why_lost_sales": -38, "why_position": -150, "why_buffer": 90, "why_pack": 2,
    "lead_time_days": 14, "review_period_days": 7, "on_hand": 120, "on_order": 40, "backorders": 10,
    "preorders_open": 0, "service_level": 0.95, "min_order_qty": 100, "pack_size": 24, "order_qty": 264,
}  # fmt: skip


def running_totals(line):
    """The figures that the sentence names as "so far", in order."""
    return [
        c.figures[-1]
        for c in clauses(line)
        if c.key in {"sum", "moq", "pack", "total", *(n[4:] for n in WHY_TERMS[8:])}
    ]


def test_the_terms_are_the_contracts_why_columns():
    assert sorted(WHY_TERMS) == sorted(WHY_COLUMNS)


def test_the_specifications_example_reads_as_it_is_written_there():
    text = in_words(SPECIFIED, words=load_catalogue("en"), today=date(2026, 11, 23))
    assert text == (
        "expect 360 in the 21 days to 14 Dec; of which 38 are lost before the order can arrive; "
        "have 150 = 120 on hand + 40 on order − 10 owed; 90 more for a 95% chance; makes 262; MOQ 100 met; "
        "packs of 24 → 264; order 264."
    )


def test_chinese_says_the_same():
    text = in_words(SPECIFIED, words=load_catalogue("zh"), today=date(2026, 11, 23))
    assert text.startswith(
        "至 12月14日 的 21 天内预计需求 360；其中 38 在订单到货前必然失去；已有 150 = 在手 120 + 在途 40 − 欠货 10"
    )
    assert text.endswith("每包 24 → 264；订货 264。")
    assert re.findall(r"\d+", text)[-1] == "264"


def test_every_generated_line_ends_at_its_quantity(shop):
    for line in records(shop.make_plan(400, seed=3)):
        totals = running_totals(line)
        assert totals[-1] == line["order_qty"]
        assert totals[-2] == line["order_qty"]


@given(st.lists(st.integers(-500, 500), min_size=16, max_size=16))
def test_the_last_running_total_is_the_sum_of_all_terms(values):
    line = dict(zip(WHY_TERMS, values, strict=True)) | {
        "lead_time_days": 14,
        "review_period_days": 7,
        "order_qty": sum(values),
    }
    told = running_totals(line)
    assert told[-1] == sum(values)
    assert told[-2] == sum(values)


def test_surplus_is_said_and_nothing_is_ordered():
    line = SPECIFIED | {
        "why_position": -700,
        "on_hand": 670,
        "why_surplus": 288,
        "why_buffer": 90,
        "why_pack": 0,
        "order_qty": 0,
    }
    keys = [clause.key for clause in clauses(line)]
    assert "surplus" in keys
    assert "moq_met" not in keys
    assert in_words(line, words=load_catalogue("en"), today=date(2026, 11, 23)).endswith("makes 0; order 0.")


def test_a_position_that_is_not_the_sum_of_what_is_shown_is_not_called_one():
    line = SPECIFIED | {"why_position": -149}
    assert "have 149 (inventory position)" in in_words(line, words=load_catalogue("en"), today=date(2026, 11, 23))


def test_a_negative_buffer_is_explained():
    line = SPECIFIED | {"why_buffer": -20, "service_level": 0.4}
    assert "20 less, as a 40% chance needs less than the mean" in in_words(
        line, words=load_catalogue("en"), today=date(2026, 11, 23)
    )


@pytest.mark.parametrize("term", WHY_TERMS[8:])
def test_each_cut_names_itself_and_what_is_left(term):
    text = in_words(SPECIFIED | {term: -64, "order_qty": 200}, words=load_catalogue("en"), today=date(2026, 11, 23))
    assert text.endswith("−64 → 200; order 200.")
