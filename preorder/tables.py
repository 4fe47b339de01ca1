"""The tables of the plan: batches, allocations, promise changes and commitments, in the shape of their contracts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from preorder.allocation import Rule, allocate, seed_matches, tickets
from preorder.batches import Decision
from preorder.campaigns import TAKING_STATES, CampaignHistory, State
from preorder.config import PreorderConfig
from preorder.ledger import LedgerReason, LedgerState, identities, ledger_lines, ledger_root
from preorder.plan import CampaignPlan, PlanInputs
from preorder.promise import Cause, Outlook, renewed

__all__ = ["AllocationReason", "PlanTables", "plan_tables"]


class AllocationReason(StrEnum):
    """Why a preorder has what it has."""

    SERVED = "served"
    SHIPPED = "shipped"
    PARTLY_SERVED = "partly_served"
    SHORT_SUPPLY = "short_supply"
    NOT_RECEIVED = "not_received"
    STILL_OPEN = "still_open"
    SEED_NOT_REVEALED = "seed_not_revealed"  # the lottery waits for its seed
    SEED_REFUSED = "seed_refused"  # the seed revealed is not the one committed to
    CANCELLED = "cancelled"
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    REFUSED = "refused"


@dataclass(frozen=True)
class PlanTables:
    """What the step writes, and what it reports beside it."""

    batch_plan: pd.DataFrame
    preorder_allocations: pd.DataFrame
    promise_changes: pd.DataFrame
    preorder_commitments: pd.DataFrame
    supply: pd.Series  # units to hand out by campaign and SKU
    bad_seeds: tuple[str, ...]


def plan_tables(plans: list[CampaignPlan], inputs: PlanInputs, *, config: PreorderConfig) -> PlanTables:
    """Return the tables of the night for these plans."""
    kept = [p for p in plans if p.is_in_force(inputs.run_date, config.keep_finished_days)]
    rows = dict(list(inputs.ledger.groupby(["campaign_id", "sku"], sort=True)))
    empty = inputs.ledger.iloc[:0]
    told = _told(inputs.previous)
    roots = _roots(kept, inputs)
    lines = _line_numbers(inputs.ledger)
    frames, bad = [], []
    for plan in kept:
        history = inputs.histories[plan.campaign_id]
        claims = rows.get((plan.campaign_id, plan.sku), empty)
        served, refusal = _served(claims, plan, history, inputs, roots.get(plan.campaign_id, ""))
        if refusal is AllocationReason.SEED_REFUSED:
            bad.append(plan.campaign_id)
        frames.append(_allocations(claims, served, refusal, plan, told, inputs, config))
    every = pd.concat(frames, ignore_index=True) if frames else _no_allocations()
    every = every.assign(ledger_line=every["preorder_id"].map(lines).astype("Int64"))
    supply = pd.Series({(p.campaign_id, p.sku): p.received for p in kept}, dtype="int64")
    return PlanTables(
        _batch_plan(kept, inputs, roots),
        every.drop(columns=["before", "cause", "must_tell", "shipped", "location_id", "is_live"]),
        _promise_changes(every),
        _commitments(every, kept),
        supply,
        tuple(sorted(set(bad))),
    )


def _no_allocations() -> pd.DataFrame:
    columns = ["preorder_id", "campaign_id", "sku", "claimed_qty", "allocated_qty", "backlog_qty", "batch_id"]
    more = ["promise_date", "reason", "before", "cause", "must_tell", "shipped", "location_id", "is_live"]
    none = pd.DataFrame({c: pd.Series(dtype=object) for c in [*columns, *more]})
    return none.astype({"is_live": bool, "must_tell": bool, "claimed_qty": "int64", "shipped": "int64"})


def _roots(plans: list[CampaignPlan], inputs: PlanInputs) -> dict[str, str]:
    """The ledger root of every campaign that takes no more preorders: the published one, else as it stands."""
    closed = sorted({p.campaign_id for p in plans if p.state not in TAKING_STATES})
    groups = dict(list(inputs.ledger[inputs.ledger["campaign_id"].isin(closed)].groupby("campaign_id")))
    empty = inputs.ledger.iloc[:0]
    return {c: inputs.histories[c].ledger_root or ledger_root(groups.get(c, empty)) for c in closed}


def _line_numbers(ledger: pd.DataFrame) -> pd.Series:
    """The place of each preorder in the ledger of its campaign, by ``preorder_id``."""
    lines = ledger_lines(ledger)
    return pd.Series(lines.groupby("campaign_id").cumcount().to_numpy() + 1, index=lines["preorder_id"])


def _batch_plan(plans: list[CampaignPlan], inputs: PlanInputs, roots: dict[str, str]) -> pd.DataFrame:
    rows = []
    for p in plans:
        history = inputs.histories[p.campaign_id]
        made = p.decision is Decision.PRODUCE
        tier = p.size.tier
        rows.append(
            {
                "campaign_id": p.campaign_id,
                "sku": p.sku,
                "units_booked": p.booked,
                "units_cancelled": p.cancelled,
                "units_firm": p.case.firm,
                "identities": p.identities,
                "forecast_final_p10": float(np.quantile(p.case.volume, 0.1)),
                "forecast_final_p50": float(np.quantile(p.case.volume, 0.5)),
                "forecast_final_p90": float(np.quantile(p.case.volume, 0.9)),
                "p_min_batch_met": p.p_min_batch,
                "batch_qty": p.size.qty if made else 0,
                "tier_from_qty": None if tier is None else tier.from_qty,
                "unit_cost": None if tier is None else tier.unit_cost,
                "decision": p.decision.value,
                "reason": p.reason.value,
                "commit_by_date": pd.Timestamp(p.commit_by_date),
                "promise_p50_date": _stamp(p.promise_p50 if p.is_awaited else None),
                "promise_p90_date": _stamp(p.promise_p90 if p.is_awaited else None),
                **p.size.why,
                "why_decision": 0 if made else -p.size.qty,
                "allocation": _rule(inputs.campaigns, p).value,
                "supply_qty": p.received,
                "seed_commitment": history.seed_commitment,
                "ledger_root": roots.get(p.campaign_id),
                "seed": history.seed,
            }
        )
    frame = pd.DataFrame(rows)
    return frame.astype({"tier_from_qty": "Int64", "unit_cost": "float64"}) if rows else frame


def _stamp(day: date | None) -> pd.Timestamp | None:
    return None if day is None else pd.Timestamp(day)


def _told(previous: pd.DataFrame | None) -> pd.Series:
    """What each preorder was told by the last published run, by ``preorder_id``."""
    if previous is None or previous.empty:
        return pd.Series(dtype="datetime64[ns]")
    return previous.drop_duplicates("preorder_id").set_index("preorder_id")["promise_date"]


def _served(
    claims: pd.DataFrame, plan: CampaignPlan, history: CampaignHistory, inputs: PlanInputs, root: str
) -> tuple[pd.Series, AllocationReason | None]:
    """Units handed out to each row of ``claims``, and why nothing could be handed out at all."""
    shipped = claims["preorder_id"].map(inputs.shipped).fillna(0).astype("int64")
    fixed = shipped.clip(upper=claims["firm_qty"].astype("int64"))  # what has left the house is nobody else's any more
    if plan.received == 0:
        is_open = plan.state in TAKING_STATES
        return fixed * 0, AllocationReason.STILL_OPEN if is_open else AllocationReason.NOT_RECEIVED
    rule = _rule(inputs.campaigns, plan)
    refusal = _seed_refusal(history) if rule is Rule.LOTTERY else None
    left = max(plan.received - int(shipped.sum()), 0)
    if refusal is not None:
        return _within(fixed, plan.received), refusal
    open_claims = claims.assign(claim=claims["firm_qty"] - fixed, identity=identities(claims))
    more = allocate(open_claims, left, rule=rule, seed=history.seed or "", ledger_root=root)
    return _within(fixed + more, plan.received), None


def _within(units: pd.Series, supply: int) -> pd.Series:
    """Never more than supply, whatever was recorded as shipped."""
    before = units.cumsum() - units
    return pd.Series(np.clip(supply - before, 0, units), index=units.index).astype("int64")


def _rule(campaigns: pd.DataFrame, plan: CampaignPlan) -> Rule:
    mine = campaigns[(campaigns["campaign_id"] == plan.campaign_id) & (campaigns["sku"] == plan.sku)]
    word = mine["allocation"].iloc[0]
    return Rule(word) if isinstance(word, str) and word else Rule.FIFO


def _seed_refusal(history: CampaignHistory) -> AllocationReason | None:
    if not history.seed:
        return AllocationReason.SEED_NOT_REVEALED
    if history.seed_commitment and not seed_matches(history.seed, history.seed_commitment):
        return AllocationReason.SEED_REFUSED
    return None


def _allocations(
    claims: pd.DataFrame,
    served: pd.Series,
    refusal: AllocationReason | None,
    plan: CampaignPlan,
    told: pd.Series,
    inputs: PlanInputs,
    config: PreorderConfig,
) -> pd.DataFrame:
    shipped = claims["preorder_id"].map(inputs.shipped).fillna(0).astype("int64")
    claimed = claims["firm_qty"].astype("int64")
    allocated = served.astype("int64")
    rows = pd.DataFrame(
        {
            "preorder_id": claims["preorder_id"],
            "campaign_id": plan.campaign_id,
            "sku": plan.sku,
            "claimed_qty": claimed,
            "allocated_qty": allocated,
            "backlog_qty": claimed - allocated,
            "batch_id": plan.batch_id,
            "reason": _allocation_reason(claims, claimed, allocated, shipped, refusal),
            "shipped": np.minimum(shipped, claimed),
            "placed_at": claims["placed_at"],
            "quantity": claims["quantity"],
            "ticket_id": tickets(claims.assign(identity=identities(claims))),
            "location_id": claims["location_id"],
            "is_live": (claimed > 0) & (shipped < claimed) & (plan.state is not State.CANCELLED),
        }
    )
    return _with_promises(rows, claims, plan, told, inputs, config)


def _allocation_reason(
    claims: pd.DataFrame,
    claimed: pd.Series,
    allocated: pd.Series,
    shipped: pd.Series,
    refusal: AllocationReason | None,
) -> list[str]:
    gone = claims["reason"].eq(LedgerReason.CAMPAIGN_CANCELLED)
    codes = np.select(
        [
            gone.to_numpy(),
            claims["state"].eq(LedgerState.CANCELLED).to_numpy(),
            claimed.to_numpy() == 0,
            shipped.to_numpy() >= claimed.to_numpy(),
            allocated.to_numpy() >= claimed.to_numpy(),
            allocated.to_numpy() > 0,
        ],
        [
            AllocationReason.CAMPAIGN_CANCELLED.value,
            AllocationReason.CANCELLED.value,
            AllocationReason.REFUSED.value,
            AllocationReason.SHIPPED.value,
            AllocationReason.SERVED.value,
            AllocationReason.PARTLY_SERVED.value,
        ],
        default=(refusal or AllocationReason.SHORT_SUPPLY).value,
    )
    return [str(c) for c in codes]


def _with_promises(
    rows: pd.DataFrame,
    claims: pd.DataFrame,
    plan: CampaignPlan,
    told: pd.Series,
    inputs: PlanInputs,
    config: PreorderConfig,
) -> pd.DataFrame:
    """Add the date each live preorder is promised, what it was told before, and why that moved.

    A promise stands while it is kept with ``keep_promise_probability``; a new preorder hears what the others were
    told; before anybody was told, the campaign's own date stands.
    """
    mine = told.reindex(claims["preorder_id"]).set_axis(rows.index)
    others = mine[rows["is_live"]].max() if rows["is_live"].any() else pd.NaT
    usual = _day(others) or plan.promised_date
    arrived = plan.received > 0 and plan.on_order == 0
    outlook = Outlook(plan.order_date, plan.outcomes, is_ordered=plan.on_order > 0)
    memo: dict[tuple[date | None, bool], tuple[date | None, Cause | None]] = {}
    now: list[date | None] = []
    before: list[date | None] = []
    causes: list[str | None] = []
    served = (rows["allocated_qty"] >= rows["claimed_qty"]).tolist()
    for is_live, is_served, heard in zip(rows["is_live"].tolist(), served, _days(mine), strict=True):
        was = heard or usual
        if not is_live:
            lost = plan.state is State.CANCELLED and heard is not None
            before.append(heard if lost else None)
            now.append(None)
            causes.append(Cause.CAMPAIGN_CANCELLED.value if lost else None)
            continue
        if (was, is_served) not in memo:
            memo[was, is_served] = renewed(
                was, outlook, is_served=is_served, has_arrived=arrived, run_date=inputs.run_date, config=config
            )
        day, cause = memo[was, is_served]
        now.append(day)
        before.append(was)
        causes.append(None if cause is None else cause.value)
    later = [
        c is not None and (n is None or (b is not None and n > b)) for n, b, c in zip(now, before, causes, strict=True)
    ]
    return rows.assign(
        promise_date=pd.to_datetime(pd.Series(now, index=rows.index, dtype=object)),
        before=pd.to_datetime(pd.Series(before, index=rows.index, dtype=object)),
        cause=pd.Series(causes, index=rows.index, dtype=object),
        must_tell=pd.Series(later, index=rows.index, dtype=bool),
    )


def _days(values: pd.Series) -> list[date | None]:
    """The days of a column of instants; None where there is none."""
    instants = pd.to_datetime(values)
    days: list[date | None] = instants.dt.date.astype(object).where(instants.notna(), None).tolist()
    return days


def _day(value: Any) -> date | None:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()


def _promise_changes(rows: pd.DataFrame) -> pd.DataFrame:
    moved = rows[rows["cause"].notna()]
    return pd.DataFrame(
        {
            "preorder_id": moved["preorder_id"],
            "promise_before_date": pd.to_datetime(moved["before"]),
            "promise_now_date": pd.to_datetime(moved["promise_date"]),
            "cause": moved["cause"],
            "must_tell": moved["must_tell"].astype(bool),
        }
    ).reset_index(drop=True)


def _commitments(rows: pd.DataFrame, plans: list[CampaignPlan]) -> pd.DataFrame:
    """Firm units not shipped yet by location, and how many of them a batch or an open order covers.

    Units that have arrived stand in the shop's stock, so nothing covers them beyond it. An open order covers first
    those promised soonest, over locations in the order of their ids.
    """
    live = rows[rows["is_live"]]
    owed = live.assign(owed=live["claimed_qty"].astype("int64") - live["shipped"].astype("int64"))
    keys = ["campaign_id", "sku", "location_id"]
    table = owed.groupby(keys, as_index=False, sort=True).agg(
        firm_qty=("owed", "sum"), promise_date=("promise_date", "min")
    )
    by_key = {(p.campaign_id, p.sku): p for p in plans}
    shipped = rows.groupby(["campaign_id", "sku"])["shipped"].sum()
    covered, left = [], {}
    for row in table.to_dict("records"):
        key = (row["campaign_id"], row["sku"])
        plan = by_key[key]
        if key not in left:
            left[key] = _cover_left(plan, owed, int(shipped.get(key, 0)))
        units = min(int(row["firm_qty"]), left[key])
        left[key] -= units
        covered.append(units)
    is_open = [by_key[row["campaign_id"], row["sku"]].state in TAKING_STATES for row in table.to_dict("records")]
    return table.assign(
        covered_qty=np.array(covered, dtype="int64"),
        firm_qty=table["firm_qty"].astype("int64"),
        promise_date=pd.to_datetime(table["promise_date"]),
        is_open=np.array(is_open, dtype=bool),
    )


def _cover_left(plan: CampaignPlan, owed: pd.DataFrame, shipped: int) -> int:
    """Units that are still to arrive for the campaign, or will be made for it."""
    total = int(owed.loc[(owed["campaign_id"] == plan.campaign_id) & (owed["sku"] == plan.sku), "owed"].sum())
    in_stock = max(plan.received - shipped, 0)
    to_come = total - min(in_stock, total)
    has_order = plan.received + plan.on_order > 0
    return min(to_come, plan.on_order) if has_order else to_come
