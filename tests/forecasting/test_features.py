"""Features: right by hand, and untouched by anything after the origin that is not known in advance."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from forecast_shops import RUN_DATE, no_tables, panel_of, shop_units
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.features import Known, Tables, closed_ahead, known_features, price_matrix

START = RUN_DATE - timedelta(days=99)


def price_rows(*rows: tuple[str, str, date, float]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=["sku", "location_id", "from_date", "price"], orient="row")


def event_rows(*rows: tuple[str, date, date, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=["name", "starts_date", "ends_date", "kind", "region", "ip"], orient="row")


def known_of(tables: Tables, *, horizon: int = 10, n: int = 4) -> Known:
    panel = panel_of(shop_units(n, 100))
    return known_features(panel, tables, price_matrix(panel, tables, horizon=horizon), origin=100, horizon=horizon)


def test_prices_hold_until_the_next_and_planned_ones_are_known() -> None:
    prices = price_rows(
        ("SKU-000", "east", START - timedelta(5), 10.0), ("SKU-000", "east", START + timedelta(50), 12.0)
    )
    planned = price_rows(("SKU-000", "east", RUN_DATE + timedelta(3), 8.0))
    tables = replace(no_tables(), prices=prices.with_columns(channel=pl.lit("*")), planned_prices=planned)
    price = known_of(tables).series["price"][0]
    assert price[[0, 49, 50, 99, 101]].tolist() == [10, 10, 12, 12, 12]
    assert price[102:].tolist() == [8.0] * 8


def test_a_price_for_no_location_of_ours_holds_for_all() -> None:
    prices = price_rows(("SKU-000", "main", START, 10.0), ("SKU-000", "west", START, 9.0))
    tables = replace(no_tables(), prices=prices.with_columns(channel=pl.lit("*")))
    price = known_of(tables).series["price"]
    assert price[:2, 0].tolist() == [10, 9]
    assert np.isnan(price[2:]).all()


def test_prices_paid_stand_in_where_there_is_no_price_table() -> None:
    paid = price_rows(("SKU-000", "east", START, 7.0)).rename({"from_date": "ds", "price": "unit_price"})
    assert known_of(replace(no_tables(), paid=paid)).series["price"][0, 109] == 7


def test_events_count_for_their_region_and_ip_only() -> None:
    day = RUN_DATE + timedelta(days=4)
    events = event_rows(
        ("Fair", day, day + timedelta(1), "convention", "east", "*"), ("Comet day", day, day, "sale", "*", "Comet")
    )
    known = known_of(replace(no_tables(), events=events))
    everyone, column = np.arange(4), np.full(4, 103)
    assert known.cells("event_convention", everyone, column).tolist() == [1, 0, 1, 0]
    assert known.cells("event_sale", everyone, column).tolist() == [1, 1, 0, 0]
    assert known.cells("event_ahead", everyone, column - 3).tolist() == [3, 3, 3, 15]
    assert known.cells("event_behind", everyone, column + 3).tolist() == [2, 3, 2, 15]


def test_a_kind_of_event_has_a_before_and_an_after_of_its_own() -> None:
    day = RUN_DATE + timedelta(days=4)
    events = event_rows(("Fair", day, day, "convention", "*", "*"), ("Sale", day + timedelta(3), day, "sale", "*", "*"))
    known = known_of(replace(no_tables(), events=events))
    one, column = np.zeros(1, dtype=np.int64), np.array([101])
    assert known.cells("event_convention_ahead", one, column).tolist() == [2]
    assert known.cells("event_convention_behind", one, column + 4).tolist() == [2]
    assert known.cells("event_sale_ahead", one, column).tolist() == [5]


def test_weather_counts_against_the_usual_and_its_forecast_is_used_tonight_only() -> None:
    days = [START + timedelta(days=i) for i in range(110)]
    warm = np.where(np.arange(110) == 103, 25.0, 15.0)
    weather = pl.DataFrame({"date": days, "region": "east", "temperature_mean": warm, "precipitation": 0.0})
    tables = replace(no_tables(), weather=weather)
    known = known_of(tables)
    rows = known.group["weather_warm"]
    assert known.series["weather_warm"][rows[0], 103] == 10
    assert known.series["weather_warm"][rows[1]].tolist() == [0] * 110  # the other region reports none
    panel = panel_of(shop_units(4, 100))
    earlier = known_features(panel, tables, price_matrix(panel, tables, horizon=10), origin=90, horizon=20)
    assert earlier.series["weather_warm"][:, 90:].max() == 0


@settings(max_examples=50)
@given(st.integers(60, 99), st.integers(0, 2**32 - 1))
def test_scrambling_what_comes_after_the_origin_changes_no_feature(origin: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    units = shop_units(4, 100)
    scrambled = units.copy()
    scrambled[:, origin:] = rng.poisson(50, scrambled[:, origin:].shape)
    days = [START + timedelta(days=i) for i in range(100)]

    def tables(noise: np.ndarray) -> Tables:
        values = np.arange(100.0) + noise
        prices = pl.DataFrame(
            {"sku": "SKU-000", "location_id": "east", "from_date": days, "price": 10 + values / 50, "channel": "*"}
        )
        weather = pl.DataFrame({"date": days, "region": "east", "temperature_mean": values, "precipitation": values})
        return replace(no_tables(), prices=prices, weather=weather)

    noise = np.where(np.arange(100) >= origin, rng.random(100) * 100, 0)
    found = []
    for demand, world in ((units, tables(np.zeros(100))), (scrambled, tables(noise))):
        panel = panel_of(demand)
        known = known_features(panel, world, price_matrix(panel, world, horizon=10), origin=origin, horizon=10)
        found.append(known)
    assert found[0].names == found[1].names
    for name in found[0].names:
        first, second = (k.calendar.get(name, k.series.get(name)) for k in found)
        assert np.array_equal(first, second, equal_nan=first.dtype.kind == "f"), name


def test_a_weekday_closed_for_eight_weeks_stays_closed() -> None:
    units = shop_units(2, 84) + 1
    closed = np.zeros(units.shape, dtype=bool)
    closed[:, 5::7] = True
    panel = panel_of(np.where(closed, 0, units), is_closed=closed)
    ahead = closed_ahead(panel, origin=84, horizon=14, closed_days=())
    assert ahead[0].tolist() == [h % 7 == 5 for h in range(14)]


def test_one_open_week_in_eight_reopens_a_weekday() -> None:
    units = shop_units(2, 84) + 1
    closed = np.zeros(units.shape, dtype=bool)
    closed[:, 5::7] = True
    closed[:, 5 + 7 * 9] = False
    panel = panel_of(np.where(closed, 0, units), is_closed=closed)
    assert not closed_ahead(panel, origin=84, horizon=14, closed_days=()).any()


@pytest.mark.parametrize("listed", ["MON", RUN_DATE + timedelta(days=1)])
def test_listed_days_are_closed(listed: str | date) -> None:
    panel = panel_of(shop_units(2, 84))
    assert closed_ahead(panel, origin=84, horizon=3, closed_days=(listed,))[0].tolist() == [True, False, False]
