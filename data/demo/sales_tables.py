"""Sales, returns and preorders as the shop's systems export them: frames in the input contracts."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.bookings import DAY_SECONDS, OPENING_SECOND
from data.demo.campaigns import CampaignPlan
from data.demo.catalogue import LOCATIONS
from data.demo.streams import stream
from data.demo.world import World

__all__ = [
    "CATALOGUE_DAYS",
    "batch_tiers",
    "buyer_refs",
    "campaign_events",
    "campaign_table",
    "instants",
    "known_preorders",
    "line_ids",
    "order_lines",
    "preorder_ids",
    "returns_table",
]

CATALOGUE_DAYS = 45  # a product or campaign is registered this long before it starts [days]
_UTC_OFFSET_SECONDS = 8 * 3600  # Asia/Shanghai knows no daylight saving time
_BUYER_FACTOR, _BUYER_SPACE = 387_420_489, 10**9  # 3 ** 18: coprime with the space, so no two buyers collide
_TIERS = ((1, 1.0), (2, 0.94), (4, 0.88))  # (times the minimum batch, unit cost ratio)


def instants(start: date, second: NDArray[np.int64]) -> pl.Series:
    """Return UTC instants of local seconds since the midnight that began ``start`` in Shanghai."""
    first = int((datetime.combine(start, datetime.min.time()) - datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001
    micro = (second + first - _UTC_OFFSET_SECONDS) * 1_000_000
    return pl.Series(micro).cast(pl.Datetime("us", "UTC"))


def buyer_refs(number: pl.Expr) -> pl.Expr:
    """Return the references of buyer numbers: nothing in them tells new from old; null for negative numbers."""
    mixed = (number * _BUYER_FACTOR + 12_345) % _BUYER_SPACE
    return pl.when(number >= 0).then("u" + mixed.cast(pl.String).str.zfill(9))


def line_ids() -> pl.Expr:
    """Return the id of an order line from ``order_number`` and ``line_number``."""
    return _order_ids() + "-" + pl.col("line_number").cast(pl.String)


def _order_ids() -> pl.Expr:
    return "SO" + pl.col("order_number").cast(pl.String).str.zfill(8)


def preorder_ids(number: pl.Expr) -> pl.Expr:
    """Return preorder ids; null stays null."""
    return "PRE" + number.cast(pl.String).str.zfill(7)


def order_lines(world: World) -> pl.DataFrame:
    """Return ``order_lines`` in order of time, and beside them ``day`` and ``series``."""
    names = _series_names(world)
    promotions = world.prices.promotions["promotion_id"]
    promotion = world.lines["promotion"].to_numpy()
    shown = pl.Series("promotion_id", promotions.to_numpy()[np.maximum(promotion, 0)])
    at = instants(world.config.start_date, world.lines["second"].to_numpy())
    series = world.lines["series"].to_numpy()
    return world.lines.select(
        "day",
        "series",
        order_line_id=line_ids(),
        order_id=_order_ids(),
        ordered_at=at,
        sku=names["sku"][series],
        location_id=names["location_id"][series],
        channel=pl.col("channel"),
        quantity=pl.col("quantity"),
        unit_price=pl.col("unit_price"),
        list_price=pl.col("list_price"),
        promotion_id=pl.when(pl.col("promotion") >= 0).then(shown),
        preorder_id=preorder_ids(pl.col("preorder")),
        buyer_ref=buyer_refs(pl.col("buyer")),
        status=pl.col("status"),
    )


def _series_names(world: World) -> pl.DataFrame:
    """Return SKU and location of each series."""
    shop = world.shop
    places = np.array([name for name, *_ in LOCATIONS])
    return pl.DataFrame(
        {
            "sku": shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()],
            "location_id": places[shop.series["location"].to_numpy()],
        }
    )


def returns_table(world: World, lines: pl.DataFrame) -> pl.DataFrame:
    """Return ``returns`` in order of time, and ``day`` beside it; ``lines`` are all order lines."""
    back = world.returned.sort("return_second", "line")
    sold = lines.select("order_line_id", "sku", "location_id")[back["line"].to_numpy()]
    second = back["return_second"].to_numpy()
    return back.with_row_index("number", offset=1).select(
        day=pl.Series(second // DAY_SECONDS),
        return_id="RT" + pl.col("number").cast(pl.String).str.zfill(7),
        returned_at=instants(world.config.start_date, second),
        sku=sold["sku"],
        location_id=sold["location_id"],
        quantity=pl.col("quantity").cast(pl.Int64),
        reason=pl.col("reason"),
        order_line_id=sold["order_line_id"],
    )


def known_preorders(world: World) -> pl.DataFrame:
    """Return ``preorders`` as known at the close of D, and ``day``, ``planted`` beside them."""
    end = world.config.n_days * DAY_SECONDS
    booked = world.booked.preorders.filter(pl.col("second") < end)
    start = world.config.start_date
    ids = pl.Series([plan.campaign_id for plan in world.shop.campaigns])
    price = world.booked.terms.select("campaign", "sku_index", "deposit")
    booked = booked.join(price, on=["campaign", "sku_index"], how="left", maintain_order="left")
    cancel = booked["cancel_second"].to_numpy()
    cancelled_at = instants(start, np.maximum(cancel, 0))
    return booked.select(
        pl.Series("day", booked["second"].to_numpy() // DAY_SECONDS),
        "planted",
        preorder_id=preorder_ids(pl.col("preorder")),
        campaign_id=ids[booked["campaign"].to_numpy()],
        sku=world.shop.skus["sku"][booked["sku_index"].to_numpy()],
        placed_at=instants(start, booked["second"].to_numpy()),
        quantity=pl.col("quantity"),
        cancelled_at=pl.when(pl.col("cancel_second").is_between(0, end - 1)).then(cancelled_at),
        location_id=pl.lit("web"),
        channel=pl.lit("web"),
        buyer_ref=buyer_refs(pl.col("buyer")),
        deposit_paid=(pl.col("deposit") * pl.col("quantity")).round(2),
    )


def campaign_table(world: World, *, as_of_day: int) -> pl.DataFrame:
    """Return ``preorder_campaigns`` as the shop's system showed it on a day: campaigns announced by then."""
    config, rows = world.config, []
    for term in world.booked.terms.iter_rows(named=True):
        plan = world.shop.campaigns[term["campaign"]]
        if plan.open_day - 7 > as_of_day:
            continue
        rows.append(
            {
                "campaign_id": plan.campaign_id,
                "sku": world.shop.skus["sku"][term["sku_index"]],
                "opens_at": plan.open_day * DAY_SECONDS + OPENING_SECOND,
                "closes_at": (plan.close_day + 1) * DAY_SECONDS - 1,
                "promised_date": config.start_date + timedelta(plan.promised_day),
                "min_batch_qty": term["min_batch_qty"],
                "max_batch_qty": term["max_batch_qty"],
                "latest_extension_date": config.start_date + timedelta(plan.close_day + 14),
                "cancel_cost": round(40.0 + 0.5 * term["setup_cost"], 2),
                "identity_cap": world.booked.caps[term["campaign"]],
                "allocation": world.booked.rules[term["campaign"]],
                "price": term["price"],
                "deposit": term["deposit"],
                "cancellable": True,
            }
        )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.with_columns(
        opens_at=instants(config.start_date, frame["opens_at"].to_numpy()),
        closes_at=instants(config.start_date, frame["closes_at"].to_numpy()),
    ).sort("campaign_id", "sku")


