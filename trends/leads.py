"""Do signals help? Lead and strength of signals on sales by element type, and whether they may enter the forecast.

Sales of an element's products, against their own past, are regressed on its heat some days earlier; the lead with the
least error is taken, with what was known at each window's origin and nothing later. Then a plain forecast of every SKU
is made with and without the signals on windows that lie in the past. Signals of a type enter the forecast only where
they lowered the error of the SKUs they touch by ``min_gain_percent``, and where signals handed to the wrong elements
hardly ever helped as much (a permutation test, Phipson and Smyth 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trends.config import TrendConfig
from trends.sales import SalesPanel
from trends.signals import ALL_REGIONS

__all__ = ["GateReason", "HeatPanel", "signal_leads"]

Floats = NDArray[np.float64]

_LEADS = tuple(range(0, 29, 2))  # [days] leads tried: signals further ahead than four weeks were never seen to hold
_WINDOW = 14  # [days] both the level compared with and the days forecast
_MIN_PAIRS = 12  # element-region-weeks that a regression needs
_TOUCHED = 0.1  # log change of demand from which a SKU counts as affected
_LARGEST = 1.5  # log change that signals may bring: 4.5 times the usual
_Z90 = 1.6448536269514722
_PRIOR_SD = 0.5  # strengths are shrunk to none: few elements prove little


class GateReason(StrEnum):
    """Why signals of a type enter the forecast or not."""

    HELPS = "helps"
    NO_GAIN = "no_gain"
    BY_CHANCE = "by_chance"
    HARMS_ELSEWHERE = "harms_elsewhere"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class HeatPanel:
    """Heat as known at the close of each day: ``values`` (n_days, n_series) on the days of the sales panel."""

    series: pl.DataFrame
    values: NDArray[np.float32]


@dataclass(frozen=True)
class _Fit:
    lead: int
    strength: float
    error: float


@dataclass(frozen=True)
class _Window:
    """One past window: who sold what, and which series of the type each SKU carries."""

    origin: int
    rows: NDArray[np.int64]  # SKUs judged
    before: Floats  # level before the origin [units/day]
    actual: Floats  # on the days after it [units/day]
    region: NDArray[np.int64]


def signal_leads(
    heat: HeatPanel, sales_heat: HeatPanel, panel: SalesPanel, elements: pl.DataFrame, *, config: TrendConfig, seed: int
) -> pl.DataFrame:
    """Return ``signal_leads``: lead, strength, gain and verdict of each element type that has signals and sales.

    Args:
        heat: heat of the signals.
        sales_heat: heat of the sales of the same elements, likewise.
        panel: sales by SKU and region.
        elements: ``sku``, ``element_type``, ``element``.
        config: windows, permutations, the gate.
        seed: of the permutations.
    """
    rows = []
    windows = _windows(panel, config)
    for kind in sorted(set(heat.series["element_type"].unique()) & set(sales_heat.series["element_type"].unique())):
        rng = np.random.default_rng([seed, *kind.encode()])
        rows.append({"element_type": kind, **_verdict(kind, heat, sales_heat, panel, elements, windows, config, rng)})
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
    kind: str,
    heat: HeatPanel,
    sales_heat: HeatPanel,
    panel: SalesPanel,
    elements: pl.DataFrame,
    windows: list[_Window],
    config: TrendConfig,
    rng: np.random.Generator,
) -> dict[str, object]:
    told, sold, names = _matched(kind, heat, sales_heat)
    fits = [_fit(told, sold, until=w.origin) for w in windows]
    last = _fit(told, sold, until=panel.n_days)
    n = sum(fit is not None for fit in fits)
    if last is None or n < config.gate_windows_min:
        return _row(last, None, None, None, n, GateReason.TOO_FEW)
    carried = _carried(kind, panel, elements, names)
    gain, elsewhere, touched = _gain(np.nan_to_num(told), carried, windows, fits)
    if touched == 0:
        return _row(last, None, None, None, n, GateReason.TOO_FEW)
    if gain < config.gate_min_gain_percent or last.strength - _Z90 * last.error <= 0:
        return _row(last, gain, elsewhere, None, n, GateReason.NO_GAIN)
    p_value = _chance(told, carried, windows, fits, names, gain, config, rng)
    reason = GateReason.HELPS
    if p_value > config.gate_max_p_value:
        reason = GateReason.BY_CHANCE
    elif elsewhere < -config.gate_max_harm_percent:
        reason = GateReason.HARMS_ELSEWHERE
    return _row(last, gain, elsewhere, p_value, n, reason)


def _chance(
    told: NDArray[np.float32],
    carried: list[NDArray[np.int64]],
    windows: list[_Window],
    fits: list[_Fit | None],
    names: list[tuple[str, str]],
    gain: float,
    config: TrendConfig,
    rng: np.random.Generator,
) -> float:
    """Return the share of signals dealt to the wrong elements of their region that help as much as the true ones."""
    order = np.arange(told.shape[1])
    regions = np.array([r for _, r in names])
    beaten = 0
    for _ in range(config.gate_permutations):
        for region in np.unique(regions):
            place = np.flatnonzero(regions == region)
            order[place] = rng.permutation(place)
        beaten += _gain(np.nan_to_num(told[:, order]), carried, windows, fits)[0] >= gain
    return (1 + beaten) / (1 + config.gate_permutations)


def _row(
    fit: _Fit | None, gain: float | None, elsewhere: float | None, p_value: float | None, n: int, reason: GateReason
) -> dict[str, object]:
    found = fit or _Fit(0, 0.0, 0.0)
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


def _matched(
    kind: str, heat: HeatPanel, sales_heat: HeatPanel
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[tuple[str, str]]]:
    """Return signals' and sales' heat of the same elements and regions, and their names."""
    told = {(e, r): i for i, (k, e, r) in enumerate(heat.series.iter_rows()) if k == kind}
    sold = {(e, r): i for i, (k, e, r) in enumerate(sales_heat.series.iter_rows()) if k == kind and r != ALL_REGIONS}
    # a region that sources do not tell apart takes the figure of all regions
    pairs = [(name, told.get(name, told.get((name[0], ALL_REGIONS), -1)), i) for name, i in sorted(sold.items())]
    pairs = [p for p in pairs if p[1] >= 0]
    return (
        heat.values[:, [p[1] for p in pairs]],
        sales_heat.values[:, [p[2] for p in pairs]],
        [p[0] for p in pairs],
    )


def _fit(told: NDArray[np.float32], sold: NDArray[np.float32], *, until: int) -> _Fit | None:
    """Return the lead with the least error and its slope, from what was known before column ``until``.

    Weekly points, one a series and week, are close to independent; the error is that of the slope with the series as
    clusters, and the slope is shrunk to none by it.
    """
    best: _Fit | None = None
    least = np.inf
    longest = _LEADS[-1]
    days = np.arange(until - 1, longest, -7)
    if len(days) == 0 or told.shape[1] == 0:
        return None
    y = np.nan_to_num(sold[days].astype(np.float64))
    for lead in _LEADS:
        x = np.nan_to_num(told[days - lead].astype(np.float64))
        used = (x != 0) & (y != 0)
        if used.sum() < _MIN_PAIRS:
            continue
        xx, xy = np.where(used, x * x, 0).sum(), np.where(used, x * y, 0).sum()
        if xx <= 0:
            continue
        slope = float(xy / xx)
        residual = np.where(used, y - slope * x, 0.0)
        loss = float((residual**2).sum() / used.sum())
        if loss < least:
            scores = np.where(used, x * residual, 0.0).sum(axis=0)
            error = float(np.sqrt((scores**2).sum()) / xx)
            kept = _PRIOR_SD**2 / (_PRIOR_SD**2 + error**2)
            best, least = _Fit(lead, slope * kept, error * float(np.sqrt(kept))), loss
    return best


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


def _carried(
    kind: str, panel: SalesPanel, elements: pl.DataFrame, names: list[tuple[str, str]]
) -> list[NDArray[np.int64]]:
    """Return for each SKU and region the series of the type that it carries, -1 none: one array a place in the list.

    A SKU may carry several elements of a type: the arrays hold its first, its second ...
    """
    place = {name: i for i, name in enumerate(names)}
    mine: dict[str, list[str]] = {}
    for sku, _, element in elements.filter(pl.col("element_type") == kind).sort("sku", "element").iter_rows():
        mine.setdefault(sku, []).append(element)
    columns = [
        [place[e, region] for e in mine.get(sku, []) if (e, region) in place] for sku, region in panel.keys.iter_rows()
    ]
    width = max((len(c) for c in columns), default=0)
    return [np.array([c[i] if i < len(c) else -1 for c in columns], dtype=np.int64) for i in range(width)]


def _gain(
    told: NDArray[np.float32], carried: list[NDArray[np.int64]], windows: list[_Window], fits: list[_Fit | None]
) -> tuple[float, float, int]:
    """Return WAPE saved on the SKUs touched and on the others [%], and how many SKU-windows were touched."""
    sums = np.zeros(6)
    touched = 0
    for window, fit in zip(windows, fits, strict=True):
        if fit is None:
            continue
        lift = _lift(told, window.origin, fit)
        change = np.zeros(len(window.rows))
        for column in carried:
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


def _lift(heat: NDArray[np.float32], origin: int, fit: _Fit) -> Floats:
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
