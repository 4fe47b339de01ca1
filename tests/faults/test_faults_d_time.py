"""Group D: time, as far as ingest decides it. One test id per row of the catalogue."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from drop_shop import LINES, D, DropShop, order_lines

from data.ingest.faults import DeliveryRefused


def one_line(at: str) -> str:
    return LINES + f"L1,O1,{at},SKU-001,1,10.00,B1\n"


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-01-31T16:30:00Z", date(2026, 2, 1)),
        ("2026-01-31 15:59:59+00:00", date(2026, 1, 31)),
        ("2026-01-31 16:30:00", date(2026, 1, 31)),
        ("2026-01-31T16:30:00.250+0000", date(2026, 2, 1)),
    ],
)
def test_fault_68_half_past_four_utc_is_tomorrow_in_shanghai(shop: DropShop, at: str, day: date):
    shop.drop("order_lines", "a.csv", one_line(at))
    shop.run()
    assert shop.query("select business_date from stg_order_lines") == [(day,)]


def test_fault_69_naive_timestamps_without_a_timezone(shop: DropShop):
    shop.source("order_lines")
    shop.drop("order_lines", "a.csv", order_lines())
    with pytest.raises(DeliveryRefused, match="NAIVE_TIMESTAMP: .*line 2: 200 rows") as caught:
        shop.run()
    assert caught.value.exit_code == 3


def test_fault_70_rows_dated_after_their_own_arrival(shop: DropShop):
    rows = order_lines()
    later = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")
    rows[5] = rows[5].replace("2026-03-01 10:06:00", later)
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.quarantined() == [(6, "FUTURE", "ordered_at", later)]


def test_fault_70_rows_after_the_run_date_are_loaded_and_invisible(shop: DropShop):
    shop.drop("order_lines", "a.csv", [*order_lines(), *order_lines(50, day="2026-03-02", start=500)])
    shop.run()
    assert shop.accounts()["a.csv"] == (250, 250, 0, 0)
    assert shop.query("select count(*) from stg_order_lines") == [(200,)]
    shop.run(D + timedelta(days=1))
    assert shop.query("select count(*) from stg_order_lines") == [(250,)]


def test_fault_70_what_is_known_in_advance_stays_visible(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.drop("planned_prices", "p.csv", "sku,from_date,price\nSKU-001,2026-04-01,9\n")
    shop.drop("prices", "p.csv", "sku,from_date,price\nSKU-001,2026-04-01,9\nSKU-001,2026-03-01,8\n")
    shop.drop("events", "e.csv", "name,starts_date,ends_date\n618,2026-06-18,2026-06-20\n")
    shop.drop("weather", "w.csv", "date,region,temperature_mean\n2026-03-09,east,9.5\n")
    shop.run()
    counts = [
        shop.query(f"select count(*) from stg_{t}")[0][0] for t in ("planned_prices", "events", "weather", "prices")
    ]
    assert counts == [1, 1, 1, 1]


@pytest.mark.parametrize("day", ["2024-02-29", "2024-12-31", "2020-12-31", "2021-01-01", "2021-01-03"])
def test_fault_74_leap_day_year_end_and_week_53(tmp_path: Path, day: str):
    shop = DropShop(tmp_path / "home")
    shop.drop("order_lines", "a.csv", one_line(f"{day} 12:00:00"))
    shop.run(date.fromisoformat(day))
    assert shop.query("select business_date from stg_order_lines") == [(date.fromisoformat(day),)]


def test_fault_75_daylight_saving_moves_no_business_date(tmp_path: Path):
    shop = DropShop(tmp_path / "home", timezone="Europe/London")
    hours = [f"2026-03-29 {h:02d}:30:00" for h in range(24)]  # 01:30 does not exist that night
    records = [f"L{i},O1,{at},SKU-001,1,10.00,B1" for i, at in enumerate(hours)]
    shop.drop("order_lines", "a.csv", records)
    shop.run(date(2026, 3, 29))
    assert shop.query("select count(*) from stg_order_lines") == [(24,)]


def test_as_of_a_signal_counts_from_the_day_it_was_known(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    header = "date,source,region,element_type,element,metric,value,available_at\n"
    shop.drop(
        "signals",
        "s.csv",
        header
        + "2026-02-28,web,east,ip,A,searches,5,2026-03-01T15:59:00Z\n"
        + "2026-02-28,web,east,ip,A,searches,7,2026-03-01T16:01:00Z\n"
        + "2026-03-01,web,east,ip,A,searches,9,\n"
        + "2026-02-28,web,east,ip,B,searches,1,2026-03-05T00:00:00Z\n",
    )
    shop.run(D)
    assert shop.query("select date, element, value from stg_signals order by 1, 2") == [
        (date(2026, 2, 28), "A", 5.0),
        (D, "A", 9.0),
    ]
    shop.run(D + timedelta(days=1))
    assert shop.query("select value from stg_signals where date = '2026-02-28'") == [(7.0,)]


def test_as_of_a_delayed_source_is_known_so_many_days_later(shop: DropShop):
    shop.source("order_lines", timezone="Asia/Shanghai", delay_days=1)
    shop.drop("order_lines", "a.csv", [*order_lines(), *order_lines(40, day="2026-02-28", start=500)])
    shop.run(D)
    assert shop.query("select count(*) from stg_order_lines") == [(40,)]


def test_as_of_a_cancellation_after_the_run_date_is_not_known(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.source("preorders", timezone="Asia/Shanghai")
    shop.drop(
        "preorders",
        "p.csv",
        "preorder_id,campaign_id,sku,placed_at,quantity,cancelled_at\n"
        "P1,C,S,2026-02-20 10:00:00,1,2026-03-02 00:30:00\nP2,C,S,2026-02-20 10:00:00,1,2026-03-01 23:30:00\n"
        "P3,C,S,2026-03-02 10:00:00,1,\n",
    )
    shop.run(D)
    rows = shop.query("select preorder_id, cancelled_at is not null, cancelled_date from stg_preorders order by 1")
    assert rows == [("P1", False, None), ("P2", True, D)]


def test_as_of_a_week_is_known_when_its_last_day_is_over(tmp_path: Path):
    shop = DropShop(tmp_path / "home")
    shop.sources.clear()
    shop.planning = {"freq": "W-MON"}
    shop.drop("period_sales", "p.csv", "ds,sku,units\n2026-02-16,A,3\n2026-02-23,A,4\n2026-03-02,A,5\n")
    shop.run(date(2026, 3, 1))
    assert shop.query("select ds, units from stg_period_sales order by 1") == [
        (date(2026, 2, 16), 3.0),
        (date(2026, 2, 23), 4.0),
    ]


def test_fault_77_a_year_without_events_is_said_where_a_calendar_is_named(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.run()
    assert "EVENTS_MISSING" not in shop.notes()
    shop.shop["holiday_calendar"] = "CN"
    shop.run()
    assert "calendar CN" in shop.notes()["EVENTS_MISSING"]
    shop.drop("events", "e.csv", "name,starts_date,ends_date\nSpring Festival,2027-02-06,2027-02-12\n")
    shop.run()
    assert "EVENTS_MISSING" not in shop.notes()
