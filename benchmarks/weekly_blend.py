"""Weekly shops with short histories and many zeros: what is published beside the automatic models, one by one.

    python -m benchmarks.weekly_blend [online_retail] [m5] [--weeks 17 26 39] [--series 400] [--data ../shared/data]

Figure: (sum of absolute errors + absolute sum of errors) / sum of actuals over the horizon of 13 weeks, for what the
forecast step publishes, and for AutoETS, AutoTheta, AutoARIMA and CES of statsforecast, each on every series. Histories
of M5 are cut to 13 to 47 weeks, by a draw. Online retail: one shop a length of history. The last line is over all.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl

from benchmarks.accuracy_m5 import no_firm_preorders, no_overrides
from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.features import Tables, price_matrix
from forecasting.forecast import Forecast, make_forecast
from forecasting.panel import build_panel
from forecasting.protection import Spans

AHEAD = 13
NOT_PRODUCTS = r"^(POST|DOT|M|D|S|C2|PADS|CRUK|BANK CHARGES|AMAZONFEE|B|gift_.*)$"


@dataclass(frozen=True)
class Shop:
    """Weekly history (sku, location_id, ds, units), its sorted keys, and what came: (n, 13)."""

    name: str
    history: pl.DataFrame
    keys: pl.DataFrame
    actual: np.ndarray
    last: date


def online_retail_weeks(folder: Path, *, weeks: int) -> Shop:
    """Return the gift shop by weeks; ``weeks`` of history. An item is on sale from its first sale on."""
    files = sorted((folder / "online_retail").glob("*.csv.gz"))
    lines = pl.concat([pl.read_csv(f, infer_schema_length=0) for f in files])
    sold = lines.select(
        sku="StockCode",
        units=pl.col("Quantity").cast(pl.Float64),
        ds=pl.col("InvoiceDate").str.slice(0, 10).str.to_date(strict=False).dt.truncate("1w"),
    ).filter((pl.col("units") > 0) & ~pl.col("sku").str.contains(NOT_PRODUCTS))
    weekly = sold.group_by("sku", "ds").agg(pl.col("units").sum()).with_columns(location_id=pl.lit("main"))
    return _shop(f"online_retail, {weeks} weeks", weekly, weeks=weeks, first=weekly["ds"].min())


def m5_weeks(folder: Path, *, count: int) -> Shop:
    """Return a draw of M5 item-stores by weeks, each history cut to between 13 and 47 weeks."""
    rng = np.random.default_rng(5)
    sales = pl.read_parquet(folder / "m5" / "daily_sales.parquet")
    keys = sales.select("sku", "location_id").unique().sort("sku", "location_id")
    kept = keys[np.sort(rng.choice(keys.height, count, replace=False)).tolist()]
    start = date(2015, 3, 9)
    drawn = kept.with_columns(since=pl.Series(rng.integers(0, 35, count)))
    weekly = (
        sales.join(drawn, on=["sku", "location_id"])
        .with_columns(ds=pl.col("date").dt.truncate("1w"))
        .filter(pl.col("ds") >= pl.lit(start) + pl.duration(days=7 * pl.col("since")))
        .group_by("sku", "location_id", "ds")
        .agg(pl.col("units").cast(pl.Float64).sum())
    )
    return _shop("m5, 13 to 47 weeks", weekly, weeks=47 - 1, first=start)


def _shop(name: str, weekly: pl.DataFrame, *, weeks: int, first: object) -> Shop:
    assert isinstance(first, date)
    last = first + timedelta(days=7 * (weeks - 1))
    known = weekly.filter(pl.col("ds") <= last)
    keys = known.group_by("sku", "location_id").agg(since=pl.col("ds").min()).sort("sku", "location_id")
    keys = keys.filter((pl.lit(last) - pl.col("since")).dt.total_days() >= 7 * 12)
    calendar = pl.DataFrame({"ds": [first + timedelta(days=7 * i) for i in range(weeks + AHEAD)]})
    dense = keys.join(calendar, how="cross").filter(pl.col("ds") >= pl.col("since")).drop("since")
    dense = dense.join(weekly, on=["sku", "location_id", "ds"], how="left").with_columns(pl.col("units").fill_null(0))
    dense = dense.sort("sku", "location_id", "ds")
    came = dense.filter(pl.col("ds") > last)["units"].to_numpy().reshape(keys.height, AHEAD)
    keys = keys.drop("since").with_columns(status=pl.lit("active"), regular_price=pl.lit(None, pl.Float64))
    return Shop(name, dense.filter(pl.col("ds") <= last), keys, came, last)


def published_forecast(shop: Shop, config: ForecastConfig) -> Forecast:
    """Return what the forecast step would publish."""
    history = shop.history.with_columns(
        in_stock_share=pl.lit(None, pl.Float64), is_censored=pl.lit(False), is_closed=pl.lit(False),
        is_gap=pl.lit(False), is_partial=pl.lit(False),
    )  # fmt: skip
    panel = build_panel(history, shop.keys, last_period=shop.last, period_days=7, max_periods=config.max_history_weeks)
    n = panel.n_series
    tables = bare_tables()
    inputs = Inputs(panel, np.arange(n), tables, price_matrix(panel, tables, horizon=AHEAD))
    spans = Spans(np.full(n, 14.0), np.zeros(n), np.full(n, 7.0), 7)
    return make_forecast(
        inputs, spans, horizon=AHEAD, config=config, seed=2026, step=1.0, firm_preorders=no_firm_preorders(),
        overrides=no_overrides(),
    )  # fmt: skip


def bare_tables() -> Tables:
    """Return the other inputs of a shop that delivers sales alone."""
    text, day, number = pl.String, pl.Date, pl.Float64
    key = {"sku": text, "location_id": text, "from_date": day, "price": number}
    return Tables(
        prices=pl.DataFrame(schema=key | {"channel": text}),
        planned_prices=pl.DataFrame(schema=key),
        events=pl.DataFrame(
            schema={"name": text, "starts_date": day, "ends_date": day, "kind": text, "region": text, "ip": text}
        ),
        paid=pl.DataFrame(schema={"sku": text, "location_id": text, "ds": day, "unit_price": number}),
    )


def automatic_models(shop: Shop, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return (k, 13) forecasts of the series at ``rows`` by each automatic model, negatives at 0."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoARIMA, AutoCES, AutoETS, AutoTheta, HistoricAverage

    ids = shop.keys.with_row_index("unique_id").select("sku", "location_id", "unique_id")
    frame = shop.history.join(ids, on=["sku", "location_id"]).rename({"units": "y"})
    frame = (
        frame.filter(pl.col("unique_id").is_in(rows.tolist())).select("unique_id", "ds", "y").sort("unique_id", "ds")
    )
    models = [m(season_length=1) for m in (AutoETS, AutoTheta, AutoARIMA, AutoCES)]
    forecaster = StatsForecast(models=models, freq="1w", n_jobs=1, fallback_model=HistoricAverage())
    result = forecaster.forecast(df=frame, h=AHEAD).sort("unique_id", "ds")
    return {str(m): np.maximum(np.nan_to_num(result[str(m)].to_numpy().reshape(-1, AHEAD)), 0) for m in models}


def figure(actual: np.ndarray, mean: np.ndarray) -> float:
    """Return (sum of absolute errors + absolute sum of errors) / sum of actuals.

    >>> figure(np.array([2.0, 2.0]), np.array([3.0, 3.0]))
    1.0
    """
    error = mean - actual
    return float((np.abs(error).sum() + abs(error.sum())) / actual.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shops", nargs="*", default=["online_retail", "m5"])
    parser.add_argument("--weeks", type=int, nargs="+", default=[17, 22, 26, 30, 35, 39], help="of online retail")
    parser.add_argument("--series", type=int, default=400, help="series that the automatic models are fitted to")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MERCHCAST_TEST_DATA", "../shared/data")))
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps the automatic models' forecasts")
    asked = parser.parse_args()
    shops = []
    if "online_retail" in asked.shops:
        shops += [online_retail_weeks(asked.data, weeks=w) for w in asked.weeks]
    if "m5" in asked.shops:
        shops.append(m5_weeks(asked.data, count=2000))
    ratios = []
    for shop in shops:
        n = shop.keys.height
        rows = np.sort(np.random.default_rng(7).choice(n, min(asked.series, n), replace=False))
        kept = None if asked.cache is None else asked.cache / f"{shop.name.replace(' ', '_')}_{len(rows)}.npz"
        if kept is not None and kept.exists():
            automatic = dict(np.load(kept))
        else:
            automatic = automatic_models(shop, rows)
            if kept is not None:
                np.savez(kept, **automatic)
        started = time.monotonic()
        ours = published_forecast(shop, ForecastConfig())
        seconds = time.monotonic() - started
        theirs = {name: figure(shop.actual[rows], values) for name, values in automatic.items()}
        median = float(np.median(list(theirs.values())))
        mine = figure(shop.actual[rows], ours.mean[rows])
        ratios.append(mine / median)
        zeros = float((shop.history["units"] == 0).mean())
        print(f"{shop.name}: {n} series, {zeros:.0%} zeros; published {mine:.4f}, {seconds:.0f} s; ", end="")
        print(
            ", ".join(f"{k} {v:.4f}" for k, v in theirs.items()) + f"; median {median:.4f}, ratio {mine / median:.3f}"
        )
        error = ours.mean[rows] - shop.actual[rows]
        print(
            f"   bias {error.sum() / shop.actual[rows].sum():+.3f}  weights {ours.fitted.choices['all'].weights}"
            f"  singles {ours.fitted.choices['all'].scores}",
            flush=True,
        )
    print(f"mean of {len(ratios)} ratios {np.mean(ratios):.3f}")


if __name__ == "__main__":
    main()
