"""What a plan is made from, and the planned lines: every active SKU and location with its supply terms."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import polars as pl

from data.calendar import Calendar
from data.settings import Supply
from restocking.inventory_position import StockInputs

__all__ = ["PlanInputs", "not_replenished", "planned_lines"]

_KEYS = ["sku", "location_id"]
_DEFAULT_SUPPLY = "default_supply"


@dataclass(frozen=True)
class PlanInputs:
    """Tables of one run, as ``step.py`` reads them."""

    assortment: pd.DataFrame
    item_supply: pd.DataFrame
    products: pd.DataFrame  # sku, salvage_value, licence_end_date
    suppliers: pd.DataFrame
    lanes: pd.DataFrame
    stock: StockInputs
    decisions: pd.DataFrame
    overrides: pd.DataFrame
    holds: pd.DataFrame
    accuracy: pd.DataFrame
    protection: pd.DataFrame
    demand_paths: pd.DataFrame
    forecasts: pl.DataFrame
    proposals: pd.DataFrame  # sku, location_id that a trend alert proposes more of
    returns: pd.DataFrame  # sku, location_id, return_receipts, gross_units of the last weeks; empty: none are expected
    last_plan: pd.DataFrame | None  # restock_plan of the last published run
    earlier_plans: pd.DataFrame | None  # run_date, keys, demand_mean, order_up_to_level, order_value: 28
    recent: pd.DataFrame | None = None  # sku, location_id, rate: mean of the last 13 periods; None: not tuned
    sizes: pd.DataFrame | None = None  # sku, style_id, share of each size in its style's sales; None: no sets
    set_loss: float = 0.0  # share of its sales that a size loses while a sister size is out (0-1)


def planned_lines(inputs: PlanInputs, *, default_supply: Supply, calendar: Calendar) -> pd.DataFrame:
    """Return one row per active SKU and location, ordered by key, with supply terms, prices and dates.

    Beside the columns of ``item_supply`` and ``assortment``: ``lead_days`` (L with the supplier's closed days),
    ``protection_days``, ``protection_end_date`` (last day of L + R), ``sale_end_date`` (end of sale or of the licence),
    ``days_to_sale_end``, ``is_last_buy`` (off sale before the next order's receipt), ``ends_before_receipt``,
    ``is_trend_proposed``.
    """
    names = [*_KEYS, "regular_price", "unit_cost", "end_of_sale_date", "demand_class", "flags"]
    active = inputs.assortment.loc[inputs.assortment["status"] == "active", names]
    active = active.sort_values(_KEYS, ignore_index=True)
    active = active.rename(columns={"unit_cost": "product_cost", "flags": "demand_flags"})
    lines = active.merge(inputs.item_supply.rename(columns={"flags": "supply_flags"}), on="sku", how="left")
    lines = _with_default_supply(lines, default_supply, calendar=calendar)
    lines = lines.merge(inputs.products[["sku", "salvage_value", "licence_end_date"]], on="sku", how="left")
    today = pd.Timestamp(calendar.run_date)
    receipt, review = lines["expected_receipt_date"], pd.to_timedelta(lines["review_period_days"], unit="D")
    sale_end = lines[["end_of_sale_date", "licence_end_date"]].min(axis=1)
    lead_days = (receipt - today).dt.days - 1
    return lines.assign(
        unit_cost=lines["unit_cost"].fillna(lines["product_cost"]),
        lead_days=lead_days.astype("float64"),
        protection_days=lead_days + lines["review_period_days"],
        protection_end_date=receipt + review - pd.Timedelta(days=1),
        sale_end_date=sale_end,
        days_to_sale_end=(sale_end - today).dt.days.astype("float64"),
        is_last_buy=sale_end < receipt + review,
        ends_before_receipt=sale_end < receipt,
        is_trend_proposed=pd.MultiIndex.from_frame(lines[_KEYS]).isin(
            pd.MultiIndex.from_frame(inputs.proposals[_KEYS])
        ),
    )


def _with_default_supply(lines: pd.DataFrame, default: Supply, *, calendar: Calendar) -> pd.DataFrame:
    """Return the lines with the shop's default terms where ``item_supply`` has no row."""
    unknown = lines["supplier_id"].isna()
    if not unknown.any():
        return lines
    values: dict[str, object] = {
        "supplier_id": "-",
        "lead_time_days": float(calendar.lead_time(default.lead_time_days)),
        "lead_time_sd_days": default.lead_time_sd_days,
        "review_period_days": float(calendar.review_period_days),
        "min_order_qty": default.min_order_qty,
        "pack_size": default.pack_size,
        "expected_receipt_date": pd.Timestamp(calendar.receipt_date(default.lead_time_days)),
        "next_order_date": pd.Timestamp(calendar.next_order_date),
        "is_order_date": calendar.is_order_date,
    }
    filled = lines.assign(**{name: lines[name].where(~unknown, value) for name, value in values.items()})
    texts = [[_DEFAULT_SUPPLY] if missing else own for missing, own in zip(unknown, lines["supply_flags"], strict=True)]
    flags = pd.Series(texts, index=lines.index, dtype=object)
    dates = {name: pd.to_datetime(filled[name]) for name in ("expected_receipt_date", "next_order_date")}
    numbers = {
        name: filled[name].astype("float64") for name in ("lead_time_days", "lead_time_sd_days", "review_period_days")
    }
    whole = {name: filled[name].astype("int64") for name in ("min_order_qty", "pack_size")}
    return filled.assign(
        supply_flags=flags, is_order_date=filled["is_order_date"].astype(bool), **dates, **numbers, **whole
    )


def not_replenished(assortment: pd.DataFrame) -> pd.DataFrame:
    """Return ``sku``, ``location_id``, ``reason``, ``since_date`` of every item that is not planned."""
    others = assortment.loc[assortment["status"] != "active"]
    return others[[*_KEYS, "reason", "since_date"]].sort_values(_KEYS, ignore_index=True)
