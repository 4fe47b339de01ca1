"""Blend weights: the better model wins, the gate holds, nothing is lost where a model has no forecast."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.champions import keep_better, read_champions, read_record, write_record
from forecasting.models import CONTROL
from forecasting.selection import ALL, Choice, Window, blend, choose, scores_of

RNG = np.random.default_rng(0)
TRUE = RNG.gamma(2, 2, (120, 28)).astype(np.float32)
NAMES = np.array(["smooth"] * 60 + ["lumpy"] * 60)


def noisy(spread: float, *, bias: float = 0.0, seed: int = 1) -> np.ndarray:
    return (TRUE + np.random.default_rng(seed).normal(bias, spread, TRUE.shape)).astype(np.float32)


def window(**forecasts: np.ndarray) -> Window:
    return Window(forecasts, TRUE, np.ones(len(TRUE)), [np.zeros(len(TRUE), dtype=np.int64)])


def chosen(*windows: Window, margin: float = 0.0) -> dict[str, Choice]:
    return choose(windows, NAMES, shrinkage=0.5, gate_margin=margin)


def test_the_better_model_gets_the_weight() -> None:
    found = chosen(window(**{CONTROL: noisy(3, seed=1), "good": noisy(0.3, seed=2)}))
    assert found[ALL].champion == "good"
    assert found[ALL].weights["good"] >= 0.8
    assert found[ALL].margin > 0
    assert found[ALL].score < 0.3


def test_independent_errors_are_averaged() -> None:
    found = chosen(window(**{CONTROL: noisy(1, seed=1), "other": noisy(1, seed=2)}))
    assert 0.3 <= found[ALL].weights["other"] <= 0.7
    assert found[ALL].score < 0.8


def test_a_biased_model_is_punished_in_the_totals() -> None:
    found = chosen(window(**{CONTROL: noisy(1, seed=1), "biased": noisy(0.9, bias=1.5, seed=2)}))
    assert found[ALL].scores["biased"] > 1


def test_nothing_that_loses_to_the_control_is_published() -> None:
    found = chosen(window(**{CONTROL: noisy(0.1, seed=1), "bad": noisy(5, bias=4, seed=2)}))
    for choice in found.values():
        assert choice.weights == {CONTROL: 1.0}
        assert choice.score == 1


def test_the_gate_closes_on_a_segment_that_the_whole_shop_would_carry() -> None:
    """``good`` is right for smooth items only; lumpy ones are pulled to the shop's weights and would lose by it."""
    good = np.where((NAMES == "smooth")[:, None], noisy(0.2, seed=2), noisy(2, bias=8, seed=3)).astype(np.float32)
    few = np.array(["smooth"] * 60 + ["rare"] * 10 + ["lumpy"] * 50)
    found = choose(
        [window(**{CONTROL: noisy(1, seed=1), "good": good})], few, shrinkage=1.0, gate_margin=0.0,
        prior={"rare": {"good": 1.0}},
    )  # fmt: skip
    assert found["rare"].gated
    assert found["rare"].weights == {CONTROL: 1.0}


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_weights_add_up_and_no_choice_scores_above_the_control(seed: int, models: int) -> None:
    rng = np.random.default_rng(seed)
    forecasts = {CONTROL: noisy(rng.uniform(0.1, 3), seed=seed)}
    for k in range(models):
        forecasts[f"m{k}"] = noisy(rng.uniform(0.1, 3), bias=rng.normal(), seed=seed + k + 1)
    for choice in chosen(window(**forecasts)).values():
        assert sum(choice.weights.values()) == pytest.approx(1)
        assert choice.score <= 1 + 1e-9


def test_two_windows_count_alike() -> None:
    first = window(**{CONTROL: noisy(1, seed=1), "m": noisy(0.5, seed=2)})
    second = window(**{CONTROL: noisy(1, seed=3), "m": noisy(2.5, seed=4)})
    assert chosen(first)[ALL].weights["m"] > chosen(first, second)[ALL].weights.get("m", 0)


def test_blend_gives_the_weight_of_a_silent_model_to_the_others() -> None:
    first, second = np.full((2, 3), 2.0, dtype=np.float32), np.full((2, 3), 6.0, dtype=np.float32)
    second[1] = np.nan
    choices = {ALL: Choice(ALL, {"a": 0.25, "b": 0.75}, 0.9, "a", "b", 0.1, False, {})}
    mixed = blend({"a": first, "b": second}, np.array(["x", "y"]), choices)
    assert mixed[0].tolist() == [5, 5, 5]
    assert mixed[1].tolist() == [2, 2, 2]


def test_blend_of_nothing_is_not_a_number() -> None:
    choices = {ALL: Choice(ALL, {"a": 1.0}, 0.9, "a", "a", 0.0, False, {})}
    assert np.isnan(blend({"a": np.full((1, 2), np.nan, dtype=np.float32)}, np.array(["x"]), choices)).all()


def test_scores_of_given_weights() -> None:
    windows = [window(**{CONTROL: noisy(2, seed=1), "good": noisy(0.2, seed=2)})]
    found = scores_of(windows, NAMES, {"smooth": {"good": 1.0}, "lumpy": {CONTROL: 1.0}, "gone": {"good": 1.0}})
    assert found["smooth"] < 0.3
    assert found["lumpy"] == pytest.approx(1)
    assert "gone" not in found


def test_the_old_champion_stays_where_it_is_better(tmp_path) -> None:
    def choice(score: float) -> Choice:
        return Choice("smooth", {"lightgbm": 1.0}, score, "lightgbm", CONTROL, 0.1, False, {})

    first = keep_better({}, {"smooth": choice(0.9)}, {}, as_of=date(2026, 6, 21))
    write_record(tmp_path, first)
    kept = keep_better(
        read_record(tmp_path), {"smooth": Choice("smooth", {"imapa": 1.0}, 0.95, "imapa", CONTROL, 0.1, False, {})},
        {"smooth": 0.91}, as_of=date(2026, 6, 28),
    )  # fmt: skip
    assert kept["segments"]["smooth"]["weights"] == {"lightgbm": 1.0}
    assert kept["segments"]["smooth"]["since"] == "2026-06-21"
    replaced = keep_better(read_record(tmp_path), {"smooth": choice(0.8)}, {"smooth": 0.91}, as_of=date(2026, 6, 28))
    assert replaced["segments"]["smooth"]["since"] == "2026-06-28"


def test_champions_of_the_run_date_or_later_are_not_read(tmp_path) -> None:
    choice = Choice("smooth", {"lightgbm": 1.0}, 0.9, "lightgbm", CONTROL, 0.1, False, {})
    write_record(tmp_path, keep_better({}, {"smooth": choice}, {}, as_of=date(2026, 6, 28)))
    assert read_champions(tmp_path, before=date(2026, 6, 28)) is None
    assert read_champions(tmp_path, before=date(2026, 6, 29)) == {"smooth": {"lightgbm": 1.0}}


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"segments": 3}', '{"as_of": "2020-01-01", "segments": {"a": {"weights": {"x": -1}}}}']
)
def test_a_damaged_record_is_no_record(tmp_path, text: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "champions.json").write_text(text)
    assert not read_champions(tmp_path, before=date(2026, 6, 28))
