"""Weekly shops made from real sales, and the forecast room's own forecasts of them as of any week.

Weeks start on Monday. A week in which the whole shop sold nothing is a gap of the source and left out. Demand is what
was sold: the files say nothing of stock-outs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.features import Tables, price_matrix
from forecasting.forecast import Forecast, make_forecast
from forecasting.panel import build_panel
from forecasting.protection import Spans

__all__ = [
    "LEAD",
    "REVIEW",
    "AsOfForecast",
    "WeeklySales",
    "forecast_as_of",
    "m5_by_weeks",
    "made_as_of",
    "online_retail_by_weeks",
]

Floats = npt.NDArray[np.float64]

LEAD, REVIEW = 2, 1  # [weeks]
HORIZON = 4  # [weeks] a little beyond L + R
_SELLING_WEEKS = 8  # of the last 26: rarer items are not restocked by a weekly plan
_EMPTY_PRICES = {"sku": pl.String, "location_id": pl.String, "channel": pl.String, "from_date": pl.Date}


@dataclass(frozen=True)
class WeeklySales:
    """Units by series and week, nan before a series' first week on sale and after its last."""

    name: str
    keys: pl.DataFrame  # sku, location_id and attributes, sorted
    units: Floats  # shape (n_series, n_weeks) [units/week]
    first_week: date
    prices: pl.DataFrame  # sku, location_id, channel, from_date, price; may be empty
    events: pl.DataFrame  # name, starts_date, ends_date, kind, region, ip; may be empty

    @property
    def n_weeks(self) -> int:
        """Weeks of history."""
        return int(self.units.shape[1])

    def rows(self, index: npt.NDArray[np.int64]) -> WeeklySales:
        """Return the series at ``index``."""
        return WeeklySales(
            self.name, self.keys[index.tolist()], self.units[index], self.first_week, self.prices, self.events
        )


@dataclass(frozen=True)
class AsOfForecast:
    """A forecast made at the close of a week, of the series that were on sale then."""

    rows: npt.NDArray[np.int64]  # positions in the shop
    mean: Floats  # shape (n, HORIZON) [units/week]
    quantiles: Floats  # shape (n, HORIZON, n_levels) [units/week]
    total_quantiles: Floats  # shape (n, n_levels) of the total over L + R [units]
    total_mean: Floats  # [units]
    correlation: Floats
    scale: Floats


def m5_by_weeks(folder: Path, *, every: int) -> WeeklySales:
    """Return every ``every``-th item-store of M5 by weeks, 2015-03-09 to 2016-04-24, with prices and events."""
    keys = ["sku", "location_id"]
    sales = pl.read_parquet(folder / "m5" / "daily_sales.parquet")
    chosen = sales.select(keys).unique().sort(keys).gather_every(every)
    sales = sales.join(chosen, on=keys, how="semi").with_columns(ds=pl.col("date").dt.truncate("1w"))
    sales = sales.filter(pl.col("ds") >= date(2015, 3, 9)).group_by(*keys, "ds").agg(pl.col("units").sum())
    table, weeks = _by_week(sales)
    products = pl.read_csv(folder / "m5" / "products.csv").rename({"department": "product_type"})
    attributes = table.select(keys).join(products, on="sku", how="left", maintain_order="left")
    prices = pl.read_parquet(folder / "m5" / "weekly_prices.parquet").join(chosen, on=keys, how="semi")
    prices = prices.select(*keys, channel=pl.lit("shop"), from_date=pl.col("week_start").cast(pl.Date), price="price")
    calendar = pl.read_csv(folder / "m5" / "calendar.csv", try_parse_dates=True)
    days = pl.col("date").cast(pl.Date)
    named = [
        calendar.drop_nulls(f"event_name_{k}").select(
            name=f"event_name_{k}",
            starts_date=days,
            ends_date=days,
            kind=f"event_type_{k}",
            region=pl.lit("*"),
            ip=pl.lit(None, dtype=pl.String),
        )
        for k in (1, 2)
    ]
    return WeeklySales("m5", attributes, table.select(weeks).to_numpy(), _day(weeks[0]), prices, pl.concat(named))


