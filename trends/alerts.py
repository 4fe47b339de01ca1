"""Alerts: elements that rise or run hot, with the figures that say so and the SKUs that carry them."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trends.bursts import State
from trends.config import TrendConfig
from trends.heat import Heat
from trends.signals import ALL_REGIONS, Cube
from trends.traffic import TRAFFIC_SOURCE

__all__ = ["AlertReason", "affected_skus", "feature_frame", "score_frame", "trend_alerts"]

_INTERVAL_90 = 1.6448536269514722  # standard normal quantile of 0.95
_NAMES = {State.QUIET: "quiet", State.RISING: "rising", State.HOT: "hot", State.COOLING: "cooling"}
_UNKNOWN = "unknown_element"
_KEYS = ["element_type", "element", "region"]


class AlertReason(StrEnum):
    """Why an alert is raised."""

    RISING_SIGNALS = "rising_signals"
    HOT_SIGNALS = "hot_signals"
    UNKNOWN_ELEMENT_RISES = "unknown_element_rises"
    COOLING_SIGNALS = "cooling_signals"
    BURST_OVER = "burst_over"


_OVER = "over"
_SHOWN_DAYS = 28  # of the series that an alert shows [days]
_REASONS = {
    "rising": AlertReason.RISING_SIGNALS.value,
    "hot": AlertReason.HOT_SIGNALS.value,
    _UNKNOWN: AlertReason.UNKNOWN_ELEMENT_RISES.value,
    "cooling": AlertReason.COOLING_SIGNALS.value,
    _OVER: AlertReason.BURST_OVER.value,
}
_ALERT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(_KEYS, pl.String),
    "heat": pl.Float64,
    "started_date": pl.Date,
    "noticed_date": pl.Date,
    "noticed": pl.Int64,
    "streak_days": pl.Int64,
    "evidence": pl.String,
    "series": pl.String,
    "affected_skus": pl.List(pl.String),
    "is_traffic_only": pl.Boolean,
    "reason": pl.String,
}


def score_frame(cube: Cube, heat: Heat, carried: pl.DataFrame) -> pl.DataFrame:
    """Return ``trend_scores`` at the close of the last day, with ``started`` (day number or null) and ``is_stale``.

    Args:
        cube: the cleaned cube.
        heat: its scores.
        carried: ``element_type``, ``element`` that some product carries; an active one that none does is unknown.
    """
    if not cube.n_days or not cube.series.height:
        return _empty_scores()
    state, started = heat.state[-1], heat.started[-1].astype(np.int64)
    active = (state == State.RISING) | (state == State.HOT)
    known = cube.series.select("element_type", "element").join(
        carried.select("element_type", "element", known=True).unique(),
        on=["element_type", "element"],
        how="left",
        maintain_order="left",
    )["known"]
    unknown = active & known.is_null().to_numpy() & (carried.height > 0)
    names = np.where(unknown, _UNKNOWN, np.array([_NAMES[State(i)] for i in range(len(_NAMES))])[state])
    score = heat.score[-1].astype(float)
    half = _INTERVAL_90 * heat.spread.astype(float)
    return cube.series.with_columns(
        heat=heat.heat[-1].astype(float),
        growth=heat.growth[-1].astype(float),
        breadth=np.where(heat.is_stale[-1], 0.0, heat.breadth.astype(float)),
        score=score,
        score_lo=np.where(heat.is_stale[-1], 0.0, score - half),
        score_hi=np.where(heat.is_stale[-1], 0.0, score + half),
        streak_days=heat.streak[-1].astype(np.int64),
        state=pl.Series(names.astype(str)),
        started=pl.Series(np.where(active & (started >= 0), started + cube.first_day, -1)),
        is_stale=heat.is_stale[-1],
    ).with_columns(started=pl.when(pl.col("started") >= 0).then("started"))


def _empty_scores() -> pl.DataFrame:
    floats = dict.fromkeys(("heat", "growth", "breadth", "score", "score_lo", "score_hi"), pl.Float64)
    return pl.DataFrame(
        schema={
            **dict.fromkeys(_KEYS, pl.String),
            **floats,
            "streak_days": pl.Int64,
            "state": pl.String,
            "started": pl.Int64,
            "is_stale": pl.Boolean,
        }
    )


def feature_frame(cube: Cube, heat: Heat, *, config: TrendConfig) -> pl.DataFrame:
    """Return ``trend_features``: what was known of each series at the close of each of the last ``feature_days`` days.

    A series has rows from the first day on which it was known.
    """
    first = max(0, cube.n_days - config.feature_days)
    seen = np.isfinite(cube.values).any(axis=1)
    begun = np.maximum.accumulate(seen, axis=0)[first:]
    # series after series, day after day: the order of the key
    series, day = np.nonzero(begun.T)
    columns = {
        name: getattr(heat, name)[first:][day, series] for name in ("heat", "attention", "growth", "score", "is_stale")
    }
    words = [cube.series[k].cast(pl.Enum(cube.series[k].unique().sort())).gather(series) for k in _KEYS]
    ds = pl.Series("ds", (day + first + cube.first_day).astype(np.int32)).cast(pl.Date)
    return pl.DataFrame([*words, ds, *(pl.Series(k, v) for k, v in columns.items())]).with_columns(
        pl.col("heat", "attention", "growth", "score").cast(pl.Float64)
    )


def trend_alerts(
    scores: pl.DataFrame, cube: Cube, heat: Heat, affected: pl.DataFrame, *, config: TrendConfig
) -> pl.DataFrame:
    """Return the alerts of the night: one row a burst that is on or just over.

    Evidence reads ``metric +80% (source)``: the 7-day level against its own baseline, the day's common move taken out.
    ``series`` is the ratio to the baseline on each of the last 28 days.

    Args:
        scores: as :func:`score_frame` gives it, in the order of ``cube.series``.
        cube: the cleaned cube.
        heat: its scores.
        affected: ``element_type``, ``element``, ``region``, ``skus`` (list): active SKUs that carry the element there.
        config: the shortest streak, days a burst that is over is still shown.
    """
    if scores.is_empty():
        return pl.DataFrame(schema=_ALERT_SCHEMA)
    over = _just_over(heat, config)
    state = pl.when(pl.Series(over)).then(pl.lit(_OVER)).otherwise("state")
    rows = (
        scores.with_row_index("row")
        .with_columns(state=state)
        .filter(
            ((pl.col("streak_days") >= config.alert_streak_days) & pl.col("state").is_in(list(_REASONS)))
            | pl.col("state").is_in(["cooling", _OVER])
        )
    )
    rows = rows[_no_copies(cube, rows["row"].to_list())]
    index = rows["row"].to_list()
    noticed = _noticed(heat, index)
    return (
        rows.with_columns(
            evidence=pl.Series([_evidence(cube, heat, row) for row in index], dtype=pl.String),
            series=pl.Series([_series(heat, row) for row in index], dtype=pl.String),
            noticed=pl.Series(noticed, dtype=pl.Int64) + cube.first_day,
            is_traffic_only=pl.Series([_only_traffic(cube, row) for row in index], dtype=pl.Boolean),
            started=pl.coalesce("started", pl.Series(noticed, dtype=pl.Int64) + cube.first_day),
        )
        .join(affected, on=_KEYS, how="left", maintain_order="left")
        .with_columns(
            started_date=pl.col("started").cast(pl.Int32).cast(pl.Date),
            noticed_date=pl.col("noticed").cast(pl.Int32).cast(pl.Date),
            affected_skus=pl.col("skus").fill_null(pl.lit([], dtype=pl.List(pl.String))),
            reason=pl.col("state").replace_strict(_REASONS, return_dtype=pl.String),
        )
        .select(_ALERT_SCHEMA.keys())
    )


def _no_copies(cube: Cube, index: list[int]) -> list[int]:
    """Return the places of series that say something of their own: a fabric that is a material too says it once."""
    seen: set[tuple[str, str, bytes]] = set()
    kept = []
    for place, row in enumerate(index):
        _, element, region = cube.series.row(row)
        told = (element, region, cube.values[-_SHOWN_DAYS:, :, row].tobytes())
        if told not in seen:
            seen.add(told)
            kept.append(place)
    return kept


def _just_over(heat: Heat, config: TrendConfig) -> NDArray[np.bool_]:
    """Return which series are quiet and had a burst within the last days."""
    recent = heat.state[-config.withdrawn_days - 1 :] != State.QUIET
    return np.asarray(recent.any(axis=0) & ~recent[-1] & ~heat.is_stale[-1])


def _noticed(heat: Heat, index: list[int]) -> list[int]:
    """Return the day on which the last burst of each series was called."""
    active = heat.state[:, index] != State.QUIET
    begins = active & ~np.vstack([np.zeros((1, active.shape[1]), np.bool_), active[:-1]])
    last = len(begins) - 1 - np.argmax(begins[::-1], axis=0)
    return [int(day) for day in last]


def _series(heat: Heat, row: int) -> str:
    return ",".join(f"{ratio:.2f}" for ratio in np.exp(heat.heat[-_SHOWN_DAYS:, row].astype(float)))


def _only_traffic(cube: Cube, row: int) -> bool:
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(cube.values[-_SHOWN_DAYS:, :, row]).any(axis=0))
    sources = {s for s, known in zip(cube.metrics["source"], seen, strict=True) if known}
    return sources == {TRAFFIC_SOURCE}


def _evidence(cube: Cube, heat: Heat, row: int) -> str:
    parts = []
    for m, (source, metric) in enumerate(cube.metrics.iter_rows()):
        ratio = float(heat.metric_heat[m, row])
        if np.isfinite(ratio):
            parts.append(f"{metric} {100 * (np.exp(ratio) - 1):+.0f}% ({source})")
    return "; ".join(parts)


def affected_skus(elements: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Return ``element_type``, ``element``, ``region``, ``skus``: the active SKUs that carry each element, by region.

    Args:
        elements: as :func:`trends.elements.product_elements` gives them.
        places: ``sku``, ``region`` of every active SKU and location; the region of all regions is added.
    """
    everywhere = places.select("sku", region=pl.lit(ALL_REGIONS))
    where = pl.concat([places.select("sku", "region"), everywhere]).unique()
    return (
        elements.join(where, on="sku").sort(*_KEYS, "sku").group_by(_KEYS, maintain_order=True).agg(skus=pl.col("sku"))
    )
