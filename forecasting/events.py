"""Events as a model may use them: what is on, and how far the next and the last one are, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["FAR_DAYS", "event_features"]

_MAX_KINDS = 6  # event kinds with a flag of their own; the rest still count in the distances
_MAX_WINDOWS = 3  # kinds with windows before and after of their own
_COMMON_SHARE = 0.15  # kinds on more days than this are states, not events: no distance to them
FAR_DAYS = 15  # [days] an event further away than this does not show


def event_features(
    events: pl.DataFrame, places: Sequence[tuple[str, ...]], labels: list[date], *, period_days: int
) -> dict[str, NDArray[np.int16]]:
    """Return by feature (places, periods): flags of the commonest kinds, days to the next and since the last event.

    Distances are those of any kind, and of the commonest seldom kinds each; ``FAR_DAYS`` where none is near.

    Args:
        events: name, starts_date, ends_date, kind, region, ip; the calendar is known in advance.
        places: (region, location_id, ip); an event counts where its region is the region, the location or ``*``.
        labels: first days of the periods.
        period_days: 1 or 7.
    """
    if not events.height:
        return {}
    length = period_days
    last = labels[-1] + timedelta(days=length - 1)
    near = events.filter(
        (pl.col("ends_date") >= labels[0]) & (pl.col("starts_date") <= last + timedelta(days=FAR_DAYS))
    )
    near = near.with_columns(pl.col("kind").fill_null("event")).sort("name", "starts_date", "region", "ip")
    days = near.select("kind", days=(pl.col("ends_date") - pl.col("starts_date")).dt.total_days() + 1)
    frequent = days.group_by("kind").agg(pl.col("days").sum()).sort(["days", "kind"], descending=[True, False])
    kinds = sorted(frequent["kind"].head(_MAX_KINDS).to_list())
    out = {f"event_{kind}": np.zeros((len(places), len(labels)), dtype=np.int16) for kind in kinds}
    ahead = np.full((len(places), len(labels)), FAR_DAYS, dtype=np.int16)
    behind = ahead.copy()
    windows = [k for k in kinds if _is_event(days, k, len(labels) * length)][:_MAX_WINDOWS]
    for kind in windows:
        out[f"event_{kind}_ahead"], out[f"event_{kind}_behind"] = ahead.copy(), ahead.copy()
    starts = np.array([(d - labels[0]).days for d in labels])
    for number, (region, location, ip) in enumerate(places):
        mine = near.filter(pl.col("region").is_in(["*", region, location]) & pl.col("ip").is_in(["*", ip]))
        active: dict[str, NDArray[np.bool_]] = {}
        for kind, first_day, last_day in mine.select("kind", "starts_date", "ends_date").iter_rows():
            a, b = (first_day - labels[0]).days, (last_day - labels[0]).days
            flag = active.setdefault(kind, np.zeros(len(labels), dtype=np.bool_))
            flag |= (starts + length > a) & (starts <= b)
        for kind, flag in active.items():
            if kind in kinds:
                out[f"event_{kind}"][number] = flag
        for kind, first_day, last_day in mine.select("kind", "starts_date", "ends_date").iter_rows():
            if active[kind].mean() > _COMMON_SHARE:
                continue
            a, b = (first_day - labels[0]).days, (last_day - labels[0]).days
            before = np.where(a >= starts, a - starts, FAR_DAYS)
            after = np.where(b <= starts, starts - b, FAR_DAYS)
            ahead[number], behind[number] = np.minimum(ahead[number], before), np.minimum(behind[number], after)
            if kind in windows:
                for name, distance in ((f"event_{kind}_ahead", before), (f"event_{kind}_behind", after)):
                    out[name][number] = np.minimum(out[name][number], distance)
    return {**out, "event_ahead": ahead, "event_behind": behind}


def _is_event(days: pl.DataFrame, kind: str, width: int) -> bool:
    """Return whether a kind is seldom enough to have a before and an after."""
    return float(days.filter(pl.col("kind") == kind)["days"].sum()) <= _COMMON_SHARE * width
