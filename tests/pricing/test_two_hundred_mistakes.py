"""Two hundred rule books with one mistake each, in every kind of rule, guardrail and condition.

Each is made from a sound book by one edit; where the edit stands is where the message must point.
"""

from __future__ import annotations

import pytest

from pricing.book import parse_book

GOOD = """\
version: 1
currency: CNY
guardrails:
  min_margin_percent: 15
  max_change_percent_per_day: 10
  max_change_percent_per_30_days: 25
  max_changed_percent_per_night: 30
  price_ending: 0.9
  cooldown_days: 7
  family_band_percent: 40
  max_percent_of_list_price: 150
  price_protection_days: 5
  one_price_per_style: true
  competitor_band:
    max_below_percent: 20
    max_above_percent: 25
  approval:
    one_person_above_percent: 5
    two_persons_above_percent: 20
scopes:
  - id: small
    when:
      max_price: 20
    guardrails:
      max_change_percent_per_day: 12
rules:
  - id: tune
    type: optimise
    when:
      min_weekly_units: 3
      category: [badge]
    within_percent: 5
  - id: others
    type: match_competitor
    when:
      category: [figure]
    offset_percent: 1
    within_percent: 6
  - id: steps
    type: ladder
    when:
      category: [hoodie]
    by: size
    rungs:
      - values: [XL]
        percent: 8
  - id: fresh
    type: launch_price
    when:
      product_type: [acrylic]
    days: 21
    percent: 11
  - id: festival
    type: event_price
    when:
      ip: [azure_oath]
    from_date: 2026-06-01
    to_date: 2026-06-20
    percent: 13
  - id: slow
    type: markdown
    when:
      category: [costume]
      min_days_of_cover: 120
    percent: 10
  - id: hot
    type: markup
    when:
      category: [card]
      min_trend_heat: 0.4
    percent: 4
  - id: gone
    type: clearance
    when:
      category: [coat]
      max_days_to_end_of_sale: 45
    start_days: 45
    percent_at_end: 50
  - id: by_hand
    type: set_price
    when:
      sku: [A-1]
    price: 99.9
  - id: dear
    type: limit
    when:
      sku: [B-2]
    max_price: 300
  - id: stop
    type: freeze
    when:
      sku: [C-3]
"""

NUMBERS = [
    "min_margin_percent: 15", "max_change_percent_per_30_days: 25", "max_changed_percent_per_night: 30",
    "price_ending: 0.9", "cooldown_days: 7", "family_band_percent: 40", "max_percent_of_list_price: 150",
    "price_protection_days: 5", "max_below_percent: 20", "max_above_percent: 25", "one_person_above_percent: 5",
    "two_persons_above_percent: 20", "max_price: 20", "min_weekly_units: 3", "offset_percent: 1", "within_percent: 6",
    "percent: 8", "days: 21", "percent: 11", "percent: 13", "min_days_of_cover: 120", "min_trend_heat: 0.4",
    "max_days_to_end_of_sale: 45", "start_days: 45", "percent_at_end: 50", "price: 99.9",
]  # fmt: skip
"""Keys with a number, each once in the book."""

NOT_NUMBERS = [
    ("much", "must be a", "write a number"),
    ("'1'", "must be a", "without quotes"),
    ("1_0", "underscore", "without underscores"),
    ("-99999999", "must be", "write a number that is"),
    ("[1]", "must be a", "write a number"),
]
"""What may be written instead, words of the message, words of the fix."""

REQUIRED = [
    ("percent: 10", "slow", "percent"), ("percent: 4", "hot", "percent"), ("start_days: 45", "gone", "start_days"),
    ("percent_at_end: 50", "gone", "percent_at_end"), ("price: 99.9", "by_hand", "price"),
    ("days: 21", "fresh", "days"),
    ("by: size", "steps", "by"), ("within_percent: 5", "tune", "within_percent"), ("percent: 11", "fresh", "percent"),
    ("within_percent: 6", "others", "within_percent"), ("percent: 13", "festival", "percent"),
]  # fmt: skip

SLIPS = [
    ("min_margin_percent", "min_margn_percent"), ("max_change_percent_per_30_days", "max_change_percent_per_30_day"),
    ("max_changed_percent_per_night", "max_changed_percent_per_nights"), ("price_ending", "price_endings"),
    ("cooldown_days", "cool_down_days"), ("family_band_percent", "familyband_percent"),
    ("price_protection_days", "price_protect_days"), ("one_price_per_style", "one_price_by_style"),
    ("max_below_percent", "max_bellow_percent"), ("one_person_above_percent", "one_persons_above_percent"),
    ("min_weekly_units", "min_weekly_unit"), ("offset_percent", "ofset_percent"), ("rungs", "rung"),
    ("product_type", "produkt_type"), ("min_days_of_cover", "min_day_of_cover"), ("min_trend_heat", "min_trendheat"),
    ("max_days_to_end_of_sale", "max_days_to_end_of_sales"), ("start_days", "start_day"),
    ("percent_at_end", "percent_at_ends"), ("scopes", "scope"), ("rules", "rule"), ("currency", "curency"),
]  # fmt: skip

TYPES = ["optimise", "match_competitor", "ladder", "launch_price", "event_price", "markdown", "markup", "clearance"]


