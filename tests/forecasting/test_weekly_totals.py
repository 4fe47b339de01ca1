"""Totals learnt directly, and the time of year, in weekly shops."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from forecast_shops import no_tables, panel_of

from forecasting import backtest, weekly_totals
from forecasting.backtest import Inputs, run_trials
from forecasting.config import ForecastConfig, LearnerConfig
from forecasting.direct_totals import HEADS, DirectTotals, direct_totals, mixed
from forecasting.features import price_matrix
from forecasting.intervals import LEVELS
from forecasting.models import CONTROL
from forecasting.protection import Spans, Totals
from forecasting.weekly_totals import own_totals, total_weights, with_views
from forecasting.year_season import year_lift

MONDAY = date(2026, 6, 22)
ONE_THREAD = LearnerConfig(threads=1)


def lumpy_shop(n: int, t: int, *, seed: int, season: float = 0.0) -> np.ndarray:
    """Return weekly demand with levels over three decades, overdispersed, some series that start late."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(1.2, 1.0, (n, 1))) * (1 + season * np.sin(2 * np.pi * np.arange(t) / 52))
    units = rng.poisson(rng.gamma(1.5, level / 1.5)).astype(float)
    late = rng.integers(0, max(t - 60, 1), n) * (rng.random(n) < 0.3)
    units[np.arange(t)[None, :] < late[:, None]] = np.nan
    return units


def weekly(units: np.ndarray):
    return panel_of(units, period_days=7, last=MONDAY)


def test_learnt_levels_hold_what_they_say_on_weeks_that_nobody_saw() -> None:
    units = lumpy_shop(400, 63, seed=1)
    lengths, rows = np.full(400, 3), np.arange(400)
    found = direct_totals(weekly(units[:, :60]), rows, lengths, config=ONE_THREAD, seed=1)
    known, came = found.known, units[:, 60:].sum(axis=1)
    levels = found.levels[known]
    share = (came[known, None] <= levels).mean(axis=0)
    assert known.mean() > 0.98
    assert (np.diff(levels, axis=1) >= 0).all()
    assert (levels >= 0).all()
    assert np.abs(share - np.array(HEADS)).max() < 0.06  # three standard errors in the middle
    assert abs(share[-1] - HEADS[-1]) < 0.025


def test_series_that_cannot_be_told_have_no_learnt_levels() -> None:
    units = lumpy_shop(300, 60, seed=2)
    units[0, 20:] = 0  # dead
    units[1, :55] = np.nan  # five weeks old
    lengths = np.full(300, 3)
    lengths[2] = 30  # too long a total
    found = direct_totals(weekly(units), np.arange(300), lengths, config=ONE_THREAD, seed=1)
    assert not found.known[:3].any()
    assert found.known[3:].all()
    daily = panel_of(units[:, :40])
    assert not direct_totals(daily, np.arange(300), lengths, config=ONE_THREAD, seed=1).known.any()


def test_mixed_levels_are_the_mean_and_stay_ordered() -> None:
    own = np.tile(np.arange(1.0, 12.0), (3, 1))
    direct = DirectTotals(np.array([[2.0, 5.0, 9.0, 12.0, 20.0], [np.nan] * 5, [2.0, 5.0, 9.0, 12.0, 20.0]]))
    out = mixed(own, direct, weight=0.5, kept=np.array([True, True, False]))
    at = [LEVELS.index(level) for level in HEADS]
    assert out[0, at].tolist() == ((own[0, at] + direct.levels[0]) / 2).tolist()
    assert (np.diff(out, axis=1) >= 0).all()
    assert (out[1:] == own[1:]).all()  # nothing learnt, or not to be used
    assert out[0, -1] / own[0, -1] == pytest.approx(out[0, at[-1]] / own[0, at[-1]])


def shop_inputs(units: np.ndarray) -> Inputs:
    panel, tables = weekly(units), no_tables()
    return Inputs(panel, np.arange(len(units)), tables, price_matrix(panel, tables, horizon=4))


