"""Workbooks and JSON lines: values as their cells declare them, and the same accounts as any text."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from drop_shop import DropShop, order_lines
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from data.ingest.faults import DeliveryRefused
from data.ingest.json_lines import cells_of

HEADER = ["order_line_id", "ordered_at", "sku", "quantity", "unit_price"]


def workbook(
    *rows: list[Any], header: list[str] | None = None, epoch: Any = None, sheets: tuple[str, ...] = ("Sales",)
) -> bytes:
    book = Workbook()
    if epoch is not None:
        book.epoch = epoch
    book.active.title = sheets[0]
    for title in sheets[1:]:
        book.create_sheet(title)
    sheet = book[sheets[-1]]
    for row in (header or HEADER, *rows):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def loaded(shop: DropShop) -> list[tuple[Any, ...]]:
    return shop.query(
        "select order_line_id, ordered_at::varchar, sku, quantity, unit_price::double from raw_order_lines order by 1"
    )


AT = datetime(2026, 3, 1, 10)


def test_a_workbook_loads_by_what_its_cells_declare(shop):
    shop.drop("order_lines", "a.xlsx", workbook(["L1", AT, 6931234567890, 2, 10.5], ["L2", AT, "007", 1.0, 1e-3]))
    shop.run()
    assert loaded(shop) == [
        ("L1", "2026-03-01 02:00:00+00", "6931234567890", 2, 10.5),
        ("L2", "2026-03-01 02:00:00+00", "007", 1, 0.001),
    ]
    assert shop.accounts() == {"a.xlsx": (2, 2, 0, 0)}


def test_fault_37_serial_numbers_in_a_workbook_are_dates_only_where_the_cell_says_so(shop):
    shop.drop(
        "order_lines", "a.xlsx", workbook(*[[f"L{i}", AT, "A", 1, 1] for i in range(300)], ["bad", 46082.0, "A", 1, 1])
    )
    shop.run()
    assert [q[1:] for q in shop.quarantined()] == [("DATE_FORMAT", "ordered_at", "46082")]


def test_fault_38_the_1904_system_of_a_workbook_shifts_nothing(shop):
    shop.drop("order_lines", "a.xlsx", workbook(["L1", AT, "A", 1, 1], epoch=CALENDAR_MAC_1904))
    shop.run()
    assert loaded(shop)[0][1] == "2026-03-01 02:00:00+00"


def test_sheet_and_header_row_are_as_declared(shop):
    shop.source("order_lines", timezone="Asia/Shanghai", sheet="March", header_row=3)
    data = workbook(["", "", "", "", ""], HEADER, ["L1", AT, "A", 1, 1], header=["A report"], sheets=("Front", "March"))
    shop.drop("order_lines", "a.xlsx", data)
    shop.run()
    assert len(loaded(shop)) == 1
    shop.source("order_lines", timezone="Asia/Shanghai", sheet="April")
    shop.drop("order_lines", "b.xlsx", workbook(["L2", AT, "A", 1, 1]))
    with pytest.raises(DeliveryRefused, match=r"FORMAT: .* no sheet 'April'; it has \['Sales'\]"):
        shop.run()


def test_a_decimal_comma_is_for_text_and_not_for_the_numbers_of_a_workbook(shop):
    shop.source("order_lines", timezone="Asia/Shanghai", locale="de")
    shop.drop("order_lines", "a.xlsx", workbook(["L1", AT, "A", 1, 1234.5], ["L2", AT, "A", 1, "1.234,5"]))
    shop.run()
    assert [row[4] for row in loaded(shop)] == [1234.5, 1234.5]


def test_fault_20_a_workbook_that_unpacks_a_thousandfold_and_one_that_is_cut_off(shop):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<a/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 30_000_000)
    shop.drop("order_lines", "bomb.xlsx", out.getvalue())
    with pytest.raises(DeliveryRefused, match="DECOMPRESSION_LIMIT: source order_lines, file bomb.xlsx"):
        shop.run()
    shop.drop("order_lines", "bomb.xlsx", workbook(["L1", AT, "A", 1, 1])[:-200])
    with pytest.raises(DeliveryRefused, match="TRUNCATED: source order_lines, file bomb.xlsx"):
        shop.run()


def test_entities_in_a_workbook_do_not_explode(shop):
    source = zipfile.ZipFile(io.BytesIO(workbook(["L1", AT, "A", 1, 1])))
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol" * 10}">' for i in range(10))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for item in source.namelist():
            data = source.read(item)
            if item.endswith("sheet1.xml"):
                data = f'<?xml version="1.0"?><!DOCTYPE x [{laughs}]><worksheet>&l9;</worksheet>'.encode()
            archive.writestr(item, data)
    shop.drop("order_lines", "a.xlsx", out.getvalue())
    with pytest.raises(DeliveryRefused):
        shop.run()


def as_json(line: str) -> dict[str, Any]:
    names = ["order_line_id", "order_id", "ordered_at", "sku", "quantity", "unit_price", "buyer_ref"]
    return dict(zip(names, line.split(","), strict=True))


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz"])
def test_json_lines_load_and_damaged_ones_are_named_by_number(shop, name):
    lines = [json.dumps(as_json(line)) for line in order_lines(600)]
    lines[4] = "{broken"
    lines[8] = "[1, 2]"
    lines[11] = lines[11].replace("SKU", "S\\u0001U")
    lines[20] = '{"sku": "A", "sku": "B"}'
    shop.drop("order_lines", name, "\n".join(lines) + "\n")
    shop.run()
    assert shop.accounts() == {name: (600, 596, 4, 0)}
    assert [(q[0], q[1]) for q in shop.quarantined()] == [
        (5, "JSON_FORMAT"),
        (9, "JSON_FORMAT"),
        (12, "CONTROL_CHAR"),
        (21, "JSON_FORMAT"),
    ]
    assert shop.query("select row_number from raw_order_lines where order_line_id = 'L30'") == [(30,)]


def test_json_numbers_keep_their_digits_and_nested_fields_are_mapped(shop):
    shop.source("order_lines", timezone="Asia/Shanghai", columns={"unit_price": "price.amount", "sku": "item.sku"})
    row = '{"order_line_id": "L1", "ordered_at": "2026-03-01T10:00:00", "item": {"sku": "A"}, '
    row += '"quantity": 1.9, "price": {"amount": 0.1}}'
    good = row.replace("1.9", "1").replace("L1", "L2")
    shop.drop("order_lines", "a.jsonl", f"{row}\n{good}\n")
    shop.run()
    assert [q[1:] for q in shop.quarantined()] == [("NOT_INTEGER", "quantity", "1.9")]
    assert shop.query("select sku, unit_price::varchar from raw_order_lines") == [("A", "0.1000")]


def test_json_lines_that_are_cut_off_are_truncated(shop):
    lines = [json.dumps(as_json(line)) for line in order_lines(30)]
    shop.drop("order_lines", "a.jsonl", "\n".join(lines)[:-9])
    with pytest.raises(DeliveryRefused, match="TRUNCATED: source order_lines, file a.jsonl"):
        shop.run()


def test_cells_of_a_line():
    assert cells_of('{"a": 1e400, "b": NaN, "c": [1], "d": {"e": {"f": false}}}') == {
        "a": "1e400",
        "b": "NaN",
        "c": '["1"]',
        "d": '{"e": {"f": false}}',
        "d.e": '{"f": false}',
        "d.e.f": "false",
    }
    assert cells_of(json.dumps({"day": str(date(2026, 3, 1))})) == {"day": "2026-03-01"}
    assert cells_of("[" * 100_000) is None
