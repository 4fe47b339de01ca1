"""The catalogue's faults in other clothes: other encodings, formats, columns and tables."""

from __future__ import annotations

import gzip
import json

import pandas as pd
import pytest
from drop_shop import LINES, D, DropShop, order_lines

from data.ingest.faults import DeliveryRefused

GOOD = LINES + "\n".join(order_lines()) + "\n"
NAMES = LINES.strip().split(",")


def frame(n: int = 200) -> pd.DataFrame:
    """Sound order lines as text columns."""
    return pd.DataFrame([r.split(",") for r in order_lines(n)], columns=NAMES)


def with_sku(value: str) -> str:
    """Sound order lines, but for the SKU of the sixth."""
    return GOOD.replace("SKU-006", value, 1)


def refusal(shop: DropShop) -> str:
    with pytest.raises(DeliveryRefused) as caught:
        shop.run()
    return str(caught.value)


def test_an_empty_parquet_file_of_sales_is_a_header_without_rows(shop: DropShop):
    shop.frame("order_lines", "a.parquet", frame().head(0))
    assert refusal(shop).startswith("ROW_COUNT_BELOW_MIN: source order_lines, file a.parquet")


@pytest.mark.parametrize(("name", "text"), [("manifest.json", '{"bytes":'), ("sha256", ""), ("manifest.json", "[]")])
def test_a_sidecar_that_cannot_be_read_is_said(shop: DropShop, monkeypatch: pytest.MonkeyPatch, name: str, text: str):
    monkeypatch.setattr("data.ingest.landing._FIRST_PAUSE_SECONDS", 0.0)
    path = shop.drop("order_lines", "a.csv", GOOD)
    path.with_name(f"a.csv.{name}").write_text(text)
    assert "CHECKSUM_MISMATCH: source order_lines, file a.csv: what was sent beside it cannot" in refusal(shop)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf" * 2, b"\xef\xbb\xbf"])
def test_a_byte_order_mark_twice_or_before_a_quoted_name_hides_no_column(shop: DropShop, mark: bytes):
    shop.drop("order_lines", "a.csv", mark + b'"order_line_id"' + GOOD.encode()[len("order_line_id") :])
    shop.run()
    assert shop.query("select order_line_id from raw_order_lines where row_number = 1") == [("L1",)]


def test_utf_32_is_read_and_utf_16_without_a_mark_is_named(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD.encode("utf-32"))
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
    shop.drop("order_lines", "b.csv.gz", gzip.compress(GOOD.encode("utf-16-be")))
    assert "declare `encoding: utf-16-be`" in refusal(shop)


@pytest.mark.parametrize("character", ["\x85", "\u202e", "\u200b", "\u2066"])
def test_characters_that_nobody_sees_are_no_part_of_an_id(shop: DropShop, character: str):
    shop.drop("order_lines", "a.csv", with_sku(f"SKU{character}006"))
    shop.run()
    assert [q[:3] for q in shop.quarantined()] == [(6, "CONTROL_CHAR", "sku")]


def test_control_characters_in_parquet(shop: DropShop):
    rows = frame()
    rows.loc[3, "sku"], rows.loc[4, "order_id"] = "SK\x07U", "O\x00"
    shop.frame("order_lines", "a.parquet", rows)
    shop.run()
    assert [q[:3] for q in shop.quarantined()] == [(4, "CONTROL_CHAR", "sku"), (5, "CONTROL_CHAR", "order_id")]


@pytest.mark.parametrize("value", ["6,93E+12", "6.93e12", "+6.93E+12", "６.９３Ｅ＋１２"])
def test_a_bar_code_that_a_spreadsheet_spoilt_in_another_notation(shop: DropShop, value: str):
    shop.drop("order_lines", "a.csv", with_sku(f'"{value}"'))
    shop.run()
    assert shop.quarantined() == [(6, "SCIENTIFIC_ID", "sku", value)]


def test_a_code_that_only_looks_scientific_stays(shop: DropShop):
    shop.drop("order_lines", "a.csv", with_sku("1E5"))
    shop.run()
    assert ("1E5",) in shop.query("select sku from raw_order_lines")


