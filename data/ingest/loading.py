"""From typed rows to raw tables: keys are made, duplicates found, and every record of every file is accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from data.contracts import Mode, Table
from data.errors import DataError
from data.ingest.casting import literal
from data.ingest.deliveries import Batch, DeliveredFile, delivery_key
from data.ingest.exchange import keep_rows, sorted_hashes
from data.ingest.faults import DeliveryRefused, Fault, Reason
from data.ingest.parsing import Parsed, forget_cast_rows, parse, readable, reject
from data.ingest.rejects import create_rejected, reject_unreadable
from data.ingest.store import count_deliveries, raw_name, remember_delivery, remember_first_zone
from data.ingest.zones import local_day_sql
from data.warehouse import quoted

__all__ = ["MADE_KEYS", "Accounts", "key_sql", "load_batch", "mark_duplicates", "store_accounts"]

MADE_KEYS = {"order_lines": "order_line_id", "returns": "return_id", "purchase_orders": "po_id", "receipts": "po_id"}
_KEY_HEX_DIGITS = 24  # 96 bits: two of 100 million different lines meet with a chance of 1e-13
_MIN_BAD_ROWS = 5  # a share of a tiny file says nothing
_NOT_AT_FAULT = (Reason.FUTURE,)  # the shop's clock, not the file's format


@dataclass(frozen=True)
class Accounts:
    """What became of the records of one file; ``rows_rounded`` are loaded, a price of theirs had too many decimals."""

    file: DeliveredFile
    rows_raw: int
    rows_quarantined: int
    rows_dropped: int
    rows_rounded: int = 0

    def verify(self) -> None:
        """Raise ``DataError`` unless every record is somewhere."""
        found = self.rows_raw + self.rows_quarantined + self.rows_dropped
        if found != self.file.records:
            raise DataError(
                f"row accounts of {self.file.sighting.file_name} (source {self.file.sighting.source}) do not add up: "
                f"{self.file.records:,} came in, {self.rows_raw:,} loaded + {self.rows_quarantined:,} quarantined "
                f"+ {self.rows_dropped:,} duplicates = {found:,}"
            )


def load_batch(connection: duckdb.DuckDBPyConnection, batch: Batch, *, shop_timezone: str) -> list[Accounts]:
    """Parse a batch part by part into the raw table, its bad rows into quarantine; return the accounts of each file.

    Raises:
        DeliveryRefused: a rule that concerns the whole file is broken, or there are more bad rows than the source's
            limit, in a table of sales.
        DataError: the accounts do not add up.
    """
    table = batch.first.table
    create_rejected(connection)
    reject_unreadable(connection, batch)
    connection.execute("create or replace temp table respelled (delivery_id bigint, row_number bigint)")
    connection.execute("create or replace temp table made_keys (delivery_id bigint, row_number bigint)")
    columns = ", ".join(quoted(n) for n in table.names)
    day = f", {local_day_sql(shop_timezone, 'ordered_at')}" if table.name == "order_lines" else ""
    connection.execute("create or replace temp table rounded (delivery_id bigint, rows bigint)")
    remember_first_zone(connection, table, shop_timezone)
    for part in batch.parts:
        parsed = parse(connection, part, shop_timezone=shop_timezone)
        with readable(part):
            _note_odd_rows(connection, parsed)
            inserted = connection.execute(
                f"insert into {raw_name(table)} select delivery_id, row_number, false, {columns}{day} from "
                f"{_keyed(table, part)}"
            ).fetchall()
        reject(connection, parsed, loaded=int(inserted[0][0]))
    forget_cast_rows(connection)
    _number_equal_lines(connection, batch)
    _resolve_within_files(connection, batch)
    _refuse_beyond_limit(connection, batch)
    _store_quarantine(connection, batch)
    return _accounts(connection, batch)


def _note_odd_rows(connection: duckdb.DuckDBPyConnection, parsed: Parsed) -> None:
    """Remember how many rows were rounded, which spelled their SKU in another way, and which lack the file's key."""
    part = parsed.part
    has_prices = any(c.rounded != "false" for c in parsed.casts.values())
    if has_prices and connection.execute("select 1 from cast_rows where is_rounded limit 1").fetchall():
        connection.execute(
            f"insert into rounded select delivery_id, count(*) from ({parsed.rows}) where is_rounded and not is_bad "
            "group by all"
        )
    taken = part.first.mapping.taken
    is_respelled = "sku" in taken and not part.is_plain("sku")
    if is_respelled and any(f.text is None or f.text.needs_strip for f in part.files):
        connection.execute("insert into respelled select delivery_id, row_number from typed where spelled is not null")
    made = MADE_KEYS.get(part.first.table.name)
    if made in taken and part.lacks(made) and _is_missing(connection, made):
        connection.execute(
            f"insert into made_keys select delivery_id, row_number from typed where {quoted(made)} is null"
        )


