"""A dense panel of many series in flat arrays: one cell per series and period, series after series.

A series of n periods takes n neighbouring cells; ``offsets[s]`` is the first cell of series ``s``. So ten million
cells cost one array per column, and no loop over series is needed. Periods are counted backwards from the run
date: -1 is the last closed period, 0 would be the first forecast period.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Floats", "Ints", "Mask", "Panel", "Periods", "day_number"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Return ``day`` as days since 1970-01-01, as polars stores a date.

    >>> day_number(date(1970, 1, 11))
    10
    """
    return (day - _EPOCH).days


@dataclass(frozen=True)
class Periods:
    """Periods of ``days`` days (1 or 7); ``first`` is the day number of the first forecast period, D + 1."""

    first: int
    days: int = 1

    def index(self, day: Ints) -> Ints:
        """Return the period of each day number; -1 is the last closed period.

        >>> Periods(first=14, days=7).index(np.array([13, 7, 6, 0])).tolist()
        [-1, -1, -2, -2]
        """
        return (day.astype(np.int64) - self.first) // self.days

    def label(self, index: Ints) -> Ints:
        """Return the day number of the first day of each period."""
        return index * self.days + self.first


@dataclass(frozen=True)
class Panel:
    """Series ``keys`` (sku, location_id; sorted), each dense from period ``first`` to ``last``, both inclusive."""

    keys: pl.DataFrame
    first: Ints
    last: Ints

    @property
    def lengths(self) -> Ints:
        """Periods of each series, shape (n_series,)."""
        return self.last - self.first + 1

    @property
    def offsets(self) -> Ints:
        """First cell of each series and the number of all cells, shape (n_series + 1,)."""
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(self.lengths)])

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(self.lengths.sum())

    def series(self) -> NDArray[np.int32]:
        """Return the series of each cell, shape (size,)."""
        return np.repeat(np.arange(len(self.first), dtype=np.int32), self.lengths)

    def index(self) -> Ints:
        """Return the period of each cell, shape (size,)."""
        start = np.repeat(self.first - self.offsets[:-1], self.lengths)
        return start + np.arange(self.size, dtype=np.int64)

    def cells(self, series: Ints, index: Ints) -> Ints:
        """Return the cell of each (series, period), -1 where the series is not on sale in that period."""
        known = series >= 0
        s = np.where(known, series, 0)
        if not len(self.first):
            return np.full(len(s), -1, dtype=np.int64)
        inside = known & (index >= self.first[s]) & (index <= self.last[s])
        return np.where(inside, self.offsets[s] + index - self.first[s], -1)

    def scatter(self, cells: Ints, values: Floats) -> Floats:
        """Return the sums of ``values`` by cell, shape (size,); cell -1 is left out. Sums run in the order given."""
        inside = cells >= 0
        return np.bincount(cells[inside], weights=values[inside], minlength=self.size).astype(np.float64)

    def series_of(self, frame: pl.DataFrame) -> Ints:
        """Return the series of each row of ``frame`` (sku, location_id), -1 where there is none."""
        numbered = self.keys.select("sku", "location_id").with_row_index("series")
        joined = frame.select("sku", "location_id").join(
            numbered, on=["sku", "location_id"], how="left", maintain_order="left"
        )
        return joined["series"].cast(pl.Int64).fill_null(-1).to_numpy().astype(np.int64)

    def key_columns(self) -> tuple[pl.Series, pl.Series]:
        """Return ``sku`` and ``location_id`` of every cell, dictionary-encoded: strings are not repeated."""
        return self._repeated("sku"), self._repeated("location_id")

    def _repeated(self, name: str) -> pl.Series:
        values = self.keys[name]
        return values.cast(pl.Enum(values.unique().sort())).gather(self.series())
