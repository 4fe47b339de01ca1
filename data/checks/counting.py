"""The same facts counted by DuckDB where a large table lies: one pass over the columns that rules ask about.

It tells only of a table in which nothing is broken. Where something is, :mod:`data.checks.facts` looks again, and names
the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

from data.checks.facts import MAX_SAMPLE_ROWS, Fact, Facts
from data.checks.suites import Rule, RuleKind
from data.ingest.casting import literal
from data.ingest.exchange import arrow_rows, sorted_hashes
from data.warehouse import quoted

__all__ = ["sound_facts"]

_MEAN_SAMPLE_ROWS = MAX_SAMPLE_ROWS * 9 // 10  # chance gives a little more or less
_DAYS_SAMPLED = 30  # about, of a longer history: rows of more days are no better witnesses [days]
_WHITE = " \t\n\r\f\v\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def sound_facts(
    connection: duckdb.DuckDBPyConnection,
    rows_sql: str,
    rules: Sequence[Rule],
    *,
    key: Sequence[str],
    is_unique: bool = False,
) -> Facts | None:
    """Return the facts of a table that breaks no rule, None where it breaks one or cannot be told.

    Args:
        connection: with the table.
        rows_sql: ``from ...``, the rows.
        rules: from :func:`data.checks.suites.contract_rules`; identities of a caller's own are not counted here.
        key: columns that identify a row.
        is_unique: it is known already that no key comes twice.
    """
    types = {row[0]: str(row[1]) for row in connection.execute(f"describe select * {rows_sql}").fetchall()}
    if any(_needs_frames(rule, types) for rule in rules):
        return None
    asked = [r for r in rules if r.columns and r.kind is not RuleKind.COLUMNS and r.kind is not RuleKind.KEY_UNIQUE]
    counts = ", ".join(f"count_if({_broken_sql(r, types[r.columns[0]])})" for r in asked)
    found = connection.execute(f"select count(*){', ' if counts else ''}{counts} {rows_sql}").fetchall()[0]
    rows = int(found[0])
    if any(found[1:]) or not rows or (not is_unique and _has_twins(connection, rows_sql, rules)):
        return None
    sample = _sample(connection, rows_sql, rows, key, day=next((n for n, t in types.items() if t == "DATE"), None))
    return Facts({rule: Fact(rows_checked=rows) for rule in rules}, rows, sample)


def _needs_frames(rule: Rule, types: dict[str, str]) -> bool:
    if rule.kind is RuleKind.COLUMNS:
        return tuple(types) != rule.columns
    return rule.kind in (RuleKind.IDENTITY, RuleKind.ROW_FLOOR) or not set(rule.columns) <= set(types)


def _broken_sql(rule: Rule, dtype: str) -> str:
    """Return the condition that holds on rows that break ``rule``; null counts as sound, as in the frames."""
    value = quoted(rule.columns[0])
    number = value if dtype in ("DOUBLE", "FLOAT") else f"{value}::double"
    match rule.kind:
        case RuleKind.NOT_NULL:
            return f"{value} is null"
        case RuleKind.KEY_NOT_NULL:
            if dtype != "VARCHAR":
                return f"{value} is null"
            is_odd = f"{value} < '!' or {value} >= chr(128)"  # nearly no key is; only those are stripped
            return f"case when {value} is null then true when {is_odd} then trim({value}, {literal(_WHITE)}) = '' end"
        case RuleKind.FINITE:
            return f"not isfinite({number})"
        case RuleKind.CHOICES:
            return f"{value}::varchar not in ({', '.join(map(literal, rule.choices))})"
        case _:
            limits = [f"{number} < {rule.minimum!r}"] if rule.minimum is not None else []
            limits += [f"{number} > {rule.maximum!r}"] if rule.maximum is not None else []
            return " or ".join([*limits, f"isnan({number})"])


def _has_twins(connection: duckdb.DuckDBPyConnection, rows_sql: str, rules: Sequence[Rule]) -> bool:
    """Return whether two keys may be equal: their 64-bit hashes are, which is sorted out elsewhere."""
    for rule in rules:
        if rule.kind is RuleKind.KEY_UNIQUE:
            hashes = sorted_hashes(connection, ", ".join(quoted(c) for c in rule.columns), rows_sql)
            if (hashes[1:] == hashes[:-1]).any():
                return True
    return False


def _sample(
    connection: duckdb.DuckDBPyConnection, rows_sql: str, rows: int, key: Sequence[str], *, day: str | None
) -> pl.DataFrame:
    """Return an evenly spread sample: rows whose key's hash falls into one of so many parts, on days spread evenly.

    To pick one row of hundreds takes as long as to read them all, so of a long history most days are left unread.
    """
    some = ""
    if key and rows > MAX_SAMPLE_ROWS:
        days, rows = _days_sampled(connection, rows_sql, rows, day) if day is not None else ("true", rows)
        parts = -(-rows // _MEAN_SAMPLE_ROWS)
        some = f" where {days} and hash({', '.join(map(quoted, key))}) % {parts} = 0"
    frame = pl.from_arrow(arrow_rows(connection, f"select * {rows_sql}{some} limit {MAX_SAMPLE_ROWS}"))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _days_sampled(connection: duckdb.DuckDBPyConnection, rows_sql: str, rows: int, day: str) -> tuple[str, int]:
    """Return SQL for some days of those in the column ``day``, and their rows; for all where few rows would be left."""
    column = quoted(day)
    found = connection.execute(f"select {column}, count(*) {rows_sql} group by 1 order by 1").fetchall()
    every = max(1, len(found) // _DAYS_SAMPLED)
    picked = dict(found[:: every - (every % 7 == 0)])  # not the same weekday each time
    left = sum(picked.values())
    if None in picked or left < MAX_SAMPLE_ROWS:
        return "true", rows
    return f"{column} in ({', '.join(f'date {literal(str(d))}' for d in picked)})", left
