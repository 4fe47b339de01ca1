"""What a planner should know of an intake that stopped nothing.

The files of a night are taken in once, but its run may be repeated and must then say the same. So the notes are kept
by run date, in the transaction that loads the files. After a lost warehouse those on the files themselves come back
with the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import duckdb

from data.contracts import TABLES, Mode, Table
from data.ingest.deliveries import DeliveredFile
from data.ingest.landing import Sighting
from data.ingest.loading import Accounts
from data.ingest.schema import likely_meant
from data.ingest.store import raw_name
from data.ingest.versions import VisibleDelivery
from data.warehouse import quoted

__all__ = [
    "STALE_SOURCE",
    "Note",
    "column_notes",
    "keep_notes",
    "rounded_notes",
    "shrunk_notes",
    "snapshot_notes",
    "text_notes",
]

STALE_SOURCE = "stale_source"
_SHOWN = 5
_LONG_MESSAGE = 500  # [characters]; beyond it the number of rows grows alone


@dataclass(frozen=True)
class Note:
    """Something the planner should know of, that stopped nothing.

    ``night`` is the earlier run that it belongs to, None the one that is going on.
    """

    code: str
    table: str
    message: str
    rows: int = 0
    sample: tuple[str, ...] = ()
    night: date | None = None


def column_notes(table: Table, files: Sequence[DeliveredFile]) -> list[Note]:
    """Return a note on columns that nothing takes, with the contract columns they may stand for."""
    unknown = {name: file.mapping.absent for file in files for name in file.mapping.unknown}
    if not unknown:
        return []
    absent = tuple(dict.fromkeys(c for columns in unknown.values() for c in columns))
    meant = list(likely_meant(tuple(unknown), absent).items())[:_SHOWN]
    hint = "".join(f" Is {k!r} meant as {v!r}? Then map it." for k, v in meant)
    message = f"{len(unknown)} columns of {table.name} are not used; they stay in landing.{hint}"
    return [Note("UNKNOWN_COLUMNS", table.name, message, len(unknown), tuple(unknown)[:_SHOWN])]


def text_notes(table: Table, files: Sequence[DeliveredFile]) -> list[Note]:
    """Return notes on files without a row, and on text that was brought into line."""
    notes = []
    empty = [f.sighting.file_name for f in files if f.records == 0]
    if empty and table.mode is not Mode.SNAPSHOT:
        message = f"{len(empty)} files of {table.name} have a header and no row."
        notes.append(Note("EMPTY_DELIVERY", table.name, message, len(empty), tuple(empty[:_SHOWN])))
    changed = [f.sighting.file_name for f in files if f.text is not None and f.text.changes]
    if changed:
        message = f"{len(changed)} files of {table.name} were brought to UTF-8 with line feeds."
        notes.append(Note("NORMALISED_TEXT", table.name, message, len(changed), tuple(changed[:_SHOWN])))
    return notes


def rounded_notes(table: Table, accounts: Sequence[Accounts]) -> list[Note]:
    """Return a note on prices with more decimals than money has: they were rounded."""
    found = {a.file.sighting.file_name: a.rows_rounded for a in accounts if a.rows_rounded}
    if not found:
        return []
    rows = sum(found.values())
    message = f"{rows} rows of {table.name} have a price of more than 4 decimals; it was rounded to 4."
    return [Note("ROUNDED", table.name, message, rows, tuple(found)[:_SHOWN])]


def shrunk_notes(
    connection: duckdb.DuckDBPyConnection,
    before: Iterable[tuple[Sighting, int]],
    new: Iterable[tuple[Sighting, int]],
) -> list[Note]:
    """Return notes on new versions of a file that begin later than the version they supersede.

    The rows of the days between are no longer in force: right for a correction, wrong for a shop that writes each
    day's rows to the same name.
    """
    latest = {(s.table, s.source, s.file_name): d for s, d in before}
    notes: list[Note] = []
    for sighting, delivery_id in new:
        table = TABLES[sighting.table]
        old = latest.get((sighting.table, sighting.source, sighting.file_name))
        if old is None or table.business_date is None or table.mode is Mode.SNAPSHOT:
            continue
        day = quoted(table.business_date)
        rows = connection.execute(
            f"select count(*), min({day})::date from {raw_name(table)} where delivery_id = $1 "
            f"and {day} < (select min({day}) from {raw_name(table)} where delivery_id = $2)",
            [old, delivery_id],
        ).fetchall()
        lost, first = rows[0]
        if lost:
            message = (
                f"{sighting.file_name} supersedes a version that went back to {first}: {lost} rows of earlier days are "
                "set aside. If each file brings new rows only, give each its own name, by date."
            )
            notes.append(Note("SUPERSEDED_SHRINKS", table.name, message, lost, (sighting.file_name,)))
    return notes


def snapshot_notes(visible: Iterable[VisibleDelivery]) -> list[Note]:
    """Return notes on undated files of one snapshot source that arrived together: only the newest counts."""
    together: dict[tuple[str, str, str], int] = {}
    for v in visible:
        if v.in_force and v.arrival_rank and TABLES[v.table].mode is Mode.SNAPSHOT:
            place = (v.table, v.source, v.snapshot_date.isoformat())
            together[place] = together.get(place, 0) + 1
    return [
        Note(
            "SNAPSHOT_UNDATED",
            table,
            f"{count} files of source {source} state no date: the one changed last replaces the others. Put the day "
            "into "
            "the name, or an as_of_date into the rows; for parts of one snapshot, name a source for each.",
            count,
        )
        for (table, source, _), count in sorted(together.items())
        if count > 1
    ]


def keep_notes(
    connection: duckdb.DuckDBPyConnection, notes: Iterable[Note], *, run_date: date, is_settled: bool
) -> list[Note]:
    """Keep the notes of an intake and return all that the run for ``run_date`` has to report, earlier ones included.

    Args:
        connection: with the table ``run_notes``.
        notes: of this intake; those of an earlier night are kept for its reruns.
        run_date: D.
        is_settled: the run keeps to what it saw when it was published. What arrived since is for the next run to tell.
    """
    for note in notes:
        if note.night is not None:
            _keep(connection, note, note.night)
    fresh = [n for n in notes if n.night is None]
    if is_settled:
        for note in fresh:
            if note.code != STALE_SOURCE:  # the next run looks for itself
                _keep(connection, note, None)
    else:
        told = [n for n in _kept(connection, run_date) if n.code != STALE_SOURCE]
        waiting = _kept(connection, None)
        connection.execute("delete from run_notes where run_date is null or run_date = $1", [run_date])
        for note in (*told, *waiting, *fresh):
            _keep(connection, note, run_date)
    return _kept(connection, run_date)


def _kept(connection: duckdb.DuckDBPyConnection, run_date: date | None) -> list[Note]:
    rows = connection.execute(
        "select code, table_name, message, rows, sample from run_notes where run_date is not distinct from $1::date "
        "order by table_name, code",
        [run_date],
    ).fetchall()
    return [Note(code, table, message, count, tuple(sample)) for code, table, message, count, sample in rows]


def _keep(connection: duckdb.DuckDBPyConnection, note: Note, run_date: date | None) -> None:
    """Store a note; what was said before under its code of its table is said with it."""
    place = "run_date is not distinct from $1::date and code = $2 and table_name = $3"
    for before in _kept(connection, run_date):
        if (before.code, before.table) == (note.code, note.table):
            note = _joined(before, note)
    connection.execute(f"delete from run_notes where {place}", [run_date, note.code, note.table])
    connection.execute(
        "insert into run_notes values (?, ?, ?, ?, ?, ?)",
        [run_date, note.code, note.table, note.message, note.rows, list(note.sample)],
    )


def _joined(one: Note, other: Note) -> Note:
    if other.message in one.message and set(other.sample) <= set(one.sample):
        return one
    if len(one.message) > _LONG_MESSAGE:
        return replace(one, rows=one.rows + other.rows)
    sample = tuple(dict.fromkeys((*one.sample, *other.sample)))[:_SHOWN]
    return replace(other, message=f"{one.message} {other.message}", rows=one.rows + other.rows, sample=sample)
