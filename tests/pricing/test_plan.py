"""The plan as text, and linting on tonight's data."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from textwrap import dedent

import numpy as np

from pricing.book import load_book
from pricing.config import PricingConfig
from pricing.lint import lint
from pricing.plan import PreviewBook, plan_text, preview_plan
from pricing.schema import SCHEMA_FILE, schema_text
from pricing.suggest import suggest_prices

D = date(2026, 11, 22)
CONFIG = PricingConfig()
BOOK = """\
version: 1
currency: CNY
guardrails:
  {min_margin_percent: 15, max_change_percent_per_day: 10, max_change_percent_per_30_days: 25, price_ending: 0.9}
rules:
  - id: clear_slow_costumes
    type: markdown
    description: Costumes with over 120 days of cover.
    when: {category: [costume], min_days_of_cover: 120}
    percent: 10
  - id: clear_slow_badges
    type: markdown
    when: {category: [badge], min_days_of_cover: 120}
    percent: 10
"""
PLAN = (Path(__file__).resolve().parent / "plan.txt").read_text(encoding="utf-8")
BADGE = {"sku": "BDG-0044", "title": "Enamel badge", "category": "badge", "current_price": 15.0, "regular_price": 15.0,
         "unit_cost": 12.75, "days_of_cover": 131.0, "on_hand": 1000.0, "supply_units": 1000.0, "units_mean": 210.0,
         "units_sd": 20.0}  # fmt: skip


def tonight(lines):
    return lines({}, BADGE, {"sku": "FIG-1", "title": "Figure", "category": "figure"})


def test_the_plan_reads_as_the_design_shows_it(lines):
    frame = tonight(lines)
    plan = suggest_prices(frame, load_book(BOOK), run_date=D, config=CONFIG)
    text = plan_text(
        plan.assign(title=frame["title"], on_hand=frame["on_hand"]),
        run_date=D, source="pricing_rules.yml 3f2a1c -> working copy", currency="CNY", horizon_days=28,
    )  # fmt: skip
    shown, expected = text.split("\n"), PLAN.rstrip("\n").split("\n")
    assert shown[:-1] == expected[:-1]
    assert shown[-1].startswith("Plan: 1 to change, 1 held, 1 unchanged.   Expected 28 days: revenue ")


def test_lines_that_differ_from_the_book_in_force_come_first_with_a_star(lines):
    frame = tonight(lines)
    old = load_book(BOOK)
    text = BOOK.replace("percent: 10\n  - id", "percent: 5\n  - id")
    shown = preview_plan(
        frame, PreviewBook(load_book(text), "b" * 64), PreviewBook(old, "a" * 64), run_date=D, config=CONFIG
    )
    body = shown.split("\n")
    assert body[0] == "Price plan for 2026-11-22   pricing_rules.yml aaaaaa -> working copy   currency CNY"
    assert body[3].startswith("  ~*COS-0131")
    assert "in force 241.90" in body[4]
    assert body[5].startswith("      would change it: ")
    assert body[6].startswith("  ! BDG-0044")


def test_the_same_book_says_so(lines):
    book = PreviewBook(load_book(BOOK), "a" * 64)
    assert "working copy (the same)" in preview_plan(tonight(lines), book, book, run_date=D, config=CONFIG)


def test_lint_finds_dead_shadowed_and_opposed_rules_on_tonights_data(lines):
    text = BOOK + dedent(
        """\
          - {id: nobody, type: markdown, when: {category: [mug]}, percent: 5}
          - {id: dear_costumes, type: markup, when: {min_price: 200, min_age_days: 100}, percent: 5}
        """
    ).replace("- {", "  - {")
    found = {f.rule_id: f for f in lint(text, currency="CNY", lines=tonight(lines), run_date=D)}
    assert "dead" in found["nobody"].message
    assert "shadowed" in found["clear_slow_costumes"].message
    assert found["clear_slow_costumes"].witness_sku == "COS-0131"
    assert {f.severity for f in found.values()} == {"warning"}


def test_lint_names_a_sku_that_two_rules_pull_both_ways(lines):
    text = BOOK + "  - {id: web_only, type: markup, when: {sku: [COS-0131]}, percent: 5}\n"
    frame = lines({}, {"sku": "COS-0132"})
    found = {f.rule_id: f for f in lint(text, currency="CNY", lines=frame, run_date=D)}
    assert "contradiction" in found["clear_slow_costumes"].message
    assert found["clear_slow_costumes"].witness_sku == "COS-0131"


def test_the_book_that_comes_with_merchcast_is_sound():
    assert lint((SCHEMA_FILE.parent / "default.yml").read_text(encoding="utf-8"), currency="CNY") == []


def test_the_committed_schema_is_current():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run `python -m pricing.schema`"


def test_the_schema_admits_the_default_book_and_refuses_a_slip():
    jsonschema = __import__("pytest").importorskip("jsonschema")
    import json

    from pricing.rules_yaml import read_document

    schema = json.loads(schema_text())
    validator = jsonschema.Draft7Validator(schema)
    document = read_document((SCHEMA_FILE.parent / "default.yml").read_text(encoding="utf-8")).value
    assert list(validator.iter_errors(document)) == []
    document["rules"][0]["percnt"] = 3
    assert list(validator.iter_errors(document))


def test_pricing_looks_at_no_field_about_a_person():
    from data.contracts import TABLES
    from pricing.lines import LINE_COLUMNS
    from pricing.rules import When

    people = {c.name for t in TABLES.values() for c in t.columns if c.person}
    assert people
    assert not people & (set(LINE_COLUMNS) | set(When.model_fields))


def test_a_moved_line_says_which_elasticity_would_change_the_answer(lines, book):
    cut = book("\n  - {id: cut, type: markdown, when: {all: true}, percent: 10}")
    text = preview_of(lines({"elasticity": -6.0, "elasticity_lo": -6.5, "elasticity_hi": -5.5}), cut, PricingConfig())
    told = re.search(r"would change it: profit falls with an elasticity above (-\d\.\d\d) \(here -6\.00\)", text)
    assert told
    tip = float(told.group(1))
    for elasticity, sign in ((tip - 0.1, 1), (tip, -1)):
        known = {"elasticity": elasticity, "elasticity_lo": elasticity - 0.5, "elasticity_hi": elasticity + 0.5}
        table = suggest_prices(lines(known), cut, run_date=D, config=PricingConfig())
        assert np.sign(table["profit_change"].iloc[0]) == sign
    raised = book("\n  - {id: up, type: markup, when: {all: true}, percent: 5}")
    assert "profit falls with an elasticity below" in preview_of(lines(), raised, PricingConfig())
    assert "would change it" not in preview_of(lines(), book(), PricingConfig())


def test_the_plan_says_what_share_is_tried_and_held_out(lines, book):
    frame = lines(*({"sku": f"S{i}", "elasticity_lo": -3.4, "elasticity_hi": -0.8} for i in range(60)))
    text = preview_of(frame, book(), PricingConfig(exploration_share=0.4, holdout_share=0.2))
    assert re.search(r"Trials: 40% of styles explore \(\d+ lines\), [1-9]\d* prices tried tonight", text)
    assert "Holdout: 20% of styles" in text
    assert "Trials" not in preview_of(frame, book(), PricingConfig())


def preview_of(frame, rules, config):
    shown = PreviewBook(rules, "0" * 64)
    return preview_plan(frame, shown, shown, run_date=D, config=config)
