"""Great Expectations: one suite a table, over our counts of each rule and over what a sample says of it.

Great Expectations 1.24 is green on an empty frame, an empty suite and an all-null column. So every evaluation here
states how many rows and how many expectations it must have seen, and an expectation that raised counts as red.
One ephemeral context per process: nothing is written to disk and nothing is sent anywhere.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl

from data.checks.facts import Facts
from data.checks.suites import Rule, RuleKind
from data.errors import DataError

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition

__all__ = ["red_rules"]

_COMPLETE = {"result_format": "COMPLETE", "unexpected_index_column_names": ["rule"]}
_WITNESSES = ("bad", "lowest", "highest", "minimum", "maximum")


def red_rules(facts: Facts) -> tuple[set[Rule], dict[Rule, int]]:
    """Return the rules that Great Expectations finds broken: by our counts over all rows, and by figures of its own.

    One suite judges a whole table, one row of its frame for each rule: an expectation costs some 5 ms whatever it
    looks at, and a table has up to ninety rules. Beside our counts each rule has a second witness, taken from the rows
    another way: nulls, extremes, codes and repeated keys of the sample. Red in either is red.

    Raises:
        DataError: it evaluated other than what it was given.
    """
    rules = list(facts.by_rule)
    witness = [_witness(rule, facts.sample) for rule in rules]
    frame = pd.DataFrame(
        {
            "rule": range(len(rules)),
            "rows_failed": [facts.by_rule[r].rows_failed for r in rules],
            "rows_checked": [facts.by_rule[r].rows_checked for r in rules],
            **{name: pd.Series([w.get(name) for w in witness], dtype="float64") for name in _WITNESSES},
        }
    )
    gxe = _gx().expectations
    expectations = [
        gxe.ExpectTableRowCountToEqual(value=len(rules)),
        gxe.ExpectColumnValuesToNotBeNull(column="rows_failed"),
        gxe.ExpectColumnValuesToBeBetween(column="rows_failed", min_value=0, max_value=0),
        gxe.ExpectColumnValuesToBeBetween(column="rows_checked", min_value=facts.rows, max_value=facts.rows),
        gxe.ExpectColumnValuesToBeBetween(column="bad", min_value=0, max_value=0),
        *(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=larger, column_B=smaller, or_equal=True, ignore_row_if="either_value_is_missing"
            )
            for larger, smaller in (("lowest", "minimum"), ("maximum", "highest"))
        ),
    ]
    results = _validate(frame, expectations)
    if not (results[0].success and results[1].success):
        raise DataError(f"checks: {len(rules)} rules were counted, Great Expectations saw others: {results[0].result}")
    counted = {rule for result in results[2:4] for rule in _unexpected(result, rules)}
    bad = dict(zip(rules, frame["bad"].fillna(1.0).tolist(), strict=True))
    witnessed = {rule: int(max(bad[rule], 1.0)) for result in results[4:] for rule in _unexpected(result, rules)}
    return counted, witnessed


def _unexpected(result: Any, rules: list[Rule]) -> list[Rule]:
    """Return the rules that a result names; an expectation that raised names all of them."""
    if result.success:
        return []
    if not result.result or "unexpected_index_list" not in result.result:
        return rules
    return [rules[int(row["rule"])] for row in result.result["unexpected_index_list"]]


def _witness(rule: Rule, sample: pl.DataFrame) -> dict[str, float | None]:
    """Return what the sample says of a rule: ``bad`` things seen, or its extremes beside the bounds."""
    if rule.kind is RuleKind.COLUMNS:
        return {"bad": float(tuple(sample.columns) != rule.columns)}
    if not sample.height or not set(rule.columns) <= set(sample.columns):
        return {}
    values = sample[rule.columns[0]] if rule.columns else pl.Series([])
    match rule.kind:
        case RuleKind.KEY_NOT_NULL | RuleKind.NOT_NULL:
            return {"bad": float(values.null_count())}
        case RuleKind.KEY_UNIQUE:
            return {"bad": float(sample.height - sample.select(rule.columns).n_unique())}
        case RuleKind.CHOICES:
            return {"bad": float(len(set(values.drop_nulls().unique().to_list()) - set(rule.choices)))}
        case RuleKind.BOUNDS:
            finite = values.cast(pl.Float64).fill_nan(None)
            return {
                "lowest": _number(finite.min()),
                "highest": _number(finite.max()),
                "minimum": rule.minimum,
                "maximum": rule.maximum,
            }
        case _:
            return {}  # row floors count all rows; what is not finite, and our identities, the counts alone tell


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _validate(frame: pd.DataFrame, expectations: list[Any]) -> list[Any]:
    """Return one result for each expectation, in their order; one that raised has ``success`` false.

    What it finds is told only where something is red: to ask for it each time takes twice as long.
    """
    gx = _gx()
    numbered = [e.copy(update={"meta": {"n": n}}) for n, e in enumerate(expectations)]
    batch = _batch_definition().get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="table", expectations=numbered)
    found = batch.validate(suite, result_format="BOOLEAN_ONLY").results
    if not all(r.success for r in found):
        found = batch.validate(suite, result_format=_COMPLETE).results
    by_number = {r.expectation_config.meta["n"]: r for r in found}
    if sorted(by_number) != list(range(len(expectations))) or len(found) != len(expectations):
        raise DataError(f"Great Expectations was given {len(expectations)} expectations and evaluated {len(found)}")
    return [by_number[n] for n in range(len(expectations))]


@cache
def _gx() -> Any:
    """Return the library, imported on first use (2.8 s of CPU), its telemetry switched off."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports sre_constants, which Python 3.11 deprecates
        import great_expectations

    return great_expectations


@cache
def _batch_definition() -> BatchDefinition[Any]:
    """Return the one batch definition of this process: in memory, without progress bars."""
    gx = _gx()
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    batch_definition: BatchDefinition[Any] = asset.add_batch_definition_whole_dataframe("all")
    return batch_definition
