"""JSON Schemas on stdout."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from cli.rooms import room_configs
from data.contracts import TABLES
from data.contracts.json_schema import table_schema
from data.errors import ConfigError
from data.settings import Settings

__all__ = ["schema_text"]

_RULES_SCHEMA = Path(__file__).resolve().parent.parent / "pricing" / "rules" / "rules.schema.json"


def schema_text(name: str) -> str:
    """Return the JSON Schema of a table's row, of ``config`` (merchcast.yml) or of ``pricing`` (pricing_rules.yml).

    Raises:
        ConfigError: there is no such table.
    """
    if name == "pricing":
        return _RULES_SCHEMA.read_text("utf-8").rstrip()
    if name == "config":
        return json.dumps(_settings_schema(), indent=2, ensure_ascii=False)
    if name not in TABLES:
        known = ["config", "pricing", *sorted(TABLES)]
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(known)}"
        raise ConfigError(f"{name!r} is no table, nor config or pricing; {hint}")
    return json.dumps(table_schema(TABLES[name]), indent=2, ensure_ascii=False)


def _settings_schema() -> dict[str, Any]:
    """Return the schema of merchcast.yml with every room's own keys in it."""
    schema = Settings.model_json_schema()
    definitions = schema["$defs"]
    for room, config in room_configs().items():
        own = config.model_json_schema()
        definitions |= own.pop("$defs", {})
        place = definitions["DemandSettings"]["properties"] if room == "demand" else schema["properties"]
        place["rules" if room == "demand" else room] = own
    return schema
