"""Preorder bookings: who books when, who cancels, and what each campaign comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.campaigns import CampaignPlan
from data.demo.catalogue import Catalogue
from data.demo.config import DemoConfig
from data.demo.streams import stream
from data.demo.suppliers import SUPPLIERS

__all__ = ["DAY_SECONDS", "OPENING_SECOND", "Bookings", "booking_fractions", "bookings", "campaign_sample"]

DAY_SECONDS = 86_400
OPENING_SECOND = 20 * 3600  # campaigns open at 20:00 local time
_CANCEL_SHARE, _CANCEL_AFTER_DAYS = 0.10, 6.0
_KNOWN_SHARE = 0.6  # of those who book have bought before (0-1)
_NEW_BUYERS_FROM = 500_000_000  # buyer numbers of those who never bought before
_STOCK_ON_TOP = 1.12  # the batch holds this much more than the firm preorders [ratio]


@dataclass(frozen=True)
class Bookings:
    """Everything booked, the future included; what a run may see is cut later.

    Attributes:
        preorders: ``preorder``, ``campaign``, ``sku_index``, ``second`` (since the start, local), ``cancel_second``
            (-1: never), ``quantity``, ``buyer``, ``planted`` (null, above_cap, one_second_apart).
        terms: by campaign and SKU: ``campaign``, ``sku_index``, ``price``, ``deposit``, ``unit_cost``,
            ``min_batch_qty``, ``max_batch_qty``, ``setup_cost``.
        batches: as :func:`data.demo.inventory.inventory` takes them.
        caps: identity cap by campaign [units].
        rules: allocation rule by campaign.
    """

    preorders: pl.DataFrame
    terms: pl.DataFrame
    batches: pl.DataFrame
    caps: list[int]
    rules: list[str]


def booking_fractions(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return when preorders come, as shares of the campaign's length (0-1), shape (count,): a U with a long middle."""
    rush, last = rng.uniform(0.2, 0.45), rng.uniform(0.1, 0.3)
    draw = rng.random(count)
    middle = rng.random(count)
    opening = np.minimum(rng.exponential(0.04, count), 1.0)
    closing = 1.0 - np.minimum(rng.exponential(0.05, count), 1.0)
    return np.where(draw < rush, opening, np.where(draw < rush + last, closing, middle)) * 0.999


def bookings(config: DemoConfig, shop: Catalogue) -> Bookings:
    """Return the preorders of every campaign, and the batches they lead to."""
    rng = stream(config.seed, "bookings")
    preorders: list[pl.DataFrame] = []
    terms: list[dict[str, Any]] = []
    batches: list[dict[str, Any]] = []
    caps = [int(rng.choice([2, 3, 5])) for _ in shop.campaigns]
    rules = [str(rng.choice(["fifo", "uniform", "pro_rata", "lottery"])) for _ in shop.campaigns]
    for number, plan in enumerate(shop.campaigns):
        skus = np.flatnonzero(shop.skus["style"].to_numpy() == plan.style_index)
        placed = _placed(config, shop, plan, skus, caps[number], rng)
        preorders.append(placed.with_columns(campaign=pl.lit(number)))
        rows = _terms(shop, plan, skus, placed, rng)
        terms += [{"campaign": number, **row} for row in rows]
        if plan.receive_day >= 0:
            batches += _batches(shop, plan, placed, rows)
    every = pl.concat(preorders).sort("second", "campaign", "buyer").with_row_index("preorder", offset=1)
    return Bookings(every, pl.DataFrame(terms), pl.DataFrame(batches), caps, rules)


