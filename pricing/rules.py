"""The rule book: what may stand in pricing_rules.yml.

Rules stand top to bottom. A rule that matches a SKU sets its target price, and the last one that does so wins; a
``limit`` narrows the range that the target may lie in, a ``freeze`` closes it. Guardrails come last, cost floors last
of all (:mod:`pricing.guardrails`). Conditions are data, never code: a fixed list of fields, all of which must hold.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "Approval",
    "Band",
    "Clearance",
    "EventPrice",
    "Freeze",
    "Guardrails",
    "Ladder",
    "LaunchPrice",
    "Limit",
    "Markdown",
    "Markup",
    "MatchCompetitor",
    "Optimise",
    "PartialGuardrails",
    "Rule",
    "RuleBook",
    "Rung",
    "Scope",
    "SetPrice",
    "When",
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Money = Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)]
Percent = Annotated[float, Field(gt=0, le=90, allow_inf_nan=False)]
Count = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Basis = Literal["current", "regular", "list"]


class _Strict(BaseModel):
    """Never changes, refuses unknown keys, guesses no type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class When(_Strict):
    """Which SKUs a rule is for: every condition must hold; within a list, one value is enough."""

    all: Literal[True] | None = Field(default=None, description="Write `all: true` for every SKU.")
    sku: Names | None = Field(default=None, description="SKUs.")
    style_id: Names | None = Field(default=None, description="Styles.")
    category: Names | None = Field(default=None, description="Categories of the shop.")
    ip: Names | None = Field(default=None, description="Intellectual properties.")
    character: Names | None = Field(default=None, description="Characters.")
    product_type: Names | None = Field(default=None, description="Product types.")
    size: Names | None = Field(default=None, description="Sizes.")
    size_group: Names | None = Field(default=None, description="Size groups.")
    colour: Names | None = Field(default=None, description="Colours.")
    material: Names | None = Field(default=None, description="Materials.")
    supplier_id: Names | None = Field(default=None, description="Suppliers.")
    location_id: Names | None = Field(default=None, description="Locations.")
    channel: Names | None = Field(default=None, description="Sales channels.")
    demand_class: Names | None = Field(default=None, description="smooth, erratic, intermittent, lumpy, new or dead.")
    trend_state: Names | None = Field(default=None, description="rising, hot, cooling or quiet.")
    months: Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(min_length=1, strict=False)] | None = Field(
        default=None, description="Months of the run date, 1 to 12."
    )
    min_days_of_cover: Count | None = Field(default=None, description="Stock on hand lasts at least so long [days].")
    max_days_of_cover: Count | None = Field(default=None, description="Stock on hand lasts at most so long [days].")
    min_age_days: Count | None = Field(default=None, description="On sale for at least so long [days].")
    max_age_days: Count | None = Field(default=None, description="On sale for at most so long [days].")
    min_margin_percent: Annotated[float, Field(ge=-1000, le=100)] | None = Field(
        default=None, description="Margin of the current price at least [percent]."
    )
    max_margin_percent: Annotated[float, Field(ge=-1000, le=100)] | None = Field(
        default=None, description="Margin of the current price at most [percent]."
    )
    min_price: Count | None = Field(default=None, description="Current price at least [currency].")
    max_price: Count | None = Field(default=None, description="Current price at most [currency].")
    min_on_hand: Count | None = Field(default=None, description="Stock at least [units].")
    max_on_hand: Count | None = Field(default=None, description="Stock at most [units].")
    min_weekly_units: Count | None = Field(default=None, description="Forecast sales at least [units/week].")
    max_weekly_units: Count | None = Field(default=None, description="Forecast sales at most [units/week].")
    min_trend_heat: Annotated[float, Field(ge=-20, le=20)] | None = Field(
        default=None, description="Heat of its hottest element at least; 0 is usual, 0.69 is double [log ratio]."
    )
    max_trend_heat: Annotated[float, Field(ge=-20, le=20)] | None = Field(
        default=None, description="Heat of its hottest element at most [log ratio]."
    )
    min_days_to_end_of_sale: Count | None = Field(default=None, description="End of sale at least so far off [days].")
    max_days_to_end_of_sale: Count | None = Field(default=None, description="End of sale at most so far off [days].")


