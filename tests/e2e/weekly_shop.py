"""A weekly shop that obeys the plan it gets: sales, stock and open orders are delivered each Sunday.

An order placed by the run for D with a lead time of 14 days can be sold from the start of D + 15, the third Monday.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

LEAD_TIME_DAYS = 14
HOLDING_COST, SHORTAGE_COST = 0.2, 1.0

SETTINGS = """\
shop: {name: Weekly shop, timezone: Europe/Berlin, currency: EUR, language: en}
planning:
  freq: W-MON
  unmet_demand: lost_sales
  objective: {holding_cost_per_unit_per_period: 0.2, shortage_cost_per_unit: 1.0}
  default_supply: {lead_time_days: 14, lead_time_sd_days: 0, min_order_qty: 1, pack_size: 1}
sources:
  period_sales: {kind: file, path: drop/sales/*.csv}
  stock: {kind: file, path: drop/stock/*.csv}
  purchase_orders: {kind: file, path: drop/orders/*.csv}
"""


def weekly_demand(n_series: int, n_weeks: int, *, seed: int) -> np.ndarray:
    """Return demand of shape (n_series, n_weeks) [units/week]: levels over three decades, a season, many zeros."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(1.2, 1.2, n_series))[:, None]
    season = 1 + 0.4 * np.sin(2 * np.pi * (np.arange(n_weeks)[None, :] / 52 + rng.random((n_series, 1))))
    drift = np.exp(np.cumsum(rng.normal(0, 0.03, (n_series, n_weeks)), axis=1))
    mean = level * season * drift
    shape = np.exp(rng.normal(0.5, 0.5, (n_series, 1)))
    return rng.poisson(rng.gamma(shape, mean / shape)).astype(float)


@dataclass
class WeeklyShop:
    """The world outside: true demand, stock on hand, orders on their way, and what all of it cost."""

    home: Path
    demand: np.ndarray
    first_week: date
    history_weeks: int
    stock: np.ndarray = field(init=False)
    arrivals: dict[date, np.ndarray] = field(default_factory=dict)
    costs: list[float] = field(default_factory=list)
    starts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        n, rng = len(self.demand), np.random.default_rng(1)
        recent = self.demand[:, self.history_weeks - 8 : self.history_weeks].mean(axis=1)
        self.stock = np.ceil(2 * recent)
        for week in (self.history_weeks, self.history_weeks + 1):
            self.arrivals[self.week(week)] = np.ceil(recent)
        self.starts = rng.integers(0, self.history_weeks - 13, n)
        self.skus = np.array([f"SKU-{i:04d}" for i in range(n)])
        self.home.mkdir(parents=True)
        (self.home / "merchcast.yml").write_text(SETTINGS)
        for name in ("sales", "stock", "orders"):
            (self.home / "drop" / name).mkdir(parents=True)
        weeks = np.arange(self.history_weeks)
        on_sale = weeks[None, :] >= self.starts[:, None]
        row, column = np.nonzero(on_sale)
        self._write_sales(row, column, self.demand[row, column], np.ones(len(row), dtype=bool), "history")
        self._deliver(self.history_weeks)

    def week(self, number: int) -> date:
        """Return the Monday that week ``number`` starts on."""
        return self.first_week + timedelta(weeks=number)

    def run_date(self, number: int) -> date:
        """Return the Sunday before week ``number``: what a run for it may know ends there."""
        return self.week(number) - timedelta(days=1)

    def advance(self, number: int, orders: pd.Series) -> None:
        """Place ``orders`` (indexed by SKU) on the Sunday before week ``number``, then let that week happen."""
        placed = orders.reindex(self.skus).fillna(0).to_numpy(float)
        receipt = self.run_date(number) + timedelta(days=LEAD_TIME_DAYS + 1)
        self.arrivals[receipt] = self.arrivals.get(receipt, 0) + placed
        self.stock = self.stock + self.arrivals.pop(self.week(number), 0)
        wanted = self.demand[:, number]
        sold = np.minimum(wanted, self.stock)
        self.stock = self.stock - sold
        self.costs.append(float(HOLDING_COST * self.stock.sum() + SHORTAGE_COST * (wanted - sold).sum()))
        rows = np.arange(len(self.demand))
        self._write_sales(rows, np.full(len(rows), number), sold, sold >= wanted, str(self.run_date(number + 1)))
        self._deliver(number + 1)

    def _write_sales(
        self, row: np.ndarray, week: np.ndarray, units: np.ndarray, in_stock: np.ndarray, name: str
    ) -> None:
        frame = pd.DataFrame(
            {
                "ds": [self.week(int(w)).isoformat() for w in week],
                "sku": self.skus[row],
                "units": units.astype(int),
                "in_stock": np.where(in_stock, "true", "false"),
            }
        )
        frame.to_csv(self.home / "drop" / "sales" / f"sales_{name}.csv", index=False)

    def _deliver(self, number: int) -> None:
        day = self.run_date(number).isoformat()
        stock = pd.DataFrame({"as_of_date": day, "sku": self.skus, "on_hand": self.stock.astype(int)})
        stock.to_csv(self.home / "drop" / "stock" / f"stock_{day}.csv", index=False)
        rows = [
            {
                "as_of_date": day,
                "po_id": f"PO-{due}-{sku}",
                "sku": sku,
                "expected_receipt_date": due.isoformat(),
                "open_qty": int(q),
            }
            for due, qty in sorted(self.arrivals.items())
            for sku, q in zip(self.skus, qty, strict=True)
            if q > 0
        ]
        orders = pd.DataFrame(rows, columns=["as_of_date", "po_id", "sku", "expected_receipt_date", "open_qty"])
        orders.to_csv(self.home / "drop" / "orders" / f"purchase_orders_{day}.csv", index=False)
