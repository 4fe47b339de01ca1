"""What earlier windows teach about tonight: blend weights, the spread around them, and its calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forecasting.backtest import Inputs, Trial
from forecasting.coherence import BOTTOM_UP, choose_coherence
from forecasting.config import ForecastConfig
from forecasting.fallback import published
from forecasting.intervals import LEVELS, Calibration, calibrate, dispersions, pit, sampled
from forecasting.middle_out import led
from forecasting.models import CONTROL, LEARNER
from forecasting.protection import Spans, effective_dispersion, level_errors
from forecasting.segments import mean_bin, own_classes
from forecasting.selection import ALL, Choice, choose

__all__ = ["Fitted", "fit", "level_error_of", "unshocked"]

_SHOCK_SHARE = 0.3  # [0-1] of what a class was off by on an earlier window that totals are not calibrated on
_TOTAL_CASES = 60  # totals that a cell needs: a series gives one a window, where it gives many periods
_SHOCK_UNITS = 100.0  # [units] of a class and window below which a ratio is chance
_LARGEST_SHOCK = 1.5  # [ratio]


@dataclass(frozen=True)
class Fitted:
    """Weights and spread for the series of the trials.

    Attributes:
        choices: what is published by segment.
        calibration: of quantiles per period.
        total_calibration: of quantiles of totals over the protection period.
        level_error: class -> squared relative error that all periods of a total share.
        reference: length of a window [periods], at which ``level_error`` is stated.
        n_windows: windows that this was learnt from.
        coherence: how levels are made to agree; see :mod:`forecasting.coherence`.
        coherence_scores: error of forecasts that were made to agree over that of the sums, by window.
        total_bias: of the whole shop on the last window (ratio - 1); NaN unknown.
        direct_weight: of directly learnt totals, weekly; see :mod:`forecasting.weekly_totals`.
        history_weights: class -> weight of a series' own earlier totals, weekly; likewise.
    """

    choices: dict[str, Choice]
    calibration: Calibration
    total_calibration: Calibration
    level_error: dict[str, float]
    reference: int
    n_windows: int
    coherence: str = BOTTOM_UP
    coherence_scores: Sequence[float] = ()
    total_bias: float = float("nan")
    direct_weight: float = 0.0
    history_weights: dict[str, float] = field(default_factory=dict)


def fit(
    inputs: Inputs,
    trials: Sequence[Trial],
    classes: NDArray[np.str_],
    spans: Spans,
    *,
    config: ForecastConfig,
    seed: int,
    prior: dict[str, dict[str, float]] | None = None,
) -> Fitted:
    """Return what the trials teach. Without any: the moving average, plain negative binomials, a wide level error.

    Args:
        inputs: everything, of which each window reads only what was known before it.
        trials: earlier windows.
        classes: (n,) segment of each series.
        spans: (n,) protection periods.
        config: settings.
        seed: of the randomised transforms.
        prior: champions of the weekly review.
    """
    if not trials:
        plain = Calibration({}, np.array(LEVELS), {})
        return Fitted({ALL: _control_alone()}, plain, plain, {"all": 0.15}, 28, 0)
    choices = choose(
        [t.window for t in trials],
        classes,
        shrinkage=config.weight_shrinkage,
        gate_margin=config.gate_margin,
        prior=prior,
    )
    reference = trials[0].actual.shape[1]
    means = [
        published(
            inputs, t.past, t.forecasts, classes, choices, config=config, analogues=t.analogues, jumps=t.jumps
        ).mean
        for t in trials
    ]
    factors = [led(t.nodes, mean, t.forecasts.get(LEARNER)) for t, mean in zip(trials, means, strict=True)]
    coherence, means = choose_coherence([t.past for t in trials], means, [t.actual for t in trials], factors)
    prior_periods = config.dispersion_prior(inputs.panel.period_days)
    then = [own_classes(t.past) for t in trials]
    spread = [dispersions(t.past, c, prior_periods=prior_periods) for t, c in zip(trials, then, strict=True)]
    calibration = _period_calibration(trials, means, spread, then, config=config, seed=seed)
    lengths = np.minimum(spans.fixed, reference)
    error, total_calibration = _total_calibration(trials, means, spread, then, lengths, reference=reference, seed=seed)
    return Fitted(
        choices,
        calibration,
        total_calibration,
        error,
        reference,
        len(trials),
        coherence.how,
        list(coherence.scores),
        coherence.total_bias,
    )


def _control_alone() -> Choice:
    return Choice(ALL, {CONTROL: 1.0}, 1.0, CONTROL, CONTROL, 0.0, False, {CONTROL: 1.0})


def level_error_of(classes: NDArray[np.str_], fitted: Fitted) -> NDArray[np.float64]:
    """Return (n,) the level error b of each series' class."""
    return np.array([fitted.level_error.get(c, fitted.level_error["all"]) for c in classes.tolist()])


