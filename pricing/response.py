"""How demand answers to price and to everything else: a Poisson-like panel model, fitted in closed steps.

    mean = days * exp(level[series, week] + season[group, week] + c[type] . controls + e * bent(log(price)))

``bent`` is the log price itself where elasticity is constant; see :mod:`pricing.curve` for the other forms.

The level of a series is a broken line with a knot every few weeks whose bends are drawn toward zero (a random walk,
as in structural time series; Harvey 1989): slow rises and declines are not read as answers to the price, nor prices
that answer them. Everything is fitted by Newton steps on the Poisson pseudo-likelihood, right for any distribution
whose mean is right (Santos Silva & Tenreyro 2006), with the levels profiled out of price and controls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pricing.curve import CONSTANT, Form, bent
from pricing.panel import KNOT_WEEKS, Codes, Floats, Panel

__all__ = ["Response", "Slopes", "fit_response", "own_slopes"]

_SWEEPS = 15
_OWN_SWEEPS = 8
_LONGEST_STEP = 1.5  # [1] of a coefficient in one Newton step
_CONTROL_SD = 0.5  # [log units] prior spread of what a control does
_SLOPE_CENTRE, _SLOPE_SD = -1.8, 1.4  # a wide prior about the literature keeps types without information in place
_COEFFICIENT_RANGE = (-12.0, 8.0)
_FIRST_LEVEL_SD = 5.0  # [log units] the level of a series starts anywhere
_RATIO_BLOCKS = 8.0  # [blocks] what all groups say of the ratio counts like so many of a group's own
_BASE_WEIGHT = 3.0  # [1] weight of the group's dispersion against its own squared scores
_LEAST_LEFT = 0.2  # [0-1] a block that carries more than the rest of its group's information still shows so much
_DISPERSION_WEEKS = 10.0  # [weeks] the dispersion of all counts like so many of a group's own
_MOST_LOG = 25.0  # [log units] means beyond it have no meaning


@dataclass(frozen=True)
class Response:
    """The fitted model: ``slope`` (n_kinds,), ``lift`` (n_kinds, k), ``level`` and ``season`` of each observation.

    ``dispersion`` (n_series,) is the variance of units over their mean, at least 1.
    """

    slope: Floats
    lift: Floats
    level: Floats
    season: Floats
    dispersion: Floats

    def offset(self, panel: Panel) -> Floats:
        """Return the log mean of each observation without price."""
        controls = np.einsum("nk,nk->n", panel.controls, self.lift[panel.kind])
        return np.asarray(panel.log_days + self.level + self.season + controls, dtype=float)


@dataclass(frozen=True)
class Slopes:
    """Own price slopes of groups with their variances, shape (n_groups,); infinite variance: nothing learnt.

    ``likelihood`` is the quasi log likelihood of the fit [1]: differences between forms count, its level does not.
    """

    estimate: Floats
    variance: Floats
    likelihood: float


def fit_response(
    panel: Panel, *, n_kinds: int, drift_sd: float, use_price: bool = True, form: Form = CONSTANT
) -> Response:
    """Return the model of a panel with one slope and one set of control effects a product type.

    Args:
        panel: weekly observations, at least one.
        n_kinds: number of product types.
        drift_sd: how far the level of a series wanders [log units per square root of a week].
        use_price: without it the slope is zero: what the same model says of price-blind demand.
        form: of the demand curve.
    """
    n_series = int(panel.series.max()) + 1
    slope = np.full(n_kinds, -1.0 if use_price else 0.0)
    lift = np.zeros((n_kinds, panel.controls.shape[1]))
    season, dispersion = np.zeros(len(panel.units)), np.ones(n_series)
    smoother = Smoother(panel, n_series, drift_sd)
    first = _log_effect(panel.units, np.exp(panel.log_days), panel.series)
    level = first[panel.series]
    for _ in range(_SWEEPS):
        x = bent(panel.log_price, form.curvature(slope)[panel.kind])
        fixed = panel.log_days + slope[panel.kind] * x
        fixed = fixed + np.einsum("nk,nk->n", panel.controls, lift[panel.kind])
        season = _log_effect(panel.units, _mean(fixed + level), panel.season)[panel.season]
        mean = _mean(fixed + level + season)
        weight = mean / dispersion[panel.series]
        smoother.weigh(weight)
        level = level + np.clip(
            smoother.smoothed((panel.units - mean) / np.maximum(mean, 1e-9), level), -_LONGEST_STEP, _LONGEST_STEP
        )
        mean = _mean(fixed + level + season)
        slope, lift = _newton_step(panel, x, mean, slope, lift, dispersion, smoother, use_price=use_price)
        dispersion = _dispersion(panel, mean, panel.series, n_series)
    return Response(slope, lift, level, season, dispersion)


def own_slopes(
    panel: Panel,
    response: Response,
    group: Codes,
    *,
    n_groups: int,
    drift_sd: float,
    form: Form = CONSTANT,
    pull_sd: float = np.inf,
) -> Slopes:
    """Return the slope of each group (SKUs, or styles) with controls held, seasons fitted anew, levels profiled out.

    Seasons were fitted with the slopes of types: a large SKU that answers more than its type would have bent them,
    and with them the slopes of all others.
    Variances count levels that wander by themselves and errors that hang together within blocks of weeks and among the
    sizes of a style; they are never below those of a Poisson with the group's own dispersion.

    Args:
        panel: weekly observations.
        response: the model of their types.
        group: of each observation.
        n_groups: number of groups.
        drift_sd: as for the model.
        form: of the demand curve; slopes are elasticities at the mean log price of a series.
        pull_sd: slopes are drawn toward those of their types as by a normal of this spread; infinite: not at all.
    """
    size = np.maximum(np.bincount(group, minlength=n_groups), 1)
    middle = np.bincount(group, weights=response.slope[panel.kind], minlength=n_groups) / size
    own, pull = middle, 1 / pull_sd**2
    smoother = Smoother(panel, int(panel.series.max()) + 1, drift_sd)
    held = response.offset(panel) - response.level - response.season
    level, season, left, mean = response.level, response.season, panel.log_price, panel.units
    information: Floats = np.zeros(n_groups)
    scale = 1 / response.dispersion[panel.series]
    for _ in range(_OWN_SWEEPS):
        x = bent(panel.log_price, form.curvature(own)[group])
        fixed = held + own[group] * x
        season = _log_effect(panel.units, _mean(fixed + level), panel.season)[panel.season]
        mean = _mean(fixed + level + season)
        smoother.weigh(mean * scale)
        working = (panel.units - mean) / np.maximum(mean, 1e-9)
        level = level + np.clip(smoother.smoothed(working, level), -_LONGEST_STEP, _LONGEST_STEP)
        mean = _mean(fixed + level + season)
        left = smoother.left_over(x)
        information = _sums(mean * scale * left * x, group, n_groups)
        score = _sums((panel.units - mean) * scale * x, group, n_groups) - (own - middle) * pull
        curved = information + pull
        step = np.where(curved > 1e-9, score / np.maximum(curved, 1e-9), 0.0)
        own = np.clip(own + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP), *_COEFFICIENT_RANGE)
    variance = _variance(panel, mean, left, scale, information, group, n_groups)
    fit = (panel.units * np.log(np.maximum(mean, 1e-12)) - mean) * scale
    return Slopes(own, variance, float(fit.sum() - 0.5 * pull * ((own - middle) ** 2).sum()))


class Smoother:
    """Penalised broken lines, one a series: fits them, and takes them out of other columns."""

    def __init__(self, panel: Panel, n_series: int, drift_sd: float) -> None:
        self._series, self._n = panel.series, n_series
        self._k = panel.n_knots
        self._left, self._share = panel.knot, panel.share
        self._penalty = _walk_penalty(self._k, drift_sd * np.sqrt(KNOT_WEEKS))
        self._inverse: Floats = np.zeros((0, 0, 0))
        self._weight: Floats = np.zeros(0)

    def weigh(self, weight: Floats) -> None:
        """Take the weights of the observations in force from now on."""
        self._weight = weight
        left, right = 1 - self._share, self._share
        gram = np.zeros((self._n, self._k, self._k))
        flat, k = gram.reshape(-1), self._k
        at = self._series * k * k + self._left * k + self._left
        for shift, values in ((0, left * left), (1, left * right), (k, left * right), (k + 1, right * right)):
            flat += np.bincount(at + shift, weights=weight * values, minlength=len(flat))[: len(flat)]
        self._inverse = np.asarray(np.linalg.inv(gram + self._penalty), dtype=float)

    def smoothed(self, working: Floats, level: Floats) -> Floats:
        """Return the step of the level toward ``level + working``, penalised as a whole and not by step."""
        return np.asarray(self._fitted(working + level) - level, dtype=float)

    def left_over(self, column: Floats) -> Floats:
        """Return a column less the broken lines that fit it best under the penalty."""
        return np.asarray(column - self._fitted(column), dtype=float)

    def _fitted(self, column: Floats) -> Floats:
        at, size = self._series * self._k + self._left, self._n * self._k
        weighted = self._weight * column
        right_side = np.bincount(at, weights=weighted * (1 - self._share), minlength=size)[:size]
        right_side = right_side + np.bincount(at + 1, weights=weighted * self._share, minlength=size)[:size]
        knots = np.einsum("skl,sl->sk", self._inverse, right_side.reshape(self._n, self._k)).reshape(-1)
        return np.asarray(knots[at] * (1 - self._share) + knots[at + 1] * self._share, dtype=float)


def _walk_penalty(n_knots: int, step_sd: float) -> Floats:
    """Precision of a random walk over the knots whose start is nearly free."""
    difference = np.diff(np.eye(n_knots), axis=0)
    precision = difference.T @ difference / max(step_sd, 1e-3) ** 2
    precision[0, 0] += 1 / _FIRST_LEVEL_SD**2
    return np.asarray(precision, dtype=float)


def _sums(values: Floats, group: Codes, n_groups: int) -> Floats:
    return np.asarray(np.bincount(group, weights=values, minlength=n_groups), dtype=float)


def _mean(log_mean: Floats) -> Floats:
    return np.asarray(np.exp(np.clip(log_mean, -_MOST_LOG, _MOST_LOG)), dtype=float)


def _log_effect(units: Floats, mean: Floats, group: Codes) -> Floats:
    """The log effect of each group that makes its fitted total equal its units; it stays finite."""
    size = int(group.max()) + 1
    sold = np.bincount(group, weights=units, minlength=size)
    fitted = np.bincount(group, weights=mean, minlength=size)
    return np.asarray(np.log((sold + 0.02) / (fitted + 0.02)), dtype=float)


def _newton_step(
    panel: Panel,
    x: Floats,
    mean: Floats,
    slope: Floats,
    lift: Floats,
    dispersion: Floats,
    smoother: Smoother,
    *,
    use_price: bool,
) -> tuple[Floats, Floats]:
    """One Newton step for the slope and the control effects of each type, levels profiled out."""
    n_kinds, k = lift.shape
    columns = [x, *panel.controls.T]
    loose = [smoother.left_over(c) for c in columns]
    residual = panel.units - mean
    prior = np.array([1 / _SLOPE_SD**2, *([1 / _CONTROL_SD**2] * k)])
    now = np.column_stack([slope, lift])
    centre = np.array([_SLOPE_CENTRE, *([0.0] * k)])
    hessian = np.zeros((n_kinds, k + 1, k + 1)) + np.diag(prior)
    score = -(now - centre) * prior
    scale = 1 / dispersion[panel.series]
    for i, one in enumerate(loose):
        score[:, i] += np.bincount(panel.kind, weights=residual * columns[i] * scale, minlength=n_kinds)
        for j in range(i, k + 1):
            cross = np.bincount(panel.kind, weights=mean * one * columns[j] * scale, minlength=n_kinds)
            hessian[:, i, j] += cross
            hessian[:, j, i] = hessian[:, i, j]
    if not use_price:
        score[:, 0], hessian[:, 0, 1:], hessian[:, 1:, 0] = 0.0, 0.0, 0.0
    step = np.linalg.solve(hessian, score[:, :, None])[:, :, 0]
    moved = now + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
    return np.clip(moved[:, 0], *_COEFFICIENT_RANGE), np.clip(moved[:, 1:], -3.0, 3.0)


def _dispersion(panel: Panel, mean: Floats, group: Codes, n_groups: int) -> Floats:
    """Variance of units over their mean, a group; one with few weeks is drawn toward all of them."""
    counts = np.maximum(np.bincount(group, minlength=n_groups), 1)
    squares = (panel.units - mean) ** 2 / np.maximum(mean, 0.02)
    pearson = np.bincount(group, weights=squares, minlength=n_groups)
    middle = float(np.median(pearson / counts))
    drawn = (pearson + _DISPERSION_WEEKS * middle) / (np.maximum(counts - 2, 1) + _DISPERSION_WEEKS)
    return np.asarray(np.maximum(drawn, 1.0), dtype=float)


def _variance(
    panel: Panel, mean: Floats, x: Floats, scale: Floats, information: Floats, group: Codes, n_groups: int
) -> npt.NDArray[np.float64]:
    """Variances of slopes: those of the model, times how much more the scores of blocks of weeks vary than it says.

    One over the information, with levels profiled out under their penalty, is the variance where levels wander as the
    model has it (generalised least squares): so it counts what a level may have done by itself at a change of price,
    which residuals about a fitted level no longer show. They show the rest: the squared scores of blocks, each divided
    by what its own leverage hides (Bell & McCaffrey 2002). A few price changes say little about that ratio, so each
    group's own is drawn toward that of all, as many blocks as carry its information count against ``_RATIO_BLOCKS``
    (moderated variances; Smyth 2004).
    """
    n_blocks = int(panel.block.max()) + 1
    cell, size = group * n_blocks + panel.block, n_groups * n_blocks
    residual = (panel.units - mean) * scale
    scores = np.bincount(cell, weights=residual * x, minlength=size).reshape(n_groups, n_blocks)
    carried = np.bincount(cell, weights=mean * scale * x * x, minlength=size).reshape(n_groups, n_blocks)
    total = carried.sum(axis=1)
    leverage = carried / np.maximum(total, 1e-12)[:, None]
    meat = (scores**2 / np.maximum(1 - leverage, _LEAST_LEFT)).sum(axis=1)
    blocks = total**2 / np.maximum((carried**2).sum(axis=1), 1e-12)
    independent = np.bincount(group, weights=(residual * x) ** 2, minlength=n_groups)
    base = (np.maximum(independent, 0.0) + _BASE_WEIGHT * total) / (1 + _BASE_WEIGHT)
    known = (information > 1e-6) & (base > 0)
    pooled = max(1.0, float((meat[known]).sum() / max(base[known].sum(), 1e-12))) if known.any() else 1.0
    own = meat / np.maximum(base, 1e-12)
    ratio = (_RATIO_BLOCKS * pooled + blocks * own) / (_RATIO_BLOCKS + blocks)
    variance = np.maximum(ratio, 1.0) / np.maximum(information, 1e-6)
    return np.asarray(np.where(known, variance, np.inf), dtype=float)
