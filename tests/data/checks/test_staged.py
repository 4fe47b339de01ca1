"""A table that only grew is judged by what was added to it, and no fault in that is missed."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from data.checks import counting, staged
from data.checks.counting import sound_facts
from data.checks.suites import contract_rules
from data.contracts import TABLES

TABLE = TABLES["stg_period_sales"]
COLUMNS = ", ".join(
    {
        "ds": "date '2026-03-01' + (i // 100)::integer as ds",
        "sku": "'SKU-' || i % 100 as sku",
        "location_id": "'main' as location_id",
        "units": "1.0::double as units",
        "stockout_share": "0.5::double as stockout_share",
        "source": "'s' as source",
    }.get(c.name, f"null as {c.name}")
    for c in TABLE.columns
)
ADDED = "from stg_period_sales where rowid >= 1000"


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """A table of 1,000 sound rows that was looked at as a whole; tables of so few rows count as large here."""
    monkeypatch.setattr(staged, "_SMALL_ROWS", 100)
    with duckdb.connect() as connection:
        connection.execute(f"create table stg_period_sales as select {COLUMNS} from range(1000) t(i)")
        assert verdict(connection, f"from {TABLE.name}", 1000) == {}
        yield connection


def verdict(connection: duckdb.DuckDBPyConnection, written: str, rows: int) -> dict[str, int]:
    """Return the checks that are not green, and how many rows each found."""
    results = staged.staged_results(connection, "ingest", TABLE, written=written, rows=rows)
    assert all(r.rows_checked == rows for r in results)
    return {r.check: r.rows_failed for r in results if r.status != "pass"}


def add(connection: duckdb.DuckDBPyConnection, first: int, rows: int, **values: str) -> None:
    changed = ", ".join(f"{value} as {name}" for name, value in values.items())
    replaced = f" replace ({changed})" if changed else ""
    made = f"select {COLUMNS} from range({first}, {first + rows}) t(i)"
    connection.execute(f"insert into stg_period_sales select *{replaced} from ({made})")


def test_sound_rows_are_all_that_is_looked_at(connection, monkeypatch):
    add(connection, 1000, 50)
    monkeypatch.setattr(staged, "check_batches", None)  # the whole table is not read again
    assert verdict(connection, ADDED, 1050) == {}


@pytest.mark.parametrize(
    ("first", "values", "check"),
    [
        (1000, {"stockout_share": "2.0::double"}, "bounds.stockout_share"),
        (1000, {"units": "'inf'::double"}, "finite.units"),
        (1000, {"sku": "null"}, "key_not_null.sku"),
        (900, {}, "key_unique"),
    ],
)
def test_a_fault_among_the_added_rows_is_counted_in_the_whole_table(connection, first, values, check):
    add(connection, first, 50, **values)
    assert verdict(connection, ADDED, 1050).get(check) == 50


def test_what_was_red_is_looked_at_as_a_whole_until_it_is_green(connection):
    add(connection, 1000, 50, stockout_share="2.0::double")
    assert verdict(connection, ADDED, 1050) == {"bounds.stockout_share": 50}
    add(connection, 1050, 10)
    assert verdict(connection, "from stg_period_sales where rowid >= 1050", 1060) == {"bounds.stockout_share": 50}


@pytest.mark.parametrize(
    ("first", "values"),
    [
        (1000, {"stockout_share": "2.0::double"}),
        (1000, {"stockout_share": "-0.1::double"}),
        (1000, {"units": "'inf'::double"}),
        (1000, {"units": "'nan'::double"}),
        (1000, {"sku": "null"}),
        (1000, {"sku": "' '"}),
        (1000, {"sku": "chr(12288)"}),
        (1000, {"units": "null"}),
        (900, {}),
    ],
)
def test_the_database_calls_nothing_sound_that_the_frames_find_broken(connection, first, values):
    rules = contract_rules(TABLE)
    key = list(TABLE.key)
    sound = sound_facts(connection, f"from {TABLE.name}", rules, key=key)
    assert sound is not None
    assert {f.rows_checked for f in sound.by_rule.values()} == {sound.rows} == {1000}
    assert list(sound.by_rule) == list(rules)
    add(connection, first, 50, **values)
    assert sound_facts(connection, f"from {TABLE.name}", rules, key=key) is None
    assert verdict(connection, f"from {TABLE.name}", 1050)


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """200 days of 100 rows, of which a sample of 1,000 is wanted."""
    monkeypatch.setattr(counting, "MAX_SAMPLE_ROWS", 1000)
    monkeypatch.setattr(counting, "_MEAN_SAMPLE_ROWS", 900)
    with duckdb.connect() as connection:
        connection.execute(f"create table stg_period_sales as select {COLUMNS} from range(20_000) t(i)")
        yield connection


def sampled(connection: duckdb.DuckDBPyConnection, rows: str = "from stg_period_sales"):
    facts = sound_facts(connection, rows, contract_rules(TABLE), key=list(TABLE.key))
    assert facts is not None
    return facts.sample.sort(TABLE.key)


def test_of_a_long_history_days_spread_evenly_are_sampled(history):
    sample = sampled(history)
    days = sample["ds"].unique().sort()
    assert 500 < sample.height <= 1000
    assert 30 <= len(days) <= 50
    assert len(set(days.diff().drop_nulls())) == 1
    assert len(days.dt.weekday().unique()) == 7
    assert sampled(history, "from (from stg_period_sales order by hash(sku, ds))").equals(sample)  # in any order


@pytest.mark.parametrize("day", ["date '2026-03-01'", "case when i % 20 = 0 then ds else date '2026-03-02' end"])
def test_a_history_of_few_full_days_is_sampled_on_all_of_them(history, day):
    skus = "sku || '-' || i as sku"
    history.execute(
        f"create or replace table stg_period_sales as select * exclude (i) replace ({day} as ds, {skus}) from "
        f"(select {COLUMNS}, i from range(20_000) t(i))"
    )
    assert 500 < sampled(history).height <= 1000


def test_keys_known_to_be_unique_are_not_looked_through(connection, monkeypatch):
    monkeypatch.setattr(counting, "sorted_hashes", None)
    whole = f"from {TABLE.name}"
    results = staged.staged_results(connection, "ingest", TABLE, written=whole, rows=1000, is_unique=True)
    assert {r.check: r.status for r in results}["key_unique"] == "pass"
