"""Input tables: what sold, what came back, what lies there and what is on its way."""

from __future__ import annotations

from data.contracts.input_columns import (
    MAX_UNITS,
    D,
    F,
    I,
    N,
    S,
    T,
    input_table,
    location_column,
    price_column,
    sku_column,
    units_column,
)
from data.contracts.model import Mode, Table, column

__all__ = ["TRADE"]

TRADE: tuple[Table, ...] = (
    input_table(
        "order_lines",
        Mode.EVENT,
        "order_line_id",
        [
            column("order_line_id", S, "", "absent: hash of source, content and n-th equal row of the file"),
            column("order_id", S, "", "order"),
            column("ordered_at", T, "", "instant of the order", required=True),
            sku_column(),
            location_column(),
            column("channel", S, "", "web, marketplace, live stream ..."),
            units_column("quantity", "negative: a return", dtype=I, required=True, minimum=-MAX_UNITS),
            price_column("unit_price", "price paid; 0: gift or sample", required=True),
            price_column("list_price", "regular price at the time"),
            column("promotion_id", S, "", "promotion that applied"),
            column("preorder_id", S, "", "the preorder this line ships"),
            column("buyer_ref", S, "", "buyer, pseudonymised on arrival", person=True),
            column("status", S, "", "paid, shipped, cancelled ..."),
        ],
        "Sales, one row per line of an order.",
        business_date="ordered_at",
        is_sales=True,
    ),
    input_table(
        "period_sales",
        Mode.UPSERT,
        "sku location_id ds",
        [
            column("ds", D, "", "day, or first day of the week", required=True),
            sku_column(),
            location_column(),
            units_column(
                "units", "gross sales; a negative number goes to returned_units", required=True, minimum=-MAX_UNITS
            ),
            price_column("unit_price", "average price paid"),
            column("in_stock", F, "", "false: out of stock at any time in the period"),
            column(
                "stockout_share", N, "0-1", "share of the period out of stock; wins over in_stock", minimum=0, maximum=1
            ),
            column("on_promotion", F, "", "a promotion ran"),
        ],
        "Sales, one row per SKU, location and period.",
        business_date="ds",
        is_sales=True,
    ),
    input_table(
        "returns",
        Mode.EVENT,
        "return_id",
        [
            column("return_id", S, "", "absent: hash of source, content and n-th equal row of the file"),
            column("returned_at", T, "", "instant it came back", required=True),
            sku_column(),
            location_column(),
            units_column("quantity", "positive", dtype=I, required=True, minimum=1),
            column("reason", S, "", "size, fabric, damaged ...", free_text=True),
            column("order_line_id", S, "", "the line it was sold with"),
        ],
        "What buyers sent back.",
        business_date="returned_at",
    ),
    input_table(
        "stock",
        Mode.SNAPSHOT,
        "sku location_id as_of_date",
        [
            column("as_of_date", D, "", "at the close of this day", required=True),
            sku_column(),
            location_column(),
            units_column("on_hand", "physical stock, the day's receipts included", required=True),
            units_column("backorders", "owed to customers"),
        ],
        "Physical stock at the close of a day.",
        business_date="as_of_date",
    ),
    input_table(
        "purchase_orders",
        Mode.SNAPSHOT,
        "po_id sku location_id",
        [
            column("as_of_date", D, "", "day the snapshot describes; absent: the delivery's date"),
            column("po_id", S, "", "purchase order; absent: made from its other columns"),
            sku_column(),
            location_column(),
            column("supplier_id", S, "", "supplier; none: -"),
            column("ordered_date", D, "", "day it was placed"),
            column("expected_receipt_date", D, "", "first day it can be sold", required=True),
            units_column("open_qty", "not received by then", required=True),
            column("proposal_id", S, "", "the proposal it answers"),
            column("campaign_id", S, "", "the preorder campaign it supplies"),
        ],
        "Orders placed and not yet received.",
        business_date="as_of_date",
    ),
    input_table(
        "receipts",
        Mode.EVENT,
        "po_id sku received_date",
        [
            column("po_id", S, "", "purchase order"),
            sku_column(),
            column("supplier_id", S, "", "supplier"),
            location_column(),
            column("campaign_id", S, "", "preorder campaign"),
            column("ordered_date", D, "", "day it was placed"),
            column("received_date", D, "", "day it arrived", required=True),
            units_column("received_qty", "what arrived", required=True),
        ],
        "What arrived, and when: real lead times and short shipments come from here.",
        business_date="received_date",
    ),
    input_table(
        "proposal_decisions",
        Mode.UPSERT,
        "proposal_id",
        [
            column("proposal_id", S, "", "proposal", required=True),
            column("decision", S, "", "what was decided", required=True, choices=("accepted", "rejected", "deferred")),
            column("until_date", D, "", "silent until this day"),
            column("reason", S, "", "why", free_text=True),
        ],
        "What planners decided about proposals.",
    ),
)
