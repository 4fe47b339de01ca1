"""The best orders within budget, capacity and minimum values: brute force in the small, the gap in the large."""

from __future__ import annotations

import numpy as np
import pytest

from restocking.budget import cut_to_limit
from restocking.exact_orders import SupplierLimits, best_orders
from restocking.pieces import LineValues, expected_sold

CASES = 1_000


def case(seed):
    """Two to four lines of up to five packs, at most two suppliers, sharing minimum orders by SKU."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    pack = rng.integers(1, 5, n)
    group = np.sort(rng.integers(0, n, n))
    quantity = pack * rng.integers(0, 5, n)
    cost = rng.uniform(1, 10, n)
    return {
        "quantity": quantity,
        "values": LineValues(rng.gamma(1, 6, (n, 7)), rng.uniform(1, 10, n), rng.uniform(0, 3, n)),
        "unit_cost": cost,
        "group": group,
        "supplier": rng.integers(0, 2, n)[group],
        "min_order_qty": rng.integers(1, 12, n)[group],
        "pack_size": pack,
        "budget": float((quantity * cost).sum() * rng.uniform(0.2, 0.9)),
        "limits": SupplierLimits(
            {0: float(rng.integers(3, 30))} if rng.random() < 0.5 else {},
            {1: float(rng.uniform(5, 60))} if rng.random() < 0.4 else {},
        ),
    }


def brute_force(quantity, *, values, unit_cost, group, supplier, min_order_qty, pack_size, budget, limits):
    """Value of the best of all legal plans."""
    axes = [np.arange(0, q + 1, p) for q, p in zip(quantity, pack_size, strict=True)]
    plans = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(quantity))
    legal = plans @ unit_cost <= budget + 1e-9
    for g in np.unique(group):
        total = plans[:, group == g].sum(axis=1)
        legal &= (total == 0) | (total >= min_order_qty[group == g].max())
    for s in np.unique(supplier):
        own = supplier == s
        spent = plans[:, own] @ unit_cost[own]
        legal &= plans[:, own].sum(axis=1) <= limits.capacity.get(int(s), np.inf)
        legal &= (spent == 0) | (spent >= limits.min_order_value.get(int(s), 0.0) - 1e-9)
    worth = np.zeros(len(plans))
    for i in range(len(quantity)):
        sold = np.clip(values.need[i], 0, plans[:, i][:, None]).mean(axis=1)
        worth += values.gain[i] * sold - values.loss[i] * (plans[:, i] - sold)
    return worth[legal].max()


def test_a_thousand_random_small_cases_equal_brute_force():
    for seed in range(CASES):
        given = case(seed)
        found, best = best_orders(**given), brute_force(**given)
        assert found.value == pytest.approx(best, abs=1e-6), seed
        assert found.bound >= best - 1e-6, seed
        q = found.order_qty
        sold = expected_sold(given["values"].need, q)
        assert (given["values"].gain * sold - given["values"].loss * (q - sold)).sum() == pytest.approx(found.value)
        assert q @ given["unit_cost"] <= given["budget"] + 1e-6
        assert (q % given["pack_size"] == 0).all()


@pytest.mark.parametrize(("budget", "bought"), [(60, [6, 0, 0]), (90, [6, 3, 0]), (120, [6, 6, 0])])
def test_the_size_of_an_order_on_three_skus(budget, bought):
    values = LineValues(np.full((3, 4), 6.0), np.array([9.0, 6.0, 3.0]), np.zeros(3))
    whole = np.ones(3, dtype=np.int64)
    given = {
        "values": values,
        "unit_cost": np.full(3, 10.0),
        "group": np.arange(3),
        "supplier": 0 * whole,
        "min_order_qty": whole,
        "pack_size": whole,
        "budget": budget,
        "limits": SupplierLimits({}, {}),
    }
    found = best_orders(6 * whole, **given)
    assert found.order_qty.tolist() == bought
    assert found.value == pytest.approx(brute_force(6 * whole, **given))


def large(n, seed=1):
    rng = np.random.default_rng(seed)
    pack, moq = rng.choice([1, 6, 12, 24], n), rng.choice([1, 20, 50, 100, 200], n)
    mean = rng.gamma(1.2, 40, n)
    need = rng.gamma(2, mean[:, None] / 2, (n, 50))
    quantity = np.maximum(np.quantile(need, 0.9, axis=1).round(), moq).astype(np.int64)
    quantity = -(-quantity // pack) * pack
    cost = rng.lognormal(2, 0.8, n)
    return {
        "quantity": quantity,
        "values": LineValues(need, cost * rng.uniform(0.2, 1.5, n), cost * rng.uniform(0.02, 0.3, n)),
        "unit_cost": cost,
        "group": np.arange(n),
        "supplier": rng.integers(0, 40, n),
        "min_order_qty": moq,
        "pack_size": pack,
        "budget": float((quantity * cost).sum() * 0.4),
    }


def test_three_thousand_skus_are_within_a_thousandth_of_the_bound():
    given = large(3_000)
    found = best_orders(**given)
    assert found.gap <= 0.001
    assert found.order_qty @ given["unit_cost"] <= given["budget"] + 1e-3
    ordered = found.order_qty > 0
    assert (found.order_qty[ordered] >= given["min_order_qty"][ordered]).all()
    greedy = cut_to_limit(
        given["quantity"],
        weight=given["unit_cost"],
        limit=given["budget"],
        values=given["values"],
        group=given["group"],
        min_order_qty=given["min_order_qty"],
        pack_size=given["pack_size"],
    )
    sold = expected_sold(given["values"].need, greedy)
    assert found.value >= (given["values"].gain * sold - given["values"].loss * (greedy - sold)).sum()


def test_without_limits_nothing_is_cut_that_is_worth_its_money():
    values = LineValues(np.full((2, 3), 5.0), np.array([4.0, 4.0]), np.array([1.0, 1.0]))
    one = np.ones(2, dtype=np.int64)
    found = best_orders(
        5 * one,
        values=values,
        unit_cost=np.ones(2),
        group=np.arange(2),
        supplier=0 * one,
        min_order_qty=one,
        pack_size=one,
    )
    assert found.order_qty.tolist() == [5, 5]
    assert found.gap == pytest.approx(0.0, abs=1e-9)


def test_nothing_to_order_is_no_problem():
    nothing = np.zeros(2, dtype=np.int64)
    values = LineValues(np.ones((2, 3)), np.ones(2), np.ones(2))
    one = nothing + 1
    found = best_orders(
        nothing,
        values=values,
        unit_cost=np.ones(2),
        group=np.arange(2),
        supplier=nothing,
        min_order_qty=one,
        pack_size=one,
        budget=5.0,
    )
    assert found.order_qty.tolist() == [0, 0]
