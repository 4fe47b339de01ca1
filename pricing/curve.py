"""The shape of demand: how the elasticity itself changes along with the price.

    D(p) = D(p0) exp(e ((p / p0)^c - 1) / c),  so that the elasticity at p is  e (p / p0)^c

with e the elasticity at p0 and c the *curvature* (Box & Cox 1964, of the price). c = 0 is constant elasticity, c = 1
exponential demand; c = 1 - e follows a straight line through p0 to the second order and stays above zero where the
line does not. A :class:`Form` says what curvature goes with an elasticity; mixtures of the three lie between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["CONSTANT", "EXPONENTIAL", "LINEAR", "Form", "bent", "carried"]

Floats = npt.NDArray[np.float64]

_MOST_CURVATURE = 6.0
_MOST_BEND = 3.0  # [log units] a curve is not followed beyond it
_MOST_SHIFT = 1.2  # [log units] an elasticity is carried at most so far from the price it was learnt at
_NEARLY_ZERO = 1e-6
_STEEPEST = -12.0


@dataclass(frozen=True)
class Form:
    """Curvature ``base + slope * |elasticity|``: (0, 0) constant, (1, 0) exponential, (1, 1) a straight line."""

    base: float
    slope: float

    @property
    def is_steepening(self) -> bool:
        """Return whether demand is nearer a straight line than any form whose elasticities are alike at all prices."""
        return self.slope > 0.5

    def curvature(self, elasticity: Floats) -> Floats:
        """Return the curvature that goes with each elasticity.

        >>> LINEAR.curvature(np.array([-2.0])).tolist()
        [3.0]
        """
        steep = np.maximum(-np.nan_to_num(elasticity), 0.0)
        return np.asarray(np.minimum(self.base + self.slope * steep, _MOST_CURVATURE), dtype=float)


CONSTANT, EXPONENTIAL, LINEAR = Form(0.0, 0.0), Form(1.0, 0.0), Form(1.0, 1.0)


def bent(log_ratio: Floats, curvature: Floats | float) -> Floats:
    """Return ``(r^c - 1) / c`` of a log price ratio: what an elasticity is multiplied by to give log demand.

    A straight line of elasticity -2 sells 40% more at 80% of the price, and so does its curve, nearly:

    >>> round(float(np.exp(-2.0 * bent(np.log(np.array([0.8])), 3.0))[0]), 2)
    1.38
    """
    curve = np.broadcast_to(np.asarray(curvature, dtype=float), log_ratio.shape)
    is_curved = curve > _NEARLY_ZERO
    steep = np.where(is_curved, curve, 1.0)
    found = np.expm1(np.clip(steep * log_ratio, -_MOST_BEND, _MOST_BEND)) / steep
    return np.asarray(np.where(is_curved, found, log_ratio), dtype=float)


def carried(table: pd.DataFrame, *, learnt_at: Floats, price: Floats) -> pd.DataFrame:
    """Return the table with elasticity and interval of each row at another price than that at which it was learnt.

    Args:
        table: ``elasticity``, ``elasticity_lo``, ``elasticity_hi``, ``curvature``; null where nothing is known.
        learnt_at: price of each row for which its elasticity holds [currency]; where it is missing nothing changes.
        price: for which it is wanted [currency].
    """
    curvature = table["curvature"].to_numpy(dtype=float)
    usable = np.isfinite(learnt_at) & (learnt_at > 0) & np.isfinite(price) & (price > 0) & np.isfinite(curvature)
    ratio = np.log(np.where(usable, price, 1.0) / np.where(usable, learnt_at, 1.0))
    factor = np.exp(np.clip(np.where(usable, curvature, 0.0) * ratio, -_MOST_SHIFT, _MOST_SHIFT))
    limits = {"elasticity": _STEEPEST, "elasticity_lo": 2 * _STEEPEST, "elasticity_hi": _STEEPEST}
    return table.assign(**{n: np.maximum(table[n].to_numpy(dtype=float) * factor, low) for n, low in limits.items()})
