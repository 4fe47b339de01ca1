"""Attention to anime titles, a stand-in for daily counts over eight months: what early heat says of what comes.

Run ``python -m benchmarks.trend_attention [SEED ...]``. Titles are made as such series look: heavy-tailed levels, many
zeros, weekly rhythm, common ups and downs, a third of them known before release, with a rise that begins weeks before
the premiere, peaks on it and fades; some titles stay flat, some are dropped. Nothing of the generator is known to the
room, which runs on it unchanged. The real series are not in this repository: the figures are of the stand-in.

Each seed is told in several ways (``TOLD``): as it is, with days missing, with titles that are listed only a month
before they premiere or stand at zero until then, with levels over six orders of magnitude, and as one figure a week.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from trends.bursts import State
from trends.config import TrendConfig
from trends.heat import heat_of
from trends.levels import Levels
from trends.signals import Cube

Floats = NDArray[np.floating]

__all__ = ["TOLD", "EarlyWarning", "Titles", "attention_series", "early_warning"]

_FIRST_DAY = 20_000
_AHEAD = 28  # days later on which attention is ranked
_LISTED_DAYS = 30  # before the premiere, of titles that are not known earlier


@dataclass(frozen=True)
class Titles:
    """Daily counts of titles, and where each one's attention peaks by the truth."""

    cube: Cube
    release: NDArray[np.int64]  # (n_titles,) day of the premiere, -1 none in the window


@dataclass(frozen=True)
class EarlyWarning:
    """What was seen early.

    Attributes:
        n_peaks: titles with a premiere inside the window, early enough to be judged.
        before_peak: share of them that alarmed within eight weeks before the peak day, or on it.
        median_days_before_peak: of those.
        rank_yesterday: Spearman correlation of yesterday's count with the mean of the week four weeks later.
        rank_with_heat: likewise of the room's level times what its growth adds to it.
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


def _unlisted(value: float) -> Callable[[Titles], Floats]:
    def told(titles: Titles) -> Floats:
        counts = titles.cube.values.copy()
        for title in np.flatnonzero(titles.release >= 0):
            counts[: max(int(titles.release[title]) - _LISTED_DAYS, 0), :, title] = value
        return counts

    return told


def _with_gaps(titles: Titles) -> Floats:
    gone = np.random.default_rng(1).random(titles.cube.values.shape) < 0.15
    return np.where(gone, np.nan, titles.cube.values).astype(np.float32)


def _far_apart(titles: Titles) -> Floats:
    scale = np.exp(np.random.default_rng(1).normal(0, 3, titles.cube.values.shape[2]))
    return np.asarray(np.floor(titles.cube.values * scale).astype(np.float32))


def _weekly(titles: Titles) -> Floats:
    counts = np.full_like(titles.cube.values, np.nan)
    counts[::7] = titles.cube.values[::7]
    return counts


def _weekly_mean(titles: Titles) -> Floats:
    counts = np.full_like(titles.cube.values, np.nan)
    for day in range(6, len(counts), 7):
        counts[day] = np.round(titles.cube.values[day - 6 : day + 1].mean(axis=0))
    return counts


TOLD: dict[str, Callable[[Titles], Floats]] = {
    "as it is": lambda titles: titles.cube.values,
    "15% of days missing": _with_gaps,
    "listed a month before": _unlisted(np.nan),
    "zero until a month before": _unlisted(0.0),
    "levels up to a million": _far_apart,
    "one day's figure a week": _weekly,
    "one score a week (its mean)": _weekly_mean,
}


def early_warning(titles: Titles, *, config: TrendConfig) -> EarlyWarning:
    """Return how early and how well the room saw what came."""
    counts = titles.cube.values[:, 0, :]
    heat = heat_of(titles.cube, config=config)
    begins = (heat.state[1:] != State.QUIET) & (heat.state[:-1] == State.QUIET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # weeks without any figure are unknown
        weekly = np.stack([np.nanmean(counts[max(0, d - 6) : d + 1], axis=0) for d in range(len(counts))])
        before = _days_before(titles, counts, weekly, begins)
        levels = _levels(titles.cube, config)
        ranks = [_ranks(counts, levels, heat.growth, day) for day in range(70, len(counts) - _AHEAD - 7, 14)]
    ahead = [days for days in before if days is not None]
    yesterday, with_heat = np.mean(ranks, axis=0)
    return EarlyWarning(
        len(before), len(ahead) / max(len(before), 1), float(np.median(ahead)) if ahead else 0.0, float(yesterday),
        float(with_heat),
    )  # fmt: skip


def _days_before(titles: Titles, counts: Floats, weekly: Floats, begins: NDArray[np.bool_]) -> list[int | None]:
    """Return of each title with a peak that anyone would see how many days before it an alarm came, None: none did."""
    found: list[int | None] = []
    for title in np.flatnonzero(titles.release >= 0):
        window = slice(int(titles.release[title]) - 40, min(int(titles.release[title]) + 30, len(counts)))
        if np.isnan(weekly[window, title]).all():
            continue
        peak = window.start + int(np.nanargmax(weekly[window, title]))
        earlier = counts[: max(window.start, 30), title]
        usual = float(np.nanmedian(earlier)) if np.isfinite(earlier).any() else float(np.nanmin(weekly[window, title]))
        if weekly[peak, title] < 2 * usual + 5:
            continue
        alarms = np.flatnonzero(begins[max(peak - 56, 0) : peak, title])
        found.append(peak - 1 - (max(peak - 56, 0) + int(alarms[0])) if len(alarms) else None)
    return found


def _levels(cube: Cube, config: TrendConfig) -> Floats:
    """Return the level that the room gives each title, by day."""
    levels = Levels(cube, config)
    return np.stack([levels.at(day).level[0] for day in range(cube.n_days)])


def _ranks(counts: Floats, level: Floats, growth: Floats, day: int) -> tuple[float, float]:
    """Return Spearman's correlation with the week four weeks later of yesterday's figure, and of level with growth."""
    later = np.nanmean(counts[day + _AHEAD : day + _AHEAD + 7], axis=0)
    yesterday = counts[day]
    for earlier in range(day - 1, day - 7, -1):  # the last figure that there is
        yesterday = np.where(np.isfinite(yesterday), yesterday, counts[earlier])
    known = np.isfinite(later) & np.isfinite(yesterday) & np.isfinite(level[day])
    grown = np.log(level[day] + 0.5) + growth[day]
    return (
        float(stats.spearmanr(yesterday[known], later[known]).statistic),
        float(stats.spearmanr(grown[known], later[known]).statistic),
    )


def main(arguments: list[str]) -> int:
    """Print the figures."""
    config = TrendConfig()
    print("| seed | told | peaks | alarmed before | days before (median) | rank: yesterday | rank: level and heat |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for seed in [int(a) for a in arguments] or [301, 302, 303]:
        titles = attention_series(seed=seed)
        for name, told in TOLD.items():
            w = early_warning(replace(titles, cube=replace(titles.cube, values=told(titles))), config=config)
            print(
                f"| {seed} | {name} | {w.n_peaks} | {w.before_peak:.0%} | {w.median_days_before_peak:g} "
                f"| {w.rank_yesterday:.3f} | {w.rank_with_heat:.3f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
