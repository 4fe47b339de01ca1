"""The input tables: what a shop delivers, one statement each."""

from __future__ import annotations

from data.contracts.model import Column, DType, Mode, Table, TableKind, column

__all__ = ["INPUTS"]

S, D, T, M, I, N, F, J = (
    DType.STRING,
    DType.DATE,
    DType.TIMESTAMP,
    DType.MONEY,
    DType.INTEGER,
    DType.NUMBER,
    DType.FLAG,
    DType.JSON,
)
_MAX_UNITS = 1e8  # [units] beyond this a quantity is a slip, not an order
_MAX_PRICE = 1e8  # [currency] likewise (fault 56: 1e12)
_KEY_DEFAULTS = {
    "location_id": "main",
    "from_location_id": "main",
    "to_location_id": "main",
    "supplier_id": "-",
    "region": "*",
    "channel": "*",
    "source": "-",
    "ip": "*",
}


def _sku(required: bool = True) -> Column:
    return column("sku", S, "", "stock-keeping unit", required=required)


def _location(required: bool = False) -> Column:
    return column("location_id", S, "", "where it sells or lies; none: main", required=required)


def _price(name: str, doc: str, *, required: bool = False) -> Column:
    return column(name, M, "currency/unit", doc, required=required, minimum=0, maximum=_MAX_PRICE)


def _units(name: str, doc: str, *, dtype: DType = N, required: bool = False, minimum: float | None = 0) -> Column:
    return column(name, dtype, "units", doc, required=required, minimum=minimum, maximum=_MAX_UNITS)


def _days(name: str, doc: str, *, required: bool = False) -> Column:
    return column(name, N, "days", doc, required=required, minimum=0, maximum=3650)


def _table(
    name: str,
    mode: Mode,
    keys: str,
    columns: list[Column],
    doc: str,
    *,
    business_date: str | None = None,
    known_at: str | None = None,
    known_in_advance: bool = False,
    is_sales: bool = False,
) -> Table:
    names = {c.name for c in columns}
    return Table(
        name,
        TableKind.INPUT,
        tuple(keys.split()),
        tuple(columns),
        doc,
        mode=mode,
        business_date=business_date,
        known_at=known_at,
        known_in_advance=known_in_advance,
        is_sales=is_sales,
        key_defaults={k: v for k, v in _KEY_DEFAULTS.items() if k in names},
    )


