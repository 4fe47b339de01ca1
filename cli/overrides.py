"""Overrides typed into the workbook come back: `merchcast overrides import FILE`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_HOME, HomeOption
from cli.render import say
from data.errors import ConfigError

if TYPE_CHECKING:
    from reporting.overrides_import import Returned

__all__ = ["overrides_app"]

overrides_app = typer.Typer(no_args_is_help=True, help="What planners know and the model does not.")


@overrides_app.callback()
def _overrides() -> None:
    """What planners know and the model does not."""


@overrides_app.command("import")
def overrides_import(
    file: Annotated[Path, typer.Argument(help="The workbook with the blue cells filled in.")],
    home: HomeOption = DEFAULT_HOME,
    reason: Annotated[str, typer.Option(help="Reason for cells without a comment; 10 characters at least.")] = "",
    role: Annotated[str, typer.Option(help="Who typed them.")] = "planner",
    expires: Annotated[
        str | None,
        typer.Option(metavar="D", help="Last day on which they hold; default: the day before the next order date."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="The run the workbook is of, where the file does not say.")
    ] = None,
) -> None:
    """Take overrides typed into the workbook into overrides.csv."""
    from data.publish.durable import sync, write_text
    from reporting.override_rows import override_rows, with_rows
    from reporting.overrides_import import read_returned, typed_overrides

    if not file.is_file():
        raise ConfigError(f"there is no file {file}")
    with file.open("rb") as stream:
        returned = read_returned(stream, name=str(file))
    asked = run or returned.run or "current"
    published, run_date = _published(home, asked, plan="" if run else returned.plan)
    typed = typed_overrides(returned, published)
    last = None if expires is None else _day(expires)
    rows = override_rows(typed, run_date=run_date, role=role, reason=reason, expires=last)
    target = home / "overrides.csv"
    before = target.read_text(encoding="utf-8") if target.is_file() else ""
    text, added = with_rows(before, rows)
    if text != before:
        draft = target.with_name(".overrides.csv.part")
        write_text(draft, text)
        draft.replace(target)
        sync(home)
    for row in rows:
        print(f"{row['sku']},{row['location_id']},{row['value']},{row['expires_date']},{row['reason']}")
    if not rows:
        say(f"{file} holds no typed quantity: the blue column override_qty is empty on every sheet")
        return
    known = len(rows) - added
    say(f"{added} overrides added to {target}" + (f", {known} were there already" if known else ""))
    if added:
        again = f"merchcast run --home {home} --date {run_date}"
        say(f"They hold from {run_date} on; take them into that plan with: {again}")


def _published(home: Path, asked: str, *, plan: str) -> tuple[Returned, date]:
    """Return the workbook as published, and its run date; of a date published twice, the one written from ``plan``."""
    from data.publish.layout import date_of, run_folder, run_folders
    from reporting.overrides_import import read_returned

    folder = run_folder(home, asked)
    same_date = [f for f in run_folders(home) if date_of(f) == date_of(folder) and f != folder]
    found = None
    for candidate in [folder, *reversed(same_date)]:
        path = candidate / "reports" / "restock.xlsx"
        if not path.is_file():
            continue
        with path.open("rb") as stream:
            published = read_returned(stream, name=str(path))
        if not plan or published.plan == plan:
            return published, date_of(candidate)
        found = candidate
    raise ConfigError(
        f"the workbook was written from another plan than the one published for {date_of(folder)}"
        + (" (the run was published again since)" if found else "")
        + f": type into {folder / 'reports' / 'restock.xlsx'}"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--expires {text!r} is no date; write YYYY-MM-DD") from error
