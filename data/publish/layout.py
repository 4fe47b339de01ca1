"""Where published runs lie: folders below ``published/.runs``, links ``published/<run_date>`` and ``current``."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from data.errors import ConfigError

__all__ = ["CURRENT", "MANIFEST", "RUNS", "date_of", "linked_runs", "previous_runs", "run_folder", "run_folders"]

CURRENT = "current"
RUNS = ".runs"
MANIFEST = "manifest.json"
_FOLDER = re.compile(r"(\d{4}-\d{2}-\d{2})-[0-9a-f]{8}")
_MAX_NAMED = 5  # runs named in an error


def run_folders(home: Path) -> list[Path]:
    """Return the folders of all published runs, superseded ones too, in the order of their names."""
    runs = home / "published" / RUNS
    if not runs.is_dir():
        return []
    return sorted(p for p in runs.iterdir() if _FOLDER.fullmatch(p.name) and p.is_dir())


def linked_runs(home: Path) -> dict[date, Path]:
    """Return the folder that ``published/<run_date>`` points to, for every run date, in ascending order.

    A link to a folder without a manifest does not count: a publish always leaves one.
    """
    published = home / "published"
    if not published.is_dir():
        return {}
    found = {}
    for link in sorted(published.iterdir()):
        day = _as_date(link.name)
        if day is not None and link.is_symlink() and (link / MANIFEST).is_file():
            found[day] = published / RUNS / link.readlink().name
    return found


def previous_runs(home: Path, before: date, n: int) -> list[Path]:
    """Return the folders of the last ``n`` published runs whose run date lies before ``before``, newest first."""
    earlier = [folder for day, folder in linked_runs(home).items() if day < before]
    return earlier[::-1][: max(n, 0)]


def run_folder(home: Path, run: str = CURRENT) -> Path:
    """Return the folder of one published run.

    Args:
        home: the home folder.
        run: ``current``, a run date, or the name of a folder below ``published/.runs``.

    Raises:
        ConfigError: there is no such run; the message names those there are.
    """
    published = home / "published"
    if _FOLDER.fullmatch(run):
        folder = published / RUNS / run
    elif run == CURRENT or _as_date(run) is not None:
        link = published / run
        folder = published / RUNS / link.readlink().name if link.is_symlink() else link
    else:
        raise ConfigError(
            f"run {run!r}: expected `current`, a date such as 2026-11-22, or a folder of {published / RUNS}"
        )
    if folder.is_dir():
        return folder
    there = [day.isoformat() for day in linked_runs(home)]
    if not there:
        raise ConfigError(f"nothing is published in {home} yet: `merchcast run --home {home}` does that")
    raise ConfigError(f"no published run {run!r} in {home}; the latest are {', '.join(there[-_MAX_NAMED:])}")


def date_of(folder: Path) -> date:
    """Return the run date in the name of a run's folder."""
    return date.fromisoformat(folder.name[:10])


def _as_date(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None