INPUTS: tuple[Table, ...] = (
    _table(
        "products",
        Mode.SNAPSHOT,
        "sku",
        [
            column("as_of_date", D, "", "day the snapshot describes; absent: the delivery's date"),
            _sku(),
            column("style_id", S, "", "groups the sizes and colours of one design"),
            column("title", S, "", "name as shown to buyers", free_text=True),
            column("category", S, "", "category of the shop"),
            column("ip", S, "", "intellectual property (the anime, game or band)"),
            column("character", S, "", "character shown"),
            column("product_type", S, "", "badge, photo card, costume ..."),
            column("size", S, "", "size of apparel"),
            column("size_group", S, "", "standard, extended ..."),
            column("colour", S, "", "colour"),
            column("material", S, "", "main material"),
            column("attributes", J, "", "JSON object of design element -> value"),
            column("supplier_id", S, "", "supplier to order from"),
            _price("unit_cost", "landed cost"),
            _price("list_price", "regular price"),
            _price("salvage_value", "what a left-over unit brings"),
            _price("licensor_min_price", "lowest price the licensor allows"),
            column("royalty_share", N, "0-1", "licensor's share of revenue", minimum=0, maximum=1),
            column("licence_end_date", D, "", "last day it may be sold"),
            column("launch_date", D, "", "first day on sale"),
            column("end_of_sale_date", D, "", "last day on sale"),
            column("replaces_sku", S, "", "the SKU this one supersedes"),
        ],
        "What the shop sells. Absent: made from the SKUs that sold. Present: sales of other SKUs are quarantined.",
    ),
    _table(
        "locations",
        Mode.SNAPSHOT,
        "location_id",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            _location(required=True),
            column("region", S, "", "region of signals, weather and events"),
            column("climate_zone", S, "", "climate zone"),
            column("is_warehouse", F, "", "holds stock for other locations"),
        ],
        "Where the shop sells and stores.",
    ),
    _table(
        "suppliers",
        Mode.SNAPSHOT,
        "supplier_id",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            column("supplier_id", S, "", "supplier", required=True),
            column("name", S, "", "name", free_text=True),
            column("min_order_value", M, "currency", "smallest order accepted", minimum=0),
            _units("capacity_per_period", "most units per period"),
            column("freight_per_order", M, "currency", "fixed freight of one order", minimum=0),
        ],
        "Who delivers.",
    ),
    _table(
        "supply_terms",
        Mode.SNAPSHOT,
        "sku supplier_id",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            _sku(),
            column("supplier_id", S, "", "supplier; none: -"),
            _price("unit_cost", "landed cost"),
            _days("lead_time_days", "whole days on which nothing arrives"),
            _days("lead_time_sd_days", "standard deviation of the lead time"),
            column("min_order_qty", I, "units", "over all locations", minimum=0, maximum=_MAX_UNITS),
            column("pack_size", I, "units", "orders are whole multiples", minimum=1, maximum=_MAX_UNITS),
            column("max_order_qty", I, "units", "largest order", minimum=0, maximum=_MAX_UNITS),
        ],
        "Terms on which a supplier delivers a SKU.",
    ),
    _table(
        "supplier_calendar",
        Mode.UPSERT,
        "supplier_id closed_from_date",
        [
            column("supplier_id", S, "", "supplier", required=True),
            column("closed_from_date", D, "", "first closed day", required=True),
            column("closed_to_date", D, "", "last closed day", required=True),
        ],
        "Factory holidays.",
        known_in_advance=True,
    ),
    _table(
        "lanes",
        Mode.SNAPSHOT,
        "from_location_id to_location_id",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            column("from_location_id", S, "", "origin", required=True),
            column("to_location_id", S, "", "destination", required=True),
            _days("days", "transit time"),
            column("freight_per_unit", M, "currency/unit", "freight", minimum=0),
        ],
        "Between which locations stock can be moved.",
    ),
    _table(
        "bom",
        Mode.SNAPSHOT,
        "sku component_sku",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            _sku(),
            column("component_sku", S, "", "blank, fabric or packaging", required=True),
            _units("quantity", "of the component in one unit", required=True),
        ],
        "What a SKU is made of.",
    ),
    _table(
        "order_lines",
        Mode.EVENT,
        "order_line_id",
        [
            column("order_line_id", S, "", "absent: hash of source, content and n-th equal row of the file"),
            column("order_id", S, "", "order"),
            column("ordered_at", T, "", "instant of the order", required=True),
            _sku(),
            _location(),
            column("channel", S, "", "web, marketplace, live stream ..."),
            _units("quantity", "negative: a return", dtype=I, required=True, minimum=-_MAX_UNITS),
            _price("unit_price", "price paid; 0: gift or sample", required=True),
            _price("list_price", "regular price at the time"),
            column("promotion_id", S, "", "promotion that applied"),
            column("preorder_id", S, "", "the preorder this line ships"),
            column("buyer_ref", S, "", "buyer, pseudonymised on arrival", person=True),
            column("status", S, "", "paid, shipped, cancelled ..."),
        ],
        "Sales, one row per line of an order.",
        business_date="ordered_at",
        is_sales=True,
    ),
    _table(
        "period_sales",
        Mode.UPSERT,
        "sku location_id ds",
        [
            column("ds", D, "", "day, or first day of the week", required=True),
            _sku(),
            _location(),
            _units(
                "units", "gross sales; a negative number goes to returned_units", required=True, minimum=-_MAX_UNITS
            ),
            _price("unit_price", "average price paid"),
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
    _table(
        "returns",
        Mode.EVENT,
        "return_id",
        [
            column("return_id", S, "", "absent: hash of source, content and n-th equal row of the file"),
            column("returned_at", T, "", "instant it came back", required=True),
            _sku(),
            _location(),
            _units("quantity", "positive", dtype=I, required=True, minimum=1),
            column("reason", S, "", "size, fabric, damaged ...", free_text=True),
            column("order_line_id", S, "", "the line it was sold with"),
        ],
        "What buyers sent back.",
        business_date="returned_at",
    ),
    _table(
        "stock",
        Mode.SNAPSHOT,
        "sku location_id as_of_date",
        [
            column("as_of_date", D, "", "at the close of this day", required=True),
            _sku(),
            _location(),
            _units("on_hand", "physical stock, the day's receipts included", required=True),
            _units("backorders", "owed to customers"),
        ],
        "Physical stock at the close of a day.",
        business_date="as_of_date",
    ),
    _table(
        "purchase_orders",
        Mode.SNAPSHOT,
        "po_id sku location_id",
        [
            column("as_of_date", D, "", "day the snapshot describes; absent: the delivery's date"),
            column("po_id", S, "", "purchase order; absent: made from its other columns"),
            _sku(),
            _location(),
            column("supplier_id", S, "", "supplier; none: -"),
            column("ordered_date", D, "", "day it was placed"),
            column("expected_receipt_date", D, "", "first day it can be sold", required=True),
            _units("open_qty", "not received by then", required=True),
            column("proposal_id", S, "", "the proposal it answers"),
            column("campaign_id", S, "", "the preorder campaign it supplies"),
        ],
        "Orders placed and not yet received.",
        business_date="as_of_date",
    ),
    _table(
        "receipts",
        Mode.EVENT,
        "po_id sku received_date",
        [
            column("po_id", S, "", "purchase order"),
            _sku(),
            column("supplier_id", S, "", "supplier"),
            _location(),
            column("campaign_id", S, "", "preorder campaign"),
            column("ordered_date", D, "", "day it was placed"),
            column("received_date", D, "", "day it arrived", required=True),
            _units("received_qty", "what arrived", required=True),
        ],
        "What arrived, and when: real lead times and short shipments come from here.",
        business_date="received_date",
    ),
    _table(
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
    _table(
        "preorder_campaigns",
        Mode.SNAPSHOT,
        "campaign_id sku",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            column("campaign_id", S, "", "campaign", required=True),
            _sku(),
            column("opens_at", T, "", "first instant a preorder is taken", required=True),
            column("closes_at", T, "", "last instant a preorder is taken", required=True),
            column("promised_date", D, "", "date promised to buyers"),
            _units("min_batch_qty", "smallest batch", dtype=I),
            _units("max_batch_qty", "largest batch", dtype=I),
            column("latest_extension_date", D, "", "the close may move up to here"),
            column("cancel_cost", M, "currency", "cost of cancelling the campaign", minimum=0),
            _units("identity_cap", "most units per buyer", dtype=I),
            column(
                "allocation", S, "", "rule when supply is short", choices=("fifo", "uniform", "pro_rata", "lottery")
            ),
            _price("price", "preorder price"),
            _price("deposit", "paid on order"),
            column("cancellable", F, "", "buyers may cancel"),
        ],
        "Preorder campaigns, one row per SKU.",
    ),
    _table(
        "campaign_events",
        Mode.EVENT,
        "campaign_id at",
        [
            column("campaign_id", S, "", "campaign", required=True),
            column("state", S, "", "state entered", required=True),
            column("at", T, "", "instant of the move", required=True),
            column("seed_commitment", S, "", "hash of the lottery seed, published before"),
            column("ledger_root", S, "", "root hash of the ledger at the close"),
            column("seed", S, "", "lottery seed, published after"),
        ],
        "Moves of a campaign from state to state.",
        business_date="at",
    ),
    _table(
        "batch_tiers",
        Mode.SNAPSHOT,
        "campaign_id sku from_qty",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            column("campaign_id", S, "", "campaign", required=True),
            _sku(),
            _units("from_qty", "tier starts here", dtype=I, required=True),
            _price("unit_cost", "cost at this tier", required=True),
            column("setup_cost", M, "currency", "fixed cost of the batch", minimum=0),
        ],
        "Price tiers of a production batch.",
    ),
    _table(
        "preorders",
        Mode.UPSERT,
        "preorder_id",
        [
            column("preorder_id", S, "", "preorder", required=True),
            column("campaign_id", S, "", "campaign", required=True),
            _sku(),
            column("placed_at", T, "", "instant it was placed", required=True),
            _units("quantity", "units claimed", dtype=I, required=True, minimum=1),
            column("cancelled_at", T, "", "instant it was cancelled"),
            _location(),
            column("channel", S, "", "channel"),
            column("buyer_ref", S, "", "buyer, pseudonymised on arrival", person=True),
            column("deposit_paid", M, "currency", "deposit paid", minimum=0),
        ],
        "Preorders.",
        business_date="placed_at",
    ),
    _table(
        "prices",
        Mode.UPSERT,
        "sku location_id channel from_date",
        [
            _sku(),
            _location(),
            column("channel", S, "", "channel; none: *"),
            column("from_date", D, "", "first day in force", required=True),
            _price("price", "regular selling price in force", required=True),
        ],
        "Price history. Absent: products.list_price, else the median price paid on the last day it sold.",
        business_date="from_date",
    ),
    _table(
        "planned_prices",
        Mode.UPSERT,
        "sku location_id from_date",
        [
            _sku(),
            _location(),
            column("from_date", D, "", "first day in force", required=True),
            _price("price", "price already decided; holds until the next from_date", required=True),
        ],
        "Prices already decided for the future.",
        known_in_advance=True,
    ),
    _table(
        "signals",
        Mode.UPSERT,
        "date source region element_type element metric",
        [
            column("date", D, "", "day the signal describes", required=True),
            column("source", S, "", "where it was measured", required=True),
            column("region", S, "", "region; none: *"),
            column("element_type", S, "", "ip, character, colour, collar ...", required=True),
            column("element", S, "", "which one", required=True),
            column("metric", S, "", "searches, mentions, likes, saves, resale_price", required=True),
            column("value", N, "", "the figure", required=True),
            column("available_at", T, "", "instant it was known"),
        ],
        "Social trend signals by design element.",
        business_date="date",
        known_at="available_at",
    ),
    _table(
        "element_aliases",
        Mode.SNAPSHOT,
        "alias",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            column("alias", S, "", "as written by a source", required=True),
            column("element_type", S, "", "type of the element", required=True),
            column("element", S, "", "the element meant", required=True),
        ],
        "Other names of elements.",
    ),
    _table(
        "site_traffic",
        Mode.UPSERT,
        "date sku location_id channel",
        [
            column("date", D, "", "day", required=True),
            _sku(),
            _location(),
            column("channel", S, "", "channel; none: *"),
            column("page_views", N, "views", "views of the product page", minimum=0),
            column("add_to_cart", N, "units", "put into carts", minimum=0),
            column("dwell_seconds", N, "s", "mean time on the page", minimum=0),
            column("live_interactions", N, "", "chat messages in live streams", minimum=0),
        ],
        "What visitors did on the shop's own pages.",
        business_date="date",
    ),
    _table(
        "competitor_prices",
        Mode.UPSERT,
        "date sku competitor",
        [
            column("date", D, "", "day seen", required=True),
            _sku(),
            column("competitor", S, "", "who", required=True),
            _price("price", "their price", required=True),
        ],
        "Prices of others.",
        business_date="date",
    ),
    _table(
        "events",
        Mode.UPSERT,
        "name starts_date region ip",
        [
            column("name", S, "", "event", required=True),
            column("starts_date", D, "", "first day", required=True),
            column("ends_date", D, "", "last day", required=True),
            column("kind", S, "", "holiday, sale, convention, season ..."),
            column("region", S, "", "region; none: *"),
            column("ip", S, "", "IP concerned; none: *"),
        ],
        "Calendar of events, known in advance.",
        known_in_advance=True,
    ),
    _table(
        "weather",
        Mode.UPSERT,
        "date region",
        [
            column("date", D, "", "day; after the run date: a forecast", required=True),
            column("region", S, "", "region; none: *"),
            column("temperature_mean", N, "degC", "mean temperature", minimum=-80, maximum=60),
            column("precipitation", N, "mm", "precipitation", minimum=0, maximum=2000),
        ],
        "Weather by region; rows after the run date are forecasts.",
        known_in_advance=True,
    ),
    _table(
        "fx_rates",
        Mode.UPSERT,
        "date currency",
        [
            column("date", D, "", "day", required=True),
            column("currency", S, "", "ISO 4217 code", required=True),
            column("rate", N, "", "shop.currency per unit", required=True, minimum=0),
        ],
        "Exchange rates.",
        business_date="date",
    ),
)
