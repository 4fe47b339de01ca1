"""Arrow and NumPy out of DuckDB."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from data.ingest import exchange


@pytest.mark.parametrize("most", [0, 10**9])
def test_hashes_come_sorted_and_whole_wherever_they_are_sorted(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_SORTED_IN_PLACE", most)
    with duckdb.connect() as connection:
        rows = "from (select range % 700 as i from range(5000))"
        found = exchange.sorted_hashes(connection, "i", rows)
        expected = [row[0] for row in connection.execute(f"select hash(i) {rows} order by 1").fetchall()]
    assert found.dtype == np.uint64
    assert found.tolist() == expected
