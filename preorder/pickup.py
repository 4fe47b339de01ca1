"""Forecasters of the final volume: what each expects of the item at hand, and of every past one left out.

All look at past items when the same share of their window was left: ``firm`` units then, ``final`` at the close.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Case", "Centre", "centres"]

Floats = npt.NDArray[np.float64]

_LINEAR = (20.0, 0.6)  # [campaigns] pull of the slope, and to what: early bookings tell part of the final volume
_LOG_LINEAR = (10.0, 0.5)
_LEARNER = (30.0, 0.5)
_COHORT_PRIOR = 20.0  # [units] weight of what all ages keep against what one age keeps
_MOST_LEVERAGE = 0.9
_FAR = 3.0  # [standard deviations] the line is not trusted further from what it saw
_LOG_LIMIT = 25.0  # log units: beyond it expm1 has no meaning as a volume


@dataclass(frozen=True)
class Case:
    """The item at hand (its values last in each array, shape (n + 1,)) and n past ones with weights."""

    firm: Floats
    spread: Floats
    cohorts: Floats  # (n + 1, 4)
    kept: Floats  # (n, 4)
    later: Floats  # (n,)
    level: Floats  # recent finals as known then; NaN: none
    pick_up: Floats  # advanced pick-up as known then; NaN: none
    final: Floats  # (n,)
    weights: Floats  # (n,) sum above 0

    @property
    def share(self) -> Floats:
        """Weights that add up to 1."""
        return np.asarray(self.weights / self.weights.sum(), dtype=float)


@dataclass(frozen=True)
class Centre:
    """One forecaster: ``here`` for the item at hand, ``left_out`` (n,) for each past one without its own outcome."""

    name: str
    here: float
    left_out: Floats


def centres(case: Case) -> list[Centre]:
    """Return every forecaster's expectation [units]; all finite and non-negative where the case is."""
    firm, here, final = case.firm[:-1], float(case.firm[-1]), case.final
    log_firm, log_here = np.log1p(firm), np.log1p(here)
    usual, usual_out = _mean(final, case.share)
    gain, gain_out = _mean(final - firm, case.share)
    ratio, ratio_out = _ratio(final, firm, case.weights)
    line = _ridge(np.array([here]), firm[:, None], final, case.weights, *_LINEAR)
    log_line = _ridge(np.array([log_here]), log_firm[:, None], np.log1p(final), case.weights, *_LOG_LINEAR)
    found = [
        Centre("past_finals", usual, usual_out),
        Centre("additive", here + gain, firm + gain_out),
        Centre("multiplicative", here * ratio, firm * ratio_out),
        Centre("linear", *line),
        Centre("log_linear", float(_exp(log_line[0])), _exp(log_line[1])),
        _by_age(case),
        _advanced(case, firm + gain_out, here + gain),
        _learner(case, usual),
    ]
    return [Centre(c.name, max(float(c.here), 0.0), np.maximum(c.left_out, 0.0)) for c in found]


def _exp(log: npt.ArrayLike) -> Floats:
    return np.asarray(np.expm1(np.clip(log, 0, _LOG_LIMIT)), dtype=float)


def _mean(values: Floats, share: Floats) -> tuple[float, Floats]:
    mean = float(share @ values)
    rest = np.maximum(1 - share, 1e-9)
    return mean, (mean - share * values) / rest if len(values) > 1 else values.copy()


def _ratio(final: Floats, firm: Floats, weights: Floats) -> tuple[float, Floats]:
    """The ratio of sums, and the same without each one."""
    top, bottom = float(weights @ final), float(weights @ firm)
    out_top, out_bottom = top - weights * final, bottom - weights * firm
    safe = np.where(out_bottom > 0, out_bottom, 1.0)
    return (top / bottom if bottom > 0 else 1.0), np.where(out_bottom > 0, out_top / safe, 1.0)


def _ridge(here: Floats, x: Floats, y: Floats, weights: Floats, pull: float, slope: float) -> tuple[float, Floats]:
    """Weighted ridge regression: value ``here`` and leave-one-out values; the first slope is pulled to ``slope``."""
    share = weights / weights.sum()
    size = float(weights.sum() ** 2 / (weights**2).sum())  # as many equal weights would know as much (Kish)
    middle, level = share @ x, float(share @ y)
    scale = np.sqrt(share @ (x - middle) ** 2) + 1e-9
    z, dy = (x - middle) / scale, y - level
    target = np.zeros(x.shape[1])
    target[0] = slope * scale[0]
    weighted = z * (share * size)[:, None]
    inverse = np.linalg.inv(z.T @ weighted + pull * np.eye(x.shape[1]))
    slopes = inverse @ (weighted.T @ dy + pull * target)
    leverage = share * (1 + size * np.einsum("ij,jk,ik->i", z, inverse, z))
    left_out = y - (dy - z @ slopes) / (1 - np.minimum(leverage, _MOST_LEVERAGE))
    near = np.clip((here - middle) / scale, -_FAR, _FAR)
    beyond = float((here[0] - middle[0]) - near[0] * scale[0])  # what lies beyond counts in full at least: it is booked
    return level + float(near @ slopes) + beyond * max(1.0, float(slopes[0] / scale[0])), left_out


def _by_age(case: Case) -> Centre:
    """Survivors by the age of the booking, plus the mean of what was booked later."""
    w = case.weights[:, None]
    firm, kept = case.cohorts[:-1], case.kept
    all_firm, all_kept = (w * firm).sum(axis=0), (w * kept).sum(axis=0)
    overall = (all_kept.sum() + 1.0) / (all_firm.sum() + 1.0)

    def survivors(units: Floats, seen: Floats, stayed: Floats) -> Floats:
        share = (stayed + _COHORT_PRIOR * overall) / (seen + _COHORT_PRIOR)
        return np.asarray((units * share).sum(axis=-1), dtype=float)

    later, later_out = _mean(case.later, case.share)
    here = float(survivors(case.cohorts[-1], all_firm, all_kept)) + later
    return Centre("by_age", here, survivors(firm, all_firm - w * firm, all_kept - w * kept) + later_out)


def _advanced(case: Case, otherwise: Floats, otherwise_here: float) -> Centre:
    """Firm units plus the pick-up of the present; the plain one where nothing was known yet."""
    at = case.firm + case.pick_up
    here = float(at[-1]) if np.isfinite(at[-1]) else otherwise_here
    return Centre("advanced", here, np.where(np.isfinite(at[:-1]), at[:-1], otherwise))


def _learner(case: Case, usual: float) -> Centre:
    """Pooled regression on pace, its breadth, and the level of recent finals."""
    level = np.where(np.isfinite(case.level), case.level, usual)
    x = np.column_stack([case.firm, case.spread, level])
    return Centre("learner", *_ridge(x[-1], x[:-1], case.final, case.weights, *_LEARNER))