def _period_calibration(
    trials: Sequence[Trial],
    means: Sequence[NDArray[np.float32]],
    spread: Sequence[NDArray[np.float64]],
    classes: Sequence[NDArray[np.str_]],
    *,
    config: ForecastConfig,
    seed: int,
) -> Calibration:
    transforms, labels, bins = [], [], []
    for number, (trial, mean, dispersion, then) in enumerate(zip(trials, means, spread, classes, strict=True)):
        row, column = np.nonzero(~np.isnan(trial.actual) & ~np.isnan(mean))
        kept = sampled(len(row), seed=seed + number)
        row, column = row[kept], column[kept]
        draws = np.random.default_rng([seed, number]).random(len(row))
        transforms.append(_transforms(trial, mean, dispersion, row, column, draws))
        labels.append(then[row])
        bins.append(mean_bin(mean[row, column]))
    return calibrate(
        np.concatenate(transforms), np.concatenate(labels), np.concatenate(bins), min_cases=config.min_calibration_cases
    )


def _transforms(
    trial: Trial,
    mean: NDArray[np.float32],
    dispersion: NDArray[np.float64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    draws: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the transforms of cells; of stocked-out ones anywhere above that of what sold, for that is all we know."""
    m, a, sold = mean[row, column], dispersion[row], trial.sold[row, column]
    plain = pit(trial.actual[row, column], m, a, draws)
    least = pit(np.nan_to_num(sold), m, a, np.ones(len(draws)))
    return np.asarray(np.where(np.isnan(sold), plain, least + draws * (1 - least)))


def unshocked(
    actual: NDArray[np.floating], mean: NDArray[np.float32], classes: NDArray[np.str_]
) -> NDArray[np.float32]:
    """Return the means with part of what a whole class was off by taken away: the next window is off by another share.

    Calibrated on them as they are, totals would be moved by what two windows happened to bring all series at once.

    Args:
        actual: (n, h) what came; NaN is not judged.
        mean: (n, h) forecasts.
        classes: (n,) demand classes.
    """
    came, foreseen = actual.astype(np.float64), np.where(np.isnan(actual), np.nan, mean)
    out = mean.copy()
    for name in sorted(set(classes.tolist())):
        members = classes == name
        ratio = (np.nansum(came[members]) + _SHOCK_UNITS) / (np.nansum(foreseen[members]) + _SHOCK_UNITS)
        out[members] *= np.float32(np.clip(ratio, 1 / _LARGEST_SHOCK, _LARGEST_SHOCK) ** _SHOCK_SHARE)
    return out


def _total_calibration(
    trials: Sequence[Trial],
    means: Sequence[NDArray[np.float32]],
    spread: Sequence[NDArray[np.float64]],
    classes: Sequence[NDArray[np.str_]],
    lengths: NDArray[np.int64],
    *,
    reference: int,
    seed: int,
) -> tuple[dict[str, float], Calibration]:
    """Return the level errors by class and the calibration of totals, from totals over each series' own length.

    Where forecasts stand at the level in stock, a total is that of its periods in stock, at least half of them.
    """
    inside = np.arange(reference)[None, :] < lengths[:, None]
    actual, mean, square, dispersion, label, length = [], [], [], [], [], []
    for trial, given, a, then in zip(trials, means, spread, classes, strict=True):
        forecast = unshocked(trial.actual, given, then) if trial.past.season > 1 else given
        counted = inside if trial.sure is None else inside & trial.sure
        usable = ~np.isnan(trial.total_actual).any(axis=1) & ~np.isnan(forecast).any(axis=1)
        usable &= 2 * counted.sum(axis=1) >= lengths
        came_then = np.where(counted, np.nan_to_num(trial.total_actual), 0)[usable]
        foreseen = np.where(counted, np.nan_to_num(forecast), 0)[usable].astype(np.float64)
        actual.append(came_then.sum(axis=1, dtype=np.float64))
        mean.append(foreseen.sum(axis=1))
        square.append((foreseen**2).sum(axis=1))
        dispersion.append(a[usable])
        label.append(then[usable])
        length.append(counted[usable].sum(axis=1))
    came, expected, squares = np.concatenate(actual), np.concatenate(mean), np.concatenate(square)
    a, names, growth = np.concatenate(dispersion), np.concatenate(label), np.sqrt(np.concatenate(length) / reference)
    error = level_errors(came, expected, squares, a, names, growth)
    b = np.array([error.get(c, error["all"]) for c in names.tolist()])
    variance = expected + a * squares + b * growth * expected**2
    draws = np.random.default_rng([seed, 10_007]).random(len(came))
    transforms = pit(came, expected, effective_dispersion(expected, variance), draws)
    return error, calibrate(transforms, names, mean_bin(expected), min_cases=_TOTAL_CASES)
