"""Input tables: promises before stock: campaigns and the claims on them."""

from __future__ import annotations

from data.contracts.input_columns import (
    D,
    F,
    I,
    M,
    S,
    T,
    input_table,
    location_column,
    price_column,
    sku_column,
    units_column,
)
from data.contracts.model import Mode, Table, column

__all__ = ["PREORDERS"]

PREORDERS: tuple[Table, ...] = (
    input_table(
        "preorder_campaigns",
        Mode.SNAPSHOT,
        "campaign_id sku",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            column("campaign_id", S, "", "campaign", required=True),
            sku_column(),
            column("opens_at", T, "", "first instant a preorder is taken", required=True),
            column("closes_at", T, "", "last instant a preorder is taken", required=True),
            column("promised_date", D, "", "date promised to buyers"),
            units_column("min_batch_qty", "smallest batch", dtype=I),
            units_column("max_batch_qty", "largest batch", dtype=I),
            column("latest_extension_date", D, "", "the close may move up to here"),
            column("cancel_cost", M, "currency", "cost of cancelling the campaign", minimum=0),
            units_column("identity_cap", "most units per buyer", dtype=I),
            column(
                "allocation", S, "", "rule when supply is short", choices=("fifo", "uniform", "pro_rata", "lottery")
            ),
            price_column("price", "preorder price"),
            price_column("deposit", "paid on order"),
            column("cancellable", F, "", "buyers may cancel"),
        ],
        "Preorder campaigns, one row per SKU.",
    ),
    input_table(
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
    input_table(
        "batch_tiers",
        Mode.SNAPSHOT,
        "campaign_id sku from_qty",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            column("campaign_id", S, "", "campaign", required=True),
            sku_column(),
            units_column("from_qty", "tier starts here", dtype=I, required=True),
            price_column("unit_cost", "cost at this tier", required=True),
            column("setup_cost", M, "currency", "fixed cost of the batch", minimum=0),
        ],
        "Price tiers of a production batch.",
    ),
    input_table(
        "preorders",
        Mode.UPSERT,
        "preorder_id",
        [
            column("preorder_id", S, "", "preorder", required=True),
            column("campaign_id", S, "", "campaign", required=True),
            sku_column(),
            column("placed_at", T, "", "instant it was placed", required=True),
            units_column("quantity", "units claimed", dtype=I, required=True, minimum=1),
            column("cancelled_at", T, "", "instant it was cancelled"),
            location_column(),
            column("channel", S, "", "channel"),
            column("buyer_ref", S, "", "buyer, pseudonymised on arrival", person=True),
            column("deposit_paid", M, "currency", "deposit paid", minimum=0),
        ],
        "Preorders.",
        business_date="placed_at",
    ),
)
