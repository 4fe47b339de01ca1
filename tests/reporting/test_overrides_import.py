"""The workbook's way back: typed quantities become overrides, anything else that changed is named by its cell."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from datetime import date, timedelta

import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from typer.testing import CliRunner

from cli.main import app
from data.ingest.switches import overrides_in_force
from reporting.override_rows import OVERRIDE_COLUMNS, override_rows, with_rows
from reporting.overrides_import import OverrideError, TypedOverride, read_returned, typed_overrides

REASON = "Fair in Shanghai next week"


@pytest.fixture
def home(published_home, tmp_path):
    """A copy of the published home that a test may write into."""
    return shutil.copytree(published_home, tmp_path / "home", symlinks=True)


@pytest.fixture
def book(home, tmp_path):
    """Its workbook, opened; ``save`` writes it where a planner would keep it."""
    opened = openpyxl.load_workbook(home / "published" / "current" / "reports" / "restock.xlsx")
    opened.target = tmp_path / "typed.xlsx"
    return opened


def at(sheet, heading):
    return next(cell.column for cell in sheet[1] if cell.value == heading)


def type_in(sheet, row, qty, comment=REASON):
    sheet.cell(row, at(sheet, "Override [units]")).value = qty
    sheet.cell(row, at(sheet, "Comment")).value = comment
    return sheet.cell(row, at(sheet, "SKU")).value


def imported(home, file, *options, exit_code=0):
    result = CliRunner().invoke(app, ["overrides", "import", str(file), "--home", str(home), *options])
    if exit_code == 0:
        assert result.exception is None, result.exception
        return list(csv.DictReader(io.StringIO((home / "overrides.csv").read_text(encoding="utf-8"))))
    assert result.exception is not None
    assert result.exception.exit_code == exit_code
    return str(result.exception)


def test_typed_quantities_become_rows_that_ingest_takes(home, book, shop):
    first = type_in(book["Orders"], 2, 48)
    second = type_in(book["All SKUs"], 20, 0, "Shop closes, 停止订货 until May")
    book.save(book.target)
    rows = imported(home, book.target, "--role", "buyer")
    assert {row["sku"]: (row["value"], row["reason"], row["role"]) for row in rows} == {
        first: ("48", REASON, "buyer"),
        second: ("0", "Shop closes, 停止订货 until May", "buyer"),
    }
    plan = shop.make_run(60).frame("restock_plan").set_index("sku")
    for row in rows:
        assert tuple(row) == OVERRIDE_COLUMNS
        assert (row["kind"], row["operation"], row["from_date"]) == ("order", "set", shop.run_date.isoformat())
        last = plan.loc[row["sku"], "next_order_date"].date() - timedelta(days=1)
        assert row["to_date"] == row["expires_date"] == last.isoformat()
    in_force, bad = overrides_in_force(home, shop.run_date)
    assert bad == []
    assert in_force.num_rows == 2


def test_a_second_import_adds_nothing(home, book):
    type_in(book["Orders"], 2, 48)
    book.save(book.target)
    assert imported(home, book.target) == imported(home, book.target)


def test_sorting_deleting_and_own_columns_do_no_harm(home, book):
    sheet = book["Exceptions"]
    sku = type_in(sheet, 5, 12)
    sheet.delete_rows(2, 2)
    sheet.move_range(f"A3:{get_column_letter(sheet.max_column)}3", rows=40)  # another order of rows
    sheet.insert_cols(1)
    sheet.cell(1, 1).value = "my own notes"
    book.save(book.target)
    assert [(row["sku"], row["value"]) for row in imported(home, book.target)] == [(sku, "12")]


def test_every_culprit_is_named_by_its_cell_and_nothing_is_written(home, book):
    orders, everything = book["Orders"], book["All SKUs"]
    type_in(orders, 2, 2.5)
    orders.cell(3, 1).value = "NOPE-1"
    changed = at(everything, "Order quantity [units]")
    everything.cell(4, changed).value = 999
    type_in(everything, 5, -3)
    before = (home / "overrides.csv").exists()
    book.save(book.target)
    message = imported(home, book.target, exit_code=2)
    qty = get_column_letter(at(orders, "Override [units]"))
    for cell in (f"Orders!{qty}2", "Orders!A3", f"'All SKUs'!{get_column_letter(changed)}4", "'All SKUs'!"):
        assert cell in message
    assert "NOPE-1" in message
    assert "999" in message
    assert "nothing was changed" in message
    assert (home / "overrides.csv").exists() == before


def test_a_renamed_column_is_named(home, book):
    book["Orders"]["F1"].value = "something else"
    book.save(book.target)
    assert "Orders!F1" in imported(home, book.target, exit_code=2)


def test_two_quantities_for_one_line_name_both_cells(home, book):
    sku = type_in(book["Orders"], 2, 48)
    row = next(r for r in range(2, book["All SKUs"].max_row) if book["All SKUs"].cell(r, 1).value == sku)
    type_in(book["All SKUs"], row, 60)
    book.save(book.target)
    message = imported(home, book.target, exit_code=2)
    assert "48" in message
    assert "60" in message
    assert f"'All SKUs'!G{row}" in message or f"{row}:" in message


def test_a_short_comment_asks_for_a_reason_and_an_option_gives_one(home, book):
    type_in(book["Orders"], 2, 48, "fair")
    book.save(book.target)
    assert "10 characters" in imported(home, book.target, exit_code=2)
    type_in(book["Orders"], 2, 48, None)
    book.save(book.target)
    rows = imported(home, book.target, "--reason", REASON, "--expires", "2026-12-24")
    assert (rows[0]["reason"], rows[0]["expires_date"]) == (REASON, "2026-12-24")


def test_a_file_that_is_no_workbook_and_one_of_another_plan_are_refused(home, book, tmp_path):
    (tmp_path / "no.xlsx").write_text("sku,qty", encoding="utf-8")
    assert "no.xlsx" in imported(home, tmp_path / "no.xlsx", exit_code=2)
    next(p for p in book.custom_doc_props.props if p.name == "merchcast plan").value = "0" * 16
    book.save(book.target)
    assert "another plan" in imported(home, book.target, exit_code=2)


def test_existing_rows_stay_byte_for_byte():
    text = "\ufeff" + ",".join([*OVERRIDE_COLUMNS, "note"]) + '\n"order",A,,,,set,5,"a, b and c ",x,,mine'
    row = override_rows(
        [TypedOverride("B,1", "main", 7, '=1+1 "quoted" reason', "Orders!G2", None)],
        run_date=date(2026, 11, 22),
        role="planner",
    )
    new, added = with_rows(text, row)
    assert added == 1
    assert new.startswith(text + "\n")
    last = list(csv.DictReader(io.StringIO(new.removeprefix("\ufeff"))))[-1]
    assert (last["sku"], last["reason"], last["to_date"]) == ("B,1", '=1+1 "quoted" reason', "2026-11-22")
    with pytest.raises(OverrideError, match="operation"):
        with_rows("kind,sku\n", row)


def test_libreoffice_opens_it_without_repair_and_what_is_typed_there_comes_back(home, book, tmp_path):
    """LibreOffice writes the file anew: every cell of ours is still the same, the typed ones are found."""
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("no soffice: install Debian's libreoffice-calc to test the round trip (make test tries to)")
    sku = type_in(book["Orders"], 2, 48)
    book.save(book.target)
    out = tmp_path / "saved"
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    convert = ["--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(out), str(book.target)]
    subprocess.run([office, profile, *convert], check=True, capture_output=True, timeout=120)
    with (out / "typed.xlsx").open("rb") as file, (home / "published/current/reports/restock.xlsx").open("rb") as ours:
        returned, published = read_returned(file, name="saved"), read_returned(ours, name="ours")
    assert {s: len(rows) for s, rows in returned.sheets.items()} == {s: len(r) for s, r in published.sheets.items()}
    assert returned.plan == published.plan
    assert [(t.sku, t.quantity, t.comment) for t in typed_overrides(returned, published)] == [(sku, 48, REASON)]
