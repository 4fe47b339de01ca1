"""Which models are published for a segment, in which mixture, and whether the mixture may be published at all.

A mixture's score on earlier windows is the mean of two ratios to the moving-average control's root mean squared
error: that of the single series (scaled, weighted by revenue, as in M5) and that of totals over locations and
categories, where bias shows. Below 1 beats the control. Nothing that does not is published: the gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from forecasting.models import CONTROL

__all__ = ["ALL", "Choice", "Window", "blend", "choose", "scores_of", "single"]

ALL = "all"
_STEPS = 10  # the grid of weights has steps of a tenth: finer ones fit the noise of the windows
_CAUTION = 30.0  # over the number of series: the score that going from equal weights to one model must gain
_MIN_SERIES = 40  # segments with fewer series take the whole shop's weights


@dataclass(frozen=True)
class Window:
    """One earlier window: forecasts made before it and what came.

    Attributes:
        forecasts: model -> (n, h) mean forecasts, NaN where a model has none.
        actual: (n, h) demand, NaN where it may not be judged.
        weight: (n,) weight of each series' squared errors: revenue over scale.
        nodes: aggregation levels, each (n,) node numbers.
    """

    forecasts: dict[str, NDArray[np.float32]]
    actual: NDArray[np.float32]
    weight: NDArray[np.float64]
    nodes: Sequence[NDArray[np.int64]]


@dataclass(frozen=True)
class Choice:
    """What is published for a segment.

    Attributes:
        segment: its name.
        weights: model -> weight, adding up to 1.
        score: of the mixture; the control's is 1.
        champion: single model with the lowest score.
        runner_up: the next.
        margin: score of the runner-up less that of the champion.
        gated: the mixture lost to the control, so the control is published.
        scores: score of each single model.
    """

    segment: str
    weights: dict[str, float]
    score: float
    champion: str
    runner_up: str
    margin: float
    gated: bool
    scores: dict[str, float]


def choose(
    windows: Sequence[Window],
    segment: NDArray[np.str_],
    *,
    shrinkage: float,
    gate_margin: float,
    prior: dict[str, dict[str, float]] | None = None,
) -> dict[str, Choice]:
    """Return the choice for each segment, and for ``all`` series together.

    Args:
        windows: earlier windows, each over the same series.
        segment: (n,) segment of each series.
        shrinkage: pull of a segment's weights to the whole shop's (0-1).
        gate_margin: share by which the control must be beaten.
        prior: weights that the weekly review found, by segment; used in place of the whole shop's.
    """
    names = [CONTROL, *(n for n in windows[0].forecasts if n != CONTROL)]
    everything = np.ones(len(segment), dtype=np.bool_)
    grid = _grid(len(names))
    base = _best(_moments(windows, names, everything), grid, series=len(segment))
    choices = {ALL: _choice(ALL, names, _moments(windows, names, everything), base, gate_margin)}
    for name in sorted(set(segment.tolist())):
        members = segment == name
        moments = _moments(windows, names, members)
        toward = _toward(names, (prior or {}).get(name), base)
        own = _best(moments, grid, series=int(members.sum()))
        weights = toward if members.sum() < _MIN_SERIES else (1 - shrinkage) * own + shrinkage * toward
        choices[name] = _choice(name, names, moments, weights, gate_margin)
        if choices[name].gated and members.sum() >= _MIN_SERIES:  # the shop's weights spoilt it: its own may pass
            choices[name] = _choice(name, names, moments, own, gate_margin)
    return choices


def scores_of(
    windows: Sequence[Window], segment: NDArray[np.str_], weights: dict[str, dict[str, float]]
) -> dict[str, float]:
    """Return the score of given weights on the windows, by segment; models that are gone leave their weight behind."""
    names = [CONTROL, *(n for n in windows[0].forecasts if n != CONTROL)]
    out: dict[str, float] = {}
    for name, given in sorted(weights.items()):
        vector = np.array([given.get(n, 0.0) for n in names])
        members = (segment == name) | (name == ALL)
        if vector.sum() > 0 and members.any():
            out[name] = float(_score(_moments(windows, names, members), (vector / vector.sum())[None, :])[0])
    return out


def _toward(names: list[str], prior: dict[str, float] | None, base: NDArray[np.float64]) -> NDArray[np.float64]:
    if not prior:
        return base
    weights = np.array([prior.get(n, 0.0) for n in names])
    return weights / weights.sum() if weights.sum() > 0 else base


def _grid(count: int) -> NDArray[np.float64]:
    """Return all weightings in tenths that add up to 1; in fifths where there are many models."""
    steps = _STEPS if count <= 4 else _STEPS // 2
    rows = [(*w, steps - sum(w)) for w in product(range(steps + 1), repeat=count - 1) if sum(w) <= steps]
    return np.array(rows, dtype=np.float64)[:, ::-1] / steps


_Moments = list[NDArray[np.float64]]


def _moments(windows: Sequence[Window], names: list[str], members: NDArray[np.bool_]) -> _Moments:
    """Return K x K matrices of summed error products: of single series, then of each level of totals."""
    out: list[NDArray[np.float64]] = []
    for window in windows:
        judged = members & ~np.isnan(window.actual).all(axis=1) & ~np.isnan(window.forecasts[CONTROL]).any(axis=1)
        actual = window.actual[judged].astype(np.float64)
        control = window.forecasts[CONTROL][judged]
        errors = np.stack([np.where(np.isnan(f := window.forecasts[n][judged]), control, f) - actual for n in names])
        errors = np.nan_to_num(errors)
        weight = np.sqrt(window.weight[judged])[None, :, None]
        matrices = [_products(errors * weight)]
        matrices += [_products(_totals(errors, node[judged])) for node in window.nodes]
        out = [a + b for a, b in zip(out, matrices, strict=True)] if out else matrices
    return out


def _products(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = errors.reshape(len(errors), -1)
    return np.asarray(flat @ flat.T)


def _totals(errors: NDArray[np.float64], node: NDArray[np.int64]) -> NDArray[np.float64]:
    if not len(node):
        return errors
    order = np.argsort(node, kind="stable")
    _, first = np.unique(node[order], return_index=True)
    return np.asarray(np.add.reduceat(errors[:, order], first, axis=1))


def _score(moments: _Moments, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the score of each row of weights; 1 for the control, model 0."""
    ratios = []
    for matrix in moments:
        squared = np.einsum("wi,ij,wj->w", weights, matrix, weights)
        ratios.append(np.sqrt(np.maximum(squared, 0) / matrix[0, 0]) if matrix[0, 0] > 0 else np.ones(len(weights)))
    totals = np.mean(ratios[1:], axis=0) if len(ratios) > 1 else ratios[0]
    return np.asarray((ratios[0] + totals) / 2)