def batch_tiers(world: World) -> pl.DataFrame:
    """Return ``batch_tiers``: larger batches cost less a unit."""
    rows = [
        {
            "campaign_id": world.shop.campaigns[term["campaign"]].campaign_id,
            "sku": world.shop.skus["sku"][term["sku_index"]],
            "from_qty": term["min_batch_qty"] * times,
            "unit_cost": round(term["unit_cost"] * ratio, 2),
            "setup_cost": term["setup_cost"],
        }
        for term in world.booked.terms.iter_rows(named=True)
        for times, ratio in _TIERS
    ]
    return pl.DataFrame(rows, infer_schema_length=None).sort("campaign_id", "sku", "from_qty")


def campaign_events(world: World) -> pl.DataFrame:
    """Return ``campaign_events`` known by D: every move of every campaign, lottery seeds as they became public."""
    end = world.config.n_days * DAY_SECONDS
    rng = stream(world.config.seed, "campaign_events")
    rows: list[dict[str, Any]] = []
    for number, plan in enumerate(world.shop.campaigns):
        is_lottery = world.booked.rules[number] == "lottery"
        seed = hashlib.sha256(f"{plan.campaign_id}:{int(rng.integers(2**31))}".encode()).hexdigest()
        for state, second in _moves(world, number, plan):
            if second < end:
                commitment = hashlib.sha256(seed.encode()).hexdigest() if is_lottery and state == "open" else None
                revealed = seed if is_lottery and state == "allocated" else None
                rows.append(
                    {"campaign_id": plan.campaign_id, "state": state, "second": second,
                     "seed_commitment": commitment, "seed": revealed}
                )  # fmt: skip
    frame = pl.DataFrame(rows, infer_schema_length=None).sort("second", "campaign_id")
    return frame.select(
        "campaign_id",
        "state",
        instants(world.config.start_date, frame["second"].to_numpy()).alias("at"),
        pl.col("seed_commitment").cast(pl.String),
        pl.lit(None, dtype=pl.String).alias("ledger_root"),
        pl.col("seed").cast(pl.String),
    )


def _moves(world: World, number: int, plan: CampaignPlan) -> list[tuple[str, int]]:
    """Return (state, second) of a campaign's moves, in order."""
    opened = plan.open_day * DAY_SECONDS + OPENING_SECOND
    moves = [("open", opened)]
    mine = world.booked.preorders.filter(pl.col("campaign") == number).sort("second")
    least = world.booked.terms.filter(pl.col("campaign") == number)["min_batch_qty"].sum()
    reached = mine.filter(pl.col("quantity").cum_sum() >= least)
    if len(reached) and plan.fate != "cancelled":
        moves.append(("threshold_met", max(opened + 1, int(reached["second"][0]))))
    if plan.fate == "open":
        return moves
    moves.append(("closed", (plan.close_day + 1) * DAY_SECONDS))
    commit = plan.commit_day * DAY_SECONDS + 11 * 3600
    if plan.fate == "cancelled":
        return [*moves, ("cancelled", commit)]
    if plan.fate == "waiting":
        return moves
    moves += [("committed", commit), ("in_production", commit + 2 * 3600)]
    if plan.fate == "fulfilled":
        at = plan.receive_day * DAY_SECONDS
        moves += [("received", at + 7 * 3600), ("allocated", at + 8 * 3600), ("shipped", at + 18 * 3600)]
    return moves
