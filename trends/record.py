"""The record: past alarms, replayed from the signals as they were known, and how they turned out.

A burst whose carriers then sold at least ``HIT_LIFT`` times as much as before, what the rest of the region did taken
out, is a hit; one whose carriers did not is a miss. Precision is shrunk towards one half, so that two lucky alarms
prove little; the shrunk share is the chance that the next alarm of the kind is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trends.bursts import State
from trends.heat import Heat
from trends.sales import SalesPanel
from trends.signals import ALL_REGIONS, Cube

__all__ = [
    "HIT_LIFT",
    "Outcome",
    "alarms_of",
    "carriers",
    "history_frame",
    "judged_alarms",
    "kinds_of_bursts",
    "scorecard",
]

HIT_LIFT = 1.15  # [ratio] less than this is within what sales do anyway
_BEFORE_DAYS = 28
_AFTER_DAYS = 14  # days after the lead over which sales are judged
_MIN_UNITS = 10.0  # units before the alarm; with fewer nothing can be judged
_PRIOR = 2.0  # hits and misses each that the shrinkage starts from
_DEFAULT_LEAD, _DEFAULT_LENGTH, _DEFAULT_HEAT = 14, 28, 0.5  # where no past burst tells [days], [days], [log ratio]
_Z90 = 1.6448536269514722


class Outcome(StrEnum):
    """How an alarm turned out."""

    HIT = "hit"
    MISS = "miss"
    PENDING = "pending"
    UNJUDGED = "unjudged"


@dataclass(frozen=True)
class _Sold:
    """What the carriers sold around an alarm."""

    lift: float
    before: float  # [units/day]
    after: float  # [units/day]
    rose_after: float  # days from the alarm to the rise, NaN never


def alarms_of(cube: Cube, heat: Heat) -> pl.DataFrame:
    """Return every alarm: names, ``series``, ``started``, ``noticed``, ``ended`` (day numbers), ``peak_heat``."""
    active = heat.state != State.QUIET
    step = np.diff(active.astype(np.int8), axis=0, prepend=np.int8(0))
    days, series = np.nonzero(step.T)[::-1]
    rows = []
    open_since: dict[int, int] = {}
    for day, s in zip(days.tolist(), series.tolist(), strict=True):  # series after series, in order of days
        if step[day, s] == 1:
            open_since[s] = day
            continue
        rows.append((s, open_since.pop(s), day))
    rows.extend((s, day, -1) for s, day in open_since.items())
    frame = []
    for s, first, last in sorted(rows):
        peak = float(heat.heat[first : last if last >= 0 else None, s].mean())
        began = int(heat.started[first, s])
        frame.append(
            (s, cube.first_day + (began if began >= 0 else first), cube.first_day + first,
             cube.first_day + last if last >= 0 else None, peak)
        )  # fmt: skip
    schema = {"series": pl.Int64, "started": pl.Int64, "noticed": pl.Int64, "ended": pl.Int64, "peak_heat": pl.Float64}
    found = pl.DataFrame(frame, schema=schema, orient="row")
    return pl.concat([cube.series[found["series"].to_list()], found], how="horizontal")


def kinds_of_bursts(alarms: pl.DataFrame, types: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return by element type how long past bursts lasted [days] and how hot they were [log ratio], by median."""
    done = alarms.filter(pl.col("ended").is_not_null())
    found = {}
    for kind in types:
        mine = done.filter(pl.col("element_type") == kind)
        if mine.height < 3:
            found[kind] = (float(_DEFAULT_LENGTH), _DEFAULT_HEAT)
            continue
        length, hot = (mine["ended"] - mine["noticed"]).median(), mine["peak_heat"].median()
        found[kind] = (float(length), max(float(hot), 0.0))  # type: ignore[arg-type]
    return found


