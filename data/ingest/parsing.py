"""Strict parsing: landed files become typed rows, in batches of files that share a shape.

Text is read by DuckDB as text and nothing else, with every option of the dialect pinned; the number of records and
their order are compared with :mod:`data.ingest.records`, file by file. Parquet is already typed: its row counts are
compared with its own footer as pyarrow reads it, and its values still meet every rule of the contract.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from data.contracts import DType, Mode, Table
from data.ingest.casting import CastRules, ColumnCast, column_cast, literal, null_sql, sql_type, stripped_sql
from data.ingest.delimited import Delimited, prepared
from data.ingest.faults import DeliveryRefused, Fault, Reason
from data.ingest.formats import FileFormat, file_format
from data.ingest.landing import Sighting
from data.ingest.privacy import hmac_sql, masked_sql
from data.ingest.schema import Mapping, mapped, required_in_source
from data.settings import SourceSettings
from data.warehouse import quoted

__all__ = ["Batch", "DeliveredFile", "batches", "delivery_key", "inspected", "parse"]

BATCH_FILES = 500  # files read in one scan
BATCH_BYTES = 2_000_000_000  # [bytes] landed
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
_NORMALISED_COLUMNS = ("sku", "component_sku", "replaces_sku")


@dataclass(frozen=True)
class DeliveredFile:
    """One landed file, inspected: enough to read it, and to name its rows."""

    delivery_id: int
    sighting: Sighting
    spec: SourceSettings
    table: Table
    path: Path
    header: tuple[str, ...]
    records: int
    mapping: Mapping
    text: Delimited | None = None
    types: tuple[str, ...] = ()

    @property
    def good(self) -> int:
        """Records whose values are read."""
        return self.records if self.text is None else self.text.scan.good

    @property
    def shape(self) -> tuple[object, ...]:
        """Files of one shape are read together."""
        text = (self.text.delimiter, self.text.is_gzip) if self.text else ()
        return (self.sighting.source, self.header, self.types, text)


@dataclass(frozen=True)
class Batch:
    """Files of one source and shape."""

    files: tuple[DeliveredFile, ...]

    @property
    def first(self) -> DeliveredFile:
        """Any file of the batch: they share table, source, header and types."""
        return self.files[0]


def inspected(
    sighting: Sighting,
    *,
    delivery_id: int,
    path: Path,
    table: Table,
    spec: SourceSettings,
    work: Path,
    before: tuple[str, ...] | None,
) -> DeliveredFile:
    """Return a landed file with its header, record count and column mapping.

    Args:
        sighting: what the ledger says, or will say, of it.
        delivery_id: number of the delivery.
        path: where it landed.
        table: the input contract.
        spec: settings of the source.
        work: private folder for clean copies.
        before: header of the source's delivery before this one.

    Raises:
        DeliveryRefused: for every fault that concerns the whole file.
    """
    name, source = sighting.file_name, sighting.source
    form = file_format(path, name=name, source=source, declared=spec.format)
    if form is FileFormat.PARQUET:
        header, types, records = _parquet_shape(path, name=name, source=source)
        mapping = mapped(table, header, spec=spec, before=before, source=source, file=name)
        return DeliveredFile(delivery_id, sighting, spec, table, path, header, records, mapping, None, types)
    wanted = frozenset(required_in_source(table, spec).values())
    text = prepared(path, form, name=name, source=source, spec=spec, work=work, wanted=wanted)
    mapping = mapped(table, text.header, spec=spec, before=before, source=source, file=name)
    return DeliveredFile(delivery_id, sighting, spec, table, path, text.header, text.scan.records, mapping, text)


def _parquet_shape(path: Path, *, name: str, source: str) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    try:
        footer = pq.read_metadata(path)
        schema = footer.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise DeliveryRefused(
            Fault.FORMAT, f"not a readable Parquet file: {error}", source=source, file=name
        ) from error
    return tuple(schema.names), tuple(str(t) for t in schema.types), footer.num_rows


def batches(files: Sequence[DeliveredFile]) -> list[Batch]:
    """Group files by shape, keeping their order, within bounds that keep memory flat."""
    groups: dict[tuple[object, ...], list[DeliveredFile]] = {}
    for file in files:
        groups.setdefault(file.shape, []).append(file)
    found: list[Batch] = []
    for group in groups.values():
        current: list[DeliveredFile] = []
        size = 0
        for file in group:
            if current and (len(current) == BATCH_FILES or size + file.sighting.size > BATCH_BYTES):
                found.append(Batch(tuple(current)))
                current, size = [], 0
            current.append(file)
            size += file.sighting.size
        found.append(Batch(tuple(current)))
    return found


def parse(connection: duckdb.DuckDBPyConnection, batch: Batch, *, shop_timezone: str) -> str:
    """Read a batch into the temporary tables ``typed`` and ``rejected``; return SQL for the rows as delivered.

    ``typed`` has ``delivery_id, row_number`` and the contract's columns, good rows alone. ``rejected`` has
    ``delivery_id, row_number, reason, column_name, value, raw_row``, one row for each bad record.

    Raises:
        DeliveryRefused: ``PARSER_DISAGREEMENT``, ``NAIVE_TIMESTAMP`` or ``DATE_SWAPPED``.
    """
    relation = _delivered(connection, batch)
    stripped = _stripped(connection, batch, relation)
    casts = _casts(batch, shop_timezone)
    names = ", ".join(quoted(n) for n in casts)
    values = ", ".join(f"{cast.value} as {quoted(name)}" for name, cast in casts.items())
    bad = " or ".join(
        [*(c.bad for c in casts.values() if c.bad != "false"), _is_future(batch, shop_timezone) or "false"]
    )
    cast_rows = f"select *, {values} from ({stripped})"
    connection.execute(
        f"create or replace temp table cast_rows as select delivery_id, row_number, ({bad}) as is_bad, {names} from "
        f"({cast_rows})"
    )
    connection.execute("create or replace temp view typed as select * exclude (is_bad) from cast_rows where not is_bad")
    _reject(connection, batch, cast_rows, casts, shop_timezone)
    _reject_unreadable(connection, batch)
    _refuse_on_file_faults(connection, batch)
    return relation


def _delivered(connection: duckdb.DuckDBPyConnection, batch: Batch) -> str:
    """Return SQL that yields ``delivery_id, row_number, landed_at`` and the source's taken columns, row by row."""
    if batch.first.text is None:
        return _delivered_parquet(connection, batch)
    return _delivered_text(connection, batch)


