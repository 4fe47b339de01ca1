"""Who may import what. import-linter holds the layers; what it cannot say is looked up in the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOMS = ("demand", "trends", "forecasting", "restocking", "preorder", "pricing")
PACKAGES = ("dags", "cli", "reporting", *ROOMS, "data")
REPOSITORY = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted(p for package in PACKAGES for p in (REPOSITORY / package).rglob("*.py"))

ALLOWED = {
    "duckdb": lambda path: path.parts[0] == "data",
    "great_expectations": lambda path: path.parts[:2] == ("data", "checks"),
    "airflow": lambda path: path.parts[0] == "dags" or path == Path("cli/dag_run.py"),
    "data.warehouse": lambda path: (
        path.parts[0] in ("data", "cli", "dags", "reporting") or path.name.endswith("step.py")
    ),
    "data.step_io": lambda path: path.parts[0] in ("data", "cli", "dags", "reporting") or path.name.endswith("step.py"),
    "plotly": lambda path: False,
    "stockpyl": lambda path: False,
    "requests": lambda path: False,
}
"""Module -> who may import it (a path within the repository)."""


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Every module that a file imports, anywhere in it, by its full name."""
    return frozenset(_imports_of(path))


def _imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_import_linter_keeps_its_contracts():
    script = Path(sys.executable).with_name("lint-imports")
    outcome = subprocess.run([script, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "0 broken" in outcome.stdout


def test_import_linter_is_told_all_rules():
    text = (REPOSITORY / "pyproject.toml").read_text()
    assert '"demand | trends | forecasting | restocking | preorder | pricing"' in text
    for package in PACKAGES:
        assert f'"{package}"' in text.split("root_packages")[1].split("]")[0]


@pytest.mark.parametrize("module", ALLOWED)
def test_only_those_who_may_import_a_module(module):
    found = [
        p.relative_to(REPOSITORY)
        for p in SOURCES
        if any(name == module or name.startswith(f"{module}.") for name in imports_of(p))
    ]
    assert [str(p) for p in found if not ALLOWED[module](p)] == []


def test_rooms_never_import_each_other_not_even_inside_functions():
    for path in SOURCES:
        room = path.relative_to(REPOSITORY).parts[0]
        if room in ROOMS:
            others = {name.split(".")[0] for name in imports_of(path)} & ({*ROOMS, "reporting", "cli", "dags"} - {room})
            assert others == set(), path


def test_the_test_of_imports_can_fail(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text("def f():\n    from duckdb import connect\n    import airflow.sdk\n")
    assert {"duckdb", "duckdb.connect", "airflow.sdk"} <= set(imports_of(planted))


def test_importing_a_step_does_not_import_the_heavy_libraries():
    """Airflow parses DAG files all the time: what costs seconds is imported inside tasks, and only there."""
    code = (
        "import sys, data.step_io, data.publish.step; "
        "print([m for m in ('great_expectations', 'statsforecast', 'lightgbm', 'airflow') if m in sys.modules])"
    )
    outcome = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"
