"""Levels agree by sums; forecasts of totals pull the series only where they did earlier windows good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from forecast_shops import no_tables, panel_of

from forecasting.backtest import Inputs, run_trials
from forecasting.coherence import BOTTOM_UP, RECONCILED, choose_coherence, node_codes, pull, reconciled
from forecasting.config import ForecastConfig, LearnerConfig
from forecasting.features import price_matrix
from forecasting.forecast import judged_trial
from forecasting.models import control_forecast, in_stock_ratio
from forecasting.protection import Spans

LENGTH = 28


def growing(weeks: int = 40) -> np.ndarray:
    """Forty small series of a shop that grows by 3% a week: totals show it, single series hardly do."""
    rng = np.random.default_rng(4)
    level = 2.0 * 1.03 ** (np.arange(weeks * 7) / 7)
    return rng.poisson(np.broadcast_to(level, (40, weeks * 7))).astype(float)


def windows(units: np.ndarray, count: int = 3):
    """Return pasts, control forecasts and what came, of the last ``count`` windows."""
    panel = panel_of(units)
    at = [panel.n_periods - k * LENGTH for k in range(count, 0, -1)]
    pasts = [panel.until(o) for o in at]
    means = [control_forecast(past, horizon=LENGTH, weeks=8) for past in pasts]
    return pasts, means, [panel.demand[:, o : o + LENGTH] for o in at]


def test_it_is_the_least_squares_reconciliation() -> None:
    rng = np.random.default_rng(0)
    code = np.array([0, 0, 1, 1, 1, 2])
    codes = [np.zeros(6, dtype=np.int64), code]
    bottom, upper = rng.uniform(5, 9, 6), [np.array([60.0]), np.array([10.0, 30.0, 8.0])]
    summing = np.vstack([np.ones((1, 6)), (code[None, :] == np.arange(3)[:, None]).astype(float), np.eye(6)])
    base = np.concatenate([*upper, bottom])[:, None]
    inverse = np.diag(1 / summing.sum(axis=1))
    best = np.linalg.solve(summing.T @ inverse @ summing, summing.T @ inverse @ base)
    expected = summing @ best
    got = reconciled(bottom, upper, codes, weight=np.ones(6))
    np.testing.assert_allclose(got, expected[4:, 0], rtol=1e-9)
    np.testing.assert_allclose(summing[1:4] @ got, expected[1:4, 0], rtol=1e-9)


def test_totals_that_see_the_growth_pull_the_series() -> None:
    pasts, means, actuals = windows(growing())
    choice, published = choose_coherence(pasts, means, actuals)
    assert choice.how == RECONCILED
    assert max(choice.scores) < 1
    assert abs(choice.total_bias) < abs(means[-1].sum() / actuals[-1].sum() - 1)
    for mean, moved in zip(means, published, strict=True):
        np.testing.assert_allclose(moved / mean, (moved / mean)[:, :1] * np.ones((1, LENGTH)), rtol=1e-5)


def test_bottom_up_stands_where_totals_say_less() -> None:
    units = np.tile(np.arange(1.0, 8.0), (40, 40)) * np.arange(1, 41)[:, None]
    pasts, means, actuals = windows(units)
    choice, published = choose_coherence(pasts, means, actuals)
    assert choice.how == BOTTOM_UP
    assert published[0] is means[0]
    assert choice.total_bias == pytest.approx(0, abs=1e-6)


def test_accuracy_speaks_of_the_way_that_is_published() -> None:
    panel = panel_of(growing())
    tables = no_tables()
    inputs = Inputs(panel, np.arange(40), tables, price_matrix(panel, tables, horizon=LENGTH))
    config = ForecastConfig(learner=LearnerConfig(min_rows=10**9))
    trials = run_trials(inputs, config=config, seed=1)
    spans = Spans(np.full(40, 14.0), np.zeros(40), np.full(40, 7.0), 1)
    classes = np.full(40, "smooth")
    bias = {
        how: judged_trial(inputs, trials, classes, spans, config=config, seed=1, coherence=how)[0]["bias"][-1]
        for how in (BOTTOM_UP, RECONCILED)
    }
    assert bias[BOTTOM_UP] < -0.05
    assert abs(bias[RECONCILED]) < abs(bias[BOTTOM_UP])


def test_one_window_proves_nothing() -> None:
    pasts, means, actuals = windows(growing(), count=1)
    choice, _ = choose_coherence(pasts, means, actuals)
    assert (choice.how, choice.scores) == (BOTTOM_UP, ())
    assert choice.total_bias < 0


def test_the_pull_is_bounded_and_leaves_what_sells_nothing() -> None:
    panel = panel_of(growing())
    mean = np.full((40, LENGTH), 0.1)
    mean[3] = 0.0
    got = pull(panel, mean)
    assert got[3] == 1.0
    assert got.max() == pytest.approx(1.25)
    assert pull(panel, np.zeros((40, LENGTH))).tolist() == [1.0] * 40


def test_totals_are_foreseen_at_the_level_in_stock_as_their_series_are() -> None:
    units = np.random.default_rng(6).poisson(6, (40, 280)).astype(float)
    units[:, ::4] *= 1.2  # days that sold out after they had sold well: recovered, not learnt from
    panel = panel_of(units)
    learns = panel.learns.copy()
    learns[:, ::4] = False
    short = replace(panel, learns=learns)
    assert in_stock_ratio(short) < 0.97
    level = np.full((40, LENGTH), units.mean() * in_stock_ratio(short))
    assert abs(pull(short, level).mean() - 1) < 0.01


def test_levels_of_one_node_are_no_levels() -> None:
    keys = pl.DataFrame({"sku": ["a", "b"], "location_id": ["x", "y"], "category": ["c", "c"], "ip": [None, "i"]})
    assert [code.tolist() for code in node_codes(keys)] == [[0, 0], [0, 1], [0, 1], [0, 1]]
