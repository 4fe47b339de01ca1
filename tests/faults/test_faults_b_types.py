"""Group B: types, units and schema. One test id per row of the catalogue."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from drop_shop import LINES, D, DropShop, order_lines

from data.errors import DataError
from data.ingest.faults import DeliveryRefused


def with_value(column: str, value: str, *, at: int = 5, n: int = 200) -> list[str]:
    """Sound records, but for one value."""
    rows = order_lines(n)
    fields = rows[at].split(",")
    fields[LINES.strip().split(",").index(column)] = value
    rows[at] = ",".join(f'"{f}"' if "," in f else f for f in fields)
    return rows


def quarantined_for(shop: DropShop, column: str, value: str) -> list[tuple[Any, ...]]:
    shop.drop("order_lines", "a.csv", with_value(column, value))
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 199, 1, 0)
    return shop.quarantined()


def test_fault_26_a_fraction_in_an_integer_column_beyond_the_sample(shop: DropShop):
    shop.drop("order_lines", "a.csv", with_value("quantity", "1.9", at=21_500, n=22_000))
    shop.run()
    assert shop.quarantined() == [(21_501, "NOT_INTEGER", "quantity", "1.9")]
    assert shop.query("select sum(quantity) from raw_order_lines")[0][0] == sum(
        1 + i % 3 for i in range(1, 22_001) if i != 21_501
    )


def test_fault_26_an_exact_integer_with_a_point_is_one(shop: DropShop):
    shop.drop("order_lines", "a.csv", with_value("quantity", "7.0"))
    shop.run()
    assert shop.query("select quantity from raw_order_lines where row_number = 6") == [(7,)]


def test_fault_27_leading_zeros_stay_text(shop: DropShop):
    shop.drop("order_lines", "a.csv", with_value("sku", "007"))
    shop.run()
    assert shop.query("select sku from raw_order_lines where row_number = 6") == [("007",)]


def test_fault_28_a_bar_code_in_scientific_notation(shop: DropShop):
    assert quarantined_for(shop, "sku", "6.93E+12") == [(6, "SCIENTIFIC_ID", "sku", "6.93E+12")]


def test_fault_29_a_number_that_could_be_two(shop: DropShop):
    assert quarantined_for(shop, "unit_price", "1.234,56") == [(6, "AMBIGUOUS_NUMBER", "unit_price", "1.234,56")]


def test_fault_29_the_same_number_where_the_locale_is_declared(shop: DropShop):
    shop.source("order_lines", timezone="Asia/Shanghai", decimal=",", thousands=".")
    rows = [r.replace(".50,", ",") for r in with_value("unit_price", "1.234,56")]
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert float(shop.query("select unit_price from raw_order_lines where row_number = 6")[0][0]) == 1234.56


@pytest.mark.parametrize("value", ["1,234.50", "１２.５", "1 234"])
def test_fault_30_thousands_full_width_digits_and_inner_spaces(shop: DropShop, value: str):
    assert quarantined_for(shop, "unit_price", value)[0][1] in ("AMBIGUOUS_NUMBER", "NOT_A_NUMBER")


def test_fault_30_spaces_around_a_number_and_declared_thousands_are_normalised(shop: DropShop):
    shop.source("order_lines", timezone="Asia/Shanghai", thousands=",")
    shop.drop("order_lines", "a.csv", with_value("unit_price", " 1,234.50 "))
    shop.run()
    assert float(shop.query("select unit_price from raw_order_lines where row_number = 6")[0][0]) == 1234.5


@pytest.mark.parametrize("value", ["0x1F", "1_000"])
@pytest.mark.parametrize("column", ["quantity", "unit_price"])
def test_fault_31_notations_of_programmers(shop: DropShop, column: str, value: str):
    assert quarantined_for(shop, column, value) == [(6, "NOT_A_NUMBER", column, value)]


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", "1e400"])
def test_fault_32_not_finite(shop: DropShop, value: str):
    assert quarantined_for(shop, "unit_price", value) == [(6, "NOT_FINITE", "unit_price", value)]


def test_fault_32_not_finite_in_parquet(shop: DropShop):
    frame = pd.DataFrame({"ds": [D] * 3, "sku": ["A", "B", "C"], "units": [1.0, float("inf"), 2.0]})
    shop.sources.clear()
    shop.frame("period_sales", "a.parquet", frame)
    shop.run()
    assert shop.quarantined() == [(2, "NOT_FINITE", "units", "inf")]


@pytest.mark.parametrize("factor", [7.2, 0.14])
def test_fault_33_an_undeclared_currency_is_a_unit_shift(shop: DropShop, factor: float):
    for day in ("2026-02-26", "2026-02-27", "2026-02-28"):
        shop.drop("order_lines", f"{day}.csv", order_lines(90, day=day, start=int(day[-2:]) * 100))
    shop.run()
    shifted = [
        ",".join([*r.split(",")[:5], f"{float(r.split(',')[5]) * factor:.2f}", r.split(",")[6]])
        for r in order_lines(90)
    ]
    shop.drop("order_lines", "2026-03-01.csv", shifted)
    with pytest.raises(DeliveryRefused, match=r"UNIT_SHIFT: .*2026-03-01\.csv: unit_price is") as caught:
        shop.run()
    assert caught.value.exit_code == 3
    assert shop.query("select count(*) from deliveries") == [(3,)]


def test_fault_34_everything_times_a_hundred(shop: DropShop):
    for day in ("2026-02-26", "2026-02-27"):
        shop.drop("order_lines", f"{day}.csv", order_lines(90, day=day, start=int(day[-2:]) * 100))
    hundredfold = [",".join([*r.split(",")[:4], r.split(",")[4] + "00", *r.split(",")[5:]]) for r in order_lines(90)]
    shop.run()
    shop.drop("order_lines", "2026-03-01.csv", hundredfold)
    with pytest.raises(DeliveryRefused, match="UNIT_SHIFT: .*quantity is 100 times"):
        shop.run()


def test_fault_36_day_and_month_swapped(shop: DropShop):
    rows = order_lines()
    swapped = [r.replace("2026-03-01", f"2026-{13 + i % 10}-02") if i > 150 else r for i, r in enumerate(rows)]
    shop.drop("order_lines", "a.csv", swapped)
    with pytest.raises(DeliveryRefused, match="DATE_SWAPPED: .*line 153") as caught:
        shop.run()
    assert caught.value.exit_code == 3


def test_fault_37_excel_serial_dates_only_where_declared(shop: DropShop):
    assert quarantined_for(shop, "ordered_at", "46082") == [(6, "DATE_FORMAT", "ordered_at", "46082")]
    shop.source("prices", date_format="excel")
    shop.drop("prices", "p.csv", "sku,from_date,price\nSKU-001,46082,5\n")
    shop.run()
    assert shop.query("select from_date::varchar from raw_prices") == [("2026-03-01",)]


def test_fault_38_the_1904_date_system_shifts_nothing(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.source("prices", date_format="excel1904")
    shop.drop("prices", "p.csv", f"sku,from_date,price\nSKU-001,{46082 - 1462},5\n")
    shop.run()
    assert shop.query("select from_date::varchar from raw_prices") == [("2026-03-01",)]


@pytest.mark.parametrize("value", ["2026-02-30 10:00:00", "9999-12-31 10:00:00"])
def test_fault_39_days_that_are_none(shop: DropShop, value: str):
    assert quarantined_for(shop, "ordered_at", value)[0][1] == "DATE_RANGE"


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_fault_40_a_renamed_column_is_schema_drift_with_a_hint(shop: DropShop, tmp_path: Path, kind: str):
    text = LINES.replace("unit_price", "unit_prices") + "\n".join(order_lines()) + "\n"
    if kind == "parquet":
        path = tmp_path / "a.csv"
        path.write_text(text)
        shop.frame("order_lines", "a.parquet", pd.read_csv(path, dtype=str))
    else:
        shop.drop("order_lines", f"a.{kind}", text if kind == "csv" else gzip.compress(text.encode()))
    with pytest.raises(DeliveryRefused, match=r"SCHEMA_DRIFT: .*'unit_price': did you mean 'unit_prices'\?") as caught:
        shop.run()
    assert caught.value.exit_code == 3


def test_fault_40_an_optional_column_that_was_there_before_is_not_lost_in_silence(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.run()
    shop.drop(
        "order_lines", "b.csv", (LINES + "\n".join(order_lines(start=500))).replace("buyer_ref", "buyer_reference")
    )
    with pytest.raises(DeliveryRefused, match="'buyer_ref' is gone and 'buyer_reference' is new: renamed"):
        shop.run()


def test_fault_41_columns_in_another_order(shop: DropShop):
    names = LINES.strip().split(",")
    records = [",".join(reversed(r.split(","))) for r in order_lines()]
    shop.drop("order_lines", "a.csv", ",".join(reversed(names)) + "\n" + "\n".join(records) + "\n")
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
    assert shop.query("select sku, quantity from raw_order_lines where row_number = 1") == [("SKU-001", 2)]


def test_fault_42_a_new_column_is_reported_and_kept_in_landing(shop: DropShop):
    text = LINES.strip() + ",utm\n" + "\n".join(r + ",x" for r in order_lines()) + "\n"
    shop.drop("order_lines", "a.csv", text)
    shop.run()
    assert "1 columns of order_lines are not used" in shop.notes()["UNKNOWN_COLUMNS"]
    (kept,) = (shop.home / "landing").glob("??/*")
    assert [r.rsplit(",", 2)[::2] for r in kept.read_text().splitlines()] == [
        r.rsplit(",", 2)[::2] for r in text.splitlines()
    ]


def test_fault_43_a_required_column_is_gone(shop: DropShop):
    records = [",".join(r.split(",")[:4] + r.split(",")[5:]) for r in order_lines()]
    shop.drop("order_lines", "a.csv", LINES.replace("quantity,", "") + "\n".join(records) + "\n")
    with pytest.raises(DeliveryRefused, match="SCHEMA_DRIFT: .*expected column 'quantity'"):
        shop.run()


def test_fault_44_units_in_a_number_and_too_many_of_them(shop: DropShop):
    assert quarantined_for(shop, "quantity", "3 pcs") == [(6, "NOT_A_NUMBER", "quantity", "3 pcs")]
    rows = [r.replace(",2026-03-01", ",2026-02-28") for r in order_lines(200, start=1000)]
    bad = [",".join([*r.split(",")[:4], "3 pcs", *r.split(",")[5:]]) if i % 20 == 0 else r for i, r in enumerate(rows)]
    shop.drop("order_lines", "b.csv", bad)
    with pytest.raises(DeliveryRefused, match="QUARANTINE_LIMIT: .*10 of 200 rows") as caught:
        shop.run()
    assert caught.value.exit_code == 3


def test_fault_45_a_new_enum_value(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.drop("proposal_decisions", "d.csv", "proposal_id,decision\nP1,accepted\nP2,maybe\n")
    shop.run()
    assert shop.quarantined() == [(2, "ENUM", "decision", "maybe")]


def test_fault_46_spellings_of_a_sku_are_one(shop: DropShop):
    rows = order_lines()
    rows[0] = rows[0].replace("SKU-001", " ＳＫＵ－００１ ")
    rows[1] = rows[1].replace("SKU-002", "SKU-002\u00a0")
    rows[2] = rows[2].replace("SKU-003", "sku-003")
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.query("select sku from raw_order_lines where row_number <= 3 order by row_number") == [
        ("SKU-001",),
        ("SKU-002",),
        ("sku-003",),
    ]


def test_fault_46_spellings_that_collide(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    skus = "\n".join(f"SKU-{i:03d},1" for i in range(30))
    shop.drop("products", "p.csv", f"sku,list_price\n{skus}\nＳＫＵ－００７,2\n")
    shop.run()
    assert sorted(q[1] for q in shop.quarantined() if q[1] != "UNKNOWN_SKU") == ["KEY_COLLISION"] * 2
    assert shop.query("select count(*) from stg_products where sku = 'SKU-007'") == [(0,)]


@pytest.mark.parametrize("value", ["NULL", "-", "N/A", "", "  "])
def test_fault_47_words_for_nothing_are_null(shop: DropShop, value: str):
    shop.drop("order_lines", "a.csv", with_value("order_id", value))
    shop.run()
    assert shop.query("select order_id from raw_order_lines where row_number = 6") == [(None,)]


def test_a_required_value_that_is_null_is_quarantined(shop: DropShop):
    assert quarantined_for(shop, "quantity", "N/A") == [(6, "MISSING", "quantity", None)]


def test_both_sales_shapes_for_one_sku_location_and_period(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.drop("period_sales", "p.csv", "ds,sku,units\n2026-03-01,SKU-001,4\n")
    with pytest.raises(DataError, match="BOTH_SALES_SHAPES: .*SKU-001 at main on 2026-03-01") as caught:
        shop.run()
    assert caught.value.exit_code == 3
