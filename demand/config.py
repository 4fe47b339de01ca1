"""Typed settings for the demand room (``demand:`` in merchcast.yml)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "BrushingConfig",
    "CensoringConfig",
    "DayConfig",
    "DemandConfig",
    "ReturnConfig",
    "SpikeConfig",
    "StatusConfig",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DayConfig(_Frozen):
    """Closed days, gaps and partial days."""

    closed_weeks: int = Field(
        default=8, ge=2, le=52, description="Weeks in a row without any row that make a weekday closed [weeks]."
    )
    closed_weeks_min: int = Field(
        default=4, ge=2, le=52, description="Weeks that must be known before a weekday can be called closed [weeks]."
    )
    partial_missing_share: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="Share of a usual day's orders after the last one seen, for a partial day (0-1).",
    )
    partial_p: float = Field(
        default=1e-6, gt=0, lt=0.1, description="Chance, under a usual day, of so early an end (0-1)."
    )
    all_zero_series: int = Field(
        default=20, ge=2, description="Fewest series on sale for a day of zeros only to be doubted [series]."
    )


class ReturnConfig(_Frozen):
    """Matching of returns with sales."""

    cancelled_statuses: tuple[str, ...] = Field(
        default=("cancelled", "canceled", "cancel", "void", "voided", "refused", "failed", "unpaid", "expired"),
        description="Values of order_lines.status, in lower case, of lines that were never wanted.",
    )
    usual_lag_days: int = Field(
        default=10, ge=0, le=365, description="Lag from sale to return where no linked return tells it [days]."
    )
    longest_lag_days: int = Field(
        default=120, ge=1, le=730, description="A return without buyer or order is not matched with older sales [days]."
    )
    alert_days: int = Field(default=730, ge=28, description="Sales of the last so many days tell return rates [days].")
    alert_recent_days: int = Field(
        default=180,
        ge=28,
        description="Sales of so many days can take an alert back: a corrected text [days].",
    )
    alert_taken_back: float = Field(
        default=0.2, gt=0, lt=0.5, description="Probability, by those sales alone, below which it is taken back (0-1)."
    )
    alert_ratio: float = Field(
        default=1.5, ge=1, description="Times the category's rate from which a style and size comes back too often."
    )
    alert_probability: float = Field(
        default=0.95, gt=0.5, lt=1, description="Posterior probability of that from which an alert stands (0-1)."
    )
    alert_min_units: float = Field(default=5.0, ge=1, description="Returns for the reason that an alert needs [units].")


class BrushingConfig(_Frozen):
    """Fake orders: few buyers, rings of fresh accounts, night bursts."""

    min_orders_per_hour: int = Field(
        default=30, ge=5, description="Orders of one SKU in one hour from which few buyers are suspicious [orders]."
    )
    min_orders_per_buyer: float = Field(
        default=3.0, gt=1, description="Orders per distinct buyer in that hour, unknown buyers counting as distinct."
    )
    spill_hours: int = Field(
        default=6,
        ge=0,
        le=48,
        description="The same buyers' repeated orders this near to such an hour go with it [hours].",
    )
    ring_window_hours: tuple[int, ...] = Field(
        default=(2, 6, 24, 48), description="Widths of window in which a ring of fresh accounts is looked for [hours]."
    )
    ring_min_orders: int = Field(
        default=12, ge=5, description="Fewest one-order accounts in the window for a ring [orders]."
    )
    ring_min_fresh_share: float = Field(
        default=0.9, gt=0, le=1, description="Share of the window's orders that one-order accounts placed (0-1)."
    )
    night_from_hour: int = Field(default=0, ge=0, le=23, description="First hour of the night, shop's time [hour].")
    night_to_hour: int = Field(default=6, ge=1, le=24, description="End of the night, shop's time [hour].")
    night_min_orders: int = Field(
        default=12, ge=5, description="Fewest orders of one SKU in one night's burst [orders]."
    )
    night_max_day_ratio: float = Field(
        default=4.0,
        gt=1,
        description="A burst whose day runs at over this many times the usual rate is wanted, not faked.",
    )
    chance: float = Field(
        default=1e-7, gt=0, lt=0.01, description="Chance under ordinary trade below which a burst is suspicious (0-1)."
    )
    share_chance: float = Field(
        default=1e-3, gt=0, lt=0.5, description="Chance of so few known, or of so few returning, buyers (0-1)."
    )
    neighbourhood_days: int = Field(
        default=28, ge=7, le=180, description="Days on either side, up to D, that say what is ordinary [days]."
    )


class SpikeConfig(_Frozen):
    """Slips of the keyboard: a hundredfold quantity."""

    line_factor: float = Field(
        default=20.0, gt=1, description="Times the SKU's 95th percentile of line quantity from which a line is a spike."
    )
    habit_factor: float = Field(
        default=5.0, gt=1, description="Times the SKU's third largest line that a spike must exceed as well."
    )
    line_min_units: float = Field(default=50.0, gt=0, description="A smaller line is never a spike [units].")
    line_min_lines: int = Field(default=8, ge=2, description="Lines that a SKU needs to be judged by its own [lines].")
    period_factor: float = Field(
        default=20.0, gt=1, description="Times the largest neighbouring period from which a lone period is a spike."
    )
    period_min_units: float = Field(default=100.0, gt=0, description="A smaller period is never a spike [units].")
    period_neighbours: int = Field(
        default=28, ge=7, le=366, description="Periods on either side that say what is ordinary [periods]."
    )


class CensoringConfig(_Frozen):
    """Stocked-out periods."""

    infer: Literal["never", "where_stock_is_known", "always"] = Field(
        default="where_stock_is_known",
        description="Call an improbably long run of zeros between two selling stretches stocked out: never; in shops "
        "that tell of stock at all, where it is not known; always. A shop that tells nothing of stock will run out as "
        "often as before, and a forecast of its sales has to expect it.",
    )
    zero_run_chance: float = Field(
        default=1e-6, gt=0, lt=0.1, description="Chance of the run of zeros under the rates before and after (0-1)."
    )
    zero_run_min_periods: int = Field(
        default=5, ge=2, description="A shorter run of zeros is never inferred [periods]."
    )
    zero_run_window: int = Field(
        default=56, ge=14, le=366, description="Periods before and after that say how often it sells [periods]."
    )
    stock_tolerance: float = Field(
        default=0.0, ge=0, description="A reconstructed stock at or below this is empty [units]."
    )
    level_weeks: int = Field(
        default=8, ge=2, le=52, description="Past from which demand of stocked-out days is recovered [weeks]."
    )
    level_weeks_weekly: int = Field(
        default=26, ge=4, le=156, description="The same with weekly periods: one a week says less [weeks]."
    )


class StatusConfig(_Frozen):
    """Which SKU-locations are planned."""

    new_weeks: int = Field(default=8, ge=1, le=52, description="An item with less history is new [weeks].")
    dead_weeks: int = Field(default=26, ge=4, le=156, description="An item without a sale for so long is dead [weeks].")
    dormant_days: int = Field(
        default=365, ge=30, description="Without a sale for so long, without stock or order, an item is dormant [days]."
    )
    feed_end_days: int = Field(
        default=28, ge=0, description="A series missing from period sales for longer is no longer on sale [days]."
    )
    launch_ahead_days: int = Field(
        default=60, ge=0, le=366, description="Items to be launched within this time are listed [days]."
    )
    class_days: int = Field(default=364, ge=56, description="Past that the demand class is taken from [days].")
    adi_cutoff: float = Field(
        default=1.32,
        gt=1,
        description="Mean periods between sales that part smooth from intermittent (Syntetos-Boylan).",
    )
    cv2_cutoff: float = Field(
        default=0.49, gt=0, description="Squared coefficient of variation of sizes that parts smooth from erratic."
    )


class DemandConfig(_Frozen):
    """Everything a planner may turn in the demand room. Extra keys are an error, so a typo never passes silently."""

    days: DayConfig = Field(default=DayConfig(), description="Closed days, gaps, partial days.")
    returns: ReturnConfig = Field(default=ReturnConfig(), description="Returns and cancellations.")
    brushing: BrushingConfig = Field(default=BrushingConfig(), description="Fake orders.")
    spikes: SpikeConfig = Field(default=SpikeConfig(), description="Hundredfold quantities.")
    censoring: CensoringConfig = Field(default=CensoringConfig(), description="Stocked-out periods.")
    status: StatusConfig = Field(default=StatusConfig(), description="Which items are planned.")
