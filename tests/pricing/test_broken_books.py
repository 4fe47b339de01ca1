"""Rule books with one mistake each: the right line and column, and what to write instead."""

from __future__ import annotations

import pytest

from pricing.book import load_book, parse_book
from pricing.errors import RuleBookError

GOOD = """\
version: 1
currency: CNY
guardrails:
  min_margin_percent: 15
  max_change_percent_per_day: 10
  max_change_percent_per_30_days: 25
  price_ending: 0.9
scopes:
  - id: small
    when: {max_price: 20}
    guardrails: {cooldown_days: 3}
rules:
  - id: slow
    type: markdown
    when: {category: [costume], min_days_of_cover: 120}
    percent: 10
  - id: dear
    type: limit
    when: {sku: ["A-1"]}
    max_price: 300
"""

# what to replace, by what, line, column, words of the message, words of the fix
BROKEN = [
    ("percent: 10\n", "percent: ten\n", 16, 14, "must be a number", "write a number such as 10"),
    ("percent: 10\n", "percent: '10'\n", 16, 14, "must be a number", "write 10, without quotes"),
    ("percent: 10\n", "percent: 10%\n", 16, 14, "must be a number", "write 10, without quotes, sign"),
    ("percent: 10\n", "percent: 1,000\n", 16, 14, "must be a number", "write 1000"),
    ("percent: 10\n", "percent: 010\n", 16, 14, "starts with a zero", "else 10"),
    ("percent: 10\n", "percent: 1_0\n", 16, 14, "underscore", "without underscores"),
    ("percent: 10\n", "percent: 0x0A\n", 16, 14, "hexadecimal", "in decimal"),
    ("percent: 10\n", "percent: 1e1\n", 16, 14, "scientific", "all its digits"),
    ("percent: 10\n", "percent: .5\n", 16, 14, "digit missing", "both sides of the point"),
    ("percent: 10\n", "percent: .inf\n", 16, 14, "no finite number", "finite number"),
    ("percent: 10\n", "percent: .nan\n", 16, 14, "no finite number", "finite number"),
    ("percent: 10\n", "percent: 1:30\n", 16, 14, "base 60", "quotes"),
    ("percent: 10\n", "percent: true\n", 16, 14, "must be a number", "such as 10"),
    ("percent: 10\n", "percent: yes\n", 16, 14, "true or false", "put the text in quotes"),
    ("percent: 10\n", "percent: ~\n", 16, 14, "no value", "write a value, or delete the key"),
    ("percent: 10\n", "percent:\n", 16, 5, "without a value", "write a value, or delete the key"),
    ("percent: 10\n", "percent: 0\n", 16, 14, "more than 0", "more than 0"),
    ("percent: 10\n", "percent: -10\n", 16, 14, "more than 0", "more than 0"),
    ("percent: 10\n", "percent: 91\n", 16, 14, "at most 90", "at most 90"),
    ("percent: 10\n", "percnt: 10\n", 16, 5, "unknown key 'percnt'", 'did you mean "percent"'),
    ("    percent: 10\n", "", 13, 5, "'percent' is missing", "add `percent: 10`"),
    ("type: markdown", "type: markdwn", 14, 11, "no rule type", 'did you mean "markdown"'),
    ("    type: markdown\n", "", 13, 5, "has no type", "add `type: markdown`"),
    ("  - id: slow\n    type", "  - type", 13, 5, "'id' is missing", "add `id: a_name`"),
    ("id: slow", "id: Slow Goods", 13, 9, "id is 'Slow Goods'", "small letters"),
    ("id: dear", "id: slow", 17, 9, "stands twice", "its own id"),
    ("category: [costume]", "category: costume", 15, 22, "must be a list", "write `category: [costume]`"),
    ("category: [costume]", "category: [7]", 15, 23, "must be text", 'write "7" in quotes'),
    ("category: [costume]", "category: []", 15, 22, "something in it", "name at least one"),
    ("category: [costume]", "category: [costume, costume]", 15, 32, "stands twice", "delete one"),
    ("category: [costume]", "categry: [costume]", 15, 12, "unknown key 'categry'", 'did you mean "category"'),
    ("category: [costume]", "months: [13]", 15, 21, "at most 12", "at most 12"),
    ("category: [costume]", "buyer_ref: [x]", 15, 12, "unknown key 'buyer_ref'", "one of"),
    ("min_days_of_cover: 120", "min_days_of_cover: 120, max_days_of_cover: 90", 15, 52, "no SKU can match", "exchange"),
    ("{category: [costume], min_days_of_cover: 120}", "{}", 15, 11, "no condition", "all: true"),
    ("{category: [costume], min_days_of_cover: 120}", "costume", 15, 11, "block of keys", "keys below"),
    ("{category: [costume], min_days_of_cover: 120}", "{all: false}", 15, 17, "all is false", "all: true"),
    ("percent: 10\n", "percent: 10\n    from_date: 2026-02-30\n", 17, 16, "no day of the calendar", "that exists"),
    ("percent: 10\n", "percent: 10\n    from_date: 18.06.2026\n", 17, 16, "must be a date", ""),
    ("percent: 10\n", "percent: 10\n    from_date: 2026-6-1\n", 17, 16, "YYYY-MM-DD", "2026-06-18"),
    (
        "percent: 10\n",
        "percent: 10\n    from_date: 2026-06-02\n    to_date: 2026-06-01\n",
        17,
        16,
        "lies after to_date",
        "exchange",
    ),
    ("percent: 10\n", "percent: 10\n    percent: 12\n", 17, 5, "stands twice", "delete one"),
    ("percent: 10\n", "percent: &p 10\n", 16, 14, "an anchor", "write the value out"),
    ("percent: 10\n", "percent: *p\n", 16, 14, "an alias", "write the value out"),
    ("percent: 10\n", "percent: !!float 10\n", 16, 14, "a tag", "delete the tag"),
    ("percent: 10\n", "<<: {percent: 10}\n", 16, 5, "merge key", "write the keys out"),
    ("percent: 10\n", "percent: [10\n", 16, 14, "no valid YAML", "close the bracket"),
    ("percent: 10\n", "percent: '10\n", 16, 14, "no valid YAML", "close the quote"),
    ("    percent: 10\n", "\tpercent: 10\n", 16, 1, "no valid YAML", "spaces, not tabs"),
    ("  min_margin_percent: 15\n", "", 4, 3, "'min_margin_percent' is missing", "min_margin_percent: 15"),
    ("min_margin_percent: 15", "min_margin_percent: 95", 4, 23, "less than 95", "less than 95"),
    ("max_change_percent_per_30_days: 25", "max_change_percent_per_30_days: 5", 6, 35, "means nothing", "raise it"),
    ("price_ending: 0.9", "price_ending: 0.999", 7, 17, "finer than 0.01", "two decimals"),
    ("price_ending: 0.9", "price_ending: 0.9\n  price_step: 0.5", 8, 15, "both price_ending", "keep one"),
    (
        "price_ending: 0.9",
        "min_percent_of_list_price: 120\n  max_percent_of_list_price: 110",
        7,
        30,
        "lies above the ceiling",
        "lower the floor",
    ),
    ("currency: CNY", "currency: yuan", 2, 11, "currency is 'yuan'", "three capital letters"),
    ("currency: CNY", "currency: EUR", 2, 11, "the shop in CNY", "write CNY"),
    ("version: 1", "version: 2", 1, 10, "version is 2", "1"),
    ("version: 1\n", "", 1, 1, "'version' is missing", "add `version: 1`"),
    ("version: 1", "%YAML 1.1\n---\nversion: 1", 1, 1, "directive", "delete the line"),
    ("    max_price: 300\n", "", 17, 5, "a limit without a limit", "add min_price"),
    ("max_price: 300", "max_price: 300\n    min_price: 400", 21, 16, "lies above the ceiling", "exchange"),
    (
        "    max_price: 300\n",
        '    max_price: 300\n  - id: set_it\n    type: set_price\n    when: {sku: ["A-1"]}\n    price: 400\n',
        21,
        5,
        "'dear' forbids",
        "change the price",
    ),
    (
        "    max_price: 300\n",
        "    max_price: 300\n  - id: up\n    type: markup\n    when: {category: [costume]}\n    percent: 5\n",
        13,
        9,
        "contradiction",
        "different SKUs",
    ),
    (
        "    max_price: 300\n",
        "    max_price: 300\n  - id: more\n    type: markdown\n    when: {all: true}\n    percent: 5\n",
        13,
        9,
        "shadowed",
        "move it below",
    ),
    ("guardrails: {cooldown_days: 3}", "guardrails: {cooldown_days: 3.5}", 11, 33, "whole number", "write 4"),
]