def place(text: str, part: str) -> tuple[int, int]:
    """Line and column of a part that stands once in a text, from 1."""
    at = text.index(part)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def first(text: str, wanted: str) -> str:
    """The book's own line of a key with a number: with its indent, so that it is not the end of another key."""
    for indent in ("  ", "    ", "      ", "        "):
        if f"\n{indent}{wanted}\n" in text:
            return f"\n{indent}{wanted}\n"
    raise AssertionError(wanted)


def mistakes():
    """Yields name, text, line, column, words of the message, words of the fix."""
    for wanted in NUMBERS:
        key, value = wanted.split(": ")
        whole = first(GOOD, wanted)
        for instead, message, fix in NOT_NUMBERS:
            text = GOOD.replace(whole, whole.replace(f": {value}", f": {instead}"), 1)
            line, column = place(GOOD, whole)
            yield f"{key} {value} as {instead}", text, line + 1, len(whole) - len(value) - 1, message, fix
    for line_text, rule_id, key in REQUIRED:
        text = GOOD.replace(f"    {line_text}\n", "", 1)
        line, column = place(GOOD, f"id: {rule_id}")
        yield f"{rule_id} without {key}", text, line, column, f"'{key}' is missing", f"add `{key}: "
    for name, slip in SLIPS:
        text = GOOD.replace(f"{name}:", f"{slip}:", 1)
        line, column = place(text, f"{slip}:")
        yield f"{name} as {slip}", text, line, column, f"unknown key '{slip}'", f'did you mean "{name}"'
    for kind in TYPES:
        text = GOOD.replace(f"type: {kind}\n", f"type: {kind}x\n", 1)
        line, column = place(GOOD, f"type: {kind}\n")
        yield f"type {kind}x", text, line, column + 6, "is no rule type", f'did you mean "{kind}"'
    for key, value in [("category", "[coat]"), ("category", "[card]"), ("category", "[hoodie]"), ("ip", "[azure_oath]"),
                       ("sku", "[A-1]"), ("product_type", "[acrylic]"), ("values", "[XL]")]:  # fmt: skip
        line, column = place(GOOD, f"{key}: {value}")
        column += len(key) + 2
        bare = value.strip("[]")
        yield f"{key} {bare} bare", GOOD.replace(f"{key}: {value}", f"{key}: {bare}"), line, column, "a list", bare
        yield f"{key} empty", GOOD.replace(f"{key}: {value}", f"{key}: []"), line, column, "in it", "at least one"
        twice = GOOD.replace(f"{key}: {value}", f"{key}: [7]")
        yield f"{key} of a number", twice, line, column + 1, "must be text", 'write "7" in quotes'
    for rule_id in ("tune", "others", "steps", "fresh", "festival", "slow", "hot", "gone", "by_hand", "dear", "stop"):
        line, column = place(GOOD, f"id: {rule_id}\n")
        text = GOOD.replace(f"id: {rule_id}\n", "id: Übel\n", 1)
        yield f"id of {rule_id}", text, line, column + 4, "id is 'Übel'", "small letters"
        twice = GOOD.replace(f"id: {rule_id}\n", f"id: {rule_id}\n    type: freeze\n", 1)
        yield f"type of {rule_id} twice", twice, line + 2, 5, "'type' stands twice", "delete one"
    dates = [("2026-06-01", "2026-06-31", 0, "no day of the calendar"), ("2026-06-01", "1.6.2026", 0, "must be a date"),
             ("2026-06-20", "2026-6-20", 0, "no date as YYYY-MM-DD"),
             ("2026-06-20", "'2026-06-20'", 0, "must be a date")]  # fmt: skip
    for old, new, shift, message in dates:
        line, column = place(GOOD, old)
        yield f"date {new}", GOOD.replace(old, new), line, column + shift, message, ""
    for old, new, message in [
        ("    from_date: 2026-06-01\n", "", "an event without from_date"),
        ("    to_date: 2026-06-20\n", "", "an event without to_date"),
    ]:
        line, _ = place(GOOD, "id: festival")
        yield message, GOOD.replace(old, new), line, 5, message, "YYYY-MM-DD"
    line, column = place(GOOD, "[XL]")
    text = GOOD.replace("        percent: 8\n", "        percent: 8\n      - values: [L, XL]\n        percent: 9\n")
    yield "a value on two rungs", text, line + 2, column + 4, "'XL' stands on two rungs", "delete one"


MISTAKES = list(mistakes())


def test_the_book_is_sound_and_there_are_two_hundred_mistakes():
    book, findings = parse_book(GOOD, currency="CNY")
    assert book is not None
    assert findings == []
    assert len(MISTAKES) >= 200
    assert len({text for _, text, *_ in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize(("text", "line", "column", "message", "fix"), [m[1:] for m in MISTAKES],
                         ids=[m[0] for m in MISTAKES])  # fmt: skip
def test_each_mistake_is_named_where_it_stands_with_what_to_write(text, line, column, message, fix):
    book, findings = parse_book(text, currency="CNY")
    assert book is None
    assert [(f.line, f.column) for f in findings] == [(line, column)], [str(f) for f in findings]
    assert message in findings[0].message
    assert fix in findings[0].fix
    assert findings[0].fix
