"""Days of the month on which more is sold: read from earlier months, as of each period."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from forecast_shops import panel_of

from forecasting.config import ForecastConfig
from forecasting.models import statistical_forecasts
from forecasting.month_days import month_day_ratios, month_lift

START = date(2025, 1, 1)


def days(count: int) -> list[date]:
    return [START + timedelta(days=i) for i in range(count)]


def paydays(count: int, rows: int = 1) -> np.ndarray:
    """Return demand of 100 a day, 150 on the tenth."""
    return np.tile(np.where([d.day == 10 for d in days(count)], 150.0, 100.0), (rows, 1)).astype(np.float32)


def test_a_payday_is_found_and_foreseen() -> None:
    labels = days(400 + 28)
    found = month_day_ratios(paydays(400), np.zeros(1, dtype=np.int64), labels, origin=400)
    tenth = np.array([d.day == 10 for d in labels])
    assert 1.3 < found[0, 400:][tenth[400:]].min() < 1.5  # pulled to 1 by few months
    assert np.abs(found[0, 400:][~tenth[400:]] - 1).max() < 0.08  # paydays lie among the usual days of others
    assert (found[0, :56] == 1).all()


def test_little_demand_tells_little() -> None:
    labels = days(428)
    rows = np.array([0, 1])
    demand = np.concatenate([paydays(400), paydays(400) / 100])
    found = month_day_ratios(demand, rows, labels, origin=400)[:, 400:].max(axis=1)
    assert found[0] > 1.3
    assert found[1] < 1.15


def test_closed_days_say_nothing() -> None:
    demand = paydays(400)
    demand[:, [d.day == 20 for d in days(400)]] = 0
    found = month_day_ratios(demand, np.zeros(1, dtype=np.int64), days(428), origin=400)
    assert np.abs(found[0, 400:][[d.day == 20 for d in days(428)[400:]]] - 1).max() < 0.05


def test_nothing_after_the_origin_and_nothing_of_the_last_four_weeks_is_read() -> None:
    demand = paydays(300, rows=3)
    rows = np.array([0, 1, 0])
    first = month_day_ratios(demand, rows, days(300), origin=200)
    demand[:, 200:] = 999
    assert np.array_equal(first, month_day_ratios(demand, rows, days(300), origin=200))
    later = month_day_ratios(demand, rows, days(300), origin=300)
    assert np.array_equal(first[:, :200], later[:, :200])


def test_a_short_history_is_as_usual() -> None:
    for count in (0, 1, 40):
        found = month_day_ratios(paydays(count), np.zeros(1, dtype=np.int64), days(count + 7), origin=count)
        assert (found == 1).all()


def test_level_models_foresee_a_payday() -> None:
    units = np.random.default_rng(3).poisson(paydays(400, rows=4) / 5).astype(np.float64)
    panel = panel_of(units, last=START + timedelta(days=399))
    flat = statistical_forecasts(panel, horizon=28, config=ForecastConfig())["imapa"]
    lift = month_lift(panel, horizon=28)
    lifted = statistical_forecasts(panel, horizon=28, config=ForecastConfig(), lift=lift)["imapa"]
    tenth = [d.day == 10 for d in days(428)[400:]]
    assert 20 < flat[:, tenth].mean() < 24
    assert 25 < lifted[:, tenth].mean() < 31  # truly 30


def test_weeks_have_no_day_of_the_month() -> None:
    weekly = panel_of(np.ones((2, 80)), period_days=7)
    assert (month_lift(weekly, horizon=13) == 1).all()
    assert month_lift(weekly, horizon=13).shape == (2, 93)
