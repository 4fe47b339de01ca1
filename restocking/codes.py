"""The codes a plan speaks in. They are translated only when shown."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "Action",
    "Cause",
    "Change",
    "Confidence",
    "Constraint",
    "Flag",
    "Reason",
    "Status",
    "WhyFrom",
    "WhyQty",
    "WhyTo",
]


class Status(StrEnum):
    """State of a line."""

    OK = "ok"
    HELD = "held"  # keeps its quantity; left out of supplier_orders until a person releases it
    CAPPED = "capped"  # a limit cut the quantity below the need
    NOT_REPLENISHED = "not_replenished"  # still on sale, but an order would come too late or is not worth it


class Action(StrEnum):
    """What a planner should do, most pressing first."""

    EXPEDITE = "expedite"
    ORDER = "order"
    REVIEW = "review"
    POSTPONE_OR_CANCEL = "postpone_or_cancel"
    TRANSFER = "transfer"
    NONE = "none"


class Reason(StrEnum):
    """Why a line got its quantity and action. The last rule to decide names the line."""

    NOT_NEEDED = "not_needed"  # the position already covers the protection period
    COVER_TARGET = "cover_target"  # raised to the order-up-to level
    MIN_ORDER_QTY = "min_order_qty"  # raised to the supplier's MOQ
    PACK_SIZE = "pack_size"  # rounded up to whole packs
    COVER_CAP = "cover_cap"  # cut back to max_cover_days
    MOQ_ABOVE_CAP = "moq_above_cap"  # the smallest legal order is too much: a planner decides
    MAX_ORDER_QTY = "max_order_qty"  # cut back to the supplier's largest order
    CAPACITY = "capacity"  # cut back to the supplier's capacity
    BUDGET = "budget"  # the money went to lines with a better return
    OFF_ORDER_DATE = "off_order_date"  # needed, but it can wait for the next order date
    RUNS_OUT_BEFORE_RECEIPT = "runs_out_before_receipt"  # likely empty before an order of today can arrive
    WAITING_RAISES_RISK = "waiting_raises_risk"  # off order dates: too risky to wait
    OVERRIDE = "override"  # a planner typed the quantity
    ENDS_BEFORE_RECEIPT = "ends_before_receipt"  # off sale before the order could be sold
    NO_MARGIN = "no_margin"  # the price does not cover the cost
    BEYOND_HORIZON = "beyond_horizon"  # the forecast does not reach to the end of the protection period
    BELOW_MIN_ORDER_VALUE = "below_min_order_value"  # the supplier's order is worth too little
    HOLD = "hold"  # someone switched it off
    DECISION = "decision"  # a planner accepted, rejected or deferred the proposal
    RAIL_LINE_VALUE = "rail_line_value"  # worth more than max_line_value
    RAIL_UNKNOWN_VALUE = "rail_unknown_value"  # cost unknown: no limit in money can be kept
    RAIL_DEMAND_JUMP = "rail_demand_jump"  # mean demand jumped against earlier runs
    RAIL_ORDER_JUMP = "rail_order_jump"  # the need is far above the level of earlier runs
    RAIL_PLAN_TOTAL = "rail_plan_total"  # the whole plan is far above earlier runs
    RAIL_DEMAND_SHIFT = "rail_demand_shift"  # the demand level shifted: a person looks the first night
    RAIL_UNIT_SUSPECT = "rail_unit_suspect"  # its supplier seems to count in another unit than before
    RAIL_SPIKE = "rail_spike"  # a capped spike still moves the order: a person looks the first night
    TREND_PROPOSAL = "trend_proposal"  # what it shows is getting hot: a planner looks at the proposal
    EXCESS_ON_ORDER = "excess_on_order"  # an open order is not needed
    SURPLUS_ELSEWHERE = "surplus_elsewhere"  # another location has too much of it: it gets some
    SURPLUS_HERE = "surplus_here"  # it has too much, and gives some to another location


class Constraint(StrEnum):
    """The constraint that decided the quantity."""

    NONE = "none"
    MIN_ORDER_QTY = "min_order_qty"
    PACK_SIZE = "pack_size"
    MAX_COVER = "max_cover_days"
    MAX_ORDER_QTY = "max_order_qty"
    CAPACITY = "capacity_per_period"
    BUDGET = "budget"
    ORDER_DATE = "order_weekdays"
    END_OF_SALE = "end_of_sale_date"
    TRANSFER = "transfer"
    OVERRIDE = "override"


class Flag(StrEnum):
    """What is special about a line."""

    NO_STOCK_TABLE = "no_stock_table"  # the shop connected no stock table: on hand is taken as zero
    NO_STOCK_ROW = "no_stock_row"  # the snapshot does not list this SKU here: on hand is taken as zero
    STALE_STOCK = "stale_stock"  # the snapshot is older than the run date
    NEGATIVE_STOCK = "negative_stock"  # the source said less than zero: taken as backorders
    PO_OVERDUE = "po_overdue"  # an open order was due on or before the run date
    PO_AFTER_PROTECTION = "po_after_protection"  # an open order comes too late to count for this decision
    HORIZON = "HORIZON"  # the protection period reaches beyond the forecast
    NO_FORECAST = "no_forecast"  # no forecast rows: demand is taken as zero
    TREND_PROPOSAL = "trend_proposal"  # a trend alert proposes more than the plan; never released by itself
    LAST_BUY = "last_buy"  # off sale before the next order could arrive
    NO_MARGIN_DATA = "no_margin_data"  # price or cost unknown: the fallback service level applies
    EXCESS_STOCK = "excess_stock"  # more stock than excess_cover_days of demand
    EXCESS_FROM_MOQ = "excess_from_moq"  # the MOQ or pack orders over twice what is needed
    EXPECTED_RETURNS = "expected_returns"  # goods that buyers will send back lower the order (within why_buffer)
    STILL_OPEN = "still_open"  # proposed before, not answered yet
    OVERRIDE_NOT_WHOLE_PACKS = "override_not_whole_packs"  # the typed quantity is no multiple of the pack
    OVERRIDE_BELOW_MOQ = "override_below_moq"  # the typed quantity is below the supplier's minimum
    OVERRIDE_ORDERED = "override_ordered"  # a purchase order answered the typed quantity: it is not ordered again
    NEW_ITEM = "new_item"  # little history


class Confidence(StrEnum):
    """How far to trust a line."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Change(StrEnum):
    """A line against the last run."""

    NEW = "new"
    GONE = "gone"
    UP = "up"
    DOWN = "down"


