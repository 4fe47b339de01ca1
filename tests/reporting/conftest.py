"""A seeded shop of frames in contract columns, hostile titles included, and the browser."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from data.contracts import TABLES, WHY_BATCH_COLUMNS, WHY_COLUMNS
from data.contracts.frames import conform, empty_frame
from data.step_io import open_step
from reporting.config import ReportingConfig
from reporting.run_tables import Policy, RunFacts, RunTables

RUN_DATE = date(2026, 11, 22)
HOSTILE = [
    '=HYPERLINK("http://x","y")',
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "مرحبا ‮evil‬ שלום",
    "🦊 カワイイ badge 😀",
    "</script><script>alert(3)</script>",
    "+SUM(1,2) @x -1 'quoted'",
]
CONFIG = ReportingConfig()
SETTINGS = """
shop: {name: Dimension Shop, timezone: Asia/Shanghai, currency: CNY, language: en}
planning: {order_weekdays: [SUN], objective: {service_level: 0.95}, budget: 5000}
connections: {shop_db: {env: SECRET_URL}}
reporting: {group_limit: 15}
"""


def facts(run_date: date = RUN_DATE, **changes: Any) -> RunFacts:
    values: dict[str, Any] = {
        "run_date": run_date,
        "shop": "Dimension Shop",
        "currency": "CNY",
        "policy": Policy("service_level", 0.95, "lost_sales", ("SUN",), 250_000.0, 180),
        "timezone": "Asia/Shanghai",
        "period_days": 1,
        "data_through": run_date,
        "parameters": {"planning.freq": "D", "planning.seed": "2026", "shop.name": "Dimension Shop"},
    }
    return RunFacts(**{**values, **changes})


def days(offsets: Any) -> pd.Series:
    """Run date plus offsets in days; NaN gives NaT."""
    known = pd.Series(offsets, dtype="float64")
    return (pd.Timestamp(RUN_DATE) + pd.to_timedelta(known.fillna(0).astype("int64"), unit="D")).where(known.notna())


def make_plan(n: int, *, seed: int = 1, exceptions: float = 0.3) -> pd.DataFrame:
    """A plan whose why columns add up, whose dates fit its figures, with lines in every group."""
    rng = np.random.default_rng(seed)
    kinds = np.array(["BDG", "CRD", "FIG", "COS", "POL"])[rng.integers(0, 5, n)]
    sku = np.array([f"{kind}-{i:05d}" for i, kind in enumerate(kinds)], dtype=object)
    rate = np.round(rng.gamma(0.6, 4.0, n) + 0.02, 3)
    lead, review = rng.choice([7, 14, 21, 30, 45], n), 7
    span = lead + review
    mean = rate * span
    sd = np.sqrt(mean) * 1.4
    on_hand = np.where(rng.random(n) < 0.08, 0, rng.poisson(rate * rng.uniform(3, 70, n)))
    on_order = np.where(rng.random(n) < 0.3, rng.poisson(rate * 14), 0)
    owed = np.where(rng.random(n) < 0.05, rng.poisson(3, n), 0)
    position = on_hand + on_order - owed
    pack = rng.choice([1, 1, 6, 12, 24], n)
    moq = rng.choice([1, 1, 20, 50, 100], n)
    why = {name: np.zeros(n, dtype=np.int64) for name in WHY_COLUMNS}
    why["why_need"] = np.rint(mean).astype(np.int64)
    why["why_position"] = -position.astype(np.int64)
    why["why_lost_sales"] = -np.rint(np.maximum(rate * lead - on_hand, 0) * 0.3).astype(np.int64)
    why["why_buffer"] = np.rint(1.64 * sd).astype(np.int64)
    raw = why["why_need"] + why["why_position"] + why["why_lost_sales"] + why["why_buffer"]
    why["why_surplus"] = np.maximum(-raw, 0)
    need = np.maximum(raw, 0)
    legal = np.where(need > 0, np.maximum(need, moq), 0)
    why["why_moq"] = legal - need
    packed = -(-legal // pack) * pack
    why["why_pack"] = packed - legal
    quiet = rng.random(n) > exceptions
    why["why_off_date"] = np.where(quiet, -packed, 0)
    qty = packed + why["why_off_date"]
    cost = np.round(rng.uniform(2, 160, n), 2)
    p_before = np.clip(np.round(1 / (1 + np.exp((on_hand - rate * lead) / (sd + 1))), 4), 0, 1)
    action = np.where(qty > 0, np.where(p_before > 0.8, "expedite", "order"), "none")
    action = np.where((qty > 0) & (rng.random(n) < 0.15), "review", action)
    action = np.where((qty == 0) & (rng.random(n) < 0.03), "postpone_or_cancel", action)
    action = np.where((qty == 0) & (rng.random(n) < 0.01), "transfer", action)
    status = np.where((action == "review") & (rng.random(n) < 0.5), "held", "ok")
    reason = pd.Series("not_needed", index=range(n), dtype=object)
    for chosen, code in [
        (qty > 0, "cover_target"),
        (why["why_moq"] > 0, "min_order_qty"),
        (why["why_pack"] > 0, "pack_size"),
        (action == "expedite", "runs_out_before_receipt"),
        (action == "review", "moq_above_cap"),
        (action == "postpone_or_cancel", "excess_on_order"),
        (action == "transfer", "surplus_elsewhere"),
        (status == "held", "rail_demand_jump"),
    ]:
        reason = reason.where(~pd.Series(chosen), code)
    cover = np.minimum(on_hand / rate, 900)
    risk = np.round(np.maximum(p_before, 0.02) * mean * cost * 0.6 * (qty > 0), 4)
    frame = pd.DataFrame(
        {
            "sku": sku,
            "location_id": "main",
            "supplier_id": np.array(["S-HZ", "S-YW", "S-GZ", "S-TK"])[rng.integers(0, 4, n)],
            "proposal_id": [f"P{i:06d}" if q else None for i, q in enumerate(qty)],
            "first_proposed_date": days(np.where(qty > 0, -rng.integers(0, 9, n), np.nan)),
            "rank": pd.Series(-risk).rank(method="first").astype(int),
            "status": status,
            "action": action,
            "reason": reason,
            "order_qty": qty,
            "packs": qty // pack,
            "unit_cost": cost,
            "order_value": np.round(qty * cost, 4),
            "money_at_risk": risk,
            "order_by_date": days(np.where(qty > 0, np.maximum(np.floor(cover - lead), 0), np.nan)),
            "next_order_date": days(np.full(n, 7.0)),
            "expected_receipt_date": days(lead + 1.0),
            "on_hand": on_hand.astype(float),
            "on_order": on_order.astype(float),
            "backorders": owed.astype(float),
            "preorders_open": 0.0,
            "inventory_position": position.astype(float),
            "days_of_cover": cover,
            "days_of_cover_with_orders": np.minimum((on_hand + on_order) / rate, 900),
            "stockout_date": days(np.where(cover < 200, np.floor(cover) + 1, np.nan)),
            "stockout_date_early": days(np.where(cover < 200, np.floor(cover * 0.7) + 1, np.nan)),
            "p_stockout_before_receipt": p_before,
            "p_stockout_if_not_ordered": np.clip(p_before * 1.2, 0, 1),
            "p_stockout_if_ordered": np.clip(p_before * 0.1, 0, 1),
            "expected_fill_rate": 0.97,
            "demand_mean": mean,
            "demand_p10": np.maximum(mean - 1.28 * sd, 0),
            "demand_p50": mean,
            "demand_p90": mean + 1.28 * sd,
            "order_up_to_level": mean + 1.64 * sd,
            "reorder_point": rate * lead + 1.64 * sd,
            "safety_stock": 1.64 * sd,
            "lead_time_days": lead.astype(float),
            "review_period_days": float(review),
            "min_order_qty": moq,
            "pack_size": pack,
            "service_level": 0.95,
            "expected_excess_units": np.maximum(position - rate * 180, 0),
            "excess_value": np.round(np.maximum(position - rate * 180, 0) * cost, 4),
            "marginal_return": 0.4,
            "binding_constraint": "none",
            "forecast_wape": np.round(rng.uniform(0.2, 1.4, n), 4),
            "forecast_bias": np.round(rng.normal(0, 0.2, n), 4),
            "confidence": np.array(["high", "medium", "low"])[rng.integers(0, 3, n)],
            "flags": [
                ["stale_stock"] if i % 17 == 0 else ["new_item", "default_supply"] if i % 23 == 0 else []
                for i in range(n)
            ],
            **why,
        }
    )
    out = conform(TABLES["restock_plan"], frame)
    if n > 12:
        out.loc[out.index[3], ["override_qty", "override_reason"]] = [10, "=1+1 said the boss"]
    return out


def make_run(
    n: int = 300, *, seed: int = 1, exceptions: float = 0.3, history_days: int = 60, horizon: int = 40
) -> RunTables:
    """A whole run: the plan and every other table that the pages show."""
    rng = np.random.default_rng(seed + 100)
    plan = make_plan(n, seed=seed, exceptions=exceptions)
    rate = (plan["demand_mean"] / (plan["lead_time_days"] + plan["review_period_days"])).to_numpy()
    return RunTables(
        frames={**_plan_frames(plan, rng), **_other_frames(plan, rng)},
        history=_history(plan, rate, rng, history_days),
        forecasts=_forecasts(plan, rate, horizon),
        previous={
            "restock_plan": make_plan(n, seed=seed + 7, exceptions=exceptions),
            "forecast_accuracy": _accuracy(0.02),
        },
        previous_date=date(2026, 11, 21),
    )


def _history(plan: pd.DataFrame, rate: np.ndarray, rng: np.random.Generator, n_days: int) -> pl.DataFrame:
    n = len(plan)
    units = rng.poisson(np.repeat(rate, n_days))
    gone = (np.arange(n_days) > n_days - 9)[None, :] & (plan["on_hand"].to_numpy() <= 0)[:, None]
    ds = pd.date_range(end=RUN_DATE, periods=n_days).to_numpy(dtype="datetime64[D]")
    return pl.DataFrame(
        {
            "sku": np.repeat(plan["sku"].to_numpy(), n_days),
            "location_id": np.repeat(plan["location_id"].to_numpy(), n_days),
            "ds": np.tile(ds, n),
            "units": np.where(gone.ravel(), 0, units).astype(float),
            "is_censored": gone.ravel(),
        }
    )


def _forecasts(plan: pd.DataFrame, rate: np.ndarray, horizon: int) -> pl.DataFrame:
    ds = pd.date_range(start=pd.Timestamp(RUN_DATE) + pd.Timedelta(days=1), periods=horizon).to_numpy(
        dtype="datetime64[D]"
    )
    mean = np.repeat(rate, horizon) * np.tile(1 + 0.3 * np.sin(np.arange(horizon) / 7 * 2 * np.pi), len(plan))
    sd = np.sqrt(mean)
    return pl.DataFrame(
        {
            "sku": np.repeat(plan["sku"].to_numpy(), horizon),
            "location_id": np.repeat(plan["location_id"].to_numpy(), horizon),
            "ds": np.tile(ds, len(plan)),
            "mean": mean,
            "q025": np.maximum(mean - 1.96 * sd, 0),
            "q10": np.maximum(mean - 1.28 * sd, 0),
            "q50": np.floor(mean),
            "q90": mean + 1.28 * sd,
            "q975": mean + 1.96 * sd,
        }
    )


def _plan_frames(plan: pd.DataFrame, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    n = len(plan)
    titles = [HOSTILE[i] if i < len(HOSTILE) else f"Item {i}, {'徽章' if i % 3 else 'badge'}" for i in range(n)]
    by_risk = plan.sort_values("money_at_risk", ascending=False, kind="stable")["sku"].tolist()
    products = pd.DataFrame({"sku": by_risk, "title": titles})
    orders = plan[plan["on_order"] > 0].head(200)
    some = min(5, n // 4)
    return {
        "restock_plan": plan,
        "stg_products": products.sort_values("sku", ignore_index=True),
        "stg_suppliers": pd.DataFrame(
            {
                "supplier_id": ["S-GZ", "S-HZ", "S-TK", "S-YW"],
                "name": ["Guangzhou Works", "Hangzhou Stitch", "Tokyo Goods", None],
            }
        ),
        "stg_purchase_orders": pd.DataFrame(
            {
                "sku": orders["sku"],
                "location_id": orders["location_id"],
                "expected_receipt_date": days(rng.integers(-2, 25, len(orders)).astype(float)).to_numpy(),
                "open_qty": orders["on_order"],
            }
        ).reset_index(drop=True),
        "not_replenished": conform(
            TABLES["not_replenished"],
            pd.DataFrame(
                {
                    "sku": [f"OLD-{i:03d}" for i in range(12)],
                    "location_id": "main",
                    "reason": ["ended", "not_product", "some_code_of_tomorrow", "dormant"] * 3,
                    "since_date": days(-np.arange(12.0) * 30).to_numpy(),
                }
            ),
        ),
        "plan_changes": conform(
            TABLES["plan_changes"],
            pd.DataFrame(
                {
                    "sku": plan["sku"].head(4 * some),
                    "location_id": "main",
                    "change": ["new", "gone", "up", "down"] * some,
                    "qty_before": [0, 12, 24, 48] * some,
                    "qty_now": [12, 0, 48, 24] * some,
                    "cause": ["demand", "position", "buffer", "constraint"] * some,
                }
            ),
        ),
        "forecast_models": pd.DataFrame(
            {"model": ["blend", "seasonal_naive"], "lines": [int(n * 0.9), n - int(n * 0.9)]}
        ),
        "data_through": pd.DataFrame({"ds": [pd.Timestamp(RUN_DATE)]}),
    }


def _accuracy(shift: float) -> pd.DataFrame:
    rows = []
    for k, segment in enumerate(["total", "smooth", "erratic", "intermittent", "lumpy"]):
        for horizon in ["1-7", "8-14", "15-28", "1-28"]:
            rows.append(
                (segment, horizon, 300 - 50 * k, 0.42 + 0.1 * k + 0.001 * len(horizon) + shift, 0.03 - 0.01 * k)
            )
    frame = pd.DataFrame(rows, columns=["segment", "horizon", "n_series", "wape", "bias"]).assign(
        rmsse=0.8,
        pinball=0.2,
        coverage_80=0.79,
        value_added=0.11,
        champion="blend",
        runner_up="seasonal_naive",
        margin=0.02,
    )
    return conform(TABLES["forecast_accuracy"], frame)


def _other_frames(plan: pd.DataFrame, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    accuracy = _accuracy(0.0)
    return {
        "forecast_accuracy": accuracy,
        "accuracy_history": pd.concat(
            [_accuracy(0.01 * i).assign(run_date=pd.Timestamp(RUN_DATE) - pd.Timedelta(days=7 * i)) for i in range(6)]
        ),
        "override_value": empty_frame(TABLES["override_value"]),
        "transfer_plan": conform(
            TABLES["transfer_plan"],
            pd.DataFrame(
                {
                    "sku": plan["sku"].head(3),
                    "from_location_id": "main",
                    "to_location_id": "tokyo",
                    "qty": [5, 9, 12],
                    "why_from": "beyond_kept_cover",
                    "surplus_qty": [5, 30, 12],
                    "why_to": "runs_out_before_receipt",
                    "needed_qty": [8, 9, 20],
                    "reason": ["whole_surplus", "whole_need", "shared_by_return"],
                    "value": [50.0, 90.0, 120.5],
                    "freight": [5.0, 6.0, 7.0],
                }
            ),
        ),
        "batch_plan": _batches(plan),
        "promise_changes": conform(
            TABLES["promise_changes"],
            pd.DataFrame(
                {
                    "preorder_id": ["PO-1", "PO-2"],
                    "promise_before_date": days([30.0, 40.0]),
                    "promise_now_date": days([44.0, 38.0]),
                    "cause": ["late_supplier", "earlier_slot"],
                    "must_tell": [True, False],
                }
            ),
        ),
        "price_suggestions": _prices(plan, rng),
        "trend_scores": _scores(),
        "trend_alerts": conform(
            TABLES["trend_alerts"],
            pd.DataFrame(
                {
                    "element_type": ["ip", "colour"],
                    "element": ["Fox Saga", HOSTILE[1]],
                    "region": ["east", "*"],
                    "started_date": days([-9.0, -4.0]),
                    "streak_days": [9, 4],
                    "evidence": ["searches +180% against the usual level", "saves +60%"],
                    "affected_skus": [plan["sku"].head(20).tolist(), []],
                    "proposed_qty": [240, 0],
                    "materials": ["red fabric 40 m", None],
                    "capacity": ["S-HZ 2 weeks", None],
                    "reason": ["streak", "streak"],
                }
            ),
        ),
        "checks": _checks(),
        "row_accounts": conform(
            TABLES["row_accounts"],
            pd.DataFrame(
                {
                    "source": ["order_lines", "order_lines", "stock"],
                    "table": ["order_lines", "order_lines", "stock"],
                    "file_sha256": ["a" * 64, "b" * 64, "c" * 64],
                    "file_name": ["orders_1.csv", "<b>orders_2.csv", "stock.csv"],
                    "first_run_date": days([0.0, 0.0, 0.0]),
                    "rows_in": [1000, 500, 300],
                    "rows_loaded": [990, 495, 300],
                    "rows_quarantined": [6, 5, 0],
                    "rows_duplicate": [4, 0, 0],
                }
            ),
        ),
        "quarantine": pd.DataFrame(
            {
                "source": "order_lines",
                "table": "order_lines",
                "reason": ["NOT_INTEGER"] * 6 + ["UNKNOWN_SKU"] * 5,
                "column": ["quantity"] * 6 + ["sku"] * 5,
                "value": ["1.9", "1.9", "2.5", "<script>", "x", None] + [f"ZZ-{i}" for i in range(5)],
                "status": "open",
            }
        ),
    }


def _batches(plan: pd.DataFrame) -> pd.DataFrame:
    why = dict.fromkeys(WHY_BATCH_COLUMNS, 0)
    rows = []
    for i, (firm, late, stock, minimum) in enumerate([(320, 90, 20, 70), (40, 12, 0, 0), (610, 0, 40, 0)]):
        produce = i != 1
        total = firm + late + stock + minimum
        rows.append(
            {
                "campaign_id": f"CAMP-{i}",
                "sku": plan["sku"].iloc[i],
                "units_booked": firm + 20,
                "units_cancelled": 20,
                "units_firm": firm,
                "identities": firm // 2,
                "forecast_final_p10": firm + late * 0.5,
                "forecast_final_p50": firm + late * 1.0,
                "forecast_final_p90": firm + late * 1.8,
                "p_min_batch_met": [0.86, 0.12, 1.0][i],
                "batch_qty": total if produce else 0,
                "tier_from_qty": 500,
                "unit_cost": 31.5,
                "decision": "produce" if produce else "wait",
                "commit_by_date": pd.Timestamp(RUN_DATE) + pd.Timedelta(days=[5, 19, 2][i]),
                "promise_p50_date": pd.Timestamp(RUN_DATE) + pd.Timedelta(days=60),
                "promise_p90_date": pd.Timestamp(RUN_DATE) + pd.Timedelta(days=74),
                **why,
                "why_firm": firm,
                "why_late_bookings": late,
                "why_stock": stock,
                "why_min_batch": minimum,
                "why_decision": 0 if produce else -total,
            }
        )
    return conform(TABLES["batch_plan"], pd.DataFrame(rows))


def _prices(plan: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    some = plan.head(60)
    n = len(some)
    price = np.round(some["unit_cost"].to_numpy() * 1.8, 2)
    status = np.array(["unchanged", "unchanged", "auto", "needs_approval", "held", "conflict"])[np.arange(n) % 6]
    new = np.where(np.isin(status, ["auto", "needs_approval"]), np.floor(price * 0.9) + 0.9, price)
    units = some["demand_mean"].to_numpy()
    return conform(
        TABLES["price_suggestions"],
        pd.DataFrame(
            {
                "sku": some["sku"].to_numpy(),
                "location_id": "main",
                "channel": "web",
                "current_price": price,
                "suggested_price": new,
                "change_percent": (new / price - 1) * 100,
                "regular_price": price,
                "reference_price": price,
                "unit_cost": some["unit_cost"].to_numpy(),
                "margin_percent_now": (1 - some["unit_cost"].to_numpy() / price) * 100,
                "margin_percent_new": (1 - some["unit_cost"].to_numpy() / new) * 100,
                "elasticity": -1.8,
                "elasticity_lo": -2.6,
                "elasticity_hi": -1.1,
                "elasticity_level": "type",
                "units_now": units,
                "units_new": units * (new / price) ** -1.8,
                "profit_change": rng.normal(30, 20, n).round(2),
                "profit_change_p10": -5.0,
                "profit_change_p90": 60.0,
                "p_profit_up": 0.83,
                "days_of_cover": 164.0,
                "age_days": 120.0,
                "competitor_median": price,
                "rule_ids": [["clear_slow_costumes"]] * n,
                "binding_rule": "price_ending",
                "clamp_trail": "clear_slow_costumes: 164 days of cover (>= 120) -> -10 % = 241.20;  ending -> 241.90",
                "status": status,
                "reason": "rule",
            }
        ),
    )


def _scores() -> pd.DataFrame:
    rows = []
    for i, element in enumerate(["Fox Saga", "Moon Idol", "sailor collar", "crimson", "lace"]):
        for j, region in enumerate(["*", "east", "north"]):
            score = 4.5 - 1.2 * i + 0.3 * j
            state = "hot" if score > 3 else "rising" if score > 2 else "quiet"
            rows.append(
                (
                    ("ip", "ip", "collar", "colour", "fabric")[i],
                    element,
                    region,
                    score / 4,
                    0.2 - 0.1 * i,
                    0.5,
                    score,
                    score - 0.7,
                    score + 0.7,
                    max(0, 9 - 2 * i),
                    state,
                )
            )
    names = [
        "element_type",
        "element",
        "region",
        "heat",
        "growth",
        "breadth",
        "score",
        "score_lo",
        "score_hi",
        "streak_days",
        "state",
    ]
    return conform(TABLES["trend_scores"], pd.DataFrame(rows, columns=names))


def _checks() -> pd.DataFrame:
    rows = [
        ("ingest", "order_lines", f"check_{i}", "pass", "error", "0 of 1500 rows", "no row", 1500, 0, [], "")
        for i in range(9)
    ]
    rows.append(
        ("restock", "-", "NO_STOCK_TABLE", "warn", "warn", "No stock table", "", 0, 0, [], "On hand is taken as zero.")
    )
    rows.append(
        (
            "ingest",
            "signals",
            "stale_source",
            "warn",
            "warn",
            "3 days old",
            "1 day",
            10,
            3,
            ["a", "<i>b</i>"],
            "Ask the provider.",
        )
    )
    names = [
        "step",
        "table",
        "check",
        "status",
        "severity",
        "observed",
        "expected",
        "rows_checked",
        "rows_failed",
        "sample_keys",
        "advice",
    ]
    return conform(TABLES["checks"], pd.DataFrame(rows, columns=names))


@pytest.fixture(scope="session")
def shop() -> SimpleNamespace:
    """The generators above, for tests that need a run of their own size."""
    return SimpleNamespace(
        make_plan=make_plan,
        make_run=make_run,
        facts=facts,
        run_date=RUN_DATE,
        hostile=HOSTILE,
        config=CONFIG,
        settings=SETTINGS,
    )


@pytest.fixture(scope="session")
def run_tables() -> RunTables:
    """A run of 300 lines."""
    return make_run(300)


@pytest.fixture(scope="session")
def report_folder(run_tables: RunTables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All reports of that run, Chinese the shop's language."""
    from reporting.step import write_reports

    folder = tmp_path_factory.mktemp("reports")
    write_reports(folder, tables=run_tables, facts=facts(), main_language="zh", config=CONFIG)
    return folder