def _best(moments: _Moments, grid: NDArray[np.float64], *, series: int) -> NDArray[np.float64]:
    """Return the best weights: lowest score plus a charge for leaving equal weights, for small segments are noisy."""
    charge = _CAUTION / max(series, 1) * ((grid - 1 / grid.shape[1]) ** 2).sum(axis=1)
    return np.asarray(grid[int(np.argmin(np.round(_score(moments, grid) + charge, 9)))])


def _choice(name: str, names: list[str], moments: _Moments, weights: NDArray[np.float64], gate_margin: float) -> Choice:
    singles = _score(moments, np.eye(len(names)))
    order = np.argsort(np.round(singles, 9), kind="stable")
    score = float(_score(moments, weights[None, :])[0])
    gated = score > 1 - gate_margin and weights[0] < 1
    if gated:
        weights, score = np.eye(len(names))[0], 1.0
    second = order[1] if len(order) > 1 else order[0]
    return Choice(
        segment=name,
        weights={n: float(w) for n, w in zip(names, weights, strict=True) if w > 0},
        score=score,
        champion=names[order[0]],
        runner_up=names[second],
        margin=float(singles[second] - singles[order[0]]),
        gated=bool(gated),
        scores={n: float(s) for n, s in zip(names, singles, strict=True)},
    )


def blend(
    forecasts: dict[str, NDArray[np.float32]], segment: NDArray[np.str_], choices: dict[str, Choice]
) -> NDArray[np.float32]:
    """Return (n, h) mixtures by segment; a model without a forecast gives its weight to the others; NaN without any."""
    shape = next(iter(forecasts.values())).shape
    total, used = np.zeros(shape), np.zeros(shape)
    for name, forecast in forecasts.items():
        weight = np.array([choices.get(s, choices[ALL]).weights.get(name, 0.0) for s in segment.tolist()])[:, None]
        present = ~np.isnan(forecast)
        total += np.where(present, forecast, 0) * weight
        used += present * weight
    return np.where(used > 0, total / np.where(used > 0, used, 1), np.nan).astype(np.float32)


def single(choices: dict[str, Choice], segment: str) -> Choice:
    """Return the choice of a segment, or that of the whole shop where it has none of its own."""
    return choices.get(segment, choices[ALL])
