"""The ladder: every series gets a finite, non-negative mean, and the reason for the rung it stands on.

0 the segment's blend; 1 the statistical models, where the learner has nothing to say; 2 a series' own level along the
life-cycle curve, pulled to comparable items; 3 comparable items alone; 4 next to nothing, with a spread. The last
cannot fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.event_lift import calm, event_lift
from forecasting.jumps import Settled, settled, tempered
from forecasting.models import CONTROL, LEARNER
from forecasting.new_items import Analogues, launch_analogues, launch_forecast
from forecasting.panel import Panel
from forecasting.preorder_pace import preorder_levels
from forecasting.segments import observed_periods
from forecasting.selection import Choice, blend, single

__all__ = ["UNSOLD_MEAN", "Ladder", "Launches", "Reason", "climb", "published"]

UNSOLD_MEAN = 0.5 / 28  # [units/period] half a unit in four weeks: the last rung's mean


class Reason(StrEnum):
    """Why a series got its forecast."""

    BLEND = "blend_of_models"
    CONTROL_KEPT = "control_kept_by_gate"  # no mixture beat the moving average on earlier windows
    NO_LEARNER = "learner_not_available"  # too little data in the shop, or the learner gave nothing usable
    SHORT_HISTORY = "short_history"
    ANALOGUES = "comparable_items"
    PREORDERS = "comparable_items_and_preorders"
    NOTHING_KNOWN = "nothing_to_go_by"
    CAPPED = "cut_to_cap"
    SETTLES = "jump_settles"  # the last days lie far above all before: what such jumps came to counts


@dataclass(frozen=True)
class Ladder:
    """Means of all series, and how each was made: all (n,) but ``mean`` (n, h)."""

    mean: NDArray[np.float32]
    model: list[str]
    level: NDArray[np.int64]
    reason: list[str]
    unusable: NDArray[np.bool_]


@dataclass(frozen=True)
class Launches:
    """Where the means of launches come from: (n,) whom each was compared with, and whether preorders had a say."""

    basis: list[str]
    has_preorders: NDArray[np.bool_]


def climb(
    panel: Panel,
    forecasts: dict[str, NDArray[np.float32]],
    segment: NDArray[np.str_],
    choices: dict[str, Choice],
    launch: NDArray[np.float64],
    origin: Launches,
    *,
    config: ForecastConfig,
) -> Ladder:
    """Return the forecast of every series from the highest rung that holds.

    Args:
        panel: history up to the origin.
        forecasts: model -> (n, h).
        segment: (n,) segments.
        choices: what is published by segment.
        launch: (n, h) means along the life-cycle curve; NaN where there is nothing to go by.
        origin: what these means were compared with.
        config: thresholds.
    """
    horizon = forecasts[CONTROL].shape[1]
    seen = observed_periods(panel)
    first_choice = blend(forecasts, segment, choices)
    statistical = blend({k: v for k, v in forecasts.items() if k != LEARNER}, segment, choices)
    statistical = np.where(np.isnan(statistical), forecasts[CONTROL], statistical)
    learned = ~np.isnan(forecasts[LEARNER]).any(axis=1) if LEARNER in forecasts else np.zeros(len(seen), dtype=np.bool_)
    long_enough = _long_enough(panel, config)
    unusable = long_enough & ~np.isfinite(first_choice).all(axis=1)
    launched = np.asarray(np.isfinite(launch).all(axis=1))
    rungs: list[tuple[NDArray[np.bool_], NDArray[np.floating]]] = [
        (long_enough & learned & ~unusable, first_choice),
        (long_enough & np.isfinite(statistical).all(axis=1), statistical),
        ((seen > 0) & launched, launch),
        (launched, launch),
        (np.ones(len(seen), dtype=np.bool_), np.full((len(seen), horizon), UNSOLD_MEAN)),
    ]
    level = np.argmax(np.stack([holds for holds, _ in rungs]), axis=0)
    mean: NDArray[np.floating] = np.zeros((len(seen), horizon))
    for number, (_, values) in enumerate(rungs):
        mean = np.where((level == number)[:, None], values, mean)
    mean, capped = _capped(mean, panel, factor=config.growth_cap, applies=level <= 1)
    model, reason = _names(level, segment, choices, forecasts, origin)
    reason = [f"{r}; {Reason.CAPPED}" if cut else r for r, cut in zip(reason, capped.tolist(), strict=True)]
    return Ladder(mean.astype(np.float32), model, level.astype(np.int64), reason, unusable)


def published(
    inputs: Inputs,
    past: Panel,
    forecasts: dict[str, NDArray[np.float32]],
    segment: NDArray[np.str_],
    choices: dict[str, Choice],
    *,
    config: ForecastConfig,
    firm_preorders: pl.DataFrame | None = None,
    analogues: Analogues | None = None,
    jumps: Settled | None = None,
) -> Ladder:
    """Return what would be published for the targets as of the end of ``past``, launches along their curve.

    Args:
        inputs: everything, of which only what was known at that time is read.
        past: panel of the targets.
        forecasts: model -> (n, h), made at that time.
        segment: (n,) segments.
        choices: what is published by segment.
        config: thresholds.
        firm_preorders: sku, firm_qty as known at that time; None: left out.
        analogues: of all series at that time; None: they are worked out here.
        jumps: what the targets that jumped by then settle at; None: it is worked out here.
    """
    horizon, whole = forecasts[CONTROL].shape[1], inputs.panel.until(past.n_periods)
    lift = event_lift(past, inputs.tables.events, horizon=horizon)  # first weeks may lie in a festival
    if analogues is None or jumps is None:
        usually = calm(whole, inputs.tables.events)
        analogues = launch_analogues(usually) if analogues is None else analogues
        jumps = settled(usually).rows(inputs.targets) if jumps is None else jumps
    pace = np.full(past.n_series, np.nan)
    if firm_preorders is not None:
        pace = preorder_levels(whole, firm_preorders, analogues.level)[inputs.targets]
    analogues = analogues.rows(inputs.targets)
    usual = replace(past, demand=past.demand / lift[:, : past.n_periods])
    young = ~(_long_enough(past, config) & np.isfinite(forecasts[CONTROL]).all(axis=1))  # the others never get there
    launch = launch_forecast(usual, analogues, pace, horizon=horizon, pooling=config.pooling_periods, wanted=young)
    launch = launch * lift[:, past.n_periods :]
    origin = Launches(analogues.basis, ~np.isnan(pace))
    found = climb(past, forecasts, segment, choices, launch, origin, config=config)
    known = Settled(np.where(found.level <= 1, jumps.level, np.nan), jumps.error)  # launches have a curve of their own
    mean, jumped = tempered(found.mean, known, lift[:, past.n_periods :])
    reason = [f"{r}; {Reason.SETTLES}" if j else r for r, j in zip(found.reason, jumped.tolist(), strict=True)]
    return replace(found, mean=mean.astype(np.float32), reason=reason)


def _long_enough(panel: Panel, config: ForecastConfig) -> NDArray[np.bool_]:
    """Return (n,) series of so much history that models forecast them."""
    needed = config.min_periods_for_blend if panel.season > 1 else config.min_weeks_for_blend
    return np.asarray(observed_periods(panel) >= needed)


def _capped(
    mean: NDArray[np.floating], panel: Panel, *, factor: float, applies: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    largest = np.nan_to_num(panel.demand).max(axis=1, initial=0)
    cap = np.where(applies & (largest > 0), factor * np.maximum(largest, 1), np.inf)[:, None]
    mean = np.maximum(np.nan_to_num(mean, posinf=0.0), 0)
    return np.minimum(mean, cap), np.asarray((mean > cap).any(axis=1))


def _names(
    level: NDArray[np.int64],
    segment: NDArray[np.str_],
    choices: dict[str, Choice],
    forecasts: dict[str, NDArray[np.float32]],
    origin: Launches,
) -> tuple[list[str], list[str]]:
    """Return model and reason of each series."""
    mixtures = {s: single(choices, s) for s in sorted(set(segment.tolist()))}
    without = {s: {k: w for k, w in c.weights.items() if k != LEARNER and k in forecasts} for s, c in mixtures.items()}
    model, reason = [], []
    for row, rung in enumerate(level.tolist()):
        name = str(segment[row])
        if rung == 0:
            model.append(_mixture(mixtures[name].weights))
            reason.append(Reason.CONTROL_KEPT if mixtures[name].gated else Reason.BLEND)
        elif rung == 1:
            model.append(_mixture(without[name]) or CONTROL)
            reason.append(Reason.NO_LEARNER)
        elif rung == 2:
            model.append(f"launch_curve({origin.basis[row]})" if origin.basis[row] else CONTROL)
            reason.append(Reason.SHORT_HISTORY)
        elif rung == 3:
            model.append(f"launch_curve({origin.basis[row]})")
            reason.append(Reason.PREORDERS if origin.has_preorders[row] else Reason.ANALOGUES)
        else:
            model.append("constant")
            reason.append(Reason.NOTHING_KNOWN)
    return model, [str(r) for r in reason]


def _mixture(weights: dict[str, float]) -> str:
    """Return the mixture as text, heaviest model first: ``lightgbm 0.70 + imapa 0.30``."""
    total = sum(weights.values())
    if not total:
        return ""
    ordered = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) == 1:
        return ordered[0][0]
    return " + ".join(f"{name} {weight / total:.2f}" for name, weight in ordered)
