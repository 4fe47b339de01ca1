"""On which day each version of a signal was first known: nothing is known before it was said, corrections included."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from data.sql.vintages import stage_signal_vintages

RUN_DATE = date(2026, 6, 28)
FIRST, LATER, SLOW = 1, 2, 3  # delivered before the first run; landed on 26 June; a source two days behind


@pytest.fixture(scope="module")
def connection():
    opened = duckdb.connect()
    opened.execute("set timezone = 'UTC'")
    opened.execute(
        "create table raw_signals (date date, source varchar, region varchar, element_type varchar, element varchar, "
        "metric varchar, value double, available_at timestamptz, delivery_id bigint, row_number bigint)"
    )
    opened.execute(
        "create table visible (delivery_id bigint, table_name varchar, version bigint, delay_days integer, "
        "landed_run_date date)"
    )
    opened.execute("create table sightings (delivery_id bigint, in_first_run boolean)")
    for delivery, delay, landed in ((FIRST, 0, "2026-06-01"), (LATER, 0, "2026-06-26"), (SLOW, 2, "2026-06-01")):
        opened.execute("insert into visible values (?, 'signals', ?, ?, ?)", [delivery, delivery, delay, landed])
        opened.execute("insert into sightings values (?, ?)", [delivery, delivery != LATER])
    yield opened
    opened.close()


def known(connection, *rows):
    """Return (known on, value) of the rows (day, value, available at, delivery) of one signal."""
    connection.execute("delete from raw_signals")
    for number, (day, value, available_at, delivery) in enumerate(rows):
        connection.execute(
            "insert into raw_signals values (?, 's', '*', 'ip', 'moon', 'likes', ?, ?, ?, ?)",
            [day, value, available_at, delivery, number],
        )
    stage_signal_vintages(connection, run_date=RUN_DATE, zone="Asia/Shanghai")
    return connection.execute("select known_date, value from stg_signal_vintages order by all").fetchall()


@pytest.mark.parametrize(
    ("day", "available_at", "delivery", "on"),
    [
        ("2026-06-18", "2026-06-20 17:00:00+00", FIRST, date(2026, 6, 21)),  # one o'clock at night in Shanghai
        ("2026-06-25", "2026-06-24 01:00:00+00", FIRST, date(2026, 6, 25)),  # not before the day it is about
        ("2026-06-18", "2026-06-19 01:00:00+00", LATER, date(2026, 6, 19)),  # what the source states wins
        ("2026-06-10", None, FIRST, date(2026, 6, 10)),
        ("2026-06-10", None, SLOW, date(2026, 6, 12)),
        ("2026-06-10", None, LATER, date(2026, 6, 26)),  # not before the run that took it in
        ("2026-06-28", "2026-06-28 15:59:00+00", FIRST, RUN_DATE),
        ("2026-06-28", "2026-06-28 16:00:00+00", FIRST, None),  # midnight in Shanghai: tomorrow's
        ("2026-06-27", None, SLOW, None),
    ],
)
def test_a_signal_is_known_from_the_day_on_which_it_was_said(connection, day, available_at, delivery, on):
    assert known(connection, (day, 5.0, available_at, delivery)) == ([(on, 5.0)] if on else [])


def test_a_correction_does_not_change_what_was_known_before_it(connection):
    found = known(connection, ("2026-06-10", 5.0, None, FIRST), ("2026-06-10", 9.0, None, LATER))
    assert found == [(date(2026, 6, 10), 5.0), (date(2026, 6, 26), 9.0)]


def test_a_version_that_says_the_same_is_no_version(connection):
    found = known(connection, ("2026-06-10", 5.0, None, FIRST), ("2026-06-10", 5.0, None, LATER))
    assert found == [(date(2026, 6, 10), 5.0)]


def test_of_one_days_versions_the_latest_counts(connection):
    found = known(
        connection,
        ("2026-06-10", 5.0, "2026-06-11 01:00:00+00", LATER),
        ("2026-06-10", 7.0, "2026-06-11 02:00:00+00", FIRST),
    )
    assert found == [(date(2026, 6, 11), 7.0)]