class Cause(StrEnum):
    """What changed a line, the largest mover of the quantity."""

    OFF_ORDER_DATE = "off_order_date"
    ORDER_DATE = "order_date"
    DEMAND = "demand"
    POSITION = "position"
    LOST_SALES = "lost_sales"
    BUFFER = "buffer"
    CONSTRAINT = "constraint"
    OVERRIDE = "override"
    LEFT_ASSORTMENT = "left_assortment"
    JOINED_ASSORTMENT = "joined_assortment"


class WhyFrom(StrEnum):
    """Why goods are taken from a place: what its surplus lies beyond."""

    BEYOND_LEVEL = "beyond_level"  # its own order-up-to level
    BEYOND_KEPT_COVER = "beyond_kept_cover"  # transfer_keep_days of its own demand, which are more than its level


class WhyTo(StrEnum):
    """Why goods go to a place."""

    RUNS_OUT_BEFORE_RECEIPT = "runs_out_before_receipt"  # likely empty before an order of today could arrive
    BELOW_LEVEL = "below_level"  # its position is below its order-up-to level


class WhyQty(StrEnum):
    """Why so many."""

    WHOLE_NEED = "whole_need"  # all that is lacked there
    WHOLE_SURPLUS = "whole_surplus"  # all that the origin can spare
    SHARED_BY_RETURN = "shared_by_return"  # scarce: each unit goes where it is likeliest to sell for most
