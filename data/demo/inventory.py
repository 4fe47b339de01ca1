"""The shop's stock, day by day: periodic orders that arrive, sales cut by stock, returns that come back.

The simulated shop orders every Sunday with a plain rule (recent sales times lead time and a safety factor that
differs by SKU), so that some SKUs sell out often and others pile up. What it does is recorded exactly:
``end = start + received + returned - sold - preorder_shipped`` on every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import LOCATIONS, Catalogue
from data.demo.config import DemoConfig
from data.demo.demand import Demand
from data.demo.streams import stream
from data.demo.suppliers import SUPPLIERS, Supplier, closed_spans, expected_receipt_date, true_lead_times
from data.demo.vocabulary import PRODUCT_TYPES

__all__ = ["Inventory", "inventory"]

_SUNDAY = 6
_REVIEW_DAYS = 7
_SMOOTHING = 1.0 / 21  # of the shop's own moving average [1/day]
_GAP_FACTOR = 0.55  # the shop under-orders extended sizes of costumes by this factor: the planted size gap
_LONGEST_COVER_DAYS = 180  # the shop buys no minimum order that lasts longer [days]
_LATEST_DAYS = 220  # room for receipts after D [days]
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


class _Books:
    """The purchase orders being written; one per simulation."""

    def __init__(self) -> None:
        self.columns: dict[str, list[NDArray[np.int64]]] = {}
        self.po_ids: list[str] = []
        self.campaigns: list[str | None] = []

    def add(self, po_ids: list[str], campaigns: list[str | None], **columns: NDArray[np.int64]) -> None:
        self.po_ids += po_ids
        self.campaigns += campaigns
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(np.asarray(values, np.int64))

    def frame(self) -> pl.DataFrame:
        numbers = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        frame = pl.DataFrame({**numbers, "po_id": self.po_ids})
        return frame.with_columns(pl.Series("campaign_id", self.campaigns, dtype=pl.String))


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
    books = _Books()
    n_series, n_days = wanted.units.shape
    due = np.zeros((n_series, n_days + _LATEST_DAYS), np.int32)
    back = np.zeros((n_series, n_days + _LATEST_DAYS), np.int32)
    shipped = np.zeros((n_series, n_days), np.int32)
    opening = _opening(config, shop, wanted, due, books, rng)
    _book_batches(batches, due, shipped, books, n_days)
    keep = {name: np.zeros((n_series, n_days), np.int32) for name in ("start", "sold", "end")}
    returns: list[tuple[NDArray[np.int64], int, NDArray[np.int64], NDArray[np.bool_]]] = []
    stock = opening.astype(np.int32)
    mean = _first_guess(shop, wanted)
    policy = _Policy(config, shop, rng)
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


def _first_guess(shop: Catalogue, wanted: Demand) -> NDArray[np.float64]:
    """Return what the buyer expects of each series before it has sold [units/day]: right on average, wrong each time."""
    total = wanted.expected.sum(axis=1, dtype=np.float64)
    days = np.maximum(wanted.on_sale.sum(axis=1), 1)
    return np.where(wanted.on_sale.any(axis=1), total / days, 0.0)


def _opening(
    config: DemoConfig,
    shop: Catalogue,
    wanted: Demand,
    due: NDArray[np.int32],
    books: _Books,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return opening stock; launches get a first delivery on their first day, too small for the hyped ones."""
    guess = _first_guess(shop, wanted)
    lead = np.array([s.lead_time_days for s in SUPPLIERS])[_supplier_of(shop)]
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
    supplier = _supplier_of(shop)
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
    books: _Books,
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
    batches: pl.DataFrame, due: NDArray[np.int32], shipped: NDArray[np.int32], books: _Books, n_days: int
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


def _supplier_of(shop: Catalogue) -> NDArray[np.int64]:
    """Return each series' supplier as a row of ``SUPPLIERS``, shape (n_series,)."""
    ids = [s.supplier_id for s in SUPPLIERS]
    by_style = np.array([ids.index(s) for s in shop.styles["supplier_id"]], np.int64)
    result: NDArray[np.int64] = by_style[shop.series["style"].to_numpy()]
    return result


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


