"""Size groups served alike or not, and what overrides gained or lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom

from restocking.override_value import by_role_and_reason, order_override_value
from restocking.sample_paths import PROBABILITIES, PathSampler
from restocking.simulate import projected_need, simulate
from restocking.size_audit import LEARNING_SHARE, learning_weights, size_audit, size_gaps

LEAD, WEEKS, ITEMS = 2, 26, 250


def served(rng, ratio):
    """Items of one size group through half a year of the plan's policy: the same volumes whatever the group."""
    mean = rng.gamma(2.0, 3.0, ITEMS)
    size = 3.0
    demand = nbinom.rvs(size, (size / (size + mean))[:, None], size=(ITEMS, WEEKS), random_state=rng).astype(float)
    quantiles = nbinom.ppf(PROBABILITIES, size, (size / (size + mean))[:, None])
    paths = PathSampler(100, LEAD + 1, seed=1).draw(
        np.repeat(quantiles[None], LEAD + 1, axis=0), correlation=np.zeros(ITEMS), scale=np.ones(ITEMS)
    )
    run = simulate(
        demand,
        projected_need(lambda view: paths, ratio=ratio),
        opening=np.round(2 * mean),
        due=np.round(np.stack([mean, mean], axis=1)),
    )
    missed = run.missed[:, LEAD:]
    wanted = demand[:, LEAD:].sum(axis=1)
    return pd.DataFrame(
        {
            "periods": float(WEEKS - LEAD),
            "out": (missed > 0).sum(axis=1).astype(float),
            "sold": wanted - missed.sum(axis=1),
            "demand": wanted,
            "wape": 0.4,
        }
    )


def shop(extended_ratio, *, seed):
    rng = np.random.default_rng(seed)
    groups = {"standard": served(rng, 0.9), "extended": served(rng, extended_ratio)}
    return pd.concat([items.assign(size_group=name) for name, items in groups.items()], ignore_index=True)


def test_with_equal_volumes_sizes_are_served_alike_and_none_is_accused():
    accused = 0
    for seed in range(8):
        (gap,) = size_gaps(shop(0.9, seed=seed), seed=1)
        assert abs(gap.difference) <= 0.02
        accused += gap.is_worse
    assert accused <= 1  # a 90% interval accuses one in twenty by chance


def test_a_planted_gap_between_sizes_is_found():
    items = shop(0.7, seed=3)
    (gap,) = size_gaps(items, seed=1)
    assert gap.is_worse
    assert gap.low <= gap.difference <= gap.high
    audit = size_audit(items, seed=1).set_index("size_group")
    assert audit.loc["extended", "stockout_rate_lo"] > audit.loc["standard", "stockout_rate_hi"]
    assert audit.loc["extended", "fill_rate"] < audit.loc["standard", "fill_rate"]
    assert audit.loc["standard", "n_periods"] == ITEMS * (WEEKS - LEAD)


def test_a_shop_without_size_groups_has_nothing_to_audit():
    nothing = shop(0.9, seed=1).iloc[:0]
    assert size_audit(nothing, seed=1).empty
    assert size_gaps(nothing, seed=1) == []


@pytest.mark.parametrize("beyond", [1, 5, 40])
def test_size_models_learn_at_least_three_tenths_from_beyond_standard_sizes(beyond):
    groups = pd.Series(["standard"] * (100 - beyond) + ["extended"] * beyond)
    weights = learning_weights(groups)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[groups == "extended"].sum() / weights.sum() >= LEARNING_SHARE - 1e-9


def override(**changes):
    row = {
        "sku": "A",
        "location_id": "main",
        "run_date": pd.Timestamp("2026-03-01"),
        "role": "planner",
        "reason": "festival at the weekend",
        "machine_qty": 2.0,
        "override_qty": 6.0,
        "available": 4.0,
        "demand": 10.0,
        "margin": 5.0,
        "unit_cost": 36.5,
        "days": 7.0,
    }
    return row | changes


def test_an_override_that_sold_more_gained_and_one_that_was_left_over_lost():
    rows = [override(), override(sku="B", demand=4.0), override(sku="C", override_qty=0.0)]
    values = order_override_value(pd.DataFrame(rows), annual_holding_rate=0.25).set_index("override")
    assert values.loc["order|A|main|2026-03-01", "money_gained"] == pytest.approx(20.0)
    # 4 more left over for a week at 25% a year of 36.5 each
    assert values.loc["order|B|main|2026-03-01", "money_gained"] == pytest.approx(-4 * 36.5 * 0.25 * 7 / 365)
    assert values.loc["order|C|main|2026-03-01", "money_gained"] == pytest.approx(-10.0)
    assert values.loc["order|A|main|2026-03-01", ["wape_before", "wape_after"]].tolist() == [0.4, 0.0]


def test_overrides_are_summed_by_role_and_reason():
    rows = [override(), override(sku="C", override_qty=0.0), override(sku="D", role="buyer")]
    sums = by_role_and_reason(order_override_value(pd.DataFrame(rows), annual_holding_rate=0.0))
    planner = sums.set_index("role").loc["planner"]
    assert (planner["overrides"], planner["helped"], planner["money_gained"]) == (2, 1, pytest.approx(10.0))
