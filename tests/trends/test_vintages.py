"""What a night saw stays what it saw: corrections count from the day they became known, and nothing looks ahead."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from trends.config import TrendConfig
from trends.heat import heat_of
from trends.signals import cleaned, signal_cube
from trends.vintages import signal_history

CONFIG = TrendConfig()
START = date(2026, 1, 1)
FIRST = (START - date(1970, 1, 1)).days


def vintages(n_days=120, n_elements=12, *, seed=3, regions=("east", "west"), sources=("a", "b")):
    """Daily counts of a shop's elements, known 0 to 3 days later; one in ten is corrected within a fortnight."""
    rng = np.random.default_rng(seed)
    rows = []
    for element in range(n_elements):
        for source in sources:
            for region in regions:
                value = rng.poisson(60, n_days).astype(float)
                late = np.where(rng.random(n_days) < 0.1, rng.integers(1, 4, n_days), 0)
                for day in range(n_days):
                    rows.append((day, source, region, f"e{element}", value[day], day + int(late[day])))
                    if rng.random() < 0.1:
                        again = day + int(late[day]) + int(rng.integers(1, 14))
                        rows.append((day, source, region, f"e{element}", value[day] * rng.uniform(0.5, 2), again))
    frame = pl.DataFrame(rows, schema=["at", "source", "region", "element", "value", "known"], orient="row")
    return frame.select(
        "source",
        "region",
        "element",
        "value",
        date=pl.lit(START) + pl.duration(days="at"),
        known_date=pl.lit(START) + pl.duration(days="known"),
        element_type=pl.lit("ip"),
        metric=pl.lit("mentions"),
    )


def night(rows: pl.DataFrame, day: int):
    """Return what the run for a day shows: it has only the versions known by then."""
    seen = rows.filter(pl.col("known_date") <= START + timedelta(days=day))
    first, later = signal_history(seen)
    cube, _ = cleaned(signal_cube(first, later, last_day=FIRST + day, config=CONFIG), config=CONFIG)
    return cube, heat_of(cube, config=CONFIG)


def test_a_correction_counts_from_the_day_it_became_known_and_not_before():
    rows = vintages(60, 1, regions=("*",), sources=("a",)).filter(pl.col("date") == pl.col("known_date"))
    wrong = rows.with_columns(value=pl.lit(50.0)).unique("date", maintain_order=True)
    right = wrong.filter(pl.col("date") < START + timedelta(days=30)).with_columns(
        value=pl.lit(100.0), known_date=pl.lit(START + timedelta(days=40))
    )
    _, plain = night(wrong, 59)
    _, corrected = night(pl.concat([wrong, right.select(wrong.columns)]), 59)
    np.testing.assert_array_equal(plain.heat[:40], corrected.heat[:40])
    # its past was twice as loud as it seemed: today is half of it
    assert corrected.heat[44, 0] < plain.heat[44, 0] - 0.4


def test_a_correction_that_says_the_same_changes_nothing():
    rows = vintages(60, 2)
    again = rows.with_columns(known_date=pl.col("known_date") + pl.duration(days=20))
    first, later = signal_history(
        pl.concat([rows, again]).unique(["date", "source", "region", "element", "known_date"])
    )
    assert first.height > 0
    assert later["change"].abs().min() > 0


def test_a_region_that_is_late_is_no_dip():
    rows = (
        vintages(40, 1, sources=("a",))
        .filter(pl.col("known_date") == pl.col("date"))
        .unique(["date", "region"], maintain_order=True)
    )
    day = START + timedelta(days=30)
    west_late = (pl.col("date") == day) & (pl.col("region") == "west")
    late = rows.with_columns(known_date=pl.when(west_late).then(day + timedelta(days=1)).otherwise("known_date"))
    on_the_day = signal_history(late.filter(pl.col("known_date") <= day))[0]
    total = on_the_day.filter((pl.col("region") == "*") & (pl.col("day") == FIRST + 30))
    assert total["known"].to_list() == [FIRST + 32]  # not told yet: it waits for the west, two days at most
    next_day = signal_history(late)[0].filter((pl.col("region") == "*") & (pl.col("day") == FIRST + 30))
    assert next_day["known"].to_list() == [FIRST + 31]


@pytest.fixture(scope="module")
def pulled():
    return vintages(90, 8, seed=5, sources=("a",))


def test_nothing_known_after_a_day_changes_it_at_fifty_dates(pulled):
    rng = np.random.default_rng(11)
    _, whole = night(pulled, 89)
    for day in rng.choice(np.arange(35, 89), 50, replace=False):
        cut = START + timedelta(days=int(day))
        after = pl.col("known_date") > cut
        scrambled = pulled.with_columns(
            value=pl.when(after).then(pl.Series(rng.uniform(0, 900, pulled.height))).otherwise("value")
        )
        cube, then = night(scrambled, int(day))
        for name in ("heat", "score", "state", "streak", "is_stale"):
            np.testing.assert_array_equal(
                getattr(then, name)[-1], getattr(whole, name)[int(day)], err_msg=f"{name} {cut}"
            )
        assert cube.n_days == int(day) + 1
