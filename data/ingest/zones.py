"""SQL between instants and a place's clock, cheaply where the clock has stood still.

DuckDB asks its calendar library for the offset of every row, which takes ten times as long as to load the value. Many
zones (UTC, Asia/Shanghai, Asia/Tokyo) have had one offset since 2000, and there it is a sum.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from data.ingest.text_values import literal

__all__ = ["instant_sql", "local_day_sql"]

_SINCE, _UNTIL = datetime(2000, 1, 3, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
_STEP = timedelta(days=7)  # no clock is changed for a shorter time


@cache
def _fixed_offset(zone: str) -> int | None:
    """Return the offset of ``zone`` since 2000 [microseconds], None where it changes."""
    place, moment = ZoneInfo(zone), _SINCE - timedelta(days=1)
    offset = moment.astimezone(place).utcoffset()
    while moment < _UNTIL:
        moment += _STEP
        if moment.astimezone(place).utcoffset() != offset:
            return None
    return None if offset is None else offset // timedelta(microseconds=1)


def instant_sql(zone: str, naive: str) -> str:
    """Return SQL for the instant at which the clock of ``zone`` shows the timestamp ``naive``."""
    slow = f"timezone({literal(zone)}, {naive})"
    return _summed(zone, naive, "timestamp", "make_timestamptz(epoch_us({}) - {})", slow)


def local_day_sql(zone: str, instant: str) -> str:
    """Return SQL for the calendar day that ``zone`` has at ``instant``."""
    slow = f"timezone({literal(zone)}, {instant})::date"
    return _summed(zone, instant, "timestamptz", "make_timestamp(epoch_us({}) + {})::date", slow)


def _summed(zone: str, value: str, kind: str, fast: str, slow: str) -> str:
    """Return SQL for the sum ``fast`` of value and offset where the clock stood still, else for ``slow``."""
    offset = _fixed_offset(zone)
    if offset is None:
        return slow
    within = f"{value} between {kind} '{_SINCE:%Y-%m-%d}' and {kind} '{_UNTIL:%Y-%m-%d}'"
    return f"(case when {within} then {fast.format(value, offset)} else {slow} end)"
