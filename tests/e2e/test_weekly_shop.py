"""A weekly shop over several rounds: the plan's orders arrive when the contract says, and it earns its keep."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from weekly_shop import WeeklyShop, weekly_demand

pytestmark = pytest.mark.e2e

HISTORY_WEEKS, ROUNDS = 110, 3


def test_three_rounds_of_orders_arrive_in_the_third_week(tmp_path: Path, merchcast):
    demand = weekly_demand(80, HISTORY_WEEKS + ROUNDS + 1, seed=3)
    shop = WeeklyShop(tmp_path / "home", demand, date(2021, 1, 4), HISTORY_WEEKS)
    for number in range(HISTORY_WEEKS, HISTORY_WEEKS + ROUNDS):
        run_date = shop.run_date(number)
        merchcast("run", "--home", str(shop.home), "--date", run_date.isoformat())
        tables = shop.home / "published" / "current" / "tables"
        plan = pd.read_parquet(tables / "restock_plan.parquet")
        assert set(plan["expected_receipt_date"]) == {run_date + timedelta(days=15)}
        assert set(plan["review_period_days"]) == {7}
        first = pd.read_parquet(tables / "forecasts.parquet")["ds"].min()
        assert first == run_date + timedelta(days=1)
        on_hand = plan.set_index("sku")["on_hand"].reindex(shop.skus)
        assert (on_hand.to_numpy() == shop.stock).all(), "the newest snapshot is the one in force"
        due = sum(qty for day, qty in shop.arrivals.items() if day <= run_date + timedelta(days=21))
        assert (plan.set_index("sku")["on_order"].reindex(shop.skus).to_numpy() == due).all()
        released = plan[plan["status"] != "held"]
        shop.advance(number, released.groupby("sku")["order_qty"].sum())
    log = pd.read_parquet(tables / "run_log.parquet").set_index("step")
    assert log.loc["ingest", "files_new"] == 3, "a night takes in only what is new"