def _history_rows(tables):
    frame = tables.history.to_pandas()
    return frame.assign(
        gross_units=frame["units"], returned_units=0.0, return_receipts=0.0, is_excluded=False, excluded_units=0.0,
        is_closed=False, is_gap=False, is_partial=False, on_promotion=False, cancelled_units=0.0,
    )[[c for c in TABLES["demand_history"].names if c in {*frame.columns, "gross_units", "returned_units",
       "return_receipts", "is_excluded", "excluded_units", "is_closed", "is_gap", "is_partial", "on_promotion",
       "cancelled_units"}]]  # fmt: skip


def _forecast_rows(tables):
    frame = tables.forecasts.to_pandas()
    return frame.assign(
        q05=frame["q025"], q25=frame["q10"], q75=frame["q90"], q80=frame["q90"], q95=frame["q90"], q99=frame["q975"],
        model="blend", fallback_level=0, reason="blend_of_models",
    )  # fmt: skip


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory, shop):
    """A home whose warehouse holds a run that the rooms might have written."""
    tmp_path = tmp_path_factory.mktemp("finished")
    (tmp_path / "merchcast.yml").write_text(SETTINGS, encoding="utf-8")
    tables = shop.make_run(60)
    last = shop.run_date
    with open_step("restock", home=tmp_path, run_date=last) as io:
        for name, frame in tables.frames.items():
            if name in TABLES and name not in (
                "checks",
                "quarantine",
                "stg_purchase_orders",
                "stg_suppliers",
                "stg_products",
            ):
                io.write(name, frame)
        io.write("demand_history", _history_rows(tables))
        io.write("forecasts", _forecast_rows(tables))
    return tmp_path


@pytest.fixture(scope="session")
def published_home(finished_home: Path, tmp_path_factory: pytest.TempPathFactory, shop: SimpleNamespace) -> Path:
    """That run with its reports, published; never write into it."""
    from data.publish.step import run as publish
    from reporting.step import run as report

    home = shutil.copytree(finished_home, tmp_path_factory.mktemp("published") / "home")
    report(home, shop.run_date)
    publish(home, shop.run_date)
    return home
