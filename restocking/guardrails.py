"""Guard rails: what looks wrong is held for a person. A held line keeps its quantity and is not released."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from restocking.codes import Reason
from restocking.config import RestockConfig

__all__ = ["History", "held_by_rails"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_KEYS = ["sku", "location_id"]
_RAILS = (
    Reason.RAIL_UNIT_SUSPECT,
    Reason.RAIL_LINE_VALUE,
    Reason.RAIL_DEMAND_SHIFT,
    Reason.RAIL_SPIKE,
    Reason.RAIL_DEMAND_JUMP,
    Reason.RAIL_PLAN_TOTAL,
)
_DEMAND_SHIFT, _SPIKE, _UNIT_SUSPECT = "demand_shift", "spike", "unit_suspect"


class History:
    """What earlier published plans looked like. Rails that compare with them need ``rail_min_runs`` of them."""

    def __init__(self, plans: pd.DataFrame | None, last: pd.DataFrame | None = None) -> None:
        """Take what earlier runs published.

        Args:
            plans: ``run_date``, ``sku``, ``location_id``, ``demand_mean``, ``order_value`` of earlier runs.
            last: ``sku``, ``location_id``, ``flags`` of the last run.
        """
        self._plans = plans
        self._last = last
        self.n_runs = 0 if plans is None else int(plans["run_date"].nunique())

    def median_demand(self, lines: pd.DataFrame, *, min_runs: int) -> Floats:
        """Return each line's median of ``demand_mean``; nan where fewer than ``min_runs`` runs planned it."""
        if self._plans is None:
            return np.full(len(lines), np.nan)
        grouped = self._plans.groupby(_KEYS)["demand_mean"].agg(["median", "count"])
        known = grouped.loc[grouped["count"] >= min_runs, "median"].rename("median").reset_index()
        return lines[_KEYS].merge(known, on=_KEYS, how="left")["median"].to_numpy(np.float64)

    def flagged_last(self, lines: pd.DataFrame, flag: str) -> Mask:
        """Return the lines that already carried ``flag`` in the last run's plan."""
        if self._last is None:
            return np.zeros(len(lines), dtype=bool)
        rows = self._last.loc[[flag in (flags if flags is not None else ()) for flags in self._last["flags"]], _KEYS]
        return pd.MultiIndex.from_frame(lines[_KEYS]).isin(pd.MultiIndex.from_frame(rows))

    def largest_total(self) -> float:
        """Return the largest plan value of the earlier runs [shop.currency]; 0 without one."""
        if self._plans is None:
            return 0.0
        return float(self._plans.groupby("run_date")["order_value"].sum().max())


def held_by_rails(lines: pd.DataFrame, history: History, *, config: RestockConfig) -> dict[Reason, Mask]:
    """Return the lines that each rail holds.

    Args:
        lines: ``sku``, ``location_id``, ``order_qty`` [units], ``order_value`` [shop.currency; nan unknown],
            ``demand_mean`` [units], ``demand_flags`` and ``supply_flags`` (lists: what is said about the series and
            about its supplier's terms).
        history: earlier published plans.
        config: thresholds.
    """
    ordered = (lines["order_qty"] > 0).to_numpy()
    value = lines["order_value"].fillna(0.0).to_numpy(np.float64)
    nothing = np.zeros(len(lines), dtype=bool)
    held = dict.fromkeys(_RAILS, nothing)
    held[Reason.RAIL_UNIT_SUSPECT] = ordered & _has(_UNIT_SUSPECT, lines["supply_flags"])
    if config.max_line_value is not None:
        held[Reason.RAIL_LINE_VALUE] = ordered & (value > config.max_line_value)
    held[Reason.RAIL_DEMAND_SHIFT] = ordered & _newly(_DEMAND_SHIFT, lines, history)  # a series against its own past
    if history.n_runs < config.rail_min_runs:
        return held
    mean = lines["demand_mean"].to_numpy(np.float64)
    usual = history.median_demand(lines, min_runs=config.rail_min_runs)
    rise = mean - usual
    jumped = (mean > config.rail_line_multiple * usual) & (rise > config.rail_line_min_units)
    held[Reason.RAIL_DEMAND_JUMP] = ordered & jumped
    risen = mean > (1 + config.rail_spike_rise) * usual
    held[Reason.RAIL_SPIKE] = ordered & risen & _newly(_SPIKE, lines, history)
    largest = history.largest_total()
    if largest > 0 and float(value.sum()) > config.rail_total_multiple * largest:
        held[Reason.RAIL_PLAN_TOTAL] = ordered
    return held


def _newly(flag: str, lines: pd.DataFrame, history: History) -> Mask:
    """Return the lines whose series carries ``flag`` tonight and did not in the last run."""
    return _has(flag, lines["demand_flags"]) & ~history.flagged_last(lines, flag)


def _has(flag: str, flags: pd.Series) -> Mask:
    return np.array([flag in (one if one is not None else ()) for one in flags], dtype=bool)
