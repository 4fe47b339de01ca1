"""Lifts of events: found again where planted, 1 elsewhere, blind to the future."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from forecast_shops import RUN_DATE, panel_of
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.config import ForecastConfig
from forecasting.event_lift import event_lift
from forecasting.models import statistical_forecasts

T = 400
START = RUN_DATE - timedelta(days=T - 1)


def event_rows(*rows: tuple[str, int, int, str, str, str]) -> pl.DataFrame:
    """Return events by their first and last column."""
    dated = [(n, START + timedelta(a), START + timedelta(b), k, r, ip) for n, a, b, k, r, ip in rows]
    return pl.DataFrame(
        dated, schema=["name", "starts_date", "ends_date", "kind", "region", "ip"], orient="row",
        schema_overrides={"starts_date": pl.Date, "ends_date": pl.Date},
    )  # fmt: skip


FESTIVALS = event_rows(("Festival", 100, 111, "sale", "*", "*"), ("Festival", T + 2, T + 13, "sale", "*", "*"))


def festive_units(n: int = 40, t: int = T) -> np.ndarray:
    units = np.random.default_rng(5).poisson(200.0, (n, t)).astype(float)
    units[:, 100:112] *= 3
    return units


def test_a_festival_comes_again_and_normal_days_stay() -> None:
    lift = event_lift(panel_of(festive_units()), FESTIVALS, horizon=28)
    assert lift[:, T + 2 : T + 14] == pytest.approx(3 ** (2 / 3), rel=0.05)
    assert lift[:, T + 14 : T + 21] == pytest.approx(1, rel=0.05)  # the days after
    assert (lift[:, T + 21 :] == 1).all()
    assert (lift[:, :100] == 1).all()


def test_launches_during_an_event_are_not_its_doing() -> None:
    units = festive_units()
    units[:, 100:112] /= 3
    units[20:, :100] = np.nan
    lift = event_lift(panel_of(units), FESTIVALS, horizon=28)
    assert lift == pytest.approx(1, abs=0.05)


def test_events_of_another_region_or_one_ip_and_lasting_states_count_for_nobody() -> None:
    events = event_rows(
        ("Fair", 100, 111, "convention", "mars", "*"), ("Comet", 100, 111, "sale", "*", "Comet"),
        ("Season", 0, 300, "season", "*", "*"),
    )  # fmt: skip
    assert (event_lift(panel_of(festive_units()), events, horizon=28) == 1).all()
    assert (event_lift(panel_of(festive_units()), events.clear(), horizon=28) == 1).all()


def test_statistical_models_rise_for_the_festival_ahead_and_not_after_the_last() -> None:
    units = festive_units(n=12)
    panel = panel_of(units)
    lift = event_lift(panel, FESTIVALS, horizon=28)
    plain = statistical_forecasts(panel, horizon=28, config=ForecastConfig())["imapa"]
    lifted = statistical_forecasts(panel, horizon=28, config=ForecastConfig(), lift=lift)["imapa"]
    assert lifted[:, 2:14].mean() / plain[:, 2:14].mean() == pytest.approx(3 ** (2 / 3), rel=0.05)
    past = panel.until(113)
    after = event_lift(past, FESTIVALS, horizon=28)
    plain = statistical_forecasts(past, horizon=28, config=ForecastConfig())["tsb"][:, 10:].mean()
    lifted = statistical_forecasts(past, horizon=28, config=ForecastConfig(), lift=after)["tsb"][:, 10:].mean()
    assert abs(lifted - 200) < abs(plain - 200)


@settings(max_examples=50)
@given(st.integers(1, T - 1), st.integers(0, 2**32 - 1))
def test_scrambling_what_comes_after_the_origin_changes_no_lift(origin: int, seed: int) -> None:
    units = festive_units(n=4)
    scrambled = units.copy()
    scrambled[:, origin:] = np.random.default_rng(seed).poisson(50, scrambled[:, origin:].shape)
    first, second = (event_lift(panel_of(u).until(origin), FESTIVALS, horizon=10) for u in (units, scrambled))
    assert first.shape == (4, origin + 10)
    assert np.array_equal(first, second)
    assert np.isfinite(first).all()


def test_weekly_periods_have_no_lift() -> None:
    panel = panel_of(festive_units(n=4, t=60)[:, :60], period_days=7)
    assert (event_lift(panel, FESTIVALS, horizon=4) == 1).all()


def test_an_empty_series_has_a_lift_too() -> None:
    panel = panel_of(np.full((4, 120), np.nan))
    assert event_lift(panel, event_rows(("F", 10, 20, "sale", "*", "*")), horizon=5).min() == 1
