"""Spliced Parquet: the same rows as writing it anew, whoever wrote it, and nothing of a column that was replaced."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.contracts import TABLES
from data.ingest import parquet_split, splitting, thrift
from data.ingest.faults import DeliveryRefused
from data.ingest.parquet_splice import read_footer, spliced
from data.ingest.people import PersonBook, roles_of
from data.settings import SourceSettings

ROWS, GROUP = 30_000, 12_000
CANARY = "zz-Canary"
SPEC = SourceSettings(name="-", path="-")


def order_lines(rows: int = ROWS) -> pa.Table:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return pa.table(
        {
            "order_line_id": [f"L{n:09d}" for n in range(rows)],
            "ordered_at": pa.array([start + timedelta(seconds=n) for n in range(rows)], pa.timestamp("us", "UTC")),
            "sku": [f"SKU-{n % 50}" for n in range(rows)],
            "quantity": pa.array([1 + n % 3 for n in range(rows)], pa.int64()),
            "unit_price": pa.array([Decimal(n % 70) + Decimal("0.5") for n in range(rows)], pa.decimal128(18, 4)),
            "weight": pa.array([None if n % 7 == 0 else n / 3 for n in range(rows)], pa.float64()),
            "buyer_ref": [None if n % 11 == 0 else f"{CANARY}{n // 3 % 997}" for n in range(rows)],
            "promotion_id": [None if n % 4 else f"promo-{n % 9}" for n in range(rows)],
        }
    ).replace_schema_metadata({"pandas": f'{{"first": "{CANARY}"}}'})


def by_arrow(**options: object) -> Callable[[Path, pa.Table], None]:
    def write(path: Path, rows: pa.Table) -> None:
        pq.write_table(rows, path, row_group_size=GROUP, **options)

    return write


def by_duckdb(path: Path, rows: pa.Table) -> None:
    with duckdb.connect() as connection:
        connection.register("incoming", rows)
        connection.execute(
            f"copy (from incoming) to '{path}' (format parquet, row_group_size {GROUP}, parquet_version v2, "
            "write_bloom_filter true)"
        )


def by_polars(path: Path, rows: pa.Table) -> None:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(path, row_group_size=GROUP, statistics="full")


WRITERS = {
    "plain": by_arrow(use_dictionary=False, compression="none"),
    "dictionary": by_arrow(write_page_index=True, data_page_size=4_096),
    "v2 pages": by_arrow(data_page_version="2.0", compression="zstd"),
    "gzip": by_arrow(compression="gzip", version="1.0", write_statistics=True),
    "delta": by_arrow(
        use_dictionary=False,
        column_encoding={
            "order_line_id": "DELTA_BYTE_ARRAY",
            "sku": "DELTA_LENGTH_BYTE_ARRAY",
            "quantity": "DELTA_BINARY_PACKED",
            "weight": "BYTE_STREAM_SPLIT",
        },
    ),
    "duckdb": by_duckdb,
    "polars": by_polars,
}


def split(path: Path, into: Path, spliced_from: int, monkeypatch: pytest.MonkeyPatch) -> PersonBook | None:
    monkeypatch.setattr(parquet_split, "SPLICED_BYTES", spliced_from)
    table = TABLES["order_lines"]
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    return parquet_split.split_parquet(
        copy, into, lambda header: roles_of(table, SPEC, header), tag="ab" * 32, nulls=SPEC.null_values
    )


@pytest.mark.parametrize("writer", WRITERS)
def test_a_spliced_file_holds_the_same_rows_and_nobody(
    writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, anew, into = tmp_path / "a.parquet", tmp_path / "anew", tmp_path / "spliced"
    WRITERS[writer](path, order_lines())
    assert CANARY.encode() in path.read_bytes() or writer in ("v2 pages", "gzip", "duckdb", "polars")
    books = [split(path, where, limit, monkeypatch) for where, limit in ((anew, 10**12), (into, 0))]
    assert all(books)
    assert read_footer(path) is not None
    assert pq.read_metadata(into).created_by == "merchcast" != pq.read_metadata(anew).created_by
    read = [pq.read_table(p).replace_schema_metadata(None) for p in (anew, into)]
    assert read[1].column_names == read[0].column_names == order_lines().column_names
    assert read[1].cast(read[0].schema).equals(read[0])
    with duckdb.connect() as connection:
        found = connection.sql(f"select * from read_parquet('{into}') order by order_line_id").to_arrow_table()
    assert found.column("buyer_ref").to_pylist() == read[0].column("buyer_ref").to_pylist()
    assert found.column("quantity").to_pylist() == order_lines().column("quantity").to_pylist()
    assert CANARY.encode() not in into.read_bytes()
    footer = pq.read_metadata(into)
    assert b"pandas" not in footer.metadata
    assert not any(footer.row_group(g).column(c).is_stats_set for g in range(3) for c in range(footer.num_columns))
    assert footer.metadata[b"merchcast.plain"] == pq.read_metadata(anew).metadata[b"merchcast.plain"]
    assert footer.metadata[b"merchcast.distinct"] == b'["order_line_id"]'
    assert not list(tmp_path.glob("*.side"))


def test_two_equal_words_far_apart_are_no_distinct_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"L{n:09d}" for n in range(ROWS - 1)]
    rows = order_lines().set_column(0, "order_line_id", pa.array([*ids, ids[0]]))
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=GROUP)
    split(tmp_path / "a.parquet", tmp_path / "part", 0, monkeypatch)
    assert pq.read_metadata(tmp_path / "part").metadata[b"merchcast.distinct"] == b"[]"


def test_what_is_not_known_is_not_spliced(tmp_path: Path) -> None:
    rows = order_lines()
    nested = rows.append_column("tags", pa.array([["a"]] * ROWS))
    odd = {
        "nested": by_arrow(),
        "other codec": by_arrow(compression="brotli"),
        "small groups": lambda path, table: pq.write_table(table, path, row_group_size=100),
    }
    for name, write in odd.items():
        write(tmp_path / name, nested if name == "nested" else rows)
        assert read_footer(tmp_path / name) is None, name
    by_arrow()(tmp_path / "sound", rows)
    footer = thrift.loaded(_footer_of(tmp_path / "sound"))
    chunk = footer[4][1][1][0][1][1][1][0]
    for field in (1, 8, 99):  # another file, keys, one that nobody knows
        chunk[field] = (thrift.BINARY, b"x")
        _with_footer(tmp_path / "sound", tmp_path / "odd", thrift.dumped(footer))
        assert read_footer(tmp_path / "odd") is None, field
        del chunk[field]
    first, second = (c[3][1] for c in footer[4][1][1][0][1][1][1][:2])
    first[7] = (thrift.I64, first[7][1] + second[7][1])  # it would take its neighbour's bytes along
    _with_footer(tmp_path / "sound", tmp_path / "odd", thrift.dumped(footer))
    assert read_footer(tmp_path / "odd") is None


def test_a_damaged_footer_is_told_apart_or_refused(tmp_path: Path) -> None:
    by_arrow()(tmp_path / "sound", order_lines())
    data = _footer_of(tmp_path / "sound")
    assert thrift.dumped(thrift.loaded(data)) == data
    chance = random.Random(5)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        _with_footer(tmp_path / "sound", tmp_path / "odd", bytes(damaged[: chance.randint(1, len(damaged))]))
        refused += read_footer(tmp_path / "odd") is None
    assert refused > 100


def test_other_groups_cannot_be_spliced_in(tmp_path: Path) -> None:
    by_arrow()(tmp_path / "sound", order_lines())
    pq.write_table(order_lines().select(["buyer_ref"]), tmp_path / "side", row_group_size=15_000)
    footer = read_footer(tmp_path / "sound")
    assert footer is not None
    before = (tmp_path / "sound").read_bytes()
    assert not spliced(tmp_path / "sound", footer, tmp_path / "side", said={})
    assert (tmp_path / "sound").read_bytes() == before


def test_a_damaged_file_is_split_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_split, "SPLICED_BYTES", 0)
    chance = random.Random(61)
    path, into = tmp_path / "a.parquet", tmp_path / "part"
    refused = spliced_ones = 0
    for write in WRITERS.values():
        write(path, order_lines())
        sound = path.read_bytes()
        for _ in range(12):
            damaged = bytearray(sound)
            for _ in range(chance.randint(1, 6)):
                start = 4 if chance.random() < 0.6 else max(4, len(sound) - 3_000)
                damaged[chance.randrange(start, len(sound))] = chance.randrange(256)
            path.write_bytes(damaged)
            into.unlink(missing_ok=True)
            try:
                splitting.split(
                    path, into, table=TABLES["order_lines"], spec=SPEC, name="a.parquet", source="s", tag="ab" * 32
                )
            except DeliveryRefused:
                refused += 1
                continue
            spliced_ones += into.exists()
            assert not into.exists() or CANARY.encode() not in into.read_bytes()
    assert refused > 20
    assert spliced_ones > 5


def test_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    rows = order_lines(60).drop_columns("promotion_id")
    broken = pa.array([b"SKU-\xff\xfe"] * 60, pa.binary()).view(pa.string())
    at = rows.column_names.index("buyer_ref")
    path = tmp_path / "a.parquet"
    pq.write_table(rows.set_column(at, "buyer_ref", broken), path)
    with pytest.raises(DeliveryRefused, match="not a readable Parquet file"):
        splitting.split(
            path, tmp_path / "part", table=TABLES["order_lines"], spec=SPEC, name=path.name, source="s", tag="ab" * 32
        )


def _footer_of(path: Path) -> bytes:
    data = path.read_bytes()
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]


def _with_footer(path: Path, into: Path, footer: bytes) -> None:
    data = path.read_bytes()
    values = data[: -8 - len(_footer_of(path))]
    into.write_bytes(values + footer + len(footer).to_bytes(4, "little") + b"PAR1")
