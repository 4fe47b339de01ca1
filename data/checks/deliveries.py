"""Checks of what the shop delivered: is it recent, is it as much as usual, is every row accounted for?

Pure: figures in, results out. The ingest step asks them and adds the results to its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median

import pandas as pd

from data.checks.results import CheckResult, Severity

__all__ = ["freshness", "rows_accounted_for", "volume"]

_WEEKS_COMPARED = 8  # the same weekday of so many weeks before [weeks]
_FEWEST_WEEKS = 4  # fewer say nothing about what is usual [weeks]
_LOW_SHARE, _HIGH_SHARE = 0.3, 4.0  # of the usual number of rows: promotions double a day, they do not quadruple it
_FEWEST_USUAL_ROWS = 20  # below it a day's count swings too much to tell [rows]
_MAX_KEYS = 5


def freshness(
    table: str,
    newest: date | None,
    *,
    run_date: date,
    max_age_days: int,
    step: str = "ingest",
    severity: Severity = "warn",
) -> CheckResult:
    """Return whether the newest row of ``table`` is recent enough.

    Args:
        table: input table.
        newest: greatest business date up to D; None without rows.
        run_date: D.
        max_age_days: oldest that is good enough [days].
        step: step that asks.
        severity: ``error`` stops the run.

    Example:
        >>> freshness("signals", date(2026, 6, 20), run_date=date(2026, 6, 28), max_age_days=3).observed
        '8 days old (2026-06-20)'
    """
    age = None if newest is None else (run_date - newest).days
    is_red = age is None or age > max_age_days
    return _result(
        step,
        table,
        "freshness",
        severity,
        is_red=is_red,
        observed="no rows" if age is None else f"{age} days old ({newest})",
        expected=f"newest row at most {max_age_days} days before the run date",
        advice=f"Has the export of {table} run? The plan uses what there is.",
        rows=1,
    )


def volume(
    table: str,
    rows_by_day: Mapping[date, int],
    *,
    run_date: date,
    step: str = "ingest",
    severity: Severity = "warn",
) -> CheckResult | None:
    """Return whether D brought about as many rows as the same weekday usually does; None where nothing is usual yet.

    Usual is the median over the last 8 such weekdays, at least 4 of them with rows. A weekday on which the shop never
    trades has no usual number of rows, and is not judged.

    Args:
        table: input table.
        rows_by_day: business date -> rows; days without rows may be left out.
        run_date: D.
        step: step that asks.
        severity: ``error`` stops the run.
    """
    before = [rows_by_day.get(run_date - timedelta(weeks=w), 0) for w in range(1, _WEEKS_COMPARED + 1)]
    known = [n for n in before if n]
    if len(known) < _FEWEST_WEEKS or median(known) < _FEWEST_USUAL_ROWS:
        return None
    usual, today = median(known), rows_by_day.get(run_date, 0)
    low, high = round(usual * _LOW_SHARE), round(usual * _HIGH_SHARE)
    return _result(
        step,
        table,
        "volume",
        severity,
        is_red=not low <= today <= high,
        observed=f"{today} rows on {run_date}",
        expected=f"{low} to {high} rows (usual on this weekday: {usual:g})",
        advice=f"Was {table} delivered in part, or twice? If the day was really so, nothing is to be done.",
        rows=today,
    )


def rows_accounted_for(accounts: pd.DataFrame, *, step: str = "ingest") -> CheckResult:
    """Return whether ``rows_in = rows_loaded + rows_quarantined + rows_duplicate`` on every row of ``row_accounts``."""
    explained = accounts["rows_loaded"] + accounts["rows_quarantined"] + accounts["rows_duplicate"]
    broken = accounts[(accounts["rows_in"] != explained).fillna(value=True).astype(bool)]
    keys = [f"{r.source} / {r.table} / {str(r.file_sha256)[:8]}" for r in broken.head(_MAX_KEYS).itertuples()]
    return _result(
        step,
        "row_accounts",
        "rows_accounted_for",
        "error",
        is_red=len(broken) > 0 or accounts.empty,
        observed="no delivery" if accounts.empty else f"{len(broken)} of {len(accounts)} deliveries do not add up",
        expected="rows_in = rows_loaded + rows_quarantined + rows_duplicate",
        advice="Rows were lost or made up while loading: this is a defect of merchcast, not of the files.",
        rows=len(accounts),
        failed=max(len(broken), int(accounts.empty)),
        keys=tuple(keys),
    )


def _result(
    step: str,
    table: str,
    check: str,
    severity: Severity,
    *,
    is_red: bool,
    observed: str,
    expected: str,
    advice: str,
    rows: int,
    failed: int | None = None,
    keys: tuple[str, ...] = (),
) -> CheckResult:
    red = "fail" if severity == "error" else "warn"
    return CheckResult(
        step,
        table,
        check,
        red if is_red else "pass",  # type: ignore[arg-type]  # mypy loses the literal in the expression above
        severity,
        observed,
        expected,
        rows,
        (int(is_red) if failed is None else failed) if is_red else 0,
        keys if is_red else (),
        advice if is_red else "",
    )
