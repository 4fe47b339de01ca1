"""Guard rails: what looks wrong is held for a person. A held line keeps its quantity and is not released.

A quantity that a person set releases what a rail on demand holds, for it does not rest on the forecast; limits in money
and doubts about a supplier's unit stand against a slip of the hand too. What cannot be checked is held.
"""

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
    Reason.RAIL_UNKNOWN_VALUE,
    Reason.RAIL_LINE_VALUE,
    Reason.RAIL_DEMAND_SHIFT,
    Reason.RAIL_SPIKE,
    Reason.RAIL_DEMAND_JUMP,
    Reason.RAIL_ORDER_JUMP,
    Reason.RAIL_PLAN_TOTAL,
)
_DEMAND_SHIFT, _SPIKE, _UNIT_SUSPECT = "demand_shift", "spike", "unit_suspect"


class History:
    """What earlier published plans looked like. Rails that compare with them need ``rail_min_runs`` of them."""

    def __init__(self, plans: pd.DataFrame | None, last: pd.DataFrame | None = None) -> None:
        """Take what earlier runs published.

        Args:
            plans: ``run_date``, ``sku``, ``location_id``, ``demand_mean``, ``order_up_to_level``, ``order_value`` of
                earlier runs.
            last: ``sku``, ``location_id``, ``flags`` of the last run.
        """
        self._plans = plans
        self._last = last
        self.n_runs = 0 if plans is None else int(plans["run_date"].nunique())

    def median(self, column: str, lines: pd.DataFrame, *, min_runs: int) -> Floats:
        """Return each line's median of ``column``; nan where fewer than ``min_runs`` runs planned it."""
        if self._plans is None:
            return np.full(len(lines), np.nan)
        grouped = self._plans.groupby(_KEYS)[column].agg(["median", "count"])
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
            ``demand_mean``, ``need_qty`` (what an order has to bring, preorders left out) [units], ``demand_flags`` and
            ``supply_flags`` (lists: what is said about the series and about its supplier's terms), ``is_typed`` (a
            person set the quantity), ``is_limited`` (a budget limits what is spent on it).
        history: earlier published plans.
        config: thresholds.
    """
    ordered = (lines["order_qty"] > 0).to_numpy()
    computed = ordered & ~lines["is_typed"].to_numpy(np.bool_)
    value = lines["order_value"].to_numpy(np.float64)
    has_limit = lines["is_limited"].to_numpy(np.bool_) | (config.max_line_value is not None)
    held = dict.fromkeys(_RAILS, np.zeros(len(lines), dtype=bool))
    held[Reason.RAIL_UNIT_SUSPECT] = ordered & _has(_UNIT_SUSPECT, lines["supply_flags"])
    held[Reason.RAIL_UNKNOWN_VALUE] = ordered & has_limit & np.isnan(value)
    if config.max_line_value is not None:
        held[Reason.RAIL_LINE_VALUE] = ordered & (value > config.max_line_value)
    held[Reason.RAIL_DEMAND_SHIFT] = computed & _newly(_DEMAND_SHIFT, lines, history)  # a series against its own past
    if history.n_runs < config.rail_min_runs:
        return held
    mean = lines["demand_mean"].to_numpy(np.float64)
    usual = history.median("demand_mean", lines, min_runs=config.rail_min_runs)
    level = history.median("order_up_to_level", lines, min_runs=config.rail_min_runs)
    held[Reason.RAIL_DEMAND_JUMP] = computed & _jumped(mean, usual, config)
    held[Reason.RAIL_ORDER_JUMP] = computed & _jumped(lines["need_qty"].to_numpy(np.float64), level, config)
    risen = mean > (1 + config.rail_spike_rise) * usual
    held[Reason.RAIL_SPIKE] = computed & risen & _newly(_SPIKE, lines, history)
    most = config.rail_total_multiple * history.largest_total()
    if 0 < most < float(np.nansum(value)):
        is_typed_too_much = float(np.nansum(value[ordered & ~computed])) > most
        held[Reason.RAIL_PLAN_TOTAL] = ordered if is_typed_too_much else computed
    return held


def _jumped(now: Floats, usual: Floats, config: RestockConfig) -> Mask:
    """Return what is many times, and many units, above what is usual; nan: unknown, nothing is said."""
    return (now > config.rail_line_multiple * usual) & (now - usual > config.rail_line_min_units)


def _newly(flag: str, lines: pd.DataFrame, history: History) -> Mask:
    """Return the lines whose series carries ``flag`` tonight and did not in the last run."""
    return _has(flag, lines["demand_flags"]) & ~history.flagged_last(lines, flag)


def _has(flag: str, flags: pd.Series) -> Mask:
    return np.array([flag in (one if one is not None else ()) for one in flags], dtype=bool)
