"""What is known about every line before anything is ordered: position, demand, projected stock, worth of a unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.calendar import Calendar
from data.contracts import QUANTILES
from data.settings import Planning
from restocking.chosen_policy import ChosenPolicy
from restocking.codes import Flag
from restocking.config import RestockConfig
from restocking.demand_outlook import Outlook, SupplyPosition, read_outlook, simulate_lines
from restocking.inventory_position import OpenOrders, expected_return_share, inventory_positions, open_orders
from restocking.lateness import lateness_points, supplier_lateness
from restocking.objective import UnitEconomics, unit_economics, with_sets
from restocking.plan_inputs import PlanInputs, planned_lines
from restocking.projection import Outcomes
from restocking.quantities import Need, whole_need
from restocking.safety_stock import need_quantile
from restocking.size_sets import set_gain

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
    share = config.resellable_share * expected_return_share(lines, inputs.returns)
    supply = _supply(
        lines, position, orders, return_share=share, receipts=inputs.stock.receipts, n_paths=config.sample_paths
    )
    outcomes = simulate_lines(
        outlook, supply, calendar=calendar, lost_sales=planning.unmet_demand == "lost_sales",
        n_paths=config.sample_paths, seed=planning.seed,
    )  # fmt: skip
    economics = unit_economics(
        lines, need=outcomes.need, demand_total=outcomes.total, planning=planning, period_days=calendar.period_days,
        config=config,
    )  # fmt: skip
    own_ratio = economics.ratio
    if planning.objective.service_level is None:  # a service level is a promise, not what a unit is worth
        economics = with_sets(economics, _gain_in_sets(lines, economics.gain, inputs))
    demand = _demand_columns(outlook, outcomes.total)
    periods = np.ceil(lines["protection_days"].to_numpy(np.float64) / calendar.period_days)
    available = position["inventory_position"].to_numpy(np.float64)
    rate = _recent(lines, inputs.recent)
    wanted = partial(_wanted, outcomes.need, rate=rate, position=available, periods=periods, policy=policy)
    need = _need(
        outcomes, demand, available, lost_sales=planning.unmet_demand == "lost_sales",
        own_quantile=wanted(own_ratio), quantile=wanted(economics.ratio),
    )  # fmt: skip
    is_beyond = outlook.has_forecast & (periods > outlook.horizon)
    flags |= {
        Flag.HORIZON: is_beyond,
        Flag.NO_FORECAST: ~outlook.has_forecast,
        Flag.NO_MARGIN_DATA: economics.is_unpriced,
        Flag.EXPECTED_RETURNS: need.mean_returns >= _WHOLE_UNIT,
        **_line_flags(lines),
    }
    base = whole_need(need.quantile, rounding=config.need_rounding)
    return Picture(lines, position, orders, outlook, outcomes, economics, demand, need, base, flags, is_beyond)


def _need(
    outcomes: Outcomes,
    demand: pd.DataFrame,
    position: Floats,
    *,
    lost_sales: bool,
    own_quantile: Floats,
    quantile: Floats,
) -> Need:
    """Return what is needed, and the means that explain it [units]."""
    lost = outcomes.unmet_before if lost_sales else np.zeros_like(outcomes.need)
    return Need(
        mean_demand=demand["demand_mean"].to_numpy(np.float64),
        position=position,
        mean_lost=lost.mean(axis=1),
        mean_returns=(outcomes.total - outcomes.need - lost).mean(axis=1) - position,
        own_quantile=own_quantile,
        quantile=quantile,
    )


def _line_flags(lines: pd.DataFrame) -> dict[Flag, Mask]:
    return {
        Flag.LAST_BUY: lines["is_last_buy"].to_numpy(np.bool_),
        Flag.NEW_ITEM: (lines["demand_class"] == "new").to_numpy(),
    }


def _wanted(
    need: Floats, ratio: Floats, *, rate: Floats, position: Floats, periods: Floats, policy: ChosenPolicy | None
) -> Floats:
    """Return what to order before any rule: the quantile of need, or what the tuned policy makes of it [units]."""
    if policy is None:
        return need_quantile(need, ratio)
    return policy.wanted(need, ratio, rate=rate, periods=periods, position=position)


def _gain_in_sets(lines: pd.DataFrame, gain: Floats, inputs: PlanInputs) -> Floats:
    """Return what a unit of each line that sells is worth with its size set [shop.currency]."""
    if inputs.sizes is None or inputs.sizes.empty or inputs.set_loss <= 0:
        return gain
    known = lines[["sku", "location_id"]].merge(inputs.sizes[["sku", "style_id", "share"]], on="sku", how="left")
    number = known.groupby(["style_id", "location_id"], sort=True, dropna=True).ngroup()
    style: Ints = np.asarray(np.where(known["style_id"].isna(), -1, number), dtype=np.int64)
    share = known["share"].fillna(0.0).to_numpy(np.float64)
    return set_gain(gain, style=style, share=share, loss=inputs.set_loss)


def _recent(lines: pd.DataFrame, recent: pd.DataFrame | None) -> Floats:
    """Return the mean demand of the lines' last thirteen periods; nan where unknown [units/period]."""
    if recent is None:
        return np.full(len(lines), np.nan)
    known = lines[["sku", "location_id"]].merge(recent, on=["sku", "location_id"], how="left")
    return known["rate"].to_numpy(np.float64)


def _supply(
    lines: pd.DataFrame,
    position: pd.DataFrame,
    orders: OpenOrders,
    *,
    return_share: Floats,
    receipts: pd.DataFrame,
    n_paths: int,
) -> SupplyPosition:
    owned = position["on_hand"] - position["backorders"] - position["preorders_open"]
    spread = lines["lead_time_sd_days"].to_numpy(np.float64)
    known = supplier_lateness(receipts, lines)
    return SupplyPosition(
        stock=owned.to_numpy(np.float64),
        orders=orders,
        lead_days=lines["lead_days"].to_numpy(np.float64),
        lead_sd_days=spread,
        review_days=lines["review_period_days"].to_numpy(np.float64),
        return_share=return_share,
        lateness=lateness_points(lines["supplier_id"], spread, known, n_points=n_paths),
        is_lateness_known=lines["supplier_id"].isin(list(known)).to_numpy(np.bool_),
    )


def _demand_columns(outlook: Outlook, total: Floats) -> pd.DataFrame:
    """Return mean and quantiles of demand over L + R: the forecast's own where it speaks of that period."""
    known = outlook.is_total_known
    columns = {"demand_mean": np.where(known, outlook.total_mean, total.mean(axis=1))}
    for column, name in _SHOWN.items():
        own = outlook.total_quantiles[:, list(QUANTILES).index(name)]
        columns[column] = np.where(known, own, np.quantile(total, QUANTILES[name], axis=1))
    return pd.DataFrame({name: np.maximum(values, 0.0) for name, values in columns.items()})
