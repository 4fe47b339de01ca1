"""What moved a forecast: parts that add up, each the change that its group of features makes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from forecasting.drivers import GROUPS, neutral, parts, staged
from forecasting.features import Known

ORIGIN = 3


def known() -> Known:
    """Two series over five periods, three of them past: a price cut, an event and heat lie ahead."""
    price = np.array([[10, 10, 10, 8, 8], [5, 5, 5, 5, 5]], dtype=np.float32)
    return Known(
        static={},
        values={},
        calendar={},
        series={
            "price": price,
            "price_to_mean": price / np.array([[10], [5]], dtype=np.float32),
            "event_fair": np.array([[0, 0, 0, 1, 0]], dtype=np.int16),
            "event_ahead": np.array([[3, 2, 1, 0, 15]], dtype=np.int16),
            "heat_lag7": np.array([[0, 0, 0.1, 0.5, 0.5]], dtype=np.float32),
        },
        group={name: np.zeros(2, dtype=np.int64) for name in ("event_fair", "event_ahead", "heat_lag7")},
        width=5,
    )


def demand(features: Known) -> np.ndarray:
    """A learner whose effects are known: 2 a unit of discount, 7 an event, 10 a unit of heat."""
    ahead = slice(ORIGIN, None)
    event = features.series["event_fair"][features.group["event_fair"], ahead]
    heat = features.series["heat_lag7"][features.group["heat_lag7"], ahead]
    cut = 1 - features.series["price_to_mean"][:, ahead]
    return (20 + 20 * cut + 7 * event + 10 * heat).astype(np.float32)


def test_neutral_features_leave_the_past_alone():
    flat = neutral(known(), GROUPS, origin=ORIGIN)
    for name, values in known().series.items():
        np.testing.assert_array_equal(flat.series[name][:, :ORIGIN], values[:, :ORIGIN])
    assert flat.series["price"][0, ORIGIN:].tolist() == [10, 10]
    assert flat.series["event_ahead"][0, ORIGIN:].tolist() == [15, 15]


def test_each_part_is_the_effect_of_its_group():
    asked: list[list[int]] = []

    def forecast(features: Known, rows: np.ndarray) -> np.ndarray:
        asked.append(rows.tolist())
        return demand(features)

    stages = staged(forecast, known(), demand(known()), origin=ORIGIN)
    assert asked == [[0, 1], [0, 1], [0]], "heat and the event are everybody's, the price cut is one series' own"
    whole = {name: demand(neutral(known(), GROUPS[n:], origin=ORIGIN)) for n, name in enumerate(("neutral", "price"))}
    for name, values in whole.items():
        np.testing.assert_array_equal(stages[name], values)
    found = parts(np.full((2, 2), 18.0), stages, {"override": stages["heat"] + 1}, lengths=np.array([2, 1]))
    first = {name: round(float(values[0]), 4) for name, values in found.items()}
    assert first == {
        "level": 36, "season": 4, "price": 8, "event": 7, "weather": 0, "heat": 10, "preorder": 0, "override": 2,
        "total": 67,
    }  # fmt: skip
    assert found["price"][1] == 0
    assert found["total"][1] == 20 + 7 + 5 + 1, "one period only"


@given(hnp.arrays(np.float64, (4, 3, 5), elements=st.floats(0, 1e4)), st.integers(1, 5))
def test_the_parts_add_up(values: np.ndarray, length: int):
    level, first, last, final = values
    lengths = np.full(3, length)
    found = parts(level, {"neutral": first, "heat": last}, {"preorder": last, "override": final}, lengths=lengths)
    total = found.pop("total")
    np.testing.assert_allclose(sum(found.values()), total, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(total, final[:, :length].sum(axis=1))
