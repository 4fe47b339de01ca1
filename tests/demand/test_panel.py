"""Flat panels and periods against plain loops."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from data.calendar import Calendar
from demand.panel import Panel, Periods, day_number


def keys(n):
    return pl.DataFrame(
        {"sku": [f"S{i:03d}" for i in range(n)], "location_id": ["a" if i % 2 else "b" for i in range(n)]}
    )


@given(st.lists(st.tuples(st.integers(-50, -1), st.integers(0, 30)), min_size=1, max_size=12))
def test_cells_lie_where_a_loop_puts_them(spans):
    first = np.array([f for f, _ in spans])
    last = np.minimum(np.array([f + extra for f, extra in spans]), -1)
    panel = Panel(keys(len(spans)), first, last)
    expected = [(s, i) for s in range(len(spans)) for i in range(first[s], last[s] + 1)]
    assert list(zip(panel.series().tolist(), panel.index().tolist(), strict=True)) == expected
    series, index = (np.array(x) for x in zip(*expected, strict=True))
    assert panel.cells(series, index).tolist() == list(range(panel.size))
    assert (panel.cells(series, np.full(len(series), 5)) == -1).all()
    assert (panel.cells(np.full(len(series), -1), index) == -1).all()


def test_key_columns_name_every_cell():
    panel = Panel(keys(3), np.array([-2, -1, -3]), np.array([-1, -1, -2]))
    sku, location = panel.key_columns()
    assert sku.to_list() == ["S000", "S000", "S001", "S002", "S002"]
    assert location.to_list() == ["b", "b", "a", "b", "b"]


def test_series_of_finds_rows_in_their_order():
    panel = Panel(keys(3), np.array([-1] * 3), np.array([-1] * 3))
    asked = pl.DataFrame({"sku": ["S002", "S000", "S009"], "location_id": ["b", "b", "b"]})
    assert panel.series_of(asked).tolist() == [2, 0, -1]


@given(st.integers(0, 400), st.sampled_from(["D", "W-MON", "W-THU", "W-SUN"]))
def test_periods_agree_with_the_calendar(back, freq):
    run_date = date(2026, 6, 28)
    if freq != "D":
        start = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN").index(freq[2:])
        run_date = next(d for d in (run_date - timedelta(days=i) for i in range(7)) if (d.weekday() + 1) % 7 == start)
    calendar = Calendar(run_date, freq=freq)
    periods = Periods(day_number(calendar.first_period), calendar.period_days)
    day = run_date - timedelta(days=back)
    index = periods.index(np.array([day_number(day)]))
    assert periods.label(index)[0] == day_number(calendar.period_of(day))
    assert periods.index(np.array([day_number(calendar.last_period)]))[0] == -1