class _Rule(_Strict):
    id: Identifier = Field(description="Name of the rule: small letters, digits and underscores.")
    description: str | None = Field(default=None, max_length=500, description="What the rule is for.")
    when: When = Field(description="Which SKUs it is for.")
    from_date: date | None = Field(default=None, description="First run date on which the rule holds.")
    to_date: date | None = Field(default=None, description="Last run date on which the rule holds.")
    needs_approval: bool = Field(default=False, description="Its changes always wait for a person.")


class Markdown(_Rule):
    """Cuts the price by a percentage."""

    type: Literal["markdown"]
    percent: Percent = Field(description="Cut [percent].")
    of: Basis = Field(default="current", description="The price that the cut is taken from.")


class Markup(_Rule):
    """Raises the price by a percentage."""

    type: Literal["markup"]
    percent: Percent = Field(description="Rise [percent].")
    of: Basis = Field(default="current", description="The price that the rise is added to.")


class MatchCompetitor(_Rule):
    """Aims at the median of the competitors' latest prices, or so much above or below it."""

    type: Literal["match_competitor"]
    offset_percent: Annotated[float, Field(ge=-50, le=50)] = Field(
        default=0.0, description="Above (+) or below (-) the competitors' median [percent]."
    )
    within_percent: Percent = Field(description="Never further than this from the current price [percent].")


class Clearance(_Rule):
    """Marks down step by step what will not sell out by its end of sale, down to the salvage value with approval."""

    type: Literal["clearance"]
    start_days: Annotated[int, Field(ge=1, le=365)] = Field(description="Starts so long before the end of sale [days].")
    percent_at_end: Percent = Field(description="Cut of the list price that is reached at the end [percent].")
    by_date: date | None = Field(default=None, description="Day by which it must be gone; left out: its end of sale.")


class Rung(_Strict):
    """One rung of a price ladder."""

    values: Names = Field(description="Values of the field that stand on this rung.")
    percent: Annotated[float, Field(ge=-90, le=300)] = Field(
        description="Above (+) or below (-) the median price of the family [percent]."
    )


class Ladder(_Rule):
    """Keeps the SKUs of a style apart by so much: the larger size a step dearer than the middle of the family."""

    type: Literal["ladder"]
    by: Literal["size", "size_group", "colour", "material", "character"] = Field(description="What the rungs are of.")
    rungs: Annotated[tuple[Rung, ...], Field(min_length=1, strict=False)] = Field(description="Rungs, in any order.")


class LaunchPrice(_Rule):
    """Sets the price of a new item in its first days, of the list price; then the list price."""

    type: Literal["launch_price"]
    days: Annotated[int, Field(ge=1, le=365)] = Field(description="So long after its launch [days].")
    percent: Annotated[float, Field(ge=0, le=90)] = Field(description="Below the list price [percent].")
    return_days: Annotated[int, Field(ge=0, le=60)] = Field(
        default=14, description="So long afterwards it aims back at the list price [days]."
    )


class EventPrice(_Rule):
    """Sets a price below the list price during an event (`from_date` to `to_date`), and the list price after it."""

    type: Literal["event_price"]
    percent: Percent = Field(description="Below the list price [percent].")
    return_days: Annotated[int, Field(ge=0, le=60)] = Field(
        default=14, description="So long afterwards it aims back at the list price [days]."
    )


class Freeze(_Rule):
    """Keeps the price as it is, whatever else the book says."""

    type: Literal["freeze"]


class SetPrice(_Rule):
    """Sets a price by hand."""

    type: Literal["set_price"]
    price: Money = Field(description="Price [currency].")


class Optimise(_Rule):
    """Aims at the price with the highest expected margin over the horizon, given stock and elasticity."""

    type: Literal["optimise"]
    within_percent: Percent = Field(description="Never further than this from the current price [percent].")


class Limit(_Rule):
    """Narrows the range a price may lie in; sets no target."""

    type: Literal["limit"]
    min_price: Money | None = Field(default=None, description="Lowest price [currency].")
    max_price: Money | None = Field(default=None, description="Highest price [currency].")
    min_margin_percent: Annotated[float, Field(ge=0, lt=95)] | None = Field(
        default=None, description="Lowest margin, where above that of the guardrails [percent]."
    )


