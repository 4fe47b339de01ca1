"""Dates of a run: the off-by-one week is the classic mistake."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.calendar import WEEKDAYS, Calendar, last_closed_day

SUNDAY = date(2026, 6, 28)


def test_an_order_can_be_sold_from_the_day_after_the_lead_time():
    assert Calendar(SUNDAY).receipt_date(14) == SUNDAY + timedelta(days=15)


def test_an_order_without_lead_time_can_be_sold_tomorrow():
    assert Calendar(SUNDAY).receipt_date(0) == SUNDAY + timedelta(days=1)


def test_weekly_orders_arrive_at_the_start_of_a_week():
    calendar = Calendar(SUNDAY, freq="W-MON")
    assert calendar.receipt_date(14) == date(2026, 7, 13)
    assert calendar.receipt_date(10) == date(2026, 7, 13), "10 days round up to two whole weeks"


def test_a_weekly_run_date_is_the_last_day_of_a_week():
    with pytest.raises(ValueError, match="2026-06-27 is a SAT"):
        Calendar(date(2026, 6, 27), freq="W-MON")


def test_the_protection_period_starts_tomorrow_and_ends_with_the_next_receipt():
    daily = Calendar(SUNDAY, order_weekdays=("SUN",))
    assert (daily.first_period, daily.review_period_days, daily.next_order_date) == (
        date(2026, 6, 29),
        7,
        date(2026, 7, 5),
    )
    wednesday = Calendar(date(2026, 7, 1), order_weekdays=("SUN", "FRI"))
    assert (wednesday.is_order_date, wednesday.review_period_days) == (False, 2)


def test_a_factory_holiday_pushes_the_receipt_out():
    holiday = (date(2026, 7, 1), date(2026, 7, 5))
    assert Calendar(SUNDAY).receipt_date(3, [holiday]) == date(2026, 7, 7)


@given(day=st.dates(date(2000, 1, 1), date(2100, 1, 1)), freq=st.sampled_from(["D", *(f"W-{d}" for d in WEEKDAYS)]))
def test_the_default_run_date_is_closed_recent_and_legal(day: date, freq: str):
    run_date = last_closed_day(day, freq)
    calendar = Calendar(run_date, freq)
    assert run_date < day
    assert (day - run_date).days <= calendar.period_days
    assert calendar.period_of(calendar.first_period) == calendar.first_period
    assert calendar.period_of(run_date) == calendar.last_period


@given(
    lead=st.integers(0, 60),
    first=st.integers(-5, 60),
    length=st.integers(0, 20),
)
def test_closed_days_never_count_toward_the_lead_time(lead: int, first: int, length: int):
    closure = (SUNDAY + timedelta(days=first), SUNDAY + timedelta(days=first + length))
    receipt = Calendar(SUNDAY).receipt_date(lead, [closure])
    between = [SUNDAY + timedelta(days=i) for i in range(1, (receipt - SUNDAY).days)]
    assert sum(not closure[0] <= d <= closure[1] for d in between) == lead


def test_leap_day_and_week_53_are_ordinary_days():
    assert Calendar(date(2024, 2, 28)).receipt_date(1) == date(2024, 3, 1)
    assert Calendar(date(2020, 12, 27), freq="W-MON").periods(2) == [date(2020, 12, 28), date(2021, 1, 4)]
