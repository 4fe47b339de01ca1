"""Checks of what rows look like against the shop's own history: values that drift, columns that run empty.

Pure: counts in, results out. The ingest step counts in SQL, so ten million rows cost a scan and no memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from math import log

import duckdb

from data.checks.results import CheckResult
from data.warehouse import quoted

__all__ = ["DRIFTING", "drift_results", "empty_share", "population_stability"]

DRIFTING: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "order_lines": ("business_date", ("unit_price", "quantity"), ("channel", "buyer_ref", "order_id", "list_price")),
    "period_sales": ("ds", ("unit_price", "units"), ("unit_price", "in_stock")),
    "returns": ("business_date", ("quantity",), ("reason", "order_line_id")),
    "signals": ("date", ("value",), ("region",)),
}
"""Table -> its day, the columns whose values are compared, the optional columns that must not run empty."""

_WEEKS = "drifting_weeks"  # temporary table of the rows that are compared
_RECENT_DAYS, _BEFORE_DAYS = 7, 56  # the last week against the eight before it
_MIN_RECENT, _MIN_BEFORE = 100, 500  # rows; fewer swing too much to tell
_BINS = 10
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
    used = ", ".join(
        [f"{quoted(n)}::double as {quoted(n)}" for n in numbers]
        + [f"{quoted(n)} is null as {quoted('no ' + n)}" for n in optional]
    )
    connection.execute(  # of a large table these weeks are read once
        f"create or replace temp table {_WEEKS} as select {used}, {quoted(day)} > date '{run_date}' - {_RECENT_DAYS} "
        f"as is_recent from stg_{table} where {quoted(day)} > date '{run_date}' - {_RECENT_DAYS + _BEFORE_DAYS} and "
        f"{quoted(day)} <= date '{run_date}'"
    )
    rows = dict(connection.execute(f"select is_recent, count(*) from {_WEEKS} group by 1").fetchall())
    if rows.get(True, 0) < _MIN_RECENT or rows.get(False, 0) < _MIN_BEFORE:
        return []
    found = []
    for column in numbers:
        result = _drift(connection, table, column, rows=rows, step=step)
        if result is not None:
            found.append(result)
    for column in optional:
        name = quoted(f"no {column}")
        shares = dict(connection.execute(f"select is_recent, avg({name}::integer) from {_WEEKS} group by 1").fetchall())
        if shares[False] < 1.0:
            found.append(empty_share(table, column, now=shares[True], before=shares[False], rows=rows[True], step=step))
    return found


def _drift(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, *, rows: Mapping[bool, int], step: str
) -> CheckResult | None:
    value = quoted(column)
    cuts = connection.execute(
        f"select quantile_disc({value}, {[n / _BINS for n in range(1, _BINS)]}) from {_WEEKS} where not is_recent"
    ).fetchall()[0][0]
    edges = sorted(set(cuts or []))
    if not edges:
        return None
    bin_of = " + ".join(f"({value} > {edge!r})::integer" for edge in edges)
    counted = connection.execute(
        f"select is_recent, {bin_of} as bin, count(*) from {_WEEKS} where {value} is not null group by 1, 2"
    ).fetchall()
    now, before = ([0.0] * (len(edges) + 1) for _ in range(2))
    for is_recent, n, count in counted:
        (now if is_recent else before)[n] = float(count)
    if not sum(now) or not sum(before):
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
        rows[True],
        round(sum(now)) if is_red else 0,
        _moved(now, before, edges) if is_red else (),
        f"{column} of {table} looks unlike before: a sale, another assortment, or another unit?" if is_red else "",
    )


def _moved(now: Sequence[float], before: Sequence[float], edges: Sequence[float]) -> tuple[str, ...]:
    """Return the ranges whose share grew most, in words."""
    grown = sorted(((n / sum(now) - b / sum(before), i) for i, (n, b) in enumerate(zip(now, before, strict=True))))
    low, high = ["-inf", *(f"{e:g}" for e in edges)], [*(f"{e:g}" for e in edges), "inf"]
    return tuple(f"{low[i]} to {high[i]}: +{share:.0%}" for share, i in reversed(grown[-3:]) if share > 0)
