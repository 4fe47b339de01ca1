"""The mart ``item_supply``, overrides and holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from drop_shop import D, DropShop, order_lines

from data.errors import ConfigError

TERMS = "sku,supplier_id,unit_cost,lead_time_days,min_order_qty,pack_size\n"


def supply(shop: DropShop, columns: str) -> dict[str, tuple]:
    return {row[0]: row[1:] for row in shop.query(f"select sku, {columns} from item_supply")}


def test_who_delivers_a_sku(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    skus = "".join(f"SKU-{i:03d},,\n" for i in range(6, 30))
    shop.drop(
        "products",
        "p.csv",
        f"sku,supplier_id,unit_cost\nSKU-001,S2,\nSKU-002,,\nSKU-003,,\nSKU-004,S9,3\nSKU-005,,2\n{skus}SKU-000,,\n",
    )
    shop.drop(
        "supply_terms",
        "t.csv",
        TERMS
        + "SKU-001,S1,1.00,5,1,1\nSKU-001,S2,2.00,6,1,1\n"  # the product says who
        + "SKU-002,S2,2.00,6,1,1\nSKU-002,S1,2.50,5,1,1\n"  # the cheaper one
        + "SKU-003,S2,2.00,6,1,1\nSKU-003,S1,2.00,5,1,1\n"  # as cheap: the first by id
        + "SKU-004,S1,1.00,5,10,4\n",  # terms of another supplier do not hold
    )
    shop.run()
    lines = supply(shop, "supplier_id, unit_cost::double, lead_time_days, flags")
    assert [lines[f"SKU-00{i}"][0] for i in range(1, 6)] == ["S2", "S2", "S1", "S9", "-"]
    assert [lines[f"SKU-00{i}"][1] for i in range(1, 6)] == [2.0, 2.0, 2.0, 3.0, 2.0]
    assert lines["SKU-004"][2:] == (14.0, ["default_supply"])
    assert lines["SKU-001"][3] == []


def test_closed_days_push_the_receipt_out(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.drop("supply_terms", "t.csv", TERMS + "SKU-001,S1,1,3,1,1\nSKU-002,S2,1,3,1,1\n")
    shop.drop("supplier_calendar", "c.csv", "supplier_id,closed_from_date,closed_to_date\nS1,2026-03-02,2026-03-08\n")
    shop.run()
    lines = supply(shop, "expected_receipt_date, flags, review_period_days, next_order_date, is_order_date")
    assert lines["SKU-001"][:2] == (date(2026, 3, 12), ["supplier_closed"])
    assert lines["SKU-002"] == (date(2026, 3, 5), [], 7.0, date(2026, 3, 8), True)


def test_weekly_lead_times_are_whole_weeks(tmp_path: Path):
    shop = DropShop(tmp_path / "home")
    shop.sources.clear()
    shop.planning = {"freq": "W-MON"}
    shop.drop("period_sales", "p.csv", "ds,sku,units\n2026-02-23,A,4\n2026-02-23,B,4\n")
    shop.drop("supply_terms", "t.csv", TERMS + "A,S1,1,10,1,1\nB,S1,1,14,1,1\n")
    shop.run(D)
    lines = supply(shop, "lead_time_days, expected_receipt_date, flags")
    assert lines == {"A": (14.0, date(2026, 3, 16), ["lead_time_rounded"]), "B": (14.0, date(2026, 3, 16), [])}


OVERRIDES = "kind,sku,location_id,from_date,to_date,operation,value,reason,role,expires_date\n"


def test_overrides_in_force_and_lines_that_cannot_be_used(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    (shop.home / "overrides.csv").write_text(
        OVERRIDES
        + "order,SKU-001,,2026-03-01,2026-03-09,set,5,enough characters,planner,\n"
        + "order,SKU-002,,,,set,5,enough characters,planner,2026-03-31\n"
        + "order,SKU-003,,2026-03-01,2026-03-09,set,5,enough characters,planner,2026-02-28\n"
        + "order,SKU-004,,2026-03-01,2026-03-09,set,nan,enough characters,planner,\n"
        + "order,SKU-005,,2026-03-01,2026-03-09,set,5,too short,planner,\n"
    )
    shop.run()
    assert shop.query("select sku, to_date from overrides order by sku") == [
        ("SKU-001", date(2026, 3, 9)),
        ("SKU-002", date(2026, 3, 31)),
    ]
    assert shop.notes()["OVERRIDE_INVALID"] == "2 lines of overrides.csv cannot be used"


def test_a_hold_that_cannot_be_read_stops_the_run(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    (shop.home / "holds.csv").write_text(
        "scope,id,reason,expires_date\nsku,SKU-001,recall,2026-03-31\nshop,,old,2026-01-01\n"
    )
    shop.run()
    assert shop.query("select scope, id from holds") == [("sku", "SKU-001")]
    (shop.home / "holds.csv").write_text("scope,id,reason,expires_date\nsuplier,S1,recall,\n")
    with pytest.raises(ConfigError, match="line 2: scope 'suplier'"):
        shop.run()


def test_without_products_they_are_made_from_what_sold(shop: DropShop):
    shop.drop("order_lines", "a.csv", [*order_lines(), "L900,O9,2026-03-01 11:00:00,POST,1,5.00,B1"])
    shop.run()
    assert shop.query("select count(*), count(*) filter (is_product), count(title) from stg_products") == [(31, 30, 0)]
