"""The preorder steps: the ledger before the forecast, the plan after it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from data.step_io import StepIO, open_step
from preorder.assortment import assortment_mix
from preorder.campaigns import CampaignHistory, campaign_histories
from preorder.config import PreorderConfig
from preorder.deposits import settle_deposits
from preorder.late_demand import late_ratios
from preorder.ledger import LedgerReason, ledger_root, preorder_ledger
from preorder.plan import PlanInputs, campaign_plans
from preorder.tables import PlanTables, plan_tables

__all__ = ["run_ledger", "run_plan"]

_CENT = 0.01  # [currency]
_WHY = ["why_firm", "why_late_bookings", "why_stock", "why_min_batch", "why_tier", "why_max_batch", "why_decision"]


def run_ledger(home: Path, run_date: date) -> dict[str, int]:
    """Write ``preorder_ledger`` for ``run_date`` and return the rows read and written."""
    with open_step("preorder_ledger", home=home, run_date=run_date) as io:
        campaigns = io.read("stg_preorder_campaigns")
        histories = _histories(io, campaigns)
        preorders = io.read("stg_preorders")
        ledger = preorder_ledger(
            preorders,
            campaigns,
            histories,
            _shipped_units(io),
            _allocated_before(io),
            known_until=_known_until(io),
            config=_config(io),
        )
        io.write("preorder_ledger", ledger)
        deposits = settle_deposits(ledger, preorders, campaigns)
        io.write("preorder_deposits", deposits if len(deposits) else io.empty("preorder_deposits"))
        _check_ledger(io, ledger, histories)
        _check_lotteries(io, campaigns, ledger, histories)
        _check_quotas(io, campaigns, _config(io))
        _check_deposits(io, deposits)
    return io.counts


def run_plan(home: Path, run_date: date) -> dict[str, int]:
    """Write the preorder tables for ``run_date`` and return the rows read and written."""
    with open_step("preorder_plan", home=home, run_date=run_date) as io:
        config = _config(io)
        inputs = _plan_inputs(io, config)
        plans = campaign_plans(inputs, config=config)
        tables = plan_tables(plans, inputs, config=config)
        mix = assortment_mix(plans, inputs.receipts, config=config)
        io.write("assortment_mix", mix if len(mix) else io.empty("assortment_mix"))
        for name in ("batch_plan", "preorder_allocations", "promise_changes", "preorder_commitments"):
            frame: pd.DataFrame = getattr(tables, name)
            io.write(name, frame if len(frame) else io.empty(name))
        _check_plan(io, tables, inputs)
        _check_odds(io, mix)
    return io.counts


def _config(io: StepIO) -> PreorderConfig:
    return PreorderConfig.model_validate(io.settings.rooms.get("preorder", {}))


def _known_until(io: StepIO) -> pd.Timestamp:
    """The instant at which the run date closes in the shop's timezone."""
    midnight = datetime.combine(io.run_date + timedelta(days=1), time(), tzinfo=ZoneInfo(io.settings.shop.timezone))
    return pd.Timestamp(midnight).tz_convert("UTC")


def _histories(io: StepIO, campaigns: pd.DataFrame) -> dict[str, CampaignHistory]:
    return campaign_histories(campaigns["campaign_id"].astype(str), io.read("stg_campaign_events"))


def _shipped_units(io: StepIO) -> pd.Series:
    """Units shipped so far by preorder; returns do not undo a shipment."""
    rows = io.query(
        "select preorder_id, cast(sum(quantity) as bigint) as units from stg_order_lines "
        "where preorder_id is not null and quantity > 0 group by preorder_id order by preorder_id"
    )
    return rows.set_index("preorder_id")["units"].astype("int64")


def _allocated_before(io: StepIO) -> pd.Series:
    before = io.previous("preorder_allocations")
    if before is None:
        return pd.Series(dtype="int64")
    return before.drop_duplicates("preorder_id").set_index("preorder_id")["allocated_qty"]


def _plan_inputs(io: StepIO, config: PreorderConfig) -> PlanInputs:
    ledger = io.read("preorder_ledger")
    campaigns = io.read("stg_preorder_campaigns")
    receipts = io.read("stg_receipts")
    active = io.read("assortment", columns=["sku", "status"])
    return PlanInputs(
        ledger=ledger,
        campaigns=campaigns,
        histories=_histories(io, campaigns),
        tiers=io.read("stg_batch_tiers"),
        receipts=receipts,
        purchase_orders=io.read("stg_purchase_orders"),
        supply=io.read("item_supply"),
        products=io.read("stg_products", columns=["sku", "ip", "product_type", "salvage_value"]),
        shipped=_shipped_units(io),
        late_ratios=_late_ratios(io, ledger, config),
        on_sale=frozenset(active.loc[active["status"] == "active", "sku"].astype(str)),
        previous=io.previous("preorder_allocations"),
        run_date=io.run_date,
        known_until=_known_until(io),
        timezone=ZoneInfo(io.settings.shop.timezone),
    )


