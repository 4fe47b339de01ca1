"""Landing: an immutable, content-addressed copy of everything that came in, and the ledger of what it was.

``landing/<sha256[:2]>/<sha256>`` holds the bytes, read-only. Where a delivery names people, it holds its planning part
under the digest of that, and ``landing/people/`` holds the people apart (:mod:`data.ingest.people`); the delivery is
still known by the digest of what was delivered. ``landing/ledger.jsonl`` holds one line for each sighting of a content
under a name, and one for each ingest run; together they are the source of truth from which the warehouse can be made
anew. No value is read before its delivery has landed, nothing enters the ledger before it was accepted.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from data.contracts import TABLES
from data.errors import SourceError
from data.ingest.faults import DeliveryRefused, DeliveryUnstable, Fault
from data.ingest.people import PersonBook, keep_people
from data.ingest.privacy import buyer_key
from data.ingest.sources import Arrival
from data.ingest.splitting import split
from data.settings import SourceSettings

__all__ = ["Landed", "Landing", "Sighting"]

_COPY_BYTES = 4_194_304
_TRIES = 6  # a file that still grows after so many copies (some 6 s) is not finished tonight
_FIRST_PAUSE_SECONDS = 0.1  # doubled each time
_YOUNG_SECONDS = 1.0  # a file changed so recently may still be growing: look twice
_LEDGER = "ledger.jsonl"
_ROWS_IN_MANIFEST = ("rows", "row_count", "records")  # without the header


@dataclass(frozen=True)
class Landed:
    """A file whose bytes are safe: what was offered, and which content landing keeps of it.

    ``rows_promised`` is what the manifest beside it says, None where it says nothing of rows.
    """

    arrival: Arrival
    sha256: str
    size: int
    modified_at: datetime
    landed_at: datetime
    kept_sha256: str = ""
    rows_promised: int | None = None


@dataclass(frozen=True)
class Sighting:
    """A line of the ledger: this content came under this name, in the run for this date.

    ``sha256`` is the digest of what was delivered, ``kept_sha256`` that of what landing keeps of it; blank: the same.
    """

    seq: int
    source: str
    table: str
    file_name: str
    sha256: str
    size: int
    modified_at: datetime
    landed_at: datetime
    run_date: date
    in_first_run: bool
    kept_sha256: str = ""

    @property
    def kept(self) -> str:
        """Digest of the content in landing."""
        return self.kept_sha256 or self.sha256


@dataclass(frozen=True)
class _Copy:
    """A private copy of a delivery, with its digest."""

    path: Path
    sha256: str
    size: int
    modified_at: datetime


class Landing:
    """The landing folder of a home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "landing"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def path_of(self, sha256: str) -> Path:
        """Return where the content with this digest lies."""
        return self.folder / sha256[:2] / sha256

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """Yield a private folder for intermediate files; it is removed at the end."""
        with tempfile.TemporaryDirectory(prefix=".work-", dir=self.folder) as folder:
            yield Path(folder)

    def clean(self) -> None:
        """Remove what a run that was killed left unfinished. Only for who holds the warehouse: one run at a time."""
        for path in self.folder.glob(".in-*"):
            path.unlink()
        for path in self.folder.glob(".work-*"):
            shutil.rmtree(path)

    def land(
        self, arrival: Arrival, *, spec: SourceSettings | None = None, known: Mapping[str, str] | None = None
    ) -> Landed:
        """Copy a file into landing, its people apart, and return what landed; the same content costs no space.

        Args:
            arrival: what is offered.
            spec: settings of the source, which say how its columns are called; None: it is kept as it is.
            known: digest -> digest of what is kept, of what the source brought before.

        Raises:
            DeliveryRefused: ``CHECKSUM_MISMATCH`` or ``TRUNCATED`` against a sidecar, or not readable at all.
            DeliveryUnstable: the file was still being written after all retries.
            SourceError: it vanished or cannot be read.
        """
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(pause)
                pause *= 2
            copy = self._copied(arrival)
            if copy is None:
                continue
            try:
                if _matches_sidecars(arrival, copy, is_last=attempt == _TRIES - 1):
                    return self._landed(arrival, copy, spec, known or {})
            finally:
                copy.path.unlink(missing_ok=True)
        raise DeliveryUnstable(
            Fault.STILL_WRITTEN,
            f"it still changed after {_TRIES} tries; write to `{arrival.path.name}.part` and rename when done",
            source=arrival.source,
            file=arrival.name,
        )

    def _copied(self, arrival: Arrival) -> _Copy | None:
        """Copy once; None where the file changed meanwhile."""
        if arrival.is_ours:
            return self._linked(arrival.path)
        digest = hashlib.sha256()
        try:
            with arrival.path.open("rb") as file:
                before = os.fstat(file.fileno())
                with (
                    tempfile.NamedTemporaryFile(dir=self.folder, prefix=".in-", delete=False) as copy,
                    ThreadPoolExecutor(1) as pool,
                ):
                    while piece := file.read(_COPY_BYTES):
                        digested = pool.submit(digest.update, piece)
                        copy.write(piece)
                        digested.result()
            after = arrival.path.stat()
        except FileNotFoundError as error:
            raise SourceError(f"source {arrival.source}: {arrival.path} vanished while it was read") from error
        except PermissionError as error:
            raise SourceError(f"source {arrival.source}: {arrival.path} may not be read: {error}") from error
        copied = Path(copy.name)
        is_stable = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if not is_stable or copied.stat().st_size != after.st_size:
            copied.unlink()
            return None
        modified_at = datetime.fromtimestamp(after.st_mtime_ns / 1e9, tz=UTC)
        return _Copy(copied, digest.hexdigest(), after.st_size, modified_at)

    def _linked(self, path: Path) -> _Copy:
        """Give a file that was written below landing a second name: its bytes need not be copied."""
        status, sha256 = path.stat(), _sha256_of(path)
        name = self.folder / f".in-{secrets.token_hex(8)}"
        name.hardlink_to(path)
        return _Copy(name, sha256, status.st_size, datetime.fromtimestamp(status.st_mtime_ns / 1e9, tz=UTC))

    def _landed(self, arrival: Arrival, copy: _Copy, spec: SourceSettings | None, known: Mapping[str, str]) -> Landed:
        """Keep a copy, or its planning part and its people."""
        now = datetime.now(UTC)
        if arrival.parted is not None:
            delivered = arrival.parted.sha256
            kept = known.get(delivered, "")
            if not (kept and self.path_of(kept).exists()):
                kept = self._keep_part(copy.path, arrival.parted.book, lambda _: copy.sha256)
            return Landed(arrival, delivered, copy.size, copy.modified_at, now, kept)
        parted = None if spec is None else self._split(arrival, copy, spec)
        if parted is None:
            self._keep(copy.path, copy.sha256)
        rows = _rows_promised(arrival.path)
        return Landed(arrival, copy.sha256, copy.size, copy.modified_at, now, parted or "", rows)

    def _keep_part(self, part: Path, book: PersonBook, digest_of: Callable[[Path], str]) -> str:
        """Keep a planning part, its people first; return its digest."""
        with self.work_folder() as work, ThreadPoolExecutor(1) as pool:
            digest = pool.submit(digest_of, part)
            book.write(work / "people", buyer_key())
            sha256 = digest.result()
            keep_people(self.folder, sha256, work / "people")
        self._keep(part, sha256)
        return sha256

    def _split(self, arrival: Arrival, copy: _Copy, spec: SourceSettings) -> str | None:
        """Keep the planning part of a delivery that names people, and return its digest; None where it names none."""
        with self.work_folder() as work:
            part = work / "part"
            book = split(
                copy.path,
                part,
                table=TABLES[arrival.table],
                spec=spec,
                name=arrival.name,
                source=arrival.source,
                tag=copy.sha256,
            )
            return None if book is None else self._keep_part(part, book, _sha256_of)

    def _keep(self, copied: Path, sha256: str) -> None:
        """Give a copy its final name, durably."""
        path = self.path_of(sha256)
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with copied.open("rb") as file:
            os.fsync(file.fileno())
        copied.chmod(0o400)
        copied.replace(path)
        _sync_folder(path.parent)

    def append(self, lines: list[dict[str, Any]]) -> None:
        """Append lines to the ledger, durably, all or none."""
        if not lines:
            return
        text = "".join(json.dumps(line, default=_plain, sort_keys=True, ensure_ascii=False) + "\n" for line in lines)
        self._drop_torn_line()
        path = self.folder / _LEDGER
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(0o600)

    def ledger(self) -> list[dict[str, Any]]:
        """Return every line of the ledger, oldest first; a line torn by a crash does not count."""
        path = self.folder / _LEDGER
        if not path.is_file():
            return []
        return [
            json.loads(line)
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
            if line.endswith("\n")
        ]

    def _drop_torn_line(self) -> None:
        path = self.folder / _LEDGER
        if not path.is_file():
            return
        text = path.read_bytes()
        if text and not text.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(text.rfind(b"\n") + 1)


