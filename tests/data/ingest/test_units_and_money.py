"""What a source declares of its values: units, aliases, locale, currency."""

from __future__ import annotations

import pytest
from drop_shop import DropShop

from data.errors import ConfigError
from data.ingest.faults import DeliveryRefused
from data.settings import SourceSettings

HEADER = "order_line_id,ordered_at,sku,quantity,unit_price\n"


def loaded(shop: DropShop) -> list[tuple[str, int, float]]:
    return shop.query("select sku, quantity, unit_price::double from raw_order_lines order by order_line_id")


def connect(shop: DropShop, **options) -> None:
    shop.source("order_lines", timezone="Asia/Shanghai", max_quarantine_share=1, **options)


def test_cents_and_boxes_are_brought_to_our_units_exactly(shop):
    connect(shop, units={"unit_price": 0.01, "quantity": 12})
    shop.drop("order_lines", "a.csv", HEADER + "L1,2026-03-01,A,2,1005\nL2,2026-03-01,A,1,10.5\n")
    shop.run()
    assert loaded(shop) == [("A", 24, 10.05), ("A", 12, 0.105)]


def test_a_count_that_does_not_stay_whole_goes_to_quarantine(shop):
    connect(shop, units={"quantity": 0.5})
    shop.drop("order_lines", "a.csv", HEADER + "L1,2026-03-01,A,3,1\nL2,2026-03-01,A,4,1\n")
    shop.run()
    assert loaded(shop) == [("A", 2, 1.0)]
    assert [q[1:] for q in shop.quarantined()] == [("NOT_INTEGER", "quantity", "3")]


def test_values_are_loaded_under_the_name_that_the_shop_uses(shop):
    connect(shop, aliases={"sku": {"OLD-1": "NEW-1"}})
    shop.drop("order_lines", "a.csv", HEADER + "L1,2026-03-01,OLD-1,3,1\nL2,2026-03-01,X,4,1\n")
    shop.run()
    assert [row[0] for row in loaded(shop)] == ["NEW-1", "X"]


def test_units_of_a_column_that_there_is_not_are_refused(shop):
    connect(shop, units={"price": 0.01})
    shop.drop("order_lines", "a.csv", HEADER + "L1,2026-03-01,A,2,1005\n")
    with pytest.raises(DeliveryRefused, match=r"maps \['price'\], which order_lines does not have"):
        shop.run()


@pytest.mark.parametrize(
    ("locale", "text"), [("de", "1.234,5"), ("fr", "1 234,5"), ("ch", "1'234.5"), ("en", "1,234.5")]
)
def test_a_locale_stands_for_its_marks(shop, locale, text):
    connect(shop, locale=locale, delimiter=";")
    shop.drop("order_lines", "a.csv", HEADER.replace(",", ";") + f"L1;2026-03-01;A;2;{text}\n")
    shop.run()
    assert loaded(shop) == [("A", 2, 1234.5)]


def test_what_is_written_beside_a_locale_wins():
    assert SourceSettings(name="a", path="x", locale="de", thousands="").thousands == ""


RATES = "date,currency,rate\n2026-02-20,EUR,8\n2026-03-01,EUR,7.5\n2026-03-01,USD,7\n"


def test_fault_33_a_declared_currency_is_converted_with_the_rate_of_its_day(shop):
    connect(shop, currency="EUR")
    rows = "L1,2026-03-01 10:00,A,1,10\nL2,2026-02-27 10:00,B,1,10\nL3,2026-02-19 10:00,C,1,10\n"
    shop.drop("order_lines", "a.csv", HEADER + rows)
    shop.drop("fx_rates", "rates.csv", RATES)
    shop.run()
    assert loaded(shop) == [("A", 1, 75.0), ("B", 1, 80.0)]
    assert [q[1:] for q in shop.quarantined()] == [("CURRENCY_UNKNOWN", "currency", "EUR")]
    assert shop.query("""select raw_row from quarantine where raw_row like '%"sku":"C"%'""") != []


def test_the_shops_own_currency_needs_no_rate(shop):
    connect(shop, currency="CNY")
    shop.drop("order_lines", "a.csv", HEADER + "L1,2026-03-01,A,1,10\n")
    shop.run()
    assert loaded(shop) == [("A", 1, 10.0)]


def test_a_factor_of_nothing_is_refused(shop):
    connect(shop, units={"quantity": 0})
    shop.drop("order_lines", "a.csv", HEADER + "L1,2026-03-01,A,1,10\n")
    with pytest.raises(ConfigError, match="units are finite factors other than 0"):
        shop.run()
