"""Where directly learnt totals, and a series' own earlier ones, enter the forecast of a weekly shop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecasting.backtest import Inputs, Trial
from forecasting.config import ForecastConfig
from forecasting.direct_totals import HEADS, DirectTotals, direct_totals, mixed, pinball
from forecasting.fitting import fit, level_error_of
from forecasting.intervals import LEVELS, dispersions
from forecasting.panel import Panel
from forecasting.protection import Spans, Totals, protection_totals
from forecasting.segments import own_classes, unseen_error
from forecasting.year_season import year_lift

__all__ = ["own_totals", "total_weights", "with_views"]

_MEAN_OF_BOTH = 0.5
_SLOW = {"intermittent": 1.5, "lumpy": 1.25}  # [ratio] more of the learnt levels: they tell slow sellers better
_JUDGED = tuple(level for level in HEADS if 0.7 <= level <= 0.95)  # where orders are made
_HISTORY_WEIGHTS = (0.0, 0.25, 0.5)
_USUAL_WEIGHTS = {"smooth": 0.5, "erratic": 0.25}  # without evidence: what sells each week is known by its own past
_STEP_COSTS = 0.1  # [ratio] of the loss that a step away from the usual weight must gain: a window is one case
_HISTORY_WEEKS = 52
_FEWEST_TOTALS = 8  # of a series, overlapping
_FEWEST_SERIES = 100  # of a class, to choose by


def total_weights(
    inputs: Inputs,
    trials: Sequence[Trial],
    classes: NDArray[np.str_],
    spans: Spans,
    mean: NDArray[np.float32] | None,
    *,
    config: ForecastConfig,
    seed: int,
) -> tuple[float, dict[str, float]]:
    """Return the weight of directly learnt totals, a half or 0, and by class that of a series' own earlier ones.

    Both are what the last window was best with, by pinball loss; the second leaves its usual value unwillingly.

    Args:
        inputs: everything, of which only what was known at the last window's origin is read.
        trials: earlier windows; the last one judges, those before it calibrate.
        classes: (n,) segment of each series.
        spans: (n,) protection periods.
        mean: (n, h) means of the last window, from weights before it; None without a window.
        config: settings.
        seed: of the draws.
    """
    if inputs.panel.season > 1:
        return 0.0, {}
    if mean is None or not trials:
        return 0.0, dict(_USUAL_WEIGHTS)
    last = trials[-1]
    before = fit(inputs, trials[:-1] or trials, classes, spans, config=config, seed=seed)
    lengths, then = np.minimum(spans.fixed, last.actual.shape[1]), own_classes(last.past)
    own = protection_totals(
        np.nan_to_num(mean),
        replace(spans, lead_time_sd=np.zeros(len(lengths))),
        dispersion=dispersions(last.past, then, prior_periods=config.dispersion_prior(last.past.period_days)),
        level_error=level_error_of(then, before),
        classes=then,
        calibration=before.total_calibration,
        reference=before.reference,
    ).quantiles
    past = inputs.panel.until(last.origin)
    direct = direct_totals(past, inputs.targets, lengths, config=config.learner, seed=seed)
    inside = np.arange(last.actual.shape[1])[None, :] < lengths[:, None]
    came = np.where(inside, last.total_actual, 0).sum(axis=1, dtype=np.float64)
    judged = ~np.isnan(came) & (spans.fixed == lengths)
    weight = _direct_weight(came, own, direct, then, judged)
    both = mixed(own, direct, weight=_by_class(weight, then), kept=judged)
    return weight, _history_weights(came, both, own_totals(last.past, lengths), then, judged)


def _by_class(weight: float, classes: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return (n,) the weight of learnt levels: more of them for slow sellers, in both shops that were looked at."""
    return weight * np.array([_SLOW.get(c, 1.0) for c in classes.tolist()])


def _direct_weight(
    came: NDArray[np.float64],
    own: NDArray[np.float64],
    direct: DirectTotals,
    classes: NDArray[np.str_],
    judged: NDArray[np.bool_],
) -> float:
    judged = judged & direct.known
    if not judged.any():
        return 0.0
    at = [LEVELS.index(level) for level in _JUDGED]
    both = mixed(own, direct, weight=_by_class(_MEAN_OF_BOTH, classes), kept=judged)
    lost = [pinball(came[judged], levels[judged][:, at], _JUDGED) for levels in (both, own)]
    return _MEAN_OF_BOTH if lost[0] <= lost[1] else 0.0


