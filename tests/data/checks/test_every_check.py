"""Every check there is has a planted fault that turns it red: those of all contracts, and those that the steps ask."""

from __future__ import annotations

import ast
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data.checks.runner import check_table
from data.checks.suites import Rule, RuleKind, contract_rules
from data.contracts import TABLES, Column, DType, Table
from data.contracts.frames import arrow_schema

ROOT = Path(__file__).parents[3]
ROOMS = ("data", "demand", "trends", "forecasting", "restocking", "preorder", "pricing", "reporting")
DAY = date(2026, 6, 28)
ROW_RULES = (RuleKind.KEY_NOT_NULL, RuleKind.NOT_NULL, RuleKind.FINITE, RuleKind.BOUNDS, RuleKind.CHOICES)
ASKS = {"check": 0, "note": 0, "freshness": None, "volume": None}  # method -> which argument names the check


def sound(column: Column, row: int) -> Any:
    """A value that breaks no rule of its column."""
    if column.choices:
        return column.choices[0]
    low = 1.0 if column.minimum is None else column.minimum
    number = low if column.maximum is not None and column.maximum < low + 1 else max(low, 0.0)
    return {
        DType.DATE: DAY,
        DType.TIMESTAMP: datetime(2026, 6, 28, tzinfo=UTC),
        DType.NUMBER: number,
        DType.INTEGER: math.ceil(number),
        DType.MONEY: Decimal(math.ceil(number)),
        DType.FLAG: True,
        DType.STRINGS: ["x"],
    }.get(column.dtype, f"k{row:04d}")


def unsound(rule: Rule, column: Column) -> Any:
    """A value that breaks this rule."""
    if rule.kind is RuleKind.FINITE:
        return math.inf
    if rule.kind is RuleKind.BOUNDS:
        value = rule.minimum - 1 if rule.minimum is not None else rule.maximum + 1
        return {DType.INTEGER: math.floor(value), DType.MONEY: Decimal(math.floor(value))}.get(column.dtype, value)
    return "no code at all" if rule.kind is RuleKind.CHOICES else None


def with_every_fault(table: Table) -> tuple[pa.Table, list[Rule]]:
    """A frame with one row for each rule of the table, that breaks it, and one that repeats a key; and the rules."""
    columns = [c for c in table.columns if c.name != "run_date"]
    rules = [r for r in contract_rules(table) if r.kind in ROW_RULES]
    rows = [{c.name: sound(c, row) for c in columns} for row in range(len(rules) + 2)]
    for row, rule in enumerate(rules):
        rows[row][rule.name] = unsound(rule, table.column(rule.name))
    rows.append(rows[-1])
    return pa.Table.from_pylist(rows, schema=arrow_schema(table, exclude=("run_date",))), rules


@pytest.mark.parametrize("name", sorted(TABLES))
def test_each_rule_of_each_contract_has_a_fault_that_turns_it_red(name: str):
    table = TABLES[name]
    frame, rules = with_every_fault(table)
    red = {r.check: r for r in check_table("s", table, frame) if r.status != "pass"}
    wanted = {f"{r.kind.value}.{r.name}" for r in rules}
    if any(k != "run_date" for k in table.key):
        wanted.add("key_unique")
    assert wanted - set(red) == set()
    assert all(r.observed and r.expected and r.advice and r.rows_failed for r in red.values())
    few = {
        r.check: r.status
        for r in check_table("s", table, frame.drop_columns(frame.column_names[-1]).slice(0, 1), row_floor=2)
    }
    assert (few["columns"], few["row_floor"]) == ("fail", "fail")


@cache
def asked() -> dict[str, str]:
    """Name of every check that a step asks or notes -> where. Of a composed name, the part that is written down."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and (name := name_of(node)):
                    found[name] = str(path.relative_to(ROOT))
    return found


def name_of(call: ast.Call) -> str | None:
    """The check that a call of ``io.check``, ``io.note`` or ``Note`` names."""
    called = call.func
    is_asked = (
        isinstance(called, ast.Attribute)
        and called.attr in ("check", "note")
        and getattr(called.value, "id", "") in ("io", "self")
    )
    if not (is_asked or getattr(called, "id", "") == "Note") or not call.args:
        return None
    if any(k.arg == "failed" and isinstance(k.value, ast.Constant) and k.value.value == 0 for k in call.keywords):
        return None  # it states a figure and asks nothing
    first = call.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    if isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
        return str(first.values[0].value)
    return None


def test_each_check_that_a_step_asks_is_named_by_a_test():
    """The faults themselves: ``test_step_faults.py`` here, ``tests/demand/test_step_checks.py``, ``tests/faults``."""
    assert len(asked()) > 40  # the search itself finds something
    own = Path(__file__).resolve()
    texts = [p.read_text() for p in sorted((ROOT / "tests").rglob("*.py")) if p.resolve() != own]
    assert {name for name in asked() if not any(name in text for text in texts)} == set()
