"""What an operator does to what came in: replay repaired rows, rebuild the warehouse, forget a person."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_HOME, HomeOption
from cli.render import say
from data.errors import ConfigError
from data.settings import load_settings

__all__ = ["forget", "rebuild", "replay_app"]

replay_app = typer.Typer(no_args_is_help=True, help="Load repaired rows.")


@replay_app.callback()
def _replay() -> None:
    """Load repaired rows."""


@replay_app.command("quarantine")
def replay_quarantine(
    files: Annotated[list[Path] | None, typer.Argument(help="Edited CSV files; a folder: all of its files.")] = None,
    export: Annotated[Path | None, typer.Option("--export", help="Write the open rows into this folder.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Write the open rows of the quarantine as CSV; take them back edited, each with its action and why."""
    from data.replay import export_quarantine, import_repairs

    load_settings(home)
    with _alone(home, "replay"):
        if export is not None:
            for path, rows in export_quarantine(home, export).items():
                print(f"{path}: {rows} rows")
            say("Edit the rows, set action to load or dismiss, say why, and replay the files.")
            return
        found = [f for name in files or [] for f in (sorted(name.glob("*.csv")) if name.is_dir() else [name])]
        if not found or not all(f.is_file() for f in found):
            raise ConfigError("which files? Export the open rows first: merchcast replay quarantine --export FOLDER")
        counts = import_repairs(home, found)
    print(f"{counts['loaded']} rows loaded, {counts['dismissed']} dismissed, {counts['left']} left as they are.")
    say("The next run counts them; published runs keep what they saw.")


def rebuild(home: HomeOption = DEFAULT_HOME) -> None:
    """Make the warehouse anew from landing."""
    from data.rebuild import rebuild as made_anew

    load_settings(home)
    with _alone(home, "rebuild"):
        counts = made_anew(home)
    print(f"{counts['files']} deliveries with {counts['rows_in']} rows are back, as {counts['runs']} runs saw them.")
    say("The tables of a run come back with the next run for its date.")


def forget(
    buyer: Annotated[str, typer.Argument(help="The buyer's reference as the shop writes it.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Remove a person from everything that came in."""
    from data.forget import forget as made_stranger

    load_settings(home)
    with _alone(home, "forget"):
        done = made_stranger(home, buyer)
    if not done.deliveries and not done.rows:
        say(f"Nobody is known here as {buyer!r}: write the reference exactly as the shop's files do.")
    print(f"Forgotten: {done.deliveries} deliveries named them, {done.rows} rows are now a stranger's.")
    if done.files:
        shown = ", ".join(done.files[:10]) + (f" and {len(done.files) - 10} more" if len(done.files) > 10 else "")
        say(f"The shop's own files still name them, where they are still there: {shown}")


def _alone(home: Path, what: str) -> AbstractContextManager[None]:
    """Hold the home alone: beside a run, none of these is safe."""
    from cli.run_lock import run_lock

    return run_lock(home, what)
