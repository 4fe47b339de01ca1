"""JSON Schemas on stdout."""

from __future__ import annotations

import json
from pathlib import Path

from data.contracts import TABLES
from data.contracts.json_schema import table_schema
from data.errors import ConfigError
from data.settings import Settings

__all__ = ["schema_text"]


def schema_text(name: str) -> str:
    """Return the JSON Schema of a table's row, of ``config`` (merchcast.yml) or of ``pricing`` (pricing_rules.yml).

    Raises:
        ConfigError: there is no such table.
    """
    if name == "pricing":
        return (
            (Path(__file__).resolve().parent.parent / "pricing" / "rules" / "rules.schema.json")
            .read_text("utf-8")
            .rstrip()
        )
    if name == "config":
        return json.dumps(Settings.model_json_schema(), indent=2, ensure_ascii=False)
    if name not in TABLES:
        raise ConfigError(f"{name!r} is no table, nor config or pricing; tables: {', '.join(sorted(TABLES))}")
    return json.dumps(table_schema(TABLES[name]), indent=2, ensure_ascii=False)
