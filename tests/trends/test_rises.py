"""Rises of the last days against the weeks before: quick, and not fooled by one day or one source."""

from __future__ import annotations

import numpy as np
import pytest

from trends.config import TrendConfig
from trends.rises import Rises
from trends.sampled import median_of, ordered, spread_of

CONFIG = TrendConfig()
N = 60


def risen_days(change, *, sources=3, days=120, seed=2):
    """Return the days on which the first series has risen; ``change`` adds to its log ratios (n_days, n_sources)."""
    rng = np.random.default_rng(seed)
    ratios = rng.normal(0, 0.1, (days, sources, N)).astype(np.float32)
    change(ratios[:, :, 0])
    rises = Rises(CONFIG, sources, N)
    return [day for day in range(days) if rises.after(ratios[day], np.zeros_like(ratios[day]))[0]]


def ramp(values, *, first=90, per_day=0.08, sources=slice(None)):
    n = len(values) - first
    values[first:, sources] += per_day * np.arange(n)[:, None] if values[first:, sources].ndim == 2 else 0


@pytest.mark.parametrize("sources", [1, 3])
def test_a_ramp_of_eight_percent_a_day_is_seen_within_a_week(sources):
    days = risen_days(ramp, sources=sources)
    assert days
    assert 90 < days[0] <= 96 or days[0] < 90  # noise may come first, it is no proof of the ramp
    assert any(90 <= day <= 96 for day in days)


def test_a_spike_of_one_day_raises_nothing():
    quiet = risen_days(lambda v: None)
    spiked = risen_days(lambda v: v.__setitem__(100, v[100] + 2.0))
    assert [d for d in spiked if 100 <= d <= 107] == [d for d in quiet if 100 <= d <= 107] == []


def test_one_source_that_doubles_raises_nothing():
    def doubled(values):
        values[90:, 0] += np.log(2)

    assert [d for d in risen_days(doubled) if d >= 90] == []


@pytest.mark.parametrize(("others", "is_seen"), [(0.5, False), (1.5, True)])
def test_the_others_must_show_a_part_of_what_the_loudest_shows(others, is_seen):
    def uneven(values):
        values[90:, 0] += 3.0
        values[90:, 1:] += others

    assert any(90 <= d <= 100 for d in risen_days(uneven)) == is_seen


def test_noise_hardly_rises():
    rng = np.random.default_rng(9)
    rises = Rises(CONFIG, 3, 300)
    none = np.zeros((3, 300), np.float32)
    n = sum(int(rises.after(rng.normal(0, 0.1, (3, 300)).astype(np.float32), none).sum()) for _ in range(150))
    assert n / (300 * 115) < 0.01


def test_medians_of_a_sample_and_of_few_rows():
    values = np.random.default_rng(1).normal(3, 2, 50_000).astype(np.float32)
    assert median_of(values, at_least=8) == pytest.approx(3, abs=0.15)
    assert spread_of(values, at_least=8) == pytest.approx(4, rel=0.1)
    assert median_of(np.array([1.0, np.nan], np.float32), at_least=2) is None
    rows = np.random.default_rng(2).normal(size=(7, 40)).astype(np.float32)
    np.testing.assert_array_equal(np.stack(ordered(list(rows))), np.sort(rows, axis=0))
