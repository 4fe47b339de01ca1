"""Nights in a row: what is new is taken in once, runs can be repeated, a lost warehouse comes back."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from drop_shop import D, DropShop, order_lines

from data.errors import DataError
from data.ingest.landing import Landing

NEXT = D + timedelta(days=1)
TABLES = ("stg_order_lines", "stg_stock", "stg_stock_history", "stg_products", "item_supply", "row_accounts")


def everything(shop: DropShop) -> dict[str, list[tuple]]:
    return {t: shop.table(t) for t in TABLES}


def two_nights(shop: DropShop) -> None:
    shop.drop("order_lines", "orders_2026-03-01.csv", order_lines(), mtime=1_772_000_000)
    shop.drop("stock", "stock_2026-03-01.csv", "as_of_date,sku,on_hand\n2026-03-01,SKU-001,5\n2026-02-28,SKU-001,9\n")
    shop.run(D)
    shop.publish(D)
    shop.drop("order_lines", "orders_2026-03-02.csv", order_lines(50, day="2026-03-02", start=500), mtime=1_772_100_000)
    shop.drop("stock", "stock_2026-03-02.csv", "as_of_date,sku,on_hand\n2026-03-02,SKU-001,4\n")


def test_the_second_night_takes_in_the_new_files_alone(shop: DropShop, monkeypatch: pytest.MonkeyPatch):
    two_nights(shop)
    read = []
    original = Landing.land
    monkeypatch.setattr(
        Landing, "land", lambda self, arrival, **k: read.append(arrival.name) or original(self, arrival, **k)
    )
    counts = shop.run(NEXT)
    assert (counts["files_new"], counts["rows_in"]) == (2, 51)
    assert sorted(read) == ["orders_2026-03-02.csv", "stock_2026-03-02.csv"]
    assert shop.query("select count(*) from stg_order_lines") == [(250,)]
    assert shop.query("select on_hand from stg_stock") == [(4.0,)]
    assert [r[3] for r in shop.table("stg_stock_history")] == [9.0, 5.0, 4.0]


def test_a_rerun_of_a_published_run_sees_what_it_saw_and_restating_takes_in_the_rest(shop: DropShop):
    two_nights(shop)
    before = everything(shop)
    shop.run(D)
    assert everything(shop) == before
    shop.drop("order_lines", "late.csv", order_lines(10, start=900))
    shop.run(NEXT)
    shop.publish(NEXT)
    shop.run(D)
    assert everything(shop) == before
    shop.run(D, restate=True)
    assert shop.query("select count(*) from stg_order_lines") == [(210,)]


def test_a_lost_warehouse_is_made_anew_from_landing(shop: DropShop):
    two_nights(shop)
    shop.run(NEXT)
    shop.publish(NEXT)
    second = everything(shop)
    shop.run(D)
    first = everything(shop)
    (shop.home / "warehouse.duckdb").unlink()
    shutil.rmtree(shop.home / "drop")
    shop.run(NEXT)
    assert everything(shop) == second
    shop.run(D)
    assert everything(shop) == first


def test_a_crash_between_ledger_and_commit_loses_and_doubles_nothing(shop: DropShop, monkeypatch: pytest.MonkeyPatch):
    two_nights(shop)
    original = Landing.append

    def crash(self: Landing, lines: list) -> None:
        original(self, lines)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Landing, "append", crash)
        with pytest.raises(KeyboardInterrupt):
            shop.run(NEXT)
    assert shop.query("select count(*) from deliveries") == [(2,)]
    shop.run(NEXT)
    assert shop.query("select count(*) from deliveries") == [(4,)]
    assert shop.query("select count(*) from stg_order_lines") == [(250,)]


def test_a_torn_last_line_of_the_ledger_does_not_count(shop: DropShop):
    two_nights(shop)
    with (shop.home / "landing" / "ledger.jsonl").open("a") as file:
        file.write('{"kind": "sighting", "se')
    shop.run(NEXT)
    assert shop.query("select count(*) from deliveries") == [(4,)]
    assert len(Landing(shop.home).ledger()) == 6


def test_after_a_repair_everything_is_as_if_nothing_had_failed(shop: DropShop, tmp_path: Path):
    healthy = DropShop(tmp_path / "healthy")
    for one in (shop, healthy):
        one.drop("order_lines", "a.csv", order_lines(), mtime=1_772_000_000)
        one.run(D)
    shop.drop("order_lines", "b.csv", b"", mtime=1_772_100_000)
    with pytest.raises(DataError, match="EMPTY_FILE"):
        shop.run(NEXT)
    for one in (shop, healthy):
        one.drop("order_lines", "b.csv", order_lines(20, day="2026-03-02", start=500), mtime=1_772_200_000)
        one.run(NEXT)
    assert everything(shop) == everything(healthy)


def test_scrambling_what_lies_after_the_run_date_changes_nothing(shop: DropShop, tmp_path: Path):
    other = DropShop(tmp_path / "other")
    shop.drop("order_lines", "a.csv", [*order_lines(), *order_lines(50, day="2026-03-02", start=500)])
    other.drop("order_lines", "a.csv", [*order_lines(), *order_lines(7, day="2026-03-09", start=800)])
    for one in (shop, other):
        one.run(D)
    assert shop.table("stg_order_lines") == other.table("stg_order_lines")


def test_the_first_run_knows_its_files_however_far_back_the_run_date_lies(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines(20, day="2025-01-05"))
    shop.drop("supply_terms", "terms.csv", "sku,supplier_id,lead_time_days\nSKU-001,S1,5\n")
    shop.run(date(2025, 1, 5))
    assert shop.query("select lead_time_days from item_supply where sku = 'SKU-001'") == [(5.0,)]


def test_undated_snapshots_replace_each_other_by_time_of_arrival(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.drop("locations", "one.csv", "location_id,region\nmain,old\ngone,old\n", mtime=1_000_000)
    shop.drop("locations", "two.csv", "location_id,region\nmain,new\n", mtime=2_000_000)
    shop.run(D)
    assert shop.query("select location_id, region from stg_locations") == [("main", "new")]
    shop.publish(D)
    shop.drop("locations", "three.csv", "location_id,region\nmain,newest\n", mtime=500_000)  # arrives later
    shop.run(NEXT)
    assert shop.query("select region from stg_locations") == [("newest",)]
    shop.run(D)
    assert shop.query("select region from stg_locations") == [("new",)]


def test_two_sources_of_one_table_each_have_a_snapshot(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    header = "as_of_date,sku,location_id,on_hand\n"
    shop.drop("stock", "east_2026-03-01.csv", header + "2026-03-01,SKU-001,east,5\n")
    shop.drop("stock", "west_2026-02-20.csv", header + "2026-02-20,SKU-001,west,7\n2026-02-19,SKU-002,west,7\n")
    shop.sources["stock"] = [
        {"name": "east", "kind": "file", "path": "drop/stock/east_*.csv"},
        {"name": "west", "kind": "file", "path": "drop/stock/west_*.csv"},
    ]
    shop.run(D)
    assert shop.query("select location_id, on_hand, source from stg_stock order by 1") == [
        ("east", 5.0, "east"),
        ("west", 7.0, "west"),
    ]


def test_a_home_with_odd_characters_in_its_path(tmp_path: Path):
    shop = DropShop(tmp_path / "my [shop]* it's")
    shop.drop("order_lines", "a b'[1].csv", order_lines())
    shop.run()
    assert shop.accounts()["a b'[1].csv"] == (200, 200, 0, 0)


def test_many_small_files_keep_file_and_row_number(shop: DropShop):
    for i in range(40):
        rows = order_lines(5 + i, day="2026-02-20", start=1000 * (i + 1))
        if i % 7 == 0:
            rows[2] += ",extra"
        shop.drop("order_lines", f"f{i:02d}.csv{'.gz' if i % 2 else ''}", rows)
    shop.run()
    wrong = shop.query(
        "select count(*) from raw_order_lines r join deliveries d using (delivery_id) "
        "where substr(r.order_line_id, 2)::int <> 1000 * (substr(d.file_name, 2, 2)::int + 1) + r.row_number - 1"
    )
    assert wrong == [(0,)]
    assert sum(a[2] for a in shop.accounts().values()) == 6


@pytest.mark.usefixtures("with_checks")
def test_the_checks_of_the_contracts_see_the_staged_tables(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.run()
    tables = {t for (t,) in shop.query("select distinct \"table\" from checks where status = 'pass'")}
    assert {"stg_order_lines", "item_supply", "row_accounts"} <= tables


def test_a_shop_that_writes_each_day_to_one_name_is_warned(shop: DropShop):
    shop.drop("order_lines", "sales.csv", order_lines(), mtime=1_000_000)
    shop.run(D)
    shop.drop("order_lines", "sales.csv", order_lines(50, day="2026-03-02", start=500), mtime=2_000_000)
    shop.run(NEXT)
    assert "200 rows of earlier days are set aside" in shop.notes()["SUPERSEDED_SHRINKS"]


def test_undated_parts_of_a_snapshot_are_said(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    for part in ("one", "two"):
        shop.drop("locations", f"{part}.csv", f"location_id\n{part}\n")
    shop.run(D)
    assert shop.notes()["SNAPSHOT_UNDATED"].startswith("2 files of source locations state no date")


def test_old_signals_and_an_unusual_number_of_rows_are_said(shop: DropShop):
    for week in range(1, 9):
        day = D - timedelta(weeks=week)
        shop.drop("order_lines", f"orders_{day}.csv", order_lines(100, day=day.isoformat(), start=1000 * week))
    shop.drop("order_lines", f"orders_{D}.csv", order_lines(20))
    header = "date,source,region,element_type,element,metric,value\n"
    shop.drop("signals", "s.csv", header + "2026-02-20,web,east,ip,A,searches,5\n")
    shop.run(D)
    assert shop.notes()["volume"] == "20 rows on 2026-03-01"
    assert shop.notes()["freshness"] == "9 days old (2026-02-20)"
