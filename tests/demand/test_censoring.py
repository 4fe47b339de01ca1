"""Stock at the close, the share of the day in stock, and runs of zeros that cannot be chance."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demand.censoring import closing_stock, improbable_zero_runs, in_stock_share, selling_profile
from demand.config import CensoringConfig
from demand.panel import Panel

CONFIG = CensoringConfig()
NAN = np.nan


def panel_of(*lengths):
    keys = pl.DataFrame({"sku": [f"S{i}" for i in range(len(lengths))], "location_id": ["main"] * len(lengths)})
    return Panel(keys, -np.array(lengths), np.full(len(lengths), -1))


def rebuilt(snapshots, outflow, inflow, *lengths, rebuild=True):
    arrays = [np.array(a, dtype=float) for a in (snapshots, outflow, inflow)]
    return closing_stock(*arrays, panel_of(*lengths), rebuild=rebuild).tolist()


@given(
    start=st.integers(0, 30),
    flows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), min_size=2, max_size=30),
    seen=st.sets(st.integers(0, 29)),
)
def test_the_path_between_snapshots_is_the_true_one(start, flows, seen):
    stock, close, out, into = start, [], [], []
    for wanted, arrived in flows:
        stock += arrived
        sold = min(wanted, stock)
        stock -= sold
        close.append(float(stock))
        out.append(sold)
        into.append(arrived)
    n = len(flows)
    seen = {s % n for s in seen} | {n - 1}
    snapshots = [close[i] if i in seen else NAN for i in range(n)]
    assert rebuilt(snapshots, out, into, n) == close


def test_a_path_below_zero_contradicts_its_inputs_and_is_unknown():
    path = rebuilt([5.0, NAN, NAN, NAN, 0.0], [0, 1, 1, 1, 1], [0, 0, 0, 9, 0], 5)
    assert path[0] == 5.0
    assert np.isnan(path[1:3]).all()  # 0 + 1 + 1 - 9 = -7 on day 2
    assert path[3:] == [1.0, 0.0]


def test_a_snapshot_says_nothing_of_another_series():
    path = rebuilt([NAN, NAN, 3.0, NAN], [0, 1, 1, 0], [0] * 4, 2, 2)
    assert np.isnan(path[:2]).all()
    assert path[2] == 3.0
    assert np.isnan(path[3])


def test_without_receipts_only_snapshots_count():
    path = rebuilt([NAN, 2.0, NAN, 1.0], [1] * 4, [0] * 4, 4, rebuild=False)
    assert [np.isnan(p) for p in path] == [True, False, True, False]


def test_the_share_of_a_day_follows_stock_and_the_last_sale():
    profile = selling_profile(np.array([0.0] * 8 + [1.0] * 10 + [0.0] * 6))
    close = np.array([4.0, 0.0, 0.0, 2.0, NAN, 0.0])
    sold = np.array([1.0, 3.0, 0.0, 0.0, 2.0, 1.0])
    hour = np.array([12.0, 12.0, 0.0, 0.0, 9.0, 17.0])
    share = in_stock_share(close, sold, hour, profile, panel_of(6), config=CONFIG)
    assert share[:4].tolist() == [1.0, 0.5, 0.0, 1.0]
    assert np.isnan(share[4])
    assert share[5] == 1.0  # sold out in the last hour of the day's orders: nobody was turned away


def test_stock_moved_away_without_a_sale_leaves_half_a_day():
    profile = selling_profile(np.ones(24))
    share = in_stock_share(np.array([5.0, 0.0]), np.zeros(2), np.zeros(2), profile, panel_of(2), config=CONFIG)
    assert share.tolist() == [1.0, 0.5]


def steady(run, *, n=200, at=90, rate=4.0, seed=3):
    units = np.maximum(np.random.default_rng(seed).poisson(rate, n), 1).astype(float)
    units[at : at + run] = 0.0
    return units


@pytest.mark.parametrize(("run", "expected"), [(4, False), (8, True)])
def test_a_long_silence_of_a_steady_seller_is_a_stock_out(run, expected):
    out = improbable_zero_runs(steady(run), np.zeros(200, bool), panel_of(200), config=CONFIG)
    assert out.sum() == (run if expected else 0)
    assert out[90 : 90 + run].all() == expected


def test_a_slow_seller_is_left_alone():
    units = (np.arange(200) % 5 == 0).astype(float)
    units[90:110] = 0.0
    assert not improbable_zero_runs(units, np.zeros(200, bool), panel_of(200), config=CONFIG).any()


def test_an_item_that_never_sells_again_may_be_dead():
    units = steady(0)
    units[150:] = 0.0
    assert not improbable_zero_runs(units, np.zeros(200, bool), panel_of(200), config=CONFIG).any()


def test_a_run_ends_where_its_series_ends():
    units = np.concatenate([steady(0, n=100), steady(0, n=100)])
    units[94:106] = 0.0  # the end of one series and the start of the next: neither is inside
    assert not improbable_zero_runs(units, np.zeros(200, bool), panel_of(100, 100), config=CONFIG).any()


def test_closed_days_neither_break_nor_lengthen_a_run():
    shut = np.zeros(200, bool)
    shut[np.arange(200) % 7 == 0] = True
    units = np.where(shut, 0.0, steady(0))
    assert not improbable_zero_runs(units, shut, panel_of(200), config=CONFIG).any()
    units[90:102] = 0.0
    out = improbable_zero_runs(units, shut, panel_of(200), config=CONFIG)
    assert set(np.flatnonzero(out)) == {i for i in range(90, 102) if i % 7}
