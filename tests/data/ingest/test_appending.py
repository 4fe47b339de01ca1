"""Staging that only adds, or lays a view, gives what writing the table anew gives, night after night."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest
from drop_shop import D, DropShop, order_lines

from data.checks import staged
from data.contracts import TABLES
from data.ingest.store import among_deliveries, create_store
from data.ingest.versions import VisibleDelivery
from data.sql.staging import create_visible, stage_table
from data.sql.viewing import is_unique_as_it_came


@pytest.fixture
def twins(tmp_path) -> tuple[DropShop, DropShop]:
    """Two shops with the same deliveries: the second forgets every night what it staged before."""
    return DropShop(tmp_path / "adding"), DropShop(tmp_path / "anew")


@pytest.fixture(autouse=True)
def appended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that were only added to."""
    from data.sql import staging

    found: list[str] = []
    plain = staging.append_new

    def spied(connection: Any, table: Any, *args: Any, **options: Any) -> str:
        found.append(table.name)
        return plain(connection, table, *args, **options)

    monkeypatch.setattr(staging, "append_new", spied)
    return found


def night(twins: tuple[DropShop, DropShop], day: int) -> list[tuple[Any, ...]]:
    """Run a night in both, and return what they staged."""
    adding, anew = twins
    adding.run(D + timedelta(days=day))
    if (anew.home / "warehouse.duckdb").exists():
        with duckdb.connect(str(anew.home / "warehouse.duckdb")) as connection:
            connection.execute("drop table if exists stage_state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data.sql.staging.every_row_counts", lambda *_, **__: False)
        anew.run(D + timedelta(days=day))
    sql = "select * exclude (source) from stg_order_lines order by all"
    assert adding.query(sql) == anew.query(sql)
    return adding.query(sql)


def kind(shop: DropShop) -> str:
    found = shop.query("select table_type from information_schema.tables where table_name = 'stg_order_lines'")
    return str(found[0][0])


def drop(twins: tuple[DropShop, DropShop], name: str, lines: list[str], *, mtime: float) -> None:
    for shop in twins:
        shop.drop("order_lines", name, lines, mtime=mtime)


def test_nights_that_add_correct_and_reveal_rows_stage_what_staging_anew_does(twins, appended):
    later = order_lines(20, day="2026-03-03", start=500)
    drop(twins, "a.csv", order_lines(60) + later, mtime=1_000)
    assert len(night(twins, 0)) == 60
    drop(twins, "b.csv", order_lines(30, day="2026-03-02", start=100), mtime=2_000)
    assert len(night(twins, 1)) == 90
    assert len(night(twins, 2)) == 110  # nothing came; rows of the first file are known by now
    corrected = [line.replace(",SKU-", ",NEW-") for line in order_lines(5)]
    drop(twins, "c.csv", corrected + order_lines(3, day="2026-03-04", start=900), mtime=3_000)
    rows = night(twins, 3)
    assert len(rows) == 113
    assert sum("NEW-" in str(row) for row in rows) == 5
    night(twins, 3)  # the same night again
    assert appended == ["order_lines"]
    drop(twins, "d.csv", order_lines(7, day="2026-03-05", start=950), mtime=4_000)
    assert len(night(twins, 4)) == 120
    assert appended == ["order_lines"] * 2


def test_a_view_is_staged_while_every_row_counts_and_a_table_once_one_does_not(twins):
    drop(twins, "a.csv", order_lines(60), mtime=1_000)
    night(twins, 0)
    assert kind(twins[0]) == "VIEW"
    drop(twins, "b.csv", order_lines(9, day="2026-03-02", start=100), mtime=2_000)
    night(twins, 1)
    assert kind(twins[0]) == "VIEW"
    drop(twins, "c.csv", [line.replace(",SKU-", ",NEW-") for line in order_lines(5)], mtime=3_000)
    night(twins, 2)
    assert kind(twins[0]) == "BASE TABLE"


def test_a_shop_that_moves_to_another_timezone_gets_other_days(tmp_path):
    shop = DropShop(tmp_path / "home")
    shop.drop("order_lines", "a.csv", order_lines(5), mtime=1_000)
    shop.run(D)
    before = shop.query("select distinct business_date from stg_order_lines")
    shop.timezone = "Pacific/Honolulu"  # 18 hours behind Shanghai
    shop.run(D + timedelta(days=1))
    day_before = [(day - timedelta(days=1),) for (day,) in before]
    assert shop.query("select distinct business_date from stg_order_lines") == day_before


def test_a_delivery_that_is_superseded_makes_the_table_anew(twins, appended):
    drop(twins, "a.csv", order_lines(60), mtime=1_000)
    night(twins, 0)
    drop(twins, "a.csv", order_lines(55), mtime=2_000)
    assert len(night(twins, 1)) == 55
    assert appended == []


def test_a_backfill_makes_the_table_anew(twins):
    drop(twins, "a.csv", order_lines(30, day="2026-02-27") + order_lines(60, start=100), mtime=1_000)
    assert len(night(twins, 0)) == 90
    assert len(night(twins, -1)) == 30
    assert len(night(twins, 0)) == 90


def test_skus_that_become_known_come_back(twins, appended):
    known = [f"SKU-{i:03d}" for i in range(30)]
    for shop in twins:
        shop.drop("products", "products_2026-02-01.csv", "\n".join(["sku", *known[:20], ""]), mtime=1)
    drop(twins, "a.csv", order_lines(60), mtime=1_000)
    assert len(night(twins, 0)) == 40
    for shop in twins:
        shop.drop("products", "products_2026-03-02.csv", "\n".join(["sku", *known, ""]), mtime=2)
    assert len(night(twins, 1)) == 60
    assert appended == []


