"""The panel: what teaches, what is put right, and that it looks backwards only."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
from forecast_shops import RUN_DATE, history_frame, keys_frame, panel_of, shop_units
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.panel import build_panel, same_season_mean, trailing_mean


def flags(shape: tuple[int, int], *cells: tuple[int, int]) -> np.ndarray:
    out = np.zeros(shape, dtype=bool)
    for cell in cells:
        out[cell] = True
    return out


def test_a_stocked_out_day_is_not_zero_demand() -> None:
    units = np.full((1, 70), 4.0)
    units[0, 69] = 0
    panel = panel_of(units, is_censored=flags(units.shape, (0, 69)), in_stock_share=np.zeros(units.shape))
    assert panel.demand[0, 69] == 4
    assert not panel.teaches[0, 69]


def test_recovered_demand_stands_for_sales_and_teaches_where_the_history_says_so() -> None:
    units = np.full((1, 70), 4.0)
    recovered, told = np.full(units.shape, np.nan), flags(units.shape, (0, 67), (0, 68), (0, 69))
    recovered[0, 67:69] = 9.0, 6.0
    told[0, 68] = False
    ran_out = flags(units.shape, *((0, d) for d in range(67, 70)))
    panel = panel_of(units, is_censored=ran_out, recovered_units=recovered, recovered_teaches=told)
    assert panel.demand[0, 67:69].tolist() == [9, 6]
    assert panel.teaches[0, 66:].tolist() == [True, True, True, False]
    assert panel.learns[0, 66:].tolist() == [True, True, False, False]
    assert panel.censored[0, 66:].tolist() == [False, True, True, True]
    assert panel.demand[0, 69] >= 4  # nothing recovered: what is usual, and never less than what sold


def test_censored_demand_is_never_below_what_was_sold() -> None:
    units = np.full((1, 70), 4.0)
    units[0, 69] = 50.0
    panel = panel_of(units, is_censored=flags(units.shape, (0, 69)), in_stock_share=np.full(units.shape, np.nan))
    assert panel.demand[0, 69] == 50


def test_a_gap_is_missing_and_a_closed_day_is_zero() -> None:
    units = np.full((1, 70), 4.0)
    units[0, 60:62] = 0
    panel = panel_of(units, is_gap=flags(units.shape, (0, 60)), is_closed=flags(units.shape, (0, 61)))
    assert panel.demand[0, 60] == 4
    assert panel.demand[0, 61] == 0
    assert not panel.teaches[0, 60:62].any()


def test_a_partial_day_does_not_teach() -> None:
    units = np.full((1, 70), 4.0)
    assert not panel_of(units, is_partial=flags(units.shape, (0, 69))).teaches[0, 69]


def test_negative_and_missing_units_do_no_harm() -> None:
    last, before = pl.col("ds") == RUN_DATE, pl.col("ds") == RUN_DATE - timedelta(days=1)
    units = pl.when(last).then(-5.0).when(before).then(None).otherwise("units")
    history = history_frame(np.full((2, 30), 2.0)).with_columns(units=units)
    panel = build_panel(history, keys_frame(2), last_period=RUN_DATE, period_days=1, max_periods=100)
    assert panel.demand[:, -1].tolist() == [0, 0]
    assert panel.demand[:, -2].tolist() == [2, 2]
    assert not panel.teaches[:, -2].any()


def test_series_without_history_have_an_empty_row() -> None:
    history = history_frame(np.full((2, 30), 2.0))
    panel = build_panel(history, keys_frame(4), last_period=RUN_DATE, period_days=1, max_periods=100)
    assert panel.n_series == 4
    assert np.isnan(panel.demand[2:]).all()
    assert panel.first.tolist() == [0, 0, 30, 30]


def test_an_empty_history_gives_an_empty_panel() -> None:
    history = history_frame(np.full((2, 30), np.nan))
    panel = build_panel(history, keys_frame(2), last_period=RUN_DATE, period_days=1, max_periods=100)
    assert panel.n_periods == 1
    assert np.isnan(panel.demand).all()


def test_rows_after_the_last_period_are_not_read() -> None:
    history = history_frame(np.full((2, 30), 2.0), last=RUN_DATE + timedelta(days=5))
    panel = build_panel(history, keys_frame(2), last_period=RUN_DATE, period_days=1, max_periods=100)
    assert panel.n_periods == 25


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(20, 99))
def test_a_panel_cut_at_a_day_is_the_panel_built_up_to_it(seed: int, cutoff: int) -> None:
    rng = np.random.default_rng(seed)
    units = shop_units(4, 100, seed=seed)
    marks = {name: rng.random(units.shape) < 0.1 for name in ("is_censored", "is_gap", "is_closed")}
    share = rng.random(units.shape)
    marks["recovered_units"] = np.where(share < 0.8, units * 1.5, np.nan)
    marks["recovered_teaches"] = share < 0.5
    whole = panel_of(units, in_stock_share=share, **marks)
    last = RUN_DATE - timedelta(days=100 - cutoff)
    short = panel_of(
        units[:, :cutoff], last=last, in_stock_share=share[:, :cutoff], **{k: v[:, :cutoff] for k, v in marks.items()}
    )
    cut = whole.until(cutoff)
    assert np.array_equal(cut.demand, short.demand, equal_nan=True)
    assert np.array_equal(cut.teaches, short.teaches)


def test_trailing_means_leave_the_period_itself_out() -> None:
    values = np.array([[1.0, np.nan, 3.0, 100.0]])
    assert trailing_mean(values, window=2)[0].tolist()[1:] == [1.0, 1.0, 3.0]
    assert np.isnan(trailing_mean(values, window=2)[0, 0])


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_same_season_mean_against_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((2, 40)) < 0.2, np.nan, rng.random((2, 40)))
    found = same_season_mean(values, season=7, count=3)
    for row in range(2):
        for column in range(40):
            before = [values[row, c] for c in range(column - 7, column - 22, -7) if c >= 0]
            known = [v for v in before if not np.isnan(v)]
            if known:
                assert abs(found[row, column] - np.mean(known)) < 1e-5
            else:
                assert np.isnan(found[row, column])


def test_all_rows_in_order_are_not_copied() -> None:
    panel = panel_of(np.ones((4, 30)))
    assert panel.rows(np.arange(4)) is panel
    assert panel.rows(np.array([0, 2])).keys["sku"].to_list() == ["SKU-000", "SKU-001"]
    assert panel.rows(np.array([1, 0, 2, 3])).keys["location_id"].to_list()[:2] == ["west", "east"]
