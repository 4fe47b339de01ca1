"""Seconds and memory of the restock plan at size: ``python -m benchmarks.plan_at_size [SKUs] [locations]``.

A made-up shop with minimum orders, packs, a budget, late suppliers, size sets and open orders; forecasts are given.
What is measured is everything from tables to tables (`make_plan`); peak memory is that of the process.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl

from data.calendar import Calendar
from data.contracts import QUANTILES, TABLES
from data.contracts.frames import conform, empty_frame
from data.settings import Objective, Planning
from restocking.config import RestockConfig
from restocking.inventory_position import StockInputs
from restocking.plan import make_plan
from restocking.plan_inputs import PlanInputs

RUN_DATE = date(2026, 6, 28)
HORIZON = 28
SUPPLIERS = 40
SIZES = ("S", "M", "L", "XL", "2XL")


def table(name: str, **columns: object) -> pd.DataFrame:
    """Return rows as the contract's frame."""
    return conform(TABLES[name], pd.DataFrame(columns))


def made_up_shop(n_skus: int, n_locations: int, *, calendar: Calendar, seed: int = 1) -> PlanInputs:
    """Return the tables of one night."""
    rng = np.random.default_rng(seed)
    skus = np.array([f"SKU-{i:06d}" for i in range(n_skus)])
    places = [f"L{i}" for i in range(n_locations)]
    sku, place = np.repeat(skus, n_locations), np.tile(places, n_skus)
    n = len(sku)
    mean = rng.gamma(0.7, 2.0, n) + 0.05
    supplier = np.array([f"V{i % SUPPLIERS:02d}" for i in range(n_skus)])
    z = {name: np.sqrt(2 * np.log(1 / (1 - min(q, 0.99)))) for name, q in QUANTILES.items()}
    lead = float(calendar.lead_time(14))

    def spread(total: np.ndarray) -> dict[str, np.ndarray]:
        return {"mean": total, **{name: total * 0.4 * value for name, value in z.items()}}

    days = np.repeat(np.array(calendar.periods(HORIZON), dtype="datetime64[ns]")[None, :], n, axis=0).ravel()
    forecasts = pl.DataFrame(
        {"sku": np.repeat(sku, HORIZON), "location_id": np.repeat(place, HORIZON), "ds": days.astype("datetime64[D]"),
         **spread(np.repeat(mean, HORIZON))}
    )  # fmt: skip
    keys = {"sku": sku, "location_id": place}
    ordered = [RUN_DATE - timedelta(days=60 + i) for i in range(30)]
    receipts = table(
        "stg_receipts", po_id=[f"R{i}" for i in range(30 * SUPPLIERS)], sku=np.repeat(skus[:SUPPLIERS], 30),
        supplier_id=np.repeat(supplier[:SUPPLIERS], 30), location_id="L0", ordered_date=ordered * SUPPLIERS,
        received_date=[d + timedelta(days=15 + int(x)) for d, x in
                       zip(ordered * SUPPLIERS, rng.gamma(1.0, 3.0, 30 * SUPPLIERS), strict=True)], received_qty=9.0,
    )  # fmt: skip
    names = ("preorder_commitments", "stg_lanes", "stg_proposal_decisions", "overrides", "holds", "trend_proposals")
    empty = {name: empty_frame(TABLES[name]) for name in names}
    return PlanInputs(
        assortment=table("assortment", **keys, status="active", reason="on_sale", demand_class="smooth",
                         regular_price=np.repeat(rng.uniform(8, 80, n_skus), n_locations).round(2),
                         unit_cost=np.repeat(rng.uniform(2, 7, n_skus), n_locations).round(2)),
        item_supply=table("item_supply", sku=skus, supplier_id=supplier, unit_cost=rng.uniform(2, 7, n_skus).round(2),
                          lead_time_days=lead, lead_time_sd_days=0.0, min_order_qty=rng.choice([1, 12, 60], n_skus),
                          review_period_days=float(calendar.review_period_days), is_order_date=calendar.is_order_date,
                          pack_size=rng.choice([1, 6, 12], n_skus), expected_receipt_date=calendar.receipt_date(lead),
                          next_order_date=calendar.next_order_date),
        products=table("stg_products", sku=skus, is_product=True), suppliers=empty_frame(TABLES["stg_suppliers"]),
        lanes=empty["stg_lanes"],
        stock=StockInputs(
            stock=table("stg_stock", **keys, as_of_date=RUN_DATE, on_hand=np.floor(mean * rng.uniform(0, 30, n))),
            purchase_orders=table("stg_purchase_orders", **keys, po_id=[f"P{i}" for i in range(n)], supplier_id="V00",
                                  expected_receipt_date=RUN_DATE + timedelta(days=9), open_qty=np.ceil(3 * mean)),
            receipts=receipts, commitments=empty["preorder_commitments"], has_stock_table=True,
        ),
        decisions=empty["stg_proposal_decisions"], overrides=empty["overrides"], holds=empty["holds"],
        accuracy=table("series_accuracy", **keys, wape=0.4, bias=0.0, n_windows=4, confidence="high"),
        protection=table("protection_demand", **keys, supplier_id=np.repeat(supplier, n_locations),
                         lead_time_days=lead, review_period_days=float(calendar.review_period_days),
                         **spread(mean * (lead + calendar.review_period_days))),
        demand_paths=table("demand_paths", **keys, period_correlation=0.2, total_scale=1.0),
        forecasts=forecasts, proposals=empty["trend_proposals"],
        returns=pd.DataFrame(columns=["sku", "location_id", "return_receipts", "gross_units"]),
        last_plan=None, earlier_plans=None,
        sizes=pd.DataFrame({"sku": skus, "style_id": [f"T{i // len(SIZES)}" for i in range(n_skus)],
                            "share": 1 / len(SIZES)}),
        set_loss=0.1,
    )  # fmt: skip


def main() -> None:
    """Plan once and print what it took."""
    n_skus, n_locations = (int(a) for a in (sys.argv[1:] + ["10000", "3"][len(sys.argv) - 1 :]))
    calendar = Calendar(RUN_DATE)
    inputs = made_up_shop(n_skus, n_locations, calendar=calendar)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    planning = Planning(objective=Objective(margin={"annual_holding_rate": 0.25}), budget=200_000.0)
    clock, cpu = time.perf_counter(), time.process_time()
    tables = make_plan(inputs, planning=planning, config=RestockConfig(), calendar=calendar)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    plan = tables.restock_plan
    print(f"{n_skus:,} SKUs x {n_locations}: {time.perf_counter() - clock:.1f} s ({time.process_time() - cpu:.1f} s of "
          f"CPU), peak {peak:.2f} GB ({before:.2f} GB with the tables alone); {(plan['order_qty'] > 0).sum():,} lines "
          f"ordered, {(plan['why_set'] > 0).sum():,} more for their set, gap {tables.budget_gap:.4%}")  # fmt: skip


if __name__ == "__main__":
    main()
