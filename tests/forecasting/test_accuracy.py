"""Tables for reports: figures by hand, and sums that fit."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from forecast_shops import panel_of, shop_units

from forecasting.accuracy import accuracy_table, confidence, horizons, series_errors, with_confidence
from forecasting.backtest import Trial
from forecasting.hierarchy import bottom_up
from forecasting.intervals import LEVELS
from forecasting.models import CONTROL
from forecasting.segments import demand_classes
from forecasting.selection import ALL, Choice, Window


def trial_of(actual: np.ndarray, control: np.ndarray) -> Trial:
    past = panel_of(shop_units(len(actual), 60))
    forecasts = {CONTROL: control.astype(np.float32)}
    window = Window(forecasts, actual.astype(np.float32), np.ones(len(actual)), [])
    return Trial(60, past, forecasts, actual, np.full_like(actual, np.nan), actual, np.full(len(actual), 4.0), window)


CHOICES = {ALL: Choice(ALL, {CONTROL: 1.0}, 1.0, CONTROL, "imapa", 0.1, False, {})}


def test_figures_by_hand() -> None:
    actual = np.array([[2.0, 4.0, 2.0, 4.0], [0.0, np.nan, 4.0, 0.0]])
    mean, control = np.full((2, 4), 3.0, dtype=np.float32), np.full((2, 4), 1.0)
    values = np.repeat(mean[:, :, None], len(LEVELS), axis=2).astype(float)
    table = accuracy_table(trial_of(actual, control), mean, values, np.array(["smooth", "lumpy"]), CHOICES)
    total = table.filter((pl.col("segment") == "total") & (pl.col("horizon") == "1-4")).row(0, named=True)
    assert total["n_series"] == 2
    assert total["wape"] == pytest.approx((4 + 7) / 16)
    assert total["bias"] == pytest.approx((21 - 16) / 16)
    assert total["value_added"] == pytest.approx(1 - (11 / 16) / ((8 + 5) / 16))
    assert total["rmsse"] == pytest.approx((np.sqrt(1 / 4) + np.sqrt(19 / 3 / 4)) / 2)
    assert total["coverage_80"] == 0
    assert table.height == 3 * len(horizons(4))


def test_horizons_cover_the_window_once() -> None:
    for length in (1, 2, 3, 4, 13, 28, 91):
        *parts, whole = horizons(length)
        assert whole == (1, length)
        covered = [h for a, b in parts for h in range(a, b + 1)]
        assert covered == list(range(1, length + 1)) or not parts


def test_series_errors_and_confidence() -> None:
    actual = np.array([[2.0, 2.0], [0.0, 0.0], [1.0, 1.0]])
    mean = np.array([[2.0, 3.0], [1.0, 1.0], [4.0, 4.0]], dtype=np.float32)
    trial = trial_of(actual, mean)
    keys = trial.past.keys
    table = with_confidence(keys, series_errors(keys, trial, mean, n_windows=2), np.array([0, 0, 0]))
    assert table["wape"].to_list() == [0.25, None, 3.0]
    assert table["bias"].to_list() == [0.25, None, 3.0]
    assert table["confidence"].to_list() == ["high", "medium", "low"]


def test_a_series_that_was_never_judged_is_trusted_as_its_rung_is() -> None:
    keys = trial_of(np.ones((2, 2)), np.ones((2, 2))).past.keys
    errors = series_errors(keys[:1], None, None, n_windows=0)
    table = with_confidence(keys, errors, np.array([0, 3]))
    assert table["n_windows"].to_list() == [0, 0]
    assert table["confidence"].to_list() == ["medium", "low"]


def test_a_fallback_is_never_trusted_highly() -> None:
    assert confidence(np.array([0.1]), np.array([0.0]), np.array([2])) == ["low"]


def test_a_series_exactly_at_the_limits_is_trusted_and_one_just_beyond_is_not() -> None:
    error, tilt = np.array([0.5, 0.501, 0.5, 0.5]), np.array([0.25, 0.25, -0.25, 0.251])
    found = confidence(error, tilt, np.ones(4, dtype=np.int64))
    assert found == ["high", "medium", "high", "medium"]


def test_a_series_exactly_at_the_limits_of_distrust_is_medium() -> None:
    error, tilt = np.array([1.2, 1.3, 1.3, 0.75, 0.751]), np.array([1.1, 0.75, 0.751, -0.75, -0.751])
    found = confidence(error, tilt, np.zeros(5, dtype=np.int64))
    assert found == ["medium", "medium", "low", "medium", "low"]


def test_what_sold_many_times_its_forecast_is_not_trusted() -> None:
    error, tilt = np.array([0.99, 0.7]), np.array([-0.99, -0.7])
    assert confidence(error, tilt, np.zeros(2, dtype=np.int64)) == ["low", "medium"]


def test_classes_by_size_and_interval() -> None:
    rng = np.random.default_rng(0)
    units = np.zeros((6, 120))
    units[0] = 5
    units[1] = np.where(rng.random(120) < 0.5, 1, 30)
    units[2, ::5] = 4
    units[3, ::5] = np.where(rng.random(24) < 0.5, 1, 40)
    units[4, :110] = np.nan
    units[4, 110:] = 1
    found = demand_classes(panel_of(units), new_periods=28, dead_periods=100)
    assert found.tolist() == ["smooth", "erratic", "intermittent", "lumpy", "new", "dead"]


def test_sums_over_levels_are_coherent() -> None:
    keys = pl.DataFrame(
        {"sku": ["a", "b", "c"], "location_id": ["x", "x", "y"], "category": ["k", "l", "k"], "ip": ["i", None, "i"]}
    )
    forecasts = keys.select("sku", "location_id", ds=pl.lit(date(2026, 6, 29)), mean=pl.Series([1.0, 2.0, 4.0]))
    table = bottom_up(forecasts, keys)
    for level in ("total", "location_id", "category", "ip", "location_id/category"):
        assert table.filter(pl.col("level") == level)["mean"].sum() == pytest.approx(7)
    assert table.filter((pl.col("level") == "location_id") & (pl.col("node") == "x"))["mean"].item() == 3
