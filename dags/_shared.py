"""What a run of a DAG was asked for, and what its tasks have in common. Never imported by a room."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule

from data.settings import load_settings

PUBLISHED_RUN = Asset(name="published_run", uri="merchcast://published/current")
"""Updated by each published run; its event carries the run date and the home folder."""

IN_PROCESS = "MERCHCAST_IN_PROCESS"
"""Set by `merchcast run`: a person waits at the terminal, so nothing is retried after five minutes."""

_FAIL_AT_ONCE = ("data.errors.DataError", "data.errors.ConfigError")  # trying again does not mend bad data


def default_args() -> dict[str, Any]:
    """Return the arguments of every task: retries for sources and disks, none for bad data, a time limit."""
    return {
        "owner": "planning",
        "retries": 0 if os.environ.get(IN_PROCESS) else 2,
        "retry_delay": timedelta(minutes=5),
        "retry_policy": ExceptionRetryPolicy([RetryRule(name, RetryAction.FAIL) for name in _FAIL_AT_ONCE]),
        "execution_timeout": timedelta(hours=2),
    }


def asked_of(context: Any, name: str) -> str | None:
    """Return what the run was asked for: ``params``, else what the published run that triggered it says."""
    if context["params"].get(name):
        return str(context["params"][name])
    events = [event for of_asset in (context.get("triggering_asset_events") or {}).values() for event in of_asset]
    return events[-1].extra.get(name) if events else None


def home_of(context: Any) -> Path:
    """Return the home folder: as asked, else MERCHCAST_HOME, else the folder above AIRFLOW_HOME, else ./var."""
    asked = asked_of(context, "home") or os.environ.get("MERCHCAST_HOME")
    if asked:
        return Path(asked).resolve()
    above = Path(os.environ.get("AIRFLOW_HOME", "./var/airflow")).resolve().parent
    return above if (above / "merchcast.yml").is_file() else Path("var").resolve()


def run_date_of(context: Any, *, home: Path) -> date:
    """Return the business date: as asked, else the last one that had closed when the run was due."""
    asked = asked_of(context, "run_date")
    return date.fromisoformat(asked) if asked else load_settings(home).run_date(context["dag_run"].run_after)
