r"""Output tables from the warehouse to Parquet and CSV, the same bytes for the same rows.

Parquet: rows ordered by key, row groups of a fixed number of rows, one writer thread, fixed encodings, no times.
CSV (tables under a million rows): UTF-8, ``\n``, ISO dates, ``.``, null empty, lists joined by ``;``. Keys and codes
stand there as they are; free text from outside that a spreadsheet would run as a formula gets an apostrophe in front
(in Parquet it is intact).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data.contracts import DType, Table
from data.contracts.frames import arrow_schema
from data.errors import DataError
from data.publish.durable import sync
from data.publish.manifest import FileEntry, file_entry
from data.warehouse import Warehouse, quoted

__all__ = ["CSV_BELOW_ROWS", "export_table", "published_schema"]

CSV_BELOW_ROWS = 1_000_000
"""Tables of fewer rows are written as CSV too [rows]."""

_ROW_GROUP_ROWS = 250_000
_LAST_DAYS = {"demand_history": ("ds", 400)}  # table -> its date column, days published [days]
_SQL = {
    DType.STRING: "varchar",
    DType.JSON: "varchar",
    DType.DATE: "date",
    DType.TIMESTAMP: "timestamptz",
    DType.MONEY: "decimal(18, 4)",
    DType.INTEGER: "bigint",
    DType.NUMBER: "double",
    DType.FLAG: "boolean",
    DType.STRINGS: "varchar[]",
}
_RUNS_AS_FORMULA = r"^[=+\-@\t\r]"  # first characters that make a spreadsheet calculate
_PLAIN_NUMBER = r"^[+\-]?[0-9.]+$"  # a number may keep its sign


def published_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema in which ``table`` is published, ``run_date`` first."""
    return arrow_schema(table, exclude=table.unpublished)


def export_table(
    warehouse: Warehouse,
    table: Table,
    run_date: date,
    folder: Path,
    *,
    csv_names: Mapping[str, str] | None = None,
) -> dict[str, FileEntry]:
    """Write ``<table>.parquet``, and ``.csv`` below a million rows, into ``folder``; return an entry for each.

    A table that nobody wrote is written empty, with its columns.

    Args:
        warehouse: the working database.
        table: an output table.
        run_date: only rows of this run.
        folder: where to.
        csv_names: contract column -> its name in the CSV's header.

    Raises:
        DataError: the warehouse holds the table's rows of another run.
    """
    rows = _count(warehouse, table, run_date)
    parquet = folder / f"{table.name}.parquet"
    written = _write_parquet(parquet, published_schema(table), _batches(warehouse, table, run_date, rows))
    if written != rows:
        raise DataError(f"table {table.name}: {rows} rows in the warehouse, {written} were exported")
    entries = {parquet.name: file_entry(parquet, rows=rows)}
    if rows < CSV_BELOW_ROWS:
        csv = folder / f"{table.name}.csv"
        _write_csv(csv, pq.read_table(parquet, use_threads=False), table, csv_names or {})
        entries[csv.name] = file_entry(csv, rows=rows)
    return entries


def _count(warehouse: Warehouse, table: Table, run_date: date) -> int:
    if not warehouse.has(table.name):
        return 0
    held = warehouse.holds(table.name)
    if held is not None and held != run_date:
        raise DataError(
            f"table {table.name} holds the run for {held}, not for {run_date}: run the steps before `publish`"
        )
    where, parameters = _which_rows(table, run_date)
    counted = warehouse.arrow(f"select count(*) as n from {quoted(table.name)} {where}", parameters)
    return int(counted.column("n")[0].as_py())


def _which_rows(table: Table, run_date: date) -> tuple[str, list[date]]:
    if table.name not in _LAST_DAYS:
        return "where run_date = $1", [run_date]
    column, days = _LAST_DAYS[table.name]
    return f"where run_date = $1 and {quoted(column)} > $2", [run_date, run_date - timedelta(days=days)]


def _batches(warehouse: Warehouse, table: Table, run_date: date, rows: int) -> Iterator[pa.Table]:
    """Yield the rows in key order, as they come, in the published schema."""
    schema = published_schema(table)
    if not rows:
        yield schema.empty_table()
        return
    select = ", ".join(f"cast({quoted(c.name)} as {_SQL[c.dtype]}) as {quoted(c.name)}" for c in table.published)
    order = ", ".join(quoted(k) for k in table.key)
    where, parameters = _which_rows(table, run_date)
    query = f"select {select} from {quoted(table.name)} {where} order by {order}"
    reader: pa.RecordBatchReader = warehouse.connection.sql(query, params=parameters).to_arrow_reader(_ROW_GROUP_ROWS)
    for batch in reader:
        yield pa.Table.from_batches([batch]).cast(schema)


def _write_parquet(path: Path, schema: pa.Schema, batches: Iterator[pa.Table]) -> int:
    """Write row groups of exactly ``_ROW_GROUP_ROWS`` rows, whatever the batches' sizes; return the rows written."""
    written, pending = 0, schema.empty_table()
    with pq.ParquetWriter(
        path, schema, version="2.6", compression="zstd", compression_level=3, use_dictionary=True, write_statistics=True
    ) as writer:
        for batch in batches:
            pending = pa.concat_tables([pending, batch])
            while pending.num_rows >= _ROW_GROUP_ROWS:
                writer.write_table(pending.slice(0, _ROW_GROUP_ROWS).combine_chunks(), row_group_size=_ROW_GROUP_ROWS)
                written, pending = written + _ROW_GROUP_ROWS, pending.slice(_ROW_GROUP_ROWS)
        if pending.num_rows:
            writer.write_table(pending.combine_chunks(), row_group_size=_ROW_GROUP_ROWS)
    sync(path)
    return int(written + pending.num_rows)


def _write_csv(path: Path, rows: pa.Table, table: Table, names: Mapping[str, str]) -> None:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    inert = [_without_formulas(c.name) for c in table.published if c.free_text]
    text = frame.with_columns(pl.selectors.list().list.join(";"), *inert).rename(dict(names), strict=False)
    with path.open("wb") as file:
        text.write_csv(
            file,
            quote_style="necessary",
            line_terminator="\n",
            date_format="%Y-%m-%d",
            datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ",
        )
    sync(path)


def _without_formulas(column: str) -> pl.Expr:
    value = pl.col(column)
    runs = value.str.contains(_RUNS_AS_FORMULA) & ~value.str.contains(_PLAIN_NUMBER)
    return pl.when(runs).then(pl.concat_str(pl.lit("'"), value)).otherwise(value).alias(column)
