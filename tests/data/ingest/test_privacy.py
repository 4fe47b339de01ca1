"""People: kept apart in landing, hashed on arrival, masked in text, forgotten on demand; nothing leaks."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from drop_shop import DropShop, order_lines
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import app
from data.contracts import TABLES
from data.forget import forget
from data.ingest.people import PersonBook, Roles, roles_of
from data.ingest.privacy import buyer_key, key_path, masked, pseudonym
from data.ingest.record_split import RecordSplitter
from data.ingest.records import scan_records
from data.settings import SourceSettings

WIDE = "order_line_id,order_id,ordered_at,sku,quantity,unit_price,buyer_ref,receiver_name,收货地址,phone,remark\n"
CANARIES = ("Zhang-Wei-Canary", "Canary Wei", "88 Canary Road", "13812345678", "canary@example.com", "13999998888")


def wide_lines(n: int = 200) -> str:
    """Order lines that tell everything of one buyer and something of others."""
    rows = [f'{r},Name {i % 17},"{i % 17} Lane, West",1370000{i % 17:04d},thanks' for i, r in enumerate(order_lines(n))]
    rows[3] = rows[3].rsplit(",", 6)[0].rsplit(",", 1)[0]
    rows[3] = 'L4,O1,2026-03-01 10:04:00,SKU-004,2,14.50,Zhang-Wei-Canary,Canary Wei,"88 Canary Road, West",'
    rows[3] += "13812345678,call 13812345678 or canary@example.com or 13999998888"
    rows[9] = rows[3].replace("L4,O1", "L10,O3").replace(",14.50,", ",x,")  # to quarantine
    rows[12] = rows[3].replace("L4,O1", "L13,O4") + ",Canary Wei"  # a field too many
    rows[15] = rows[3].replace("L4,O1", "L16,O5").replace('"88', '"88"')  # a quote gone wrong
    return WIDE + "\n".join(rows) + "\n"


def texts_of(home: Path) -> list[tuple[str, bytes]]:
    """Every file below ``home`` but the shop's own drop folder, packed ones unpacked."""
    found = []
    for path in sorted(p for p in home.rglob("*") if p.is_file() and "drop" not in p.relative_to(home).parts):
        data = path.read_bytes()
        found.append((str(path.relative_to(home)), data))
        if data.startswith(b"\x1f\x8b"):
            found.append((f"{path.name} unpacked", gzip.decompress(data)))
        if data.startswith(b"PK"):
            with zipfile.ZipFile(path) as book:
                found.extend((f"{path.name} {name}", book.read(name)) for name in book.namelist())
        if data.startswith(b"PAR1"):
            found.append((f"{path.name} read", repr(pq.read_table(io.BytesIO(data)).to_pylist()).encode()))
    return found


def leaks(home: Path, words: tuple[str, ...] = CANARIES) -> list[str]:
    """Where one of the words stands."""
    return [f"{word} in {name}" for name, data in texts_of(home) for word in words if word.encode() in data]


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "gbk", "parquet", "jsonl", "xlsx"])
def test_canaries_planted_in_every_column_reach_no_file(shop: DropShop, kind: str):
    encoding = {"encoding": "gbk"} if kind == "gbk" else {}
    shop.source("order_lines", timezone="Asia/Shanghai", **encoding)
    text = wide_lines()
    if kind == "parquet":
        frame = pd.read_csv(io.StringIO(text), on_bad_lines="skip", dtype=str)
        shop.frame("order_lines", "a.parquet", frame)
    elif kind == "jsonl":
        frame = pd.read_csv(io.StringIO(text), on_bad_lines="skip", dtype=str)
        lines = frame.to_json(orient="records", lines=True, force_ascii=False)
        shop.drop("order_lines", "a.jsonl", lines + '{"buyer_ref": "Zhang-Wei-Canary", "phone": \n')
    elif kind == "xlsx":
        frame, book = pd.read_csv(io.StringIO(text), on_bad_lines="skip", dtype=str), io.BytesIO()
        frame.to_excel(book, index=False)
        shop.drop("order_lines", "a.xlsx", book.getvalue())
    else:
        shop.drop(
            "order_lines", "a.csv.gz" if kind == "csv.gz" else "a.csv", text.encode(encoding.get("encoding", "utf-8"))
        )
    shop.source("returns", timezone="Asia/Shanghai")
    returned = (
        "return_id,returned_at,sku,quantity,reason\nR1,2026-03-01 12:00:00,SKU-003,1,too small ring 13812345678\n"
    )
    shop.drop("returns", "r.csv", returned)
    shop.drop("products", "p.csv", "sku,title\n" + "".join(f"SKU-{i:03d},Call 13812345678\n" for i in range(30)))
    shop.run()
    assert leaks(shop.home) == []
    known = shop.query("select buyer_ref from stg_order_lines where order_line_id = 'L4'")[0][0]
    assert known == pseudonym("Zhang-Wei-Canary", buyer_key())
    assert shop.query("select distinct title from stg_products") == [("Call [masked]",)]


