"""Staging that only adds, or lays a view, gives what writing the table anew gives, night after night."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb
import pytest
from drop_shop import D, DropShop, order_lines


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
