"""What the ingest step quarantines of a demo home is what the ledger says, record by record, and nothing else."""

from __future__ import annotations

import shutil
from datetime import date

import duckdb
import polars as pl
import pytest

from data.step import run


@pytest.fixture(scope="module")
def taken_in(small, tmp_path_factory):
    home = tmp_path_factory.mktemp("taken_in") / "home"
    shutil.copytree(small.home, home)
    run(home, date.fromisoformat(small.summary.run_date))
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return {name: connection.sql(f"select * from {name}").pl() for name in ("quarantine", "row_accounts")}


def by_file(taken_in) -> pl.DataFrame:
    names = taken_in["row_accounts"].select("file_sha256", "source", "table", "file_name").unique()
    return taken_in["quarantine"].join(names, on=["file_sha256", "source", "table"], how="left")


def test_every_bad_record_is_in_quarantine_with_its_reason_and_no_other(small, taken_in):
    found = by_file(taken_in).with_columns(file=pl.lit("drop/") + pl.col("table") + "/" + pl.col("file_name"))
    expected = small.ledger().filter((pl.col("outcome") == "Q") & pl.col("row_number").is_not_null())
    got = {(f, n, r) for f, n, r in found.select("file", "row_number", "reason").rows()}
    assert got == {(f, n, r) for f, n, r in expected.select("file", "row_number", "reason").rows()}
    assert len(got) >= 30


def test_duplicates_are_counted_as_the_ledger_says(small, taken_in):
    counted = dict(taken_in["row_accounts"].group_by("table").agg(pl.col("rows_duplicate").sum()).rows())
    planted = small.ledger().filter(pl.col("outcome") == "DUP").group_by("table").len()
    assert {t: n for t, n in counted.items() if n} == dict(planted.rows())


def test_all_clean_rows_are_loaded(small, taken_in):
    loaded = dict(taken_in["row_accounts"].group_by("table").agg(pl.col("rows_loaded").sum()).rows())
    assert loaded["order_lines"] == len(small.clean("order_lines")) == small.summary.order_lines
    accounts = taken_in["row_accounts"]
    total = pl.col("rows_loaded") + pl.col("rows_quarantined") + pl.col("rows_duplicate")
    assert accounts.filter(total != pl.col("rows_in")).is_empty()
