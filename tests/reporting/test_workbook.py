"""The workbook: real numbers and dates, inert text, totals, blue cells, the same bytes."""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime

import openpyxl
import pandas as pd
import pytest

from reporting.catalogue import load_catalogue
from reporting.headline import to_order
from reporting.restock_report import shared_series
from reporting.restock_workbook import write_workbook


@pytest.fixture(scope="module")
def book(report_folder):
    opened = openpyxl.load_workbook(report_folder / "restock.xlsx")
    yield opened
    opened.close()


def columns(sheet, language="zh"):
    """Position (from 1) of each heading's key."""
    texts = load_catalogue(language).texts
    words = {text.replace("¤", "CNY"): key[4:] for key, text in texts.items() if key.startswith("col.")}
    return {words[cell.value]: cell.column for cell in sheet[1]}


def rows(sheet):
    return list(sheet.iter_rows(min_row=2, values_only=True))


def test_the_sheets_are_those_of_the_specification(book):
    assert book.sheetnames == [
        "Orders", "Exceptions", "All SKUs", "Preorder batches", "Prices", "Parameters", "Glossary", "Checks",
    ]  # fmt: skip


def test_headings_and_the_first_column_stay_in_sight_and_can_be_filtered(book):
    for sheet in book.worksheets:
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref.startswith("A1:")
    assert (
        columns(book["Orders"])["sku"]
        == columns(book["All SKUs"])["sku"]
        == columns(book["Preorder batches"])["sku"]
        == 1
    )


def test_all_skus_hold_every_figure_of_the_plan(book, run_tables):
    sheet, plan = book["All SKUs"], run_tables.frame("restock_plan").set_index("sku")
    at = columns(sheet)
    body = rows(sheet)[:-1]
    assert len(body) == len(plan)
    for row in body:
        truth = plan.loc[row[0]]
        for name in (
            "order_qty",
            "order_value",
            "money_at_risk",
            "on_hand",
            "demand_mean",
            "service_level",
            "why_need",
            "why_position",
        ):
            assert row[at[name] - 1] == pytest.approx(truth[name], abs=1e-9), name
        receipt = row[at["expected_receipt_date"] - 1]
        assert isinstance(receipt, datetime)
        assert receipt.date() == truth["expected_receipt_date"].date()


def test_orders_are_the_released_lines_and_their_total_stands_below(book, run_tables):
    sheet, plan = book["Orders"], run_tables.frame("restock_plan")
    released = plan[to_order(plan)]
    body = rows(sheet)
    assert len(body) - 1 == len(released)
    at = columns(sheet)["order_value"]
    formula = sheet.cell(len(body) + 1, at).value
    assert re.fullmatch(rf"=SUBTOTAL\(109,(?P<c>[A-Z]+)2:(?P=c){len(body)}\)", formula)


def test_the_stored_total_is_todays(report_folder, run_tables):
    opened = openpyxl.load_workbook(report_folder / "restock.xlsx", data_only=True)
    sheet, plan = opened["Orders"], run_tables.frame("restock_plan")
    total = sheet.cell(sheet.max_row, columns(sheet)["order_value"]).value
    assert total == pytest.approx(plan.loc[to_order(plan), "order_value"].sum())
    opened.close()


def test_text_from_data_is_inert_and_whole(report_folder, book, shop):
    at = columns(book["All SKUs"])["title"]
    titles = {row[at - 1] for row in rows(book["All SKUs"])}
    assert set(shop.hostile) <= titles
    with zipfile.ZipFile(report_folder / "restock.xlsx") as archive:
        for name in archive.namelist():
            text = archive.read(name).decode("utf-8")
            assert set(re.findall(r"<f>(.*?)</f>", text)) <= set(
                re.findall(r"<f>(SUBTOTAL\(109,[A-Z0-9:]+\))</f>", text)
            )
            assert "<hyperlink " not in text.lower()


def test_one_may_type_where_the_font_is_blue_and_only_there(book):
    sheet = book["All SKUs"]
    at = columns(sheet)
    blue = {cell.column for cell in sheet[3] if cell.font.color is not None and cell.font.color.rgb == "FF0000FF"}
    assert blue == {at["override_qty"], at["comment"]}
    assert {r.min_col for v in sheet.data_validations.dataValidation for r in v.sqref.ranges} == {at["override_qty"]}


def test_units_stand_in_the_headings(book):
    headings = [cell.value for cell in book["All SKUs"][1]]
    assert "订货量 [件]" in headings
    assert "订货金额 [CNY]" in headings


def write(path, frame_changes, shop, **options):
    tables = shop.make_run(12)
    plan = tables.frame("restock_plan").copy()
    for name, values in frame_changes.items():
        plan[name] = values
    tables.frames["restock_plan"] = plan
    lines = shared_series(tables, facts=shop.facts(), config=shop.config).lines
    write_workbook(path, lines=lines, tables=tables, facts=shop.facts(), words=load_catalogue("en"), config=shop.config)
    return openpyxl.load_workbook(path)


def test_what_excel_cannot_hold_is_left_out_or_cut(shop, tmp_path):
    book = write(
        tmp_path / "x.xlsx",
        {
            "override_reason": "bell\x07 and \x00 nul " + "x" * 40_000,
            "days_of_cover": float("inf"),
            "stockout_date": pd.Timestamp("1899-06-01"),
        },
        shop,
    )
    sheet = book["All SKUs"]
    at = columns(sheet, "en")
    row = rows(sheet)[0]
    assert row[at["override_reason"] - 1].startswith("bell and  nul xxx")
    assert len(row[at["override_reason"] - 1]) == 32_767
    assert row[at["days_of_cover"] - 1] is None
    assert row[at["stockout_date"] - 1] == "1899-06-01"
    book.close()


def test_days_are_excels_days(shop, tmp_path):
    book = write(tmp_path / "x.xlsx", {"order_by_date": pd.Timestamp("2026-11-30")}, shop)
    sheet = book["Exceptions"]
    assert rows(sheet)[0][columns(sheet, "en")["order_by_date"] - 1].date() == date(2026, 11, 30)
    book.close()
