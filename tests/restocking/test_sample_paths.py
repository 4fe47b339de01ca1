"""Sample paths have the distributions they were told to have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from restocking.sample_paths import PROBABILITIES, PathSampler, calibrate_totals, draw_lead_times

PERIODS, PATHS = 8, 400


def normal_quantiles(mean, sd, *, periods=PERIODS):
    levels = np.maximum(np.array(mean)[:, None] + np.array(sd)[:, None] * norm.ppf(PROBABILITIES), 0.0)
    return np.repeat(levels[None], periods, axis=0)


def draw(quantiles, *, correlation=0.0, scale=1.0, seed=5):
    n = quantiles.shape[1]
    sampler = PathSampler(PATHS, len(quantiles), seed)
    return sampler.draw(quantiles, correlation=np.full(n, correlation), scale=np.full(n, scale))


def test_each_period_has_the_forecast_distribution():
    paths = draw(normal_quantiles([50.0, 20.0], [5.0, 4.0]))
    for series, (mean, sd) in enumerate([(50, 5), (20, 4)]):
        for q in (0.1, 0.5, 0.9, 0.99):
            found = np.quantile(paths[:, series, :], q, axis=1, method="hazen")
            assert found == pytest.approx(mean + sd * norm.ppf(q), abs=0.06 * sd)


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.8])
def test_neighbouring_periods_are_correlated_as_told(correlation):
    paths = draw(normal_quantiles([50.0], [5.0]), correlation=correlation)
    found = np.mean([np.corrcoef(paths[t, 0], paths[t + 1, 0])[0, 1] for t in range(PERIODS - 1)])
    assert found == pytest.approx(correlation, abs=0.08)


def test_the_tail_is_exponential_beyond_the_last_quantile():
    quantiles = np.zeros((1, 1, len(PROBABILITIES)))
    quantiles[0, 0, -3:] = [10.0, 13.0, 20.0]
    paths = PathSampler(2000, 1, 1).draw(quantiles, correlation=np.zeros(1), scale=np.ones(1))
    expected = 20 + (20 - 10) / np.log(5) * np.log(0.01 / (1 - 0.99975))
    assert paths.max() == pytest.approx(expected)


def test_scale_multiplies_every_path():
    quantiles = normal_quantiles([50.0], [5.0])
    assert draw(quantiles, scale=1.5) == pytest.approx(1.5 * draw(quantiles))


def test_paths_do_not_depend_on_the_other_series_or_the_horizon():
    both = draw(normal_quantiles([50.0, 20.0], [5.0, 4.0]))
    alone = draw(normal_quantiles([20.0], [4.0]))
    longer = PathSampler(PATHS, 20, 5).draw(normal_quantiles([20.0], [4.0]), correlation=np.zeros(1), scale=np.ones(1))
    assert both[:, 1] == pytest.approx(alone[:, 0])
    assert longer == pytest.approx(alone)


def test_the_same_seed_gives_the_same_paths_and_another_seed_others():
    quantiles = normal_quantiles([50.0], [5.0])
    assert (draw(quantiles) == draw(quantiles)).all()
    assert (draw(quantiles, seed=6) != draw(quantiles)).any()


@given(window=st.integers(1, PERIODS), mean=st.floats(1, 100), sd=st.floats(0.1, 30))
def test_totals_get_the_stated_distribution(window, mean, sd):
    paths = draw(normal_quantiles([7.0], [3.0]))
    total = np.maximum(mean + sd * norm.ppf(PROBABILITIES), 0.0)[None]
    fitted = calibrate_totals(
        paths,
        window=np.full((1, PATHS), window),
        quantiles=total,
        mean=np.full((PERIODS, 1), 7.0),
        known=np.array([True]),
    )
    found = fitted[:window].sum(axis=0)[0]
    for q, level in zip(PROBABILITIES, total[0], strict=True):
        if level > 0:
            assert (found <= level + 1e-9).mean() == pytest.approx(q, abs=2 / PATHS)
    assert (fitted[window:] == paths[window:]).all()


def test_a_path_that_sold_nothing_gets_its_total_in_the_shape_of_the_mean():
    fitted = calibrate_totals(
        np.zeros((2, 1, 4)),
        window=np.full((1, 4), 2),
        quantiles=np.full((1, len(PROBABILITIES)), 8.0),
        mean=np.array([[1.0], [3.0]]),
        known=np.array([True]),
    )
    assert fitted[:, 0, -1].tolist() == [2.0, 6.0]


def test_unknown_totals_leave_the_paths_alone():
    paths = draw(normal_quantiles([7.0], [3.0]))
    same = calibrate_totals(
        paths,
        window=np.full((1, PATHS), 3),
        quantiles=np.zeros((1, len(PROBABILITIES))),
        mean=np.ones((PERIODS, 1)),
        known=np.array([False]),
    )
    assert (same == paths).all()


def test_lead_times_spread_as_told_and_weeks_are_rounded_up():
    days = draw_lead_times(np.array([14.0]), np.array([3.0]), period_days=1, n_paths=2000, seed=1)
    assert days.mean() == pytest.approx(14, abs=0.1)
    assert days.std() == pytest.approx(3, rel=0.1)
    assert days.min() >= 8
    assert days.max() <= 20
    weeks = draw_lead_times(np.array([14.0]), np.array([3.0]), period_days=7, n_paths=2000, seed=1)
    assert set(np.unique(weeks)) == {2, 3}
