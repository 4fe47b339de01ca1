"""A whole night with people planted in what is delivered: nothing that it writes anywhere names one of them."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from data.demo import write_small

PEOPLE = (
    *("Zhang-Wei-Canary", "Canary Wei", "金丝雀王", "88 Canary Road", "金丝雀路", "13812345678"),
    "canary@example.com",
)
HOME_PHONE, PASSED = "13999998888", "Yellow-Warbler"  # typed into a reason; may be kept, to prove the search


def planted(home: Path) -> None:
    """Add columns of people to the last day's orders, and people to every reference and free text."""
    path = sorted((home / "drop" / "order_lines").glob("*.csv.gz"))[-1]
    header, *rows = gzip.decompress(path.read_bytes()).decode().splitlines()
    names = header.split(",")
    wide = [f"{row},Name {n},Lane {n},1370000{n:04d},thanks" for n, row in enumerate(rows)]
    sound = dict(zip(names, rows[0].split(","), strict=True))
    person = '金丝雀王,"88 Canary Road, 金丝雀路 3",13812345678,call 13812345678 or canary@example.com'
    for n, (column, value) in enumerate([("channel", "web"), ("unit_price", "x"), ("quantity", '"1')]):
        own = {**sound, "order_line_id": f"{PASSED}-{n}", "buyer_ref": "Zhang-Wei-Canary", column: value}
        wide.append(",".join(own.values()) + "," + person + (",Canary Wei" if n == 2 else ""))
    text = f"{header},receiver_name,收货地址,phone,remark\n" + "\n".join(wide) + "\n"
    replaced(path, gzip.compress(text.encode()))
    path = sorted((home / "drop" / "returns").glob("*.csv.gz"))[-1]
    text = gzip.decompress(path.read_bytes()).decode().replace("changed_mind", f"ring {HOME_PHONE} at home")
    replaced(path, gzip.compress(text.encode()))
    for path in (home / "drop" / "preorders").glob("*.csv*"):
        data = path.read_bytes()
        packed = data.startswith(b"\x1f\x8b")
        header, first, *rest = (gzip.decompress(data) if packed else data).decode().splitlines()
        fields = first.split(",")
        fields[header.split(",").index("buyer_ref")] = "Zhang-Wei-Canary"
        data = "\n".join([header, ",".join(fields), *rest, ""]).encode()
        replaced(path, gzip.compress(data) if packed else data)


def replaced(path: Path, data: bytes) -> None:
    """Write a delivery anew, old enough not to be waited for."""
    before = path.stat().st_mtime
    path.write_bytes(data)
    os.utime(path, (before, before))


def everything(home: Path) -> dict[str, str]:
    """What stands in every file below ``home`` but what the shop delivered: as it lies there, unpacked and read."""
    found = {}
    for path in sorted(p for p in home.rglob("*") if p.is_file() and not p.is_symlink()):
        name = str(path.relative_to(home))
        if name.startswith("drop/"):
            continue
        data = path.read_bytes()
        found[name] = data.decode("utf-8", errors="ignore")
        if data.startswith(b"\x1f\x8b"):
            found[f"{name} unpacked"] = gzip.decompress(data).decode("utf-8", errors="ignore")
        elif data.startswith(b"PAR1"):
            found[f"{name} read"] = repr(pq.read_table(io.BytesIO(data)).to_pydict())
        elif data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for part in archive.namelist():
                    found[f"{name} {part}"] = archive.read(part).decode("utf-8", errors="ignore")
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:  # it packs its strings
        for (table,) in connection.execute("select distinct table_name from information_schema.tables").fetchall():
            found[f"warehouse {table}"] = repr(connection.execute(f'from "{table}"').fetchall())
    return found


@pytest.mark.slow
def test_no_file_of_a_whole_night_names_a_person(merchcast, tmp_path):
    home = tmp_path / "home"
    write_small(home, n_styles=12)
    planted(home)
    done = merchcast("run", "--home", str(home), "--date", "2026-06-28")
    texts = {**everything(home), "stdout": done.stdout, "stderr": done.stderr}
    kinds = {name.split("/")[0].split(" ")[0] for name in texts}
    assert {"landing", "published", "warehouse.duckdb", "warehouse", "airflow", "stdout"} <= kinds
    assert any(PASSED in text for name, text in texts.items() if name.startswith("warehouse stg_order_lines"))
    leaks = [f"{word} in {name}" for name, text in texts.items() for word in (*PEOPLE, HOME_PHONE) if word in text]
    assert leaks == []
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute("select reason from quarantine where source = 'order_lines_daily'").fetchall()
    assert ("NOT_A_NUMBER",) in rows  # damaged rows of people were among them
