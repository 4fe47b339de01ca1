"""Facts about every row of a table: how many rows each rule was asked of, and how many break it.

One pass over batches of any size, in constant memory but for 8 bytes a row for the uniqueness of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from data.checks.suites import Rule, RuleKind

__all__ = ["MAX_SAMPLE_ROWS", "Batches", "Fact", "Facts", "facts_of"]

MAX_SAMPLE_ROWS = 100_000
"""Rows that Great Expectations sees of a larger table [rows]: its cost grows with rows, its verdict does not."""

_MAX_KEYS = 5  # culprits named
_ROW_KINDS = (
    RuleKind.KEY_NOT_NULL,
    RuleKind.NOT_NULL,
    RuleKind.FINITE,
    RuleKind.BOUNDS,
    RuleKind.CHOICES,
    RuleKind.IDENTITY,
)

Batches = Callable[[], Iterable[pl.DataFrame]]
"""Gives the rows of a table, batch by batch; called again where a second look is needed."""


@dataclass
class Fact:
    """What one rule found: rows asked, rows that break it, keys of the first few, extremes of a numeric column."""

    rows_checked: int = 0
    rows_failed: int = 0
    keys: list[str] = field(default_factory=list)
    lowest: float | None = None
    highest: float | None = None
    found: str = ""


@dataclass(frozen=True)
class Facts:
    """Facts of all rules, in their order, the number of rows, and an evenly spread sample of them."""

    by_rule: dict[Rule, Fact]
    rows: int
    sample: pl.DataFrame


def facts_of(batches: Batches, rules: Sequence[Rule], *, key: Sequence[str]) -> Facts:
    """Return what ``rules`` find in the rows of ``batches``.

    Args:
        batches: gives the rows; decimals are compared as doubles.
        rules: from :func:`data.checks.suites.contract_rules`, or the caller's own.
        key: columns that name a row in messages; without one, rows are named by their number.

    Returns:
        Exact counts over all rows. The sample holds all rows up to ``MAX_SAMPLE_ROWS``, beyond that every k-th.
    """
    facts = {rule: Fact() for rule in rules}
    names: list[str] = []
    rows, hashes, sampler = 0, [], _Sampler()
    unique = next((r for r in rules if r.kind is RuleKind.KEY_UNIQUE), None)
    for batch in batches():
        names = batch.columns
        present = [r for r in rules if r.kind in _ROW_KINDS and set(r.columns) <= set(names)]
        numeric = batch.with_columns(pl.selectors.decimal().cast(pl.Float64))
        _count(numeric, present, facts, key=key, first_row=rows)
        if unique is not None and set(unique.columns) <= set(names):
            hashes.append(numeric.select(unique.columns).hash_rows(seed=0))
        sampler.add(batch)
        rows += batch.height
    for rule, fact in facts.items():
        _count_whole(rule, fact, names=names, rows=rows)
    if unique is not None and hashes:
        facts[unique].rows_checked = rows
        _count_duplicates(batches, pl.concat(hashes), unique, facts[unique])
    return Facts(facts, rows, sampler.frame())


def _count(
    frame: pl.DataFrame, rules: Sequence[Rule], facts: dict[Rule, Fact], *, key: Sequence[str], first_row: int
) -> None:
    masks = [_broken(rule, frame.schema) for rule in rules]
    if not masks or not frame.height:
        return
    counts = frame.lazy().select([mask.sum().alias(str(i)) for i, mask in enumerate(masks)]).collect().row(0)
    for mask, rule, failed in zip(masks, rules, counts, strict=True):
        fact = facts[rule]
        fact.rows_checked += frame.height
        fact.rows_failed += int(failed or 0)
        if not failed:
            continue
        broken = frame.with_row_index("__row", offset=first_row).filter(mask)
        fact.keys.extend(_keys(broken, key)[: _MAX_KEYS - len(fact.keys)])
        if rule.kind is RuleKind.BOUNDS:
            _widen(fact, broken[rule.columns[0]])
        if rule.kind is RuleKind.CHOICES:
            seen = sorted(set(broken[rule.columns[0]].head(1000).to_list()))
            fact.found = fact.found or ", ".join(repr(v) for v in seen[:_MAX_KEYS])


def _broken(rule: Rule, schema: pl.Schema) -> pl.Expr:
    """Return the expression that is true on rows that break ``rule``."""
    if rule.kind is RuleKind.IDENTITY:
        assert rule.holds is not None
        return ~rule.holds.fill_null(value=False)
    value = pl.col(rule.columns[0])
    dtype = schema[rule.columns[0]]
    is_null = value.is_null()
    if rule.kind is RuleKind.NOT_NULL:
        return is_null
    if rule.kind is RuleKind.KEY_NOT_NULL:
        return is_null | (value.str.strip_chars() == "") if dtype == pl.String else is_null
    if rule.kind is RuleKind.FINITE:
        return (~value.is_finite()).fill_null(value=False) if dtype.is_float() else pl.lit(value=False)
    if rule.kind is RuleKind.CHOICES:
        return (~value.cast(pl.String).is_in(list(rule.choices))).fill_null(value=False)
    outside = pl.lit(value=False)
    if rule.minimum is not None:
        outside = outside | (value < rule.minimum)
    if rule.maximum is not None:
        outside = outside | (value > rule.maximum)
    not_a_number = value.is_nan() if dtype.is_float() else pl.lit(value=False)
    return (outside | not_a_number).fill_null(value=False)


def _widen(fact: Fact, values: pl.Series) -> None:
    low, high = values.min(), values.max()
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        fact.lowest = low if fact.lowest is None else min(fact.lowest, low)
        fact.highest = high if fact.highest is None else max(fact.highest, high)


def _keys(broken: pl.DataFrame, key: Sequence[str]) -> list[str]:
    head = broken.head(_MAX_KEYS)
    named = [k for k in key if k in head.columns]
    if not named:
        return [f"row {n}" for n in head["__row"].to_list()]
    return [" / ".join("null" if v is None else str(v) for v in row) for row in head.select(named).iter_rows()]


def _count_whole(rule: Rule, fact: Fact, *, names: list[str], rows: int) -> None:
    """Fill the facts of rules about a table as a whole, and of rules whose column is not there."""
    if rule.kind is RuleKind.COLUMNS:
        fact.rows_checked = rows
        fact.rows_failed = int(tuple(names) != rule.columns)
        missing = [n for n in rule.columns if n not in names]
        unknown = [n for n in names if n not in rule.columns]
        fact.found = f"missing {missing[:_MAX_KEYS]}, unknown {unknown[:_MAX_KEYS]}"
        if not missing and not unknown:
            fact.found = "the columns, in another order"
    elif rule.kind is RuleKind.ROW_FLOOR:
        fact.rows_checked = rows
        fact.rows_failed = int(rows < (rule.minimum or 0))
    elif not set(rule.columns) <= set(names):
        fact.rows_failed = max(rows, 1)
        fact.found = "no such column"


def _count_duplicates(batches: Batches, hashes: pl.Series, rule: Rule, fact: Fact) -> None:
    """Count rows whose key stood before. Equal hashes only nominate: the keys themselves decide."""
    if hashes.n_unique() == hashes.len():
        return
    suspects = hashes.filter(hashes.is_duplicated()).unique()
    rows = pl.concat(
        [
            keys.filter(keys.hash_rows(seed=0).is_in(suspects.implode()))
            for keys in (
                b.select(rule.columns).with_columns(pl.selectors.decimal().cast(pl.Float64)) for b in batches()
            )
        ]
    )
    again = rows.group_by(rule.columns, maintain_order=True).agg(pl.len().alias("__n")).filter(pl.col("__n") > 1)
    if not again.height:
        return
    fact.rows_failed = int(again["__n"].sum()) - again.height
    fact.keys = _keys(again.sort(rule.columns).with_row_index("__row"), rule.columns)


class _Sampler:
    """Keeps every k-th row of a stream, k the smallest power of two that leaves at most ``MAX_SAMPLE_ROWS``."""

    def __init__(self) -> None:
        self._stride = 1
        self._seen = 0
        self._kept: list[pl.DataFrame] = []
        self._rows = 0

    def add(self, batch: pl.DataFrame) -> None:
        offset = -self._seen % self._stride
        taken = batch.gather_every(self._stride, offset) if offset < batch.height else batch.clear()
        self._kept.append(taken)
        self._rows += taken.height
        self._seen += batch.height
        while self._rows > MAX_SAMPLE_ROWS:
            thinned = pl.concat(self._kept).gather_every(2)
            self._kept, self._rows, self._stride = [thinned], thinned.height, self._stride * 2

    def frame(self) -> pl.DataFrame:
        return pl.concat(self._kept) if self._kept else pl.DataFrame()
