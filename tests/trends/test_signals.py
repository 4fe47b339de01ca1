"""Signals enter on the day they became known; what cannot be trusted is missing, not low."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trends.config import TrendConfig
from trends.elements import product_elements, resolved_names
from trends.signals import cleaned, signal_cube, without_late
from trends.traffic import traffic_signals
from trends.vintages import signal_history, vintages_of

CONFIG = TrendConfig()
START = date(2026, 1, 1)
FIRST = (START - date(1970, 1, 1)).days


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, hours=hour)


def known_signals(signals: pl.DataFrame, *, timezone: str) -> pl.DataFrame:
    return signal_history(vintages_of(signals, timezone=timezone))[0]


def test_a_figure_is_known_when_the_shop_could_see_it(make_signals):
    rows = make_signals([(0, "a", 1.0), (0, "b", 2.0), (0, "c", 3.0)]).with_columns(
        available_at=pl.Series([None, at(0, 15), at(0, 17)], dtype=pl.Datetime("us", "UTC"))
    )
    known = known_signals(rows, timezone="Asia/Shanghai").sort("element")
    assert (known["known"] - FIRST).to_list() == [0, 0, 1]  # 17:00 UTC is the next day in Shanghai


def test_a_cube_holds_each_figure_on_the_day_it_was_known(make_signals):
    rows = make_signals([(d, "a", 10 + d) for d in range(5)], available_at=None)
    late = rows.with_columns(available_at=pl.Series([at(d + 2) for d in range(5)], dtype=pl.Datetime("us", "UTC")))
    cube = signal_cube(known_signals(late, timezone="UTC"), last_day=FIRST + 4, config=CONFIG)
    assert cube.first_day == FIRST + 2
    assert cube.values[:, 0, 0].tolist() == [10, 11, 12]


def test_a_history_filled_in_afterwards_stands_on_its_own_days_and_taught_no_past_run(make_signals):
    rows = make_signals([(d, "a", 10 + d) for d in range(40)], available_at=at(39))
    known = known_signals(rows, timezone="UTC")
    cube = signal_cube(known, last_day=FIRST + 39, config=CONFIG)
    assert cube.values[:30, 0, 0].tolist() == [10 + d for d in range(30)]
    assert without_late(known, config=CONFIG).height == CONFIG.late_days + 1


def test_regions_add_up_to_all_regions_unless_the_source_gives_it(make_signals):
    east = make_signals([(0, "a", 3.0), (0, "b", 1.0)], region="east")
    west = make_signals([(0, "a", 4.0)], region="west")
    own = make_signals([(0, "b", 9.0)])
    national = known_signals(pl.concat([east, west, own]), timezone="UTC").filter(pl.col("region") == "*")
    assert dict(national.select("element", "value").iter_rows()) == {"a": 7.0, "b": 9.0}


def test_aliases_add_up_and_prices_are_averaged(make_signals):
    aliases = pl.DataFrame(
        {"alias": ["Star Isle", "红"], "element_type": ["ip", "colour"], "element": ["star_isle", "red"]}
    )
    rows = make_signals([(0, " STAR isle", 3.0), (0, "star_isle", 4.0), (0, "红", 5.0)])
    known = known_signals(resolved_names(rows, aliases), timezone="UTC")
    assert dict(known.select("element", "value").iter_rows()) == {"star_isle": 7.0, "红": 5.0}
    prices = known_signals(resolved_names(rows.with_columns(metric=pl.lit("resale_price")), aliases), timezone="UTC")
    assert prices.filter(pl.col("element") == "star_isle")["value"].to_list() == [3.5]


def faulty(make_cube, days, change):
    cube = make_cube()
    values = cube.values.copy()
    for day in days:
        values[day, 0] = change(values, day)
    from dataclasses import replace

    return cleaned(replace(cube, values=values), config=CONFIG)


def test_a_source_that_repeats_itself_is_stale_from_the_third_day(make_cube):
    cube, faults = faulty(make_cube, range(101, 110), lambda v, d: v[100, 0])
    assert faults["fault"].unique().to_list() == ["stale"]
    assert (faults["day"] - cube.first_day).to_list() == list(range(102, 110))
    assert np.isnan(cube.values[105, 0]).all()
    assert np.isfinite(cube.values[105, 1:]).all()


def test_a_source_of_zeros_has_failed(make_cube):
    cube, faults = faulty(make_cube, range(100, 112), lambda v, d: 0.0)
    assert (faults["day"] - cube.first_day).to_list() == list(range(100, 112))
    assert faults["fault"].unique().to_list() == ["all_zero"]


def test_a_healthy_source_is_left_alone(make_cube):
    cube = make_cube()
    after, faults = cleaned(cube, config=CONFIG)
    assert faults.is_empty()
    np.testing.assert_array_equal(after.values, cube.values)


def test_elements_come_from_columns_and_attributes():
    products = pl.DataFrame(
        {
            "sku": ["A", "B", "C"],
            "ip": ["star", None, "star"],
            "attributes": ['{"collar": "sailor", "motif": ["cat", "moon"]}', "no json", '["list"]'],
        }
    )
    assert product_elements(products).rows() == [
        ("A", "collar", "sailor"),
        ("A", "ip", "star"),
        ("A", "motif", "cat"),
        ("A", "motif", "moon"),
        ("C", "ip", "star"),
    ]


@pytest.mark.parametrize("factor", [1.0, 5.0])
def test_traffic_that_lifts_the_whole_shop_moves_no_element(factor):
    traffic = pl.DataFrame(
        {
            "date": [START, START],
            "sku": ["A", "B"],
            "location_id": ["web", "web"],
            "page_views": [30.0 * factor, 10.0 * factor],
            "add_to_cart": [0.0, 0.0],
            "live_interactions": [None, None],
        },
        schema_overrides={"live_interactions": pl.Float64},
    )
    elements = pl.DataFrame({"sku": ["A", "B"], "element_type": ["fabric"] * 2, "element": ["velvet", "denim"]})
    regions = pl.DataFrame({"location_id": ["web"], "region": ["east"]})
    found = traffic_signals(traffic, elements, regions)
    assert dict(found.select("element", "value").iter_rows()) == {"velvet": 7500.0, "denim": 2500.0}
