"""Drift against the shop's own history: each check has a planted fault that turns it red; ordinary weeks stay green."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.checks import drift
from data.checks.drift import DRIFTING, cut_points, drift_results, population_stability

D = date(2026, 6, 28)
COLUMNS = {
    "order_lines": "business_date date, unit_price decimal(18, 4), quantity bigint, channel varchar, "
    "buyer_ref varchar, order_id varchar, list_price decimal(18, 4)",
    "period_sales": "ds date, unit_price decimal(18, 4), units double, in_stock boolean",
    "returns": "business_date date, quantity bigint, reason varchar, order_line_id varchar",
    "signals": "date date, value double, region varchar",
}


def staged(table: str, *, change: str | None = None, days: int = 70, per_day: int = 30):
    """A warehouse with a staged table of ordinary rows; ``change`` edits those of the last week."""
    connection = duckdb.connect()
    connection.execute(f"create table stg_{table} ({COLUMNS[table]})")
    names = [c.strip().split()[0] for c in COLUMNS[table].replace("(18, 4)", "").split(",")]
    values = {"unit_price": "10 + n % 9", "quantity": "1 + n % 4", "units": "n % 7", "value": "50 + n % 23",
              "list_price": "20 + n % 9", "in_stock": "n % 9 > 0"}  # fmt: skip
    day = DRIFTING[table][0]
    picked = ", ".join(
        f"date '{D}' - (n // {per_day})::integer" if c == day else values.get(c, "'x' || n % 5") for c in names
    )
    connection.execute(f"insert into stg_{table} select {picked} from range({days * per_day}) r(n)")
    if change:
        connection.execute(f"update stg_{table} set {change} where {day} > date '{D}' - 7")
    return connection


def checked(table: str, **planted) -> dict[str, str]:
    return {r.check: r.status for r in drift_results(staged(table, **planted), table, run_date=D)}


FAULTS = [(t, f"drift.{c}", f"{c} = {c} * 3 + 5") for t, (_, numbers, _) in DRIFTING.items() for c in numbers] + [
    (t, f"filled.{c}", f"{c} = null") for t, (_, _, optional) in DRIFTING.items() for c in optional
]


@pytest.mark.parametrize("table", sorted(DRIFTING))
def test_ordinary_weeks_are_green_and_every_check_has_a_fault(table: str):
    results = checked(table)
    assert set(results.values()) == {"pass"}
    assert set(results) == {check for t, check, _ in FAULTS if t == table}


@pytest.mark.parametrize(("table", "check", "change"), FAULTS)
def test_each_planted_fault_turns_its_check_red(table: str, check: str, change: str):
    (red,) = [r for r in drift_results(staged(table, change=change), table, run_date=D) if r.check == check]
    assert (red.status, red.severity, red.stops_the_run) == ("warn", "warn", False)
    assert red.rows_failed > 0
    assert red.sample_keys
    assert red.advice
    assert red.expected


def test_too_few_rows_say_nothing():
    assert checked("order_lines", per_day=3) == {}


def test_what_comes_after_the_run_date_does_not_count():
    connection = staged("order_lines")
    late = D + timedelta(days=3)
    connection.execute(f"update stg_order_lines set business_date = date '{late}', unit_price = 900 where quantity = 4")
    assert {r.status for r in drift_results(connection, "order_lines", run_date=D)} == {"pass"}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=10))
def test_the_index_is_never_negative_and_zero_on_equal_histograms(pairs):
    now, before = [a for a, _ in pairs], [b for _, b in pairs]
    assert population_stability(now, before) >= 0
    assert population_stability(now, now) == 0


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 40)), min_size=1, max_size=40))
def test_cut_points_are_the_discrete_quantiles_of_the_rows(pairs):
    counted = sorted({value / 4: rows for value, rows in pairs}.items())
    values, rows = (np.array(column) for column in zip(*counted, strict=True))
    expanded = np.repeat(values, rows).tolist()
    tenths = f"select quantile_disc(v, {[n / 10 for n in range(1, 10)]}) from (select unnest(?::double[]) as v)"
    with duckdb.connect() as connection:
        expected = connection.execute(tenths, [expanded]).fetchall()[0][0]
    assert cut_points(values, rows) == sorted(set(expected))


@pytest.mark.parametrize("table", sorted(DRIFTING))
@pytest.mark.parametrize("change", [None, "{0} = {0} * 3 + 5", "{0} = null"])
def test_values_give_the_same_grouped_or_not(table, change, monkeypatch):
    connection = staged(table, change=change and change.format(DRIFTING[table][1][0]))
    grouped = drift_results(connection, table, run_date=D)
    monkeypatch.setattr(drift, "_FEWEST_REPEATS", 10**9)
    assert drift_results(connection, table, run_date=D) == grouped


def test_each_bin_holds_what_lies_above_one_edge_and_not_above_the_next():
    connection = duckdb.connect()
    connection.execute(f"create table stg_returns ({COLUMNS['returns']})")
    connection.execute(  # 1 to 10 before, so that 1 to 9 are the edges; all of the last week is beyond them
        f"insert into stg_returns select date '{D}' - 7 - (n % 50)::integer, 1 + n % 10, 'x', 'y' from range(1000) r(n)"
    )
    connection.execute(f"insert into stg_returns select date '{D}', 12, 'x', 'y' from range(200)")
    red = drift_results(connection, "returns", run_date=D)[0]
    psi = population_stability([0] * 9 + [200], [100] * 10)
    assert red.observed.startswith(f"stability index {psi:.2f} ")
    assert red.sample_keys == ("9 to inf: +90%",)