def test_learnt_totals_enter_only_where_the_last_window_was_better_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 250
    inputs, config = shop_inputs(lumpy_shop(n, 60, seed=3)), ForecastConfig(learner=LearnerConfig(trees=5, threads=1))
    trials = run_trials(inputs, config=config, seed=1, count=2)
    days = np.full(n, 7.0)
    spans = Spans(2 * days, 0 * days, days, period_days=7)
    mean, last = trials[-1].forecasts["moving_average"], trials[-1]

    def weight(levels: np.ndarray) -> float:
        monkeypatch.setattr(weekly_totals, "direct_totals", lambda *a, **k: DirectTotals(levels))
        classes = np.full(n, "erratic")
        return total_weights(inputs, trials, classes, spans, mean, config=config, seed=1)[0]

    came = np.nan_to_num(last.actual[:, :3]).sum(axis=1, dtype=float)
    assert weight(np.repeat(came[:, None], len(HEADS), axis=1)) == 0.5  # foresight
    assert weight(np.full((n, len(HEADS)), 1e4)) == 0.0
    assert weight(np.full((n, len(HEADS)), np.nan)) == 0.0  # nothing learnt
    assert total_weights(inputs, [], np.full(n, "erratic"), spans, None, config=config, seed=1)[0] == 0.0


def test_a_season_that_all_items_share_is_found_and_none_where_there_is_none() -> None:
    truth = np.log(1 + 0.3 * np.sin(2 * np.pi * np.arange(165) / 52))[-60:]
    found = np.log(year_lift(weekly(lumpy_shop(300, 157, seed=4, season=0.3)), horizon=8)[0, -60:])
    assert np.sqrt(np.mean((found - found.mean() - truth + truth.mean()) ** 2)) < 0.06
    nothing = np.log(year_lift(weekly(lumpy_shop(300, 157, seed=5)), horizon=8))
    assert np.abs(nothing).max() < 0.06
    assert (year_lift(weekly(lumpy_shop(30, 103, seed=6, season=0.3)), horizon=8) == 1).all()  # under two years
    assert (year_lift(panel_of(lumpy_shop(30, 157, seed=6, season=0.3)), horizon=8) == 1).all()  # daily


def test_categories_have_seasons_of_their_own() -> None:
    winter, summer = (lumpy_shop(150, 157, seed=7, season=s) for s in (0.3, -0.3))
    panel = weekly(np.concatenate([winter, summer]))
    told = replace(panel, keys=panel.keys.with_columns(category=pl.Series(["w"] * 150 + ["s"] * 150)))
    lift = np.log(year_lift(told, horizon=4))
    assert np.corrcoef(lift[0, -52:], np.sin(2 * np.pi * np.arange(161) / 52)[-52:])[0, 1] > 0.9
    assert np.corrcoef(lift[0, -52:], lift[-1, -52:])[0, 1] < -0.8


def test_one_giant_does_not_make_the_shops_season() -> None:
    units = lumpy_shop(200, 157, seed=8)
    units[0] = 2000 * (1 + 0.9 * np.sin(2 * np.pi * np.arange(157) / 52))
    assert np.abs(np.log(year_lift(weekly(units), horizon=4)[1])).max() < 0.25


