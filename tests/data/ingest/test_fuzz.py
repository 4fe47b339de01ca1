"""Damaged files: every record accounted for, none crashes or hangs. Thousands: `python -m benchmarks.ingest_fuzz`."""

from __future__ import annotations

from benchmarks.ingest_fuzz import MAX_SECONDS, fuzz


def test_every_record_of_damaged_files_is_accounted_for():
    tally = fuzz(60, 7, compare=False)
    assert tally.broken == []
    assert tally.slowest < MAX_SECONDS
    assert tally.rows["in"] == tally.rows["loaded"] + tally.rows["quarantined"] + tally.rows["duplicate"]
    assert tally.outcomes["accounted for"] >= 20
    assert tally.rows["quarantined"] > 0