class _Policy:
    """The simulated shop's own ordering rule: order up to recent sales times (L + R) times a factor."""

    def __init__(self, config: DemoConfig, shop: Catalogue, rng: np.random.Generator) -> None:
        self.config = config
        self.supplier = _supplier_of(shop)
        self.place = shop.series["location"].to_numpy()
        self.sku = shop.series["sku_index"].to_numpy()
        self.n_skus = len(shop.skus)
        kind = shop.by_series("type_index").astype(int)
        self.pack = np.array([t.pack for t in PRODUCT_TYPES])[kind]
        self.moq = np.array([t.moq for t in PRODUCT_TYPES])[kind]
        self.lead = np.array([s.lead_time_days for s in SUPPLIERS])[self.supplier]
        self.end_day = shop.by_series("end_day")
        extended = (shop.skus["size_group"] == "extended").fill_null(value=False).to_numpy()[self.sku]
        costume = (shop.styles["category"] == "costume").to_numpy()[shop.series["style"].to_numpy()]
        self.factor = rng.lognormal(0.22, 0.3, len(kind)) * np.where(extended & costume, _GAP_FACTOR, 1.0)
        start = config.start_date
        last = config.run_date + timedelta(days=_LATEST_DAYS)
        self.closed = [closed_spans(s.supplier_id, first=start, last=last) for s in SUPPLIERS]

    def order(
        self,
        day: int,
        mean: NDArray[np.float64],
        position: NDArray[np.int64],
        on_sale: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Return the quantities ordered today [units], shape (n_series,): whole packs, MOQ over a SKU's locations."""
        target = mean * (self.lead + _REVIEW_DAYS) * self.factor + 1.2 * np.sqrt(mean * self.lead)
        wanted = on_sale & (self.end_day > day + self.lead + 10)
        need = np.where(wanted, np.maximum(target - position, 0.0), 0.0)
        need[need < 0.5] = 0.0
        qty = np.ceil(need / self.pack).astype(np.int64) * self.pack
        total = np.bincount(self.sku, qty, self.n_skus)[self.sku]
        usual = np.bincount(self.sku, mean * _LONGEST_COVER_DAYS, self.n_skus)[self.sku]
        lift = (total > 0) & (total < self.moq)
        qty[lift & (usual + total < self.moq)] = 0  # the minimum is more than half a year's sales: the buyer waits
        web = (self.place == 0) & lift & (qty > 0)
        short = np.where(web, self.moq - total, 0).astype(np.int64)
        qty += -(-short // self.pack) * self.pack
        return qty

    def arrival(self, day: int, supplier: Supplier, closed: list[tuple[date, date]], lead: int) -> int:
        """Return the day from whose start an order of ``day`` with this lead time can be sold."""
        ordered = self.config.start_date + timedelta(day)
        return (expected_receipt_date(ordered, lead, closed) - self.config.start_date).days

    def send(
        self, day: int, qty: NDArray[np.int64], due: NDArray[np.int32], books: _Books, rng: np.random.Generator
    ) -> None:
        """Send one purchase order a supplier and location, and schedule what will arrive."""
        stamp = (self.config.start_date + timedelta(day)).strftime("%y%m%d")
        for number, supplier in enumerate(SUPPLIERS):
            leads = true_lead_times(supplier, len(LOCATIONS), rng)
            nominal = self.arrival(day, supplier, self.closed[number], supplier.lead_time_days)
            for place, (location, *_) in enumerate(LOCATIONS):
                rows = np.flatnonzero((qty > 0) & (self.supplier == number) & (self.place == place))
                if not len(rows):
                    continue
                arrives = min(self.arrival(day, supplier, self.closed[number], int(leads[place])), due.shape[1] - 30)
                ordered = qty[rows]
                short = rng.random(len(rows)) < supplier.short_share
                first = np.where(short, np.floor(ordered * rng.uniform(0.6, 0.95, len(rows))), ordered).astype(np.int64)
                later = np.where(short & (rng.random(len(rows)) < 0.5), ordered - first, 0)
                second = np.where(later > 0, arrives + rng.integers(5, 15, len(rows)), -1)
                due[rows, arrives] += first.astype(np.int32)
                has = later > 0
                due[rows[has], second[has]] += later[has].astype(np.int32)
                ids = [f"PO-{stamp}-{supplier.supplier_id[4:]}-{location}"] * len(rows)
                fill = np.ones(len(rows), np.int64)
                books.add(
                    ids,
                    [None] * len(rows),
                    series=rows,
                    supplier=number * fill,
                    ordered_day=day * fill,
                    expected_day=nominal * fill,
                    qty=ordered,
                    received_day=arrives * fill,
                    received_qty=first,
                    second_day=second,
                    second_qty=later,
                )
