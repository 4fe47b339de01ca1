"""The plan of the night: sales, signals and preorders in; forecasts, orders, batches, prices and reports out.

Each step reads and writes the tables of one run date in one transaction and checks what it writes, so any task can be
cleared and run again. The order of the steps is written here and nowhere else; they run one after another, because
the working database has one writer, and parallelism lives inside the steps.
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, Param, chain, dag

from dags._shared import default_args
from dags._steps import step_task

STEPS: dict[str, str] = {
    "ingest": "data.step:run",
    "demand": "demand.step:run",
    "trends": "trends.step:run",
    "preorder_ledger": "preorder.step:run_ledger",  # before the forecast: what is already promised
    "forecast": "forecasting.step:run",
    "preorder_plan": "preorder.step:run_plan",
    "restock": "restocking.step:run",
    "exposure": "trends.step:run_exposure",  # what to push and what not, once the plan is known
    "price": "pricing.step:run",
    "report": "reporting.step:run",
    "publish": "data.publish.step:run",
    "publish_index": "reporting.index_step:run",  # what follows publishing never fails a published run
    "publish_delivery": "dags._delivery:run",
}


@dag(
    schedule=CronTriggerTimetable("30 2 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    doc_md=__doc__,
    params={
        "run_date": Param(
            None, type=["null", "string"], format="date", description="Business date; default: yesterday."
        ),
        "home": Param(None, type=["null", "string"], description="Home folder; default: MERCHCAST_HOME."),
        "restate": Param(False, type="boolean", description="Take in what arrived after the first publish."),
    },
    tags=["merchcast"],
)
def nightly() -> None:
    """Chain the steps."""
    chain(*(step_task(name, where, publishes=name == "publish") for name, where in STEPS.items()))


nightly_dag = nightly()
