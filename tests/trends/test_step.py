"""The step on the small demo shop."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from data.step import run as ingest
from data.warehouse import open_warehouse
from demand.step import run as demand
from trends.step import run

RUN_DATE = date(2026, 6, 28)


@pytest.fixture(scope="module")
def tables(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    home = tmp_path_factory.mktemp("trends") / "home"
    shutil.copytree(small_shop, home)
    ingest(home, RUN_DATE)
    demand(home, RUN_DATE)
    run(home, RUN_DATE)
    with open_warehouse(home) as warehouse:
        names = ("trend_scores", "trend_alerts", "trend_features", "stg_signals")
        return {name: warehouse.polars(f"select * from {name}") for name in names}


def test_every_element_of_the_signals_has_a_score(tables):
    n = tables["stg_signals"].unique(["element_type", "region"]).height
    assert tables["trend_scores"].unique(["element_type", "region"]).height > n  # all regions come on top
    assert set(tables["trend_scores"]["state"]) <= {"rising", "hot", "cooling", "quiet", "unknown_element"}


def test_features_end_on_the_run_date_and_agree_with_the_scores(tables):
    last = tables["trend_features"].filter(pl.col("ds") == RUN_DATE)
    both = tables["trend_scores"].join(last, on=["element_type", "element", "region"], suffix="_feature")
    assert both.height == tables["trend_scores"].height
    assert (both["heat"] - both["heat_feature"]).abs().max() < 1e-9
    assert tables["trend_features"]["ds"].max() == RUN_DATE


def test_alerts_are_scores_that_rise(tables):
    keys = ["element_type", "element", "region"]
    alerted = tables["trend_alerts"].join(tables["trend_scores"], on=keys)
    on = alerted.filter(pl.col("status") != "withdrawn")
    assert set(on.filter(pl.col("reason") != "cooling_signals")["state"]) <= {"rising", "hot", "unknown_element"}
    assert set(alerted.filter(pl.col("status") == "withdrawn")["state"]) <= {"quiet"}
    asked = alerted.filter(pl.col("proposed_qty") > 0)
    assert asked["order_by_date"].is_not_null().all()
    assert (asked["gain_if_right"] >= 0).all()
