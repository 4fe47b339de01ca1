"""The normal distribution, without the import of ``scipy.stats``: that alone takes longer than a preview."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

__all__ = ["cdf", "pdf", "ppf", "sf"]

Floats = npt.NDArray[np.float64]
_ROOT = np.sqrt(2 * np.pi)


def pdf(z: npt.ArrayLike) -> Floats:
    """Return the density at ``z``.

    >>> round(float(pdf(0.0)), 6)
    0.398942
    """
    return np.asarray(np.exp(-0.5 * np.square(np.asarray(z, dtype=float))) / _ROOT, dtype=float)


def cdf(z: npt.ArrayLike) -> Floats:
    """Return the probability of at most ``z``."""
    return np.asarray(ndtr(np.asarray(z, dtype=float)), dtype=float)


def sf(z: npt.ArrayLike) -> Floats:
    """Return the probability of more than ``z``."""
    return np.asarray(ndtr(-np.asarray(z, dtype=float)), dtype=float)


def ppf(probability: npt.ArrayLike) -> Floats:
    """Return the quantile of a probability.

    >>> round(float(ppf(0.95)), 6)
    1.644854
    """
    return np.asarray(ndtri(np.asarray(probability, dtype=float)), dtype=float)