def test_sources_with_delays_of_their_own_are_seen_in_time(twins):
    for shop in twins:
        shop.sources["order_lines"] = [
            {"name": n, "kind": "file", "path": f"drop/order_lines/{n}*", "timezone": "Asia/Shanghai", "delay_days": d}
            for n, d in (("a", 0), ("b", 1))
        ]
    drop(twins, "a1.csv", order_lines(40), mtime=1_000)
    drop(twins, "b1.csv", order_lines(30, start=100) + order_lines(20, day="2026-02-28", start=200), mtime=1_000)
    assert len(night(twins, 0)) == 60
    drop(twins, "a2.csv", order_lines(10, day="2026-03-02", start=300), mtime=2_000)
    assert len(night(twins, 1)) == 100
    assert kind(twins[0]) == "VIEW"
    assert twins[0].query("select source, count(*) from stg_order_lines group by 1 order by 1") == [
        ("a", 50),
        ("b", 50),
    ]


@pytest.mark.parametrize(("ids", "found"), [([1, 2, 3], 3), ([2, 4], 1), ([1, 3], 2), ([3, 2], 2), ([], 0), ([4], 0)])
def test_rows_are_told_by_their_delivery_whatever_lies_between(ids, found):
    table = TABLES["order_lines"]
    with duckdb.connect() as connection:
        connection.execute(
            "create table deliveries as select unnest([1, 2, 3]) as delivery_id, $1 as table_name", [table.name]
        )
        connection.execute("create table raw_order_lines as select unnest([1, 2, 3, -2]) as delivery_id")
        condition = among_deliveries(connection, table, ids)
        assert connection.execute(f"select count(*) from raw_order_lines r where {condition}").fetchall() == [(found,)]


@pytest.fixture
def spliced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small Parquet files are treated as large ones: their key columns are looked through on arrival."""
    monkeypatch.setattr("data.ingest.parquet_split.SPLICED_BYTES", 0)
    monkeypatch.setattr("data.ingest.parquet_splice._FEWEST_ROWS", 1)


def parquet(shop: DropShop, name: str, numbers: range) -> None:
    """A Parquet file with buyers: what landing keeps of it is written by the ingest, which knows its columns."""
    lines = [line.split(",") for line in order_lines(len(numbers), start=numbers.start)]
    lines = [[f"L{number:012}", *rest] for number, (_, *rest) in zip(numbers, lines, strict=True)]
    columns = ["order_line_id", "order_id", "ordered_at", "sku", "quantity", "unit_price", "buyer_ref"]
    types = {"ordered_at": "datetime64[us]", "quantity": "int64", "unit_price": "float64"}
    shop.frame("order_lines", name, pd.DataFrame(lines, columns=columns).astype(types))


def is_proven(shop: DropShop) -> bool:
    with duckdb.connect(str(shop.home / "warehouse.duckdb")) as connection:
        return is_unique_as_it_came(connection, TABLES["order_lines"])


@pytest.mark.usefixtures("spliced")
def test_one_delivery_that_never_repeats_a_key_needs_no_second_look(tmp_path, monkeypatch):
    shop = DropShop(tmp_path / "home")
    parquet(shop, "a.parquet", range(1, 101))
    monkeypatch.setattr(staged, "_SMALL_ROWS", 50)
    monkeypatch.setattr("data.checks.counting.sorted_hashes", None)
    shop.run(D)
    assert kind(shop) == "VIEW"
    assert is_proven(shop)
    unique = "select status from checks where \"table\" = 'stg_order_lines' and \"check\" = 'key_unique'"
    assert shop.query(unique) == [("pass",)]


@pytest.mark.usefixtures("spliced")
def test_a_key_that_two_deliveries_share_is_not_proven_unique(tmp_path):
    shop = DropShop(tmp_path / "home")
    parquet(shop, "a.parquet", range(1, 101))
    parquet(shop, "b.parquet", range(101, 201))
    shop.run(D)
    assert shop.query("select count(*) from never_repeating") == [(2,)]
    assert not is_proven(shop)  # each by itself says nothing of both together
    parquet(shop, "c.parquet", range(195, 205))
    shop.run(D + timedelta(days=1))
    assert not is_proven(shop)
    assert shop.query("select count(*), count(distinct order_line_id) from stg_order_lines") == [(204, 204)]


@pytest.mark.usefixtures("spliced")
def test_a_repair_takes_the_proof_back(tmp_path):
    shop = DropShop(tmp_path / "home")
    parquet(shop, "a.parquet", range(1, 101))
    shop.run(D)
    assert is_proven(shop)
    with duckdb.connect(str(shop.home / "warehouse.duckdb")) as connection:
        connection.execute("insert into repairs select 2, 'order_lines', delivery_id, 7, 'load' from deliveries")
    assert not is_proven(shop)


def test_deliveries_of_which_none_is_in_force_stage_nothing():
    taken_back = VisibleDelivery(1, "orders", "order_lines", 1, D, 1, D, in_force=False)
    with duckdb.connect() as connection:
        create_store(connection)
        connection.execute("create temp table not_products (sku varchar)")
        create_visible(connection, [taken_back], delays={})
        stage_table(connection, TABLES["order_lines"], run_date=D, zone="UTC", period_days=1)
        assert connection.execute("from stg_order_lines").fetchall() == []
