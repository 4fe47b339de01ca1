"""The DAG files parse, are light, and hold the order of the night."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.airflow_home import airflow_environment, prepare

ORDER = [
    "ingest",
    "demand",
    "trends",
    "preorder_ledger",
    "forecast",
    "preorder_plan",
    "restock",
    "exposure",
    "price",
    "report",
    "publish",
    "publish_index",
    "publish_delivery",
]


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow") / "home"
    home.mkdir()
    prepare(home)
    return home


def in_airflow(home: Path, code: str) -> str:
    environment = {**os.environ, **airflow_environment(home)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_both_dags_parse_without_an_error(airflow_home: Path):
    code = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
dags = bag.dags.values()
print(json.dumps([bag.import_errors, sorted(bag.dags), [d.max_active_runs for d in dags], [d.catchup for d in dags]]))
"""
    errors, dags, active, catchup = json.loads(in_airflow(airflow_home, code).splitlines()[-1])
    assert errors == {}
    assert dags == ["nightly", "weekly_review"]
    assert (set(active), set(catchup)) == ({1}, {False})


def test_a_dag_file_imports_no_heavy_library(airflow_home: Path):
    code = """
import sys, airflow.sdk
before = set(sys.modules)
import dags.nightly, dags.weekly_review
heavy = ("pandas", "polars", "duckdb", "lightgbm", "statsforecast", "great_expectations", "pyarrow")
print([m for m in heavy if m in sys.modules and m not in before])
"""
    assert in_airflow(airflow_home, code).splitlines()[-1] == "[]"


def test_the_steps_run_in_the_order_of_the_night():
    nightly = importlib.import_module("dags.nightly")
    assert list(nightly.STEPS) == ORDER
    tasks = nightly.nightly_dag.topological_sort()
    assert [t.task_id for t in tasks] == ORDER
    assert all(t.execution_timeout is not None for t in tasks)


def test_every_step_exists():
    nightly = importlib.import_module("dags.nightly")
    for where in nightly.STEPS.values():
        module, function = where.split(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "merchcast.yml").write_text("shop: {timezone: Asia/Shanghai}\n")
    return tmp_path


def context(run_after: datetime, run_date: str | None = None) -> dict[str, object]:
    return {"params": {"run_date": run_date}, "dag_run": SimpleNamespace(run_after=run_after)}


def test_a_run_plans_for_the_day_that_closed_in_the_shops_timezone(shop: Path):
    shared = importlib.import_module("dags._shared")
    evening = datetime(2026, 6, 28, 18, 30, tzinfo=UTC)  # 02:30 on the 29th in Shanghai
    assert shared.run_date_of(context(evening), home=shop) == date(2026, 6, 28)
    assert shared.run_date_of(context(evening, "2026-01-05"), home=shop) == date(2026, 1, 5)


def test_a_failure_leaves_a_notice_that_names_step_date_and_exit_code(shop: Path):
    steps = importlib.import_module("dags._steps")
    errors = importlib.import_module("data.errors")
    failed = {
        "params": {"run_date": "2026-06-28", "home": str(shop)},
        "task_instance": SimpleNamespace(task_id="ingest"),
        "exception": errors.DataError("drop/a.csv, line 3: TRUNCATED"),
    }
    steps.write_failure_notice(failed)
    notice = json.loads((shop / "last_failure.json").read_text())
    assert (notice["step"], notice["run_date"], notice["exit_code"]) == ("ingest", "2026-06-28", 3)
    assert "line 3" in notice["message"]
