"""Candidate models: right on patterns that are known, sound on anything, blind to the future."""

from __future__ import annotations

import numpy as np
import pytest
from forecast_shops import no_tables, panel_of, shop_units

from forecasting.backtest import Inputs, candidates, learner_as_of, origins, run_trials
from forecasting.config import ForecastConfig, LearnerConfig
from forecasting.features import price_matrix
from forecasting.learner import _Booster, _rounds
from forecasting.models import (
    CONTROL,
    LEARNER,
    control_forecast,
    in_stock_ratio,
    statistical_forecasts,
    weekday_profile,
)

CONFIG = ForecastConfig(learner=LearnerConfig(trees=20, leaves=8, min_rows=500))


def inputs_of(units: np.ndarray, *, period_days: int = 1) -> Inputs:
    panel = panel_of(units, period_days=period_days)
    return Inputs(panel, np.arange(len(units)), no_tables(), price_matrix(panel, no_tables(), horizon=40))


def test_control_is_the_mean_of_the_same_weekday() -> None:
    units = np.tile(np.arange(7.0), 9)[None, :]
    units[0, 55] += 8.0  # a weekday-6 value within the last eight weeks
    forecast = control_forecast(panel_of(units), horizon=14, weeks=8)
    assert forecast[0, :6].tolist() == [0, 1, 2, 3, 4, 5]
    assert forecast[0, 6] == pytest.approx(7.0)
    assert forecast[0, 7:].tolist() == forecast[0, :7].tolist()


def test_control_leaves_stocked_out_days_out() -> None:
    units = np.full((1, 56), 4.0)
    censored = np.zeros(units.shape, dtype=bool)
    censored[0, 49:] = True
    units[0, 49:] = 0
    panel = panel_of(units, is_censored=censored, in_stock_share=np.zeros(units.shape))
    assert control_forecast(panel, horizon=7, weeks=8)[0].tolist() == [4.0] * 7


def test_control_of_a_week_of_history_uses_what_there_is() -> None:
    units = np.full((1, 40), np.nan)
    units[0, 37:] = 6.0
    assert control_forecast(panel_of(units), horizon=7, weeks=8)[0].tolist() == [6.0] * 7


def test_weekday_profile_finds_the_pattern_and_means_one() -> None:
    profile = weekday_profile(panel_of(shop_units(20, 140)))
    assert profile.mean(axis=1) == pytest.approx(np.ones(20), abs=1e-6)
    true = np.array([0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 0.9])  # 140 periods: position 0 is the pattern's first day again
    assert np.abs(profile - true).mean() < 0.1


@pytest.mark.parametrize("period_days", [1, 7])
def test_statistical_models_are_sound_and_near_the_level(period_days: int) -> None:
    units = shop_units(12, 120)
    found = statistical_forecasts(panel_of(units, period_days=period_days), horizon=10, config=CONFIG)
    for name, forecast in found.items():
        busy = units.mean(axis=1) > 1
        assert np.isfinite(forecast[busy]).all(), name
        assert (forecast[busy] >= 0).all()
        assert forecast[busy].mean(axis=1) == pytest.approx(units[busy].mean(axis=1), rel=0.6)


@pytest.mark.parametrize("period_days", [1, 7])
def test_statistical_models_say_nothing_of_short_or_unsold_series(period_days: int) -> None:
    units = shop_units(4, 60)
    units[0, :-3], units[1] = np.nan, 0.0
    for forecast in statistical_forecasts(panel_of(units, period_days=period_days), horizon=5, config=CONFIG).values():
        assert np.isnan(forecast[:2]).all()


def test_the_learner_beats_a_flat_mean_on_a_weekday_pattern() -> None:
    units = shop_units(40, 200)
    inputs = inputs_of(units[:, :172])
    grown = ForecastConfig(learner=LearnerConfig(trees=150, leaves=8, min_rows=500))
    learner = learner_as_of(inputs, origin=172, config=grown, seed=1)
    found = candidates(inputs, inputs.panel, origin=172, horizon=28, config=CONFIG, learner=learner)
    future = units[:, 172:]
    flat = units[:, :172].mean(axis=1, keepdims=True)
    assert np.abs(found[LEARNER] - future).mean() < np.abs(flat - future).mean()