def _delivered_text(connection: duckdb.DuckDBPyConnection, batch: Batch) -> str:
    text = batch.first.text
    assert text is not None
    paths = [str(f.text.path) for f in batch.files if f.text is not None]
    names = [f"c{i}" for i in range(len(text.header))]
    taken = [names[text.header.index(s)] for s in batch.first.mapping.taken.values()] or names[:1]
    columns = "{" + ", ".join(f"'{n}': 'VARCHAR'" for n in names) + "}"
    connection.execute(
        f"create or replace temp table delivered as select {', '.join(dict.fromkeys(taken))}, filename from read_csv("
        f"[{', '.join(literal(p) for p in paths)}], columns = {columns}, auto_detect = false, header = true, "
        f"delim = {literal(text.delimiter)}, quote = {literal(batch.first.spec.quote)}, escape = "
        f"{literal(batch.first.spec.quote)}, "
        f"compression = '{'gzip' if text.is_gzip else 'none'}', filename = true, strict_mode = true, null_padding = "
        "false, "
        f"ignore_errors = false, max_line_size = 8000000, new_line = '\\n', encoding = 'utf-8', parallel = true)"
    )
    starts = _compare_counts(connection, batch, dict(zip(paths, batch.files, strict=True)))
    rows = ", ".join(
        f"({f.delivery_id}, {literal(p)}, {start}, timestamptz '{f.sighting.landed_at.isoformat()}')"
        for f, p, start in zip(batch.files, paths, starts, strict=True)
    )
    files = f"(values {rows}) f(delivery_id, filename, start, landed_at)"
    number, gaps = "d.rowid - f.start + 1", ""
    if any(f.text is not None and f.text.scan.bad_count for f in batch.files):
        _store_gaps(connection, batch)
        gaps = " asof left join gaps g on g.delivery_id = f.delivery_id and d.rowid - f.start + 1 >= g.from_clean"
        number += " + coalesce(g.shift, 0)"
    return f"select f.delivery_id, {number} as row_number, f.landed_at, d.* exclude (filename) from delivered d join {files} using (filename){gaps}"


