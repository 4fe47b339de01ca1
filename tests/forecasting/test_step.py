"""The step in a home folder: contracts, rows for everyone, same bytes, and a review that keeps champions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forecast_shops import RUN_DATE, shop_units

from data.contracts import QUANTILES
from data.step_io import open_step
from forecasting import review_step, step
from forecasting.protection import Spans

SMALL = "forecasting: {learner: {trees: 10, leaves: 8, min_rows: 300}}\n"


def tables(home: Path) -> dict[str, pl.DataFrame]:
    names = ("forecasts", "protection_demand", "demand_paths", "series_accuracy", "forecast_accuracy", "checks")
    with open_step("look", home=home, run_date=RUN_DATE) as io:
        return {name: io.read_polars(name) for name in names}


def test_every_series_gets_its_rows(make_home: Callable[..., Path]) -> None:
    units = shop_units(12, 130)
    units[3] = np.nan
    home = make_home(units, settings=SMALL)
    counts = step.run(home, RUN_DATE)
    found = tables(home)
    forecasts = found["forecasts"]
    assert counts["rows_out"] > 12 * 28
    assert forecasts.height == 12 * 28
    assert forecasts["ds"].min() > RUN_DATE
    assert forecasts.null_count().sum_horizontal()[0] == 0
    for name in ("protection_demand", "demand_paths", "series_accuracy"):
        assert found[name].height == 12
    assert {"total", "smooth"} <= set(found["forecast_accuracy"]["segment"])
    assert (found["checks"].filter(pl.col("step") == "forecast")["status"] != "fail").all()
    one = found["protection_demand"].row(0, named=True)
    assert [one[q] for q in QUANTILES] == sorted(one[q] for q in QUANTILES)


def test_the_total_is_the_sum_of_means_over_l_plus_r(make_home: Callable[..., Path]) -> None:
    home = make_home(shop_units(12, 130), settings=SMALL)
    step.run(home, RUN_DATE)
    found = tables(home)
    lengths = Spans(np.full(1, 14.0), np.full(1, 2.0), np.full(1, 7.0), 1).drawn[0]  # equally likely
    ahead = (pl.col("ds") - RUN_DATE).dt.total_days()
    weighted = pl.col("mean") * ahead.map_elements(lambda day: float(np.mean(lengths >= day)), return_dtype=pl.Float64)
    summed = found["forecasts"].group_by("sku", "location_id").agg(weighted.sum()).sort("sku", "location_id")
    total = found["protection_demand"].sort("sku", "location_id")
    assert total["lead_time_days"].to_list() == [14.0] * 12
    assert total["mean"].to_numpy() == pytest.approx(summed["mean"].to_numpy(), rel=1e-5)


def test_a_second_run_gives_the_same_bytes(make_home: Callable[..., Path]) -> None:
    home = make_home(shop_units(12, 130), settings=SMALL)
    step.run(home, RUN_DATE)
    first = tables(home)
    step.run(home, RUN_DATE)
    second = tables(home)
    for name in set(first) - {"checks"}:
        assert first[name].equals(second[name]), name


def test_weekly_periods(make_home: Callable[..., Path]) -> None:
    home = make_home(shop_units(12, 110), period_days=7, settings=SMALL)
    step.run(home, RUN_DATE)
    forecasts = tables(home)["forecasts"]
    assert forecasts.height == 12 * 4
    assert set(forecasts["ds"].dt.weekday()) == {1}
    assert (forecasts["ds"].min() - RUN_DATE).days == 1


def test_a_number_caps_the_horizon(make_home: Callable[..., Path]) -> None:
    home = make_home(shop_units(4, 40))
    (home / "merchcast.yml").write_text("planning: {horizon_days: 10}\n")
    step.run(home, RUN_DATE)
    assert tables(home)["forecasts"].height == 4 * 10


def test_a_short_history_is_said(make_home: Callable[..., Path]) -> None:
    home = make_home(shop_units(4, 20))
    step.run(home, RUN_DATE)
    checks = tables(home)["checks"].filter(pl.col("step") == "forecast")
    assert "NO_BACKTEST" in checks["check"].to_list()


def test_the_review_writes_champions_and_the_night_reads_them(make_home: Callable[..., Path]) -> None:
    home = make_home(shop_units(12, 180), settings=SMALL)
    table = review_step.backtest(home, RUN_DATE, 2)
    assert not (home / "models").exists()
    assert {"segment", "horizon", "wape", "champion", "runner_up", "margin"} <= set(table.columns)
    review_step.run(home, RUN_DATE)
    record = json.loads((home / "models" / "champions.json").read_text())
    assert record["as_of"] == RUN_DATE.isoformat()
    assert sum(record["segments"]["all"]["weights"].values()) == pytest.approx(1)
    step.run(home, RUN_DATE)
