"""Typed quantities as rows of overrides.csv: with a reason, a role and the last day on which they hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from reporting.overrides_import import OverrideError, TypedOverride, problem_error

__all__ = ["OVERRIDE_COLUMNS", "override_rows", "with_rows"]

OVERRIDE_COLUMNS = (
    "kind", "sku", "location_id", "from_date", "to_date", "operation", "value", "reason", "role", "expires_date",
)  # fmt: skip
LEAST_REASON = 10  # [characters], as ingest demands


def override_rows(
    typed: Sequence[TypedOverride], *, run_date: date, role: str, reason: str = "", expires: date | None = None
) -> list[dict[str, str]]:
    """Return the rows of overrides.csv for what was typed into the workbook of ``run_date``.

    An override holds from that run to ``expires``; without it to the day before the line's next order date, so that
    it can never order twice.

    Args:
        typed: quantities with their comments.
        run_date: run that the workbook belongs to.
        role: who typed them, such as ``planner``.
        reason: for cells without a comment of their own.
        expires: last day on which they hold.

    Raises:
        OverrideError: a reason has fewer than ten characters, or the last day lies before the run.
    """
    if expires is not None and expires < run_date:
        raise OverrideError(f"--expires {expires} lies before the run of {run_date}")
    short = [t for t in typed if len(t.comment or reason.strip()) < LEAST_REASON]
    if short:
        raise problem_error(
            [
                f"{t.cell}: {t.quantity} for {t.sku} needs a reason of {LEAST_REASON} characters or more: "
                f"the comment beside it is {(t.comment or reason.strip())!r} (or give --reason for all)"
                for t in short
            ]
        )
    return [
        {
            "kind": "order",
            "sku": t.sku,
            "location_id": t.location_id,
            "from_date": run_date.isoformat(),
            "to_date": (last := expires or _last_day(t, run_date)).isoformat(),
            "operation": "set",
            "value": str(t.quantity),
            "reason": t.comment or reason.strip(),
            "role": role,
            "expires_date": last.isoformat(),
        }
        for t in typed
    ]


def with_rows(text: str, rows: Sequence[Mapping[str, str]]) -> tuple[str, int]:
    """Return overrides.csv with ``rows`` added at its end, and how many were new; what stands there stays as it is.

    A row that stands there already, in every column, is not added a second time.

    Raises:
        OverrideError: the file lacks a column.
    """
    body = text.removeprefix("\ufeff")
    reader = csv.DictReader(io.StringIO(body, newline=""))
    names = list(reader.fieldnames or OVERRIDE_COLUMNS)
    missing = [name for name in OVERRIDE_COLUMNS if name not in names]
    if missing:
        raise OverrideError(
            f"overrides.csv: expected columns {', '.join(OVERRIDE_COLUMNS)}; missing {', '.join(missing)}"
        )
    there = {tuple((row.get(name) or "").strip() for name in OVERRIDE_COLUMNS) for row in reader}
    new = [row for row in rows if tuple(row[name] for name in OVERRIDE_COLUMNS) not in there]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    if not body.strip():
        writer.writeheader()
        text = ""
    elif not text.endswith("\n"):
        out.write("\n")
    writer.writerows(new)
    return (text + out.getvalue() if new else text), len(new)


def _last_day(typed: TypedOverride, run_date: date) -> date:
    if typed.next_order_date is None:
        return run_date
    return max(run_date, typed.next_order_date - timedelta(days=1))
