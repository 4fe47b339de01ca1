"""The textbook's answers to the printed digits, and brute force on small cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, poisson

from restocking.policies import (
    base_stock_normal,
    newsvendor_normal,
    newsvendor_normal_explicit,
    newsvendor_poisson,
    rq_poisson,
    rs_normal,
    ss_poisson,
    wagner_whitin,
)


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        ({"h": 0.18, "p": 0.70, "mean": 50, "sd": 8}, (56.603956, 1.997605)),
        ({"h": 2, "p": 18, "mean": 120, "sd": 10}, (132.815516, 35.099666)),
    ],
)
def test_newsvendor_normal(case, answer):
    assert tuple(round(x, 6) for x in newsvendor_normal(**case)) == answer


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        ({"price": 1, "cost": 0.3, "salvage": 0.12, "mean": 50, "sd": 8}, (56.603956, 33.002395)),
        ({"price": 190, "cost": 110, "salvage": 90, "mean": 3192, "sd": 1181}, (4185.954677, 222296.497200)),
    ],
)
def test_newsvendor_explicit(case, answer):
    assert tuple(round(x, 6) for x in newsvendor_normal_explicit(**case)) == answer


def test_base_stock_covers_the_lead_time_and_one_period():
    level, cost = base_stock_normal(h=0.18, p=0.70, mean=50, sd=8, lead=4)
    assert (round(level, 6), round(cost, 6)) == (264.766894, 4.466781)


def test_periodic_review_of_every_period_is_the_base_stock_of_the_textbook():
    level, cost = rs_normal(h=0.18, p=0.70, mean=50, sd=8, lead=4, review=1)
    assert (round(level, 6), round(cost, 6)) == (264.766894, 4.466781)


@pytest.mark.parametrize(("lead", "review"), [(0, 2), (2, 3), (4, 7)])
def test_periodic_review_costs_what_a_long_simulation_costs_and_no_other_level_less(lead, review):
    h, p, mean, sd, n = 1.0, 9.0, 20.0, 4.0, 42_000
    level, cost = rs_normal(h=h, p=p, mean=mean, sd=sd, lead=lead, review=review)
    demand = np.random.default_rng(7).normal(mean, sd, n)
    total = np.concatenate([[0.0], np.cumsum(demand)])
    # what the order of period t leaves at the end of the k-th period after: all demand since its position was raised
    starts = np.arange(0, n - lead - review, review)
    since = np.stack([total[starts + k] - total[starts] for k in range(lead + 1, lead + review + 1)])

    def simulated(s):
        left = s - since
        return float((h * np.maximum(left, 0) + p * np.maximum(-left, 0)).mean())

    assert simulated(level) == pytest.approx(cost, rel=0.02)
    assert min(simulated(s) for s in level + np.arange(-20, 21)) >= simulated(level) * 0.999


@pytest.mark.parametrize(
    ("case", "answer"),
    [({"h": 1, "p": 4, "mean": 6}, (8, 3.570107)), ({"h": 200, "p": 270, "mean": 18}, (19, 786.088441))],
)
def test_newsvendor_poisson(case, answer):
    level, cost = newsvendor_poisson(**case)
    assert (level, round(cost, 6)) == answer


@pytest.mark.parametrize(
    ("case", "answer", "digits"),
    [
        ({"h": 1, "p": 4, "K": 5, "mean": 6}, (4, 10, 8.034112), 6),
        ({"h": 40, "p": 125, "K": 150, "mean": 4}, (2, 7, 223.574830), 6),
        ({"h": 1, "p": 9, "K": 64, "mean": 10}, (6, 40, 35.022), 3),
        ({"h": 1, "p": 9, "K": 64, "mean": 25}, (19, 56, 54.262), 3),
    ],
)
def test_reorder_point_and_level(case, answer, digits):
    s, S, cost = ss_poisson(**case)
    assert (s, S, round(cost, digits)) == answer


def test_reorder_point_and_quantity():
    r, Q, cost = rq_poisson(h=20, p=150, K=100, rate=1.5, lead=2)
    assert (r, Q, round(cost, 6)) == (3, 5, 107.923581)


def test_wagner_whitin():
    assert wagner_whitin([90, 120, 80, 70], h=2, K=500) == ([210, 0, 150, 0], 1380)


def _poisson_cost(level, *, h, p, mean):
    demand = np.arange(0, 200)
    return float(poisson.pmf(demand, mean) @ (h * np.maximum(level - demand, 0) + p * np.maximum(demand - level, 0)))


@given(h=st.floats(0.1, 5), p=st.floats(0.5, 50), mean=st.floats(0.2, 20))
def test_newsvendor_poisson_is_the_cheapest_level(h, p, mean):
    level, cost = newsvendor_poisson(h=h, p=p, mean=mean)
    costs = [_poisson_cost(s, h=h, p=p, mean=mean) for s in range(80)]
    assert cost == pytest.approx(min(costs), rel=1e-6)
    assert cost == pytest.approx(costs[int(level)], rel=1e-6)


def _ss_cost(s, S, *, one, mass, K):
    """Average cost of (s, S) by the stationary distribution of the position, solved as a Markov chain."""
    states = np.arange(s + 1, S + 1)
    after = states[:, None] - states[None, :]
    chain = np.where(after >= 0, mass[np.maximum(after, 0)], 0.0)
    orders = 1 - chain.sum(axis=1)
    chain[:, -1] += orders
    lhs = np.vstack([chain.T - np.eye(len(states)), np.ones(len(states))])
    share = np.linalg.lstsq(lhs, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    return float(share @ (np.array([one[int(y)] for y in states]) + K * orders))


@pytest.mark.parametrize(
    "case",
    [{"h": 1, "p": 4, "K": 5, "mean": 3}, {"h": 1, "p": 20, "K": 2, "mean": 1.5}, {"h": 2, "p": 5, "K": 20, "mean": 2}],
)
def test_reorder_point_and_level_equal_brute_force(case):
    s, S, cost = ss_poisson(**case)
    one = {y: _poisson_cost(y, h=case["h"], p=case["p"], mean=case["mean"]) for y in range(-3, 20)}
    mass = poisson.pmf(np.arange(30), case["mean"])
    pairs = [(a, b) for a in range(-3, 8) for b in range(a + 1, 20)]
    options = {(a, b): _ss_cost(a, b, one=one, mass=mass, K=case["K"]) for a, b in pairs}
    assert cost == pytest.approx(min(options.values()), rel=1e-6)
    assert options[(s, S)] == pytest.approx(cost, rel=1e-6)


@given(h=st.floats(0.5, 10), p=st.floats(5, 100), K=st.floats(1, 100), rate=st.floats(0.5, 3), lead=st.floats(0.5, 3))
def test_reorder_point_and_quantity_equal_brute_force(h, p, K, rate, lead):
    r, Q, cost = rq_poisson(h=h, p=p, K=K, rate=rate, lead=lead)
    levels = np.array([_poisson_cost(y, h=h, p=p, mean=rate * lead) for y in range(-10, 60)])
    best = min((K * rate + levels[first : first + n].sum()) / n for n in range(1, 40) for first in range(30))
    assert cost == pytest.approx(best, rel=1e-9)
    assert (K * rate + levels[r + 11 : r + 11 + Q].sum()) / Q == pytest.approx(cost, rel=1e-6)


@given(demand=st.lists(st.integers(0, 50), min_size=1, max_size=6), h=st.floats(0.1, 5), K=st.floats(1, 200))
def test_wagner_whitin_equals_brute_force(demand, h, K):
    found = wagner_whitin(demand, h=h, K=K)
    best = float("inf")
    for setups in itertools.product([0, 1], repeat=len(demand) - 1):
        starts = [0, *(i + 1 for i, on in enumerate(setups) if on), len(demand)]
        held = sum(h * (t - a) * demand[t] for a, b in itertools.pairwise(starts) for t in range(a, b))
        best = min(best, K * (len(starts) - 1) + held)
    assert found.cost == pytest.approx(best)
    stock = np.cumsum(found.orders) - np.cumsum(demand)
    assert stock.min() >= 0
    assert stock[-1] == 0


@given(h=st.floats(0.1, 5), p=st.floats(0.5, 50), mean=st.floats(10, 100), sd=st.floats(1, 20))
def test_newsvendor_normal_meets_the_critical_ratio(h, p, mean, sd):
    level, _ = newsvendor_normal(h=h, p=p, mean=mean, sd=sd)
    assert norm.cdf(level, mean, sd) == pytest.approx(p / (p + h))