def _is_missing(connection: duckdb.DuckDBPyConnection, column: str) -> bool:
    """Return whether a row that was read lacks a value: one column is soon looked through."""
    return bool(connection.execute(f"select 1 from cast_rows where {quoted(column)} is null limit 1").fetchall())


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


def _keyed(table: Table, batch: Batch) -> str:
    """Return SQL for the typed rows with their keys; a row that came without one gets a digest of its content."""
    made = MADE_KEYS.get(table.name)
    if made is None or (made in batch.first.mapping.taken and not batch.lacks(made)):
        return "typed"
    parts = [
        f"coalesce(cast({quoted(c.name)} as varchar), chr(30))"
        for c in table.columns
        if c.name != made and not c.person
    ]
    content = f"concat_ws(chr(31), {literal(batch.first.sighting.source)}, {', '.join(parts)})"
    digest = f"substr(md5({content}), 1, {_KEY_HEX_DIGITS})"
    return f"(select * replace (coalesce({quoted(made)}, {digest}) as {quoted(made)}) from typed)"


def _number_equal_lines(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Equal lines of one file that came without a key are different ones: ``-2``, ``-3`` ... is added to theirs."""
    table = batch.first.table
    made = MADE_KEYS.get(table.name)
    if made is None or made in batch.first.spec.defaults:
        return
    delivered = made in batch.first.mapping.taken
    if delivered and not _count(connection, "made_keys"):
        return
    raw, column, ids = raw_name(table), quoted(made), _ids(batch)
    if not _repeated_hashes(connection, table, [column], ids):
        return
    only_made = "semi join made_keys m on m.delivery_id = r.delivery_id and m.row_number = r.row_number"
    connection.execute(
        "create or replace temp table nth as select delivery_id, row_number, nth from (select r.delivery_id, "
        f"r.row_number, row_number() over (partition by r.delivery_id, r.{column} order by r.row_number) as nth "
        f"from {raw} r {only_made if delivered else ''} semi join repeated_hashes h on h.hash = "
        f"hash(r.delivery_id, r.{column}) where r.delivery_id in ({ids})) where nth > 1"
    )
    connection.execute(
        f"update {raw} set {column} = {column} || '-' || nth.nth from nth "
        f"where {raw}.delivery_id = nth.delivery_id and {raw}.row_number = nth.row_number"
    )


def _ids(batch: Batch) -> str:
    return ", ".join(str(f.delivery_id) for f in batch.files)


def _repeated_hashes(connection: duckdb.DuckDBPyConnection, table: Table, key: Sequence[str], ids: str) -> bool:
    """Make ``repeated_hashes`` of the hashes that more than one row of a delivery has; return whether there is one."""
    rows = f"from {raw_name(table)} where delivery_id in ({ids})"
    hashes = sorted_hashes(connection, f"delivery_id, {', '.join(key)}", rows)
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    keep_rows(connection, "repeated_hashes", pa.table({"hash": pa.array(twice, pa.uint64())}))
    return len(twice) > 0


def key_sql(table: Table, alias: str = "") -> list[str]:
    """Return the SQL of a row's identity within the table. A return that names its sale's line is no version of it."""
    dot = f"{alias}." if alias else ""
    parts = [f"{dot}{quoted(k)}" for k in delivery_key(table)]
    return [*parts, f"({dot}quantity < 0)"] if table.name == "order_lines" else parts


def _resolve_within_files(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Fill ``dropped``: of equal rows with one key all but the first; of unequal ones all, which go to quarantine."""
    table = batch.first.table
    connection.execute(
        "create or replace temp table dropped (delivery_id bigint, row_number bigint, is_conflict boolean)"
    )
    made = MADE_KEYS.get(table.name)
    if made is not None and made not in batch.first.mapping.taken and made not in batch.first.spec.defaults:
        return  # made keys are unique by construction
    proven = [k for k in delivery_key(table) if k in batch.first.mapping.taken and batch.never_repeats(k)]
    if proven:
        connection.executemany(
            "insert into never_repeating values (?, ?)", [(f.delivery_id, k) for f in batch.files for k in proven]
        )
        return
    key, ids, raw = key_sql(table, "k"), _ids(batch), raw_name(table)
    if not _repeated_hashes(connection, table, key_sql(table), ids):
        return
    partition = ", ".join(["k.delivery_id", *key])
    values = ", ".join(f"coalesce(cast(k.{quoted(n)} as varchar), chr(30))" for n in table.names)
    connection.execute(
        f"insert into dropped select delivery_id, row_number, versions > 1 from (select k.delivery_id, k.row_number, "
        f"row_number() over (partition by {partition} order by k.row_number) as nth, "
        f"count(distinct md5(concat_ws(chr(31), {values}))) over (partition by {partition}) as versions "
        f"from {raw} k semi join repeated_hashes h on h.hash = hash({partition}) where k.delivery_id in ({ids})) "
        "where versions > 1 or nth > 1"
    )
    if not _count(connection, "dropped"):
        return
    _quarantine_conflicts(connection, batch)
    connection.execute(
        f"delete from {raw} using dropped d where d.delivery_id = {raw}.delivery_id and d.row_number = {raw}.row_number"
    )


def _quarantine_conflicts(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    first = batch.first
    shown = " || ' / ' || ".join(f"coalesce(cast(k.{quoted(n)} as varchar), '-')" for n in first.table.key)
    packed = ", ".join(f"{quoted(n)} := cast(k.{quoted(n)} as varchar)" for n in first.mapping.taken)
    identity = ", ".join(["k.delivery_id", *key_sql(first.table, "k")])
    respelled = f"bool_or(s.row_number is not null) over (partition by {identity})"
    reason = f"'{Reason.DUP_CONFLICT}'"
    if "sku" in first.table.key:
        reason = f"case when {respelled} then '{Reason.KEY_COLLISION}' else '{Reason.DUP_CONFLICT}' end"
    connection.execute(
        f"insert into rejected select k.delivery_id, k.row_number, {reason}, {literal(', '.join(first.table.key))}, "
        f"{shown}, cast(to_json(struct_pack({packed})) as varchar) from {raw_name(first.table)} k join dropped d "
        "on d.delivery_id = k.delivery_id and d.row_number = k.row_number and d.is_conflict left join respelled s "
        "on s.delivery_id = k.delivery_id and s.row_number = k.row_number"
    )


def _refuse_beyond_limit(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """More than the limit of bad rows in a file of sales stops the step: something is wrong with the file."""
    if not batch.first.table.is_sales:
        return
    rows = connection.execute(
        "select delivery_id, count(*), min(row_number), mode(reason) from rejected where reason not in (select "
        "unnest($1)) "
        "group by delivery_id order by delivery_id",
        [[str(r) for r in _NOT_AT_FAULT]],
    ).fetchall()
    files = {f.delivery_id: f for f in batch.files}
    for delivery_id, bad, row_number, reason in rows:
        file = files[delivery_id]
        if bad < _MIN_BAD_ROWS or bad <= file.spec.max_quarantine_share * file.records:
            continue
        drift = file.text.scan.drift.most_common(1) if file.text is not None else []
        drifted = bool(drift) and drift[0][1] * 2 > bad
        raise DeliveryRefused(
            Fault.DIALECT_DRIFT if drifted else Fault.QUARANTINE_LIMIT,
            f"{bad:,} of {file.records:,} rows cannot be used, most for {reason}; the limit is "
            f"{file.spec.max_quarantine_share:.1%}"
            + (f"; the delimiter seems to change to {drift[0][0]!r}" if drifted else "")
            + "; deliver it again, or raise `max_quarantine_share` for this source",
            source=file.sighting.source,
            file=file.sighting.file_name,
            line=row_number + (1 if file.text is not None else 0),
        )


def _store_quarantine(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    rows = ", ".join(
        f"({f.delivery_id}, {literal(f.sighting.sha256)}, date '{f.sighting.run_date}')" for f in batch.files
    )
    connection.execute(
        f"insert into quarantine_rows select {literal(batch.first.sighting.source)}, "
        f"{literal(batch.first.table.name)}, "
        f"r.delivery_id, f.sha256, r.row_number, r.reason, r.column_name, r.value, r.raw_row, f.first_seen_date, "
        "'open' "
        f"from rejected r join (values {rows}) f(delivery_id, sha256, first_seen_date) using (delivery_id) "
        "order by r.delivery_id, r.row_number"
    )


def _accounts(connection: duckdb.DuckDBPyConnection, batch: Batch) -> list[Accounts]:
    ids = [f.delivery_id for f in batch.files]
    raw = _by_delivery(connection, f"from {raw_name(batch.first.table)} where delivery_id in (select unnest($1))", ids)
    bad = _by_delivery(connection, "from rejected where delivery_id in (select unnest($1))", ids)
    dropped = _by_delivery(connection, "from dropped where not is_conflict and delivery_id in (select unnest($1))", ids)
    rounded = dict(connection.execute("select delivery_id, sum(rows)::bigint from rounded group by all").fetchall())
    found = [
        Accounts(f, *(counts.get(f.delivery_id, 0) for counts in (raw, bad, dropped, rounded))) for f in batch.files
    ]
    for accounts in found:
        accounts.verify()
    return found


def _by_delivery(connection: duckdb.DuckDBPyConnection, tail: str, ids: list[int]) -> dict[int, int]:
    return dict(connection.execute(f"select delivery_id, count(*) {tail} group by delivery_id", [ids]).fetchall())


def mark_duplicates(connection: duckdb.DuckDBPyConnection, table: Table, ids: Sequence[int]) -> None:
    """Mark rows of the deliveries ``ids`` that an earlier delivery already brought, value for value."""
    if table.mode is Mode.SNAPSHOT or not ids:
        return
    raw = raw_name(table)
    if count_deliveries(connection, table, ids) < 2:
        return
    key = key_sql(table, "r")
    aliased = ", ".join(f"{k} as k{i}" for i, k in enumerate(key))
    same = "=" if table.is_sales else "is not distinct from"  # no key of a sale is null; by `=` row groups are skipped
    on = " and ".join(f"n.k{i} {same} {k}" for i, k in enumerate(key))
    connection.execute(f"create or replace temp table new_ids as select unnest({list(ids)!r}::bigint[]) as delivery_id")
    connection.execute(
        f"create or replace temp table shared as select {aliased} from {raw} r "
        f"semi join (select {aliased} from {raw} r semi join new_ids i on i.delivery_id = r.delivery_id) n on {on} "
        "group by all having count(*) > 1"
    )
    if not _count(connection, "shared"):
        return
    values = ", ".join(f"coalesce(cast(r.{quoted(n)} as varchar), chr(30))" for n in table.names)
    content = f"md5(concat_ws(chr(31), {values}))"
    connection.execute(
        "create or replace temp table repeats as select delivery_id, row_number from (select r.delivery_id, "
        "r.row_number, "
        f"row_number() over (partition by {', '.join(key)}, {content} order by r.delivery_id, r.row_number) as nth "
        f"from {raw} r semi join shared n on {on}) where nth > 1 and delivery_id in (from new_ids)"
    )
    connection.execute(
        f"update {raw} set is_duplicate = true from repeats "
        f"where repeats.delivery_id = {raw}.delivery_id and repeats.row_number = {raw}.row_number"
    )


def store_accounts(connection: duckdb.DuckDBPyConnection, table: Table, accounts: Sequence[Accounts]) -> None:
    """Store the accounts of new deliveries, rows repeated across files counted as duplicates."""
    ids = [a.file.delivery_id for a in accounts]
    repeats = _by_delivery(
        connection, f"from {raw_name(table)} where is_duplicate and delivery_id in (select unnest($1))", ids
    )
    for account in accounts:
        account.verify()
        file = account.file
        again = repeats.get(file.delivery_id, 0)
        remember_delivery(
            connection,
            file.sighting,
            delivery_id=file.delivery_id,
            header=file.header,
            rows_in=file.records,
            rows_raw=account.rows_raw - again,
            rows_quarantined=account.rows_quarantined,
            rows_duplicate=account.rows_dropped + again,
        )
