"""The rules of a table, built from its contract.

A rule is stated once here and evaluated twice by :mod:`data.checks.runner`: counted on every row
(:mod:`data.checks.facts`), and as an expectation of Great Expectations (:mod:`data.checks.expectations`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import polars as pl

from data.checks.results import Severity
from data.contracts import Column, DType, Table

__all__ = ["Rule", "RuleKind", "contract_rules", "identity"]

_NUMERIC = (DType.NUMBER, DType.INTEGER, DType.MONEY)


class RuleKind(StrEnum):
    """What a rule asks. The value is the name of the check in the table ``checks``."""

    COLUMNS = "columns"  # the contract's columns, in its order
    ROW_FLOOR = "row_floor"  # fewer rows than this make no sense
    KEY_NOT_NULL = "key_not_null"  # no null and no blank in a key
    KEY_UNIQUE = "key_unique"  # one row per key
    NOT_NULL = "not_null"  # a column that is never null
    FINITE = "finite"  # no inf, no NaN
    BOUNDS = "bounds"  # inclusive bounds; null passes
    CHOICES = "choices"  # one of a list of codes; null passes
    IDENTITY = "identity"  # an equation between columns, stated by the caller


@dataclass(frozen=True)
class Rule:
    """One rule on one table.

    ``name`` tells rules of one kind apart (a column, or an identity's name); ``holds`` is the expression of an
    identity, true on good rows.
    """

    kind: RuleKind
    name: str
    columns: tuple[str, ...]
    expected: str
    advice: str
    severity: Severity = "error"
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    holds: pl.Expr | None = field(default=None, compare=False)


def contract_rules(table: Table, *, row_floor: int = 0) -> tuple[Rule, ...]:
    """Return the rules that ``table``'s contract states, in a fixed order.

    Args:
        table: the contract. ``run_date`` is no part of the frames that steps write, and of no rule.
        row_floor: fewest rows that make sense [rows].

    Example:
        >>> from data.contracts import TABLES
        >>> sorted({r.kind.value for r in contract_rules(TABLES["item_supply"], row_floor=1)})
        ['bounds', 'columns', 'finite', 'key_not_null', 'key_unique', 'not_null', 'row_floor']
    """
    columns = [c for c in table.columns if c.name != "run_date"]
    key = tuple(k for k in table.key if k != "run_date")
    rules = [
        Rule(
            RuleKind.COLUMNS,
            "columns",
            tuple(c.name for c in columns),
            f"the {len(columns)} columns of the contract, in its order",
            f"The step wrote other columns than the contract of {table.name} states.",
        )
    ]
    if row_floor:
        rules.append(
            Rule(
                RuleKind.ROW_FLOOR,
                "row_floor",
                (),
                f"at least {row_floor} rows",
                f"{table.name} came out too small: see whether its input arrived complete.",
                minimum=row_floor,
            )
        )
    if key:
        rules.append(
            Rule(
                RuleKind.KEY_UNIQUE,
                "key_unique",
                key,
                f"one row for each {', '.join(key)}",
                "The rows named share a key: one of each pair is too many.",
            )
        )
    for column in columns:
        rules.extend(_column_rules(column, is_key=column.name in key))
    return tuple(rules)


def identity(name: str, holds: pl.Expr, *, expected: str, advice: str, severity: Severity = "error") -> Rule:
    """Return a rule of the caller's own: ``holds`` is true on every good row; null counts as broken.

    Example:
        >>> identity("adds_up", pl.col("a") + pl.col("b") == pl.col("c"), expected="a + b = c", advice="-").name
        'adds_up'
    """
    return Rule(
        RuleKind.IDENTITY, name, tuple(holds.meta.root_names()), expected, advice, severity=severity, holds=holds
    )


def _column_rules(column: Column, *, is_key: bool) -> list[Rule]:
    rules = []

    def add(kind: RuleKind, expected: str, advice: str, **bounds: Any) -> None:
        rules.append(Rule(kind, column.name, (column.name,), expected, f"{column.name} {advice}", **bounds))

    if is_key:
        add(RuleKind.KEY_NOT_NULL, "no null, no blank", "is part of the key: fill it, or leave the rows out.")
    elif not column.nullable:
        add(RuleKind.NOT_NULL, "no null", "is never empty: see which rule left it out.")
    if column.dtype is DType.NUMBER:
        add(RuleKind.FINITE, "finite numbers", "is infinite somewhere: a division by zero, or a broken model.")
    if column.dtype in _NUMERIC and (column.minimum is not None or column.maximum is not None):
        words = _bounds_in_words(column.minimum, column.maximum)
        advice = "lies outside its bounds: see the rows named."
        add(RuleKind.BOUNDS, words, advice, minimum=column.minimum, maximum=column.maximum)
    if column.choices:
        words = "one of " + ", ".join(column.choices)
        advice = "holds a code that nobody knows: correct it, or add it to the contract."
        add(RuleKind.CHOICES, words, advice, choices=column.choices)
    return rules


def _bounds_in_words(minimum: float | None, maximum: float | None) -> str:
    if minimum is None:
        return f"at most {maximum:g}"
    if maximum is None:
        return f"at least {minimum:g}"
    return f"{minimum:g} to {maximum:g}"
