"""Tonight's restock plan: one line for every active SKU and location, with its order, its reasons and its risks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.calendar import Calendar
from data.settings import Planning
from restocking.chosen_policy import ChosenPolicy
from restocking.codes import Action, Flag, Reason, Status
from restocking.config import RestockConfig
from restocking.guardrails import History, held_by_rails
from restocking.ordering import Ordering, order_tonight
from restocking.picture import Picture, take_picture
from restocking.plan_inputs import PlanInputs, not_replenished
from restocking.proposals import open_proposals, plan_changes
from restocking.risk_columns import cover_columns, excess_orders, risk_columns, stockout_columns
from restocking.verdicts import Evidence, confidence, flag_lists, verdicts

__all__ = ["PlanTables", "make_plan"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_KEYS = ["sku", "location_id"]
_LINE_COLUMNS = [
    *_KEYS,
    "supplier_id",
    "unit_cost",
    "next_order_date",
    "expected_receipt_date",
    "lead_time_days",
    "review_period_days",
    "min_order_qty",
    "pack_size",
]
_POSITION_COLUMNS = ["on_hand", "on_order", "backorders", "preorders_open", "inventory_position"]


@dataclass(frozen=True)
class PlanTables:
    """The tables of the step, without ``run_date``."""

    inventory_positions: pd.DataFrame
    restock_plan: pd.DataFrame
    supplier_orders: pd.DataFrame
    not_replenished: pd.DataFrame
    plan_changes: pd.DataFrame
    transfer_plan: pd.DataFrame
    budget_gap: float  # where money or capacity was short: how much more another plan could be worth, at most (0-1)


def make_plan(
    inputs: PlanInputs,
    *,
    planning: Planning,
    config: RestockConfig,
    calendar: Calendar,
    policy: ChosenPolicy | None = None,
) -> PlanTables:
    """Return tonight's plan and the tables that go with it.

    Args:
        inputs: tables of this run and of earlier published ones.
        planning: the shop's planning settings.
        config: the room's own settings.
        calendar: of this run.
        policy: tuned on earlier windows; None: the textbook ratio.
    """
    picture = take_picture(inputs, planning=planning, config=config, calendar=calendar, policy=policy)
    ordering = order_tonight(picture, inputs, planning=planning, config=config, calendar=calendar)
    excess = excess_orders(picture, config=config)
    evidence = _evidence(picture, ordering, inputs, excess, budget=planning.budget, config=config)
    proposals = _proposals(picture, ordering, inputs, calendar=calendar)
    plan = _assemble(picture, ordering, evidence, excess, proposals, calendar=calendar)
    plan = _with_accuracy(plan, picture, inputs.accuracy)
    return PlanTables(
        inventory_positions=picture.position,
        restock_plan=plan,
        supplier_orders=_supplier_orders(plan),
        not_replenished=not_replenished(inputs.assortment),
        plan_changes=plan_changes(plan, inputs.last_plan),
        transfer_plan=ordering.transfers,
        budget_gap=ordering.quantities.gap,
    )


def _evidence(
    picture: Picture,
    ordering: Ordering,
    inputs: PlanInputs,
    excess: pd.DataFrame,
    *,
    budget: float | None,
    config: RestockConfig,
) -> Evidence:
    quantities = ordering.quantities
    return Evidence(
        order_qty=quantities.order_qty,
        base_qty=quantities.base_qty,
        binding=quantities.binding,
        held_by=_held_by(picture, ordering, inputs, budget=budget, config=config),
        is_overridden=ordering.is_overridden,
        is_orderable=picture.is_orderable,
        has_no_margin=picture.economics.is_without_margin,
        waits=ordering.waits,
        is_order_date=picture.marks("is_order_date"),
        runs_out_first=picture.outcomes.p_stockout_before() >= config.expedite_probability,
        has_open_order=excess["next_po_id"].notna().to_numpy(),
        is_excess_on_order=excess["is_excess_on_order"].to_numpy(np.bool_),
        is_transferred=(ordering.received > 0) | (ordering.sent > 0),
        is_giving=ordering.sent > 0,
        is_trend_proposed=picture.marks("is_trend_proposed"),
    )


def _held_by(
    picture: Picture, ordering: Ordering, inputs: PlanInputs, *, budget: float | None, config: RestockConfig
) -> dict[Reason, Mask]:
    """Return what holds each line, the strongest word first."""
    ordered = ordering.order_qty > 0
    value = ordering.order_qty * picture.column("unit_cost")
    rails = held_by_rails(
        picture.lines.assign(
            order_qty=ordering.order_qty,
            order_value=value,
            demand_mean=picture.need.mean_demand,
            need_qty=picture.base_qty - picture.position["preorders_open"].to_numpy(np.float64),
            is_typed=ordering.is_typed,
            is_limited=budget is not None,
        ),
        History(inputs.earlier_plans, inputs.last_plan),
        config=config,
    )
    held_by = {
        Reason.HOLD: ordering.is_switched_off & (ordered | (picture.base_qty > 0)),
        Reason.DECISION: ordering.is_silent,
        Reason.BEYOND_HORIZON: picture.is_beyond,
        **rails,
    }
    released = ordered & ~np.logical_or.reduce(list(held_by.values()))
    small = _below_min_value(picture.lines, value, inputs.suppliers, released=released)
    unknown = small & _has_unknown_cost(picture.lines, value, released=released)
    rail = {Reason.RAIL_UNKNOWN_VALUE: held_by[Reason.RAIL_UNKNOWN_VALUE] | unknown}
    return {**held_by, **rail, Reason.BELOW_MIN_ORDER_VALUE: small & ~unknown}


def _below_min_value(lines: pd.DataFrame, value: Floats, suppliers: pd.DataFrame, *, released: Mask) -> Mask:
    """Return the released lines of suppliers whose order is not known to be worth what they accept."""
    minimum = lines["supplier_id"].map(suppliers.set_index("supplier_id")["min_order_value"]).to_numpy(np.float64)
    known = np.where(released, np.nan_to_num(value), 0.0)  # of a unit of unknown cost nothing counts
    total = pd.Series(known).groupby(lines["supplier_id"].to_numpy()).transform("sum")
    small: Mask = released & (total.to_numpy(np.float64) < np.nan_to_num(minimum))
    return small


def _has_unknown_cost(lines: pd.DataFrame, value: Floats, *, released: Mask) -> Mask:
    """Return the lines of suppliers with a released line of unknown cost: what their order is worth nobody can say."""
    unknown = pd.Series(released & np.isnan(value)).groupby(lines["supplier_id"].to_numpy()).transform("any")
    return unknown.to_numpy(np.bool_)


def _proposals(picture: Picture, ordering: Ordering, inputs: PlanInputs, *, calendar: Calendar) -> pd.DataFrame:
    ordered = ordering.order_qty > 0
    return open_proposals(
        picture.lines,
        is_needed=((picture.base_qty > ordering.received) & picture.is_orderable) | ordered,
        is_new_allowed=ordered | (picture.marks("is_order_date") & ~ordering.is_overridden),
        previous=inputs.last_plan,
        answers=inputs.stock.answers(),
        run_date=calendar.run_date,
    )


def _assemble(
    picture: Picture,
    ordering: Ordering,
    evidence: Evidence,
    excess: pd.DataFrame,
    proposals: pd.DataFrame,
    *,
    calendar: Calendar,
) -> pd.DataFrame:
    """Return the plan with all columns but those on accuracy, ordered by key."""
    quantities, qty = ordering.quantities, ordering.order_qty
    verdict = verdicts(evidence)
    pack = np.maximum(picture.lines["pack_size"].to_numpy(np.int64), 1)
    waiting = np.where(ordering.waits & ~ordering.is_overridden, picture.base_qty, qty)
    action_po = excess["unneeded_po_id"].where(
        verdict["action"] == str(Action.POSTPONE_OR_CANCEL), excess["next_po_id"]
    )
    acts_on_po = verdict["action"].isin([str(Action.POSTPONE_OR_CANCEL), str(Action.EXPEDITE)])
    plan = pd.concat(
        [
            picture.lines[_LINE_COLUMNS].reset_index(drop=True),
            picture.position[_POSITION_COLUMNS],
            verdict,
            proposals.reset_index(drop=True),
            picture.demand,
            cover_columns(picture, calendar=calendar),
            stockout_columns(picture, calendar=calendar),
            risk_columns(picture, qty, supplied=waiting + ordering.received, calendar=calendar),
            pd.DataFrame(quantities.trail.columns()),
        ],
        axis=1,
    ).assign(
        order_qty=qty,
        packs=-(-qty // pack),
        order_value=qty * picture.column("unit_cost"),
        service_level=picture.economics.ratio,
        binding_constraint=[str(c) for c in quantities.binding],
        action_po_id=action_po.where(acts_on_po),
        override_qty=pd.array(ordering.override_qty, dtype="Float64").astype("Int64"),
        override_reason=ordering.override_reason,
        flags=pd.Series(_flags(picture, ordering, excess, proposals, calendar=calendar), dtype=object),
        **_levels(picture),
    )
    return _ranked(plan)


def _levels(picture: Picture) -> dict[str, Floats]:
    """Return order-up-to level, safety stock and reorder point [units].

    Safety stock is the quantile of need less its mean, expected returns taken off both. S = mean demand - mean lost -
    mean returns + safety stock, on the position; s is S less mean demand over the R days after receipt: both net of
    what is lost before it, so that s never exceeds S.
    """
    need = picture.need
    safety = need.quantile - (need.mean_demand - need.position - need.mean_lost - need.mean_returns)
    review = 1 - picture.column("lead_days") / np.maximum(picture.column("protection_days"), 1.0)
    after = (need.mean_demand - need.mean_returns) * review
    return {
        "order_up_to_level": picture.level,
        "safety_stock": safety,
        "reorder_point": np.minimum(np.maximum(picture.level - after, 0.0), picture.level),
    }


def _flags(
    picture: Picture, ordering: Ordering, excess: pd.DataFrame, proposals: pd.DataFrame, *, calendar: Calendar
) -> list[list[str]]:
    qty, lines = ordering.order_qty, picture.lines
    why = ordering.quantities.trail.columns()
    lifted = why["why_moq"] + why["why_pack"]
    typed = ordering.is_overridden & (qty > 0)
    flags = picture.flags | {
        Flag.EXCESS_STOCK: excess["is_excess"].to_numpy(np.bool_),
        Flag.EXCESS_FROM_MOQ: (qty > 0) & ~typed & (lifted > picture.base_qty),
        Flag.TREND_PROPOSAL: picture.marks("is_trend_proposed"),
        Flag.OVERRIDE_ORDERED: ordering.is_answered,
        Flag.STILL_OPEN: (proposals["first_proposed_date"] < pd.Timestamp(calendar.run_date)).to_numpy(),
        Flag.OVERRIDE_NOT_WHOLE_PACKS: typed & (qty % np.maximum(lines["pack_size"].to_numpy(np.int64), 1) != 0),
        Flag.OVERRIDE_BELOW_MOQ: typed & (_ordered_of_sku(lines, qty) < lines["min_order_qty"].to_numpy(np.int64)),
    }
    others = [[*(a or ()), *(b or ())] for a, b in zip(lines["supply_flags"], lines["demand_flags"], strict=True)]
    return flag_lists(flags, more=others)


def _ordered_of_sku(lines: pd.DataFrame, qty: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    total = pd.Series(qty, index=lines.index).groupby([lines["supplier_id"], lines["sku"]]).transform("sum")
    return total.to_numpy(np.int64)


def _ranked(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the plan with ``rank`` (most money at risk first) and ``cumulative_value`` of what is released."""
    order = plan.assign(unknown=plan["money_at_risk"].isna()).sort_values(
        ["unknown", "money_at_risk", "expected_lost_units_avoided", "order_by_date", *_KEYS],
        ascending=[True, False, False, True, True, True],
    )
    ranked = order.drop(columns="unknown").assign(rank=np.arange(1, len(order) + 1))
    is_held = ranked["status"] == str(Status.HELD)
    running = ranked["order_value"].where(~is_held).fillna(0.0).round(4).cumsum()
    return ranked.assign(cumulative_value=running.where(~is_held)).sort_index()


def _with_accuracy(plan: pd.DataFrame, picture: Picture, accuracy: pd.DataFrame) -> pd.DataFrame:
    known = plan[_KEYS].merge(accuracy, on=_KEYS, how="left")
    return plan.assign(
        forecast_wape=known["wape"].to_numpy(np.float64),
        forecast_bias=known["bias"].to_numpy(np.float64),
        confidence=confidence(known["confidence"], picture.flags),
    )


def _supplier_orders(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the released orders. They are needed on the day they can be sold, never before the lead time allows."""
    released = plan.loc[(plan["order_qty"] > 0) & (plan["status"] != str(Status.HELD))]
    columns = {"order_qty": "qty", "expected_receipt_date": "needed_by_date"}
    orders = released.rename(columns=columns)[
        ["supplier_id", *_KEYS, "qty", "unit_cost", "needed_by_date", "proposal_id"]
    ]
    return orders.sort_values(["supplier_id", *_KEYS], ignore_index=True)
