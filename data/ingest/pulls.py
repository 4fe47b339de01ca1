"""What databases and services have in common: a pull of this run becomes a file, which lands like any other.

The file's name says how far the pull went, so the ledger alone tells the next run where to go on, and a warehouse
made anew from landing knows it too. ``watermarks`` in the warehouse repeats it, written in the load's transaction.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from data.contracts import Table
from data.errors import SourceError
from data.ingest.sources import Arrival, Parted
from data.settings import SourceSettings

__all__ = [
    "Mark",
    "Pull",
    "SourceFault",
    "SourceUnavailable",
    "Transient",
    "Watermark",
    "later_mark",
    "looked_back",
    "text_of_mark",
    "watermark_in",
]

_MARK_IN_NAME = re.compile(r"\.upto-([0-9TZ.+:\-]+)\.on-")
_NUMBER = re.compile(r"-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?|-?inf(inity)?|nan", re.IGNORECASE)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
Mark = datetime | date | int | Decimal
T = TypeVar("T")


class SourceUnavailable(SourceError):
    """A source could not be reached, or did not answer to the end, whatever was tried."""


class SourceFault(SourceError):
    """A source answered, and what it said cannot be right."""


class Transient(Exception):
    """A try failed in a way that another may not; ``wait_seconds`` is what the source asked for."""

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True)
class Watermark:
    """Where the last pull of a source ended."""

    value: str

    @property
    def mark(self) -> Mark:
        """The value, typed: a number, a day or an instant, which has an offset where the source's has one.

        Raises:
            ValueError: it is none of these.
        """
        if re.fullmatch(r"-?[0-9]+", self.value):
            return int(self.value)
        if re.fullmatch(r"-?[0-9]+[.][0-9]+", self.value):
            return Decimal(self.value)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", self.value):
            return date.fromisoformat(self.value)
        return datetime.fromisoformat(self.value)


def looked_back(mark: Mark, late_days: float) -> Mark:
    """Return the mark, moved back by the window in which rows may still come late. A number is not moved."""
    return mark if isinstance(mark, (int, Decimal)) else mark - timedelta(days=late_days)


def text_of_mark(value: Any) -> str | None:
    """Return a value of a watermark's column as text, None where there is none, or none that is finite.

    Raises:
        ValueError: it is no number, day or instant.
    """
    if isinstance(value, str):
        value = Decimal(value) if _NUMBER.fullmatch(value) else Watermark(value).mark
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, (int, Decimal)):
        return _plain_number(Decimal(value)) if math.isfinite(value) else None
    return None if value is None else (value.isoformat() if isinstance(value, date) else str(value))


def _plain_number(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def later_mark(one: str, other: str) -> str:
    """Return the later of two watermarks. A day stands for its first instant; a number comes before any of them."""
    return max(one, other, key=_order)


def watermark_in(name: str) -> str | None:
    """Return the watermark that the name of a pulled file states.

    >>> watermark_in("orders.upto-2026-03-01T10:15:00+00:00.on-2026-03-01.parquet")
    '2026-03-01T10:15:00+00:00'
    """
    found = _MARK_IN_NAME.search(name)
    return found[1] if found else None


@dataclass
class Pull:
    """One pull of one source: its folder, its clock, its tries.

    ``before``: deliveries that the source brought so far; ``parted``: set where the file holds no people any more.
    """

    name: str
    table: Table
    spec: SourceSettings
    home: Path
    run_date: date
    watermark: str | None = None
    masked: Callable[[object], str] = str
    before: int = 0
    parted: Parted | None = None
    started: float = field(default_factory=time.monotonic)
    folder: tempfile.TemporaryDirectory[str] | None = None

    def path(self, suffix: str) -> Path:
        """Return where the pulled content is to be written: a private folder below landing, removed by `close`."""
        if self.folder is None:
            landing = self.home / "landing"
            landing.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder = tempfile.TemporaryDirectory(prefix=".work-pull-", dir=landing)
        return Path(self.folder.name) / f"pulled.{suffix}"

    def close(self) -> None:
        """Remove what was pulled; it has landed, or never will."""
        if self.folder is not None:
            self.folder.cleanup()
            self.folder = None

    @property
    def mark(self) -> Mark:
        """From where on to ask: the watermark, moved back by the late window."""
        start = self.watermark if self.watermark is not None else self.spec.watermark_start
        return looked_back(Watermark(start).mark, self.spec.late_days if self.watermark is not None else 0)

    @property
    def tag(self) -> str:
        """What the surrogates of this pull end in: no other delivery that is taken in has it, and a retry has again."""
        return hashlib.sha256(f"{self.table.name}\0{self.name}\0{self.before}".encode()).hexdigest()

    def arrival(self, path: Path, upto: str | None) -> Arrival:
        """Return the arrival of what was pulled, named by the run and by how far it went."""
        reached = f".upto-{later_mark(upto, self.watermark or upto)}" if upto is not None else ""
        name = f"{self.name}{reached}.on-{self.run_date}{path.suffix}"
        return Arrival(self.name, self.table.name, name, path, is_ours=True, parted=self.parted)

    @property
    def seconds_left(self) -> float:
        """What is left of the deadline."""
        return self.spec.deadline_seconds - (time.monotonic() - self.started)

    def tried(self, attempt: Callable[[], T], what: str) -> T:
        """Return what ``attempt`` returns, tried again with growing, jittered pauses while it fails in passing.

        Raises:
            SourceUnavailable: all tries failed, or the deadline passed.
        """
        for number in range(self.spec.retries + 1):
            try:
                return attempt()
            except Transient as error:
                ceiling = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**number)
                pause = ceiling * (0.5 + random.random() / 2)  # noqa: S311 - jitter, no secret
                if error.wait_seconds is not None:
                    pause = max(pause, error.wait_seconds)
                last = number == self.spec.retries
                if last or pause >= self.seconds_left:
                    why = f"after {number + 1} tries" if last else f"its deadline of {self.spec.deadline_seconds:g} s"
                    raise SourceUnavailable(
                        f"source {self.name}: {what} failed, {why}: {' '.join(self.masked(error).split())}"
                    ) from None
                time.sleep(pause)
        raise AssertionError("unreachable")


def _order(text: str) -> tuple[int, Any]:
    mark = Watermark(text).mark
    if isinstance(mark, (int, Decimal)):
        return (0, mark)
    instant = mark if isinstance(mark, datetime) else datetime(mark.year, mark.month, mark.day, tzinfo=UTC)
    return (1, instant if instant.tzinfo else instant.replace(tzinfo=UTC))
