"""What the forecast step costs beside the bare mlforecast and LightGBM calls, and beside a second run of itself.

    python -m benchmarks.forecast_cost [--every 5] [--data ../shared/data] [--together]

The bare calls are timed within the step itself, so fits, rows and features are the same: ``MLForecast.preprocess`` and
``predict``, ``lightgbm.Dataset`` and ``train``, for one learner of the backtest and one of the night, forecasts of each
window and of tonight. The calls that only explain a forecast (its parts) do not count as bare. The step is everything
else too: features, statistical models, blend, intervals, totals. ``--together`` starts two steps at once, each in a
process of its own, beside one alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl

from benchmarks.accuracy_m5 import m5_history, m5_keys, m5_tables, no_firm_preorders, no_overrides
from forecasting import forecast as night
from forecasting.backtest import Inputs, learner_as_of
from forecasting.config import ForecastConfig
from forecasting.features import price_matrix
from forecasting.forecast import make_forecast
from forecasting.panel import build_panel
from forecasting.protection import Spans

CUTOFF, HORIZON = date(2016, 3, 27), 28


def m5_inputs(folder: Path, *, every: int) -> Inputs:
    """Return the inputs of every n-th item of M5 as of the cutoff."""
    config = ForecastConfig()
    history = m5_history(folder, until=CUTOFF)
    items = sorted(history["sku"].unique().to_list())[::every]
    history = history.filter(pl.col("sku").is_in(items))
    keys = m5_keys(folder, history)
    panel = build_panel(history, keys, last_period=CUTOFF, period_days=1, max_periods=config.max_history_days)
    tables = m5_tables(folder, cutoff=CUTOFF, snap=False)
    return Inputs(panel, np.arange(panel.n_series), tables, price_matrix(panel, tables, horizon=HORIZON))


def whole_step(inputs: Inputs) -> None:
    """Make a night's forecast with retraining."""
    n = inputs.panel.n_series
    spans = Spans(np.full(n, 14.0), np.zeros(n), np.full(n, 7.0), 1)
    make_forecast(
        inputs, spans, horizon=HORIZON, config=ForecastConfig(), seed=2026, step=1.0,
        firm_preorders=no_firm_preorders(), overrides=no_overrides(),
    )  # fmt: skip


@contextmanager
def library_seconds(spent: dict[str, float]):  # type: ignore[no-untyped-def]
    """Add up the seconds of the libraries' own calls while the block runs, by name; calls that explain by ``explain``.

    The calls are those of the step itself, so fits, rows and features are the same by construction.
    """
    import lightgbm as lgb
    from mlforecast import MLForecast

    places = [(lgb, "train"), (lgb.Dataset, "construct"), (MLForecast, "preprocess"), (MLForecast, "predict")]
    kept = [getattr(owner, name) for owner, name in places]
    kept_stages = night.learner_stages
    depth, explains = [0], [False]

    def explaining(*args: object, **kwargs: object) -> object:
        explains[0] = True
        try:
            return kept_stages(*args, **kwargs)  # type: ignore[arg-type]
        finally:
            explains[0] = False

    night.learner_stages = explaining  # type: ignore[assignment]

    def timed(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            depth[0] += 1
            started = time.monotonic()
            try:
                return call(*args, **kwargs)
            finally:
                depth[0] -= 1
                if not depth[0]:  # a call within a call counts once
                    what = "explain" if explains[0] else name
                    spent[what] = spent.get(what, 0.0) + time.monotonic() - started

        return wrapped

    for (owner, name), call in zip(places, kept, strict=True):
        setattr(owner, name, timed(name, call))
    try:
        yield
    finally:
        night.learner_stages = kept_stages
        for (owner, name), call in zip(places, kept, strict=True):
            setattr(owner, name, call)


def warm(inputs: Inputs) -> None:
    """Import the libraries and compile what they compile at their first call."""
    rows = np.arange(min(inputs.panel.n_series, 60))
    few = Inputs(inputs.panel.rows(rows), rows, inputs.tables, inputs.prices[rows])
    learner_as_of(few, origin=few.panel.n_periods, config=ForecastConfig(), seed=1)
    whole_step(few)


def print_ratio(inputs: Inputs) -> None:
    """Print seconds of the step, of the libraries' calls within it, and their ratio."""
    warm(inputs)
    spent: dict[str, float] = {}
    started = time.monotonic()
    with library_seconds(spent):
        whole_step(inputs)
    step = time.monotonic() - started
    explaining = spent.pop("explain", 0.0)
    bare = sum(spent.values())
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(spent.items()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{inputs.panel.n_series} series: step {step:.1f} s, its library calls {bare:.1f} s ({parts}), "
          f"ratio {step / bare:.3f}; with those that explain ({explaining:.1f} s) {step / (bare + explaining):.3f}; "
          f"peak {peak:.1f} GB", flush=True)  # fmt: skip


def together(arguments: list[str]) -> None:
    """Print seconds of one step alone and of each of two that start together."""
    command = [sys.executable, "-m", "benchmarks.forecast_cost", "--one", *arguments]

    def seconds(count: int) -> list[float]:
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        return [float(process.communicate()[0].split()[-1]) for process in running]

    alone = seconds(1)[0]
    both = seconds(2)
    print(f"alone {alone:.1f} s; two together {both[0]:.1f} and {both[1]:.1f} s: {max(both) / alone:.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--one", action="store_true", help="print the seconds of one step")
    asked = parser.parse_args()
    if asked.together:
        together(["--every", str(asked.every), "--data", str(asked.data)])
        return
    inputs = m5_inputs(asked.data / "m5", every=asked.every)
    if asked.one:
        started = time.monotonic()
        whole_step(inputs)
        print(time.monotonic() - started)
        return
    print_ratio(inputs)


if __name__ == "__main__":
    main()
