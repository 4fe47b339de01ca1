"""Tables between rooms that are not published. Each holds the current run only."""

from __future__ import annotations

from data.contracts.inputs import INPUTS
from data.contracts.model import Column, DType, Table, TableKind, column, key

__all__ = ["INTERNALS", "staging_table"]

S, D, T, M, I, N, F, L = (
    DType.STRING,
    DType.DATE,
    DType.TIMESTAMP,
    DType.MONEY,
    DType.INTEGER,
    DType.NUMBER,
    DType.FLAG,
    DType.STRINGS,
)

_SKU = key("sku", "stock-keeping unit")
_LOCATION = key("location_id", "location")

_STAGING_EXTRAS: dict[str, tuple[Column, ...]] = {
    "products": (column("is_product", F, "", "false: postage, fees, adjustments ...", nullable=False),),
    "order_lines": (
        column("business_date", D, "", "day of the order in the shop's timezone", nullable=False),
        column("is_product", F, "", "false: postage, fees, adjustments ...", nullable=False),
    ),
    "returns": (column("business_date", D, "", "day it came back in the shop's timezone", nullable=False),),
    "preorders": (
        column("placed_date", D, "", "day it was placed in the shop's timezone", nullable=False),
        column("cancelled_date", D, "", "day it was cancelled, up to the run date"),
    ),
}


def staging_table(source: Table) -> Table:
    """Return the contract of ``stg_<table>``: the input's columns as the run for D may see them."""
    extras = _STAGING_EXTRAS.get(source.name, ())
    own = () if "source" in source.names else (column("source", S, "", "named source it came from"),)
    return Table(
        f"stg_{source.name}",
        TableKind.INTERNAL,
        source.key,
        (*source.columns, *extras, *own),
        f"{source.name}, typed, as of the run date.",
        mode=source.mode,
        is_sales=source.is_sales,
    )


def _table(name: str, keys: str, columns: list[Column], doc: str) -> Table:
    return Table(name, TableKind.INTERNAL, tuple(keys.split()), tuple(columns), doc)


