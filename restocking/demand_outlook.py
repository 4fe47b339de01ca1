"""The forecast of every planned line as arrays, and what happens to its stock over sample paths of it.

Series are worked through in chunks, so that memory stays flat: 30,000 series, 28 periods and 200 paths never stand in
memory at once. Lines whose protection period reaches beyond the forecast get a chunk of their own, with the forecast's
last weeks repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from data.calendar import Calendar
from data.contracts import QUANTILES
from restocking.inventory_position import OpenOrders
from restocking.projection import Outcomes, project
from restocking.sample_paths import PathSampler, calibrate_totals, draw_lead_times, late_lead_times

__all__ = ["Outlook", "SupplyPosition", "read_outlook", "simulate_lines"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_KEYS = ["sku", "location_id"]
_CHUNK_SERIES = 1000  # 28 periods x 1000 series x 200 paths: 45 MB an array
_CURVES = ("stocked_out_by", "stocked_out_after_receipt_by")
_REPEATED_DAYS = 28  # beyond its end a forecast repeats its last four weeks


@dataclass(frozen=True)
class Outlook:
    """Forecasts of the planned lines, in plan order."""

    quantiles: Floats  # shape (horizon, n, n_quantiles) [units per period]
    mean: Floats  # shape (horizon, n) [units per period]
    has_forecast: Mask
    total_quantiles: Floats  # shape (n, n_quantiles) of the total over L + R [units]; nan where unknown
    total_mean: Floats  # [units]; nan where unknown
    is_total_known: Mask  # protection_demand speaks of the very same L and R
    correlation: Floats
    scale: Floats

    @property
    def horizon(self) -> int:
        """Periods forecast."""
        return len(self.mean)


@dataclass(frozen=True)
class SupplyPosition:
    """What is there, what is coming, and when an order of today would come; one entry per line."""

    stock: Floats  # on hand less what is owed [units]
    orders: OpenOrders
    lead_days: Floats  # L, closed days of the supplier included [days]
    lead_sd_days: Floats
    review_days: Floats
    return_share: Floats  # resellable returns per unit demanded (0-1)
    lateness: Floats  # shape (n, n_paths), ascending: of an order of today, as receipts tell [days]
    is_lateness_known: Mask  # False: the stated spread alone


def read_outlook(
    lines: pd.DataFrame, forecasts: pl.DataFrame, protection: pd.DataFrame, paths: pd.DataFrame, *, calendar: Calendar
) -> Outlook:
    """Return the forecasts of ``lines`` as arrays; periods after a line's last day on sale are zero.

    Args:
        lines: ``sku``, ``location_id``, ``lead_days``, ``review_period_days``, ``sale_end_date`` (null: none).
        forecasts: ``sku``, ``location_id``, ``ds``, ``mean`` and the quantiles.
        protection: ``protection_demand``.
        paths: ``demand_paths``.
        calendar: of this run.
    """
    n = len(lines)
    names = ["mean", *QUANTILES]
    rows = pl.DataFrame(
        {"sku": lines["sku"].to_list(), "location_id": lines["location_id"].to_list(), "row": np.arange(n)}
    )
    first = pl.lit(calendar.first_period)
    period = ((pl.col("ds").cast(pl.Date) - first).dt.total_days() // calendar.period_days).alias("period")
    known = forecasts.join(rows, on=_KEYS, how="inner").with_columns(period).filter(pl.col("period") >= 0)
    horizon = int(known["period"].max() or 0) + 1 if known.height else 1  # type: ignore[arg-type]
    values = np.zeros((horizon, n, len(names)))
    index = known["period"].to_numpy(), known["row"].to_numpy()
    values[index] = known.select(pl.col(names).fill_null(0.0).fill_nan(0.0)).to_numpy()
    has_forecast = np.zeros(n, dtype=bool)
    has_forecast[known["row"].to_numpy()] = True
    is_on_sale = _on_sale(lines, horizon=horizon, calendar=calendar)
    values *= is_on_sale[:, :, None]
    totals = lines[_KEYS].merge(protection, on=_KEYS, how="left")
    is_known = (
        (totals["lead_time_days"].to_numpy(np.float64) == lines["lead_days"].to_numpy(np.float64))
        & (totals["review_period_days"].to_numpy(np.float64) == lines["review_period_days"].to_numpy(np.float64))
        & is_on_sale.all(axis=0)
    )
    shape = lines[_KEYS].merge(paths, on=_KEYS, how="left")
    return Outlook(
        quantiles=values[:, :, 1:],
        mean=values[:, :, 0],
        has_forecast=has_forecast,
        total_quantiles=totals[list(QUANTILES)].to_numpy(np.float64),
        total_mean=totals["mean"].to_numpy(np.float64),
        is_total_known=is_known,
        correlation=shape["period_correlation"].fillna(0.0).to_numpy(np.float64),
        scale=shape["total_scale"].fillna(1.0).to_numpy(np.float64),
    )


def _on_sale(lines: pd.DataFrame, *, horizon: int, calendar: Calendar) -> Mask:
    """Return the periods that begin while the line is on sale, shape (horizon, n_lines)."""
    starts = np.array(calendar.periods(horizon), dtype="datetime64[ns]")[:, None]
    ends = lines["sale_end_date"].to_numpy("datetime64[ns]")
    on_sale: Mask = np.isnat(ends)[None, :] | (starts <= ends)
    return on_sale


def simulate_lines(
    outlook: Outlook, supply: SupplyPosition, *, calendar: Calendar, lost_sales: bool, n_paths: int, seed: int
) -> Outcomes:
    """Return what happens to the stock of every line without an order."""
    n = len(supply.stock)
    days = calendar.period_days
    stated = draw_lead_times(supply.lead_days, supply.lead_sd_days, period_days=days, n_paths=n_paths, seed=seed)
    real = late_lead_times(supply.lead_days, supply.lateness, period_days=days, seed=seed)
    lead = np.where(supply.is_lateness_known[:, None], real, stated)
    review = np.ceil(supply.review_days / days).astype(np.int64)
    ends = np.maximum(lead, stated).max(axis=1, initial=0) + review
    nominal = np.ceil((supply.lead_days + supply.review_days) / days).astype(np.int64)
    sampler = PathSampler(n_paths, int(max(ends.max(initial=1), outlook.horizon)), seed)
    counted = supply.orders.counted(n)
    parts, order = [], []
    for rows in _chunks(ends > outlook.horizon):
        periods = _with_repeats(outlook.horizon, max(outlook.horizon, int(ends[rows].max())), days=days)
        returns = outlook.mean[np.ix_(periods, rows)] * supply.return_share[rows]
        within = np.arange(len(periods))[:, None] < nominal[rows]
        outcome = project(
            _draw(outlook, rows, periods, sampler=sampler, window=stated[rows] + review[rows, None]),
            stock=supply.stock[rows],
            arrivals=supply.orders.arrivals(n, horizon=len(periods))[:, rows] + returns,
            supply=counted[rows] + np.where(within, returns, 0.0).sum(axis=0),
            lead=lead[rows],
            review=review[rows],
            lost_sales=lost_sales,
        )
        parts.append(_first_periods(outcome, outlook.horizon))
        order.append(rows)
    return _joined(parts, np.concatenate(order) if order else np.empty(0, np.int64), n_paths, outlook.horizon)


def _with_repeats(horizon: int, wanted: int, *, days: int) -> Ints:
    """Return the forecast periods to use for ``wanted`` periods: beyond the end the last weeks repeat."""
    repeat = min(max(_REPEATED_DAYS // days, 1), horizon)
    later = np.arange(horizon, wanted) - horizon
    return np.concatenate([np.arange(horizon), horizon - repeat + later % repeat])


def _chunks(is_beyond: Mask) -> list[Ints]:
    chunks: list[Ints] = []
    for rows in (np.flatnonzero(~is_beyond), np.flatnonzero(is_beyond)):
        chunks += [rows[i : i + _CHUNK_SERIES] for i in range(0, len(rows), _CHUNK_SERIES)]
    return chunks


def _draw(outlook: Outlook, rows: Ints, periods: Ints, *, sampler: PathSampler, window: Ints) -> Floats:
    """Return sample paths of some lines, their totals over L + R distributed as ``protection_demand`` says."""
    paths = sampler.draw(
        outlook.quantiles[np.ix_(periods, rows)], correlation=outlook.correlation[rows], scale=outlook.scale[rows]
    )
    known = outlook.is_total_known[rows]
    if not known.any():
        return paths
    totals = np.nan_to_num(outlook.total_quantiles[rows])
    return calibrate_totals(
        paths, window=window, quantiles=totals, mean=outlook.mean[np.ix_(periods, rows)], known=known
    )


def _first_periods(outcome: Outcomes, horizon: int) -> Outcomes:
    """Return the outcome with curves over time cut to ``horizon``."""
    return replace(outcome, **{name: getattr(outcome, name)[:, :horizon] for name in _CURVES})


def _joined(parts: list[Outcomes], order: Ints, n_paths: int, horizon: int) -> Outcomes:
    """Return the chunks as one, in plan order."""
    joined = {}
    for field in fields(Outcomes):
        width = horizon if field.name in _CURVES else n_paths
        whole = np.empty((len(order), width))
        if parts:
            whole[order] = np.concatenate([getattr(part, field.name) for part in parts])
        joined[field.name] = whole
    return Outcomes(**joined)
