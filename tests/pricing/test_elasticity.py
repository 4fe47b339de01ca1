"""Elasticities against known truth."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from pricing.config import PricingConfig
from pricing.elasticity import estimate_elasticities
from pricing.weekly import weekly_with_prices

CONFIG = PricingConfig()
N_WEEKS = 104


def world(n_skus=160, *, seed=1, promotions=0.0):
    """Weekly sales of SKUs of four types whose prices move at random; season and slow drift beside them."""
    rng = np.random.default_rng(seed)
    weeks = pd.date_range("2024-07-01", periods=N_WEEKS, freq="7D")
    rows, truth, products = [], {}, []
    for i in range(n_skus):
        kind, sku = i % 4, f"S{i:04d}"
        truth[sku] = float(np.clip(-1.3 - 0.4 * kind + rng.normal(0, 0.35), -4, -0.4))
        products.append((sku, f"T{kind}", f"C{kind // 2}"))
        base = np.exp(rng.normal(1.2, 1.0))
        steps = np.cumsum(rng.random(N_WEEKS) < 0.1)
        price = 50 * np.exp(np.clip(rng.normal(0, 0.09, steps.max() + 1), -0.25, 0.25))[steps]
        drift = np.cumsum(rng.normal(0, 0.05, N_WEEKS)) * 0.5
        season = 0.4 * np.sin(np.arange(N_WEEKS) / 52 * 2 * np.pi + kind)
        units = rng.poisson(base * (price / 50) ** truth[sku] * np.exp(drift + season))
        rows.append(
            pd.DataFrame({"sku": sku, "location_id": "web", "week": weeks, "units": units.astype(float), "days": 7.0,
                          "price": np.where(units > 0, price, np.nan), "regular_price": price,
                          "promotion_share": promotions})
        )  # fmt: skip
    return (
        pd.concat(rows, ignore_index=True),
        pd.DataFrame(products, columns=["sku", "product_type", "category"]),
        truth,
    )


@pytest.fixture(scope="module")
def estimated():
    weekly, products, truth = world()
    table = estimate_elasticities(weekly, products, config=CONFIG)
    own = table[table["sku"] != "*"].set_index("sku")
    return table, own, pd.Series(truth).reindex(own.index)


def test_ninety_percent_intervals_hold_the_truth(estimated):
    _, own, truth = estimated
    inside = (own["elasticity_lo"] <= truth) & (truth <= own["elasticity_hi"])
    assert 0.82 <= inside.mean() <= 0.98


def test_shrinkage_beats_the_prior_and_leaves_little_bias(estimated):
    _, own, truth = estimated
    error = own["elasticity"] - truth
    assert abs(error.mean()) < 0.15
    assert np.sqrt((error**2).mean()) < 0.8 * np.sqrt(((CONFIG.prior_elasticity - truth) ** 2).mean())


def test_every_estimate_is_below_zero_and_inside_its_interval(estimated):
    table, _, _ = estimated
    assert (table["elasticity"] < 0).all()
    assert (table["elasticity_lo"] < table["elasticity"]).all()
    assert (table["elasticity"] < table["elasticity_hi"]).all()
    assert set(table["elasticity_level"]) <= {"sku", "product_type", "category", "prior"}


def test_the_types_stand_in_their_true_order(estimated):
    table, _, _ = estimated
    types = table[table["sku"] == "*"].set_index("product_type")["elasticity"]
    assert types["T3"] < types["T1"] < types["T0"]


def test_a_sku_whose_price_never_moved_takes_its_types(estimated):
    weekly, products, _ = world(24)
    still = weekly["sku"] == "S0000"
    weekly = weekly.assign(regular_price=weekly["regular_price"].where(~still, 50.0))
    table = estimate_elasticities(weekly, products, config=CONFIG).set_index(["product_type", "sku"])
    assert table.loc[("T0", "S0000"), "elasticity_level"] != "sku"
    assert table.loc[("T0", "S0000"), "elasticity"] == pytest.approx(table.loc[("T0", "*"), "elasticity"], abs=0.1)


def test_without_any_history_the_prior_stands():
    weekly, products, _ = world(4)
    table = estimate_elasticities(weekly.iloc[:0], products, config=CONFIG)
    assert set(table["elasticity_level"]) == {"prior"}
    assert table["elasticity"].between(-2.4, -1.5).all()
    assert (table["n_periods"] == 0).all()


def test_the_order_of_rows_does_not_matter():
    weekly, products, _ = world(12)
    first = estimate_elasticities(weekly, products, config=CONFIG)
    second = estimate_elasticities(weekly.sample(frac=1, random_state=3), products[::-1], config=CONFIG)
    pd.testing.assert_frame_equal(first, second)


def test_a_week_takes_the_price_in_force_in_its_middle():
    import polars as pl

    week = [date(2026, 6, 1), date(2026, 6, 8)]
    weekly = pl.DataFrame({"sku": ["A", "A"], "location_id": ["w", "w"], "week": week, "units": [1.0, 2.0]})
    changes = [date(2026, 5, 1), date(2026, 6, 10)]
    prices = pl.DataFrame({"sku": ["A", "A"], "location_id": ["w", "w"], "from_date": changes, "price": [10.0, 12.0]})
    assert weekly_with_prices(weekly, prices)["regular_price"].tolist() == [10.0, 12.0]


def test_newness_counts_only_for_what_was_launched_within_the_data():
    from pricing.panel import usable_weeks

    weeks = pd.date_range("2025-01-06", periods=20, freq="7D")
    price = np.where(np.arange(20) < 15, 10.0, 12.0)
    old = pd.DataFrame({"sku": "old", "location_id": "web", "week": weeks, "units": 3.0, "days": 7.0, "price": price,
                        "regular_price": price})  # fmt: skip
    new = old.iloc[6:].assign(sku="new")
    rows = usable_weeks(pd.concat([old, new]), pd.DataFrame({"sku": ["old", "new"]})).set_index("sku")
    assert (rows.loc["old", "is_fresh"] == 0).all()
    assert rows.loc["new", "is_fresh"].iloc[0] == 1
    assert rows.loc["new", "is_fresh"].is_monotonic_decreasing
    assert (rows.loc["new", "is_young"] >= rows.loc["new", "is_fresh"]).all()


@pytest.mark.parametrize("true_spread", [0.25, 0.5])
def test_the_spread_of_styles_is_told_from_what_estimates_miss(true_spread):
    from pricing.shrinkage import _spread

    rng = np.random.default_rng(8)
    found = []
    for _ in range(12):
        kind, sd = np.arange(600) % 10, np.exp(rng.normal(0.0, 0.5, 600))
        truth = -2 + 0.1 * kind + rng.normal(0, true_spread, 600)
        found.append(_spread(truth + sd * rng.normal(size=600), sd**2, kind)[0])
    assert abs(np.mean(found) - true_spread) < 0.1
