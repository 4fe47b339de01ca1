"""The rows that may not be loaded, each with its reason, and those that condemn their whole file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from data.contracts import DType, Table
from data.ingest.casting import ColumnCast, literal
from data.ingest.deliveries import Batch
from data.ingest.exchange import keep_rows
from data.ingest.faults import DeliveryRefused, Fault, Reason
from data.ingest.privacy import masked_sql, pseudonym_sql
from data.warehouse import quoted

__all__ = ["Verdict", "create_rejected", "future_sql", "refuse_on_file_faults", "reject_cast_rows", "reject_unreadable"]

_RAW_CHARACTERS = 1_000  # kept of one value in quarantine


@dataclass(frozen=True)
class Verdict:
    """Why a row that could be read may still not be loaded: SQL over a cast row, and what is told of it."""

    condition: str
    reason: Reason
    column: str
    shown: str


def future_sql(table: Table, shop_timezone: str) -> str | None:
    """Return the condition that a row is dated after its own arrival; None where the table looks ahead."""
    if table.known_in_advance or table.business_date is None:
        return None
    value = quoted(table.business_date)
    if table.column(table.business_date).dtype is DType.TIMESTAMP:
        return f"coalesce({value} > landed_at, false)"
    return f"coalesce({value} > timezone({literal(shop_timezone)}, landed_at)::date, false)"


def create_rejected(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``rejected`` afresh: one row for each bad record of a batch."""
    connection.execute(
        "create or replace temp table rejected (delivery_id bigint, row_number bigint, reason varchar, column_name "
        "varchar, value varchar, raw_row varchar)"
    )


def reject_cast_rows(
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    rows: str,
    casts: dict[str, ColumnCast],
    verdicts: Sequence[Verdict],
) -> None:
    """Add the rows that a cast refused, with the first column at fault, and the sound ones that a verdict refuses.

    Args:
        connection: with the temporary tables ``cast_rows`` and ``rejected``.
        batch: the files the rows came from.
        rows: SQL for the rows of ``cast_rows`` with their place.
        casts: of each contract column.
        verdicts: what a sound row may be refused for.
    """
    refused = " or ".join(["is_bad", *(v.condition for v in verdicts)])
    found = connection.execute(f"select count(*) from ({rows}) where {refused}").fetchall()
    if not found[0][0]:
        return
    table = batch.first.table
    whens = [
        f"when {cast.bad} then struct_pack(reason := {cast.reason}, column_name := {literal(name)}, value := "
        f"{_shown(table, name, cast)})"
        for name, cast in casts.items()
        if cast.bad != "false"
    ]
    whens += [
        f"when {v.condition} then struct_pack(reason := '{v.reason}', column_name := {literal(v.column)}, "
        f"value := {v.shown})"
        for v in verdicts
    ]
    taken = batch.first.mapping.taken
    texts = "".join(f", raw.{quoted(name)} as {quoted('x_' + name)}" for name in taken)
    packed = ", ".join(f"{quoted(name)} := {_raw(table, name)}" for name in taken)
    raw = f"cast(to_json(struct_pack({packed})) as varchar)" if packed else "null::varchar"
    connection.execute(
        "insert into rejected select delivery_id, row_number, v.reason, v.column_name, substr(v.value, 1, 200), "
        f"raw_row from (select delivery_id, row_number, case {' '.join(whens)} end as v, {raw} as raw_row from "
        f"(select *{texts} from ({rows}) where {refused}))"
    )


def _shown(table: Table, name: str, cast: ColumnCast) -> str:
    return cast.shown if table.column(name).person else masked_sql(f"cast({cast.shown} as varchar)")


def _raw(table: Table, name: str) -> str:
    text = quoted("x_" + name)
    if table.column(name).person:
        return pseudonym_sql(text)
    return f"substr({masked_sql(f'cast({text} as varchar)')}, 1, {_RAW_CHARACTERS})"


def reject_unreadable(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
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
    keep_rows(connection, "unreadable", arrow)
    connection.execute("insert into rejected select delivery_id, row_number, reason, null, value, null from unreadable")


def refuse_on_file_faults(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Some values condemn the file they stand in, not their row: a clock without timezone, swapped day and month."""
    advice = {
        Fault.NAIVE_TIMESTAMP: "a timestamp without offset in a source without timezone; set `timezone:` for it",
        Fault.DATE_SWAPPED: "the month is above 12, day and month are swapped; deliver ISO dates or set `date_format:`",
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
