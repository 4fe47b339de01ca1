"""The JSON Schema of the rule book, for editors (draft 7: that is what the YAML language server reads).

``python -m pricing.schema`` writes ``pricing/rules/rules.schema.json`` anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pricing.rules import RuleBook

__all__ = ["SCHEMA_FILE", "rules_schema", "schema_text"]

SCHEMA_FILE = Path(__file__).resolve().parent / "rules" / "rules.schema.json"


def rules_schema() -> dict[str, Any]:
    """Return the JSON Schema, draft 7, of ``pricing_rules.yml``.

    >>> rules_schema()["$schema"]
    'http://json-schema.org/draft-07/schema#'
    """
    schema = _draft_7(RuleBook.model_json_schema(by_alias=True))
    assert isinstance(schema, dict)
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "pricing_rules.yml", **schema}


def schema_text() -> str:
    """Return the committed form of the schema."""
    return json.dumps(rules_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _draft_7(node: Any) -> Any:
    """Rename what draft 2020-12 calls otherwise, and drop the ``null`` that stands for a key left out."""
    if isinstance(node, list):
        return [_draft_7(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {k: v for k, v in node.items() if k != "discriminator"}
    options = kept.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        rest = [o for o in options if o != {"type": "null"}]
        kept = {k: v for k, v in kept.items() if k not in ("anyOf", "default")}
        kept = {**kept, **rest[0]} if len(rest) == 1 and "$ref" not in rest[0] else {**kept, "allOf": rest}
    renamed = {("definitions" if k == "$defs" else k): _draft_7(v) for k, v in kept.items()}
    if isinstance(renamed.get("$ref"), str):
        renamed["$ref"] = renamed["$ref"].replace("#/$defs/", "#/definitions/")
    return renamed


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
