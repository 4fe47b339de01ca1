"""The shop's stock, day by day: periodic orders that arrive, sales cut by stock, returns that come back.

The simulated shop orders every Sunday with a plain rule (recent sales times lead time and a safety factor that
differs by SKU), so that some SKUs sell out often and others pile up. What it does is recorded exactly:
``end = start + received + returned - sold - preorder_shipped`` on every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import LOCATIONS, Catalogue
from data.demo.config import DemoConfig
from data.demo.demand import Demand
from data.demo.ordering import LATEST_DAYS, OrderingRule, PurchaseBooks, suppliers_of_series
from data.demo.streams import stream
from data.demo.suppliers import SUPPLIERS

__all__ = ["Inventory", "inventory"]

_SUNDAY = 6
_SMOOTHING = 1.0 / 21  # of the shop's own moving average [1/day]
_RESALE_SHARE = 0.9  # of what comes back can be sold again (0-1)


@dataclass(frozen=True)
class Inventory:
    """What happened to stock.

    Attributes:
        start, received, returned, sold, shipped, end: [units], shape (n_series, n_days), int32.
        orders: purchase-order lines: ``series``, ``supplier``, ``po_id``, ``ordered_day``, ``expected_day``,
            ``qty``, ``received_day``, ``received_qty``, ``second_day``, ``second_qty``, ``campaign_id``.
        returns: one row a returned unit: ``series``, ``sale_day``, ``return_day``, ``is_resold``.
    """

    start: NDArray[np.int32]
    received: NDArray[np.int32]
    returned: NDArray[np.int32]
    sold: NDArray[np.int32]
    shipped: NDArray[np.int32]
    end: NDArray[np.int32]
    orders: pl.DataFrame
    returns: pl.DataFrame


def inventory(
    config: DemoConfig,
    shop: Catalogue,
    wanted: Demand,
    return_rate: NDArray[np.float64],
    return_lift: NDArray[np.float64],
    batches: pl.DataFrame,
) -> Inventory:
    """Simulate the stock of every series.

    Args:
        config: size and seed.
        shop: the range.
        wanted: true demand.
        return_rate: share of sold units that comes back, shape (n_series,) (0-1).
        return_lift: what the day of the sale does to that share [ratio], shape (n_days,).
        batches: preorder batches: ``series``, ``campaign_id``, ``supplier``, ``commit_day``, ``expected_day``,
            ``receive_day``, ``batch_qty``, ``ship_qty``; received and shipped on one day, the rest goes to stock.
    """
    rng = stream(config.seed, "inventory")
    books = PurchaseBooks()
    n_series, n_days = wanted.units.shape
    due = np.zeros((n_series, n_days + LATEST_DAYS), np.int32)
    back = np.zeros((n_series, n_days + LATEST_DAYS), np.int32)
    shipped = np.zeros((n_series, n_days), np.int32)
    opening = _opening(shop, wanted, due, books, rng)
    _book_batches(batches, due, shipped, books, n_days)
    keep = {name: np.zeros((n_series, n_days), np.int32) for name in ("start", "sold", "end")}
    returns: list[tuple[NDArray[np.int64], int, NDArray[np.int64], NDArray[np.bool_]]] = []
    stock = opening.astype(np.int32)
    mean = _first_guess(wanted)
    policy = OrderingRule(config, shop, rng)
    for day in range(n_days):
        keep["start"][:, day] = stock
        free = stock + due[:, day] + back[:, day] - shipped[:, day]
        sold = np.minimum(free, wanted.units[:, day])
        stock = free - sold
        keep["sold"][:, day], keep["end"][:, day] = sold, stock
        returns.append(_come_back(sold, day, np.minimum(return_rate * return_lift[day], 0.95), back, rng))
        seen = wanted.on_sale[:, day] & ((stock > 0) | (sold > 0))
        mean = np.where(seen, mean + _SMOOTHING * (sold - mean), mean)
        if (config.start_date + timedelta(day)).weekday() == _SUNDAY and day < n_days - 1:
            position = stock + due[:, day + 1 :].sum(axis=1, dtype=np.int64)
            qty = policy.order(day, mean, position, wanted.on_sale[:, day])
            policy.send(day, qty, due, books, rng)
    received, returned = due[:, :n_days], back[:, :n_days]
    return Inventory(
        keep["start"], received, returned, keep["sold"], shipped, keep["end"], books.frame(), _returns_frame(returns)
    )


def _first_guess(wanted: Demand) -> NDArray[np.float64]:
    """Return the mean demand of each series while it is on sale [units/day], shape (n_series,)."""
    total = wanted.expected.sum(axis=1, dtype=np.float64)
    days = np.maximum(wanted.on_sale.sum(axis=1), 1)
    return np.where(wanted.on_sale.any(axis=1), total / days, 0.0)


def _opening(
    shop: Catalogue,
    wanted: Demand,
    due: NDArray[np.int32],
    books: PurchaseBooks,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return opening stock; launches get a first delivery on their first day, too small for the hyped ones."""
    guess = _first_guess(wanted)
    lead = np.array([s.lead_time_days for s in SUPPLIERS])[suppliers_of_series(shop)]
    error = rng.lognormal(-0.1, 0.55, len(guess))
    first = np.ceil(guess * (lead + 28) * error).astype(np.int64)
    launch = shop.by_series("launch_day").astype(int)
    n_days = wanted.units.shape[1]
    started = (launch >= 0) & (launch < n_days)
    hype = np.array(
        [
            wanted.expected[i, d : d + 3].sum() if s else 0.0
            for i, (d, s) in enumerate(zip(launch, started, strict=True))
        ]
    )
    drop = shop.by_series("is_drop").astype(bool)
    first = np.where(drop, np.ceil(hype * rng.uniform(0.15, 0.35, len(hype))), first).astype(np.int64)
    has_batch = shop.styles["campaign"].to_numpy()[shop.series["style"].to_numpy()] != ""
    coming = (launch >= n_days) & (launch < n_days + 30) & ~has_batch
    rows = np.flatnonzero(started & (first > 0) & ~has_batch)
    due[rows, launch[rows]] += first[rows].astype(np.int32)
    supplier = suppliers_of_series(shop)
    place = shop.series["location"].to_numpy()
    for picked, day in ((rows, launch[rows]), (np.flatnonzero(coming), launch[coming])):
        ordered = np.maximum(day - lead[picked] - 3, -60)
        qty = first[picked] if picked is rows else np.full(len(picked), 40, np.int64)
        if picked is not rows:  # launches after D: ordered, not yet received
            ordered = np.minimum(ordered, n_days - 8)
            due[picked, day] += qty.astype(np.int32)
        ids = [f"PO-L{s:05d}-{LOCATIONS[p][0]}" for s, p in zip(picked, place[picked], strict=True)]
        books.add(
            ids,
            [None] * len(ids),
            series=picked,
            supplier=supplier[picked],
            ordered_day=ordered,
            expected_day=day,
            qty=qty,
            received_day=day,
            received_qty=qty,
            second_day=np.full(len(day), -1),
            second_qty=np.zeros(len(day), np.int64),
        )
    _rush(wanted.viral, supplier, place, due, books)
    return np.where(launch < 0, first, 0)


