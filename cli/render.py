"""What the command line prints: tables for people, JSON for machines, the closing line of a run."""

from __future__ import annotations

import json
import os
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["closing_line", "fail", "print_json", "print_rows", "print_table", "print_text", "say"]

WIDEST = 10_000  # no table needs more [characters]
TABLE_FRAME = 5  # lines of a table beside its rows

_MESSAGES = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Print a message for a person, on stderr."""
    _MESSAGES.print(message, markup=False)


def fail(message: str) -> None:
    """Print an error on stderr."""
    _MESSAGES.print(f"Error: {message}", markup=False, style="red")


def print_json(rows: pd.DataFrame) -> None:
    """Print the rows of a table on stdout as a JSON array, decimals and dates as strings, missing values as null."""
    _print_as_json(_records(rows))


def print_rows(tables: dict[str, pd.DataFrame]) -> None:
    """Print rows of several tables on stdout as one JSON object, an array a table."""
    _print_as_json({name: _records(rows) for name, rows in tables.items()})


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _json_value(value) for name, value in row.items()} for row in rows.to_dict("records")]


def _print_as_json(content: Any) -> None:
    json.dump(content, sys.stdout, ensure_ascii=False, indent=2)
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
    """Print some columns of a table on stdout: piped as wide as it needs, on a screen through the pager if larger."""
    table = Table(title=Text(title), title_justify="left", show_lines=False)
    for name in columns:
        numeric = pd.api.types.is_numeric_dtype(rows[name]) or _holds_decimals(rows[name])
        table.add_column(Text(name), justify="right" if numeric else "left", no_wrap=True)
    for row in rows[columns].itertuples(index=False):
        table.add_row(*(Text(_plain(_text(value))) for value in row))
    _show(table, lines=len(rows) + TABLE_FRAME)


def print_text(text: str) -> None:
    """Print a text on stdout, in a pager where it is longer than the screen."""
    _show(Text(_plain(text, keep="\n")), lines=text.count("\n") + 1)


def _show(content: Table | Text, *, lines: int) -> None:
    """Print to a pipe as wide as needed, to a screen where it fits, else through the pager.

    ``less`` cuts long lines at the edge (arrows move sideways) instead of folding a table into a heap.
    """
    if not sys.stdout.isatty():
        Console(highlight=False, width=WIDEST, soft_wrap=True).print(content)
        return
    screen = Console(highlight=False)
    needed = screen.measure(content, options=screen.options.update(max_width=WIDEST)).maximum
    is_table = isinstance(content, Table)
    if lines <= screen.height and (needed <= screen.width or not is_table):
        screen.print(content)
        return
    os.environ.setdefault("LESS", "-FRSX" if is_table else "-FRX")
    wide = Console(highlight=False, width=max(needed, screen.width) if is_table else screen.width)
    with wide.pager(styles=wide.color_system is not None):
        wide.print(content)


def _plain(text: str, *, keep: str = "") -> str:
    """Return text without control characters: a title must not move the cursor or colour the screen."""
    if text.isprintable():
        return text
    return "".join(c for c in text if c in keep or c.isprintable() or c == "\u200d")


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
