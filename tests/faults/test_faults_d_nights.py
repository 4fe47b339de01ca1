"""Groups D and E: days and nights that are not as they should be. One test id per row of the catalogue."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from drop_shop import D, DropShop, order_lines

from cli.run_lock import run_lock
from data.errors import SourceError
from data.ingest import landing
from data.warehouse import open_warehouse
from demand import step as demand
from trends import step as trends

HEADER = "order_line_id,order_id,ordered_at,sku,quantity,unit_price,buyer_ref\n"


def usual_day(day: date, *, until: int = 22) -> str:
    """A hundred and twenty orders between 8 and ``until`` o'clock."""
    rows = [(i, 8 + i % 14) for i in range(120)]
    return "".join(
        f"{day}-{i},{day}-{i},{day} {h:02d}:{i % 60:02d}:00,S{i % 6},1,10.00,b{i % 31}\n" for i, h in rows if h < until
    )


def days_before(n: int, *, last: date = D, skip: tuple[date, ...] = ()) -> list[date]:
    return [d for back in range(n, 0, -1) if (d := last - timedelta(days=back)) not in skip]


def flags(shop: DropShop, column: str) -> list[date]:
    """The days on which ``column`` holds."""
    return [r[0] for r in shop.query(f"select distinct ds from demand_history where {column} order by 1")]


def test_fault_71_a_day_until_two_in_the_afternoon_is_partial_and_no_training(shop: DropShop):
    shop.drop("order_lines", "a.csv", HEADER + "".join(map(usual_day, days_before(56))) + usual_day(D, until=14))
    shop.run()
    demand.run(shop.home, D)
    assert shop.notes()["PARTIAL_DAY"] == "2026-03-01 was delivered in part: it is kept out of training."
    assert flags(shop, "is_partial") == [D]


def test_fault_72_a_missing_day_is_a_gap_and_a_weekday_that_is_always_missing_is_closed(shop: DropShop):
    missing = D - timedelta(days=12)
    closed = [d for d in days_before(90) if d.weekday() == 2]
    open_days = days_before(90, skip=(missing, *closed))
    shop.drop("order_lines", "a.csv", HEADER + "".join(map(usual_day, [*open_days, D])))
    shop.run()
    demand.run(shop.home, D)
    assert flags(shop, "is_gap") == [missing]
    assert set(flags(shop, "is_closed")) == {d for d in closed if d >= open_days[0]}
    assert shop.query("select sum(units) from demand_history where is_closed") == [(0,)]


def test_fault_72_a_listed_day_is_closed(shop: DropShop):
    holiday = D - timedelta(days=9)
    shop.shop["closed_days"] = [holiday.isoformat()]
    shop.drop("order_lines", "a.csv", HEADER + "".join(map(usual_day, [*days_before(60, skip=(holiday,)), D])))
    shop.run()
    demand.run(shop.home, D)
    assert (flags(shop, "is_closed"), flags(shop, "is_gap")) == ([holiday], [])


def test_fault_73_a_day_on_which_every_sku_is_zero_is_doubted(shop: DropShop):
    shop.sources.clear()
    days = [*days_before(40), D]
    doubtful = D - timedelta(days=5)
    rows = [f"{d},S{i:02d},{0 if d == doubtful else (i + d.day) % 4}\n" for d in days for i in range(30)]
    shop.drop("period_sales", "p.csv", "ds,sku,units\n" + "".join(rows))
    shop.run()
    demand.run(shop.home, D)
    assert shop.notes()["ALL_ZERO"] == "1 periods in which every SKU sold nothing are kept out of training."
    assert flags(shop, "is_partial") == [doubtful]


def test_fault_73_a_day_out_of_stock_is_censored_and_not_zero_demand(shop: DropShop):
    shop.sources.clear()
    out = D - timedelta(days=3)
    rows = [f"{d},S1,{0 if d == out else 5},{'false' if d == out else 'true'}\n" for d in [*days_before(40), D]]
    shop.drop("period_sales", "p.csv", "ds,sku,units,in_stock\n" + "".join(rows))
    shop.run()
    demand.run(shop.home, D)
    assert flags(shop, "is_censored") == [out]


class Backwards:
    """A clock that steps back seven hours whenever it is asked."""

    at = datetime.now(UTC)
    fromtimestamp, fromisoformat = datetime.fromtimestamp, datetime.fromisoformat

    @classmethod
    def now(cls, tz=None):
        cls.at -= timedelta(hours=7)
        return cls.at