INTERNALS: tuple[Table, ...] = (
    *(staging_table(t) for t in INPUTS),
    _table(
        "item_supply",
        "sku",
        [
            _SKU,
            column("supplier_id", S, "", "supplier ordered from", nullable=False),
            column("unit_cost", M, "currency", "landed cost; null when unknown", minimum=0),
            column("lead_time_days", N, "days", "L; weekly: whole weeks", nullable=False, minimum=0),
            column("lead_time_sd_days", N, "days", "spread of L", nullable=False, minimum=0),
            column("review_period_days", N, "days", "R: to the next order date", nullable=False, minimum=0),
            column("min_order_qty", I, "units", "over all locations", nullable=False, minimum=0),
            column("pack_size", I, "units", "whole multiples", nullable=False, minimum=1),
            column("max_order_qty", I, "units", "largest order; null: none", minimum=0),
            column("expected_receipt_date", D, "", "of an order placed on D", nullable=False),
            column("next_order_date", D, "", "first order date after D", nullable=False),
            column("is_order_date", F, "", "D is an order date", nullable=False),
            column("flags", L, "", "default_supply, lead_time_rounded ...", nullable=False),
        ],
        "From whom, in what time and on what terms each SKU is ordered.",
    ),
    _table(
        "stg_stock_history",
        "sku location_id as_of_date",
        [
            _SKU,
            _LOCATION,
            key("as_of_date", "at the close of this day", dtype=D),
            column("on_hand", N, "units", "physical stock", nullable=False, minimum=0),
        ],
        "Every stock snapshot up to the run date; stg_stock holds the one in force.",
    ),
    _table(
        "excluded_lines",
        "order_line_id",
        [
            key("order_line_id", "order line"),
            column("order_id", S, "", "order"),
            _SKU,
            _LOCATION,
            column("ds", D, "", "period it was ordered in", nullable=False),
            column("units", N, "units", "left out of demand", nullable=False, minimum=0),
            column("reason", S, "", "why, as a code", nullable=False),
        ],
        "Order lines left out of demand: kept in the ledger, never deleted.",
    ),
    _table(
        "assortment",
        "sku location_id",
        [
            _SKU,
            _LOCATION,
            column(
                "status",
                S,
                "",
                "active items are forecast and planned",
                choices=("active", "ended", "not_product", "not_launched", "dormant", "superseded"),
                nullable=False,
            ),
            column("reason", S, "", "why it has that status", nullable=False),
            column("since_date", D, "", "since when"),
            column("first_sale_date", D, "", "first period with a sale"),
            column("last_sale_date", D, "", "last period with a sale"),
            column("launch_date", D, "", "first day on sale"),
            column("end_of_sale_date", D, "", "last day on sale"),
            column(
                "demand_class",
                S,
                "",
                "Syntetos-Boylan class",
                choices=("smooth", "erratic", "intermittent", "lumpy", "new", "dead"),
                nullable=False,
            ),
            column("regular_price", M, "currency", "regular selling price", minimum=0),
            column("unit_cost", M, "currency", "landed cost", minimum=0),
            column("style_id", S, "", "style"),
            column("title", S, "", "name", free_text=True),
            column("category", S, "", "category"),
            column("ip", S, "", "IP"),
            column("product_type", S, "", "type"),
            column("size", S, "", "size"),
            column("supplier_id", S, "", "supplier"),
            column("flags", L, "", "spike, demand_shift, return_unmatched, no_stock_history", nullable=False),
        ],
        "Every SKU and location that ever sold, has stock or an open order, or is soon to be launched.",
    ),
    _table(
        "trend_features",
        "element_type element region ds",
        [
            key("element_type", "ip, character, colour ..."),
            key("element", "element"),
            key("region", "region"),
            key("ds", "day whose close the feature is known at", dtype=D),
            column("heat", N, "", "level against its own past; 0 = neutral", nullable=False),
            column("attention", N, "", "log of the level against a fixed reference: only its changes mean anything"),
            column("growth", N, "", "change of the level; 0 = neutral", nullable=False),
            column("score", N, "", "heat, growth and breadth in one; 0 = neutral", nullable=False),
            column("is_stale", F, "", "neutralised: the source is stale or silent", nullable=False),
        ],
        "Trend features as known at the close of each day.",
    ),
    _table(
        "stg_signal_vintages",
        "date source region element_type element metric known_date",
        [
            key("date", "day it is about", dtype=D),
            key("source", "where it comes from"),
            key("region", "region"),
            key("element_type", "ip, character, colour ..."),
            key("element", "element"),
            key("metric", "searches, mentions, likes, saves, resale_price"),
            key("known_date", "day at whose close this value was first known", dtype=D),
            column("value", N, "", "as it stood from that day on", nullable=False),
            column("available_at", T, "", "as delivered"),
        ],
        "Every version of every signal up to the run date; stg_signals holds the last one only.",
    ),
    _table(
        "product_elements",
        "sku element_type element",
        [
            _SKU,
            key("element_type", "ip, character, product_type, colour, material or a name in attributes"),
            key("element", "element"),
        ],
        "The design elements that each product is made of.",
    ),
    _table(
        "new_item_priors",
        "sku region",
        [
            _SKU,
            key("region", "region"),
            column("p_hit", N, "0-1", "chance of a hit next quarter; null: no longer new", minimum=0, maximum=1),
            column(
                "level_ratio",
                N,
                "ratio",
                "demand foreseen from its elements over the usual of its category; 1 = usual",
                nullable=False,
                minimum=0,
            ),
            column("known_date", D, "", "day at whose close the level was foreseen", nullable=False),
        ],
        "The level of each style as foreseen before its first season, fitted on the seasons before that; of styles not "
        "sold yet tonight's. The forecast of launches reads it.",
    ),
    _table(
        "preorder_ledger",
        "preorder_id",
        [
            key("preorder_id", "preorder"),
            column("campaign_id", S, "", "campaign", nullable=False),
            column("sku", S, "", "SKU", nullable=False),
            column("location_id", S, "", "location", nullable=False),
            column("placed_at", T, "", "instant", nullable=False),
            column("cancelled_at", T, "", "instant, up to the run date"),
            column("quantity", I, "units", "placed", nullable=False, minimum=0),
            column("firm_qty", I, "units", "placed, within caps and not cancelled", nullable=False, minimum=0),
            column(
                "state",
                S,
                "",
                "state",
                choices=("placed", "cancelled", "firm", "allocated", "shipped", "refused"),
                nullable=False,
            ),
            column("buyer_ref", S, "", "pseudonym", person=True),
            column("reason", S, "", "why, as a code", nullable=False),
        ],
        "Preorders with the part of each that is a firm claim.",
    ),
    _table(
        "preorder_deposits",
        "preorder_id",
        [
            key("preorder_id", "preorder"),
            column("campaign_id", S, "", "campaign", nullable=False),
            _SKU,
            column("deposit_due", M, "currency", "for the firm units", nullable=False, minimum=0),
            column("deposit_paid", M, "currency", "paid", nullable=False, minimum=0),
            column("refund_amount", M, "currency", "to give back", nullable=False, minimum=0),
            column("held_amount", M, "currency", "kept until the shipment", nullable=False, minimum=0),
            column("offset_amount", M, "currency", "deducted from the price", nullable=False, minimum=0),
            column("forfeit_amount", M, "currency", "kept by the shop", nullable=False, minimum=0),
            column(
                "action", S, "", "what to do", choices=("deposit_held", "offset", "refund", "forfeit"), nullable=False
            ),
            column("reason", S, "", "why, as a code", nullable=False),
        ],
        "What becomes of each deposit; what was paid is split to the cent.",
    ),
    _table(
        "assortment_mix",
        "campaign_id sku variant_sku",
        [
            key("campaign_id", "campaign"),
            _SKU,
            key("variant_sku", "variant that a buyer may get"),
            column("stated_odds", N, "0-1", "as told to the buyers", nullable=False, minimum=0, maximum=1),
            column("pack_qty", I, "units", "of tonight's batch", nullable=False, minimum=0),
            column("packed_qty", I, "units", "received for the campaign", nullable=False, minimum=0),
            column("odds_p_value", N, "0-1", "exact goodness of fit of what was packed", minimum=0, maximum=1),
            column("odds_hold", F, "", "null while nothing is packed"),
        ],
        "Variants of random-assortment goods: what to pack, what was packed, whether the odds hold.",
    ),
    _table(
        "preorder_commitments",
        "campaign_id sku location_id",
        [
            key("campaign_id", "campaign"),
            _SKU,
            _LOCATION,
            column("firm_qty", I, "units", "firm claims", nullable=False, minimum=0),
            column("covered_qty", I, "units", "by a batch or a ring-fenced order", nullable=False, minimum=0),
            column("promise_date", D, "", "promised date"),
            column("is_open", F, "", "the campaign still takes preorders", nullable=False),
        ],
        "What preorders claim of the shop's supply.",
    ),
    _table(
        "demand_paths",
        "sku location_id",
        [
            _SKU,
            _LOCATION,
            column(
                "period_correlation", N, "", "AR(1) correlation of the copula", nullable=False, minimum=-1, maximum=1
            ),
            column("total_scale", N, "", "scale of path totals", nullable=False, minimum=0),
        ],
        "What it takes to draw sample paths of demand from the forecast quantiles.",
    ),
    _table(
        "series_accuracy",
        "sku location_id",
        [
            _SKU,
            _LOCATION,
            column("wape", N, "", "of the last 4 weeks, forecast before them", minimum=0),
            column("bias", N, "", "(forecast - actual) / actual"),
            column("n_windows", I, "", "windows judged", nullable=False, minimum=0),
            column("confidence", S, "", "trust", choices=("high", "medium", "low"), nullable=False),
        ],
        "Accuracy of each series.",
    ),
    _table(
        "inventory_positions",
        "sku location_id",
        [
            _SKU,
            _LOCATION,
            column("on_hand", N, "units", "physical stock", nullable=False, minimum=0),
            column("on_order", N, "units", "due within the protection period", nullable=False, minimum=0),
            column("backorders", N, "units", "owed to customers", nullable=False, minimum=0),
            column(
                "preorders_open",
                N,
                "units",
                "firm, promised within the protection period, not covered",
                nullable=False,
                minimum=0,
            ),
            column(
                "inventory_position", N, "units", "on_hand + on_order - backorders - preorders_open", nullable=False
            ),
            column("as_of_date", D, "", "day of the stock snapshot; null: no stock table"),
            column("is_stale", F, "", "older than the run date", nullable=False),
        ],
        "What we own, less what we owe.",
    ),
    _table(
        "overrides",
        "override_id",
        [
            key("override_id", "hash of the row"),
            column("kind", S, "", "layer", choices=("forecast", "order", "price"), nullable=False),
            column("sku", S, "", "SKU", nullable=False),
            column("location_id", S, "", "location; null: all"),
            column("from_date", D, "", "first day", nullable=False),
            column("to_date", D, "", "last day", nullable=False),
            column("operation", S, "", "what to do", choices=("set", "multiply", "add"), nullable=False),
            column("value", N, "", "with what", nullable=False),
            column("reason", S, "", "10 characters at least", nullable=False, free_text=True),
            column("role", S, "", "who"),
            column("expires_date", D, "", "not used after this day"),
        ],
        "Planners' overrides in force on the run date.",
    ),
    _table(
        "holds",
        "scope id",
        [
            key("scope", "shop, supplier or sku"),
            key("id", "which one; * for the shop"),
            column("reason", S, "", "why", nullable=False, free_text=True),
            column("expires_date", D, "", "not in force after this day"),
        ],
        "Hold switches in force on the run date.",
    ),
)
