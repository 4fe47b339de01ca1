"""Strict parsing: the records of a batch become typed rows, or rejects with a reason."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import duckdb
import pyarrow as pa

from data.contracts import DType, Table
from data.ingest.casting import CastRules, ColumnCast, column_cast, literal, null_sql, sql_type, stripped_sql
from data.ingest.currencies import NO_RATE, money_columns, with_rates
from data.ingest.deliveries import NORMALISED_COLUMNS, Batch, DeliveredFile
from data.ingest.exchange import keep_rows
from data.ingest.faults import DeliveryRefused, Fault, Reason
from data.ingest.privacy import person_sql, pseudonym_sql
from data.ingest.reading import delivered, placed
from data.ingest.rejects import Verdict, future_sql, refuse_on_file_faults, reject_cast_rows
from data.warehouse import quoted

__all__ = ["Parsed", "forget_cast_rows", "parse", "readable", "reject"]

_ID_COLUMNS = frozenset(
    {
        "sku",
        "component_sku",
        "replaces_sku",
        "order_id",
        "order_line_id",
        "po_id",
        "preorder_id",
        "campaign_id",
        "return_id",
        "style_id",
    }
)
_OWN_TROUBLE = (duckdb.OutOfMemoryException, duckdb.InterruptException, duckdb.InternalException)  # no file's fault


@dataclass(frozen=True)
class Parsed:
    """A part of a batch, read: what stands in the view ``typed``, and what the other rows are refused for."""

    part: Batch
    rows: str
    casts: dict[str, ColumnCast]
    verdicts: list[Verdict]


def parse(connection: duckdb.DuckDBPyConnection, batch: Batch, *, shop_timezone: str) -> Parsed:
    """Read a batch, or a part of one, as ``cast_rows`` and lay the temporary view ``typed`` over it.

    ``typed`` has ``delivery_id, row_number``, the contract's columns and, where a SKU was delivered in another
    spelling, that as ``spelled``; good rows alone. The others are for :func:`reject`. Text is read once, into a table
    that is numbered and compared with the other reader's count; Parquet numbers its rows itself, so nothing of it is
    written down before its rows reach their table.

    Raises:
        DeliveryRefused: ``PARSER_DISAGREEMENT`` or ``FORMAT``.
    """
    table = batch.first.table
    casts = _casts(batch, shop_timezone)
    with delivered(batch) as scan, readable(batch):
        _read(connection, _cast_sql(connection, batch, scan, casts), batch)
        rows = placed(connection, batch)
    verdicts = _verdicts(batch, shop_timezone)
    if (currency := batch.first.spec.currency) is not None:
        rows = with_rates(connection, rows, table, currency=currency, shop_timezone=shop_timezone)
        verdicts.append(Verdict(NO_RATE, Reason.CURRENCY_UNKNOWN, "currency", literal(currency)))
    refused = " or ".join(v.condition for v in verdicts) or "false"
    with readable(batch):
        values, joins = _kept_columns(connection, batch, casts)
    connection.execute(
        f"create or replace temp view typed as select p.delivery_id, p.row_number, {values}, p.spelled from ({rows}) p"
        f"{joins} where not p.is_bad and not ({refused})"
    )
    return Parsed(batch, rows, casts, verdicts)


@contextmanager
def readable(batch: Batch) -> Iterator[None]:
    """Refuse the delivery where DuckDB trips over it.

    Raises:
        DeliveryRefused: ``FORMAT``.
    """
    try:
        yield
    except duckdb.Error as error:
        is_binary = batch.first.text is None and not isinstance(error, _OWN_TROUBLE)
        if not (is_binary or isinstance(error, duckdb.InvalidInputException)):
            raise
        sighting = batch.first.sighting
        message = f"DuckDB cannot read it: {str(error).splitlines()[0][:200]}"
        raise DeliveryRefused(Fault.FORMAT, message, source=sighting.source, file=sighting.file_name) from error


def _read(connection: duckdb.DuckDBPyConnection, query: str, batch: Batch) -> None:
    """Make ``cast_rows``: of Parquet a view, unless spellings change; of text a table."""
    forget_cast_rows(connection)
    if batch.first.text is None:
        connection.execute(f"create temp view cast_rows as {query}")
        if not _other_spellings(connection, batch):
            return
        forget_cast_rows(connection)
    connection.execute(f"create temp table cast_rows as {query}")
    _normalise_spellings(connection, batch)


def forget_cast_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of the rows that were read."""
    connection.execute("drop view if exists typed")
    for kind, found in (("view", "duckdb_views() where view_name"), ("table", "duckdb_tables() where table_name")):
        if connection.execute(f"select 1 from {found} = 'cast_rows'").fetchall():
            connection.execute(f"drop {kind} cast_rows")


