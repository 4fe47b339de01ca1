"""The JSON Schema of a table's row."""

from __future__ import annotations

from typing import Any

from data.contracts.model import Column, DType, Table

__all__ = ["table_schema"]

_TYPES: dict[DType, dict[str, Any]] = {
    DType.STRING: {"type": "string"},
    DType.JSON: {"type": "string", "contentMediaType": "application/json"},
    DType.DATE: {"type": "string", "format": "date"},
    DType.TIMESTAMP: {"type": "string", "format": "date-time"},
    DType.MONEY: {"type": "number", "multipleOf": 0.0001},
    DType.INTEGER: {"type": "integer"},
    DType.NUMBER: {"type": "number"},
    DType.FLAG: {"type": "boolean"},
    DType.STRINGS: {"type": "array", "items": {"type": "string"}},
}


def table_schema(table: Table) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one row of ``table``; its grain and unit stand in ``description``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": table.name,
        "description": f"{table.doc} Grain: one row per {', '.join(table.key)}.",
        "type": "object",
        "properties": {c.name: _property(c) for c in table.published},
        "required": [c.name for c in table.published if c.required or not c.nullable],
        "additionalProperties": False,
    }


def _property(column: Column) -> dict[str, Any]:
    described = f"{column.doc} [{column.unit}]" if column.unit else column.doc
    schema = {**_TYPES[column.dtype], "description": described}
    if column.minimum is not None:
        schema["minimum"] = column.minimum
    if column.maximum is not None:
        schema["maximum"] = column.maximum
    if column.choices:
        schema["enum"] = [*column.choices, *([None] if column.nullable else [])]
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
    return schema