def test_fault_76_a_clock_that_steps_back_during_the_run_changes_nothing(
    shop: DropShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = DropShop(tmp_path / "other")
    for one in (shop, other):
        for day in (1, 2, 3):
            one.drop("order_lines", f"{day}.csv", order_lines(50, start=day * 100))
    shop.run()

    monkeypatch.setattr(landing, "datetime", Backwards)
    monkeypatch.setattr("data.step_io.datetime", Backwards)
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    other.run()
    everything = "select * from stg_order_lines order by 1"
    assert other.query(everything) == shop.query(everything)
    assert other.accounts() == shop.accounts()


SIGNALS = "date,source,region,element_type,element,metric,value\n"


def with_signals(shop: DropShop, value_of) -> None:
    days = [*days_before(40), D]
    shop.drop("order_lines", "a.csv", HEADER + "".join(map(usual_day, days)))
    rows = [f"{d},web,east,ip,E{e},searches,{value_of(d, e)}\n" for d in days for e in range(6)]
    shop.drop("signals", "s.csv", SIGNALS + "".join(rows))
    shop.run()
    demand.run(shop.home, D)
    trends.run(shop.home, D)


def test_fault_82_signals_that_stand_still_are_stale_and_neutral(shop: DropShop):
    still = D - timedelta(days=6)
    with_signals(shop, lambda d, e: 50 + 7 * e + ((min(d, still).day * (e + 3)) % 11))
    assert "STALE" in shop.notes()
    assert shop.query(f"select distinct heat from trend_features where ds = '{D}'") == [(0.0,)]


def test_fault_83_signals_of_nothing_but_zeros_are_said_and_neutral(shop: DropShop):
    silent = D - timedelta(days=2)
    with_signals(shop, lambda d, e: 0 if d > silent else 50 + 7 * e + (d.day * (e + 3)) % 11)
    assert "ALL_ZERO_SIGNALS" in shop.notes()
    assert shop.query(f"select max(abs(heat)) < 0.05 from trend_features where ds = '{D}'") == [(True,)]


def test_fault_86_two_runs_of_one_date_are_one(shop: DropShop):
    says = f"in use by the run for {D}, process"
    with run_lock(shop.home, D), pytest.raises(SourceError, match=says), run_lock(shop.home, D):
        pytest.fail("the second run was let in")
    with run_lock(shop.home, D):
        pass


def test_fault_87_a_backfill_waits_for_tonights_run_and_the_order_does_not_matter(shop: DropShop, tmp_path: Path):
    earlier = D - timedelta(days=1)
    says = f"in use by the run for {D}"
    with run_lock(shop.home, D), pytest.raises(SourceError, match=says), run_lock(shop.home, earlier):
        pytest.fail("the backfill was let in")
    seen = []
    for home, order in ((tmp_path / "a", (earlier, D)), (tmp_path / "b", (D, earlier))):
        one = DropShop(home)
        one.drop("order_lines", "a.csv", [*order_lines(30, day=str(earlier)), *order_lines(40, start=300)])
        for day in order:
            one.run(day)
        one.run(D)
        seen.append([one.query("select * from stg_order_lines order by 1"), one.accounts()])
    assert seen[0] == seen[1]


def published(shop: DropShop, day: date) -> None:
    """Pretend that a day was run and published."""
    folder = shop.home / "published" / ".runs" / f"{day}-0badcafe"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (shop.home / "published" / str(day)).symlink_to(folder.relative_to(shop.home / "published"))


def test_fault_88_nights_that_were_not_run_are_named(shop: DropShop, tmp_path: Path):
    shop.drop("order_lines", "a.csv", order_lines())
    published(shop, D - timedelta(days=3))
    shop.run()
    assert shop.notes()["NIGHTS_MISSED"].startswith("2 nights before this one were not run, from 2026-02-27 on; ")
    assert "merchcast run --date 2026-02-27" in shop.notes()["NIGHTS_MISSED"]
    other = DropShop(tmp_path / "other")
    other.drop("order_lines", "a.csv", order_lines())
    published(other, D - timedelta(days=1))
    other.run()
    assert "NIGHTS_MISSED" not in other.notes()


def test_fault_91_somebody_else_holds_the_database(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.run()
    path = str(shop.home / "warehouse.duckdb")
    holds = f"import duckdb, sys; c = duckdb.connect({path!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        says = rf"held by another process(.|\n)*{other.pid}"
        with pytest.raises(SourceError, match=says) as caught, open_warehouse(shop.home, patience_seconds=0.2):
            pytest.fail("opened beside another writer")
        other.stdin.close()
    assert caught.value.exit_code == 1
    shop.run()  # it let go
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
