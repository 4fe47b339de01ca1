"""Where deliveries come from. A source yields arrivals; landing them, and everything after, is the same for all kinds.

Files are found here; databases and HTTP services (:mod:`data.ingest.connected`) implement the same :class:`Source`
and hand out an :class:`Arrival` whose content they have written to a file below the landing folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

from data.contracts import Table
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.people import PersonBook
from data.settings import SourceSettings

__all__ = ["Arrival", "FileSource", "Parted", "Source", "date_in_name"]

_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart", ".swp", "~")
_SIDECARS = (".sha256", ".md5", ".manifest.json")
_WILD = re.compile(r"[*?\[]")
_DATE_IN_NAME = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12][0-9]|3[01])(?![0-9])")


@dataclass(frozen=True)
class Parted:
    """What is known of a delivery whose file is its planning part already: its digest, and its people."""

    sha256: str
    book: PersonBook


@dataclass(frozen=True)
class Arrival:
    """A file that a source offers, not landed yet. ``name`` is its path below the source's folder.

    ``is_ours``: the ingest wrote it below landing itself, to the end; nobody else changes it. ``parted``: it holds no
    people any more.
    """

    source: str
    table: str
    name: str
    path: Path
    is_ours: bool = False
    parted: Parted | None = field(default=None, compare=False)


class Source(Protocol):
    """One named source of one input table."""

    @property
    def name(self) -> str:
        """Name of the source, unique in the home."""
        ...

    @property
    def table(self) -> Table:
        """The input table it feeds."""
        ...

    @property
    def spec(self) -> SourceSettings:
        """Its settings."""
        ...

    def arrivals(self, known: Sequence[str] = ()) -> Iterator[Arrival]:
        """Yield everything the source offers now, in a stable order; ``known`` are the names it brought so far."""
        ...

    def close(self) -> None:
        """Remove what was written for the arrivals; they have landed."""
        ...


@dataclass(frozen=True)
class FileSource:
    """Files below a folder, or one file: ``path`` is a glob, absolute or relative to the home."""

    name: str
    table: Table
    spec: SourceSettings
    home: Path

    def close(self) -> None:
        """Leave the files where they lie: they are the shop's."""

    def arrivals(self, known: Sequence[str] = ()) -> Iterator[Arrival]:  # noqa: ARG002 - every file is looked at
        """Yield the matching files, ordered by name.

        Unfinished files (``.part``, ``.tmp``, hidden ones) and sidecars (``.sha256``) are passed over.

        Raises:
            DeliveryRefused: ``UNSAFE_PATH`` for a path that climbs out of the home, or a symbolic link.
        """
        base, pattern = self._base_and_pattern()
        if not pattern:
            found = [base] if base.is_symlink() or base.is_file() else []
            base = base.parent
        else:
            found = sorted(base.glob(pattern)) if base.is_dir() else []
        for path in found:
            name = path.relative_to(base).as_posix()
            if not _is_delivery(path):
                continue
            self._refuse_links(path, base, name)
            yield Arrival(self.name, self.table.name, name, path)

    def _base_and_pattern(self) -> tuple[Path, str]:
        """Split the path into a folder without wild cards and a glob below it."""
        written = Path(self.spec.path or "")
        if ".." in written.parts:
            raise DeliveryRefused(
                Fault.UNSAFE_PATH,
                "a path may not climb with `..`; write it from the home folder or from the root",
                source=self.name,
                file=str(written),
            )
        root = Path(written.anchor) if written.is_absolute() else self.home
        parts = written.relative_to(written.anchor).parts
        is_plain = (root / written).exists()  # then a bracket in it is a bracket
        wild = len(parts) if is_plain else next((i for i, p in enumerate(parts) if _WILD.search(p)), len(parts))
        base = root.joinpath(*parts[:wild])
        if wild == len(parts) and base.is_dir():
            return base, "*"
        return base, "/".join(parts[wild:])

    def _refuse_links(self, path: Path, base: Path, name: str) -> None:
        step = path
        while step != base:
            if step.is_symlink():
                raise DeliveryRefused(
                    Fault.UNSAFE_PATH,
                    f"{step.name} is a symbolic link; deliver the file itself",
                    source=self.name,
                    file=name,
                )
            step = step.parent


def _is_delivery(path: Path) -> bool:
    name = path.name.lower()
    if name.startswith(".") or name.endswith((*_UNFINISHED, *_SIDECARS)):
        return False
    return path.is_symlink() or path.is_file()


def date_in_name(name: str) -> date | None:
    """Return the last calendar day that a file name states, or None.

    >>> date_in_name("stock/shop_2024-03-03.csv.gz"), date_in_name("orders_20240303.csv"), date_in_name("a.csv")
    (datetime.date(2024, 3, 3), datetime.date(2024, 3, 3), None)
    """
    found = None
    for match in _DATE_IN_NAME.finditer(Path(name).name):
        try:
            found = date(*(int(part) for part in match.groups()))
        except ValueError:
            continue  # 2024-02-31 is no day
    return found
