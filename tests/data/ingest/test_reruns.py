"""A run that is repeated says what it said before, and what arrived meanwhile is the next run's to tell."""

from __future__ import annotations

from datetime import timedelta

import pytest
from drop_shop import LINES, D, DropShop, order_lines

NEXT = D + timedelta(days=1)
CHECKS = (
    'select "table", "check", status, severity, observed, expected, rows_checked, rows_failed, sample_keys, advice '
    f"from checks where step = 'ingest' and run_date = date '{D}' order by all"
)
QUARANTINE = "from quarantine order by all"
PRODUCTS = "sku\n" + "".join(f"SKU-{i:03d}\n" for i in range(29))
TOLD = ("NORMALISED_TEXT", "UNKNOWN_COLUMNS", "EMPTY_DELIVERY", "DUPLICATE_DELIVERY", "stale_source", "UNKNOWN_SKU")


def strange_lines(column: str, day: str, start: int) -> str:
    header = LINES.rstrip("\n") + f",{column}"
    return "\r\n".join([header, *(f"{row},x" for row in order_lines(60, day=day, start=start))]) + "\r\n"


@pytest.fixture
def told(shop: DropShop) -> DropShop:
    """A published night with something to say of its files, of a source and of SKUs."""
    shop.source("signals")
    shop.drop("products", "products_2026-02-27.csv", PRODUCTS)
    shop.drop("order_lines", "old.csv", order_lines(60, day="2026-02-28", start=2000))
    shop.run(D - timedelta(days=1))
    shop.publish(D - timedelta(days=1))
    shop.drop("products", f"products_{D}.csv", PRODUCTS + "SKU-029\n")
    shop.drop("order_lines", "new.csv", strange_lines("colour_code", D.isoformat(), 1), mtime=1_772_000_000)
    shop.drop("order_lines", "again.csv", order_lines(60, day="2026-02-28", start=2000))
    shop.drop("returns", "none.csv", "return_id,returned_at,sku,quantity\n")
    shop.sources["returns"]["timezone"] = shop.timezone
    shop.run(D)
    shop.publish(D)
    return shop


def later(shop: DropShop) -> None:
    shop.drop("order_lines", "late.csv", strange_lines("till", NEXT.isoformat(), 500) + "L999,,,,,,,\r\n")
    odd = [f"X1,O1,{NEXT} 10:00:00,NEW-1,1,5.00,B1", f"X2,O1,{NEXT} 10:00:00,POST,1,5.00,B1"]
    shop.drop("order_lines", "unheard.csv", [*odd, *order_lines(30, start=700)])
    shop.drop("signals", "s.csv", "date,source,region,element_type,element,metric,value\n2026-03-01,web,e,ip,A,v,5\n")


def test_a_rerun_reports_what_the_first_run_reported(told: DropShop):
    first, held = told.query(CHECKS), told.query(QUARANTINE)
    assert set(TOLD) <= {row[1] for row in first}
    assert "; 2 rows were released" in {row[1]: row[4] for row in first}["UNKNOWN_SKU"]
    told.run(D)
    assert (told.query(CHECKS), told.query(QUARANTINE)) == (first, held)
    later(told)
    told.run(D)
    assert (told.query(CHECKS), told.query(QUARANTINE)) == (first, held)
    told.run(NEXT)
    told.publish(NEXT)
    told.run(D)
    assert (told.query(CHECKS), told.query(QUARANTINE)) == (first, held)


@pytest.mark.parametrize("between", [True, False])
def test_what_arrived_before_a_rerun_is_told_by_the_next_run(told: DropShop, between: bool):
    later(told)
    if between:
        told.run(D)
    told.run(NEXT)
    notes = dict(told.query(f"select \"check\", sample_keys from checks where status = 'warn' and run_date = '{NEXT}'"))
    assert notes["UNKNOWN_COLUMNS"] == ["till"]
    assert notes["NORMALISED_TEXT"] == ["late.csv"]
    assert "stale_source" not in notes
    assert "DUPLICATE_DELIVERY" not in notes


def test_a_second_try_of_a_night_adds_to_what_the_first_said(shop: DropShop):
    shop.drop("order_lines", "a.csv", strange_lines("colour_code", D.isoformat(), 1))
    for _ in range(2):
        shop.run(D)
        assert shop.notes()["UNKNOWN_COLUMNS"].count("1 columns") == 1
    shop.drop("order_lines", "b.csv", strange_lines("till", D.isoformat(), 500))
    shop.run(D)
    notes = dict(shop.query("select \"check\", sample_keys from checks where status = 'warn'"))
    assert notes["UNKNOWN_COLUMNS"] == ["colour_code", "till"]


def test_after_a_lost_warehouse_the_notes_on_files_come_back_to_their_nights(told: DropShop):
    first = {row[1]: row for row in told.query(CHECKS)}
    later(told)
    told.run(NEXT)
    told.publish(NEXT)
    (told.home / "warehouse.duckdb").unlink()
    told.run(NEXT)
    assert "colour_code" not in str(told.query("select sample_keys from checks"))
    assert "DUPLICATE_DELIVERY" not in told.notes(), "files that still lie there are no new delivery"
    told.run(D)
    again = {row[1]: row for row in told.query(CHECKS)}
    for code in ("NORMALISED_TEXT", "UNKNOWN_COLUMNS", "EMPTY_DELIVERY"):
        assert again[code] == first[code]


def test_a_row_that_only_a_later_run_condemned_is_not_in_an_earlier_quarantine(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines(60))
    shop.run(D)
    shop.publish(D)
    shop.drop("products", f"products_{NEXT}.csv", PRODUCTS)
    shop.run(NEXT)
    assert {row[1] for row in shop.quarantined()} == {"UNKNOWN_SKU"}
    shop.run(D)
    assert shop.table("quarantine") == []
    shop.run(NEXT)
    assert len(shop.quarantined()) == 2
