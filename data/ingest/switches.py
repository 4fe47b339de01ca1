"""What planners typed: ``overrides.csv`` and ``holds.csv`` in the home folder, as in force on the run date."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.contracts import TABLES
from data.contracts.frames import arrow_schema
from data.errors import ConfigError
from data.ingest.casting import FIRST_DAY, LAST_DAY

__all__ = ["BadLine", "holds_in_force", "overrides_in_force"]

_OVERRIDE_COLUMNS = (
    "kind",
    "sku",
    "location_id",
    "from_date",
    "to_date",
    "operation",
    "value",
    "reason",
    "role",
    "expires_date",
)
_HOLD_COLUMNS = ("scope", "id", "reason", "expires_date")
_MIN_REASON_CHARACTERS = 10
_HOLD_SCOPES = ("shop", "supplier", "sku")

BadLine = tuple[int, str]
"""Line number in the file, and what is wrong with it."""


def overrides_in_force(home: Path, run_date: date) -> tuple[pa.Table, list[BadLine]]:
    """Return the overrides that hold on ``run_date``, and the lines that cannot be used.

    A blank ``from_date`` means ever since, a blank ``to_date`` until it expires.

    Raises:
        ConfigError: the file lacks a column.
    """
    rows, bad = _read(home / "overrides.csv", _OVERRIDE_COLUMNS, _override)
    alive = [r for r in rows if r["to_date"] >= run_date and _alive(r, run_date)]
    unique = {r["override_id"]: r for r in alive}
    return pa.Table.from_pylist(list(unique.values()), schema=arrow_schema(TABLES["overrides"])), bad


def holds_in_force(home: Path, run_date: date) -> pa.Table:
    """Return the holds in force on ``run_date``.

    Raises:
        ConfigError: a line cannot be read. A hold is a safety switch: it is never passed over in silence.
    """
    path = home / "holds.csv"
    rows, bad = _read(path, _HOLD_COLUMNS, _hold)
    if bad:
        raise ConfigError(f"{path}: " + "; ".join(f"line {n}: {what}" for n, what in bad[:5]))
    unique = {(r["scope"], r["id"]): r for r in rows if _alive(r, run_date)}
    return pa.Table.from_pylist(list(unique.values()), schema=arrow_schema(TABLES["holds"]))


def _alive(row: dict[str, Any], run_date: date) -> bool:
    return row["expires_date"] is None or row["expires_date"] >= run_date


def _read(
    path: Path, columns: tuple[str, ...], parse: Callable[[dict[str, str]], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[BadLine]]:
    if not path.is_file():
        return [], []
    rows: list[dict[str, Any]] = []
    bad: list[BadLine] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [c for c in columns if c not in (reader.fieldnames or [])]
        if missing and reader.fieldnames is not None:
            raise ConfigError(f"{path}: expected columns {', '.join(columns)}; missing: {', '.join(missing)}")
        for line in reader:
            values = {c: (line.get(c) or "").strip() for c in columns}
            if not any(values.values()):
                continue
            try:
                rows.append(parse(values))
            except ValueError as error:
                bad.append((reader.line_num, str(error)))
    return rows, bad


def _override(values: dict[str, str]) -> dict[str, Any]:
    _one_of("kind", values["kind"], ("forecast", "order", "price"))
    _one_of("operation", values["operation"], ("set", "multiply", "add"))
    if not values["sku"]:
        raise ValueError("sku is blank")
    if len(values["reason"]) < _MIN_REASON_CHARACTERS:
        raise ValueError(f"reason {values['reason']!r} is shorter than {_MIN_REASON_CHARACTERS} characters")
    number = float(values["value"])
    if not isfinite(number):
        raise ValueError(f"value {values['value']!r} is not finite")
    expires = _day_or_none(values["expires_date"])
    first = _day_or_none(values["from_date"]) or FIRST_DAY
    last = _day_or_none(values["to_date"]) or expires or LAST_DAY
    if last < first:
        raise ValueError(f"to_date {last} lies before from_date {first}")
    digest = hashlib.sha256("\x1f".join(values[c] for c in _OVERRIDE_COLUMNS).encode()).hexdigest()
    return {
        "override_id": digest[:16],
        "kind": values["kind"],
        "sku": values["sku"],
        "location_id": values["location_id"] or None,
        "from_date": first,
        "to_date": last,
        "operation": values["operation"],
        "value": number,
        "reason": values["reason"],
        "role": values["role"] or None,
        "expires_date": expires,
    }


def _hold(values: dict[str, str]) -> dict[str, Any]:
    _one_of("scope", values["scope"], _HOLD_SCOPES)
    if values["scope"] != "shop" and not values["id"]:
        raise ValueError(f"a hold on a {values['scope']} needs its id")
    if not values["reason"]:
        raise ValueError("a hold needs a reason")
    return {
        "scope": values["scope"],
        "id": values["id"] or "*",
        "reason": values["reason"],
        "expires_date": _day_or_none(values["expires_date"]),
    }


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} {value!r} is none of {', '.join(choices)}")


def _day_or_none(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
