"""The ladder under anything: every series, a finite forecast, ordered quantiles, a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from forecast_shops import RUN_DATE, no_tables, panel_of, shop_units
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig, LearnerConfig
from forecasting.fallback import UNSOLD_MEAN, Ladder, Launches, Reason, climb
from forecasting.features import price_matrix
from forecasting.forecast import Forecast, make_forecast
from forecasting.models import CONTROL, LEARNER
from forecasting.new_items import launch_analogues, launch_curve, launch_forecast
from forecasting.overrides import with_overrides
from forecasting.preorder_pace import preorder_levels
from forecasting.protection import Spans
from forecasting.selection import ALL, Choice

CONFIG = ForecastConfig(learner=LearnerConfig(trees=5, leaves=8, min_rows=300))
NO_FIRM = pl.DataFrame(schema={"sku": pl.String, "firm_qty": pl.Int64})
NO_OVERRIDES = pl.DataFrame(
    schema={
        "override_id": pl.String, "kind": pl.String, "sku": pl.String, "location_id": pl.String, "from_date": pl.Date,
        "to_date": pl.Date, "operation": pl.String, "value": pl.Float64, "reason": pl.String,
    }
)  # fmt: skip


def forecast_of(units: np.ndarray, *, period_days: int = 1, horizon: int = 10, **flags: np.ndarray) -> Forecast:
    panel = panel_of(units, period_days=period_days, **flags)
    n = panel.n_series
    return make_forecast(
        Inputs(panel, np.arange(n), no_tables(), price_matrix(panel, no_tables(), horizon=horizon)),
        Spans(np.full(n, 14.0), np.full(n, 3.0), np.full(n, 7.0), period_days),
        horizon=horizon, config=CONFIG, seed=1, step=1.0, firm_preorders=NO_FIRM, overrides=NO_OVERRIDES,
    )  # fmt: skip


def assert_sound(found: Forecast, n: int, horizon: int) -> None:
    assert found.mean.shape == (n, horizon)
    assert np.isfinite(found.mean).all()
    assert (found.mean >= 0).all()
    assert np.isfinite(found.quantiles).all()
    assert (found.quantiles >= 0).all()
    assert (np.diff(found.quantiles, axis=2) >= 0).all()
    assert np.isfinite(found.totals.quantiles).all()
    assert (np.diff(found.totals.quantiles, axis=1) >= 0).all()
    assert np.isfinite(found.correlation).all()
    assert np.isfinite(found.scale).all()
    assert len(found.ladder.reason) == len(found.ladder.model) == n
    assert all(found.ladder.reason)
    assert all(found.ladder.model)


ODD = st.sampled_from(["short", "zero", "gappy", "negative", "dead", "relaunched", "absent", "one", "huge", "plain"])


def odd_series(kind: str, t: int, rng: np.random.Generator) -> np.ndarray:
    y = rng.poisson(2, t).astype(float)
    match kind:
        case "short":
            y[: -int(rng.integers(1, 10))] = np.nan
        case "zero":
            y[:] = 0
        case "negative":
            y[::3] = -5
        case "dead":
            y[t // 3 :] = 0
        case "relaunched":
            y[t // 3 : 2 * t // 3] = np.nan
        case "absent":
            y[:] = np.nan
        case "one":
            y[:-1] = np.nan
        case "huge":
            y *= 1e7
    return y


@settings(max_examples=12)
@given(st.lists(ODD, min_size=2, max_size=8), st.integers(1, 150), st.sampled_from([1, 7]), st.integers(0, 2**32 - 1))
def test_any_series_gets_a_forecast(kinds: list[str], t: int, period_days: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    units = np.stack([odd_series(kind, t, rng) for kind in kinds])
    marks = {
        n: rng.random(units.shape) < (0.4 if "gappy" in kinds else 0.02) for n in ("is_gap", "is_censored", "is_closed")
    }
    assert_sound(forecast_of(units, period_days=period_days, **marks), len(kinds), 10)


def test_a_shop_gets_the_blend_and_its_odd_items_their_rung() -> None:
    units = shop_units(16, 160)
    units[0] = np.nan
    units[1, :-5] = np.nan
    found = forecast_of(units, horizon=28)
    assert_sound(found, 16, 28)
    assert found.ladder.level[0] == 3
    assert found.ladder.level[1] == 2
    assert set(found.ladder.level[2:].tolist()) <= {0, 1}
    assert found.ladder.reason[1] == Reason.SHORT_HISTORY


def test_a_shop_without_any_sale_still_forecasts() -> None:
    found = forecast_of(np.full((2, 5), np.nan))
    assert found.ladder.level.tolist() == [4, 4]
    assert found.ladder.reason == [Reason.NOTHING_KNOWN] * 2
    assert found.mean[0, 0] == pytest.approx(UNSOLD_MEAN)
    assert found.totals.quantiles[0, -1] > 0  # a spread


def test_same_inputs_same_forecast_to_the_last_bit() -> None:
    units = shop_units(16, 160)
    first, second = forecast_of(units), forecast_of(units)
    assert first.mean.tobytes() == second.mean.tobytes()
    assert first.quantiles.tobytes() == second.quantiles.tobytes()
    assert first.totals.quantiles.tobytes() == second.totals.quantiles.tobytes()
    assert first.accuracy.equals(second.accuracy)


def ladder_of(units: np.ndarray, learner: np.ndarray) -> Ladder:
    panel = panel_of(units)
    control = np.full(learner.shape, 2.0, dtype=np.float32)
    choices = {ALL: Choice(ALL, {LEARNER: 1.0}, 0.9, LEARNER, CONTROL, 0.1, False, {})}
    forecasts = {CONTROL: control, LEARNER: learner.astype(np.float32)}
    none = Launches([""] * len(units), np.zeros(len(units), dtype=bool))
    names = np.array(["smooth"] * len(units))
    return climb(panel, forecasts, names, choices, np.full(learner.shape, np.nan), none, config=CONFIG)


def test_a_learner_that_says_nothing_gives_way_to_statistics() -> None:
    learner = np.full((2, 5), 3.0)
    learner[1, 2] = np.nan
    found = ladder_of(np.full((2, 60), 2.0), learner)
    assert found.level.tolist() == [0, 1]
    assert found.mean[1].tolist() == [2.0] * 5
    assert found.reason[1] == Reason.NO_LEARNER


def test_an_absurd_forecast_is_cut_to_the_cap_and_said_so() -> None:
    found = ladder_of(np.full((1, 60), 2.0), np.full((1, 5), 2000.0))
    assert found.mean.max() == pytest.approx(CONFIG.growth_cap * 2)
    assert Reason.CAPPED in found.reason[0]


def launches(level: float, decay: float, count: int = 20, t: int = 200) -> np.ndarray:
    """Return items launched in turn whose demand falls by ``decay`` a week; the first two are old."""
    units = np.full((count, t), np.nan)
    units[:2] = 1.0
    for row in range(2, count):
        start = 5 * (row + 1)
        units[row, start:] = level * decay ** ((np.arange(t - start)) // 7)
    return units


def test_launches_are_compared_with_the_nearest_group_that_has_enough() -> None:
    units = np.full((12, 100), np.nan)
    for row in range(10):
        units[row, 30 * (row > 1) :] = 1.0 + (row % 2) * 4  # east sells 1, west 5 a day
    found = launch_analogues(panel_of(units))
    assert found.level[10] == pytest.approx(1.0)
    assert found.level[11] == pytest.approx(5.0)
    assert found.basis[10].startswith("location")


def test_the_same_item_elsewhere_says_most_of_a_launch() -> None:
    units = np.full((12, 100), np.nan)
    for row in range(11):
        units[row, 30 * (row > 1) :] = 1.0 + (row % 2) * 4  # east sells 1, west 5 a day
    units[10, 30:] = 4.0  # and this one four times as much in the east; in the west it starts tomorrow
    found = launch_analogues(panel_of(units))
    assert found.basis[11] == "the same item at other locations"
    assert 6.0 < found.level[11] < 20.0
    alone = launch_analogues(panel_of(np.where(np.arange(12)[:, None] == 10, np.nan, units)))
    assert found.level[11] > 1.2 * alone.level[11]


def test_the_curve_of_launches_is_found() -> None:
    curve = launch_curve(panel_of(launches(1000.0, 0.8)))
    assert curve[[0, 7, 14, 21]] == pytest.approx([1, 0.8, 0.64, 0.512], rel=0.01)


def test_without_launches_the_curve_is_flat() -> None:
    assert (launch_curve(panel_of(np.full((4, 100), 3.0))) == 1).all()


def test_a_launch_goes_down_the_curve_from_its_own_level() -> None:
    units = launches(1000.0, 0.8)
    units[-1, :-7] = np.nan
    units[-1, -7:] = 3000.0
    panel = panel_of(units)
    none = np.full(len(units), np.nan)
    found = launch_forecast(panel, launch_analogues(panel), none, horizon=14, pooling=0.0)[-1]
    assert found[:7].mean() == pytest.approx(2400, rel=0.05)
    assert found[7:].mean() == pytest.approx(1920, rel=0.05)
    pulled = launch_forecast(panel, launch_analogues(panel), none, horizon=14, pooling=7.0)[-1]
    assert 0.5 * found.mean() < pulled.mean() < 0.9 * found.mean()


def test_a_launch_ahead_starts_its_curve_on_the_day_it_is_launched() -> None:
    units = shop_units(12, 120)
    units[10:] = np.nan
    panel = panel_of(units)
    days = [None] * 10 + [panel.start + timedelta(days=130), panel.start + timedelta(days=120)]
    panel = replace(panel, keys=panel.keys.with_columns(launch_date=pl.Series(days, dtype=pl.Date)))
    analogues = replace(launch_analogues(panel), curve=np.linspace(2.0, 1.0, 182))
    made = launch_forecast(panel, analogues, np.full(12, np.nan), horizon=28, pooling=5.0)
    ratio = made[10] / made[11] * (analogues.level[11] / analogues.level[10])
    assert np.allclose(ratio[10:], analogues.curve[:18] / analogues.curve[10:28], rtol=0.05)


def test_nothing_known_of_a_launch_is_not_a_number() -> None:
    panel = panel_of(np.full((2, 20), np.nan))
    assert np.isnan(launch_forecast(panel, launch_analogues(panel), np.full(2, np.nan), horizon=3, pooling=5)).all()


def test_preorder_pace_points_to_the_level() -> None:
    units = np.full((8, 100), np.nan)
    units[:6, 40:] = 2.0  # 2 a day at 2 places for 28 days: 112 units on 56 preorders, a pace of 2
    units[7] = 1.0  # on sale before the panel starts: not a launch
    firm = pl.DataFrame({"sku": ["SKU-000", "SKU-001", "SKU-002", "SKU-003"], "firm_qty": [56, 56, 56, 28]})
    level = preorder_levels(panel_of(units), firm)
    assert level[6] == pytest.approx(2 * 28 / 28 / 2)  # pace x preorders / days / places


@pytest.mark.parametrize(("operation", "value", "expected"), [("set", 9.0, 9), ("multiply", 1.5, 3), ("add", -5.0, 0)])
def test_overrides_are_the_last_layer(operation: str, value: float, expected: float) -> None:
    panel = panel_of(np.full((4, 30), 2.0))
    rows = pl.DataFrame(
        {
            "override_id": ["a"], "kind": ["forecast"], "sku": ["SKU-000"], "location_id": [None],
            "from_date": [RUN_DATE + timedelta(2)], "to_date": [RUN_DATE + timedelta(3)], "operation": [operation],
            "value": [value], "reason": ["a fair in town"],
        },
        schema=NO_OVERRIDES.schema,
    )  # fmt: skip
    labels: list[date] = panel.labels(5, offset=30)
    mean = np.full((4, 5), 2.0, dtype=np.float32)
    changed, which, reasons = with_overrides(mean, panel.keys, labels, rows, period_days=1, step=1.0)
    assert changed[:2].tolist() == [[2, expected, expected, 2, 2]] * 2
    assert (changed[2:] == 2).all()
    assert (which[0] >= 0).tolist() == [False, True, True, False, False]
    assert "a fair in town" in reasons[0]
    assert (mean == 2).all()  # the argument is not changed


def test_end_of_sale_and_launch_bound_the_forecast() -> None:
    panel = panel_of(shop_units(4, 100) + 1)
    end = [RUN_DATE + timedelta(days=3), None, None, None]
    panel = type(panel)(
        **{**panel.__dict__, "keys": panel.keys.with_columns(end_of_sale_date=pl.Series(end, dtype=pl.Date))}
    )
    n = panel.n_series
    found = make_forecast(
        Inputs(panel, np.arange(n), no_tables(), price_matrix(panel, no_tables(), horizon=10)),
        Spans(np.full(n, 14.0), np.zeros(n), np.full(n, 7.0), 1),
        horizon=10, config=CONFIG, seed=1, step=1.0, firm_preorders=NO_FIRM, overrides=NO_OVERRIDES,
    )  # fmt: skip
    assert (found.mean[0] > 0).tolist() == [True] * 3 + [False] * 7
    assert (found.quantiles[0, 3:] == 0).all()
    assert (found.mean[1] > 0).all()
