"""What a model may know about a period before it happens: calendar, events, prices, weather, the item's attributes.

Everything is laid out per period from the panel's first column to the end of the horizon. As of an origin, prices
after it are held at their last known value (planned prices are used by tonight's run, whose origin is D);
the calendar and events are known in advance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from forecasting.events import FAR_DAYS, event_features
from forecasting.heat_lift import Signals
from forecasting.month_days import month_days
from forecasting.panel import Panel
from forecasting.weather import weather_features

__all__ = ["Known", "Tables", "closed_ahead", "known_features", "price_matrix"]

_STATIC = ("sku", "location_id", "category", "ip", "product_type", "size", "style_id", "region")
_LARGEST_CODE = 32_000  # 16-bit codes: mlforecast's matrix would turn to 64-bit floats with larger integers
_DISTANCES = ("_ahead", "_behind")  # ends of the names of days to and since an event
_AGE_CAP_DAYS = 120  # [days] a launch is over by then
_CLOSED_WEEKS = 8  # [weeks] contracts.md: a weekday without any row in each of the last 8 weeks is closed


@dataclass(frozen=True)
class Tables:
    """The other inputs of the forecast, as polars frames; any may be empty.

    Attributes:
        prices: sku, location_id, channel, from_date, price.
        planned_prices: sku, location_id, from_date, price.
        events: name, starts_date, ends_date, kind, region, ip.
        paid: sku, location_id, ds, unit_price: used where there is no price table.
        weather: date, region, temperature_mean, precipitation; rows after the run date are forecasts.
        signals: attention of elements, for :func:`forecasting.heat_lift.heat_lift`.
    """

    prices: pl.DataFrame
    planned_prices: pl.DataFrame
    events: pl.DataFrame
    paid: pl.DataFrame
    weather: pl.DataFrame = field(default_factory=pl.DataFrame)
    signals: Signals = field(default_factory=Signals.none)


@dataclass(frozen=True)
class Known:
    """Features by name, each over ``width`` periods from the panel's first column.

    Attributes:
        static: (n,) integer codes of attributes; the largest where unknown.
        values: the values that the codes count, by attribute.
        calendar: (width,) the same for every series.
        series: (n, width) or, through ``group``, (groups, width).
        group: feature name -> (n,) row of its array for each series.
    """

    static: dict[str, NDArray[np.int16]]
    values: dict[str, list[str]]
    calendar: dict[str, NDArray[np.generic]]
    series: dict[str, NDArray[np.generic]]
    group: dict[str, NDArray[np.int64]]
    width: int

    @property
    def names(self) -> list[str]:
        """Names of all features that change with the period, in a fixed order."""
        return [*self.calendar, *self.series]

    def rows(self, index: NDArray[np.int64]) -> Known:
        """Return the features of the series at the positions ``index``; themselves where these are all, in order."""
        sizes = [len(codes) for codes in self.static.values()] + [len(rows) for rows in self.group.values()]
        sizes += [values.shape[0] for name, values in self.series.items() if name not in self.group]
        n = sizes[0] if sizes else -1
        if len(index) == n and bool((index == np.arange(n)).all()):
            return self
        return Known(
            static={name: codes[index] for name, codes in self.static.items()},
            values=self.values,
            calendar=self.calendar,
            series={name: v if name in self.group else v[index] for name, v in self.series.items()},
            group={name: rows[index] for name, rows in self.group.items()},
            width=self.width,
        )

    def like(self, names: Sequence[str]) -> Known:
        """Return just the features ``names`` in this order; those not known are 0, or far off, for every series."""
        nothing = {
            name: np.full((1, self.width), FAR_DAYS if name.endswith(_DISTANCES) else 0, dtype=np.float32)
            for name in names
        }
        n = len(next(iter(self.static.values()), next(iter(self.group.values()), np.empty(0))))
        new = {name: np.zeros(n, dtype=np.int64) for name in names if name not in self.calendar | self.series}
        return replace(
            self,
            calendar={name: self.calendar[name] for name in names if name in self.calendar},
            series={name: self.series.get(name, nothing[name]) for name in names if name not in self.calendar},
            group={name: rows for name, rows in (self.group | new).items() if name in names},
        )

    def cells(self, name: str, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return the feature's values at (series, period) positions."""
        if name in self.calendar:
            return self.calendar[name][columns]
        return self.series[name][self.group[name][rows] if name in self.group else rows, columns]


