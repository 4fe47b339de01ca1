"""How soon could anyone see a planted burst? A detector that knows everything but when: the floor of the delay.

Run ``python -m benchmarks.trend_floor [SEED ...]``: prints median delays from the planted first day. For each sudden
and slow burst and anime season of a demo shop the detector knows the shape, height and regions of that very burst, the
element's own level, weekdays and holidays, how it drifts by itself, and the noise of every source; it hears of each day
at its close. All that it does not know is whether and when, and where the drift goes next (of a burst in one region not
even that: the other regions show it). The likelihood ratio of "it began m days ago" against "nothing" is then the best
there is (Neyman and Pearson); the largest over m is Page's test for a change of known shape (Lorden 1971). Its limit is
set, burst by burst, so that on noise alone it raises as many false alarms as are allowed.

Of sources whose noise is normal in logs, and whose signal is the same curve times a power each, the weighted sum is
sufficient: a day is worth ``d_k = |power / noise| * log(profile_k)`` standard units on the burst's k-th day.
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.trend_bursts import GRACE_DAYS, KINDS, QUARTER_DAYS, WARM_UP_DAYS
from data.demo.catalogue import REGIONS, catalogue
from data.demo.config import demo_config
from data.demo.demand import viral_spikes
from data.demo.interest import _DRIFT_MEMORY, _DRIFT_SD, Interest, interest
from data.demo.signals import _FEEDS, _REGION_SHARE

__all__ = ["floor_delays"]

Floats = NDArray[np.float64]

REPORTED_ON = (2026, 201, 202)
ALLOWED = (1.0, 0.4)  # false alarms per element and quarter
NOISE_QUARTERS = 60  # of noise alone, on which a limit is set
TIMES = 40  # each burst is drawn so often
_COUNTED = 3.0  # of the demo's signals: counts per unit of level


def daily_units(talk: Interest, burst: dict[str, object]) -> Floats:
    """Return the standard units that each day of a burst up to its peak is worth, all sources together."""
    at = talk.elements.with_row_index("row").filter(
        (pl.col("element_type") == burst["element_type"]) & (pl.col("element") == burst["element"])
    )
    level = float(at["level"][0])
    places = REGIONS if burst["region"] == "*" else (str(burst["region"]),)
    worth = 0.0
    for feed in _FEEDS:
        if burst["element_type"] not in feed.element_types:
            continue
        for place in places:
            count = _COUNTED * feed.scale * level * _REGION_SHARE[place]
            worth += feed.power**2 / (feed.noise**2 + 1.0 / count)
    start, top, height = int(burst["start_day"]), int(burst["peak_day"]), float(burst["peak"])  # type: ignore[call-overload, arg-type]
    rise = np.clip(np.arange(top - start + 1) / max(1, top - start), 0, 1)
    log = np.log(1 + (height - 1) * (3 * rise**2 - 2 * rise**3))
    return whitened(log, 1 / worth) if burst["region"] == "*" else np.asarray(np.sqrt(worth) * log)


def whitened(log: Floats, noise: float) -> Floats:
    """Return what each day of a rise is worth beyond what the days before foretell, the element drifting by itself.

    Kalman's filter turns drift and noise into independent surprises; through the same filter goes the rise.
    """
    spread = _DRIFT_SD**2 / (1 - _DRIFT_MEMORY**2)
    for _ in range(500):  # to the filter's steady state
        spread = _DRIFT_MEMORY**2 * spread * noise / (spread + noise) + _DRIFT_SD**2
    gain, foretold, units = spread / (spread + noise), 0.0, []
    for value in log:
        units.append((value - foretold) / np.sqrt(spread + noise))
        foretold = _DRIFT_MEMORY * (foretold + gain * (value - foretold))
    return np.array(units)


def ratios(x: Floats, units: Floats) -> Floats:
    """Return the largest log likelihood ratio over all first days at the close of each day.

    Args:
        x: what was seen, (days,) in standard units.
        units: what each day of the burst is worth.
    """
    best = np.full(len(x), -np.inf)
    for m in range(len(units)):
        worth = units[: m + 1]
        told = np.convolve(x, worth[::-1])[: len(x)] - 0.5 * float(worth @ worth)
        best[m:] = np.maximum(best[m:], told[m:])
    return best


def limit_of(best: Floats, *, allowed: float) -> float:
    """Return the limit that noise alone crosses ``allowed`` times a quarter; those of one fortnight are one."""
    low, high = float(best.min()), float(best.max()) + 1.0
    for _ in range(30):
        middle = (low + high) / 2
        days = np.flatnonzero(best >= middle)
        alarms = 1 + int((np.diff(days) > GRACE_DAYS).sum()) if len(days) else 0
        if len(days) > len(best) / 3 or alarms > allowed * len(best) / QUARTER_DAYS:
            low = middle
        else:
            high = middle
    return high


def floor_delays(seed: int, *, allowed: tuple[float, ...] = ALLOWED) -> pl.DataFrame:
    """Return ``kind``, ``allowed``, ``delay``: days from the planted start to the alarm, ``TIMES`` draws a burst."""
    demo = demo_config(seed=seed)
    shop = catalogue(demo)
    talk = interest(demo, shop, viral_spikes(demo, shop))
    rng = np.random.default_rng(seed)
    real = talk.bursts.filter(
        pl.col("kind").is_in(KINDS) & (pl.col("start_day") >= WARM_UP_DAYS) & (pl.col("peak_day") < demo.n_days)
    )
    parts = []
    for burst in real.iter_rows(named=True):
        units = daily_units(talk, burst)
        noise = ratios(rng.normal(0, 1, NOISE_QUARTERS * QUARTER_DAYS), units)
        drawn = rng.normal(0, 1, (TIMES, 2 * len(units)))  # as long a silence before, which the detector hears too
        drawn[:, len(units) :] += units
        told = np.stack([ratios(row, units)[len(units) :] for row in drawn])
        for rate in allowed:
            over = told >= limit_of(noise, allowed=rate)
            delay = np.where(over.any(axis=1), over.argmax(axis=1), len(units))
            parts.append(pl.DataFrame({"delay": delay}).with_columns(kind=pl.lit(burst["kind"]), allowed=pl.lit(rate)))
    return pl.concat(parts)


def main(arguments: list[str]) -> int:
    """Print the table."""
    print("| seed | false alarms allowed | sudden | slow | season | sudden and slow | all |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    found = []
    for seed in [int(a) for a in arguments] or REPORTED_ON:
        found.append(floor_delays(seed))
        _print(str(seed), found[-1])
    _print("all", pl.concat(found))
    return 0


def _print(name: str, found: pl.DataFrame) -> None:
    for rate in ALLOWED:
        cells = []
        for kinds in (["sudden"], ["slow"], ["season"], ["sudden", "slow"], list(KINDS)):
            delays = found.filter((pl.col("allowed") == rate) & pl.col("kind").is_in(kinds))["delay"].to_numpy()
            cells.append(f"{np.median(delays):g}")
        print(f"| {name} | {rate} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
