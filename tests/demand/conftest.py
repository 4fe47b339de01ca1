"""Small frames that the demand tests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from demand.config import DemandConfig

EPOCH = date(1970, 1, 1)

LINE_SCHEMA = {
    "order_line_id": pl.String,
    "order_id": pl.String,
    "ordered_at": pl.Datetime("us", "UTC"),
    "day": pl.Int64,
    "sku": pl.String,
    "location_id": pl.String,
    "quantity": pl.Int64,
    "unit_price": pl.Float64,
    "promotion_id": pl.String,
    "preorder_id": pl.String,
    "buyer_ref": pl.String,
    "status": pl.String,
}


@pytest.fixture
def config() -> DemandConfig:
    return DemandConfig()


@pytest.fixture
def make_lines() -> Callable[..., pl.DataFrame]:
    """Return a maker of order lines from dicts; ``at`` is (day number, hour), everything else has a default."""

    def make(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
        full = []
        for i, row in enumerate(rows):
            day, hour = row.get("at", (0, 12.0))
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day, hours=hour)
            line = {"sku": "A", "location_id": "main", "quantity": 1, "unit_price": 10.0, "status": "paid"}
            line |= {"order_line_id": f"L{i:05d}", "order_id": f"O{i:05d}", "ordered_at": at, "day": day}
            full.append(line | {k: v for k, v in row.items() if k != "at"})
        return pl.DataFrame([{k: r.get(k) for k in LINE_SCHEMA} for r in full], schema=LINE_SCHEMA)

    return make


@pytest.fixture
def no_returns() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "return_id": pl.String,
            "day": pl.Int64,
            "sku": pl.String,
            "location_id": pl.String,
            "quantity": pl.Int64,
            "order_line_id": pl.String,
        }
    )
