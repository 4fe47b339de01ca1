"""Options that more than one command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DEFAULT_HOME", "DateOption", "HomeOption", "JsonOption"]

HomeOption = Annotated[Path, typer.Option("--home", envvar="MERCHCAST_HOME", help="Home folder.", show_default="./var")]
JsonOption = Annotated[bool, typer.Option("--json", help="The rows as JSON.")]
DateOption = Annotated[str | None, typer.Option("--date", metavar="D", help="Business date, YYYY-MM-DD.")]
DEFAULT_HOME = Path("var")
