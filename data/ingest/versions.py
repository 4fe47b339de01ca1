"""Which deliveries a run may see, and which of them are in force: pure logic on the ledger's sightings.

A run for D sees what landed in the home's first run, and later what landed in runs for D or before; a rerun of a
published D sees what its first publish saw, a restated one everything. Of several contents under one name the newest
by modification time, then digest, is in force; the others are kept and set aside.

One content may come more than once: open orders empty, then full, then empty again. It is loaded once; of a snapshot
each sighting has a day of its own, and the newest up to D says from when on the content is in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from data.contracts import TABLES, Mode
from data.ingest.landing import Sighting
from data.ingest.runs import View
from data.ingest.sources import date_in_name

__all__ = ["VisibleDelivery", "visible_deliveries"]

_ALWAYS = date(1, 1, 1)  # undated, of the first run: known ever since


@dataclass(frozen=True)
class VisibleDelivery:
    """A delivery as a run sees it.

    ``version`` orders the deliveries of one table, later ones win. ``snapshot_date`` is the day an undated snapshot
    describes; ``arrival_rank`` tells apart undated ones that arrived on the same day.
    """

    delivery_id: int
    source: str
    table: str
    version: int
    snapshot_date: date
    arrival_rank: int
    landed_run_date: date
    in_force: bool


def visible_deliveries(
    sightings: Iterable[tuple[Sighting, int]], *, run_date: date, view: View, zone: ZoneInfo
) -> list[VisibleDelivery]:
    """Return the deliveries that the run for ``run_date`` may see.

    Args:
        sightings: with the delivery each shows.
        run_date: D.
        view: what of the landing the run sees.
        zone: the shop's timezone, for the day of a file without date in its name.
    """
    seen = [
        (s, d)
        for s, d in sightings
        if s.seq <= view.watermark and (view.is_restated or s.in_first_run or s.run_date <= run_date)
    ]
    newest: dict[tuple[str, str, str], tuple[Sighting, int]] = {}
    for sighting, delivery_id in seen:
        name = (sighting.table, sighting.source, sighting.file_name)
        if name not in newest or _age(sighting) >= _age(newest[name][0]):
            newest[name] = (sighting, delivery_id)
    in_force = {d for _, d in newest.values()}
    shown: dict[int, Sighting] = {}
    for sighting, delivery_id in seen:
        current = newest[(sighting.table, sighting.source, sighting.file_name)]
        if delivery_id in in_force and current[1] != delivery_id:
            continue  # in force under another name: that name counts
        if delivery_id not in shown or _later(sighting, shown[delivery_id], run_date=run_date, zone=zone):
            shown[delivery_id] = sighting
    return _numbered(shown, in_force, zone)


def _age(sighting: Sighting) -> tuple[datetime, str]:
    return (sighting.modified_at, sighting.sha256)


def _snapshot_date(sighting: Sighting) -> date:
    """Return the day that an undated snapshot describes: the one its name states, else that of its arrival."""
    arrived = _ALWAYS if sighting.in_first_run else sighting.run_date
    return date_in_name(sighting.file_name) or arrived


def _later(one: Sighting, other: Sighting, *, run_date: date, zone: ZoneInfo) -> bool:
    """Return whether ``one`` speaks for their common content rather than ``other``.

    A snapshot stands from the newest of its days that D has reached; a day after D must not hide an earlier one.
    """
    ranks = [_rank(s, zone) for s in (one, other)]
    if TABLES[one.table].mode is not Mode.SNAPSHOT:
        return ranks[0] > ranks[1]
    days = [_snapshot_date(s) for s in (one, other)]
    return (days[0] <= run_date, days[0], ranks[0]) > (days[1] <= run_date, days[1], ranks[1])


def _rank(sighting: Sighting, zone: ZoneInfo) -> tuple[date, datetime, str]:
    """Order of versions: the day the name states (else of the last change), the last change, the digest."""
    day = date_in_name(sighting.file_name) or sighting.modified_at.astimezone(zone).date()
    return (day, sighting.modified_at, sighting.sha256)


def _numbered(shown: dict[int, Sighting], in_force: set[int], zone: ZoneInfo) -> list[VisibleDelivery]:
    ordered: Sequence[tuple[int, Sighting]] = sorted(shown.items(), key=lambda item: (*_rank(item[1], zone), item[0]))
    found = []
    for version, (delivery_id, sighting) in enumerate(ordered):
        named = date_in_name(sighting.file_name)
        found.append(
            VisibleDelivery(
                delivery_id,
                sighting.source,
                sighting.table,
                version,
                _snapshot_date(sighting),
                0 if named else version + 1,
                sighting.run_date,
                delivery_id in in_force,
            )
        )
    return found
