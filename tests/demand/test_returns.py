"""Each return belongs to a sale: by line, by order, by buyer, by lag; never to one that came after it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demand.config import ReturnConfig
from demand.returns import match_returns, return_events

CONFIG = ReturnConfig()
SALE = {
    "order_line_id": pl.String,
    "order_id": pl.String,
    "day": pl.Int64,
    "sku": pl.String,
    "location_id": pl.String,
    "buyer_ref": pl.String,
    "units": pl.Float64,
}
NEGATIVE = {**{k: v for k, v in SALE.items() if k != "units"}, "quantity": pl.Int64, "unit_price": pl.Float64}
RETURN = {
    "return_id": pl.String,
    "day": pl.Int64,
    "sku": pl.String,
    "location_id": pl.String,
    "quantity": pl.Int64,
    "order_line_id": pl.String,
}


def frame(rows, schema):
    return pl.DataFrame([{k: r.get(k) for k in schema} for r in rows], schema=schema)


def sale(line, day, units=1, *, order=None, sku="A", buyer=None, location="main"):
    return {
        "order_line_id": line,
        "order_id": order or f"O-{line}",
        "day": day,
        "sku": sku,
        "location_id": location,
        "buyer_ref": buyer,
        "units": float(units),
    }


def negative(line, day, quantity=-1, *, order=None, sku="A", buyer=None, price=5.0):
    return {
        "order_line_id": line,
        "order_id": order,
        "day": day,
        "sku": sku,
        "location_id": "main",
        "buyer_ref": buyer,
        "quantity": quantity,
        "unit_price": price,
    }


def returned(name, day, quantity=1, *, line=None, sku="A"):
    return {
        "return_id": name,
        "day": day,
        "sku": sku,
        "location_id": "main",
        "quantity": quantity,
        "order_line_id": line,
    }


def match(sales, *, lines=(), returns=()):
    events = return_events(frame(lines, NEGATIVE), frame(returns, RETURN))
    found = match_returns(frame(sales, SALE), events, config=CONFIG)
    return {(r["event_id"], r["order_line_id"]): (r["units"], r["how"]) for r in found.iter_rows(named=True)}


def test_a_return_that_names_its_line_finds_it():
    found = match([sale("S1", 1), sale("S2", 2)], returns=[returned("R", 5, line="S1")])
    assert found == {("r:R", "S1"): (1.0, "order_line")}


def test_a_line_gets_back_no_more_than_it_sold():
    found = match([sale("S1", 1, 2)], returns=[returned("R1", 5, 2, line="S1"), returned("R2", 6, 1, line="S1")])
    assert found == {("r:R1", "S1"): (2.0, "order_line")}


def test_a_negative_line_finds_its_order():
    found = match([sale("S1", 1, order="X"), sale("S2", 2)], lines=[negative("N", 5, order="X", buyer="b")])
    assert found == {("l:N", "S1"): (1.0, "order")}


def test_a_buyer_returns_the_latest_purchases_first():
    sales = [sale("S1", 1, 3, buyer="b"), sale("S2", 2, 3, buyer="b"), sale("S3", 2, 3, buyer="c")]
    found = match(sales, lines=[negative("N", 5, -4, order="C9", buyer="b")])
    assert found == {("l:N", "S2"): (3.0, "buyer"), ("l:N", "S1"): (1.0, "buyer")}


def test_a_sale_after_the_return_is_never_its_sale():
    assert match([sale("S1", 9, buyer="b")], lines=[negative("N", 5, order="C9", buyer="b")]) == {}


def test_a_sale_of_the_same_day_may_have_come_back():
    assert match([sale("S1", 5, buyer="b")], lines=[negative("N", 5, order="C9", buyer="b")]) == {
        ("l:N", "S1"): (1.0, "buyer")
    }


def test_an_unknown_buyer_is_matched_near_the_usual_lag():
    sales = [sale("S1", 70), sale("S2", 91), sale("S3", 99)]
    found = match(sales, returns=[returned("R", 100)])
    assert found == {("r:R", "S2"): (1.0, "lag")}


def test_a_sale_before_the_history_leaves_the_return_unmatched():
    assert match([sale("S1", 1)], returns=[returned("R", 300)]) == {}
    assert match([sale("S1", 1, sku="B")], returns=[returned("R", 3)]) == {}


@pytest.mark.parametrize(("lag", "is_matched"), [(CONFIG.longest_lag_days, True), (CONFIG.longest_lag_days + 1, False)])
def test_a_return_without_buyer_reaches_back_as_far_as_the_longest_lag(lag, is_matched):
    found = match([sale("S1", 10)], returns=[returned("R", 10 + lag)])
    assert found == ({("r:R", "S1"): (1.0, "lag")} if is_matched else {})


def test_a_return_without_buyer_may_be_of_a_sale_of_its_own_day():
    assert match([sale("S1", 5), sale("S2", 6)], returns=[returned("R", 5)]) == {("r:R", "S1"): (1.0, "lag")}


def test_a_known_buyer_without_a_sale_is_not_matched_with_a_stranger():
    assert match([sale("S1", 1, buyer="c")], lines=[negative("N", 5, order="C9", buyer="b")]) == {}


def test_a_stock_correction_is_nobodys_return():
    events = return_events(frame([negative("N", 5, -9, price=0.0)], NEGATIVE), frame([], RETURN))
    assert events["is_adjustment"].to_list() == [True]
    assert match([sale("S1", 1)], lines=[negative("N", 5, price=0.0)]) == {}


def test_the_same_return_in_both_tables_counts_once():
    lines = [negative("N", 5, order="X"), negative("N2", 6, order="Y")]
    events = return_events(frame(lines, NEGATIVE), frame([returned("R", 5, line="N")], RETURN))
    assert events["event_id"].to_list() == ["r:R", "l:N2"]
    found = match([sale("S1", 1, order="X")], lines=lines[:1], returns=[returned("R", 5, line="N")])
    assert found == {("r:R", "S1"): (1.0, "order")}


@pytest.mark.parametrize("how", ["line", "buyer", "none"])
@given(data=st.data())
def test_units_are_neither_made_nor_lost(how, data):
    n = data.draw(st.integers(1, 6))
    buyers = data.draw(st.lists(st.sampled_from(["b", "c"]), min_size=n, max_size=n))
    days = data.draw(st.lists(st.integers(0, 30), min_size=n, max_size=n))
    sold = data.draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))
    sales = [sale(f"S{i}", days[i], sold[i], buyer=buyers[i] if how == "buyer" else None) for i in range(n)]
    wants = data.draw(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6), st.integers(0, n - 1)), max_size=5))
    if how == "buyer":
        found = match(sales, lines=[negative(f"N{i}", d, -q, buyer="b") for i, (d, q, _) in enumerate(wants)])
    else:
        line = (lambda k: f"S{k}") if how == "line" else (lambda k: None)
        found = match(sales, returns=[returned(f"N{i}", d, q, line=line(k)) for i, (d, q, k) in enumerate(wants)])
    asked = {("l:" if how == "buyer" else "r:") + f"N{i}": (d, q) for i, (d, q, _) in enumerate(wants)}
    for i, s in enumerate(sales):
        assert sum(u for (_, line_id), (u, _) in found.items() if line_id == s["order_line_id"]) <= sold[i]
    for event, (day, quantity) in asked.items():
        own = {line_id: u for (e, line_id), (u, _) in found.items() if e == event}
        assert sum(own.values()) <= quantity
        if how != "line":
            assert all(days[int(line_id[1:])] <= day for line_id in own)