def known_features(
    panel: Panel,
    tables: Tables,
    prices: NDArray[np.float32],
    *,
    origin: int,
    horizon: int,
    values: Mapping[str, Sequence[str]] | None = None,
) -> Known:
    """Return what was known after the first ``origin`` periods about the periods up to ``origin + horizon``.

    Args:
        panel: at least ``origin`` periods long; nothing after them is read.
        tables: the other inputs.
        prices: (n, >= origin) prices as :func:`price_matrix` gives them; columns from tonight's origin on may hold
            planned prices, which are used where the matrix is wider than the panel.
        origin: periods known.
        horizon: periods to forecast.
        values: what the codes of the attributes count, for a model that was fitted before; None: what stands here.
    """
    width = origin + horizon
    labels = panel.labels(width)
    held = _held(prices, origin=origin, width=width, planned=origin == panel.n_periods)
    series: dict[str, NDArray[np.generic]] = dict(_price_features(held, season_year=365 // panel.period_days))
    group: dict[str, NDArray[np.int64]] = {}
    series["age"] = _age(panel, origin, width)
    for names, rows in (
        _event_features(panel, tables.events, labels),
        _weather_features(panel, tables.weather, labels, origin),
    ):
        for name, feature in names.items():
            series[name] = feature
            group[name] = rows
    if panel.period_days == 1:
        series["month_day_ratio"], group["month_day_ratio"] = month_days(panel, labels, origin=origin)
    counted = _static_values(panel.keys) if values is None else {name: list(known) for name, known in values.items()}
    codes = _static_codes(panel.keys, counted)
    return Known(codes, counted, _calendar_features(labels, panel.period_days), series, group, width)


def _static_values(keys: pl.DataFrame) -> dict[str, list[str]]:
    found = {name: sorted(keys[name].drop_nulls().unique().to_list()) for name in _STATIC if name in keys.columns}
    return {name: values for name, values in found.items() if 1 < len(values) <= _LARGEST_CODE}


def _static_codes(keys: pl.DataFrame, values: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.int16]]:
    codes: dict[str, NDArray[np.int16]] = {}
    for name, known in values.items():
        code: dict[str | None, int] = {value: number for number, value in enumerate(known)}
        own = keys[name].to_list() if name in keys.columns else [""] * keys.height
        codes[name] = np.array([code.get(v, len(known)) for v in own], dtype=np.int16)
    return codes


def _calendar_features(labels: list[date], period_days: int) -> dict[str, NDArray[np.generic]]:
    month = np.array([d.month for d in labels], dtype=np.int16)
    if period_days > 1:
        return {"month": month, "week": np.array([d.isocalendar().week for d in labels], dtype=np.int16)}
    return {
        "weekday": np.array([d.weekday() for d in labels], dtype=np.int16),
        "day": np.array([d.day for d in labels], dtype=np.int16),
        "month": month,
    }


def _age(panel: Panel, origin: int, width: int) -> NDArray[np.int16]:
    first = np.minimum(panel.until(origin).first, origin)
    cap = _AGE_CAP_DAYS // panel.period_days
    return np.clip(np.arange(width)[None, :] - first[:, None], 0, cap).astype(np.int16)


def price_matrix(panel: Panel, tables: Tables, *, horizon: int) -> NDArray[np.float32]:
    """Return (n, n_periods + horizon) prices in force [currency/unit]; NaN where none is known.

    The regular price where the shop delivers prices, else what was paid; from D + 1 on the planned prices, each until
    the next one.
    """
    last = panel.start + timedelta(days=(panel.n_periods - 1) * panel.period_days)
    out = np.full((panel.n_series, panel.n_periods + horizon), np.nan, dtype=np.float32)
    if tables.prices.height:
        past = _one_channel(tables.prices).filter(pl.col("from_date") <= last + timedelta(days=panel.period_days - 1))
    else:
        past = tables.paid.filter(pl.col("unit_price") > 0).rename({"ds": "from_date", "unit_price": "price"})
    after = last + timedelta(days=panel.period_days)
    planned = tables.planned_prices.filter(pl.col("from_date") >= after)
    for rows in (past, planned):
        _place_prices(out, panel, rows.select("sku", "location_id", "from_date", "price"))
    return _filled_forward(out)


def _one_channel(prices: pl.DataFrame) -> pl.DataFrame:
    """Keep the channel with the most rows: a mix of channels would look like price changes."""
    channels = prices.group_by("channel").len().sort(["len", "channel"], descending=[True, False])
    return prices.filter(pl.col("channel") == channels["channel"][0])


def _place_prices(out: NDArray[np.float32], panel: Panel, rows: pl.DataFrame) -> None:
    """Write each price into the period it starts in; rows for no location of ours hold for all of them."""
    if not rows.height:
        return
    index = panel.keys.select("sku", "location_id").with_row_index("series")
    ours = rows.join(index, on=["sku", "location_id"], how="inner")
    others = rows.join(index.select("location_id").unique(), on="location_id", how="anti")
    shared = others.drop("location_id").join(index.select("sku", "series"), on="sku", how="inner")
    columns = ["series", "from_date", "price"]
    for frame in (shared.select(columns), ours.select(columns)):
        placed = frame.filter(pl.col("price").is_finite()).sort("series", "from_date", "price")
        period = ((placed["from_date"] - panel.start).dt.total_days() // panel.period_days).to_numpy()
        kept = period < out.shape[1]
        out[placed["series"].to_numpy()[kept], np.maximum(period[kept], 0)] = placed["price"].to_numpy()[kept]


def _filled_forward(values: NDArray[np.float32]) -> NDArray[np.float32]:
    known_at = np.where(np.isnan(values), 0, np.arange(values.shape[1], dtype=np.int32)[None, :])
    np.maximum.accumulate(known_at, axis=1, out=known_at)
    return np.take_along_axis(values, known_at, axis=1)


def _held(prices: NDArray[np.float32], *, origin: int, width: int, planned: bool) -> NDArray[np.float32]:
    """Return prices over ``width`` periods: planned ones where they belong to this origin, else the last one held."""
    out = np.full((prices.shape[0], width), np.nan, dtype=np.float32)
    known = min(width, prices.shape[1]) if planned else origin
    out[:, :known] = prices[:, :known]
    out[:, known:] = prices[:, known - 1 : known]
    return out


def _price_features(prices: NDArray[np.float32], *, season_year: int) -> dict[str, NDArray[np.float32]]:
    """Price, its ratio to its running mean and to its level four to five weeks ago."""
    if np.isnan(prices).all():
        return {}
    known = ~np.isnan(prices)
    total = np.cumsum(np.where(known, prices, 0), axis=1, dtype=np.float64)
    count = np.maximum(np.cumsum(known, axis=1), 1)
    back = 28 if season_year > 100 else 4
    before = np.concatenate([np.repeat(prices[:, :1], back, axis=1), prices[:, :-back]], axis=1)[:, : prices.shape[1]]
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(total > 0, prices * count / total, np.nan)
        change = np.where(before > 0, prices / before, np.nan)
    return {
        "price": prices,
        "price_to_mean": relative.astype(np.float32),
        "price_change": change.astype(np.float32),
    }


def _groups(panel: Panel, columns: Iterable[str]) -> tuple[list[tuple[str, ...]], NDArray[np.int64]]:
    """Return the distinct values of ``columns`` over the series, sorted, and each series' position among them."""
    rows = [
        tuple("*" if v is None else str(v) for v in row)
        for row in panel.keys.select(
            [pl.col(c) if c in panel.keys.columns else pl.lit(None, pl.String).alias(c) for c in columns]
        ).iter_rows()
    ]
    distinct = sorted(set(rows))
    position = {row: number for number, row in enumerate(distinct)}
    return distinct, np.array([position[row] for row in rows], dtype=np.int64)


def _event_features(
    panel: Panel, events: pl.DataFrame, labels: list[date]
) -> tuple[dict[str, NDArray[np.int16]], NDArray[np.int64]]:
    """Return the features of events, by region, location and IP."""
    distinct, rows = _groups(panel, ("region", "location_id", "ip"))
    return event_features(events, distinct, labels, period_days=panel.period_days), rows


def _weather_features(
    panel: Panel, weather: pl.DataFrame, labels: list[date], origin: int
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64]]:
    """Return the weather of each item's region; after an origin before tonight's nobody knew it."""
    distinct, rows = _groups(panel, ("region",))
    known = len(labels) if origin == panel.n_periods else origin
    regions = [region for (region,) in distinct]
    return weather_features(weather, regions, labels, period_days=panel.period_days, known=known), rows


def closed_ahead(panel: Panel, *, origin: int, horizon: int, closed_days: tuple[date | str, ...]) -> NDArray[np.bool_]:
    """Return (n, horizon) periods on which the shop does not trade.

    A weekday on which every row of a location was closed in each of the last eight weeks stays closed; days that the
    settings list are closed. Weekly periods are never closed.
    """
    out = np.zeros((panel.n_series, horizon), dtype=np.bool_)
    if panel.period_days > 1:
        return out
    labels = panel.labels(horizon, offset=origin)
    names = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
    listed = np.array([d in closed_days or names[d.weekday()] in closed_days for d in labels])
    out |= listed[None, :]
    recent = range(max(origin - 7 * _CLOSED_WEEKS, 0), origin)
    locations, rows = _groups(panel, ("location_id",))
    for number in range(len(locations)):
        members = rows == number
        for weekday in range(7):
            columns = [c for c in recent if (c - origin) % 7 == weekday]
            if len(columns) < _CLOSED_WEEKS or not panel.closed[np.ix_(members, columns)].any(axis=0).all():
                continue
            known = ~np.isnan(panel.demand[np.ix_(members, columns)])
            if (panel.closed[np.ix_(members, columns)] | ~known).all():
                ahead = [h for h in range(horizon) if h % 7 == weekday]
                out[np.ix_(members, ahead)] = True
    return out
