"""Do signals help? Lead and strength of signals on sales by element type, and whether they may enter the forecast.

Lead and strength are those of :mod:`trends.effects`, as far as was known at each window's origin and nothing later. A
plain forecast of every SKU is made with and without the signals on windows that lie in the past. Signals of a type
enter the forecast only where they lowered the error of the SKUs they touch by ``gate_min_gain_percent``, and where
signals handed to the wrong elements hardly ever helped as much (a permutation test, Phipson and Smyth 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trends.config import TrendConfig
from trends.effects import Effect, carried_series, cases_of, effects
from trends.sales import SalesPanel

__all__ = ["GateReason", "HeatPanel", "signal_leads"]

Floats = NDArray[np.float64]

_WINDOW = 14  # [days] both the level compared with and the days forecast
_LEARNT_EVERY = 4  # windows that share what was learnt as of the first of them
_TOUCHED = 0.1  # log change of demand from which a SKU counts as affected
_LARGEST = 1.5  # log change that signals may bring: 4.5 times the usual
_Z90 = 1.6448536269514722


class GateReason(StrEnum):
    """Why signals of a type enter the forecast or not."""

    HELPS = "helps"
    NO_GAIN = "no_gain"
    BY_CHANCE = "by_chance"
    HARMS_ELSEWHERE = "harms_elsewhere"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class HeatPanel:
    """Attention as known at the close of each day: ``values`` (n_days, n_series) on the days of the sales panel."""

    series: pl.DataFrame
    values: NDArray[np.float32]


@dataclass(frozen=True)
class _Window:
    """One past window: who sold what, and which series of the type each SKU carries."""

    origin: int
    rows: NDArray[np.int64]  # SKUs judged
    before: Floats  # level before the origin [units/day]
    actual: Floats  # on the days after it [units/day]
    region: NDArray[np.int64]


@dataclass(frozen=True)
class _Told:
    """Signals of one type: ``values`` (n_days, n_series), the region of each series, who carries which (-1 none)."""

    values: NDArray[np.float32]
    regions: NDArray[np.str_]
    carried: NDArray[np.int64]


def signal_leads(
    attention: HeatPanel, panel: SalesPanel, elements: pl.DataFrame, *, config: TrendConfig, seed: int
) -> pl.DataFrame:
    """Return ``signal_leads``: lead, strength, gain and verdict of each element type that has signals and sales.

    Args:
        attention: of the signals, see :mod:`trends.attention`.
        panel: sales by SKU and region.
        elements: ``sku``, ``element_type``, ``element``.
        config: windows, permutations, the gate.
        seed: of the permutations.
    """
    kinds = sorted(set(attention.series["element_type"].unique()) & set(elements["element_type"].unique()))
    carried = {k: carried_series(k, panel, elements, attention.series) for k in kinds}
    carried = {k: rows for k, rows in carried.items() if rows.size}
    cases = cases_of(panel, attention.values, carried)
    windows = _windows(panel, config)
    # learnt anew every few windows, never from weeks after the window's origin
    learnt = {w.origin: effects(cases, until=w.origin) for w in windows[::_LEARNT_EVERY]}
    known = [learnt[windows[i - i % _LEARNT_EVERY].origin] for i in range(len(windows))]
    last = effects(cases, until=panel.n_days)
    rows = []
    for kind, rows_of in carried.items():
        mine = np.flatnonzero((attention.series["element_type"] == kind).to_numpy())
        place = np.full(attention.series.height + 1, -1)
        place[mine] = np.arange(len(mine))
        told = _Told(
            np.nan_to_num(attention.values[:, mine]),
            attention.series["region"].to_numpy()[mine].astype(str),
            place[rows_of],
        )
        rng = np.random.default_rng([seed, *kind.encode()])
        fits = [found.get(kind) for found in known]
        rows.append({"element_type": kind, **_verdict(last.get(kind), fits, told, windows, config, rng)})
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row") if rows else pl.DataFrame(schema=_SCHEMA)


_SCHEMA = {
    "element_type": pl.String,
    "lead_days": pl.Int64,
    "strength": pl.Float64,
    "strength_lo": pl.Float64,
    "strength_hi": pl.Float64,
    "gain_percent": pl.Float64,
    "elsewhere_percent": pl.Float64,
    "p_value": pl.Float64,
    "n_windows": pl.Int64,
    "use_in_forecast": pl.Boolean,
    "reason": pl.String,
}


def _verdict(
    last: Effect | None,
    fits: list[Effect | None],
    told: _Told,
    windows: list[_Window],
    config: TrendConfig,
    rng: np.random.Generator,
) -> dict[str, object]:
    n = sum(fit is not None for fit in fits)
    if last is None or n < config.gate_windows_min:
        return _row(last, None, None, None, n, GateReason.TOO_FEW)
    gain, elsewhere, touched = _gain(told.values, told.carried, windows, fits)
    if touched == 0:
        return _row(last, None, None, None, n, GateReason.TOO_FEW)
    if gain < config.gate_min_gain_percent or last.strength - _Z90 * last.error <= 0:
        return _row(last, gain, elsewhere, None, n, GateReason.NO_GAIN)
    p_value = _chance(told, windows, fits, gain, config, rng)
    reason = GateReason.HELPS
    if p_value > config.gate_max_p_value:
        reason = GateReason.BY_CHANCE
    elif elsewhere < -config.gate_max_harm_percent:
        reason = GateReason.HARMS_ELSEWHERE
    return _row(last, gain, elsewhere, p_value, n, reason)


def _chance(
    told: _Told,
    windows: list[_Window],
    fits: list[Effect | None],
    gain: float,
    config: TrendConfig,
    rng: np.random.Generator,
) -> float:
    """Return the share of signals dealt to the wrong elements of their region that help as much as the true ones."""
    order = np.arange(told.values.shape[1])
    beaten = 0
    for _ in range(config.gate_permutations):
        for region in np.unique(told.regions):
            place = np.flatnonzero(told.regions == region)
            order[place] = rng.permutation(place)
        beaten += _gain(told.values[:, order], told.carried, windows, fits)[0] >= gain
    return (1 + beaten) / (1 + config.gate_permutations)


def _row(
    fit: Effect | None, gain: float | None, elsewhere: float | None, p_value: float | None, n: int, reason: GateReason
) -> dict[str, object]:
    found = fit or Effect(0, 0.0, 0.0)
    return {
        "lead_days": found.lead,
        "strength": found.strength,
        "strength_lo": found.strength - _Z90 * found.error,
        "strength_hi": found.strength + _Z90 * found.error,
        "gain_percent": gain,
        "elsewhere_percent": elsewhere,
        "p_value": p_value,
        "n_windows": n,
        "use_in_forecast": reason is GateReason.HELPS,
        "reason": reason.value,
    }


def _windows(panel: SalesPanel, config: TrendConfig) -> list[_Window]:
    """Return past windows, the oldest first: none of them reaches beyond the run date."""
    found = []
    region = panel.keys["region"].rank("dense").to_numpy().astype(np.int64) - 1
    for i in range(config.gate_windows, 0, -1):
        origin = panel.n_days - _WINDOW * i
        if origin < 3 * _WINDOW:
            continue
        before, actual = panel.rate(origin - _WINDOW, origin), panel.rate(origin, origin + _WINDOW)
        rows = np.flatnonzero(np.isfinite(before) & np.isfinite(actual))
        found.append(_Window(origin, rows, before[rows], actual[rows], region[rows]))
    return found


def _gain(
    told: NDArray[np.float32], carried: NDArray[np.int64], windows: list[_Window], fits: list[Effect | None]
) -> tuple[float, float, int]:
    """Return WAPE saved on the SKUs touched and on the others [%], and how many SKU-windows were touched."""
    sums = np.zeros(6)
    touched = 0
    for window, fit in zip(windows, fits, strict=True):
        if fit is None:
            continue
        lift = _lift(told, window.origin, fit)
        change = np.zeros(len(window.rows))
        for column in carried.T:
            index = column[window.rows]
            change += np.where(index >= 0, lift[np.maximum(index, 0)], 0.0)
        change = np.clip(change, -_LARGEST, _LARGEST)
        plain = _scaled(window.before, window)
        told_so = _scaled(window.before * np.exp(change), window)
        hit = np.abs(change) >= _TOUCHED
        touched += int(hit.sum())
        for i, part in enumerate((hit, ~hit)):
            actual = window.actual[part]
            sums[3 * i : 3 * i + 3] += (
                np.abs(plain[part] - actual).sum(),
                np.abs(told_so[part] - actual).sum(),
                actual.sum(),
            )
    gains = [100.0 * (1 - sums[3 * i + 1] / sums[3 * i]) if sums[3 * i] > 0 else 0.0 for i in range(2)]
    return gains[0], gains[1], touched


def _lift(heat: NDArray[np.float32], origin: int, fit: Effect) -> Floats:
    """Return the log change of demand of each series from the days before the origin to those after it."""
    after = np.minimum(np.arange(origin, origin + _WINDOW) - fit.lead, origin - 1)
    before = np.arange(origin - _WINDOW, origin) - fit.lead
    level = heat[np.maximum(after, 0)].mean(axis=0) - heat[np.maximum(before, 0)].mean(axis=0)
    return np.asarray(fit.strength * level.astype(np.float64))


def _scaled(forecast: Floats, window: _Window) -> Floats:
    """Return the forecast with each region's total set to what came: festivals and holidays are no one's signal."""
    n = int(window.region.max(initial=0)) + 1
    came = np.bincount(window.region, window.actual, n)
    said = np.bincount(window.region, forecast, n)
    return np.asarray(forecast * np.where(said > 0, came / np.maximum(said, 1e-9), 1.0)[window.region])
