"""How time and memory of the forecast grow with the number of series, and what a night costs once the week is learnt.

    python -m benchmarks.growth [--data ../shared/data] [--sizes 1000 10000 30000 100000]
    python -m benchmarks.growth --accuracy [--every 40]

The series are M5's, repeated under new names where more are asked for than there are. Each size runs in a process of
its own: a full night (backtest, fit, forecast, quantiles, totals, drivers) as of one day, then the night of the next
day, which forecasts with the model just learnt. The last lines fit seconds and memory as powers of the number of series
and state them for a million. ``--accuracy`` compares, at four cutoffs, forecasts of a model learnt that night with
those of one learnt six nights before, the oldest that a week knows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl

from benchmarks.accuracy_m5 import m5_history, m5_keys, m5_levels, m5_tables, no_firm_preorders, no_overrides
from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.features import price_matrix
from forecasting.forecast import learnt, make_forecast
from forecasting.metrics import wrmsse
from forecasting.panel import Panel, build_panel
from forecasting.protection import Spans

CUTOFF, HORIZON, MILLION = date(2016, 3, 27), 28, 1_000_000


def repeated(panel: Panel, size: int) -> Panel:
    """Return ``size`` series, the panel's own in order, again and again under new names."""
    rows = np.arange(size) % panel.n_series
    out = panel.rows(rows)
    turn = pl.Series(np.arange(size) // panel.n_series)
    keys = out.keys.with_columns(sku=pl.concat_str(pl.col("sku"), turn.cast(pl.String), separator="#"))
    order = keys.with_row_index("at").sort("sku", "location_id")["at"].to_numpy().astype(np.int64)
    return replace(out, keys=keys).rows(order)


def measured(folder: Path, size: int) -> dict[str, float]:
    """Return seconds of a full night and of one with a kept model, and the peak memory [GB]."""
    config = ForecastConfig()
    history = m5_history(folder, until=CUTOFF)
    keys = m5_keys(folder, history)
    step = max(keys.height // size, 1)
    panel = build_panel(
        history, keys.gather_every(step), last_period=CUTOFF, period_days=1, max_periods=config.max_history_days
    )
    del history
    tables = m5_tables(folder, cutoff=CUTOFF, snap=False)
    panel = repeated(panel, size)
    inputs = Inputs(panel, np.arange(size), tables, price_matrix(panel, tables, horizon=HORIZON))
    spans = Spans(np.full(size, 14.0), np.zeros(size), np.full(size, 7.0), 1)
    started = time.monotonic()
    known = inputs.kept_until(panel.n_periods - 1)
    week = learnt(inputs.until(panel.n_periods - 1), spans.rows(known), config=config, seed=2026)
    learning = time.monotonic() - started
    made = make_forecast(
        inputs, spans, horizon=HORIZON, config=config, seed=2026, step=1.0, firm_preorders=no_firm_preorders(),
        overrides=no_overrides(), week=week,
    )  # fmt: skip
    whole = time.monotonic() - started
    assert np.isfinite(made.mean).all()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"series": size, "full_night_s": whole, "later_night_s": whole - learning, "peak_gb": peak}


CUTOFFS = (date(2015, 12, 27), date(2016, 1, 31), date(2016, 2, 28), date(2016, 3, 27))
OLDEST_NIGHT = 6  # [days] a model of the week before it is learnt anew


def compared(folder: Path, *, cutoff: date, every: int) -> tuple[float, float]:
    """Return WRMSSE over the 12 levels with the night's own model and with one six nights old."""
    config = ForecastConfig()
    history = m5_history(folder, until=cutoff + timedelta(days=HORIZON))
    items = sorted(history["sku"].unique().to_list())[::every]
    history = history.filter(pl.col("sku").is_in(items))
    keys = m5_keys(folder, history)
    whole = build_panel(
        history, keys, last_period=cutoff + timedelta(days=HORIZON), period_days=1, max_periods=config.max_history_days
    )
    at = whole.n_periods - HORIZON
    kept = np.flatnonzero(~np.isnan(whole.demand[:, : at - OLDEST_NIGHT]).all(axis=1))
    whole = whole.rows(kept)
    panel, tables = whole.until(at), m5_tables(folder, cutoff=cutoff, snap=False)
    n = panel.n_series
    inputs = Inputs(panel, np.arange(n), tables, price_matrix(panel, tables, horizon=HORIZON))
    spans = Spans(np.full(n, 14.0), np.zeros(n), np.full(n, 7.0), 1)
    actual = np.nan_to_num(whole.demand[:, at:]).astype(np.float64)
    revenue = np.nansum(panel.demand[:, -28:] * inputs.prices[:, at - 28 : at], axis=1, dtype=np.float64)
    found = []
    for known in (at, at - OLDEST_NIGHT):
        week = learnt(inputs.until(known), spans, config=config, seed=2026)
        made = make_forecast(
            inputs, spans, horizon=HORIZON, config=config, seed=2026, step=1.0, firm_preorders=no_firm_preorders(),
            overrides=no_overrides(), week=week,
        )  # fmt: skip
        found.append(wrmsse(panel.demand, actual, made.mean, revenue, m5_levels(panel.keys))[0])
    return found[0], found[1]


def print_accuracy(folder: Path, *, every: int) -> None:
    """Print WRMSSE at each cutoff with the night's own model and with one six nights old, and the mean ratio."""
    ratios = []
    for cutoff in CUTOFFS:
        own, old = compared(folder, cutoff=cutoff, every=every)
        ratios.append(old / own)
        print(f"{cutoff}  WRMSSE learnt that night {own:.4f}, six nights before {old:.4f}, {old / own:.3f}", flush=True)
    print(f"mean ratio {np.mean(ratios):.4f}")


def main() -> None:
    """Print a line a size, and what follows for a million series."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 30_000, 100_000])
    parser.add_argument("--one", action="store_true", help="measure one size in this process and print it as JSON")
    parser.add_argument("--accuracy", action="store_true", help="compare forecasts of a fresh and of a kept model")
    parser.add_argument("--every", type=int, default=40, help="every n-th item, for --accuracy")
    asked = parser.parse_args()
    if asked.accuracy:
        print_accuracy(asked.data / "m5", every=asked.every)
        return
    if asked.one:
        print(json.dumps(measured(asked.data / "m5", asked.sizes[0])))
        return
    rows = []
    for size in asked.sizes:
        command = [sys.executable, "-m", "benchmarks.growth", "--one", "--sizes", str(size), "--data", str(asked.data)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append(json.loads(said.splitlines()[-1]))
        print("  ".join(f"{name} {value:,.1f}" for name, value in rows[-1].items()), flush=True)
    for name in ("full_night_s", "later_night_s", "peak_gb"):
        if len(rows) > 1:
            at, values = np.log([r["series"] for r in rows]), np.log([r[name] for r in rows])
            slope, start = np.polyfit(at, values, 1)
            print(f"{name} ~ series ** {slope:.2f}: {np.exp(start + slope * np.log(MILLION)):,.0f} at a million")


if __name__ == "__main__":
    main()
