"""Tonight's forecast, from inputs to distributions. Pure: the world is in ``step.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.accuracy import accuracy_table, series_errors, with_confidence
from forecasting.backtest import Inputs, Trial, candidates, learner_as_of, run_trials
from forecasting.coherence import MIDDLE_OUT, RECONCILED, pull
from forecasting.config import ForecastConfig
from forecasting.drivers import parts, staged
from forecasting.event_lift import calm
from forecasting.fallback import Ladder, published
from forecasting.features import Known, closed_ahead, known_features
from forecasting.fitting import Fitted, fit, level_error_of
from forecasting.heat_lift import beyond_level, heat_lift
from forecasting.intervals import LEVELS, dispersions, dither_of, halves, quantiles
from forecasting.jumps import Settled, settled
from forecasting.learner import Learner
from forecasting.middle_out import Nodes, foreseen_nodes, led
from forecasting.models import CONTROL, LEARNER
from forecasting.new_items import Analogues, launch_analogues
from forecasting.overrides import with_overrides
from forecasting.panel import Panel
from forecasting.protection import Spans, Totals, copula, protection_totals
from forecasting.segments import classes_of, own_classes, unseen_error
from forecasting.week_model import WeekModel
from forecasting.weekly_totals import total_weights, with_views
from forecasting.workers import HERE, Workers

__all__ = ["Forecast", "classes_of", "judged_trial", "learnt", "make_forecast"]

_CHUNK = 200_000  # cells whose quantiles are worked out at a time


@dataclass(frozen=True)
class Forecast:
    """The forecast of ``n`` active series over ``h`` periods, in units.

    Attributes:
        mean: (n, h).
        quantiles: (n, h, 11).
        ladder: rung, model and reason of each series.
        totals: demand over the protection period.
        spans: the protection periods.
        correlation: (n,) ``period_correlation``.
        scale: (n,) ``total_scale``.
        closed, ended: (n, h) periods without trade, before launch or after the end of sale.
        overridden: (n, h) position in ``override_reasons``, -1 for none.
        accuracy, series_accuracy: the tables of these names.
        fitted: weights and calibration.
        drivers: part -> (n,) what moved the total over the protection period; see :mod:`forecasting.drivers`.
    """

    mean: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    ladder: Ladder
    totals: Totals
    spans: Spans
    correlation: NDArray[np.float64]
    scale: NDArray[np.float64]
    closed: NDArray[np.bool_]
    ended: NDArray[np.bool_]
    overridden: NDArray[np.int64]
    override_reasons: list[str]
    accuracy: pl.DataFrame
    series_accuracy: pl.DataFrame
    fitted: Fitted
    drivers: dict[str, NDArray[np.float64]]


def make_forecast(
    inputs: Inputs,
    spans: Spans,
    *,
    horizon: int,
    config: ForecastConfig,
    seed: int,
    step: float,
    firm_preorders: pl.DataFrame,
    overrides: pl.DataFrame,
    prior: dict[str, dict[str, float]] | None = None,
    week: WeekModel | None = None,
    workers: Workers = HERE,
) -> Forecast:
    """Return the forecast of the target series.

    Args:
        inputs: history and what is known in advance, in steps of demand.
        spans: (n,) protection periods of the targets.
        horizon: periods to forecast.
        config: settings.
        seed: of every random draw.
        step: step of demand [units].
        firm_preorders: sku, firm_qty.
        overrides: the table ``overrides``.
        prior: blend weights of the weekly review by segment.
        week: what was learnt as of an earlier night of the week; None: it is learnt now.
        workers: who works on the shards of series.
    """
    week = week or learnt(inputs, spans, config=config, seed=seed, prior=prior, workers=workers)
    panel = inputs.panel.rows(inputs.targets)
    classes, fitted = classes_of(panel), week.fitted
    forecasts = candidates(
        inputs, panel, origin=panel.n_periods, horizon=horizon, config=config, learner=week.learner, workers=workers
    )
    analogues, jumps = _compared(inputs)
    ladder = published(
        inputs, panel, forecasts, classes, fitted.choices, config=config, firm_preorders=firm_preorders,
        analogues=analogues, jumps=jumps,
    )  # fmt: skip
    closed = closed_ahead(panel, origin=panel.n_periods, horizon=horizon, closed_days=inputs.closed_days)
    sold = ~(closed | (ended := off_sale(panel, horizon=horizon)))
    nodes = foreseen_nodes(panel, inputs.tables, horizon=horizon, without=np.isfinite(jumps.level))
    pulled = pull_of(panel, np.where(sold, ladder.mean, 0), fitted, nodes, forecasts.get(LEARNER))
    baseline = np.where(sold, ladder.mean * pulled, 0).astype(np.float32)
    mean, overridden, reasons = with_overrides(
        baseline, panel.keys, panel.labels(horizon, offset=panel.n_periods), overrides, period_days=panel.period_days,
        step=step,
    )  # fmt: skip
    drivers = _drivers(
        inputs, panel, forecasts, classes, week, {"preorder": baseline, "override": mean}, sold=sold, pulled=pulled,
        lengths=np.minimum(spans.fixed, horizon), config=config, workers=workers, analogues=analogues, jumps=jumps,
    )  # fmt: skip
    dispersion = dispersions(panel, classes, prior_periods=config.dispersion_prior(panel.period_days))
    values = period_quantiles(mean, dispersion + (doubt := unseen_error(panel) + jumps.errors), classes, fitted)
    kept = _of_history(ladder, sold & (overridden < 0), spans)
    totals = _totals(inputs, mean, spans, dispersion, classes, fitted, doubt=doubt, kept=kept, config=config, seed=seed)
    correlation, scale = copula(values, totals, spans.fixed)
    return Forecast(
        mean=mean.astype(np.float64) * step,
        quantiles=values * step,
        ladder=ladder,
        totals=replace(totals, mean=totals.mean * step, quantiles=totals.quantiles * step),
        spans=spans,
        correlation=correlation,
        scale=scale,
        closed=closed,
        ended=ended,
        overridden=overridden,
        override_reasons=reasons,
        accuracy=week.accuracy,
        series_accuracy=with_confidence(panel.keys, week.errors, ladder.level),
        fitted=fitted,
        drivers={name: values * step for name, values in drivers.items()},
    )


def _compared(inputs: Inputs) -> tuple[Analogues, Settled]:
    """Return what launches are compared with, and what targets that have jumped settle at; events do not count."""
    usually = calm(inputs.panel, inputs.tables.events)
    return launch_analogues(usually), settled(usually).rows(inputs.targets)


def _of_history(ladder: Ladder, plain: NDArray[np.bool_], spans: Spans) -> NDArray[np.bool_]:
    """Return (n,) series forecast by models of their history, whose protection period has ``plain`` periods alone."""
    beyond = np.arange(plain.shape[1])[None, :] >= spans.fixed[:, None]
    return np.asarray((ladder.level <= 1) & (plain | beyond).all(axis=1))


def _totals(
    inputs: Inputs,
    mean: NDArray[np.float32],
    spans: Spans,
    dispersion: NDArray[np.float64],
    classes: NDArray[np.str_],
    fitted: Fitted,
    *,
    doubt: NDArray[np.float64],
    kept: NDArray[np.bool_],
    config: ForecastConfig,
    seed: int,
) -> Totals:
    """Return the totals that follow from the means; of series ``kept``, in a weekly shop, mixed with other views."""
    totals = protection_totals(
        mean,
        spans,
        dispersion=dispersion,
        level_error=level_error_of(classes, fitted) + doubt,
        classes=classes,
        calibration=fitted.total_calibration,
        reference=fitted.reference,
    )
    mixed = with_views(
        totals, inputs, spans, classes, weight=fitted.direct_weight, history_weights=fitted.history_weights, kept=kept,
        config=config, seed=seed,
    )  # fmt: skip
    return replace(mixed, quantiles=halves(mixed.quantiles, dither_of(inputs.panel.keys[inputs.targets.tolist()])))


def _drivers(
    inputs: Inputs,
    panel: Panel,
    forecasts: dict[str, NDArray[np.float32]],
    classes: NDArray[np.str_],
    week: WeekModel,
    layers: dict[str, NDArray[np.float32]],
    *,
    sold: NDArray[np.bool_],
    pulled: NDArray[np.float64],
    lengths: NDArray[np.int64],
    config: ForecastConfig,
    workers: Workers,
    analogues: Analogues,
    jumps: Settled,
) -> dict[str, NDArray[np.float64]]:
    """Return what moved the totals over ``lengths``, in steps of demand; see :func:`forecasting.drivers.parts`."""
    choices = week.fitted.choices
    made = learner_stages(inputs, panel, forecasts, week.learner, reach=int(lengths.max(initial=1)), workers=workers)
    means = {
        name: published(
            inputs, panel, candidate, classes, choices, config=config, analogues=analogues, jumps=jumps
        ).mean
        for name, candidate in made.items()
    }
    stages = {name: np.where(sold, mean * pulled, 0) for name, mean in means.items()}
    level = np.fmin(usual_level(panel, weeks=config.control_weeks), jumps.level)[:, None] * sold
    return parts(level, stages, layers, lengths=lengths)


def pull_of(
    panel: Panel,
    mean: NDArray[np.floating],
    fitted: Fitted,
    nodes: Nodes | None = None,
    learner: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Return (n, 1) or (n, h) what forecasts of totals multiply each series' means by: 1 where bottom-up was better."""
    if fitted.coherence == MIDDLE_OUT:
        return led(nodes, mean, learner)
    ones = np.ones(len(mean))
    return np.asarray((pull(panel, mean) if fitted.coherence == RECONCILED else ones)[:, None])


