"""The weekly review: a rolling-origin backtest on what was known at the time, champions by segment, the order policy.

It follows every published run and does its work after the last day of a week. A new champion takes over only where it
beats the serving one on earlier windows.
"""

from __future__ import annotations

from airflow.sdk import Param, chain, dag

from dags._shared import PUBLISHED_RUN, default_args
from dags._steps import step_task

REVIEWS: dict[str, str] = {
    "backtest": "forecasting.review_step:run",
    "order_policy": "restocking.review_step:run",
}


@dag(
    schedule=[PUBLISHED_RUN],
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    doc_md=__doc__,
    params={
        "run_date": Param(None, type=["null", "string"], format="date", description="Business date; always reviewed."),
        "home": Param(None, type=["null", "string"], description="Home folder; default: MERCHCAST_HOME."),
    },
    tags=["merchcast"],
)
def weekly_review() -> None:
    """Run the backtest, whose champions the nightly forecast starts from; then choose the order policy."""
    chain(*(step_task(name, where, closes_week=True) for name, where in REVIEWS.items()))


weekly_review_dag = weekly_review()
