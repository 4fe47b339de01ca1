"""Series whose last days lie far above all before: what they come to, beside what is forecast with and without it.

    python -m benchmarks.jumps demo HOME [--date 2026-06-28]
    python -m benchmarks.jumps m5 [--data ../shared/data] [--every 10]

A case is a series and an origin: the mean of its last seven days in stock (of the last four weeks) is over five times
that of the eight weeks before them, or of all before where those were out of stock, and at least seven units more in
all. Origins lie five days apart in a demo shop, four weeks apart on M5, after the first 450 and 250 days; one learner
is fitted before them. Judged is the mean of the next four weeks' days in stock. ``blend`` mixes the models as most
segments of a night do; ``published`` is that blend as :mod:`forecasting.jumps` tempers it.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

from benchmarks.forecast_cost import m5_inputs
from forecasting.backtest import Inputs, candidates, learner_as_of
from forecasting.config import ForecastConfig
from forecasting.event_lift import calm, event_lift
from forecasting.jumps import settled, tempered
from forecasting.models import CONTROL, LEARNER
from forecasting.panel import Panel

AHEAD, RECENT, WITHIN, BEFORE, RATIO, UNITS = 28, 7, 28, 56, 5.0, 7.0
WEIGHTS = {LEARNER: 0.5, "imapa": 0.3, "tsb": 0.1, "long_mean": 0.1}
FIRST = {"demo": 450, "m5": 250}
EVERY = {"demo": 5, "m5": 28}


def jumped(panel: Panel, rows: np.ndarray, origin: int) -> np.ndarray:
    """Return those of ``rows`` that had jumped after ``origin`` days."""
    found = []
    for row in rows.tolist():
        days = np.flatnonzero(panel.teaches[row, :origin])
        recent = days[days >= origin - WITHIN][-RECENT:]
        if not len(recent):
            continue
        before = days[days < recent[0]]
        near = before[before >= recent[0] - BEFORE]
        before = near if len(near) >= 14 else before
        sold, usual = panel.demand[row, recent].sum(), panel.demand[row, before].mean() if len(before) >= 14 else np.nan
        if sold / len(recent) > RATIO * usual and sold - len(recent) * usual >= UNITS:
            found.append(row)
    return np.array(found, dtype=np.int64)


def cases(inputs: Inputs, origin: int, learner: object) -> list[np.ndarray]:
    """Return what came, the control, the blend and the published mean of each case, [units/day]."""
    panel = inputs.panel
    busy = inputs.targets[np.nan_to_num(panel.demand[inputs.targets, origin - RECENT : origin]).sum(axis=1) >= UNITS]
    rows = jumped(panel, busy, origin)
    ahead = panel.teaches[rows, origin : origin + AHEAD]
    rows, ahead = rows[ahead.sum(axis=1) >= RECENT], ahead[ahead.sum(axis=1) >= RECENT]
    if not len(rows):
        return []
    few, past = replace(inputs, targets=rows), panel.rows(rows).until(origin)
    made = candidates(few, past, origin=origin, horizon=AHEAD, config=ForecastConfig(), learner=learner)  # type: ignore[arg-type]
    known = {name: ~np.isnan(made[name]) * weight for name, weight in WEIGHTS.items()}
    total = sum(known.values())
    blend = sum(np.nan_to_num(made[name]) * weight for name, weight in known.items()) / np.maximum(total, 1e-9)
    blend = np.where(total > 0, blend, np.nan_to_num(made[CONTROL]))
    found = settled(calm(panel.until(origin), inputs.tables.events)).rows(rows)
    lift = event_lift(past, inputs.tables.events, horizon=AHEAD)[:, origin:]
    published, _ = tempered(blend, found, lift)
    came = panel.demand[rows, origin : origin + AHEAD]
    inside = ahead / ahead.sum(axis=1, keepdims=True)
    width = came.shape[1]
    series = (came, made[CONTROL][:, :width], blend[:, :width], published[:, :width])
    return [np.stack([(np.nan_to_num(values) * inside).sum(axis=1) for values in series], axis=1)]


def report(inputs: Inputs, *, what: str) -> None:
    """Print bias and WAPE over all cases."""
    first, step = FIRST[what], EVERY[what]
    learner = learner_as_of(inputs, origin=first, config=ForecastConfig(), seed=2026, share=0.25)
    found: list[np.ndarray] = []
    for origin in range(first, inputs.panel.n_periods - AHEAD + 1, step):
        found += cases(inputs, origin, learner)
    every = np.concatenate(found)
    print(f"{what}: {len(every)} cases, {every[:, 0].mean():.2f} units a day came")
    for number, name in enumerate(("control", "blend", "published"), start=1):
        error = every[:, number] - every[:, 0]
        total = every[:, 0].sum()
        print(f"  {name:10s} bias {error.sum() / total:+.2f}, WAPE {np.abs(error).sum() / total:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["m5", "demo"])
    parser.add_argument("home", nargs="?", type=Path, help="demo home whose ingest, demand and trends steps have run")
    parser.add_argument("--date", type=date.fromisoformat, default=date(2026, 6, 28))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    parser.add_argument("--every", type=int, default=10, help="every n-th item of M5")
    asked = parser.parse_args()
    if asked.what == "m5":
        report(m5_inputs(asked.data / "m5", every=asked.every), what="m5")
        return
    from data.step_io import open_step
    from forecasting.step import load_inputs

    with open_step("backtest", home=asked.home, run_date=asked.date) as io:
        inputs = load_inputs(io, ForecastConfig())[0]
    report(inputs, what="demo")


if __name__ == "__main__":
    main()
