"""The form of demand: curves, elasticities carried along them, and which form a shop's own sales show."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks import price_policies
from benchmarks.elasticities import second_world
from pricing.config import PricingConfig
from pricing.curve import CONSTANT, EXPONENTIAL, LINEAR, bent, carried
from pricing.elasticity import estimate_elasticities
from pricing.log_scale import from_log_scale, log_markup, markup_effect, on_log_scale
from pricing.simulate import replayed

CONFIG = PricingConfig()


def learnt(name, *, seed):
    """What the estimator says of the past of a world of the policies, and that world."""
    world = price_policies._world(name, 120, np.random.default_rng([seed, 1]))
    prices, units = price_policies._past(world, np.random.default_rng([seed, 2]))
    return price_policies._learnt(world, prices, units, CONFIG), world


@pytest.mark.parametrize("ratio", [0.8, 0.9, 1.1, 1.2])
@pytest.mark.parametrize("elasticity", [-1.2, -2.0, -3.0])
def test_the_curve_of_a_straight_line_follows_it(ratio, elasticity):
    curvature = LINEAR.curvature(np.array([elasticity]))
    followed = np.exp(elasticity * bent(np.log(np.array([ratio])), curvature))
    assert followed == pytest.approx(1 + elasticity * (ratio - 1), abs=0.05)


def test_a_curve_without_curvature_has_constant_elasticity():
    assert np.exp(-2 * bent(np.log(np.array([0.5])), 0.0)) == pytest.approx(4.0)
    assert CONSTANT.curvature(np.array([-3.0])) == 0
    assert EXPONENTIAL.curvature(np.array([-3.0])) == 1


def test_an_elasticity_is_carried_along_its_curve():
    row = pd.DataFrame({"elasticity": [-2.0, -2.0, np.nan], "elasticity_lo": -2.5, "elasticity_hi": -1.5,
                        "curvature": [3.0, 0.0, np.nan]})  # fmt: skip
    moved = carried(row, learnt_at=np.array([10.0, 10.0, np.nan]), price=np.array([9.0, 9.0, 9.0]))
    assert moved["elasticity"].iloc[0] == pytest.approx(-2 * 0.9**3)
    assert moved["elasticity"].iloc[1] == -2.0
    assert np.isnan(moved["elasticity"].iloc[2])
    assert (moved["elasticity_lo"] <= moved["elasticity"])[:2].all()


def test_a_shop_on_straight_lines_is_told_from_one_of_constant_elasticity():
    straight, _ = learnt("linear", seed=103)
    constant, _ = learnt("constant", seed=103)
    assert straight["curvature"].median() > 2
    assert constant["curvature"].median() < 0.5


def test_elasticities_that_the_price_makes_differ_are_found_so():
    table, world = learnt("linear", seed=103)
    truth = world.local_elasticity(table["at_price"].to_numpy(dtype=float))
    usual = (truth > -8) & np.isfinite(truth)
    found = np.corrcoef(np.log(-truth[usual]), np.log(-table["elasticity"].to_numpy()[usual]))[0, 1]
    assert found > 0.8


def test_the_log_scale_and_back():
    mean, variance = on_log_scale(np.array([-3.0, 0.5, -1.0]), np.array([0.04, np.inf, 0.01]), centre=np.zeros(3), sd=1)
    shown = from_log_scale(mean, variance)
    assert shown["elasticity"].iloc[[0, 2]].tolist() == pytest.approx([-3.0, -1.0], rel=0.02)
    assert np.isinf(variance[1])
    assert (shown["elasticity_hi"] <= 0).all()


def test_margins_speak_only_where_sales_bear_them_out():
    rng = np.random.default_rng(5)
    kind, price = np.arange(200) % 4, rng.uniform(20, 80, 200)
    markup = log_markup(price, np.full(200, 15.0), kind)
    noise = rng.normal(0, 0.2, 200)
    borne_out, _ = markup_effect(0.6 + markup + noise, np.full(200, 0.04), markup, kind)
    not_so, _ = markup_effect(0.6 + noise, np.full(200, 0.04), markup, kind)
    assert borne_out == pytest.approx(1.0, abs=0.2)
    assert not_so == pytest.approx(0.0, abs=0.2)
    assert log_markup(np.array([np.nan, 10.0]), np.array([5.0, np.nan]), np.zeros(2, dtype=np.int64)).tolist() == [0, 0]


def test_types_have_no_price_of_their_own():
    weekly, products, _ = second_world(60, seed=3)
    table = estimate_elasticities(weekly, products, config=CONFIG)
    assert table.loc[table["sku"] == "*", "at_price"].isna().all()
    assert table.loc[table["sku"] != "*", "at_price"].gt(0).all()


def test_a_replay_knows_what_came_in_meanwhile(lines, book):
    frame = lines({"on_hand": 100.0, "supply_units": 100.0, "weekly_units": 7.0, "days_of_cover": 100.0})
    weeks = pd.DataFrame({"sku": "COS-0131", "location_id": "web", "weeks_ago": range(8), "units": 7.0, "price": 268.0})
    slow = book("\n  - {id: slow, type: markdown, when: {min_days_of_cover: 100}, percent: 8}")
    path = {"run_date": date(2026, 6, 28), "weeks": 2, "config": CONFIG, "seed": 1}
    received = weeks.assign(received=[90.0, 0, 0, 0, 0, 0, 0, 0])  # in the last week: only 24 lay there before
    assert replayed(frame, weeks, slow, **path).prices[0, 0] < 268
    assert replayed(frame, received, slow, **path).prices[0, 0] == 268
