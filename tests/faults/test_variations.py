"""The catalogue's faults in other clothes: other encodings, formats, columns and tables."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drop_shop import LINES, D, DropShop, order_lines

from data.errors import DataError
from data.ingest import parsing
from data.ingest.faults import DeliveryRefused
from data.ingest.privacy import masked, masked_sql

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


@pytest.mark.parametrize(("rows", "fault"), [(201, "TRUNCATED"), (199, "CHECKSUM_MISMATCH")])
def test_a_manifest_that_counts_other_rows_refuses_the_file(shop: DropShop, rows: int, fault: str):
    path = shop.drop("order_lines", "a.csv", GOOD)
    manifest = path.with_name("a.csv.manifest.json")
    manifest.write_text(json.dumps({"row_count": rows}))
    assert refusal(shop) == (
        f"{fault}: source order_lines, file a.csv: 200 rows arrived, its manifest promises {rows}; deliver both again"
    )
    manifest.write_text(json.dumps({"rows": 200}))
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)


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


@pytest.mark.parametrize(
    ("price", "loaded"), [("12.34567", "12.3457"), ("1.234567e1", "12.3457"), ("12.34560", "12.3456")]
)
def test_a_price_of_more_than_four_decimals_is_rounded_and_counted(shop: DropShop, price: str, loaded: str):
    shop.drop("order_lines", "a.csv", GOOD.replace("16.50", price, 1))
    shop.run()
    assert str(shop.query("select unit_price from stg_order_lines where order_line_id = 'L6'")[0][0]) == loaded
    said = {} if price.endswith("0") else {"ROUNDED": "1 rows of order_lines have a price of more than 4 decimals;"}
    assert {k: v.partition(" it")[0] for k, v in shop.notes().items() if k == "ROUNDED"} == said


def test_a_price_that_rounding_would_make_a_gift_is_quarantined(shop: DropShop):
    rows = frame()
    rows["unit_price"] = rows["unit_price"].astype(float)
    rows.loc[3, "unit_price"], rows.loc[4, "unit_price"] = 0.00004, 12.34567
    shop.frame("order_lines", "a.parquet", rows)
    shop.drop("order_lines", "b.csv", GOOD.replace("16.50", "0.00004", 1))
    shop.run()
    assert [q[:3] for q in shop.quarantined()] == [(4, "PRICE_RANGE", "unit_price"), (6, "PRICE_RANGE", "unit_price")]
    assert shop.notes()["ROUNDED"].startswith("1 rows")


def test_returns_that_together_exceed_their_line_wait_and_a_correction_counts_once(shop: DropShop):
    header = "return_id,returned_at,sku,quantity,order_line_id\n"
    shop.drop("order_lines", "a.csv", GOOD)  # L2 sold three
    shop.source("returns", timezone="Asia/Shanghai")
    first = header + "R1,2026-03-01 12:00:00,SKU-002,2,L2\nR2,2026-03-01 13:00:00,SKU-002,2,L2\n"
    shop.drop("returns", "r_2026-03-01.csv", first + "R3,2026-03-01 14:00:00,SKU-002,1,L2\n")
    shop.run()
    assert shop.quarantined() == [(2, "RETURN_EXCEEDS_SALES", "quantity", "2")]
    shop.drop(
        "returns",
        "r_2026-03-02.csv",
        header + "R1,2026-03-01 12:00:00,SKU-002,1,L2\nR2,2026-03-01 13:00:00,SKU-002,1,L2\n",
    )
    shop.run()
    assert shop.quarantined() == []
    assert shop.query("select sum(quantity) from stg_returns") == [(3,)]


def test_fault_62_a_preorder_of_what_no_campaign_sells_waits_for_its_campaign(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD)
    for table in ("preorders", "preorder_campaigns"):
        shop.source(table, timezone="Asia/Shanghai")
    sold = "campaign_id,sku,opens_at,closes_at\nC,S,2026-02-01 00:00:00,2026-03-20 00:00:00\n"
    shop.drop("preorder_campaigns", "c_2026-03-01.csv", sold)
    header = "preorder_id,campaign_id,sku,placed_at,quantity\n"
    rows = [f"P{n},{c},{s},2026-03-01 10:00:00,1\n" for n, (c, s) in enumerate((("C", "S"), ("C", "T"), ("Z", "S")))]
    shop.drop("preorders", "p.csv", header + "".join(rows))
    shop.run()
    assert shop.quarantined() == [(2, "NO_CAMPAIGN", "campaign_id", "C"), (3, "NO_CAMPAIGN", "campaign_id", "Z")]
    assert shop.accounts()["p.csv"] == (3, 1, 2, 0)
    shop.drop("preorder_campaigns", "c_2026-03-02.csv", sold + "C,T,2026-02-01 00:00:00,2026-03-20 00:00:00\n")
    shop.run(D + timedelta(days=1))
    assert [q[0] for q in shop.quarantined()] == [3]
    assert shop.query("select preorder_id from stg_preorders order by 1") == [("P0",), ("P1",)]


def test_sales_that_are_all_dated_after_their_arrival_are_no_sales(shop: DropShop):
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    shop.drop("order_lines", "a.csv", GOOD.replace("2026-03-01", day))
    with pytest.raises(DataError, match="ROW_COUNT_BELOW_MIN: no row of order_lines is dated 2026-03-01 or before"):
        shop.run()


@pytest.mark.parametrize(
    ("at", "reason"), [("2026-01-31T16:30:00z", None), ("2026-01-31T16:30:00+25:00", "DATE_FORMAT")]
)
def test_instants_in_other_notations(shop: DropShop, at: str, reason: str | None):
    shop.drop("order_lines", "a.csv", GOOD.replace("2026-03-01 10:06:00", at, 1))
    shop.run()
    assert [q[1] for q in shop.quarantined()] == ([reason] if reason else [])


@pytest.mark.parametrize(
    "number",
    [
        "１３８１２３４５６７８",
        "138.1234.5678",
        "(010)62345678",
        "8613812345678",
        "安娜@例子.中国",
        "微信 wx_anna88",
        "QQ:123456789",
    ],
)
def test_fault_66_numbers_and_handles_in_other_notations_are_masked(number: str):
    text = f"Ring {number} now"
    with duckdb.connect() as connection:
        found = connection.execute(f"select {masked_sql('t')} from (select ? as t)", [text]).fetchall()[0][0]
    assert found == masked(text)
    assert re.fullmatch(r"Ring (微信 |QQ:)?\[masked\] now", found)


def test_fault_66_every_text_of_a_product_is_masked_and_a_remark_loses_its_names(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD)
    skus = "".join(f"SKU-{i:03d},,\n" for i in range(30))
    told = 'T,"{""note"": ""call 13812345678"", ""n"": 13812345678}",cotton 13812345678\n'
    shop.drop("products", "p.csv", "sku,attributes,material\n" + skus + told)
    shop.source("returns", timezone="Asia/Shanghai")
    remark = "R1,2026-03-01 12:00:00,SKU-002,1,too small call Zhang Wei 13812345678\n"
    shop.drop("returns", "r.csv", "return_id,returned_at,sku,quantity,reason\n" + remark)
    shop.run()
    assert shop.query("select attributes, material from stg_products where sku = 'T'") == [
        ('{"note": "call [masked]", "n": "[masked]"}', "cotton [masked]")
    ]
    assert shop.query("select reason from stg_returns") == [("too small call [masked] [masked]",)]
    held = b"".join(p.read_bytes() for p in shop.home.rglob("*") if p.is_file() and "drop" not in p.parts)
    assert b"13812345678" not in held
    assert b"Zhang Wei" not in held


@pytest.mark.parametrize("offset", [" +0800", " +08:00", " +08", "+0800"])
def test_an_export_of_shopify_has_a_space_before_the_offset(shop: DropShop, offset: str):
    shop.drop("order_lines", "a.csv", GOOD.replace(":00,SKU", f":00{offset},SKU"))
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
    at = shop.query("select ordered_at = timestamptz '2026-03-01 02:06:00Z' from stg_order_lines where sku = 'SKU-006'")
    assert at[0] == (True,)


def test_fault_37_serial_numbers_of_excel_with_a_time_of_day(shop: DropShop):
    shop.source("order_lines", timezone="Asia/Shanghai", date_format="excel")
    shop.drop("order_lines", "a.csv", re.sub(r"2026-03-01 10:\d\d:00", "46082.5208333333", GOOD))
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
    found = shop.query(
        "select distinct ordered_at = timestamptz '2026-03-01 04:30:00Z', business_date from stg_order_lines"
    )
    assert [(is_noon, str(day)) for is_noon, day in found] == [(True, "2026-03-01")]


def test_a_remark_that_repeats_in_a_parquet_file_is_masked_too(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD)
    told = {"return_id": [f"R{i}" for i in range(40)], "returned_at": pd.Timestamp("2026-03-01 12:00", tz="UTC")}
    told |= {"sku": [f"SKU-{i % 30:03d}" for i in range(40)], "quantity": 1, "reason": "call 13812345678"}
    shop.source("returns", timezone="Asia/Shanghai")
    shop.frame("returns", "r.parquet", pd.DataFrame(told))
    shop.run()
    assert shop.query("select distinct reason from stg_returns") == [("call [masked]",)]
    assert not [p for p in (shop.home / "landing").rglob("*") if p.is_file() and b"13812345678" in p.read_bytes()]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/London"])
def test_instants_of_parquet_in_any_unit_are_the_same_instants(shop: DropShop, unit: str, zone: str | None):
    """A frame of pandas has nanoseconds unless told otherwise, and DuckDB a type of its own for them."""
    rows = frame(60)
    at = pd.to_datetime(rows["ordered_at"])
    rows["ordered_at"] = (at if zone is None else at.dt.tz_localize("Asia/Shanghai").dt.tz_convert(zone)).dt.as_unit(
        unit
    )
    shop.frame("order_lines", "a.parquet", rows)
    shop.drop("order_lines", "b.csv", [r.replace("L", "M", 1) for r in order_lines(60)])
    shop.run()
    days = shop.query("select left(order_line_id, 1), min(ordered_at), max(ordered_at) from raw_order_lines group by 1")
    assert len({(first, last) for _, first, last in days}) == 1


def test_views_of_text_in_parquet_are_text(shop: DropShop):
    rows = pa.Table.from_pandas(frame(60), preserve_index=False)
    for column in ("sku", "quantity", "buyer_ref"):
        rows = rows.set_column(rows.column_names.index(column), column, rows[column].cast(pa.string_view()))
    shop.drop("order_lines", "a.parquet", b"")
    pq.write_table(rows, shop.path("order_lines", "a.parquet"))
    shop.run()
    assert shop.accounts() == {"a.parquet": (60, 60, 0, 0)}
    assert shop.query("select count(distinct sku), count(distinct buyer_ref) from raw_order_lines") == [(30, 17)]


def test_a_file_that_duckdb_trips_over_is_what_is_told(shop: DropShop, monkeypatch: pytest.MonkeyPatch):
    """It ends the transaction; what comes after must not hide it."""
    shop.frame("order_lines", "a.parquet", frame(60))
    shop.drop("fx_rates", "a.csv", "date,currency,rate\n2026-03-01,USD,7.1\n")
    shop.drop("returns", "a.csv", "returned_at,sku,quantity\n2026-03-01 10:00,SKU-001,1\n")
    monkeypatch.setattr("data.ingest.parsing._casts", broken_casts(parsing._casts))
    with pytest.raises(DeliveryRefused, match="FORMAT: source order_lines, file a.parquet: DuckDB cannot read it"):
        shop.run()


def broken_casts(make: Any) -> Any:
    """Casts of which DuckDB makes nothing, where a file is Parquet."""

    def casts(batch: Any, shop_timezone: str) -> Any:
        made = make(batch, shop_timezone)
        if batch.first.text is None:
            made = {name: replace(cast, value=f"no_such_function({cast.value})") for name, cast in made.items()}
        return made

    return casts
