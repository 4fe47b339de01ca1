"""Should forecasts of whole categories and locations pull those of the series? Only where it did earlier windows good.

Forecasts of series are summed upwards, so every level agrees with the one below: bottom-up. Where totals are easier to
foresee than their parts, forecasts of the totals (Dynamic Optimised Theta, Fiorucci et al. 2016) may move the parts:
the least-squares reconciliation of Wickramasuriya, Athanasopoulos & Hyndman (2019) with a diagonal W,

    b' = b + W_b U' (W_u + U W_b U')^-1 (y_u - U b)

for the horizon's sums b of the series, sums U b over nodes and node forecasts y_u. With W_b = b and W_u = U b
(structural scaling by means in place of ones) it multiplies: shapes over periods stay, quantiles follow their mean, the
system has one row a node and not one a series. Series go half the way (the geometric mean of b and b'), which did less
harm where totals were foreseen badly. This is done only where it was better on each of at least two windows.

Before it comes the way of :mod:`forecasting.middle_out`, day by day from nodes between shop and series. It stands
unless earlier windows speak against it; sums of the series stand where neither does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.hierarchy import LEVELS
from forecasting.models import in_stock_ratio
from forecasting.panel import Panel

__all__ = ["BOTTOM_UP", "MIDDLE_OUT", "RECONCILED", "Coherence", "choose_coherence", "node_codes", "pull", "reconciled"]

Floats = NDArray[np.floating]

BOTTOM_UP, RECONCILED, MIDDLE_OUT = "bottom_up", "reconciled", "middle_out"
_FEWEST_WINDOWS = 2
_MARGIN = 0.01  # [0-1] share of the error that must go away, on the mean of the windows
_NO_HARM = 1.03  # [ratio] of errors up to which middle-out stands: the weights of the sums were chosen on these windows
_FURTHEST = 1.5625  # [ratio] a series is moved half the way to this at most
_HISTORY_SEASONS = 57  # weeks of a total that its model sees
_MOST_NODES = 400  # finer levels are left out: their totals are as hard to foresee as the series


@dataclass(frozen=True)
class Coherence:
    """How levels are made to agree.

    Attributes:
        how: ``bottom_up``, ``reconciled`` or ``middle_out``.
        scores: error of the forecasts moved in that way over that of the sums, mean over levels, of each window; of
            reconciled ones up to the first on which they were not better, where sums stand too.
        total_bias: (forecast - actual) / actual of the whole shop on the last window, as published; NaN unknown.
    """

    how: str = BOTTOM_UP
    scores: tuple[float, ...] = ()
    total_bias: float = float("nan")


def node_codes(keys: pl.DataFrame) -> list[NDArray[np.int64]]:
    """Return (n,) node numbers of each level above the series, the whole shop first; levels of one node left out."""
    out = []
    for columns in LEVELS:
        if any(c not in keys.columns for c in columns):
            continue
        named = pl.concat_str([pl.col(c).fill_null("-") for c in columns], separator="\n") if columns else pl.lit("")
        code = keys.select(named.alias("node").rank("dense")).to_series().to_numpy().astype(np.int64) - 1
        code = np.broadcast_to(code, (keys.height,))
        if (not columns or code.max(initial=0) > 0) and code.max(initial=0) < _MOST_NODES:
            out.append(code)
    return out


def pull(past: Panel, mean: Floats) -> Floats:
    """Return (n,) what the forecasts of totals multiply each series' forecast by, half the way, within 0.8 and 1.25.

    Args:
        past: history of the series.
        mean: (n, h) their forecasts; NaN counts as 0.
    """
    codes = node_codes(past.keys)
    bottom = np.nan_to_num(mean).sum(axis=1, dtype=np.float64)
    if not codes or not bottom.sum() > 0:
        return np.ones(len(bottom))
    level = in_stock_ratio(past)  # the series' forecasts stand at the level in stock
    upper = [level * _foreseen(past, code, horizon=mean.shape[1]) for code in codes]
    moved = reconciled(bottom, upper, codes, weight=bottom)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(bottom > 0, moved / bottom, 1.0)
    return np.asarray(np.sqrt(np.clip(ratio, 1 / _FURTHEST, _FURTHEST)))


def reconciled(
    bottom: Floats, upper: Sequence[Floats], codes: Sequence[NDArray[np.int64]], *, weight: Floats
) -> NDArray[np.float64]:
    """Return (n,) sums of the series that agree best with the forecasts of all levels.

    Args:
        bottom: (n,) sums forecast for the series [units].
        upper: for each level, (nodes,) sums forecast for its nodes [units].
        codes: for each level, (n,) node of each series.
        weight: (n,) W_b, the diagonal; a node's is the sum of its series'.

    Example:
        >>> one = np.ones(2)
        >>> reconciled(one, [np.array([4.0])], [np.zeros(2, dtype=np.int64)], weight=one).tolist()
        [1.5, 1.5]
    """
    counts = [len(values) for values in upper]
    start = np.concatenate([[0], np.cumsum(counts)])
    rows = [code + first for code, first in zip(codes, start, strict=False)]
    size = int(start[-1])
    inner = np.zeros((size, size))
    for a in rows:
        for b in rows:
            np.add.at(inner, (a, b), weight)
    own = np.diag(inner).copy()
    gap = np.concatenate([np.asarray(v, dtype=np.float64) for v in upper])
    for a in rows:
        np.subtract.at(gap, a, bottom)
    empty = own <= 0
    gap[empty] = 0.0
    effect = np.linalg.solve(inner + np.diag(np.where(empty, 1.0, own)), gap)
    return np.asarray(np.maximum(bottom + weight * sum(effect[a] for a in rows), 0))


def _foreseen(past: Panel, code: NDArray[np.int64], *, horizon: int) -> NDArray[np.float64]:
    """Return (nodes,) forecast sums over the horizon of the nodes' totals [units]."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from statsforecast import StatsForecast
    from statsforecast.models import DynamicOptimizedTheta, HistoricAverage

    nodes = int(code.max()) + 1
    width = min(past.n_periods, _HISTORY_SEASONS * max(past.season, 2))
    total = np.zeros((nodes, width))
    np.add.at(total, code, np.nan_to_num(past.demand[:, -width:]))
    usual: NDArray[np.float64] = total[:, -8 * max(past.season, 1) :].mean(axis=1) * horizon
    if width < 4 * max(past.season, 2):
        return usual
    frame = pl.DataFrame(
        {
            "unique_id": np.repeat(np.arange(nodes), width),
            "ds": np.tile(np.arange(width), nodes),
            "y": total.reshape(-1),
        }
    )
    model = DynamicOptimizedTheta(season_length=past.season, alias="theta")
    made = StatsForecast(models=[model], freq=1, n_jobs=1, fallback_model=HistoricAverage()).forecast(
        df=frame, h=horizon
    )
    sums = made.sort("unique_id", "ds")["theta"].to_numpy().reshape(nodes, horizon).sum(axis=1)
    return np.asarray(np.where(np.isfinite(sums) & (sums >= 0), sums, usual))


