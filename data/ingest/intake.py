"""One night's intake: what is new is landed, parsed and loaded; what is known changes nothing.

The order matters for a crash at any point: bytes land first; the ledger is written when everything new was accepted,
just before the warehouse commits; and what the ledger knows but the warehouse does not is loaded again from landing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

import duckdb

from data.contracts import TABLES, Table
from data.ingest.arriving import offered_by, remember_seen, seen_files, settle, stamp
from data.ingest.child import Request, reading_child
from data.ingest.deliveries import DeliveredFile, batches
from data.ingest.exchange import keep_rows
from data.ingest.faults import DeliveryMissing, DeliveryRefused, Fault, combined
from data.ingest.landing import Landed, Landing, Sighting, sightings_in
from data.ingest.loading import Accounts, load_batch, mark_duplicates, store_accounts
from data.ingest.notes import STALE_SOURCE, Note, column_notes, rounded_notes, shrunk_notes, text_notes
from data.ingest.people import surrogates_of
from data.ingest.pulls import SourceUnavailable
from data.ingest.repairs import apply_repairs, newest_repair, repairs_in
from data.ingest.runs import night_of
from data.ingest.shifts import refuse_unit_shift
from data.ingest.sources import Arrival, Source
from data.ingest.store import known_sightings, remember_sighting
from data.settings import SourceSettings

__all__ = ["Intake", "catch_up", "take_in"]

_NO_SPEC = SourceSettings(name="-", path="-")

Identity = tuple[str, str, str]
"""Table, source, digest: what makes a delivery."""


@dataclass
class Intake:
    """What a night's intake did: ``lines`` are to be appended to the ledger before the warehouse commits.

    ``nights`` has the run date of sightings that an earlier run took in already; ``promised`` the rows that manifests
    promise.
    """

    sightings: list[tuple[Sighting, int]]
    lines: list[Sighting] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    files_new: int = 0
    rows_in: int = 0
    new_deliveries: dict[str, list[int]] = field(default_factory=dict)
    offered: dict[str, int] = field(default_factory=dict)
    nights: dict[int, date | None] = field(default_factory=dict)
    promised: dict[Identity, int] = field(default_factory=dict)

    def night(self, sighting: Sighting) -> date | None:
        """Return the earlier night that took in ``sighting``, None where this one does."""
        return self.nights.get(sighting.seq)


def take_in(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    landing: Landing,
    *,
    run_date: date,
    in_first_run: bool,
    shop_timezone: str,
) -> Intake:
    """Land, parse and load everything new that the sources offer.

    Raises:
        DeliveryRefused: one delivery breaks a rule that concerns the whole file.
        DataError: several do; the message names at most five.
        DeliveryMissing: a source of sales offers nothing, and never did.
    """
    intake = Intake(known_sightings(connection))
    specs = {(s.table.name, s.name): s.spec for s in sources}
    _catch_up(connection, landing, intake, specs, shop_timezone)
    refused: list[DeliveryRefused] = []
    try:
        fresh = _landed(connection, sources, landing, intake, refused)
    finally:
        for source in sources:
            source.close()
    new = _new_sightings(
        fresh, intake, run_date=run_date, in_first_run=in_first_run, last_repair=newest_repair(connection)
    )
    _load(connection, landing, intake, new, specs, refused, shop_timezone)  # beside a refused one: only looked at
    if refused:
        raise combined(refused)
    intake.lines = [s for s, _ in new]
    return intake


def catch_up(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], landing: Landing, *, shop_timezone: str
) -> Intake:
    """Load what the ledger knows and the warehouse does not, and nothing new.

    Raises:
        DataError: a delivery that was once accepted cannot be read by the settings of today.
    """
    intake = Intake(known_sightings(connection))
    _catch_up(connection, landing, intake, {(s.table.name, s.name): s.spec for s in sources}, shop_timezone)
    return intake


def _catch_up(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    intake: Intake,
    specs: dict[tuple[str, str], SourceSettings],
    shop_timezone: str,
) -> None:
    """Load what the ledger knows and the warehouse does not: after a crash, or into a new warehouse."""
    known = {s.seq for s, _ in intake.sightings}
    ids = {(s.table, s.source, s.sha256): d for s, d in intake.sightings}
    missing: list[tuple[Sighting, int]] = []
    ledger = landing.ledger()
    runs = [line for line in ledger if line["kind"] == "run"]
    again: dict[date | None, dict[str, list[str]]] = {}
    for sighting in sightings_in(ledger):
        identity = (sighting.table, sighting.source, sighting.sha256)
        if sighting.seq not in known:
            night = intake.nights[sighting.seq] = night_of(runs, sighting.seq)
            if identity in ids:
                again.setdefault(night, {}).setdefault(sighting.table, []).append(sighting.file_name)
            missing.append((sighting, ids.setdefault(identity, sighting.seq)))
    for night, names in again.items():
        intake.notes += [replace(n, night=night) for n in _notes_of_known(names)]
    refused: list[DeliveryRefused] = []
    if missing:
        _load(connection, landing, intake, missing, specs, refused, shop_timezone)
    if refused:
        raise combined(refused)
    repairs = repairs_in(ledger)
    if repairs:
        apply_repairs(connection, landing, repairs, intake.sightings, specs=specs, shop_timezone=shop_timezone)


def _landed(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    landing: Landing,
    intake: Intake,
    refused: list[DeliveryRefused],
) -> list[Landed]:
    """Land what the sources offer and the seen files do not show to be unchanged."""
    found: list[Landed] = []
    arrivals: list[Arrival] = []
    specs = {(s.table.name, s.name): s.spec for s in sources}
    for source in sources:
        known = [s.file_name for s, _ in intake.sightings if (s.table, s.source) == (source.table.name, source.name)]
        try:
            offered = offered_by(source, known)
        except DeliveryRefused as error:
            refused.append(error)
            continue
        except SourceUnavailable as error:
            if source.table.is_sales:
                raise
            intake.notes.append(Note(STALE_SOURCE, source.table.name, f"{error}; the run goes on without it."))
            continue
        intake.offered[source.table.name] = intake.offered.get(source.table.name, 0) + len(offered)
        _note_if_missing(source, offered, intake)
        arrivals.extend(offered)
    seen = seen_files(connection)
    changed = [(a, stamp(a.path)) for a in arrivals]
    changed = [(a, stamp) for a, stamp in changed if seen.get((a.table, a.source, a.name)) != stamp]
    if changed:
        with reading_child() as child:
            child.begin()
    settle([a for a, _ in changed])
    for arrival, _ in changed:
        try:
            before = _kept_before(landing, arrival) if arrival.parted is not None else {}
            landed = landing.land(arrival, spec=specs[(arrival.table, arrival.source)], known=before)
        except DeliveryRefused as error:
            refused.append(error)
            continue
        found.append(landed)
        if landed.rows_promised is not None:
            intake.promised[(arrival.table, arrival.source, landed.sha256)] = landed.rows_promised
        remember_seen(connection, landed)
    return found


def _kept_before(landing: Landing, arrival: Arrival) -> dict[str, str]:
    """Return digest -> digest of what landing keeps, of all that the source of an arrival brought."""
    place = (arrival.table, arrival.source)
    return {s.sha256: s.kept for s in sightings_in(landing.ledger()) if (s.table, s.source) == place}


def _note_if_missing(source: Source, offered: list[Arrival], intake: Intake) -> None:
    if offered or any(s.table == source.table.name and s.source == source.name for s, _ in intake.sightings):
        return
    where = (
        f"source {source.name} of {source.table.name} offers nothing at {source.spec.path or source.spec.connection}"
    )
    if source.table.is_sales:
        raise DeliveryMissing(f"{Fault.SOURCE_MISSING}: {where}; sales are needed for a plan")
    intake.notes.append(Note(STALE_SOURCE, source.table.name, f"{where}; the run goes on without it."))


def _new_sightings(
    fresh: list[Landed], intake: Intake, *, run_date: date, in_first_run: bool, last_repair: int
) -> list[tuple[Sighting, int]]:
    """Return what was not known under its name, each with its delivery: an old one where the content is known."""
    newest: dict[tuple[str, str, str], Sighting] = {}
    ids: dict[Identity, int] = {}
    for sighting, delivery_id in intake.sightings:
        ids[(sighting.table, sighting.source, sighting.sha256)] = delivery_id
        newest[(sighting.table, sighting.source, sighting.file_name)] = sighting
    seq = max(last_repair, max((s.seq for s, _ in intake.sightings), default=0))
    new: list[tuple[Sighting, int]] = []
    again: dict[str, list[str]] = {}
    for landed in fresh:
        a = landed.arrival
        identity, name = (a.table, a.source, landed.sha256), (a.table, a.source, a.name)
        if name in newest and _is_same(newest[name], landed):
            continue  # still lying there; a new warehouse has not looked at it yet
        if identity in ids:
            again.setdefault(a.table, []).append(a.name)
        if name in newest and newest[name].sha256 == landed.sha256:
            continue
        seq += 1
        sighting = Sighting(
            seq,
            a.source,
            a.table,
            a.name,
            landed.sha256,
            landed.size,
            landed.modified_at,
            landed.landed_at,
            run_date,
            in_first_run,
            landed.kept_sha256,
        )
        newest[name] = sighting
        new.append((sighting, ids.setdefault(identity, seq)))
    intake.notes += _notes_of_known(again)
    return new


def _notes_of_known(again: dict[str, list[str]]) -> list[Note]:
    """Return a note for each table with files whose content is known."""
    notes = []
    for table, names in sorted(again.items()):
        message = f"{len(names)} files of {table} bring content that is known; no row is loaded again."
        notes.append(Note("DUPLICATE_DELIVERY", table, message, len(names), tuple(names[:5])))
    return notes


def _is_same(sighting: Sighting, landed: Landed) -> bool:
    return (sighting.sha256, sighting.modified_at) == (landed.sha256, landed.modified_at)


def _load(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    intake: Intake,
    new: list[tuple[Sighting, int]],
    specs: dict[tuple[str, str], SourceSettings],
    refused: list[DeliveryRefused],
    shop_timezone: str,
) -> None:
    """Parse and load each new delivery once, table by table, and store its sightings."""
    loaded = {d for _, d in intake.sightings}
    by_table: dict[str, list[tuple[Sighting, int]]] = {}
    for sighting, delivery_id in new:
        if delivery_id not in loaded:
            loaded.add(delivery_id)
            by_table.setdefault(sighting.table, []).append((sighting, delivery_id))
    for name in sorted(by_table, key=lambda t: (t != "fx_rates", list(TABLES).index(t))):  # money waits for its rates
        _load_table(connection, landing, intake, TABLES[name], by_table[name], specs, refused, shop_timezone)
        if refused and _is_over(connection):
            return  # DuckDB tripped over a file and ended the transaction: that file is what is told
    for night, group in groupby(new, lambda item: intake.night(item[0])):
        part = list(group)
        intake.notes += [replace(n, night=night) for n in shrunk_notes(connection, intake.sightings, part)]
        for sighting, delivery_id in part:
            remember_sighting(connection, sighting, delivery_id)
        intake.sightings += part


def _is_over(connection: duckdb.DuckDBPyConnection) -> bool:
    try:
        connection.execute("select 1").fetchall()
    except duckdb.TransactionException:
        return True
    return False


def _load_table(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    intake: Intake,
    table: Table,
    deliveries: list[tuple[Sighting, int]],
    specs: dict[tuple[str, str], SourceSettings],
    refused: list[DeliveryRefused],
    shop_timezone: str,
) -> None:
    keep_rows(connection, "people", surrogates_of(landing.folder, [s.kept for s, _ in deliveries]))
    with landing.work_folder() as work, reading_child() as reader:
        files: list[DeliveredFile] = []
        headers = _last_headers(connection, table)
        for sighting, delivery_id in deliveries:
            spec = specs.get((table.name, sighting.source), _NO_SPEC)
            try:
                path, before = landing.path_of(sighting.kept), headers.get(sighting.source)
                file = reader.inspected(Request(sighting, delivery_id, path, table.name, spec, work, before))
                _refuse_empty(file)
                _refuse_other_count(file, intake.promised)
            except DeliveryRefused as error:
                refused.append(error)
                continue
            headers[sighting.source] = file.header
            files.append(file)
        if refused:
            return
        for night, group in groupby(files, lambda file: intake.night(file.sighting)):
            part = list(group)
            intake.notes += [replace(n, night=night) for n in (*column_notes(table, part), *text_notes(table, part))]
        accounts: list[Accounts] = []
        for batch in batches(files):
            try:
                accounts += load_batch(connection, batch, shop_timezone=shop_timezone)
            except DeliveryRefused as error:
                refused.append(error)
        if refused:
            return
    ids = [f.delivery_id for f in files]
    mark_duplicates(connection, table, ids)  # what is known already says nothing of a new delivery's unit
    try:
        refuse_unit_shift(connection, table, files, shop_timezone=shop_timezone)
    except DeliveryRefused as error:
        refused.append(error)
        return
    for night, rounded in groupby(accounts, lambda a: intake.night(a.file.sighting)):
        intake.notes += [replace(n, night=night) for n in rounded_notes(table, list(rounded))]
    store_accounts(connection, table, accounts)
    intake.files_new += len(files)
    intake.rows_in += sum(f.records for f in files)
    intake.new_deliveries[table.name] = intake.new_deliveries.get(table.name, []) + ids


def _last_headers(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        "select source, arg_max(header, delivery_id) from deliveries where table_name = ? group by source", [table.name]
    ).fetchall()
    return {source: tuple(header) for source, header in rows}


def _refuse_empty(file: DeliveredFile) -> None:
    """Sales without a row are no sales: something went wrong. An empty snapshot says that there is nothing."""
    if file.records == 0 and file.table.is_sales:
        raise DeliveryRefused(
            Fault.ROW_COUNT_BELOW_MIN,
            "a header and no row; a delivery of sales has at least one",
            source=file.sighting.source,
            file=file.sighting.file_name,
        )


def _refuse_other_count(file: DeliveredFile, promised: Mapping[Identity, int]) -> None:
    """Refuse a file with another number of rows than its manifest promises."""
    s = file.sighting
    wanted = promised.get((s.table, s.source, s.sha256), file.records)
    if wanted != file.records:
        raise DeliveryRefused(
            Fault.TRUNCATED if file.records < wanted else Fault.CHECKSUM_MISMATCH,
            f"{file.records:,} rows arrived, its manifest promises {wanted:,}; deliver both again",
            source=s.source,
            file=s.file_name,
        )