def online_retail_by_weeks(folder: Path, *, every: int = 1) -> WeeklySales:
    """Return the gift shop's products by weeks, 2010-11-29 to 2011-12-09; weeks without a sale are true zeros."""
    lines = pl.scan_csv(folder / "online_retail" / "*.csv.gz", infer_schema_length=0)
    sold = lines.select(
        sku=pl.col("StockCode").str.strip_chars(),
        location_id=pl.lit("main"),
        ds=pl.col("InvoiceDate").str.slice(0, 10).str.to_date().dt.truncate("1w"),
        units=pl.col("Quantity").cast(pl.Int64),
    ).filter((pl.col("units") > 0) & pl.col("sku").str.contains(r"^\d{5}"))
    table, weeks = _by_week(sold.group_by("sku", "location_id", "ds").agg(pl.col("units").sum()).collect())
    units = table.select(weeks).to_numpy().astype(np.float64)
    started = np.cumsum(~np.isnan(units), axis=1) > 0
    units = np.where(started, np.nan_to_num(units), np.nan)
    nothing = pl.DataFrame(schema=_EMPTY_PRICES | {"price": pl.Float64})
    shop = WeeklySales(
        "online_retail", table.select("sku", "location_id"), units, _day(weeks[0]), nothing, _no_events()
    )
    return shop.rows(np.arange(0, len(units), every))


def _by_week(sales: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    table = sales.sort("ds").pivot(on="ds", index=["sku", "location_id"], values="units").sort("sku", "location_id")
    return table, [name for name in table.columns if name not in ("sku", "location_id")]


def _day(name: str) -> date:
    return date.fromisoformat(name[:10])


def _no_events() -> pl.DataFrame:
    names = ("name", "kind", "region", "ip")
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String) | {"starts_date": pl.Date, "ends_date": pl.Date})


def sold_regularly(shop: WeeklySales, week: int) -> npt.NDArray[np.int64]:
    """Return the series that were on sale for 13 weeks before ``week`` and sold in 8 of the last 26."""
    past = shop.units[:, :week]
    on_sale = ~np.isnan(past[:, -13:]).any(axis=1)
    return np.flatnonzero(on_sale & ((past[:, -26:] > 0).sum(axis=1) >= _SELLING_WEEKS))


def forecast_as_of(shop: WeeklySales, week: int, *, config: ForecastConfig, seed: int = 1) -> AsOfForecast:
    """Return the room's forecast from what was known at the close of week ``week - 1``."""
    inputs, made = made_as_of(shop, week, config=config, seed=seed)
    return AsOfForecast(
        inputs.targets,
        made.mean,
        made.quantiles,
        made.totals.quantiles,
        made.totals.mean,
        made.correlation,
        made.scale,
    )


def made_as_of(shop: WeeklySales, week: int, *, config: ForecastConfig, seed: int = 1) -> tuple[Inputs, Forecast]:
    """Return what :func:`forecast_as_of` is taken from: inputs, of which ``targets`` are forecast, and the forecast."""
    past = shop.units[:, :week]
    rows = np.flatnonzero(~np.isnan(past[:, -1]))
    row, column = np.nonzero(~np.isnan(past))
    labels = np.array([shop.first_week + timedelta(weeks=i) for i in range(week)])
    n = len(row)
    history = (
        shop.keys[row.tolist()]
        .select("sku", "location_id")
        .with_columns(
            ds=pl.Series(labels[column].tolist(), dtype=pl.Date),
            units=pl.Series(past[row, column]),
            in_stock_share=pl.Series(np.ones(n)),
            **{
                name: pl.Series(np.zeros(n, dtype=bool))
                for name in ("is_censored", "is_closed", "is_gap", "is_partial")
            },
        )
    )
    last = labels[-1]
    panel = build_panel(history, shop.keys, last_period=last, period_days=7, max_periods=config.max_history_weeks)
    known = shop.prices.filter(pl.col("from_date") <= last + timedelta(days=6))
    tables = Tables(prices=known, planned_prices=shop.prices.clear(), events=shop.events, paid=_no_paid())
    inputs = Inputs(panel, rows, tables, price_matrix(panel, tables, horizon=HORIZON + 30))
    days = np.full(len(rows), 7.0)
    made = make_forecast(
        inputs,
        Spans(LEAD * days, 0 * days, REVIEW * days, period_days=7),
        horizon=HORIZON,
        config=config,
        seed=seed,
        step=1.0,
        firm_preorders=pl.DataFrame(schema={"sku": pl.String, "firm_qty": pl.Int64}),
        overrides=_no_overrides(),
    )
    return inputs, made


def _no_paid() -> pl.DataFrame:
    return pl.DataFrame(schema={"sku": pl.String, "location_id": pl.String, "ds": pl.Date, "unit_price": pl.Float64})


def _no_overrides() -> pl.DataFrame:
    texts = dict.fromkeys(("override_id", "kind", "sku", "location_id", "operation", "reason", "role"), pl.String)
    dates = dict.fromkeys(("from_date", "to_date", "expires_date"), pl.Date)
    return pl.DataFrame(schema=texts | dates | {"value": pl.Float64})
