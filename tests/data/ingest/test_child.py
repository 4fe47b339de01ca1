"""The process that opens files: what it hands back, and what a file may do to it."""

from __future__ import annotations

import os
import pickle
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.ingest import child as child_module
from data.ingest.child import MEMORY_BYTES, Child, Request
from data.ingest.faults import DeliveryRefused
from data.ingest.landing import Sighting
from data.settings import SourceSettings


@pytest.fixture
def child():
    own = Child()
    yield own
    own.end()


def request_for(path: Path, *, name: str = "a.csv", size: int = 0) -> Request:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    sighting = Sighting(1, "orders", "order_lines", name, "0" * 64, size, now, now, date(2026, 3, 1), True)
    work = path.parent / "work"
    work.mkdir(exist_ok=True)
    return Request(sighting, 1, path, "order_lines", SourceSettings(name="orders", path="x"), work, None)


def sound(folder: Path) -> Path:
    path = folder / "sound.csv"
    path.write_text("ordered_at,sku,quantity,unit_price\n2026-03-01,A,1,2\n")
    return path


def test_the_child_hands_back_what_it_found_and_names_what_it_refuses(child, tmp_path):
    assert child.inspected(request_for(sound(tmp_path))).records == 1
    (tmp_path / "empty.csv").touch()
    with pytest.raises(
        DeliveryRefused, match=r"^EMPTY_FILE: source orders, file a.csv: expected records, found 0 bytes"
    ):
        child.inspected(request_for(tmp_path / "empty.csv"))


def test_a_file_that_hangs_is_refused_and_the_next_one_is_read(child, tmp_path, monkeypatch):
    child.inspected(request_for(sound(tmp_path)))
    monkeypatch.setattr(child_module, "PATIENCE_SECONDS", 0.3)
    with pytest.raises(DeliveryRefused, match=r"^LIMIT: source orders, file a.csv: it took more than 0 s"):
        child.inspected(request_for(_hanging(tmp_path)))
    monkeypatch.setattr(child_module, "PATIENCE_SECONDS", 20.0)
    assert child.inspected(request_for(sound(tmp_path))).records == 1


def _hanging(folder: Path) -> Path:
    """A name whose bytes never come: a full header, then a pipe that nobody writes to."""
    path = folder / "hang.csv"
    path.write_text("ordered_at,sku,quantity,unit_price\n")
    (folder / "work" / "hang.csv.csv").unlink(missing_ok=True)
    os.mkfifo(folder / "work" / "hang.csv.csv")
    path.write_bytes(b"ordered_at,sku,quantity,unit_price\r\n2026-03-01,A,1,2\r\n")  # its clean copy hangs
    return path


def test_a_file_that_ends_the_process_is_refused(child, tmp_path):
    child.inspected(request_for(sound(tmp_path)))
    process = child._process
    threading.Timer(0.2, lambda: process.send_signal(11)).start()
    with pytest.raises(DeliveryRefused, match=r"^LIMIT: .* the process that read it ended \(-11\)"):
        child.inspected(request_for(_hanging(tmp_path)))
    assert child.inspected(request_for(sound(tmp_path))).records == 1


def test_memory_is_limited_and_secrets_stay_outside(child, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_DB_URL", "postgresql://ann:t0psecret@db/shop")
    child.inspected(request_for(sound(tmp_path)))
    process = Path(f"/proc/{child._process.pid}")
    limit = int(
        next(line for line in (process / "limits").read_text().splitlines() if "address space" in line).split()[3]
    )
    assert limit < 4 * MEMORY_BYTES
    assert b"t0psecret" not in (process / "environ").read_bytes()


def test_an_answer_that_acts_is_not_read(tmp_path):
    import io
    import struct

    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path}/pwned",))

    data = pickle.dumps(Evil())
    with pytest.raises(pickle.UnpicklingError, match="is no answer"):
        child_module._received(io.BytesIO(struct.pack("!Q", len(data)) + data))
    assert not (tmp_path / "pwned").exists()


def test_a_parquet_file_that_unpacks_a_thousandfold_is_refused_unread(child, tmp_path):
    path = tmp_path / "bomb.parquet"
    values = pa.array(["x" * 1000]).take(pa.array([0] * 400_000))
    pq.write_table(pa.table({"sku": values}), path, use_dictionary=False, compression="zstd")
    with pytest.raises(DeliveryRefused, match=r"^DECOMPRESSION_LIMIT: .* unpack to"):
        child.inspected(request_for(path, name="bomb.parquet"))


def test_text_that_is_no_utf8_is_found_in_parquet(child, tmp_path):
    path = tmp_path / "text.parquet"
    pq.write_table(pa.table({"sku": ["SKU-XY"] * 9}), path, use_dictionary=False, compression="none")
    path.write_bytes(path.read_bytes().replace(b"SKU-XY", b"SKU-\xddY"))
    with pytest.raises(DeliveryRefused, match=r"^FORMAT: .* not a readable Parquet file"):
        child.inspected(request_for(path, name="text.parquet"))


def test_a_damaged_page_is_found_before_duckdb_sees_it(child, tmp_path):
    path = tmp_path / "damaged.parquet"
    pq.write_table(pa.table({"sku": [f"S{i * i}" for i in range(20_000)]}), path, compression="snappy")
    data = bytearray(path.read_bytes())
    data[20:2000] = b"\xff" * 1980
    path.write_bytes(bytes(data))
    with pytest.raises(DeliveryRefused, match=r"^FORMAT: .* not a readable Parquet file"):
        child.inspected(request_for(path, name="damaged.parquet"))
