"""What the reports read: the tables of one run, and the few facts about shop and policy that stand in their headers.

Only ``step.py`` fills these; everything behind it is pure, so a page can be made from any frames of that shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd
import polars as pl

__all__ = ["Policy", "RunFacts", "RunTables"]


@dataclass(frozen=True)
class Policy:
    """The planning rules in force, as merchcast.yml states them."""

    objective: str  # service_level, costs or margin
    service_level: float | None = None  # [0-1], where that is the objective
    unmet_demand: str = "lost_sales"
    order_weekdays: tuple[str, ...] = ()
    budget: float | None = None  # [shop.currency]
    max_cover_days: int | None = None  # [days]


@dataclass(frozen=True)
class RunFacts:
    """One run: whose, when, in which currency and time grid."""

    run_date: date
    shop: str
    currency: str
    policy: Policy
    timezone: str = "UTC"
    period_days: int = 1  # 1 or 7
    data_through: date | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def first_period(self) -> date:
        """The label of the first forecast period."""
        return self.run_date + timedelta(days=1)


@dataclass(frozen=True)
class RunTables:
    """Frames by table name, in contract columns. A table that is absent or empty is shown as such, never an error.

    Attributes:
        frames: this run's tables, small enough for pandas.
        history: ``sku, location_id, ds, units, is_censored`` of the last periods only (polars).
        forecasts: ``sku, location_id, ds, mean, q025, q10, q50, q90, q975`` (polars).
        previous: tables of the last published run before this one; empty on the first run.
        previous_date: run date of that run.
    """

    frames: Mapping[str, pd.DataFrame]
    history: pl.DataFrame
    forecasts: pl.DataFrame
    previous: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    previous_date: date | None = None

    def frame(self, name: str) -> pd.DataFrame:
        """Return a table of this run; an empty frame where there is none."""
        return self.frames.get(name, pd.DataFrame())

    def before(self, name: str) -> pd.DataFrame | None:
        """Return a table of the previous run, or None."""
        found = self.previous.get(name)
        return found if found is not None and len(found) else None
