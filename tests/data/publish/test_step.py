"""The publish step on a warehouse, the manifest, verification, and reading back."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contracts import OUTPUTS
from data.errors import ChecksFailed, ConfigError, DataError
from data.publish import step
from data.publish.manifest import FileEntry, Manifest, is_volatile, read_manifest
from data.publish.published import read_published, run_folder
from data.publish.verify import verify
from data.step_io import open_step

D = date(2026, 6, 28)
ORDER = {
    "supplier_id": "S",
    "sku": "A",
    "location_id": "main",
    "qty": 3,
    "unit_cost": Decimal("1.5"),
    "proposal_id": "p",
}
ROWS = {"rows_in": 5, "rows_loaded": 3, "rows_quarantined": 1, "rows_duplicate": 1}
ACCOUNT = {"source": "s", "table": "order_lines", "file_sha256": "f", **ROWS}


@pytest.fixture
def ready(home: Path, write_table, write_report) -> Path:
    """A home whose steps before `publish` have run."""
    write_table(home, "supplier_orders", [ORDER])
    write_table(home, "row_accounts", [ACCOUNT])
    write_report(home, names=("quality.html",))
    with open_step("restock", home=home, run_date=D) as io:
        io.check("why_adds_up", failed=0, rows=1)
        io.note("NO_STOCK_TABLE", "No stock table.")
    return home


def test_a_run_goes_out_with_all_tables_reports_and_a_manifest(ready):
    counts = step.run(ready, D)
    folder = run_folder(ready)
    tables = {p.stem for p in (folder / "tables").glob("*.parquet")}
    assert tables == {t.name for t in OUTPUTS}
    assert {p.stem for p in (folder / "tables").glob("*.csv")} == tables
    assert (folder / "reports" / "restock.html").is_file()
    assert verify(ready) == []
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["run_date"] == "2026-06-28"
    assert manifest["checks"] == {"pass": 1, "warn": 1, "fail": 0}
    assert manifest["row_accounts"] == ROWS
    assert manifest["files"]["tables/supplier_orders.parquet"]["rows"] == 1
    assert manifest["content_sha256"][:8] == folder.name[-8:]
    assert counts["rows_out"] == sum(pq.read_metadata(p).num_rows for p in (folder / "tables").glob("*.parquet")) >= 3


def test_publishing_again_gives_the_same_run_though_times_differ(ready):
    step.run(ready, D)
    first = run_folder(ready)
    with open_step("restock", home=ready, run_date=D) as io:  # the step ran again: other times in run_log
        io.check("why_adds_up", failed=0, rows=1)
        io.note("NO_STOCK_TABLE", "No stock table.")
    step.run(ready, D)
    assert run_folder(ready) == first
    assert verify(ready) == []


def test_other_settings_give_another_run(ready):
    step.run(ready, D)
    first = run_folder(ready)
    (ready / "merchcast.yml").write_text("shop: {name: Renamed}\n")
    step.run(ready, D)
    assert run_folder(ready) != first
    assert first.is_dir()


def test_two_homes_with_the_same_content_publish_the_same_bytes(ready, tmp_path, write_table, write_report):
    other = tmp_path / "other"
    other.mkdir()
    (other / "merchcast.yml").write_text((ready / "merchcast.yml").read_text())
    write_table(other, "row_accounts", [ACCOUNT])
    write_table(other, "supplier_orders", [ORDER])
    write_report(other, names=("quality.html",))
    for home in (ready, other):
        step.run(home, D)
    one, two = run_folder(ready), run_folder(other)
    assert one.name == two.name
    for path in sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file()):
        if path.name != "manifest.json" and not is_volatile(path.as_posix()):
            assert (one / path).read_bytes() == (two / path).read_bytes(), path


def test_a_failed_check_of_any_step_stands_against_publishing(ready):
    with pytest.raises(ChecksFailed), open_step("price", home=ready, run_date=D) as io:
        io.check("below_cost", failed=1, rows=2, expected="no price below cost")
    with pytest.raises(
        ChecksFailed, match=r"1 failed checks stand against publishing it:\s+price: below_cost: 1 of 2 rows"
    ):
        step.run(ready, D)
    assert not (ready / "published").exists()


def test_a_run_without_its_report_is_not_published(home, write_table):
    write_table(home, "supplier_orders", [ORDER])
    with pytest.raises(DataError, match=r"restock\.html is not there: run the step `report`"):
        step.run(home, D)
    assert not (home / "published").exists()


def test_tables_of_another_run_are_not_published(ready, write_table):
    write_table(ready, "supplier_orders", [ORDER], run_date=date(2026, 6, 21))
    with pytest.raises(DataError, match="holds the run for 2026-06-21"):
        step.run(ready, D)
    assert not (ready / "published" / "current").exists()


def test_builds_of_other_dates_are_forgotten_and_links_are_not_followed(ready, tmp_path, write_report):
    write_report(ready, run_date=date(2026, 6, 21))
    (tmp_path / "secret.txt").write_text("secret")
    (step.reports_folder(ready, D) / "secret.txt").symlink_to(tmp_path / "secret.txt")
    step.run(ready, D)
    assert [p.name for p in (ready / ".build").iterdir()] == ["2026-06-28"]
    assert not (run_folder(ready) / "reports" / "secret.txt").exists()


def test_what_was_published_reads_back_exactly(ready):
    step.run(ready, D)
    orders = read_published(ready, "supplier_orders")
    assert orders.to_dict("records")[0] | {} == {
        "run_date": D, **ORDER, "unit_cost": Decimal("1.5000"), "needed_by_date": None,
    }  # fmt: skip
    assert list(read_published(ready, "supplier_orders", "2026-06-28", columns=["sku", "qty"]).columns) == [
        "sku",
        "qty",
    ]
    assert read_published(ready, "hedge_plan").empty
    with pytest.raises(ConfigError, match="'orders' is no table"):
        read_published(ready, "orders")
    with pytest.raises(ConfigError, match="no published run '2026-01-01'"):
        read_published(ready, "supplier_orders", "2026-01-01")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_found(tmp_path_factory, filler, data):
    from data.publish.publish import publish

    home = tmp_path_factory.mktemp("home")
    folder = publish(home, D, filler(D), keep_runs=3)
    path = data.draw(st.sampled_from(sorted(p for p in folder.rglob("*") if p.is_file())))
    content = bytearray(path.read_bytes())
    at, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    content[at] ^= 1 << bit
    path.write_bytes(content)
    if path.name != "manifest.json":
        assert [f.path for f in verify(home)] == [path.relative_to(folder).as_posix()]
    else:  # blanks and the time of publishing are no part of what is signed by the digest
        try:
            intact = json.loads(content) | {"published_at": None} == json.loads(
                Manifest(D, "0.1.0", "c" * 64, read_manifest_files(folder)).to_json()
            )
        except ValueError:
            intact = False
        assert intact or verify(home)


def read_manifest_files(folder: Path) -> dict[str, FileEntry]:
    from data.publish.manifest import file_entry

    return {n: file_entry(folder / n) for n in ("tables/forecasts.parquet", "reports/restock.html")}


def test_every_way_a_run_can_be_damaged_has_its_finding(home, filler):
    from data.publish.publish import publish

    folder = publish(home, D, filler(D), keep_runs=3)
    table, report = folder / "tables" / "forecasts.parquet", folder / "reports" / "restock.html"
    table.write_text(table.read_text() + "x")
    report.unlink()
    (folder / "reports" / "extra.html").write_text("extra")
    size = table.stat().st_size
    assert [str(f) for f in verify(home)] == [
        "reports/extra.html: is not in the manifest",
        "reports/restock.html: is missing",
        f"tables/forecasts.parquet: has another size (expected {size - 1} bytes, found {size} bytes)",
    ]
    renamed = folder.rename(folder.with_name("2026-06-28-00000000"))
    assert "manifest.json: does not belong to this folder" in str(verify(home, renamed.name)[0])
    (renamed / "manifest.json").write_text("{}")
    assert "manifest.json: cannot be read" in str(verify(home, renamed.name)[0])


def test_the_digest_covers_all_but_times_and_checks():
    files = {"tables/forecasts.parquet": FileEntry("a", 1, 1), "tables/checks.csv": FileEntry("b", 1, 1)}
    manifest = Manifest(D, "0.1.0", "c", files)
    same = Manifest(D, "0.1.0", "c", {**files, "tables/checks.csv": FileEntry("z", 9, 9)}, checks={"pass": 3})
    assert manifest.digest == same.digest
    for other in (
        Manifest(D, "0.1.1", "c", files),
        Manifest(D, "0.1.0", "d", files),
        Manifest(date(2026, 6, 29), "0.1.0", "c", files),
        Manifest(D, "0.1.0", "c", {**files, "tables/forecasts.parquet": FileEntry("z", 1, 1)}),
        Manifest(D, "0.1.0", "c", files, row_accounts={"rows_in": 1}),
    ):
        assert other.digest != manifest.digest


def test_a_manifest_reads_back(ready):
    step.run(ready, D)
    path = run_folder(ready) / "manifest.json"
    assert read_manifest(path).to_json() == path.read_text()
