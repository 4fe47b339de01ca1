"""Both catalogues are complete: every text in use, every code of the rooms, the same placeholders."""

from __future__ import annotations

import ast
import json
import re
import string
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contracts import OUTPUTS, WHY_BATCH_COLUMNS, WHY_COLUMNS
from reporting.catalogue import LANGUAGES, load_catalogue
from reporting.glossary import FORMULAS, glossary

ROOMS = ("demand", "trends", "forecasting", "restocking", "preorder", "pricing")


def room_codes(repository: Path) -> dict[str, str]:
    """Value of every StrEnum member of the rooms and of the quarantine's reasons, with where it stands."""
    files = [path for room in ROOMS for path in sorted((repository / room).rglob("*.py"))]
    files.append(repository / "data" / "ingest" / "faults.py")
    found: dict[str, str] = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or not any(getattr(b, "id", "") == "StrEnum" for b in node.bases):
                continue
            for item in node.body:
                if isinstance(item, ast.Assign) and isinstance(item.value, ast.Constant):
                    found[str(item.value.value)] = f"{path.relative_to(repository)}: {node.name}"
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_have_the_same_keys_with_the_same_placeholders():
    en, zh = load_catalogue("en"), load_catalogue("zh")
    assert set(en.texts) == set(zh.texts)
    assert set(en.codes) == set(zh.codes)
    differing = [key for key in en.texts if placeholders(en.texts[key]) != placeholders(zh.texts[key])]
    assert [key for key in differing if not key.startswith("format.")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty(language):
    words = load_catalogue(language)
    assert [key for key, text in {**words.texts, **words.codes}.items() if not text.strip()] == []


def test_the_file_holds_no_key_twice(repository):
    def refuse_doubles(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), [key for key in keys if keys.count(key) > 1]
        return dict(pairs)

    for language in LANGUAGES:
        text = (repository / "reporting" / "locale" / f"{language}.json").read_text(encoding="utf-8")
        json.loads(text, object_pairs_hook=refuse_doubles)


def test_every_text_that_a_page_asks_for_is_there(repository):
    texts = load_catalogue("en").texts
    asked: set[str] = set()
    for path in sorted((repository / "reporting" / "templates").glob("*.j2")):
        asked |= set(re.findall(r"\bt\('([a-z_.]+[a-z_])'", path.read_text(encoding="utf-8")))
    for path in sorted((repository / "reporting").glob("*.py")):
        asked |= set(re.findall(r'\.text\(\s*"([a-z_.]+)"', path.read_text(encoding="utf-8")))
    for path in sorted((repository / "reporting" / "static").glob("*.js")):
        asked |= {f"js.{key}" for key in re.findall(r"\bT\.([a-z_0-9]+)", path.read_text(encoding="utf-8"))}
    assert len(asked) > 80
    assert sorted(key for key in asked - set(texts) if not key.endswith((".", "_"))) == []


def test_every_code_of_the_rooms_has_words_in_both_languages(repository):
    codes = room_codes(repository)
    assert len(codes) > 60
    for language in LANGUAGES:
        untranslated = {code: where for code, where in codes.items() if code not in load_catalogue(language).codes}
        assert untranslated == {}


def test_every_choice_of_the_contracts_has_words():
    choices = {choice for table in OUTPUTS for column in table.columns for choice in column.choices}
    assert sorted(choices - set(load_catalogue("zh").codes)) == []


def test_every_why_column_has_a_term():
    texts = load_catalogue("zh").texts
    assert [name for name in (*WHY_COLUMNS, *WHY_BATCH_COLUMNS) if f"term.{name}" not in texts] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_glossary_term_is_explained(language):
    entries = glossary(load_catalogue(language))
    assert [entry.key for entry in entries] == list(FORMULAS)
    assert all(entry.term and entry.text for entry in entries)


def test_an_unknown_code_is_shown_as_it_is():
    assert load_catalogue("zh").code("code_of_tomorrow") == "code_of_tomorrow"


@pytest.mark.parametrize(
    ("term", "chinese"),
    [
        ("col.on_hand", "在手库存"),
        ("col.on_order", "在途"),
        ("col.backorders", "欠货"),
        ("col.inventory_position", "库存头寸"),
        ("col.lead_time_days", "提前期"),
        ("col.review_period_days", "复核周期"),
        ("col.service_level", "周期服务水平"),
        ("col.expected_fill_rate", "满足率"),
        ("col.safety_stock", "安全库存"),
        ("col.reorder_point", "再订货点"),
        ("col.order_up_to_level", "目标库存"),
        ("col.order_qty", "订货量"),
        ("col.min_order_qty", "最小起订量"),
        ("col.pack_size", "包装倍数"),
        ("col.days_of_cover", "可供天数"),
        ("col.stockout_date", "预计断货日"),
        ("col.order_by_date", "最晚下单日"),
        ("col.expected_receipt_date", "预计到货日"),
        ("col.override_qty", "人工调整"),
        ("col.binding_rule", "生效约束"),
        ("col.elasticity", "价格弹性"),
        ("col.campaign_id", "预售活动"),
        ("col.heat", "热度"),
        ("col.streak_days", "连涨天数"),
        ("col.element", "设计元素"),
    ],
)
def test_chinese_uses_the_fields_own_words(term, chinese):
    assert chinese in load_catalogue("zh").texts[term]


def test_days_are_written_as_each_language_writes_them():
    day, same_year = date(2027, 1, 5), date(2026, 11, 22)
    assert load_catalogue("en").near_day(day, today=same_year) == "5 Jan 2027"
    assert load_catalogue("zh").near_day(day, today=same_year) == "2027年1月5日"
    assert load_catalogue("en").near_day(same_year, today=same_year) == "22 Nov"
    assert load_catalogue("zh").near_day(same_year, today=same_year) == "11月22日"


def test_no_value_is_a_dash_and_never_a_zero():
    words = load_catalogue("en")
    assert {words.number(None), words.money(float("nan")), words.percent(None), words.day(None), words.code(None)} == {
        "–"
    }


@given(st.floats(-1e9, 1e9), st.integers(0, 2))
def test_a_number_reads_back_as_itself(value, digits):
    text = load_catalogue("en").number(value, digits=digits)
    assert float(text.replace(",", "").replace("−", "-")) == pytest.approx(value, abs=0.5 * 10**-digits + 1e-6)
    assert not text.startswith("−0") or any(c in "123456789" for c in text)


@given(st.floats(-1e6, 1e6))
def test_a_change_always_bears_a_sign(value):
    assert load_catalogue("zh").signed(value, digits=1)[0] in "+−±"
