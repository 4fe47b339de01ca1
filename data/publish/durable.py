"""File operations that survive a crash: whatever returns from here is on the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = [
    "NEW_LINK",
    "TRASH",
    "copy_file",
    "discard_folder",
    "make_folder",
    "move_folder",
    "replace_link",
    "swap_folder",
    "sync",
    "write_text",
]

NEW_LINK = ".new-"  # prefix of a link that is about to replace another
TRASH = ".trash-"  # prefix of a folder that is about to be removed


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder that does not exist yet."""
    path.mkdir()
    sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file with the line ends it has."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def copy_file(source: Path, target: Path) -> None:
    """Copy the content of a file; not its times, not its mode."""
    shutil.copyfile(source, target, follow_symlinks=False)
    sync(target)


def move_folder(source: Path, target: Path) -> None:
    """Rename a folder within its parent to a name that is free."""
    source.rename(target)
    sync(target.parent)


def swap_folder(source: Path, target: Path) -> None:
    """Put ``source`` in the place of ``target`` by two renames, and remove the old one afterwards."""
    trash = target.with_name(TRASH + target.name)
    target.rename(trash)
    move_folder(source, target)
    shutil.rmtree(trash)


def replace_link(link: Path, target: str) -> None:
    """Make ``link`` point to ``target``, relative to its folder: to the old target or the new one, never to nothing."""
    new = link.with_name(NEW_LINK + link.name)
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
    sync(link.parent)


def discard_folder(path: Path) -> None:
    """Remove a folder so that a crash leaves it whole or under a name that the next publish clears away."""
    trash = path.with_name(TRASH + path.name)
    if trash.exists():
        shutil.rmtree(trash)
    path.rename(trash)
    shutil.rmtree(trash)
    sync(path.parent)
