"""From alerts to proposals: which are confirmed, what they ask for, and the lines a planner will review."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trends.alerts import AlertReason
from trends.config import TrendConfig
from trends.judgement import Judgement
from trends.proposals import (
    Confirmed,
    Status,
    Withdraw,
    alert_money,
    capacity_text,
    materials_text,
    proposed_lines,
)

__all__ = ["Goods", "costed_alerts", "proposals"]

_KEYS = ["element_type", "element", "region"]
_OVER = (AlertReason.BURST_OVER.value,)
_ON = (AlertReason.RISING_SIGNALS.value, AlertReason.HOT_SIGNALS.value)


@dataclass(frozen=True)
class Goods:
    """What is sold, and what it is made of.

    Attributes:
        items: as :func:`trends.proposals.proposed_lines` takes them.
        elements: ``sku``, ``element_type``, ``element``.
        bom: ``sku``, ``component_sku``, ``quantity``.
        materials: ``sku``, ``material``.
        suppliers: ``supplier_id``, ``capacity_per_period``.
    """

    items: pl.DataFrame
    elements: pl.DataFrame
    bom: pl.DataFrame
    materials: pl.DataFrame
    suppliers: pl.DataFrame


def costed_alerts(
    alerts: pl.DataFrame,
    said: Judgement,
    traffic_heat: pl.DataFrame,
    goods: Goods,
    *,
    day: int,
    config: TrendConfig,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ``trend_alerts`` with money, and every line behind them.

    A burst that is on and that sales or the shop's own traffic confirm is proposed; one that nothing confirms yet, or
    that cools, is watched; one that is over is withdrawn.

    Args:
        alerts: as :func:`trends.alerts.trend_alerts` gives them.
        said: what past sales say.
        traffic_heat: ``element_type``, ``element``, ``region``, ``traffic_heat`` of the shop's own; may be empty.
        goods: what is sold.
        day: day number of D.
        config: what confirms.
    """
    if alerts.is_empty():
        return pl.DataFrame(), pl.DataFrame()
    judged = _judged(alerts, said, traffic_heat, config).with_columns(day=pl.lit(day))
    asked = judged.with_columns(days_left=_days_left(said, day), expected_heat=_expected_heat(said))
    columns = [
        *_KEYS,
        "status",
        "p_right",
        "expected_heat",
        "strength",
        "lead_days",
        "days_left",
        "day",
        "reason",
        "sales_heat",
    ]
    lines = proposed_lines(asked.select(columns), goods.items, goods.elements, config=config)
    full = (
        judged.join(alert_money(lines), on=_KEYS, how="left", maintain_order="left")
        .join(materials_text(lines, goods.bom, goods.materials), on=_KEYS, how="left", maintain_order="left")
        .join(capacity_text(lines, goods.suppliers), on=_KEYS, how="left", maintain_order="left")
        .with_columns(
            proposed_qty=pl.col("proposed_qty").fill_null(0),
            order_by_date=pl.col("order_by").cast(pl.Int32).cast(pl.Date),
        )
        # confirmed, and stock will do: there is nothing to decide
        .with_columns(
            status=pl.when((pl.col("status") == Status.PROPOSED.value) & (pl.col("proposed_qty") == 0))
            .then(pl.lit(Status.WATCH.value))
            .otherwise("status")
        )
    )
    return full, lines


def _judged(alerts: pl.DataFrame, said: Judgement, traffic_heat: pl.DataFrame, config: TrendConfig) -> pl.DataFrame:
    """Return alerts with what confirms them, their status and the record of their kind."""
    record = said.card.select("element_type", "p_right")
    everyone = record.filter(pl.col("element_type") == "*")["p_right"]
    any_kind = float(everyone[0]) if len(everyone) else 0.5
    confirmed = (
        pl.when(pl.col("sales_heat") >= config.confirming_rise)
        .then(pl.lit(Confirmed.SALES.value))
        # traffic that is all there is cannot confirm itself
        .when((pl.col("traffic_heat") >= config.confirming_rise) & ~pl.col("is_traffic_only"))
        .then(pl.lit(Confirmed.SITE_TRAFFIC.value))
        .otherwise(pl.lit(Confirmed.NONE.value))
    )
    status = (
        pl.when(pl.col("reason").is_in(_OVER))
        .then(pl.lit(Status.WITHDRAWN.value))
        .when(pl.col("reason").is_in(_ON) & (pl.col("confirmed_by") != Confirmed.NONE.value))
        .then(pl.lit(Status.PROPOSED.value))
        .otherwise(pl.lit(Status.WATCH.value))
    )
    kind = pl.col("element_type")
    return (
        alerts.join(said.sales_heat, on=_KEYS, how="left", maintain_order="left")
        .join(traffic_heat, on=_KEYS, how="left", maintain_order="left")
        .join(record, on="element_type", how="left", maintain_order="left")
        .with_columns(confirmed_by=confirmed, p_right=pl.col("p_right").fill_null(any_kind))
        .with_columns(
            status=status,
            withdraw_when=pl.when(pl.col("reason").is_in(_OVER))
            .then(pl.lit(Withdraw.BURST_OVER.value))
            .otherwise(pl.lit(Withdraw.BURST_ENDS.value)),
            strength=kind.replace_strict(said.strengths, default=0.0, return_dtype=pl.Float64),
            lead_days=kind.replace_strict(said.lead_days, default=0, return_dtype=pl.Float64),
        )
    )


def _days_left(said: Judgement, day: int) -> pl.Expr:
    """Return the days a burst is expected to go on: what bursts of its kind last, less its age; a week at least."""
    length = pl.col("element_type").replace_strict(
        {k: v[0] for k, v in said.sizes.items()}, default=28.0, return_dtype=pl.Float64
    )
    left = (length - (day - pl.col("noticed"))).clip(lower_bound=7.0)
    return pl.when(pl.col("reason").is_in(_OVER)).then(0.0).otherwise(left)


def _expected_heat(said: Judgement) -> pl.Expr:
    """Return the heat a burst is expected to have: what it has, or the middle of its kind while it rises."""
    usual = pl.col("element_type").replace_strict(
        {k: v[1] for k, v in said.sizes.items()}, default=0.5, return_dtype=pl.Float64
    )
    rising = pl.col("reason") == AlertReason.RISING_SIGNALS.value
    now = pl.col("heat").clip(lower_bound=0.0)
    hot = pl.when(rising).then(pl.max_horizontal(now, usual)).otherwise(now)
    return pl.when(pl.col("reason").is_in(_OVER)).then(0.0).otherwise(hot)


def proposals(lines: pl.DataFrame) -> pl.DataFrame:
    """Return ``trend_proposals``: one line a SKU and location, that of the alert that asks for most."""
    if lines.is_empty():
        return pl.DataFrame()
    order = {Status.PROPOSED.value: 0, Status.WATCH.value: 1, Status.WITHDRAWN.value: 2}
    ranked = lines.filter(pl.col("proposed_qty") > 0).with_columns(
        _rank=pl.col("status").replace_strict(order, return_dtype=pl.Int64)
    )
    best = ranked.sort(
        "sku", "location_id", "_rank", "proposed_qty", *_KEYS[:2], "alert_region",
        descending=[False, False, False, True, False, False, False],
    ).unique(["sku", "location_id"], keep="first", maintain_order=True)  # fmt: skip
    return best.with_columns(
        region=pl.col("alert_region"),
        withdraw_when=pl.lit(Withdraw.BURST_ENDS.value),
        order_by_date=pl.col("order_by").cast(pl.Int32).cast(pl.Date),
    )
