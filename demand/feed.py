"""Demand from period sales: sales that arrive already counted by SKU, location and period."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from demand.config import DemandConfig
from demand.exclusions import Reason, period_spikes
from demand.history import Cells, from_periods, stated_prices
from demand.panel import Floats, Ints, Mask, Panel

__all__ = ["Feed", "feed_history"]


@dataclass(frozen=True)
class Feed:
    """Period sales as cells of a panel.

    ``feed_end`` is the last period in which the feed said that the series is on sale; 0 where it cannot say, because
    it leaves out zeros.
    """

    panel: Panel
    cells: Cells
    price: Floats  # price stated, sold or not, NaN none [currency]
    feed_end: Ints
    doubtful: Ints  # periods in which every series of a large shop sold nothing


def feed_history(keys: pl.DataFrame, sales: pl.DataFrame, *, period_days: int, config: DemandConfig) -> Feed:
    """Return the cells of period sales, each series from its first row to its last.

    A feed that states zeros says by a missing row that an item is not on sale. One whose row is missing for a short
    while (``status.feed_end_days``) is carried on as stocked out. A feed without any zero leaves them out: there an
    item that sold within ``status.dormant_days`` is carried on with zeros.

    Args:
        keys: ``sku``, ``location_id`` of each series, sorted.
        sales: ``series`` (row of ``keys``), ``index`` (period, -1 is the last closed one), ``units`` [units],
            ``unit_price``, ``in_stock``, ``stockout_share``, ``on_promotion``; sorted by series and index.
        period_days: days in a period.
        config: the room's settings.
    """
    series, index = sales["series"].to_numpy().astype(np.int64), sales["index"].to_numpy().astype(np.int64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(series) != 0])) if len(series) else np.zeros(0, np.int64)
    stops = np.concatenate([starts[1:], [len(series)]]).astype(np.int64) if len(series) else starts
    first, feed_end = index[starts], index[stops - 1]
    states_zeros = bool((sales["units"] == 0).any())
    patience = config.status.feed_end_days if states_zeros else config.status.dormant_days
    last_of_shop = int(feed_end.max()) if len(feed_end) else -1
    carried = (feed_end < last_of_shop) & (feed_end * period_days >= last_of_shop * period_days - patience)
    panel = Panel(keys, first, np.where(carried | (feed_end == last_of_shop), -1, feed_end))
    cells = from_periods(sales, panel)
    if states_zeros and carried.any():
        beyond = panel.index() > np.repeat(np.where(carried, feed_end, 0), panel.lengths)
        beyond &= np.repeat(carried, panel.lengths)
        cells = _off_sale(cells, beyond)
    doubtful = _all_zero_periods(cells.gross, panel, config=config)
    # a feed that is late as a whole takes nothing off sale
    said_on_sale = panel.last if states_zeros else np.zeros_like(feed_end)
    return Feed(panel, _without_spikes(cells, panel, config), stated_prices(sales, panel), said_on_sale, doubtful)


def _off_sale(cells: Cells, beyond: Mask) -> Cells:
    return replace(cells, in_stock=np.where(beyond, 0.0, cells.in_stock), is_censored=cells.is_censored | beyond)


def _without_spikes(cells: Cells, panel: Panel, config: DemandConfig) -> Cells:
    at, excess = period_spikes(cells.gross, panel, config=config.spikes)
    if not len(at):
        return cells
    excluded = cells.excluded.copy()
    excluded[at] += excess
    reasons = pl.DataFrame({"cell": at, "reason": [Reason.SPIKE.value] * len(at)})
    return replace(cells, excluded=excluded, reasons=pl.concat([cells.reasons, reasons]))


def _all_zero_periods(units: Floats, panel: Panel, *, config: DemandConfig) -> Ints:
    """Return the periods in which every one of many series sold nothing: doubtful, not zero demand."""
    if not panel.size:
        return np.zeros(0, dtype=np.int64)
    index = panel.index()
    low = int(index.min())
    on_sale = np.bincount(index - low)
    total = np.bincount(index - low, weights=units)
    usual = float(np.median(total[total > 0])) if (total > 0).any() else 0.0
    hit = (total == 0) & (on_sale >= config.days.all_zero_series) & (usual >= config.days.all_zero_series)
    return np.asarray(np.flatnonzero(hit) + low, dtype=np.int64)