def _starts(batch: Batch, base: int) -> list[int]:
    """Return the row id at which each file begins; within a transaction ids count from a ``base`` far above zero."""
    starts, at = [], base
    for file in batch.files:
        starts.append(at)
        at += file.good
    return starts


def _compare_counts(connection: duckdb.DuckDBPyConnection, batch: Batch, files: dict[str, DeliveredFile]) -> list[int]:
    """Return the row id at which each file begins.

    DuckDB must have read exactly the records that the scan found, each file in one piece and in order.
    """
    rows = connection.execute(
        "select filename, count(*), min(rowid), max(rowid) from delivered group by filename"
    ).fetchall()
    found = {name: (count, low, high) for name, count, low, high in rows}
    starts = _starts(batch, min((low for _, low, _ in found.values()), default=0))
    for (path, file), start in zip(files.items(), starts, strict=True):
        expected = (file.good, start, start + file.good - 1) if file.good else (0, None, None)
        if found.get(path, (0, None, None)) != expected:
            raise DeliveryRefused(
                Fault.PARSER_DISAGREEMENT,
                f"one reader counts {file.good:,} sound records, the other {found.get(path, (0,))[0]:,}; "
                "check quotes and line ends",
                source=file.sighting.source,
                file=file.sighting.file_name,
            )
    return starts


