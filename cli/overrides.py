"""Overrides typed into the workbook come back: `merchcast overrides import FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_HOME, HomeOption
from data.errors import ConfigError

__all__ = ["overrides_app"]

overrides_app = typer.Typer(no_args_is_help=True, help="What planners know and the model does not.")


@overrides_app.callback()
def _overrides() -> None:
    """What planners know and the model does not."""


@overrides_app.command("import")
def overrides_import(
    file: Annotated[Path, typer.Argument(help="The workbook with the blue cells filled in.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Take overrides typed into the workbook into overrides.csv."""
    raise ConfigError("overrides import is not there yet")
