"""Elasticities on a log scale: half and double are equally far.

Where demand falls in a straight line, the elasticity of a SKU depends on how far its price is from the one at which
nobody buys, from near zero to ten and more; on this scale such elasticities lie about evenly.

What sales say of an elasticity is a normal that may reach above zero; on the scale of ``log(-e)`` it is put as the
normal that does the same to a prior about what the type says (a site of expectation propagation; Minka 2001). So the
sign needs no cutting, and a SKU that is three times as elastic as its type is no freak.

Where unit costs are known, what margins say is learnt too: prices that were set with an eye on demand make them speak
(a margin that is right is one over the elasticity), and so does demand that grows more elastic with the price. How much
they say, and in which direction, comes out of the shop's own sales; it may be nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing import normal

__all__ = ["cut_at_zero", "from_log_scale", "log_markup", "markup_effect", "on_log_scale"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_GRID: Floats = np.linspace(-3.2, 2.6, 117)  # [log] elasticities from -0.04 to -13.5
_LEAST_PRECISION = 0.05  # [1] a site that says less says nothing
_MARGINS = (0.03, 0.97)  # [0-1] beyond them a margin is no margin
_SPREAD = 0.4  # [log] of SKUs about what their margins say, for weights
_EFFECT_SD = 0.7  # [1] prior spread of what margins say
_STEEPEST = -12.0
_Z95 = 1.6448536269514722


def on_log_scale(estimate: Floats, variance: Floats, *, centre: Floats, sd: float) -> tuple[Floats, Floats]:
    """Return mean and variance of ``log(-e)`` as sales alone put them; infinite variance where they say nothing.

    Args:
        estimate: elasticities, of any sign, shape (n,).
        variance: theirs; infinite: nothing learnt.
        centre: ``log(-e)`` about which the site is reckoned, shape (n,).
        sd: spread of the prior that it is reckoned against [log].

    Example:
        >>> mean, variance = on_log_scale(np.array([-2.0]), np.array([0.01]), centre=np.array([0.6]), sd=1.0)
        >>> round(float(np.exp(mean[0])), 2), round(float(variance[0]), 4)
        (1.99, 0.0025)
    """
    known = np.isfinite(estimate) & np.isfinite(variance)
    b, v = np.where(known, estimate, 0.0), np.where(known, np.maximum(variance, 1e-4), 1.0)
    score = -0.5 * (b[:, None] + np.exp(_GRID)) ** 2 / v[:, None] - 0.5 * ((_GRID - centre[:, None]) / sd) ** 2
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    mean = weight @ _GRID
    spread = np.maximum(weight @ _GRID**2 - mean**2, 1e-4)
    precision = 1 / spread - 1 / sd**2
    says = known & (precision > _LEAST_PRECISION)
    safe = np.where(says, precision, 1.0)
    return (
        np.where(says, (mean / spread - centre / sd**2) / safe, 0.0),
        np.where(says, 1 / safe, np.inf),
    )


def from_log_scale(mean: Floats, variance: Floats) -> pd.DataFrame:
    """Return elasticity and 90% interval of normal posteriors of ``log(-e)``.

    >>> from_log_scale(np.array([np.log(2.0)]), np.array([0.01])).round(3).to_numpy().tolist()
    [[-2.0, -2.358, -1.697]]
    """
    sd = np.sqrt(variance)
    return pd.DataFrame(
        {
            "elasticity": np.clip(-np.exp(mean), _STEEPEST, -1e-6),
            "elasticity_lo": np.clip(-np.exp(mean + _Z95 * sd), 2 * _STEEPEST, -1e-6),
            "elasticity_hi": np.clip(-np.exp(mean - _Z95 * sd), 2 * _STEEPEST, 0.0),
        }
    )


def cut_at_zero(mean: Floats, variance: Floats) -> pd.DataFrame:
    """Return mean and 90% interval of normal posteriors cut at zero: demand does not rise with the price.

    >>> cut_at_zero(np.array([-2.0]), np.array([0.01])).round(3).to_numpy().tolist()
    [[-2.0, -2.164, -1.836]]
    """
    sd = np.sqrt(variance)
    upper = (0.0 - mean) / sd
    below_zero = normal.cdf(upper)
    usable = below_zero > 1e-9
    share = np.where(usable, below_zero, 1.0)
    cut_mean = np.where(usable, mean - sd * normal.pdf(upper) / share, -0.01)
    low = mean + sd * normal.ppf(np.clip(0.05 * share, 1e-12, 1))
    high = mean + sd * normal.ppf(np.clip(0.95 * share, 1e-12, 1))
    return pd.DataFrame(
        {
            "elasticity": np.clip(cut_mean, _STEEPEST, -1e-6),
            "elasticity_lo": np.clip(low, 2 * _STEEPEST, -1e-6),
            "elasticity_hi": np.clip(high, 2 * _STEEPEST, 0.0),
        }
    )


def log_markup(price: Floats, unit_cost: Floats, kind: Codes) -> Floats:
    """Return ``log(p / (p - c))`` less its mean in the product type, shape (n,); 0 where price or cost is missing."""
    known = np.isfinite(price) & np.isfinite(unit_cost) & (price > 0) & (unit_cost > 0)
    margin = np.where(known, 1 - np.where(known, unit_cost, 1.0) / np.where(known, price, 1.0), 0.5)
    logs = np.where(known, -np.log(np.clip(margin, *_MARGINS)), 0.0)
    size = int(kind.max(initial=-1)) + 1
    counts = np.maximum(np.bincount(kind[known], minlength=size), 1)
    means = np.bincount(kind[known], weights=logs[known], minlength=size) / counts
    return np.asarray(np.where(known, logs - means[kind], 0.0), dtype=float)


def markup_effect(mean: Floats, variance: Floats, markup: Floats, kind: Codes) -> tuple[float, float]:
    """Return what ``log(-e)`` changes with the log markup within a type, and the variance of that.

    Weighted least squares within types, drawn toward nothing.
    """
    weight = np.where(np.isfinite(variance), 1 / (np.where(np.isfinite(variance), variance, 1.0) + _SPREAD**2), 0.0)
    size = int(kind.max(initial=-1)) + 1
    mass = np.maximum(np.bincount(kind, weights=weight, minlength=size), 1e-12)

    def centred(values: Floats) -> Floats:
        return np.asarray(values - (np.bincount(kind, weights=weight * values, minlength=size) / mass)[kind])

    x, y = centred(markup), centred(mean)
    information = float((weight * x * x).sum())
    posterior = 1 / (information + 1 / _EFFECT_SD**2)
    return float((weight * x * y).sum()) * posterior, posterior if information > 0 else 0.0
