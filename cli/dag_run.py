"""Runs the nightly DAG in this process: the one file of the command line that imports Airflow."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Collection
from datetime import date
from pathlib import Path

from cli.airflow_home import airflow_environment, prepare
from data.errors import DataError, MerchcastError, SourceError

__all__ = ["nightly_steps", "run_nightly"]


def _load_nightly(home: Path) -> tuple[object, dict[str, str]]:
    os.environ.update({**airflow_environment(home), "MERCHCAST_IN_PROCESS": "1"})
    from dags.nightly import STEPS, nightly_dag

    return nightly_dag, STEPS


def nightly_steps(asked: Collection[str], known: Collection[str]) -> list[str]:
    """Return the steps named by ``--only``: a name covers every step it begins (``preorder`` covers two).

    Raises:
        KeyError: a name covers no step.
    """
    chosen = [step for step in known if any(step == name or step.startswith(f"{name}_") for name in asked)]
    for name in asked:
        if not any(step == name or step.startswith(f"{name}_") for step in known):
            raise KeyError(name)
    return chosen


def run_nightly(home: Path, run_date: date, *, only: Collection[str] = (), restate: bool = False) -> None:
    """Run the nightly DAG for ``run_date`` in this process; with ``only``, just those steps, and nothing is published.

    Raises:
        MerchcastError: a step failed; its exit code is the error's.
    """
    prepare(home)
    _log_to_stderr()
    nightly, steps = _load_nightly(home)
    chosen = nightly_steps(only, steps) if only else list(steps)
    skipped = [step for step in steps if step not in chosen or (only and step.startswith("publish"))]
    notice = home / "last_failure.json"
    notice.unlink(missing_ok=True)
    run = nightly.test(  # type: ignore[attr-defined]
        logical_date=None,
        run_conf={"run_date": run_date.isoformat(), "home": str(home.resolve()), "restate": restate},
        mark_success_pattern=re.compile("|".join(f"^{re.escape(s)}$" for s in skipped)) if skipped else None,
    )
    if notice.is_file():
        raise _as_error(json.loads(notice.read_text(encoding="utf-8")))
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    unfinished = {step: states.get(step, "missing") for step in steps if states.get(step) != "success"}
    if unfinished:
        raise SourceError(f"the run for {run_date} ended with unfinished steps: {unfinished}")


def _log_to_stderr() -> None:
    """Send our own log lines, such as progress where no terminal is, to stderr; Airflow keeps its own to itself."""
    ours = logging.getLogger("merchcast")
    if not ours.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        ours.addHandler(handler)
        ours.propagate = False


def _as_error(notice: dict[str, str]) -> MerchcastError:
    kinds = {3: DataError, 1: SourceError}
    kind = kinds.get(int(notice["exit_code"]), MerchcastError)
    error = kind(f"step {notice['step']}, {notice['error']}: {notice['message']}")
    error.exit_code = int(notice["exit_code"])
    return error
