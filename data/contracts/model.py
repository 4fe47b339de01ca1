"""What a contract is: a table with a name, a grain, a key and typed columns.

Each table is stated once, in :mod:`data.contracts.inputs`, :mod:`data.contracts.internal` or
:mod:`data.contracts.outputs`; the reference docs, the JSON Schemas, the staging casts and the basic quality
checks are generated from that one statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Column", "DType", "Mode", "Table", "TableKind", "column", "key"]


class DType(StrEnum):
    """The dtypes a contract knows, and how they look in Parquet, DuckDB and pandas."""

    STRING = "string"  # string, VARCHAR, object
    DATE = "date"  # date32, DATE, datetime64[ns] at midnight: a calendar day in the shop's timezone
    TIMESTAMP = "timestamp"  # timestamp[us, UTC], TIMESTAMPTZ, datetime64[ns, UTC]
    MONEY = "money"  # decimal(18, 4), DECIMAL(18, 4), float64
    INTEGER = "integer"  # int64, BIGINT, int64 or Int64 where nullable
    NUMBER = "number"  # double, DOUBLE, float64
    FLAG = "flag"  # bool, BOOLEAN, bool or boolean where nullable
    STRINGS = "strings"  # list<string>, VARCHAR[], python lists
    JSON = "json"  # string, VARCHAR: an object as JSON text


class TableKind(StrEnum):
    """Where a table lives: delivered by the shop, kept between rooms, or published."""

    INPUT = "input"
    INTERNAL = "internal"
    OUTPUT = "output"


class Mode(StrEnum):
    """How later deliveries of an input table relate to earlier ones."""

    SNAPSHOT = "snapshot"  # the newest replaces all before
    UPSERT = "upsert"  # by key, the later version wins
    EVENT = "event"  # only added to; the same key again is a duplicate or a correction


@dataclass(frozen=True)
class Column:
    """One column: name, dtype, unit, meaning and bounds (inclusive)."""

    name: str
    dtype: DType
    unit: str = ""
    doc: str = ""
    required: bool = False
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None
    person: bool = False
    free_text: bool = False


@dataclass(frozen=True)
class Table:
    """One table: its grain is one row per ``key``.

    ``business_date`` names the column whose day decides whether a run may see a row; ``known_in_advance`` marks
    tables whose rows may lie after the run date; ``unpublished`` names columns that only rooms read.
    """

    name: str
    kind: TableKind
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    doc: str
    mode: Mode | None = None
    business_date: str | None = None
    known_at: str | None = None
    known_in_advance: bool = False
    is_sales: bool = False
    key_defaults: dict[str, str] = field(default_factory=dict)
    unpublished: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        if len(names) != len(set(names)):
            raise ValueError(f"{self.name}: a column is stated twice")
        missing = [k for k in self.key if k not in names]
        if missing:
            raise ValueError(f"{self.name}: key columns not among the columns: {missing}")

    @property
    def names(self) -> list[str]:
        """Column names in contract order."""
        return [c.name for c in self.columns]

    @property
    def published(self) -> tuple[Column, ...]:
        """The columns that leave the house, in contract order."""
        return tuple(c for c in self.columns if c.name not in self.unpublished)

    @property
    def required(self) -> list[str]:
        """Names of the columns that a delivery must have."""
        return [c.name for c in self.columns if c.required]

    def column(self, name: str) -> Column:
        """Return the column called ``name``. Raises ``KeyError`` naming the table."""
        for candidate in self.columns:
            if candidate.name == name:
                return candidate
        raise KeyError(f"{self.name} has no column {name!r}; it has {self.names}")


def column(
    name: str,
    dtype: DType,
    unit: str = "",
    doc: str = "",
    *,
    required: bool = False,
    nullable: bool = True,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    person: bool = False,
    free_text: bool = False,
) -> Column:
    """Return one column; a required column is never null."""
    return Column(
        name,
        dtype,
        unit,
        doc,
        required=required,
        nullable=nullable and not required,
        minimum=minimum,
        maximum=maximum,
        choices=choices,
        person=person,
        free_text=free_text,
    )


def key(name: str, doc: str = "", *, dtype: DType = DType.STRING) -> Column:
    """Return a key column: never null."""
    return Column(name, dtype, "", doc, nullable=False)
