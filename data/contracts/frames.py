"""Frames and contracts: the Arrow schema of a table, and bringing a frame into its contract's shape."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data.contracts.model import DType, Table
from data.errors import ContractError

__all__ = ["arrow_schema", "conform", "conform_arrow", "empty_frame", "in_names", "to_pandas"]

_ARROW: dict[DType, pa.DataType] = {
    DType.STRING: pa.string(),
    DType.JSON: pa.string(),
    DType.DATE: pa.date32(),
    DType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    DType.MONEY: pa.decimal128(18, 4),
    DType.INTEGER: pa.int64(),
    DType.NUMBER: pa.float64(),
    DType.FLAG: pa.bool_(),
    DType.STRINGS: pa.list_(pa.string()),
}


def arrow_schema(table: Table, *, exclude: tuple[str, ...] = ()) -> pa.Schema:
    """Return the Arrow schema of ``table`` in contract order, without the columns in ``exclude``."""
    return pa.schema([pa.field(c.name, _ARROW[c.dtype]) for c in table.columns if c.name not in exclude])


def empty_frame(table: Table) -> pd.DataFrame:
    """Return a frame of no rows with the contract's columns (without ``run_date``) and dtypes."""
    return to_pandas(arrow_schema(table, exclude=("run_date",)).empty_table(), table)


def conform(table: Table, frame: pd.DataFrame | pl.DataFrame | pa.Table) -> pd.DataFrame:
    """Return ``frame`` as pandas with the contract's columns, order and dtypes (without ``run_date``).

    Missing nullable columns are added as null. Row order is kept.

    Raises:
        ContractError: on an unknown or missing column, or a value that does not fit its dtype.
    """
    return to_pandas(conform_arrow(table, frame), table)


def conform_arrow(table: Table, frame: pd.DataFrame | pl.DataFrame | pa.Table) -> pa.Table:
    """Return ``frame`` as Arrow with the contract's columns, order and types (without ``run_date``).

    Raises:
        ContractError: as :func:`conform`.
    """
    arrow = _as_arrow(frame)
    schema = arrow_schema(table, exclude=("run_date",))
    _refuse_unknown(table, arrow.column_names, schema.names)
    columns = [_cast(table, field, arrow) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def in_names(table: Table, arrow: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the named columns of rows that were written under ``table``'s contract or an earlier one, which had fewer.

    Columns that are not there are null.
    """
    schema = arrow_schema(table)
    fields = [schema.field(n) for n in names]
    return pa.Table.from_arrays([_cast(table, field, arrow) for field in fields], schema=pa.schema(fields))


def to_pandas(arrow: pa.Table, table: Table) -> pd.DataFrame:
    """Return an Arrow table as pandas with the house's dtypes (dates as ``datetime64[ns]``, money as ``float64``)."""
    frame = pd.DataFrame(index=pd.RangeIndex(arrow.num_rows))
    columns: dict[str, Any] = {}
    for name in arrow.column_names:
        dtype = table.column(name).dtype if name in table.names else None
        columns[name] = _pandas_column(arrow.column(name), dtype)
    return frame.assign(**columns)


def _pandas_column(values: pa.ChunkedArray, dtype: DType | None) -> Any:
    if dtype is DType.MONEY or pa.types.is_decimal(values.type):
        return values.cast(pa.float64()).to_pandas()
    if pa.types.is_date(values.type):
        return values.cast(pa.timestamp("ns")).to_pandas()
    if pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp("ns", tz=values.type.tz)).to_pandas()
    if pa.types.is_integer(values.type) and values.null_count:
        return values.cast(pa.int64()).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    if pa.types.is_boolean(values.type) and values.null_count:
        return values.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    if pa.types.is_list(values.type):
        return pd.Series([None if v is None else list(v) for v in values.to_pylist()], dtype=object)
    return values.to_pandas()


def _as_arrow(frame: pd.DataFrame | pl.DataFrame | pa.Table) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pl.DataFrame):
        return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.Table.from_pydict({str(n): _from_series(frame[n]) for n in frame.columns})


def _from_series(values: pd.Series[Any]) -> pa.Array:
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if values.dtype == object:
        plain = [None if _is_missing(v) else _plain(v) for v in values]
        return pa.array(plain)
    return pa.Array.from_pandas(values)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value  # StrEnum members become plain text


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _refuse_unknown(table: Table, found: list[str], expected: list[str]) -> None:
    unknown = [n for n in found if n not in expected and n != "run_date"]
    missing = [
        n
        for n in expected
        if n not in found and not table.column(n).nullable and table.column(n).dtype is not DType.STRINGS
    ]
    if not unknown and not missing:
        return
    close = {n: difflib.get_close_matches(n, expected, 1) for n in unknown[:5]}
    hint = "; ".join(f"{n!r}: did you mean {m[0]!r}?" for n, m in close.items() if m)
    raise ContractError(
        f"table {table.name}: expected columns {expected}; unknown: {unknown[:5]}, missing: {missing[:5]}"
        + (f" ({hint})" if hint else "")
    )


def _cast(table: Table, field: pa.Field, arrow: pa.Table) -> pa.ChunkedArray | pa.Array:
    contract = table.column(field.name)
    if field.name not in arrow.column_names:
        if contract.dtype is DType.STRINGS and not contract.nullable:
            return pa.array([[] for _ in range(arrow.num_rows)], type=field.type)
        return pa.nulls(arrow.num_rows, type=field.type)
    values = arrow.column(field.name)
    try:
        return _cast_values(values, contract.dtype, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise ContractError(
            f"table {table.name}, column {field.name}: expected {contract.dtype.value}, found {values.type}: {error}"
        ) from error


def _cast_values(values: pa.ChunkedArray, dtype: DType, target: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_null(values.type):
        return pa.chunked_array([pa.nulls(len(values), type=target)])
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, type=values.type), values)
    if dtype is DType.MONEY and not pa.types.is_decimal(values.type):
        return pc.round(values.cast(pa.float64()), 4).cast(target)  # money has four decimals
    if dtype is DType.DATE and pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp("us")).cast(pa.date32())
    if dtype is DType.TIMESTAMP and pa.types.is_timestamp(values.type):
        if values.type.tz is None:
            raise pa.ArrowInvalid("an instant without a timezone")
        return values.cast(target, safe=False)
    return values.cast(target)
