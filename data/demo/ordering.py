"""How the simulated buyer orders: recent sales times lead time and a factor, whole packs, minimum orders.

The factor differs by SKU, so that some sell out often and others pile up; extended sizes of costumes are
under-ordered, which is the planted size gap.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import LOCATIONS, Catalogue
from data.demo.config import DemoConfig
from data.demo.suppliers import SUPPLIERS, closed_spans, expected_receipt_date, true_lead_times
from data.demo.vocabulary import PRODUCT_TYPES

__all__ = ["LATEST_DAYS", "OrderingRule", "PurchaseBooks", "suppliers_of_series"]

REVIEW_DAYS = 7  # orders go out every Sunday [days]
LATEST_DAYS = 220  # room for receipts after D [days]
_GAP_FACTOR = 0.55  # the buyer under-orders extended sizes of costumes by this factor: the planted size gap
_LONGEST_COVER_DAYS = 180  # the shop buys no minimum order that lasts longer [days]
_LEAST_NEED = 0.5  # below this nothing is ordered [units]


class PurchaseBooks:
    """The purchase orders being written; one per simulation."""

    def __init__(self) -> None:
        self.columns: dict[str, list[NDArray[np.int64]]] = {}
        self.po_ids: list[str] = []
        self.campaigns: list[str | None] = []

    def add(self, po_ids: list[str], campaigns: list[str | None], **columns: NDArray[np.int64]) -> None:
        """Add purchase-order lines, a value a line in every column."""
        self.po_ids += po_ids
        self.campaigns += campaigns
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(np.asarray(values, np.int64))

    def frame(self) -> pl.DataFrame:
        """Return all lines."""
        numbers = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        frame = pl.DataFrame({**numbers, "po_id": self.po_ids})
        return frame.with_columns(pl.Series("campaign_id", self.campaigns, dtype=pl.String))


def suppliers_of_series(shop: Catalogue) -> NDArray[np.int64]:
    """Return each series' supplier as a row of ``SUPPLIERS``, shape (n_series,)."""
    ids = [s.supplier_id for s in SUPPLIERS]
    by_style = np.array([ids.index(s) for s in shop.styles["supplier_id"]], np.int64)
    result: NDArray[np.int64] = by_style[shop.series["style"].to_numpy()]
    return result


class OrderingRule:
    """Order up to recent sales times (L + R), times a factor of the SKU; one rule a simulation."""

    def __init__(self, config: DemoConfig, shop: Catalogue, rng: np.random.Generator) -> None:
        self.config = config
        self.supplier = suppliers_of_series(shop)
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
        last = config.run_date + timedelta(days=LATEST_DAYS)
        self.closed = [closed_spans(s.supplier_id, first=start, last=last) for s in SUPPLIERS]

    def order(
        self,
        day: int,
        mean: NDArray[np.float64],
        position: NDArray[np.int64],
        on_sale: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Return what is ordered today [units], shape (n_series,): whole packs, the MOQ over a SKU's locations.

        Args:
            day: day number.
            mean: recent sales [units/day].
            position: stock on hand and on order [units].
            on_sale: is the series on sale today?
        """
        target = mean * (self.lead + REVIEW_DAYS) * self.factor + 1.2 * np.sqrt(mean * self.lead)
        wanted = on_sale & (self.end_day > day + self.lead + 10)
        need = np.where(wanted, np.maximum(target - position, 0.0), 0.0)
        need[need < _LEAST_NEED] = 0.0
        qty = np.ceil(need / self.pack).astype(np.int64) * self.pack
        total = np.bincount(self.sku, qty, self.n_skus)[self.sku]
        usual = np.bincount(self.sku, mean * _LONGEST_COVER_DAYS, self.n_skus)[self.sku]
        lift = (total > 0) & (total < self.moq)
        qty[lift & (usual + total < self.moq)] = 0  # the minimum is more than half a year's sales: the buyer waits
        web = (self.place == 0) & lift & (qty > 0)
        short = np.where(web, self.moq - total, 0).astype(np.int64)
        return np.asarray(qty - (-short // self.pack) * self.pack, np.int64)

    def arrival(self, day: int, supplier: int, lead: int) -> int:
        """Return the day from whose start an order of ``day`` with this lead time can be sold."""
        ordered = self.config.start_date + timedelta(day)
        return (expected_receipt_date(ordered, lead, self.closed[supplier]) - self.config.start_date).days

    def send(
        self,
        day: int,
        qty: NDArray[np.int64],
        due: NDArray[np.int32],
        books: PurchaseBooks,
        rng: np.random.Generator,
    ) -> None:
        """Send one purchase order a supplier and location, and schedule what will arrive."""
        for number, supplier in enumerate(SUPPLIERS):
            leads = true_lead_times(supplier, len(LOCATIONS), rng)
            nominal = self.arrival(day, number, supplier.lead_time_days)
            for place in range(len(LOCATIONS)):
                rows = np.flatnonzero((qty > 0) & (self.supplier == number) & (self.place == place))
                if len(rows):
                    arrives = min(self.arrival(day, number, int(leads[place])), due.shape[1] - 30)
                    self._send_one(day, number, place, (nominal, arrives), rows, qty[rows], due, books, rng)

    def _send_one(
        self,
        day: int,
        number: int,
        place: int,
        dates: tuple[int, int],
        rows: NDArray[np.int64],
        qty: NDArray[np.int64],
        due: NDArray[np.int32],
        books: PurchaseBooks,
        rng: np.random.Generator,
    ) -> None:
        """Send one order; a short delivery is completed later, or never. ``dates``: expected, and the true day."""
        supplier, (nominal, arrives) = SUPPLIERS[number], dates
        short = rng.random(len(rows)) < supplier.short_share
        first = np.where(short, np.floor(qty * rng.uniform(0.6, 0.95, len(rows))), qty).astype(np.int64)
        later = np.where(short & (rng.random(len(rows)) < 0.5), qty - first, 0)
        second = np.where(later > 0, arrives + rng.integers(5, 15, len(rows)), -1)
        due[rows, arrives] += first.astype(np.int32)
        has = later > 0
        due[rows[has], second[has]] += later[has].astype(np.int32)
        stamp = (self.config.start_date + timedelta(day)).strftime("%y%m%d")
        po_id = f"PO-{stamp}-{supplier.supplier_id[4:]}-{LOCATIONS[place][0]}"
        fill = np.ones(len(rows), np.int64)
        books.add(
            [po_id] * len(rows),
            [None] * len(rows),
            series=rows,
            supplier=number * fill,
            ordered_day=day * fill,
            expected_day=nominal * fill,
            qty=qty,
            received_day=arrives * fill,
            received_qty=first,
            second_day=second,
            second_qty=later,
        )
