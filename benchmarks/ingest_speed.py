"""Ingest against the bare library, side by side in one run: CSV, Parquet, PostgreSQL, and a night that adds one day.

    python -m benchmarks.ingest_speed [csv] [parquet] [postgres] --rows 2_000_000

The bare side is DuckDB's ``read_csv`` with the same types into a table of a database file, plus one copy of the file
and its sha256. Ours is the whole ingest step: landing, second count, strict casts, keys and duplicates, accounts,
staging and the checks of the contracts. Every side runs in a process of its own. Its peak memory is the most that it
and its children held at one moment, four times a second, pages that they share counted once (proportional set size); or
its own high-water mark of resident memory, where that is more.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY)]

D = date(2026, 3, 1)
DAYS = 365
SETTINGS = """\
shop: {{name: Speed, timezone: UTC, currency: CNY, language: en}}
sources:
  order_lines: {{kind: file, path: 'drop/*', timezone: UTC}}
"""
POSTGRES_SETTINGS = """\
shop: {name: Speed, timezone: UTC, currency: CNY, language: en}
sources:
  order_lines: {kind: sql, connection: db, query: select * from sale_lines}
connections:
  db: {env: SPEED_DB_URL}
"""
TYPES = {
    "order_line_id": "VARCHAR",
    "order_id": "VARCHAR",
    "ordered_at": "TIMESTAMP",
    "sku": "VARCHAR",
    "location_id": "VARCHAR",
    "channel": "VARCHAR",
    "quantity": "BIGINT",
    "unit_price": "DECIMAL(18, 4)",
    "list_price": "DECIMAL(18, 4)",
    "promotion_id": "VARCHAR",
    "buyer_ref": "VARCHAR",
    "status": "VARCHAR",
}
"""The twelve columns of a shop's order lines."""


def order_lines_sql(rows: int, first: int, days: int, start: date) -> str:
    """Return SQL for ``rows`` order lines spread evenly over ``days`` days from ``start``."""
    return f"""
        select 'L' || lpad(i::varchar, 10, '0') as order_line_id, 'O' || lpad((i // 3)::varchar, 10, '0') as order_id,
               timestamp '{start} 00:00:01' + to_seconds((i - {first}) * {86_390 * days} // {rows}) as ordered_at,
               'SKU-' || lpad((hash(i) % 5000)::varchar, 5, '0') as sku, 'shop-' || (hash(i + 1) % 3) as location_id,
               case when hash(i + 2) % 3 = 0 then 'web' else 'app' end as channel,
               (1 + hash(i + 3) % 3)::bigint as quantity,
               (10 + hash(i) % 5000 % 90 + 0.5)::decimal(18, 4) as unit_price,
               (12 + hash(i) % 5000 % 90 + 0.5)::decimal(18, 4) as list_price,
               case when hash(i + 4) % 10 = 0 then 'promo-' || (hash(i + 5) % 20) end as promotion_id,
               'B' || (hash(i // 3) % {max(1000, rows // 20)}) as buyer_ref, 'paid' as status
        from range({first}, {first + rows}) t(i)
    """


def write_orders(path: Path, *, rows: int, first: int, days: int, start: date) -> None:
    """Write order lines as CSV or Parquet, by the name of ``path``, aged a minute."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = "format parquet" if path.suffix == ".parquet" else "format csv, header"
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"copy ({order_lines_sql(rows, first, days, start)}) to '{path}' ({options})")
    os.utime(path, (time.time() - 60,) * 2)


def bare_load(path: Path, folder: Path) -> None:
    """One copy, sha256, and DuckDB's own typed read into a table of a database file."""
    copy = folder / "copy"
    with path.open("rb") as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target, 4_194_304)
    with copy.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    columns = "{" + ", ".join(f"'{n}': '{t}'" for n, t in TYPES.items()) + "}"
    read = f"read_parquet('{copy}')" if path.suffix == ".parquet" else f"read_csv('{copy}', columns = {columns})"
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"create table sales as select * from {read}")


def ingest(home: Path, run_date: date) -> dict[str, int]:
    """The ingest step of one night."""
    from data import step

    return step.run(home, run_date)


