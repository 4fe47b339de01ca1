"""What is taken out of demand, and why: fake orders and slips of the keyboard.

Nothing is deleted: each line taken out stands in ``excluded_lines`` with its reason, and the period keeps the units
in ``excluded_units``.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import polars as pl

from demand.brushing import few_buyer_orders, night_burst_orders, orders_of, ring_orders
from demand.config import BrushingConfig, SpikeConfig
from demand.panel import Floats, Ints, Panel

__all__ = ["Reason", "line_spikes", "period_spikes", "suspicious_lines"]

_USUAL_QUANTILE = 0.95
_CAP_QUANTILE = 0.99


class Reason(StrEnum):
    """Why units are left out of demand."""

    FEW_BUYERS = "brushing_few_buyers"
    RING = "brushing_ring"
    NIGHT_BURST = "brushing_night_burst"
    SPIKE = "spike"


def suspicious_lines(lines: pl.DataFrame, *, timezone: str, run_day: int, config: BrushingConfig) -> pl.DataFrame:
    """Return ``order_line_id`` and ``reason`` of the lines of suspicious orders.

    Args:
        lines: sales that were not cancelled: ``order_line_id``, ``order_id``, ``ordered_at``, ``sku``, ``buyer_ref``,
            ``is_returned``.
        timezone: the shop's, for the hours of the night.
        run_day: day number of the run date.
        config: thresholds, see :mod:`demand.brushing`.
    """
    rest = orders_of(lines, timezone=timezone)
    found: list[pl.DataFrame] = []
    for reason in (Reason.FEW_BUYERS, Reason.RING, Reason.NIGHT_BURST):
        if reason is Reason.FEW_BUYERS:
            hits = few_buyer_orders(rest, config=config)
        elif reason is Reason.RING:
            hits = ring_orders(rest, config=config)
        else:
            hits = night_burst_orders(rest, run_day=run_day, config=config)
        hits = hits.unique().with_columns(reason=pl.lit(reason.value))
        found.append(hits)
        rest = rest.join(hits, on=["sku", "order"], how="anti", maintain_order="left")
    orders = pl.concat(found)
    keyed = lines.select("order_line_id", "sku", order=pl.coalesce("order_id", "order_line_id"))
    return keyed.join(orders, on=["sku", "order"], how="inner").select("order_line_id", "reason").sort("order_line_id")


def line_spikes(lines: pl.DataFrame, *, config: SpikeConfig) -> pl.DataFrame:
    """Return ``order_line_id`` and ``excess`` [units] of lines with a quantity far beyond the SKU's habit.

    The habit is the 95th percentile of the SKU's line quantities, of the shop's where it has few lines. A SKU that
    three times sold in large lines has wholesale buyers: its third largest line is habit too. The line is
    capped at the 99th percentile of the lines that are no spikes: the rest is excess. Source of the rule: a quantity
    typed or converted a hundred times too high.

    Args:
        lines: ``order_line_id``, ``sku``, ``quantity`` (positive) [units].
        config: factor and floors.
    """
    if lines.is_empty():
        return pl.DataFrame(schema={"order_line_id": pl.String, "excess": pl.Float64})
    shop_usual = float(lines["quantity"].quantile(_USUAL_QUANTILE, "lower") or 1.0)
    usual = lines.group_by("sku").agg(
        n=pl.len(),
        own=pl.col("quantity").quantile(_USUAL_QUANTILE, "lower"),
        top=pl.col("quantity").max(),
        third=pl.col("quantity").top_k(3).min(),
    )
    known = pl.col("n") >= config.line_min_lines
    usual = usual.with_columns(
        usual=pl.when(known).then("own").otherwise(pl.lit(shop_usual)).clip(1.0),
        habit=pl.when(known).then(config.habit_factor * pl.col("third")).otherwise(0.0),
    ).with_columns(
        limit=pl.max_horizontal(config.line_factor * pl.col("usual"), "habit", pl.lit(config.line_min_units))
    )
    usual = usual.filter(pl.col("top") > pl.col("limit"))
    near = lines.join(usual, on="sku", how="inner")
    caps = (
        near.filter(pl.col("quantity") <= pl.col("limit"))
        .group_by("sku")
        .agg(cap=pl.col("quantity").quantile(_CAP_QUANTILE, "lower"))
    )
    return (
        near.filter(pl.col("quantity") > pl.col("limit"))
        .join(caps, on="sku", how="left")
        .select("order_line_id", excess=pl.col("quantity") - pl.col("cap").fill_null(pl.col("usual")))
        .sort("order_line_id")
    )


def period_spikes(units: Floats, panel: Panel, *, config: SpikeConfig) -> tuple[Ints, Floats]:
    """Return the cells of lone periods far above all their neighbours, and the excess of each [units].

    A real rise lasts: its neighbours are high too, and it is no spike. The excess is what lies above the largest
    neighbour, over ``period_neighbours`` periods on either side, up to the run date.

    Args:
        units: shape (panel.size,) [units].
        panel: the series.
        config: factor and floors.
    """
    floor = config.period_min_units
    candidates = np.flatnonzero(units >= floor)
    if not len(candidates):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    offsets = panel.offsets
    series = np.searchsorted(offsets, candidates, side="right") - 1
    totals = np.add.reduceat(units, offsets[:-1]) if len(offsets) > 1 else np.zeros(0)
    means = (totals[series] - units[candidates]) / np.maximum(panel.lengths[series] - 1, 1)
    kept = units[candidates] >= config.period_factor * means
    cells: list[int] = []
    excess: list[float] = []
    for cell, s in zip(candidates[kept].tolist(), series[kept].tolist(), strict=True):
        start = max(int(offsets[s]), cell - config.period_neighbours)
        stop = min(int(offsets[s + 1]), cell + config.period_neighbours + 1)
        around = np.concatenate([units[start:cell], units[cell + 1 : stop]])
        if len(around) < config.period_neighbours:
            continue  # too young to say what is usual
        largest = float(around.max())
        if units[cell] > config.period_factor * max(largest, 1.0):
            cells.append(cell)
            excess.append(float(units[cell]) - largest)
    return np.array(cells, dtype=np.int64), np.array(excess, dtype=np.float64)
