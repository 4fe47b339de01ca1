"""Checks of what rows look like against the shop's own history: values that drift, columns that run empty.

Pure: counts in, results out. The ingest step counts in SQL, so ten million rows cost a scan and no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import log

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from data.checks.results import CheckResult
from data.ingest.exchange import arrow_rows
from data.warehouse import quoted

__all__ = ["DRIFTING", "cut_points", "drift_results", "empty_share", "population_stability"]

DRIFTING: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "order_lines": ("business_date", ("unit_price", "quantity"), ("channel", "buyer_ref", "order_id", "list_price")),
    "period_sales": ("ds", ("unit_price", "units"), ("unit_price", "in_stock")),
    "returns": ("business_date", ("quantity",), ("reason", "order_line_id")),
    "signals": ("date", ("value",), ("region",)),
}
"""Table -> its day, the columns whose values are compared, the optional columns that must not run empty."""

_RECENT_DAYS, _BEFORE_DAYS = 7, 56  # the last week against the eight before it
_MIN_RECENT, _MIN_BEFORE = 100, 500  # rows; fewer swing too much to tell
_BINS = 10
_FEWEST_REPEATS = 10  # rows a value, on average, from which on values are grouped
_LIMIT = 0.25  # of the population stability index: the usual line between a shift and another population (Siddiqi 2006)
_EMPTY_RISE = 0.2  # points by which the share of empty values may rise (0-1)


def population_stability(now: Sequence[float], before: Sequence[float]) -> float:
    """Return the population stability index of two histograms over the same bins; half a row of doubt in each.

    >>> population_stability([10, 10], [50, 50])
    0.0
    """
    a, b = sum(now) + 0.5 * len(now), sum(before) + 0.5 * len(before)
    shares = [((x + 0.5) / a, (y + 0.5) / b) for x, y in zip(now, before, strict=True)]
    return round(sum((p - q) * log(p / q) for p, q in shares), 6)


def empty_share(table: str, column: str, *, now: float, before: float, rows: int, step: str = "ingest") -> CheckResult:
    """Return whether ``column`` is filled about as often as it used to be (shares of empty values, 0-1)."""
    is_red = now - before > _EMPTY_RISE
    return CheckResult(
        step,
        table,
        f"filled.{column}",
        "warn" if is_red else "pass",
        "warn",
        f"{now:.0%} empty in the last {_RECENT_DAYS} days, {before:.0%} before",
        f"at most {_EMPTY_RISE:.0%} more empty values than in the {_BEFORE_DAYS} days before",
        rows,
        round(now * rows) if is_red else 0,
        (column,) if is_red else (),
        f"Did the export of {table} lose {column}? What needs it falls back." if is_red else "",
    )


def drift_results(
    connection: duckdb.DuckDBPyConnection, table: str, *, run_date: date, step: str = "ingest"
) -> list[CheckResult]:
    """Return the checks of the last week's rows of ``stg_<table>`` against the eight weeks before.

    None where either has too few rows to tell. All of them only warn: a sale week looks unlike others, and is real.
    """
    day, numbers, optional = DRIFTING[table]
    is_recent = f"{quoted(day)} > date '{run_date - timedelta(days=_RECENT_DAYS)}' as is_recent"
    rows_sql = (
        f"from stg_{table} where {quoted(day)} > date '{run_date - timedelta(days=_RECENT_DAYS + _BEFORE_DAYS)}' and "
        f"{quoted(day)} <= date '{run_date}'"
    )
    counts = ", ".join(f"count({quoted(n)})" for n in optional)
    found = connection.execute(f"select {is_recent}, count(*), {counts} {rows_sql} group by 1").fetchall()
    rows = {row[0]: row[1] for row in found}
    if rows.get(True, 0) < _MIN_RECENT or rows.get(False, 0) < _MIN_BEFORE:
        return []
    drifts = [
        _drift(table, column, _counted(connection, column, is_recent, rows_sql), rows=rows[True], step=step)
        for column in numbers
    ]
    empty = {row[0]: [(row[1] - filled) / row[1] for filled in row[2:]] for row in found}
    return [result for result in drifts if result is not None] + [
        empty_share(table, column, now=now, before=before, rows=rows[True], step=step)
        for column, now, before in zip(optional, empty[True], empty[False], strict=True)
        if before < 1.0
    ]


def _counted(connection: duckdb.DuckDBPyConnection, column: str, is_recent: str, rows_sql: str) -> pl.DataFrame:
    """Return the values of a column in their order, each with how often it stands in the last week, and before.

    Columns: ``value``, ``is_recent``, ``rows``. Values that hardly ever repeat are not grouped: that would take more
    memory than they do, and gain nothing.
    """
    value = quoted(column)
    rows_sql = f"{rows_sql} and {value} is not null"
    repeats = connection.execute(f"select count(*), approx_count_distinct({value}) {rows_sql}").fetchall()[0]
    grouped = f"select {value} as value, {is_recent}, count(*) as rows {rows_sql} group by all"
    if repeats[1] * _FEWEST_REPEATS > repeats[0]:
        grouped = f"select {value} as value, {is_recent}, 1::bigint as rows {rows_sql}"
    frame = pl.from_arrow(arrow_rows(connection, f"select * replace (value::double as value) from ({grouped})"))
    assert isinstance(frame, pl.DataFrame)
    return frame.sort("value")


def cut_points(values: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> list[float]:
    """Return the values at each tenth of the rows, without repeats: the least that so many rows do not exceed.

    Args:
        values: in their order.
        rows: with each value.

    >>> cut_points(np.array([1.0, 2.0, 7.0]), np.array([5, 3, 2]))
    [1.0, 2.0, 7.0]
    """
    ends = np.cumsum(rows)
    ranks = [-(-int(ends[-1]) * n // _BINS) for n in range(1, _BINS)] if len(ends) else []
    return sorted({float(v) for v in values[np.searchsorted(ends, ranks)]})


def _drift(table: str, column: str, counted: pl.DataFrame, *, rows: int, step: str) -> CheckResult | None:
    halves = [counted.filter(pl.col("is_recent") == is_recent) for is_recent in (True, False)]
    edges = cut_points(halves[1]["value"].to_numpy(), halves[1]["rows"].to_numpy())
    if not edges:
        return None
    now, before = (
        np.bincount(np.searchsorted(edges, half["value"]), weights=half["rows"], minlength=len(edges) + 1).tolist()
        for half in halves
    )
    if not sum(now):
        return None  # nothing to compare; that it ran empty is said of the column
    psi = population_stability(now, before)
    is_red = psi > _LIMIT
    return CheckResult(
        step,
        table,
        f"drift.{column}",
        "warn" if is_red else "pass",
        "warn",
        f"stability index {psi:.2f} of the last {_RECENT_DAYS} days against the {_BEFORE_DAYS} before",
        f"at most {_LIMIT:g}",
        rows,
        round(sum(now)) if is_red else 0,
        _moved(now, before, edges) if is_red else (),
        f"{column} of {table} looks unlike before: a sale, another assortment, or another unit?" if is_red else "",
    )


def _moved(now: Sequence[float], before: Sequence[float], edges: Sequence[float]) -> tuple[str, ...]:
    """Return the ranges whose share grew most, in words."""
    grown = sorted(((n / sum(now) - b / sum(before), i) for i, (n, b) in enumerate(zip(now, before, strict=True))))
    low, high = ["-inf", *(f"{e:g}" for e in edges)], [*(f"{e:g}" for e in edges), "inf"]
    return tuple(f"{low[i]} to {high[i]}: +{share:.0%}" for share, i in reversed(grown[-3:]) if share > 0)
