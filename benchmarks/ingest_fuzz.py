"""Mutated files against the ingest: every record accounted for, no crash, no hang, bounded memory.

    python -m benchmarks.ingest_fuzz [--files 10_000] [--seed 2026]

Sound exports of order lines (CSV, gzip, JSON lines, Parquet, XLSX) are damaged at random: bytes flipped, cut, doubled,
other encodings and line ends, quotes, values that look like numbers. Each goes through the reading child, the parser
and the loader. Beside it DuckDB's own `read_csv` reads the same text files with the contract's types: how many it
refuses, and in how many it gives another number of rows, or other values, without a word.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY)]

from data.contracts import TABLES  # noqa: E402
from data.ingest.child import Child, Request, reading_child  # noqa: E402
from data.ingest.deliveries import batches  # noqa: E402
from data.ingest.faults import DeliveryRefused  # noqa: E402
from data.ingest.landing import Sighting  # noqa: E402
from data.ingest.loading import load_batch  # noqa: E402
from data.ingest.privacy import hmac_pads  # noqa: E402
from data.ingest.store import create_store  # noqa: E402
from data.settings import SourceSettings  # noqa: E402

MAX_SECONDS = 5.0  # of CPU, own and the reading child's: other work on the machine does not count
HANGS_SECONDS = 20.0  # by the clock, however busy the machine is
MAX_GIGABYTES = 1.0
HEADER = "order_line_id,ordered_at,sku,quantity,unit_price,buyer_ref"
TYPES = (
    "{order_line_id: 'VARCHAR', ordered_at: 'TIMESTAMP', sku: 'VARCHAR', quantity: 'BIGINT', "
    "unit_price: 'DECIMAL(18, 4)', buyer_ref: 'VARCHAR'}"
)
ODD_VALUES = (
    "1.9", "007", "1_000", "0x1F", "NaN", "inf", "-inf", "1e400", "1.234,56", "1,234", "３", "3 pcs", "", " ", "NULL",
    "-", "N/A", "6.93E+12", "2026-02-30 10:00:00", "9999-12-31", "13/01/2026", "=1+1", '"', '""', "a\"b", "\\", "\x00",
    "\x1b", "\u202e", "\ufeff", "徽章", "é", "true", "1e5", "+5", ".5", "5.", "-0", "99999999999999999999", "'",
)  # fmt: skip


@dataclass
class Tally:
    """What became of the files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    duckdb: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_cpu: float = 0.0
    late: int = 0
    broken: list[str] = field(default_factory=list)


def sound_rows(rng: random.Random, n: int) -> list[list[str]]:
    """Return ``n`` order lines."""
    return [
        [f"L{i}", f"2026-02-{1 + i % 28:02d} 10:{i % 60:02d}:00", f"SKU-{rng.randrange(50)}", str(1 + rng.randrange(4)),
         f"{10 + rng.randrange(90)}.50", f"B{rng.randrange(20)}"]
        for i in range(n)
    ]  # fmt: skip


def text_of(rows: list[list[str]]) -> bytes:
    """Return rows as CSV."""
    return ("\n".join([HEADER, *(",".join(r) for r in rows)]) + "\n").encode()


def mutated(rng: random.Random) -> tuple[str, bytes]:
    """Return the name and the bytes of one damaged delivery."""
    rows = sound_rows(rng, rng.choice((1, 3, 10, 40, 200)))
    for _ in range(rng.choice((0, 0, 1, 3))):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(ODD_VALUES)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        row = rng.choice(rows)
        row[:] = rng.choice(([*row, "x"], row[:-1] or ["x"], ['"open', *row]))
    kind = rng.choices(("csv", "csv.gz", "jsonl", "parquet", "xlsx"), (70, 10, 10, 8, 2))[0]
    data = AS_BYTES[kind](rows)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        data = rng.choice(DAMAGES)(rng, data)
    if kind == "csv" and rng.random() < 0.1:
        data = data.decode("utf-8", "replace").encode(rng.choice(("gb18030", "utf-16", "cp1252", "big5")), "replace")
    return f"f.{kind}", data


def _json(rows: list[list[str]]) -> bytes:
    names = HEADER.split(",")
    return "".join(json.dumps(dict(zip(names, r, strict=False))) + "\n" for r in rows).encode()


def _parquet(rows: list[list[str]]) -> bytes:
    out = io.BytesIO()
    names = HEADER.split(",")
    pq.write_table(pa.table({n: [r[i] if i < len(r) else None for r in rows] for i, n in enumerate(names)}), out)
    return out.getvalue()


