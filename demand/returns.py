"""Returns: what came back when, and to which sale it belongs.

A return is booked twice: as a physical receipt on the day it comes back, and to the cohort of its sale. The sale is
found by its order line, else by order and SKU, else among the same buyer's latest earlier sales of the SKU, else,
where nobody knows the buyer, near the usual lag at the same location. What is not found stays out of the rates.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum

import polars as pl

from demand.config import ReturnConfig

__all__ = ["Match", "match_returns", "return_events"]


class Match(StrEnum):
    """How a return found its sale."""

    ORDER_LINE = "order_line"
    ORDER = "order"
    BUYER = "buyer"
    LAG = "lag"


_MATCHED = {"event_id": pl.String, "order_line_id": pl.String, "units": pl.Float64, "how": pl.String}
_EVENT_COLUMNS = [
    "event_id",
    "day",
    "sku",
    "location_id",
    "units",
    "order_line_id",
    "order_id",
    "buyer_ref",
    "is_adjustment",
]


def return_events(negative_lines: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    """Return one row per return: ``event_id``, ``day``, ``sku``, ``location_id``, ``units`` (positive) and its links.

    A negative order line that a row of ``returns`` names by its ``order_line_id`` is the same return: the row of
    ``returns`` stays, and takes order and buyer from the line.

    Args:
        negative_lines: ``order_line_id``, ``order_id``, ``day`` (day number), ``sku``, ``location_id``, ``quantity``
            (negative) [units], ``unit_price``, ``buyer_ref``.
        returns: ``return_id``, ``day``, ``sku``, ``location_id``, ``quantity`` (positive) [units], ``order_line_id``.

    A line without price and buyer is marked ``is_adjustment``: a stock correction, no buyer's return.
    """
    own = negative_lines.select(line="order_line_id", order_id="order_id", buyer_ref="buyer_ref")
    listed = returns.join(own, left_on="order_line_id", right_on="line", how="left", maintain_order="left")
    names_negative = pl.col("order_line_id").is_in(own["line"].implode())
    listed = listed.select(
        event_id=pl.concat_str(pl.lit("r:"), "return_id"),
        day="day",
        sku="sku",
        location_id="location_id",
        units=pl.col("quantity").cast(pl.Float64),
        order_line_id=pl.when(names_negative).then(None).otherwise("order_line_id"),
        order_id="order_id",
        buyer_ref="buyer_ref",
        is_adjustment=pl.lit(value=False),
    )
    lines = negative_lines.join(returns.select("order_line_id"), on="order_line_id", how="anti").select(
        event_id=pl.concat_str(pl.lit("l:"), "order_line_id"),
        day="day",
        sku="sku",
        location_id="location_id",
        units=-pl.col("quantity").cast(pl.Float64),
        order_line_id=pl.lit(None, dtype=pl.String),
        order_id="order_id",
        buyer_ref="buyer_ref",
        is_adjustment=(pl.col("unit_price") == 0) & pl.col("buyer_ref").is_null(),
    )
    return pl.concat([listed, lines], how="vertical_relaxed").select(_EVENT_COLUMNS).sort("day", "event_id")


def match_returns(sales: pl.DataFrame, events: pl.DataFrame, *, config: ReturnConfig) -> pl.DataFrame:
    """Return ``event_id``, ``order_line_id``, ``units``, ``how``: which sale each returned unit belongs to.

    No sale gets back more than it sold, and none is matched with a return that came before it. A return may match
    several sales; what it lacks of its units is unmatched.

    Args:
        sales: ``order_line_id``, ``order_id``, ``day``, ``sku``, ``location_id``, ``buyer_ref``, ``units`` [units].
        events: as :func:`return_events` gives them.
        config: lags for returns without buyer.
    """
    events = events.filter(~pl.col("is_adjustment"))
    linked = _by_order_line(sales, events)
    parts = [linked]
    left_events, left_sales = _rest(events, sales, linked)
    for how, keys in (
        (Match.ORDER, ["order_id", "sku"]),
        (Match.BUYER, ["buyer_ref", "sku"]),
        (Match.LAG, ["sku", "location_id"]),
    ):
        claims = left_events.drop_nulls(keys)
        if how is Match.LAG:
            claims = claims.filter(pl.col("buyer_ref").is_null())
        matched = _greedy(claims, left_sales, keys=keys, how=how, config=config)
        parts.append(matched)
        left_events, left_sales = _rest(left_events, left_sales, matched)
    return pl.concat(parts)


def _by_order_line(sales: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Returns that name their order line; the first to come back is served first."""
    joined = (
        events.drop_nulls("order_line_id")
        .join(sales.select("order_line_id", "sku", sold="units"), on=["order_line_id", "sku"], how="inner")
        .sort("order_line_id", "day", "event_id")
    )
    before = pl.col("units").cum_sum().over("order_line_id") - pl.col("units")
    return (
        joined.with_columns(taken=pl.min_horizontal("units", (pl.col("sold") - before).clip(0.0)))
        .filter(pl.col("taken") > 0)
        .select("event_id", "order_line_id", units="taken", how=pl.lit(Match.ORDER_LINE.value))
        .cast(_MATCHED)  # type: ignore[arg-type]
    )


