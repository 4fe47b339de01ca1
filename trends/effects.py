"""Lead and strength of signals on sales: all element types together, from weeks of every product, as of any past day.

What a product sells in a week, over what it sold in the four weeks before, is set beside the change in attention of its
elements between the same two stretches, some days earlier. A Poisson regression over all products and weeks fits every
element type at once, for a product carries several elements; the lead of each type is the one that explains most. What
moves a whole region is taken out first, best sellers weigh little more than others (their errors are large), and young
products teach nothing: they fall by themselves while their series is on the air.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trends.sales import SalesPanel
from trends.signals import ALL_REGIONS

__all__ = ["LEADS", "Cases", "Effect", "carried_series", "cases_of", "effects"]

Floats = NDArray[np.float64]
Places = dict[str, NDArray[np.int64]]

LEADS = tuple(range(0, 29, 2))  # [days] leads tried: signals further ahead than four weeks were never seen to hold
BEFORE_DAYS = 28  # the level that a week is compared with [days]
_WEEK = 7
_MIN_BEFORE, _MIN_WEEK = 10, 4  # known days that make a level, and a week [days]
_YOUNG_DAYS = 60  # younger products follow their launch [days]
_STEADY_UNITS = 10.0  # expected sales of a week beyond which more of them prove no more [units]
_MOST_CASES = 150_000  # product-weeks that teach
_PRIOR_SD = 0.5  # strengths are shrunk to none: few elements prove little
_USUAL_STRENGTH = 0.4  # at which leads are compared before anything is known
_MOST_CHANGE = 2.0  # log change that counts
_MIN_CASES = 200
_SWEEPS, _STEPS = 2, 6


@dataclass(frozen=True)
class Effect:
    """Lead [days] and strength (log change of demand per log change of attention) of a type, with its error."""

    lead: int
    strength: float
    error: float


@dataclass(frozen=True)
class Cases:
    """Product-weeks: row of the panel, first day of the week (column), sales, and what the weeks before led to expect.

    ``changes``: element type -> (n_leads, n_cases) change of attention; ``element``: type -> (n_cases,) first element
    carried, -1 none.
    """

    series: NDArray[np.int64]
    week: NDArray[np.int64]
    actual: Floats
    expected: Floats
    changes: dict[str, NDArray[np.float32]]
    element: Places

    def until(self, day: int) -> NDArray[np.int64]:
        """Return the cases whose week was over by column ``day``."""
        return np.flatnonzero(self.week + _WEEK <= day)


def carried_series(kind: str, panel: SalesPanel, elements: pl.DataFrame, series: pl.DataFrame) -> NDArray[np.int64]:
    """Return (n_rows, width) the series of attention that each row of the panel carries of a type, -1 none.

    A region that sources do not tell apart takes the series of all regions.
    """
    place = {(e, r): i for i, (k, e, r) in enumerate(series.iter_rows()) if k == kind}
    mine: dict[str, list[str]] = {}
    for sku, _, element in elements.filter(pl.col("element_type") == kind).sort("sku", "element").iter_rows():
        mine.setdefault(sku, []).append(element)
    found = [
        [at for e in mine.get(sku, ()) if (at := place.get((e, region), place.get((e, ALL_REGIONS), -1))) >= 0]
        for sku, region in panel.keys.iter_rows()
    ]
    width = max((len(f) for f in found), default=0)
    return np.array([f + [-1] * (width - len(f)) for f in found], dtype=np.int64).reshape(len(found), width)


def cases_of(panel: SalesPanel, attention: NDArray[np.float32], carried: Places) -> Cases:
    """Return the product-weeks of a panel, counted back from its last day.

    Args:
        panel: sales by SKU and region.
        attention: (n_days, n_series) on the days of the panel, 0 where unknown.
        carried: element type -> as :func:`carried_series` gives it.
    """
    region = (
        panel.keys["region"].rank("dense").to_numpy().astype(np.int64) - 1 if panel.keys.height else np.zeros(0, int)
    )
    known = np.isfinite(panel.units)
    first = np.where(known.any(axis=1), known.argmax(axis=1), panel.n_days)
    parts = []
    for week in range(panel.n_days - _WEEK, BEFORE_DAYS + LEADS[-1], -_WEEK):
        before = panel.rate(week - BEFORE_DAYS, week, at_least=_MIN_BEFORE)
        came = panel.rate(week, week + _WEEK, at_least=_MIN_WEEK)
        days = known[:, week : week + _WEEK].sum(axis=1)
        rows = np.flatnonzero(np.isfinite(came) & (before > 0) & ((first <= week - _YOUNG_DAYS) | (first == 0)))
        if len(rows):
            actual, expected = came[rows] * days[rows], before[rows] * days[rows]
            expected *= _regional(actual, expected, region[rows])
            parts.append((rows, np.full(len(rows), week), actual, expected))
    if not parts:
        nothing = np.zeros(0)
        return Cases(nothing.astype(np.int64), nothing.astype(np.int64), nothing, nothing, {}, {})
    series, weeks, actual, expected = (np.concatenate([p[i] for p in parts]) for i in range(4))
    some = slice(None, None, -(-len(series) // _MOST_CASES))
    series, weeks, actual, expected = series[some], weeks[some], actual[some], expected[some]
    return Cases(
        series=series,
        week=weeks,
        actual=actual,
        expected=expected,
        changes=_changes(series, weeks, attention, carried),
        element={
            kind: rows[series, 0] if rows.shape[1] else np.full(len(series), -1) for kind, rows in carried.items()
        },
    )


def _regional(actual: Floats, expected: Floats, region: NDArray[np.int64]) -> Floats:
    """Return what each region sold over what was expected: festivals and holidays are no one's signal."""
    n = int(region.max(initial=0)) + 1
    came, said = np.bincount(region, actual, n), np.bincount(region, expected, n)
    return np.where(said > 0, np.maximum(came, 1e-9) / np.maximum(said, 1e-9), 1.0)[region]


