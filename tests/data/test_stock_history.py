"""Stock as it was on each day: nothing of tomorrow, and of a day told twice the version in force."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from data.sql.staging import stage_history

RUN_DATE = date(2026, 6, 28)


@pytest.fixture(scope="module")
def connection():
    opened = duckdb.connect()
    opened.execute(
        "create table raw_stock (sku varchar, location_id varchar, as_of_date date, on_hand double, "
        "delivery_id bigint, row_number bigint)"
    )
    opened.execute("create table visible (delivery_id bigint, version bigint, in_force boolean)")
    yield opened
    opened.close()


def history(connection, rows, visible):
    """Return (day, on hand) of the rows (day, on hand, delivery) and deliveries (id, version, in force)."""
    for table in ("raw_stock", "visible"):
        connection.execute(f"delete from {table}")
    for number, (day, units, delivery) in enumerate(rows):
        connection.execute("insert into raw_stock values ('A', 'web', ?, ?, ?, ?)", [day, units, delivery, number])
    for delivery in visible:
        connection.execute("insert into visible values (?, ?, ?)", list(delivery))
    stage_history(connection, run_date=RUN_DATE)
    return connection.execute("select as_of_date, on_hand from stg_stock_history order by all").fetchall()


def test_the_run_date_is_history_and_the_day_after_is_not(connection):
    rows = [("2026-06-27", 5, 1), ("2026-06-28", 4, 1), ("2026-06-29", 3, 1)]
    assert history(connection, rows, [(1, 1, True)]) == [(date(2026, 6, 27), 5), (RUN_DATE, 4)]


def test_a_superseded_delivery_tells_of_days_that_no_other_tells_of(connection):
    rows = [("2026-06-26", 7, 1), ("2026-06-27", 9, 1), ("2026-06-27", 5, 2)]
    found = history(connection, rows, [(1, 1, False), (2, 2, True)])
    assert found == [(date(2026, 6, 26), 7), (date(2026, 6, 27), 5)]
    assert history(connection, rows, [(1, 2, True), (2, 1, False)])[1] == (date(2026, 6, 27), 9)


def test_a_delivery_that_the_run_may_not_see_tells_nothing(connection):
    assert history(connection, [("2026-06-27", 9, 2)], [(1, 1, True)]) == []
