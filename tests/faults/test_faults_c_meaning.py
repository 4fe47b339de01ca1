"""Group C: what rows mean, as far as demand decides it. One test id per row of the catalogue."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zipfile import ZipFile

import polars as pl
import pytest
from drop_shop import D, DropShop, order_lines

from demand import step as demand
from demand.config import BrushingConfig
from demand.exclusions import suspicious_lines

RUN_DAY = 60
HEADER = "order_line_id,order_id,ordered_at,sku,quantity,unit_price,buyer_ref\n"
Orders = list[tuple[int, float, str, str]]


def trade() -> Orders:
    """Sixty days of an ordinary shop: day, hour, SKU, buyer; six buyers of ten come again."""
    return [
        (day, 9 + (i % 12) * 0.9, f"S{i % 8}", f"b{(7 * i + day) % 90}" if i % 5 < 3 else f"once-{day}-{i}")
        for day in range(RUN_DAY)
        for i in range(40)
    ]


def taken_out(orders: Orders, *, returned: Sequence[int] = ()) -> dict[int, str]:
    """Number of the order -> why it is left out of demand."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    lines = pl.DataFrame(
        {
            "order_line_id": [str(n) for n in range(len(orders))],
            "order_id": [f"O{n}" for n in range(len(orders))],
            "ordered_at": [start + timedelta(days=d, hours=h) for d, h, _, _ in orders],
            "sku": [s for _, _, s, _ in orders],
            "buyer_ref": [b for _, _, _, b in orders],
            "is_returned": [n in returned for n in range(len(orders))],
        }
    )
    found = suspicious_lines(lines, timezone="UTC", run_day=RUN_DAY, config=BrushingConfig())
    return {int(line): reason for line, reason in found.iter_rows()}


def planted(extra: Orders) -> tuple[dict[int, str], set[int]]:
    usual = trade()
    return taken_out([*usual, *extra]), set(range(len(usual), len(usual) + len(extra)))


FEW = [(30, 14 + i / 60, "S3", f"f{i % 9}") for i in range(40)]
RING = [(30, 14 + i / 12, "S3", f"fresh-{i}") for i in range(45)]
NIGHT = [(30, 2 + i / 30, "S3", f"b{i % 60}") for i in range(45)]


@pytest.mark.parametrize(
    ("extra", "reason"),
    [(FEW, "brushing_few_buyers"), (RING, "brushing_ring"), (NIGHT, "brushing_night_burst")],
    ids=["few buyers", "ring of fresh accounts", "night burst"],
)
def test_fault_58_brushing_goes_out_of_demand_with_its_reason(extra: Orders, reason: str):
    found, fake = planted(extra)
    assert fake <= set(found)
    assert len(set(found) - fake) <= 1  # a one-order account in the ring's own rhythm
    assert set(found.values()) == {reason}


def test_fault_58_unknown_buyers_count_as_distinct_and_ordinary_trade_stays():
    assert taken_out(trade()) == {}
    busy = [(30, 14 + i / 60, "S3", f"b{i % 60}") for i in range(40)]  # forty known buyers in an hour
    assert planted(busy)[0] == {}


def night(shop: DropShop, day: date, orders: list[str]) -> list[str]:
    """Run ingest and demand for a day and return the flags of SKU S1."""
    shop.drop("order_lines", f"orders_{day}.csv", HEADER + "\n".join(orders) + "\n")
    shop.run(day)
    demand.run(shop.home, day)
    return list(shop.query("select flags from assortment where sku = 'S1'")[0][0])


def day_of(day: date, n: int, *, buyer: Callable[[int], str] = lambda i: f"b{i % 40}") -> list[str]:
    """``n`` orders of S1 and ten of other SKUs through one day."""
    rows = [(f"S1-{i}", "S1", buyer(i), 9 + i % 11, i % 60) for i in range(n)]
    rows += [(f"S{2 + i % 5}-{i}", f"S{2 + i % 5}", f"b{i % 23}", 9 + i, 5) for i in range(10)]
    return [f"{day}-{i},{day}-{i},{day} {h:02d}:{m:02d}:00,{s},1,10.00,{b}" for i, s, b, h, m in rows]


