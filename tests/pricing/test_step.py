"""The price step on a small shop: tables, the book in force, the preview."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pricing import step
from pricing.errors import RuleBookError

_BOOK = Path(step.__file__).resolve().parent / "rules" / "default.yml"


def read(home, day, name):
    from data.step_io import open_step

    with open_step("test", home=home, run_date=day) as io:
        return io.read(name)


def checks(home, day):
    found = read(home, day, "checks")
    return found[found["step"] == "price"].set_index("check")


def test_a_night_writes_suggestions_that_say_why(shop):
    home, day = shop
    step.run(home, day)
    table = read(home, day, "price_suggestions")
    moved = table[table["suggested_price"] != table["current_price"]]
    assert len(moved)
    assert moved["binding_rule"].notna().all()
    assert moved["clamp_trail"].notna().all()
    assert set(table["status"]) <= {"unchanged", "auto", "needs_approval", "held", "conflict"}
    assert len(read(home, day, "elasticities"))
    assert (home / "approved" / "pricing_rules.yml").read_bytes() == _BOOK.read_bytes()


def test_a_second_run_gives_the_same(shop):
    home, day = shop
    step.run(home, day)
    before = [read(home, day, n) for n in ("price_suggestions", "elasticities")]
    step.run(home, day)
    for first, second in zip(before, [read(home, day, n) for n in ("price_suggestions", "elasticities")], strict=True):
        pd.testing.assert_frame_equal(first, second)


def test_fault_96_a_broken_book_goes_on_with_the_last_one_in_force(shop):
    home, day = shop
    step.run(home, day)
    before = read(home, day, "price_suggestions")
    (home / "pricing_rules.yml").write_text("version: 1\nversion: 1\n", encoding="utf-8")
    step.run(home, day)
    pd.testing.assert_frame_equal(read(home, day, "price_suggestions"), before)
    row = checks(home, day).loc["rule_book_sound"]
    assert row["status"] == "warn"
    assert "2:1" in row["observed"]
    assert [(f.line, f.severity) for f in step.lint_home(home)] == [(2, "error")]
    with pytest.raises(RuleBookError):
        step.preview(home)


def test_the_very_first_night_with_a_broken_book_fails_with_exit_code_2(shop):
    home, day = shop
    (home / "pricing_rules.yml").write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(RuleBookError, match="currency") as error:
        step.run(home, day)
    assert error.value.exit_code == 2


def test_a_shop_without_a_book_uses_the_one_that_comes_with_merchcast(shop):
    home, day = shop
    (home / "pricing_rules.yml").unlink()
    step.run(home, day)
    assert len(read(home, day, "price_suggestions"))
    first = checks(home, day).loc["NO_RULE_BOOK"]
    assert first["status"] == "warn"
    step.run(home, day)
    pd.testing.assert_series_equal(checks(home, day).loc["NO_RULE_BOOK"], first)


def test_a_preview_shows_what_the_working_copy_changes(shop):
    home, day = shop
    step.run(home, day)
    assert "working copy (the same)" in step.preview(home)
    text = (home / "pricing_rules.yml").read_text(encoding="utf-8")
    frozen = text + "\n  - id: stop\n    type: freeze\n    when: {all: true}\n"
    (home / "pricing_rules.yml").write_text(frozen.replace("rules:\n", "rules:\n", 1), encoding="utf-8")
    with pytest.raises(RuleBookError, match="shadowed"):
        step.preview(home)
    (home / "pricing_rules.yml").write_text(text.replace("within_percent: 5", "within_percent: 1"), encoding="utf-8")
    plan = step.preview(home)
    assert f"Price plan for {day}" in plan
    assert "Plan: " in plan.split("\n")[-1]


def test_a_shop_without_costs_gets_no_suggestion_and_says_so(shop):
    home, day = shop
    from data.step_io import open_step

    with open_step("demand", home=home, run_date=day) as io:
        io.write("assortment", io.read("assortment").assign(unit_cost=float("nan")))
    step.run(home, day)
    assert read(home, day, "price_suggestions").empty
    assert checks(home, day).loc["NO_UNIT_COST", "status"] == "warn"


def test_a_switchback_is_started_by_a_setting_seen_and_ended(shop):
    from datetime import timedelta

    home, day = shop
    text = (home / "merchcast.yml").read_text(encoding="utf-8")

    def with_experiment(first):
        told = f"\npricing:\n  switchback: {{experiment_id: summer, from_date: {first}, share: 0.5, blocks: 1}}\n"
        (home / "merchcast.yml").write_text(text + told, encoding="utf-8")
        step.run(home, day)
        return read(home, day, "switchback_levels"), read(home, day, "experiments")

    levels, _ = with_experiment(day + timedelta(days=1))
    assert set(levels["level"]) == {"control", "lower", "higher"}
    assert (levels["day_of_level"] == 1).all()
    assert "Switchback summer: " in step.preview(home)
    running, shown = with_experiment(day - timedelta(days=30))
    assert set(running["style_id"]) == set(levels["style_id"])
    assert set(shown["experiment_id"]) == {"summer:lower", "summer:higher"}
    assert (shown["exposure"] > 0).all()
    ended, still_shown = with_experiment(day - timedelta(days=60))
    assert ended.empty
    assert len(still_shown) == 2
