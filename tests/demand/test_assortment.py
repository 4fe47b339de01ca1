"""Which items are planned, and what class of demand they have."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from demand.assortment import assortment_frame, demand_classes, series_span
from demand.config import StatusConfig
from demand.items import item_facts, prices_by_location, regular_prices
from demand.panel import Panel, Periods

CONFIG = StatusConfig()
RUN_DAY = 1000
DAYS = ("first_sale", "last_sale", "launch", "end_of_sale", "licence_end", "replaced_on", "feed_end", "first_seen")
FACTS = ("style_id", "title", "category", "ip", "product_type", "size", "supplier_id")


def status_of(**facts):
    row = {"sku": "A", "location_id": "main", "is_product": True, "is_held": False, "demand_class": "smooth"}
    row |= dict.fromkeys(DAYS) | {"regular_price": 1.0, "unit_cost": 1.0} | dict.fromkeys(FACTS)
    row |= {"first_sale": 100, "last_sale": 990, "first_seen": 100} | facts
    schema = dict.fromkeys(DAYS, pl.Int64) | dict.fromkeys(FACTS, pl.String)
    frame = assortment_frame(pl.DataFrame([row], schema_overrides=schema), run_day=RUN_DAY, config=CONFIG)
    found = frame.row(0, named=True)
    since = found["since_date"]
    return found["status"], found["reason"], None if since is None else int(np.datetime64(since, "D").astype(int))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ("active", "on_sale", 100)),
        ({"is_product": False}, ("not_product", "not_a_product", 100)),
        ({"end_of_sale": 1000}, ("ended", "end_of_sale", 1000)),
        ({"end_of_sale": 1001}, ("active", "on_sale", 100)),
        ({"licence_end": 900}, ("ended", "licence_ended", 900)),
        ({"replaced_on": 950}, ("superseded", "replaced", 950)),
        ({"replaced_on": 1200}, ("active", "on_sale", 100)),
        ({"feed_end": 900}, ("ended", "left_the_feed", 900)),
        ({"feed_end": 980}, ("active", "on_sale", 100)),
        ({"first_sale": None, "last_sale": None, "launch": 1030}, ("active", "on_sale", 1030)),
        ({"last_sale": 600}, ("dormant", "no_sale_for_long", 965)),
        ({"last_sale": 600, "feed_end": 1000}, ("active", "on_sale", 100)),
        ({"last_sale": 600, "is_held": True}, ("active", "on_sale", 100)),
        ({"first_sale": None, "last_sale": None}, ("dormant", "never_sold_here", 100)),
        ({"first_sale": None, "last_sale": None, "is_held": True}, ("active", "on_sale", 100)),
    ],
)
def test_the_first_rule_that_applies_gives_the_status(facts, expected):
    assert status_of(**facts) == expected


def test_a_launch_ahead_is_planned_where_its_first_order_goes_and_listed_elsewhere():
    facts = {"first_sale": None, "last_sale": None, "first_seen": None, "launch": RUN_DAY + 9, "is_product": True}
    rows = [
        dict.fromkeys([*DAYS, *FACTS]) | facts
        | {"sku": "A", "location_id": place, "is_held": place == "web", "demand_class": None}
        | {"regular_price": 1.0, "unit_cost": 1.0}
        for place in ("north", "web")
    ]  # fmt: skip
    schema = dict.fromkeys(DAYS, pl.Int64) | dict.fromkeys([*FACTS, "demand_class"], pl.String)
    frame = assortment_frame(pl.DataFrame(rows, schema_overrides=schema), run_day=RUN_DAY, config=CONFIG)
    assert frame["status"].to_list() == ["not_launched", "active"]
    assert frame["reason"].to_list() == ["launch_ahead", "on_sale"]


def class_of(units, *, days=1):
    units = np.asarray(units, dtype=float)
    panel = Panel(pl.DataFrame({"sku": ["A"], "location_id": ["main"]}), np.array([-len(units)]), np.array([-1]))
    named, first, last = demand_classes(
        units, np.zeros(len(units), bool), panel, periods=Periods(0, days), config=CONFIG
    )
    return named[0], int(first[0]), int(last[0])


def pattern(*cycle, n=360):
    return np.resize(np.array(cycle, dtype=float), n)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (pattern(5, 6, 5, 4), "smooth"),
        (pattern(1, 1, 1, 20), "erratic"),
        (pattern(5, 0, 0, 5, 0, 0), "intermittent"),
        (pattern(1, 0, 0, 30, 0, 0), "lumpy"),
        (pattern(5, 6, n=55), "new"),
        (np.concatenate([pattern(5, 6, n=200), np.zeros(183)]), "dead"),
        (np.zeros(100), "dead"),
    ],
)
def test_classes_of_demand(units, expected):
    assert class_of(units)[0] == expected


def test_first_and_last_sale_are_found():
    assert class_of([0, 2, 0, 3, 0])[1:] == (-4, -2)
    assert class_of([0, 0])[1:] == (0, 0)


def span_of(**facts):
    row = dict.fromkeys(("first_sale", "last_sale", "first_receipt", "last_receipt", "launch", "end_of_sale"))
    row |= {"first_stocked": None, "is_held": False, "launch_is_local": True} | facts
    schema = {k: pl.Int64 for k in row if k not in ("is_held", "launch_is_local")}
    frame = series_span(pl.DataFrame([row], schema_overrides=schema), first_day=500, run_day=RUN_DAY, config=CONFIG)
    return frame["start"][0], frame["end"][0]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"first_sale": 600, "last_sale": 990}, (600, 1000)),
        ({"first_sale": 600, "last_sale": 990, "launch": 580}, (580, 1000)),
        ({"first_sale": 600, "last_sale": 990, "launch": 100}, (500, 1000)),
        ({"first_sale": 600, "last_sale": 990, "launch": 580, "launch_is_local": False}, (600, 1000)),
        ({"first_sale": 600, "last_sale": 990, "launch": 580, "first_stocked": 590}, (590, 1000)),
        ({"first_sale": 600, "last_sale": 700, "end_of_sale": 800}, (600, 800)),
        ({"first_sale": 510, "last_sale": 600}, (510, 600)),
        ({"first_sale": 510, "last_sale": 600, "is_held": True}, (510, 1000)),
        ({"first_sale": 510, "last_sale": 600, "last_receipt": 640, "first_receipt": 505}, (505, 640)),
        ({"first_receipt": 700, "last_receipt": 710}, (700, 710)),
        ({"launch": 990}, (990, 1000)),
        ({"launch": 1010}, (None, None)),
    ],
)
def test_a_series_runs_while_it_is_on_sale(facts, expected):
    assert span_of(**facts) == expected


def test_the_regular_price_is_in_force_then_listed_then_paid():
    keys = pl.DataFrame({"sku": ["A", "B", "C", "D"], "location_id": ["web"] * 4})
    prices = pl.DataFrame(
        {
            "sku": ["A", "A", "A", "B"],
            "location_id": ["web", "web", "web", "main"],
            "channel": ["*", "*", "app", "*"],
            "from_day": [1, 9, 20, 3],
            "price": [10.0, 11.0, 99.0, 20.0],
        }
    )
    products = pl.DataFrame({"sku": ["A", "C"], "list_price": [1.0, 30.0]})
    paid = pl.DataFrame({"sku": ["C", "D"], "location_id": ["web", "web"], "paid": [2.0, 40.0]})
    found = regular_prices(prices_by_location(prices, keys), products, paid, keys)
    assert dict(found.select("sku", "regular_price").iter_rows()) == {"A": 11.0, "B": 20.0, "C": 30.0, "D": 40.0}


def test_a_sku_is_replaced_once_its_successor_is_launched():
    products = pl.DataFrame(
        {
            "sku": ["OLD", "NEW"],
            "is_product": [True, True],
            "replaces_sku": [None, "OLD"],
            "launch_date": pl.Series([None, 950], dtype=pl.Int32).cast(pl.Date),
            **{name: pl.Series([None, None], dtype=pl.Date) for name in ("end_of_sale_date", "licence_end_date")},
            **{name: pl.Series([None, None], dtype=pl.String) for name in FACTS},
            "unit_cost": pl.Series([None, 3.0]),
        }
    )
    supply = pl.DataFrame({"sku": ["OLD"], "supplier_id": ["S1"], "unit_cost": [2.0]})
    keys = pl.DataFrame({"sku": ["OLD", "NEW"], "location_id": ["main", "main"]})
    facts = {row["sku"]: row for row in item_facts(keys, products, supply, run_day=RUN_DAY).iter_rows(named=True)}
    assert (facts["OLD"]["replaced_on"], facts["NEW"]["replaced_on"]) == (950, None)
    assert (facts["OLD"]["unit_cost"], facts["NEW"]["unit_cost"]) == (2.0, 3.0)