def learnt(
    inputs: Inputs,
    spans: Spans,
    *,
    config: ForecastConfig,
    seed: int,
    prior: dict[str, dict[str, float]] | None = None,
    workers: Workers = HERE,
) -> WeekModel:
    """Return what the history teaches: the learner, the blend and its spread, and how good they were before."""
    panel = inputs.panel.rows(inputs.targets)
    classes = classes_of(panel)
    trials = run_trials(inputs, config=config, seed=seed, workers=workers)
    fitted = fit(inputs, trials, classes, spans, config=config, seed=seed, prior=prior)
    learner = learner_as_of(inputs, origin=panel.n_periods, config=config, seed=seed, workers=workers)
    accuracy, judged = judged_trial(
        inputs, trials, classes, spans, config=config, seed=seed, coherence=fitted.coherence
    )
    direct, history = total_weights(inputs, trials, classes, spans, judged, config=config, seed=seed)
    fitted = replace(fitted, direct_weight=direct, history_weights=history)
    errors = series_errors(panel.keys, trials[-1] if trials else None, judged, n_windows=len(trials))
    return WeekModel(learner, fitted, accuracy, errors)


def learner_stages(
    inputs: Inputs,
    panel: Panel,
    forecasts: dict[str, NDArray[np.float32]],
    learner: Learner | None,
    *,
    reach: int,
    workers: Workers,
) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Return tonight's candidates by stage of :func:`staged`: the learner's differ, the other models' do not.

    Beyond ``reach`` periods, which nobody asks about, the learner's are as they are.
    """
    if learner is None:
        return {"neutral": forecasts}
    origin, horizon = panel.n_periods, forecasts[LEARNER].shape[1]
    known = known_features(
        inputs.panel, inputs.tables, inputs.prices, origin=origin, horizon=horizon, values=learner.values
    )
    told = heat_lift(panel, inputs.tables.signals, horizon=horizon)
    made = (forecasts[LEARNER] / beyond_level(told, panel)).astype(np.float32)

    def again(features: Known, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        soon = learner.predict(panel.rows(rows), features, horizon=reach, workers=workers)
        return np.concatenate([soon, made[rows, reach:]], axis=1)

    stages = staged(again, known.rows(inputs.targets), made, origin=origin)
    if inputs.tables.signals.attention.is_empty():
        return {name: {**forecasts, LEARNER: values} for name, values in stages.items()}
    # what signals do lies on every model but the control: it is the last part
    usual = {
        name: values if name == CONTROL else (values / told[:, origin:]).astype(np.float32)
        for name, values in forecasts.items()
    }
    return {**{name: {**usual, LEARNER: values} for name, values in stages.items()}, "heat": forecasts}


def usual_level(panel: Panel, *, weeks: int) -> NDArray[np.float64]:
    """Return (n,) mean demand of the periods of the last ``weeks`` weeks that teach; 0 where none does."""
    recent = np.where(panel.teaches, panel.demand, np.nan)[:, -weeks * panel.season :]
    known = ~np.isnan(recent)
    return np.asarray(np.nansum(recent, axis=1, dtype=np.float64) / np.maximum(known.sum(axis=1), 1))


def off_sale(panel: Panel, *, horizon: int) -> NDArray[np.bool_]:
    """Return (n, horizon) periods that start before the launch or after the end of sale of their item."""
    labels = np.array(panel.labels(horizon, offset=panel.n_periods), dtype="datetime64[D]")[None, :]
    out = np.zeros((panel.n_series, horizon), dtype=np.bool_)
    if "end_of_sale_date" in panel.keys.columns:
        end = panel.keys["end_of_sale_date"].cast(pl.Date).to_numpy().astype("datetime64[D]")[:, None]
        out |= ~np.isnat(end) & (labels > end)
    if "launch_date" in panel.keys.columns:
        launch = panel.keys["launch_date"].cast(pl.Date).to_numpy().astype("datetime64[D]")[:, None]
        last_day = labels + np.timedelta64(panel.period_days - 1, "D")
        sold = np.asarray((np.nan_to_num(panel.units) > 0).any(axis=1))
        out |= ~np.isnat(launch) & (last_day < launch) & ~sold[:, None]
    return out


def period_quantiles(
    mean: NDArray[np.floating], dispersion: NDArray[np.float64], classes: NDArray[np.str_], fitted: Fitted
) -> NDArray[np.float64]:
    """Return (n, h, 11) calibrated quantiles per period, in steps of demand; 0 where the mean is 0."""
    n, h = mean.shape
    out = np.zeros((n, h, len(LEVELS)))
    rows = max(_CHUNK // max(h, 1), 1)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        count = mean[part].shape[0]
        flat = quantiles(
            mean[part].reshape(-1), np.repeat(dispersion[part], h), np.repeat(classes[part], h), fitted.calibration
        )
        out[part] = flat.reshape(count, h, len(LEVELS)) * (mean[part] > 0)[:, :, None]
    return out


def judged_trial(
    inputs: Inputs,
    trials: Sequence[Trial],
    classes: NDArray[np.str_],
    spans: Spans,
    *,
    config: ForecastConfig,
    seed: int,
    coherence: str | None = None,
) -> tuple[pl.DataFrame, NDArray[np.float32] | None]:
    """Return the accuracy table of the last window and the means it judges, from weights and calibration before it.

    Levels agree in the way ``coherence``, tonight's, so that the table speaks of what is published; None: in the way
    that the windows before found. With one window only, its own weights are judged: there is no earlier evidence.
    """
    if not trials:
        return pl.DataFrame(), None
    last = trials[-1]
    before = fit(inputs, trials[:-1] or trials, classes, spans, config=config, seed=seed)
    mean = published(
        inputs, last.past, last.forecasts, classes, before.choices, config=config, analogues=last.analogues,
        jumps=last.jumps,
    ).mean  # fmt: skip
    agreed = replace(before, coherence=coherence or before.coherence)
    pulled = pull_of(last.past, mean, agreed, last.nodes, last.forecasts.get(LEARNER))
    mean = (mean * pulled).astype(np.float32)
    then = own_classes(last.past)
    dispersion = dispersions(last.past, then, prior_periods=config.dispersion_prior(last.past.period_days))
    values = period_quantiles(np.nan_to_num(mean), dispersion, then, before)
    return accuracy_table(last, mean, values, classes, before.choices), mean