def test_the_split_changes_no_account_and_no_verdict(shop: DropShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shop.drop("order_lines", "a.csv", wide_lines())
    shop.run()
    whole = DropShop(tmp_path / "whole")
    whole.drop("order_lines", "a.csv", wide_lines())
    monkeypatch.setattr("data.ingest.landing.split", lambda *_, **__: None)
    whole.run()
    for sql in (
        "from row_accounts",
        'select row_number, reason, "column", value from quarantine order by 1',
        "select * from stg_order_lines order by order_line_id",
    ):
        assert shop.query(sql) == whole.query(sql)
    assert whole.accounts()["a.csv"] == (200, 197, 3, 0)
    assert leaks(whole.home)  # the test can fail


def test_the_same_delivery_is_recognised_by_the_digest_of_what_was_delivered(shop: DropShop):
    text = wide_lines()
    shop.drop("order_lines", "a.csv", text)
    shop.run()
    assert shop.query("select file_sha256 from row_accounts") == [(hashlib.sha256(text.encode()).hexdigest(),)]
    shop.drop("order_lines", "b.csv", text)
    shop.run()
    assert "1 files of order_lines bring content that is known" in shop.notes()["DUPLICATE_DELIVERY"]
    for path in (shop.home / "landing").glob("??/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def test_forgetting_a_buyer_leaves_every_digest_and_the_rest_alone(shop: DropShop):
    shop.drop("order_lines", "a.csv", wide_lines())
    shop.drop(
        "order_lines", "b.csv", [r.replace("L", "M", 1).rsplit(",", 1)[0] + ",Zhang-Wei-Canary" for r in order_lines(5)]
    )
    shop.run()
    landed = {p: p.read_bytes() for p in (shop.home / "landing").glob("??/*")}
    others = shop.query(
        "select order_line_id, buyer_ref from stg_order_lines where order_line_id not in ('L4') "
        "and order_line_id not like 'M%' order by 1"
    )
    plan = shop.query("select * exclude (buyer_ref) from stg_order_lines order by order_line_id")
    who = pseudonym("Zhang-Wei-Canary", buyer_key())
    assert leaks(shop.home, (who,))
    done = forget(shop.home, " Zhang-Wei-Canary ")
    assert (done.deliveries, done.rows, done.files) == (2, 6, ("a.csv", "b.csv"))
    assert leaks(shop.home, (who,)) == []
    assert {p: p.read_bytes() for p in (shop.home / "landing").glob("??/*")} == landed
    strangers = shop.query(
        "select distinct buyer_ref from stg_order_lines where order_line_id = 'L4' or order_line_id like 'M%'"
    )
    assert len(strangers) == 1
    assert strangers[0][0] != who
    (shop.home / "warehouse.duckdb").unlink()
    shop.run()
    assert shop.query("select * exclude (buyer_ref) from stg_order_lines order by order_line_id") == plan
    assert (
        shop.query(
            "select order_line_id, buyer_ref from stg_order_lines where order_line_id not in ('L4') "
            "and order_line_id not like 'M%' order by 1"
        )
        == others
    )
    assert leaks(shop.home, (who,)) == []
    again = forget(shop.home, "Zhang-Wei-Canary")
    assert (again.deliveries, again.rows) == (0, 0)


def test_forget_from_the_command_line(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.run()
    result = CliRunner().invoke(app, ["forget", "B4", "--home", str(shop.home)])
    assert (result.exit_code, result.stdout) == (
        0,
        "Forgotten: 1 deliveries named them, 12 rows are now a stranger's.\n",
    )


def test_what_was_said_of_a_person_is_sealed_beside_them_and_goes_with_them(shop: DropShop):
    shop.drop("order_lines", "a.csv", wide_lines())
    shop.run()
    (part,) = (shop.home / "landing" / "people").glob("*/*.parquet")
    assert part.stat().st_mode & 0o777 == 0o600
    who = pseudonym("Zhang-Wei-Canary", buyer_key())
    sealed = [r for r in pq.read_table(part).to_pylist() if r["pseudonym"] == who]
    assert sealed
    assert all(r["sealed"] for r in sealed)
    forget(shop.home, "Zhang-Wei-Canary")
    rows = pq.read_table(part).to_pylist()
    assert sum(r["sealed"] is None for r in rows) == len(sealed)


def test_the_key_lies_outside_the_home_and_only_its_owner_reads_it(shop: DropShop):
    shop.drop("order_lines", "a.csv", order_lines())
    shop.run()
    assert key_path().stat().st_mode & 0o777 == 0o600
    assert not key_path().is_relative_to(shop.home)
    assert leaks(shop.home, (buyer_key().decode(),)) == []


@pytest.mark.parametrize("variable", ["MERCHCAST_BUYER_KEY", "MERCHCAST_PRIVACY_KEY"])
def test_the_key_may_come_from_the_environment(variable: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(variable, "from-a-vault")
    assert buyer_key() == b"from-a-vault"


@pytest.mark.parametrize(
    ("column", "is_person"),
    [("receiver_phone", True), ("CustomerID", True), ("收货人", True), ("email", True), ("shippingAddress", True),
     ("name", True), ("product_name", False), ("Description", False), ("utm", False), ("Country", False),
     ("item name", False), ("zip", True)],
)  # fmt: skip
def test_the_name_of_an_unknown_column_says_whether_it_names_a_person(column: str, is_person: bool):
    roles = roles_of(TABLES["order_lines"], SourceSettings(name="x", path="x"), ["sku", column])
    assert (column in roles.sealed) is is_person
    assert (column in roles.masked) is not is_person


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("13812345678,13912345678", "[masked],[masked]"),
        ("call 010-88886666", "call [masked]"),
        ("+44 20 7946 0958", "[masked]"),
        ("id 11010519900307123X", "id [masked]"),
        ("EAN 6931234567890 on 2024-11-11", "EAN 6931234567890 on 2024-11-11"),
        ("size 100-120", "size 100-120"),
    ],
)
def test_what_calls_or_names_a_person_is_masked_and_nothing_else(text: str, clean: str):
    assert masked(text) == clean


FIELD = st.text(st.sampled_from('ab1 ,;"\n\t\x07é张'), max_size=6)


@settings(max_examples=150)
@given(
    rows=st.lists(st.lists(FIELD, min_size=1, max_size=5), max_size=12), quoted=st.booleans(), cut=st.integers(1, 40)
)
def test_damaged_records_keep_their_damage_whatever_stands_in_them(rows, quoted, cut):
    def cell(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if quoted and not value.startswith("a") else value

    bare = "" if quoted else '"'  # what a stray quote swallows depends on how far one looks
    sound = [
        [f.replace(bare or "\x00", "") if len(r) == 3 else f.replace(bare or "\x00", "").replace("\n", "") for f in r]
        for r in rows
    ]
    text = "".join(",".join(map(cell, row)) + "\n" for row in sound).encode()
    book = PersonBook("f" * 64, ("buyer",))
    splitter = RecordSplitter(["x", "buyer", "y"], Roles("buyer", (), ()), book, delimiter=",", quote='"', nulls=())
    out: list[bytes] = []
    splitter.run(iter([text[i : i + cut] for i in range(0, len(text), cut)]), out.append)
    before, after = (scan_records(iter([t]), delimiter=",", quote='"', width=3) for t in (text, b"".join(out)))
    assert (after.records, after.good) == (before.records, before.good)
    assert [(b.number, b.reason) for b in after.bad] == [(b.number, b.reason) for b in before.bad]
    assert after.is_cut_off == before.is_cut_off
