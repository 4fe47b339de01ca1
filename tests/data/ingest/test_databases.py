"""SQL sources: PostgreSQL for real, any other database by SQLAlchemy; watermarks, secrets, a server that dies."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from drop_shop import D, DropShop, order_lines
from postgres_server import PostgresServer, has_postgres, postgres_server

from data.errors import ConfigError, SourceError
from data.ingest import databases, pulls

TABLE = """create table lines (order_line_id text, order_id text, ordered_at timestamptz, sku text, quantity integer,
    unit_price numeric(12, 2), buyer_ref text, changed_at timestamptz)"""
QUERY = "select * from lines"
needs_postgres = pytest.mark.skipif(not has_postgres(), reason="no PostgreSQL server (Debian package postgresql)")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        running.execute(TABLE)
        yield running


@pytest.fixture
def postgres(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    monkeypatch.setenv("SHOP_DB_URL", server.url)
    monkeypatch.setattr(pulls, "_FIRST_PAUSE_SECONDS", 0.01)
    server.execute("truncate lines")
    return server


def connect(shop: DropShop, table: str = "order_lines", **options: Any) -> None:
    shop.connections = {"shop_db": {"env": "SHOP_DB_URL"}}
    shop.sources[table] = {"kind": "sql", "connection": "shop_db", "query": QUERY, **options}


def fill(server: PostgresServer, first: int, last: int, day: str = "2026-03-01") -> None:
    server.execute(
        "insert into lines select 'L' || i, 'O' || i / 3, timestamptz '"
        + day
        + " 02:00:00Z' + i * interval '1 second', "
        f"'SKU-' || i % 30, 1 + i % 3, 10.5 + i % 30, 'B' || i % 17, timestamptz '{day} 02:00:00Z' + i * interval "
        f"'1 second' from generate_series({first}, {last}) i"
    )


def lines(shop: DropShop) -> int:
    return shop.query("select count(*) from raw_order_lines")[0][0]


@needs_postgres
def test_postgres_rows_land_typed_and_load_to_the_last(shop, postgres):
    connect(shop)
    fill(postgres, 1, 500)
    counts = shop.run()
    assert counts["rows_in"] >= 500
    assert lines(shop) == 500
    total = shop.query("select sum(unit_price), sum(quantity), min(ordered_at)::varchar from raw_order_lines")[0]
    assert [float(total[0]), total[1]] == [
        sum(10.5 + i % 30 for i in range(1, 501)),
        sum(1 + i % 3 for i in range(1, 501)),
    ]
    assert shop.accounts() == {"order_lines.on-2026-03-01.parquet": (500, 500, 0, 0)}
    landed = [p for p in (shop.home / "landing").glob("??/*") if p.read_bytes()[:4] == b"PAR1"]
    assert [pq.read_metadata(p).num_rows for p in landed] == [500]


@needs_postgres
def test_bad_values_of_a_database_go_to_quarantine_like_any(shop, postgres):
    connect(shop)
    fill(postgres, 1, 200)
    postgres.execute(
        "update lines set unit_price = -5 where order_line_id = 'L7'",
        "update lines set sku = null where order_line_id = 'L9'",
    )
    shop.run()
    assert sorted((reason, column) for _, reason, column, _ in shop.quarantined()) == [
        ("MISSING", "sku"),
        ("PRICE_RANGE", "unit_price"),
    ]


@needs_postgres
def test_the_watermark_moves_with_the_load_and_late_rows_are_found(shop, postgres):
    query = "select * from lines where changed_at > :watermark"
    connect(shop, query=query, watermark="changed_at", late_days=1)
    fill(postgres, 1, 100)
    shop.run()
    fill(postgres, 101, 150, day="2026-03-02")
    postgres.execute(
        "insert into lines values ('late', 'O9', '2026-02-27 02:00Z', 'SKU-1', 1, 10.5, 'B1', '2026-03-01 01:00Z')"
    )
    shop.run(D + timedelta(days=1))
    assert lines(shop) - shop.query("select count(*) from raw_order_lines where is_duplicate")[0][0] == 151
    names = [row[0] for row in shop.query("select file_name from sightings order by seq")]
    assert names[0].startswith("order_lines.upto-2026-03-01T02:01:40+00:00.on-")
    (shop.home / "warehouse.duckdb").unlink()  # what is known of the watermark comes back from landing
    shop.run(D + timedelta(days=2))
    assert lines(shop) - shop.query("select count(*) from raw_order_lines where is_duplicate")[0][0] == 151


@needs_postgres
def test_a_night_that_fails_after_the_pull_does_not_move_the_watermark(shop, postgres, monkeypatch):
    connect(shop, query="select * from lines where changed_at > :watermark", watermark="changed_at")
    fill(postgres, 1, 100)
    with monkeypatch.context() as broken:
        broken.setattr("data.step._report", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shop.run()
    assert shop.query("select count(*) from information_schema.tables where table_name = 'raw_order_lines'") == [(0,)]
    shop.run()
    assert lines(shop) == 100


@needs_postgres
def test_parameters_are_bound_and_no_value_can_be_sql(shop, postgres):
    connect(shop, query="select * from lines where ordered_at::date = :run_date and sku <> ':run_date'")
    fill(postgres, 1, 100)
    fill(postgres, 101, 120, day="2026-02-20")
    shop.run()
    assert lines(shop) == 100
    connect(shop, query="select * from lines where sku = :sku")
    with pytest.raises(ConfigError, match="binds :sku; known are :run_date and :watermark"):
        shop.run()


@needs_postgres
def test_a_server_killed_in_mid_read_leaves_nothing_half_loaded(shop, postgres, tmp_path, monkeypatch):
    connect(shop, retries=1)
    fill(postgres, 1, 200_000)
    plain = databases._plain_batch
    batches: list[int] = []

    def killed(batch: Any, schema: Any) -> Any:
        batches.append(batch.num_rows)
        if len(batches) == 1:
            threading.Thread(target=postgres.stop, args=(signal.SIGQUIT,)).start()
            threading.Event().wait(0.5)
        return plain(batch, schema)

    monkeypatch.setattr(databases, "_plain_batch", killed)
    monkeypatch.setattr(databases, "_BATCH_BYTES_HINT", 100_000)
    try:
        with pytest.raises(SourceError, match="source order_lines: reading shop_db failed") as error:
            shop.run()
    finally:
        monkeypatch.setattr(databases, "_plain_batch", plain)
        postgres.stop()
        postgres.start()
    assert error.value.exit_code == 1
    assert "t0psecret" not in str(error.value)
    assert 0 < sum(batches) < 200_000
    assert list((shop.home / "landing").glob("??/*")) == []
    assert list((shop.home / "landing").glob(".work-*")) == []
    shop.run()
    other = DropShop(tmp_path / "other")
    connect(other, retries=1)
    other.run()
    ours, theirs = (s.query("from raw_order_lines order by order_line_id") for s in (shop, other))
    assert len(ours) == 200_000
    assert ours == theirs


def test_a_database_that_is_not_there_stops_sales_and_not_signals(shop, monkeypatch):
    monkeypatch.setenv("SHOP_DB_URL", "postgresql://ann:t0psecret@127.0.0.1:9/shop")
    monkeypatch.setattr(pulls, "_FIRST_PAUSE_SECONDS", 0.01)
    shop.drop("order_lines", "a.csv", order_lines(30))
    connect(shop, "signals", retries=1)
    shop.run()
    note = shop.notes()["stale_source"]
    assert "source signals: reading shop_db failed, after 2 tries" in note
    connect(shop, retries=1)
    with pytest.raises(SourceError, match="source order_lines") as error:
        shop.run()
    assert error.value.exit_code == 1
    assert "t0psecret" not in str(error.value) + note


def sqlite_shop(shop: DropShop, monkeypatch: pytest.MonkeyPatch, *rows: tuple[Any, ...]) -> None:
    path = shop.home / "shop.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("create table lines (order_line_id, ordered_at, sku, quantity, unit_price)")
        database.executemany("insert into lines values (?, ?, ?, ?, ?)", rows)
    database.close()
    monkeypatch.setenv("SHOP_DB_URL", f"sqlite:///{path}")


def test_any_sqlalchemy_url_takes_the_strict_path(shop, monkeypatch):
    sqlite_shop(
        shop,
        monkeypatch,
        ("L1", "2026-03-01 10:00:00", "007", 2, 10.5),
        ("L2", "2026-03-01 10:00:00", "A", 1.9, 10.5),
        ("L3", "2026-03-02 10:00:00", "A", 1, 10.5),
    )
    connect(shop, query="select * from lines where date(ordered_at) = :run_date", timezone="Asia/Shanghai")
    shop.run()
    assert shop.query("select order_line_id, sku, quantity, unit_price::double from raw_order_lines") == [
        ("L1", "007", 2, 10.5)
    ]
    assert [q[1:] for q in shop.quarantined()] == [("NOT_INTEGER", "quantity", "1.9")]


def test_a_query_that_the_database_refuses_is_no_matter_of_patience(shop, monkeypatch):
    sqlite_shop(shop, monkeypatch)
    connect(shop, query="select * from nowhere")
    with pytest.raises(SourceError, match="source order_lines: no such table: nowhere"):
        shop.run()
    connect(shop, query="select 1 as a, 2 as a")
    with pytest.raises(SourceError, match="two columns the name 'a'"):
        shop.run()


@pytest.mark.parametrize(
    "secret",
    [
        "postgres://ann:p%40ss@db.example:5433/shop?sslmode=require",
        (
            '{"conn_type": "postgres", "login": "ann", "password": "p@ss", "host": "db.example", "port": 5433, '
            '"schema": "shop", "extra": {"sslmode": "require"}}'
        ),
    ],
)
def test_airflow_connections_are_read_from_their_variable(secret, monkeypatch):
    from data.ingest.connections import connection_of
    from data.settings import ConnectionSettings

    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", secret)
    found = connection_of("db", ConnectionSettings(airflow="shop_db"))
    assert found.url == "postgresql://ann:p%40ss@db.example:5433/shop?sslmode=require"
    assert "p%40ss" not in repr(found)
    assert found.masked("wrong password p@ss") == "wrong password ***"


def test_a_store_of_connections_can_be_hooked_in(monkeypatch):
    from data.ingest import connections
    from data.settings import ConnectionSettings

    monkeypatch.setattr(connections, "_store", [])
    with pytest.raises(ConfigError, match="Airflow has no connection 'api'"):
        connections.connection_of("x", ConnectionSettings(airflow="api"))
    connections.use_store({"api": "http://:tok@api.example/https"}.get)
    assert connections.connection_of("x", ConnectionSettings(airflow="api")).url == "https://:tok@api.example"
