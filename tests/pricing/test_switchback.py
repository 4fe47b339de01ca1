"""A switchback that a merchandiser starts: who is at which level, at which price, and what it shows."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from pricing.config import PricingConfig, Switchback
from pricing.suggest import suggest_prices
from pricing.switchback import USUAL_DAYS, schedule_rows, style_schedule, switchback_rows, with_levels

DAY = date(2026, 6, 28)
STYLES = [f"Y{i:03d}" for i in range(60)]


def _plan(**changes) -> Switchback:
    usual = {"experiment_id": "summer", "from_date": DAY + timedelta(days=1), "share": 1.0, "days_per_level": 7}
    return Switchback(**(usual | changes))


def _frame(lines):
    return lines(*({"sku": f"{s}-{size}", "style_id": s} for s in STYLES for size in "SM"))


def _before(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["sku", "location_id", "channel"]].assign(price=260.0)


def test_each_style_has_one_level_a_day_and_each_level_once_a_block():
    schedule = style_schedule(STYLES, _plan(blocks=3))
    counts = schedule.groupby(["cluster", "block", "level"]).size()
    assert (counts == 7).all()
    assert len(counts) == 60 * 3 * 3
    some = style_schedule(STYLES[::2], _plan(blocks=3))
    same = some.merge(schedule, on=["cluster", "day"], suffixes=("", "_all"))
    assert (same["level"] == same["level_all"]).all()  # who else takes part changes nothing


def test_the_night_sets_levels_from_the_price_before_and_inside_the_guardrails(lines, book):
    plan = _plan()
    frame = with_levels(_frame(lines), _before(_frame(lines)), plan, run_date=DAY)
    rules = book("\n  - {id: slow, type: markdown, when: {all: true}, percent: 9}", "price_step: 0.1")
    config = PricingConfig(switchback=plan)
    table = suggest_prices(frame, rules, run_date=DAY, config=config)
    price = table.groupby("experiment_arm")["suggested_price"].agg(["min", "max"])
    assert price.loc["control"].tolist() == pytest.approx([260.0, 260.0])
    assert price.loc["lower"].tolist() == pytest.approx([249.6, 249.6])
    assert price.loc["higher"].tolist() == pytest.approx([270.4, 270.4])
    assert table.groupby(frame["style_id"])["suggested_price"].nunique().max() == 1
    frozen = book("\n  - {id: keep, type: freeze, when: {all: true}}")
    kept = suggest_prices(frame, frozen, run_date=DAY, config=config)
    assert (kept["suggested_price"] == kept["current_price"]).all()


@pytest.mark.parametrize(("days", "runs"), [(-1, False), (0, True), (83, True), (84, False)])
def test_it_starts_and_ends_by_itself(lines, days, runs):
    night = DAY + timedelta(days=days)
    frame = _frame(lines)
    rows = schedule_rows(frame, _plan(blocks=4), run_date=night)
    assert len(rows) == (60 if runs else 0)
    told = with_levels(frame, _before(frame), _plan(blocks=4), run_date=night)
    assert told["switchback_level"].notna().any() == runs


def _daily(effect: float, seed: int, nights: int, plan: Switchback) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    schedule = style_schedule(STYLES, plan).set_index(["cluster", "day"])["level"]
    rows = []
    for style in STYLES:
        base = float(np.exp(rng.normal(5, 0.5)))
        for day in range(-USUAL_DAYS, nights):
            lift = effect if day >= 0 and schedule[(style, day)] == "higher" else 0.0
            rows.append((style, day, base * (1 + lift) * rng.gamma(8, 1 / 8)))
    found = pd.DataFrame(rows, columns=["style_id", "day", "profit"])
    start = pd.Timestamp(plan.from_date)
    return found.assign(ds=start + pd.to_timedelta(found["day"], unit="D"), units=1.0)


@pytest.mark.parametrize(("effect", "decision"), [(0.12, "keep"), (-0.12, "stop"), (0.0, "continue")])
def test_an_effect_is_found_and_none_is_not(effect, decision):
    plan = _plan(blocks=2, from_date=DAY - timedelta(days=41))
    config = PricingConfig(switchback=plan)
    rows = switchback_rows(_daily(effect, 4, 42, plan), STYLES, run_date=DAY, config=config)
    higher = next(r for r in rows if r["experiment_id"] == "summer:higher")
    assert higher["decision"] == decision
    assert higher["effect_lo"] <= effect <= higher["effect_hi"]
    assert higher["days_needed"] % 21 == 0
    assert next(r for r in rows if r["experiment_id"] == "summer:lower")["decision"] == "continue"


def test_before_the_first_block_is_over_nothing_is_claimed():
    plan = _plan(blocks=2, from_date=DAY - timedelta(days=9))
    rows = switchback_rows(_daily(0.5, 1, 10, plan), STYLES, run_date=DAY, config=PricingConfig(switchback=plan))
    assert {r["decision"] for r in rows} == {"continue"}
    assert np.isnan([r["effect_lo"] for r in rows]).all()
    assert [r["days_needed"] for r in rows] == [None, None]