def _store_gaps(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Bad records are missing in the clean copies: remember by how much the numbers behind them shift."""
    rows = []
    for file in batch.files:
        bad = [] if file.text is None else file.text.scan.bad
        for shift, record in enumerate(bad, start=1):
            rows.append((file.delivery_id, record.number - shift + 1, shift))
    last = {(delivery_id, clean): shift for delivery_id, clean, shift in rows}
    arrow = pa.table(
        {
            "delivery_id": pa.array([k[0] for k in last], pa.int64()),
            "from_clean": pa.array([k[1] for k in last], pa.int64()),
            "shift": pa.array(list(last.values()), pa.int64()),
        }
    )
    connection.register("gap_rows", arrow)
    connection.execute("create or replace temp table gaps as select * from gap_rows")
    connection.unregister("gap_rows")


def _delivered_parquet(connection: duckdb.DuckDBPyConnection, batch: Batch) -> str:
    taken = dict.fromkeys(batch.first.mapping.taken.values())
    names = {s: f"c{batch.first.header.index(s)}" for s in taken}
    columns = "".join(f", d.{quoted(s)} as {n}" for s, n in names.items())
    paths = [str(f.path) for f in batch.files]
    scan = f"read_parquet([{', '.join(literal(p) for p in paths)}], filename = true, file_row_number = true)"
    counts = dict(connection.execute(f"select filename, count(*) from {scan} group by filename").fetchall())
    for path, file in zip(paths, batch.files, strict=True):
        if counts.get(path, 0) != file.records:
            raise DeliveryRefused(
                Fault.PARSER_DISAGREEMENT,
                f"its footer counts {file.records:,} rows, reading it gives {counts.get(path, 0):,}",
                source=file.sighting.source,
                file=file.sighting.file_name,
            )
    if len(batch.files) == 1:
        only = batch.first
        arrived = f"timestamptz '{only.sighting.landed_at.isoformat()}'"
        return f"select {only.delivery_id} as delivery_id, d.file_row_number + 1 as row_number, {arrived} as landed_at{columns} from {scan} d"
    rows = ", ".join(
        f"({f.delivery_id}, {literal(p)}, timestamptz '{f.sighting.landed_at.isoformat()}')"
        for f, p in zip(batch.files, paths, strict=True)
    )
    files = f"(values {rows}) f(delivery_id, filename, landed_at)"
    return f"select f.delivery_id, d.file_row_number + 1 as row_number, f.landed_at{columns} from {scan} d join {files} using (filename)"


def _physical(batch: Batch, connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """DuckDB types of the relation's columns."""
    described = connection.execute(f"describe {relation}").fetchall()
    return {row[0]: row[1] for row in described}


def _stripped(connection: duckdb.DuckDBPyConnection, batch: Batch, relation: str) -> str:
    """Return SQL over the relation with one column per delivered contract column, text stripped, SKUs normalised."""
    types = _physical(batch, connection, relation)
    header, taken = batch.first.header, batch.first.mapping.taken
    columns, texts, joins = [], [], ""
    for name, source_column in taken.items():
        column = f"c{header.index(source_column)}"
        if types[column] != "VARCHAR":
            columns.append(f"r.{column} as {quoted('x_' + name)}")
            continue
        text = stripped_sql(f"r.{column}")
        if name in _NORMALISED_COLUMNS and _learn_spellings(connection, relation, column, name):
            joins += f" left join spellings_{name} on spellings_{name}.delivered = r.{column}"
            text = f"coalesce(spellings_{name}.normalised, {text})"
        columns.append(f"{text} as {quoted('x_' + name)}")
        texts.append(quoted("x_" + name))
    listed = "".join(f", {c}" for c in columns)
    stripped = f"select r.delivery_id, r.row_number, r.landed_at{listed} from ({relation}) r{joins}"
    nulls = ", ".join(f"{null_sql(t, batch.first.spec.null_values)} as {t}" for t in texts)
    return f"select * replace ({nulls}) from ({stripped})" if nulls else stripped


def _learn_spellings(connection: duckdb.DuckDBPyConnection, relation: str, column: str, name: str) -> bool:
    """Normalise (NFKC) the few SKUs that are not plain ASCII; return whether there are any."""
    rows = connection.execute(
        f"select distinct {column} from ({relation}) where strlen({column}) <> length({column})"
    ).fetchall()
    spellings = {str(row[0]): unicodedata.normalize("NFKC", str(row[0])).strip() for row in rows}
    changed = {k: v for k, v in spellings.items() if k.strip() != v}
    if not changed:
        return False
    connection.register("spelling_rows", pa.table({"delivered": list(changed), "normalised": list(changed.values())}))
    connection.execute(f"create or replace temp table spellings_{name} as select * from spelling_rows")
    connection.unregister("spelling_rows")
    return True


def _casts(batch: Batch, shop_timezone: str) -> dict[str, ColumnCast]:
    """Return the cast of every contract column: delivered, from a default, or null."""
    first = batch.first
    rules = CastRules(first.spec, shop_timezone, _ID_COLUMNS)
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
        cast = column_cast(column, text, physical=physical, rules=rules)
        casts[column.name] = _pseudonymised(cast, text) if column.person else cast
    return {name: _never_null(first.table, name, cast) for name, cast in casts.items()}


def _never_null(table: Table, name: str, cast: ColumnCast) -> ColumnCast:
    """No null in a key: location ``main``, supplier ``-``, region ``*``."""
    if name not in table.key_defaults or not (name in table.key or name == "location_id"):
        return cast
    return replace(cast, value=f"coalesce({cast.value}, {literal(table.key_defaults[name])})")


def _pseudonymised(cast: ColumnCast, text: str) -> ColumnCast:
    """A person's reference leaves as a keyed hash; ``17850.0`` and ``17850`` are one buyer."""
    plain = f"regexp_replace(cast({text} as varchar), '^([0-9]+)[.]0+$', '\\1')"
    return ColumnCast(f"case when {text} is not null then {hmac_sql(plain)} end", "false", "null", "'[person]'")


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
    return next((duck for start, duck in _ARROW_TO_DUCKDB if arrow.startswith(start)), "OTHER")


def _is_future(batch: Batch, shop_timezone: str) -> str | None:
    """Return the condition that a row is dated after its own arrival; None where the table looks ahead."""
    table = batch.first.table
    if table.known_in_advance or table.business_date is None:
        return None
    value = quoted(table.business_date)
    if table.column(table.business_date).dtype is DType.TIMESTAMP:
        return f"coalesce({value} > landed_at, false)"
    return f"coalesce({value} > timezone({literal(shop_timezone)}, landed_at)::date, false)"


def _reject(
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    cast_rows: str,
    casts: dict[str, ColumnCast],
    shop_timezone: str,
) -> None:
    """Fill ``rejected`` with the rows that a cast refused, with the first column at fault."""
    connection.execute(
        "create or replace temp table rejected (delivery_id bigint, row_number bigint, reason varchar, column_name "
        "varchar, "
        "value varchar, raw_row varchar)"
    )
    row = connection.execute("select count(*) from cast_rows where is_bad").fetchone()
    if not (row and row[0]):
        return
    table, future = batch.first.table, _is_future(batch, shop_timezone)
    whens = [
        f"when {cast.bad} then struct_pack(reason := {cast.reason}, column_name := {literal(name)}, value := "
        f"{_shown(table, name, cast)})"
        for name, cast in casts.items()
        if cast.bad != "false"
    ]
    if future is not None and table.business_date is not None:
        shown = casts[table.business_date].shown
        whens.append(
            f"when {future} then struct_pack(reason := '{Reason.FUTURE}', column_name := "
            f"{literal(table.business_date)}, "
            f"value := cast({shown} as varchar))"
        )
    packed = ", ".join(f"{quoted(name)} := {_raw(batch, name)}" for name in batch.first.mapping.taken)
    raw = f"cast(to_json(struct_pack({packed})) as varchar)" if packed else "null::varchar"
    connection.execute(
        "insert into rejected select delivery_id, row_number, v.reason, v.column_name, substr(v.value, 1, 200), "
        "raw_row "
        f"from (select x.delivery_id, x.row_number, case {' '.join(whens)} end as v, {raw} as raw_row from "
        f"({cast_rows}) x "
        "semi join (select delivery_id, row_number from cast_rows where is_bad) b "
        "on x.delivery_id = b.delivery_id and x.row_number = b.row_number)"
    )


def _shown(table: Table, name: str, cast: ColumnCast) -> str:
    column = table.column(name)
    if column.person:
        return "'[person]'"
    return masked_sql(f"cast({cast.shown} as varchar)")


def _raw(batch: Batch, name: str) -> str:
    text = f"cast({quoted('x_' + name)} as varchar)"
    if batch.first.table.column(name).person:
        plain = f"regexp_replace({text}, '^([0-9]+)[.]0+$', '\\1')"
        return f"case when {text} is not null then {hmac_sql(plain)} end"
    return f"substr({masked_sql(text)}, 1, 1000)"


def _reject_unreadable(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Add the records that the scan already took out. Their columns cannot be told apart, so no value is shown."""
    rows = [
        (file.delivery_id, record.number, str(record.reason), f"{record.width} fields instead of {len(file.header)}")
        for file in batch.files
        if file.text is not None
        for record in file.text.scan.bad
    ]
    if not rows:
        return
    arrow = pa.table(
        {
            "delivery_id": pa.array([r[0] for r in rows], pa.int64()),
            "row_number": pa.array([r[1] for r in rows], pa.int64()),
            "reason": pa.array([r[2] for r in rows], pa.string()),
            "value": pa.array([r[3] if r[2] == Reason.WIDTH else None for r in rows], pa.string()),
        }
    )
    connection.register("unreadable", arrow)
    connection.execute("insert into rejected select delivery_id, row_number, reason, null, value, null from unreadable")
    connection.unregister("unreadable")


def _refuse_on_file_faults(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Some values condemn the file they stand in, not their row: a clock without timezone, swapped day and month."""
    advice = {
        Fault.NAIVE_TIMESTAMP: "a timestamp without offset, and the source declares no timezone; set `timezone:` for it",
        Fault.DATE_SWAPPED: "the month is above 12: day and month are swapped; deliver ISO dates or set `date_format:`",
    }
    rows = connection.execute(
        "select reason, delivery_id, min(row_number), arg_min(value, row_number), count(*) from rejected "
        "where reason in (select unnest($1)) group by reason, delivery_id order by reason, delivery_id",
        [[str(f) for f in advice]],
    ).fetchall()
    for reason, delivery_id, row_number, value, count in rows:
        file = next(f for f in batch.files if f.delivery_id == delivery_id)
        raise DeliveryRefused(
            Fault(reason),
            f"{count:,} rows such as {value!r}: {advice[Fault(reason)]}",
            source=file.sighting.source,
            file=file.sighting.file_name,
            line=row_number + (1 if file.text is not None else 0),
        )


def delivery_key(table: Table) -> tuple[str, ...]:
    """Return the columns that identify a row within one delivery of ``table``."""
    key = list(table.key)
    if table.mode is Mode.SNAPSHOT and "as_of_date" in table.names and "as_of_date" not in key:
        key.append("as_of_date")
    if table.known_at is not None:
        key.append(table.known_at)
    return tuple(key)
