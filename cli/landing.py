"""What an operator does to what came in: replay repaired rows, rebuild the warehouse, forget a person."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import DEFAULT_HOME, HomeOption
from data.errors import ConfigError

__all__ = ["forget", "rebuild", "replay_app"]

replay_app = typer.Typer(no_args_is_help=True, help="Load repaired rows.")


@replay_app.callback()
def _replay() -> None:
    """Load repaired rows."""


@replay_app.command("quarantine")
def replay_quarantine(home: HomeOption = DEFAULT_HOME) -> None:
    """Load the quarantined rows that were repaired."""
    raise ConfigError("replay is not there yet")


def rebuild(home: HomeOption = DEFAULT_HOME) -> None:
    """Make the warehouse anew from landing."""
    raise ConfigError("rebuild is not there yet")


def forget(
    buyer: Annotated[str, typer.Argument(help="The buyer's reference as the shop writes it.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Remove a person from everything that came in."""
    raise ConfigError("forget is not there yet")
