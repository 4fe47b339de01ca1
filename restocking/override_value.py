"""What planners' overrides of orders gained or lost, once their time is over.

An override made at a run for D decides what is on the shelf between two receipts: from D + 1 + L for R days. When those
days are over, what really was wanted there is known, and so is what the machine's own quantity would have made of it:
stock at the start, plus either quantity, against the same demand. The difference is money: units sold more at the
margin, less units left over at what holding them costs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["by_role_and_reason", "order_override_value"]

Floats = npt.NDArray[np.float64]
_DAYS_A_YEAR = 365.0
_COLUMNS = ["override", "role", "reason", "wape_before", "wape_after", "money_gained"]


def order_override_value(judged: pd.DataFrame, *, annual_holding_rate: float) -> pd.DataFrame:
    """Return what each override gained, one row per override, ordered by key.

    Args:
        judged: one row per overridden order whose days are over: ``sku``, ``location_id``, ``run_date``, ``role``,
            ``reason``, ``machine_qty``, ``override_qty`` [units], ``available`` (what was there and came without the
            order, at its receipt [units]), ``demand`` (on the days it was for [units]), ``margin``, ``unit_cost``
            [shop.currency/unit], ``days`` (that it was for).
        annual_holding_rate: cost of money and space in stock (share of unit cost a year).

    Returns:
        ``override`` (order|sku|location|run date), ``role``, ``reason``, ``wape_before``, ``wape_after`` (how far the
        supply missed what was wanted, as a share of it, without and with the override), ``money_gained``.

    Example: 10 wanted, 4 there, the machine ordered 2 and a planner 6: 4 more sold at a margin of 5.
        >>> row = {"sku": "A", "location_id": "main", "run_date": pd.Timestamp("2026-03-01"), "role": "planner",
        ...     "reason": "festival at the weekend", "machine_qty": 2, "override_qty": 6, "available": 4.0,
        ...     "demand": 10.0, "margin": 5.0, "unit_cost": 4.0, "days": 7.0}
        >>> order_override_value(pd.DataFrame([row]), annual_holding_rate=0.25)["money_gained"].tolist()
        [20.0]
    """
    demand, there = judged["demand"].to_numpy(np.float64), judged["available"].to_numpy(np.float64)
    machine, person = (judged[name].to_numpy(np.float64) for name in ("machine_qty", "override_qty"))
    cost, days = judged["unit_cost"].fillna(0.0).to_numpy(np.float64), judged["days"].to_numpy(np.float64)
    holding = cost * annual_holding_rate * days / _DAYS_A_YEAR
    margin = np.maximum(judged["margin"].fillna(0.0).to_numpy(np.float64), 0.0)

    def money(order: Floats) -> Floats:
        supply = np.maximum(there + order, 0.0)
        sold = np.minimum(supply, demand)
        worth: Floats = margin * sold - holding * (supply - sold)
        return worth

    def missed(order: Floats) -> Floats:
        off = np.abs(np.maximum(there + order, 0.0) - demand)
        share: Floats = np.divide(off, demand, out=np.full_like(off, np.nan), where=demand > 0)
        return share

    dates = judged["run_date"].dt.strftime("%Y-%m-%d")
    table = pd.DataFrame(
        {
            "override": "order|" + judged["sku"] + "|" + judged["location_id"] + "|" + dates,
            "role": judged["role"],
            "reason": judged["reason"],
            "wape_before": missed(machine),
            "wape_after": missed(person),
            "money_gained": (money(person) - money(machine)).round(4),
        },
        columns=_COLUMNS,
    )
    return table.sort_values("override", ignore_index=True)


def by_role_and_reason(values: pd.DataFrame) -> pd.DataFrame:
    """Return how many overrides each role made for each reason, how many helped, and what they gained together."""
    helped = values.assign(helped=values["money_gained"] > 0)
    grouped = helped.groupby(["role", "reason"], dropna=False, sort=True)
    return grouped.agg(
        overrides=("override", "count"), helped=("helped", "sum"), money_gained=("money_gained", "sum")
    ).reset_index()
