"""Databases that behave badly in ways of which the catalogue names no case: each outcome was written down first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest
from drop_shop import D, DropShop
from postgres_server import PostgresServer, has_postgres, postgres_server

from data.contracts import TABLES
from data.errors import ConfigError, DataError, SourceError
from data.ingest import pulls
from data.ingest.connections import connection_of
from data.ingest.databases import Database
from data.ingest.pulls import SourceFault, SourceUnavailable
from data.settings import ConnectionSettings, SourceSettings

pytestmark = pytest.mark.skipif(not has_postgres(), reason="no PostgreSQL server (Debian package postgresql)")

TABLE = """create table lines (order_line_id text, order_id text, ordered_at timestamptz, sku text, quantity integer,
    unit_price numeric, buyer_ref text, changed_at timestamptz)"""
INCREMENTAL = "select * from lines where changed_at > :watermark"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def postgres(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    monkeypatch.setenv("SHOP_DB_URL", server.url)
    monkeypatch.setattr(pulls, "_FIRST_PAUSE_SECONDS", 0.01)
    server.execute("drop table if exists lines cascade", TABLE)
    return server


def connect(shop: DropShop, query: str = "select * from lines", table: str = "order_lines", **options: Any) -> DropShop:
    shop.connections = {"shop_db": {"env": "SHOP_DB_URL"}}
    shop.sources[table] = {"kind": "sql", "connection": "shop_db", "query": query, **options}
    return shop


class Pulled:
    """A database asked as the ingest step asks it, night after night; what loads is another matter."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.mark: str | None = None
        self.lines: list[str] = []

    def __call__(self, query: str = "select * from lines", **options: Any) -> Pulled:
        spec = SourceSettings.model_validate({"kind": "sql", "connection": "shop_db", "query": query, **options})
        connection = connection_of("shop_db", ConnectionSettings(env="SHOP_DB_URL"))
        pull = pulls.Pull("order_lines", TABLES["order_lines"], spec, self.home, D, self.mark, connection.masked)
        database = Database(connection, pull, query)
        try:
            path, upto, rows = database.pulled()
            found = pq.read_table(path, columns=["order_line_id"]).column(0).to_pylist()
            self.mark = pulls.watermark_in(pull.arrival(path, upto).name) if rows else self.mark
        finally:
            database.close()
        assert len(found) == rows
        self.lines += found
        return self


@pytest.fixture
def pull(tmp_path: Path) -> Pulled:
    return Pulled(tmp_path)


def fill(server: PostgresServer, first: int, last: int, changed: str = "timestamptz '2026-03-01 05:00Z'") -> None:
    server.execute(
        "insert into lines select 'L' || i, 'O' || i / 3, timestamptz '2026-03-01 02:00Z' + i * interval '1 second', "
        f"'SKU-' || i % 30, 1 + i % 3, 10.5 + i % 30, 'B' || i % 17, {changed} from generate_series({first}, {last}) i"
    )


def kept(shop: DropShop) -> int:
    return shop.query("select count(*) from raw_order_lines where not is_duplicate")[0][0]


def marks(shop: DropShop) -> list[str]:
    names = shop.query("select file_name from sightings order by seq")
    return [pulls.watermark_in(name) or "" for (name,) in names]


def adds_up(shop: DropShop) -> bool:
    return all(a == b + c + d for a, b, c, d in shop.accounts().values())


def test_rows_without_a_watermark_load_every_night_and_hold_nothing_back(shop, postgres):
    connect(shop, INCREMENTAL + " or changed_at is null", watermark="changed_at")
    fill(postgres, 1, 50, "null")
    shop.run()
    assert (kept(shop), marks(shop)) == (50, [""])
    fill(postgres, 51, 80)
    shop.run(D + timedelta(days=1))
    assert (kept(shop), adds_up(shop)) == (80, True)
    assert marks(shop)[1:] == ["2026-03-01T05:00:00+00:00"]


def test_equal_watermarks_at_the_border_of_two_nights(shop, postgres):
    """With ``>=`` nothing is lost: rows of the very instant come twice and are known."""
    connect(shop, INCREMENTAL.replace(">", ">="), watermark="changed_at")
    fill(postgres, 1, 50)
    shop.run()
    fill(postgres, 51, 60)  # the same instant, committed later
    shop.run(D + timedelta(days=1))
    assert (kept(shop), adds_up(shop)) == (60, True)


