"""Calibration of totals from earlier windows: classes as of the window, periods in stock, few cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from forecast_shops import no_tables, panel_of

from forecasting import fitting
from forecasting.backtest import Inputs, Trial, run_trials
from forecasting.config import ForecastConfig, LearnerConfig
from forecasting.features import price_matrix
from forecasting.fitting import fit
from forecasting.intervals import LEVELS
from forecasting.protection import Spans
from forecasting.segments import own_classes

CONFIG = ForecastConfig(learner=LearnerConfig(trees=5, threads=1))
N, DAYS = 120, 168
MEDIAN = LEVELS.index(0.5)


def shop(units: np.ndarray) -> tuple[Inputs, list[Trial], Spans]:
    panel, tables = panel_of(units), no_tables()
    inputs = Inputs(panel, np.arange(len(units)), tables, price_matrix(panel, tables, horizon=28))
    n = np.full(len(units), 1.0)
    return inputs, run_trials(inputs, config=CONFIG, seed=1, count=2), Spans(14 * n, 0 * n, 7 * n, 1)


def test_a_window_teaches_the_class_that_a_series_had_then() -> None:
    """Steady sellers that burst in the last window are erratic tonight: their bursts are not what erratic ones do."""
    rng = np.random.default_rng(1)
    units = rng.poisson(6, (N, DAYS)).astype(float)
    units[: N // 2, -20:] *= 8
    inputs, trials, spans = shop(units)
    tonight = own_classes(inputs.panel)
    assert set(tonight[: N // 2]) == {"erratic"}
    fitted = fit(inputs, trials, tonight, spans, config=CONFIG, seed=1)
    assert {name for name, _ in fitted.total_calibration.levels} == {"smooth"}
    assert {name for name, _ in fitted.calibration.levels} == {"smooth"}
    assert set(fitted.level_error) == {"all", "smooth"}


def test_totals_are_calibrated_on_periods_in_stock_where_forecasts_stand_at_their_level() -> None:
    rng = np.random.default_rng(2)
    inputs, trials, spans = shop(rng.poisson(6, (N, DAYS)).astype(float))
    classes = own_classes(inputs.panel)
    usual = fit(inputs, trials, classes, spans, config=CONFIG, seed=1).total_calibration
    out = np.arange(28)[None, :] % 3 == 0
    raised = [
        replace(t, total_actual=np.where(out, 3 * t.total_actual, t.total_actual), sure=np.broadcast_to(~out, (N, 28)))
        for t in trials
    ]
    found = fit(inputs, raised, classes, spans, config=CONFIG, seed=1).total_calibration
    both = [c.of(("smooth", 3)) for c in (usual, found)]
    assert np.abs(both[0] - both[1]).max() < 0.1
    counted = fit(inputs, [replace(t, sure=None) for t in raised], classes, spans, config=CONFIG, seed=1)
    assert counted.total_calibration.of(("smooth", 3))[MEDIAN] > 0.75  # recovered periods would have moved the median


def test_a_class_of_sixty_totals_has_half_a_say_in_its_own_levels() -> None:
    transforms = np.concatenate([np.linspace(0, 1, 6000), np.full(60, 0.9)])
    names = np.array(["smooth"] * 6000 + ["new"] * 60)
    bins = np.full(6060, 3)
    found = fitting.calibrate(transforms, names, bins, min_cases=fitting._TOTAL_CASES).of(("new", 3))[MEDIAN]
    assert 0.75 < found < 0.85  # class and cell: three quarters of the way from 0.5 to 0.9
