"""Are all size groups served alike? Stock-outs, fill rate and forecast error by size group, with intervals.

What is audited are SKU-and-location periods on sale, summed by item. A group is only as well known as its items:
periods of one item hang together, so intervals come from resampling items, not periods. A group is called worse served
where the whole interval of its difference from the standard group lies above nothing.

What the size models learn from holds at least ``LEARNING_SHARE`` of weight beyond standard sizes: where the shop sells
less of them, their rows weigh more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["LEARNING_SHARE", "STANDARD", "SizeGap", "learning_weights", "size_audit", "size_gaps"]

Floats = npt.NDArray[np.float64]

STANDARD = "standard"
LEARNING_SHARE = 0.3  # of the weight of what size models learn from, beyond standard sizes
_DRAWS = 400
_LOW, _HIGH = 0.05, 0.95  # 90% intervals
_COLUMNS = [
    "size_group",
    "stockout_rate",
    "stockout_rate_lo",
    "stockout_rate_hi",
    "fill_rate",
    "forecast_wape",
    "n_periods",
]


@dataclass(frozen=True)
class SizeGap:
    """How a size group is served against the standard sizes."""

    size_group: str
    difference: float  # of stock-out rates; above 0: worse (share)
    low: float  # ends of its 90% interval
    high: float

    @property
    def is_worse(self) -> bool:
        """True where the group is out of stock more often than standard sizes beyond doubt."""
        return self.low > 0


def size_audit(items: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return the audit, one row per size group, ordered by name.

    Args:
        items: one row per SKU and location, summed over the audited periods: ``size_group`` (null: not audited),
            ``periods`` on sale, ``out`` (periods out of stock, in parts), ``demand`` and ``sold`` [units],
            ``wape`` of the item's forecast (nan unknown).
        seed: of the resampling.

    Returns:
        ``size_group``, ``stockout_rate`` with its 90% interval, ``fill_rate``, ``forecast_wape``, ``n_periods``.

    Example: the larger size is out of stock half of the time.
        >>> items = pd.DataFrame({"size_group": ["standard", "extended"], "periods": [2, 2], "out": [0.0, 1.0],
        ...     "demand": [4.0, 4.0], "sold": [4.0, 2.0], "wape": [0.3, 0.3]})
        >>> size_audit(items, seed=1)[["size_group", "stockout_rate", "fill_rate"]].values.tolist()
        [['extended', 0.5, 0.5], ['standard', 0.0, 1.0]]
    """
    rows = []
    for group, own in items.groupby("size_group", sort=True):
        drawn = _resampled_rates(own, seed=seed)
        judged = own["demand"].where(own["wape"].notna(), 0.0).sum()
        rows.append(
            (
                group,
                own["out"].sum() / own["periods"].sum(),
                float(np.quantile(drawn, _LOW)),
                float(np.quantile(drawn, _HIGH)),
                own["sold"].sum() / own["demand"].sum() if own["demand"].sum() > 0 else np.nan,
                (own["wape"] * own["demand"]).sum() / judged if judged > 0 else np.nan,
                int(own["periods"].sum()),
            )
        )
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"n_periods": "int64"})


def size_gaps(items: pd.DataFrame, *, seed: int) -> list[SizeGap]:
    """Return every group's stock-out rate less the standard group's, with 90% intervals; none without a standard."""
    parts = dict(tuple(items.groupby("size_group", sort=True)))
    if STANDARD not in parts:
        return []
    usual = parts[STANDARD]
    drawn_usual = _resampled_rates(usual, seed=seed + 1)
    gaps = []
    for group, own in parts.items():
        if group != STANDARD:
            drawn = _resampled_rates(own, seed=seed) - drawn_usual
            difference = own["out"].sum() / own["periods"].sum() - usual["out"].sum() / usual["periods"].sum()
            low, high = (float(np.quantile(drawn, q)) for q in (_LOW, _HIGH))
            gaps.append(SizeGap(str(group), float(difference), low, high))
    return gaps


def learning_weights(size_group: pd.Series) -> Floats:
    """Return weights with mean 1 that give sizes beyond standard at least ``LEARNING_SHARE`` of the whole.

    >>> learning_weights(pd.Series(["standard"] * 9 + ["extended"])).round(3).tolist()[-2:]
    [0.778, 3.0]
    """
    beyond = (size_group.notna() & (size_group != STANDARD)).to_numpy()
    share = beyond.mean() if len(beyond) else 0.0
    if share in (0.0, 1.0) or share >= LEARNING_SHARE:
        return np.ones(len(beyond))
    return np.where(beyond, LEARNING_SHARE / share, (1 - LEARNING_SHARE) / (1 - share))


def _resampled_rates(items: pd.DataFrame, *, seed: int) -> Floats:
    """Return stock-out rates of items drawn with replacement."""
    picks = np.random.default_rng(seed).integers(0, len(items), (_DRAWS, len(items)))
    out, periods = items["out"].to_numpy(np.float64)[picks], items["periods"].to_numpy(np.float64)[picks]
    rates: Floats = out.sum(axis=1) / periods.sum(axis=1)
    return rates
