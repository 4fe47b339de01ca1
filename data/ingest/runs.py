"""What the ledger knows of ingest runs: which landing a run for D saw, and whether a home has published yet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

__all__ = ["View", "is_first_run", "is_published", "is_settled", "night_of", "run_line", "view_of"]

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


@dataclass(frozen=True)
class View:
    """What of the landing a run sees: sightings up to ``watermark``; a restated run also those of later runs."""

    watermark: int
    is_restated: bool


def is_settled(lines: list[dict[str, Any]], *, home: Path, run_date: date, restate: bool) -> bool:
    """Return whether this is the rerun of a published run, which keeps to what that run saw."""
    ran = any(line["kind"] == "run" and line["run_date"] == run_date.isoformat() for line in lines)
    return ran and not restate and is_published(home, run_date)


def night_of(lines: list[dict[str, Any]], seq: int) -> date | None:
    """Return the date of the run that first saw a sighting, None where no run has yet.

    >>> night_of([{"kind": "run", "run_date": "2026-03-01", "watermark": 4}], 3)
    datetime.date(2026, 3, 1)
    """
    runs = (line for line in lines if line["kind"] == "run" and line["watermark"] >= seq)
    return next((date.fromisoformat(line["run_date"]) for line in runs), None)


def view_of(lines: list[dict[str, Any]], *, home: Path, run_date: date, restate: bool, newest: int) -> View:
    """Return what the run for ``run_date`` sees of the landing, whose last sighting is ``newest``.

    A rerun of a published run sees what that saw, unless it restates; any other sees everything.
    """
    if is_settled(lines, home=home, run_date=run_date, restate=restate):
        before = [line for line in lines if line["kind"] == "run" and line["run_date"] == run_date.isoformat()]
        return View(int(before[-1]["watermark"]), bool(before[-1]["is_restated"]))
    return View(newest, restate)


def run_line(run_date: date, view: View) -> dict[str, Any]:
    """Return the ledger's line of an ingest run."""
    return {"kind": "run", "run_date": run_date.isoformat(), **asdict(view)}
