"""Strict parsing: the records of a batch become typed rows, or rejects with a reason."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import duckdb
import pyarrow as pa

from data.contracts import Table
from data.ingest.casting import CastRules, ColumnCast, column_cast, literal, null_sql, sql_type, stripped_sql
from data.ingest.deliveries import Batch, DeliveredFile
from data.ingest.exchange import keep_rows
from data.ingest.privacy import pseudonym_sql
from data.ingest.reading import delivered
from data.ingest.rejects import future_sql, refuse_on_file_faults, reject_cast_rows, reject_unreadable
from data.warehouse import quoted

__all__ = ["parse"]

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


def parse(connection: duckdb.DuckDBPyConnection, batch: Batch, *, shop_timezone: str) -> str:
    """Read a batch into the temporary tables ``typed`` and ``rejected``; return SQL for the rows as delivered.

    ``typed`` has ``delivery_id, row_number`` and the contract's columns, good rows alone. ``rejected`` has
    ``delivery_id, row_number, reason, column_name, value, raw_row``, one row for each bad record.

    Raises:
        DeliveryRefused: ``PARSER_DISAGREEMENT``, ``NAIVE_TIMESTAMP`` or ``DATE_SWAPPED``.
    """
    relation = delivered(connection, batch)
    stripped = _stripped(connection, batch, relation)
    casts = _casts(batch, shop_timezone)
    names = ", ".join(quoted(n) for n in casts)
    values = ", ".join(f"{cast.value} as {quoted(name)}" for name, cast in casts.items())
    bad = " or ".join(
        [*(c.bad for c in casts.values() if c.bad != "false"), future_sql(batch.first.table, shop_timezone) or "false"]
    )
    cast_rows = f"select *, {values} from ({stripped})"
    connection.execute(
        f"create or replace temp table cast_rows as select delivery_id, row_number, ({bad}) as is_bad, {names} from "
        f"({cast_rows})"
    )
    connection.execute("create or replace temp view typed as select * exclude (is_bad) from cast_rows where not is_bad")
    reject_cast_rows(connection, batch, cast_rows, casts, shop_timezone)
    reject_unreadable(connection, batch)
    refuse_on_file_faults(connection, batch)
    return relation


def _physical(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """DuckDB types of the relation's columns."""
    described = connection.execute(f"describe {relation}").fetchall()
    return {row[0]: row[1] for row in described}


def _stripped(connection: duckdb.DuckDBPyConnection, batch: Batch, relation: str) -> str:
    """Return SQL over the relation with one column per delivered contract column, text stripped, SKUs normalised."""
    types = _physical(connection, relation)
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
    found = connection.execute(
        f"select distinct {column} from ({relation}) where strlen({column}) <> length({column})"
    ).fetchall()
    spellings = {str(row[0]): unicodedata.normalize("NFKC", str(row[0])).strip() for row in found}
    changed = {k: v for k, v in spellings.items() if k.strip() != v}
    if not changed:
        return False
    rows = pa.table({"delivered": list(changed), "normalised": list(changed.values())})
    keep_rows(connection, f"spellings_{name}", rows)
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
        if column.person:
            casts[column.name] = _pseudonymised(column.name, text)
        else:
            casts[column.name] = column_cast(column, text, physical=physical, rules=rules)
    return {name: _never_null(first.table, name, cast) for name, cast in casts.items()}


def _never_null(table: Table, name: str, cast: ColumnCast) -> ColumnCast:
    """No null in a key: location ``main``, supplier ``-``, region ``*``."""
    if name not in table.key_defaults or not (name in table.key or name == "location_id"):
        return cast
    return replace(cast, value=f"coalesce({cast.value}, {literal(table.key_defaults[name])})")


def _pseudonymised(column: str, text: str) -> ColumnCast:
    """A person's reference leaves as a keyed hash."""
    return ColumnCast(pseudonym_sql(text), "false", "null", f"'[{column}]'")


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
