"""The final volume of open campaigns: well formed, as known then, better than the controls, and honest in its width."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.preorder_volume import SECOND_HALF, band, demo_campaigns, hotel_campaigns, judged
from preorder.booking_curve import N_POINTS, BookingCurve, weighted_quantiles
from preorder.bookings import bookings_of, snapshot
from preorder.comparable import comparable_weights, memory, nearness, spacing
from preorder.config import PreorderConfig
from preorder.pickup import Case, centres

CONFIG = PreorderConfig()
TODAY = pd.Timestamp("2026-06-28", tz="UTC")
DAY = pd.Timedelta(days=1)


def shop(sizes, *, booked=100, left=0.5, seed=0, skus=None, cancelled=0.0):
    """Closed campaigns of 100 days that book evenly, one close a week, and an open one with ``booked`` units."""
    rng = np.random.default_rng(seed)
    closes = [TODAY - 7 * DAY * (len(sizes) - i) for i in range(len(sizes))] + [TODAY + 100 * left * DAY]
    items = pd.DataFrame({"campaign_id": [f"C{i:03d}" for i in range(len(closes))], "closes_at": closes})
    items = items.assign(sku=skus or "S", opens_at=items["closes_at"] - 100 * DAY)
    parts = []
    for item, size in zip(items.itertuples(), [*sizes, booked], strict=True):
        share = rng.uniform(0, 1 if item.closes_at < TODAY else 1 - left, size)
        placed = item.opens_at + pd.to_timedelta(share * 100, unit="D")
        gone = pd.Series(placed + DAY).where(rng.random(size) < cancelled)
        parts.append(pd.DataFrame({"campaign_id": item.campaign_id, "sku": item.sku, "placed_at": placed,
                                   "cancelled_at": gone, "quantity": 1}))  # fmt: skip
    closed = (items["closes_at"] <= TODAY).to_numpy()
    return items, pd.concat(parts, ignore_index=True), closed


def curve(items, rows, closed):
    return BookingCurve(bookings_of(items, rows, known_until=TODAY, is_closed=closed), config=CONFIG)


def volume(*case, **terms):
    items, rows, closed = shop(*case, **terms)
    last = items.iloc[-1]
    return curve(items, rows, closed).final_volume((last["campaign_id"], last["sku"]))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 400), max_size=14), st.integers(0, 600), st.floats(0.01, 1), st.floats(0, 1))
def test_quantiles_are_ordered_finite_and_never_below_zero(sizes, booked, left, cancelled):
    found = volume(sizes, booked=booked, left=left, cancelled=cancelled)
    assert found.shape == (N_POINTS,)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
    assert found[0] >= 0


def test_the_first_campaign_ever_gets_a_wide_answer_above_what_is_firm():
    found = volume([], booked=100)
    assert found[19] < found[99] < found[179]
    assert found[19] > 80


def test_a_closed_campaign_has_its_firm_units_and_no_more():
    items, rows, closed = shop([120, 130])
    assert np.unique(curve(items, rows, closed).final_volume(("C000", "S"))).tolist() == [120.0]


def test_even_bookings_double_from_half_of_the_window():
    sizes = np.random.default_rng(1).integers(100, 400, 60).tolist()
    found = volume(sizes, booked=100)
    assert np.median(found) == pytest.approx(200, rel=0.12)
    assert found[19] > 150


def test_what_happens_after_the_run_date_changes_nothing():
    items, rows, closed = shop([200, 240, 220, 260, 250, 230], booked=120, cancelled=0.2)
    ahead = rows.assign(placed_at=TODAY + 3 * DAY, cancelled_at=pd.NaT).head(50)
    ahead = ahead.assign(campaign_id="C006", cancelled_at=pd.to_datetime(ahead["cancelled_at"], utc=True))
    later = rows["cancelled_at"].where(rows.index % 3 != 0, TODAY + DAY)
    known = rows.assign(cancelled_at=rows["cancelled_at"].where(rows.index % 3 != 0))
    told = pd.concat([rows.assign(cancelled_at=later), ahead], ignore_index=True)
    key = ("C006", "S")
    assert np.array_equal(curve(items, known, closed).final_volume(key), curve(items, told, closed).final_volume(key))


def test_a_snapshot_counts_what_was_placed_and_not_cancelled_then():
    items, rows, closed = shop([50], booked=80, cancelled=0.5)
    book = bookings_of(items, rows, known_until=TODAY, is_closed=closed)
    then = items["closes_at"] - 50 * DAY
    by_hand = [int(((rows["campaign_id"] == c) & (rows["placed_at"] <= t) & ~(rows["cancelled_at"] <= t)).sum())
               for c, t in zip(items["campaign_id"], then, strict=True)]  # fmt: skip
    seen = snapshot(book, book.closes - 50)
    assert seen.firm.tolist() == by_hand
    assert seen.cohorts.sum(axis=1).tolist() == by_hand
    assert seen.kept[0].sum() + seen.later[0] == rows["cancelled_at"][rows["campaign_id"] == "C000"].isna().sum()


def test_the_same_sku_counts_before_the_same_ip_and_that_before_anything():
    kinds = np.array([[1, 1, 1], [2, 1, 1], [3, 1, -1], [4, -1, -1]])
    assert nearness(kinds, np.array([1, 1, 1])).tolist() == [0, 1, 2, 3]
    steps = np.repeat([0, 1, 3], 30)
    closes = np.tile(np.arange(30) * 7.0, 3)
    weights = comparable_weights(steps, closes, recency=lambda near: np.inf, config=CONFIG)
    assert weights[:30].tolist() == [1.0] * 30
    assert weights[30:60].sum() < 0.3
    assert weights[60:].sum() < weights[30:60].sum()


def test_campaigns_of_the_same_ip_teach_a_new_item_more_than_others_do():
    sizes = [300, 60] * 12
    items, rows, closed = shop(sizes, booked=10, left=0.9, skus=[f"S{i}" for i in range(25)])
    found = {}
    for ip in ("big", "small"):
        named = items.assign(ip=["big", "small"] * 12 + [ip])
        found[ip] = float(np.median(curve(named, rows, closed).final_volume(("C024", "S24"))))
    assert found["big"] > 1.5 * found["small"]


def test_memory_is_short_where_the_level_drifts_and_long_where_it_does_not():
    closes = np.arange(80) * 7.0
    noise = np.random.default_rng(0).normal(0, 10, 80)
    assert memory(closes, closes - 30, (100 + 6.0 * np.arange(80) + noise,), config=CONFIG) == CONFIG.recency_campaigns
    assert memory(closes, closes - 30, (100 + noise,), config=CONFIG) == np.inf
    assert memory(closes[:5], closes[:5] - 30, (noise[:5],), config=CONFIG) == np.inf
    assert spacing(np.array([3.0, 3.0])) == np.inf


def test_no_forecaster_sees_the_outcome_it_is_judged_on():
    """Leave-one-out answers stay the same when that item's own outcome is another one."""
    rng = np.random.default_rng(5)
    firm, final = rng.integers(20, 200, 13).astype(float), rng.integers(200, 400, 12).astype(float)
    cohorts = firm[:, None] * np.array([0.1, 0.2, 0.3, 0.4])
    case = Case(firm, np.sqrt(firm), cohorts, cohorts[:-1] * 0.9, final - 0.9 * firm[:-1], np.full(13, np.nan),
                np.full(13, np.nan), final, rng.uniform(0.2, 1, 12))  # fmt: skip
    lie = final.copy()
    lie[3] += 500
    other = dataclasses.replace(case, final=lie, later=lie - 0.9 * firm[:-1])
    for truth, lied in zip(centres(case), centres(other), strict=True):
        # the level of the learner falls back to the mean of all finals where nothing recent is known
        assert lied.left_out[3] == pytest.approx(truth.left_out[3], abs=1e-6), truth.name
        assert truth.name == "advanced" or lied.here != truth.here


