"""Shortcuts that the statements of input tables are written with."""

from __future__ import annotations

from data.contracts.model import Column, DType, Mode, Table, TableKind, column

__all__ = [
    "MAX_PRICE",
    "MAX_UNITS",
    "D",
    "F",
    "I",
    "J",
    "M",
    "N",
    "S",
    "T",
    "days_column",
    "input_table",
    "location_column",
    "price_column",
    "sku_column",
    "units_column",
]

S, D, T, M, I, N, F, J = (
    DType.STRING,
    DType.DATE,
    DType.TIMESTAMP,
    DType.MONEY,
    DType.INTEGER,
    DType.NUMBER,
    DType.FLAG,
    DType.JSON,
)
MAX_UNITS = 1e8  # [units] beyond this a quantity is a slip, not an order
MAX_PRICE = 1e8  # [currency] likewise (fault 56: 1e12)
_KEY_DEFAULTS = {
    "location_id": "main",
    "from_location_id": "main",
    "to_location_id": "main",
    "supplier_id": "-",
    "region": "*",
    "channel": "*",
    "source": "-",
    "ip": "*",
}


def sku_column(required: bool = True) -> Column:
    """Return the column of the SKU."""
    return column("sku", S, "", "stock-keeping unit", required=required)


def location_column(required: bool = False) -> Column:
    """Return the column of the location."""
    return column("location_id", S, "", "where it sells or lies; none: main", required=required)


def price_column(name: str, doc: str, *, required: bool = False) -> Column:
    """Return a column of money per unit, never negative."""
    return column(name, M, "currency/unit", doc, required=required, minimum=0, maximum=MAX_PRICE)


def units_column(name: str, doc: str, *, dtype: DType = N, required: bool = False, minimum: float | None = 0) -> Column:
    """Return a column of units."""
    return column(name, dtype, "units", doc, required=required, minimum=minimum, maximum=MAX_UNITS)


def days_column(name: str, doc: str, *, required: bool = False) -> Column:
    """Return a column of days, at most ten years."""
    return column(name, N, "days", doc, required=required, minimum=0, maximum=3650)


def input_table(
    name: str,
    mode: Mode,
    keys: str,
    columns: list[Column],
    doc: str,
    *,
    business_date: str | None = None,
    known_at: str | None = None,
    known_in_advance: bool = False,
    is_sales: bool = False,
) -> Table:
    """Return an input table; its columns say what a null in a key stands for."""
    names = {c.name for c in columns}
    return Table(
        name,
        TableKind.INPUT,
        tuple(keys.split()),
        tuple(columns),
        doc,
        mode=mode,
        business_date=business_date,
        known_at=known_at,
        known_in_advance=known_in_advance,
        is_sales=is_sales,
        key_defaults={k: v for k, v in _KEY_DEFAULTS.items() if k in names},
    )