def in_process_of_its_own(name: str, *arguments: str) -> tuple[float, float, Any]:
    """Run a side by its name; return its seconds, its peak memory [GB] and what it returned."""
    command = [sys.executable, "-m", "benchmarks.ingest_speed", "--side", name, *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return answer["seconds"], answer["peak_gb"], answer["result"]


def side(name: str, arguments: list[str]) -> None:
    """Run one side and print its figures as JSON; imports are not timed."""
    import great_expectations  # noqa: F401 - so that neither side pays for imports

    import data.step  # noqa: F401

    paths = [Path(a) for a in arguments]
    started = time.monotonic()
    result: Any = None
    with memory_watched() as peak:
        if name == "bare":
            bare_load(paths[0], paths[1])
        elif name == "bare_postgres":
            bare_postgres(arguments[0], paths[1])
        else:
            result = ingest(paths[0], date.fromisoformat(arguments[1]))
        seconds = time.monotonic() - started
    most = max(max(peak), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(json.dumps({"seconds": seconds, "peak_gb": most / 1_048_576, "result": result}))


@contextmanager
def memory_watched() -> Iterator[list[int]]:
    """Yield the memory [KiB] that this process and its children held together, moment by moment.

    The high-water mark of a child is no measure: it begins with that of the process that started it.
    """
    found, is_over = [0], threading.Event()

    def watch() -> None:
        while not is_over.wait(0.25):
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
            found.append(sum(map(_shared_out, ["self", *children])))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        is_over.set()
        watcher.join()


def _shared_out(process: str) -> int:
    """Return the memory [KiB] of a process, each page divided by the number of processes that have it."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def files(kind: str, rows: int, folder: Path) -> None:
    """A year of sales in one file, and one more day on top."""
    home, per_day = folder / "home", max(1, rows // DAYS)
    year, day = home / "drop" / f"year.{kind}", home / "drop" / f"sales_{D}.{kind}"
    write_orders(year, rows=rows, first=1, days=DAYS, start=D - timedelta(days=DAYS))
    (home / "merchcast.yml").write_text(SETTINGS.format())
    size = year.stat().st_size
    bare, bare_gb, _ = in_process_of_its_own("bare", str(year), str(folder))
    _make_room(folder)
    first, first_gb, counts = in_process_of_its_own("ingest", str(home), (D - timedelta(days=1)).isoformat())
    assert counts["rows_in"] == rows, counts
    print(f"{kind}: {rows:,} rows, {size / 1e9:.2f} GB", flush=True)
    print(f"  bare: copy, sha256, typed read_{kind} {bare:7.1f} s  peak {bare_gb:.1f} GB")
    print(f"  ingest step, everything           {first:7.1f} s  peak {first_gb:.1f} GB  {first / bare:.2f} times")
    write_orders(day, rows=per_day, first=rows + 1, days=1, start=D)
    night, night_gb, counts = in_process_of_its_own("ingest", str(home), D.isoformat())
    assert counts["rows_in"] == per_day, counts
    print(
        f"  a night that adds one day         {night:7.1f} s  peak {night_gb:.1f} GB  {night / first:.1%} of the load"
    )


def _make_room(folder: Path) -> None:
    """Remove what the bare side wrote: at fifty million rows it is seven gigabytes."""
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()


def bare_postgres(url: str, folder: Path) -> None:
    """ADBC's stream of the query straight into a table of a database file."""
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(url) as source, source.cursor() as cursor, duckdb.connect(str(folder / "bare.duckdb")) as target:
        cursor.execute("select * from sale_lines")
        with cursor.fetch_record_batch() as rows:
            target.register("rows", rows)
            target.execute("create table sales as select * from rows")


def postgres(rows: int, folder: Path) -> None:
    """The same order lines in PostgreSQL: the bare ADBC read plus insert beside the ingest step."""
    sys.path.insert(0, str(REPOSITORY / "tests" / "data" / "ingest"))
    from postgres_server import postgres_server

    home = folder / "home"
    home.mkdir()
    (home / "merchcast.yml").write_text(POSTGRES_SETTINGS)
    with postgres_server() as server:
        server.execute(*_postgres_rows(rows))
        os.environ["SPEED_DB_URL"] = server.url
        bare, bare_gb, _ = in_process_of_its_own("bare_postgres", server.url, str(folder))
        first, first_gb, counts = in_process_of_its_own("ingest", str(home), D.isoformat())
    assert counts["rows_in"] >= rows, counts
    print(f"postgres: {rows:,} rows")
    print(f"  bare: ADBC read plus insert       {bare:7.1f} s  peak {bare_gb:.1f} GB")
    print(f"  ingest step, everything           {first:7.1f} s  peak {first_gb:.1f} GB  {first / bare:.2f} times")


def _postgres_rows(rows: int) -> tuple[str, str]:
    made = """create table sale_lines (order_line_id text, order_id text, ordered_at timestamptz, sku text,
        location_id text, channel text, quantity bigint, unit_price double precision, list_price double precision,
        promotion_id text, buyer_ref text, status text)"""
    filled = f"""insert into sale_lines select 'L' || lpad(i::text, 10, '0'), 'O' || lpad((i / 3)::text, 10, '0'),
        timestamptz '{D - timedelta(days=DAYS)} 00:00:01Z' + i * interval '{86_390 * DAYS / rows:.6f} seconds',
        'SKU-' || lpad((i::bigint * 7919 % 5000)::text, 5, '0'), 'shop-' || i % 3,
        case when i % 3 = 0 then 'web' else 'app' end, 1 + i % 3, 10.5 + i::bigint * 7919 % 5000 % 90,
        12.5 + i::bigint * 7919 % 5000 % 90, case when i % 10 = 0 then 'promo-' || i % 20 end,
        'B' || i / 3 % {max(1000, rows // 20)}, 'paid' from generate_series(1, {rows}) i"""
    return made, filled


def main() -> None:
    """Run the chosen comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="*", default=["csv", "parquet"])
    parser.add_argument("--rows", type=lambda text: int(text.replace("_", "")), default=2_000_000)
    parser.add_argument("--side")
    parsed = parser.parse_args()
    if parsed.side:
        side(parsed.side, parsed.which)
        return
    for kind in parsed.which:
        with tempfile.TemporaryDirectory(prefix="merchcast-speed-") as folder:
            if kind == "postgres":
                postgres(parsed.rows, Path(folder))
            else:
                files(kind, parsed.rows, Path(folder))


if __name__ == "__main__":
    main()
