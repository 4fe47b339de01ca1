"""Closed days are true zeros, gaps are unknown, partial days do not teach."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demand.closed_days import classify_days, classify_periods, listed_days, partial_days
from demand.config import DayConfig
from demand.panel import Periods, day_number

CONFIG = DayConfig()
NONE = np.zeros(0, dtype=np.int64)
SATURDAY = 2  # 1970-01-03


def kinds(seen, last, *, listed=NONE):
    frame = classify_days(np.array(sorted(seen)), last=last, listed=listed, config=CONFIG)
    closed = set(frame.filter("is_closed")["day"].to_list())
    return closed, set(frame.filter("is_gap")["day"].to_list())


def open_days(last, *, without=(), closed_weekday=SATURDAY):
    return [d for d in range(last + 1) if d % 7 != closed_weekday and d not in without]


def test_a_weekday_absent_in_eight_weeks_is_closed():
    closed, gaps = kinds(open_days(69), 69)
    assert closed == {d for d in range(70) if d % 7 == SATURDAY}
    assert gaps == set()


def test_a_weekday_that_traded_seven_weeks_ago_is_a_gap():
    seen = [*open_days(69), 16]  # one Saturday traded: before it two are missing, after it seven
    closed, gaps = kinds(seen, 69)
    assert closed == set()
    assert gaps == {d for d in range(70) if d % 7 == SATURDAY} - {16}


def test_any_other_missing_day_is_a_gap():
    closed, gaps = kinds(open_days(69, without=(31, 45)), 69)
    assert gaps == {31, 45}
    assert 31 not in closed


def test_an_outage_of_ten_weeks_closes_no_weekday():
    seen = [d for d in open_days(200) if not 70 <= d < 140]
    closed, gaps = kinds(seen, 200)
    assert closed == {d for d in range(201) if d % 7 == SATURDAY}
    assert gaps == {d for d in range(70, 140) if d % 7 != SATURDAY}


def test_a_listed_day_is_closed_unless_it_traded():
    closed, gaps = kinds(open_days(69, without=(31,)), 69, listed=np.array([31, 32]))
    assert 31 in closed
    assert 32 not in closed | gaps


def test_a_young_shop_closes_a_weekday_after_four_weeks_and_not_before():
    assert kinds(open_days(27), 27)[0] == {2, 9, 16, 23}
    assert kinds(open_days(20), 20) == (set(), {2, 9, 16})


def test_listed_days_take_dates_and_weekdays():
    first, last = day_number(date(2026, 1, 1)), day_number(date(2026, 1, 14))
    found = listed_days(["SUN", date(2026, 1, 1), "2026-01-02"], first=first, last=last)
    assert [str(np.datetime64(int(d), "D")) for d in found] == ["2026-01-01", "2026-01-02", "2026-01-04", "2026-01-11"]


@given(st.sets(st.integers(0, 120), min_size=1), st.integers(0, 30))
def test_every_day_is_exactly_one_of_traded_closed_gap(seen, more):
    last = max(seen) + more
    closed, gaps = kinds(seen, last)
    assert closed | gaps | set(seen) == set(range(min(seen), last + 1))
    assert not closed & gaps
    assert not (closed | gaps) & set(seen)


def hours_of(n_days, cut=None, at=14):
    """A shop open from 9 to 21 with ten orders an hour; on day ``cut`` nothing comes after ``at``."""
    rows = [(d, h, 10) for d in range(n_days) for h in range(9, 22) if d != cut or h < at]
    return pl.DataFrame(rows, schema={"day": pl.Int64, "hour": pl.Int64, "n_orders": pl.Int64}, orient="row")


@pytest.mark.parametrize("cut", [40, 69])
def test_data_until_two_o_clock_make_a_partial_day(cut):
    assert partial_days(hours_of(70, cut=cut), config=CONFIG).tolist() == [cut]


def test_an_ordinary_day_is_not_partial():
    assert partial_days(hours_of(70), config=CONFIG).tolist() == []
    assert partial_days(hours_of(70, cut=69, at=20), config=CONFIG).tolist() == []


def test_a_weekday_that_always_ends_early_is_not_partial():
    rows = [(d, h, 10) for d in range(70) for h in range(9, 14 if d % 7 == 3 else 22)]
    frame = pl.DataFrame(rows, schema={"day": pl.Int64, "hour": pl.Int64, "n_orders": pl.Int64}, orient="row")
    assert partial_days(frame, config=CONFIG).tolist() == []


def test_a_tiny_shop_has_no_partial_days():
    quiet = hours_of(70, cut=69).with_columns(n_orders=pl.lit(1)).filter(pl.col("hour").is_in([10, 13, 20]))
    assert partial_days(quiet, config=CONFIG).tolist() == []


def test_weeks_sum_up_their_days():
    days = classify_days(np.array(open_days(69, without=(31, *range(42, 49)))), last=69, listed=NONE, config=CONFIG)
    weeks = classify_periods(days, np.array([60]), periods=Periods(first=70, days=7))
    assert weeks["index"].to_list() == list(range(-10, 0))
    assert weeks.filter("is_gap")["index"].to_list() == [-4]
    assert weeks.filter("is_partial")["index"].to_list() == [-6, -2]
    assert weeks["open_days"].to_list() == [6] * 10


def test_a_week_in_whose_middle_the_history_starts_is_partial():
    days = classify_days(np.arange(3, 70), last=69, listed=NONE, config=CONFIG)
    weeks = classify_periods(days, NONE, periods=Periods(first=70, days=7))
    assert weeks.filter("is_partial")["index"].to_list() == [-10]
