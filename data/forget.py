"""A person is removed from everything that came in: from landing's person parts and from the warehouse.

What was published names nobody: buyers stand in the quarantine alone, as hashes of a surrogate that only the person
part can lead back to a person. The orders stay, as those of a stranger.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from data.contracts import TABLES
from data.ingest.landing import Landing, sightings_in
from data.ingest.people import forget_in
from data.ingest.privacy import buyer_key, pseudonym
from data.ingest.store import raw_name
from data.warehouse import open_warehouse, quoted

__all__ = ["Forgotten", "forget"]


@dataclass(frozen=True)
class Forgotten:
    """What was removed: deliveries that named the person, rows of the warehouse, and the shop's own files."""

    deliveries: int
    rows: int
    files: tuple[str, ...]


def forget(home: Path, buyer: str) -> Forgotten:
    """Make ``buyer`` a stranger, in landing and in the warehouse.

    No digest changes: planning parts hold surrogates, and those stay. The warehouse file is written anew, so that no
    freed page of it names the person either.

    Args:
        home: the home folder.
        buyer: the buyer's reference as the shop writes it.

    Raises:
        SourceError: another process holds the warehouse.
    """
    who = pseudonym(buyer, buyer_key())
    landing = Landing(home)
    stranger, digests = forget_in(landing.folder, who)
    rows = 0
    if (home / "warehouse.duckdb").is_file():
        with open_warehouse(home) as warehouse, warehouse.transaction():
            rows = _replaced(warehouse.connection, who, stranger)
        if rows or digests:
            _write_anew(home)
    named = {s.file_name for s in sightings_in(landing.ledger()) if s.kept in set(digests)}
    return Forgotten(len(digests), rows, tuple(sorted(named)))


def _replaced(connection: duckdb.DuckDBPyConnection, who: str, stranger: str) -> int:
    """Give the person's rows the stranger's pseudonym in every table that has one; return how many came in."""
    columns = connection.execute(
        "select table_name, column_name from duckdb_columns() where not internal and data_type = 'VARCHAR' "
        "and table_name in (select table_name from duckdb_tables())"  # views follow their tables
    ).fetchall()
    people = {(t.name, c.name) for t in TABLES.values() for c in t.columns if c.person}
    people |= {(raw_name(TABLES[t]), c) for t, c in people}
    rows = 0
    for table, column in columns:
        if (table, column) not in people:
            continue
        name = quoted(column)
        found = connection.execute(f"select count(*) from {quoted(table)} where {name} = $1", [who]).fetchall()[0][0]
        if found:
            connection.execute(f"update {quoted(table)} set {name} = $1 where {name} = $2", [stranger, who])
        rows += found if table.startswith("raw_") else 0
    return int(rows)


def _write_anew(home: Path) -> None:
    """Copy the warehouse into a new file and put that in its place: freed pages of the old one still name people."""
    path, fresh = home / "warehouse.duckdb", home / "warehouse.duckdb.new"
    fresh.unlink(missing_ok=True)
    with open_warehouse(home) as warehouse:
        warehouse.execute(f"attach '{str(fresh).replace(chr(39), chr(39) * 2)}' as fresh")
        warehouse.execute(f"copy from database {quoted(path.stem)} to fresh")
        warehouse.execute("detach fresh")
    fresh.replace(path)
    Path(f"{path}.wal").unlink(missing_ok=True)
    handle = os.open(home, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
