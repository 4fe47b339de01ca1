"""Heat: how far each element stands above its own past, day by day, with what was known that day.

For each metric the 7-day level is compared with its baseline, the median of the 7-day levels of 2 to 8 weeks before,
by log ratio: ``heat = log((level + e) / (baseline + e))``, where ``e`` keeps small figures from shouting. The day's
median over all elements is taken out first: a holiday, a weekday or an outage moves them all and is nobody's trend.
Daily log ratios are measured against their own running noise, shrunk to the noise of the metric. Metrics of one source
are averaged, and of several sources the loudest is left out: one source alone proves nothing.

All series are worked in one matrix per day, so that 100,000 series of two years take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trends.agreement import agreed_ratio, agreed_units, source_codes, source_means
from trends.attention import Attention
from trends.bursts import Bursts, State, advanced, fresh_bursts, states
from trends.config import TrendConfig
from trends.levels import Levels
from trends.rises import Rises
from trends.sampled import median_of, spread_of
from trends.signals import Cube, Floats32

__all__ = ["Heat", "heat_of"]

_WEEK = 7
_NOISE_CLIP = 3.0  # a larger step counts as this many standard units in the running noise: bursts are no noise


@dataclass(frozen=True)
class Heat:
    """Scores at the close of each day, shape (n_days, n_series); 0 is neutral. The last three are of the last day."""

    heat: Floats32
    attention: Floats32  # see :mod:`trends.attention`
    growth: Floats32
    score: Floats32
    is_stale: NDArray[np.bool_]
    state: NDArray[np.int8]
    streak: NDArray[np.int16]  # [days]
    started: NDArray[np.int16]  # day the burst began, -1 none
    breadth: Floats32  # share of metrics above their baseline (0-1), shape (n_series,)
    spread: Floats32  # standard error of the score, shape (n_series,)
    metric_heat: Floats32  # shape (n_metrics, n_series)


def heat_of(cube: Cube, *, config: TrendConfig) -> Heat:
    """Return the scores of every series and day of a cleaned cube.

    Args:
        cube: as :func:`trends.signals.cleaned` gives it.
        config: baseline, noise, burst and staleness settings.
    """
    n_days, n_metrics, n_series = cube.values.shape
    levels = Levels(cube, config)
    noise = _Noise.fresh(n_metrics, n_series)
    sources = source_codes(cube)
    bursts = fresh_bursts(n_series)
    attention = Attention(sources, n_series, config)
    rises = Rises(config, max(len(sources), 1), n_series)
    last_seen = np.full(n_series, -(10**6))
    out = _Output.empty(n_days, n_series)
    metric_heat = np.full((n_metrics, n_series), np.nan, dtype=np.float32)
    by_source = metric_heat
    for day in range(n_days):
        today = levels.at(day)
        residual = _without_common(today.daily, config)
        noise = noise.updated(residual, config)
        by_source = source_means(np.clip(residual / noise.sd(config, today.least_variance), -10, 10), sources)
        z = agreed_units(by_source)
        metric_heat = _without_common(today.heat, config)
        rise = agreed_ratio(source_means(_without_common(today.recent, config), sources))
        last_seen = np.where(np.isfinite(z), day, last_seen)
        stale = day - last_seen > np.where(levels.is_weekly, config.stale_days + _WEEK, config.stale_days)
        risen = rises.after(source_means(residual, sources), source_means(today.least_variance, sources))
        bursts = advanced(bursts, z, rise, risen, levels.is_weekly, day=day, config=config)
        growth = agreed_ratio(source_means(_without_common(today.growth, config), sources))
        heat = agreed_ratio(source_means(metric_heat, sources))
        out.attention[day] = np.nan_to_num(attention.after(today.level))
        out.store(day, heat=heat, growth=growth, bursts=bursts, stale=stale, config=config)
    return Heat(
        **vars(out), breadth=_breadth(metric_heat, config), spread=_spread(by_source, config), metric_heat=metric_heat
    )


def _without_common(ratios: Floats32, config: TrendConfig) -> Floats32:
    """Return log ratios less the day's median over all elements, metric by metric, where enough are known."""
    medians = [median_of(row, at_least=config.common_min_elements) for row in ratios]
    common = np.array([m or 0.0 for m in medians], dtype=np.float32).reshape(-1, 1)
    return np.asarray(ratios - common, dtype=np.float32)