@pytest.mark.parametrize(
    ("value", "reason"),
    [("99999999999999999999", "RANGE"), ("1e2", "NOT_INTEGER"), ("٥", "NOT_A_NUMBER"), ("#N/A", "MISSING")],
)
def test_quantities_beyond_any_and_in_other_digits(shop: DropShop, value: str, reason: str):
    rows = order_lines()
    fields = rows[5].split(",")
    fields[4] = value
    shop.drop("order_lines", "a.csv", [*rows[:5], ",".join(fields), *rows[6:]])
    shop.run()
    assert [q[:3] for q in shop.quarantined()] == [(6, reason, "quantity")]


def test_negative_zero_is_zero(shop: DropShop):
    shop.sources.clear()
    shop.drop("period_sales", "a.csv", f"ds,sku,units,unit_price\n{D},A,-0.0,-0.0\n{D},B,2,3\n")
    shop.run()
    assert shop.query("select units, unit_price from stg_period_sales where sku = 'A'") == [(0.0, 0)]


def test_damaged_json_lines_are_quarantined_each_for_its_own_reason(shop: DropShop):
    lines = [json.dumps(dict(zip(NAMES, r.split(","), strict=True))) for r in order_lines()]
    gone = json.loads(lines[7])
    del gone["quantity"]
    lines[7:11] = [json.dumps(gone), "[1, 2]", '{"sku": "A", "sku": "B"}', "nonsense"]
    lines[11] = lines[11].replace('"unit_price": "22.50"', '"unit_price": NaN')
    shop.drop("order_lines", "a.jsonl", "\n".join(lines) + "\n")
    shop.source("order_lines", timezone="Asia/Shanghai", max_quarantine_share=0.1)
    shop.run()
    assert [q[:2] for q in shop.quarantined()] == [
        (8, "MISSING"),
        (9, "JSON_FORMAT"),
        (10, "JSON_FORMAT"),
        (11, "JSON_FORMAT"),
        (12, "NOT_FINITE"),
    ]


def test_a_quote_in_the_header_that_never_closes_is_said_in_few_words(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD.replace("sku", '"sku', 1))
    message = refusal(shop)
    assert "a quote in it never closes" in message
    assert len(message) < 600


@pytest.mark.parametrize("name", ["ѕku", "ｓｋｕ", "SKU"])
def test_a_column_whose_name_looks_alike_is_asked_for(shop: DropShop, name: str):
    shop.drop("order_lines", "a.csv", GOOD.replace("sku", name, 1))
    assert f"'sku': did you mean '{name}'?" in refusal(shop)


def test_products_that_come_later_make_the_run_use_those_that_sold(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD)
    shop.drop("products", "products_2026-04-01.csv", "sku,title\nSKU-001,Badge\n")
    shop.run()
    assert "products are made from sales" in shop.notes()["NO_PRODUCTS_YET"]


def test_rows_that_waited_are_accounted_for_once_their_product_or_sale_arrives(shop: DropShop):
    def products(day: str, n: int) -> None:
        shop.drop("products", f"products_{day}.csv", "sku,title\n" + "".join(f"SKU-{i:03d},x\n" for i in range(n)))

    shop.drop("order_lines", "a.csv", GOOD)
    products("2026-02-01", 29)
    shop.source("returns", timezone="Asia/Shanghai")
    back = "return_id,returned_at,sku,quantity,reason,order_line_id\nR1,2026-03-01 12:00:00,SKU-003,9,x,L3\n"
    shop.drop("returns", "r.csv", back + "R2,2026-03-01 12:00:00,SKU-005,1,x,L5\n")
    shop.run()
    assert {q[1] for q in shop.quarantined()} == {"UNKNOWN_SKU", "RETURN_EXCEEDS_SALES"}
    assert (shop.accounts()["a.csv"], shop.accounts()["r.csv"]) == ((200, 194, 6, 0), (2, 1, 1, 0))
    products("2026-02-20", 30)
    shop.drop("order_lines", "b.csv", ["L3,O1,2026-03-01 10:03:00,SKU-003,9,13.50,B3"])  # a correction: nine were sold
    shop.run()
    assert shop.quarantined() == []
    assert (shop.accounts()["a.csv"], shop.accounts()["r.csv"]) == ((200, 200, 0, 0), (2, 2, 0, 0))
    assert shop.query("select return_id from stg_returns order by 1") == [("R1",), ("R2",)]
    assert shop.query("select status, count(*) from quarantine group by 1") == [("replayed", 7)]
