"""The tuned policy of a home folder: found in its record, or chosen from its own history."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from data.settings import Planning
from data.step_io import StepIO
from restocking.chosen_policy import RATE_PERIODS, ChosenPolicy
from restocking.config import RestockConfig
from restocking.policy_record import PLACE, policy_in_force, read_policies, with_policy
from restocking.simulate import Costs
from restocking.tuning import TuningSetup, choose_policy, recent_mean

Floats = npt.NDArray[np.float64]

__all__ = ["chosen_now", "keep", "keep_first", "policy_for", "recent_rates"]

_HISTORY_PERIODS = 160  # three years of weeks


def policy_for(io: StepIO, config: RestockConfig) -> ChosenPolicy | None:
    """Return the policy that tonight's plan uses; None where the textbook ratio stands.

    The weekly review chooses it. A home without a review before tonight chooses its own, from what is known tonight,
    and keeps it: a rerun of the night, or the next night, gets the same.
    """
    if not config.tune_policy or _setup(io) is None:
        return None
    found = policy_in_force(_record(io.home), before=io.run_date)
    return found or chosen_now(io)


def chosen_now(io: StepIO) -> ChosenPolicy | None:
    """Return the policy that the history up to the run date speaks for; None without costs or history to tune on."""
    setup = _setup(io)
    if setup is None:
        return None
    history, sold = _history(io)
    return choose_policy(history, setup, sold=sold)


def keep(home: Path, chosen: ChosenPolicy, *, as_of: date) -> None:
    """Write the policy to the record, in one step."""
    path = home / PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(with_policy(_record(home), chosen, as_of=as_of), encoding="utf-8")
    draft.replace(path)


def keep_first(home: Path, chosen: ChosenPolicy, *, as_of: date) -> None:
    """Write the policy that a night chose for itself, if no policy from before that night is kept."""
    if policy_in_force(_record(home), before=as_of) is None:
        keep(home, chosen, as_of=as_of)


def _record(home: Path) -> list[dict[str, object]]:
    path = home / PLACE
    return read_policies(path.read_text(encoding="utf-8") if path.is_file() else None)


def _setup(io: StepIO) -> TuningSetup | None:
    """Return what the simulation needs: weekly periods and explicit costs; None for any other shop."""
    planning: Planning = io.settings.planning
    holding = planning.objective.holding_cost_per_unit_per_period
    shortage = planning.objective.shortage_cost_per_unit
    if not io.calendar.is_weekly or holding is None or shortage is None:
        return None
    terms = io.read("item_supply", columns=["sku", "lead_time_days"])["lead_time_days"]
    days = float(terms.median()) if len(terms) else float(planning.default_supply.lead_time_days)
    lead = int(np.ceil(days / io.calendar.period_days))
    return TuningSetup(Costs(holding, shortage), lead, planning.unmet_demand == "lost_sales", planning.seed)


def recent_rates(io: StepIO) -> pd.DataFrame:
    """Return ``sku``, ``location_id``, ``rate``: mean demand of the last thirteen periods on sale [units/period].

    A period out of stock counts with the demand recovered for it; one without, and a gap, are left out.
    """
    index, sold, doubtful, recovered = _by_period(io, RATE_PERIODS)
    rate = recent_mean(np.where(doubtful, recovered, sold))
    return index.select("sku", "location_id").to_pandas().assign(rate=rate)


def _history(io: StepIO) -> tuple[Floats, Floats]:
    """Return demand of the active series by week, nan where not on sale or in doubt, and what was sold; three years."""
    _, sold, doubtful, _ = _by_period(io, _HISTORY_PERIODS)
    first = int(np.argmax(~np.isnan(sold).all(axis=0))) if sold.size else 0
    return np.where(doubtful, np.nan, sold)[:, first:], sold[:, first:]


def _by_period(io: StepIO, n_periods: int) -> tuple[pl.DataFrame, Floats, npt.NDArray[np.bool_], Floats]:
    """Return the active series, and of the last periods what they sold, what is in doubt, what was recovered."""
    keys = ["sku", "location_id"]
    active = io.read_polars("assortment", columns=[*keys, "status"]).filter(pl.col("status") == "active").select(keys)
    marks = ["is_censored", "is_gap", "is_partial"]
    rows = io.read_polars("demand_history", columns=[*keys, "ds", "units", "recovered_units", *marks])
    index = active.sort(keys).with_row_index("row")
    known = rows.join(index, on=keys, how="inner").with_columns(
        column=n_periods
        - 1
        - (pl.lit(io.calendar.last_period) - pl.col("ds")).dt.total_days() // io.calendar.period_days
    )
    known = known.filter(pl.col("column").is_between(0, n_periods - 1))
    at = known["row"].to_numpy(), known["column"].to_numpy()
    sold, recovered = (np.full((index.height, n_periods), np.nan) for _ in range(2))
    sold[at] = known["units"].cast(pl.Float64).to_numpy()
    gaps = known.select(pl.any_horizontal(pl.col("is_gap", "is_partial").fill_null(False))).to_series().to_numpy()
    recovered[at] = np.where(gaps, np.nan, known["recovered_units"].cast(pl.Float64).to_numpy())
    doubtful = np.zeros(sold.shape, dtype=bool)
    doubtful[at] = known.select(pl.any_horizontal(pl.col(marks).fill_null(False))).to_series().to_numpy()
    return index, sold, doubtful, recovered
