"""Exposure: never what sells out, more of what lies too long, places for the tail and for larger sizes."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trends.config import TrendConfig
from trends.exposure import cold_snaps, exposure_suggestions

CONFIG = TrendConfig(exposure_places=20)
DAY = (date(2026, 1, 10) - date(1970, 1, 1)).days
NO_ALERTS = pl.DataFrame(schema={"sku": pl.String, "region": pl.String, "lift": pl.Float64})
NO_TURNS = pl.DataFrame(schema={"region": pl.String, "from_day": pl.Int64, "to_day": pl.Int64, "change": pl.Float64})


def items(rows):
    usual = {
        "region": "east",
        "stock_units": 400.0,
        "daily_units": 1.0,
        "p90_daily_units": 2.0,
        "cover_days": 30.0,
        "margin": 10.0,
        "size_group": None,
        "weather_effect": 0.0,
        "is_tail": False,
    }
    return pl.DataFrame([usual | row for row in rows], schema_overrides={"size_group": pl.String})


def suggested(rows, alerts=NO_ALERTS, turns=NO_TURNS):
    return exposure_suggestions(items(rows), alerts, turns, day=DAY, config=CONFIG)


def weather(after):
    days = [date(2026, 1, 10) + timedelta(days=i) for i in range(-20, 15)]
    values = [8.0 if d <= date(2026, 1, 10) else 8.0 + after(d) for d in days]
    return pl.DataFrame({"date": days, "region": ["north"] * len(days), "temperature_mean": values})


def test_a_cold_snap_shows_jackets_before_it_comes_and_only_where_it_comes():
    turns = cold_snaps(
        weather(lambda d: -9.0 if date(2026, 1, 16) <= d <= date(2026, 1, 20) else 0.0), day=DAY, config=CONFIG
    )
    assert turns.select("region", "change").rows() == [("north", -9.0)]
    found = suggested(
        [
            {"sku": "DOWN", "region": "north", "weather_effect": -0.1},
            {"sku": "DOWN", "region": "south", "weather_effect": -0.1},
            {"sku": "TEE", "region": "north", "weather_effect": 0.04},
        ],
        turns=turns,
    )
    assert found.select("sku", "region", "reason").rows() == [("DOWN", "north", "weather")]
    assert DAY < found["from_day"][0] < (date(2026, 1, 16) - date(1970, 1, 1)).days
    assert found["expected_units"][0] > 10 * 1.3 * 2  # the cold lifts demand by exp(0.9)


def test_a_mild_forecast_turns_nothing():
    assert cold_snaps(weather(lambda d: -2.0), day=DAY, config=CONFIG).is_empty()


def test_no_turn_is_read_from_days_that_have_passed():
    frame = weather(lambda d: 0.0).with_columns(
        temperature_mean=pl.when(pl.col("date") == date(2026, 1, 9)).then(-20.0).otherwise("temperature_mean")
    )
    assert cold_snaps(frame, day=DAY, config=CONFIG).is_empty()


@given(
    stock=st.floats(0, 200), daily=st.floats(0, 10), lift=st.floats(0, 2), cover=st.floats(0, 400), tail=st.booleans()
)
def test_never_what_would_sell_out(stock, daily, lift, cover, tail):
    row = {"sku": "A", "stock_units": stock, "daily_units": daily, "p90_daily_units": 1.5 * daily}
    rows = [row | {"cover_days": cover, "is_tail": tail}]
    found = suggested(rows, pl.DataFrame({"sku": ["A"], "region": ["east"], "lift": [lift]}))
    assert found["stock_ok"].all()
    assert (found["stock_units"] >= found["expected_units"]).all()
    assert (found["stock_units"] >= 1).all()


def test_what_lies_too_long_is_shown():
    found = suggested([{"sku": "OLD", "cover_days": 300.0}, {"sku": "FINE"}])
    assert found.select("sku", "reason").rows() == [("OLD", "excess_stock")]


def test_the_tail_and_larger_sizes_keep_their_places():
    rich = [{"sku": f"HOT{i:02d}", "cover_days": 200.0, "margin": 100.0} for i in range(40)]
    tail = [{"sku": f"TAIL{i:02d}", "is_tail": True, "margin": 1.0} for i in range(10)]
    sized = [{"sku": f"3XL{i:02d}", "size_group": "extended", "margin": 2.0} for i in range(10)]
    found = suggested(rich + tail + sized)
    assert found.height == CONFIG.exposure_places
    assert found["sku"].str.starts_with("TAIL").sum() >= round(CONFIG.exposure_places * CONFIG.tail_share)
    assert found["sku"].str.starts_with("3XL").sum() >= round(CONFIG.exposure_places * CONFIG.extended_share)
    assert found["rank"].to_list() == list(range(1, 21))


def test_a_product_stands_once_a_region():
    rows = [{"sku": "A", "cover_days": 300.0, "is_tail": True, "size_group": "extended"}]
    assert suggested(rows, pl.DataFrame({"sku": ["A"], "region": ["east"], "lift": [0.5]})).height == 1


@pytest.mark.parametrize("rows", [[{"sku": "A", "stock_units": 0.0, "cover_days": 500.0}]])
def test_nothing_to_show_gives_no_row(rows):
    assert suggested(rows).is_empty()
