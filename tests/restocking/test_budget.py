"""Where money or capacity is short."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restocking.budget import LineValues, cut_to_limit, expected_sold


def cut(qty, limit, *, weight, gain, moq=None, pack=None, need=None, loss=None):
    n = len(qty)
    qty = np.array(qty)
    paths = np.array(need, float) if need is not None else np.tile(qty[:, None].astype(float), (1, 5))
    values = LineValues(paths, np.array(gain, float), np.zeros(n) if loss is None else np.array(loss, float))
    ones = np.ones(n, dtype=int)
    return cut_to_limit(
        qty,
        weight=np.array(weight, float),
        limit=limit,
        values=values,
        group=np.arange(n),
        min_order_qty=ones if moq is None else np.array(moq),
        pack_size=ones if pack is None else np.array(pack),
    )


def test_enough_money_changes_nothing():
    assert cut([5, 5], 100, weight=[10, 10], gain=[1, 9]).tolist() == [5, 5]


def test_the_best_return_is_served_first():
    assert cut([5, 5], 50, weight=[10, 10], gain=[1, 9]).tolist() == [0, 5]
    assert cut([5, 5], 50, weight=[10, 100], gain=[2, 9]).tolist() == [5, 0]


def test_a_minimum_order_is_bought_whole_or_not_at_all():
    assert cut([20, 6], 100, weight=[10, 10], gain=[9, 1], moq=[20, 1]).tolist() == [0, 6]


def test_units_that_may_not_sell_are_worth_less():
    need = [[0.0, 0, 0, 0, 10], [10.0, 10, 10, 10, 10]]
    assert cut([10, 10], 100, weight=[10, 10], gain=[5, 5], need=need, loss=[1, 1]).tolist() == [0, 10]


@given(
    qty=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    limit=st.floats(0, 2000),
    moq=st.integers(1, 20),
    pack=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_the_limit_holds_and_orders_stay_legal(qty, limit, moq, pack, seed):
    rng = np.random.default_rng(seed)
    n = len(qty)
    legal = np.array([-(-max(q, moq) // pack) * pack if q else 0 for q in qty])
    weight = rng.uniform(1, 30, n)
    kept = cut(
        legal,
        limit,
        weight=weight,
        gain=rng.uniform(0, 9, n),
        moq=[moq] * n,
        pack=[pack] * n,
        need=rng.uniform(0, 60, (n, 20)),
        loss=rng.uniform(0, 2, n),
    )
    assert kept @ weight <= max(limit, 0) + 1e-6
    assert (kept <= legal).all()
    assert (kept % pack == 0).all()
    assert ((kept == 0) | (kept >= moq)).all()


def value_of(kept, need, gain):
    return float((gain * expected_sold(need, kept)).sum())


@pytest.mark.parametrize("budget", [60, 90, 120])
def test_three_products_and_a_budget_come_close_to_brute_force(budget):
    rng = np.random.default_rng(3)
    need = rng.poisson([[6], [4], [8]], (3, 200)).astype(float)
    cost, gain = np.array([6.0, 9.0, 5.0]), np.array([4.0, 7.0, 2.0])
    full = np.array([12, 9, 14])
    kept = cut(full, budget, weight=cost, gain=gain, need=need)
    options = itertools.product(*(range(q + 1) for q in full))
    best = max(value_of(np.array(o), need, gain) for o in options if np.array(o) @ cost <= budget)
    assert kept @ cost <= budget
    assert value_of(kept, need, gain) >= 0.93 * best
