"""Where directly learnt totals enter the forecast of a weekly shop, and whether they earned it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecasting.backtest import Inputs, Trial
from forecasting.config import ForecastConfig
from forecasting.direct_totals import HEADS, direct_totals, mixed, pinball
from forecasting.fitting import fit, level_error_of
from forecasting.intervals import LEVELS, dispersions
from forecasting.protection import Spans, Totals, protection_totals
from forecasting.segments import unseen_error

__all__ = ["direct_weight", "with_direct"]

_MEAN_OF_BOTH = 0.5
_JUDGED = tuple(level for level in HEADS if 0.7 <= level <= 0.95)  # where orders are made


def direct_weight(
    inputs: Inputs,
    trials: Sequence[Trial],
    classes: NDArray[np.str_],
    spans: Spans,
    mean: NDArray[np.float32] | None,
    *,
    config: ForecastConfig,
    seed: int,
) -> float:
    """Return the weight of directly learnt totals: one half, or 0 where that would have been worse on the last window.

    Args:
        inputs: everything, of which only what was known at the last window's origin is read.
        trials: earlier windows; the last one judges, those before it calibrate.
        classes: (n,) segment of each series.
        spans: (n,) protection periods.
        mean: (n, h) means of the last window, from weights before it; None without a window.
        config: settings.
        seed: of the draws.
    """
    if mean is None or not trials or inputs.panel.season > 1:
        return 0.0
    last = trials[-1]
    before = fit(inputs, trials[:-1] or trials, classes, spans, config=config, seed=seed)
    lengths = np.minimum(spans.fixed, last.actual.shape[1])
    own = protection_totals(
        np.nan_to_num(mean),
        replace(spans, lead_time_sd=np.zeros(len(lengths))),
        dispersion=dispersions(last.past, classes, prior_periods=config.dispersion_prior(last.past.period_days)),
        level_error=level_error_of(classes, before),
        classes=classes,
        calibration=before.total_calibration,
        reference=before.reference,
    ).quantiles
    past = inputs.panel.until(last.origin)
    direct = direct_totals(past, inputs.targets, lengths, config=config.learner, seed=seed)
    inside = np.arange(last.actual.shape[1])[None, :] < lengths[:, None]
    came = np.where(inside, last.total_actual, 0).sum(axis=1, dtype=np.float64)
    judged = ~np.isnan(came) & direct.known & (spans.fixed == lengths)
    if not judged.any():
        return 0.0
    at = [LEVELS.index(level) for level in _JUDGED]
    both = mixed(own, direct, weight=_MEAN_OF_BOTH, kept=judged)
    lost = [pinball(came[judged], levels[judged][:, at], _JUDGED) for levels in (both, own)]
    return _MEAN_OF_BOTH if lost[0] <= lost[1] else 0.0


def with_direct(
    totals: Totals,
    inputs: Inputs,
    spans: Spans,
    *,
    weight: float,
    kept: NDArray[np.bool_],
    config: ForecastConfig,
    seed: int,
) -> Totals:
    """Return the totals with directly learnt levels mixed in.

    Args:
        totals: as they follow from the means.
        inputs: everything.
        spans: (n,) protection periods; series whose lead time varies keep their own levels.
        weight: as :func:`direct_weight` found it.
        kept: (n,) series whose means follow from their history alone over the whole period.
        config: settings.
        seed: of the draws.
    """
    if weight == 0:
        return totals
    panel = inputs.panel.rows(inputs.targets)
    wanted = kept & (spans.lead_time_sd == 0) & (unseen_error(panel) == 0)
    direct = direct_totals(inputs.panel, inputs.targets, spans.fixed, config=config.learner, seed=seed)
    return replace(totals, quantiles=mixed(totals.quantiles, direct, weight=weight, kept=wanted))
