"""Departments are foreseen day by day and lead their series; what is not sold, too young or too small is left alone."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from forecast_shops import no_tables, panel_of

from forecasting.coherence import BOTTOM_UP, MIDDLE_OUT, choose_coherence
from forecasting.fitting import Fitted
from forecasting.forecast import pull_of
from forecasting.middle_out import Nodes, foreseen_nodes, led

LENGTH = 28
WEEK = np.array([0.6, 0.7, 0.8, 0.9, 1.0, 1.4, 1.6])


def shop(series: int = 40, weeks: int = 30, *, level: float = 6.0, seed: int = 3) -> np.ndarray:
    """Sales with a strong week, which panels of ``panel_of`` begin on its first day."""
    rate = np.tile(WEEK, weeks) * level
    return np.random.default_rng(seed).poisson(np.broadcast_to(rate, (series, 7 * weeks))).astype(float)


def nodes_of(units: np.ndarray) -> Nodes:
    found = foreseen_nodes(panel_of(units), no_tables(), horizon=LENGTH)
    assert found is not None
    return found


def test_a_node_keeps_its_level_and_its_week() -> None:
    found = nodes_of(shop())
    assert found.daily.shape == (2, LENGTH)
    np.testing.assert_allclose(found.daily, np.tile(WEEK, 4)[None, :] * 6.0 * 20 * np.ones((2, 1)), rtol=0.12)
    assert abs(found.daily.mean() / 120 - 1) < 0.03


def test_the_last_days_weigh_most_and_odd_days_nothing() -> None:
    units = shop()
    units[:, -21:] *= 1.3
    assert nodes_of(units).daily.mean() > 120 * 1.2
    closed = shop()
    closed[:, -8] = 0  # the shop was shut on a Saturday, a week ago
    np.testing.assert_allclose(nodes_of(closed).daily, nodes_of(shop()).daily, rtol=0.03)


def test_series_are_led_to_the_mean_of_node_and_learner() -> None:
    units = shop(level=60.0)  # large nodes: chance and the prior say little
    found = nodes_of(units)
    flat = np.full((40, LENGTH), 60.0)
    moved = flat * led(found, flat, None)
    halfway = np.sqrt(flat[::2].sum(axis=0) * found.daily[0])
    np.testing.assert_allclose(moved[::2].sum(axis=0), halfway, rtol=0.02)
    learner = flat * np.tile((1 + WEEK) / 2, 4)[None, :]
    between = np.sqrt(learner[::2].sum(axis=0) * found.daily[0])
    np.testing.assert_allclose((flat * led(found, flat, learner))[::2].sum(axis=0), between, rtol=0.02)
    assert np.ptp(led(found, flat, None)[::2], axis=0).max() == 0  # shares of a node's day stay


def test_small_nodes_are_believed_little() -> None:
    flat = np.full((40, LENGTH), 1.0)
    small = Nodes(np.zeros(40, dtype=np.int64), np.full((1, LENGTH), 20.0), np.ones(40))
    large = Nodes(np.zeros(40, dtype=np.int64), np.full((1, LENGTH), 2000.0), np.ones(40))
    assert led(small, flat, None)[0, 0] == pytest.approx(0.5**0.25)  # a quarter of the way, in logarithms
    assert led(large, 100 * flat, None)[0, 0] == pytest.approx(0.5**0.495, rel=1e-3)


def test_what_is_no_longer_sold_leaves_its_share_to_nobody() -> None:
    found = nodes_of(shop())
    mean = np.tile(WEEK * 6.0, (40, 4))
    mean[::4] = 0  # half of the first node ends
    factors = led(found, mean, np.tile(WEEK * 6.0, (40, 4)))
    np.testing.assert_allclose(factors[2::4], 1, atol=0.12)


def test_the_young_take_no_part() -> None:
    units = shop()
    units[0, :-30] = np.nan
    units[2, -1] = np.nan
    found = nodes_of(units)
    assert found.node[[0, 2]].tolist() == [-1, -1]
    assert (found.node[[1, 3]] >= 0).all()
    assert (led(found, np.full((40, LENGTH), 3.0), None)[0] == 1).all()
    assert foreseen_nodes(panel_of(shop(weeks=5)), no_tables(), horizon=LENGTH) is None
    assert foreseen_nodes(panel_of(shop(), period_days=7), no_tables(), horizon=LENGTH) is None


@pytest.mark.parametrize("broken", ["zero", "missing", "spike"])
def test_factors_are_finite_and_bounded(broken: str) -> None:
    units, mean = shop(), np.full((40, LENGTH), 6.0)
    if broken == "zero":
        units[::2] = 0
    elif broken == "missing":
        mean[3] = np.nan
    else:
        units[:, -1] = 1e6
    factors = led(nodes_of(units), mean, np.full((40, LENGTH), np.nan))
    assert np.isfinite(factors).all()
    assert factors.min() >= 1 / 1.5
    assert factors.max() <= 1.5


def test_nothing_after_the_origin_is_read() -> None:
    panel = panel_of(shop())
    past = panel.until(140)
    plain = foreseen_nodes(past, no_tables(), horizon=LENGTH)
    scrambled = panel.demand.copy()
    scrambled[:, 140:] = 1e5
    again = foreseen_nodes(replace(panel, demand=scrambled).until(140), no_tables(), horizon=LENGTH)
    assert plain is not None
    assert again is not None
    np.testing.assert_array_equal(plain.daily, again.daily)


@pytest.mark.parametrize(
    ("times", "factor", "how"), [(1.4, 1 / 1.4, MIDDLE_OUT), (1, 1 / 1.4, BOTTOM_UP), (1, 1.05, BOTTOM_UP)]
)
def test_earlier_windows_can_deny_it(times: float, factor: float, how: str) -> None:
    units = shop(weeks=40)
    panel = panel_of(units)
    at = [panel.n_periods - k * LENGTH for k in (2, 1)]
    pasts, actuals = [panel.until(o) for o in at], [panel.demand[:, o : o + LENGTH] for o in at]
    right = np.tile(WEEK * 6.0, (40, 4)).astype(np.float32)
    choice, published = choose_coherence(
        pasts, [right * np.float32(times)] * 2, actuals, [np.full(right.shape, factor)] * 2
    )
    assert choice.how == how
    assert abs(choice.total_bias) < 0.03
    np.testing.assert_allclose(published[0], right, rtol=1e-5)


@pytest.mark.parametrize("how", [MIDDLE_OUT, BOTTOM_UP])
def test_tonight_is_led_where_earlier_windows_bore_it_out(how: str) -> None:
    units = shop(level=60.0)
    found, flat = nodes_of(units), np.full((40, LENGTH), 60.0)
    pulled = pull_of(panel_of(units), flat, Mock(spec=Fitted, coherence=how), found)
    np.testing.assert_array_equal(pulled * flat, flat * led(found, flat, None) if how == MIDDLE_OUT else flat)
