"""Publishing in one atomic step: build aside, flush, rename, then move the links.

Readers see the old run or the new one. A crash at any point leaves the old one, and what it left behind is cleared
away by the next publish. The protocol:

1. the run is built in ``published/.runs/.tmp-<run_date>`` and every file and folder is flushed to the disk;
2. that folder is renamed to ``<run_date>-<manifest8>``;
3. ``published/<run_date>`` and then ``published/current`` are replaced, each by one rename of a symlink.

The same content published twice gives the same name: the folder that stands there is kept.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from data.errors import SourceError
from data.publish.durable import (
    NEW_LINK,
    TRASH,
    discard_folder,
    make_folder,
    move_folder,
    replace_link,
    swap_folder,
    sync,
    write_text,
)
from data.publish.layout import CURRENT, MANIFEST, RUNS, date_of, linked_runs, run_folders
from data.publish.manifest import Manifest
from data.publish.verify import folder_findings

__all__ = ["publish"]

_UNFINISHED = ".tmp-"
_LOCK = ".lock"

Fill = Callable[[Path], Manifest]
"""Writes tables and reports into the folder it is given, and returns their manifest."""


def publish(home: Path, run_date: date, fill: Fill, *, keep_runs: int) -> Path:
    """Publish one run and return its folder.

    Args:
        home: the home folder.
        run_date: the run's business date.
        fill: writes the run's files, and returns the manifest that lists them all.
        keep_runs: runs kept [runs]; the oldest beyond it go, superseded ones of a date first.

    Raises:
        SourceError: the disk refused; what was published before stands.
    """
    published = home / "published"
    runs = published / RUNS
    try:
        runs.mkdir(parents=True, exist_ok=True)
        sync(home)
        with _publisher_lock(runs):
            _clear_leftovers(published)
            folder = _built_run(runs, run_date, fill)
            replace_link(published / run_date.isoformat(), f"{RUNS}/{folder.name}")
            _move_current(home)
            _prune(home, keep_runs=keep_runs, spare=folder)
            return folder
    except OSError as error:
        raise SourceError(
            f"publishing {run_date} to {published} failed: {error}. What was published before stands; "
            "free space or permissions, then run again"
        ) from error


@contextmanager
def _publisher_lock(runs: Path) -> Iterator[None]:
    """Let one publisher in at a time; the lock ends with the process that holds it."""
    with (runs / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _clear_leftovers(published: Path) -> None:
    """Remove what an interrupted publish left: unfinished folders, trash, links that never got their name."""
    for path in sorted((published / RUNS).iterdir()):
        if path.name.startswith((_UNFINISHED, TRASH)):
            shutil.rmtree(path)
    for path in sorted(published.iterdir()):
        if path.name.startswith(NEW_LINK):
            path.unlink()


def _built_run(runs: Path, run_date: date, fill: Fill) -> Path:
    """Build the run aside and give it its name. A sound folder of that name is the same run: it stays."""
    unfinished = runs / f"{_UNFINISHED}{run_date.isoformat()}"
    make_folder(unfinished)
    manifest = fill(unfinished)
    write_text(unfinished / MANIFEST, manifest.to_json())
    for folder, _, _ in os.walk(unfinished, topdown=False):
        sync(Path(folder))
    target = runs / manifest.folder
    if not target.exists():
        move_folder(unfinished, target)
    elif folder_findings(target):
        swap_folder(unfinished, target)  # damaged since it was published: the new build takes its place
    else:
        discard_folder(unfinished)
    return target


def _move_current(home: Path) -> None:
    """Let ``current`` name the run with the greatest run date: a backfill never moves it back."""
    newest = list(linked_runs(home).values())[-1]
    target, link = f"{RUNS}/{newest.name}", home / "published" / CURRENT
    if not link.is_symlink() or str(link.readlink()) != target:
        replace_link(link, target)


def _prune(home: Path, *, keep_runs: int, spare: Path) -> None:
    """Remove runs beyond ``keep_runs``: superseded ones first, then the oldest; never current, never ``spare``."""
    linked = linked_runs(home)
    in_force = set(linked.values())
    ranked = sorted(run_folders(home), key=lambda f: (f in in_force, date_of(f), f.stat().st_mtime_ns), reverse=True)
    spared = {spare, list(linked.values())[-1]}
    for folder in [f for f in ranked[keep_runs:] if f not in spared]:
        if folder in in_force:
            (home / "published" / date_of(folder).isoformat()).unlink()
            sync(home / "published")
        discard_folder(folder)
