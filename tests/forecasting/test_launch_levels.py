"""Levels of launches from attributes and first orders: used where past launches say so, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from forecast_shops import RUN_DATE, panel_of

from forecasting.launch_facts import known_by, with_launch_facts
from forecasting.launch_levels import BY_ATTRIBUTES, BY_FIRST_ORDER, Levels, launch_levels, loss
from forecasting.new_items import launch_analogues, was_launched

COUNT, SEEN = 400, 300  # the last hundred are yet to come


def overall(launched: np.ndarray, recent: np.ndarray) -> Levels:
    """The plainest comparison: the mean of all launches."""
    return Levels(np.full(len(launched), np.nanmean(launched)), np.full(len(launched), "shop", dtype=object))


def shop(*, effect: float, seed: int = 3) -> tuple[pl.DataFrame, np.ndarray]:
    """Return keys and true levels: two attributes, an element and chance; attributes matter by ``effect``."""
    rng = np.random.default_rng(seed)
    kind, ip, glow = rng.integers(0, 4, COUNT), rng.integers(0, 5, COUNT), rng.random(COUNT) < 0.3
    level = np.exp(effect * (kind - 1.5 + 0.7 * (ip - 2) + 1.5 * glow) + rng.normal(0, 0.3, COUNT))
    keys = pl.DataFrame(
        {
            "sku": [f"S{i:03d}" for i in range(COUNT)],
            "location_id": ["web"] * COUNT,
            "product_type": [f"type{v}" for v in kind],
            "ip": [f"ip{v}" for v in ip],
            "elements": [["motif=glow"] if v else ["motif=plain"] for v in glow],
        }
    )
    return keys, level


def found(keys: pl.DataFrame, level: np.ndarray) -> Levels:
    seen = np.where(np.arange(COUNT) < SEEN, level, np.nan)
    none = np.full(COUNT, np.nan)
    return launch_levels(
        keys, seen, none, mature=np.zeros(COUNT, dtype=bool), plain=overall, usual=np.full(COUNT, 20.0)
    )


def test_attributes_say_the_level_of_items_that_never_sold() -> None:
    keys, level = shop(effect=0.5)
    got = found(keys, level)
    assert set(got.basis.tolist()) == {BY_ATTRIBUTES}
    ahead, plain = slice(SEEN, None), np.full(COUNT - SEEN, level[:SEEN].mean())
    assert loss(level[ahead], got.level[ahead]) < 0.6 * loss(level[ahead], plain)


def test_attributes_that_say_nothing_leave_the_comparison() -> None:
    keys, level = shop(effect=0.0)
    level = np.random.default_rng(8).gamma(20.0, 0.05, COUNT)  # steady and alike: the mean cannot be beaten
    got = found(keys, level)
    assert set(got.basis.tolist()) == {"shop"}
    assert np.unique(got.level).tolist() == pytest.approx([level[:SEEN].mean()])


@pytest.mark.parametrize("tells", [True, False])
def test_the_first_order_counts_where_buyers_knew(tells: bool) -> None:
    keys, level = shop(effect=0.3)
    rng = np.random.default_rng(5)
    level = level * np.exp(rng.normal(0, 1.0, COUNT))
    known = level if tells else rng.permutation(level)
    quantity = np.ceil(known * 30 * np.exp(rng.normal(0, 0.4, COUNT)))
    without, got = found(keys, level), found(keys.with_columns(launch_qty=pl.Series(quantity)), level)
    ahead = slice(SEEN, None)
    if tells:
        assert set(got.basis.tolist()) == {BY_FIRST_ORDER}
        assert loss(level[ahead], got.level[ahead]) < 0.8 * loss(level[ahead], without.level[ahead])
    else:
        assert loss(level[ahead], got.level[ahead]) < 1.1 * loss(level[ahead], without.level[ahead])


@pytest.mark.parametrize("tells", [True, False])
def test_a_level_that_was_foreseen_counts_where_it_tells(tells: bool) -> None:
    keys, level = shop(effect=0.3)
    rng = np.random.default_rng(6)
    foreseen = np.clip(np.exp(rng.normal(0, 0.5, COUNT)), 0.5, 2.0)
    level = level * foreseen ** (2.0 if tells else 0.0)
    prior = pl.Series(foreseen, dtype=pl.Float64).set(pl.Series(rng.random(COUNT) < 0.1), None)  # some unknown
    without, got = found(keys, level), found(keys.with_columns(prior_level=prior), level)
    ahead = slice(SEEN, None)
    ratio = loss(level[ahead], got.level[ahead]) / loss(level[ahead], without.level[ahead])
    assert set(got.basis.tolist()) == {BY_ATTRIBUTES}
    assert ratio < 0.8 if tells else 0.97 < ratio < 1.03


def test_a_trial_knows_no_level_that_was_foreseen_later() -> None:
    count, days = 80, 200
    rng = np.random.default_rng(4)
    first = np.r_[rng.integers(40, 120, count - 10), np.full(10, 160)]
    units = np.where(np.arange(days) >= first[:, None], rng.poisson(3, (count, days)), np.nan)
    panel = panel_of(units)
    start = panel.start
    known = [start + timedelta(days=int(v) - 5) for v in first[:-10]] + [start + timedelta(days=150)] * 10
    level = np.r_[np.exp(rng.normal(0, 0.4, count - 10)), np.full(10, 1.9)]

    def shown(level: np.ndarray, cutoff: int) -> tuple[list[float | None], np.ndarray]:
        keys = panel.keys.with_columns(prior_level=pl.Series(level), prior_known=pl.Series(known, dtype=pl.Date))
        past = replace(panel, keys=keys).until(cutoff)
        return known_by(past)["prior_level"].to_list(), launch_analogues(past).level

    changed = np.r_[level[:-10], np.full(10, 0.5)]
    (said, was), (again, now) = shown(level, 150), shown(changed, 150)  # the panel ends on the eve of day 150
    assert said == again == [*level[:-10].tolist(), *[None] * 10]
    assert np.array_equal(was, now, equal_nan=True)
    assert shown(level, 151)[0][-10:] == [1.9] * 10


def test_few_launches_are_compared_only() -> None:
    keys, level = shop(effect=1.0)
    few = np.where(np.arange(COUNT) < 30, level, np.nan)
    none = np.full(COUNT, np.nan)
    got = launch_levels(keys, few, none, mature=np.zeros(COUNT, dtype=bool), plain=overall, usual=np.full(COUNT, 20.0))
    assert set(got.basis.tolist()) == {"shop"}


def test_an_old_slow_seller_was_not_launched_at_its_first_sale() -> None:
    units = np.full((4, 120), 1.0)
    units[0, :10] = units[1, :10] = units[2, :50] = np.nan
    panel = panel_of(units)
    assert was_launched(panel).tolist() == [False, False, True, False], "first row after four weeks, or no launch"
    start = RUN_DATE - timedelta(days=119)
    launch = [start - timedelta(days=300), start + timedelta(days=10), None, start - timedelta(days=1)]
    stated = panel.rows(np.arange(4))
    object.__setattr__(stated, "keys", stated.keys.with_columns(launch_date=pl.Series(launch, dtype=pl.Date)))
    assert was_launched(stated).tolist() == [False, True, True, False]


def test_the_first_order_is_what_was_known_at_the_launch() -> None:
    day = date(2026, 5, 1)
    keys = pl.DataFrame(
        {
            "sku": ["A", "B", "B"], "location_id": ["web", "web", "shop"], "launch_date": [day] * 3,
            "region": ["east", None, "east"],
        }
    )  # fmt: skip
    receipts = pl.DataFrame(
        {
            "sku": ["A", "A", "A", "B", "B"],
            "location_id": ["web"] * 5,
            "campaign_id": [None, None, None, None, "CMP-1"],
            "ordered_date": [day + timedelta(d) for d in (-30, -9, 1, -9, -30)],
            "received_date": [day + timedelta(d) for d in (0, 20, 3, -2, -2)],
            "received_qty": [40.0, 7.0, 500.0, 3.0, 800.0],
        }
    )
    open_orders = pl.DataFrame(
        {
            "sku": ["B"], "location_id": ["web"], "ordered_date": [day - timedelta(20)],
            "expected_receipt_date": [day + timedelta(6)], "open_qty": [10.0],
        }
    ).with_columns(campaign_id=pl.lit(None, pl.String))  # fmt: skip
    elements = pl.DataFrame({"sku": ["A", "A"], "element_type": ["ip", "collar"], "element": ["x", "round"]})
    priors = pl.DataFrame(
        {"sku": ["A", "B", "A"], "region": ["east", "*", "north"], "level_ratio": [0.7, 1.2, 1.9]}
    ).with_columns(known_date=pl.lit(day - timedelta(31)))
    got = with_launch_facts(keys, elements=elements, receipts=receipts, open_orders=open_orders, priors=priors)
    assert got["launch_qty"].to_list() == [40.0, 13.0, None], "not what came or was ordered later, not batches"
    assert got["elements"].to_list() == [["collar=round"], None, None]
    assert got["prior_level"].to_list() == [0.7, 1.2, None], "of the location's region, or of all for one without"
    assert got["region"].to_list() == keys["region"].to_list()
