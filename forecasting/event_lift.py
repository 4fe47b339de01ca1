"""What events do to the demand of a whole location, for models that know no calendar.

A festival that was seen once or twice lies outside what a level model has in its memory, and what it sold then stays
in the level for weeks. So history is divided by the lift of the events in it, the level is forecast, and the lift of
the events ahead is put back. A lift is the ratio of a location's demand on days in one phase of an event (its
quarters, or the days after) to what is usual on that weekday in the weeks around; an event's own lift is mixed with
that of all events of its kind, the more so the fewer times it came, and believed by two thirds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.panel import Panel

__all__ = ["calm", "event_lift"]

_SHORTEST = 3  # [days] a day or two hardly move a level, and differ more from each other than from usual (M5)
_PHASES = 4  # quarters of an event: festivals build up to their last days
_SHORTEST_PHASED = 8  # [days] shorter events have one phase
_AFTER_DAYS = 7  # [days] demand that was pulled forward is missing afterwards
_STATE_SHARE = 0.15  # kinds on for more of the time than this are states: they have no usual days to be set beside
_AROUND_WEEKS = 6  # [weeks] before and after a day that say what is usual
_PRIOR_UNITS = 300.0  # [units] of usual demand at which a lift is believed by half
_KIND_TIMES = 1 / 3  # [times] weight of the events of its kind against those that bear an event's own name
_BELIEF = 2 / 3  # exponent of a lift: the next festival is never quite the last one (demo windows before 2026)
_SEASON_DAYS = 180  # [days] days of an event within such a stretch are one occurrence
_LOWEST, _HIGHEST = 0.25, 6.0  # [ratio]

_State = tuple[str, str, int]  # kind, name, phase; phase -1 stands for the days after


def event_lift(panel: Panel, events: pl.DataFrame, *, horizon: int) -> NDArray[np.float32]:
    """Return (n, n_periods + horizon) demand over what is usual; 1 where nothing is on, and for weekly periods.

    Args:
        panel: history; nothing after it is read.
        events: name, starts_date, ends_date, kind, region, ip; those of one IP alone are left out.
        horizon: periods to forecast.
    """
    width = panel.n_periods + horizon
    out = np.ones((panel.n_series, width), dtype=np.float32)
    if panel.period_days > 1 or not events.height or not panel.n_series:
        return out
    regions = panel.keys["region"] if "region" in panel.keys.columns else pl.repeat("*", panel.n_series, eager=True)
    places = panel.keys.select("location_id").with_columns(region=regions.fill_null("*"))
    for (location, region), rows in places.with_row_index("at").group_by("location_id", "region", maintain_order=True):
        mine = events.filter((pl.col("ip") == "*") & pl.col("region").is_in(["*", str(region), str(location)]))
        states = _states(mine, panel, width)
        if states:
            at = rows["at"].to_numpy()
            out[at] = _lifts(panel.demand[at], states, width)[None, :]
    return out


def calm(panel: Panel, events: pl.DataFrame) -> Panel:
    """Return the panel with demand as it would have been without what events did to whole locations."""
    return replace(panel, demand=panel.demand / event_lift(panel, events, horizon=0))


def _states(events: pl.DataFrame, panel: Panel, width: int) -> dict[int, _State]:
    """Return the state of each column on which an event is on or just over; of several the most seldom kind's."""
    days = events.with_columns(
        pl.col("kind").fill_null("event"), first=(pl.col("starts_date") - panel.start).dt.total_days(),
        last=(pl.col("ends_date") - panel.start).dt.total_days(),
    )  # fmt: skip
    days = days.filter(
        (pl.col("last") + _AFTER_DAYS >= 0)
        & (pl.col("first") < width)
        & (pl.col("last") - pl.col("first") + 1 >= _SHORTEST)
    )
    common = days.group_by("kind").agg(n=(pl.col("last") - pl.col("first") + 1).sum())
    seldom = common.filter(pl.col("n") <= _STATE_SHARE * width).sort(["n", "kind"], descending=[True, False])
    out: dict[int, _State] = {}
    for after in (True, False):  # an event that is on counts before one that is over, the most seldom kind last
        for kind in seldom["kind"].to_list():
            mine = days.filter(pl.col("kind") == kind).sort("first", "name")
            for name, first, last in mine.select("name", "first", "last").iter_rows():
                columns = range(last + 1, last + 1 + _AFTER_DAYS) if after else range(first, last + 1)
                if after and last - first + 1 < _SHORTEST_PHASED:
                    continue
                for column in columns:
                    if 0 <= column < width:
                        out[column] = (kind, name, -1 if after else _phase(column - first, last - first + 1))
    return out


def _phase(day: int, length: int) -> int:
    """Return the quarter of the event that a day lies in; 0 for short events."""
    return day * _PHASES // length if length >= _SHORTEST_PHASED else 0


def _lifts(demand: NDArray[np.float32], states: dict[int, _State], width: int) -> NDArray[np.float32]:
    """Return (width,) lifts from the (n, t) demand of a location."""
    sums: dict[_State, NDArray[np.float64]] = {}
    times: dict[_State, set[int]] = {}
    first, plain = (~np.isnan(demand)).argmax(axis=1), np.ones(demand.shape[1], dtype=np.bool_)
    plain[[column for column in states if column < demand.shape[1]]] = False
    for column, (kind, name, phase) in states.items():
        found = _came_and_usual(demand, first, plain, column) if column < demand.shape[1] else None
        if found is None:
            continue
        for key in ((kind, name, phase), (kind, "", phase)):
            sums[key] = sums.get(key, np.zeros(2)) + found
        times.setdefault((kind, name, phase), set()).add(column // _SEASON_DAYS)
    out = np.ones(width, dtype=np.float32)
    for column, state in states.items():
        pooled, own = _ratio(sums.get((state[0], "", state[2]))), _ratio(sums.get(state))
        seen = len(times.get(state, ()))
        trust = seen / (seen + _KIND_TIMES)
        out[column] = np.clip(trust * own + (1 - trust) * pooled, _LOWEST, _HIGHEST) ** _BELIEF
    return out


def _ratio(sums: NDArray[np.float64] | None) -> float:
    return 1.0 if sums is None else float((sums[0] + _PRIOR_UNITS) / (sums[1] + _PRIOR_UNITS))


def _came_and_usual(
    demand: NDArray[np.float32], first: NDArray[np.int64], plain: NDArray[np.bool_], column: int
) -> NDArray[np.float64] | None:
    """Return demand of a day, and the mean of its weekday on days without events in the weeks around; None unknown.

    Of the items on sale all that time: launches would be taken for the event's doing.
    """
    reach = 7 * _AROUND_WEEKS
    around = np.arange(column % 7, demand.shape[1], 7)
    near = around[(np.abs(around - column) <= reach) & plain[around]]
    low, high = max(column - reach, 0), min(column + reach, demand.shape[1] - 1)
    steady = (first <= low) & ~np.isnan(demand[:, high])
    if not len(near) or not steady.any():
        return None
    came = np.nansum(demand[steady, column], dtype=np.float64)
    usual = np.nansum(demand[np.ix_(steady, near)], dtype=np.float64) / len(near)
    return np.array([came, usual])
