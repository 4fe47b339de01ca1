"""Demand for a preordered item after its close, which the batch may carry stock for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from preorder.booking_curve import N_POINTS
from preorder.config import PreorderConfig

__all__ = ["late_demand", "late_ratios"]

Floats = npt.NDArray[np.float64]

_SMALLEST_RATIO = 0.001  # log of a ratio of zero: as good as nothing sold


def late_ratios(firm: pd.Series, sold: pd.Series) -> pd.Series:
    """Return units sold after the receipt over the final volume, for past campaigns and SKUs with a volume.

    Args:
        firm: final volume by campaign and SKU [units].
        sold: units sold in the ordinary way within ``late_demand_days`` of the receipt, same index [units].
    """
    known = firm[(firm > 0) & sold.notna()]
    return (sold.reindex(known.index) / known).clip(lower=0)


def late_demand(volume: float, ratios: pd.Series, *, config: PreorderConfig) -> Floats:
    """Return the distribution of demand after the close, shape (N_POINTS,), ascending [units].

    Log-normal in the ratio to the final volume; mean and spread from past campaigns, shrunk to the prior.

    Example:
        >>> late = late_demand(100.0, pd.Series([], dtype=float), config=PreorderConfig())
        >>> round(float(np.median(late)), 6)
        15.0
    """
    if config.late_demand_days == 0 or config.late_demand_share == 0 or volume <= 0:
        return np.zeros(N_POINTS)
    logs = np.log(np.clip(ratios.to_numpy(dtype=float), _SMALLEST_RATIO, None))
    prior_mean, k, n = float(np.log(config.late_demand_share)), config.prior_campaigns, len(logs)
    mean = (float(logs.sum()) + k * prior_mean) / (n + k)
    spread = float(np.sqrt((float(((logs - mean) ** 2).sum()) + k * config.late_demand_log_sd**2) / (n + k)))
    levels = (np.arange(N_POINTS) + 0.5) / N_POINTS
    return np.asarray(volume * np.exp(mean + spread * stats.norm.ppf(levels)), dtype=float)
