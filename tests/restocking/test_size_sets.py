"""Size sets: what a broken set loses is read from the record, and only what is proved lifts an order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.contracts import WHY_COLUMNS
from restocking.plan import make_plan
from restocking.size_audit import LEARNING_SHARE, learning_weights
from restocking.size_sets import broken_set_loss, set_gain, size_shares

EXPLICIT = {"holding_cost_per_unit_per_period": 0.2, "shortage_cost_per_unit": 1.0}


def record(loss, *, n_styles=80, seed=1):
    """Sizes of some styles; while a sister is out a size sells so much less."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(2.0, 1.0, (n_styles, 4))
    whole, broken = 60, 20
    return pd.DataFrame(
        {
            "style_id": np.repeat([f"T{i}" for i in range(n_styles)], 4),
            "whole_periods": whole,
            "whole_units": rng.poisson(whole * rate).ravel(),
            "broken_periods": broken,
            "broken_units": rng.poisson(broken * rate * (1 - loss)).ravel(),
        }
    )


def test_a_planted_loss_is_found_and_none_where_there_is_none():
    assert broken_set_loss(record(0.3), seed=1) == pytest.approx(0.3, abs=0.05)
    assert broken_set_loss(record(0.0), seed=1) < 0.02
    assert broken_set_loss(record(0.3).head(2), seed=1) == 0.0  # two sizes prove nothing


def plan(shop, loss, **settings):
    case = shop().set(**{"objective": EXPLICIT, **settings})
    for sku, demand in (("S", 1.0), ("M", 4.0), ("L", 4.0)):
        case.item(sku, demand=demand, sd=2.0, stock=20 * demand)
    shares = pd.DataFrame({"sku": ["L", "M", "S"], "style_id": "T", "share": [4 / 9, 4 / 9, 1 / 9]})
    inputs = replace(case.inputs(), sizes=shares, set_loss=loss)
    tables = make_plan(inputs, planning=case.planning, config=case.config, calendar=case.calendar)
    return tables.restock_plan.set_index("sku")


def test_a_size_is_ordered_for_its_sisters_too(shop):
    alone, together = plan(shop, 0.0), plan(shop, 0.25)
    assert (alone["why_set"] == 0).all()
    assert (together["why_set"] > 0).all()
    assert (together[list(WHY_COLUMNS)].sum(axis=1) == together["order_qty"]).all()
    assert (together["order_qty"] > alone["order_qty"]).all()
    assert together.loc["S", "service_level"] > together.loc["M", "service_level"]  # few units keep a whole set selling
    assert (together["why_buffer"] == alone["why_buffer"]).all()


def test_a_service_level_is_a_promise_that_no_set_changes(shop):
    assert (plan(shop, 0.25, objective={"service_level": 0.9})["why_set"] == 0).all()


def test_what_a_unit_is_worth_never_falls_and_never_explodes():
    gain = np.array([2.0, 2.0, np.nan, 5.0])
    worth = set_gain(gain, style=np.array([0, 0, 0, -1]), share=np.array([0.999, 0.001, 0.1, 0.5]), loss=0.5)
    assert worth[0] >= 2.0
    assert worth[1] == 6.0  # three times its own gain at most
    assert np.isnan(worth[2])
    assert worth[3] == 5.0


def curve(n_styles=60, *, seed=2):
    """Styles of one type whose sizes sell 1 : 3 : 3 : 1; the last size is beyond standard."""
    rng = np.random.default_rng(seed)
    shares = np.array([1, 3, 3, 1]) / 8
    sold = rng.poisson(6 * shares, (2, n_styles, 4)).reshape(2, -1)
    return pd.DataFrame(
        {"style_id": np.repeat([f"T{i}" for i in range(n_styles)], 4), "product_type": "dress",
         "size": ["S", "M", "L", "3XL"] * n_styles, "size_group": (["standard"] * 3 + ["extended"]) * n_styles,
         "rate_1": sold[0] / 13, "rate_2": sold[1] / 13, "units": sold.sum(axis=0)}
    )  # fmt: skip


def test_shares_of_a_style_add_up_and_lean_on_its_type_where_it_sold_little():
    items = curve()
    share = size_shares(items)
    assert pd.Series(share).groupby(items["style_id"]).sum().to_numpy() == pytest.approx(1.0)
    truth = np.tile(np.array([1, 3, 3, 1]) / 8, 60)
    own = (items["rate_1"] + items["rate_2"]).to_numpy()
    own = own / pd.Series(own).groupby(items["style_id"]).transform("sum").to_numpy()
    assert np.abs(share - truth).mean() < 0.5 * np.abs(own - truth).mean()


def test_at_least_thirty_percent_of_what_sizes_learn_from_is_beyond_standard():
    items = curve()
    weights = learning_weights(items["size_group"])
    beyond = (items["size_group"] == "extended").to_numpy()
    assert weights[beyond].sum() / weights.sum() >= LEARNING_SHARE - 1e-9
