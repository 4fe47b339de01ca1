"""The size and the habits of the simulated shop: one frozen config with bounds."""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["DemoConfig", "demo_config", "small_config"]

DEFAULT_RUN_DATE = date(2026, 6, 28)  # a Sunday, so that it is an order date
DEFAULT_SEED = 2026
SMALL_STYLES = 24
_SUNDAY = 6


class DemoConfig(BaseModel):
    """How large the demo shop is and how much is planted in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=DEFAULT_SEED, ge=0, description="Seed of every random stream.")
    run_date: date = Field(default=DEFAULT_RUN_DATE, description="D, the last day with data: a Sunday.")
    n_days: int = Field(default=728, ge=120, le=1500, description="Days of history up to and with D [days].")
    n_ips: int = Field(default=24, ge=4, le=32, description="IPs (anime, games) in the range.")
    n_goods_styles: int = Field(
        default=1020, ge=8, le=20_000, description="Badges, cards, stands, figures: one SKU each."
    )
    n_costume_styles: int = Field(default=80, ge=2, le=2_000, description="Costumes, seven sizes each.")
    n_clothing_styles: int = Field(default=60, ge=2, le=2_000, description="Clothing, seven sizes each.")
    shop_share: float = Field(default=0.36, gt=0.0, le=1.0, description="Share of styles that a shop carries (0-1).")
    target_units: int = Field(default=1_420_000, ge=1_000, description="Expected demand over the history [units].")
    csv_days: int = Field(
        default=60, ge=7, description="Last days delivered as daily csv.gz, older ones Parquet [days]."
    )
    stock_daily_days: int = Field(
        default=400, ge=14, description="Days with a daily stock snapshot; weekly before [days]."
    )
    traffic_days: int = Field(default=150, ge=14, description="Days of site traffic [days].")
    n_new_styles: int = Field(default=60, ge=1, description="Styles launched in the last three weeks.")
    n_coming_styles: int = Field(default=36, ge=1, description="Styles to launch within 60 days after D.")
    n_drop_styles: int = Field(default=30, ge=1, description="Launches that sell out within hours.")
    n_bursts: int = Field(default=44, ge=2, description="True trend bursts, slow and sudden.")
    n_false_spikes: int = Field(default=24, ge=1, description="One-day signal spikes with no sales behind.")
    n_source_doublings: int = Field(default=6, ge=1, description="A source that doubles by itself for one element.")
    n_pairs: int = Field(default=12, ge=2, description="Combinations of elements that sell beyond their parts.")
    n_brushing_each: int = Field(default=26, ge=1, description="Brushing incidents of each of the three kinds.")
    n_viral: int = Field(default=16, ge=1, description="Real viral spikes, not fake.")
    n_past_campaigns: int = Field(default=30, ge=2, description="Preorder campaigns that were closed before D.")
    n_open_campaigns: int = Field(default=10, ge=1, description="Preorder campaigns open on D.")
    campaign_volume: float = Field(default=420.0, gt=0, description="Median preorders of a campaign [units].")
    n_return_problems: int = Field(default=10, ge=1, description="Style-sizes whose size text is wrong.")
    n_fabric_problems: int = Field(default=4, ge=1, description="Styles whose fabric text is wrong.")
    buyers_at_start: int = Field(default=24_000, ge=100, description="Buyers the shop already knew.")

    @field_validator("run_date")
    @classmethod
    def _a_sunday(cls, value: date) -> date:
        if value.weekday() != _SUNDAY:
            raise ValueError(f"run_date must be a Sunday, the shop's order date; {value} is not")
        return value

    @property
    def start_date(self) -> date:
        """First day of the history."""
        return self.run_date - timedelta(days=self.n_days - 1)


def demo_config(*, seed: int = DEFAULT_SEED) -> DemoConfig:
    """Return the demo shop: about 2,000 SKUs, three locations, two years."""
    return DemoConfig(seed=seed)


def small_config(*, seed: int, n_styles: int = SMALL_STYLES) -> DemoConfig:
    """Return a small version of the same world: about 2.5 SKUs a style, 200 days.

    A quarter of the styles comes in seven sizes. Everything planted is there, in small numbers.
    """
    sized = max(4, n_styles // 4)
    goods = max(8, n_styles - sized)
    return DemoConfig(
        seed=seed,
        n_days=200,
        n_ips=5,
        n_goods_styles=goods,
        n_costume_styles=max(2, sized // 2),
        n_clothing_styles=max(2, sized - sized // 2),
        shop_share=0.5,
        target_units=max(6_000, 900 * n_styles),
        csv_days=28,
        stock_daily_days=200,
        traffic_days=60,
        n_new_styles=1,
        n_coming_styles=1,
        n_drop_styles=1,
        n_bursts=4,
        n_false_spikes=2,
        n_source_doublings=1,
        n_pairs=2,
        n_brushing_each=2,
        n_viral=1,
        n_past_campaigns=3,
        n_open_campaigns=2,
        campaign_volume=90.0,
        n_return_problems=2,
        n_fabric_problems=1,
        buyers_at_start=900,
    )
