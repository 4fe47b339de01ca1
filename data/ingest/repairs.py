"""Rows of the quarantine that an operator repaired or dismissed: kept in the ledger, shown to the runs that came after.

A repaired row stands in for the one that was delivered, under its delivery and row number: it is of the same version,
and the delivery's accounts count it as loaded. A run that was published before the repair does not see it: there the
row hides under the negative number of its delivery.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from data.contracts import TABLES, Mode, Table
from data.errors import DataError
from data.ingest.deliveries import batches, inspected
from data.ingest.exchange import keep_rows
from data.ingest.faults import JUDGED_ANEW, DeliveryRefused, Reason
from data.ingest.landing import Landing, Sighting, sightings_in
from data.ingest.loading import MADE_KEYS, key_sql, load_batch
from data.ingest.people import surrogates_of
from data.ingest.privacy import buyer_key, pseudonym
from data.ingest.store import raw_name
from data.settings import SourceSettings
from data.warehouse import quoted

__all__ = ["Repair", "apply_repairs", "newest_repair", "repair_line", "repairs_in", "show_repairs"]

_STAND_IN = -(10**15)  # delivery of rows that are being repaired, until they have their own
_MAX_NAMED = 5


@dataclass(frozen=True)
class Repair:
    """A line of the ledger: what an operator made of one row, and why. ``action`` is ``load`` or ``dismiss``."""

    seq: int
    source: str
    table: str
    sha256: str
    row_number: int
    action: str
    values: Mapping[str, str]
    why: str


def repair_line(repair: Repair) -> dict[str, Any]:
    """Return the ledger's line of a repair."""
    return {"kind": "repair", **{k: dict(v) if k == "values" else v for k, v in vars(repair).items()}}


def repairs_in(lines: Iterable[Mapping[str, Any]]) -> list[Repair]:
    """Return the repairs among the ledger's lines, oldest first."""
    return [Repair(**{k: v for k, v in line.items() if k != "kind"}) for line in lines if line["kind"] == "repair"]


