"""Group A: what hostile, damaged and repeated files get. One test id per row of the catalogue."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import threading
import time
import zipfile
from pathlib import Path

import pytest
from drop_shop import LINES, D, DropShop, order_lines

from data.errors import DataError, SourceError
from data.ingest.faults import DeliveryRefused

GOOD = LINES + "\n".join(order_lines()) + "\n"


def refused(shop: DropShop, code: str) -> DeliveryRefused:
    """Run, expect the refusal with exit code 3 and nothing loaded, and return it."""
    with pytest.raises(DeliveryRefused, match=f"^{code}: source ") as caught:
        shop.run()
    assert caught.value.exit_code == 3
    assert shop.query("select count(*) from duckdb_tables() where table_name like 'raw_%'") == [(0,)]
    assert not (shop.home / "landing" / "ledger.jsonl").exists()
    return caught.value


def test_fault_01_sales_missing_stop_the_run_and_missing_signals_do_not(shop: DropShop):
    with pytest.raises(SourceError, match="SOURCE_MISSING: source order_lines") as caught:
        shop.run()
    assert caught.value.exit_code == 1
    shop.drop("order_lines", "a.csv", GOOD)
    shop.source("signals")
    shop.run()
    assert "source signals of signals offers nothing" in shop.notes()["stale_source"]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_fault_02_zero_bytes(shop: DropShop, name: str):
    shop.drop("order_lines", name, b"" if name != "a.csv.gz" else gzip.compress(b""))
    error = refused(shop, "EMPTY_FILE")
    assert name in str(error)


def test_fault_03_header_only_stops_sales(shop: DropShop):
    shop.drop("order_lines", "a.csv", LINES)
    refused(shop, "ROW_COUNT_BELOW_MIN")


def test_fault_03_header_only_signals_degrade_and_an_empty_snapshot_means_none(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD)
    shop.drop("signals", "s.csv", "date,source,region,element_type,element,metric,value\n")
    shop.drop(
        "purchase_orders", "po_2026-02-20.csv", "po_id,sku,expected_receipt_date,open_qty\nP1,SKU-001,2026-04-01,5\n"
    )
    shop.drop("purchase_orders", "po_2026-02-27.csv", "po_id,sku,expected_receipt_date,open_qty\n")
    shop.run()
    assert "header and no row" in shop.notes()["EMPTY_DELIVERY"]
    assert shop.query("select count(*) from stg_purchase_orders") == [(0,)]


def test_fault_04_a_last_record_without_line_end_and_narrower_is_truncated(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD[: GOOD.rstrip().rfind(",SKU")])
    assert "fields and no line end" in str(refused(shop, "TRUNCATED"))


def test_fault_04_a_broken_gzip_trailer_is_truncated(shop: DropShop):
    shop.drop("order_lines", "a.csv.gz", gzip.compress(GOOD.encode())[:-6])
    refused(shop, "TRUNCATED")


def test_fault_04_a_manifest_that_promises_more_is_truncated(shop: DropShop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("data.ingest.landing._FIRST_PAUSE_SECONDS", 0.0)
    path = shop.drop("order_lines", "a.csv", GOOD)
    path.with_name("a.csv.manifest.json").write_text(f'{{"bytes": {len(GOOD) + 50}}}')
    refused(shop, "TRUNCATED")


def test_fault_04_a_parquet_file_without_its_end_is_truncated(shop: DropShop):
    shop.drop("order_lines", "a.parquet", b"PAR1" + b"\0" * 500)
    refused(shop, "TRUNCATED")


def test_fault_05_a_file_still_being_written_is_waited_for(shop: DropShop):
    path = shop.drop("order_lines", "a.csv", GOOD, mtime=time.time())
    late = [f"{r}\n" for r in order_lines(30, start=500)]

    def write() -> None:
        for record in late:
            with path.open("a") as file:
                file.write(record)
            time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    shop.run()
    writer.join()
    assert shop.accounts()["a.csv"] == (230, 230, 0, 0)


def test_fault_05_a_file_that_never_settles_is_refused(shop: DropShop, monkeypatch: pytest.MonkeyPatch):
    path = shop.drop("order_lines", "a.csv", GOOD, mtime=time.time())
    monkeypatch.setattr("data.ingest.arriving._SETTLE_TRIES", 2)

    def grow(_: float) -> None:
        with path.open("a") as file:
            file.write(order_lines(1, start=900)[0] + "\n")

    monkeypatch.setattr("data.ingest.arriving.time.sleep", grow)
    with pytest.raises(DeliveryRefused, match="STILL_WRITTEN"):
        shop.run()


def test_fault_05_unfinished_names_are_passed_over(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD)
    shop.drop("order_lines", "b.csv.part", GOOD[:100])
    shop.run()
    assert list(shop.accounts()) == ["a.csv"]


def test_fault_06_checksum_mismatch(shop: DropShop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("data.ingest.landing._FIRST_PAUSE_SECONDS", 0.0)
    path = shop.drop("order_lines", "a.csv", GOOD)
    sidecar = path.with_name("a.csv.sha256")
    sidecar.write_text("0" * 64 + "  a.csv\n")
    refused(shop, "CHECKSUM_MISMATCH")
    sidecar.write_text(hashlib.sha256(GOOD.encode()).hexdigest() + "  a.csv\n")
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)


def test_fault_07_byte_order_mark(shop: DropShop):
    shop.drop("order_lines", "a.csv", b"\xef\xbb\xbf" + GOOD.encode())
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
    assert "NORMALISED_TEXT" in shop.notes()


CHINESE = [r.replace("SKU-001", "徽章-001").replace("SKU-002", "立牌-002") for r in order_lines()]


def test_fault_08_gbk_is_read_where_declared_and_refused_with_a_hint_else(shop: DropShop):
    text = LINES + "\n".join(CHINESE) + "\n"
    shop.drop("order_lines", "a.csv", text.encode("gb18030"))
    assert "declare `encoding: gb18030`" in str(refused(shop, "ENCODING"))
    shop.source("order_lines", timezone="Asia/Shanghai", encoding="gb18030")
    shop.run()
    assert ("徽章-001",) in shop.query("select distinct sku from stg_order_lines")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_fault_09_utf_16_is_never_mojibake(shop: DropShop, encoding: str):
    text = LINES + "\n".join(CHINESE) + "\n"
    shop.drop("order_lines", "a.csv", text.encode(encoding))
    if encoding == "utf-16":  # with a byte-order mark
        shop.run()
        assert ("立牌-002",) in shop.query("select distinct sku from stg_order_lines")
    else:
        assert "utf-16-le" in str(refused(shop, "ENCODING"))


def test_fault_10_two_encodings_in_one_file_with_the_byte_offset(shop: DropShop):
    head = LINES + "\n".join(CHINESE[:100]) + "\n"
    tail = ("\n".join(CHINESE[100:]) + "\n").encode("gb18030")
    shop.drop("order_lines", "a.csv", head.encode() + tail)
    message = str(refused(shop, "ENCODING_MIXED"))
    offset = int(message.rsplit(" ", 1)[1])
    whole = head.encode() + tail
    assert offset == next(i for i in range(len(head.encode()), len(whole)) if whole[i] > 127)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f"])
def test_fault_11_control_characters(shop: DropShop, character: str):
    rows = order_lines()
    rows[41] = rows[41].replace("SKU-", f"SK{character}U-")
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert [q[:2] for q in shop.quarantined()] == [(42, "CONTROL_CHAR")]
    assert shop.accounts()["a.csv"] == (200, 199, 1, 0)


def test_fault_12_an_unterminated_quote_damages_its_own_record_alone(shop: DropShop):
    rows = order_lines()
    rows[99] = rows[99].replace("SKU-", '"SKU-')
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert [q[:2] for q in shop.quarantined()] == [(100, "QUOTE")]
    assert shop.accounts()["a.csv"] == (200, 199, 1, 0)
    assert shop.query("select max(row_number) from raw_order_lines") == [(200,)]


def test_fault_13_a_newline_inside_quotes_is_one_row(shop: DropShop):
    rows = order_lines()
    rows[10] = rows[10].replace("O", '"O\nX', 1).replace(",2026", '",2026', 1)
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
    assert shop.query("select order_id from raw_order_lines where row_number = 11") == [("O\nX3",)]


def test_fault_14_few_off_width_rows_are_quarantined_many_are_dialect_drift(shop: DropShop):
    rows = order_lines(400)
    few = [r.replace(",", ";") if i in (50, 51) else r for i, r in enumerate(rows)]
    shop.drop("order_lines", "a.csv", few)
    shop.run()
    assert [q[:2] for q in shop.quarantined()] == [(51, "WIDTH"), (52, "WIDTH")]


def test_fault_14_the_delimiter_changes_midway(shop: DropShop):
    rows = order_lines(400)
    shop.drop("order_lines", "a.csv", rows[:300] + [r.replace(",", ";") for r in rows[300:]])
    message = str(refused(shop, "DIALECT_DRIFT"))
    assert "line 302" in message
    assert "';'" in message


def test_fault_15_a_column_more_from_row_k_on(shop: DropShop):
    rows = order_lines(600)
    shop.drop("order_lines", "a.csv", rows[:597] + [r + ",extra" for r in rows[597:]])
    shop.run()
    assert [q[:2] for q in shop.quarantined()] == [(598, "WIDTH"), (599, "WIDTH"), (600, "WIDTH")]
    assert shop.accounts()["a.csv"] == (600, 597, 3, 0)


def test_fault_15_off_width_rows_beyond_duckdbs_sample_are_all_found(shop: DropShop):
    rows = order_lines(30_000)
    for i in (21_000, 25_000):
        rows[i] += ",extra"
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert [q[0] for q in shop.quarantined()] == [21_001, 25_001]
    assert shop.accounts()["a.csv"] == (30_000, 29_998, 2, 0)


def test_fault_16_a_column_missing_in_some_rows(shop: DropShop):
    rows = order_lines()
    rows[7] = rows[7].rsplit(",", 1)[0]
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    assert shop.quarantined() == [(8, "WIDTH", None, "6 fields instead of 7")]


@pytest.mark.parametrize("ends", ["\r", "\r\n", "mixed"])
def test_fault_17_line_ends(shop: DropShop, ends: str):
    records = [LINES.strip(), *order_lines()]
    text = "".join(r + ("\r", "\r\n", "\n")[i % 3] if ends == "mixed" else r + ends for i, r in enumerate(records))
    shop.drop("order_lines", "a.csv", text.encode())
    shop.run()
    assert shop.accounts()["a.csv"] == (200, 200, 0, 0)
    assert shop.query("select unit_price from raw_order_lines where row_number = 3") == [(13.5,)]


@pytest.mark.parametrize("kind", ["field", "quoted_field", "columns"])
def test_fault_18_a_million_characters_or_ten_thousand_columns_within_five_seconds(shop: DropShop, kind: str):
    rows = order_lines()
    text = GOOD
    if kind == "field":
        text = LINES + "\n".join([*rows[:9], rows[9].replace("SKU-", "S" * 1_000_000)]) + "\n"
    elif kind == "quoted_field":
        text = LINES + "\n".join([*rows[:9], rows[9].replace("SKU-010", '"' + "S" * 1_000_000 + '"')]) + "\n"
    else:
        text = ",".join(f"c{i}" for i in range(10_000)) + "\n" + ",".join("1" * 10_000) + "\n"
    shop.drop("order_lines", "a.csv", text)
    started = time.monotonic()
    refused(shop, "LIMIT")
    assert time.monotonic() - started < 5


def test_fault_19_gzip_under_a_wrong_name_and_double_gzip(shop: DropShop):
    packed = gzip.compress(GOOD.encode())
    shop.drop("order_lines", "a.csv", packed)
    refused(shop, "FORMAT")
    shop.path("order_lines", "a.csv").unlink()
    shop.drop("order_lines", "b.csv.gz", gzip.compress(packed))
    refused(shop, "FORMAT")
    shop.path("order_lines", "b.csv.gz").unlink()
    path = shop.path("order_lines", "c.csv.gz")
    path.write_text(GOOD)
    refused(shop, "FORMAT")


def test_fault_20_bombs_are_refused_before_parsing(shop: DropShop):
    shop.drop("order_lines", "a.csv.gz", gzip.compress(GOOD.encode() + b"0" * 64_000_000))
    started = time.monotonic()
    refused(shop, "DECOMPRESSION_LIMIT")
    shop.path("order_lines", "a.csv.gz").unlink()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 64_000_000)
    shop.drop("order_lines", "a.xlsx", buffer.getvalue())
    refused(shop, "DECOMPRESSION_LIMIT")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("kind", ["climbing_path", "linked_file", "linked_folder"])
def test_fault_21_path_traversal_and_symbolic_links(shop: DropShop, tmp_path: Path, kind: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.csv").write_text(GOOD)
    folder = shop.home / "drop" / "order_lines"
    folder.mkdir(parents=True)
    if kind == "climbing_path":
        shop.sources["order_lines"]["path"] = "../outside/*.csv"
    elif kind == "linked_file":
        (folder / "a.csv").symlink_to(outside / "a.csv")
    else:
        (folder / "sub").symlink_to(outside)
        shop.sources["order_lines"]["path"] = "drop/order_lines/*/*.csv"
    refused(shop, "UNSAFE_PATH")


def test_fault_22_the_same_file_twice_changes_nothing(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD)
    shop.run()
    before, staged = shop.accounts(), shop.table("stg_order_lines")
    shop.drop("order_lines", "a.csv", GOOD, mtime=time.time() - 5)
    counts = shop.run()
    assert (counts["files_new"], shop.accounts(), shop.table("stg_order_lines")) == (0, before, staged)
    assert "DUPLICATE_DELIVERY" in shop.notes()


def test_fault_23_the_same_content_under_a_new_name_changes_nothing(shop: DropShop):
    shop.drop("order_lines", "a.csv", GOOD)
    shop.run()
    before, staged = shop.accounts(), shop.table("stg_order_lines")
    shop.drop("order_lines", "b.csv", GOOD)
    assert shop.run()["files_new"] == 0
    assert (shop.accounts(), shop.table("stg_order_lines")) == (before, staged)
    assert "1 files of order_lines" in shop.notes()["DUPLICATE_DELIVERY"]


def test_fault_24_same_name_other_content_supersedes_and_the_old_is_kept(shop: DropShop):
    rows = order_lines()
    shop.drop("order_lines", "a.csv", rows, mtime=1_000_000)
    shop.run()
    corrected = [r.replace(",10.50,", ",11.00,") for r in rows[:-1]]
    shop.drop("order_lines", "a.csv", corrected, mtime=2_000_000)
    shop.run()
    assert shop.query("select count(*), count(*) filter (unit_price = 10.5) from stg_order_lines") == [(199, 0)]
    accounts = shop.query("select rows_in, rows_loaded + rows_duplicate from row_accounts order by rows_in")
    assert accounts == [(199, 199), (200, 200)]
    kept = [p for p in (shop.home / "landing").glob("??/*") if p.is_file()]
    assert len(kept) == 2
    shop.drop("order_lines", "a.csv", rows[:150], mtime=1_500_000)  # restored from an older backup
    shop.run()
    assert shop.query("select count(*) from stg_order_lines") == [(199,)]


def test_fault_25_order_of_arrival_does_not_matter(shop: DropShop, tmp_path: Path):
    days = {
        f"2026-02-{d:02d}": order_lines(40, day=f"2026-02-{d:02d}", start=d * 30) for d in range(20, 24)
    }  # ids overlap
    results = []
    for attempt in range(2):
        other = DropShop(tmp_path / f"home{attempt}")
        names = sorted(days)
        random.Random(attempt).shuffle(names)
        for name in names if attempt else sorted(names):
            other.drop("order_lines", f"orders_{name}.csv", days[name], mtime=1_700_000_000)
            other.run(D)
        results.append(other.query("select * exclude (order_id) from stg_order_lines order by order_line_id"))
    assert results[0] == results[1]
    assert len(results[0]) == 130


def test_a_landed_file_is_private_and_cannot_be_written(shop: DropShop):
    text = "sku,on_hand,as_of_date\nSKU-001,4,2026-03-01\n"
    shop.drop("order_lines", "a.csv", GOOD)
    shop.drop("stock", "s.csv", text)
    shop.run()
    digest = hashlib.sha256(text.encode()).hexdigest()
    landed = shop.home / "landing" / digest[:2] / digest
    assert landed.read_text() == text
    assert (landed.stat().st_mode & 0o777, (shop.home / "landing").stat().st_mode & 0o777) == (0o400, 0o700)


def test_two_bad_files_are_named_in_one_error(shop: DropShop):
    shop.drop("order_lines", "a.csv", b"")
    shop.drop("stock", "b.csv", b"")
    with pytest.raises(DataError, match=r"2 deliveries were refused(.|\n)*a\.csv(.|\n)*b\.csv|b\.csv(.|\n)*a\.csv"):
        shop.run()
