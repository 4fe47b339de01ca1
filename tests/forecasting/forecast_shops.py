"""Panels and homes that the tests of the forecasting room share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.contracts import TABLES
from data.contracts.frames import empty_frame
from data.step_io import open_step
from forecasting.features import Tables
from forecasting.panel import Panel, build_panel

RUN_DATE = date(2026, 6, 28)


def history_frame(
    units: np.ndarray, *, last: date = RUN_DATE, period_days: int = 1, **flags: np.ndarray
) -> pl.DataFrame:
    """Return ``demand_history`` of an (n, t) array; NaN cells have no row."""
    t = units.shape[1]
    series, period = np.nonzero(~np.isnan(units))
    frame = {
        "sku": [f"SKU-{s // 2:03d}" for s in series],
        "location_id": [("east", "west")[s % 2] for s in series],
        "ds": [last - timedelta(days=int(t - 1 - p) * period_days) for p in period],
        "units": units[series, period].astype(np.float64),
    }
    for name in ("is_censored", "is_closed", "is_gap", "is_partial"):
        frame[name] = flags[name][series, period] if name in flags else np.zeros(len(series), dtype=bool)
    share = flags["in_stock_share"][series, period] if "in_stock_share" in flags else np.full(len(series), np.nan)
    if "recovered_units" in flags:
        frame["recovered_units"] = flags["recovered_units"][series, period]
        frame["recovered_teaches"] = flags["recovered_teaches"][series, period]
    types = {"sku": pl.String, "location_id": pl.String, "ds": pl.Date, "units": pl.Float64}
    out = pl.DataFrame(frame, schema_overrides=types).with_columns(in_stock_share=pl.Series(share).fill_nan(None))
    return out.with_columns(pl.col("recovered_units").fill_nan(None)) if "recovered_units" in flags else out


def keys_frame(n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sku": [f"SKU-{s // 2:03d}" for s in range(n)],
            "location_id": [("east", "west")[s % 2] for s in range(n)],
            "status": ["active"] * n,
            "category": [("badge", "figure")[(s // 2) % 2] for s in range(n)],
            "ip": [("Comet", "Lotus", "Raven")[(s // 2) % 3] for s in range(n)],
            "product_type": ["badge"] * n,
            "region": [("east", "west")[s % 2] for s in range(n)],
            "regular_price": [10.0 + s // 2 for s in range(n)],
        }
    )


def panel_of(units: np.ndarray, *, period_days: int = 1, last: date = RUN_DATE, **flags: np.ndarray) -> Panel:
    history = history_frame(units, last=last, period_days=period_days, **flags)
    return build_panel(history, keys_frame(len(units)), last_period=last, period_days=period_days, max_periods=1000)


def no_tables() -> Tables:
    text, day, number = pl.String, pl.Date, pl.Float64
    return Tables(
        prices=pl.DataFrame(
            schema={"sku": text, "location_id": text, "channel": text, "from_date": day, "price": number}
        ),
        planned_prices=pl.DataFrame(schema={"sku": text, "location_id": text, "from_date": day, "price": number}),
        events=pl.DataFrame(
            schema={"name": text, "starts_date": day, "ends_date": day, "kind": text, "region": text, "ip": text}
        ),
        paid=pl.DataFrame(schema={"sku": text, "location_id": text, "ds": day, "unit_price": number}),
    )


def shop_units(n: int, t: int, *, seed: int = 3) -> np.ndarray:
    """Return Poisson demand with a weekday pattern and levels from 0.05 to 8 units a day."""
    rng = np.random.default_rng(seed)
    level = np.geomspace(0.05, 8, n)[rng.permutation(n)]
    pattern = np.tile([0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 0.9], t // 7 + 1)[:t]
    return rng.poisson(level[:, None] * pattern[None, :]).astype(float)


def shop_home(
    home: Path, units: np.ndarray, *, period_days: int = 1, settings: str = "", run_date: date = RUN_DATE
) -> Path:
    """Write the tables that the forecast step reads into a home folder."""
    home.mkdir(parents=True, exist_ok=True)
    freq = "D" if period_days == 1 else "W-MON"
    (home / "merchcast.yml").write_text(f"planning: {{freq: {freq}}}\n{settings}", encoding="utf-8")
    n = len(units)
    last = run_date if period_days == 1 else run_date - timedelta(days=6)
    history = history_frame(units, last=last, period_days=period_days).with_columns(
        gross_units="units",
        returned_units=pl.lit(0.0),
        return_receipts=pl.lit(0.0),
        unit_price=pl.lit(10.0),
        is_excluded=pl.lit(False),
        excluded_units=pl.lit(0.0),
        on_promotion=pl.lit(False),
        cancelled_units=pl.lit(0.0),
    )
    keys = keys_frame(n)
    assortment = keys.select(
        "sku", "location_id", "status", "category", "ip", "product_type", "regular_price",
        reason=pl.lit("sold"), demand_class=pl.lit("smooth"),
    )  # fmt: skip
    supply = (
        keys.select("sku")
        .unique()
        .with_columns(
            supplier_id=pl.lit("S1"),
            lead_time_days=pl.lit(14.0),
            lead_time_sd_days=pl.lit(2.0),
            review_period_days=pl.lit(7.0),
            min_order_qty=pl.lit(1),
            pack_size=pl.lit(1),
            expected_receipt_date=pl.lit(run_date + timedelta(days=15)),
            next_order_date=pl.lit(run_date + timedelta(days=7)),
            is_order_date=pl.lit(True),
            flags=pl.Series([[]] * (n // 2), dtype=pl.List(pl.String)),
        )
    )
    with open_step("demand", home=home, run_date=run_date) as io:
        io.write("demand_history", history)
        io.write("assortment", assortment)
        io.write("item_supply", supply)
        for name in (
            "stg_locations",
            "stg_prices",
            "stg_planned_prices",
            "stg_events",
            "trend_features",
            "preorder_ledger",
        ):
            io.write(name, empty_frame(TABLES[name]))
        io.write("overrides", empty_frame(TABLES["overrides"]))
    return home


@pytest.fixture
def make_home(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a home folder with the given demand."""

    def make(units: np.ndarray, **options: object) -> Path:
        return shop_home(tmp_path / f"home{len(list(tmp_path.iterdir()))}", units, **options)  # type: ignore[arg-type]

    return make
