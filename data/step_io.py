"""What a step sees of the world: its settings, tables to read, tables to write, checks to report.

Everything a step writes is committed in one transaction when it ends, together with its check results; a step that
raises, or whose checks of severity ``error`` fail, commits its check results and its line in ``run_log`` alone.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data.checks.results import CheckResult, Severity, Status
from data.checks.runner import check_table
from data.contracts import TABLES, Table, TableKind
from data.contracts.frames import conform_arrow, empty_frame, in_names, to_pandas
from data.errors import ChecksFailed, DataError
from data.progress import Progress
from data.publish.published import previous_runs
from data.settings import Settings, load_settings
from data.version import code_version
from data.warehouse import Warehouse, open_warehouse, quoted

__all__ = ["StepIO", "open_step"]

_MAX_SAMPLES = 5


class StepIO:
    """The hands of one step. Made by :func:`open_step`."""

    def __init__(self, step: str, home: Path, run_date: date, settings: Settings, warehouse: Warehouse) -> None:
        self.step = step
        self.home = home
        self.run_date = run_date
        self.settings = settings
        self.warehouse = warehouse
        self.calendar = settings.calendar(run_date)
        self.counts: dict[str, int] = {"files_new": 0, "rows_in": 0, "rows_out": 0}
        self.results: list[CheckResult] = []
        self.progress = Progress(step, usual_seconds=_usual_seconds(warehouse, step))

    def has_source(self, table: str) -> bool:
        """Return whether the shop connected the input ``table``."""
        return bool(self.settings.sources.get(table))

    def read(self, table: str, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return this run's rows of ``table`` as pandas, ordered by key; no rows where nothing was written."""
        contract = TABLES[table]
        if not self._is_ready(contract):
            frame = empty_frame(contract)
            return frame if columns is None else frame[list(columns)]
        return to_pandas(self._select(contract, columns), contract)

    def empty(self, table: str) -> pd.DataFrame:
        """Return no rows of ``table``, in its contract's shape: what a step writes where there is nothing to say."""
        return empty_frame(TABLES[table])

    def read_polars(self, table: str, *, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return this run's rows of ``table`` as polars, ordered by key; money as ``Float64``."""
        contract = TABLES[table]
        if self._is_ready(contract):
            arrow = self._select(contract, columns)
        else:
            arrow = conform_arrow(contract, empty_frame(contract))
            arrow = arrow if columns is None else arrow.select(list(columns))
        frame = pl.from_arrow(arrow)
        assert isinstance(frame, pl.DataFrame)
        return frame.with_columns(pl.selectors.decimal().cast(pl.Float64))

    def query(self, sql: str, parameters: Sequence[Any] | None = None) -> pd.DataFrame:
        """Return the rows of a query over this run's tables as pandas. Order them in the query."""
        arrow = self.warehouse.arrow(sql, parameters)
        self.counts["rows_in"] += arrow.num_rows
        return to_pandas(arrow, Table("query", TableKind.INTERNAL, (), (), ""))

    def query_polars(self, sql: str, parameters: Sequence[Any] | None = None) -> pl.DataFrame:
        """Return the rows of a query over this run's tables as polars. Order them in the query."""
        frame = self.warehouse.polars(sql, parameters)
        self.counts["rows_in"] += frame.height
        return frame

    def previous(self, table: str, *, runs: int = 1, columns: Sequence[str] | None = None) -> pd.DataFrame | None:
        """Return ``table`` as the last ``runs`` published runs before D had it, with ``run_date``; None without one.

        A column that an earlier version of merchcast did not publish yet is null.
        """
        contract = TABLES[table]
        names = ["run_date", *(c for c in columns or contract.names if c != "run_date")]
        files = [path / "tables" / f"{table}.parquet" for path in previous_runs(self.home, self.run_date, runs)]
        frames = [in_names(contract, _held(file, names), names) for file in files if file.is_file()]
        return to_pandas(pa.concat_tables(frames), contract) if frames else None

    def write(self, table: str, frame: pd.DataFrame | pl.DataFrame | pa.Table, *, row_floor: int = 0) -> None:
        """Check ``frame`` against its contract and replace this run's rows of ``table`` by it.

        Args:
            table: name of an internal or output table.
            frame: the rows, without ``run_date``, in any order.
            row_floor: fewest rows that make sense; fewer is an error.
        """
        contract = TABLES[table]
        arrow = conform_arrow(contract, frame)
        self.results.extend(check_table(self.step, contract, arrow, row_floor=row_floor))
        self.counts["rows_out"] += self.warehouse.replace(contract, arrow, self.run_date)

    def check(
        self,
        check: str,
        *,
        failed: int | Iterable[Any],
        rows: int,
        table: str = "-",
        severity: Severity = "error",
        sample: Iterable[Any] = (),
        observed: str = "",
        expected: str = "",
        advice: str = "",
    ) -> None:
        """Report a check of the step's own. ``failed`` is a count, or a mask whose true rows failed.

        A check that looked at no row is not reported: it must not be green.
        """
        count = (
            int(failed) if isinstance(failed, (int, np.integer)) else int(np.count_nonzero(np.asarray(list(failed))))
        )
        if rows == 0 and count == 0:
            return
        status: Status = "pass" if count == 0 else ("fail" if severity == "error" else "warn")
        keys = tuple(str(k) for k in list(sample)[:_MAX_SAMPLES]) if count else ()
        self.results.append(
            CheckResult(
                self.step,
                table,
                check,
                status,
                severity,
                observed or f"{count} of {rows} rows",
                expected,
                rows,
                count,
                keys,
                advice,
            )
        )

    def note(self, code: str, message: str, *, table: str = "-") -> None:
        """Report something that the run could not do; it stands in the header of the reports."""
        self.results.append(CheckResult(self.step, table, code, "warn", "warn", message, advice=message))

    def _is_ready(self, table: Table) -> bool:
        if not self.warehouse.has(table.name):
            return False
        held = self.warehouse.holds(table.name)
        if held is not None and held != self.run_date:
            raise DataError(
                f"table {table.name} holds the run for {held}, not for {self.run_date}: "
                f"run the steps before `{self.step}` first"
            )
        return True

    def _select(self, table: Table, columns: Sequence[str] | None) -> pa.Table:
        names = [n for n in table.names if n != "run_date"] if columns is None else list(columns)
        missing = sorted(set(names) - set(self.warehouse.columns(table.name)))
        if missing:
            raise DataError(
                f"table {table.name} was written by another version of merchcast, without {', '.join(missing)}: "
                f"run the steps before `{self.step}` again"
            )
        select = ", ".join(quoted(n) for n in names)
        order = ", ".join(quoted(k) for k in table.key)
        by_run = " where run_date = $1" if table.name in ("checks", "run_log") else ""
        arrow = self.warehouse.arrow(
            f"select {select} from {quoted(table.name)}{by_run} order by {order}", [self.run_date] if by_run else []
        )
        self.counts["rows_in"] += arrow.num_rows
        return arrow


@contextmanager
def open_step(step: str, *, home: Path, run_date: date) -> Iterator[StepIO]:
    """Open the warehouse for one step and yield its hands; commit, check and log at the end.

    Raises:
        ChecksFailed: a check of severity ``error`` failed; nothing but the check results was written.
    """
    settings = load_settings(home)
    started_at, started = datetime.now(UTC), time.monotonic()
    _reset_peak_memory()
    with open_warehouse(home) as warehouse:
        io = StepIO(step, home, run_date, settings, warehouse)
        outcome = "failed"
        io.progress.start()
        try:
            with warehouse.transaction():
                yield io
                _raise_on_failure(io)
            outcome = "done"
        finally:
            io.progress.stop()
            seconds = time.monotonic() - started
            with warehouse.transaction():
                _store_results(io)
                _store_log(io, started_at=started_at, seconds=seconds, outcome=outcome)


def _held(file: Path, names: Sequence[str]) -> pa.Table:
    """Return those of the named columns that a published file holds."""
    held = set(pq.read_schema(file).names)
    return pq.read_table(file, columns=[n for n in names if n in held])


def _usual_seconds(warehouse: Warehouse, step: str) -> float | None:
    """Return how long the step took when it last ended well, None where it never did [s]."""
    rows = warehouse.arrow(
        "select seconds from run_log where step = $1 and status = 'done' order by started_at desc limit 1", [step]
    ).to_pylist()
    return float(rows[0]["seconds"]) if rows else None


def _raise_on_failure(io: StepIO) -> None:
    failed = [r for r in io.results if r.stops_the_run]
    if not failed:
        return
    lines = [
        f"{r.table}.{r.check}: expected {r.expected}, found {r.observed}"
        + (f", such as {', '.join(r.sample_keys)}" if r.sample_keys else "")
        for r in failed[:_MAX_SAMPLES]
    ]
    more = f" (and {len(failed) - _MAX_SAMPLES} more)" if len(failed) > _MAX_SAMPLES else ""
    raise ChecksFailed(
        f"step {io.step}, run {io.run_date}: {len(failed)} checks failed{more}:\n  " + "\n  ".join(lines)
    )


def _store_results(io: StepIO) -> None:
    io.warehouse.execute("delete from checks where run_date = ? and step = ?", [io.run_date, io.step])
    columns = [n for n in TABLES["checks"].names if n != "run_date"]
    rows = {(r.step, r.table, r.check): r for r in io.results}  # the last word on a check counts
    for result in rows.values():
        values = [list(result.sample_keys) if n == "sample_keys" else getattr(result, n) for n in columns]
        marks = ", ".join("?" for _ in range(len(columns) + 1))
        io.warehouse.execute(f"insert into checks values ({marks})", [io.run_date, *values])


def _store_log(io: StepIO, *, started_at: datetime, seconds: float, outcome: str) -> None:
    io.warehouse.execute("delete from run_log where run_date = ? and step = ?", [io.run_date, io.step])
    row = {
        "run_date": io.run_date,
        "step": io.step,
        "started_at": started_at,
        "seconds": round(seconds, 3),
        **io.counts,
        "peak_memory_mb": _peak_memory_mb(),
        "status": outcome,
        "code_version": code_version(),
        "config_sha256": io.settings.sha256,
    }
    names = TABLES["run_log"].names
    io.warehouse.execute(
        f"insert into run_log ({', '.join(names)}) values ({', '.join('?' for _ in names)})", [row[n] for n in names]
    )


def _reset_peak_memory() -> None:
    """Start the kernel's high-water mark anew, so that each step shows its own peak."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # not Linux, or not allowed: the peak of the process so far is shown


def _peak_memory_mb() -> float:
    """Return the peak resident memory since the step began [MB]."""
    try:
        status = Path(f"/proc/{os.getpid()}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
