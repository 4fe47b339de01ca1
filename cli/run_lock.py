"""One run at a time in a home folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from data.errors import SourceError

__all__ = ["run_lock"]


@contextmanager
def run_lock(home: Path, run_date: date | str) -> Iterator[None]:
    """Hold ``.run.lock`` of the home folder; the kernel lets go of it when the process ends, however it ends.

    Raises:
        SourceError: another run holds it; the message names that run.
    """
    with (home / ".run.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise SourceError(
                f"{home} is in use by {lock.read().strip() or 'another run'}; wait for it to end"
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(f"the run for {run_date}, process {os.getpid()}")
        lock.flush()
        yield