def _rest(events: pl.DataFrame, sales: pl.DataFrame, matched: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return events and sales with the units that are still open, those without any left out."""
    if matched.is_empty():
        return events, sales
    return _less(events, matched, "event_id"), _less(sales, matched, "order_line_id")


def _less(frame: pl.DataFrame, matched: pl.DataFrame, key: str) -> pl.DataFrame:
    taken = matched.group_by(key).agg(taken=pl.col("units").sum())
    return (
        frame.join(taken, on=key, how="left", maintain_order="left")
        .with_columns(units=pl.col("units") - pl.col("taken").fill_null(0.0))
        .drop("taken")
        .filter(pl.col("units") > 0)
    )


def _greedy(
    events: pl.DataFrame, sales: pl.DataFrame, *, keys: list[str], how: Match, config: ReturnConfig
) -> pl.DataFrame:
    """Match each return, oldest first, with the sales that share ``keys``, in the order :func:`_preference` gives."""
    if events.is_empty():
        return pl.DataFrame(schema=_MATCHED)
    near = sales.join(events.select(keys).unique(), on=keys, how="semi").sort("day", "order_line_id")
    shelves: dict[tuple[str, ...], list[list[object]]] = defaultdict(list)
    for *key, day, line, units in near.select(*keys, "day", "order_line_id", "units").iter_rows():
        shelves[tuple(key)].append([day, line, units])
    rows: list[tuple[str, str, float, str]] = []
    for *key, day, event_id, units in (
        events.sort("day", "event_id").select(*keys, "day", "event_id", "units").iter_rows()
    ):
        open_units = float(units)
        for sale in _preference(shelves.get(tuple(key), []), day, how, config):
            taken = min(open_units, float(sale[2]))  # type: ignore[arg-type]
            if taken > 0:
                rows.append((event_id, str(sale[1]), taken, how.value))
                sale[2] = float(sale[2]) - taken  # type: ignore[arg-type]
                open_units -= taken
            if open_units <= 0:
                break
    return pl.DataFrame(rows, schema=_MATCHED, orient="row")


def _preference(shelf: list[list[object]], day: int, how: Match, config: ReturnConfig) -> list[list[object]]:
    """Return the sales a return of ``day`` may belong to, likeliest first: the latest, or nearest the usual lag."""
    stop = _first_after(shelf, day)
    if how is not Match.LAG:
        return shelf[:stop][::-1]
    start = _first_after(shelf, day - config.longest_lag_days - 1)
    aim = day - config.usual_lag_days
    return sorted(shelf[start:stop], key=lambda sale: (abs(int(sale[0]) - aim), str(sale[1])))  # type: ignore[call-overload]


def _first_after(shelf: list[list[object]], day: int) -> int:
    """Return the position of the first sale after ``day`` in a shelf sorted by day."""
    low, high = 0, len(shelf)
    while low < high:
        middle = (low + high) // 2
        if int(shelf[middle][0]) <= day:  # type: ignore[call-overload]
            low = middle + 1
        else:
            high = middle
    return low