Rule = Annotated[
    Markdown
    | Markup
    | MatchCompetitor
    | Ladder
    | Clearance
    | LaunchPrice
    | EventPrice
    | Freeze
    | SetPrice
    | Optimise
    | Limit,
    Field(discriminator="type"),
]


class Band(_Strict):
    """A band about the competitors' median; a price outside it may only move toward it."""

    max_below_percent: Annotated[float, Field(ge=0, le=90)] = Field(description="At most so far below [percent].")
    max_above_percent: Annotated[float, Field(ge=0, le=900)] = Field(description="At most so far above [percent].")


class Approval(_Strict):
    """Changes that wait for a person although every guardrail admits them."""

    one_person_above_percent: Percent | None = Field(default=None, description="Change of more than this [percent].")
    two_persons_above_percent: Percent | None = Field(default=None, description="Change of more than this [percent].")


class PartialGuardrails(_Strict):
    """Guardrails of a scope: what is left out is inherited."""

    min_margin_percent: Annotated[float, Field(ge=0, lt=95)] | None = Field(
        default=None, description="Hard. Lowest margin over unit cost, of the price [percent]."
    )
    max_change_percent_per_day: Percent | None = Field(default=None, description="Soft. Largest change [percent].")
    max_change_percent_per_30_days: Percent | None = Field(
        default=None, description="Soft. Largest distance from any price of the last 30 days [percent]."
    )
    price_ending: Annotated[float, Field(ge=0, lt=100)] | None = Field(
        default=None, description="Soft. Prices end so: 0.9 gives 8.90, 9.90; 9 gives 19, 29."
    )
    price_step: Annotated[float, Field(ge=0.01, le=1000)] | None = Field(
        default=None, description="Soft. Prices are whole multiples of this [currency]."
    )
    cooldown_days: Annotated[int, Field(ge=0, le=365)] | None = Field(
        default=None, description="Soft. No change within so long of the last one [days]."
    )
    competitor_band: Band | None = Field(default=None, description="Soft. Band about the competitors' median.")
    family_band_percent: Percent | None = Field(
        default=None, description="Soft. Within this of the median price of the style at the location [percent]."
    )
    min_percent_of_list_price: Annotated[float, Field(ge=0, le=500)] | None = Field(
        default=None, description="Hard. Lowest price, of list_price [percent]."
    )
    max_percent_of_list_price: Annotated[float, Field(gt=0, le=500)] | None = Field(
        default=None, description="Hard. Highest price, of list_price [percent]."
    )
    price_protection_days: Annotated[int, Field(ge=0, le=90)] | None = Field(
        default=None,
        description="Buyers of the last so many days are refunded a cut; its cost is in the profit [days].",
    )
    preorder_price_guarantee: bool | None = Field(
        default=None, description="Buyers of open preorders get a lower price too; its cost is in the profit."
    )
    approval: Approval | None = Field(default=None, description="Which changes wait for a person.")


class Guardrails(PartialGuardrails):
    """Guardrails of the shop. The margin floor and the daily cap must be stated."""

    min_margin_percent: Annotated[float, Field(ge=0, lt=95)] = Field(
        description="Hard. Lowest margin over unit cost, of the price [percent]."
    )
    max_change_percent_per_day: Percent = Field(description="Soft. Largest change in one day [percent].")
    max_changed_percent_per_night: Annotated[float, Field(gt=0, le=100)] | None = Field(
        default=None, description="Of all lines, so many may change in one night; the most useful first [percent]."
    )
    one_price_per_style: bool = Field(
        default=False,
        description="SKUs of a style with the same price keep one price, except by ladders, overrides and set_price.",
    )


class Scope(_Strict):
    """Other guardrails for some SKUs; a later scope wins over an earlier one."""

    id: Identifier = Field(description="Name of the scope.")
    when: When = Field(description="Which SKUs it is for.")
    guardrails: PartialGuardrails = Field(description="What differs for them.")


class RuleBook(_Strict):
    """A merchandiser's rule book."""

    version: Literal[1] = Field(description="Version of this format.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        description="ISO 4217 code of all money."
    )
    guardrails: Guardrails = Field(description="What no price may break.")
    scopes: tuple[Scope, ...] = Field(default=(), strict=False, description="Other guardrails for some SKUs.")
    rules: tuple[Rule, ...] = Field(strict=False, description="Rules, top to bottom.")
