"""Files on their way in: which are there, which are new, which are still growing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import duckdb

from data.ingest.faults import DeliveryUnstable, Fault
from data.ingest.landing import Landed, is_young
from data.ingest.sources import Arrival, Source

__all__ = ["offered_by", "remember_seen", "seen_files", "settle", "stamp"]

_SETTLE_TRIES = 8
_SETTLE_SECONDS = 0.25
_MISSING_PAUSES = (0.1, 0.2, 0.4)  # [s] a delivery that is about to be renamed into place


def offered_by(source: Source, known: list[str]) -> list[Arrival]:
    """Return what a source offers; of one that never brought a file, what comes within some seconds."""
    offered = list(source.arrivals(known))
    for pause in _MISSING_PAUSES:
        if offered or known or source.spec.kind != "file":
            break
        time.sleep(pause)
        offered = list(source.arrivals(known))
    return offered


def stamp(path: Path) -> tuple[int, int, int]:
    """Return what changes with a file's content: size, and times of modification and change [ns]."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def seen_files(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """Return table, source and name -> stamp of every file as it was when it landed."""
    rows = connection.execute(
        "select table_name, source, file_name, size, modified_ns, changed_ns from seen_files"
    ).fetchall()
    return {(r[0], r[1], r[2]): (r[3], r[4], r[5]) for r in rows}


def remember_seen(connection: duckdb.DuckDBPyConnection, landed: Landed) -> None:
    """Store the stamp of a file that has landed."""
    a = landed.arrival
    key = [a.source, a.table, a.name]
    connection.execute("delete from seen_files where source = ? and table_name = ? and file_name = ?", key)
    connection.execute("insert into seen_files values (?, ?, ?, ?, ?, ?, ?)", [*key, *stamp(a.path), landed.sha256])


def settle(arrivals: Iterable[Arrival]) -> None:
    """Wait until files that were changed a moment ago stop changing.

    Raises:
        DeliveryUnstable: one still grows after all tries.
    """
    young = [a for a in arrivals if not a.is_ours and is_young(a.path, now=time.time())]
    for _ in range(_SETTLE_TRIES):
        if not young:
            return
        before = {a: stamp(a.path) for a in young}
        time.sleep(_SETTLE_SECONDS)
        young = [a for a in young if stamp(a.path) != before[a]]
    if young:
        raise DeliveryUnstable(
            Fault.STILL_WRITTEN,
            f"it still grows after {_SETTLE_TRIES * _SETTLE_SECONDS:.0f} s; write to `{young[0].path.name}.part` and "
            "rename when done",
            source=young[0].source,
            file=young[0].name,
        )
