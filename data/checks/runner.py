"""The verdict on a table that a step is about to write: contract rules and the step's own, never green on nothing.

Every rule is counted on all rows; Great Expectations judges those counts, and what a sample of at most 100,000 rows
(all of them in a smaller table) says of each rule, taken another way. Red in either is red.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import duckdb
import polars as pl
import pyarrow as pa

from data.checks.counting import sound_facts
from data.checks.expectations import red_rules
from data.checks.facts import Batches, Fact, Facts, facts_of
from data.checks.results import CheckResult
from data.checks.suites import Rule, RuleKind, contract_rules
from data.contracts import Table

__all__ = ["check_added", "check_batches", "check_large", "check_table"]

_BATCH_ROWS = 1_000_000  # rows counted at a time [rows]: bounds the memory that the counting takes
_ALWAYS = (RuleKind.COLUMNS, RuleKind.ROW_FLOOR)  # rules that say something about a table without rows


def check_table(
    step: str, table: Table, frame: pa.Table | pl.DataFrame, *, row_floor: int = 0, rules: Sequence[Rule] = ()
) -> list[CheckResult]:
    """Return what the contract of ``table``, and ``rules``, find in ``frame``.

    Args:
        step: name of the step that writes.
        table: the contract.
        frame: all rows, without ``run_date``.
        row_floor: fewest rows that make sense [rows].
        rules: identities of the caller's own, from :func:`data.checks.suites.identity`.

    Returns:
        One result per rule (``bounds.order_qty``), the broken ones of a kind first, in a fixed order. Row rules are not
        listed for a table without rows: they saw nothing.
    """
    rows = frame if isinstance(frame, pl.DataFrame) else _as_polars(frame)
    slices = (lambda: rows.iter_slices(_BATCH_ROWS)) if rows.height else (lambda: iter([rows]))
    return _verdict(step, table, slices, row_floor=row_floor, rules=rules)


def check_batches(
    step: str,
    table: Table,
    batches: Callable[[], pa.RecordBatchReader],
    *,
    row_floor: int = 0,
    rules: Sequence[Rule] = (),
) -> list[CheckResult]:
    """Return the same as :func:`check_table` for rows that come in batches, in memory that does not grow with them.

    ``batches`` is called once, and once more where two keys may be equal, such as
    ``lambda: connection.execute("select ... from stg_period_sales").to_arrow_reader()``.
    """
    return _verdict(step, table, lambda: _frames(batches()), row_floor=row_floor, rules=rules)


def check_large(
    step: str,
    table: Table,
    connection: duckdb.DuckDBPyConnection,
    batches: Callable[[], pa.RecordBatchReader],
    *,
    is_unique: bool = False,
) -> list[CheckResult]:
    """Return the same as :func:`check_batches` for a table of a database, counted there as long as nothing is broken.

    ``batches`` gives its rows where a rule is broken, so that the rows at fault are named. ``is_unique`` says that no
    key comes twice, as is known already.
    """
    key = [k for k in table.key if k != "run_date"]
    facts = sound_facts(connection, f"from {table.name}", contract_rules(table), key=key, is_unique=is_unique)
    return check_batches(step, table, batches) if facts is None else _judged(step, table, facts)


def check_added(
    step: str, table: Table, batches: Callable[[], pa.RecordBatchReader], *, rows_before: int
) -> list[CheckResult] | None:
    """Return the verdict on a table to which rows were added since it was found in order as a whole.

    Only the rows that ``batches`` gives are counted, so a night's check does not grow with the shop's history. That
    none of their keys stands among the rows of before is for the caller to see to.

    Returns:
        None where one of the added rows breaks a rule: then the whole table is to be looked at.
    """
    asked = contract_rules(table)
    key = [k for k in table.key if k != "run_date"]
    facts = facts_of(lambda: _frames(batches()), asked, key=key)
    if any(f.rows_failed for f in facts.by_rule.values()):
        return None
    rows = facts.rows + rows_before
    return _judged(
        step, table, Facts({r: replace(f, rows_checked=rows) for r, f in facts.by_rule.items()}, rows, facts.sample)
    )


def _frames(reader: pa.RecordBatchReader) -> Iterator[pl.DataFrame]:
    yield _as_polars(reader.schema.empty_table())  # a stream without batches has columns all the same
    for batch in reader:
        yield _as_polars(batch)


def _as_polars(rows: pa.Table | pa.RecordBatch) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _verdict(step: str, table: Table, batches: Batches, *, row_floor: int, rules: Sequence[Rule]) -> list[CheckResult]:
    asked = (*contract_rules(table, row_floor=row_floor), *rules)
    key = [k for k in table.key if k != "run_date"]
    facts = facts_of(batches, asked, key=key)
    if not facts.rows:
        facts = Facts({r: f for r, f in facts.by_rule.items() if r.kind in _ALWAYS}, 0, facts.sample)
    return _judged(step, table, facts)


def _judged(step: str, table: Table, facts: Facts) -> list[CheckResult]:
    """Let Great Expectations judge the facts; return one result for what holds of each kind, one for what does not."""
    red, sampled = red_rules(facts)
    results: list[CheckResult] = []
    for kind in RuleKind:
        of_kind = [r for r in facts.by_rule if r.kind is kind]
        broken = [r for r in of_kind if r in red or r in sampled]
        results.extend(_failed(step, table, r, facts.by_rule[r], facts.rows, sampled) for r in broken)
        results.extend(_passed(step, table, r, facts.by_rule[r], facts.rows) for r in of_kind if r not in broken)
    return results


def _passed(step: str, table: Table, rule: Rule, fact: Fact, rows: int) -> CheckResult:
    observed = f"{rows} rows" if rule.kind is RuleKind.ROW_FLOOR else f"0 of {rows} rows"
    if rule.kind is RuleKind.COLUMNS:
        observed = f"{len(rule.columns)} columns" + ("" if rows else "; no rows, so no other rule was asked")
    elif fact.lowest is not None and fact.highest is not None:
        observed += f", from {fact.lowest:g} to {fact.highest:g}"
    return CheckResult(step, table.name, _check_name(rule), "pass", rule.severity, observed, rule.expected, rows)


def _check_name(rule: Rule) -> str:
    """Return the name of a rule in the table ``checks``: its kind, and the column or identity it is about."""
    return rule.kind.value if rule.name == rule.kind.value else f"{rule.kind.value}.{rule.name}"


def _failed(step: str, table: Table, rule: Rule, fact: Fact, rows: int, sampled: dict[Rule, int]) -> CheckResult:
    failed = max(fact.rows_failed, sampled.get(rule, 0))
    return CheckResult(
        step,
        table.name,
        _check_name(rule),
        "fail" if rule.severity == "error" else "warn",
        rule.severity,
        _observed(rule, fact, rows, sampled.get(rule, 0)),
        rule.expected,
        rows,
        failed,
        tuple(fact.keys),
        rule.advice,
    )


def _observed(rule: Rule, fact: Fact, rows: int, sampled: int) -> str:
    if rule.kind is RuleKind.COLUMNS:
        return fact.found
    if rule.kind is RuleKind.ROW_FLOOR:
        return f"{rows} rows"
    if not fact.rows_failed:
        return f"the counts disagree: 0 of {rows} rows by our count, {sampled} by Great Expectations"
    text = f"{fact.rows_failed} of {rows} rows"
    if fact.lowest is not None and fact.highest is not None:
        text += f", from {fact.lowest:g} to {fact.highest:g}"
    return f"{text}: {fact.found}" if fact.found else text
