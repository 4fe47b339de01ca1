"""The plan of the night for preorders: batches, allocations, promises and what they claim of the shop's supply.

Pure: frames in, frames out. ``preorder/step.py`` reads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from preorder.batches import (
    BatchCase,
    BatchSize,
    Decision,
    DecisionReason,
    Tier,
    batch_size,
    decide,
    extended,
    p_min_batch_met,
)
from preorder.booking_curve import N_POINTS, BookingCurve
from preorder.bookings import Bookings, bookings_of
from preorder.campaigns import FINISHED_STATES, TAKING_STATES, CampaignHistory, State, campaign_states
from preorder.config import PreorderConfig
from preorder.late_demand import late_demand
from preorder.ledger import LedgerState, identities
from preorder.promise import Delays, delay_outcomes, promise_date, real_delays, remaining_outcomes

__all__ = ["CampaignPlan", "PlanInputs", "campaign_plans"]

Floats = npt.NDArray[np.float64]
Key = tuple[str, str]
Row = dict[str, Any]

_KEY = ["campaign_id", "sku"]
_USUAL_LEAD_TIME_DAYS = 14.0  # [days] where the shop states no lead time at all, as planning.default_supply


@dataclass(frozen=True)
class PlanInputs:
    """What the plan is made of; frames as their contracts, cut to what the run date may know."""

    ledger: pd.DataFrame
    campaigns: pd.DataFrame
    histories: dict[str, CampaignHistory]
    tiers: pd.DataFrame
    receipts: pd.DataFrame
    purchase_orders: pd.DataFrame
    supply: pd.DataFrame  # item_supply
    products: pd.DataFrame
    shipped: pd.Series  # units by preorder_id
    late_ratios: pd.Series  # demand after the close over final volume, by past campaign and SKU
    on_sale: frozenset[str]  # SKUs that the restock plan covers
    previous: pd.DataFrame | None  # preorder_allocations of the last published run
    run_date: date
    known_until: pd.Timestamp
    timezone: ZoneInfo


@dataclass(frozen=True)
class CampaignPlan:
    """What is decided for one campaign and SKU tonight."""

    campaign_id: str
    sku: str
    state: State
    since: pd.Timestamp | None
    case: BatchCase
    size: BatchSize
    decision: Decision
    reason: DecisionReason
    booked: int
    cancelled: int
    identities: int
    p_min_batch: float
    commit_by_date: date
    order_date: date
    outcomes: Floats
    received: int
    on_order: int
    batch_id: str | None
    promised_date: date | None

    @property
    def promise_p50(self) -> date:
        """Median date from which the units can be shipped."""
        return promise_date(self.order_date, self.outcomes, 0.5)

    @property
    def promise_p90(self) -> date:
        """Date by which the units can be shipped with 90% probability."""
        return promise_date(self.order_date, self.outcomes, 0.9)

    @property
    def is_awaited(self) -> bool:
        """True while units are still to come: neither finished nor fully received."""
        return self.state not in FINISHED_STATES and not (self.received > 0 and self.on_order == 0)

    def is_in_force(self, run_date: date, keep_days: int) -> bool:
        """Return whether the campaign still belongs in the tables: not finished, or only lately."""
        if self.state not in FINISHED_STATES or self.since is None:
            return True
        return (pd.Timestamp(run_date, tz="UTC") - self.since).days <= keep_days


def campaign_plans(inputs: PlanInputs, *, config: PreorderConfig) -> list[CampaignPlan]:
    """Return the plan of every campaign and SKU, ordered by both."""
    book = _Book(inputs)
    keys = zip(inputs.campaigns["campaign_id"].astype(str), inputs.campaigns["sku"].astype(str), strict=True)
    firm = pd.Series([int(book.totals.get(k, {}).get("firm", 0)) for k in keys], index=inputs.campaigns.index)
    states = campaign_states(inputs.campaigns, inputs.histories, firm, known_until=inputs.known_until)
    curve = BookingCurve(_bookings(inputs, states), config=config)
    rows = inputs.campaigns.assign(state=states).sort_values(_KEY, kind="stable")
    return [_plan(row, inputs, book, curve, config) for row in _records(rows)]


class _Book:
    """Everything of the inputs by campaign and SKU, looked up once."""

    def __init__(self, inputs: PlanInputs) -> None:
        self.totals = _ledger_totals(inputs.ledger)
        self.pace = _recent_units(inputs)
        self.tiers = _tiers(inputs.tiers)
        receipts = inputs.receipts[inputs.receipts["campaign_id"].notna()]
        self.received = _sums(receipts, "received_qty")
        self.last_receipt = _last(receipts.sort_values(["received_date", "po_id"], kind="stable"))
        orders = inputs.purchase_orders[inputs.purchase_orders["campaign_id"].notna()]
        orders = orders[orders["open_qty"] > 0]
        self.on_order = _sums(orders, "open_qty")
        self.orders = _last(orders.sort_values(["expected_receipt_date", "po_id"], kind="stable"))
        self.supply: dict[str, Row] = {str(r["sku"]): r for r in _records(inputs.supply)}
        self.salvage: dict[str, Any] = dict(zip(inputs.products["sku"], inputs.products["salvage_value"], strict=True))
        stated = inputs.supply.set_index("sku")["lead_time_days"].astype(float)
        self.usual_days = float(stated.median()) if len(stated) else _USUAL_LEAD_TIME_DAYS
        self.delays: Delays = real_delays(inputs.receipts, stated)


def _records(frame: pd.DataFrame) -> list[Row]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _sums(frame: pd.DataFrame, column: str) -> dict[Key, int]:
    sums = frame.groupby(_KEY, as_index=False, sort=True).agg({column: "sum"})
    return {(str(r["campaign_id"]), str(r["sku"])): int(r[column]) for r in _records(sums)}


def _last(frame: pd.DataFrame) -> dict[Key, Row]:
    return {(str(r["campaign_id"]), str(r["sku"])): r for r in _records(frame)}


def _ledger_totals(ledger: pd.DataFrame) -> dict[Key, Row]:
    cancelled = ledger["state"].eq(LedgerState.CANCELLED)
    rows = ledger.assign(
        cancelled=ledger["quantity"].where(cancelled, 0),
        firm=ledger["firm_qty"],
        identity=identities(ledger).where(ledger["firm_qty"] > 0),
    )
    totals = rows.groupby(_KEY, as_index=False, sort=True).agg(
        booked=("quantity", "sum"),
        cancelled=("cancelled", "sum"),
        firm=("firm", "sum"),
        identities=("identity", "nunique"),
    )
    return _last(totals)


def _recent_units(inputs: PlanInputs) -> pd.DataFrame:
    """Firm units with the instant they were placed: the pace of the last days comes from them."""
    rows = inputs.ledger[inputs.ledger["firm_qty"] > 0]
    return rows[[*_KEY, "placed_at", "firm_qty"]]


def _tiers(tiers: pd.DataFrame) -> dict[Key, tuple[Tier, ...]]:
    ordered = tiers.sort_values([*_KEY, "from_qty"], kind="stable")
    return {
        (str(campaign), str(sku)): tuple(
            Tier(int(t["from_qty"]), float(t["unit_cost"]), _number(t["setup_cost"]) or 0.0)
            for t in group.to_dict("records")
        )
        for (campaign, sku), group in ordered.groupby(_KEY, sort=True)
    }


def _bookings(inputs: PlanInputs, states: pd.Series) -> Bookings:
    """Preorders of all campaigns as they were booked, within the caps."""
    is_closed = ~states.isin(list(TAKING_STATES))
    kinds = [c for c in ("ip", "product_type") if c in inputs.products.columns]
    items = inputs.campaigns[[*_KEY, "opens_at", "closes_at"]]
    items = items.merge(inputs.products[["sku", *kinds]].drop_duplicates("sku"), on="sku", how="left")
    booked = inputs.ledger["firm_qty"].where(
        inputs.ledger["state"].ne(LedgerState.CANCELLED), inputs.ledger["quantity"]
    )
    # a campaign that was called off never booked its final volume by its buyers' choice: it teaches all the same,
    # for its preorders count as booked up to their own cancellation
    preorders = inputs.ledger.assign(quantity=booked)
    return bookings_of(items, preorders, known_until=inputs.known_until, is_closed=is_closed.to_numpy(dtype=bool))


def _number(value: Any) -> float | None:
    number = float(value) if isinstance(value, int | float | np.number) else float("nan")
    return number if np.isfinite(number) else None


def _day(value: Any) -> date | None:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()


def _plan(row: Row, inputs: PlanInputs, book: _Book, curve: BookingCurve, config: PreorderConfig) -> CampaignPlan:
    campaign, sku = str(row["campaign_id"]), str(row["sku"])
    key, state = (campaign, sku), State(str(row["state"]))
    totals = book.totals.get(key, {})
    firm = int(totals.get("firm", 0))
    received, on_order = book.received.get(key, 0), book.on_order.get(key, 0)
    volume = curve.final_volume(key, firm=float(firm))
    case = _case(row, firm, volume, inputs, book, config)
    size = batch_size(case)
    order_date, outcomes = _delays_of(key, inputs, book, config)
    close_day = pd.Timestamp(row["closes_at"]).tz_convert(inputs.timezone).date()
    promised = _day(row["promised_date"])
    commit_by = _commit_by(promised, outcomes) or close_day
    pace = _pace(book.pace, key, row, config)
    decision, reason = decide(
        case,
        size,
        state=state,
        has_supply=received + on_order > 0,
        run_date=inputs.run_date,
        commit_by_date=commit_by,
        latest_extension_date=_day(row["latest_extension_date"]),
        pace_per_day=pace,
        config=config,
    )
    if decision is Decision.EXTEND:  # what it may still come to, not what it closed with
        last = _day(row["latest_extension_date"]) or inputs.run_date
        case = extended(case, expected=pace * (last - inputs.run_date).days)
        size = batch_size(case)
    if order_date is None:
        order_date = _expected_order_date(decision, inputs.run_date, close_day, commit_by, row)
    history = inputs.histories[campaign]
    return CampaignPlan(
        campaign_id=campaign,
        sku=sku,
        state=state,
        since=history.since,
        case=case,
        size=size,
        decision=decision,
        reason=reason,
        booked=int(totals.get("booked", 0)),
        cancelled=int(totals.get("cancelled", 0)),
        identities=int(totals.get("identities", 0)),
        p_min_batch=p_min_batch_met(case.volume, case.min_batch_qty),
        commit_by_date=commit_by,
        order_date=order_date,
        outcomes=outcomes,
        received=received,
        on_order=on_order,
        batch_id=_batch_id(key, book),
        promised_date=promised,
    )


def _case(
    row: Row,
    firm: int,
    volume: Floats,
    inputs: PlanInputs,
    book: _Book,
    config: PreorderConfig,
) -> BatchCase:
    campaign, sku = str(row["campaign_id"]), str(row["sku"])
    tiers = book.tiers.get((campaign, sku), ())
    if not tiers and sku in book.supply:
        cost = _number(book.supply[sku]["unit_cost"])
        tiers = () if cost is None else (Tier(0, cost),)
    late = np.zeros(N_POINTS)
    if sku not in inputs.on_sale:  # else the restock plan covers ordinary demand, and the batch would count it twice
        late = late_demand(float(np.median(volume)), inputs.late_ratios, config=config)
    max_batch = _number(row["max_batch_qty"])
    return BatchCase(
        firm=firm,
        volume=volume,
        late=late,
        min_batch_qty=int(_number(row["min_batch_qty"]) or 0),
        max_batch_qty=None if max_batch is None else int(max_batch),
        tiers=tiers,
        price=_number(row["price"]),
        salvage_value=_number(book.salvage.get(sku)) or 0.0,
        cancel_cost=_number(row["cancel_cost"]) or 0.0,
    )


def _commit_by(promised: date | None, outcomes: Floats) -> date | None:
    """The last day to order on, that nine batches in ten arrive by the promised one; None: nothing was promised."""
    if promised is None:
        return None
    return promised - timedelta(days=int(np.ceil(np.quantile(outcomes, 0.9) - 1e-9)))


def _delays_of(key: Key, inputs: PlanInputs, book: _Book, config: PreorderConfig) -> tuple[date | None, Floats]:
    """The day the batch was ordered (None: not yet) and the outcomes of its delay."""
    terms = book.supply.get(key[1])
    supplier = None if terms is None else str(terms["supplier_id"])
    stated = book.usual_days if terms is None else float(terms["lead_time_days"])
    spread = 0.0 if terms is None else float(terms["lead_time_sd_days"])
    order = book.orders.get(key)
    if order is None:
        return None, delay_outcomes(stated, spread, supplier, book.delays, config=config)
    supplier = supplier if pd.isna(order["supplier_id"]) else str(order["supplier_id"])
    ordered = _day(order["ordered_date"]) or inputs.run_date
    expected = _day(order["expected_receipt_date"])
    if expected is not None and expected > ordered:
        stated = (expected - ordered).days - 1.0
    outcomes = delay_outcomes(stated, spread, supplier, book.delays, config=config)
    return ordered, remaining_outcomes(outcomes, (inputs.run_date - ordered).days)


def _expected_order_date(decision: Decision, run_date: date, close_day: date, commit_by: date, row: Row) -> date:
    """When the batch will be ordered if it is not yet: tonight, at the close, or after the extension."""
    if decision is Decision.EXTEND:
        return max(_day(row["latest_extension_date"]) or run_date, run_date)
    if decision is Decision.WAIT:
        return max(run_date, min(close_day, max(commit_by, run_date)))
    return run_date


def _pace(units: pd.DataFrame, key: Key, row: Row, config: PreorderConfig) -> float:
    """Firm units a day over the last days before the close [units/day]."""
    since = pd.Timestamp(row["closes_at"]) - pd.Timedelta(days=config.pace_days)
    mine = units[(units["campaign_id"] == key[0]) & (units["sku"] == key[1]) & (units["placed_at"] > since)]
    return float(mine["firm_qty"].sum()) / config.pace_days


def _batch_id(key: Key, book: _Book) -> str | None:
    row = book.last_receipt.get(key) or book.orders.get(key)
    return None if row is None or pd.isna(row["po_id"]) else str(row["po_id"])
