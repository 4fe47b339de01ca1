"""Signals as a cube: day x metric x element and region, as each figure became known.

A figure enters on the day whose close it was first known at, so that what stands in the cube up to a day is what a run
for that day could see. A source that repeats itself, falls silent or sends zeros only is missing, not low.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trends.config import TrendConfig

__all__ = [
    "ALL_REGIONS",
    "AVERAGED_METRICS",
    "Cube",
    "Floats32",
    "Revisions",
    "cleaned",
    "signal_cube",
    "without_late",
]

Floats32 = NDArray[np.float32]

ALL_REGIONS = "*"
_SERIES = ["element_type", "element", "region"]
AVERAGED_METRICS = ("resale_price", "dwell_seconds")  # means of prices and times; everything else is a count


@dataclass(frozen=True)
class Revisions:
    """Corrections in the order they became known: ``at`` the day known, ``day`` the day corrected, ``delta``.

    Days are rows of the cube, ``metric`` and ``series`` its other axes; all arrays have the same length.
    """

    at: NDArray[np.int64]
    day: NDArray[np.int64]
    metric: NDArray[np.int64]
    series: NDArray[np.int64]
    delta: Floats32

    @staticmethod
    def none() -> Revisions:
        """Return no corrections."""
        empty = np.zeros(0, dtype=np.int64)
        return Revisions(empty, empty, empty, empty, empty.astype(np.float32))

    @property
    def size(self) -> int:
        """Number of corrections."""
        return len(self.at)

    def on(self, at: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats32] | None:
        """Return day, metric, series and change of what became known on ``at``; None where nothing did."""
        first, last = np.searchsorted(self.at, (at, at + 1))
        if first == last:
            return None
        part = slice(int(first), int(last))
        return self.day[part], self.metric[part], self.series[part], self.delta[part]


@dataclass(frozen=True)
class Cube:
    """``values`` has shape (n_days, n_metrics, n_series), NaN where nothing is known.

    ``series``: ``element_type``, ``element``, ``region``; ``metrics``: ``source``, ``metric``; day i is the day
    number ``first_day + i``.
    """

    values: Floats32
    series: pl.DataFrame
    metrics: pl.DataFrame
    first_day: int
    revisions: Revisions = field(default_factory=Revisions.none)

    @property
    def n_days(self) -> int:
        """Days in the cube."""
        return int(self.values.shape[0])


def without_late(signals: pl.DataFrame, *, config: TrendConfig) -> pl.DataFrame:
    """Return the signals known within ``late_days`` of their day: what past runs could have used."""
    return signals.filter(pl.col("known") - pl.col("day") <= config.late_days)


def signal_cube(
    signals: pl.DataFrame, changes: pl.DataFrame | None = None, *, last_day: int, config: TrendConfig
) -> Cube:
    """Return the cube of signals up to ``last_day``, each figure on the day it became known.

    A figure that came very late (a history filled in afterwards) stands on its own day instead: it says nothing of
    the day it was sent. Several figures of a series that became known on one day are averaged.

    Args:
        signals: as :func:`trends.vintages.signal_history` gives them.
        changes: later corrections, as it gives them; none if left out.
        last_day: day number of the run date.
        config: what is late.
    """
    seen = signals.filter(pl.col("known") <= last_day)
    late = pl.col("known") - pl.col("day") > config.late_days
    placed = seen.with_columns(at=pl.when(late).then("day").otherwise("known"))
    series = placed.select(_SERIES).unique().sort(_SERIES)
    metrics = placed.select("source", "metric").unique().sort("source", "metric")
    first_day = int(placed["at"].min()) if placed.height else last_day  # type: ignore[arg-type]
    shape = (last_day - first_day + 1, metrics.height, series.height)
    coded = placed.join(series.with_row_index("s"), on=_SERIES, how="left", maintain_order="left").join(
        metrics.with_row_index("m"), on=["source", "metric"], how="left", maintain_order="left"
    )
    at = (coded["at"].to_numpy() - first_day).astype(np.int64)
    flat = (at * shape[1] + coded["m"].to_numpy()) * shape[2] + coded["s"].to_numpy()
    cube = Cube(_means(flat, coded["value"].to_numpy(), shape), series, metrics, first_day)
    if changes is None or changes.is_empty():
        return cube
    share = coded.select(*_SERIES, "source", "metric", "day", "at", "s", "m").with_columns(
        share=1.0 / pl.len().over("at", "s", "m")
    )
    return replace(cube, revisions=_revisions(changes, share, first_day=first_day, last_day=last_day))


def _revisions(changes: pl.DataFrame, share: pl.DataFrame, *, first_day: int, last_day: int) -> Revisions:
    """Return the corrections in the order they became known; a cell that averages several figures moves by a share."""
    found = (
        changes.filter(pl.col("known") <= last_day)
        .join(share, on=[*_SERIES, "source", "metric", "day"], how="inner")
        .sort("known", "s", "m", "at", "day")
    )
    return Revisions(
        at=(found["known"].to_numpy() - first_day).astype(np.int64),
        day=(found["at"].to_numpy() - first_day).astype(np.int64),
        metric=found["m"].to_numpy().astype(np.int64),
        series=found["s"].to_numpy().astype(np.int64),
        delta=(found["change"] * found["share"]).to_numpy().astype(np.float32),
    )


def _means(flat: NDArray[np.int64], values: NDArray[np.float64], shape: tuple[int, int, int]) -> Floats32:
    cube = np.full(shape[0] * shape[1] * shape[2], np.nan, dtype=np.float32)
    order = np.argsort(flat, kind="stable")
    flat, values = flat[order], values[order]
    if not len(flat):
        return cube.reshape(shape)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(flat) != 0]))
    counts = np.diff(np.concatenate([starts, [len(flat)]]))
    cube[flat[starts]] = np.add.reduceat(values, starts) / counts
    return cube.reshape(shape)


def cleaned(cube: Cube, *, config: TrendConfig) -> tuple[Cube, pl.DataFrame]:
    """Return the cube without figures that cannot be trusted, and what was taken out.

    A metric whose figures all repeat the day before for ``repeat_days`` days is stale from then on; one that is zero
    for every element on a day, where it was not the week before, failed. Both look back only.

    Returns:
        The cube, and ``source``, ``metric``, ``day`` (day number), ``fault`` (stale, all_zero) of each day taken out.
    """
    values = cube.values.copy()
    rows: list[tuple[str, str, int, str]] = []
    for m, (source, metric) in enumerate(cube.metrics.iter_rows()):
        layer = cube.values[:, m, :]
        zero = _all_zero_days(layer)
        stale = _stale_days(layer, config=config) & ~zero
        values[zero | stale, m, :] = np.nan
        for fault, days in (("all_zero", zero), ("stale", stale)):
            rows.extend((source, metric, cube.first_day + int(d), fault) for d in np.flatnonzero(days))
    faults = pl.DataFrame(
        rows, schema={"source": pl.String, "metric": pl.String, "day": pl.Int64, "fault": pl.String}, orient="row"
    )
    return replace(cube, values=values), faults


_MIN_SERIES = 5  # a source with fewer elements may well repeat itself by chance
_WEEK = 7


def _all_zero_days(layer: Floats32) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.asarray(np.isfinite(layer).any(axis=1))
    something: NDArray[np.bool_] = np.asarray(np.nan_to_num(layer).any(axis=1))
    out = np.zeros(len(layer), dtype=np.bool_)
    for day in np.flatnonzero(known & ~something):
        # a failure may last: once it began, it goes on until a figure is not zero
        out[day] = something[max(0, day - _WEEK) : day].any() or (day > 0 and out[day - 1])
    return out


def _stale_days(layer: Floats32, *, config: TrendConfig) -> NDArray[np.bool_]:
    both = np.isfinite(layer[1:]) & np.isfinite(layer[:-1])
    same = both & (layer[1:] == layer[:-1]) & (layer[1:] != 0)
    moving = both & ((layer[1:] != 0) | (layer[:-1] != 0))
    n = moving.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        repeats = np.where(n >= _MIN_SERIES, same.sum(axis=1) / n, 0.0) >= config.repeat_share
    run = 0
    out = np.zeros(layer.shape[0], dtype=np.bool_)
    for day, repeated in enumerate(repeats, start=1):
        run = run + 1 if repeated else 0
        out[day] = run >= config.repeat_days - 1
    return out
