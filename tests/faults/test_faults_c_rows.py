"""Group C: what rows mean, as far as ingest decides it. One test id per row of the catalogue."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest
from drop_shop import LINES, D, DropShop, order_lines

RETURNS = "return_id,returned_at,sku,quantity,order_line_id\n"


def test_fault_48_exact_duplicates_with_a_key(shop: DropShop):
    rows = order_lines()
    shop.drop("order_lines", "a.csv", [*rows, rows[3], rows[3], rows[9]])
    shop.run()
    assert shop.accounts()["a.csv"] == (203, 200, 0, 3)
    assert shop.query("select count(*), count(distinct order_line_id) from stg_order_lines") == [(200, 200)]


def test_fault_48_equal_lines_without_a_key_are_different_lines(shop: DropShop):
    header, *_ = LINES.split("order_line_id,")[1:]
    records = [r.split(",", 1)[1] for r in order_lines()]
    shop.drop("order_lines", "a.csv", header + "\n".join([*records, records[3], records[3]]) + "\n")
    shop.run()
    assert shop.accounts()["a.csv"] == (202, 202, 0, 0)
    ids = shop.query(
        "select order_line_id from raw_order_lines where sku = 'SKU-004' and order_id = 'O1' order by row_number"
    )
    assert [i[0].partition("-")[2] for i in ids] == ["", "2", "3"]
    shop.drop("order_lines", "b.csv", header + "\n".join([*records, records[3]]) + "\n")  # a later export, overlapping
    shop.run()
    assert shop.accounts()["b.csv"] == (201, 0, 0, 201)
    assert shop.query("select count(*) from stg_order_lines") == [(202,)]


def test_fault_49_same_key_other_values_in_one_file(shop: DropShop):
    rows = order_lines()
    shop.drop("order_lines", "a.csv", [*rows, rows[3].replace("14.50", "15.00")])
    shop.run()
    assert [q[:3] for q in shop.quarantined()] == [
        (4, "DUP_CONFLICT", "order_line_id"),
        (201, "DUP_CONFLICT", "order_line_id"),
    ]
    assert shop.accounts()["a.csv"] == (201, 199, 2, 0)


def test_fault_49_the_later_version_wins_across_files(shop: DropShop):
    rows = order_lines()
    shop.drop("order_lines", "orders_2026-03-01.csv", [rows[0].replace("11.50", "99.00"), *rows[1:50]])
    shop.drop("order_lines", "orders_2026-02-28.csv", rows)
    shop.run()
    assert shop.query("select count(*) from stg_order_lines") == [(200,)]
    assert [float(r[0]) for r in shop.query("select unit_price from stg_order_lines where order_line_id = 'L1'")] == [
        99.0
    ]
    assert sum(a[3] for a in shop.accounts().values()) == 49


def test_fault_50_late_rows_go_into_their_own_day(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines(60, day="2026-02-28"))
    shop.run(D - timedelta(days=1))
    shop.publish(D - timedelta(days=1))
    shop.drop("order_lines", "b.csv", [*order_lines(10, day="2026-02-28", start=100), *order_lines(5, start=200)])
    shop.run(D)
    days = shop.query("select business_date, count(*) from stg_order_lines group by 1 order by 1")
    assert days == [(date(2026, 2, 28), 70), (D, 5)]
    shown = "10 rows of order_lines came late or were corrected after the run for 2026-02-28: 1 days are restated"
    assert shown in shop.notes()["RESTATED"]
    assert "2026-02-28: 10" in shop.notes()["RESTATED"]


def test_fault_51_a_correction_leaves_the_earlier_runs_view_readable(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines(60, day="2026-02-28"))
    before = D - timedelta(days=1)
    shop.run(before)
    shop.publish(before)
    staged = shop.table("stg_order_lines")
    shop.drop("order_lines", "b.csv", [r.replace("11.50", "12.00") for r in order_lines(60, day="2026-02-28")])
    shop.run(D)
    assert shop.table("stg_order_lines") != staged
    shop.run(before)
    assert shop.table("stg_order_lines") == staged
    assert list(shop.accounts()) == ["a.csv"]
    shop.run(before, restate=True)
    restated = shop.table("stg_order_lines")
    assert restated != staged
    shop.run(before)
    assert shop.table("stg_order_lines") == restated


def test_fault_52_a_negative_quantity_is_a_return_and_loads(shop: DropShop):
    rows = order_lines()
    rows[5] = "L6,O2,2026-03-01 11:00:00,SKU-006,-2,16.50,B6"
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.query("select quantity from stg_order_lines where order_line_id = 'L6'") == [(-2,)]


def test_fault_53_more_returned_than_the_line_it_names_sold(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.source("returns", timezone="Asia/Shanghai")
    shop.drop(
        "returns",
        "r.csv",
        RETURNS
        + "R1,2026-03-01 12:00:00,SKU-002,9,L2\nR2,2026-03-01 12:00:00,SKU-003,9,L9999\n"
        + "R3,2026-03-01 12:00:00,SKU-003,1,L3\n",
    )
    shop.run()
    assert shop.quarantined() == [(1, "RETURN_EXCEEDS_SALES", "quantity", "9")]
    assert shop.accounts()["r.csv"] == (3, 2, 1, 0)
    assert shop.query("select return_id from stg_returns order by 1") == [("R2",), ("R3",)]


def test_negative_lines_that_the_returns_table_brings_too_are_its_duplicates(shop: DropShop):
    rows = [
        *order_lines(),
        "L2X,O1,2026-03-01 11:00:00,SKU-002,-1,12.50,B2",
        "L3X,O1,2026-03-01 11:00:00,SKU-003,-1,13.50,B3",
    ]
    shop.drop("order_lines", "a.csv", rows)
    shop.source("returns", timezone="Asia/Shanghai")
    shop.drop("returns", "r.csv", RETURNS + "R1,2026-03-01 12:00:00,SKU-002,1,L2X\n")
    shop.run()
    assert shop.accounts()["a.csv"] == (202, 201, 0, 1)
    assert shop.query("select order_line_id from stg_order_lines where quantity < 0") == [("L3X",)]


def test_fault_54_price_zero_loads(shop: DropShop):
    rows = order_lines()
    rows[5] = rows[5].replace("16.50", "0")
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)


@pytest.mark.parametrize(("fault", "price"), [("55", "-5.00"), ("56", "1000000000000"), ("56", "1e99")])
def test_fault_55_56_prices_that_cannot_be(shop: DropShop, fault: str, price: str):
    rows = order_lines()
    rows[5] = rows[5].replace("16.50", price)
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.quarantined() == [(6, "PRICE_RANGE", "unit_price", price)]


def test_fault_57_a_hundredfold_quantity_loads(shop: DropShop):
    rows = order_lines()
    rows[5] = rows[5].replace("SKU-006,1,", "SKU-006,300,")
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.query("select quantity from stg_order_lines where order_line_id = 'L6'") == [(300,)]


def test_fault_60_an_unknown_sku_loads_by_itself_when_the_product_arrives(shop: DropShop):
    shop.drop("order_lines", "a.csv", [*order_lines(), "L900,O9,2026-03-01 11:00:00,POST,1,5.00,B1"])
    shop.drop("products", "p_2026-03-01.csv", "sku\n" + "\n".join(f"SKU-{i:03d}" for i in range(29)) + "\n")
    shop.run()
    assert {q[1:] for q in shop.quarantined()} == {("UNKNOWN_SKU", "sku", "SKU-029")}
    unknown = len(shop.quarantined())
    assert shop.accounts()["a.csv"] == (201, 201 - unknown, unknown, 0)
    assert shop.query("select is_product from stg_order_lines where sku = 'POST'") == [(False,)]
    shop.drop("products", "p_2026-03-02.csv", "sku\n" + "\n".join(f"SKU-{i:03d}" for i in range(1, 30)) + "\n")
    shop.run(D + timedelta(days=1))
    assert shop.quarantined() == []
    assert shop.accounts()["a.csv"] == (201, 201, 0, 0)
    assert shop.query("select distinct status, first_seen_date from quarantine") == [("replayed", D)]
    assert shop.query("select count(*) from stg_order_lines where sku = 'SKU-000'") == [
        (6,)
    ]  # delisted, its past stays


def test_fault_65_preorders_one_second_apart_are_two(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.source("preorders", timezone="Asia/Shanghai")
    shop.drop(
        "preorders",
        "p.csv",
        "preorder_id,campaign_id,sku,placed_at,quantity,buyer_ref\n"
        "P1,C,S,2026-03-01 10:00:00,1,anna\nP2,C,S,2026-03-01 10:00:01,1,anna\n",
    )
    shop.run()
    assert shop.query("select count(*), count(distinct buyer_ref) from stg_preorders") == [(2, 1)]


@pytest.mark.parametrize(
    "number", ["13812345678", "+86 138 1234 5678", "+49 171 1234567", "(212) 555-0188", "anna@example.com"]
)
def test_fault_66_a_phone_number_in_a_title_is_masked_before_it_is_stored(shop: DropShop, number: str):
    shop.drop("order_lines", "a.csv", order_lines())
    skus = "".join(f"SKU-{i:03d},Badge\n" for i in range(30))
    shop.drop(
        "products", "p.csv", f"sku,title\n{skus}SKU-900,Ring {number} now\nSKU-901,Badge 2024-11-11 no 6931234567890\n"
    )
    shop.run()
    titles = dict(shop.query("select sku, title from stg_products where sku >= 'SKU-9'"))
    assert titles == {"SKU-900": "Ring [masked] now", "SKU-901": "Badge 2024-11-11 no 6931234567890"}
    digits = re.sub(r"\D", "", number) or number
    assert digits.encode() not in (shop.home / "warehouse.duckdb").read_bytes()


def test_no_buyer_reaches_the_warehouse_or_the_quarantine(shop: DropShop):
    rows = [r.rsplit(",", 1)[0] + ",Zhang-Wei-Canary" for r in order_lines()]
    rows[3] = rows[3].replace("14.50", "x")
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert b"Canary" not in (shop.home / "warehouse.duckdb").read_bytes()
    assert shop.query("select count(distinct buyer_ref), min(length(buyer_ref)) from stg_order_lines") == [(1, 12)]
    raw = json.loads(shop.query("select raw_row from quarantine")[0][0])
    assert (raw["unit_price"], len(raw["buyer_ref"])) == ("x", 12)
    assert "Canary" not in shop.query("select string_agg(raw_row) from quarantine")[0][0]
