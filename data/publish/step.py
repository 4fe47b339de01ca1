"""The last step of the night: everything that this run wrote goes out, or nothing does."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

from data.checks.summary import counts_by_status, in_words, red_first
from data.contracts import OUTPUTS
from data.errors import ChecksFailed, DataError
from data.publish.durable import copy_file, make_folder
from data.publish.export import export_table
from data.publish.manifest import FileEntry, Manifest, file_entry
from data.publish.publish import publish
from data.step_io import StepIO, open_step
from data.version import code_version

__all__ = ["REPORTS", "reports_folder", "run"]

REPORTS = "reports"
_BUILD = ".build"
_MAIN_REPORT = "restock.html"
_MAX_NAMED = 5
_ACCOUNTS = ("rows_in", "rows_loaded", "rows_quarantined", "rows_duplicate")


def reports_folder(home: Path, run_date: date) -> Path:
    """Return the folder in which the report step leaves the reports that this step publishes."""
    return home / _BUILD / run_date.isoformat() / REPORTS


def run(home: Path, run_date: date) -> dict[str, int]:
    """Publish the run for ``run_date`` and return the step's counts.

    Raises:
        ChecksFailed: a check of an earlier step of this run stands at ``fail``.
        DataError: the report step has not run.
        SourceError: the disk refused. What was published before stands in every case.
    """
    with open_step("publish", home=home, run_date=run_date) as io:
        _refuse_failed_checks(io)
        reports = reports_folder(home, run_date)
        if not (reports / _MAIN_REPORT).is_file():
            raise DataError(f"{reports / _MAIN_REPORT} is not there: run the step `report` before `publish`")
        publish(
            home,
            run_date,
            lambda folder: _filled(folder, io=io, reports=reports),
            keep_runs=io.settings.publish.keep_runs,
        )
        _forget_other_builds(home, run_date)
    return io.counts


def _refuse_failed_checks(io: StepIO) -> None:
    checks = io.read("checks")
    failed = red_first(checks[(checks["status"] == "fail") & (checks["step"] != io.step)])
    if len(failed):
        named = "\n  ".join(in_words(row) for _, row in failed.head(_MAX_NAMED).iterrows())
        raise ChecksFailed(f"run {io.run_date}: {len(failed)} failed checks stand against publishing it:\n  {named}")


def _filled(folder: Path, *, io: StepIO, reports: Path) -> Manifest:
    """Write tables and reports into ``folder`` and return their manifest."""
    files = {**_tables(folder, io=io), **_reports(folder, reports)}
    io.counts["rows_out"] = sum(e.rows or 0 for name, e in files.items() if name.endswith(".parquet"))
    return Manifest(
        run_date=io.run_date,
        code_version=code_version(),
        config_sha256=io.settings.sha256,
        files=files,
        checks=counts_by_status(io.read("checks", columns=["status"])),
        row_accounts=_account_summary(io),
        published_at=datetime.now(UTC),
    )


def _tables(folder: Path, *, io: StepIO) -> dict[str, FileEntry]:
    tables = folder / "tables"
    make_folder(tables)
    files: dict[str, FileEntry] = {}
    for table in OUTPUTS:
        names = io.settings.publish.order_columns if table.name == "supplier_orders" else {}
        for name, entry in export_table(io.warehouse, table, io.run_date, tables, csv_names=names).items():
            files[f"tables/{name}"] = entry
    return files


def _reports(folder: Path, source: Path) -> dict[str, FileEntry]:
    target = folder / REPORTS
    make_folder(target)
    files: dict[str, FileEntry] = {}
    for path in sorted(p for p in source.rglob("*") if p.is_file() and not p.is_symlink()):
        name = path.relative_to(source)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        copy_file(path, target / name)
        files[f"{REPORTS}/{name.as_posix()}"] = file_entry(target / name)
    return files


def _account_summary(io: StepIO) -> dict[str, int]:
    accounts = io.read("row_accounts", columns=_ACCOUNTS)
    return {column: int(accounts[column].sum()) for column in _ACCOUNTS}


def _forget_other_builds(home: Path, run_date: date) -> None:
    """Remove what the report step built for other dates: it is published, or its run never was."""
    for folder in sorted((home / _BUILD).iterdir()):
        if folder.is_dir() and folder.name != run_date.isoformat():
            shutil.rmtree(folder)