def test_the_book_that_the_mistakes_are_made_in_is_sound():
    book, findings = parse_book(GOOD, currency="CNY")
    assert book is not None
    assert findings == []


@pytest.mark.parametrize(("old", "new", "line", "column", "message", "fix"), BROKEN)
def test_a_mistake_is_named_where_it_stands(old, new, line, column, message, fix):
    assert GOOD.count(old) == 1
    book, findings = parse_book(GOOD.replace(old, new), currency="CNY")
    assert book is None
    assert [(f.line, f.column) for f in findings] == [(line, column)], [str(f) for f in findings]
    assert message in findings[0].message
    assert fix in findings[0].fix


def test_an_alias_bomb_is_refused_at_its_first_anchor():
    levels = "".join(f"a{i}: &a{i} [{', '.join(f'*a{i - 1}' for _ in range(9))}]\n" for i in range(1, 40))
    book, findings = parse_book("a0: &a0 [x]\n" + levels)
    assert book is None
    assert [(f.line, f.column) for f in findings] == [(1, 5)]


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "[]", "7", "- a", "\x00", "a: \x07", "{" * 200, "a: " + "9" * 5000]
)
def test_no_text_whatever_raises_anything_but_findings(text):
    book, findings = parse_book(text)
    assert book is None
    assert findings


def test_loading_a_broken_book_lists_at_most_five_mistakes():
    broken = GOOD.replace("percent: 10\n", "".join(f"k{i}: 1\n    " for i in range(8)) + "percent: 10\n")
    with pytest.raises(RuleBookError, match=r"8 errors \(and 3 more\)") as error:
        load_book(broken)
    assert error.value.exit_code == 2
    assert str(error.value).count("unknown key") == 5
