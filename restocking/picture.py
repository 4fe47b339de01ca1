"""What is known about every line before anything is ordered: position, demand, projected stock, worth of a unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.calendar import Calendar
from data.contracts import QUANTILES
from data.settings import Planning
from restocking.codes import Flag
from restocking.config import RestockConfig
from restocking.demand_outlook import Outlook, SupplyPosition, read_outlook, simulate_lines
from restocking.inventory_position import OpenOrders, expected_return_share, inventory_positions, open_orders
from restocking.objective import UnitEconomics, unit_economics
from restocking.plan_inputs import PlanInputs, planned_lines
from restocking.projection import Outcomes
from restocking.quantities import Need, whole_need
from restocking.safety_stock import need_quantile
from restocking.tuning import ChosenPolicy

__all__ = ["Picture", "take_picture"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_WHOLE_UNIT = 0.5  # fewer expected returns change no order [units]
_SHOWN = {"demand_p10": "q10", "demand_p50": "q50", "demand_p90": "q90"}


@dataclass(frozen=True)
class Picture:
    """One entry per planned line, in plan order."""

    lines: pd.DataFrame
    position: pd.DataFrame
    orders: OpenOrders
    outlook: Outlook
    outcomes: Outcomes
    economics: UnitEconomics
    demand: pd.DataFrame  # demand_mean, demand_p10, demand_p50, demand_p90 over L + R [units]
    need: Need
    base_qty: Ints  # whole need [units]
    flags: dict[Flag, Mask]
    is_beyond: Mask  # the forecast does not reach to the end of the protection period

    def column(self, name: str) -> Floats:
        """A column of the lines as numbers."""
        return self.lines[name].to_numpy(np.float64)

    def marks(self, name: str) -> Mask:
        """A column of the lines as truth values."""
        return self.lines[name].to_numpy(np.bool_)

    @property
    def daily(self) -> Floats:
        """Mean demand over the protection period [units/day]."""
        mean: Floats = self.need.mean_demand / np.maximum(self.column("protection_days"), 1.0)
        return mean

    @property
    def level(self) -> Floats:
        """Order-up-to level S of the inventory position [units]."""
        return self.need.position + self.need.quantile

    @property
    def is_orderable(self) -> Mask:
        """False where an order would come after the end of sale, or the price does not cover the cost."""
        return ~(self.marks("ends_before_receipt") | self.economics.is_without_margin)


def take_picture(
    inputs: PlanInputs,
    *,
    planning: Planning,
    config: RestockConfig,
    calendar: Calendar,
    policy: ChosenPolicy | None = None,
) -> Picture:
    """Return what is known about every active SKU and location.

    Args:
        inputs: tables of this run.
        planning: objective, what unmet demand becomes, default supply terms, seed.
        config: the room's own settings.
        calendar: of this run.
        policy: tuned on earlier windows; None: the textbook ratio.
    """
    lines = planned_lines(inputs, default_supply=planning.default_supply, calendar=calendar)
    orders = open_orders(lines, inputs.stock, calendar=calendar)
    position, flags = inventory_positions(lines, inputs.stock, orders, run_date=calendar.run_date)
    outlook = read_outlook(lines, inputs.forecasts, inputs.protection, inputs.demand_paths, calendar=calendar)
    lost_sales = planning.unmet_demand == "lost_sales"
    share = config.resellable_share * expected_return_share(lines, inputs.returns)
    outcomes = simulate_lines(
        outlook,
        _supply(lines, position, orders, return_share=share),
        calendar=calendar,
        lost_sales=lost_sales,
        n_paths=config.sample_paths,
        seed=planning.seed,
    )
    available = position["inventory_position"].to_numpy(np.float64)
    lost = outcomes.unmet_before if lost_sales else np.zeros_like(outcomes.need)
    economics = unit_economics(
        lines,
        need=outcomes.need,
        demand_total=outcomes.total,
        planning=planning,
        period_days=calendar.period_days,
        config=config,
    )
    demand = _demand_columns(outlook, outcomes.total)
    periods = np.ceil(lines["protection_days"].to_numpy(np.float64) / calendar.period_days)
    returns = (outcomes.total - outcomes.need - lost).mean(axis=1) - available
    need = Need(
        mean_demand=demand["demand_mean"].to_numpy(np.float64),
        position=available,
        mean_lost=lost.mean(axis=1),
        mean_returns=returns,
        quantile=_wanted(outcomes.need, economics.ratio, demand, available, periods=periods, policy=policy),
    )
    is_beyond = outlook.has_forecast & (periods > outlook.horizon)
    flags |= {
        Flag.HORIZON: is_beyond,
        Flag.NO_FORECAST: ~outlook.has_forecast,
        Flag.LAST_BUY: lines["is_last_buy"].to_numpy(np.bool_),
        Flag.NO_MARGIN_DATA: economics.is_unpriced,
        Flag.EXPECTED_RETURNS: returns >= _WHOLE_UNIT,
        Flag.NEW_ITEM: (lines["demand_class"] == "new").to_numpy(),
    }
    base = whole_need(need.quantile, rounding=config.need_rounding)
    return Picture(lines, position, orders, outlook, outcomes, economics, demand, need, base, flags, is_beyond)


def _wanted(
    need: Floats,
    ratio: Floats,
    demand: pd.DataFrame,
    position: Floats,
    *,
    periods: Floats,
    policy: ChosenPolicy | None,
) -> Floats:
    """Return what to order before any rule: the quantile of need, or up to the tuned cover less the position [units].

    The level of a tuned cover is mean demand over L + R and so many periods more.
    """
    if policy is None:
        return need_quantile(need, ratio)
    total = demand["demand_mean"].to_numpy(np.float64)
    mean = total / np.maximum(periods, 1.0)
    cover = policy.covers(mean)
    return np.where(
        np.isnan(cover),
        need_quantile(need, policy.ratios(ratio, mean)),
        total + np.nan_to_num(cover) * mean - position,
    )


def _supply(lines: pd.DataFrame, position: pd.DataFrame, orders: OpenOrders, *, return_share: Floats) -> SupplyPosition:
    owned = position["on_hand"] - position["backorders"] - position["preorders_open"]
    return SupplyPosition(
        stock=owned.to_numpy(np.float64),
        orders=orders,
        lead_days=lines["lead_days"].to_numpy(np.float64),
        lead_sd_days=lines["lead_time_sd_days"].to_numpy(np.float64),
        review_days=lines["review_period_days"].to_numpy(np.float64),
        return_share=return_share,
    )


def _demand_columns(outlook: Outlook, total: Floats) -> pd.DataFrame:
    """Return mean and quantiles of demand over L + R: the forecast's own where it speaks of that period."""
    known = outlook.is_total_known
    columns = {"demand_mean": np.where(known, outlook.total_mean, total.mean(axis=1))}
    for column, name in _SHOWN.items():
        own = outlook.total_quantiles[:, list(QUANTILES).index(name)]
        columns[column] = np.where(known, own, np.quantile(total, QUANTILES[name], axis=1))
    return pd.DataFrame({name: np.maximum(values, 0.0) for name, values in columns.items()})