def is_young(path: Path, *, now: float) -> bool:
    """Return whether a file was changed so recently that it may still be growing."""
    return now - path.stat().st_mtime < _YOUNG_SECONDS


def sighting_line(sighting: Sighting) -> dict[str, Any]:
    """Return the ledger's line of a sighting."""
    return {"kind": "sighting", **asdict(sighting)}


def sightings_in(lines: list[dict[str, Any]]) -> list[Sighting]:
    """Return the sightings among the ledger's lines, oldest first."""
    found = []
    for line in lines:
        if line["kind"] == "sighting":
            values = {k: v for k, v in line.items() if k != "kind"}
            values["modified_at"] = datetime.fromisoformat(values["modified_at"])
            values["landed_at"] = datetime.fromisoformat(values["landed_at"])
            values["run_date"] = date.fromisoformat(values["run_date"])
            found.append(Sighting(**values))
    return found


def _matches_sidecars(arrival: Arrival, copy: _Copy, *, is_last: bool) -> bool:
    """Compare with ``<file>.sha256``, ``.md5`` or ``.manifest.json`` where one lies beside the file.

    Returns false where the file is still shorter than promised, or differs, and a retry may help.
    """
    try:
        promised = _promised(arrival.path)
        size = promised.get("bytes", promised.get("size"))
        size = None if size is None else int(size)
        _rows_promised(arrival.path)
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        if not is_last:
            return False  # it may still be written
        raise DeliveryRefused(
            Fault.CHECKSUM_MISMATCH,
            f"what was sent beside it cannot be read ({error}); deliver the file and its checksum again",
            source=arrival.source,
            file=arrival.name,
        ) from error
    if size is not None and size > copy.size:
        if not is_last:
            return False
        raise DeliveryRefused(
            Fault.TRUNCATED,
            f"{copy.size:,} bytes arrived, its manifest promises {size:,}",
            source=arrival.source,
            file=arrival.name,
        )
    for kind in ("sha256", "md5"):
        if kind in promised and promised[kind] != _digest(copy, kind):
            if not is_last:
                return False
            raise DeliveryRefused(
                Fault.CHECKSUM_MISMATCH,
                f"its {kind} is not the one that was sent beside it; deliver it again",
                source=arrival.source,
                file=arrival.name,
            )
    return True


def _rows_promised(path: Path) -> int | None:
    """Return how many rows the manifest beside a file promises. Raises ``ValueError`` where that is no number."""
    promised = _promised(path)
    rows = next((promised[k] for k in _ROWS_IN_MANIFEST if promised.get(k) is not None), None)
    return None if rows is None else int(rows)


def _promised(path: Path) -> dict[str, Any]:
    """Return what the sidecars of a file say of it: ``bytes`` or ``size``, ``rows``, ``sha256``, ``md5``."""
    manifest = path.with_name(path.name + ".manifest.json")
    promised: dict[str, Any] = {}
    if manifest.is_file():
        promised = {k.lower(): v for k, v in json.loads(manifest.read_text(encoding="utf-8-sig")).items()}
    for kind in ("sha256", "md5"):
        sidecar = path.with_name(f"{path.name}.{kind}")
        if sidecar.is_file():
            promised[kind] = sidecar.read_text(encoding="utf-8-sig").split()[0]
        if kind in promised:
            promised[kind] = promised[kind].lower()
    return promised


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(copy: _Copy, kind: str) -> str:
    if kind == "sha256":
        return copy.sha256
    with copy.path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(value: Any) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
