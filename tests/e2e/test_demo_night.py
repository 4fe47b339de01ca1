"""The whole night on a small version of the demo shop, from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from planner_walk import open_all, use_restock
from published_bytes import digests

from data.contracts import OUTPUTS, Table
from data.contracts.frames import arrow_schema

pytestmark = pytest.mark.e2e

RUN_DATE = "2026-06-28"
FILLED = {
    "demand_history", "forecasts", "protection_demand", "restock_plan", "not_replenished", "batch_plan",
    "preorder_allocations", "price_suggestions", "elasticities", "trend_scores", "forecast_accuracy", "checks",
    "quarantine", "row_accounts", "run_log",
}  # fmt: skip
"""Tables that the demo shop has data for."""


@pytest.fixture(scope="module")
def night(small_shop: Path, tmp_path_factory: pytest.TempPathFactory, merchcast):
    """The small shop after one night."""
    home = tmp_path_factory.mktemp("night") / "home"
    shutil.copytree(small_shop, home)
    done = merchcast("run", "--home", str(home))
    return home, done


@pytest.fixture(scope="module")
def tables(night) -> Path:
    return night[0] / "published" / "current" / "tables"


def read(tables: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(tables / f"{name}.parquet")


def test_stdout_is_one_line_that_names_the_report(night):
    home, done = night
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    report = Path(lines[0].rsplit(" -> ", 1)[1])
    assert report == home / "published" / "current" / "reports" / "restock.html"
    assert report.is_file()
    assert "FAIL=0" in lines[0]


@pytest.mark.parametrize("table", OUTPUTS, ids=lambda t: t.name)
def test_every_table_of_the_contract_is_published_with_its_columns_and_types(tables: Path, table: Table):
    schema = pq.read_schema(tables / f"{table.name}.parquet").remove_metadata()
    published = [c.name for c in table.published]
    assert schema.names == published
    assert schema.types == [arrow_schema(table).field(n).type for n in published]
    rows = pq.read_metadata(tables / f"{table.name}.parquet").num_rows
    assert rows > 0 or table.name not in FILLED


def test_every_delivered_row_is_accounted_for(night, tables: Path):
    accounts = read(tables, "row_accounts")
    assert (accounts["rows_in"] == accounts[["rows_loaded", "rows_quarantined", "rows_duplicate"]].sum(axis=1)).all()
    dirt = pl.read_parquet(night[0] / "truth" / "dirt.parquet")
    assert accounts["rows_quarantined"].sum() >= 0.9 * dirt.filter(pl.col("outcome") == "Q")["n_rows"].sum()


def test_every_active_item_has_an_ordered_finite_forecast(tables: Path):
    forecasts, plan = read(tables, "forecasts"), read(tables, "restock_plan")
    quantiles = forecasts[["q025", "q05", "q10", "q25", "q50", "q75", "q80", "q90", "q95", "q975", "q99"]].to_numpy()
    assert (quantiles[:, 1:] >= quantiles[:, :-1]).all()
    assert (quantiles[:, 0] >= 0).all()
    planned = set(zip(plan["sku"], plan["location_id"], strict=True))
    assert planned <= set(zip(forecasts["sku"], forecasts["location_id"], strict=True))


def test_the_why_columns_add_up_on_every_line(tables: Path):
    plan, batches = read(tables, "restock_plan"), read(tables, "batch_plan")
    assert (plan.filter(like="why_").sum(axis=1) == plan["order_qty"]).all()
    assert (batches.filter(like="why_").sum(axis=1) == batches["batch_qty"]).all()


def test_every_order_is_whole_packs_and_only_released_lines_reach_the_supplier(tables: Path):
    plan, orders = read(tables, "restock_plan"), read(tables, "supplier_orders")
    free = plan[plan["override_qty"].isna() & (plan["order_qty"] > 0)]
    assert (free["order_qty"] % free["pack_size"] == 0).all()
    released = plan[(plan["order_qty"] > 0) & (plan["status"] != "held")]
    assert orders["qty"].sum() == released["order_qty"].sum()


def test_allocations_never_exceed_the_claim(tables: Path):
    rows = read(tables, "preorder_allocations")
    assert (rows["allocated_qty"] <= rows["claimed_qty"]).all()
    assert (rows["allocated_qty"] + rows["backlog_qty"] == rows["claimed_qty"]).all()


def test_a_run_is_as_its_manifest_says(night, merchcast):
    merchcast("verify", "--home", str(night[0]))


def test_show_prints_json_rows_and_explain_prints_words(night, tables: Path, merchcast):
    home = str(night[0])
    rows = json.loads(merchcast("show", "restock", "--json", "--home", home).stdout)
    plan = read(tables, "restock_plan")
    assert len(rows) == len(plan)
    first = plan.sort_values("rank").iloc[0]
    assert f"{first['order_qty']:,}" in merchcast("explain", first["sku"], "--home", home).stdout.replace(" ", " ")


def test_running_again_gives_the_same_bytes(night, merchcast):
    home = night[0]
    before = digests(home / "published" / RUN_DATE)
    merchcast("run", "--home", str(home))
    assert digests(home / "published" / RUN_DATE) == before


def test_rebuilding_from_landing_gives_the_same_bytes(night, merchcast):
    home = night[0]
    before = digests(home / "published" / RUN_DATE)
    merchcast("rebuild", "--home", str(home))
    merchcast("run", "--home", str(home))
    assert digests(home / "published" / RUN_DATE) == before


def test_some_steps_alone_publish_nothing(night, merchcast):
    home = night[0]
    before = (home / "published" / "current").readlink()
    done = merchcast("run", "--home", str(home), "--only", "price")
    assert "nothing was published" in done.stdout
    assert (home / "published" / "current").readlink() == before


@pytest.mark.browser
def test_a_planner_finds_the_way_through_the_pages(tables: Path, open_page):
    open_all(open_page, tables.resolve().parent / "reports")
    use_restock(open_page, tables.resolve().parent, "restock.en.html")
