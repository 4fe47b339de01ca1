"""Tonight's quantities: transfers, order dates, supplier and planner limits, overrides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.calendar import Calendar
from data.settings import Planning
from restocking.codes import WhyFrom, WhyTo
from restocking.config import RestockConfig
from restocking.controls import apply_overrides, held_by_switch, silenced_by_decision
from restocking.order_quantity import OrderRules
from restocking.picture import Picture
from restocking.pieces import LineValues
from restocking.plan_inputs import PlanInputs
from restocking.proposals import open_proposals
from restocking.quantities import Limits, Quantities, order_quantities, with_overrides
from restocking.transfers import plan_transfers, received_units, sent_units

__all__ = ["Ordering", "carried_proposals", "order_tonight"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ordering:
    """What is ordered tonight, one entry per line."""

    quantities: Quantities  # after overrides
    override_qty: Floats  # nan where nobody typed one [units]
    override_reason: npt.NDArray[np.object_]
    waits: Mask  # off order dates: the need can wait
    is_answered: Mask  # a typed quantity that a purchase order has answered
    is_typed: Mask  # a person set the quantity: it does not rest on the computed one
    is_silent: Mask  # a planner answered the proposal
    is_switched_off: Mask  # a hold switch is on
    transfers: pd.DataFrame
    received: Ints  # by transfers [units]
    sent: Ints  # by transfers [units]

    @property
    def order_qty(self) -> Ints:
        """Whole units to order tonight."""
        return self.quantities.order_qty

    @property
    def is_overridden(self) -> Mask:
        """True where a planner typed the quantity."""
        return ~np.isnan(self.override_qty)


def order_tonight(
    picture: Picture, inputs: PlanInputs, *, planning: Planning, config: RestockConfig, calendar: Calendar
) -> Ordering:
    """Return tonight's quantities and what shaped them."""
    run_date = calendar.run_date
    transfers = _transfers(picture, inputs, config=config)
    received = received_units(picture.lines, transfers)
    waits = _waits(picture, expedite_points=planning.expedite_points)
    proposals = carried_proposals(picture, inputs, calendar=calendar)
    silent = silenced_by_decision(proposals["proposal_id"], inputs.decisions, run_date=run_date)
    switched_off = held_by_switch(picture.lines, inputs.holds, run_date=run_date)
    values = LineValues(picture.outcomes.need, picture.economics.gain, picture.economics.loss)
    limits = Limits(
        rules=_rules(picture, received=received, config=config),
        is_orderable=picture.is_orderable,
        waits=waits,
        transferred=received,
        capacity=_capacity(picture.lines, inputs.suppliers, periods=calendar.to_periods(calendar.review_period_days)),
        min_order_value=_by_supplier(picture.lines, inputs.suppliers, "min_order_value"),
        supplier=_numbers(picture.lines["supplier_id"]),
        budget=planning.budget,
        unit_cost=picture.column("unit_cost"),
        values=values,
        is_free=~(silent | switched_off),
    )
    ruled = order_quantities(picture.need, limits, rounding=config.need_rounding)
    typed = apply_overrides(
        picture.lines, ruled.order_qty, inputs.overrides, run_date=run_date, answers=inputs.stock.answers()
    )
    override = typed["override_qty"].to_numpy(np.float64)
    return Ordering(
        quantities=with_overrides(ruled, override),
        override_qty=override,
        override_reason=typed["override_reason"].to_numpy(dtype=object),
        waits=waits,
        is_answered=typed["is_answered"].to_numpy(np.bool_),
        is_typed=typed["is_typed"].to_numpy(np.bool_),
        is_silent=silent,
        is_switched_off=switched_off,
        transfers=transfers,
        received=received,
        sent=sent_units(picture.lines, transfers),
    )


def carried_proposals(picture: Picture, inputs: PlanInputs, *, calendar: Calendar) -> pd.DataFrame:
    """Return the proposals of earlier runs that are still open tonight."""
    nothing = np.zeros(len(picture.lines), dtype=bool)
    return open_proposals(
        picture.lines,
        is_needed=(picture.base_qty > 0) & picture.is_orderable,
        is_new_allowed=nothing,
        previous=inputs.last_plan,
        answers=inputs.stock.answers(),
        run_date=calendar.run_date,
    )


def _transfers(picture: Picture, inputs: PlanInputs, *, config: RestockConfig) -> pd.DataFrame:
    level, cover = np.maximum(picture.level, 0.0), config.transfer_keep_days * picture.daily
    keep = np.maximum(level, cover)
    runs_out = picture.outcomes.p_stockout_before() >= config.expedite_probability
    held = np.minimum(picture.position["on_hand"].to_numpy(np.float64), picture.need.position)
    lines = picture.lines.assign(
        surplus_qty=np.floor(np.maximum(held - keep, 0.0)).astype(np.int64),
        needed_qty=np.where(picture.is_orderable, picture.base_qty, 0),
        why_from=np.where(cover > level, WhyFrom.BEYOND_KEPT_COVER, WhyFrom.BEYOND_LEVEL).astype(str),
        why_to=np.where(runs_out, WhyTo.RUNS_OUT_BEFORE_RECEIPT, WhyTo.BELOW_LEVEL).astype(str),
    )
    lanes = inputs.lanes if config.transfers else inputs.lanes.iloc[:0]
    return plan_transfers(
        lines,
        lanes,
        need=picture.outcomes.need,
        gain=picture.economics.gain,
        min_units=config.transfer_min_units,
    )


def _waits(picture: Picture, *, expedite_points: float) -> Mask:
    """Return the lines that can wait: off order dates, unless waiting lifts the risk by over ``expedite_points``."""
    without = picture.outcomes.p_stockout_after(np.zeros(len(picture.base_qty)))
    lifted = 100 * (without - picture.outcomes.p_stockout_after(picture.base_qty))
    waits: Mask = ~picture.marks("is_order_date") & (lifted <= expedite_points)
    return waits


def _numbers(names: pd.Series | pd.MultiIndex) -> Ints:
    return pd.factorize(names, sort=True)[0].astype(np.int64)


def _rules(picture: Picture, *, received: Ints, config: RestockConfig) -> OrderRules:
    lines = picture.lines
    room = np.full(len(lines), np.inf)
    if config.max_cover_days is not None:
        room = np.maximum(config.max_cover_days * picture.daily - picture.need.position - received, 0.0)
    return OrderRules(
        group=_numbers(pd.MultiIndex.from_frame(lines[["supplier_id", "sku"]])),
        min_order_qty=lines["min_order_qty"].to_numpy(np.int64),
        pack_size=np.maximum(lines["pack_size"].to_numpy(np.int64), 1),
        max_order_qty=lines["max_order_qty"].astype("float64").fillna(np.inf).to_numpy().astype(np.float64),
        cover_room=room,
    )


def _capacity(lines: pd.DataFrame, suppliers: pd.DataFrame, *, periods: int) -> dict[int, float]:
    """Return by supplier number what it can deliver until the next order [units]."""
    stated = _by_supplier(lines, suppliers, "capacity_per_period")
    return {number: capacity * periods for number, capacity in stated.items()}


def _by_supplier(lines: pd.DataFrame, suppliers: pd.DataFrame, column: str) -> dict[int, float]:
    """Return what the suppliers table states in ``column``, by the number of the supplier among the lines."""
    stated = suppliers.dropna(subset=[column]).set_index("supplier_id")[column]
    names = sorted(set(lines["supplier_id"]))
    return {number: float(stated[name]) for number, name in enumerate(names) if name in stated.index}