@dataclass(frozen=True)
class _Noise:
    """Running noise of daily log ratios: variance of each series, and of each metric as a whole."""

    own: Floats32  # (n_metrics, n_series)
    seen: Floats32  # known days, up to the memory
    pooled: Floats32  # (n_metrics, 1)

    @staticmethod
    def fresh(n_metrics: int, n_series: int) -> _Noise:
        shape = (n_metrics, n_series)
        return _Noise(
            np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.full((n_metrics, 1), np.nan, np.float32)
        )

    def updated(self, residual: Floats32, config: TrendConfig) -> _Noise:
        """Return the noise after one more day, on which large steps count as small ones."""
        pooled = self._pooled(residual, config)
        known = np.isfinite(residual)
        limit = _NOISE_CLIP**2 * self._replaced(pooled).variance(config)
        square = np.minimum(np.where(known, residual, 0.0) ** 2, limit)
        weight = np.maximum(1.0 / (self.seen + 1.0), 1.0 / config.noise_memory_days)
        own = np.where(known, self.own + weight * (square - self.own), self.own)
        seen = np.minimum(self.seen + known, config.noise_memory_days)
        return _Noise(own.astype(np.float32), seen.astype(np.float32), pooled)

    def _replaced(self, pooled: Floats32) -> _Noise:
        return _Noise(self.own, self.seen, pooled)

    def _pooled(self, residual: Floats32, config: TrendConfig) -> Floats32:
        pooled = self.pooled.copy()
        weight = 1.0 / config.noise_memory_days
        for m, row in enumerate(residual):
            spread = spread_of(row, at_least=1)
            if spread is not None:
                pooled[m] = spread if np.isnan(pooled[m, 0]) else pooled[m] + weight * (spread - pooled[m])
        return pooled

    def variance(self, config: TrendConfig) -> Floats32:
        """Return the variance of each series, shrunk to its metric's."""
        floor = config.noise_floor**2
        prior = np.maximum(np.nan_to_num(self.pooled, nan=floor), floor)
        weight = config.noise_prior_days
        mixed = (self.seen * self.own + weight * prior) / np.maximum(self.seen + weight, 1e-9)
        return np.asarray(np.maximum(mixed, floor), dtype=np.float32)

    def sd(self, config: TrendConfig, least: Floats32) -> Floats32:
        """Return the noise of each series [log ratio], at least that of a count of its size."""
        return np.sqrt(np.fmax(self.variance(config), least)).astype(np.float32)


def _breadth(metric_heat: Floats32, config: TrendConfig) -> Floats32:
    known = np.isfinite(metric_heat).sum(axis=0)
    above = (np.nan_to_num(metric_heat) >= config.min_rise).sum(axis=0)
    return np.where(known > 0, above / np.maximum(known, 1), 0.0).astype(np.float32)


def _spread(by_source: Floats32, config: TrendConfig) -> Floats32:
    """Return the standard error of the score: that of a running mean of unit noise, and of the sources' mean."""
    smooth = np.exp(-1.0 / config.score_memory_days)
    running = (1 - smooth) / (1 + smooth)
    known = np.isfinite(by_source)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, by_source, 0).sum(axis=0) / n
    between = np.where(known, (by_source - mean) ** 2, 0).sum(axis=0) / np.maximum(n - 1, 1) / n
    return np.asarray(np.sqrt(running * (1.0 + between)), dtype=np.float32)


@dataclass(frozen=True)
class _Output:
    """Arrays filled day by day."""

    heat: Floats32
    attention: Floats32
    growth: Floats32
    score: Floats32
    is_stale: NDArray[np.bool_]
    state: NDArray[np.int8]
    streak: NDArray[np.int16]
    started: NDArray[np.int16]

    @staticmethod
    def empty(n_days: int, n_series: int) -> _Output:
        shape = (n_days, n_series)
        return _Output(
            heat=np.zeros(shape, np.float32),
            attention=np.zeros(shape, np.float32),
            growth=np.zeros(shape, np.float32),
            score=np.zeros(shape, np.float32),
            is_stale=np.zeros(shape, np.bool_),
            state=np.zeros(shape, np.int8),
            streak=np.zeros(shape, np.int16),
            started=np.full(shape, -1, np.int16),
        )

    def store(
        self,
        day: int,
        *,
        heat: Floats32,
        growth: Floats32,
        bursts: Bursts,
        stale: NDArray[np.bool_],
        config: TrendConfig,
    ) -> None:
        """Keep the day's figures; those of stale series are neutral."""
        self.heat[day] = np.where(stale, 0.0, np.nan_to_num(heat))
        self.growth[day] = np.where(stale, 0.0, np.nan_to_num(growth))
        self.score[day] = np.where(stale, 0.0, bursts.score)
        self.is_stale[day] = stale
        self.state[day] = np.where(stale, State.QUIET, states(bursts, growth, day=day, config=config))
        self.streak[day] = np.where(stale, 0, bursts.streak)
        self.started[day] = np.where(stale, -1, bursts.started)
