"""Items that sell far above all before for a few days: what they come to is what such jumps came to before."""

from __future__ import annotations

import numpy as np
import pytest
from forecast_shops import no_tables, panel_of

from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.fallback import Ladder, published
from forecasting.jumps import Settled, settled, tempered
from forecasting.models import CONTROL, control_forecast
from forecasting.panel import Panel
from forecasting.selection import ALL, Choice

DAYS, USUAL, FAME = 400, 4.0, 60.0


def shop(*, lasting: bool, past: int = 60, series: int = 80, seed: int = 5) -> np.ndarray:
    """Sales of which ``past`` series once rose fifteenfold, for three days or for good; the first one rose just now."""
    rng = np.random.default_rng(seed)
    mean = np.full((series, DAYS), USUAL)
    for row in range(1, past + 1):
        at = int(rng.integers(120, DAYS - 60))
        mean[row, at : DAYS if lasting else at + 3] = FAME
    mean[0, -3:] = FAME
    return rng.poisson(mean).astype(float)


def level_of(units: np.ndarray, **flags: np.ndarray) -> float:
    return float(settled(panel_of(units, **flags)).level[0])


def test_fame_that_never_lasted_does_not_last() -> None:
    assert USUAL * 0.7 < level_of(shop(lasting=False)) < USUAL * 2


def test_growth_that_always_lasted_is_left_to_the_models() -> None:
    assert np.isnan(level_of(shop(lasting=True)))


def test_without_cases_the_level_lies_between() -> None:
    assert USUAL * 1.5 < level_of(shop(lasting=False, past=0)) < FAME * 0.6


def test_only_those_that_jumped_are_moved() -> None:
    units = shop(lasting=False)
    units[1] = np.random.default_rng(1).poisson(USUAL, DAYS)
    found = settled(panel_of(units))
    assert np.isfinite(found.level[0])
    assert np.isnan(found.level[1])
    assert found.errors[0] > 0 == found.errors[1]


def test_an_item_back_after_a_year_is_compared_with_what_it_sold_then() -> None:
    units = shop(lasting=False)
    censored = np.zeros_like(units, dtype=bool)
    censored[0, 60:-3], units[0, 60:-3] = True, 0
    assert USUAL * 0.5 < level_of(units, is_censored=censored) < USUAL * 2.5


def test_what_comes_later_changes_nothing() -> None:
    units, cut = shop(lasting=False), DAYS - 40
    units[2, cut - 70 : cut - 4], units[2, cut - 4 : cut] = USUAL, FAME
    scrambled = units.copy()
    scrambled[:, cut:] = np.random.default_rng(2).poisson(90.0, (len(units), 40))
    before, after = (settled(panel_of(u).until(cut)) for u in (units, scrambled))
    np.testing.assert_array_equal(before.level, after.level)
    assert before.error == after.error
    assert np.isfinite(before.level[2])


@pytest.mark.parametrize("panel", [panel_of(shop(lasting=False)[:, :100], period_days=7), panel_of(np.zeros((2, 9)))])
def test_weeks_and_young_shops_have_none(panel: Panel) -> None:
    assert np.isnan(settled(panel).level).all()


def test_means_are_cut_to_the_level_and_never_raised() -> None:
    level = Settled(np.array([10.0, 10.0, np.nan]), 0.3)
    mean = np.array([500.0, 4.0, 500.0])[:, None] * np.linspace(0.5, 1.5, 28)[None, :]
    made, cut = tempered(mean, level, 2 * np.ones((3, 28)))
    assert cut.tolist() == [True, False, False]
    np.testing.assert_allclose(made[0], 20 * np.linspace(0.5, 1.5, 28))
    np.testing.assert_array_equal(made[1:], mean[1:])


def ladder_of(units: np.ndarray) -> Ladder:
    panel = panel_of(units)
    rows, config = np.arange(panel.n_series), ForecastConfig()
    inputs = Inputs(panel, rows, no_tables(), np.full((len(rows), DAYS + 28), np.nan, dtype=np.float32))
    made = {CONTROL: control_forecast(panel, horizon=28, weeks=8)}
    alone = {ALL: Choice(ALL, {CONTROL: 1.0}, 1.0, CONTROL, CONTROL, 0.0, False, {CONTROL: 1.0})}
    return published(inputs, panel, made, np.full(len(rows), "smooth"), alone, config=config)


def test_a_published_forecast_says_that_a_jump_settles() -> None:
    units = shop(lasting=False)
    units[0, 60:-3] = np.nan  # nothing but its three days of fame is in the control's memory
    units[0, :60] = np.random.default_rng(4).poisson(USUAL, 60)
    units[1, :-10] = np.nan  # a launch has a curve of its own
    units[1, -10:] = 50
    found = ladder_of(units)
    assert found.mean[0].mean() < USUAL * 2.5
    assert "jump_settles" in found.reason[0]
    assert "jump_settles" not in found.reason[1]
    assert found.mean[1].mean() > 10
    assert found.level[0] <= 1
