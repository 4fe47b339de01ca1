"""``stg_products`` of a shop that delivers no products: made from the SKUs that sold."""

from __future__ import annotations

import duckdb

from data.contracts import TABLES
from data.ingest.casting import sql_type
from data.warehouse import quoted

__all__ = ["products_from_sales"]


def products_from_sales(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``stg_products`` with one row per SKU in the staged sales; everything but the SKU is null."""
    contract = TABLES["stg_products"]
    made = {"sku": "s.sku", "is_product": "s.sku not in (from not_products)", "source": "'-'"}
    columns = ", ".join(
        f"{made.get(c.name, f'null::{sql_type(c.dtype)}')} as {quoted(c.name)}" for c in contract.columns
    )
    connection.execute(
        f"create or replace table stg_products as select {columns} from ("
        "select sku from stg_order_lines union select sku from stg_period_sales) s order by s.sku"
    )
