"""Slips of the hand that a merchandiser makes while typing a rule book: where they are, and what to write."""

from __future__ import annotations

import pytest

from pricing.book import parse_book

GOOD = """\
version: 1
currency: CNY
guardrails:
  min_margin_percent: 15
  max_change_percent_per_day: 10
  price_ending: 0.9
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
      category: [badge]
    within_percent: 5
  - id: by_hand
    type: set_price
    when:
      sku: [A-1]
    price: 99.9
    from_date: 2026-06-01
  - id: stop
    type: freeze
    when:
      sku: [C-3]
"""

SLIPS = [
    ("version: 1", "version: 1.0", 1, 10, "it must be 1", "version: 1"),
    ("version: 1", "version: true", 1, 10, "it must be 1", "version: 1"),
    ("version: 1", "version: '1'", 1, 10, "version is '1'", "version: 1"),
    ("percent: 15", "percent:15", 4, 3, "a colon without a space", "min_margin_percent: 15"),
    ("percent: 15", "percent: １５", 4, 23, "wide digits", "digits 0 to 9"),
    ("percent: 15", "percent: 0,15", 4, 23, "'0,15'", "write 0.15"),
    ("percent: 15", "percent: 15 percent", 4, 23, "must be a number", "write 15"),
    ("percent: 15", "percent: 15 %", 4, 23, "must be a number", "write 15"),
    ("  min_margin_percent", "   min_margin_percent", 4, 4, "no valid YAML", "indent it like the lines below"),
    ("scopes:", "scopes: none", 7, 1, "a value and a list", "delete `none`"),
    ("rules:", "rules: {}", 13, 1, "a value and a list", "delete `{}`"),
    ("rules:", "rules: |", 13, 8, "must be a list", "rules"),
    ("  - id: tune", "  - id tune", 14, 5, "a key without a colon", "`id:`"),
    ("  - id: tune", "    id: tune", 14, 5, "no valid YAML", "start it with `- `"),
    ("  - id: tune", "  -id: tune", 14, 3, "a dash without a space", "`- id: tune`"),
    ("type: optimise", "type: Optimise", 15, 11, "no rule type", 'did you mean "optimise"'),
    ("[badge]", "(badge)", 17, 17, "must be a list", "`category: [badge]`"),
    ("[badge]", "badge]", 17, 17, "must be a list", "`category: [badge]`"),
    ("[badge]", "[true]", 17, 18, "must be text", '"true" in quotes'),
    ("[badge]", "[card, [badge]]", 17, 24, "must be text", "without brackets"),
    ("[badge]", "［badge］", 17, 17, "Chinese keyboard", "Latin keyboard"),
    ("[badge]", "[badge，card]", 17, 18, "Chinese keyboard", "Latin keyboard"),
    ("sku: [C-3]", "sku：[C-3]", 28, 7, "Chinese keyboard", "Latin keyboard"),
    ("category: [badge]", "all: false", 17, 12, "all is false", "`all: true`"),
    ("99.9", "99.999", 23, 12, "finer than 0.01", "two decimals"),
    ("99.9", "1,299.9", 23, 12, "must be a number", "write 1299.9"),
    ("99.9", "¥99.9", 23, 12, "must be a number", "write 99.9"),
    ("99.9", "99.9元", 23, 12, "must be a number", "write 99.9"),
    ("99.9", "@cost", 23, 12, "cannot start", "delete the character"),
    ("2026-06-01", "June 1", 24, 16, "must be a date", "such as 2026-06-18"),
    ("2026-06-01", "'2026-06-01'", 24, 16, "must be a date", "write 2026-06-01 without quotes"),
    ("2026-06-01", "20260601", 24, 16, "must be a date", "YYYY-MM-DD"),
    ("      max_change_percent_per_day: 12", "      {}", 12, 7, "changes nothing", "delete the scope"),
    ("version: 1", "%YAML 1.1\n---\nversion: 1", 1, 1, "directive", "delete the line"),
]  # fmt: skip


def test_the_book_is_sound_and_may_hold_chinese_text():
    text = GOOD.replace("    type: freeze\n", "    type: freeze\n    description: 清仓，限时：三天\n")
    book, findings = parse_book(text, currency="CNY")
    assert book is not None
    assert findings == []


@pytest.mark.parametrize(("old", "new", "line", "column", "message", "fix"), SLIPS, ids=[s[1] for s in SLIPS])
def test_a_slip_is_named_where_it_stands_with_what_to_write(old, new, line, column, message, fix):
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    book, findings = parse_book(text, currency="CNY")
    assert book is None
    assert [(f.line, f.column) for f in findings] == [(line, column)], [str(f) for f in findings]
    assert message in findings[0].message
    assert fix in findings[0].fix


def test_a_scope_does_not_repeat_what_is_wrong_with_the_guardrails_above():
    text = GOOD.replace("  price_ending: 0.9\n", "  price_ending: 0.9\n  max_change_percent_per_30_days: 5\n")
    _, findings = parse_book(text, currency="CNY")
    assert [(f.line, f.column) for f in findings] == [(7, 35)]
