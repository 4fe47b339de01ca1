"""What the DAG files share. Never imported by a room."""

from __future__ import annotations

import importlib
import json
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context, task

from data.calendar import last_closed_day
from data.settings import load_settings

IN_PROCESS = "MERCHCAST_IN_PROCESS"
"""Set by `merchcast run`: a person waits at the terminal, so nothing is retried after five minutes."""

_FAIL_AT_ONCE = ("data.errors.DataError", "data.errors.ConfigError")  # trying again does not mend bad data


def default_args() -> dict[str, Any]:
    """Return the arguments of every task: retries for sources and disks, none for bad data; a failure notice."""
    in_process = bool(os.environ.get(IN_PROCESS))
    rules = [RetryRule(exception=name, action=RetryAction.FAIL) for name in _FAIL_AT_ONCE]
    return {
        "owner": "planning",
        "retries": 0 if in_process else 2,
        "retry_delay": timedelta(minutes=5),
        "retry_policy": ExceptionRetryPolicy(rules=rules),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": write_failure_notice,
    }


def home_of(context: Any) -> Path:
    """Return the home folder: ``params.home``, else MERCHCAST_HOME, else the folder above AIRFLOW_HOME, else ./var."""
    asked = context["params"].get("home") or os.environ.get("MERCHCAST_HOME")
    if asked:
        return Path(asked).resolve()
    above = Path(os.environ.get("AIRFLOW_HOME", "./var/airflow")).resolve().parent
    return above if (above / "merchcast.yml").is_file() else Path("var").resolve()


def run_date_of(context: Any, *, home: Path) -> date:
    """Return the business date a run plans for.

    ``params.run_date``, else the shop's ``default_run_date``, else the last closed day (or week) before the run's
    local date: a run at 02:30 plans at the close of yesterday, and Airflow's clock is UTC.
    """
    asked = context["params"].get("run_date")
    if asked:
        return date.fromisoformat(asked)
    settings = load_settings(home)
    if settings.planning.default_run_date:
        return settings.planning.default_run_date
    today = context["dag_run"].run_after.astimezone(settings.zone).date()
    return last_closed_day(today, settings.planning.freq)


def step_task(name: str, where: str, **options: Any) -> Any:
    """Return a task that runs one step; ``where`` names its function as ``module:function``."""

    @task(task_id=name, **options)
    def run_step() -> dict[str, int]:
        context = get_current_context()
        home = home_of(context)
        module, function = where.split(":")
        step = getattr(importlib.import_module(module), function)
        asked = context["params"]
        extra = {"restate": True} if asked.get("restate") and name == "ingest" else {}
        counts: dict[str, int] = step(home, run_date_of(context, home=home), **extra)
        return counts

    return run_step()


def write_failure_notice(context: Any) -> None:
    """Write ``last_failure.json`` into the home folder: which step failed, for which date, and why."""
    home = home_of(context)
    error = context.get("exception")
    notice = {
        "step": context["task_instance"].task_id,
        "run_date": str(run_date_of(context, home=home)),
        "exit_code": getattr(error, "exit_code", 1),
        "error": type(error).__name__,
        "message": str(error),
    }
    (home / "last_failure.json").write_text(json.dumps(notice, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
