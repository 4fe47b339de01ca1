"""Instants and clocks: what is worked out by a sum is what DuckDB's calendar says."""

from __future__ import annotations

import duckdb
import pytest

from data.ingest.zones import instant_sql, local_day_sql

ZONES = ["UTC", "Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "Africa/Casablanca", "America/Sao_Paulo"]


@pytest.mark.parametrize("zone", ZONES)
def test_every_instant_is_as_the_calendar_has_it(zone: str):
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            "create table t as select timestamp '1895-03-01' + to_seconds(i * 3456789) as clock, "
            "timezone('UTC', clock) as instant from range(2300) r(i) union all select null, null "
            "union all select timestamp '2000-01-03', timestamptz '2000-01-03 00:00:00Z' "
            "union all select timestamp '2000-01-02 23:59:59', timestamptz '2101-01-01 00:00:01Z'"
        )
        found = connection.execute(
            f"select count(*) filter ({instant_sql(zone, 'clock')} is distinct from timezone('{zone}', clock)), "
            f"count(*) filter ({local_day_sql(zone, 'instant')} is distinct from timezone('{zone}', instant)::date) "
            "from t"
        ).fetchall()
    assert found == [(0, 0)]


@pytest.mark.parametrize(("zone", "is_fast"), [("Asia/Shanghai", True), ("Europe/Berlin", False)])
def test_only_a_clock_that_stood_still_is_a_sum(zone: str, is_fast: bool):
    assert ("epoch_us" in instant_sql(zone, "x"), "epoch_us" in local_day_sql(zone, "x")) == (is_fast, is_fast)
