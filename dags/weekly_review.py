"""The weekly review: a rolling-origin backtest on what was known at the time, and the champion of each segment.

It runs after Sunday's night is published. A new champion takes over only where it beats the serving one on
earlier windows.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from dags._shared import default_args, step_task


@dag(
    schedule="30 5 * * MON",
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    doc_md=__doc__,
    params={
        "run_date": Param(
            None, type=["null", "string"], format="date", description="Business date; default: yesterday."
        ),
        "home": Param(None, type=["null", "string"], description="Home folder; default: MERCHCAST_HOME."),
    },
    tags=["merchcast"],
)
def weekly_review() -> None:
    """Run the backtest; it writes the champions that the nightly forecast starts from."""
    step_task("backtest", "forecasting.review_step:run")


weekly_review_dag = weekly_review()
