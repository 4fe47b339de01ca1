"""What talk does to demand: put back as many days later as was learnt, gone after a burst, 1 without signals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from forecasting.heat_lift import Signals, heat_lift
from forecasting.panel import Panel

START, DAYS, LEAD, STRENGTH = date(2026, 1, 1), 300, 10, 0.5
KEYS = pl.DataFrame({"sku": ["A", "B", "C"], "location_id": ["web"] * 3, "region": ["east"] * 3})
CARRIED = pl.DataFrame({"sku": ["A", "B", "B"], "element_type": "ip", "element": ["x", "x", "y"]})


def panel(period_days: int = 1, days: int = DAYS):
    cells = np.ones((3, days // period_days), dtype=np.float32)
    flags = np.ones(cells.shape, dtype=np.bool_)
    return Panel(KEYS, START, period_days, cells, cells, flags, ~flags, ~flags, flags)


def signals(attention: dict[str, np.ndarray]):
    rows = [
        pl.DataFrame(
            {"element": name, "ds": [START + timedelta(days=d) for d in range(len(values))], "attention": values}
        )
        for name, values in attention.items()
    ]
    named = pl.concat(rows).with_columns(
        element_type=pl.lit("ip"), region=pl.lit("*"), lead_days=pl.lit(LEAD), strength=pl.lit(STRENGTH)
    )
    return Signals(named, CARRIED)


def step_up(at: int, days: int = DAYS):
    return np.where(np.arange(days) >= at, np.log(3.0), 0.0)


def test_a_rise_that_sales_do_not_show_yet_lifts_the_days_ahead():
    lift = heat_lift(panel(), signals({"x": step_up(DAYS - 4), "y": step_up(DAYS)}), horizon=20)
    assert lift[0, : DAYS + 6] == pytest.approx(1.0)
    assert lift[0, DAYS + 6 : DAYS + 10] == pytest.approx(3.0**STRENGTH, rel=0.01)
    assert lift[2] == pytest.approx(1.0)  # carries nothing


def test_a_rise_that_the_level_shows_already_is_not_put_on_top():
    lift = heat_lift(panel(), signals({"x": step_up(DAYS - 60), "y": step_up(DAYS)}), horizon=5)
    assert lift[0, DAYS:] == pytest.approx(1.0)
    assert lift[0, DAYS - 60] == pytest.approx(3.0**-STRENGTH, rel=0.01)  # before it came


def test_what_nobody_knows_yet_goes_back_to_usual():
    lift = heat_lift(panel(), signals({"x": step_up(DAYS - 4), "y": step_up(DAYS)}), horizon=150)
    ahead = lift[0, DAYS + LEAD :]
    assert (np.diff(ahead) <= 0).all()
    assert ahead[-1] < ahead[0]


def test_an_item_with_two_elements_has_the_effect_of_both():
    lift = heat_lift(panel(), signals({"x": step_up(DAYS - 4), "y": step_up(DAYS - 4)}), horizon=8)
    assert lift[1, -1] == pytest.approx(lift[0, -1] ** 2, rel=0.01)


def test_nothing_after_the_panel_is_read():
    later = {"x": np.concatenate([step_up(DAYS - 4), np.full(30, 9.0)]), "y": step_up(DAYS)}
    known = {"x": step_up(DAYS - 4), "y": step_up(DAYS)}
    assert np.array_equal(
        heat_lift(panel(), signals(later), horizon=20), heat_lift(panel(), signals(known), horizon=20)
    )


def test_weeks_have_the_mean_of_their_days():
    days = heat_lift(panel(days=294), signals({"x": step_up(290, 294), "y": step_up(294, 294)}), horizon=14)
    weeks = heat_lift(panel(7, 294), signals({"x": step_up(290, 294), "y": step_up(294, 294)}), horizon=2)
    assert weeks == pytest.approx(days.reshape(3, -1, 7).mean(axis=2), rel=1e-5)


def test_without_signals_every_lift_is_exactly_one():
    assert (heat_lift(panel(), Signals.none(), horizon=3) == 1).all()
    nobody = replace(signals({"x": step_up(9), "y": step_up(9)}), carried=CARRIED.clear())
    assert (heat_lift(panel(), nobody, horizon=3) == 1).all()
