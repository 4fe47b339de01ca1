"""The restock step: reads what is there, coming and wanted; writes tonight's plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from data.contracts import WHY_COLUMNS
from data.step_io import StepIO, open_step
from restocking.chosen_policy import ChosenPolicy
from restocking.codes import Reason, Status
from restocking.config import RestockConfig
from restocking.inventory_position import StockInputs
from restocking.looking_back_step import write_audits
from restocking.plan import PlanTables, make_plan
from restocking.plan_inputs import PlanInputs
from restocking.policy_step import keep_first, policy_for, recent_rates
from restocking.size_sets_step import size_record

__all__ = ["run"]

_RETURN_DAYS = 91  # return habits are read from the last thirteen weeks
_RAIL_RUNS = 28  # plan totals are compared with so many earlier runs
_LAST_PLAN_COLUMNS = (
    "sku",
    "location_id",
    "supplier_id",
    "proposal_id",
    "first_proposed_date",
    "order_qty",
    "lead_time_days",
    "review_period_days",
    "flags",
    *WHY_COLUMNS,
)
_WIDEST_GAP = 0.001  # of the expected value of the orders (share)
_RAIL_COLUMNS = ("sku", "location_id", "demand_mean", "order_up_to_level", "order_value")
_RAILS = (
    Reason.RAIL_DEMAND_SHIFT,
    Reason.RAIL_SPIKE,
    Reason.RAIL_DEMAND_JUMP,
    Reason.RAIL_ORDER_JUMP,
    Reason.RAIL_PLAN_TOTAL,
    Reason.RAIL_LINE_VALUE,
    Reason.RAIL_UNKNOWN_VALUE,
    Reason.RAIL_UNIT_SUSPECT,
)


def run(home: Path, run_date: date) -> dict[str, int]:
    """Write ``inventory_positions``, ``restock_plan`` and what follows from it for one run; return row counts."""
    with open_step("restock", home=home, run_date=run_date) as io:
        config = RestockConfig.model_validate(io.settings.rooms["restocking"])
        policy = policy_for(io, config)
        sizes, set_loss = size_record(io, config)
        inputs = replace(_read(io), sizes=sizes, set_loss=set_loss)
        if policy is not None:
            inputs = replace(inputs, recent=recent_rates(io))
        tables = make_plan(inputs, planning=io.settings.planning, config=config, calendar=io.calendar, policy=policy)
        _check(io, tables, inputs)
        _say_how(io, tables, policy)
        _say_set_loss(io, tables.restock_plan, set_loss)
        io.write("inventory_positions", tables.inventory_positions)
        io.write("restock_plan", tables.restock_plan)
        io.write("supplier_orders", tables.supplier_orders)
        io.write("not_replenished", tables.not_replenished)
        io.write("plan_changes", tables.plan_changes)
        io.write("transfer_plan", tables.transfer_plan)
        write_audits(io, config)
        if policy is not None:
            keep_first(io.home, policy, as_of=run_date)
    return io.counts


def _read(io: StepIO) -> PlanInputs:
    stock = StockInputs(
        stock=io.read("stg_stock", columns=["sku", "location_id", "on_hand", "backorders", "as_of_date"]),
        purchase_orders=io.read("stg_purchase_orders"),
        receipts=io.read("stg_receipts"),
        commitments=io.read("preorder_commitments"),
        has_stock_table=io.has_source("stock"),
    )
    return PlanInputs(
        assortment=io.read("assortment"),
        item_supply=io.read("item_supply"),
        products=io.read("stg_products", columns=["sku", "salvage_value", "licence_end_date"]),
        suppliers=io.read("stg_suppliers"),
        lanes=io.read("stg_lanes"),
        stock=stock,
        decisions=io.read("stg_proposal_decisions"),
        overrides=io.read("overrides"),
        holds=io.read("holds"),
        accuracy=io.read("series_accuracy"),
        protection=io.read("protection_demand"),
        demand_paths=io.read("demand_paths"),
        forecasts=io.read_polars("forecasts"),
        proposals=io.read("trend_proposals", columns=["sku", "location_id", "status"]).query("status == 'proposed'"),
        returns=_returns(io),
        last_plan=_previous(io, _LAST_PLAN_COLUMNS, runs=1),
        earlier_plans=_previous(io, _RAIL_COLUMNS, runs=_RAIL_RUNS),
    )


def _returns(io: StepIO) -> pd.DataFrame:
    """Return what came back and what was sold in the last weeks; no rows where returns are not to count as supply."""
    since = io.run_date - timedelta(days=_RETURN_DAYS)
    wanted = "ds > $1" if io.settings.demand.expected_returns else "false and ds > $1"
    sums = ", ".join(f"sum({name}::decimal(18, 4)) as {name}" for name in ("return_receipts", "gross_units"))
    return io.query(
        f"select sku, location_id, {sums} from demand_history where {wanted} group by all order by all", [since]
    )


def _previous(io: StepIO, columns: tuple[str, ...], *, runs: int) -> pd.DataFrame | None:
    return io.previous("restock_plan", runs=runs, columns=list(columns))


def _check(io: StepIO, tables: PlanTables, inputs: PlanInputs) -> None:
    """Report the identities that hold on every row, and what stands in the report's header."""
    plan = tables.restock_plan
    n = len(plan)
    keys = plan["sku"] + "@" + plan["location_id"]

    def identity(check: str, bad: pd.Series, expected: str) -> None:
        io.check(check, failed=int(bad.sum()), rows=n, table="restock_plan", sample=keys.loc[bad], expected=expected)

    active = int((inputs.assortment["status"] == "active").sum())
    io.check(
        "one_line_per_active_item",
        failed=abs(active - n),
        rows=max(active, n),
        table="restock_plan",
        expected=f"{active} lines",
    )
    identity(
        "why_adds_up", plan[list(WHY_COLUMNS)].sum(axis=1) != plan["order_qty"], "the why columns add up to order_qty"
    )
    machine = plan["override_qty"].isna()
    identity(
        "whole_packs", machine & (plan["order_qty"] % plan["pack_size"] != 0), "order_qty is a multiple of pack_size"
    )
    ordered = plan.loc[machine].groupby(["supplier_id", "sku"])["order_qty"].transform("sum").reindex(plan.index)
    below = machine & (plan["order_qty"] > 0) & (ordered < plan["min_order_qty"])
    below &= ~plan["sku"].isin(plan.loc[~machine, "sku"])  # a person may order less than the minimum
    identity("min_order_qty", below, "the sum over locations reaches the minimum order")
    position = plan["on_hand"] + plan["on_order"] - plan["backorders"] - plan["preorders_open"]
    identity(
        "position_adds_up", (position - plan["inventory_position"]).abs() > 1e-6, "position = on hand + on order - owed"
    )
    if not inputs.stock.has_stock_table:
        io.note("NO_STOCK_TABLE", "No stock table: on hand is taken as zero on every line.", table="restock_plan")
    _warn_of_rails(io, plan)


