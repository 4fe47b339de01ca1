"""From heat to action: what an alert would have the planner order, by when, what it gains and what it risks.

The burst is expected to be as hot as it is, or as bursts of its kind were in the middle of them, and to last as long;
demand of the products that carry the element then rises by ``exp(strength * heat)``. What stock and open orders leave
free beyond the usual need is taken off, the rest is rounded up to packs. Nothing is ordered: a planner decides.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from trends.config import TrendConfig

__all__ = ["Confirmed", "Status", "Withdraw", "alert_money", "capacity_text", "materials_text", "proposed_lines"]

_YEAR = 365.0
_LOWER_HALF = 0.7979  # sqrt(2 / pi): mean of the lower half of a standard normal, sign turned
_LEAST_RATE = 1e-6  # [units/day] of what does not sell
_KEYS = ["element_type", "element", "region"]


class Status(StrEnum):
    """Where a proposal stands."""

    PROPOSED = "proposed"
    WATCH = "watch"
    WITHDRAWN = "withdrawn"


class Confirmed(StrEnum):
    """What agrees with the signals."""

    SALES = "sales"
    SITE_TRAFFIC = "site_traffic"
    NONE = "none"


class Withdraw(StrEnum):
    """What ends a proposal."""

    BURST_ENDS = "burst_ends"
    BURST_OVER = "burst_over"
    ORDER_BY_DATE_PASSES = "order_by_date_passes"


def proposed_lines(
    alerts: pl.DataFrame, items: pl.DataFrame, elements: pl.DataFrame, *, config: TrendConfig
) -> pl.DataFrame:
    """Return one line per alert, SKU and location it touches, with units, money and the last day to order.

    Args:
        alerts: element and region, ``status``, ``p_right``, ``expected_heat``, ``strength``, ``lead_days``,
            ``days_left`` (days the burst is expected to go on), ``day`` (run date as day number), ``reason``,
            ``sales_heat`` (log rise of sales, null unknown).
        items: ``sku``, ``location_id``, ``region``, ``rate`` [units/day], ``earlier_rate`` (of the months before, null
            unknown), ``stock``, ``open_orders`` [units], ``supplier_id``, ``unit_cost``, ``price``, ``salvage_value``,
            ``royalty_share``, ``lead_time_days``, ``review_period_days``, ``pack_size``, ``days_on_sale`` (until its
            end of sale).
        elements: ``sku``, ``element_type``, ``element``.
        config: capital cost, days to sell that make an order worth while.
    """
    touched = (
        elements.join(items, on="sku")
        .join(alerts.rename({"region": "alert_region"}), on=["element_type", "element"])
        .filter((pl.col("alert_region") == "*") | (pl.col("alert_region") == pl.col("region")))
    )
    arrival = pl.col("lead_time_days") + 1
    # signals lead: demand stays up for the lead beyond the burst's end
    last = pl.min_horizontal(pl.col("days_left") + pl.col("lead_days"), "days_on_sale")
    selling = (last - arrival).clip(lower_bound=0)
    lift = (pl.col("strength") * pl.col("expected_heat")).exp() - 1
    need = pl.col("rate") * (pl.col("lead_time_days") + pl.col("review_period_days") + config.spare_days)
    spare = (pl.col("stock") + pl.col("open_orders") - need).clip(lower_bound=0)
    lines = touched.with_columns(
        extra_demand=(pl.col("rate") * lift * last).clip(lower_bound=0),
        late_extra=(pl.col("rate") * lift * selling).clip(lower_bound=0),
        spare=spare,
        order_by=pl.col("day") + (last - arrival - config.min_selling_days),
    )
    # what spare stock covers sells first; of the rest only what still arrives in time is worth ordering
    short = pl.min_horizontal("late_extra", pl.col("extra_demand") - pl.col("spare")).clip(lower_bound=0)
    whole = (short / pl.col("pack_size")).ceil() * pl.col("pack_size")
    in_time = pl.col("order_by") >= pl.col("day")
    lines = lines.with_columns(proposed_qty=pl.when(in_time & (short >= 0.5)).then(whole).otherwise(0).cast(pl.Int64))
    return _with_money(lines, config).sort(*_KEYS[:2], "alert_region", "sku", "location_id")


def _with_money(lines: pl.DataFrame, config: TrendConfig) -> pl.DataFrame:
    """Return the lines with the margin if the burst comes, and what the units cost if it does not.

    Wrong means that demand goes back to what it was before the rise that sales show already, or in the months before if
    that is less, and to the slower half of that (a Poisson total, by normal approximation). The units are sold after
    what is there and on order, until the item ends or ``wrong_days`` are over. What sells is held until it does; what
    is left over is held all that time and written down: ``left * (unit_cost - salvage) + unit_cost *
    annual_holding_rate * unit_days / 365``.
    """
    quantity = pl.col("proposed_qty").cast(pl.Float64)
    margin = (pl.col("price") * (1 - pl.col("royalty_share")) - pl.col("unit_cost")).clip(lower_bound=0)
    days = pl.min_horizontal(pl.lit(config.wrong_days), "days_on_sale").clip(lower_bound=0.0)
    # an item may have risen more than its element has: then what it sold in the months before counts
    back = pl.col("rate") * (-pl.col("sales_heat").fill_null(0.0).clip(lower_bound=0)).exp()
    usual = pl.min_horizontal(back, pl.col("earlier_rate").fill_null(back))
    # the mean of the lower half of demand lies 0.8 of its sd below its mean
    sells = (usual * days - _LOWER_HALF * (usual * days).sqrt()).clip(lower_bound=0)
    before = pl.col("stock") + pl.col("open_orders")
    sold = (sells - before).clip(lower_bound=0, upper_bound=quantity)
    left = quantity - sold
    pace = (sells / pl.max_horizontal(days, pl.lit(1.0))).clip(lower_bound=_LEAST_RATE)
    # the first of them sells once what is there has, the last of them sold units so many days later
    waits = pl.min_horizontal(before / pace, days)
    held = sold * (waits + sold / pace / 2) + left * days
    capital = pl.col("unit_cost") * config.annual_holding_rate * held / _YEAR
    write_down = left * (pl.col("unit_cost") - pl.col("salvage_value")).clip(lower_bound=0)
    return lines.with_columns(gain_if_right=quantity * margin, cost_if_wrong=capital + write_down)


def alert_money(lines: pl.DataFrame) -> pl.DataFrame:
    """Return by alert the units, money, latest useful order date, stock and open orders of the lines."""
    asked = pl.col("proposed_qty") > 0
    return (
        lines.group_by("element_type", "element", "alert_region", maintain_order=True)
        .agg(
            proposed_qty=pl.col("proposed_qty").sum(),
            gain_if_right=pl.col("gain_if_right").sum(),
            cost_if_wrong=pl.col("cost_if_wrong").sum(),
            order_by=pl.col("order_by").filter(asked).min(),
            stock_units=pl.col("stock").sum(),
            open_order_units=pl.col("open_orders").sum(),
        )
        .rename({"alert_region": "region"})
    )


def materials_text(lines: pl.DataFrame, bom: pl.DataFrame, materials: pl.DataFrame) -> pl.DataFrame:
    """Return by alert ``materials``: components to buy first, as ``FABRIC 120; ZIP 60``; the largest first.

    Products without a bill of materials name their material instead.
    """
    asked = lines.filter(pl.col("proposed_qty") > 0)
    parts = asked.join(bom, on="sku").select(
        *_KEYS[:2], "alert_region", component="component_sku", units=pl.col("proposed_qty") * pl.col("quantity")
    )
    plain = (
        asked.join(bom.select("sku").unique(), on="sku", how="anti")
        .join(materials.drop_nulls("material"), on="sku")
        .select(*_KEYS[:2], "alert_region", component="material", units=pl.col("proposed_qty").cast(pl.Float64))
    )
    both = pl.concat([parts.with_columns(pl.col("units").cast(pl.Float64)), plain])
    summed = both.group_by(*_KEYS[:2], "alert_region", "component").agg(pl.col("units").sum())
    return _listed(summed, pl.format("{} {}", "component", pl.col("units").ceil().cast(pl.Int64)), "materials")


def capacity_text(lines: pl.DataFrame, suppliers: pl.DataFrame) -> pl.DataFrame:
    """Return by alert ``capacity``: supplier capacity to reserve, as ``SUP 80 of 400 per period``."""
    asked = lines.filter((pl.col("proposed_qty") > 0) & pl.col("supplier_id").is_not_null())
    summed = (
        asked.group_by(*_KEYS[:2], "alert_region", "supplier_id")
        .agg(units=pl.col("proposed_qty").sum())
        .join(suppliers, on="supplier_id", how="left")
    )
    limit = pl.format("{} {} of {} per period", "supplier_id", "units", pl.col("capacity_per_period").cast(pl.Int64))
    return _listed(summed, pl.coalesce(limit, pl.format("{} {}", "supplier_id", "units")), "capacity")


def _listed(summed: pl.DataFrame, text: pl.Expr, name: str) -> pl.DataFrame:
    if summed.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys(_KEYS, pl.String), name: pl.String})
    ordered = summed.with_columns(text=text).sort(
        *_KEYS[:2], "alert_region", "units", "text", descending=[False, False, False, True, False]
    )
    return (
        ordered.group_by(*_KEYS[:2], "alert_region", maintain_order=True)
        .agg(pl.col("text").str.join("; ").alias(name))
        .rename({"alert_region": "region"})
    )
