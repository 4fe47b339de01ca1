"""What operators do: replay repaired rows, rebuild the warehouse from landing."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest
from drop_shop import D, DropShop, order_lines
from typer.testing import CliRunner

from cli.main import app
from data.errors import ConfigError, DataError
from data.rebuild import rebuild
from data.replay import export_quarantine, import_repairs

NEXT = D + timedelta(days=1)
WHY = "asked the till, it was one piece"
TABLES = ("row_accounts", "quarantine", "stg_order_lines", "stg_products", "item_supply")


def everything(shop: DropShop) -> list[object]:
    """What a run left, in a fixed order."""
    return [shop.query(f"select * from {t} order by all") for t in TABLES]


@pytest.fixture
def night(shop: DropShop) -> DropShop:
    """A night with three rows in quarantine: no integer, no price, and a field too many."""
    rows = order_lines()
    rows[5] = rows[5].replace("SKU-006,1,", "SKU-006,1.9,")
    rows[7] = rows[7].replace("18.50", "x")
    rows[9] = rows[9] + ",more"
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    return shop


def decide(home: Path, folder: Path, decisions: dict[int, dict[str, str]]) -> Path:
    """Export, edit the rows by row number, and return the edited file."""
    export_quarantine(home, folder)
    path = folder / "order_lines.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.update(decisions.get(int(row["row_number"]), {}))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_repaired_row_loads_with_its_buyer_and_the_accounts_keep_the_identity(night: DropShop, tmp_path: Path):
    buyers = dict(night.query("select order_line_id, buyer_ref from stg_order_lines"))
    path = decide(
        night.home,
        tmp_path / "out",
        {6: {"action": "load", "why": WHY, "quantity": "2"}, 8: {"action": "dismiss", "why": "a test of the till"}},
    )
    assert import_repairs(night.home, [path]) == {"loaded": 1, "dismissed": 1, "left": 1}
    night.run(NEXT)
    assert night.accounts()["a.csv"] == (200, 198, 2, 0)
    assert night.query("select row_number, status from quarantine order by 1") == [
        (6, "replayed"), (8, "dismissed"), (10, "open"),
    ]  # fmt: skip
    line = night.query(
        "select quantity, buyer_ref, unit_price::varchar from stg_order_lines where order_line_id = 'L6'"
    )
    assert line == [(2, buyers["L23"], "16.5000")]  # B6 bought L23 as well


def test_a_repaired_row_that_an_earlier_file_brought_already_is_a_duplicate(shop: DropShop, tmp_path: Path):
    rows = order_lines()
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    shop.drop("order_lines", "b.csv", [*order_lines(start=201), rows[5].replace("SKU-006,1,", "SKU-006,1.9,")])
    shop.run()
    assert shop.accounts()["b.csv"] == (201, 200, 1, 0)
    path = decide(shop.home, tmp_path / "out", {201: {"action": "load", "why": WHY, "quantity": "1"}})
    import_repairs(shop.home, [path])
    shop.run(NEXT)
    assert shop.accounts()["b.csv"] == (201, 200, 0, 1)
    assert shop.query("select count(*) from stg_order_lines") == [(400,)]


def test_a_repaired_row_that_repeats_a_row_of_its_own_file_is_a_duplicate(shop: DropShop, tmp_path: Path):
    rows = order_lines()
    spoilt = rows[5].replace("SKU-006,1,", "SKU-006,1.9,")
    shop.drop("order_lines", "a.csv", [spoilt, *rows, spoilt, spoilt])  # before and behind the row that it means
    shop.run()
    assert shop.accounts()["a.csv"] == (203, 200, 3, 0)
    decisions = {n: {"action": "load", "why": WHY, "quantity": "1"} for n in (1, 202)}
    import_repairs(shop.home, [decide(shop.home, tmp_path / "out", decisions)])
    shop.run(NEXT)
    assert shop.accounts()["a.csv"] == (203, 200, 1, 2)
    assert shop.query("select count(*), sum(quantity) from stg_order_lines where order_line_id = 'L6'") == [(1, 1)]


def test_of_equal_repaired_rows_one_is_loaded_and_the_others_are_duplicates(shop: DropShop, tmp_path: Path):
    rows = order_lines()
    spoilt = rows[5].replace("SKU-006,1,", "SKU-006,1.9,")
    shop.drop("order_lines", "a.csv", [*rows[:5], *rows[6:], spoilt, spoilt, spoilt])
    shop.run()
    decisions = {n: {"action": "load", "why": WHY, "quantity": "1"} for n in (200, 201, 202)}
    import_repairs(shop.home, [decide(shop.home, tmp_path / "out", decisions)])
    shop.run(NEXT)
    assert shop.accounts()["a.csv"] == (202, 200, 0, 2)
    assert shop.query("select count(*) from stg_order_lines") == [(200,)]


def test_a_repaired_row_must_not_contradict_a_row_of_its_file(shop: DropShop, tmp_path: Path):
    rows = order_lines()
    shop.drop("order_lines", "a.csv", [*rows, rows[5].replace("SKU-006,1,", "SKU-006,1.9,")])
    shop.run()
    path = decide(shop.home, tmp_path / "out", {201: {"action": "load", "why": WHY, "quantity": "2"}})
    with pytest.raises(DataError, match="DUP_CONFLICT.*row 201 against row 6"):
        import_repairs(shop.home, [path])
    shop.run(NEXT)
    assert shop.accounts()["a.csv"] == (201, 200, 1, 0)


def test_a_repaired_line_without_a_key_is_a_sale_of_its_own(shop: DropShop, tmp_path: Path):
    header = "order_id,ordered_at,sku,quantity,unit_price\n"
    line = "O1,2026-03-01 10:00:00,SKU-001,{},10.00"
    lines = [line.format(q) for q in (1, 1, "1.9")] + [f"O{n},2026-03-01 10:00:00,SKU-002,1,9.00" for n in range(200)]
    shop.drop("order_lines", "a.csv", header + "\n".join(lines) + "\n")
    shop.run()
    path = decide(shop.home, tmp_path / "out", {3: {"action": "load", "why": WHY, "quantity": "1"}})
    import_repairs(shop.home, [path])
    shop.run(NEXT)
    assert shop.accounts()["a.csv"] == (203, 203, 0, 0)
    assert shop.query("select sum(quantity) from stg_order_lines where sku = 'SKU-001'") == [(3,)]


def test_a_published_run_keeps_what_it_saw(night: DropShop, tmp_path: Path):
    night.publish(D)
    before = everything(night)
    path = decide(night.home, tmp_path / "out", {6: {"action": "load", "why": WHY, "quantity": "2"}})
    import_repairs(night.home, [path])
    night.run(D)
    assert everything(night) == before
    night.run(D, restate=True)
    assert night.query("select count(*) from stg_order_lines") == [(198,)]
    night.run(NEXT)
    assert night.query("select count(*) from stg_order_lines") == [(198,)]


def test_an_unreadable_record_can_be_typed_in(night: DropShop, tmp_path: Path):
    typed = {"order_line_id": "L10", "ordered_at": "2026-03-01 10:10:00", "sku": "SKU-010", "quantity": "1"}
    decision = {"action": "load", "why": WHY, "unit_price": "20.50", **typed}
    import_repairs(night.home, [decide(night.home, tmp_path / "out", {10: decision})])
    night.run(NEXT)
    assert night.query("select quantity, buyer_ref from stg_order_lines where order_line_id = 'L10'") == [(1, None)]


@pytest.mark.parametrize(
    ("decision", "error", "says"),
    [
        ({"action": "load", "why": WHY, "quantity": "2.5"}, DataError, "row 6: NOT_INTEGER in quantity"),
        ({"action": "load", "why": "short", "quantity": "2"}, ConfigError, "shorter than 10 characters"),
        ({"action": "maybe", "why": WHY}, ConfigError, "none of load, dismiss"),
        ({"action": "dismiss", "why": WHY, "row_number": "7"}, ConfigError, "no such row is open"),
    ],
)
def test_what_cannot_be_replayed_changes_nothing(
    night: DropShop, tmp_path: Path, decision: dict[str, str], error: type[Exception], says: str
):
    before = everything(night)
    ledger = (night.home / "landing" / "ledger.jsonl").read_bytes()
    with pytest.raises(error, match=says):
        import_repairs(night.home, [decide(night.home, tmp_path / "out", {6: decision})])
    assert (night.home / "landing" / "ledger.jsonl").read_bytes() == ledger
    night.run()
    assert everything(night) == before


def test_replay_from_the_command_line(night: DropShop, tmp_path: Path):
    home = ["--home", str(night.home)]
    shown = CliRunner().invoke(app, ["replay", "quarantine", "--export", str(tmp_path / "out"), *home])
    assert (shown.exit_code, shown.stdout) == (0, f"{tmp_path / 'out' / 'order_lines.csv'}: 3 rows\n")
    path = decide(night.home, tmp_path / "out", {6: {"action": "load", "why": WHY, "quantity": "2"}})
    done = CliRunner().invoke(app, ["replay", "quarantine", str(path), *home])
    assert (done.exit_code, done.stdout) == (0, "1 rows loaded, 0 dismissed, 2 left as they are.\n")


def test_a_formula_in_a_row_comes_out_inert_and_back_as_it_was(shop: DropShop, tmp_path: Path):
    rows = order_lines()
    rows[5] = rows[5].replace("L6,O2,", "L6,=2+2,").replace("SKU-006,1,", "SKU-006,1.9,")
    shop.drop("order_lines", "a.csv", rows)
    shop.run()
    path = decide(shop.home, tmp_path / "out", {6: {"action": "load", "why": WHY, "quantity": "1"}})
    assert ",'=2+2," in path.read_text()
    import_repairs(shop.home, [path])
    shop.run(NEXT)
    assert shop.query("select order_id from stg_order_lines where order_line_id = 'L6'") == [("=2+2",)]


def test_a_rebuilt_warehouse_gives_every_run_what_it_had(night: DropShop, tmp_path: Path):
    skus = "".join(f"SKU-{i:03d}\n" for i in range(29))
    night.drop("products", "p_2026-03-02.csv", "sku\n" + skus)
    night.run(NEXT)
    night.drop("products", "p_2026-03-03.csv", "sku\n" + skus + "SKU-029\n")
    path = decide(night.home, tmp_path / "out", {6: {"action": "load", "why": WHY, "quantity": "2"}})
    import_repairs(night.home, [path])
    night.drop("products", "p_again_2026-03-03.csv", "sku,wonder\n" + "".join(f"SKU-{i:03d},x\n" for i in range(30)))
    night.drop("products", "p_copy_2026-03-03.csv", "sku\n" + skus)  # known content: a note of its night
    last = NEXT + timedelta(days=1)
    night.run(last)
    notes = "select run_date, code, table_name, message, rows from run_notes order by all"
    before, told = everything(night), night.query(notes)
    assert {row[1] for row in told} >= {"DUPLICATE_DELIVERY", "UNKNOWN_COLUMNS"}
    assert {row[-1] for row in before[1]} == {"open", "replayed"}
    (night.home / "warehouse.duckdb").write_bytes(b"damaged")
    counts = rebuild(night.home)
    assert (counts["files"], counts["rows_in"], counts["runs"]) == (4, 289, 3)
    assert night.query(notes) == told
    night.run(last)
    assert everything(night) == before
    assert not (night.home / "warehouse.duckdb.old").exists()


def test_a_rebuild_that_fails_leaves_the_old_warehouse(night: DropShop, monkeypatch: pytest.MonkeyPatch):
    before = night.query("select * from stg_order_lines order by 1")
    monkeypatch.setattr("data.rebuild.catch_up", lambda *_, **__: (_ for _ in ()).throw(DataError("no")))
    with pytest.raises(DataError):
        rebuild(night.home)
    assert night.query("select * from stg_order_lines order by 1") == before


def test_rebuild_from_the_command_line(night: DropShop):
    done = CliRunner().invoke(app, ["rebuild", "--home", str(night.home)])
    assert done.exit_code == 0
    assert done.stdout == "1 deliveries with 200 rows are back, as 1 runs saw them.\n"
    assert date.fromisoformat("2026-03-01") == D
