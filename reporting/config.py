"""Typed settings of the reports (key ``reporting`` in merchcast.yml)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from reporting.delivery_config import DeliveryConfig


class ReportingConfig(BaseModel):
    """What the pages show and how much of it. An unknown key is an error, so a typo never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group_limit: int = Field(
        default=40, ge=1, le=1_000, description="Lines of an exception group that are listed before it is summed up."
    )
    detail_limit: int = Field(
        default=6_000, ge=0, description="Lines of the plan that can be unfolded; exceptions come first."
    )
    page_size: int = Field(default=100, ge=10, le=1_000, description="Lines on one page of the list of all lines.")
    sparkline_periods: int = Field(default=13, ge=2, le=60, description="Periods of history in a sparkline [periods].")
    sparkline_ahead: int = Field(default=13, ge=1, le=60, description="Forecast periods in a sparkline [periods].")
    chart_history_periods: int = Field(default=56, ge=7, le=400, description="Periods of history in a fan chart.")
    chart_ahead_periods: int = Field(default=60, ge=7, le=400, description="Most forecast periods in a fan chart.")
    at_risk_probability: float = Field(
        default=0.5,
        gt=0.0,
        le=1.0,
        description="A SKU is at risk from this chance of a stock-out before the next receipt on (0-1).",
    )
    table_limit: int = Field(default=500, ge=10, description="Most rows of any other table on a page.")
    excel_max_rows: int = Field(default=200_000, ge=100, le=1_048_000, description="Most data rows of one sheet.")
    delivery: DeliveryConfig = Field(default=DeliveryConfig(), description="Where the night's report is sent.")