def _placed(
    config: DemoConfig,
    shop: Catalogue,
    plan: CampaignPlan,
    skus: NDArray[np.int64],
    cap: int,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return the preorders of one campaign over its whole length."""
    volume = config.campaign_volume * float(rng.lognormal(0.0, 0.5)) * (0.3 if plan.fate == "cancelled" else 1.0)
    count = max(12, int(rng.poisson(volume / 1.2)))
    opens, closes = plan.open_day * DAY_SECONDS + OPENING_SECOND, (plan.close_day + 1) * DAY_SECONDS - 1
    second = opens + (booking_fractions(count, rng) * (closes - opens)).astype(np.int64)
    share = shop.skus["size_share"].to_numpy()[skus]
    quantity = np.minimum(rng.choice([1, 2, 3], count, p=[0.84, 0.13, 0.03]), cap)
    known = rng.random(count) < _KNOWN_SHARE
    buyer = np.where(
        known, rng.integers(0, config.buyers_at_start, count), _NEW_BUYERS_FROM + rng.integers(0, 10**8, count)
    )
    cancel = second + (rng.exponential(_CANCEL_AFTER_DAYS, count) * DAY_SECONDS).astype(np.int64) + 600
    stays = (rng.random(count) >= _CANCEL_SHARE) | (cancel >= plan.commit_day * DAY_SECONDS)
    frame = pl.DataFrame(
        {
            "sku_index": rng.choice(skus, count, p=share / share.sum()),
            "second": second,
            "cancel_second": np.where(stays, -1, cancel),
            "quantity": quantity,
            "buyer": buyer,
        }
    )
    frame = frame.unique("buyer", keep="first", maintain_order=True)  # one preorder a person: the cap holds
    planted = pl.lit(None, dtype=pl.String)
    if plan.fate != "open":
        return frame.with_columns(planted=planted)
    last = (config.n_days - 1) * DAY_SECONDS
    above = frame.filter(pl.col("second") < last).head(1)
    above = above.with_columns(
        quantity=pl.lit(cap + 4, dtype=pl.Int64), buyer=pl.col("buyer") + 10**8, planted=pl.lit("above_cap")
    )
    twin = frame.filter(pl.col("second") < last).slice(3, 1)
    twin = twin.with_columns(
        second=pl.col("second") + 1, quantity=pl.lit(1, dtype=pl.Int64), planted=pl.lit("one_second_apart")
    )
    return pl.concat([frame.with_columns(planted=planted), above, twin])


def _terms(
    shop: Catalogue, plan: CampaignPlan, skus: NDArray[np.int64], placed: pl.DataFrame, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return price, cost and batch limits of each SKU of a campaign."""
    style = shop.styles.row(plan.style_index, named=True)
    total = int(placed["quantity"].sum())
    ask = {"cancelled": 1.6, "fulfilled": 0.55, "in_production": 0.5, "waiting": 0.8}.get(
        plan.fate, rng.uniform(0.5, 1.2)
    )
    price = round(style["price"] * 0.9, 1)
    setup = float(rng.choice([0, 800, 1500]))
    rows: list[dict[str, Any]] = []
    for sku in skus:
        least = max(5, round(float(ask) * total * float(shop.skus["size_share"][int(sku)]) / 5) * 5)
        rows.append(
            {
                "sku_index": int(sku),
                "price": price,
                "deposit": round(price * 0.3, 1),
                "unit_cost": style["unit_cost"],
                "min_batch_qty": least,
                "max_batch_qty": 8 * least,
                "setup_cost": setup,
            }
        )
    return rows


def _batches(
    shop: Catalogue, plan: CampaignPlan, placed: pl.DataFrame, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the batch of each SKU: the firm preorders and some stock, at least the minimum."""
    firm = dict(placed.filter(pl.col("cancel_second") < 0).group_by("sku_index").agg(pl.col("quantity").sum()).rows())
    series = {s: i for i, (s, p) in enumerate(shop.series.select("sku_index", "location").rows()) if p == 0}
    ids = [s.supplier_id for s in SUPPLIERS]
    found: list[dict[str, Any]] = []
    for row in rows:
        sku = int(row["sku_index"])
        wanted = int(firm.get(sku, 0))
        batch = max(int(np.ceil(wanted * _STOCK_ON_TOP)), int(row["min_batch_qty"]))
        if plan.campaign_id.endswith("5"):  # the factory could not make enough: somebody goes without
            batch = max(1, int(wanted * 0.9))
        found.append(
            {
                "series": series[sku],
                "campaign_id": plan.campaign_id,
                "supplier": ids.index(plan.supplier_id),
                "commit_day": plan.commit_day,
                "expected_day": plan.promised_day - 14,
                "receive_day": plan.receive_day,
                "batch_qty": batch,
                "ship_qty": min(batch, wanted),
            }
        )
    return found


def campaign_sample(n_campaigns: int, *, seed: int, volume: float = 420.0) -> pl.DataFrame:
    """Return preorders of many independent campaigns, for judging booking curves and intervals.

    Returns:
        ``campaign`` [0 .. n-1], ``length_days``, ``day`` (day of the campaign the preorder came, 0 first),
        ``cancel_day`` (null: kept), ``quantity`` [units].

    Example:
        >>> campaign_sample(3, seed=1)["campaign"].n_unique()
        3
    """
    rng = stream(seed, "campaign_sample")
    parts = []
    for number in range(n_campaigns):
        length = int(rng.integers(14, 36))
        count = max(12, int(rng.poisson(volume * float(rng.lognormal(0.0, 0.5)) / 1.2)))
        day = booking_fractions(count, rng) * length
        cancel = day + rng.exponential(_CANCEL_AFTER_DAYS, count)
        kept = (rng.random(count) >= _CANCEL_SHARE) | (cancel >= length)
        parts.append(
            pl.DataFrame(
                {
                    "campaign": np.full(count, number),
                    "length_days": np.full(count, length),
                    "day": day,
                    "cancel_day": np.where(kept, np.nan, cancel),
                    "quantity": rng.choice([1, 2, 3], count, p=[0.84, 0.13, 0.03]),
                }
            ).with_columns(pl.col("cancel_day").fill_nan(None))
        )
    return pl.concat(parts).sort("campaign", "day")
