"""A step of a room as a task. Never imported by a room."""

from __future__ import annotations

import importlib
import json
from typing import Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from dags._connections import connection_uri
from dags._shared import PUBLISHED_RUN, home_of, run_date_of
from data.ingest.connections import use_store
from data.settings import load_settings


def step_task(name: str, where: str, *, publishes: bool = False, closes_week: bool = False) -> Any:
    """Return a task that runs one step; ``where`` names its function as ``module:function``.

    With ``publishes`` it updates ``PUBLISHED_RUN``; with ``closes_week`` it is skipped, unless a run date was asked
    for, where the run date is not the last day of a week.
    """

    @task(task_id=name, outlets=[PUBLISHED_RUN] if publishes else [], on_failure_callback=write_failure_notice)
    def run_step() -> dict[str, int]:
        context = get_current_context()
        home = home_of(context)
        run_date = run_date_of(context, home=home)
        if closes_week and not (
            context["params"].get("run_date") or load_settings(home).calendar(run_date).closes_week
        ):
            raise AirflowSkipException(f"{run_date} is not the last day of a week")
        use_store(connection_uri)
        module, function = where.split(":")
        step = getattr(importlib.import_module(module), function)
        extra = {"restate": True} if name == "ingest" and context["params"].get("restate") else {}
        counts: dict[str, int] = step(home, run_date, **extra)
        if publishes:
            context["outlet_events"][PUBLISHED_RUN].extra = {"run_date": run_date.isoformat(), "home": str(home)}
        return counts

    return run_step()


def write_failure_notice(context: Any) -> None:
    """Write ``last_failure.json`` into the home folder: which step failed, for which date, and why."""
    home, error = home_of(context), context.get("exception")
    notice = {
        "step": context["task_instance"].task_id,
        "run_date": str(run_date_of(context, home=home)),
        "exit_code": getattr(error, "exit_code", 1),
        "error": type(error).__name__,
        "message": str(error),
    }
    (home / "last_failure.json").write_text(json.dumps(notice, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
