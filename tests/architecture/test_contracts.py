"""Every table of every contract is documented, and says what it must."""

from __future__ import annotations

import re

import pytest

from data.contracts import INPUTS, OUTPUTS, TABLES, DType, TableKind

IS_SNAKE_CASE = re.compile(r"[a-z][a-z0-9_]*")
NEEDS_UNIT = ("_qty", "units", "on_hand", "on_order", "backorders")


def promise_of(name: str) -> DType | None:
    """The dtype that a column's name promises."""
    if name.startswith(("is_", "has_")):
        return DType.FLAG
    if name.startswith("why_") and name not in ("why_from", "why_to"):
        return DType.INTEGER
    return {"date": DType.DATE, "at": DType.TIMESTAMP}.get(name.rsplit("_")[-1]) if "_" in name else None


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_has_a_grain_a_meaning_and_documented_columns(name):
    table = TABLES[name]
    assert IS_SNAKE_CASE.fullmatch(name)
    assert table.doc.strip()
    assert table.key
    assert [c.name for c in table.columns if not IS_SNAKE_CASE.fullmatch(c.name)] == []
    assert [c.name for c in table.columns if not c.doc.strip()] == []


@pytest.mark.parametrize("table", OUTPUTS, ids=lambda t: t.name)
def test_an_output_starts_with_run_date_and_its_key_is_never_null(table):
    assert table.kind is TableKind.OUTPUT
    assert table.names[0] == "run_date"
    assert all(not table.column(k).nullable for k in table.key)
    assert not any(c.person for c in table.published)  # no person leaves the house


@pytest.mark.parametrize("table", [t for t in TABLES.values() if t.kind is not TableKind.INPUT], ids=lambda t: t.name)
def test_quantities_have_a_unit_and_suffixes_keep_their_promise(table):
    for column in table.columns:
        if column.name.endswith(NEEDS_UNIT) and column.dtype in (DType.NUMBER, DType.INTEGER):
            assert column.unit, f"{table.name}.{column.name} has no unit"
        promised = promise_of(column.name)
        assert promised in (None, column.dtype), (
            f"{table.name}.{column.name} is {column.dtype}, its name says {promised}"
        )


def test_staging_has_every_column_of_its_input():
    for table in INPUTS:
        assert set(table.names) <= set(TABLES[f"stg_{table.name}"].names)