def _late_ratios(io: StepIO, ledger: pd.DataFrame, config: PreorderConfig) -> pd.Series:
    """Ordinary demand in the first days after the receipt of past batches, over their firm volume."""
    sold = io.query(
        "with arrived as (select campaign_id, sku, min(received_date) as day from stg_receipts "
        "where campaign_id is not null group by campaign_id, sku) "
        "select a.campaign_id, a.sku, sum(h.units) as units from arrived a join demand_history h on h.sku = a.sku "
        "and h.ds >= a.day and h.ds < a.day + cast($1 as integer) "
        "where a.day + cast($1 as integer) <= cast($2 as date) "
        "group by a.campaign_id, a.sku order by a.campaign_id, a.sku",
        [config.late_demand_days, io.run_date],
    )
    firm = ledger.groupby(["campaign_id", "sku"], sort=True)["firm_qty"].sum()
    units = sold.set_index(["campaign_id", "sku"])["units"].astype(float)
    return late_ratios(firm, units.reindex(firm.index))


_ADVICE = {
    LedgerReason.NO_CAMPAIGN: "Preorders of SKUs that no campaign sells claim nothing: correct their campaign.",
    LedgerReason.AFTER_CLOSE: "Preorders placed after the close claim nothing: extend the campaign, or refund.",
    LedgerReason.BEFORE_OPEN: "Placed before their campaign opens (preorder.early_preorders says what they get): "
    "correct opens_at, or tell the buyers.",
    LedgerReason.ABOVE_IDENTITY_CAP: "Units above a buyer's cap are never allocated: tell the buyers.",
    LedgerReason.ABOVE_BATCH_CAP: "Units above the largest batch are never allocated: tell the buyers.",
    LedgerReason.POSSIBLE_DUPLICATE: "Two preorders seconds apart: ask the buyer; they were not merged.",
    LedgerReason.ABOVE_CHANNEL_QUOTA: "Units above a channel's quota are never allocated: tell the buyers.",
    LedgerReason.DEPOSIT_MISSING: "Without their deposit these claim nothing: ask for it, or cancel them.",
    LedgerReason.CANCELLED_TOO_LATE: "Cancelled after the last moment: the deposit is kept.",
    LedgerReason.CANCELLED_AGAINST_RULES: "Cancelled though the campaign does not allow it: settle the deposit.",
}


def _check_ledger(io: StepIO, ledger: pd.DataFrame, histories: dict[str, CampaignHistory]) -> None:
    io.check(
        "firm_within_claim",
        failed=int((ledger["firm_qty"] > ledger["quantity"]).sum()),
        rows=len(ledger),
        table="preorder_ledger",
        expected="firm_qty <= quantity",
        advice="This is a fault in merchcast: please report it.",
    )
    for reason, advice in _ADVICE.items():
        hit = ledger[ledger["reason"] == reason]
        sample = hit["preorder_id"].head(5)
        io.check(
            f"preorder_{reason.value}",
            failed=len(hit),
            rows=len(ledger),
            table="preorder_ledger",
            severity="warn",
            sample=sample,
            expected="none",
            advice=advice,
        )
    moves = [move for history in histories.values() for move in history.refused]
    io.check(
        "campaign_moves_legal",
        failed=len(moves),
        rows=len(histories),
        table="stg_campaign_events",
        severity="warn",
        sample=moves,
        expected="open -> threshold_met -> closed -> committed -> in_production -> received -> allocated -> shipped",
        advice="These events were ignored: correct the campaign's states.",
    )
    _check_roots(io, ledger, histories)


def _check_deposits(io: StepIO, deposits: pd.DataFrame) -> None:
    parts = ["refund_amount", "held_amount", "offset_amount", "forfeit_amount"]
    wrong = (deposits[parts].sum(axis=1) - deposits["deposit_paid"]).abs() > _CENT / 2
    io.check(
        "deposits_add_up",
        failed=int(wrong.sum()),
        rows=len(deposits),
        table="preorder_deposits",
        expected="paid = refunded + held + offset + forfeited",
        advice="This is a fault in merchcast: please report it.",
    )


def _check_roots(io: StepIO, ledger: pd.DataFrame, histories: dict[str, CampaignHistory]) -> None:
    """A ledger root published at the close must still be the root of the ledger."""
    published = {c: h.ledger_root for c, h in histories.items() if h.ledger_root}
    groups = {str(c): g for c, g in ledger[ledger["campaign_id"].isin(list(published))].groupby("campaign_id")}
    wrong = [c for c, root in sorted(published.items()) if c not in groups or ledger_root(groups[c]) != root]
    io.check(
        "ledger_root_holds",
        failed=len(wrong),
        rows=len(published),
        table="preorder_ledger",
        severity="warn",
        sample=wrong,
        expected="the published root",
        advice="Preorders were added or changed after the close, or the root was computed in another way.",
    )


