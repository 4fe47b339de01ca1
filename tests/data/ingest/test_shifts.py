"""Which rows of a delivery decide whether it is in another unit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from drop_shop import D, DropShop, order_lines

from data.errors import DataError
from data.ingest import shifts


def in_fen(rows: list[str]) -> list[str]:
    """The same lines at a hundred times the price."""
    return [r.replace(".50,B", "50.00,B") for r in rows]


def test_what_is_sold_after_the_run_date_decides_nothing(shop: DropShop):
    later = D + timedelta(days=4)
    shop.drop("order_lines", "a.csv", order_lines())
    shop.run()
    shop.drop("order_lines", "b.csv", order_lines(start=201) + in_fen(order_lines(400, day=str(later), start=1001)))
    shop.run()
    assert shop.query("select count(*) from stg_order_lines") == [(400,)]
    shop.drop("order_lines", "c.csv", in_fen(order_lines(day=str(later), start=2001)))
    with pytest.raises(DataError, match="UNIT_SHIFT.*c.csv.*unit_price is 100 times"):
        shop.run(later)


def test_a_sample_of_a_large_delivery_tells_its_unit(shop: DropShop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shifts, "SAMPLED_ROWS", 100)
    shop.drop("order_lines", "a.csv", order_lines(700))
    shop.run()
    medians = dict(shop.query("select sku, m from medians_order_lines_unit_price"))
    assert medians == {
        f"SKU-{i:03d}": 10.5 + i for i in range(30) if any(n % 7 == 0 and n % 30 == i for n in range(1, 701))
    }
    shop.drop("order_lines", "b.csv", in_fen(order_lines(700, start=701)))
    with pytest.raises(DataError, match="UNIT_SHIFT.*b.csv"):
        shop.run()


def test_rows_that_are_known_already_do_not_hide_the_unit_of_new_ones(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.run()
    shop.drop("order_lines", "b.csv", order_lines() + in_fen(order_lines(60, start=1001)))
    with pytest.raises(DataError, match="UNIT_SHIFT.*b.csv.*unit_price is 100 times"):
        shop.run()