def test_series_whose_lead_time_varies_keep_the_levels_of_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    n, varies = 4, np.array([0.0, 3.0, 0.0, 0.0])
    inputs, days = shop_inputs(lumpy_shop(n, 60, seed=3) + 1), np.full(4, 7.0)
    own = np.tile(np.linspace(1, 20, len(LEVELS)), (n, 1))
    mean = own[:, 5]
    totals = Totals(mean, mean, own, mean, mean)
    monkeypatch.setattr(weekly_totals, "direct_totals", lambda *a, **k: DirectTotals(np.full((n, len(HEADS)), 50.0)))
    out = with_views(
        totals, inputs, Spans(2 * days, varies, days, period_days=7), np.full(n, "erratic"), weight=0.5,
        history_weights={},
        kept=np.array([True, True, True, False]), config=ForecastConfig(), seed=1,
    )  # fmt: skip
    assert (out.quantiles != own).any(axis=1).tolist() == [True, False, True, False]
    classes = np.array(["lumpy", "smooth", "intermittent", "new"])
    slow = with_views(
        totals, inputs, Spans(2 * days, 0 * days, days, period_days=7), classes,
        weight=0.5, history_weights={}, kept=np.ones(n, dtype=np.bool_), config=ForecastConfig(), seed=1,
    )  # fmt: skip
    median = LEVELS.index(0.5)
    assert slow.quantiles[:, median] == pytest.approx(
        own[:, median] + np.array([0.625, 0.5, 0.75, 0.5]) * (50 - own[:, median])
    )


def test_the_time_of_year_moves_the_statistical_models(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = shop_inputs(lumpy_shop(20, 60, seed=9))
    monkeypatch.setattr(backtest, "year_lift", lambda past, *, horizon: np.ones((20, 60 + horizon)))
    plain = backtest.candidates(inputs, inputs.panel, origin=60, horizon=4, config=ForecastConfig(), learner=None)
    doubled = np.ones((20, 64))
    doubled[:, 60:] = 2
    monkeypatch.setattr(backtest, "year_lift", lambda past, *, horizon: doubled)
    lifted = backtest.candidates(inputs, inputs.panel, origin=60, horizon=4, config=ForecastConfig(), learner=None)
    for name in set(plain) - {CONTROL}:
        np.testing.assert_allclose(lifted[name], 2 * plain[name], rtol=1e-4)
    np.testing.assert_array_equal(lifted[CONTROL], plain[CONTROL])  # what all are judged against stays simple


def test_a_steady_series_is_told_by_its_own_past_where_the_last_window_bears_it_out() -> None:
    """History weighs by class; a gain of less than a tenth a step moves no weight."""
    units = np.tile(np.array([4.0, 6.0]), (250, 30))
    history = own_totals(weekly(units), np.full(250, 3))
    assert history.levels[0, 0] == 14
    assert history.levels[0, -1] == 16  # 4 + 6 + 4 and 6 + 4 + 6
    short = own_totals(weekly(np.where(np.arange(60)[None, :] < 51, np.nan, units)), np.full(250, 3))
    assert not short.known.any()  # nine weeks have seven totals of three
    classes, judged = np.array(["smooth"] * 125 + ["lumpy"] * 125), np.ones(250, dtype=np.bool_)
    own = np.tile(np.linspace(5.0, 25.0, len(LEVELS)), (250, 1))
    came = np.full(250, 15.0)
    weights = weekly_totals._history_weights
    assert weights(came, own, history, classes, judged) == {"smooth": 0.5, "erratic": 0.25, "lumpy": 0.5}
    near = np.tile(np.linspace(14.0, 16.0, len(LEVELS)), (250, 1))
    assert weights(came, near, history, classes, judged)["lumpy"] == 0.0
    assert weights(np.full(250, 40.0), own + 25, history, classes, judged)["smooth"] == 0.0
    assert "lumpy" not in weights(came, own, history, classes, judged & (np.arange(250) < 200))  # 75 series


def test_a_series_own_past_is_told_at_the_time_of_year_that_comes() -> None:
    units = 20 * (1 + 0.4 * np.sin(2 * np.pi * np.arange(156) / 52)) + np.zeros((60, 1))
    found = own_totals(weekly(units[:, :143]), np.full(60, 3)).levels  # three quarters through: the trough comes
    came = units[:, 143:146].sum(axis=1)
    assert np.abs(found[:, 1] / came - 1).max() < 0.12
    assert came[0] < 0.7 * units[:, 91:143].mean() * 3
