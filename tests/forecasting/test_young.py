"""What the first days of a launch say about the weeks after: learnt where past launches say so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from forecast_shops import panel_of

from forecasting.event_lift import calm
from forecasting.new_items import launch_analogues, launch_forecast
from forecasting.panel import Panel
from forecasting.segments import unseen_error

DAYS, NOW = 300, 12  # launched so many days before the end


def shop(*, count: int, bursts: bool, seed: int = 1) -> tuple[Panel, np.ndarray, np.ndarray]:
    """Return a shop of launches, what the last 30 of them will sell in four weeks, and which of them burst."""
    rng = np.random.default_rng(seed)
    first = np.r_[rng.integers(30, DAYS - 60, count), np.full(30, DAYS - NOW)]
    burst = (rng.random(count + 30) < 0.4) & bursts
    age = np.arange(DAYS + 28)[None, :] - first[:, None]
    level = rng.gamma(4.0, 0.5, count + 30)
    mean = level[:, None] * np.where(burst[:, None], 0.5 + 25 * np.exp(-np.maximum(age, 0) / 2.0), 1.0)
    units = np.where(age >= 0, rng.poisson(mean), np.nan)
    panel = panel_of(units[:, :DAYS])
    return panel, mean[-30:, DAYS:].sum(axis=1), burst[-30:]


def forecasts(panel: Panel) -> tuple[np.ndarray, np.ndarray, float]:
    """Return four weeks of the last 30 along the curve alone and as published, and the regression's weight."""
    rows = np.arange(panel.n_series - 30, panel.n_series)
    analogues = launch_analogues(panel).rows(rows)
    none = np.full(30, np.nan)
    made = [
        launch_forecast(panel.rows(rows), one, none, horizon=28, pooling=10.0).sum(axis=1)
        for one in (replace(analogues, soon_share=0.0), analogues)
    ]
    return made[0], made[1], analogues.soon_share


def test_a_burst_is_told_from_a_quiet_launch_by_its_last_days() -> None:
    panel, came, burst = shop(count=150, bursts=True)
    curve, published, share = forecasts(panel)
    assert share == 0.5
    assert np.abs(published - came).sum() < 0.75 * np.abs(curve - came).sum()
    assert published[burst].sum() < 0.7 * curve[burst].sum()


def test_where_all_launches_go_alike_little_is_changed() -> None:
    panel, came, _ = shop(count=150, bursts=False)
    curve, published, _ = forecasts(panel)
    assert np.abs(published - came).sum() < 1.1 * np.abs(curve - came).sum()
    assert abs(published.sum() / came.sum() - 1) < 0.15


def test_few_launches_teach_nothing() -> None:
    panel, _, _ = shop(count=5, bursts=True)
    curve, published, share = forecasts(panel)
    assert share == 0
    assert np.array_equal(curve, published)


def test_what_comes_after_changes_nothing() -> None:
    panel, _, _ = shop(count=150, bursts=True)
    past = panel.until(DAYS - 40)
    scrambled = np.where(np.isnan(panel.demand), np.nan, 77.0)
    scrambled[:, : DAYS - 40] = panel.demand[:, : DAYS - 40]
    other = replace(panel, demand=scrambled.astype(np.float32)).until(DAYS - 40)
    one, two = launch_analogues(past), launch_analogues(other)
    assert np.array_equal(one.soon, two.soon, equal_nan=True)
    assert one.soon_share == two.soon_share


def test_a_festival_is_taken_out_of_what_was_sold_in_it() -> None:
    rng = np.random.default_rng(3)
    lift = np.ones(280)
    lift[100:110] = lift[240:250] = 2.0
    panel = panel_of(rng.poisson(200.0 * lift + np.zeros((12, 1))).astype(float))
    start: date = panel.start
    began = [start + timedelta(days=first) for first in (100, 240)]
    events = pl.DataFrame({"name": ["festival"] * 2, "starts_date": began}).with_columns(
        ends_date=pl.col("starts_date") + timedelta(days=9),
        kind=pl.lit("festival"),
        region=pl.lit("*"),
        ip=pl.lit("*"),
    )
    usual = calm(panel, events).demand
    assert panel.demand[:, 240:250].mean() / 200 > 1.9
    assert usual[:, 240:250].mean() / 200 < 1.4
    assert np.array_equal(usual[:, 120:235], panel.demand[:, 120:235])


def test_what_nobody_saw_for_weeks_is_uncertain() -> None:
    panel = panel_of(np.full((3, 90), 4.0))
    teaches = panel.teaches.copy()
    teaches[0, -28:] = teaches[1, -27:] = False
    teaches[2] = False
    assert unseen_error(replace(panel, teaches=teaches)).tolist() == [0.3, 0.0, 0.0]
