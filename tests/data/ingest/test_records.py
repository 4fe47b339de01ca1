"""The scan finds the records that a strict CSV reader finds, and survives what such a reader does not."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.ingest.faults import Reason
from data.ingest.records import RecordLimit, RecordScan, scan_records

CELL = st.text(alphabet='ab,"\n;0é徽 ', max_size=6)


def scan(text: str | bytes, width: int, *, chunk: int = 7) -> tuple[RecordScan, bytes]:
    data = text.encode() if isinstance(text, str) else text
    out: list[bytes] = []
    pieces = (data[i : i + chunk] for i in range(0, len(data), chunk))
    return scan_records(pieces, delimiter=",", quote='"', width=width, emit=out.append), b"".join(out)


@given(rows=st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=12), chunk=st.integers(1, 40))
def test_whatever_a_csv_writer_writes_is_counted_and_passed_on_unharmed(rows, chunk):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    found, out = scan(buffer.getvalue(), 3, chunk=chunk)
    assert (found.records, found.bad_count, found.blank_lines) == (len(rows), 0, 0)
    assert list(csv.reader(io.StringIO(out.decode(), newline=""), strict=True)) == rows


@given(rows=st.lists(st.lists(CELL, min_size=1, max_size=5), min_size=1, max_size=12), chunk=st.integers(1, 40))
def test_records_of_another_width_are_named_by_number(rows, chunk):
    rows = [r if any(r) or len(r) > 1 else ["x"] for r in rows]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    off = [i for i, r in enumerate(rows, start=1) if len(r) != 3]
    if any("\n" in cell for i in off for cell in rows[i - 1]):
        return  # a damaged record is its first line only: the next lines are records of their own
    found, out = scan(buffer.getvalue(), 3, chunk=chunk)
    assert [b.number for b in found.bad] == off
    assert list(csv.reader(io.StringIO(out.decode(), newline=""))) == [r for r in rows if len(r) == 3]


@given(data=st.binary(max_size=300), chunk=st.integers(1, 50))
def test_any_bytes_add_up(data, chunk):
    text = data.replace(b"\r", b"\n")
    found, out = scan(text, 2, chunk=chunk)
    good = list(csv.reader(io.StringIO(out.decode("latin-1"), newline=""), strict=True))
    assert found.records == len(good) + found.bad_count
    assert all(len(r) == 2 for r in good)
    assert len(found.bad) == found.bad_count


@given(data=st.binary(max_size=200), one=st.integers(1, 60), two=st.integers(1, 60))
def test_the_size_of_the_pieces_does_not_matter(data, one, two):
    text = data.replace(b"\r", b"\n")
    first, second = scan(text, 2, chunk=one), scan(text, 2, chunk=two)
    assert first[1] == second[1]
    assert first[0].bad == second[0].bad


def test_a_quote_in_the_middle_of_an_unquoted_field_is_text():
    found, out = scan('1,MIRROR 5" ROUND,2\n2,b,3\n', 3)
    assert (found.records, found.bad_count, found.irregular_quotes) == (2, 0, 1)
    assert next(csv.reader(io.StringIO(out.decode()))) == ["1", 'MIRROR 5" ROUND', "2"]


def test_after_a_quote_that_never_closes_reading_goes_on_at_the_next_line():
    found, out = scan('1,"open,2\n2,b,3\n3,"c",4\n', 3, chunk=1000)
    assert [(b.number, b.reason) for b in found.bad] == [(1, Reason.QUOTE)]
    assert out == b"2,b,3\n3,c,4\n"


def test_blank_lines_are_no_records():
    found, _ = scan("1,2\n\n3,4\n\n", 2)
    assert (found.records, found.blank_lines, found.is_plain) == (2, 2, False)


@pytest.mark.parametrize(("text", "cut"), [("1,2,3\n4,5", True), ("1,2,3\n4,5,6", False), ("1,2,3\n4,5\n", False)])
def test_a_last_record_that_is_narrower_and_without_line_end_was_cut_off(text, cut):
    assert scan(text, 3)[0].is_cut_off is cut


@pytest.mark.parametrize("cell", ["x" * 300_000, '"' + "x" * 300_000 + '"', '"' + "x" * 3_000_000])
def test_fields_beyond_reason_are_refused(cell):
    with pytest.raises(RecordLimit):
        scan(f"1,2\n{cell},3\n4,5\n", 2, chunk=1_000_000)