def _changes(
    series: NDArray[np.int64], weeks: NDArray[np.int64], attention: NDArray[np.float32], carried: Places
) -> dict[str, NDArray[np.float32]]:
    sums = np.vstack([np.zeros((1, attention.shape[1])), attention.cumsum(axis=0, dtype=np.float64)])
    distinct, at = np.unique(weeks, return_inverse=True)
    out = {kind: np.zeros((len(LEADS), len(series)), dtype=np.float32) for kind in carried}
    for row, lead in enumerate(LEADS):
        day = distinct - lead
        after = (sums[day + _WEEK] - sums[day]) / _WEEK
        before = (sums[day] - sums[np.maximum(day - BEFORE_DAYS, 0)]) / BEFORE_DAYS
        change = np.hstack([after - before, np.zeros((len(distinct), 1))])  # the last column is that of none
        for kind, places in carried.items():
            for column in places.T:
                out[kind][row] += change[at, column[series]].astype(np.float32)
    return {kind: np.clip(v, -_MOST_CHANGE, _MOST_CHANGE) for kind, v in out.items()}


def effects(cases: Cases, *, until: int) -> dict[str, Effect]:
    """Return the effect of each element type as far as weeks over by column ``until`` tell; {} with too few."""
    chosen = cases.until(until)
    kinds = [k for k, x in cases.changes.items() if np.any(x[:, chosen])]
    if len(chosen) < _MIN_CASES or not kinds:
        return {}
    weight = 1 / (1 + cases.expected[chosen] / _STEADY_UNITS)
    actual, expected = cases.actual[chosen] * weight, cases.expected[chosen] * weight
    tried = {k: cases.changes[k][:, chosen] for k in kinds}
    leads = dict.fromkeys(kinds, len(LEADS) // 2)
    strength = np.full(len(kinds), _USUAL_STRENGTH)
    for _ in range(_SWEEPS):
        for i, kind in enumerate(kinds):
            others = _log_lift(tried, kinds, leads, strength, without=i)
            leads[kind] = _best_lead(tried[kind], actual, expected * np.exp(others), max(strength[i], 0.1))
        strength = _newton(tried, kinds, leads, strength, actual, expected)
    lift = np.exp(_log_lift(tried, kinds, leads, strength))
    off = actual - expected * lift
    out = {}
    for i, kind in enumerate(kinds):
        x = tried[kind][leads[kind]].astype(np.float64)
        hessian = float((x * x * expected * lift).sum()) + 1 / _PRIOR_SD**2
        # the products of an element rise and fall together: their scores count as one
        cluster = np.bincount(cases.element[kind][chosen] + 1, x * off)
        out[kind] = Effect(LEADS[leads[kind]], float(strength[i]), float(np.sqrt((cluster**2).sum()) / hessian))
    return out


def _log_lift(
    tried: dict[str, NDArray[np.float32]], kinds: list[str], leads: dict[str, int], strength: Floats, without: int = -1
) -> Floats:
    total = np.zeros(next(iter(tried.values())).shape[1])
    for i, kind in enumerate(kinds):
        if i != without and strength[i]:
            total += strength[i] * tried[kind][leads[kind]]
    return np.clip(total, -_MOST_CHANGE, _MOST_CHANGE)


def _best_lead(changes: NDArray[np.float32], actual: Floats, expected: Floats, strength: float) -> int:
    """Return the lead whose likelihood is highest, each after one Newton step from a usual strength."""
    best, most = 0, -np.inf
    for row, change in enumerate(changes):
        x = change.astype(np.float64)
        mean = expected * np.exp(strength * x)
        score, curve = float((x * (actual - mean)).sum()), float((x * x * mean).sum()) + 1 / _PRIOR_SD**2
        value = strength * float((actual * x).sum()) - float(mean.sum()) + score**2 / (2 * curve)
        if value > most:
            best, most = row, value
    return best


def _newton(
    tried: dict[str, NDArray[np.float32]],
    kinds: list[str],
    leads: dict[str, int],
    start: Floats,
    actual: Floats,
    expected: Floats,
) -> Floats:
    x = np.stack([tried[k][leads[k]] for k in kinds]).astype(np.float64)
    strength = start.copy()
    for _ in range(_STEPS):
        mean = expected * np.exp(np.clip(strength @ x, -_MOST_CHANGE, _MOST_CHANGE))
        gradient = x @ (actual - mean) - strength / _PRIOR_SD**2
        hessian = (x * mean) @ x.T + np.eye(len(kinds)) / _PRIOR_SD**2
        strength = strength + np.clip(np.linalg.solve(hessian, gradient), -0.5, 0.5)
    return np.asarray(strength)
