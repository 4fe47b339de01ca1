"""Attention series of other makes run unchanged: titles before release, weekly scores, sparse and short ones."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from benchmarks.trend_attention import TOLD, attention_series, early_warning
from trends.bursts import State
from trends.config import TrendConfig
from trends.heat import heat_of
from trends.signals import Cube

CONFIG = TrendConfig()


@pytest.fixture(scope="module")
def titles():
    return attention_series(seed=77, n_titles=400, n_days=240)


def test_alerts_come_before_the_peak_and_early_heat_ranks_later_attention(titles):
    found = early_warning(titles, config=CONFIG)
    assert found.before_peak >= 0.7
    assert found.median_days_before_peak >= 3
    assert found.rank_with_heat > found.rank_yesterday


@pytest.mark.parametrize(
    ("told", "least"),
    [
        ("15% of days missing", 0.7),
        ("listed a month before", 0.5),
        ("levels up to a million", 0.7),
        ("one day's figure a week", 0.5),
        ("one score a week (its mean)", 0.8),
    ],
)
def test_gaps_late_listings_uneven_levels_and_weekly_figures_change_little(titles, told, least):
    other = replace(titles, cube=replace(titles.cube, values=TOLD[told](titles)[..., :200]))
    other = replace(other, cube=replace(other.cube, series=titles.cube.series[:200]), release=titles.release[:200])
    found = early_warning(other, config=CONFIG)
    assert found.before_peak >= least
    assert found.rank_with_heat > found.rank_yesterday


def weekly(values, first=20_000):
    n_days, n = values.shape
    frame = np.full((n_days * 7, 1, n), np.nan, dtype=np.float32)
    frame[::7, 0] = values
    names = [f"t{i:03d}" for i in range(n)]
    series = pl.DataFrame({"element_type": ["ip"] * n, "element": names, "region": ["*"] * n})
    return Cube(frame, series, pl.DataFrame({"source": ["forum"], "metric": ["score"]}), first)


def test_weekly_scores_have_levels_and_alarm():
    rng = np.random.default_rng(4)
    values = rng.poisson(300, (60, 20)).astype(np.float32)
    values[40:46, 0] *= 3
    heat = heat_of(weekly(values), config=CONFIG)
    assert not heat.is_stale[-1].any()
    began = np.flatnonzero(heat.state[:, 0] == State.RISING)
    assert began[0] == 40 * 7  # each figure is a week's: one that stands out will do
    quiet = (heat.state[:, 1:] != State.QUIET).any(axis=0).mean()
    assert quiet <= 0.2
    assert heat.heat[41 * 7, 0] == pytest.approx(np.log(3), abs=0.3)


def test_sparse_counts_neither_alarm_nor_break():
    rng = np.random.default_rng(5)
    cube = weekly(np.zeros((1, 30)))
    counts = rng.poisson(0.15, (240, 1, 30)).astype(np.float32)
    heat = heat_of(Cube(counts, cube.series, cube.metrics, 20_000), config=CONFIG)
    assert np.isfinite(heat.heat).all()
    # 2.3 quarters: a fifth of an alarm each, one is allowed
    assert (heat.state != State.QUIET).any(axis=0).mean() <= 0.4


@pytest.mark.parametrize("n_days", [1, 6, 20])
def test_a_short_history_is_quiet_and_finite(n_days):
    rng = np.random.default_rng(6)
    cube = weekly(np.zeros((1, 10)))
    values = rng.poisson(50, (n_days, 1, 10)).astype(np.float32)
    heat = heat_of(Cube(values, cube.series, cube.metrics, 20_000), config=CONFIG)
    assert np.isfinite(heat.score).all()
    assert (heat.state == State.QUIET).all()


def test_two_years_of_many_series_take_seconds_not_minutes():
    """A tenth of the stated 100,000 series against the plain numpy work of the same size in the same run."""
    rng = np.random.default_rng(7)
    n_days, n = 730, 4_000
    values = rng.poisson(40, (n_days, 1, n)).astype(np.float32)
    names = pl.DataFrame({"element_type": ["ip"] * n, "element": [str(i) for i in range(n)], "region": ["*"] * n})
    cube = Cube(values, names, pl.DataFrame({"source": ["s"], "metric": ["m"]}), 20_000)
    started = time.process_time()
    for day in range(n_days):
        np.log(np.sort(values[max(0, day - 7) : day + 1, 0], axis=0) + 1)
    plain = time.process_time() - started
    started = time.process_time()
    heat_of(cube, config=CONFIG)
    assert time.process_time() - started < 20 * max(plain, 0.05)
