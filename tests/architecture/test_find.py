"""docs/developers/find.md leads where it says: every `rule -> path:function` exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
ENTRY = re.compile(r"^- (?P<rule>.+?) -> `(?P<path>[\w/]+\.py):(?P<name>\w+)`$")
ASKED_FOR = ("safety stock", "minimum order quantity", "guardrail", "contract", "place to add a kind of source")
LINES = (REPOSITORY / "docs" / "developers" / "find.md").read_text().splitlines()
ENTRIES = [m for m in map(ENTRY.match, LINES) if m]


def names_in(path: Path) -> set[str]:
    """Functions, classes and constants of a module."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names.update(t.id for t in node.targets if isinstance(t, ast.Name))
    return names


def test_every_line_of_the_list_can_be_read():
    assert [line for line in LINES if line.startswith("-") and not ENTRY.match(line)] == []
    assert len(ENTRIES) >= 30


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda m: m["name"])
def test_each_entry_exists(entry):
    path = REPOSITORY / entry["path"]
    assert path.is_file(), entry["path"]
    assert entry["name"] in names_in(path), f"{entry['rule']}: {entry['path']} has no {entry['name']}"


@pytest.mark.parametrize("rule", ASKED_FOR)
def test_the_rules_that_newcomers_ask_for_are_there(rule):
    assert any(rule in entry["rule"] for entry in ENTRIES)
