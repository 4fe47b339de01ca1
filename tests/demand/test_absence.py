"""Items long out of stock: their level is that of the weeks in which they were seen, carried on by their siblings."""

from __future__ import annotations

import numpy as np
import polars as pl

from demand.config import CensoringConfig
from demand.items import alike
from demand.panel import Panel
from demand.recovery import recovered_demand


def recovered(units, share, groups=()):
    n, t = units.shape
    keys = pl.DataFrame({"sku": [f"S{i:04d}" for i in range(n)], "location_id": ["main"] * n})
    panel = Panel(keys, np.full(n, -t), np.full(n, -1))
    flat = units.ravel(), share.ravel(), (share < 1).ravel(), np.zeros(n * t, bool)
    found, teaches = recovered_demand(*flat, panel, config=CensoringConfig(), season=7, groups=groups)
    return found.reshape(n, t), teaches.reshape(n, t)


def away(units, rows, since):
    """Return units and shares in stock: the rows run out with the sale of period ``since`` and stay out."""
    units, share = units.copy(), np.ones(units.shape)
    units[rows, since] = np.maximum(units[rows, since], 1)
    share[rows, since], share[rows, since + 1 :] = 0.07, 0
    units[rows, since + 1 :] = 0
    return units, share


def test_a_slow_seller_that_ran_out_with_its_last_piece_is_no_best_seller_ever_after():
    units = np.random.default_rng(4).poisson(0.03, (40, 400)).astype(float)
    rows = np.arange(20)
    sold, share = away(units, rows, 120)
    found, teaches = recovered(sold, share)
    assert found[rows, 300:].mean() < 0.06
    assert not teaches[rows, 121:].any()


def test_the_last_sale_says_nothing_of_the_level_for_it_chose_the_day():
    units = np.random.default_rng(5).poisson(0.2, (300, 200)).astype(float)
    rows = np.arange(150)
    sold, share = away(units, rows, 120)
    found, _ = recovered(sold, share)
    assert abs(found[rows, 170:].mean() / 0.2 - 1) < 0.12


def test_an_item_seen_once_by_the_sale_that_emptied_it_gets_no_level_of_its_own():
    units = np.random.default_rng(6).poisson(2.0, (30, 120)).astype(float)
    units[0] = 0
    sold, share = away(units, np.array([0]), 0)
    sold[0, 0] = 1
    assert recovered(sold, share)[0][0, 60:].max() < 0.5


def test_siblings_carry_the_level_through_the_season():
    season = np.where(np.arange(300) < 180, 1.0, 0.25)[None, :]
    units = np.random.default_rng(7).poisson(4.0 * season + np.zeros((40, 1))).astype(float)
    units[20:] = np.random.default_rng(8).poisson(4.0, (20, 300))  # another type, which has no season
    rows = np.array([0, 1, 2, 20, 21, 22])
    sold, share = away(units, rows, 120)
    found, _ = recovered(sold, share, [np.repeat([0, 1], 20)])
    assert abs(found[:3, 240:].mean() - 1.0) < 0.25
    assert abs(found[20:23, 240:].mean() - 4.0) < 0.8
    assert abs(found[:3, 140:175].mean() - 4.0) < 0.8  # and not before the season turned


def test_siblings_look_backwards_only():
    units = np.random.default_rng(9).poisson(3.0, (24, 210)).astype(float)
    sold, share = away(units, np.arange(4), 100)
    groups = [np.repeat([0, 1], 12)]
    whole, _ = recovered(sold, share, groups)
    for end in (130, 161, 196):
        assert np.array_equal(recovered(sold[:, :end], share[:, :end], groups)[0], whole[:, :end])


def test_groups_go_from_the_style_to_the_location_and_what_is_not_stated_is_in_none():
    keys = pl.DataFrame({"sku": ["a", "a", "b", "c"], "location_id": ["x", "y", "x", "x"]})
    products = pl.DataFrame(
        {"sku": ["a", "b", "c"], "style_id": ["s", "s", None], "product_type": ["tee"] * 3, "category": [None] * 3},
        schema_overrides={"category": pl.String},
    )
    style_here, style, kind, category, place = alike(keys, products)
    assert style_here[0] == style_here[2] != style_here[1]
    assert style[0] == style[1] == style[2]
    assert style[3] == -1
    assert kind[0] == kind[2] == kind[3] != kind[1]
    assert (category == -1).all()
    assert place[0] == place[3] != place[1]
