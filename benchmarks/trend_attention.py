"""Attention to anime titles, a stand-in for daily counts over eight months: what early heat says of what comes.

Run ``python -m benchmarks.trend_attention [SEED ...]``. Titles are made as such series look: heavy-tailed levels, many
zeros, weekly rhythm, common ups and downs, a third of them known before release, with a rise that begins weeks before
the premiere, peaks on it and fades; some titles stay flat, some are dropped. Nothing of the generator is known to the
room, which runs on it unchanged. The real series are not in this repository: the figures are of the stand-in.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from trends.bursts import State
from trends.config import TrendConfig
from trends.heat import heat_of
from trends.signals import Cube

__all__ = ["EarlyWarning", "Titles", "attention_series", "early_warning"]

_FIRST_DAY = 20_000
_AHEAD = 28  # days later on which attention is ranked


@dataclass(frozen=True)
class Titles:
    """Daily counts of titles, and where each one's attention peaks by the truth."""

    cube: Cube
    release: np.ndarray  # type: ignore[type-arg]  # (n_titles,) day of the premiere, -1 none in the window


@dataclass(frozen=True)
class EarlyWarning:
    """What was seen early.

    Attributes:
        n_peaks: titles with a premiere inside the window, early enough to be judged.
        before_peak: share of them that alarmed within eight weeks before the peak day, or on it.
        median_days_before_peak: of those.
        rank_yesterday: Spearman correlation of yesterday's count with the mean of the week four weeks later.
        rank_with_heat: likewise of the week's level times what heat and growth add to it.
    """

    n_peaks: int
    before_peak: float
    median_days_before_peak: float
    rank_yesterday: float
    rank_with_heat: float


def attention_series(*, seed: int, n_titles: int = 1400, n_days: int = 240) -> Titles:
    """Return a made-up crowd of titles."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(2.5, 1.6, n_titles))
    days = np.arange(n_days)
    release = np.where(rng.random(n_titles) < 0.3, rng.integers(75, n_days - 10, n_titles), -1)
    log = np.cumsum(rng.normal(0, 0.02, (n_days, n_titles)), axis=0)
    for title in np.flatnonzero(release >= 0):
        height, build = rng.gamma(2.0, 0.6), rng.uniform(10, 40)
        before = np.clip((days - release[title] + build) / build, 0, 1) ** 2
        after = np.where(days > release[title], np.exp(-(days - release[title]) / rng.uniform(15, 60)), 1.0)
        log[:, title] += height * before * after
    rhythm = np.array([0.9, 0.9, 0.95, 1.0, 1.05, 1.15, 1.1])[days % 7]
    common = np.exp(np.cumsum(rng.normal(0, 0.03, n_days)))
    mean = level * np.exp(log) * (rhythm * common)[:, None]
    counts = rng.poisson(rng.gamma(8.0, 1 / 8.0, mean.shape) * mean).astype(np.float32)
    names = pl.DataFrame(
        {
            "element_type": ["ip"] * n_titles,
            "element": [f"t{i:04d}" for i in range(n_titles)],
            "region": ["*"] * n_titles,
        }
    )
    metrics = pl.DataFrame({"source": ["tracker"], "metric": ["members"]})
    return Titles(Cube(counts[:, None, :], names, metrics, _FIRST_DAY), release)


def early_warning(titles: Titles, *, config: TrendConfig) -> EarlyWarning:
    """Return how early and how well the room saw what came."""
    counts = titles.cube.values[:, 0, :]
    heat = heat_of(titles.cube, config=config)
    begins = (heat.state[1:] != State.QUIET) & (heat.state[:-1] == State.QUIET)
    judged = leads = 0
    days_before: list[int] = []
    weekly = np.stack([counts[max(0, d - 6) : d + 1].mean(axis=0) for d in range(len(counts))])
    for title in np.flatnonzero(titles.release >= 0):
        window = slice(int(titles.release[title]) - 40, min(int(titles.release[title]) + 30, len(counts)))
        peak = window.start + int(np.argmax(weekly[window, title]))
        usual = float(np.median(counts[: max(window.start, 30), title]))
        if weekly[peak, title] < 2 * usual + 5:  # no peak that anyone would see
            continue
        judged += 1
        alarms = np.flatnonzero(begins[max(peak - 56, 0) : peak, title])
        if len(alarms):
            leads += 1
            days_before.append(peak - 1 - (max(peak - 56, 0) + int(alarms[0])))
    yesterday, with_heat = [], []
    for day in range(70, len(counts) - _AHEAD - 7, 14):
        later = counts[day + _AHEAD : day + _AHEAD + 7].mean(axis=0)
        grown = np.log(weekly[day] + 0.5) + heat.growth[day]
        yesterday.append(stats.spearmanr(counts[day], later).statistic)
        with_heat.append(stats.spearmanr(grown, later).statistic)
    return EarlyWarning(
        judged,
        leads / max(judged, 1),
        float(np.median(days_before)) if days_before else 0.0,
        float(np.mean(yesterday)),
        float(np.mean(with_heat)),
    )


def main(arguments: list[str]) -> int:
    """Print the figures."""
    config = TrendConfig()
    print("| seed | peaks | alarmed before | days before (median) | rank: yesterday | rank: level and heat |")
    print("|---:|---:|---:|---:|---:|---:|")
    for seed in [int(a) for a in arguments] or [301, 302, 303]:
        w = early_warning(attention_series(seed=seed), config=config)
        print(
            f"| {seed} | {w.n_peaks} | {w.before_peak:.0%} | {w.median_days_before_peak:g} | {w.rank_yesterday:.3f} "
            f"| {w.rank_with_heat:.3f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
