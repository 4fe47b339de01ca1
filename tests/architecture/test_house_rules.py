"""Sizes, names and layout that the house keeps."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median, quantiles

import pytest

PACKAGES = ("dags", "cli", "reporting", "demand", "trends", "forecasting", "restocking", "preorder", "pricing", "data")
ROOMS = ("demand", "trends", "forecasting", "restocking", "preorder", "pricing")
REPOSITORY = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted(p for package in PACKAGES for p in (REPOSITORY / package).rglob("*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))

MOST_DAG_LINES = 60
MOST_MODULE_LINES = 450
MOST_FUNCTION_LINES = 60  # most are under 40; a long one is a flat list of steps
FEW_STATEMENTS = 10  # a function of so few is a list of data, however many lines it takes
UNHELPFUL_NAMES = ("utils", "util", "helpers", "helper", "misc", "common", "df2")


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def functions_of(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]


def code_lines(text: str) -> int:
    return len(text.splitlines())


@pytest.mark.parametrize("path", sorted((REPOSITORY / "dags").glob("[a-z]*.py")), ids=lambda p: p.name)
def test_dag_files_are_short_and_hold_no_business(path):
    text = path.read_text()
    assert code_lines(text) <= MOST_DAG_LINES
    assert "import pandas" not in text
    assert not re.search(r"\bselect\b.+\bfrom\b", text, re.IGNORECASE)
    assert path.stem not in ROOMS  # it would hide the room


def test_there_is_no_init_under_tests():
    assert [name_of(p) for p in TESTS if p.name == "__init__.py"] == []


def test_no_module_is_called_helpers():
    assert [name_of(p) for p in SOURCES if p.stem.strip("_") in UNHELPFUL_NAMES] == []


def test_modules_are_of_a_size_that_one_reads_in_one_go():
    sizes = {name_of(p): code_lines(p.read_text()) for p in SOURCES if p.name != "__init__.py"}
    large = {n: size for n, size in sizes.items() if size > MOST_MODULE_LINES}
    assert large == {}
    assert median(sizes.values()) <= 200
    assert quantiles(sizes.values(), n=10)[-1] <= 350


def test_functions_are_short():
    lengths = {
        f"{name_of(p)}:{f.name}": (f.end_lineno or f.lineno) - f.lineno + 1 - docstring_lines(f)
        for p in SOURCES
        for f in functions_of(p)
        if sum(isinstance(n, ast.stmt) for n in ast.walk(f)) > FEW_STATEMENTS
    }
    assert {n: length for n, length in lengths.items() if length > MOST_FUNCTION_LINES} == {}
    assert sum(length > 40 for length in lengths.values()) <= 0.05 * len(lengths)


def docstring_lines(function: ast.FunctionDef) -> int:
    first = function.body[0]
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return (first.end_lineno or first.lineno) - first.lineno + 1 if is_docstring else 0


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_a_step_and_one_config_with_words_for_every_knob(room):
    assert (REPOSITORY / room / "step.py").is_file()
    text = (REPOSITORY / room / "config.py").read_text()
    assert "frozen=True" in text
    assert 'extra="forbid"' in text
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and ast.unparse(n.func) == "Field"]
    assert calls
    assert [ast.unparse(c) for c in calls if not any(k.arg == "description" for k in c.keywords)] == []
    plain = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.AnnAssign) and not isinstance(n.value, ast.Call)]
    names = [ast.unparse(n.target) for n in plain]
    assert [n for n in names if n.islower() and not n.startswith("_") and n != "model_config"] == []


def test_nothing_is_left_to_do():
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    texts = [*SOURCES, *TESTS, *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("*.md")]
    assert [name_of(p) for p in texts if marks.search(p.read_text(encoding="utf-8"))] == []


def test_time_and_chance_come_as_arguments_to_the_rooms():
    """No clock and no unseeded randomness in a room's calculations; `step.py` alone may look."""
    forbidden = re.compile(
        r"datetime\.now\(|date\.today\(|time\.time\(|np\.random\.(?!default_rng|Generator|SeedSequence)|os\.environ\["
    )
    found = [
        f"{name_of(p)}: {m.group()}"
        for p in SOURCES
        if name_of(p).split("/")[0] in ROOMS and not p.name.endswith("step.py")
        for m in forbidden.finditer(p.read_text())
    ]
    assert found == []
