"""Typed settings of the restocking room: ``restocking:`` in ``merchcast.yml``."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["HedgeSettings", "RegimeSettings", "RestockConfig"]


class RegimeSettings(BaseModel):
    """A way a season may go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Name of the regime, such as cold.")
    probability: float = Field(ge=0, le=1, description="What the model believes (0-1).")
    demand_factor: float = Field(gt=0, le=100, description="Demand of the season against the forecast (ratio).")


class HedgeSettings(BaseModel):
    """A season for which the forecast may be wrong as a whole: commit a base, reserve the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: str | None = Field(default=None, description="Category whose styles are hedged; null: by style_ids.")
    style_ids: tuple[str, ...] = Field(default=(), description="Styles to hedge.")
    trigger_date: date = Field(description="Last day on which the second order can be called.")
    season_end_date: date = Field(description="Last day of the season.")
    regimes: tuple[RegimeSettings, ...] = Field(min_length=2, description="How the season may go.")
    probability_floor: float = Field(default=0.1, ge=0, le=0.5, description="Least probability of a regime (0-1).")
    demand_spread: float = Field(default=0.25, gt=0, le=2, description="Spread of demand within a regime (share).")
    second_order_premium: float = Field(default=0.2, ge=0, le=5, description="Dearer second order (share of cost).")
    reservation_fee: float = Field(default=0.02, ge=0, le=1, description="Fee of reserved capacity (share of cost).")


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
    hedges: tuple[HedgeSettings, ...] = Field(default=(), description="Seasons to hedge by two-stage orders.")
    annual_holding_rate: float = Field(
        default=0.25, ge=0, le=5, description="Holding cost where the objective states none (share of cost a year)."
    )
    audit_days: int = Field(default=91, ge=7, le=400, description="History that the size audit looks at [days].")
    transfers: bool = Field(default=True, description="Propose transfers of surplus over the shop's lanes.")
    transfer_min_units: int = Field(
        default=2, ge=1, description="Smaller transfers are not worth the handling [units]."
    )
    transfer_keep_days: int = Field(
        default=60, ge=1, le=3650, description="A location keeps at least so many days of its own mean demand [days]."
    )
