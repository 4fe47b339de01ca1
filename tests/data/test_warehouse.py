"""The warehouse file: what is said where it is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import SourceError
from data.warehouse import open_warehouse


def test_a_damaged_warehouse_says_how_it_comes_back(tmp_path: Path) -> None:
    with open_warehouse(tmp_path) as warehouse:
        warehouse.execute("create table t as select range i from range(100)")
    path = tmp_path / "warehouse.duckdb"
    whole = path.read_bytes()
    damages: list[Callable[[bytes], bytes]] = [
        lambda data: b"",
        lambda data: b"no database",
        lambda data: data[:2048],
        lambda data: data[: len(data) // 2],
        lambda data: data[:4096] + b"\xff" * 8192 + data[12288:],  # both headers
    ]
    for damaged in damages:
        path.write_bytes(damaged(whole))
        with (
            pytest.raises(SourceError, match="`merchcast rebuild` makes it anew from landing"),
            open_warehouse(tmp_path),
        ):
            pass
    path.write_bytes(whole)
    with open_warehouse(tmp_path) as warehouse:
        assert warehouse.connection.execute("select count(*) from t").fetchone() == (100,)
