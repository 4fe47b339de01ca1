"""Price experiments: who is in which arm, and what may be concluded while looking every day.

Arms are given to clusters of SKUs (styles) and spans of time, never to persons: one price for everybody at a time.
*Holdout*: some clusters keep their prices. *Switchback*: each cluster goes through all levels (control, lower, higher)
in an order of its own, block by block, so that season and cluster cancel; the first days after each switch are left
out, as buyers still answer to the price before. What is concluded holds at any day one stops (a confidence sequence;
Waudby-Smith et al. 2021, the mixture sequential probability ratio test of Robbins 1970), however often one looks.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = [
    "LEVELS",
    "Decision",
    "Verdict",
    "confidence_sequence",
    "contrasts",
    "cuped",
    "days_needed",
    "in_share",
    "switchback",
    "verdict",
]

Floats = npt.NDArray[np.float64]

LEVELS = ("control", "lower", "higher")
_LEAST_CONTRASTS = 30  # [contrasts] before them no interval is stated: its guarantee is for many
_TUNED_FOR = 200.0  # [contrasts] at which the sequence is about as narrow as it can be


class Decision(StrEnum):
    """What an experiment says so far."""

    KEEP = "keep"  # the effect is above zero
    STOP = "stop"  # it is below zero
    CONTINUE = "continue"


@dataclass(frozen=True)
class Verdict:
    """Effect with its always-valid interval (relative: 0.05 is five percent), contrasts used, and the decision."""

    effect: float
    low: float
    high: float
    contrasts: int
    decision: Decision


def in_share(names: pd.Series, *, salt: str, share: float) -> npt.NDArray[np.bool_]:
    """Return which names fall into a share, by a keyed hash: the same ones every night, a few more as it grows.

    >>> bool(in_share(pd.Series(["A"]), salt="x", share=1.0)[0])
    True
    """
    unique = {
        n: int.from_bytes(hashlib.sha256(f"{salt}\x1f{n}".encode()).digest()[:7], "big") / 2**56
        for n in names.astype(str).unique()
    }
    return np.asarray(names.astype(str).map(unique).to_numpy(dtype=float) < share, dtype=bool)


def switchback(
    clusters: list[str], *, experiment_id: str, n_blocks: int, days_per_level: int, levels: tuple[str, ...] = LEVELS
) -> pd.DataFrame:
    """Return the schedule: ``cluster``, ``day`` (from 0), ``block``, ``level``, ``day_of_level`` (from 0).

    In each block a cluster has every level once, for ``days_per_level`` days (whole weeks, so that weekdays cancel),
    in an order drawn by hash from cluster, block and experiment. Orders are dealt evenly over the clusters, so that
    each day has about as many clusters in each level.
    """
    n, days = len(levels), days_per_level * len(levels)
    rows: list[tuple[str, int, int, str, int]] = []
    for block in range(n_blocks):
        dealt = sorted(clusters, key=lambda c: hashlib.sha256(f"{experiment_id}\x1f{block}\x1f{c}".encode()).digest())
        for place, cluster in enumerate(dealt):
            # a cyclic order or its mirror image: each level follows each other one equally often
            turn, mirrored = place % n, (place // n) % 2 == 1
            order = [(turn + (-i if mirrored else i)) % n for i in range(n)]
            for position, level in enumerate(order):
                first = block * days + position * days_per_level
                rows.extend((cluster, first + d, block, levels[level], d) for d in range(days_per_level))
    return pd.DataFrame(rows, columns=["cluster", "day", "block", "level", "day_of_level"])


def contrasts(
    daily: pd.DataFrame, schedule: pd.DataFrame, usual: pd.Series, *, level: str, washout_days: int, as_of_day: int
) -> pd.DataFrame:
    """Return a contrast for each cluster and block that is complete by a day: ``cluster``, ``block``, ``contrast``.

    The mean of a level's days less that of the control's, washout days left out, over what the cluster usually makes.

    Args:
        daily: ``cluster``, ``day``, ``profit``.
        schedule: from :func:`switchback`.
        usual: mean daily profit of each cluster before the experiment.
        level: compared with the control, the first of the schedule's levels by name ``control``.
        washout_days: left out after each switch [days].
        as_of_day: the last day that is known.
    """
    known = schedule[(schedule["day_of_level"] >= washout_days) & (schedule["level"].isin(["control", level]))]
    last = schedule.groupby(["cluster", "block"])["day"].max()
    joined = known.merge(daily, on=["cluster", "day"], how="inner", validate="1:1")
    means = joined.groupby(["cluster", "block", "level"])["profit"].mean().unstack("level")
    done = last[last <= as_of_day].index
    means = means.loc[means.index.intersection(done)].dropna()
    base = usual.reindex(means.index.get_level_values("cluster")).to_numpy(dtype=float)
    found: pd.Series = (means[level] - means["control"]) / np.where(base > 0, base, np.nan)
    return found.dropna().rename("contrast").reset_index()


def cuped(outcome: Floats, covariate: Floats) -> Floats:
    """Return outcomes with what a covariate of before the experiment explains taken out (Deng et al. 2013).

    The mean stays the same in expectation, the variance falls by the squared correlation.

    >>> cuped(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0])).round(6).tolist()
    [2.0, 2.0, 2.0]
    """
    centred = covariate - covariate.mean() if len(covariate) else covariate
    spread = float(centred @ centred)
    theta = float(centred @ (outcome - outcome.mean())) / spread if spread > 0 else 0.0
    return np.asarray(outcome - theta * centred, dtype=float)


def confidence_sequence(values: Floats, *, alpha: float) -> tuple[float, float]:
    """Return an interval for the mean that holds at every sample size at once with probability 1 - alpha.

    ``s sqrt(2 (n r^2 + 1) / (n^2 r^2) log(sqrt(n r^2 + 1) / alpha))`` about the mean, r tuned for 200 values.
    """
    n = len(values)
    if n < _LEAST_CONTRASTS:
        return -math.inf, math.inf
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / _TUNED_FOR
    half = _half_width(n, rho2, alpha) * float(values.std(ddof=1))
    return float(values.mean()) - half, float(values.mean()) + half


def _half_width(n: float, rho2: float, alpha: float) -> float:
    return math.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * math.log(math.sqrt(n * rho2 + 1) / alpha))


def verdict(values: Floats, *, alpha: float) -> Verdict:
    """Return what contrasts say so far; valid whenever one stops."""
    low, high = confidence_sequence(values, alpha=alpha)
    decision = Decision.KEEP if low > 0 else Decision.STOP if high < 0 else Decision.CONTINUE
    effect = float(values.mean()) if len(values) else math.nan
    return Verdict(effect, low, high, len(values), decision)


def days_needed(
    *, effect: float, contrast_sd: float, n_clusters: int, block_days: int, alpha: float, power: float
) -> int:
    """Return after how many days an effect is found with the given probability [days].

    The smallest number of whole blocks at which the interval is narrower than the effect by the normal quantile of
    ``power`` standard errors.

    Args:
        effect: relative, to be found (0.05: five percent).
        contrast_sd: standard deviation of one cluster's contrast in one block, relative, from the weeks before.
        n_clusters: clusters in the experiment.
        block_days: length of a block [days].
        alpha: probability of a false alarm, over all looks.
        power: probability of finding the effect.
    """
    from pricing import normal

    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / _TUNED_FOR
    quantile = float(normal.ppf(power))
    for blocks in range(1, 1000):
        n = n_clusters * blocks
        if n < _LEAST_CONTRASTS:
            continue
        if effect >= contrast_sd * (_half_width(n, rho2, alpha) + quantile / math.sqrt(n)):
            return blocks * block_days
    return 1000 * block_days
