"""Metrics against figures worked by hand and a brute-force oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from forecasting.metrics import bias, coverage, pinball, randomised_pit, rmsse, scale, wape, wrmsse


def test_wape_and_bias_leave_unknown_cells_out() -> None:
    actual, forecast = np.array([2.0, np.nan, 4.0]), np.array([3.0, 100.0, 2.0])
    assert wape(actual, forecast) == pytest.approx(3 / 6)
    assert bias(actual, forecast) == pytest.approx(-1 / 6)


def test_wape_of_nothing_sold_is_not_a_number() -> None:
    assert np.isnan(wape(np.zeros(3), np.ones(3)))
    assert np.isnan(bias(np.array([np.nan]), np.ones(1)))


def test_scale_starts_with_the_first_period_on_sale() -> None:
    assert scale(np.array([[np.nan, np.nan, 1.0, 4.0, 0.0]])).tolist() == [(9 + 16) / 2]


def test_wrmsse_worked_by_hand() -> None:
    """Two items, two levels. Bottom: RMSSE 2 (weight 3/4) and 1 (1/4) = 1.75. Top: the totals are 1, 3, 2, 4."""
    history = np.array([[1.0, 2.0, 1.0, 2.0], [0.0, 1.0, 1.0, 2.0]])  # squared steps 1,1,1 and 1,0,1
    actual, forecast = np.array([[2.0], [1.0]]), np.array([[4.0], [1.0 + np.sqrt(2 / 3)]])
    levels = [np.array([0, 0]), np.array([0, 1])]
    value, by_level = wrmsse(history, actual, forecast, np.array([3.0, 1.0]), levels)
    top_scale = np.mean(np.diff([1.0, 3.0, 2.0, 4.0]) ** 2)
    top = (2 + np.sqrt(2 / 3)) / np.sqrt(top_scale)
    assert by_level == pytest.approx([top, 0.75 * 2 + 0.25 * 1])
    assert value == pytest.approx((top + 1.75) / 2)


def test_wrmsse_of_a_perfect_forecast_is_zero() -> None:
    rng = np.random.default_rng(0)
    history, actual = rng.poisson(2, (6, 20)).astype(float), rng.poisson(2, (6, 4)).astype(float)
    value, _ = wrmsse(history, actual, actual, np.ones(6), [np.zeros(6, dtype=int), np.arange(6), np.arange(6) // 2])
    assert value == 0


def test_wrmsse_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    history, actual = rng.poisson(2, (6, 30)).astype(float), rng.poisson(2, (6, 4)).astype(float)
    history[2, :10] = np.nan
    forecast, revenue, node = rng.gamma(2, 1, (6, 4)), rng.random(6) + 0.1, np.array([0, 1, 2, 2, 1, 0])
    expected = 0.0
    for k in range(3):
        rows = np.flatnonzero(node == k)
        summed = np.nansum(history[rows], axis=0)
        start = min(int(np.argmax(~np.isnan(history[r]))) for r in rows)
        error = np.sqrt(
            np.mean((forecast[rows].sum(0) - actual[rows].sum(0)) ** 2) / np.mean(np.diff(summed[start:]) ** 2)
        )
        expected += revenue[rows].sum() / revenue.sum() * error
    assert wrmsse(history, actual, forecast, revenue, [node])[0] == pytest.approx(expected)


def test_rmsse_has_no_value_without_a_scale() -> None:
    values = rmsse(np.array([[1.0], [np.nan]]), np.array([[2.0], [2.0]]), np.array([0.0, 1.0]))
    assert np.isnan(values).all()


@given(st.floats(0.01, 0.99), st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_pinball_is_lowest_at_the_quantile(level: float, values: list[float]) -> None:
    actual = np.array(values)
    best = np.quantile(actual, level, method="inverted_cdf")
    at_best = pinball(actual, {level: np.full(len(actual), best)})
    for other in (best - 1, best + 1):
        assert at_best <= pinball(actual, {level: np.full(len(actual), other)}) + 1e-9


def test_coverage_counts_both_ends() -> None:
    assert coverage(np.array([1.0, 2.0, 3.0, np.nan]), np.full(4, 1.0), np.full(4, 2.0)) == pytest.approx(2 / 3)


def test_randomised_pit_is_the_level_for_counts() -> None:
    rng = np.random.default_rng(5)
    actual = rng.poisson(0.7, 200_000).astype(float)
    for level in (0.5, 0.8, 0.95):
        quantile = np.full(len(actual), stats.poisson.ppf(level, 0.7))
        below, equal = stats.poisson.cdf(quantile[0] - 1, 0.7), stats.poisson.pmf(quantile[0], 0.7)
        assert randomised_pit(actual, quantile, rng.random(len(actual))) == pytest.approx(below + equal / 2, abs=0.005)