def test_trees_taken_some_at_a_time_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = inputs_of(shop_units(12, 160))
    learner = learner_as_of(inputs, origin=160, config=CONFIG, seed=1)
    assert learner is not None
    rows = np.random.default_rng(3).random((50, learner.booster.num_feature())).astype(np.float32) * 9
    assert learner.booster.num_trees() == 7
    monkeypatch.setattr("forecasting.learner._TREES_AT_ONCE", 3)
    np.testing.assert_allclose(_Booster(learner.booster).predict(rows), learner.booster.predict(rows), rtol=1e-12)


def test_a_tiny_shop_gets_no_learner() -> None:
    inputs = inputs_of(shop_units(2, 60))
    assert learner_as_of(inputs, origin=60, config=ForecastConfig(), seed=1) is None


def test_rows_are_drawn_evenly_and_always_the_same() -> None:
    inputs = inputs_of(shop_units(40, 200))
    few = ForecastConfig(learner=LearnerConfig(trees=20, leaves=8, min_rows=500, max_rows=2000))
    first, second = (learner_as_of(inputs, origin=200, config=few, seed=1) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.rows == second.rows
    assert 1700 < first.rows < 2300
    assert first.booster.model_to_string() == second.booster.model_to_string()


def test_origins_end_with_the_panel_and_need_history() -> None:
    panel = panel_of(shop_units(2, 112))
    assert origins(panel, config=CONFIG) == ([56, 84], 28)
    assert origins(panel_of(shop_units(2, 100)), config=CONFIG) == ([72, 86], 14)
    assert origins(panel_of(shop_units(2, 60)), config=CONFIG) == ([46, 53], 7)
    assert origins(panel_of(shop_units(2, 34)), config=CONFIG)[0] == []
    weekly = panel_of(shop_units(2, 13), period_days=7)
    assert origins(weekly, config=CONFIG) == ([7, 9, 11], 2)


def test_a_trial_knows_nothing_of_what_came_after_its_origin() -> None:
    units = shop_units(12, 160)
    scrambled = units.copy()
    scrambled[:, 132:] = np.random.default_rng(9).poisson(40, (12, 28))
    plain, other = (run_trials(inputs_of(u), config=CONFIG, seed=1, count=1)[0] for u in (units, scrambled))
    assert plain.origin == 132
    for name, forecast in plain.forecasts.items():
        assert np.array_equal(forecast, other.forecasts[name], equal_nan=True), name
    assert set(plain.forecasts) == {CONTROL, "imapa", "tsb", "long_mean", LEARNER}


def test_series_that_ended_teach_but_are_not_forecast() -> None:
    units = shop_units(12, 160)
    units[0, 100:] = np.nan
    inputs = inputs_of(units)
    learner = learner_as_of(inputs, origin=160, config=CONFIG, seed=1)
    found = candidates(inputs, inputs.panel, origin=160, horizon=7, config=CONFIG, learner=learner)
    assert np.isnan(found[LEARNER][0]).all()
    assert np.isfinite(found[LEARNER][1:]).all()


def test_means_that_count_stocked_out_periods_come_down_to_the_level_in_stock() -> None:
    units = shop_units(6, 70) + 2
    out = np.zeros(units.shape, dtype=bool)
    out[:, ::3] = True
    more, told = np.where(out, units * 2, units), np.zeros(units.shape, dtype=bool)
    fair = panel_of(units, is_censored=out, recovered_units=more, recovered_teaches=told)
    assert 0.8 <= in_stock_ratio(fair) < 0.85
    assert in_stock_ratio(panel_of(units, is_censored=out, recovered_units=more, recovered_teaches=out)) == 1
    assert in_stock_ratio(panel_of(units)) == 1
    assert in_stock_ratio(panel_of(np.full((2, 20), np.nan))) == 1


def test_fewer_rows_are_learnt_in_fewer_rounds() -> None:
    rounds = [_rounds(LearnerConfig(trees=200), rows) for rows in (1, 50_000, 400_000, 4_000_000)]
    assert rounds == [70, 100, 200, 200]
    assert _rounds(LearnerConfig(trees=5), 1) == 2
