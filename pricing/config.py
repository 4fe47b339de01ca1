"""Typed settings for the pricing room: the key ``pricing`` of merchcast.yml. Rules live in pricing_rules.yml."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["PricingConfig", "Switchback"]

_LEVELS = 3  # control, lower, higher


class Switchback(BaseModel):
    """A switchback of prices: some styles go through three levels in turn, in an order of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment_id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Its name in the table `experiments`.")
    from_date: date = Field(description="First day at a level; prices are set from those of the day before it.")
    blocks: int = Field(default=4, ge=1, le=52, description="Times that each style goes through all levels [blocks].")
    days_per_level: int = Field(
        default=14, ge=7, le=56, multiple_of=7, description="Whole weeks at a level, no fewer than the cooldown [days]."
    )
    washout_days: int = Field(default=3, ge=0, le=28, description="First days of a level that are not counted [days].")
    percent: float = Field(default=4.0, gt=0, le=25, description="Lower and higher are so far from control [percent].")
    share: float = Field(default=0.2, gt=0, le=1, description="Share of the styles that take part [0-1].")

    @model_validator(mode="after")
    def _counts_a_week(self) -> Self:
        if self.days_per_level - self.washout_days < 1:
            raise ValueError("washout_days must be fewer than days_per_level: nothing is left to count")
        return self

    @property
    def days(self) -> int:
        """Return how long it runs [days]."""
        return self.blocks * _LEVELS * self.days_per_level

    def day_of(self, run_date: date) -> int:
        """Return which day of it the day after ``run_date`` is, from 0."""
        return (run_date + timedelta(days=1) - self.from_date).days


class PricingConfig(BaseModel):
    """How prices are estimated and judged. Extra keys are an error, so a typo never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon_days: int = Field(default=28, ge=7, le=182, description="Effects of a price are counted so far [days].")
    expiry_days: int = Field(default=7, ge=1, le=90, description="A suggestion lapses after so many [days].")
    two_persons_above_value: float | None = Field(
        default=50_000, gt=0, description="A plan that moves more revenue than this needs two persons [currency]."
    )
    competitor_days: int = Field(default=14, ge=1, le=90, description="Competitor prices older than this are not used.")
    elasticity_weeks: int = Field(
        default=104, ge=12, le=260, description="History the elasticity is learnt from [weeks]."
    )
    prior_elasticity: float = Field(default=-1.8, lt=0, ge=-8, description="Elasticity where nothing is known [1].")
    prior_elasticity_sd: float = Field(default=0.7, gt=0, le=3, description="Spread of categories about the prior [1].")
    between_categories_sd: float = Field(
        default=0.5, gt=0, le=3, description="Spread of product types within a category [1]."
    )
    least_sku_sd: float = Field(default=0.25, gt=0, le=3, description="Least spread of SKUs within a product type [1].")
    within_style_sd: float = Field(default=0.1, gt=0, le=3, description="Spread of the SKUs of one style [1].")
    drift_sd_per_week: float = Field(
        default=0.1, gt=0, le=1, description="Demand wanders so far by itself [log units per root week]."
    )
    max_elasticity_width: float = Field(
        default=5.0, gt=0, le=10, description="An elasticity whose 90% interval is wider is not acted on [1]."
    )
    scarce_probability: float = Field(
        default=0.5, gt=0, lt=1, description="Never cheapened where it sells out within the horizon this likely [0-1]."
    )
    scarce_cover_days: float = Field(
        default=7.0, ge=0, le=90, description="Never cheapened with less stock on hand than lasts so long [days]."
    )
    least_profit_probability: float = Field(
        default=0.8, ge=0, le=1, description="An optimise rule moves a price only if profit rises this likely [0-1]."
    )
    candidate_prices: int = Field(default=41, ge=5, le=401, description="Prices tried by an optimise rule [prices].")
    least_profit_gain_percent: float = Field(
        default=0.5, ge=0, le=50, description="An optimise rule moves a price only for this much more [percent]."
    )
    exploration_share: float = Field(
        default=0.0, ge=0, le=0.5, description="Styles whose prices are tried out, to learn; 0: none [0-1]."
    )
    exploration_percent: float = Field(
        default=5.0, gt=0, le=25, description="A trial goes at most so far from the current price [percent]."
    )
    regret_budget_percent: float = Field(
        default=0.2, gt=0, le=5, description="Expected profit that a night's trials may cost at most [percent]."
    )
    holdout_share: float = Field(
        default=0.0, ge=0, le=0.5, description="Styles that keep their prices, to measure the rest against [0-1]."
    )
    switchback: Switchback | None = Field(default=None, description="A switchback of prices to run; left out: none.")
    experiment_alpha: float = Field(
        default=0.05, gt=0, lt=0.5, description="Chance of a false alarm over all looks at an experiment [0-1]."
    )
    preview_lines: int = Field(default=200, ge=1, le=100_000, description="Lines of the plan printed at most [lines].")
