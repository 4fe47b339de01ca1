"""The five numbers at the top of the restock report, each with its change since the last run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["Headline", "headline", "out_or_at_risk", "to_order", "total_accuracy"]

TOTAL_SEGMENTS = ("total", "all")


@dataclass(frozen=True)
class Headline:
    """The five numbers of one run.

    Attributes:
        lines_to_order: released lines with a quantity to order today.
        order_value: their value [currency]; None where none of them has a unit cost.
        skus_at_risk: SKUs out of stock, or at risk before the next receipt, in at least one location.
        lines_at_risk: the same counted by SKU and location.
        excess_value: value of stock beyond what will be wanted [currency]; None where no line has a unit cost.
        lines_without_cost: lines of the plan without a unit cost, whose value is in neither sum.
        wape: forecast error of the last four weeks, weighted by volume [ratio]; None when unknown.
        bias: (forecast - actual) / actual of the last four weeks [ratio]; None when unknown.
    """

    lines_to_order: int
    order_value: float | None
    skus_at_risk: int
    lines_at_risk: int
    excess_value: float | None
    wape: float | None
    bias: float | None
    lines_without_cost: int = 0


def headline(plan: pd.DataFrame, accuracy: pd.DataFrame, *, at_risk_probability: float) -> Headline:
    """Return the five numbers of a plan.

    Args:
        plan: ``restock_plan``.
        accuracy: ``forecast_accuracy`` of the same run; without a total row the error is the plan lines' own,
            weighted by their mean demand.
        at_risk_probability: from this chance of a stock-out before the next receipt on, a line is at risk (0-1).
    """
    ordered = plan[to_order(plan)]
    risky = plan[out_or_at_risk(plan, at_risk_probability=at_risk_probability)]
    wape, bias = total_accuracy(accuracy, plan)
    return Headline(
        lines_to_order=len(ordered),
        order_value=_sum(ordered["order_value"]),
        skus_at_risk=int(risky["sku"].nunique()),
        lines_at_risk=len(risky),
        excess_value=_sum(plan["excess_value"]),
        wape=wape,
        bias=bias,
        lines_without_cost=int(plan["unit_cost"].isna().sum()) if "unit_cost" in plan else 0,
    )


def _sum(values: pd.Series[Any]) -> float | None:
    """Return a sum of amounts; None where there are lines and not one of them has an amount."""
    # fsum: the same sum in whatever order the lines stand
    return None if len(values) and values.isna().all() else math.fsum(values.dropna().astype(float))


def to_order(plan: pd.DataFrame) -> pd.Series[bool]:
    """Return which lines are orders of today: a quantity, and no guard rail or hold that keeps it back."""
    return (plan["order_qty"].fillna(0) > 0) & (plan["status"] != "held")


def out_or_at_risk(plan: pd.DataFrame, *, at_risk_probability: float) -> pd.Series[bool]:
    """Return which lines have demand and no stock, or will more likely than the limit run out before a receipt."""
    wanted = plan["demand_mean"].fillna(0.0) > 0
    empty = plan["on_hand"].fillna(0.0) <= 0
    risky = plan["p_stockout_before_receipt"].fillna(0.0) >= at_risk_probability
    return wanted & (empty | risky)


def total_accuracy(accuracy: pd.DataFrame, plan: pd.DataFrame) -> tuple[float | None, float | None]:
    """Return WAPE and bias of all series: the published total, else the lines' own weighted by demand."""
    if not accuracy.empty:
        total = accuracy[accuracy["segment"].isin(TOTAL_SEGMENTS)].dropna(subset=["wape"])
        whole = total[total["horizon"].isin(TOTAL_SEGMENTS)]
        chosen = whole if len(whole) else _longest(total)
        if len(chosen):
            bias = chosen["bias"].iloc[0]
            return float(chosen["wape"].iloc[0]), None if pd.isna(bias) else float(bias)
    return _weighted(plan, "forecast_wape"), _weighted(plan, "forecast_bias")


def _longest(total: pd.DataFrame) -> pd.DataFrame:
    """Return the row whose horizon ("1-28") spans the most periods."""
    if total.empty:
        return total
    span = total["horizon"].astype(str).str.extract(r"^(\d+)(?:-(\d+))?$").astype(float)
    width = (span[1].fillna(span[0]) - span[0]).fillna(-1.0)
    return total.loc[[width.sort_values(kind="stable", ascending=False).index[0]]]


def _weighted(plan: pd.DataFrame, name: str) -> float | None:
    judged = plan[plan[name].notna() & (plan["demand_mean"].fillna(0.0) > 0)]
    if judged.empty:
        return None
    weights = judged["demand_mean"]
    return float((judged[name] * weights).sum() / weights.sum())
