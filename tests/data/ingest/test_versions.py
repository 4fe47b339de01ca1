"""Which deliveries are visible and in force, whatever the order they came in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import permutations
from zoneinfo import ZoneInfo

from drop_shop import DropShop, order_lines

from data.ingest.landing import Sighting
from data.ingest.runs import View
from data.ingest.versions import VisibleDelivery, visible_deliveries

ZONE = ZoneInfo("Asia/Shanghai")


def sighting(seq: int, name: str, sha: str, hour: int, *, run: int = 1, first: bool = False) -> Sighting:
    at = datetime(2026, 3, 1, hour, tzinfo=UTC)
    return Sighting(seq, "s", "stock", name, sha, 1, at, at, date(2026, 3, run), first)


def visible(
    found: list[tuple[Sighting, int]], *, day: int = 1, watermark: int = 99, restated: bool = False
) -> dict[int, VisibleDelivery]:
    view = View(watermark, restated)
    return {v.delivery_id: v for v in visible_deliveries(found, run_date=date(2026, 3, day), view=view, zone=ZONE)}


def test_the_newest_content_under_a_name_is_in_force_in_any_order_of_arrival():
    contents = [("a", 3), ("b", 5), ("c", 5)]  # b and c changed at the same time: the digest decides
    for order in permutations(contents):
        found = [(sighting(i, "x.csv", sha, hour), ord(sha)) for i, (sha, hour) in enumerate(order, start=1)]
        assert {chr(d) for d, v in visible(found).items() if v.in_force} == {"c"}


def test_a_content_in_force_under_another_name_stays_in_force():
    found = [(sighting(1, "x.csv", "a", 1), 1), (sighting(2, "x.csv", "b", 2), 2), (sighting(3, "y.csv", "a", 1), 1)]
    assert {d for d, v in visible(found).items() if v.in_force} == {1, 2}


def test_a_content_that_comes_back_is_in_force_again():
    found = [(sighting(1, "x.csv", "a", 1), 1), (sighting(2, "x.csv", "b", 2), 2), (sighting(3, "x.csv", "a", 3), 1)]
    assert {d for d, v in visible(found).items() if v.in_force} == {1}


def test_what_landed_later_is_not_known_before_but_the_first_runs_files_always_were():
    found = [(sighting(1, "x.csv", "a", 1, run=5, first=True), 1), (sighting(2, "y.csv", "b", 2, run=6), 2)]
    assert set(visible(found, day=4)) == {1}
    assert set(visible(found, day=6)) == {1, 2}
    assert set(visible(found, day=6, watermark=1)) == {1}
    assert set(visible(found, day=4, restated=True)) == {1, 2}


def test_a_date_in_the_name_orders_versions_before_the_time_of_change():
    found = [(sighting(1, "x_2026-03-02.csv", "a", 1), 1), (sighting(2, "x_2026-03-01.csv", "b", 9), 2)]
    shown = visible(found)
    assert shown[1].version > shown[2].version
    assert shown[2].snapshot_date == date(2026, 3, 1)


def test_a_row_that_comes_again_without_saying_when_it_was_known_is_its_duplicate(shop: DropShop):
    """``available_at`` belongs to a signal's key and may be null: null is as good a value as any to compare."""
    rows = [f"2026-02-{d:02d},bili,ip,Luna,searches,{d}" for d in range(1, 5)]
    header = "date,source,element_type,element,metric,value\n"
    shop.drop("order_lines", "a.csv", order_lines(60))
    shop.drop("signals", "a.csv", header + "\n".join(rows[:3]) + "\n")
    shop.run()
    shop.drop("signals", "b.csv", header + "\n".join(rows) + "\n")
    shop.run()
    assert shop.accounts()["b.csv"] == (4, 1, 0, 3)