def newest_repair(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of the last repair that the warehouse knows, 0 where there is none."""
    return int(connection.execute("select coalesce(max(seq), 0) from repairs").fetchall()[0][0])


def apply_repairs(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    repairs: Sequence[Repair],
    sightings: Sequence[tuple[Sighting, int]],
    *,
    specs: Mapping[tuple[str, str], SourceSettings],
    shop_timezone: str,
) -> None:
    """Load the repairs that the warehouse does not know yet.

    Raises:
        DataError: a row is still not fit to be loaded; the message names row, column and reason.
    """
    known = {row[0] for row in connection.execute("select seq from repairs").fetchall()}
    landed = {s.seq: s for s in sightings_in(landing.ledger())}  # the ledger knows what landing keeps of each
    deliveries = {(s.source, s.table, s.sha256): (landed.get(s.seq, s), d) for s, d in sightings}
    groups: dict[tuple[str, str, str], list[Repair]] = {}
    for repair in repairs:
        if repair.seq not in known:
            groups.setdefault((repair.source, repair.table, repair.sha256), []).append(repair)
    for place, group in groups.items():
        sighting, delivery_id = deliveries[place]
        for repair in group:
            connection.execute(
                "insert into repairs values (?, ?, ?, ?, ?)",
                [repair.seq, repair.table, delivery_id, repair.row_number, repair.action],
            )
        loaded = [r for r in group if r.action == "load"]
        if loaded:
            spec = specs.get((sighting.table, sighting.source), SourceSettings(name="-", path="-"))
            _load(connection, landing, loaded, sighting, delivery_id, spec=spec, shop_timezone=shop_timezone)


def _load(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    repairs: Sequence[Repair],
    sighting: Sighting,
    delivery_id: int,
    *,
    spec: SourceSettings,
    shop_timezone: str,
) -> None:
    """Cast repaired rows as strictly as any delivery, and give them the numbers of the rows they stand in for."""
    table = TABLES[sighting.table]
    plain = spec.model_copy(
        update={"columns": {}, "delimiter": ",", "quote": '"', "encoding": "utf-8", "format": "csv", "defaults": {}}
    )
    people = surrogates_of(landing.folder, [sighting.kept])
    keep_rows(connection, "people", people)
    names = list(dict.fromkeys(n for r in repairs for n in r.values))
    names += [c.name for c in table.columns if c.person and c.name not in names and people.num_rows]
    with landing.work_folder() as work:
        path = work / "repaired.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            buyers = _buyers(connection, repairs, delivery_id, people["ref"].to_pylist())
            for repair in repairs:
                values = {**buyers.get(repair.row_number, {}), **repair.values}
                writer.writerow([values.get(n, "") for n in names])
        try:
            file_seen = inspected(
                replace(sighting, file_name="repaired.csv"),
                delivery_id=_STAND_IN,
                path=path,
                table=table,
                spec=plain,
                work=work,
                before=None,
            )
            for batch in batches([file_seen]):
                load_batch(connection, batch, shop_timezone=shop_timezone)
        except DeliveryRefused as error:
            raise DataError(f"the repaired rows of {sighting.file_name} cannot be loaded: {error}") from error
    _refuse_bad(connection, repairs, sighting)
    again = connection.execute("select row_number from dropped where not is_conflict order by 1").fetchall()
    _tell_apart(connection, table, repairs, delivery_id)
    _refuse_conflicts(connection, repairs, sighting, delivery_id)
    for number, repair in enumerate(repairs, start=1):
        connection.execute(
            f"update {raw_name(table)} set delivery_id = $1, row_number = $2 "
            "where delivery_id = $3 and row_number = $4",
            [delivery_id, repair.row_number, _STAND_IN, number],
        )
    _mark_repeats(connection, table, delivery_id, [r.row_number for r in repairs])
    if again:  # repaired rows that equal another repaired one: duplicates, to be counted as such
        rest = [repairs[number - 1] for (number,) in again]
        _load(connection, landing, rest, sighting, delivery_id, spec=spec, shop_timezone=shop_timezone)


def _buyers(
    connection: duckdb.DuckDBPyConnection, repairs: Sequence[Repair], delivery_id: int, refs: Sequence[str]
) -> dict[int, dict[str, str]]:
    """Return the surrogates of the buyers of quarantined rows, by row number; the quarantine shows their hash."""
    key = buyer_key()
    by_hash = {pseudonym(ref, key): ref for ref in refs}
    numbers = [r.row_number for r in repairs]
    rows = connection.execute(
        "select row_number, raw_row from quarantine_rows where delivery_id = $1 and row_number in (select unnest($2)) "
        "and raw_row is not null",
        [delivery_id, numbers],
    ).fetchall()
    persons = {c.name for t in TABLES.values() for c in t.columns if c.person}
    found: dict[int, dict[str, str]] = {}
    for number, raw in rows:
        hashes = {k: v for k, v in json.loads(raw).items() if k in persons and v}
        found[number] = {k: by_hash[v] for k, v in hashes.items() if v in by_hash}
    return found


def _refuse_bad(connection: duckdb.DuckDBPyConnection, repairs: Sequence[Repair], sighting: Sighting) -> None:
    bad = connection.execute(
        "select row_number, column_name, value, reason from quarantine_rows where delivery_id = $1 order by row_number",
        [_STAND_IN],
    ).fetchall()
    if bad:
        shown = "; ".join(
            f"row {repairs[n - 1].row_number}: {reason} in {column or 'the record'} ({value!r})"
            for n, column, value, reason in bad[:_MAX_NAMED]
        )
        raise DataError(
            f"source {sighting.source}, file {sighting.file_name}: {len(bad)} of {len(repairs)} repaired rows are "
            f"still not fit to be loaded: {shown}. Correct them and replay again; nothing was loaded."
        )


def _tell_apart(
    connection: duckdb.DuckDBPyConnection, table: Table, repairs: Sequence[Repair], delivery_id: int
) -> None:
    """Equal lines that came without a key are different ones: a repaired one gets its row number behind its digest."""
    made = MADE_KEYS.get(table.name)
    if made is None:
        return
    raw, key = raw_name(table), quoted(made)
    for number, repair in enumerate(repairs, start=1):
        if not repair.values.get(made):
            connection.execute(
                f"update {raw} set {key} = {key} || '-row-{repair.row_number}' where delivery_id = $1 and row_number = "
                f"$2 and {key} in (select {key} from {raw} where abs(delivery_id) = $3)",
                [_STAND_IN, number, delivery_id],
            )


def _refuse_conflicts(
    connection: duckdb.DuckDBPyConnection, repairs: Sequence[Repair], sighting: Sighting, delivery_id: int
) -> None:
    """A repaired row must not say something else of a key that another row of its file has told of."""
    table = TABLES[sighting.table]
    found = connection.execute(
        f"select n.row_number, min(r.row_number) from {raw_name(table)} n join {raw_name(table)} r on "
        f"{_on(key_sql(table, 'r'), key_sql(table, 'n'))} where n.delivery_id = $1 and abs(r.delivery_id) = $2 "
        f"and {_content(table, 'n')} <> {_content(table, 'r')} group by all order by all",
        [_STAND_IN, delivery_id],
    ).fetchall()
    if found:
        shown = ", ".join(f"row {repairs[n - 1].row_number} against row {other}" for n, other in found[:_MAX_NAMED])
        raise DataError(
            f"source {sighting.source}, file {sighting.file_name}: {Reason.DUP_CONFLICT}: {len(found)} of "
            f"{len(repairs)} repaired rows say something else of a key ({', '.join(table.key)}) than another row of "
            f"the file: {shown}. Correct them and replay again; nothing was loaded."
        )


def _mark_repeats(
    connection: duckdb.DuckDBPyConnection, table: Table, delivery_id: int, row_numbers: Sequence[int]
) -> None:
    """Mark the repaired rows that repeat what stands there already, value for value: they count as duplicates.

    A row that came in order is never the duplicate of a repaired one, wherever in its file it stands.
    """
    key, raw = key_sql(table, "r"), raw_name(table)
    among = f"where abs(r.delivery_id) = {delivery_id}" if table.mode is Mode.SNAPSHOT else ""
    connection.execute(f"create or replace temp table repaired as select unnest({list(row_numbers)!r}::bigint[]) as n")
    is_new = f"(r.delivery_id = {delivery_id} and r.row_number in (from repaired))"
    connection.execute(
        f"create or replace temp table repeats as with same_keys as (select r.*, {is_new} as is_new from {raw} r "
        f"semi join (select * from {raw} where delivery_id = {delivery_id} and row_number in (from repaired)) n on "
        f"{_on(key, key_sql(table, 'n'))} {among}) "
        f"select row_number from (select is_new, row_number, row_number() over (partition by {', '.join(key)}, "
        f"{_content(table, 'r')} order by is_new, delivery_id, row_number) as nth from same_keys r) "
        "where is_new and nth > 1"
    )
    connection.execute(
        f"update {raw} set is_duplicate = true where delivery_id = {delivery_id} and row_number in (from repeats)"
    )


def _on(left: Sequence[str], right: Sequence[str]) -> str:
    return " and ".join(f"{a} is not distinct from {b}" for a, b in zip(left, right, strict=True))


def _content(table: Table, alias: str) -> str:
    values = ", ".join(f"coalesce(cast({alias}.{quoted(n)} as varchar), chr(30))" for n in table.names)
    return f"concat_ws(chr(31), {values})"


def show_repairs(connection: duckdb.DuckDBPyConnection, *, watermark: int) -> None:
    """Show the repairs up to ``watermark``, hide later ones, and make ``shown_repairs`` of those that are shown."""
    tables = connection.execute("select distinct table_name from repairs order by 1").fetchall()
    for (name,) in tables:
        raw = raw_name(TABLES[name])
        connection.execute(
            f"update {raw} set delivery_id = -{raw}.delivery_id from repairs p where p.table_name = '{name}' "
            f"and p.action = 'load' and p.row_number = {raw}.row_number and p.delivery_id = abs({raw}.delivery_id) "
            f"and ({raw}.delivery_id > 0) <> (p.seq <= {watermark})"
        )
        connection.execute(
            "update quarantine_rows set status = case when p.seq > $1 then 'open' when p.action = 'load' then "
            "'replayed' else 'dismissed' end from repairs p where p.table_name = $2 "
            "and quarantine_rows.table_name = $2 and p.delivery_id = quarantine_rows.delivery_id "
            "and p.row_number = quarantine_rows.row_number "
            "and quarantine_rows.reason not in (select unnest($3))",
            [watermark, name, [str(r) for r in JUDGED_ANEW]],
        )
    connection.execute(
        "create or replace temp table shown_repairs (delivery_id bigint, row_number bigint, is_duplicate boolean)"
    )
    for (name,) in tables:
        connection.execute(
            "insert into shown_repairs select r.delivery_id, r.row_number, r.is_duplicate "
            f"from {raw_name(TABLES[name])} r join repairs p on p.table_name = '{name}' and p.action = 'load' "
            "and p.delivery_id = r.delivery_id and p.row_number = r.row_number"
        )
