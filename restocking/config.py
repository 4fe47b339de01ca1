"""Typed settings of the restocking room: ``restocking:`` in ``merchcast.yml``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["RestockConfig"]


class RestockConfig(BaseModel):
    """Knobs a planner may turn. Extra keys are an error, so a typo never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_paths: int = Field(
        default=200, ge=50, le=2000, description="Sample paths of demand drawn per series [paths]."
    )
    max_cover_days: int | None = Field(
        default=180, ge=1, le=3650, description="Position plus order never exceeds so many days of mean demand [days]."
    )
    max_line_value: float | None = Field(
        default=None, gt=0, description="A line worth more is held for a person [shop.currency]."
    )
    tune_policy: bool = Field(
        default=True,
        description="Weekly shops with explicit costs: use the order policy tuned by simulation on earlier weeks.",
    )
    need_rounding: Literal["nearest", "up"] = Field(
        default="nearest", description="How a fractional need becomes whole units, before MOQ and packs."
    )
    fallback_service_level: float = Field(
        default=0.95, gt=0, lt=1, description="Target where the margin objective lacks a price or a cost (0-1)."
    )
    expedite_probability: float = Field(
        default=0.5, gt=0, le=1, description="On order dates: risk of a stock-out before receipt that expedites (0-1)."
    )
    excess_cover_days: int = Field(
        default=180, ge=1, le=3650, description="Cover, orders included, above which stock is called excess [days]."
    )
    rail_min_runs: int = Field(
        default=4, ge=1, le=28, description="Published runs that a comparison with the past needs."
    )
    rail_line_multiple: float = Field(
        default=5.0, gt=1, description="Mean demand over its median of earlier runs that holds a line (ratio)."
    )
    rail_line_min_units: float = Field(
        default=20.0, ge=0, description="Smaller rises of mean demand are never held [units]."
    )
    rail_total_multiple: float = Field(
        default=3.0, gt=1, description="Plan value over the largest of the last 28 runs that holds all lines (ratio)."
    )
    rail_spike_rise: float = Field(
        default=0.25,
        ge=0,
        description="Rise of mean demand after a capped spike that holds a line the first night (share).",
    )
    resellable_share: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="Share of expected returns that can be sold again and so counts as supply (0-1).",
    )
    transfers: bool = Field(default=True, description="Propose transfers of surplus over the shop's lanes.")
    transfer_min_units: int = Field(
        default=2, ge=1, description="Smaller transfers are not worth the handling [units]."
    )
    transfer_keep_days: int = Field(
        default=60, ge=1, le=3650, description="A location keeps at least so many days of its own mean demand [days]."
    )
