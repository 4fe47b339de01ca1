"""Snapshots that come back: the same content stands again from its new day, and is loaded and counted once."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from drop_shop import D, DropShop, order_lines

NIGHTS = [D + timedelta(days=i) for i in range(3)]
EMPTY = "po_id,sku,expected_receipt_date,open_qty\n"
FULL = EMPTY + "PO-1,SKU-001,2026-03-20,12\n"
CONTENTS = [EMPTY, FULL, EMPTY]


def open_quantities(shop: DropShop) -> list[float]:
    return [row[0] for row in shop.query("select open_qty from stg_purchase_orders")]


def file_name(dated: bool, night: date) -> str:
    return f"purchase_orders_{night}.csv" if dated else f"export {night:%A}.csv"


@pytest.fixture(params=["day in the name", "day of arrival", "one name"])
def three_nights(shop: DropShop, request: pytest.FixtureRequest) -> DropShop:
    """Open orders delivered as empty, full, empty, one file a night, each night run and published."""
    shop.drop("order_lines", "a.csv", order_lines())
    for i, night in enumerate(NIGHTS):
        name = file_name(request.param == "day in the name", night)
        if request.param == "one name":
            name = "purchase_orders.csv"
        shop.drop("purchase_orders", name, CONTENTS[i], mtime=1_772_000_000 + 86_400 * i)
        shop.run(night)
        assert open_quantities(shop) == ([12.0] if i == 1 else []), night
        shop.publish(night)
    return shop


def test_an_empty_snapshot_that_comes_back_is_in_force_again(three_nights: DropShop):
    rows = three_nights.query("select rows_in, rows_loaded from row_accounts where \"table\" = 'purchase_orders'")
    assert sorted(rows) == [(0, 0), (1, 1)], "the content that came back is accounted for once"
    three_nights.run(NIGHTS[1])
    assert open_quantities(three_nights) == [12.0]
    (three_nights.home / "warehouse.duckdb").unlink()
    for night, expected in zip(NIGHTS, ([], [12.0], []), strict=True):
        three_nights.run(night)
        assert open_quantities(three_nights) == expected, night


def test_the_return_of_a_content_does_not_hide_that_it_stood_before(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines(day=NIGHTS[0].isoformat()))
    for night, content in zip(NIGHTS, (FULL, EMPTY, FULL), strict=True):
        shop.drop("purchase_orders", file_name(True, night), content)
    for night, expected in reversed(list(zip(NIGHTS, ([12.0], [], [12.0]), strict=True))):
        shop.run(night)  # backwards: the home's first run took all three files in
        assert open_quantities(shop) == expected, night
        assert shop.query("select distinct as_of_date from stg_purchase_orders") == ([(night,)] if expected else [])


def test_a_copy_with_an_old_time_of_change_counts_from_its_arrival(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    for night, name, content, mtime in zip(NIGHTS, "abc", (FULL, EMPTY, FULL), (1.1e9, 1e9, 9e8), strict=True):
        shop.drop("purchase_orders", f"{name}.csv", content, mtime=mtime)
        shop.run(night)
        shop.publish(night)
    assert open_quantities(shop) == [12.0]


def test_restating_a_night_leaves_out_the_snapshots_of_later_days(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    for night, content in zip(NIGHTS, (FULL, EMPTY, FULL), strict=True):
        shop.drop("purchase_orders", file_name(True, night), content)
        shop.run(night)
        shop.publish(night)
    for night, expected in zip(NIGHTS, ([12.0], [], [12.0]), strict=True):
        shop.run(night, restate=True)
        assert open_quantities(shop) == expected, night
