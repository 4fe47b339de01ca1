"""Great Expectations: the expectations of a table's rules, evaluated on aggregates and on a sample.

Great Expectations 1.24 is green on an empty frame, an empty suite and an all-null column. So every evaluation here
states how many rows and how many expectations it must have seen, and an expectation that raised counts as red.
One ephemeral context per process: nothing is written to disk and nothing is sent anywhere.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl

from data.checks.facts import Facts
from data.checks.suites import Rule, RuleKind
from data.errors import DataError

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation

__all__ = ["red_on_aggregates", "red_on_sample"]

_SEVERITY = {"error": "critical", "warn": "warning"}  # ours -> Great Expectations'


def red_on_aggregates(facts: Facts) -> set[Rule]:
    """Return the rules that Great Expectations finds broken in the counts over all rows.

    Raises:
        DataError: it evaluated other than what it was given.
    """
    rules = list(facts.by_rule)
    frame = pd.DataFrame(
        {
            "rule": range(len(rules)),
            "rows_failed": [facts.by_rule[r].rows_failed for r in rules],
            "rows_checked": [facts.by_rule[r].rows_checked for r in rules],
        }
    )
    gxe = _gx().expectations
    expectations = [
        gxe.ExpectTableRowCountToEqual(value=len(rules)),
        gxe.ExpectColumnValuesToNotBeNull(column="rows_failed"),
        gxe.ExpectColumnValuesToBeBetween(column="rows_failed", min_value=0, max_value=0),
        gxe.ExpectColumnValuesToBeBetween(column="rows_checked", min_value=facts.rows, max_value=facts.rows),
    ]
    complete = {"result_format": "COMPLETE", "unexpected_index_column_names": ["rule"]}
    results = _validate(frame, expectations, result_format=complete)
    if not (results[0].success and results[1].success):
        raise DataError(f"checks: {len(rules)} rules were counted, Great Expectations saw others: {results[0].result}")
    red: set[Rule] = set()
    for result in results[2:]:
        if not result.success:
            red.update(rules[int(row["rule"])] for row in result.result["unexpected_index_list"])
    return red


def red_on_sample(facts: Facts, rules: Sequence[Rule]) -> dict[Rule, int]:
    """Return the rules that Great Expectations finds broken on the sample of rows, each with its count of bad rows.

    Only rules that it has an expectation for are asked: an infinite number, for one, passes its range check.
    """
    sample = _as_pandas(facts.sample)
    asked = [(rule, _expectation(rule)) for rule in rules if set(rule.columns) <= set(sample.columns)]
    asked = [(rule, expectation) for rule, expectation in asked if expectation is not None]
    # Without rows an expectation is green whatever it asks: then only the columns are looked at.
    if sample.empty:
        asked = [(r, e) for r, e in asked if r.kind is RuleKind.COLUMNS]
    if not asked:
        return {}
    basic = {"result_format": "BASIC", "partial_unexpected_count": 0}
    results = _validate(sample, [e for _, e in asked], result_format=basic)
    red = {}
    for (rule, _), result in zip(asked, results, strict=True):
        if not result.success:
            red[rule] = int(result.result.get("unexpected_count", 1)) if result.result else 1
    return red


def _expectation(rule: Rule) -> Expectation | None:
    gxe, severity = _gx().expectations, _SEVERITY[rule.severity]
    match rule.kind:
        case RuleKind.COLUMNS:
            return gxe.ExpectTableColumnsToMatchOrderedList(column_list=list(rule.columns), severity=severity)
        case RuleKind.KEY_UNIQUE if len(rule.columns) == 1:
            return gxe.ExpectColumnValuesToBeUnique(column=rule.columns[0], severity=severity)
        case RuleKind.KEY_UNIQUE:
            return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(rule.columns), severity=severity)
        case RuleKind.KEY_NOT_NULL | RuleKind.NOT_NULL:
            return gxe.ExpectColumnValuesToNotBeNull(column=rule.columns[0], severity=severity)
        case RuleKind.BOUNDS:
            return gxe.ExpectColumnValuesToBeBetween(
                column=rule.columns[0], min_value=rule.minimum, max_value=rule.maximum, severity=severity
            )
        case RuleKind.CHOICES:
            return gxe.ExpectColumnValuesToBeInSet(
                column=rule.columns[0], value_set=list(rule.choices), severity=severity
            )
        case _:
            return None  # row floors count all rows, and nothing in it knows inf or our identities


def _validate(frame: pd.DataFrame, expectations: list[Any], *, result_format: dict[str, Any]) -> list[Any]:
    """Return one result for each expectation, in their order; one that raised has ``success`` false."""
    gx = _gx()
    numbered = [e.copy(update={"meta": {"n": n}}) for n, e in enumerate(expectations)]
    batch = _batch_definition().get_batch(batch_parameters={"dataframe": frame})
    outcome = batch.validate(gx.ExpectationSuite(name="table", expectations=numbered), result_format=result_format)
    by_number = {r.expectation_config.meta["n"]: r for r in outcome.results}
    if sorted(by_number) != list(range(len(expectations))) or len(outcome.results) != len(expectations):
        raise DataError(
            f"Great Expectations was given {len(expectations)} expectations and evaluated {len(outcome.results)}"
        )
    return [by_number[n] for n in range(len(expectations))]


def _as_pandas(sample: pl.DataFrame) -> pd.DataFrame:
    """Return the sample as pandas: decimals as doubles, lists as their lengths, days as instants."""
    return sample.with_columns(
        pl.selectors.decimal().cast(pl.Float64),
        pl.selectors.list().list.len(),
        pl.selectors.date().cast(pl.Datetime("us")),
    ).to_pandas()


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