def reject(connection: duckdb.DuckDBPyConnection, parsed: Parsed, *, loaded: int) -> None:
    """Add the rows that ``typed`` left out to ``rejected``; without any, nothing is read again.

    Raises:
        DeliveryRefused: ``NAIVE_TIMESTAMP`` or ``DATE_SWAPPED``.
    """
    batch = parsed.part
    if loaded == sum(batch.good(f) for f in batch.files):
        return
    with readable(batch):
        reject_cast_rows(connection, batch, parsed.rows, parsed.casts, parsed.verdicts)
    refuse_on_file_faults(connection, batch)


def _verdicts(batch: Batch, shop_timezone: str) -> list[Verdict]:
    """Return what a sound row may be refused for, the value as it was delivered."""
    table = batch.first.table
    is_late = future_sql(table, shop_timezone)
    if is_late is None or table.business_date is None:
        return []
    value = f"cast({quoted(table.business_date)} as varchar)"
    if table.business_date in batch.first.mapping.taken:
        value = f"coalesce(cast(raw.{quoted(table.business_date)} as varchar), {value})"
    return [Verdict(is_late, Reason.FUTURE, table.business_date, value)]


def _cast_sql(connection: duckdb.DuckDBPyConnection, batch: Batch, scan: str, casts: dict[str, ColumnCast]) -> str:
    """Return SQL for the cast rows: each is read once, and keeps its text only where it may not be loaded."""
    first = batch.first
    stripped, places = _stripped(connection, batch, scan)
    values = ", ".join(f"{cast.value} as {quoted(name)}" for name, cast in casts.items())
    bad = " or ".join([*(c.bad for c in casts.values() if c.bad != "false")]) or "false"
    suspect = _suspect_sql(batch)
    texts = ", ".join(f"{quoted(n)} := {quoted('x_' + n)}" for n in first.mapping.taken)
    raw = f"case when is_bad or {suspect} then struct_pack({texts}) end" if texts else "null"
    names = ", ".join(quoted(n) for n in casts)
    rounded = " or ".join(c.rounded for c in casts.values() if c.rounded != "false") or "false"
    return (
        f"select {places}{names}, is_bad, {raw} as raw, spelled, ({rounded}) as is_rounded from (select *, ({bad}) as "
        f"is_bad from (select *, {values} from ({stripped})))"
    )


def _suspect_sql(batch: Batch) -> str:
    """Return a condition that holds for every row dated after its own arrival, and for few others."""
    table = batch.first.table
    if batch.first.spec.currency is not None:
        return "true"  # any row may lack a rate
    if table.known_in_advance or table.business_date is None:
        return "false"
    earliest = min(f.sighting.landed_at for f in batch.files) - timedelta(days=1)
    if table.column(table.business_date).dtype is DType.TIMESTAMP:
        return f"coalesce({quoted(table.business_date)} > timestamptz '{earliest.isoformat()}', false)"
    return f"coalesce({quoted(table.business_date)} > date '{earliest.date()}', false)"


