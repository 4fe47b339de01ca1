"""Fake orders and slips of the keyboard go; real viral demand, midnight sales and wholesale buyers stay."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from demand.config import BrushingConfig, SpikeConfig
from demand.exclusions import line_spikes, period_spikes, suspicious_lines
from demand.panel import Panel

CONFIG = BrushingConfig()
RUN_DAY = 200


def ordinary(rng, *, n_days=RUN_DAY, per_day=40, n_buyers=400, n_skus=12):
    """A shop of known buyers and one-time buyers, ordering through the day."""
    rows = []
    for day in range(n_days):
        for _ in range(rng.poisson(per_day)):
            fresh = rng.random() < 0.4
            buyer = f"once-{len(rows)}" if fresh else f"buyer-{rng.integers(n_buyers)}"
            hour = float(np.clip(rng.normal(15, 4), 0, 23.9))
            rows.append({"sku": f"SKU-{rng.integers(n_skus):02d}", "at": (day, hour), "buyer_ref": buyer})
    return rows


@pytest.fixture(scope="module")
def shop():
    return ordinary(np.random.default_rng(5))


def called(make_lines, rows, *, returned=()):
    lines = make_lines(rows).with_columns(
        pl.col("order_line_id").is_in(list(returned)).alias("is_returned"),
    )
    found = suspicious_lines(lines, timezone="UTC", run_day=RUN_DAY, config=CONFIG)
    return dict(found.iter_rows())


def planted(shop, extra):
    return [*shop, *extra], [f"L{i:05d}" for i in range(len(shop), len(shop) + len(extra))]


def test_an_ordinary_shop_has_no_suspicious_order(make_lines, shop):
    assert called(make_lines, shop) == {}


def test_few_buyers_in_one_hour_are_found(make_lines, shop):
    extra = [{"sku": "SKU-03", "at": (90, 14 + i / 60), "buyer_ref": f"faker-{i % 8}"} for i in range(40)]
    rows, ids = planted(shop, extra)
    assert called(make_lines, rows) == dict.fromkeys(ids, "brushing_few_buyers")


def test_a_burst_across_the_full_hour_is_one(make_lines, shop):
    extra = [{"sku": "SKU-03", "at": (90, 14.55 + i / 50), "buyer_ref": f"faker-{i % 6}"} for i in range(36)]
    rows, ids = planted(shop, extra)
    assert set(called(make_lines, rows)) == set(ids)


@pytest.mark.parametrize(("n_orders", "n_buyers"), [(29, 3), (40, 14)])
def test_below_the_rule_few_buyers_are_left_alone(make_lines, shop, n_orders, n_buyers):
    extra = [{"sku": "SKU-03", "at": (90, 14 + i / 60), "buyer_ref": f"fan-{i % n_buyers}"} for i in range(n_orders)]
    rows, _ = planted(shop, extra)
    assert "brushing_few_buyers" not in called(make_lines, rows).values()


def test_unknown_buyers_count_as_distinct(make_lines, shop):
    extra = [{"sku": "SKU-03", "at": (90, 14 + i / 60), "buyer_ref": None} for i in range(40)]
    rows, _ = planted(shop, extra)
    assert called(make_lines, rows) == {}


def test_a_ring_of_accounts_with_one_order_each_is_found(make_lines, shop):
    extra = [{"sku": "SKU-05", "at": (120, 9 + i / 12), "buyer_ref": f"ring-{i}"} for i in range(45)]
    rows, ids = planted(shop, extra)
    found = called(make_lines, rows)
    assert {found[i] for i in ids} == {"brushing_ring"}
    assert len(found) <= len(ids) + 2  # a one-time buyer of that hour may be taken along


def test_a_viral_rise_with_known_buyers_stays(make_lines, shop):
    rng = np.random.default_rng(1)
    extra = [
        {
            "sku": "SKU-05",
            "at": (120, 9 + i / 12),
            "buyer_ref": f"viral-{i}" if rng.random() < 0.6 else f"buyer-{rng.integers(400)}",
        }
        for i in range(120)
    ]
    rows, _ = planted(shop, extra)
    assert called(make_lines, rows) == {}


def test_a_night_burst_that_never_comes_back_is_found(make_lines, shop):
    rng = np.random.default_rng(2)
    extra = [{"sku": "SKU-07", "at": (100, 2 + i / 15), "buyer_ref": f"buyer-{rng.integers(400)}"} for i in range(45)]
    rows, ids = planted(shop, extra)
    found = called(make_lines, rows)
    assert {found.get(i) for i in ids} == {"brushing_night_burst"}


def test_a_night_burst_that_is_sent_back_like_any_sale_was_real(make_lines, shop):
    rng = np.random.default_rng(2)
    extra = [{"sku": "SKU-07", "at": (100, 2 + i / 15), "buyer_ref": f"buyer-{rng.integers(400)}"} for i in range(45)]
    rows, ids = planted(shop, extra)
    usual = [f"L{i:05d}" for i in range(0, len(shop), 5)]
    assert called(make_lines, rows, returned=[*usual, *ids[::5]]) == {}
    assert set(called(make_lines, rows, returned=usual)) == set(ids)


def test_a_midnight_sale_of_the_whole_shop_is_no_burst(make_lines, shop):
    rng = np.random.default_rng(3)
    extra = [
        {"sku": f"SKU-{i % 12:02d}", "at": (110, rng.random()), "buyer_ref": f"buyer-{rng.integers(400)}"}
        for i in range(360)
    ]
    rows, _ = planted(shop, extra)
    assert called(make_lines, rows) == {}


def test_a_rise_that_lasts_all_day_is_no_night_burst(make_lines, shop):
    rng = np.random.default_rng(4)
    extra = [
        {"sku": "SKU-07", "at": (100, rng.random() * 24), "buyer_ref": f"buyer-{rng.integers(400)}"} for i in range(200)
    ]
    rows, _ = planted(shop, extra)
    assert called(make_lines, rows) == {}


def test_what_happens_after_the_run_date_changes_nothing(make_lines, shop):
    known = [r for r in shop if r["at"][0] <= 130]
    extra = [{"sku": "SKU-05", "at": (120, 9 + i / 12), "buyer_ref": f"ring-{i}"} for i in range(45)]
    rows, ids = planted(known, extra)
    lines = make_lines(rows).with_columns(is_returned=pl.lit(value=False))
    found = suspicious_lines(lines, timezone="UTC", run_day=130, config=CONFIG)
    assert set(ids) <= set(found["order_line_id"].to_list())


def spikes(quantities, **config):
    frame = pl.DataFrame(
        {
            "order_line_id": [f"L{i}" for i in range(len(quantities))],
            "sku": "A",
            "quantity": [int(q) for q in quantities],
        }
    )
    return dict(line_spikes(frame, config=SpikeConfig(**config)).iter_rows())


def test_a_hundredfold_quantity_is_capped_at_what_is_usual():
    # nine honest lines: the 99th percentile, taken as the lower of two, is 2
    assert spikes([1, 2, 1, 3, 2, 1, 2, 1, 2, 200]) == {"L9": 198.0}


def test_a_wholesale_habit_is_no_spike():
    assert spikes([1] * 95 + [100, 120, 110, 90]) == {}


def test_a_small_line_is_never_a_spike():
    assert spikes([1] * 30 + [49]) == {}
    assert spikes([1] * 30 + [51]) == {"L30": 50.0}


def panel_of(n, periods):
    keys = pl.DataFrame({"sku": [f"S{i}" for i in range(n)], "location_id": ["main"] * n})
    return Panel(keys, np.full(n, -periods), np.full(n, -1))


def test_a_lone_period_far_above_all_others_is_a_spike():
    units = np.tile([3.0, 5.0, 4.0, 6.0], 25)
    units[60] = 600.0
    cells, excess = period_spikes(units, panel_of(1, 100), config=SpikeConfig())
    assert (cells.tolist(), excess.tolist()) == ([60], [594.0])


def test_a_rise_that_lasts_is_no_spike():
    units = np.tile([3.0, 5.0, 4.0, 6.0], 25)
    units[60:63] = 600.0
    assert period_spikes(units, panel_of(1, 100), config=SpikeConfig())[0].tolist() == []


def test_a_spike_does_not_see_the_neighbouring_series():
    units = np.concatenate([np.full(40, 5.0), np.full(40, 500.0)])
    units[39] = 500.0
    assert period_spikes(units, panel_of(2, 40), config=SpikeConfig())[0].tolist() == [39]