def test_a_late_row_inside_the_window_is_read_and_the_watermark_never_goes_back(postgres, pull):
    asked = {"query": INCREMENTAL, "watermark": "changed_at", "late_days": 0.5}
    fill(postgres, 1, 50, "timestamptz '2026-03-01 05:00Z' - i * interval '1 minute'")
    reached = pull(**asked).mark
    postgres.execute("delete from lines")
    fill(postgres, 51, 51, "timestamptz '2026-02-28 17:30Z'")
    fill(postgres, 52, 52, "timestamptz '2026-02-28 16:30Z'")  # beyond the window: the shop said how late rows come
    assert pull(**asked).lines[50:] == ["L51"]
    assert pull.mark == reached == "2026-03-01T04:59:00+00:00"


def test_the_first_night_begins_where_the_settings_say(postgres, pull):
    """The late window looks back from what was reached; before the first night nothing was."""
    fill(postgres, 1, 3, "timestamptz '2026-02-20 05:00Z'")
    fill(postgres, 4, 5, "timestamptz '2026-02-22 05:00Z'")
    asked = {"query": INCREMENTAL, "watermark": "changed_at", "watermark_start": "2026-02-21T00:00:00+00:00"}
    assert pull(**asked, late_days=3).lines == ["L4", "L5"]