def _rush(
    viral: pl.DataFrame,
    supplier: NDArray[np.int64],
    place: NDArray[np.int64],
    due: NDArray[np.int32],
    books: PurchaseBooks,
) -> None:
    """Deliver stock for the viral spikes in time: the spike is to be seen in sales."""
    for series, day, units in viral.select("series", "day", "units").rows():
        qty = np.array([3 * units])
        due[series, day] += int(qty[0])
        one = np.array([day])
        books.add(
            [f"PO-R{series:05d}-{LOCATIONS[place[series]][0]}"],
            [None],
            series=np.array([series]),
            supplier=supplier[[series]],
            ordered_day=one - 2,
            expected_day=one,
            qty=qty,
            received_day=one,
            received_qty=qty,
            second_day=np.array([-1]),
            second_qty=np.array([0]),
        )


def _book_batches(
    batches: pl.DataFrame, due: NDArray[np.int32], shipped: NDArray[np.int32], books: PurchaseBooks, n_days: int
) -> None:
    """Book preorder batches: received and shipped on one day."""
    for row in batches.iter_rows(named=True):
        day = row["receive_day"]
        due[row["series"], day] += row["batch_qty"]
        if day < n_days:
            shipped[row["series"], day] += row["ship_qty"]
        numbers = {
            "series": row["series"],
            "supplier": row["supplier"],
            "ordered_day": row["commit_day"],
            "expected_day": row["expected_day"],
            "qty": row["batch_qty"],
            "received_day": day,
            "received_qty": row["batch_qty"],
            "second_day": -1,
            "second_qty": 0,
        }
        books.add(
            [f"PO-B{row['campaign_id'][4:]}"], [row["campaign_id"]], **{k: np.array([v]) for k, v in numbers.items()}
        )


def _come_back(
    sold: NDArray[np.int32], day: int, rate: NDArray[np.float64], back: NDArray[np.int32], rng: np.random.Generator
) -> tuple[NDArray[np.int64], int, NDArray[np.int64], NDArray[np.bool_]]:
    """Draw which units of today's sales come back, and when: 3 days at least, 10 on average."""
    units = rng.binomial(sold, rate)
    series = np.repeat(np.arange(len(sold)), units)
    when = day + 3 + np.minimum(rng.gamma(2.0, 3.5, len(series)).astype(np.int64), 30)
    resold = rng.random(len(series)) < _RESALE_SHARE
    np.add.at(back, (series[resold], when[resold]), 1)
    return series, day, when, resold


def _returns_frame(
    parts: list[tuple[NDArray[np.int64], int, NDArray[np.int64], NDArray[np.bool_]]],
) -> pl.DataFrame:
    """Return the returned units as one frame."""
    return pl.DataFrame(
        {
            "series": np.concatenate([p[0] for p in parts]),
            "sale_day": np.concatenate([np.full(len(p[0]), p[1]) for p in parts]),
            "return_day": np.concatenate([p[2] for p in parts]),
            "is_resold": np.concatenate([p[3] for p in parts]),
        }
    )
