"""Receipt dates follow the one calendar of the product; true lead times follow the supplier."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data.calendar import Calendar
from data.demo.suppliers import SUPPLIERS, closed_spans, expected_receipt_date, true_lead_times

FIRST, LAST = date(2025, 1, 1), date(2026, 12, 31)


@given(
    offset=st.integers(0, 600), lead=st.integers(0, 70), supplier=st.sampled_from([s.supplier_id for s in SUPPLIERS])
)
def test_expected_dates_agree_with_the_planners_calendar(offset, lead, supplier):
    ordered = FIRST + timedelta(days=offset)
    spans = closed_spans(supplier, first=FIRST, last=LAST + timedelta(days=200))
    assert expected_receipt_date(ordered, lead, spans) == Calendar(ordered).receipt_date(lead, spans)


def test_factories_close_around_lunar_new_year_in_every_year():
    spans = closed_spans("SUP-FIGURE", first=date(2024, 7, 1), last=date(2027, 6, 28))
    for new_year in (date(2025, 1, 29), date(2026, 2, 17), date(2027, 2, 6)):
        assert any(a <= new_year <= b for a, b in spans)
    assert spans == sorted(spans)


def test_true_lead_times_have_the_suppliers_mean_and_spread():
    rng = np.random.default_rng(1)
    for supplier in SUPPLIERS:
        draws = true_lead_times(supplier, 4_000, rng)
        assert abs(draws.mean() - supplier.true_lead_days) < 0.03 * supplier.true_lead_days + 0.1
        assert abs(draws.std() - supplier.true_sd_days) < 0.1 * supplier.true_sd_days + 0.1
        assert draws.min() >= 2