def test_weighted_quantiles_of_equal_weights_are_the_plain_ones():
    values = np.random.default_rng(2).normal(0, 1, 40)
    levels = np.array([0.1, 0.5, 0.9])
    assert weighted_quantiles(values, np.ones(40), levels) == pytest.approx(np.quantile(values, levels, method="hazen"))


@pytest.mark.real_data
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_hotel_bookings_are_foretold_eight_percent_better_than_either_control(real_data, share):
    items, preorders = hotel_campaigns(real_data / "hotel_bookings" / "preorders.parquet")
    rows = judged(items, preorders, share=share, first=8, since=SECOND_HALF)
    assert len(rows) >= 50
    for tail in ("", "_published"):
        better = min(rows[f"finals{tail}"].mean(), rows[f"pick_up{tail}"].mean())
        assert rows[f"ours{tail}"].mean() <= 0.92 * better
    low, high = band(len(rows))
    assert low <= rows["inside"].mean() <= high


def test_eighty_percent_intervals_hold_eighty_percent_of_a_thousand_demo_campaigns():
    soon = pd.Timestamp("2025-01-02", tz="UTC")
    parts = [judged(*demo_campaigns(100, 100, share=share, seed=seed), share=share, first=1, by_sku=False, since=soon)
             for seed in range(5) for share in (0.25, 0.5)]  # fmt: skip
    rows = pd.concat(parts)
    assert len(rows) >= 1_000
    assert 0.77 <= rows["inside"].mean() <= 0.83


def expected_of(firm, final, here):
    """What each forecaster expects of an item with ``here`` units, taught by past ones."""
    n, firm = len(final), np.append(np.asarray(firm, dtype=float), here)
    nothing = np.full(n + 1, np.nan)
    cohorts = np.column_stack([firm, *[np.zeros(n + 1)] * 3])
    taught = Case(
        firm=firm,
        spread=np.sqrt(firm),
        cohorts=cohorts,
        kept=cohorts[:-1],
        later=np.asarray(final) - firm[:-1],
        level=nothing,
        pick_up=nothing,
        final=np.asarray(final, dtype=float),
        weights=np.ones(n),
    )
    return {c.name: c for c in centres(taught)}


FIRM = np.linspace(10, 200, 400)


@pytest.mark.parametrize(
    ("name", "final", "answer"),
    [
        ("additive", FIRM + 30, 90 + 30),
        ("by_age", FIRM + 30, 90 + 30),
        ("multiplicative", 3 * FIRM, 3 * 90),
        ("linear", 20 + 1.5 * FIRM, 20 + 1.5 * 90),
        ("log_linear", 8 * (1 + FIRM) ** 0.6 - 1, 8 * 91**0.6 - 1),
    ],
)
def test_each_pick_up_is_right_where_its_own_law_holds(name, final, answer):
    found = expected_of(FIRM, final, 90.0)
    assert found[name].here == pytest.approx(answer, rel=0.01)
    assert found[name].left_out == pytest.approx(final, rel=0.05, abs=5)  # each past one without its own outcome


def test_additive_and_multiplicative_pick_up_part_where_the_other_law_holds():
    found = expected_of(FIRM, 3 * FIRM, 10.0)
    assert found["additive"].here > 5 * found["multiplicative"].here
