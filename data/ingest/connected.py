"""Every configured source of a home: files, databases, services."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Protocol

from data.contracts import TABLES, Mode, Table
from data.errors import ConfigError
from data.ingest.connections import connection_of
from data.ingest.databases import Database
from data.ingest.faults import DeliveryRefused, Fault
from data.ingest.pulls import Pull, SourceUnavailable, later_mark, watermark_in
from data.ingest.services import Service
from data.ingest.sources import Arrival, FileSource, Source
from data.settings import Settings, SourceSettings

__all__ = ["PulledSource", "sources_of"]


class _Asked(Protocol):
    """A database or a service, ready to be asked."""

    pull: Pull

    def pulled(self) -> tuple[Path, str | None, int]:
        """Return the file of what it answered, the new watermark and the number of rows."""
        ...


@dataclass
class PulledSource:
    """A source that has to be asked. The secret is looked up only then, so an unused connection needs none."""

    name: str
    table: Table
    spec: SourceSettings
    asked: Callable[[str | None], _Asked]
    pull: Pull | None = None

    def arrivals(self, known: Sequence[str] = ()) -> Iterator[Arrival]:
        """Ask, and yield what came as one arrival; nothing where a watermark is kept and nothing is new.

        Raises:
            SourceUnavailable: all tries failed, or nothing came that could be a delivery.
            DeliveryRefused: sales came without a record.
            SourceFault: the answer cannot be right.
            ConfigError: the connection or the query is wrong.
        """
        marks = [m for m in (watermark_in(name) for name in known) if m]
        reached = reduce(later_mark, marks) if marks and self.spec.watermark else None
        asked = self.asked(reached)
        self.pull = asked.pull
        self.pull.before = len(known)
        path, upto, rows = asked.pulled()
        if rows == 0 and self.spec.watermark and self.table.mode is not Mode.SNAPSHOT:
            return
        if rows == 0 and path.suffix == ".jsonl":
            self._refuse_nothing()
        yield asked.pull.arrival(path, upto)

    def _refuse_nothing(self) -> None:
        """A list without records has no columns either: it is no delivery, and says nothing of what there is."""
        if self.table.is_sales:
            raise DeliveryRefused(
                Fault.ROW_COUNT_BELOW_MIN,
                "it answers without a record; a delivery of sales has at least one",
                source=self.name,
                file=self.spec.path or "-",
            )
        raise SourceUnavailable(f"source {self.name}: it answers without a record")

    def close(self) -> None:
        """Remove what was pulled."""
        if self.pull is not None:
            self.pull.close()


def sources_of(settings: Settings, *, home: Path, run_date: date) -> list[Source]:
    """Return every configured source in the order of the contracts.

    Raises:
        ConfigError: two sources of one table share a name.
    """
    sources: list[Source] = []
    for table, specs in settings.sources.items():
        names = [spec.name or table for spec in specs]
        if len(set(names)) != len(names):
            raise ConfigError(f"sources.{table}: two sources share a name: {sorted(names)}")
        for name, given in zip(names, specs, strict=True):
            is_ours = given.currency == settings.shop.currency
            spec = given.model_copy(update={"currency": None}) if is_ours else given
            if spec.kind == "file":
                sources.append(FileSource(name, TABLES[table], spec, home))
            else:
                asked = _asked(settings, name, TABLES[table], spec, home, run_date)
                sources.append(PulledSource(name, TABLES[table], spec, asked))
    order = list(TABLES)
    return sorted(sources, key=lambda s: (order.index(s.table.name), s.name))


def _asked(
    settings: Settings, name: str, table: Table, spec: SourceSettings, home: Path, run_date: date
) -> Callable[[str | None], _Asked]:
    """Return what makes the source ready to be asked, given the watermark that it reached."""

    def ready(reached: str | None) -> _Asked:
        connection = connection_of(spec.connection or "", settings.connections[spec.connection or ""])
        pull = Pull(name, table, spec, home, run_date, reached, connection.masked)
        if spec.kind == "sql":
            return Database(connection, pull, spec.query or "")
        return Service(connection, pull)

    return ready