def test_fault_59_a_viral_spike_is_wanted_and_flagged_the_first_night_only(shop: DropShop):
    usual = [r for back in range(40, 0, -1) for r in day_of(D - timedelta(days=back), 6)]
    assert night(shop, D - timedelta(days=1), usual) == []
    viral: dict[str, Any] = {"buyer": lambda i: f"b{i % 40}" if i % 2 else f"fan-{i}"}
    assert night(shop, D, day_of(D, 90, **viral)) == ["demand_shift"]
    assert shop.query(f"select units, excluded_units from demand_history where sku = 'S1' and ds = '{D}'") == [(90, 0)]
    later = D + timedelta(days=1)
    assert night(shop, later, day_of(later, 95, **viral)) == []


def test_fault_61_a_discontinued_sku_loads_and_is_never_planned(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    skus = "".join(f"SKU-{i:03d},{'2026-02-27' if i == 4 else ''}\n" for i in range(30))
    shop.drop("products", "p.csv", "sku,end_of_sale_date\n" + skus)
    shop.run()
    demand.run(shop.home, D)
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
    assert shop.query("select status, reason from assortment where sku = 'SKU-004'") == [("ended", "end_of_sale")]
    assert shop.query("select sum(units) from demand_history where sku = 'SKU-004'")[0][0] > 0
    assert shop.query("select count(*) from assortment where status = 'active'") == [(29,)]


FORMULAS = ('=HYPERLINK("http://evil.example","win")', "<script>alert(1)</script>", "@SUM(A1)", "+1+cmd|' /C calc'!A0")


def workbook_options(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options with which the report writes its workbook."""
    from reporting import restock_workbook

    seen: dict[str, Any] = {}

    def opened(_: str, options: dict[str, Any]) -> None:
        seen.update(options)
        raise InterruptedError

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(restock_workbook.xlsxwriter, "Workbook", opened)
        restock_workbook.write_workbook(None, lines=None, tables=None, facts=None, words=None, config=None)
    return seen


@pytest.mark.parametrize("text", FORMULAS)
def test_fault_67_a_formula_in_a_title_is_inert_in_csv_xlsx_and_html(text: str, monkeypatch: pytest.MonkeyPatch):
    import xlsxwriter
    from jinja2 import Environment

    from data.publish.export import _without_formulas

    shown = pl.DataFrame({"title": [text]}).select(_without_formulas("title"))["title"][0]
    assert shown == (text if text.startswith("<") else f"'{text}")
    assert "<script>" not in Environment(autoescape=True).from_string("{{ t }}").render(t=text)
    buffer, options = io.BytesIO(), workbook_options(monkeypatch)
    with xlsxwriter.Workbook(buffer, {**options, "constant_memory": False}) as book:
        book.add_worksheet().write(0, 0, text)
    with ZipFile(buffer) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet.lower()


def test_fault_35_a_supplier_in_boxes_is_suspect_and_the_others_are_not(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    header = "sku,supplier_id,unit_cost,lead_time_days\n"

    def terms(factor: float) -> str:
        rows = [(f"SKU-{i:03d}", f"SUP-{i % 3}", (5 + i) * (factor if i % 3 == 1 else 1.0)) for i in range(30)]
        return header + "".join(f"{s},{p},{c:.2f},7\n" for s, p, c in rows)

    shop.drop("supply_terms", "terms_2026-02-20.csv", terms(1.0))
    shop.drop("supply_terms", "terms_2026-03-01.csv", terms(1.1))
    shop.run()
    assert "UNIT_SUSPECT" not in shop.notes()
    shop.drop("supply_terms", "terms_2026-03-02.csv", terms(12.0))
    shop.run(D + timedelta(days=1))
    assert shop.notes()["UNIT_SUSPECT"] == "unit_cost of supplier SUP-1 is 11.4 times what it was (10 SKUs)"
    flagged = "select distinct supplier_id from item_supply where list_contains(flags, 'unit_suspect')"
    assert shop.query(flagged) == [("SUP-1",)]


@pytest.mark.parametrize("price", ["1000000000000", "1e12"])
def test_fault_56_a_price_of_a_trillion_is_quarantined(shop: DropShop, price: str):
    rows = order_lines()
    rows[5] = rows[5].replace("16.50", price)
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.quarantined() == [(6, "PRICE_RANGE", "unit_price", price)]
    assert shop.accounts()["a.csv"] == (200, 199, 1, 0)
