"""WRMSSE of published M5 forecasts, beside the same-weekday control, in plain polars.

An oracle for ``forecasting.metrics``, which it does not import.

    python -m benchmarks.wrmsse_m5 HOME/published/current/tables/forecasts.parquet [--data ../shared/data]

Twelve official levels; weights: revenue of the last 28 training days; scale: the training days available.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path

import polars as pl

HORIZON = 28
LEVELS: list[list[str]] = [
    [], ["state"], ["location_id"], ["category"], ["department"], ["state", "category"], ["state", "department"],
    ["location_id", "category"], ["location_id", "department"], ["sku"], ["sku", "state"], ["sku", "location_id"],
]  # fmt: skip
SERIES = ["sku", "location_id"]


def weighted_errors(sales: pl.DataFrame, forecast: pl.DataFrame, revenue: pl.DataFrame, cutoff: date) -> list[float]:
    """Return the weighted RMSSE of each level."""
    history = sales.filter(pl.col("date") <= cutoff)
    actual = sales.filter(pl.col("date").is_between(cutoff + timedelta(days=1), cutoff + timedelta(days=HORIZON)))
    values = []
    for level in LEVELS:
        node = level or ["all"]
        sums = history.group_by(*node, "date").agg(pl.col("units").sum()).sort("date")
        scale = sums.group_by(node).agg(scale=(pl.col("units").diff() ** 2).mean())
        came = actual.group_by(*node, "date").agg(pl.col("units").sum())
        said = forecast.group_by(*node, "date").agg(pl.col("mean").sum())
        both = came.join(said, on=[*node, "date"], how="full", coalesce=True).fill_null(0)
        error = both.group_by(node).agg(error=((pl.col("units") - pl.col("mean")) ** 2).sum() / HORIZON)
        weight = revenue.group_by(node).agg(pl.col("revenue").sum())
        joined = (
            error.join(scale, on=node)
            .join(weight, on=node)
            .with_columns(rmsse=(pl.col("error") / pl.col("scale")).sqrt())
        )
        finite = joined.filter(pl.col("rmsse").is_finite())
        values.append(float((finite["rmsse"] * finite["revenue"]).sum() / weight["revenue"].sum()))
    return values


def main() -> None:
    """Print the WRMSSE of the forecasts, of the control, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("forecasts", type=Path)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    asked = parser.parse_args()
    folder = asked.data / "m5"
    said = pl.read_parquet(asked.forecasts).select(*SERIES, "mean", date="ds", run_date="run_date")
    cutoff = said["run_date"][0]
    sales = pl.read_parquet(folder / "daily_sales.parquet").join(pl.read_csv(folder / "products.csv"), on="sku")
    sales = sales.with_columns(
        pl.col("units").cast(pl.Float64), state=pl.col("location_id").str.slice(0, 2), all=pl.lit(1)
    )
    keys = sales.select(*SERIES, "category", "department", "state", "all").unique()
    recent = sales.filter(pl.col("date").is_between(cutoff - timedelta(days=27), cutoff))
    prices = pl.read_parquet(folder / "weekly_prices.parquet").sort(*SERIES, "week_start")
    priced = recent.sort(*SERIES, "date").join_asof(
        prices, left_on="date", right_on="week_start", by=SERIES, check_sortedness=False
    )
    revenue = priced.group_by(SERIES).agg(revenue=(pl.col("units") * pl.col("price")).sum()).join(keys, on=SERIES)
    weekday = sales.filter(pl.col("date").is_between(cutoff - timedelta(days=55), cutoff))
    means = weekday.group_by(*SERIES, weekday=pl.col("date").dt.weekday()).agg(mean=pl.col("units").mean())
    days = pl.DataFrame({"date": [cutoff + timedelta(days=i) for i in range(1, HORIZON + 1)]})
    control = days.with_columns(weekday=pl.col("date").dt.weekday()).join(means, on="weekday")
    score = {}
    for name, frame in (("forecast", said), ("control", control)):
        values = weighted_errors(sales, frame.select(*SERIES, "date", "mean").join(keys, on=SERIES), revenue, cutoff)
        score[name] = sum(values) / len(values)
        print(f"{name}: WRMSSE {score[name]:.4f}, by level {', '.join(f'{v:.3f}' for v in values)}")
    print(f"ratio {score['forecast'] / score['control']:.3f}")


if __name__ == "__main__":
    main()
