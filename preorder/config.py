"""Typed settings for the preorder room: the key ``preorder`` of merchcast.yml."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, field_validator

__all__ = ["PreorderConfig"]


class PreorderConfig(BaseModel):
    """What a planner may change about preorders. Extra keys are an error, so a typo never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel_quotas: dict[str, NonNegativeFloat] = Field(
        default_factory=dict,
        description="Most a channel may claim: up to 1 a share of max_batch_qty [0-1], above 1 units of a campaign.",
    )
    early_preorders: Literal["count", "refuse"] = Field(
        default="count", description="What a preorder placed before the campaign opens gets; it is listed either way."
    )
    assortments: dict[str, dict[str, NonNegativeFloat]] = Field(
        default_factory=dict, description="Stated odds of each variant, by random-assortment SKU [shares or weights]."
    )
    odds_significance: float = Field(
        default=0.01, gt=0, lt=1, description="Packed output fails the stated odds below this p-value [0-1]."
    )
    require_deposit: bool = Field(
        default=False, description="A preorder whose deposit is not paid in full claims nothing."
    )
    cancel_until: Literal["closed", "committed"] = Field(
        default="committed", description="A cancellation after the campaign's move to this state forfeits the deposit."
    )
    duplicate_seconds: int = Field(
        default=5, ge=0, le=3_600, description="Two preorders of one buyer and SKU this close are flagged [seconds]."
    )
    prior_campaigns: float = Field(
        default=3.0, gt=0, le=100, description="Weight of the prior pace in the final-volume forecast [campaigns]."
    )
    recency_campaigns: float = Field(
        default=18.0, gt=0, le=1_000, description="A past campaign counts half after so many later closes [campaigns]."
    )
    prior_log_sd: float = Field(
        default=0.7, gt=0, le=3, description="Spread of the prior pick-up on the log scale, at the opening [1]."
    )
    prior_pace: float = Field(
        default=0.8, gt=0, le=3, description="Prior share booked by a share f of the window is f to this power [1]."
    )
    prior_cancel_share: float = Field(
        default=0.05, ge=0, lt=1, description="Prior share of firm units cancelled before the close [0-1]."
    )
    late_demand_days: int = Field(
        default=28, ge=0, le=365, description="A batch may carry stock for demand this long after its receipt [days]."
    )
    late_demand_share: float = Field(
        default=0.15, ge=0, le=5, description="Prior demand after the close, as a share of the final volume [0-1]."
    )
    late_demand_log_sd: float = Field(
        default=0.6, gt=0, le=3, description="Spread of the demand after the close on the log scale [1]."
    )
    extend_probability: float = Field(
        default=0.3, ge=0, le=1, description="Extend only if the minimum is reached with this probability [0-1]."
    )
    pace_days: int = Field(
        default=7, ge=1, le=90, description="Recent days whose pace is carried into an extension [days]."
    )
    lead_time_prior_orders: float = Field(
        default=4.0, gt=0, le=100, description="Weight of the stated lead time against real ones [orders]."
    )
    lead_time_log_sd: float = Field(
        default=0.25, gt=0, le=2, description="Spread of a lead time about the stated one without receipts, log scale."
    )
    keep_promise_probability: float = Field(
        default=0.5, gt=0, lt=1, description="A promise stands while it is kept with this probability [0-1]."
    )
    earlier_days: int = Field(
        default=14, ge=1, le=365, description="A promise moves forward only by at least this much [days]."
    )
    keep_finished_days: int = Field(
        default=30, ge=0, le=3_650, description="Shipped and cancelled campaigns stay in the tables this long [days]."
    )

    @field_validator("assortments")
    @classmethod
    def _some_odds(cls, assortments: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        empty = [sku for sku, odds in assortments.items() if sum(odds.values()) <= 0]
        if empty:
            raise ValueError(f"no variant has odds above 0: {', '.join(empty[:5])}; state a share for each variant")
        return assortments
