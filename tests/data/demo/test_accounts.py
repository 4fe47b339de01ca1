"""The simulated stock adds up, and the drop files tell the same story as the truth."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest


def test_end_is_start_plus_in_minus_out(written):
    daily = written.truth("daily")
    end = (
        pl.col("start_qty")
        + pl.col("received_qty")
        + pl.col("returned_qty")
        - pl.col("sold_qty")
        - pl.col("preorder_shipped_qty")
    )
    assert daily.filter(end != pl.col("end_qty")).is_empty()
    assert daily.filter(pl.min_horizontal("start_qty", "end_qty", "sold_qty", "lost_qty") < 0).is_empty()


def test_each_day_starts_with_what_the_day_before_left(written):
    daily = written.truth("daily").sort("sku", "location_id", "ds")
    before = daily.with_columns(
        gap=(pl.col("ds") - pl.col("ds").shift().over("sku", "location_id")).dt.total_days(),
        left=pl.col("end_qty").shift().over("sku", "location_id"),
    )
    follows = before.filter(pl.col("gap") == 1)
    assert len(follows) > 0.9 * len(daily) * 0.98
    assert follows.filter(pl.col("left") != pl.col("start_qty")).is_empty()


def test_nobody_buys_what_is_not_there(written):
    daily = written.truth("daily")
    assert daily.filter(pl.col("sold_qty") > pl.col("true_demand")).is_empty()
    assert daily.filter(pl.col("is_censored") & (pl.col("end_qty") > 0)).is_empty()
    assert (daily["lost_qty"] == daily["true_demand"] - daily["sold_qty"]).all()


def sold_by_day(written) -> pl.DataFrame:
    lines = written.clean("order_lines")
    fake = written.truth("brushing")["order_line_id"]
    real = lines.filter(
        ~pl.col("order_line_id").is_in(fake.implode())
        & (pl.col("status") != "cancelled")
        & pl.col("preorder_id").is_null()
        & (pl.col("quantity").cast(pl.Int64) > 0)
    )
    day = pl.col("ordered_at").str.slice(0, 10).str.to_date().alias("ds")
    return real.group_by("sku", "location_id", day).agg(pl.col("quantity").cast(pl.Int64).sum().alias("units"))


def test_clean_order_lines_add_up_to_what_was_sold(written):
    daily = written.truth("daily").filter(pl.col("sold_qty") > 0)
    both = daily.join(sold_by_day(written), on=["sku", "location_id", "ds"], how="full", coalesce=True)
    wrong = both.filter(pl.col("units").fill_null(0) != pl.col("sold_qty").fill_null(0))
    assert wrong.is_empty(), wrong.head()


def test_receipts_add_up_to_what_arrived(written):
    receipts = written.clean("receipts").with_columns(
        pl.col("received_date").str.to_date(), pl.col("received_qty").cast(pl.Float64)
    )
    arrived = receipts.group_by("sku", "location_id", pl.col("received_date").alias("ds")).agg(
        pl.col("received_qty").sum()
    )
    daily = written.truth("daily").filter(pl.col("received_qty") > 0).select("sku", "location_id", "ds", "received_qty")
    both = daily.join(arrived, on=["sku", "location_id", "ds"], how="full", suffix="_file", coalesce=True)
    assert both.filter(pl.col("received_qty").fill_null(0) != pl.col("received_qty_file").fill_null(0)).is_empty()


def test_stock_snapshots_are_the_truth(written):
    stock = written.clean("stock").with_columns(pl.col("as_of_date").str.to_date(), pl.col("on_hand").cast(pl.Int64))
    both = stock.join(
        written.truth("daily"), left_on=["sku", "location_id", "as_of_date"], right_on=["sku", "location_id", "ds"]
    )
    assert (both["on_hand"] == both["end_qty"]).all()
    assert len(both) == len(stock)
    last = stock["as_of_date"].max()
    assert str(last) == written.summary.run_date
    assert stock.filter(pl.col("as_of_date") == last).height >= 0.5 * written.summary.series


def test_open_orders_are_what_was_ordered_and_not_received(full):
    orders = full.clean("purchase_orders").filter(pl.col("as_of_date") == full.summary.run_date)
    receipts = full.clean("receipts")
    overdue = orders.filter(pl.col("expected_receipt_date") <= full.summary.run_date)
    assert 5 <= len(overdue) <= 0.5 * len(orders)
    assert orders["ordered_date"].max() < full.summary.run_date  # tonight's order is the run's to propose
    received = receipts.select("po_id", "sku", "location_id").unique()
    again = orders.join(received, on=["po_id", "sku", "location_id"], how="semi")
    assert len(again) < 0.05 * len(orders)  # only the second part of a short delivery
    assert orders["campaign_id"].drop_nulls().n_unique() >= 2


def test_lead_times_in_receipts_are_the_suppliers_own(full):
    receipts = full.clean("receipts").filter(pl.col("po_id").str.contains(r"^PO-\d{6}-"))
    days = (pl.col("received_date").str.to_date() - pl.col("ordered_date").str.to_date()).dt.total_days() - 1
    seen = dict(receipts.group_by("supplier_id").agg(days.median()).rows())
    for supplier, stated, mean, _, _ in full.truth("lead_times").rows():
        assert seen[supplier] == pytest.approx(mean, abs=0.2 * mean + 2), (supplier, stated)
    assert seen["SUP-FIGURE"] > 50  # eight weeks
    spread = dict(receipts.group_by("supplier_id").agg(days.std()).rows())
    assert spread["SUP-COSB"] == max(v for k, v in spread.items() if k != "SUP-FIGURE")  # the unreliable one


def test_returns_name_lines_that_were_sold_earlier(written):
    lines = written.clean("order_lines").select("order_line_id", "ordered_at", "sku", "quantity")
    back = written.clean("returns").join(lines, on="order_line_id", how="left", suffix="_sold")
    assert back["sku_sold"].null_count() == 0
    assert (back["sku"] == back["sku_sold"]).all()
    assert (back["returned_at"] > back["ordered_at"]).all()
    total = back.group_by("order_line_id").agg(
        pl.col("quantity").cast(pl.Int64).sum(), pl.col("quantity_sold").first().cast(pl.Int64)
    )
    assert total.filter(pl.col("quantity") > pl.col("quantity_sold")).is_empty()


def test_return_rates_are_those_planted(full):
    lines = full.clean("order_lines").filter(pl.col("ordered_at") < "2026-05-01")
    sold = lines.filter(pl.col("location_id") == "web").group_by("sku").agg(pl.col("quantity").cast(pl.Int64).sum())
    back = full.clean("returns").filter(pl.col("location_id") == "web")
    back = back.group_by("sku").agg(pl.col("quantity").cast(pl.Int64).sum().alias("back"))
    truth = full.truth("return_rates").filter(pl.col("location_id") == "web")
    both = sold.join(back, on="sku").join(truth, on="sku").filter(pl.col("quantity") > 400)
    error = (both["back"] / both["quantity"] - both["return_rate"]).to_numpy()
    assert abs(float(np.median(error))) < 0.03
    assert both["return_rate"].max() > 0.3
    problems = full.truth("return_problems")
    assert (problems["rate"] > 1.2 * problems["usual_rate"]).all()