def choose_coherence(
    pasts: Sequence[Panel],
    means: Sequence[Floats],
    actuals: Sequence[Floats],
    factors: Sequence[Floats] = (),
) -> tuple[Coherence, list[Floats]]:
    """Return how levels are made to agree, and the means of each window as they are published then.

    Args:
        pasts: for each window, history before it.
        means: for each window, (n, h) forecasts.
        actuals: for each window, (n, h) what came; NaN is not judged.
        factors: for each window, (n, h) what middle-out multiplies the forecasts by; none: it is not looked at.
    """
    if len(means) < _FEWEST_WINDOWS:
        return Coherence(total_bias=_total_bias(means[-1], actuals[-1]) if len(means) else float("nan")), list(means)
    found = _middle_out(pasts, means, actuals, factors)
    if found is not None:
        return found
    pulled: list[Floats] = []
    scores: tuple[float, ...] = ()
    for past, mean, actual in zip(pasts, means, actuals, strict=True):
        pulled.append(mean * pull(past, mean)[:, None].astype(mean.dtype))
        scores += (_error_ratio(node_codes(past.keys), pulled[-1], mean, actual),)
        if scores[-1] >= 1:  # the sums stand: the other windows need not be looked at
            break
    helps = max(scores) < 1 and float(np.mean(scores)) < 1 - _MARGIN
    published = pulled if helps else list(means)
    return Coherence(RECONCILED if helps else BOTTOM_UP, scores, _total_bias(published[-1], actuals[-1])), published


def _middle_out(
    pasts: Sequence[Panel], means: Sequence[Floats], actuals: Sequence[Floats], factors: Sequence[Floats]
) -> tuple[Coherence, list[Floats]] | None:
    """Return how middle-out did and the means it gives; None where it moves nothing or earlier windows deny it."""
    if not any((factor != 1).any() for factor in factors):
        return None
    moved = [mean * factor.astype(mean.dtype) for mean, factor in zip(means, factors, strict=True)]
    scores = tuple(
        _daily_error_ratio(node_codes(past.keys), ours, mean, actual)
        for past, ours, mean, actual in zip(pasts, moved, means, actuals, strict=True)
    )
    if float(np.mean(scores)) > _NO_HARM:
        return None
    return Coherence(MIDDLE_OUT, scores, _total_bias(moved[-1], actuals[-1])), moved


def _daily_error_ratio(codes: Sequence[NDArray[np.int64]], moved: Floats, mean: Floats, actual: Floats) -> float:
    """Return the error of days (root mean square), moved over plain, mean over the levels above the series."""
    judged = ~np.isnan(actual) & ~np.isnan(mean)
    errors = [np.where(judged, values - actual, 0).astype(np.float64) for values in (moved, mean)]
    ratios = []
    for code in codes:
        order = np.argsort(code, kind="stable")
        _, first = np.unique(code[order], return_index=True)
        ours, plain = (float(np.mean(np.add.reduceat(error[order], first, axis=0) ** 2)) for error in errors)
        ratios.append(np.sqrt(ours / plain) if plain > 0 else 1.0)
    return float(np.mean(ratios)) if ratios else 1.0


def _error_ratio(codes: Sequence[NDArray[np.int64]], moved: Floats, mean: Floats, actual: Floats) -> float:
    """Return the error of the window's sums (root mean square), moved over plain, mean over series and levels."""
    judged = ~np.isnan(actual) & ~np.isnan(mean)
    errors = [np.where(judged, values - actual, 0).sum(axis=1, dtype=np.float64) for values in (moved, mean)]
    ratios = []
    for code in [np.arange(len(mean)), *codes]:
        ours, plain = (np.sqrt(np.mean(np.bincount(code, weights=error) ** 2)) for error in errors)
        ratios.append(ours / plain if plain > 0 else 1.0)
    return float(np.mean(ratios))


def _total_bias(mean: Floats, actual: Floats) -> float:
    judged = ~np.isnan(actual) & ~np.isnan(mean)
    came = float(actual[judged].sum(dtype=np.float64))
    return float(mean[judged].sum(dtype=np.float64)) / came - 1 if came > 0 else float("nan")