def _check_lotteries(
    io: StepIO, campaigns: pd.DataFrame, ledger: pd.DataFrame, histories: dict[str, CampaignHistory]
) -> None:
    """A seed must be committed to before the first preorder, and revealed after the close: else it could be chosen."""
    drawn = campaigns[campaigns["allocation"].eq("lottery")]
    closes = drawn.groupby(drawn["campaign_id"].astype(str))["closes_at"].max()
    first = ledger.groupby(ledger["campaign_id"].astype(str))["placed_at"].min()
    wrong = [
        campaign
        for campaign, closes_at in closes.items()
        if not _is_seed_in_order(histories[str(campaign)], first.get(campaign), closes_at)
    ]
    io.check(
        "lottery_seed_in_order",
        failed=len(wrong),
        rows=len(closes),
        table="stg_campaign_events",
        severity="warn",
        sample=wrong,
        expected="a seed committed before the first preorder and revealed after the close",
        advice="Nobody can be shown that this draw is fair: settle it in another way, or draw anew in public.",
    )


def _check_quotas(io: StepIO, campaigns: pd.DataFrame, config: PreorderConfig) -> None:
    """A quota that is a share of the largest batch holds nobody back where there is none; one in units always does."""
    if not any(quota <= 1 for quota in config.channel_quotas.values()):
        return
    without = campaigns.loc[campaigns["max_batch_qty"].isna(), "campaign_id"].astype(str)
    io.check(
        "channel_quotas_apply",
        failed=len(without),
        rows=len(campaigns),
        table="stg_preorder_campaigns",
        severity="warn",
        sample=sorted(set(without)),
        expected="max_batch_qty for every campaign, for quotas up to 1 are shares of it",
        advice="No channel is held back in these campaigns: state max_batch_qty, or quotas in units (above 1).",
    )


def _is_seed_in_order(history: CampaignHistory, first_placed: pd.Timestamp | None, closes_at: pd.Timestamp) -> bool:
    committed, revealed = history.seed_committed_at, history.seed_revealed_at
    if revealed is None:
        return True
    if committed is None or (first_placed is not None and committed > first_placed):
        return False
    return bool(revealed >= (history.closed_at or closes_at))


def _check_odds(io: StepIO, mix: pd.DataFrame) -> None:
    broken = mix[mix["odds_hold"].eq(False).fillna(False).astype(bool)]
    io.check("stated_odds_hold", failed=len(broken), rows=len(mix), table="assortment_mix", severity="warn",
             sample=broken["variant_sku"].head(5), expected="packed output that fits the stated odds",
             advice="Stop the shipment and have the cartons repacked: the buyers were told other odds.")  # fmt: skip


def _check_plan(io: StepIO, tables: PlanTables, inputs: PlanInputs) -> None:
    batches, rows = tables.batch_plan, tables.preorder_allocations
    fault = "This is a fault in merchcast: please report it."
    if len(batches):
        wrong = batches[_WHY].sum(axis=1) != batches["batch_qty"]
        io.check("why_adds_up", failed=wrong, rows=len(batches), table="batch_plan",
                 expected="the why columns add up to batch_qty", advice=fault)  # fmt: skip
        bounds = batches["forecast_final_p10"].le(batches["forecast_final_p50"]) & batches["forecast_final_p50"].le(
            batches["forecast_final_p90"]
        )
        io.check("volume_quantiles_ordered", failed=~bounds, rows=len(batches), table="batch_plan",
                 expected="p10 <= p50 <= p90", advice=fault)  # fmt: skip
    if len(rows):
        handed = rows.groupby(["campaign_id", "sku"])["allocated_qty"].sum()
        over = handed > tables.supply.reindex(handed.index).fillna(0)
        io.check("never_oversold", failed=over, rows=len(handed), table="preorder_allocations",
                 expected="allocated <= received, by campaign and SKU", advice=fault)  # fmt: skip
        wrong = (rows["allocated_qty"] > rows["claimed_qty"]) | (
            rows["claimed_qty"] != rows["allocated_qty"] + rows["backlog_qty"]
        )
        io.check("claims_conserved", failed=wrong, rows=len(rows), table="preorder_allocations",
                 expected="claimed = allocated + backlog", advice=fault)  # fmt: skip
    must_tell = int(tables.promise_changes["must_tell"].sum()) if len(tables.promise_changes) else 0
    if must_tell:
        io.note("PROMISES_MOVED", f"{must_tell} preorders must hear of a later date.", table="promise_changes")
    if tables.bad_seeds:
        io.note("SEED_REFUSED", "The seed revealed is not the one committed to: " + ", ".join(tables.bad_seeds[:5]),
                table="preorder_allocations")  # fmt: skip
    unknown = sorted(set(inputs.campaigns["sku"].astype(str)) - set(inputs.supply["sku"].astype(str)))
    io.check("campaign_has_supply_terms", failed=len(unknown), rows=len(inputs.campaigns), table="item_supply",
             severity="warn", sample=unknown, expected="a lead time for every preordered SKU",
             advice="The median lead time stands in: add the SKU to supply_terms.")  # fmt: skip
