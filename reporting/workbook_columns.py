"""Which columns each sheet of the workbook has, in which order, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass

from reporting.arithmetic import WHY_TERMS

__all__ = [
    "BATCH_SHEET",
    "CHECK_SHEET",
    "EXCEPTION_SHEET",
    "GLOSSARY_SHEET",
    "ORDER_SHEET",
    "PARAMETER_SHEET",
    "PLAN_SHEET",
    "PRICE_SHEET",
    "TOTALLED",
    "SheetColumn",
]

TOTALLED = frozenset({"order_qty", "order_value", "money_at_risk", "excess_value", "batch_qty", "units_firm"})
"""Columns with a total below: those whose sum means something."""


@dataclass(frozen=True)
class SheetColumn:
    """One column of a sheet.

    Attributes:
        name: column of the frame; its heading is the catalogue's ``col.<name>`` unless ``label`` names another key.
        kind: text, integer, number, money, share, percent, date, input or comment (the last two are for typing).
        width: of the column [characters].
        translate: the values are codes, shown in the reader's language.
        label: key of the heading where it differs from the name.
    """

    name: str
    kind: str = "text"
    width: int = 12
    translate: bool = False
    label: str = ""

    @property
    def word(self) -> str:
        """Key of the heading."""
        return self.label or self.name

    @property
    def is_input(self) -> bool:
        """Whether a planner may type here."""
        return self.kind in ("input", "comment")


_SUBJECT = (
    SheetColumn("sku", width=20),
    SheetColumn("location_id", width=12),
    SheetColumn("title", width=34),
    SheetColumn("supplier_name", width=18),
)
_VERDICT = (
    SheetColumn("action", width=14, translate=True),
    SheetColumn("status", width=12, translate=True),
    SheetColumn("reason", width=24, translate=True),
)
_QUANTITY = (
    SheetColumn("order_qty", "integer"),
    SheetColumn("override_qty", "input"),
    SheetColumn("comment", "comment", width=28),
    SheetColumn("packs", "integer", width=8),
    SheetColumn("unit_cost", "money"),
    SheetColumn("order_value", "money", width=14),
    SheetColumn("money_at_risk", "money", width=14),
)
_DATES = (
    SheetColumn("order_by_date", "date"),
    SheetColumn("next_order_date", "date"),
    SheetColumn("expected_receipt_date", "date"),
)
_STOCK = (
    SheetColumn("on_hand", "number"),
    SheetColumn("on_order", "number"),
    SheetColumn("backorders", "number"),
    SheetColumn("preorders_open", "number"),
    SheetColumn("inventory_position", "number"),
    SheetColumn("days_of_cover", "number"),
    SheetColumn("days_of_cover_with_orders", "number"),
    SheetColumn("stockout_date", "date"),
    SheetColumn("stockout_date_early", "date"),
)
_RISK = (
    SheetColumn("p_stockout_before_receipt", "share"),
    SheetColumn("p_stockout_if_not_ordered", "share"),
    SheetColumn("p_stockout_if_ordered", "share"),
    SheetColumn("expected_fill_rate", "share"),
    SheetColumn("service_level", "share"),
)
_TERMS = (
    SheetColumn("lead_time_days", "number"),
    SheetColumn("review_period_days", "number"),
    SheetColumn("min_order_qty", "integer"),
    SheetColumn("pack_size", "integer"),
)
_FORECAST = (
    SheetColumn("demand_mean", "number"),
    SheetColumn("demand_p10", "number"),
    SheetColumn("demand_p50", "number"),
    SheetColumn("demand_p90", "number"),
    SheetColumn("forecast_wape", "share"),
    SheetColumn("forecast_bias", "share"),
    SheetColumn("confidence", width=10, translate=True),
)
_WHY = tuple(SheetColumn(name, "integer") for name in WHY_TERMS)
_LAST = (
    SheetColumn("reorder_point", "number"),
    SheetColumn("order_up_to_level", "number"),
    SheetColumn("safety_stock", "number"),
    SheetColumn("expected_lost_units_avoided", "number"),
    SheetColumn("expected_excess_units", "number"),
    SheetColumn("excess_value", "money", width=14),
    SheetColumn("marginal_return", "number"),
    SheetColumn("binding_constraint", width=20, translate=True),
    SheetColumn("proposal_id", width=18),
    SheetColumn("first_proposed_date", "date"),
    SheetColumn("action_po_id", width=16),
    SheetColumn("override_reason", width=28),
    SheetColumn("flags", width=30, translate=True),
)

ORDER_SHEET = (*_SUBJECT, SheetColumn("reason", width=24, translate=True), *_QUANTITY, *_DATES, *_STOCK, *_TERMS, *_WHY)
EXCEPTION_SHEET = (*_SUBJECT, *_VERDICT, *_QUANTITY, *_DATES, *_STOCK, *_RISK, *_TERMS, *_FORECAST, *_LAST)
PLAN_SHEET = (
    *_SUBJECT,
    SheetColumn("rank", "integer", width=8),
    *_VERDICT,
    *_QUANTITY,
    *_DATES,
    *_STOCK,
    *_RISK,
    *_TERMS,
    *_FORECAST,
    *_WHY,
    *_LAST,
)
BATCH_SHEET = (
    SheetColumn("sku", width=20),
    SheetColumn("campaign_id", width=20),
    SheetColumn("title", width=34),
    SheetColumn("decision", width=12, translate=True),
    SheetColumn("commit_by_date", "date"),
    SheetColumn("batch_qty", "integer"),
    SheetColumn("units_booked", "integer"),
    SheetColumn("units_cancelled", "integer"),
    SheetColumn("units_firm", "integer"),
    SheetColumn("identities", "integer"),
    SheetColumn("forecast_final_p10", "number"),
    SheetColumn("forecast_final_p50", "number"),
    SheetColumn("forecast_final_p90", "number"),
    SheetColumn("p_min_batch_met", "share"),
    SheetColumn("tier_from_qty", "integer"),
    SheetColumn("unit_cost", "money"),
    SheetColumn("promise_p50_date", "date"),
    SheetColumn("promise_p90_date", "date"),
)
PRICE_SHEET = (
    SheetColumn("sku", width=20),
    SheetColumn("location_id", width=12),
    SheetColumn("channel", width=12),
    SheetColumn("title", width=34),
    SheetColumn("status", width=14, translate=True),
    SheetColumn("current_price", "money"),
    SheetColumn("suggested_price", "money"),
    SheetColumn("change_percent", "percent"),
    SheetColumn("margin_percent_now", "percent"),
    SheetColumn("margin_percent_new", "percent"),
    SheetColumn("regular_price", "money"),
    SheetColumn("reference_price", "money"),
    SheetColumn("unit_cost", "money"),
    SheetColumn("units_now", "number"),
    SheetColumn("units_new", "number"),
    SheetColumn("profit_change", "money"),
    SheetColumn("profit_change_p10", "money"),
    SheetColumn("profit_change_p90", "money"),
    SheetColumn("p_profit_up", "share"),
    SheetColumn("days_of_cover", "number"),
    SheetColumn("competitor_median", "money"),
    SheetColumn("rule_ids", width=26),
    SheetColumn("binding_rule", width=20, translate=True),
    SheetColumn("clamp_trail", width=60),
    SheetColumn("approval_level", width=14, translate=True),
    SheetColumn("expires_date", "date"),
    SheetColumn("reason", width=24, translate=True),
)
PARAMETER_SHEET = (SheetColumn("parameter", width=44), SheetColumn("parameter_value", width=60))
GLOSSARY_SHEET = (SheetColumn("term", width=28), SheetColumn("formula", width=44), SheetColumn("meaning", width=100))
CHECK_SHEET = (
    SheetColumn("check", width=30, translate=True),
    SheetColumn("step", width=12),
    SheetColumn("table", width=22),
    SheetColumn("status", width=10, translate=True),
    SheetColumn("severity", width=10, translate=True),
    SheetColumn("observed", width=40),
    SheetColumn("expected", width=40),
    SheetColumn("rows_checked", "integer"),
    SheetColumn("rows_failed", "integer"),
    SheetColumn("sample_keys", width=36),
    SheetColumn("advice", width=60),
)
