"""Typed settings of the trends room (``trends:`` in merchcast.yml)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["TrendConfig"]


class TrendConfig(BaseModel):
    """Knobs of the trend scores. Extra keys are an error, so a typo never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline_weeks: tuple[int, ...] = Field(
        default=(2, 3, 4, 5, 6, 7, 8), description="Weeks back whose 7-day levels give the baseline, by median [weeks]."
    )
    level_floor: float = Field(
        default=1.0, ge=0, description="Added to level and baseline: smaller figures are noise [units of the metric]."
    )
    level_floor_share: float = Field(
        default=0.1, ge=0, le=1, description="Added likewise, as a share of the baseline (0-1)."
    )
    noise_memory_days: float = Field(default=42.0, gt=1, description="Memory of the running noise level [days].")
    noise_prior_days: float = Field(
        default=14.0, ge=0, description="Days that the noise of all series of a metric weighs in each one's [days]."
    )
    noise_floor: float = Field(default=0.08, gt=0, description="Smallest noise of a daily log ratio.")
    score_memory_days: float = Field(default=3.0, gt=0, description="Memory of the score [days].")
    common_min_elements: int = Field(
        default=8,
        ge=3,
        description="Elements from which a day's common move (holiday, outage) is taken out [elements].",
    )
    drift: float = Field(default=0.7, ge=0, description="Allowance of the CUSUM [standard units per day].")
    alarm_level: float = Field(default=4.0, gt=0, description="CUSUM level that starts a burst [standard units].")
    weekly_alarm_level: float = Field(
        default=2.0, gt=0, description="The same for a series that speaks once a week: each figure is a week's."
    )
    daily_cap: float = Field(
        default=3.0, gt=0, description="Most that one day may add to the CUSUM: a one-day spike is no trend."
    )
    min_rise: float = Field(
        default=0.25, ge=0, description="Log ratio of the last 3 days to the baseline that a burst needs at its start."
    )
    fast_units: float = Field(
        default=2.0, gt=0, description="Rise of the last days against the weeks before that starts a burst [sd]."
    )
    fast_rise: float = Field(default=0.2, ge=0, description="Log rise that the sources but the loudest must then show.")
    fast_return: float = Field(
        default=0.05, ge=0, description="Depth below the usual level from which coming back is no rise [log ratio]."
    )
    fast_days_above: int = Field(default=2, ge=1, le=28, description="Days above baseline it needs, of the last 3.")
    days_above: int = Field(default=3, ge=1, le=28, description="N: days above baseline that an alarm needs [days].")
    of_days: int = Field(default=5, ge=1, le=28, description="M: of the last so many known days [days].")
    above_units: float = Field(default=0.5, description="Standard units above which a day counts for N of M.")
    end_drift: float = Field(
        default=1.0, description="Standard units below which a burst's days count towards its end."
    )
    end_level: float = Field(default=4.0, gt=0, description="Sum of the shortfalls that ends a burst [standard units].")
    growing: float = Field(default=0.1, ge=0, description="Log growth a week above which a burst is rising.")
    shrinking: float = Field(default=0.1, ge=0, description="Log decline a week beyond which a burst is cooling.")
    rising_days: int = Field(default=7, ge=1, description="A burst so young is rising whatever its growth [days].")
    streak_on: float = Field(default=0.5, description="Score above which a day counts for the streak.")
    streak_off: float = Field(default=0.0, description="Score below which a streak ends.")
    stale_days: int = Field(
        default=3,
        ge=1,
        le=30,
        description="Without a fresh figure for longer a series is stale, its features neutral [days].",
    )
    repeat_days: int = Field(
        default=3, ge=2, le=30, description="A source that repeats all its figures for so many days is stale [days]."
    )
    repeat_share: float = Field(
        default=0.95, gt=0.5, le=1, description="Share of a metric's figures that must repeat (0-1)."
    )
    late_days: int = Field(
        default=7,
        ge=0,
        le=60,
        description="Figures known later than this count for tonight, not for past features [days].",
    )
    feature_days: int = Field(default=800, ge=28, description="Days of features kept for the forecast [days].")
    alert_streak_days: int = Field(default=1, ge=0, description="Shortest streak of an alert [days].")
    use_site_traffic: bool = Field(
        default=True, description="Score elements without social signals from the shop's own traffic."
    )
    sales_days: int = Field(default=540, ge=90, le=1500, description="Days of sales that signals are judged by [days].")
    gate_windows: int = Field(default=20, ge=2, le=100, description="Past windows of 14 days the gate looks at.")
    gate_windows_min: int = Field(default=4, ge=1, description="Fewer judged windows keep the gate shut.")
    gate_permutations: int = Field(default=99, ge=19, le=9999, description="Signals dealt to wrong elements.")
    gate_min_gain_percent: float = Field(
        default=1.0, ge=0, description="WAPE that signals must save on the SKUs they touch [%]."
    )
    gate_max_harm_percent: float = Field(default=0.5, ge=0, description="WAPE they may cost elsewhere [%].")
    gate_max_p_value: float = Field(default=0.05, gt=0, lt=1, description="Largest p-value of the permutation test.")
    spare_days: float = Field(
        default=7.0, ge=0, description="Days of usual sales that stock keeps before it counts for a burst [days]."
    )
    min_selling_days: int = Field(
        default=7, ge=1, description="Days that ordered units must be on sale while the burst is on [days]."
    )
    annual_holding_rate: float = Field(
        default=0.25, ge=0, le=2, description="Cost of capital and storage a year (0-1)."
    )
    wrong_days: float = Field(
        default=90.0,
        gt=0,
        description="Units that would not sell in so many days if no burst comes are written down [days].",
    )
    confirming_rise: float = Field(
        default=0.1, ge=0, description="Log rise of sales or site traffic that confirms the signals."
    )
    withdrawn_days: int = Field(default=7, ge=1, le=90, description="Days a withdrawn proposal is still shown [days].")
    pair_false_share: float = Field(
        default=0.07, gt=0, lt=1, description="Share of the reported combinations that may be false (0-1)."
    )
    exposure_days: int = Field(default=14, ge=1, le=60, description="Days ahead that suggestions are made for [days].")
    exposure_places: int = Field(default=60, ge=5, le=1000, description="Suggestions a region, at most.")
    exposure_lift: float = Field(
        default=0.3, ge=0, le=5, description="What showing is expected to add to demand; stock must last with it (0-1)."
    )
    tail_share: float = Field(default=0.2, ge=0, le=1, description="Places kept for the long tail (0-1).")
    extended_share: float = Field(default=0.3, ge=0, le=1, description="Places kept for sizes beyond standard (0-1).")
    excess_cover_days: float = Field(default=120.0, gt=0, description="Cover from which stock is in excess [days].")
    weather_turn_degrees: float = Field(
        default=4.0, gt=0, description="Forecast change against the last two weeks that is a turn [degC]."
    )
    weather_turn_days: int = Field(default=2, ge=1, description="Forecast days that make a turn [days].")