def _history_weights(
    came: NDArray[np.float64],
    levels: NDArray[np.float64],
    history: DirectTotals,
    classes: NDArray[np.str_],
    judged: NDArray[np.bool_],
) -> dict[str, float]:
    judged, at = judged & history.known, [LEVELS.index(level) for level in HEADS]
    out = dict(_USUAL_WEIGHTS)
    for name in sorted(set(classes.tolist())):
        rows = np.flatnonzero(judged & (classes == name))
        if len(rows) < _FEWEST_SERIES:
            continue
        every, part = np.ones(len(rows), dtype=np.bool_), DirectTotals(history.levels[rows])
        usual = _HISTORY_WEIGHTS.index(_USUAL_WEIGHTS.get(name, 0.0))
        lost = [
            pinball(came[rows], mixed(levels[rows], part, weight=w, kept=every)[:, at], HEADS)
            * (1 + _STEP_COSTS * abs(number - usual))
            for number, w in enumerate(_HISTORY_WEIGHTS)
        ]
        out[name] = _HISTORY_WEIGHTS[int(np.argmin(lost))]
    return out


def own_totals(panel: Panel, lengths: NDArray[np.int64]) -> DirectTotals:
    """Return the levels of each series' totals of so many weeks within the last year; NaN with too few of them.

    Where two years told a time of year, totals are those of usual weeks, at the time of year that comes.
    """
    weeks = min(panel.n_periods, _HISTORY_WEEKS)
    out = np.full((panel.n_series, len(HEADS)), np.nan)
    asked = np.unique(lengths[lengths < weeks]).tolist()
    lift = year_lift(panel, horizon=max(asked, default=1)).astype(np.float64)
    usual = (
        np.where(panel.teaches, panel.demand, np.nan)[:, -weeks:] / lift[:, panel.n_periods - weeks : panel.n_periods]
    )
    for length in asked:
        rows = np.flatnonzero(lengths == length)
        sums = np.lib.stride_tricks.sliding_window_view(usual[rows], length, axis=1).sum(axis=2)
        enough = (~np.isnan(sums)).sum(axis=1) >= _FEWEST_TOTALS
        if enough.any():
            ahead = lift[rows[enough], panel.n_periods : panel.n_periods + length].mean(axis=1)
            out[rows[enough]] = np.nanquantile(sums[enough], HEADS, axis=1).T * ahead[:, None]
    return DirectTotals(out)


def with_views(
    totals: Totals,
    inputs: Inputs,
    spans: Spans,
    classes: NDArray[np.str_],
    *,
    weight: float,
    history_weights: Mapping[str, float],
    kept: NDArray[np.bool_],
    config: ForecastConfig,
    seed: int,
) -> Totals:
    """Return the totals with directly learnt levels mixed in, then those of each series' own past.

    Args:
        totals: as they follow from the means.
        inputs: everything.
        spans: (n,) protection periods; series whose lead time varies keep their own levels.
        classes: (n,) demand classes.
        weight: of learnt levels, as :func:`total_weights` found it.
        history_weights: by class, likewise.
        kept: (n,) series whose means follow from their history alone over the whole period.
        config: settings.
        seed: of the draws.
    """
    if weight == 0 and not any(history_weights.values()):
        return totals
    panel, values = inputs.panel.rows(inputs.targets), totals.quantiles
    wanted = kept & (spans.lead_time_sd == 0) & (unseen_error(panel) == 0)
    if weight > 0:
        direct = direct_totals(inputs.panel, inputs.targets, spans.fixed, config=config.learner, seed=seed)
        values = mixed(values, direct, weight=_by_class(weight, classes), kept=wanted)
    by_series = np.array([history_weights.get(c, 0.0) for c in classes.tolist()])
    return replace(totals, quantiles=mixed(values, own_totals(panel, spans.fixed), weight=by_series, kept=wanted))
