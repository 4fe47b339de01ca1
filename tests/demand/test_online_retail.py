"""A real gift shop: hardly an hour of it is called brushing, and its Saturdays are closed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from demand.closed_days import classify_days
from demand.config import DemandConfig
from demand.exclusions import suspicious_lines

SATURDAY = 2  # day number 2 is 1970-01-03


@pytest.fixture(scope="module")
def lines(real_data: Path) -> pl.DataFrame:
    files = sorted((real_data / "online_retail").glob("*.csv.gz"))
    raw = pl.concat([pl.read_csv(f, infer_schema=False) for f in files]).with_row_index("n")
    at = pl.col("InvoiceDate").str.to_datetime("%Y-%m-%d %H:%M:%S").dt.replace_time_zone("Europe/London")
    return raw.select(
        order_line_id=pl.col("n").cast(pl.String),
        order_id="InvoiceNo",
        ordered_at=at.dt.convert_time_zone("UTC"),
        day=at.dt.date().cast(pl.Int32).cast(pl.Int64),
        sku=pl.col("StockCode").str.strip_chars(),
        quantity=pl.col("Quantity").cast(pl.Int64),
        buyer_ref="CustomerID",
        is_returned=pl.lit(value=False),
    )


@pytest.mark.real_data
def test_under_a_thousandth_of_sku_hours_is_called_brushing(lines):
    sales = lines.filter(pl.col("quantity") > 0)
    run_day = int(lines["day"].max())
    found = suspicious_lines(sales, timezone="Europe/London", run_day=run_day, config=DemandConfig().brushing)
    hours = sales.with_columns(hour=pl.col("ordered_at").dt.truncate("1h"))
    called = hours.join(found, on="order_line_id", how="semi").unique(["sku", "hour"]).height
    assert called < 0.001 * hours.unique(["sku", "hour"]).height


@pytest.mark.real_data
def test_saturdays_are_closed_and_holidays_are_gaps(lines):
    seen, last = lines["day"].unique().to_numpy(), int(lines["day"].max())
    listed = np.zeros(0, dtype=np.int64)
    kinds = classify_days(seen, last=last, listed=listed, config=DemandConfig().days)
    on_saturday = (pl.col("day") % 7) == SATURDAY
    assert kinds.filter(on_saturday)["is_closed"].all()
    assert not kinds.filter(~on_saturday)["is_closed"].any()
    assert kinds.filter("is_gap").height == 16
