"""The ingest step: what the sources offer becomes ``stg_*`` tables as of D, with an account of every row."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from data.checks.deliveries import freshness, rows_accounted_for, volume
from data.checks.drift import DRIFTING, drift_results
from data.checks.staged import staged_results
from data.contracts import INPUTS, TABLES, Table
from data.errors import DataError
from data.ingest.accounts import (
    find_excess_returns,
    find_returned_twice,
    find_unknown_campaigns,
    find_unknown_skus,
    quarantine,
    row_accounts,
    settle_quarantine,
)
from data.ingest.child import reading_child
from data.ingest.connected import sources_of
from data.ingest.intake import Intake, take_in
from data.ingest.landing import Landing, sighting_line
from data.ingest.notes import keep_notes, snapshot_notes
from data.ingest.repairs import newest_repair, show_repairs
from data.ingest.runs import View, is_first_run, is_settled, run_line, view_of
from data.ingest.store import create_store, set_buyer_key
from data.ingest.switches import holds_in_force, overrides_in_force
from data.publish.published import previous_runs
from data.sql.consistency import refuse_both_sales_shapes
from data.sql.products import products_from_sales
from data.sql.restated import RESTATED_TABLES, restated_days
from data.sql.staging import stage_history, stage_table
from data.sql.supply import item_supply
from data.sql.units import UnitSuspect, find_unit_suspects
from data.sql.viewing import is_unique_as_it_came
from data.sql.vintages import stage_signal_vintages
from data.step_io import StepIO, open_step
from data.verdicts import STAGED_FIRST, find_known_skus, find_non_products, left_out, see_deliveries

__all__ = ["run"]

_ROW_DATED = ("stock",)  # its rows must state their day
_EVENTS_AHEAD_DAYS = 365
_FRESH = {
    "order_lines": ("business_date", 3),
    "period_sales": ("ds", 3),
    "stock": ("as_of_date", 7),
    "signals": ("date", 3),
}
"""Table -> its business date, and the age from which its newest row is old [days]."""
_VOLUME_WEEKS = 9
_MEMORY_LIMIT = "2500MB"  # of DuckDB; with Arrow, the checks and the reading child the step stays below 4 GB


def run(home: Path, run_date: date, restate: bool = False) -> dict[str, int]:
    """Take in what is new and stage what the run for ``run_date`` may know; return the step's counts.

    Args:
        home: the home folder.
        run_date: D.
        restate: let a rerun of a published D see what arrived since.

    Raises:
        DataError: a delivery, or the tables together, cannot be used; nothing of the night is loaded.
        SourceError: a source that the run cannot do without offers nothing, or cannot be read.
        ConfigError: settings, or ``holds.csv``, are wrong.
    """
    with open_step("ingest", home=home, run_date=run_date) as io, reading_child():
        connection = io.warehouse.connection
        connection.execute(f"set memory_limit = '{_MEMORY_LIMIT}'")
        set_buyer_key(connection)
        create_store(connection)
        landing = Landing(home)
        landing.clean()
        ledger = landing.ledger()
        intake = take_in(
            connection,
            sources_of(io.settings, home=home, run_date=run_date),
            landing,
            run_date=run_date,
            in_first_run=is_first_run(home, ledger, run_date),
            shop_timezone=io.settings.shop.timezone,
        )
        newest = max(newest_repair(connection), max((s.seq for s, _ in intake.sightings), default=0))
        view = view_of(ledger, home=home, run_date=run_date, restate=restate, newest=newest)
        settled = is_settled(ledger, home=home, run_date=run_date, restate=restate)
        intake.notes = keep_notes(connection, intake.notes, run_date=run_date, is_settled=settled)
        _stage(io, intake, view)
        _note_restated(io, ledger)
        _report(io, intake)
        if not any(r.stops_the_run for r in io.results):
            landing.append([*(sighting_line(s) for s in intake.lines), run_line(run_date, view)])
    return io.counts


def _stage(io: StepIO, intake: Intake, view: View) -> None:
    """Create every ``stg_*`` table and the marts as of D."""
    connection, settings, run_date = io.warehouse.connection, io.settings, io.run_date
    show_repairs(connection, watermark=view.watermark)
    visible = see_deliveries(connection, intake.sightings, settings=settings, run_date=run_date, view=view)
    intake.notes += snapshot_notes(v for v in visible if v.table not in _ROW_DATED)
    _report_non_products(io, *find_non_products(connection, settings))
    find_excess_returns(connection)
    find_unknown_campaigns(connection, run_date)
    written = {name: _staged(io, TABLES[name]) for name in STAGED_FIRST}
    has_products = _learn_known_skus(io)
    unknown = find_unknown_skus(connection, has_products=has_products)
    find_returned_twice(connection)
    for table in INPUTS:
        if table.name not in STAGED_FIRST:
            written[table.name] = _staged(io, table)
    stage_history(connection, run_date=run_date)
    stage_signal_vintages(connection, run_date=run_date, zone=settings.shop.timezone)
    io.warehouse.mark("stg_signal_vintages", run_date)
    io.warehouse.mark("stg_stock_history", run_date)
    if not has_products:
        products_from_sales(connection)
    refuse_both_sales_shapes(connection, freq=settings.planning.freq)
    _write_accounts(io, unknown)
    _write_marts(io)
    _note_missing_events(io)
    _note_missed_nights(io)
    _judge_deliveries(io)
    _check_staged(io, written)


def _note_restated(io: StepIO, ledger: list[dict[str, Any]]) -> None:
    """Say which days that the run before has planned with look different now."""
    runs = {date.fromisoformat(line["run_date"]) for line in ledger if line["kind"] == "run"}
    before = max((d for d in runs if d < io.run_date), default=None)
    if before is None:
        return
    for table in RESTATED_TABLES:
        delays = [spec.delay_days for spec in io.settings.sources.get(table, ())]
        days = restated_days(
            io.warehouse.connection,
            table,
            run_date=io.run_date,
            before=before,
            delay_days=max(delays, default=0),
            zone=io.settings.shop.timezone,
        )
        if days:
            shown = ", ".join(f"{day}: {rows}" for day, rows in list(days.items())[-5:])
            io.note(
                "RESTATED",
                f"{sum(days.values())} rows of {table} came late or were corrected after the run for {before}: "
                f"{len(days)} days are restated ({shown}).",
                table=table,
            )


def _staged(io: StepIO, table: Table) -> str:
    """Stage a table; return SQL for the rows that were written."""
    written = stage_table(
        io.warehouse.connection,
        table,
        run_date=io.run_date,
        zone=io.settings.shop.timezone,
        period_days=io.calendar.period_days,
        without=left_out(table),
    )
    io.warehouse.mark(f"stg_{table.name}", io.run_date)
    return written


def _report_non_products(io: StepIO, found: list[str], seen: int) -> None:
    if found:
        shown = ", ".join(found[:10])
        io.check(
            "NOT_PRODUCTS",
            failed=0,
            rows=seen,
            table="order_lines",
            severity="warn",
            observed=f"{len(found)} codes are no products: {shown}",
        )


def _learn_known_skus(io: StepIO) -> bool:
    """Create ``known_skus``: every SKU of any product delivery up to D; return whether there is one."""
    has_products = bool(find_known_skus(io.warehouse.connection, io.run_date)) and io.has_source("products")
    if io.has_source("products") and not has_products:
        io.note(
            "NO_PRODUCTS_YET",
            f"No product delivery describes {io.run_date} or before: products are made from sales.",
            table="products",
        )
    return has_products


def _write_accounts(io: StepIO, unknown: int) -> None:
    connection = io.warehouse.connection
    held, released = settle_quarantine(connection, run_date=io.run_date)
    accounts = row_accounts(connection)
    io.write("row_accounts", accounts)
    io.write("quarantine", quarantine(connection, run_date=io.run_date))
    frame = accounts.to_pandas()
    io.results.append(rows_accounted_for(frame))
    rows_in, quarantined = int(frame["rows_in"].sum()), int(frame["rows_quarantined"].sum())
    io.check(
        "QUARANTINE",
        failed=quarantined,
        rows=rows_in,
        severity="warn",
        observed=f"{quarantined} of {rows_in} rows",
        expected="no row in quarantine",
        advice="Look at `merchcast show quarantine`; repair the rows at their source and deliver them again.",
    )
    if unknown or released:
        _report_unknown(io, unknown, held, released)


def _report_unknown(io: StepIO, unknown: int, held: int, released: int) -> None:
    rows = io.warehouse.connection.execute("select distinct sku from unknown_skus order by sku").fetchall()
    io.check(
        "UNKNOWN_SKU",
        failed=held,
        rows=held + released,
        table="products",
        severity="warn",
        sample=[r[0] for r in rows],
        observed=f"{held} rows of {unknown} SKUs wait for their product; {released} rows were released",
        expected="every SKU that sells is in products",
        advice="Add the SKUs to products: their sales then load by themselves.",
    )


def _write_marts(io: StepIO) -> None:
    suspects = find_unit_suspects(io.warehouse.connection, run_date=io.run_date)
    supply = item_supply(
        io.warehouse.connection,
        calendar=io.calendar,
        default=io.settings.planning.default_supply,
        suspects={s.supplier_id for s in suspects},
    )
    io.write("item_supply", supply)
    _report_unit_suspects(io, suspects)
    overrides, bad = overrides_in_force(io.home, io.run_date)
    io.write("overrides", overrides)
    io.write("holds", holds_in_force(io.home, io.run_date))
    if bad:
        io.check(
            "OVERRIDE_INVALID",
            failed=len(bad),
            rows=len(bad) + overrides.num_rows,
            table="overrides",
            severity="warn",
            sample=[f"line {n}: {what}" for n, what in bad],
            observed=f"{len(bad)} lines of overrides.csv cannot be used",
            advice="Correct the lines; until then they have no effect.",
        )


def _report_unit_suspects(io: StepIO, suspects: list[UnitSuspect]) -> None:
    if suspects:
        io.check(
            "UNIT_SUSPECT",
            failed=len(suspects),
            rows=len(suspects),
            table="item_supply",
            severity="warn",
            sample=[f"{s.supplier_id}: {s.what}" for s in suspects],
            observed="; ".join(
                f"{s.what} of supplier {s.supplier_id} is {s.ratio:.3g} times what it was ({s.skus} SKUs)"
                for s in suspects[:3]
            ),
            expected="a supplier's figures in the unit of before",
            advice="Boxes instead of units? The supplier's lines are held until the figures come in the usual unit.",
        )


def _note_missed_nights(io: StepIO) -> None:
    """A scheduler that was down leaves a gap between published runs: its nights are named, a backfill is for people."""
    before = previous_runs(io.home, io.run_date, 1)
    if not before:
        return
    last = date.fromisoformat(before[0].name[:10])
    missed = (io.run_date - last).days // io.calendar.period_days - 1
    if missed > 0:
        first = last + timedelta(days=io.calendar.period_days)
        message = (
            f"{missed} nights before this one were not run, from {first} on; the last published run is of {last}. "
            f"What arrived meanwhile is in this run. To publish a missed night: merchcast run --date {first}."
        )
        io.note("NIGHTS_MISSED", message, table="run_log")


def _note_missing_events(io: StepIO) -> None:
    """A named holiday calendar promises events; a coming year without any is one that nobody delivered."""
    calendar = io.settings.shop.holiday_calendar
    if calendar is None:
        return
    until = io.run_date + timedelta(days=_EVENTS_AHEAD_DAYS)
    row = io.warehouse.connection.execute(
        "select count(*) from stg_events where ends_date >= $1 and starts_date <= $2", [io.run_date, until]
    ).fetchone()
    if not (row and row[0]):
        message = f"No event between {io.run_date} and {until}, though the shop follows the calendar {calendar}."
        io.note("EVENTS_MISSING", message, table="events")


def _judge_deliveries(io: StepIO) -> None:
    """Is what came recent, and about as much as usual? Both only warn."""
    connection = io.warehouse.connection
    for name, (column, max_age_days) in _FRESH.items():
        if not io.has_source(name):
            continue
        newest = _newest(connection, name, column, since=io.run_date - timedelta(days=max_age_days))
        if newest is not None and name == "period_sales":
            newest += timedelta(days=io.calendar.period_days - 1)
        io.results.append(freshness(name, newest, run_date=io.run_date, max_age_days=max_age_days))
    since = io.run_date - timedelta(weeks=_VOLUME_WEEKS)
    rows = connection.execute(
        "select business_date, count(*) from stg_order_lines where business_date >= $1 group by 1", [since]
    ).fetchall()
    usual = volume("order_lines", dict(rows), run_date=io.run_date) if rows else None
    if usual is not None:
        io.results.append(usual)
    for name in DRIFTING:
        if io.has_source(name):
            io.results.extend(drift_results(connection, name, run_date=io.run_date))


def _newest(connection: duckdb.DuckDBPyConnection, name: str, column: str, *, since: date) -> date | None:
    """Return the newest day in a staged table; the rows before ``since`` are read only where there are none after."""
    for condition in (f" where {column} >= date '{since}'", ""):
        found: date | None = connection.execute(f"select max({column}) from stg_{name}{condition}").fetchall()[0][0]
        if found is not None:
            return found
    return None


def _check_staged(io: StepIO, written: dict[str, str]) -> None:
    """Check every staging table that has rows against its contract."""
    connection = io.warehouse.connection
    for table in INPUTS:
        contract = TABLES[f"stg_{table.name}"]
        count = connection.execute(f"select count(*) from {contract.name}").fetchone()
        rows = int(count[0]) if count else 0
        io.counts["rows_out"] += rows
        if rows:
            is_unique, new = is_unique_as_it_came(connection, table), written[table.name]
            found = staged_results(connection, io.step, contract, written=new, rows=rows, is_unique=is_unique)
            io.results.extend(found)
        elif table.is_sales and io.has_source(table.name):
            _refuse_without_sales(io, table)


def _refuse_without_sales(io: StepIO, table: Table) -> None:
    others = [t.name for t in INPUTS if t.is_sales and t.name != table.name and io.has_source(t.name)]
    if not others:
        raise DataError(
            f"ROW_COUNT_BELOW_MIN: no row of {table.name} is dated {io.run_date} or before; is the run date right?"
        )


def _report(io: StepIO, intake: Intake) -> None:
    io.counts["files_new"] = intake.files_new
    io.counts["rows_in"] += intake.rows_in
    for note in intake.notes:
        io.check(
            note.code,
            failed=max(1, note.rows),
            rows=max(1, note.rows),
            table=note.table,
            severity="warn",
            sample=note.sample,
            observed=note.message,
            advice=note.message,
        )
