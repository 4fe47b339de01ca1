"""Typed settings of the forecasting room: ``forecasting:`` in ``merchcast.yml``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ForecastConfig", "LearnerConfig", "WorkersConfig"]


class _Frozen(BaseModel):
    """Settings never change within a run, and a typo never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LearnerConfig(_Frozen):
    """The global gradient-boosted learner. Chosen on M5 windows before 2016-03-27."""

    objective: Literal["poisson", "tweedie"] = Field(default="poisson", description="Loss of the mean.")
    trees: int = Field(default=200, ge=5, le=5000, description="Boosting rounds [trees].")
    leaves: int = Field(default=64, ge=4, le=1024, description="Leaves a tree.")
    learning_rate: float = Field(default=0.1, gt=0, le=1, description="Shrinkage of each tree (0-1).")
    min_rows_per_leaf: int = Field(
        default=200, ge=1, description="Smallest leaf at full size; small shops get less [rows]."
    )
    feature_share: float = Field(default=0.7, gt=0, le=1, description="Features drawn for each tree (0-1).")
    row_share: float = Field(default=0.5, gt=0, le=1, description="Rows drawn for each tree (0-1).")
    max_bins: int = Field(default=127, ge=15, le=255, description="Histogram bins of a feature.")
    threads: int = Field(
        default=2, ge=1, le=64, description="Fixed thread count: results depend on it in the last bits."
    )
    max_rows: int = Field(
        default=4_000_000,
        ge=1000,
        description="Rows the nightly fit learns from, drawn evenly; the backtest's: half [rows].",
    )
    max_rows_per_series: int = Field(default=250, ge=50, description="The same, on average over the series [rows].")
    min_rows: int = Field(
        default=1500, ge=100, description="With fewer rows in the whole shop no learner is fitted [rows]."
    )


class WorkersConfig(_Frozen):
    """Who works on the shards of series: this process, or an existing Dask cluster."""

    engine: Literal["local", "dask"] = Field(default="local", description="This process, or a Dask cluster.")
    address: str = Field(default="tcp://127.0.0.1:8786", description="Address of the Dask scheduler.")
    timeout_seconds: float = Field(default=30.0, gt=0, description="Patience with the scheduler [s].")


class ForecastConfig(_Frozen):
    """Knobs of the forecast. Lengths are in periods: days, or weeks with a weekly ``planning.freq``."""

    learner: LearnerConfig = LearnerConfig()
    workers: WorkersConfig = WorkersConfig()
    max_history_days: int = Field(default=800, ge=60, le=3650, description="Older history is not used, daily [days].")
    max_history_weeks: int = Field(default=260, ge=20, le=520, description="Older history is not used, weekly [weeks].")
    min_horizon_days: int = Field(default=28, ge=1, le=365, description="Shortest horizon of `auto` [days].")
    max_horizon_days: int = Field(default=182, ge=7, le=730, description="Longest horizon of `auto` [days].")
    nights_share_a_model: bool = Field(
        default=True, description="The nights of a week forecast with what was learnt as of its first, daily."
    )
    drift_ratio: float = Field(
        default=1.5,
        gt=1,
        description="Demand of a class since then, over its own recent level, beyond which it is learnt anew (ratio).",
    )
    control_weeks: int = Field(default=8, ge=1, le=52, description="Weeks in the moving-average control [weeks].")
    statistical_history_days: int = Field(
        default=224, ge=28, le=3650, description="Statistical models see so much daily history [days]."
    )
    statistical_history_weeks: int = Field(
        default=104, ge=8, le=520, description="Statistical models see so much weekly history [weeks]."
    )
    backtest_origins: int = Field(default=2, ge=1, le=6, description="Earlier windows that weigh the blend [windows].")
    backtest_days: int = Field(default=28, ge=7, le=91, description="Length of each such window [days].")
    min_periods_for_blend: int = Field(
        default=28, ge=2, description="Observed periods below which the blend is not used, daily."
    )
    min_weeks_for_blend: int = Field(
        default=8, ge=2, description="Observed periods below which the blend is not used, weekly."
    )
    min_periods_for_statistics: int = Field(
        default=8, ge=2, description="Observed periods a statistical model needs [periods]."
    )
    pooling_periods: float = Field(
        default=10.0, ge=0, description="Weight of the analogues against a short series' own mean [periods]."
    )
    gate_margin: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="A blend must beat the control's score by this share, else the control is used.",
    )
    weight_shrinkage: float = Field(
        default=0.5, ge=0, le=1, description="Pull of a segment's blend weights to the whole shop's (0-1)."
    )
    dispersion_prior_periods: float = Field(
        default=300.0, ge=0, description="Weight of the class's dispersion against the series' own, daily [periods]."
    )
    dispersion_prior_weeks: float = Field(
        default=20.0, ge=0, description="Weight of the class's dispersion against the series' own, weekly [periods]."
    )
    min_calibration_cases: int = Field(
        default=300, ge=10, description="Cases a calibration cell needs; else a wider one [cases]."
    )
    growth_cap: float = Field(
        default=5.0, gt=1, description="A mean above so many times the series' largest value is cut back (ratio)."
    )
    max_failed_share: float = Field(
        default=0.05, ge=0, le=1, description="More series with an unusable first choice stop the step (0-1)."
    )

    def dispersion_prior(self, period_days: int) -> float:
        """Return the weight of the class's dispersion against the series' own [periods]."""
        return self.dispersion_prior_periods if period_days == 1 else self.dispersion_prior_weeks
