"""What the command line prints: tables for people, JSON for machines, the closing line of a run."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

__all__ = ["closing_line", "fail", "print_json", "print_table", "say"]

_MESSAGES = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Print a message for a person, on stderr."""
    _MESSAGES.print(message, markup=False)


def fail(message: str) -> None:
    """Print an error on stderr."""
    _MESSAGES.print(f"Error: {message}", markup=False, style="red")


def print_json(rows: pd.DataFrame) -> None:
    """Print the rows of a table on stdout as a JSON array, decimals and dates as strings, missing values as null."""
    records = [{name: _json_value(value) for name, value in row.items()} for row in rows.to_dict("records")]
    json.dump(records, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def _json_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)) or (hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1):
        return [_json_value(v) for v in value]
    if value is None or pd.isna(value):
        return None
    if isinstance(value, (Decimal, date, datetime, pd.Timestamp)):
        return value.isoformat() if isinstance(value, (date, datetime)) else str(value)
    return value.item() if hasattr(value, "item") else value


def print_table(rows: pd.DataFrame, columns: list[str], *, title: str) -> None:
    """Print some columns of a table on stdout; piped, the table is as wide as it needs."""
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=240)
    table = Table(title=title, title_justify="left", show_lines=False)
    for name in columns:
        numeric = pd.api.types.is_numeric_dtype(rows[name]) or _holds_decimals(rows[name])
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows[columns].itertuples(index=False):
        table.add_row(*(_text(value) for value in row))
    console.print(table)


def _holds_decimals(values: pd.Series[Any]) -> bool:
    known = values.dropna()
    return len(known) > 0 and isinstance(known.iloc[0], Decimal)


def _text(value: Any) -> str:
    plain = _json_value(value)
    if plain is None:
        return ""
    if isinstance(plain, list):
        return ", ".join(str(v) for v in plain)
    if isinstance(plain, float):
        return f"{plain:,.2f}"
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return str(plain)


def closing_line(run_date: date, *, checks: pd.DataFrame, plan: pd.DataFrame, currency: str, report: str) -> str:
    """Return the one line that says what a run did and where its report is."""
    counts = {status: int((checks["status"] == status).sum()) for status in ("pass", "warn", "fail")}
    released = plan[(plan["order_qty"] > 0) & (plan["status"] != "held")]
    value = sum((v for v in released["order_value"] if v is not None), Decimal(0))
    return (
        f"Done. PASS={counts['pass']} WARN={counts['warn']} FAIL={counts['fail']}  "
        f"restock_plan {run_date}: {len(released)} lines, {value:,.2f} {currency} -> {report}"
    )