@pytest.mark.parametrize(
    ("kind", "first", "second", "start"),
    [
        ("timestamp", "timestamp '2026-03-01 05:00'", "timestamp '2026-03-01 06:00'", "1970-01-01T00:00:00+00:00"),
        ("date", "date '2026-02-28'", "date '2026-03-01'", "1970-01-01"),
        ("bigint", "i", "i", "0"),
        ("integer", "i", "i", "0"),
        ("numeric", "i", "i", "0"),
        ("numeric(12, 3)", "i", "i", "0"),
        ("double precision", "i", "i", "0"),
        ("double precision", "i * 1e15", "i * 1e15", "0"),
        ("text", "'2026-03-01T05:00:00Z'", "'2026-03-01T06:00:00Z'", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_a_watermark_of_any_type_loses_nothing(postgres, pull, kind, first, second, start):
    postgres.execute(f"alter table lines alter changed_at type {kind} using null")
    where = "changed_at > :watermark" if kind != "text" else "changed_at::timestamptz > :watermark"
    asked = {"query": f"select * from lines where {where}", "watermark": "changed_at", "watermark_start": start}
    fill(postgres, 8, 12, first)
    assert len(pull(**asked).lines) == 5
    fill(postgres, 95, 105, second)
    assert sorted(pull(**asked).lines) == sorted(f"L{i}" for i in (*range(8, 13), *range(95, 106)))
    assert len(pull(**asked).lines) == 16


def test_a_watermark_that_has_no_order_is_refused(postgres, pull):
    postgres.execute("alter table lines alter changed_at type text using null")
    fill(postgres, 1, 5, "'change ' || i")
    with pytest.raises(ConfigError, match="source order_lines: its watermark 'changed_at' has to be a number, a day"):
        pull(watermark="changed_at")


def test_a_naive_watermark_is_asked_for_as_it_was_read_whatever_the_zone_of_the_server(postgres, pull):
    postgres.execute(
        "alter table lines alter changed_at type timestamp using null",
        "alter role shopkeeper set timezone = 'Asia/Shanghai'",
    )
    try:
        fill(postgres, 1, 50, "timestamp '2026-03-01 05:00'")
        assert pull(INCREMENTAL, watermark="changed_at").mark == "2026-03-01T05:00:00"
        fill(postgres, 51, 60, "timestamp '2026-03-01 06:00'")
        assert len(pull(INCREMENTAL, watermark="changed_at").lines) == 60
    finally:
        postgres.execute("alter role shopkeeper reset timezone")


def test_a_watermark_whose_type_changes_between_nights(postgres, pull):
    fill(postgres, 1, 50)
    pull(INCREMENTAL, watermark="changed_at")
    postgres.execute("alter table lines alter changed_at type date using changed_at::date")
    fill(postgres, 51, 60, "date '2026-03-02'")
    assert len(pull(INCREMENTAL, watermark="changed_at").lines) == 60
    assert len(pull(INCREMENTAL, watermark="changed_at").lines) == 60


def test_an_instant_at_infinity_is_quarantined_and_moves_no_watermark(shop, postgres):
    connect(shop, watermark="changed_at")
    fill(postgres, 1, 300)
    postgres.execute(
        "update lines set ordered_at = 'infinity', changed_at = '-infinity' where order_line_id = 'L7'",
        "update lines set ordered_at = '-infinity', changed_at = 'infinity' where order_line_id = 'L8'",
    )
    shop.run()
    assert [(why, column) for _, why, column, _ in shop.quarantined()] == [("DATE_RANGE", "ordered_at")] * 2
    assert (kept(shop), adds_up(shop)) == (298, True)
    assert marks(shop) == ["2026-03-01T05:00:00+00:00"]


def test_a_table_that_changed_since_the_last_night(shop, postgres):
    """Each change is refused by its name; put right, the next night goes on."""
    connect(shop)
    fill(postgres, 1, 200)
    shop.run()
    fill(postgres, 201, 230)
    for change, message, back in (
        ("rename sku to artikel", "SCHEMA_DRIFT: .*artikel", "rename artikel to sku"),
        (
            "alter quantity type boolean using true",
            "QUARANTINE_LIMIT: .*NOT_A_NUMBER",
            "alter quantity type int using 2",
        ),
        ("alter ordered_at type timestamp", "NAIVE_TIMESTAMP: ", "alter ordered_at type timestamptz"),
    ):
        postgres.execute(f"alter table lines {change}")
        with pytest.raises(DataError, match=message):
            shop.run(D + timedelta(days=1))
        postgres.execute(f"alter table lines {back}")
    assert kept(shop) == 200


def test_a_table_that_vanished_and_one_that_may_not_be_read(postgres, pull, monkeypatch):
    postgres.execute(
        "do $$ begin create role clerk login password 'cl3rk'; exception when duplicate_object then null; end $$",
        "grant select on lines to clerk",
        "alter role clerk set default_transaction_read_only = on",
    )
    monkeypatch.setenv("SHOP_DB_URL", postgres.url.replace("shopkeeper:t0psecret", "clerk:cl3rk"))
    fill(postgres, 1, 20)
    assert len(pull().lines) == 20  # a role that may only read suffices
    postgres.execute("revoke all on lines from clerk")
    with pytest.raises(SourceFault, match="source order_lines: .*permission denied") as error:
        pull()
    assert "cl3rk" not in str(error.value)
    postgres.execute("drop table lines")
    with pytest.raises(SourceFault, match='source order_lines: .*"lines" does not exist'):
        pull()


def test_a_name_that_speaks_of_connections_is_still_a_matter_of_the_query(postgres, pull):
    with pytest.raises(SourceFault, match='source order_lines: .*"connections_closed" does not exist'):
        pull("select * from connections_closed")


def test_numbers_that_are_none_and_types_that_nobody_expects(shop, postgres):
    odd = ("'{1,2}'::int[] a", "'{\"k\": 1}'::jsonb j", "inet '10.0.0.1' i", "interval '1 day' d", "'5'::money m",
           "'\\xff00'::bytea b", "time '10:00' t", "point(1, 2) p", "gen_random_uuid() u", "null n")  # fmt: skip
    connect(shop, f"select *, {', '.join(odd)} from lines")
    fill(postgres, 1, 300)
    postgres.execute(
        "update lines set unit_price = 'NaN' where order_line_id = 'L7'",
        "update lines set unit_price = 'Infinity' where order_line_id = 'L8'",
    )
    shop.run()
    assert sorted((why, value) for _, why, _, value in shop.quarantined()) == [
        ("NOT_FINITE", "inf"),
        ("NOT_FINITE", "nan"),
    ]
    assert (kept(shop), adds_up(shop)) == (298, True)


def test_a_query_that_takes_too_long_ends_with_the_deadline(postgres, pull):
    fill(postgres, 1, 5)
    with pytest.raises(SourceUnavailable, match="source order_lines: reading shop_db failed, .*statement timeout"):
        pull("select * from lines, pg_sleep(30)", deadline_seconds=0.5, timeout_seconds=0.5)


@pytest.mark.parametrize("password", ["p@ss/w:rd%?#&=+ ü", "a'b\"c\\d", "%41%zz", "ha:sh#"])
def test_a_password_with_special_characters_opens_and_stays_hidden(postgres, pull, monkeypatch, password):
    literal = password.replace("'", "''")
    postgres.execute(
        "do $$ begin create role odd login; exception when duplicate_object then null; end $$",
        f"alter role odd password '{literal}'",
        "grant select on lines to odd",
    )
    url = postgres.url.replace("shopkeeper:t0psecret", f"odd:{quote(password, safe='')}")
    monkeypatch.setenv("SHOP_DB_URL", url)
    fill(postgres, 1, 50)
    assert len(pull().lines) == 50
    for broken in (
        url.replace("odd:", "odd2:"),
        url.replace("/postgres", "/nowhere"),
        url.replace("127.0.0.1", "[::9"),
    ):
        monkeypatch.setenv("SHOP_DB_URL", broken)
        with pytest.raises((SourceError, ConfigError)) as error:
            pull(retries=0)
        assert password not in str(error.value)
        assert quote(password, safe="") not in str(error.value)


@pytest.mark.parametrize(
    "url", ["postgresql://ann:pa#ss@db/shop", "postgresql://ann:pa/ss@db/shop", "http://:to?ken@api"]
)
def test_a_password_that_breaks_the_url_is_refused_without_showing_it(pull, monkeypatch, url):
    monkeypatch.setenv("SHOP_DB_URL", url)
    with pytest.raises(ConfigError, match="connections.shop_db: .*percent") as error:
        pull()
    assert not any(part in str(error.value) for part in ("pa#", "pa/", "ss@", "to?", "ken"))


def test_the_same_rows_again_are_a_known_delivery_and_leave_nothing_behind(shop, postgres):
    connect(shop)
    fill(postgres, 1, 60)
    shop.run()
    before = sorted(p.name for p in (shop.home / "landing").rglob("*") if len(p.stem) == 64)
    assert len(before) == 2  # the planning part, and whom its surrogates stand for
    shop.run(D + timedelta(days=1))
    assert sorted(p.name for p in (shop.home / "landing").rglob("*") if len(p.stem) == 64) == before
    assert "DUPLICATE_DELIVERY" in shop.notes()
    assert (kept(shop), shop.query("select count(distinct buyer_ref) from raw_order_lines")) == (60, [(17,)])
    fill(postgres, 61, 90)
    shop.run(D + timedelta(days=2))
    hashed = shop.query("select distinct buyer_ref from raw_order_lines order by 1")
    (shop.home / "warehouse.duckdb").unlink()  # two pulls of one source, loaded together
    shop.run(D + timedelta(days=3))
    assert (kept(shop), shop.query("select distinct buyer_ref from raw_order_lines order by 1")) == (90, hashed)


def test_a_pull_without_its_people_equals_the_file_of_the_same_rows(shop, postgres, tmp_path):
    """Names and remarks leave a pull while it streams: what loads is what a file of the rows gives."""
    columns = "receiver_name text, remark text"
    postgres.execute(*(f"alter table lines add {c}" for c in columns.split(", ")))
    connect(shop)
    fill(postgres, 1, 60)
    postgres.execute(
        "update lines set receiver_name = 'Zhang Wei', remark = 'call 13812345678' where quantity = 1",
        "update lines set buyer_ref = null where quantity = 2",
        "update lines set buyer_ref = ' B1 ' where order_line_id = 'L3'",
    )
    shop.run()
    landed = b"".join(p.read_bytes() for p in (shop.home / "landing").rglob("*") if p.is_file())
    assert not any(word in landed for word in (b"Zhang", b"13812345678"))
    found = shop.query("select order_line_id, buyer_ref is null from raw_order_lines")
    assert {line for line, is_null in found if is_null} == {f"L{i}" for i in range(1, 61) if i % 3 == 1}
    assert shop.query("select count(distinct buyer_ref) from raw_order_lines") == [(17,)]
