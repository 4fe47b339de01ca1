"""The ledger says exactly what is wrong: where, of which kind, and what is to become of it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.demo.dirt import DAMAGES, add_dirt
from data.demo.files import Dialect, csv_bytes, write_bytes

HEADER = ["order_line_id", "ordered_at", "sku", "quantity", "unit_price", "promotion_id", "preorder_id"]


def rows_of(count: int) -> list[list[str]]:
    return [[f"L{i}", "2026-06-01 10:00:00", f"BDG-{i:04d}", "1", "14.9", "", ""] for i in range(count)]


@given(count=st.integers(1, 900), number=st.integers(0, 80), seed=st.integers(0, 5))
def test_clean_rows_stay_complete_whatever_the_size(count, number, seed):
    rows = rows_of(count)
    before = [list(r) for r in rows]
    dirty, ledger = add_dirt("order_lines", "f.csv", HEADER, rows, number=number, rng=np.random.default_rng(seed))
    assert rows == before  # the argument is not changed
    added = [e for e in ledger if e.outcome in {"Q", "DUP", "L"}]
    assert len(dirty) == count + len(added)
    skip = {e.row_number for e in added}
    kept = [r for i, r in enumerate(dirty, start=1) if i not in skip]
    assert {r[0] for r in kept} == {r[0] for r in rows}
    assert sum(e.outcome == "Q" for e in ledger) <= 0.01 * len(dirty)


def test_every_fault_of_every_table_can_occur():
    for table, damages in DAMAGES.items():
        columns = dict.fromkeys(d.column for d in damages if d.column)
        header = [*columns, *(c for c in ("order_line_id", "quantity") if c not in columns)]
        rows = [["5" if c != "sku" else "BDG-0001" for c in header] for _ in range(2_000)]
        for row in rows[::3]:
            row[:] = ["" if c not in {"sku", "quantity"} else v for c, v in zip(header, row, strict=True)]
        seen: set[str] = set()
        for number in range(40):
            _, ledger = add_dirt(table, "f.csv", header, rows, number=number, rng=np.random.default_rng(number))
            seen |= {e.kind for e in ledger}
        missing = {d.kind for d in damages} - seen
        assert not missing - ({"exact_duplicate"} if table == "products" else set()), (table, missing)


def test_bad_rows_stay_below_the_limit_that_stops_a_run(written):
    ledger = written.ledger().filter((pl.col("outcome") == "Q") & pl.col("row_number").is_not_null())
    for file, count in ledger.group_by("file").len().rows():
        _, rows = written.records(written.home / file)
        assert count < 0.01 * len(rows), file


def test_the_ledger_points_at_the_damaged_record(written):
    ledger = written.ledger().filter(pl.col("row_number").is_not_null() & (pl.col("outcome") == "Q"))
    signs = {
        "fraction_in_integer": "1.9", "unit_in_number": "3 pcs", "full_width_digits": "２", "hexadecimal": "0x1F",
        "underscore": "1_000", "not_a_number": "NaN", "infinite": "inf", "ambiguous_number": "1.234,56",
        "huge_price": "1000000000000", "unknown_sku": "OLD-9999", "scientific_id": "6.93E+12",
    }  # fmt: skip
    checked = 0
    for (file,), part in ledger.group_by("file", maintain_order=True):
        header, rows = written.records(written.home / file)
        for number, kind, column in part.select("row_number", "kind", "column").rows():
            record = rows[number - 1]
            if kind in signs:
                assert record[header.index(column)] == signs[kind]
            elif kind == "column_too_many":
                assert len(record) == len(header) + 1
            elif kind == "column_missing":
                assert len(record) == len(header) - 1
            elif kind in {"30_february", "year_9999", "future"}:
                assert record[header.index(column)][:10] in {"2026-02-30", "9999-12-31", "2045-05-04"}
            elif kind in {"control_character", "nul_character"}:
                assert any(ord(c) < 32 for c in record[header.index(column)])
            elif kind in {"negative_price", "negative_stock", "negative_views"}:
                assert float(record[header.index(column)]) < 0
            else:
                assert kind in {"same_key_other_values", "exceeds_what_was_sold", "no_such_campaign"}
            checked += 1
    assert checked == len(ledger) > 0


def test_duplicates_are_exact(full):
    ledger = full.ledger().filter(pl.col("outcome") == "DUP")
    for (file,), part in ledger.filter(pl.col("table") == "order_lines").group_by("file", maintain_order=True):
        _, rows = full.records(full.home / file)
        for number in part["row_number"]:
            assert rows[number - 1] in rows[: number - 1]


def test_counts_by_fault_are_written_beside_the_ledger(written):
    counts, ledger = written.truth("dirt_counts"), written.ledger()
    assert counts["n_rows"].sum() == ledger["n_rows"].sum()
    assert set(counts["outcome"]) == {"Q", "N", "DUP", "D", "L"}


def test_many_kinds_of_faults_are_planted(full):
    ledger = full.ledger()
    rows = ledger.filter(pl.col("row_number").is_not_null())
    assert len(set(ledger["fault"])) >= 20
    share = rows.filter(pl.col("table") == "order_lines").height / 130_000
    assert 0.01 < share < 0.05  # a few per cent of the rows of CSV files
    kinds = set(ledger["kind"])
    assert {"byte_order_mark", "line_end_crlf", "line_end_mixed", "columns_reordered", "new_column"} <= kinds
    assert {
        "duplicate_delivery",
        "late_rows",
        "hostile_title",
        "phone_in_title",
        "above_cap",
        "one_second_apart",
    } <= kinds


def test_hostile_titles_and_a_phone_number_are_there(written):
    path = written.home / "drop/products" / f"products_{written.summary.run_date}.csv"
    titles = {r[2] for r in written.records(path)[1]}
    assert any(t.startswith("=HYPERLINK") for t in titles)
    assert "<script>alert(1)</script>" in titles
    assert any("13812345678" in t for t in titles)
    assert any("\n" in t for t in titles)


def test_a_file_was_delivered_twice(written):
    twice = [p for p in written.files("order_lines") if p.name.endswith("_resent.csv.gz")]
    assert len(twice) == 1
    original = twice[0].with_name(twice[0].name.replace("_resent", ""))
    assert original.read_bytes() == twice[0].read_bytes()


@pytest.mark.parametrize(
    ("line_end", "expected"), [("LF", b"a,b\n1,2\n"), ("CRLF", b"a,b\r\n1,2\r\n"), ("mixed", b"a,b\n1,2\r\n")]
)
def test_line_ends(line_end, expected):
    assert csv_bytes(["a", "b"], [["1", "2"]], Dialect(line_end=line_end)) == expected


def test_a_byte_order_mark_comes_first():
    assert csv_bytes(["a"], [], Dialect(has_bom=True)) == b"\xef\xbb\xbfa\n"


def test_compressed_files_carry_no_time_stamp(tmp_path):
    write_bytes(tmp_path / "a.csv.gz", b"x\n")
    assert (tmp_path / "a.csv.gz").read_bytes()[4:8] == b"\x00\x00\x00\x00"