def _say_how(io: StepIO, tables: PlanTables, policy: ChosenPolicy | None) -> None:
    """Report the tuned policy in use, and how far the orders within budget and capacity may be from the best ones."""
    n = len(tables.restock_plan)
    if policy is not None:
        used = "; ".join(f"{size}: {policy.rules[size].text}" for size in sorted(policy.rules))
        io.check(
            "tuned_policy",
            failed=0,
            rows=max(n, 1),
            table="restock_plan",
            severity="warn",
            observed=f"{used}; chosen on {policy.n_windows} earlier windows of {policy.n_series} series",
        )
    io.check(
        "budget_gap",
        failed=int(tables.budget_gap > _WIDEST_GAP),
        rows=max(n, 1),
        table="restock_plan",
        severity="warn",
        observed=f"{tables.budget_gap:.4%} between the orders' expected value and the best possible",
        expected=f"at most {_WIDEST_GAP:.1%}",
        advice="The solver ran out of time; the orders are legal, but others may be worth a little more.",
    )


def _say_set_loss(io: StepIO, plan: pd.DataFrame, loss: float) -> None:
    """Report what a size proved to lose while a sister size was out, and how many lines that lifted."""
    io.check(
        "size_sets",
        failed=0,
        rows=max(len(plan), 1),
        table="restock_plan",
        severity="warn",
        observed=f"a size loses {loss:.1%} of its sales while a sister size is out, as far as is proved; "
        f"{int((plan['why_set'] > 0).sum())} lines order more for it",
    )


def _warn_of_rails(io: StepIO, plan: pd.DataFrame) -> None:
    held = plan.loc[plan["status"] == str(Status.HELD)]
    for rail in _RAILS:
        lines = held.loc[held["reason"] == str(rail)]
        io.check(
            f"held_by_{rail}",
            failed=len(lines),
            rows=len(plan),
            table="restock_plan",
            severity="warn",
            sample=lines["sku"],
            expected="no line held",
            advice="Look at the held lines. Correct the data or the limit; or set the quantity by an override, which "
            "releases what a rail on demand holds.",
        )