def _kept_columns(connection: duckdb.DuckDBPyConnection, batch: Batch, casts: dict[str, ColumnCast]) -> tuple[str, str]:
    """Return SQL for the columns to keep, and the joins they need: a person's reference leaves as its keyed hash.

    What was split on arrival brings surrogates, which ``people`` knows; any other reference is hashed once, not once a
    row: that is thirty times slower. Money leaves in the shop's currency.
    """
    values, joins = [], ""
    is_split = all(f.sighting.kept_sha256 for f in batch.files)
    for number, name in enumerate(casts):
        column = f"p.{quoted(name)}"
        is_person = batch.first.table.column(name).person
        if is_person and is_split and name in batch.first.mapping.taken:
            joins += f" left join people h{number} on h{number}.ref = {column}"
            column = f"coalesce(h{number}.pseudonym, {pseudonym_sql(column)})"
        elif is_person and name in (*batch.first.mapping.taken, *batch.first.spec.defaults):
            connection.execute(
                f"create or replace temp table persons_{number} as select person, {person_sql('person')} as hashed "
                f"from (select distinct {quoted(name)} as person from cast_rows where {quoted(name)} is not null)"
            )
            joins += f" left join persons_{number} h{number} on h{number}.person = {column}"
            column = f"h{number}.hashed"
        elif batch.first.spec.currency is not None and name in money_columns(batch.first.table):
            column = f"cast({column} * p.fx_rate as decimal(18, 4))"
        values.append(f"{column} as {quoted(name)}")
    return ", ".join(values), joins


def _physical(connection: duckdb.DuckDBPyConnection, scan: str) -> dict[str, str]:
    """DuckDB types of the scan's columns."""
    described = connection.execute(f"describe {scan}").fetchall()
    return {row[0]: row[1] for row in described}


def _stripped(connection: duckdb.DuckDBPyConnection, batch: Batch, scan: str) -> tuple[str, str]:
    """Return SQL with one column per delivered contract column, text stripped, SKUs normalised; and places to keep.

    The places are ``row_at`` of Parquet and ``filename`` of several files. ``spelled`` is the SKU as it was
    delivered, where that differs.
    """
    types = _physical(connection, scan)
    first = batch.first
    needs_strip = any(f.text is None or f.text.needs_strip for f in batch.files)
    columns, texts, spelled = [], [], "null::varchar"
    for name, source_column in first.mapping.taken.items():
        column = f"c{first.header.index(source_column)}"
        if types[column] != "VARCHAR":
            fine = "::timestamptz" if types[column] == "TIMESTAMPTZ_NS" else ""  # which compares with no other instant
            columns.append(f"r.{column}{fine} as {quoted('x_' + name)}")
            continue
        is_plain = batch.is_plain(name)
        text = stripped_sql(f"r.{column}") if needs_strip and not is_plain else f"r.{column}"
        if needs_strip and name == "sku" and not is_plain:
            spelled = f"case when r.{column} <> {text} then r.{column} end"
        columns.append(f"{text} as {quoted('x_' + name)}")
        if not is_plain:
            texts.append(quoted("x_" + name))
    places = "".join(f"{p}, " for p in ("row_at", "filename") if p in types)
    listed = ", ".join([*columns, f"{spelled} as spelled"])
    stripped = f"select {places}{listed} from ({scan}) r"
    nulls = ", ".join(f"{null_sql(t, first.spec.null_values)} as {t}" for t in texts)
    return (f"select * replace ({nulls}) from ({stripped})" if nulls else stripped), places