def carriers(panel: SalesPanel, elements: pl.DataFrame) -> dict[tuple[str, str, str], NDArray[np.int64]]:
    """Return the rows of the sales panel that carry each element in each region, and in all."""
    carried = panel.keys.with_row_index("row").join(elements, on="sku")
    both = pl.concat(
        [carried, carried.filter(pl.col("region") != ALL_REGIONS).with_columns(region=pl.lit(ALL_REGIONS))]
    )
    grouped = both.sort("row").group_by("element_type", "element", "region", maintain_order=True).agg("row")
    return {(k, e, r): np.array(rows, dtype=np.int64) for k, e, r, rows in grouped.iter_rows()}


def judged_alarms(
    alarms: pl.DataFrame,
    panel: SalesPanel,
    carried: dict[tuple[str, str, str], NDArray[np.int64]],
    leads: dict[str, int],
    money: dict[str, tuple[float, float]],
    *,
    sizes: dict[str, tuple[float, float]],
    strengths: dict[str, float],
) -> pl.DataFrame:
    """Return ``trend_alert_history`` with ``rose_after``: the alarms that sales of the panel can judge.

    Args:
        alarms: as :func:`alarms_of` gives them.
        panel: sales.
        carried: as :func:`carriers` gives them.
        leads: days by which signals lead, by element type.
        money: margin and cost of a unit that comes too much [currency/unit], by SKU.
        sizes: as :func:`kinds_of_bursts` gives them.
        strengths: log change of demand per unit of heat, by element type.
    """
    rows = []
    skus = panel.keys["sku"].to_list()
    regions = panel.keys["region"].to_numpy()
    per_unit = np.array([money.get(sku, (0.0, 0.0)) for sku in skus], dtype=np.float64).reshape(len(skus), 2)
    for alarm in alarms.filter(pl.col("noticed") - _BEFORE_DAYS >= panel.first_day).iter_rows(named=True):
        kind = str(alarm["element_type"])
        lead = leads.get(kind, _DEFAULT_LEAD)
        members = carried.get((kind, alarm["element"], alarm["region"]), np.zeros(0, np.int64))
        here = regions == alarm["region"] if alarm["region"] != ALL_REGIONS else np.ones(len(regions), np.bool_)
        judged_on = int(alarm["noticed"]) + lead + _AFTER_DAYS
        length, hot = sizes.get(kind, (_DEFAULT_LENGTH, _DEFAULT_HEAT))
        row = {k: alarm[k] for k in ("element_type", "element", "region", "noticed", "started", "ended")}
        row |= {"judged": judged_on, "lift": None, "proposed": None, "money": None, "rose_after": None}
        if judged_on > panel.first_day + panel.n_days - 1:
            rows.append(row | {"outcome": Outcome.PENDING.value})
            continue
        sold = _sold(panel, members, here, started=alarm["started"], noticed=alarm["noticed"], lead=lead)
        if sold is None:
            rows.append(row | {"outcome": Outcome.UNJUDGED.value})
            continue
        hit = sold.lift >= HIT_LIFT
        proposed = sold.before * (np.exp(strengths.get(kind, 0.0) * hot) - 1) * length
        margin, cost = per_unit[members].mean(axis=0)
        came = min(proposed, max(sold.lift - 1, 0.0) * sold.before * length)
        row |= {
            "lift": sold.lift,
            "proposed": proposed,
            "rose_after": None if np.isnan(sold.rose_after) else sold.rose_after,
        }
        rows.append(row | {
            "outcome": (Outcome.HIT if hit else Outcome.MISS).value,
            "money": came * margin if hit else -proposed * cost,
        })  # fmt: skip
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


_SCHEMA = {
    **dict.fromkeys(("element_type", "element", "region"), pl.String),
    **dict.fromkeys(("noticed", "started", "ended", "judged"), pl.Int64),
    **dict.fromkeys(("lift", "proposed", "money", "rose_after"), pl.Float64),
    "outcome": pl.String,
}


