"""A tiny shop, one table at a time: every test changes only what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

import pandas as pd
import polars as pl
import pytest

from data.calendar import Calendar
from data.contracts import QUANTILES, TABLES
from data.contracts.frames import conform, empty_frame
from data.settings import Objective, Planning
from restocking.config import RestockConfig
from restocking.inventory_position import StockInputs
from restocking.plan import PlanTables, make_plan
from restocking.plan_inputs import PlanInputs

RUN_DATE = date(2026, 6, 28)  # a Sunday


def frame(table: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as the contract's frame."""
    return conform(TABLES[table], pd.DataFrame(list(rows))) if rows else _empty(table)


@cache
def _empty(table: str) -> pd.DataFrame:
    return empty_frame(TABLES[table])


class Shop:
    """One SKU ``A`` at ``main``: steady demand of 4 a day, L = 14, R = 7, nothing in stock unless said."""

    def __init__(
        self, *, freq: str = "D", run_date: date = RUN_DATE, order_weekdays: tuple[str, ...] = ("SUN",)
    ) -> None:
        self.calendar = Calendar(run_date, freq, order_weekdays)
        self.planning = Planning(freq=freq, order_weekdays=order_weekdays)
        self.config = RestockConfig()
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.has_stock_table = True
        self.last_plan: pd.DataFrame | None = None
        self.earlier_plans: pd.DataFrame | None = None

    def add(self, table: str, **row: Any) -> Shop:
        """Add a row to a table."""
        self.rows.setdefault(table, []).append(row)
        return self

    def set(self, **changes: Any) -> Shop:
        """Change planning settings (``objective`` takes a dict)."""
        if "objective" in changes:
            changes["objective"] = Objective(**changes["objective"])
        self.planning = self.planning.model_copy(update=changes)
        return self

    def tune(self, **changes: Any) -> Shop:
        """Change the room's settings."""
        self.config = RestockConfig(**{**self.config.model_dump(), **changes})
        return self

    def item(
        self,
        sku: str = "A",
        location_id: str = "main",
        *,
        demand: float | Sequence[float] = 4.0,
        sd: float = 0.0,
        stock: float | None = None,
        horizon: int = 28,
        supply: Mapping[str, Any] | None = None,
        total: Mapping[str, float] | None = None,
        accuracy: str | None = "high",
        **assortment: Any,
    ) -> Shop:
        """Add a SKU and location: mean ``demand`` per period with quantiles mean + z sd, never below 0."""
        self.add(
            "assortment",
            **{
                "sku": sku,
                "location_id": location_id,
                "status": "active",
                "reason": "on_sale",
                "demand_class": "smooth",
                "regular_price": 10.0,
                "unit_cost": 4.0,
                **assortment,
            },
        )
        if not any(row["sku"] == sku for row in self.rows.get("item_supply", [])):
            self.supply(sku, **(supply or {}))
        levels = [demand] * horizon if isinstance(demand, (int, float)) else list(demand)
        for period, level in zip(self.calendar.periods(len(levels)), levels, strict=True):
            self.add(
                "forecasts",
                sku=sku,
                location_id=location_id,
                ds=period,
                model="m",
                fallback_level=0,
                reason="first",
                **quantiles(level, sd),
            )
        self.add("demand_paths", sku=sku, location_id=location_id, period_correlation=0.0, total_scale=1.0)
        terms = next(row for row in self.rows["item_supply"] if row["sku"] == sku)
        periods = int(terms["lead_time_days"] + terms["review_period_days"]) // self.calendar.period_days
        if total is None and len(levels) >= periods:
            total = {"mean": sum(levels[:periods]), "sd": sd * periods**0.5}
        if total is not None:
            self.add(
                "protection_demand",
                sku=sku,
                location_id=location_id,
                supplier_id="S1",
                lead_time_days=terms["lead_time_days"],
                review_period_days=terms["review_period_days"],
                **quantiles(total["mean"], total["sd"]),
            )
        if stock is not None:
            self.add(
                "stg_stock", sku=sku, location_id=location_id, as_of_date=self.calendar.run_date, on_hand=float(stock)
            )
        if accuracy is not None:
            self.add(
                "series_accuracy",
                sku=sku,
                location_id=location_id,
                wape=0.3,
                bias=0.0,
                n_windows=4,
                confidence=accuracy,
            )
        return self

    def supply(self, sku: str = "A", **terms: Any) -> Shop:
        """Add the supply terms of a SKU."""
        lead = float(self.calendar.lead_time(terms.get("lead_time_days", 14.0)))
        closures = terms.pop("closures", ())
        return self.add(
            "item_supply",
            **{
                "sku": sku,
                "supplier_id": "S1",
                "unit_cost": 4.0,
                "lead_time_days": lead,
                "lead_time_sd_days": 0.0,
                "review_period_days": float(self.calendar.review_period_days),
                "min_order_qty": 1,
                "pack_size": 1,
                "expected_receipt_date": self.calendar.receipt_date(lead, closures),
                "next_order_date": self.calendar.next_order_date,
                "is_order_date": self.calendar.is_order_date,
                **terms,
            },
        )

    def purchase_order(
        self, qty: float, *, due_in_days: int, sku: str = "A", location_id: str = "main", **more: Any
    ) -> Shop:
        """Add an open order that can be sold from D + ``due_in_days`` on."""
        due = self.calendar.run_date + timedelta(days=due_in_days)
        row = {
            "po_id": f"PO-{len(self.rows.get('stg_purchase_orders', []))}",
            "supplier_id": "S1",
            "open_qty": float(qty),
        }
        return self.add(
            "stg_purchase_orders", sku=sku, location_id=location_id, expected_receipt_date=due, **{**row, **more}
        )

    def inputs(self) -> PlanInputs:
        """The tables."""

        def table(name: str) -> pd.DataFrame:
            return frame(name, self.rows.get(name, []))

        stock = StockInputs(
            stock=table("stg_stock"),
            purchase_orders=table("stg_purchase_orders"),
            receipts=table("stg_receipts"),
            commitments=table("preorder_commitments"),
            has_stock_table=self.has_stock_table,
        )
        return PlanInputs(
            assortment=table("assortment"),
            item_supply=table("item_supply"),
            products=table("stg_products"),
            suppliers=table("stg_suppliers"),
            lanes=table("stg_lanes"),
            stock=stock,
            decisions=table("stg_proposal_decisions"),
            overrides=table("overrides"),
            holds=table("holds"),
            accuracy=table("series_accuracy"),
            protection=table("protection_demand"),
            demand_paths=table("demand_paths"),
            forecasts=pl.from_pandas(table("forecasts")),
            proposals=table("trend_proposals"),
            returns=pd.DataFrame(
                self.rows.get("returns", []), columns=["sku", "location_id", "return_receipts", "gross_units"]
            ),
            last_plan=self.last_plan,
            earlier_plans=self.earlier_plans,
        )

    def plan(self) -> PlanTables:
        """Tonight's plan."""
        return make_plan(self.inputs(), planning=self.planning, config=self.config, calendar=self.calendar)

    def line(self) -> pd.Series:
        """The one line of the plan."""
        return self.plan().restock_plan.iloc[0]

    def lines(self) -> pd.DataFrame:
        """The plan by SKU and location."""
        return self.plan().restock_plan.set_index(["sku", "location_id"])

    def next_run(self, days: int, plan: pd.DataFrame) -> Shop:
        """The same shop so many days later, with ``plan`` as the last published run; stock and forecasts to be set."""
        later = Shop(
            freq=self.calendar.freq,
            run_date=self.calendar.run_date + timedelta(days=days),
            order_weekdays=self.calendar.order_weekdays,
        )
        later.planning, later.config, later.last_plan = self.planning, self.config, plan
        later.earlier_plans = plan.assign(run_date=self.calendar.run_date)
        return later


def quantiles(mean: float, sd: float) -> dict[str, float]:
    """Mean and normal quantiles, never below 0."""
    from scipy.stats import norm

    return {"mean": float(mean), **{name: max(0.0, float(mean + sd * norm.ppf(q))) for name, q in QUANTILES.items()}}


@pytest.fixture
def shop() -> Callable[..., Shop]:
    """Makes shops."""
    return Shop


__all__ = ["RUN_DATE", "Shop", "frame", "quantiles"]
