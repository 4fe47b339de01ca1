"""Minimum orders, packs and caps: rules that hold for every order, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restocking.order_quantity import (
    OrderRules,
    cut_to_cap,
    cut_to_max_order,
    drop_below_moq,
    lift_to_moq,
    pack_down,
    pack_up,
)


def rules(group, *, moq=1, pack=1, largest=np.inf, room=np.inf):
    group = np.asarray(group)
    ones = np.ones(len(group))
    return OrderRules(
        group=group,
        min_order_qty=(ones * moq).astype(int),
        pack_size=(ones * pack).astype(int),
        max_order_qty=ones * largest,
        cover_room=ones * np.asarray(room, dtype=float),
    )


def chain(qty, need, r):
    """The rules in the plan's order."""
    lifted = lift_to_moq(qty, rules=r, need=need)
    return cut_to_max_order(cut_to_cap(pack_up(lifted, r.pack_size), rules=r), rules=r, need=need)


def test_the_minimum_holds_for_the_sum_over_locations():
    r = rules([0, 0, 1], moq=30)
    assert lift_to_moq(np.array([10, 25, 5]), rules=r, need=np.array([10.0, 25.0, 5.0])).tolist() == [10, 25, 30]


def test_the_lift_goes_where_the_need_is_greatest():
    assert lift_to_moq(np.array([3, 9, 4]), rules=rules([0, 0, 0], moq=40), need=np.array([3.0, 9, 4])).tolist() == [
        3,
        33,
        4,
    ]


def test_of_equal_quantities_the_one_with_the_greater_need_is_lifted():
    r = rules([0, 0], moq=30)
    assert lift_to_moq(np.array([7, 7]), rules=r, need=np.array([6.6, 7.4])).tolist() == [7, 23]
    assert lift_to_moq(np.array([7, 7]), rules=r, need=np.array([7.4, 6.6])).tolist() == [23, 7]


def test_the_lift_goes_on_to_the_next_where_a_cap_leaves_no_room():
    r = rules([0, 0], moq=40, room=[30, 12])
    assert lift_to_moq(np.array([4, 9]), rules=r, need=np.array([4.0, 9.0])).tolist() == [28, 12]


def test_nothing_is_lifted_where_nothing_is_needed():
    assert lift_to_moq(np.array([0, 0]), rules=rules([0, 0], moq=40), need=np.zeros(2)).tolist() == [0, 0]


@pytest.mark.parametrize(("cap", "order"), [(24, 24), (30, 24), (36, 36), (11, 0)])
def test_packs_are_rounded_up_to_meet_a_need_and_down_to_meet_a_cap(cap, order):
    r = rules([0], pack=12, room=cap)
    assert cut_to_cap(pack_up(np.array([25]), r.pack_size), rules=r).tolist() == [order]


def test_the_largest_order_is_shared_by_need():
    r = rules([0, 0], pack=5, largest=32)
    assert cut_to_max_order(np.array([20, 25]), rules=r, need=np.array([20.0, 25.0])).tolist() == [5, 25]


def test_a_cut_below_the_minimum_is_no_order():
    assert drop_below_moq(np.array([10, 5, 7]), rules=rules([0, 0, 1], moq=16)).tolist() == [0, 0, 0]
    assert cut_to_cap(np.array([50]), rules=rules([0], moq=50, room=30)).tolist() == [0]


def test_exactly_the_minimum_left_under_a_cap_is_an_order():
    assert cut_to_cap(np.array([50, 9]), rules=rules([0, 0], moq=30, room=[24, 6])).tolist() == [24, 6]
    assert cut_to_cap(np.array([50, 9]), rules=rules([0, 0], moq=31, room=[24, 6])).tolist() == [0, 0]


orders = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200)), min_size=1, max_size=8)


@given(
    lines=orders,
    moq=st.integers(0, 150),
    pack=st.integers(1, 24),
    largest=st.one_of(st.just(np.inf), st.integers(0, 400)),
    rooms=st.lists(st.floats(0, 500), min_size=8, max_size=8),
)
def test_every_order_is_legal(lines, moq, pack, largest, rooms):
    group, qty = (np.array(part) for part in zip(*lines, strict=True))
    room = np.array(rooms[: len(qty)])
    r = rules(group, moq=moq, pack=pack, largest=largest, room=room)
    final = chain(qty, qty.astype(float), r)
    assert (final % pack == 0).all()
    assert (final <= room + 1e-9).all()
    for number in np.unique(group):
        total = final[group == number].sum()
        assert total <= largest
        assert total == 0 or total >= moq
        assert total == 0 or qty[group == number].sum() > 0


@given(lines=orders, moq=st.integers(0, 150))
def test_the_lift_is_no_larger_than_it_must_be(lines, moq):
    group, qty = (np.array(part) for part in zip(*lines, strict=True))
    lifted = lift_to_moq(qty, rules=rules(group, moq=moq), need=qty.astype(float))
    assert (lifted >= qty).all()
    for number in np.unique(group):
        before, after = qty[group == number].sum(), lifted[group == number].sum()
        assert after == (max(before, moq) if before else 0)


@given(qty=st.integers(0, 10_000), pack=st.integers(1, 100))
def test_packs_bracket_the_quantity(qty, pack):
    assert pack_up([qty], pack)[0] - pack < qty <= pack_up([qty], pack)[0] or qty == 0
    assert pack_down([qty], pack)[0] <= qty < pack_down([qty], pack)[0] + pack
