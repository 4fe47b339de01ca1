"""A small shop whose drop files a test writes by hand, and what its nights made of them."""

from __future__ import annotations

import gzip
import os
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from ruamel.yaml import YAML

from data import step

D = date(2026, 3, 1)  # a Sunday
LINES = "order_line_id,order_id,ordered_at,sku,quantity,unit_price,buyer_ref\n"


def order_lines(n: int = 200, *, day: str = "2026-03-01", start: int = 1) -> list[str]:
    """Records of ``order_lines`` without header: n sound rows."""
    return [
        f"L{i},O{i // 3},{day} 10:{i % 60:02d}:00,SKU-{i % 30:03d},{1 + i % 3},{10 + i % 30}.50,B{i % 17}"
        for i in range(start, start + n)
    ]


class DropShop:
    """A home folder with a drop folder."""

    def __init__(self, home: Path, *, timezone: str = "Asia/Shanghai") -> None:
        self.home = home
        self.timezone = timezone
        self.sources: dict[str, Any] = {}
        self.planning: dict[str, Any] = {}
        self.shop: dict[str, Any] = {}
        self.connections: dict[str, Any] = {}
        home.mkdir(parents=True, exist_ok=True)
        self.source("order_lines", timezone=timezone)

    def source(self, table: str, *, pattern: str = "*", **options: Any) -> None:
        """Connect ``drop/<table>/<pattern>``."""
        self.sources[table] = {"kind": "file", "path": f"drop/{table}/{pattern}", **options}

    def path(self, table: str, name: str) -> Path:
        """Where a drop file lies."""
        return self.home / "drop" / table / name

    def drop(self, table: str, name: str, content: str | bytes | list[str], *, mtime: float | None = None) -> Path:
        """Write a drop file. A list is ``order_lines`` records under their header."""
        if table not in self.sources:
            self.source(table)
        if isinstance(content, list):
            content = LINES + "\n".join(content) + "\n"
        data = content.encode() if isinstance(content, str) else content
        path = self.path(table, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            gzip.compress(data, mtime=0) if name.endswith(".gz") and not data.startswith(b"\x1f\x8b") else data
        )
        stamp = path.stat().st_mtime - 60 if mtime is None else mtime  # old enough not to be waited for
        os.utime(path, (stamp, stamp))
        return path

    def frame(self, table: str, name: str, frame: pd.DataFrame) -> Path:
        """Write a Parquet drop file."""
        path = self.path(table, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(path, index=False)
        os.utime(path, (path.stat().st_mtime - 60,) * 2)
        if table not in self.sources:
            self.source(table)
        return path

    def run(self, run_date: date = D, *, restate: bool = False) -> dict[str, int]:
        """Run the ingest step."""
        settings = {
            "shop": {"name": "Drop", "timezone": self.timezone, "currency": "CNY", **self.shop},
            "planning": self.planning,
            "sources": self.sources,
            "connections": self.connections,
        }
        with (self.home / "merchcast.yml").open("w") as file:
            YAML(typ="safe", pure=True).dump(settings, file)
        return step.run(self.home, run_date, restate=restate)

    def publish(self, run_date: date = D) -> None:
        """Pretend that the run for a date was published."""
        (self.home / "published" / run_date.isoformat()).mkdir(parents=True)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the warehouse."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """All rows of a table, sorted: DuckDB writes them in the order its threads finish."""
        return self.query(f"from {name} order by all")

    def accounts(self) -> dict[str, tuple[int, int, int, int]]:
        """File name -> rows in, loaded, quarantined, duplicate."""
        rows = self.query("select file_name, rows_in, rows_loaded, rows_quarantined, rows_duplicate from row_accounts")
        return {row[0]: row[1:] for row in rows}

    def quarantined(self) -> list[tuple[int, str, str | None, str | None]]:
        """Row number, reason, column and value of the open rows in quarantine."""
        return self.query(
            "select row_number, reason, \"column\", value from quarantine where status = 'open' order by 1, 2"
        )

    def notes(self) -> dict[str, str]:
        """Check -> observed, of all checks that warn."""
        return dict(self.query("select \"check\", observed from checks where status = 'warn'"))
