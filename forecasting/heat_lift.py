"""What talk about an item's elements does to its demand, ahead of the sales themselves.

Signals lead sales: the attention that an IP, a character or a colour has today moves the sales of its products some
days from now. What level models see is divided by what attention had done to it by then, the level is forecast, and
what attention will do is put back: by type as many days later, and to the power, that the trends step learnt
(``signal_leads``). The learner, whose recent means contain what came already, is lifted by what is still to come.
Beyond the lead nothing is known yet; there attention goes back to its usual level as fast as earlier bursts did. Only
types whose signals earned their place enter; where there are none every lift is exactly 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.panel import Panel

__all__ = ["Signals", "beyond_level", "heat_lift"]

_LEVEL_DAYS = 28  # [days] before the origin, on which lifts are 1 on average
_RECENT_WEEKS = 2  # [weeks] whose demand a learner that follows the level goes by
_USUAL_DAYS = 182  # [days] whose mean attention an element goes back to
_STEP_DAYS = 14  # [days] over which the way back is learnt
_BURST = 0.3  # [log ratio] attention beyond its usual that the way back is learnt from
_SLOWEST, _FASTEST = 0.98, 0.4  # kept of a burst after such a step
_FEWEST_BURSTS = 10
_LARGEST = 2.0  # [log ratio]


@dataclass(frozen=True)
class Signals:
    """Attention of the elements whose signals help.

    Attributes:
        attention: element_type, element, region, ds, attention, lead_days, strength.
        carried: sku, element_type, element.
    """

    attention: pl.DataFrame
    carried: pl.DataFrame

    @staticmethod
    def none() -> Signals:
        """Return no signals."""
        return Signals(pl.DataFrame(), pl.DataFrame())


def heat_lift(panel: Panel, signals: Signals, *, horizon: int) -> NDArray[np.float32]:
    """Return (n, n_periods + horizon) demand over that of the last four weeks by what signals do; 1 without any.

    Args:
        panel: history; nothing after it is read.
        signals: of the types that help.
        horizon: periods to forecast.
    """
    width = panel.n_periods + horizon
    if signals.attention.is_empty() or not panel.n_series or not panel.n_periods:
        return np.broadcast_to(np.float32(1), (panel.n_series, width))
    days = panel.n_periods * panel.period_days
    log = np.zeros((panel.n_series, width * panel.period_days), dtype=np.float32)
    for (kind,), rows in signals.attention.group_by("element_type", maintain_order=True):
        told, place = _matrix(rows, panel, days)
        ahead = _extended(told, log.shape[1])
        lead, strength = int(rows["lead_days"][0]), float(rows["strength"][0])
        moved = strength * ahead[:, np.maximum(np.arange(log.shape[1]) - lead, 0)]
        for index, row in _carriers(str(kind), panel, signals.carried, place):
            log[index] += moved[row]
    log -= log[:, max(days - _LEVEL_DAYS, 0) : days].mean(axis=1, keepdims=True)
    lift = np.exp(np.clip(log, -_LARGEST, _LARGEST))
    return np.asarray(lift.reshape(panel.n_series, width, -1).mean(axis=2), dtype=np.float32)


def beyond_level(lift: NDArray[np.float32], panel: Panel) -> NDArray[np.float32]:
    """Return (n, horizon) lifts of the periods ahead beyond those of the last fortnight, which sales contain already.

    For a forecast from demand as it was, not from demand without what signals did to it.
    """
    recent = lift[:, max(panel.n_periods - _RECENT_WEEKS * panel.season, 0) : panel.n_periods]
    return np.asarray(lift[:, panel.n_periods :] / recent.mean(axis=1, keepdims=True), dtype=np.float32)


def _matrix(rows: pl.DataFrame, panel: Panel, days: int) -> tuple[NDArray[np.float32], dict[tuple[str, str], int]]:
    """Return (n_series, days) attention of a type, held where days are missing, and each element's row."""
    day = (pl.col("ds") - panel.start).dt.total_days()
    seen = rows.with_columns(day=day).filter(pl.col("day").is_between(0, days - 1) & pl.col("attention").is_finite())
    names = seen.select("element", "region").unique().sort("element", "region")
    coded = seen.join(names.with_row_index("row"), on=["element", "region"])
    out = np.full((names.height, days), np.nan, dtype=np.float32)
    out[coded["row"].to_numpy(), coded["day"].to_numpy()] = coded["attention"].to_numpy()
    at = np.maximum.accumulate(np.where(np.isnan(out), 0, np.arange(days)[None, :]), axis=1)
    held = np.nan_to_num(np.take_along_axis(out, at, axis=1))
    return held, {(str(e), str(r)): i for i, (e, r) in enumerate(names.iter_rows())}


def _extended(told: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return attention up to ``width`` days: after the last known one on its way back to what is usual."""
    n, days = told.shape
    sums = np.concatenate([np.zeros((n, 1)), told.cumsum(axis=1, dtype=np.float64)], axis=1)
    start = np.maximum(np.arange(days) + 1 - _USUAL_DAYS, 0)
    usual = (sums[:, 1:] - sums[:, start]) / (np.arange(days) + 1 - start)
    then = np.arange(_USUAL_DAYS, days - _STEP_DAYS, 7)
    above, later = told[:, then] - usual[:, then], told[:, then + _STEP_DAYS] - usual[:, then]
    bursts = np.abs(above) >= _BURST
    kept = _SLOWEST
    if bursts.sum() >= _FEWEST_BURSTS:
        kept = float(np.clip((above * later)[bursts].sum() / (above**2)[bursts].sum(), _FASTEST, _SLOWEST))
    fade = kept ** (np.arange(1, width - days + 1) / _STEP_DAYS)
    last = usual[:, -1:] + (told[:, -1:] - usual[:, -1:]) * fade[None, :]
    return np.concatenate([told, last], axis=1).astype(np.float32)


def _carriers(
    kind: str, panel: Panel, carried: pl.DataFrame, place: dict[tuple[str, str], int]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return (series, row of attention) pairs, an item's first element of the type in the first pair, and so on."""
    mine: dict[str, list[str]] = {}
    for sku, element in (
        carried.filter(pl.col("element_type") == kind).select("sku", "element").sort("sku", "element").rows()
    ):
        mine.setdefault(sku, []).append(element)
    regions = panel.keys["region"] if "region" in panel.keys.columns else pl.repeat("*", panel.n_series, eager=True)
    found: list[tuple[list[int], list[int]]] = []
    for series, (sku, region) in enumerate(zip(panel.keys["sku"], regions.fill_null("*"), strict=True)):
        rows = [place.get((e, region), place.get((e, "*"), -1)) for e in mine.get(sku, ())]
        for number, row in enumerate(r for r in rows if r >= 0):
            if number == len(found):
                found.append(([], []))
            found[number][0].append(series)
            found[number][1].append(row)
    return [(np.array(a, dtype=np.int64), np.array(b, dtype=np.int64)) for a, b in found]
