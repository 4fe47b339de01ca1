"""Demand of stocked-out periods found again: planted truth, by flag and by share of the period."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demand.config import CensoringConfig
from demand.panel import Panel
from demand.recovery import recovered_demand, sold_by_share

CONFIG = CensoringConfig()


def recovered(units, share, out, *, season=7, ignored=None):
    n, t = units.shape
    keys = pl.DataFrame({"sku": [f"S{i:04d}" for i in range(n)], "location_id": ["main"] * n})
    panel = Panel(keys, np.full(n, -t), np.full(n, -1))
    shut = np.zeros(n * t, bool) if ignored is None else ignored.ravel()
    found, _ = recovered_demand(units.ravel(), share.ravel(), out.ravel(), shut, panel, config=CONFIG, season=season)
    return found.reshape(n, t)


def gamma_demand(shape, *, n=60, t=112, seed=4):
    return np.random.default_rng(seed).gamma(shape, 5.0 / shape, (n, t))


@pytest.mark.parametrize("shape", [0.8, 1.5, 4.0])
@pytest.mark.parametrize("quantile", [0.62, 0.68])
def test_the_mean_behind_capped_sales_is_found_from_a_flag(shape, quantile):
    true = gamma_demand(shape)
    cap = np.quantile(true, quantile, axis=1, keepdims=True)
    out = true > cap
    sold = np.minimum(true, cap)
    found = recovered(sold, np.where(out, np.nan, 1.0), out)
    assert 0.3 < out.mean() < 0.4
    assert abs(found.mean() / true.mean() - 1) < 0.1
    assert sold.mean() / true.mean() < 0.9
    assert np.where(out, np.nan, sold)[~out].mean() / true.mean() < 0.8  # masking makes it worse


def test_the_mean_is_found_from_the_share_of_the_day():
    rng = np.random.default_rng(5)
    true = rng.poisson(rng.gamma(4.0, 3.0, (80, 112))).astype(float)
    share = np.where(rng.random(true.shape) < 0.35, rng.uniform(0.2, 0.95, true.shape), 1.0)
    sold = rng.binomial(true.astype(int), share).astype(float)
    found = recovered(sold, share, share < 1)
    assert abs(found.mean() / true.mean() - 1) < 0.03
    assert sold.mean() / true.mean() < 0.88


def test_a_day_without_any_stock_gets_the_level():
    units = np.full((40, 70), 4.0)
    out = np.zeros(units.shape, bool)
    out[:, 60:63] = True
    units[out] = 0.0
    found = recovered(units, np.where(out, 0.0, 1.0), out)
    assert np.allclose(found[:, 60:63], 4.0, rtol=0.02)


def test_weekly_periods_too():
    true = gamma_demand(1.5, t=90, seed=8)
    cap = np.quantile(true, 0.65, axis=1, keepdims=True)
    out = true > cap
    found = recovered(np.minimum(true, cap), np.where(out, np.nan, 1.0), out, season=1)
    assert abs(found.mean() / true.mean() - 1) < 0.1


def test_what_is_in_stock_or_not_said_to_have_run_out_stays_as_it_sold():
    rng = np.random.default_rng(2)
    units = rng.poisson(2.0, (20, 80)).astype(float)
    out = rng.random(units.shape) < 0.2
    shut = rng.random(units.shape) < 0.1
    found = recovered(units, np.full(units.shape, np.nan), out, ignored=shut)
    assert np.array_equal(found[~out | shut], units[~out | shut])
    nothing = np.zeros(units.shape, bool)
    assert np.array_equal(recovered(units, np.full(units.shape, np.nan), nothing), units)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.05, 1.0, 4000.0]))
def test_recovered_demand_is_finite_and_never_below_sales(seed, scale):
    rng = np.random.default_rng(seed)
    units = rng.poisson(rng.gamma(0.5, 2.0, (8, 60))) * scale
    share = rng.choice([np.nan, 0.0, 0.3, 1.0], units.shape)
    out = rng.random(units.shape) < rng.random()
    found = recovered(units, share, out)
    assert np.isfinite(found).all()
    assert (found >= units).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), cutoff=st.integers(40, 69))
def test_levels_look_backwards_only(seed, cutoff):
    rng = np.random.default_rng(seed)
    units = rng.poisson(3.0, (10, 70)).astype(float)
    out = rng.random(units.shape) < 0.3
    share = np.where(out, np.nan, 1.0)
    later = units.copy()
    later[:, cutoff:] = rng.permutation(later[:, cutoff:] * 50)
    before, after = recovered(units, share, out), recovered(later, share, out)
    start = 28  # a launch's first four weeks count as one
    assert np.allclose(before[:, start:cutoff], after[:, start:cutoff])


def test_the_curve_of_early_sales_is_found():
    rng = np.random.default_rng(1)
    time_in = rng.uniform(0.05, 1.0, (200, 60))
    ran_out = rng.random(time_in.shape) < 0.4
    time_in[~ran_out] = 1.0
    sold = 5.0 * (1 - (1 - time_in) ** 2.0)
    curve, extra = sold_by_share(sold, time_in, ran_out, ~ran_out)
    assert abs(curve - 2.0) < 0.15
    assert abs(extra) < 0.05
    assert sold_by_share(5.0 * time_in, time_in, ran_out, ~ran_out)[0] == 1.0
    better = np.where(ran_out, 2.0, 1.0) * 5.0 * time_in
    assert sold_by_share(better, time_in, ran_out, ~ran_out)[1] > 0.35


def test_where_stock_runs_out_on_ordinary_days_they_are_filled_up_to_the_usual_and_no_more():
    rng = np.random.default_rng(3)
    time_in = np.where(rng.random((200, 70)) < 0.4, rng.uniform(0.3, 0.9, (200, 70)), 1.0)
    units = 5.0 * (1 - (1 - time_in) ** 2) * rng.uniform(0.8, 1.2, time_in.shape)
    found = recovered(units, time_in, time_in < 1)
    late = np.s_[:, 35:]
    assert abs(found[late].mean() / 5.0 - 1) < 0.03
    better = np.where(time_in < 1, units * 1.3, units)  # and on days that sell more, less is added
    again = recovered(better, time_in, time_in < 1)
    assert again[late].mean() / found[late].mean() < 1.1
