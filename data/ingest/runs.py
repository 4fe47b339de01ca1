"""What the ledger knows of ingest runs: which landing a run for D saw, and whether a home has published yet."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

__all__ = ["is_first_run", "is_published", "run_line", "watermark_of"]

_PUBLISHED = "published"


def is_published(home: Path, run_date: date) -> bool:
    """Return whether the run for ``run_date`` was published."""
    link = home / _PUBLISHED / run_date.isoformat()
    return link.is_symlink() or link.exists()


def is_first_run(home: Path, lines: list[dict[str, Any]], run_date: date) -> bool:
    """Return whether this is the home's first run: nothing published yet, and no ingest for another date.

    What lands in it was there from the beginning, so its landing time does not count.
    """
    folder = home / _PUBLISHED
    published = folder.is_dir() and any(not p.name.startswith(".") for p in folder.iterdir())
    others = any(line["kind"] == "run" and line["run_date"] != run_date.isoformat() for line in lines)
    return not published and not others


def watermark_of(lines: list[dict[str, Any]], *, home: Path, run_date: date, restate: bool, newest: int) -> int:
    """Return the last sighting, by ``seq``, that the run for ``run_date`` sees.

    A rerun of a published run sees what that saw, unless it restates; any other sees everything.
    """
    before = [line for line in lines if line["kind"] == "run" and line["run_date"] == run_date.isoformat()]
    if before and not restate and is_published(home, run_date):
        return int(before[-1]["watermark"])
    return newest


def run_line(run_date: date, watermark: int) -> dict[str, Any]:
    """Return the ledger's line of an ingest run."""
    return {"kind": "run", "run_date": run_date.isoformat(), "watermark": watermark}
