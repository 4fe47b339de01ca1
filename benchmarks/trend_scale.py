"""How long many series take to score: ``python -m benchmarks.trend_scale [SERIES] [DAYS]``.

Default 100,000 element-region series of two years, one metric each: counts with a weekly rhythm and a tenth of them
missing. Prints seconds of the scoring and the peak memory of the whole process, data included.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import polars as pl

from trends.config import TrendConfig
from trends.heat import heat_of
from trends.signals import Cube, cleaned


def main(arguments: list[str]) -> int:
    """Print the time and the memory."""
    n_series, n_days = (int(a) for a in (*arguments, *("100000", "728")[len(arguments) :]))
    cube = made(n_series, n_days)
    config = TrendConfig()
    begun, cpu = time.perf_counter(), time.process_time()
    heat = heat_of(cleaned(cube, config=config)[0], config=config)
    seconds, worked = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    alarms = int((np.diff(heat.state.astype(np.int8), axis=0, prepend=0) > 0).sum())
    print(f"{n_series:,} series, {n_days} days: {seconds:.1f} s ({worked:.1f} s of CPU), peak {peak:.2f} GB; "
          f"state changes {alarms:,}")  # fmt: skip
    return 0


def made(n_series: int, n_days: int) -> Cube:
    """Return a cube of counts, made day by day so that nothing is held twice."""
    rng = np.random.default_rng(1)
    values = np.empty((n_days, 1, n_series), dtype=np.float32)
    level = np.exp(rng.normal(3.0, 1.5, n_series)).astype(np.float32)
    for day in range(n_days):
        noise = rng.standard_normal(n_series, dtype=np.float32)
        values[day, 0] = np.floor(level * (1 + 0.3 * np.sin(2 * np.pi * day / 7)) * np.exp(0.2 * noise))
        values[day, 0, rng.integers(0, n_series, n_series // 10)] = np.nan
    names = pl.DataFrame({"element": np.arange(n_series).astype(str)}).select(
        element_type=pl.lit("ip"), element="element", region=pl.lit("*")
    )
    return Cube(values, names, pl.DataFrame({"source": ["s"], "metric": ["mentions"]}), 20_000)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
