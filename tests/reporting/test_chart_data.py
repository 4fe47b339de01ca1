"""Series for the charts: positions, gaps, and the compact form that the page decodes."""

from __future__ import annotations

from datetime import date

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.chart_data import BANDS, compact, line_series, receipts_by_line


def decode(text: str) -> list[float | None]:
    """What static/fan.js does."""
    out: list[float | None] = []
    for part in text.split(" ") if text else []:
        value, _, times = part.partition("*")
        out += [None if value == "-" else float(value)] * int(times or 1)
    return out


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6))))
def test_a_compact_series_decodes_to_itself_at_the_shown_precision(values):
    found = decode(compact(values))
    assert len(found) == len(values)
    for was, now in zip(values, found, strict=True):
        assert (was is None) == (now is None)
        if was is not None:
            assert now == pytest.approx(was, abs=0.5 if was >= 99.5 else 0.051 if was >= 9.95 else 0.0051)


def test_zeros_cost_four_characters():
    assert compact([0.0] * 28) == "0*28"


def frames(days, units, censored, freq_days=1):
    history = pl.DataFrame(
        {"sku": "A", "location_id": "main", "ds": days, "units": units, "is_censored": censored},
        schema_overrides={"units": pl.Float64},
    )
    ahead = [date(2026, 11, 23 + i) for i in range(3)]
    forecasts = pl.DataFrame(
        {"sku": "A", "location_id": "main", "ds": ahead, **{band: [1.0, 2.0, 3.0] for band in BANDS}}
    )
    return history, forecasts


def series_of(history, forecasts, **options):
    settings = {
        "first_period": date(2026, 11, 23),
        "period_days": 1,
        "history_periods": 10,
        "ahead_periods": 2,
    } | options
    return line_series(history, forecasts, keys=[("A", "main"), ("B", "main")], **settings)


def test_history_ends_on_the_run_date_and_gaps_stay_gaps():
    history, forecasts = frames(
        [date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 22)], [4, 5, 6], [False, True, False]
    )
    found = series_of(history, forecasts)
    assert list(found) == [("A", "main")]
    assert found[("A", "main")].history == (4.0, 5.0, None, 6.0)
    assert found[("A", "main")].censored == (1,)
    assert found[("A", "main")].ahead["q50"] == (1.0, 2.0)


def test_a_series_that_ended_earlier_leaves_its_last_days_empty():
    history, forecasts = frames([date(2026, 11, 20)], [4], [False])
    assert series_of(history, forecasts)[("A", "main")].history == (4.0, None, None)


def test_only_the_periods_asked_for_are_kept():
    history, forecasts = frames([date(2026, 11, d) for d in range(1, 23)], list(range(22)), [False] * 22)
    assert series_of(history, forecasts, history_periods=5)[("A", "main")].history == (17.0, 18.0, 19.0, 20.0, 21.0)


def test_weeks_count_by_sevens():
    history = pl.DataFrame(
        {
            "sku": "A",
            "location_id": "main",
            "ds": [date(2026, 11, 9), date(2026, 11, 16)],
            "units": [7.0, 8.0],
            "is_censored": False,
        }
    )
    forecasts = pl.DataFrame(
        {
            "sku": "A",
            "location_id": "main",
            "ds": [date(2026, 11, 23), date(2026, 11, 30)],
            **{band: [1.0, 2.0] for band in BANDS},
        }
    )
    found = series_of(history, forecasts, period_days=7)[("A", "main")]
    assert found.history == (7.0, 8.0)
    assert found.ahead["mean"] == (1.0, 2.0)


def test_receipts_are_summed_by_day_and_an_overdue_one_stands_on_the_first_day():
    orders = pd.DataFrame(
        {
            "sku": ["A", "A", "A", "A"],
            "location_id": "main",
            "expected_receipt_date": pd.to_datetime(["2026-11-01", "2026-11-23", "2026-11-30", "2027-11-30"]),
            "open_qty": [3.0, 4.0, 5.0, 6.0],
        }
    )
    found = {("A", "main"): [(1, 7.0), (8, 5.0)]}
    assert receipts_by_line(orders, run_date=date(2026, 11, 22), days=60) == found
    assert receipts_by_line(orders, run_date=date(2026, 11, 22), days=8) == found  # the last day shown is shown
