"""The step on a warehouse: reads what the rooms wrote, leaves the reports where publish takes them."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from data.contracts import TABLES
from data.contracts.frames import empty_frame
from data.publish.step import reports_folder
from data.step_io import open_step
from reporting import step


@pytest.fixture
def home(finished_home, tmp_path):
    """A copy of it that a test may run in."""
    return shutil.copytree(finished_home, tmp_path / "home")


def test_the_step_leaves_every_report_and_clears_what_lay_there(home, shop):
    folder = reports_folder(home, shop.run_date)
    folder.mkdir(parents=True)
    (folder / "restock.fr.html").write_text("of an older version", encoding="utf-8")
    counts = step.run(home, shop.run_date)
    names = {path.name for path in folder.iterdir()}
    assert counts["rows_in"] > 0
    assert names == {
        *(
            f"{page}{ending}"
            for page in ("restock", "prices", "accuracy", "trends", "quality")
            for ending in (".html", ".zh.html")
        ),
        "restock.xlsx",
    }


def test_the_page_speaks_the_shops_language_and_shows_the_settings_but_no_connection(home, shop):
    step.run(home, shop.run_date)
    html = (reports_folder(home, shop.run_date) / "restock.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in html
    assert "run of 22 Nov 2026 · data through 22 Nov 2026" in html
    assert "100% blend" in html
    assert "budget 5,000.00 CNY" in html
    assert "planning.budget" in html
    assert "SECRET_URL" not in html


def test_a_second_run_of_the_step_writes_the_same_bytes(home, shop):
    step.run(home, shop.run_date)
    folder = reports_folder(home, shop.run_date)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    step.run(home, shop.run_date)
    assert [name for name, content in sorted(first.items()) if (folder / name).read_bytes() != content] == []


def test_a_home_without_any_table_still_gets_its_pages(tmp_path, shop):
    (tmp_path / "merchcast.yml").write_text(shop.settings, encoding="utf-8")
    with open_step("restock", home=tmp_path, run_date=shop.run_date) as io:
        io.write("restock_plan", empty_frame(TABLES["restock_plan"]))
    step.run(tmp_path, shop.run_date)
    assert (reports_folder(tmp_path, shop.run_date) / "restock.html").stat().st_size > 10_000


def test_another_days_tables_are_refused(home, shop):
    from data.errors import DataError

    with pytest.raises(DataError, match="holds the run for"):
        step.run(home, shop.run_date + timedelta(days=1))
