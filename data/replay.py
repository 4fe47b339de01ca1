"""The quarantine in an operator's hands: out as CSV, a file a table, and back with what was decided of each row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from data.contracts import TABLES
from data.errors import ConfigError
from data.ingest.connected import sources_of
from data.ingest.faults import JUDGED_ANEW
from data.ingest.intake import catch_up
from data.ingest.landing import Landing, sightings_in
from data.ingest.privacy import masked
from data.ingest.repairs import Repair, apply_repairs, repair_line, repairs_in, show_repairs
from data.ingest.store import create_store, set_buyer_key
from data.settings import load_settings
from data.warehouse import open_warehouse

__all__ = ["export_quarantine", "import_repairs"]

_PLACE = ("source", "file_sha256", "row_number", "reason", "column", "value")
_DECIDED = ("action", "why")
_ACTIONS = ("load", "dismiss")
_MIN_WHY_CHARACTERS = 10
_FORMULA = re.compile(r"^(?:[=@\t\r]|[+-](?![0-9.]))")  # a spreadsheet would run it


def export_quarantine(home: Path, folder: Path) -> dict[Path, int]:
    """Write the open rows of the quarantine, one CSV file a table, and return the files with their rows.

    ``action`` and ``why`` are for the operator. Columns of people are left out: a repaired row keeps its buyer. Rows
    that every run judges anew (an unknown SKU) are not among them: they load once the product arrives.
    """
    with open_warehouse(home) as warehouse:
        create_store(warehouse.connection)
        rows = warehouse.connection.execute(
            "select table_name, source, file_sha256, row_number, reason, column_name, value, raw_row from "
            "quarantine_rows where status = 'open' and reason not in (select unnest($1)) order by all",
            [[str(r) for r in JUDGED_ANEW]],
        ).fetchall()
    folder.mkdir(parents=True, exist_ok=True)
    by_table: dict[str, list[Any]] = {}
    for table, *rest in rows:
        by_table.setdefault(table, []).append(rest)
    written = {}
    for table, group in by_table.items():
        columns = [c.name for c in TABLES[table].columns if not c.person]
        path = folder / f"{table}.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*_DECIDED, *_PLACE, *columns])
            for *place, raw in group:
                values = json.loads(raw) if raw else {}
                cells = ["", "", *place, *(values.get(c) for c in columns)]
                writer.writerow(["" if v is None else _inert(str(v)) for v in cells])
        written[path] = len(group)
    return written


def _inert(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _as_typed(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def import_repairs(home: Path, files: Sequence[Path]) -> dict[str, int]:
    """Take back what was decided, and return how many rows are loaded and dismissed, and how many stay.

    The next run counts the repaired rows as loaded; published runs keep what they saw.

    Raises:
        ConfigError: a line names no open row, an unknown action, or gives no reason of at least 10 characters.
        DataError: a repaired row is still not fit to be loaded. Nothing is changed then.
    """
    settings = load_settings(home)
    landing = Landing(home)
    ledger = landing.ledger()
    sources = sources_of(settings, home=home, run_date=date.min)
    with open_warehouse(home) as warehouse, warehouse.transaction():
        connection = warehouse.connection
        set_buyer_key(connection)
        create_store(connection)
        intake = catch_up(connection, sources, landing, shop_timezone=settings.shop.timezone)
        rows = connection.execute(
            "select table_name, source, file_sha256, row_number from quarantine_rows where status = 'open' "
            "and reason not in (select unnest($1))",
            [[str(r) for r in JUDGED_ANEW]],
        ).fetchall()
        seq = max([0, *(s.seq for s in sightings_in(ledger)), *(r.seq for r in repairs_in(ledger))]) + 1
        repairs, left = _decided(files, {tuple(r) for r in rows}, seq)
        apply_repairs(
            connection,
            landing,
            repairs,
            intake.sightings,
            specs={(s.table.name, s.name): s.spec for s in sources},
            shop_timezone=settings.shop.timezone,
        )
        show_repairs(connection, watermark=seq)
        landing.append([repair_line(r) for r in repairs])
    loaded = sum(r.action == "load" for r in repairs)
    return {"loaded": loaded, "dismissed": len(repairs) - loaded, "left": left}


def _decided(files: Sequence[Path], known: set[tuple[Any, ...]], seq: int) -> tuple[list[Repair], int]:
    repairs: dict[tuple[Any, ...], Repair] = {}
    left = 0
    for path in files:
        table = path.stem
        if table not in TABLES:
            raise ConfigError(f"{path}: the file is named after its table, as it was exported; {table!r} is none")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in (*_DECIDED, *_PLACE[:3]) if c not in (reader.fieldnames or [])]
            if missing:
                raise ConfigError(f"{path}: columns {', '.join(missing)} are missing; edit the exported file")
            for line in reader:
                if not (line["action"] or "").strip():
                    left += 1
                    continue
                repair = _repair(line, table, seq, where=f"{path}, line {reader.line_num}")
                place = (table, repair.source, repair.sha256, repair.row_number)
                if place not in known:
                    raise ConfigError(f"{path}, line {reader.line_num}: no such row is open in the quarantine")
                repairs[place] = repair
    return list(repairs.values()), left


def _repair(line: dict[str, Any], table: str, seq: int, *, where: str) -> Repair:
    action, why = line["action"].strip().lower(), (line["why"] or "").strip()
    if action not in _ACTIONS:
        raise ConfigError(f"{where}: action {action!r} is none of {', '.join(_ACTIONS)}")
    if len(why) < _MIN_WHY_CHARACTERS:
        raise ConfigError(f"{where}: why {why!r} is shorter than {_MIN_WHY_CHARACTERS} characters")
    columns = TABLES[table].columns
    typed = {c.name: _as_typed((line.get(c.name) or "").strip()) for c in columns if not c.person}
    free = {c.name for c in columns if c.free_text}
    values = {n: masked(v) if n in free else v for n, v in typed.items() if v} if action == "load" else {}
    try:
        number = int(line["row_number"])
    except ValueError as error:
        raise ConfigError(f"{where}: row_number {line['row_number']!r} is no number") from error
    return Repair(seq, line["source"], table, line["file_sha256"], number, action, values, masked(why))
