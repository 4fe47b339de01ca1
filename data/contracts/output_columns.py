"""Columns and shapes that the output tables have in common."""

from __future__ import annotations

from data.contracts.model import Column, DType, Table, TableKind, column, key

__all__ = [
    "DS",
    "LOCATION",
    "QUANTILES",
    "SKU",
    "WHY_BATCH_COLUMNS",
    "WHY_COLUMNS",
    "D",
    "F",
    "I",
    "L",
    "M",
    "N",
    "S",
    "T",
    "days",
    "money",
    "output",
    "quantile_columns",
    "share",
    "units",
]  # fmt: skip

S, D, T, M, I, N, F, L = (
    DType.STRING,
    DType.DATE,
    DType.TIMESTAMP,
    DType.MONEY,
    DType.INTEGER,
    DType.NUMBER,
    DType.FLAG,
    DType.STRINGS,
)

QUANTILES: dict[str, float] = {
    "q025": 0.025,
    "q05": 0.05,
    "q10": 0.10,
    "q25": 0.25,
    "q50": 0.50,
    "q75": 0.75,
    "q80": 0.80,
    "q90": 0.90,
    "q95": 0.95,
    "q975": 0.975,
    "q99": 0.99,
}
"""Quantile columns and their levels, in ascending order."""

WHY_COLUMNS: dict[str, str] = {
    "why_need": "mean demand over the protection period",
    "why_position": "minus the inventory position",
    "why_lost_sales": "minus what will be lost before receipt whatever we do; 0 with backorders",
    "why_buffer": "quantile of need minus mean need, may be negative",
    "why_surplus": "lifts a negative sum to 0",
    "why_round": "rounding to whole units",
    "why_moq": "lift to the minimum order quantity",
    "why_pack": "rounding to whole packs",
    "why_cap": "cut to the cover cap",
    "why_max_order": "cut to the largest order",
    "why_capacity": "cut to the supplier's capacity",
    "why_budget": "cut to the budget",
    "why_set": "size sets",
    "why_transfer": "supplied from another location",
    "why_off_date": "not an order date",
    "why_override": "a planner's override",
}
"""The why columns of ``restock_plan`` and their meaning; they add up to ``order_qty`` exactly."""

WHY_BATCH_COLUMNS: dict[str, str] = {
    "why_firm": "firm preorders so far",
    "why_late_bookings": "bookings still to come before the close, cancellations included (P50)",
    "why_stock": "stock for demand after the close (newsvendor)",
    "why_min_batch": "lift to the smallest batch",
    "why_tier": "lift to a cheaper tier",
    "why_max_batch": "cut to the largest batch",
    "why_decision": "cut to 0 while the decision is wait, extend or cancel",
}
"""The why columns of ``batch_plan`` and their meaning; they add up to ``batch_qty`` exactly."""


def units(name: str, doc: str, *, dtype: DType = N, minimum: float | None = 0, nullable: bool = True) -> Column:
    """Return the column of a number of units."""
    return column(name, dtype, "units", doc, minimum=minimum, nullable=nullable)


def share(name: str, doc: str) -> Column:
    """Return the column of a share, 0 to 1."""
    return column(name, N, "0-1", doc, minimum=0, maximum=1)


def money(name: str, doc: str, *, minimum: float | None = None) -> Column:
    """Return the column of an amount in shop.currency."""
    return column(name, M, "currency", doc, minimum=minimum)


def days(name: str, doc: str) -> Column:
    """Return the column of a number of days."""
    return column(name, N, "days", doc, minimum=0)


def quantile_columns(unit: str) -> list[Column]:
    """Return the columns of mean and quantiles in ``unit``."""
    return [
        column("mean", N, unit, "expected demand", nullable=False, minimum=0),
        *(column(n, N, unit, f"{q:.1%} quantile", nullable=False, minimum=0) for n, q in QUANTILES.items()),
    ]


def output(name: str, keys: str, columns: list[Column], doc: str, *, unpublished: tuple[str, ...] = ()) -> Table:
    """Return an output table, its run date in front."""
    run_date = key("run_date", "business date the run planned at the close of", dtype=D)
    return Table(name, TableKind.OUTPUT, tuple(keys.split()), (run_date, *columns), doc, unpublished=unpublished)


SKU = key("sku", "stock-keeping unit")
LOCATION = key("location_id", "location")
DS = key("ds", "day, or first day of the week", dtype=D)
