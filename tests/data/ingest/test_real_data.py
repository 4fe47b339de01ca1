"""A real shop's daily exports, as they came."""

from __future__ import annotations

import csv
import gzip
import shutil
from datetime import date
from pathlib import Path

import pytest
from drop_shop import DropShop


@pytest.fixture
def gift_shop(tmp_path: Path) -> DropShop:
    shop = DropShop(tmp_path / "home", timezone="Europe/London")
    shop.source(
        "order_lines",
        timezone="Europe/London",
        columns={
            "ordered_at": "InvoiceDate",
            "sku": "StockCode",
            "quantity": "Quantity",
            "unit_price": "UnitPrice",
            "order_id": "InvoiceNo",
            "buyer_ref": "CustomerID",
        },
        defaults={"location_id": "main"},
    )
    shop.path("order_lines", "x").parent.mkdir(parents=True)
    return shop


def records(path: Path) -> int:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def test_every_row_of_online_retail_is_accounted_for_in_two_nights(real_data: Path, gift_shop: DropShop):
    files = sorted((real_data / "online_retail").glob("*.csv.gz"))
    first = [f for f in files if f.name <= "2011-11-13.csv.gz"]
    for file in first:
        shutil.copy2(file, gift_shop.path("order_lines", file.name))
    gift_shop.run(date(2011, 11, 13))
    gift_shop.publish(date(2011, 11, 13))
    for file in files:
        shutil.copy2(file, gift_shop.path("order_lines", file.name))
    assert gift_shop.run(date(2011, 11, 27))["files_new"] == len(files) - len(first)
    counted = {f.name: records(f) for f in files}
    assert {name: a[0] for name, a in gift_shop.accounts().items()} == counted
    assert [sum(a[i] for a in gift_shop.accounts().values()) for i in range(4)] == [541_909, 541_907, 2, 0]
    assert {q[1:] for q in gift_shop.quarantined()} == {("PRICE_RANGE", "unit_price", "-11062.06")}
    codes = {c for (c,) in gift_shop.query("select distinct sku from stg_order_lines where not is_product")}
    assert {"POST", "DOT", "M", "m", "C2", "D", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS", "gift_0001_20"} <= codes
    assert not gift_shop.query("select 1 from stg_order_lines where dayofweek(business_date) = 6 limit 1")  # Saturdays
    assert gift_shop.query("select max(business_date) from stg_order_lines") == [(date(2011, 11, 27),)]


def test_typed_parquet_of_a_large_chain(real_data: Path, tmp_path: Path):
    shop = DropShop(tmp_path / "home", timezone="America/New_York")
    shop.sources.clear()
    shop.source("prices", columns={"from_date": "week_start"})
    shop.sources["prices"]["path"] = str(real_data / "m5" / "weekly_prices.parquet")
    shop.drop("period_sales", "p.csv", "ds,sku,location_id,units\n2016-03-27,FOODS_1_001,CA_1,1\n")
    shop.run(date(2016, 3, 27))
    rows_in, loaded, bad, duplicate = shop.accounts()["weekly_prices.parquet"]
    assert (rows_in, bad, duplicate) == (loaded, 0, 0)
    assert shop.query("select max(from_date) <= date '2016-03-27', count(*) > 1_000_000 from stg_prices") == [
        (True, True)
    ]