def _workbook(rows: list[list[str]]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("a")
    for row in (HEADER.split(","), *rows):
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("", v) for v in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


AS_BYTES: dict[str, Callable[[list[list[str]]], bytes]] = {
    "csv": text_of,
    "csv.gz": lambda rows: gzip.compress(text_of(rows), mtime=0),
    "jsonl": _json,
    "parquet": _parquet,
    "xlsx": _workbook,
}


def _at(rng: random.Random, data: bytes) -> int:
    return rng.randrange(len(data) + 1)


def _flip(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return (
        data[:at]
        + rng.choice((b'"', b",", b"\n", b"\r", b"\r\n", b"\x00", b'""', b";", b"\t", b'\n"', b'",'))
        + data[at:]
    )


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: _at(rng, data)]


def _drop(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + data[at + rng.randrange(1, 30) :]


def _double(rng: random.Random, data: bytes) -> bytes:
    one, two = sorted((_at(rng, data), _at(rng, data)))
    return data[:two] + data[one:]


def _line_ends(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n")))


def _delimiters(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + data[at:].replace(b",", rng.choice((b";", b"\t", b"|")))


def _long(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + b"x" * rng.choice((1000, 300_000)) + data[at:]


DAMAGES = (_flip, _flip, _insert, _insert, _insert, _cut, _drop, _double, _line_ends, _delimiters, _long)


def check_file(connection: duckdb.DuckDBPyConnection, name: str, path: Path, work: Path, tally: Tally) -> None:
    """Send one file through child, parser and loader, and prove its accounts."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    sighting = Sighting(
        1, "orders", "order_lines", name, "0" * 64, path.stat().st_size, now, now, date(2026, 3, 1), True
    )
    spec = SourceSettings(name="orders", path="x", timezone="UTC", max_quarantine_share=1.0)
    connection.execute("begin")
    try:
        with reading_child() as child:
            file = child.inspected(Request(sighting, 1, path, "order_lines", spec, work, None))
        for batch in batches([file]):
            for accounts in load_batch(connection, batch, shop_timezone="UTC"):
                accounts.verify()
                tally.rows["in"] += file.records
                tally.rows["loaded"] += accounts.rows_raw
                tally.rows["quarantined"] += accounts.rows_quarantined
                tally.rows["duplicate"] += accounts.rows_dropped
        tally.outcomes["accounted for"] += 1
    except DeliveryRefused as error:
        tally.outcomes[f"refused: {error.fault}"] += 1
    except Exception as error:  # that is what is looked for
        tally.broken.append(f"{type(error).__name__}: {str(error)[:300]}")
    finally:
        connection.execute("rollback")


def beside(path: Path, records: int | None, tally: Tally) -> None:
    """Read the same file as DuckDB does by itself."""
    try:
        with duckdb.connect() as plain:
            got = plain.execute(f"select count(*) from read_csv('{path}', columns = {TYPES})").fetchall()[0][0]
    except duckdb.Error:
        tally.duckdb["refused"] += 1
        return
    tally.duckdb["read" if got == records else "read, another number of rows"] += 1


def cpu_seconds(child: Child) -> float:
    """Return the CPU that this process and its reading children have used so far [s]."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = 0.0
    if child.pid is not None:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
            running = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return time.process_time() + ended.ru_utime + ended.ru_stime + running


def fuzz(files: int, seed: int, *, compare: bool = True) -> Tally:
    """Return what became of ``files`` damaged deliveries."""
    tally = Tally()
    rng = random.Random(seed)
    with (
        tempfile.TemporaryDirectory(prefix="merchcast-fuzz-") as folder,
        reading_child() as child,
        duckdb.connect() as connection,
    ):
        work = Path(folder) / "work"
        _prepare(connection)
        for number in range(files):
            name, data = mutated(rng)
            path = Path(folder) / f"{number}.{name}"
            path.write_bytes(data)
            work.mkdir(exist_ok=True)
            before, started, cpu_before = tally.rows["in"], time.monotonic(), cpu_seconds(child)
            check_file(connection, name, path, work, tally)
            seconds, cpu = time.monotonic() - started, cpu_seconds(child) - cpu_before
            tally.slowest, tally.slowest_cpu = max(tally.slowest, seconds), max(tally.slowest_cpu, cpu)
            tally.late += seconds > MAX_SECONDS
            if cpu > MAX_SECONDS or seconds > HANGS_SECONDS:
                tally.broken.append(f"file {number}, {name}: {seconds:.1f} s, {cpu:.1f} s of CPU")
            if compare and name == "f.csv":
                beside(path, tally.rows["in"] - before, tally)
            path.unlink()
            for left in work.iterdir():
                left.unlink()
    return tally


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    outer, inner = hmac_pads(b"fuzz")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set timezone = 'UTC'")
    connection.execute("set variable buyer_outer = ?::blob", [outer])
    connection.execute("set variable buyer_inner = ?::blob", [inner])
    connection.execute("create temp table people (ref varchar, pseudonym varchar)")
    create_store(connection)
    assert TABLES["order_lines"].key


def main() -> None:
    """Print what became of the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=lambda text: int(text.replace("_", "")), default=10_000)
    parser.add_argument("--seed", type=int, default=2026)
    chosen = parser.parse_args()
    started = time.monotonic()
    tally = fuzz(chosen.files, chosen.seed)
    own, children = (
        resource.getrusage(w).ru_maxrss / 1_048_576 for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"{chosen.files:,} files, seed {chosen.seed}, {time.monotonic() - started:.0f} s")
    for outcome, count in tally.outcomes.most_common():
        print(f"  {outcome:32s} {count:6,}")
    r = tally.rows
    adds_up = r["in"] == r["loaded"] + r["quarantined"] + r["duplicate"]
    parts = f"{r['loaded']:,} loaded + {r['quarantined']:,} quarantined + {r['duplicate']:,} duplicate"
    print(f"rows: {r['in']:,} in = {parts}: {adds_up}")
    print(f"slowest file {tally.slowest_cpu:.2f} s of CPU; {tally.slowest:.2f} s by the clock, {tally.late} over 5 s")
    print(f"peak memory {own:.2f} GB, reading child {children:.2f} GB")
    print(f"crashed, hung or not accounted for: {len(tally.broken)} {tally.broken[:5]}")
    print("plain duckdb.read_csv with the same types, CSV files alone:")
    for outcome, count in tally.duckdb.most_common():
        print(f"  {outcome:32s} {count:6,}")
    sys.exit(bool(tally.broken) or not adds_up or max(own, children) > MAX_GIGABYTES)


if __name__ == "__main__":
    main()