def _normalise_spellings(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Normalise (NFKC) the few SKUs that are not plain ASCII; a SKU that changes is kept as ``spelled``."""
    for name, changed in _other_spellings(connection, batch).items():
        rows = pa.table({"delivered": list(changed), "normalised": list(changed.values())})
        keep_rows(connection, "spellings", rows)
        kept = f", spelled = coalesce(spelled, {name})" if name == "sku" else ""
        connection.execute(
            f"update cast_rows set {name} = s.normalised{kept} from spellings s where s.delivered = cast_rows.{name}"
        )


def _other_spellings(connection: duckdb.DuckDBPyConnection, batch: Batch) -> dict[str, dict[str, str]]:
    """Return the delivered codes that NFKC spells otherwise, with that spelling, by column."""
    if not any(f.text is None or not f.text.scan.is_ascii for f in batch.files):
        return {}
    others = {}
    for name in NORMALISED_COLUMNS:
        if name not in batch.first.mapping.taken or batch.is_plain(name):
            continue
        found = connection.execute(
            f"select distinct {name} from cast_rows where strlen({name}) <> length({name})"
        ).fetchall()
        spellings = {str(row[0]): unicodedata.normalize("NFKC", str(row[0])).strip() for row in found}
        changed = {k: v for k, v in spellings.items() if k != v}
        if changed:
            others[name] = changed
    return others


def _casts(batch: Batch, shop_timezone: str) -> dict[str, ColumnCast]:
    """Return the cast of every contract column: delivered, from a default, or null."""
    first = batch.first
    rules = CastRules(
        first.spec,
        shop_timezone,
        _ID_COLUMNS,
        is_scanned=all(f.text is not None for f in batch.files),
        is_ascii=all(f.text is not None and f.text.scan.is_ascii for f in batch.files),
    )
    casts = {}
    for column in first.table.columns:
        text = quoted(f"x_{column.name}")
        if column.name in first.mapping.taken:
            physical = _physical_of(first, column.name)
        elif column.name in first.spec.defaults:
            text, physical = literal(str(first.spec.defaults[column.name])), "VARCHAR"
        else:
            casts[column.name] = ColumnCast(f"null::{sql_type(column.dtype)}", "false", "null", "null")
            continue
        if column.person:
            plain = text if physical == "VARCHAR" else f"cast({text} as varchar)"
            casts[column.name] = ColumnCast(plain, "false", "null", f"'[{column.name}]'")
        else:
            is_plain = column.name in first.mapping.taken and physical == "VARCHAR" and batch.is_plain(column.name)
            casts[column.name] = column_cast(column, text, physical=physical, rules=replace(rules, is_plain=is_plain))
    return {name: _never_null(first.table, name, cast) for name, cast in casts.items()}


def _never_null(table: Table, name: str, cast: ColumnCast) -> ColumnCast:
    """No null in a key: location ``main``, supplier ``-``, region ``*``."""
    if name not in table.key_defaults or not (name in table.key or name == "location_id"):
        return cast
    return replace(cast, value=f"coalesce({cast.value}, {literal(table.key_defaults[name])})")


_ARROW_TO_DUCKDB: tuple[tuple[str, str], ...] = (
    ("timestamp", "TIMESTAMP"),
    ("date", "DATE"),
    ("decimal", "DECIMAL"),
    ("large_string", "VARCHAR"),
    ("string", "VARCHAR"),
    ("dictionary", "VARCHAR"),
    ("bool", "BOOLEAN"),
    ("double", "DOUBLE"),
    ("float", "FLOAT"),
    ("halffloat", "FLOAT"),
    ("uint", "UBIGINT"),
    ("int", "BIGINT"),
)


def _physical_of(file: DeliveredFile, column: str) -> str:
    """Return the DuckDB type of a delivered column."""
    if file.text is not None:
        return "VARCHAR"
    arrow = file.types[file.header.index(file.mapping.taken[column])]
    if arrow.startswith("timestamp") and "tz=" in arrow:
        return "TIMESTAMP WITH TIME ZONE"
    if decimal := re.match(r"decimal[0-9]*(\([0-9]+, -?[0-9]+\))", arrow):
        return f"DECIMAL{decimal[1]}"
    return next((duck for start, duck in _ARROW_TO_DUCKDB if arrow.startswith(start)), "OTHER")
