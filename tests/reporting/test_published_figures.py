"""Every figure on the page is a figure of the published tables, recomputed here from Parquet alone."""

from __future__ import annotations

import html
import json
import re

import openpyxl
import polars as pl
import pytest


@pytest.fixture(scope="module")
def run(published_home):
    return published_home / "published" / "current"


@pytest.fixture(scope="module")
def page(run):
    return (run / "reports" / "restock.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plan(run):
    return pl.read_parquet(run / "tables" / "restock_plan.parquet")


def block(page, name):
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)[1])


def test_the_five_numbers(page, plan, run):
    shown = dict(re.findall(r'data-kpi="(\w+)" data-v="([^"]*)"', page))
    ordered = plan.filter((pl.col("order_qty") > 0) & (pl.col("status") != "held"))
    risky = plan.filter(
        (pl.col("demand_mean") > 0) & ((pl.col("on_hand") <= 0) | (pl.col("p_stockout_before_receipt") >= 0.5))
    )
    accuracy = pl.read_parquet(run / "tables" / "forecast_accuracy.parquet")
    whole = accuracy.filter((pl.col("segment") == "total") & (pl.col("horizon") == "1-28"))
    assert int(shown["lines_to_order"]) == ordered.height > 0
    assert float(shown["order_value"]) == pytest.approx(float(ordered["order_value"].sum()), abs=0.005)
    assert int(shown["skus_at_risk"]) == risky["sku"].n_unique() > 0
    assert float(shown["excess_value"]) == pytest.approx(float(plan["excess_value"].sum()), abs=0.005)
    assert float(shown["accuracy"]) == whole["wape"][0]


def test_the_counts_of_the_groups(page, plan):
    shown = {
        action: int(n.replace(",", ""))
        for action, n in re.findall(r'id="group-(\w+)">\s*<h2>.*?<span class="count">([\d,]+)</span>', page, re.S)
    }
    counted = dict(plan.filter(pl.col("action") != "none").group_by("action").len().iter_rows())
    assert shown == counted


def test_a_sample_of_lines(page, plan):
    data = block(page, "lines")
    names = [name for name, _, _ in data["columns"]]
    rows = {row[names.index("sku")]: dict(zip(names, row, strict=True)) for row in data["rows"]}
    assert len(rows) == plan.height
    for line in plan.gather_every(7).iter_rows(named=True):
        shown = rows[line["sku"]]
        for name in ("order_qty", "on_hand", "on_order", "inventory_position", "days_of_cover"):
            assert shown[name] == pytest.approx(line[name], abs=0.005), (line["sku"], name)
        for name in ("order_value", "money_at_risk"):
            assert shown[name] == pytest.approx(float(line[name]), abs=0.005)
        assert data["dict"]["action"][shown["action"]][0] == line["action"]
        days = None if line["order_by_date"] is None else (line["order_by_date"] - line["run_date"]).days
        assert shown["order_by_date"] == days


def test_every_item_that_is_not_replenished_can_be_found(page, run):
    idle = pl.read_parquet(run / "tables" / "not_replenished.parquet")
    data = block(page, "idle-lines")
    told = {(row[0], row[2]): data["reasons"][row[3]][0] for row in data["rows"]}
    assert told == {(row["sku"], row["location_id"]): row["reason"] for row in idle.iter_rows(named=True)}


def test_the_workbook_holds_the_same_sums(run, plan):
    book = openpyxl.load_workbook(run / "reports" / "restock.xlsx", read_only=True, data_only=True)
    rows = list(book["All SKUs"].iter_rows(values_only=True))
    book.close()
    at = {html.unescape(str(text)): c for c, text in enumerate(rows[0])}
    lines = [row for row in rows[1:] if row[at["Location"]]]
    assert len(lines) == plan.height
    assert sum(row[at["Order quantity [units]"]] for row in lines) == plan["order_qty"].sum()
    value = sum(row[at["Order value [CNY]"]] or 0 for row in lines)
    assert value == pytest.approx(float(plan["order_value"].sum()), abs=0.01)
