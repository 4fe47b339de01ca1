"""Random-assortment goods: the mix of a batch, and the exact test of the stated odds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from preorder.assortment import assortment_mix, carton_mix, odds_p_value
from preorder.config import PreorderConfig

ODDS = {"a": 0.5, "b": 0.3, "c": 0.15, "secret": 0.05}


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.integers(0, 500))
def test_a_batch_is_packed_within_a_unit_of_the_odds(weights, units):
    odds = {f"v{i}": w for i, w in enumerate(weights)}
    mix = carton_mix(odds, units)
    assert sum(mix.values()) == units
    for name, w in odds.items():
        assert abs(mix[name] - units * w / sum(weights)) < 1 + 1e-6


def test_the_p_value_is_the_exact_one_where_it_is_known():
    # two variants at even odds: Pearson's chi-square orders outcomes as the two-sided binomial test does
    for heads in range(13):
        exact = stats.binomtest(heads, 12, 0.5).pvalue
        assert odds_p_value({"a": heads, "b": 12 - heads}, {"a": 1, "b": 1}) == pytest.approx(exact)
    assert odds_p_value({"a": 3, "x": 1}, {"a": 1}) == 0.0  # a variant that nobody was told of
    assert odds_p_value({}, ODDS) == 1.0


@pytest.mark.parametrize("units", [12, 400])  # enumerated, and drawn
def test_honest_packers_are_seldom_blamed_and_dishonest_ones_found(units):
    rng = np.random.default_rng(8)
    names, p = list(ODDS), list(ODDS.values())
    honest = [odds_p_value(dict(zip(names, rng.multinomial(units, p).tolist(), strict=True)), ODDS) for _ in range(60)]
    assert np.mean(np.array(honest) < 0.1) <= 0.25
    without_secret = {"a": 0.53, "b": 0.31, "c": 0.16, "secret": 0.0}
    assert odds_p_value(carton_mix(without_secret, 400), ODDS) < 0.01
    assert odds_p_value(carton_mix(ODDS, 400), ODDS) > 0.99


def test_the_plan_says_what_to_pack_and_sees_packing_that_breaks_the_odds():
    config = PreorderConfig(assortments={"BOX": ODDS})
    plan = SimpleNamespace(campaign_id="C", sku="BOX", size=SimpleNamespace(qty=200))
    got = pd.DataFrame({"campaign_id": "C", "sku": ["a", "b", "c"], "received_qty": [212.0, 124.0, 64.0]})
    waiting = assortment_mix([plan], got.iloc[:0], config=config)
    assert waiting.set_index("variant_sku")["pack_qty"].to_dict() == {"a": 100, "b": 60, "c": 30, "secret": 10}
    assert waiting["odds_hold"].isna().all()
    assert assortment_mix([plan], got, config=config)["odds_hold"].tolist() == [False] * 4
    assert assortment_mix([SimpleNamespace(campaign_id="C", sku="S", size=plan.size)], got, config=config).empty


def test_odds_that_are_all_zero_are_refused():
    with pytest.raises(ValueError, match="no variant has odds above 0"):
        PreorderConfig(assortments={"BOX": {"a": 0.0}})
