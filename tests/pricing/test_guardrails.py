"""No price outside its bounds, whatever the numbers."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_CEILING, Decimal

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pricing.config import PricingConfig
from pricing.guardrails import MAX_CENTS, Bounds, clamp, floor_for_margin, to_cents
from pricing.suggest import priceable, suggest_prices

D = date(2026, 6, 28)
CONFIG = PricingConfig()


def one(value):
    return np.array([value], dtype=np.int64)


def bounds(current, *, hard=(0, MAX_CENTS), caps=(0, MAX_CENTS), ending=0, modulus=1, frozen=False):
    return Bounds(
        current=one(current),
        hard=(("floor", one(hard[0]), one(hard[1])),),
        soft=(("caps", one(min(caps[0], current)), one(max(caps[1], current))),),
        ending=one(ending),
        modulus=one(modulus),
        frozen=np.array([frozen]),
    )


def price(target, rails):
    return int(clamp(one(target), rails).price[0])


@pytest.mark.parametrize(
    ("current", "target", "expected"),
    [(26800, 24120, 24190), (24190, 25500, 25490), (24190, 24200, 24190), (24190, 24190, 24190), (1500, 1350, 1390)],
)
def test_the_price_is_the_nearest_grid_point_toward_the_current_price(current, target, expected):
    assert price(target, bounds(current, ending=90, modulus=100)) == expected


def test_a_price_below_its_floor_moves_to_the_floor_beyond_the_cap():
    result = clamp(one(8000), bounds(8000, hard=(10000, MAX_CENTS), caps=(7200, 8800), ending=90, modulus=100))
    assert int(result.price[0]) == 10090
    assert bool(result.breaks_hard[0])


def test_a_price_below_its_floor_never_jumps_past_it_for_a_rule():
    assert price(20000, bounds(8000, hard=(10000, MAX_CENTS), caps=(7200, 8800))) == 10000


def test_bounds_at_odds_leave_the_price_alone():
    result = clamp(one(9000), bounds(8000, hard=(10000, 9000)))
    assert (int(result.price[0]), bool(result.is_empty[0])) == (8000, True)


def test_a_frozen_price_stays_even_below_its_floor():
    assert price(9000, bounds(8000, hard=(10000, MAX_CENTS), frozen=True)) == 8000


def test_a_cheap_item_leaves_a_grid_that_its_caps_never_reach():
    assert price(520, bounds(490, caps=(441, 539), ending=90, modulus=100)) == 520


@given(
    current=st.integers(1, 10**7),
    target=st.integers(0, 10**7),
    floor=st.integers(0, 10**7),
    width=st.integers(-1000, 10**7),
    cap=st.integers(0, 90),
    ending=st.sampled_from([(0, 1), (90, 100), (900, 1000), (0, 50)]),
)
def test_no_price_outside_its_interval_and_no_move_the_wrong_way(current, target, floor, width, cap, ending):
    caps = (current * (100 - cap) // 100, current * (100 + cap) // 100)
    rails = bounds(current, hard=(floor, floor + width), caps=caps, ending=ending[0], modulus=ending[1])
    new = price(target, rails)
    if width < 0:
        assert new == current
        return
    assert floor <= new <= floor + width
    if floor <= current <= floor + width:
        assert min(caps[0], current) <= new <= max(caps[1], current)
        assert min(target, current) <= new <= max(target, current)
    else:
        assert (new > current) == (current < floor)
        inside_caps = caps[0] <= new <= caps[1]
        assert inside_caps or new in {floor, floor + width} or new % ending[1] == ending[0]


@given(st.decimals("0.0001", "99999", places=4), st.decimals("0", "94", places=2))
def test_the_floor_is_exact_to_the_cent(cost, margin):
    exact = (cost / (1 - margin / 100) * 100).quantize(Decimal(1), rounding=ROUND_CEILING)
    assert floor_for_margin(np.array([float(cost)]), np.array([float(margin)]))[0] == int(exact)


def test_money_that_is_no_money_is_zero_cents():
    assert to_cents(np.array([np.nan, np.inf, -np.inf, 1e300, 0.005, 0.015])).tolist() == [0, 0, 0, 0, 0, 2]


NUMBER = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1000), st.just(0.0))
ODD = ["unit_cost", "on_hand", "supply_units", "units_mean", "units_sd", "days_of_cover", "elasticity",
       "elasticity_lo", "elasticity_hi", "competitor_median", "salvage_value", "licensor_min_price", "list_price",
       "days_to_end_of_sale", "days_since_change", "family_price", "highest_price_30_days", "lowest_price_30_days",
       "recent_units", "override_price", "trend_heat"]  # fmt: skip


@settings(max_examples=40, phases=(Phase.explicit, Phase.generate))  # each builds a book and a frame
@given(values=st.fixed_dictionaries(dict.fromkeys(ODD, NUMBER)), current=st.one_of(NUMBER, st.floats(0.01, 5000)))
def test_any_state_whatever_gives_a_price_inside_its_bounds_or_none(lines, book, values, current):
    rules = """
  - {id: tune, type: optimise, when: {all: true}, within_percent: 20}
  - {id: match, type: match_competitor, when: {min_on_hand: 1}, within_percent: 20}
  - {id: clear, type: clearance, when: {max_days_to_end_of_sale: 60}, start_days: 60, percent_at_end: 60}
  - {id: slow, type: markdown, when: {min_days_of_cover: 120}, percent: 30}"""
    band = "competitor_band: {max_below_percent: 20, max_above_percent: 20}"
    rails = f"price_ending: 0.9, max_percent_of_list_price: 130, {band}"
    frame = lines({"current_price": current, **values})
    table = suggest_prices(frame, book(rules, rails), run_date=D, config=CONFIG)
    assert len(table) == int(priceable(frame).sum())
    for row in table.to_dict("records"):
        assert np.isfinite(row["suggested_price"])
        assert row["suggested_price"] > 0
        if row["status"] == "auto":
            assert row["suggested_price"] >= row["unit_cost"] / 0.85 - 1e-6
            assert abs(row["suggested_price"] - row["current_price"]) <= 0.1 * row["current_price"] + 0.0051
        if row["status"] in ("unchanged", "conflict"):
            assert row["suggested_price"] == row["current_price"]


def test_over_many_nights_no_move_passes_the_caps_and_the_floor_can_be_left_again(lines, book):
    down = book("\n  - {id: slow, type: markdown, when: {all: true}, percent: 30}")
    up = book("\n  - {id: rise, type: markup, when: {all: true}, percent: 30}")
    history = [268.0]
    for night in range(60):
        window = history[-30:]
        frame = lines({"current_price": history[-1], "lowest_price_30_days": min(window),
                       "highest_price_30_days": max(window)})  # fmt: skip
        table = suggest_prices(frame, down if night < 25 else up, run_date=D, config=CONFIG)
        new = float(table["suggested_price"].iloc[0])
        assert abs(new / history[-1] - 1) <= 0.1 + 1e-9
        assert new >= 157.58 / 0.85 - 1e-9
        history.append(new)
    assert min(history) == pytest.approx(185.39)
    assert history[-1] > 268


def test_the_thirty_day_cap_counts_from_every_price_of_the_window(lines, book):
    slow = book(
        "\n  - {id: slow, type: markdown, when: {all: true}, percent: 10}", "max_change_percent_per_30_days: 25"
    )
    frame = lines({"current_price": 210.0, "highest_price_30_days": 268.0})
    row = suggest_prices(frame, slow, run_date=D, config=CONFIG).iloc[0]
    assert row["suggested_price"] == pytest.approx(201.0)
    assert row["binding_rule"] == "max_change_per_30_days"