def _sold(
    panel: SalesPanel, members: NDArray[np.int64], here: NDArray[np.bool_], *, started: int, noticed: int, lead: int
) -> _Sold | None:
    """Return what carriers sold before and after, against the rest of the region; None with too little to say."""
    begin, at = started - panel.first_day, noticed - panel.first_day
    before = panel.rate(begin - _BEFORE_DAYS, begin)
    after = panel.rate(at + max(lead - 7, 0), at + lead + _AFTER_DAYS)
    both = np.isfinite(before) & np.isfinite(after)
    mine = np.zeros(len(both), np.bool_)
    mine[members] = True
    own, rest = both & mine, both & ~mine & here
    sold, later = float(before[own].sum()), float(after[own].sum())
    if sold * _BEFORE_DAYS < _MIN_UNITS:
        return None
    others = float(before[rest].sum())
    common = float(after[rest].sum()) / others if others * _BEFORE_DAYS >= _MIN_UNITS else 1.0
    usual = sold * max(common, 0.05)
    return _Sold(later / usual, sold, later, _rise_day(panel, np.flatnonzero(own), at, sold, last=lead + _AFTER_DAYS))


def _rise_day(panel: SalesPanel, rows: NDArray[np.int64], at: int, before: float, *, last: int) -> float:
    """Return the days from the alarm until a week of the carriers' sales stood above a hit's level; NaN never."""
    first = max(at - 6, 0)
    part = panel.units[rows, first : at + last].astype(np.float64)
    known = np.isfinite(part)
    total = np.cumsum(np.pad(np.where(known, part, 0.0), ((0, 0), (1, 0))), axis=1)
    count = np.cumsum(np.pad(known, ((0, 0), (1, 0))), axis=1)
    ends = np.arange(at - first + 1, part.shape[1] + 1)
    begins = np.maximum(ends - 7, 0)
    n = count[:, ends] - count[:, begins]
    weekly = ((total[:, ends] - total[:, begins]) / np.maximum(n, 1)).sum(axis=0)
    rose = np.flatnonzero(weekly >= HIT_LIFT * before)
    return float(rose[0]) if len(rose) else float("nan")


def scorecard(judged: pl.DataFrame) -> pl.DataFrame:
    """Return ``trend_scorecard`` with ``p_right``: by element type and over all (``*``)."""
    parts = [(kind, judged.filter(pl.col("element_type") == kind)) for kind in sorted(judged["element_type"].unique())]
    rows = []
    for kind, part in [("*", judged), *parts]:
        outcome = part["outcome"]
        hits, misses = int((outcome == Outcome.HIT).sum()), int((outcome == Outcome.MISS).sum())
        n = hits + misses
        right = (hits + _PRIOR) / (n + 2 * _PRIOR)
        half = _Z90 * float(np.sqrt(right * (1 - right) / (n + 2 * _PRIOR)))
        rows.append(
            {
                "element_type": kind,
                "alerts": part.height,
                "hits": hits,
                "misses": misses,
                "pending": part.height - n,
                "precision": hits / n if n else None,
                "precision_lo": max(right - half, 0.0) if n else None,
                "precision_hi": min(right + half, 1.0) if n else None,
                "median_lead_days": part.filter(pl.col("outcome") == Outcome.HIT)["rose_after"].median(),
                "gain": float(part.filter(pl.col("money") > 0)["money"].sum()),
                "cost": float(-part.filter(pl.col("money") < 0)["money"].sum()),
                "p_right": right,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def history_frame(judged: pl.DataFrame) -> pl.DataFrame:
    """Return ``trend_alert_history``: judged alarms with dates in place of day numbers."""
    days = {
        f"{name}_date": pl.col(name).cast(pl.Int32).cast(pl.Date) for name in ("noticed", "started", "ended", "judged")
    }
    return judged.with_columns(**days, sales_lift="lift", proposed_qty="proposed")
