"""The step on the small demo shop, against SQL over the staged tables and against the demo's truth."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from data.step import run as ingest
from data.warehouse import Warehouse, open_warehouse
from demand.step import run

RUN_DATE = date(2026, 6, 28)


@pytest.fixture(scope="module")
def home(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    copy = tmp_path_factory.mktemp("demand") / "home"
    shutil.copytree(small_shop, copy)
    ingest(copy, RUN_DATE)
    run(copy, RUN_DATE)
    return copy


@pytest.fixture
def warehouse(home: Path):
    with open_warehouse(home) as opened:
        yield opened


def one(warehouse: Warehouse, sql: str) -> float:
    return float(warehouse.polars(sql).row(0)[0] or 0.0)


def test_units_reconcile_with_the_lines(warehouse):
    line = "from stg_order_lines where is_product and quantity > 0 and preorder_id is null"
    assert one(warehouse, "select sum(gross_units) from demand_history") == one(
        warehouse, f"select sum(quantity) {line}"
    )
    cancelled = one(warehouse, f"select sum(quantity) {line} and status = 'cancelled'")
    assert one(warehouse, "select sum(cancelled_units) from demand_history") == cancelled
    assert cancelled > 0
    left_out = one(warehouse, "select sum(units) from excluded_lines")
    assert one(warehouse, "select sum(excluded_units) from demand_history") == left_out


def test_what_came_back_reconciles_with_both_kinds_of_return(warehouse):
    came = one(warehouse, "select sum(quantity) from stg_returns r join stg_products p using (sku) where p.is_product")
    negative = one(
        warehouse,
        "select -sum(quantity) from stg_order_lines where is_product and quantity < 0 "
        "and coalesce(status, '') <> 'cancelled' "
        "and order_line_id not in (select order_line_id from stg_returns where order_line_id is not null)",
    )
    assert one(warehouse, "select sum(return_receipts) from demand_history") == came + negative
    assert 0 < one(warehouse, "select sum(returned_units) from demand_history") <= came + negative
    assert one(warehouse, "select count(*) from demand_history where returned_units > units") == 0


def test_series_are_dense_and_end_on_the_run_date_where_active(warehouse):
    gaps = one(
        warehouse,
        "select count(*) from (select sku, location_id, count(*) n, max(ds) - min(ds) + 1 as span from demand_history "
        "group by all) where n <> span",
    )
    assert gaps == 0
    late = one(
        warehouse,
        "select count(*) from assortment a "
        "join (select sku, location_id, max(ds) as last_day from demand_history group by all) h "
        "using (sku, location_id) where a.status = 'active' and h.last_day <> date '2026-06-28'",
    )
    assert late == 0


def test_every_item_that_sold_or_is_held_is_in_the_assortment(warehouse):
    missing = one(
        warehouse,
        "select count(*) from (select sku, location_id from stg_order_lines where quantity > 0 "
        "union select sku, location_id from stg_stock where on_hand > 0) anti join assortment using (sku, location_id)",
    )
    assert missing == 0
    assert one(warehouse, "select count(*) from assortment where status = 'active'") > 0


def test_lost_demand_lies_on_days_called_censored(home, warehouse):
    truth = pl.read_parquet(home / "truth" / "daily.parquet")
    history = warehouse.polars("select sku, location_id, ds, is_censored from demand_history")
    lost = history.join(truth.filter(pl.col("lost_qty") > 0), on=["sku", "location_id", "ds"])
    assert lost.height > 50
    assert lost["is_censored"].mean() > 0.9


def test_planted_fake_orders_are_found(home, warehouse):
    truth = pl.read_parquet(home / "truth" / "brushing.parquet")
    found = warehouse.polars("select order_line_id from excluded_lines where reason like 'brushing%'")
    right = found.join(truth, on="order_line_id", how="semi").height
    assert right >= 0.8 * truth.height
    assert right >= 0.95 * found.height


def test_a_rerun_gives_the_same_rows(home):
    def content() -> list[pl.DataFrame]:
        with open_warehouse(home) as warehouse:
            return [
                warehouse.polars("select * from demand_history order by sku, location_id, ds"),
                warehouse.polars("select * from assortment order by sku, location_id"),
            ]

    before = content()
    run(home, RUN_DATE)
    for old, new in zip(before, content(), strict=True):
        assert old.equals(new)
