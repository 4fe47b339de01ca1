"""The cold winter: a base, reserved capacity and a trigger against one order on the model's belief."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from restocking.config import HedgeSettings
from restocking.hedge import Regime, Season, floored, outcomes, plan_hedge, quick_response_normal, tail_mean
from restocking.season_hedges import hedge_plans

TERMS = {"price": 190, "cost": 110, "salvage": 90, "second_cost": 132, "mean": 3192, "sd": 1181}
SEASON = Season(price=190, unit_cost=110, salvage=60, second_cost=132, reservation_fee=3)
LEVELS = {"warm": (1500, 350), "cold": (3800, 700)}


def seasons(rng, cold):
    """Demand before and after the trigger date, given which seasons turned cold."""
    mean, sd = (np.where(cold, LEVELS["cold"][i], LEVELS["warm"][i]) for i in (0, 1))
    total = np.maximum(rng.normal(mean, sd), 50)
    part = rng.beta(30, 70, len(cold))
    return total * part, total * (1 - part)


def regimes(seed, p_cold, n=400):
    rng = np.random.default_rng(seed)
    return [
        Regime(name, p, *seasons(rng, np.full(n, name == "cold")))
        for name, p in (("warm", 1 - p_cold), ("cold", p_cold))
    ]


def test_quick_response_to_the_printed_digits():
    one, unlimited = quick_response_normal(capacity=0, **TERMS), quick_response_normal(**TERMS)
    assert [round(x, 2) for x in one] == [4185.95, 222296.50]
    assert [round(x, 2) for x in unlimited] == [3262.53, 235606.92]


def test_with_reserved_capacity_profit_rises_and_the_first_order_falls():
    plans = [quick_response_normal(capacity=k, **TERMS) for k in (0, 250, 500, 1000, 2000, 4000)]
    assert all(later.S < earlier.S for earlier, later in pairwise(plans))
    assert all(later.cost > earlier.cost for earlier, later in pairwise(plans))


def simulated(believed, true):
    """Tails and profits of one order and of the two-stage plan, over seasons of which ``true`` turn cold."""
    plan = plan_hedge(SEASON, regimes(1, believed), floor=0.1)
    rng = np.random.default_rng(7)
    early, late = seasons(rng, rng.random(10_000) < true)
    single = outcomes(SEASON, early, late, base=plan.one_shot_qty, reserved=0, trigger=0)
    staged = outcomes(
        SEASON, early, late, base=plan.base_qty, reserved=plan.reserved_capacity, trigger=plan.trigger_units
    )
    weight = np.full(len(early), 1 / len(early))
    regret = [tail_mean(run[1], weight) for run in (single, staged)]
    worst = [-tail_mean(-run[0], weight) for run in (single, staged)]
    return regret, worst, [run[0].mean() for run in (single, staged)]


@pytest.mark.parametrize(
    ("believed", "true"),
    [(0.05, 0.15), (0.3, 0.3)],  # the model hardly believes in a cold winter; or knows how often one comes
)
def test_when_the_regime_shifts_the_two_stage_plan_loses_less_at_no_loss_of_mean_profit(believed, true):
    regret, worst, profit = simulated(believed, true)
    assert regret[1] <= 0.7 * regret[0]
    assert profit[1] >= profit[0]
    assert worst[1] >= worst[0]  # nor is more money lost in the worst years


def test_at_even_odds_the_money_lost_in_the_worst_years_is_saved():
    regret, worst, profit = simulated(0.5, 0.5)
    assert worst[0] < -40_000  # one order bets on the cold
    assert worst[1] >= 0.3 * worst[0]
    assert profit[1] >= profit[0]
    assert regret[1] <= regret[0]  # hardly: against perfect foresight a big single order never misses a cold winter


def test_a_floor_keeps_what_the_model_does_not_believe():
    assert floored([1.0, 0.0], 0.1) == [0.9, 0.1]
    assert sum(floored([0.7, 0.2, 0.1], 0.2)) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="floor"):
        floored([0.5, 0.5], 0.6)


def test_units_and_money_add_up_in_a_season():
    profit, loss = outcomes(SEASON, np.array([10.0]), np.array([30.0]), base=20, reserved=15, trigger=10)
    assert profit.item() == pytest.approx(190 * 35 - 110 * 20 - 132 * 15 - 3 * 15)
    assert loss.item() == pytest.approx(80 * 40 - profit.item())
    idle, _ = outcomes(SEASON, np.array([10.0]), np.array([30.0]), base=20, reserved=15, trigger=11)
    assert idle.item() == pytest.approx(190 * 20 - 110 * 20 - 3 * 15)


def test_the_plan_of_a_style_names_date_and_units_of_the_trigger():
    style = {
        "style_id": "DOWN",
        "category": "coat",
        "daily_units": 20.0,
        "price": 190.0,
        "unit_cost": 110.0,
        "salvage": 60.0,
    }
    other = style | {"style_id": "TEE", "category": "tee"}
    hedge = HedgeSettings(
        category="coat",
        trigger_date=date(2026, 11, 1),
        season_end_date=date(2027, 1, 31),
        regimes=(
            {"name": "warm", "probability": 0.95, "demand_factor": 1.0},
            {"name": "cold", "probability": 0.05, "demand_factor": 2.5},
        ),
    )
    plan = hedge_plans(pd.DataFrame([style, other]), (hedge,), run_date=date(2026, 9, 1), seed=1)
    assert plan[["style_id", "regime"]].to_numpy().tolist() == [["DOWN", "warm"], ["DOWN", "cold"]]
    assert plan["probability"].tolist() == pytest.approx([0.86, 0.14])
    assert (plan["reserved_capacity"] > 0).all()
    assert (plan["trigger_date"] == pd.Timestamp("2026-11-01")).all()
    late = hedge_plans(pd.DataFrame([style]), (hedge,), run_date=date(2026, 11, 1), seed=1)
    assert late.empty  # too late to call
