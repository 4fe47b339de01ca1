"""The weekly review: a rolling-origin backtest, champions by segment, and the old ones kept where they are better."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import polars as pl

from data.step_io import StepIO, open_step
from forecasting.backtest import run_trials
from forecasting.champions import keep_better, read_champions, read_record, write_record
from forecasting.config import ForecastConfig
from forecasting.forecast import classes_of, judged_trial
from forecasting.selection import Choice, choose, scores_of
from forecasting.step import load_inputs, spans_of

__all__ = ["backtest", "run"]

_REVIEW_CUTOFFS = 4


def run(home: Path, run_date: date) -> dict[str, int]:
    """Hold the review as of ``run_date`` and write ``models/champions.json``; returns counts of rows."""
    with open_step("review", home=home, run_date=run_date) as io:
        table = _reviewed(io, cutoffs=_REVIEW_CUTOFFS, keep=True)
        io.counts["rows_out"] += table.height
    return io.counts


def backtest(home: Path, run_date: date, cutoffs: int) -> pl.DataFrame:
    """Return accuracy by segment and range of periods ahead over ``cutoffs`` windows, shaped as ``forecast_accuracy``.

    Each window is judged on forecasts made before it with weights and calibration from the windows before it; the
    figures stand for the last one, champions for all. Nothing is written.
    """
    with open_step("backtest", home=home, run_date=run_date) as io:
        return _reviewed(io, cutoffs=cutoffs, keep=False)


def _reviewed(io: StepIO, *, cutoffs: int, keep: bool) -> pl.DataFrame:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    config = ForecastConfig.model_validate(io.settings.rooms.get("forecasting", {}))
    seed = io.settings.planning.seed
    inputs, _ = load_inputs(io, config)
    panel = inputs.panel.rows(inputs.targets)
    classes = classes_of(panel)
    trials = run_trials(inputs, config=config, seed=seed, count=cutoffs)
    if not trials:
        io.note("NO_BACKTEST", "History is too short for a backtest: the champions stay as they are.")
        return pl.DataFrame()
    windows = [t.window for t in trials]
    choices = choose(windows, classes, shrinkage=config.weight_shrinkage, gate_margin=config.gate_margin)
    if keep:
        old = read_champions(io.home, before=io.run_date) or {}
        kept = scores_of(windows, classes, old)
        write_record(io.home, keep_better(read_record(io.home), choices, kept, as_of=io.run_date))
    table, _ = judged_trial(inputs, trials, classes, spans_of(io, inputs), config=config, seed=seed)
    return _with_champions(table, choices)


def _with_champions(table: pl.DataFrame, choices: dict[str, Choice]) -> pl.DataFrame:
    found = [choices.get(s, choices["all"]) for s in table["segment"].to_list()]
    return table.with_columns(
        champion=pl.Series([c.champion for c in found], dtype=pl.String),
        runner_up=pl.Series([c.runner_up for c in found], dtype=pl.String),
        margin=pl.Series([c.margin for c in found], dtype=pl.Float64),
    )
