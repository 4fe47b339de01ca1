"""Which columns the tables of the restock report show, in which order and grouping. The subject always comes first."""

from __future__ import annotations

from reporting.tables import Column

__all__ = [
    "BATCH_COLUMNS",
    "CHANGE_COLUMNS",
    "COLUMN_GROUPS",
    "IDLE_COLUMNS",
    "LINE_COLUMNS",
    "PROMISE_COLUMNS",
    "SUPPLIER_COLUMNS",
    "TRANSFER_COLUMNS",
]

LINE_COLUMNS: tuple[Column, ...] = (
    Column("sku", sub="title"),
    Column("location_id", group="location"),
    Column("supplier_name", group="terms"),
    Column("reason", "code", sub="status_note", tone="line_tone"),
    Column("order_qty", "quantity", sub="packs_text"),
    Column("order_value", "money"),
    Column("money_at_risk", "money"),
    Column("order_by_date", "date", tone="late"),
    Column("expected_receipt_date", "date"),
    Column("on_hand", "quantity"),
    Column("on_order", "quantity"),
    Column("backorders", "quantity", group="stock"),
    Column("preorders_open", "quantity", group="stock"),
    Column("inventory_position", "quantity"),
    Column("days_of_cover", "number1"),
    Column("stockout_date", "date"),
    Column("stockout_date_early", "date", group="stock"),
    Column("p_stockout_before_receipt", "share", group="risk"),
    Column("p_stockout_if_not_ordered", "share", group="risk"),
    Column("p_stockout_if_ordered", "share", group="risk"),
    Column("service_level", "share", group="terms"),
    Column("lead_time_days", "quantity", group="terms"),
    Column("review_period_days", "quantity", group="terms"),
    Column("min_order_qty", "quantity", group="terms"),
    Column("pack_size", "quantity", group="terms"),
    Column("demand_mean", "number1", group="forecast"),
    Column("forecast_wape", "share", group="forecast"),
    Column("forecast_bias", "share", group="forecast"),
    Column("confidence", "code", tone="confidence"),
    Column("sparkline", "svg"),
    Column("override_qty", "quantity", group="override"),
    Column("override_reason", group="override"),
)
COLUMN_GROUPS = ("stock", "risk", "terms", "forecast", "override")
CHANGE_COLUMNS = (
    Column("sku", sub="title"),
    Column("location_id"),
    Column("change", "code", tone="change"),
    Column("qty_before", "quantity"),
    Column("qty_now", "quantity"),
    Column("value_change", "money_change"),
    Column("cause", "code"),
)
TRANSFER_COLUMNS = (
    Column("sku", sub="title"),
    Column("from_location_id"),
    Column("to_location_id"),
    Column("qty", "quantity"),
    Column("value", "money"),
    Column("freight", "money"),
    Column("why_from", "code"),
    Column("surplus_qty", "quantity"),
    Column("why_to", "code"),
    Column("needed_qty", "quantity"),
    Column("reason", "code"),
)
BATCH_COLUMNS = (
    Column("campaign_id"),
    Column("sku", sub="title"),
    Column("decision", "code", tone="decision", sub="reason_words"),
    Column("commit_by_date", "date", sub="commit_note", tone="commit_tone"),
    Column("batch_qty", "quantity", sub="batch_words"),
    Column("units_firm", "quantity"),
    Column("units_booked", "quantity"),
    Column("units_cancelled", "quantity"),
    Column("forecast_final_p50", "quantity", sub="final_range"),
    Column("p_min_batch_met", "share"),
    Column("unit_cost", "money"),
    Column("promise_p50_date", "date"),
    Column("promise_p90_date", "date"),
)
PROMISE_COLUMNS = (
    Column("preorder_id"),
    Column("promise_before_date", "date"),
    Column("promise_now_date", "date"),
    Column("cause", "code"),
    Column("must_tell", "flag"),
)
IDLE_COLUMNS = (
    Column("sku", sub="title"),
    Column("location_id"),
    Column("reason", "code"),
    Column("since_date", "date"),
)
SUPPLIER_COLUMNS = (
    Column("supplier_name"),
    Column("lines", "integer"),
    Column("order_qty", "quantity"),
    Column("order_value", "money"),
    Column("money_at_risk", "money"),
)
