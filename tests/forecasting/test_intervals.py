"""Distributions: ordered, finite, right where the truth is known, and calibrated by earlier windows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from forecast_shops import panel_of, shop_units
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from forecasting.intervals import (
    LEVELS,
    Calibration,
    calibrate,
    dispersions,
    dither_of,
    halves,
    pit,
    quantiles,
    unit_step,
)
from forecasting.metrics import randomised_pit

PLAIN = Calibration({}, np.array(LEVELS), {})


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_quantiles_are_finite_ordered_and_not_negative(means: list[float], dispersion: float) -> None:
    mean = np.array(means)
    values = quantiles(mean, np.full(len(mean), dispersion), np.array(["smooth"] * len(mean)), PLAIN)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values, axis=1) >= 0).all()


@pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 0.5), (4.0, 0.2), (12.0, 1.5)])
def test_small_means_get_negative_binomial_quantiles(mean: float, dispersion: float) -> None:
    values = quantiles(np.array([mean]), np.array([dispersion]), np.array(["smooth"]), PLAIN)[0]
    size = 1 / dispersion
    exact = stats.nbinom.ppf(LEVELS, size, size / (size + mean))
    assert np.abs(values - exact).max() <= max(1, 0.06 * exact.max())  # the table rounds mean and dispersion


def test_large_means_get_gamma_quantiles() -> None:
    values = quantiles(np.array([500.0]), np.array([0.1]), np.array(["smooth"]), PLAIN)[0]
    shape = 1 / (0.1 + 1 / 500)
    assert values == pytest.approx(stats.gamma.ppf(LEVELS, shape, scale=500 / shape), rel=0.005)


def test_transforms_are_uniform_where_the_forecast_is_right() -> None:
    rng = np.random.default_rng(0)
    mean, size = np.full(20_000, 2.0), 2.0
    actual = rng.negative_binomial(size, size / (size + 2.0), 20_000)
    values = pit(actual, mean, np.full(20_000, 1 / size), rng.random(20_000))
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_calibration_repairs_a_wrong_spread() -> None:
    """Forecasts that claim Poisson for overdispersed demand are read at other levels until they are right."""
    rng = np.random.default_rng(1)
    mean, size, n = 6.0, 1.5, 30_000
    past, future = (rng.negative_binomial(size, size / (size + mean), n).astype(float) for _ in range(2))
    transforms = pit(past, np.full(n, mean), np.zeros(n), rng.random(n))
    names = np.array(["smooth"] * n)
    fitted = calibrate(transforms, names, np.full(n, 3), min_cases=100)
    values = quantiles(np.full(1, mean), np.zeros(1), names[:1], fitted)[0]
    plain = quantiles(np.full(1, mean), np.zeros(1), names[:1], PLAIN)[0]
    for level in (0.5, 0.8, 0.9):
        at = LEVELS.index(level)
        exact = stats.nbinom.ppf(level, size, size / (size + mean))
        assert abs(values[at] - exact) <= 1
    assert plain[LEVELS.index(0.95)] < np.quantile(future, 0.9)


def test_calibration_without_cases_changes_nothing() -> None:
    empty = calibrate(np.array([]), np.array([], dtype=str), np.array([], dtype=np.int64), min_cases=100)
    assert empty.of(("smooth", 0)).tolist() == list(LEVELS)


def test_dispersion_finds_overdispersion_and_shrinks_to_the_class() -> None:
    rng = np.random.default_rng(2)
    even = rng.poisson(5, (20, 200)).astype(float)
    wild = rng.negative_binomial(1, 1 / 6, (20, 200)).astype(float)
    found = dispersions(
        panel_of(np.vstack([even, wild])), np.array(["smooth"] * 20 + ["erratic"] * 20), prior_periods=20
    )
    assert found[:20].max() < 0.3
    assert 0.6 < np.median(found[20:]) < 1.6


@pytest.mark.parametrize(("days_ago", "counts"), [(250, True), (420, False)])
def test_dispersion_is_read_from_the_last_year_but_four_weeks(days_ago: int, counts: bool) -> None:
    units = np.random.default_rng(4).poisson(5, (20, 600)).astype(float)
    units[:, 600 - days_ago - 60 : 600 - days_ago : 3] *= 6
    found = dispersions(panel_of(units), np.array(["smooth"] * 20), prior_periods=20)
    assert (found.min() > 0.3) == counts


def test_dispersion_of_a_dead_series_is_its_class() -> None:
    units = shop_units(10, 120)
    units[0] = 0
    found = dispersions(panel_of(units), np.array(["smooth"] * 10), prior_periods=20)
    assert np.isfinite(found).all()


def test_unit_step_of_counts_is_one_and_of_fractions_smaller() -> None:
    assert unit_step(panel_of(np.full((2, 40), 3.0))) == 1
    assert unit_step(panel_of(np.full((2, 40), 0.37))) < 0.1


@pytest.mark.parametrize(("mean", "dispersion"), [(0.6, 0.5), (1.5, 1.0), (8.0, 0.3)])
def test_halves_hold_their_levels_over_many_slow_sellers(mean: float, dispersion: float) -> None:
    """Whole numbers cannot: of series that mostly sell nothing, a median of 0 leaves less than half below it."""
    rng = np.random.default_rng(5)
    n, size = 40_000, 1 / dispersion
    came = rng.negative_binomial(size, size / (size + mean), n).astype(float)
    found = quantiles(np.full(n, mean), np.full(n, dispersion), np.full(n, "lumpy"), PLAIN, jittered=True)
    assert (np.diff(found, axis=1) >= 0).all()
    keys = pl.DataFrame({"sku": [f"S{i:06d}" for i in range(n)], "location_id": ["main"] * n})
    published = halves(found, dither_of(keys))
    assert (published >= 0).all()
    assert (np.diff(published, axis=1) >= 0).all()
    assert (np.mod(2 * published, 1) == 0).all()
    for level in (0.5, 0.8, 0.9, 0.95):
        value = randomised_pit(came, published[:, LEVELS.index(level)], rng.random(n))
        assert value == pytest.approx(level, abs=0.02), level  # the table rounds mean and dispersion


def test_a_series_is_rounded_alike_whatever_else_is_in_the_shop() -> None:
    keys = pl.DataFrame({"sku": [f"S{i}" for i in range(2000)], "location_id": ["main", "web"] * 1000})
    dither = dither_of(keys)
    assert (dither_of(keys[700:]) == dither[700:]).all()
    assert stats.kstest(dither, "uniform").pvalue > 0.001
