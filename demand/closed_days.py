"""Which days without sales are closed, which are gaps, and which were delivered in part.

A closed day is a true zero: a weekday without any row in each of the last 8 weeks, or a listed day. Any other day on
which the whole shop has no row is a gap: unknown, not zero. A partial day ends long before its weekday usually does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from demand.config import DayConfig
from demand.panel import Ints, Mask, Periods, day_number

__all__ = ["classify_days", "classify_periods", "listed_days", "partial_days"]

_WEEK = 7
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_THURSDAY = 3  # 1970-01-01, day number 0
_REFERENCE_WEEKS = 8  # same weekdays that say how a day usually ends
_REFERENCE_MIN = 3
_OVERDISPERSION = 3.0  # orders of a real shop spread more than Poisson: a third of them count as independent


def listed_days(closed: Sequence[str | date], *, first: int, last: int) -> Ints:
    """Return the day numbers in ``first..last`` that ``shop.closed_days`` names, by date or by weekday (``SAT``).

    >>> listed_days(["1970-01-05", "SUN"], first=0, last=6).tolist()
    [3, 4]
    """
    days = np.arange(first, last + 1, dtype=np.int64)
    weekday = (days + _THURSDAY) % _WEEK
    hit = np.zeros(len(days), dtype=bool)
    for entry in closed:
        name = str(entry)[:3].upper()
        if not isinstance(entry, date) and name in _WEEKDAYS:
            hit |= weekday == _WEEKDAYS.index(name)
        else:
            day = entry if isinstance(entry, date) else date.fromisoformat(str(entry))
            hit |= days == day_number(day)
    return days[hit]


def classify_days(days_with_rows: Ints, *, last: int, listed: Ints, config: DayConfig) -> pl.DataFrame:
    """Return one row per day from the first day with a row to ``last``: ``day``, ``is_closed``, ``is_gap``.

    Args:
        days_with_rows: day numbers on which the shop has any row.
        last: day number of the run date.
        listed: day numbers that the shop declares closed; one with rows is open all the same.
        config: weeks that make a weekday closed.
    """
    schema = {"day": pl.Int64, "is_closed": pl.Boolean, "is_gap": pl.Boolean}
    seen = np.unique(days_with_rows[days_with_rows <= last])
    if not len(seen):
        return pl.DataFrame(schema=schema)
    days = np.arange(int(seen[0]), last + 1, dtype=np.int64)
    has_row = np.isin(days, seen)
    closed = ~has_row & (_closed_by_weekday(has_row, config) | np.isin(days, listed))
    return pl.DataFrame({"day": days, "is_closed": closed, "is_gap": ~has_row & ~closed}, schema=schema)


def _closed_by_weekday(has_row: Mask, config: DayConfig) -> Mask:
    """Return the days that lie in a run of ``closed_weeks`` same weekdays without a row.

    Weeks in which the shop has no row at all are an outage and say nothing about weekdays: a run passes over them.
    """
    n = len(has_row)
    weeks = -(-n // _WEEK)
    padding = (0, weeks * _WEEK - n)
    grid = np.pad(has_row, padding).reshape(weeks, _WEEK)
    known = np.pad(np.ones(n, dtype=bool), padding).reshape(weeks, _WEEK)
    informative = grid.any(axis=1)
    closed = np.zeros_like(grid)
    for weekday in range(_WEEK):
        rows = np.flatnonzero(informative & known[:, weekday])
        needed = min(config.closed_weeks, max(len(rows), config.closed_weeks_min))
        for start, stop in _runs(~grid[rows, weekday]):
            if stop - start >= needed:
                closed[rows[start] : rows[stop - 1] + 1, weekday] = True
        if len(rows) and closed[rows[-1], weekday]:  # an outage at the end does not open it again
            closed[rows[-1] :, weekday] = True
    flat: Mask = closed.reshape(-1)[:n]
    return flat


def _runs(flag: Mask) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flag, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def partial_days(hourly: pl.DataFrame, *, config: DayConfig) -> Ints:
    """Return the day numbers that end too early for their weekday.

    With f the share of orders that the same weekday of the last 8 weeks had after the last hour seen, and n orders
    seen, n f / (1 - f) more were due. The day is partial where f is large and none of them coming is improbable.

    Args:
        hourly: ``day`` (day number), ``hour`` (0-23, shop's time), ``n_orders``.
        config: the share and the chance.
    """
    if hourly.is_empty():
        return np.zeros(0, dtype=np.int64)
    first = int(hourly["day"].min())  # type: ignore[arg-type]
    n_days = int(hourly["day"].max()) - first + 1  # type: ignore[arg-type]
    counts = np.zeros((n_days, 24))
    np.add.at(counts, (hourly["day"].to_numpy() - first, hourly["hour"].to_numpy()), hourly["n_orders"].to_numpy())
    found = [d for d in range(n_days) if counts[d].any() and _ends_early(counts, d, config)]
    return np.array(found, dtype=np.int64) + first


def _ends_early(counts: np.ndarray, day: int, config: DayConfig) -> bool:
    earlier = [day - _WEEK * w for w in range(1, _REFERENCE_WEEKS + 1) if day >= _WEEK * w]
    reference = [d for d in earlier if counts[d].any()]
    if len(reference) < _REFERENCE_MIN:
        return False
    profile = counts[reference].sum(axis=0)
    last_hour = int(np.flatnonzero(counts[day])[-1])
    after = float(profile[last_hour + 1 :].sum() / profile.sum())
    if after < config.partial_missing_share:
        return False
    usual_end = np.median([np.flatnonzero(counts[d])[-1] for d in reference])
    due = counts[day].sum() * after / max(1 - after, 1e-9)
    return bool(last_hour < usual_end and np.exp(-due / _OVERDISPERSION) < config.partial_p)


def classify_periods(days: pl.DataFrame, partial: Ints, *, periods: Periods) -> pl.DataFrame:
    """Return one row per period: ``index``, ``is_closed``, ``is_gap``, ``is_partial``, ``open_days``.

    A week is closed when each of its days is, a gap when none of its open days has a row, and partial when some
    open days lack rows, a day in it is partial, or the history starts in its middle.
    """
    counted = (
        days.with_columns(
            index=pl.Series(periods.index(days["day"].to_numpy()), dtype=pl.Int64),
            is_partial=pl.col("day").is_in(partial.tolist()),
        )
        .group_by("index")
        .agg(
            n=pl.len(),
            closed=pl.col("is_closed").sum(),
            gaps=pl.col("is_gap").sum(),
            partial=pl.col("is_partial").sum(),
        )
        .sort("index")
    )
    missing = pl.col("gaps") + (periods.days - pl.col("n"))
    open_days = periods.days - pl.col("closed")
    is_gap = (pl.col("gaps") > 0) & (pl.col("gaps") + pl.col("closed") == pl.col("n"))
    return counted.select(
        "index",
        is_closed=pl.col("closed") == pl.col("n"),
        is_gap=is_gap,
        is_partial=~is_gap & ((pl.col("partial") > 0) | (missing > 0)),
        open_days=open_days.cast(pl.Int64),
    )
