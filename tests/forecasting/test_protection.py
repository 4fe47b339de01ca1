"""Totals over the protection period against Monte Carlo, and paths that reproduce them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from forecasting.fitting import unshocked
from forecasting.intervals import LEVELS, Calibration, quantiles
from forecasting.protection import (
    Spans,
    copula,
    effective_dispersion,
    level_errors,
    protection_totals,
    quantile_curve,
    total_moments,
)

PLAIN = Calibration({}, np.array(LEVELS), {})
NAMES = np.array(["smooth"])


def spans(lead_time: float, sd: float = 0.0, review: float = 7.0, *, period_days: int = 1) -> Spans:
    return Spans(np.array([lead_time]), np.array([sd]), np.array([review]), period_days)


def totals_of(mean: np.ndarray, where: Spans, *, dispersion: float, level_error: float):
    return protection_totals(
        mean, where, dispersion=np.array([dispersion]), level_error=np.array([level_error]), classes=NAMES,
        calibration=PLAIN, reference=21,
    )  # fmt: skip


def test_lengths_of_the_protection_period() -> None:
    assert spans(14).fixed.tolist() == [21]
    assert spans(14, period_days=7).fixed.tolist() == [3]
    assert spans(10, period_days=7).fixed.tolist() == [3]  # L rounds up to whole weeks
    assert spans(0, review=1).fixed.tolist() == [1]
    assert (spans(2, sd=5).drawn >= 7).all()  # a lead time is never negative


def test_independent_periods_add_their_variances() -> None:
    mean, variance = total_moments(
        np.array([[2.0, 3.0, 4.0]]), np.array([0.5]), np.array([0.0]), np.array([2]), reference=28
    )
    assert mean.tolist() == [5.0]
    assert variance.tolist() == [5 + 0.5 * (4 + 9)]


def test_beyond_the_horizon_the_last_four_weeks_go_on() -> None:
    mean, _ = total_moments(np.full((1, 28), 2.0), np.zeros(1), np.zeros(1), np.array([40]), reference=28)
    assert mean.tolist() == [80.0]


def test_totals_match_a_simulation_with_random_lead_time_and_shared_level() -> None:
    rng = np.random.default_rng(0)
    daily, dispersion, level_error, draws = 3.0, 0.4, 0.06, 200_000
    found = totals_of(np.full((1, 60), daily), spans(14, 4), dispersion=dispersion, level_error=level_error)
    lengths = np.maximum(np.round(rng.normal(14, 4, draws)), 0).astype(int) + 7
    level = rng.gamma(1 / level_error, level_error, draws)
    # the sum of n independent NB(m, a) is NB(n m, a / n)
    size = lengths / dispersion
    simulated = rng.negative_binomial(size, size / (size + lengths * daily * level))
    assert found.mean[0] == pytest.approx(simulated.mean(), rel=0.01)
    assert found.variance[0] == pytest.approx(simulated.var(), rel=0.06)
    for level_of in (0.5, 0.8, 0.95):
        exact = np.quantile(simulated, level_of)
        assert found.quantiles[0, LEVELS.index(level_of)] == pytest.approx(exact, rel=0.05)


def test_the_total_is_narrower_than_summed_quantiles() -> None:
    mean = np.full((1, 21), 3.0)
    found = totals_of(mean, spans(14), dispersion=0.4, level_error=0.02)
    daily = quantiles(mean[0], np.full(21, 0.4), np.repeat(NAMES, 21), PLAIN)
    assert found.quantiles[0, LEVELS.index(0.95)] < 0.8 * daily[:, LEVELS.index(0.95)].sum()


def test_lead_time_spread_widens_the_total() -> None:
    mean = np.full((1, 60), 3.0)
    steady, spread = (totals_of(mean, spans(14, sd), dispersion=0.4, level_error=0.02) for sd in (0, 6))
    assert spread.quantiles[0, -1] > steady.quantiles[0, -1]
    assert spread.fixed_variance == steady.fixed_variance


def test_a_series_that_sells_nothing_has_totals_of_zero() -> None:
    found = totals_of(np.zeros((1, 28)), spans(14, 3), dispersion=0.4, level_error=0.02)
    assert found.mean[0] == 0
    assert (found.quantiles == 0).all()


def test_level_errors_are_found_again() -> None:
    rng = np.random.default_rng(1)
    n, true, mean, a = 20_000, 0.09, 40.0, 0.3
    level = rng.gamma(1 / true, true, n)
    size = 21 / a
    actual = rng.negative_binomial(size, size / (size + mean * level)).astype(float)
    found = level_errors(
        actual, np.full(n, mean), np.full(n, mean**2 / 21), np.full(n, a), np.array(["smooth"] * n), np.ones(n)
    )
    assert found["smooth"] == pytest.approx(true, rel=0.12)


@pytest.mark.parametrize(("daily", "dispersion", "level_error"), [(0.2, 0.8, 0.1), (3.0, 0.3, 0.05), (60.0, 0.1, 0.02)])
def test_paths_drawn_from_the_quantiles_have_the_totals_moments(
    daily: float, dispersion: float, level_error: float
) -> None:
    """The rule that restocking follows: z AR(1), y = scale * Q(Phi(z)), summed over L + R."""
    mean = np.full((1, 28), daily)
    where = spans(14)
    found = totals_of(mean, where, dispersion=dispersion, level_error=level_error)
    marginals = quantiles(mean[0], np.full(28, dispersion), np.repeat(NAMES, 28), PLAIN)[None]
    correlation, scale = copula(marginals, found, where.fixed)
    rng = np.random.default_rng(2)
    draws, rho = 40_000, correlation[0]
    z = rng.standard_normal(draws)
    total = np.zeros(draws)
    for day in range(21):
        total += quantile_curve(marginals[0, day][None, :], stats.norm.cdf(z))[0]
        z = rho * z + np.sqrt(1 - rho**2) * rng.standard_normal(draws)
    total *= scale[0]
    assert 0 <= rho < 1
    assert total.mean() == pytest.approx(found.fixed_mean[0], rel=0.03)
    assert total.std() == pytest.approx(np.sqrt(found.fixed_variance[0]), rel=0.06)


@settings(max_examples=50)
@given(
    st.floats(0, 1e5), st.floats(0, 60), st.floats(0, 4), st.floats(0, 400), st.floats(0, 60), st.integers(1, 60),
)  # fmt: skip
def test_totals_and_paths_are_always_sound(
    daily: float, dispersion: float, level_error: float, lead_time: float, sd: float, horizon: int
) -> None:
    mean = np.full((1, horizon), daily)
    where = spans(lead_time, sd)
    found = totals_of(mean, where, dispersion=dispersion, level_error=level_error)
    assert np.isfinite(found.quantiles).all()
    assert (np.diff(found.quantiles, axis=1) >= 0).all()
    assert (found.quantiles >= 0).all()
    marginals = quantiles(mean[0], np.full(horizon, dispersion), np.repeat(NAMES, horizon), PLAIN)[None]
    correlation, scale = copula(marginals, found, where.fixed)
    assert 0 <= correlation[0] <= 1
    assert 0 <= scale[0] < np.inf


def test_effective_dispersion_has_the_moments() -> None:
    a = effective_dispersion(np.array([10.0, 0.0]), np.array([60.0, 0.0]))
    assert a.tolist() == [0.5, 0.0]


def test_three_tenths_of_what_a_whole_class_was_off_by_are_taken_away_and_a_few_units_prove_nothing() -> None:
    classes = np.array(["smooth"] * 50 + ["lumpy"] + ["erratic"])
    mean = np.full((52, 20), 100.0, dtype=np.float32)
    mean[50] = 0.1
    actual = np.where(classes[:, None] == "smooth", 80.0, 9.0 * mean)
    actual[0, 0] = np.nan
    found = unshocked(actual, mean, classes)
    assert found[:50] == pytest.approx(100 * 0.8**0.3, rel=0.001)
    assert found[50] == pytest.approx(0.1, rel=0.06)  # 18 units in all
    assert found[51] == pytest.approx(100 * 1.5**0.3, rel=0.001)  # no further than half as much again
