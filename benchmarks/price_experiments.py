"""A price experiment, looked at every day: false alarms, and how often an effect on profit is found in the stated time.

    python -m benchmarks.price_experiments [runs]

Sixty clusters of SKUs sell with weekly and slow movements of their own, shocks common to all, and carry-over: for
some days after a switch buyers still answer to the level before. A switchback of three levels gives one contrast a
cluster and block; the confidence sequence is looked at on every day on which a block ends. The length is stated
before, from the weeks before.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from pricing.experiments import Decision, confidence_sequence, contrasts, cuped, days_needed, switchback, verdict

__all__ = ["run_once"]

_CLUSTERS, _DAYS_PER_LEVEL, _WASHOUT = 60, 7, 2
_BEFORE_BLOCKS = 4
_CARRY_OVER = 0.3  # [0-1] of what a day felt beyond its own level stays with the next day
_ALPHA, _POWER = 0.05, 0.9  # the length is stated for nine in ten, a reserve above the 80% that are promised
_DISPERSION = 0.35  # [1] coefficient of variation of a cluster's daily profit


def run_once(effect: float, *, seed: int, peek_daily: bool = True) -> tuple[bool, int, bool]:
    """Return whether an effect was declared in the stated time, that time [days], and whether the interval missed it.

    Args:
        effect: true effect of the level "higher" on profit, relative.
        seed: of the world.
        peek_daily: look whenever a day ends, and stop at the first finding.
    """
    rng = np.random.default_rng(seed)
    names = [f"K{i:02d}" for i in range(_CLUSTERS)]
    base = np.exp(rng.normal(5, 0.8, _CLUSTERS))
    before = switchback(names, experiment_id=f"{seed}-before", n_blocks=_BEFORE_BLOCKS, days_per_level=_DAYS_PER_LEVEL)
    past = _profits(before, names, base, 0.0, rng)
    usual = past.groupby("cluster")["profit"].mean()
    last = int(before["day"].max())
    placebo = contrasts(past, before, usual, level="higher", washout_days=_WASHOUT, as_of_day=last)
    spread = float(placebo["contrast"].std())
    block = 3 * _DAYS_PER_LEVEL
    length = days_needed(effect=0.05, contrast_sd=spread, n_clusters=_CLUSTERS, block_days=block, alpha=_ALPHA,
                         power=_POWER)  # fmt: skip
    schedule = switchback(names, experiment_id=str(seed), n_blocks=length // block, days_per_level=_DAYS_PER_LEVEL)
    daily = _profits(schedule, names, base, effect, rng)
    found, missed = False, False
    mean_before = placebo.groupby("cluster")["contrast"].mean()
    for day in range(length) if peek_daily else [length - 1]:
        if (day + 1) % block and peek_daily:
            continue  # no block ends: what is known is what was known the day before
        seen = contrasts(daily, schedule, usual, level="higher", washout_days=_WASHOUT, as_of_day=day)
        covariate = seen["cluster"].map(mean_before).fillna(0.0).to_numpy(dtype=float)
        values = cuped(seen["contrast"].to_numpy(dtype=float), covariate)
        low, high = confidence_sequence(values, alpha=_ALPHA)
        missed |= not low <= effect <= high
        if verdict(values, alpha=_ALPHA).decision is not Decision.CONTINUE:
            found = True
            break
    return found, length, missed


def _profits(
    schedule: pd.DataFrame, names: list[str], base: np.ndarray, effect: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Daily profit of each cluster under a schedule, with carry-over."""
    days = int(schedule["day"].max()) + 1
    order = schedule.sort_values(["cluster", "day"])
    true = order["level"].map({"control": 0.0, "lower": -effect, "higher": effect}).to_numpy().reshape(len(names), days)
    felt = np.zeros_like(true)
    felt[:, 0] = true[:, 0]
    for day in range(1, days):
        felt[:, day] = true[:, day] + _CARRY_OVER * (felt[:, day - 1] - true[:, day])
    weekday = 1 + 0.2 * np.sin(np.arange(days) / 7 * 2 * np.pi)
    common = np.exp(np.cumsum(rng.normal(0, 0.01, days)))
    own = np.exp(np.cumsum(rng.normal(0, 0.01, (len(names), days)), axis=1))
    noise = rng.gamma(1 / _DISPERSION**2, _DISPERSION**2, (len(names), days))
    profit = base[:, None] * weekday * common * own * noise * (1 + felt)
    return pd.DataFrame(
        {
            "cluster": np.repeat(sorted(names), days),
            "day": np.tile(np.arange(days), len(names)),
            "profit": profit.ravel(),
        }
    )


def main() -> None:
    """Print the figures."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for effect in (0.0, 0.05):
        found = [run_once(effect, seed=1000 + i) for i in range(runs)]
        share = np.mean([f[0] for f in found])
        length = np.median([f[1] for f in found])
        word = "false alarms" if effect == 0 else "found"
        print(
            f"effect {effect:.0%}: {word} {share:.1%} of {runs} runs looked at daily, stated length {length:.0f} days"
        )


if __name__ == "__main__":
    main()
