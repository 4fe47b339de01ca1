"""The version of merchcast that a run states."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

__all__ = ["code_version"]


@cache
def code_version() -> str:
    """Return the version of the installed package, else of the checkout this file stands in."""
    pyproject = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if pyproject.is_file():
        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])
    return metadata.version("merchcast")
