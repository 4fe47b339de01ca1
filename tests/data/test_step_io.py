"""A step commits all it wrote, or its check results alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import ChecksFailed, DataError
from data.publish.layout import MANIFEST
from data.step_io import open_step
from data.warehouse import open_warehouse

DAY = date(2026, 6, 28)
ROWS = pd.DataFrame({"sku": ["B", "A"], "location_id": ["m", "m"], "reason": ["ended", "ended"]})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "merchcast.yml").write_text("shop: {name: Test}\n")
    return tmp_path


def write(home: Path, frame: pd.DataFrame = ROWS, day: date = DAY) -> None:
    with open_step("restock", home=home, run_date=day) as io:
        io.write("not_replenished", frame)


def test_what_one_step_writes_another_reads_sorted_by_key(home: Path):
    write(home)
    with open_step("report", home=home, run_date=DAY) as io:
        assert io.read("not_replenished")["sku"].tolist() == ["A", "B"]
        assert io.read_polars("not_replenished", columns=["sku"]).columns == ["sku"]


def test_a_second_write_replaces_the_first(home: Path):
    write(home)
    write(home, ROWS.head(1))
    with open_step("report", home=home, run_date=DAY) as io:
        assert io.read("not_replenished")["sku"].tolist() == ["B"]


def test_a_table_that_nobody_wrote_is_empty_with_its_columns(home: Path):
    with open_step("report", home=home, run_date=DAY) as io:
        assert io.read("hedge_plan").empty
        assert "base_qty" in io.read("hedge_plan").columns


def test_rows_of_another_run_are_never_taken_for_this_one(home: Path):
    write(home)
    with (
        pytest.raises(DataError, match="holds the run for 2026-06-28, not for 2026-06-29"),
        open_step("report", home=home, run_date=date(2026, 6, 29)) as io,
    ):
        io.read("not_replenished")


def test_a_table_of_an_earlier_version_is_asked_to_be_written_again(home: Path):
    write(home)
    with open_warehouse(home) as warehouse:
        warehouse.execute("alter table not_replenished drop column reason")
    with (
        pytest.raises(DataError, match="another version of merchcast, without reason: run the steps before `report`"),
        open_step("report", home=home, run_date=DAY) as io,
    ):
        io.read("not_replenished")


def test_runs_published_by_an_earlier_version_lack_only_what_is_new(home: Path):
    for day, columns in ((26, ["sku", "location_id"]), (27, ["sku", "location_id", "reason"])):
        run = home / "published" / ".runs" / f"2026-06-{day}_1"
        (run / "tables").mkdir(parents=True)
        (run / MANIFEST).write_text("{}")
        (home / "published" / f"2026-06-{day}").symlink_to(run)
        rows = ROWS[columns].assign(run_date=date(2026, 6, day))
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), run / "tables" / "not_replenished.parquet")
    with open_step("report", home=home, run_date=DAY) as io:
        found = io.previous("not_replenished", runs=2)
        assert found is not None
        assert found.sort_values(["run_date", "sku"])["reason"].isna().tolist() == [True, True, False, False]
        only = io.previous("not_replenished", columns=["reason"])
        assert only is not None
        assert list(only.columns) == ["run_date", "reason"]


def test_a_failing_check_keeps_its_result_and_drops_the_rows(home: Path):
    write(home, ROWS.head(1))
    with (
        pytest.raises(ChecksFailed, match=r"why_adds_up.*such as A"),
        open_step("restock", home=home, run_date=DAY) as io,
    ):
        io.write("not_replenished", ROWS)
        io.check("why_adds_up", failed=[True, False], rows=2, sample=["A"], expected="a sum")
    with open_step("report", home=home, run_date=DAY) as io:
        assert io.read("not_replenished")["sku"].tolist() == ["B"], "the earlier rows stand"
        checks = io.read("checks")
        failed = checks[checks["check"] == "why_adds_up"].iloc[0]
        assert (failed["status"], failed["rows_failed"], failed["sample_keys"]) == ("fail", 1, ["A"])
        log = io.read("run_log").set_index("step")
        assert log.loc["restock", "status"] == "failed"


def test_a_warning_does_not_stop_the_step(home: Path):
    with open_step("restock", home=home, run_date=DAY) as io:
        io.write("not_replenished", ROWS)
        io.check("stock_is_fresh", failed=1, rows=1, severity="warn")
        io.note("NO_STOCK_TABLE", "No stock table.")
    with open_step("report", home=home, run_date=DAY) as io:
        checks = io.read("checks").set_index("check")
        assert checks.loc["stock_is_fresh", "status"] == "warn"
        assert checks.loc["NO_STOCK_TABLE", "advice"] == "No stock table."


def test_a_check_that_saw_no_row_is_not_green(home: Path):
    with open_step("restock", home=home, run_date=DAY) as io:
        io.check("nothing_seen", failed=0, rows=0)
        assert io.results == []


def test_a_duplicate_key_stops_the_step(home: Path):
    with pytest.raises(ChecksFailed, match="not_replenished"):
        write(home, pd.concat([ROWS, ROWS]))


def test_an_exception_rolls_everything_back(home: Path):
    with pytest.raises(RuntimeError), open_step("restock", home=home, run_date=DAY) as io:
        io.write("not_replenished", ROWS)
        raise RuntimeError("broken")
    with open_warehouse(home) as warehouse:
        assert not warehouse.has("not_replenished")
