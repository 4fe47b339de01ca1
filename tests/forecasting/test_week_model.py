"""Nights of a week share what was learnt: kept whole, used only when sound, given up when demand moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forecast_shops import RUN_DATE, no_tables, panel_of, shop_home, shop_units

from data.step_io import open_step
from forecasting import step
from forecasting.backtest import Inputs
from forecasting.drift import drifted
from forecasting.features import price_matrix

SMALL = "forecasting: {learner: {trees: 10, leaves: 8, min_rows: 300}}\n"
WEDNESDAY = RUN_DATE + timedelta(days=3)
UNITS = shop_units(12, 133)
TABLES = ("forecasts", "protection_demand", "series_accuracy", "forecast_accuracy", "forecast_drivers")


def night(home: Path, units: np.ndarray, run_date: date) -> dict[str, pl.DataFrame]:
    """Run the forecast of one night; return its tables, and what it said of its model as ``said``."""
    shop_home(home, units, settings=SMALL, run_date=run_date)
    step.run(home, run_date)
    with open_step("look", home=home, run_date=run_date) as io:
        found = {name: io.read_polars(name) for name in TABLES}
        checks = io.read_polars("checks").filter(pl.col("check") == "model_of_the_week")
    said = checks.select("observed", "status")
    manifest = home / "models" / "weeks" / said["observed"][0].split()[-1] / "manifest.json"
    return found | {"said": said.with_columns(by=pl.lit(json.loads(manifest.read_text())["run_date"]))}


@pytest.fixture
def week(tmp_path: Path) -> Callable[..., dict[str, pl.DataFrame]]:
    """Return a function that runs nights in one home folder."""
    return lambda units, run_date, name="home": night(tmp_path / name, units, run_date)


def test_a_later_night_forecasts_with_the_model_of_the_week(week: Callable[..., dict[str, pl.DataFrame]]) -> None:
    sunday = week(UNITS[:, :130], RUN_DATE)
    wednesday = week(UNITS, WEDNESDAY)
    for found in (sunday, wednesday):
        assert found["said"].row(0) == (f"learnt as of {RUN_DATE}", "pass", RUN_DATE.isoformat())
    assert wednesday["forecasts"]["ds"].min() == WEDNESDAY + timedelta(days=1)
    assert wednesday["forecast_accuracy"].equals(sunday["forecast_accuracy"].sort("segment", "horizon"))


def test_a_kept_model_equals_the_one_learnt_again(week: Callable[..., dict[str, pl.DataFrame]]) -> None:
    week(UNITS[:, :130], RUN_DATE)
    kept = week(UNITS, WEDNESDAY)
    again = week(UNITS, WEDNESDAY, "other")
    assert again["said"].row(0) == (f"learnt as of {RUN_DATE}", "pass", WEDNESDAY.isoformat())
    for name in TABLES:
        assert kept[name].equals(again[name]), name


@pytest.mark.parametrize("name", ["booster.txt", "manifest.json"])
def test_a_damaged_model_is_not_used(week: Callable[..., dict[str, pl.DataFrame]], tmp_path: Path, name: str) -> None:
    first = week(UNITS, WEDNESDAY)
    kept = tmp_path / "home" / "models" / "weeks" / RUN_DATE.isoformat() / name
    sound = kept.read_bytes()
    kept.write_bytes(sound[:-20])
    second = week(UNITS, WEDNESDAY)
    assert kept.read_bytes() == sound, "it was learnt again"
    assert second["forecasts"].equals(first["forecasts"])


def test_a_rerun_after_a_repair_learns_from_the_repaired_history(week: Callable[..., dict[str, pl.DataFrame]]) -> None:
    week(UNITS[:, :130] * 2, RUN_DATE)
    repaired = week(UNITS[:, :130], RUN_DATE)
    never_wrong = week(UNITS[:, :130], RUN_DATE, "other")
    assert repaired["forecasts"].equals(never_wrong["forecasts"])


def test_an_item_that_came_since_gets_its_forecast(week: Callable[..., dict[str, pl.DataFrame]]) -> None:
    units = UNITS.copy()
    units[5, :131] = np.nan
    week(units[:, :130], RUN_DATE)
    found = week(units, WEDNESDAY)
    assert found["said"]["by"].to_list() == [RUN_DATE.isoformat()]
    new = found["series_accuracy"].filter(pl.col("n_windows") == 0)
    assert new.height == 1
    assert found["forecasts"].join(new, on=["sku", "location_id"], how="semi")["mean"].is_finite().all()


def test_demand_that_left_its_level_is_learnt_anew(week: Callable[..., dict[str, pl.DataFrame]]) -> None:
    week(UNITS[:, :130] * 10, RUN_DATE)
    moved = UNITS * 10
    moved[:, 130:] *= 3
    found = week(moved, WEDNESDAY)
    assert found["said"].row(0) == (f"learnt as of {WEDNESDAY}", "warn", WEDNESDAY.isoformat())


def test_a_weekend_is_no_drift() -> None:
    units = np.tile([5.0, 5, 5, 5, 5, 40, 40], (30, 20))
    panel = panel_of(units)
    inputs = Inputs(panel, np.arange(30), no_tables(), price_matrix(panel, no_tables(), horizon=1))
    assert drifted(inputs, origin=137, ratio=1.2) == []
    doubled = units.copy()
    doubled[:, 137:] *= 2
    panel = panel_of(doubled)
    inputs = Inputs(panel, np.arange(30), no_tables(), price_matrix(panel, no_tables(), horizon=1))
    assert drifted(inputs, origin=137, ratio=1.2) != []
