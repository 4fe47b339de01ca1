"""The step: what it writes, the same bytes twice, and what it says when something is missing."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from data.contracts import TABLES, WHY_COLUMNS
from data.step_io import open_step
from restocking import step

D = date(2026, 6, 28)
WRITTEN = ("inventory_positions", "restock_plan", "supplier_orders", "not_replenished", "plan_changes", "transfer_plan")


@pytest.fixture
def home(shop, tmp_path):
    """A home whose warehouse holds what the steps before this one write."""

    def make(yml="planning: {}\nsources:\n  stock: {kind: file, path: drop/stock.csv}\n", case=None):
        (tmp_path / "merchcast.yml").write_text(yml)
        case = case or shop().item("A", demand=4.0, stock=70).item("B", demand=2.0, sd=1.0, stock=5)
        with open_step("setup", home=tmp_path, run_date=D) as io:
            for name, rows in case.rows.items():
                if name in TABLES:
                    io.write(name, pd.DataFrame(rows))
            history = [
                {
                    "sku": "B",
                    "location_id": "main",
                    "ds": D - timedelta(days=i),
                    "units": 2.0,
                    "gross_units": 2.0,
                    "return_receipts": 1.0,
                }
                for i in range(30)
            ]
            blank = {c.name: 0 for c in TABLES["demand_history"].columns if not c.nullable and c.name != "run_date"}
            io.write("demand_history", pd.DataFrame([{**blank, **row} for row in history]))
        return tmp_path

    return make


def read(home, table):
    with open_step("look", home=home, run_date=D) as io:
        return io.read(table)


def test_the_step_writes_its_tables_and_a_second_run_the_same(home):
    folder = home()
    counts = step.run(folder, D)
    assert counts["rows_out"] > 0
    first = {name: read(folder, name) for name in WRITTEN}
    step.run(folder, D)
    for name, table in first.items():
        pd.testing.assert_frame_equal(read(folder, name), table)
    plan = first["restock_plan"].set_index("sku")
    assert plan.loc["A", "order_qty"] == 14
    assert first["supplier_orders"]["sku"].tolist() == ["A", "B"]
    assert first["inventory_positions"]["on_hand"].tolist() == [70, 5]


def test_expected_returns_can_be_switched_off(home):
    folder = home()
    step.run(folder, D)
    assert "expected_returns" in read(folder, "restock_plan")["flags"].iloc[1]
    home("demand: {expected_returns: false}\nsources:\n  stock: {kind: file, path: x.csv}\n")
    step.run(folder, D)
    assert "expected_returns" not in read(folder, "restock_plan")["flags"].iloc[1]


def test_a_shop_without_a_stock_table_is_told(home):
    folder = home("planning: {}\n")
    step.run(folder, D)
    checks = read(folder, "checks").set_index("check")
    assert checks.loc["NO_STOCK_TABLE", "status"] == "warn"
    assert all("no_stock_table" in flags for flags in read(folder, "restock_plan")["flags"])


def test_every_identity_is_checked_on_every_line(home):
    folder = home()
    step.run(folder, D)
    checks = read(folder, "checks").set_index("check")
    for name in ("why_adds_up", "whole_packs", "min_order_qty", "position_adds_up", "one_line_per_active_item"):
        assert checks.loc[name, ["status", "rows_checked"]].tolist() == ["pass", 2]


def test_a_typo_in_the_rooms_settings_stops_the_step(home):
    folder = home("restocking: {max_cover_day: 30}\n")
    with pytest.raises(ValueError, match="max_cover_day"):
        step.run(folder, D)


def test_sizes_are_ordered_as_sets_where_the_record_proves_that_a_broken_set_sells_less(home, shop):
    case = shop()
    skus = [(f"T{style}", size) for style in range(4) for size in "SM"]
    for style, size in skus:
        case.item(f"{style}-{size}", demand=4.0, sd=2.0, stock=80)
        product = {"sku": f"{style}-{size}", "style_id": style, "size": size, "product_type": "dress"}
        case.add("stg_products", is_product=True, **product)
    costs = "{holding_cost_per_unit_per_period: 0.2, shortage_cost_per_unit: 1.0}"
    folder = home(f"planning: {{objective: {costs}}}\n", case)
    blank = {c.name: 0 for c in TABLES["demand_history"].columns if not c.nullable and c.name != "run_date"}
    rows = [
        blank
        | {"sku": f"{style}-{size}", "location_id": "main", "ds": D - timedelta(days=day)}
        | {"in_stock_share": 1.0, "units": 2.0 if day % 3 == 0 else 4.0}
        | ({"in_stock_share": 0.0, "units": 0.0} if size == "S" and day % 3 == 0 else {})
        for style, size in skus
        for day in range(90)
    ]
    with open_step("setup", home=folder, run_date=D) as io:
        io.write("demand_history", pd.DataFrame(rows))
    step.run(folder, D)
    plan = read(folder, "restock_plan")
    assert (plan["why_set"] > 0).all()
    assert (plan[list(WHY_COLUMNS)].sum(axis=1) == plan["order_qty"]).all()
