"""From the text of a rule book to a ``RuleBook``, or to findings with line and column."""

from __future__ import annotations

import difflib
import hashlib
import re
import types
from collections.abc import Iterator
from datetime import date
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pricing.conflicts import Complaint, book_complaints
from pricing.errors import RuleBookError
from pricing.findings import Finding
from pricing.rules import RuleBook
from pricing.rules_yaml import Document, Mark, Path, read_document

__all__ = ["book_digest", "load_book", "parse_book"]

_MOST_SHOWN = 5
_MOST_SHOWN_CHARACTERS = 40
_A_NUMBER = re.compile(r"[¥￥$€]?\s*([-+]?[0-9]+(?:,[0-9]+)*(?:\.[0-9]+)?)\s*(?:%|％|percent|yuan|days|元|天|CNY)?$")
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$")
_CLOSE = 0.5  # likeness from which on one word is meant to be another (0-1)


def book_digest(text: str) -> str:
    """Return the SHA-256 of the text of a book, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse_book(text: str, *, currency: str | None = None) -> tuple[RuleBook | None, list[Finding]]:
    """Return the book, or None, and what is wrong with it, by line and column.

    Args:
        text: content of pricing_rules.yml.
        currency: the shop's; a book in another is refused.
    """
    document = read_document(text)
    if document.findings:
        return None, sorted(document.findings)
    version = document.value.get("version") if isinstance(document.value, dict) else None
    if isinstance(version, float | bool):  # equal to 1, and no whole number
        mark = _mark_of(document, ("version",))
        return None, [Finding(mark.line, mark.column, f"version is {version}: it must be 1", "write `version: 1`")]
    try:
        book = RuleBook.model_validate(document.value)
    except ValidationError as error:
        details = error.errors()
        return None, sorted({_finding(document, e) for e in details if not _is_echo(e, details)})
    findings = sorted(_placed(document, c) for c in book_complaints(book, currency=currency))
    return (None if any(f.severity == "error" for f in findings) else book), findings


def load_book(text: str, *, currency: str | None = None, name: str = "pricing_rules.yml") -> RuleBook:
    """Return the book.

    Raises:
        RuleBookError: it has errors; at most five are listed.
    """
    book, findings = parse_book(text, currency=currency)
    if book is None:
        errors = [f for f in findings if f.severity == "error"]
        more = f" (and {len(errors) - _MOST_SHOWN} more)" if len(errors) > _MOST_SHOWN else ""
        lines = "\n".join(f"  {name}:{f}" for f in errors[:_MOST_SHOWN])
        raise RuleBookError(f"{name} has {len(errors)} errors{more}:\n{lines}")
    return book


def _is_echo(error: ErrorDetails, others: list[ErrorDetails]) -> bool:
    """What follows from another error: a list too short for its refused items, a key missing for its slip."""
    loc = error["loc"]
    if error["type"] == "missing":  # a key with a slip in its name is unknown, and therefore missing too
        unknown = [str(o["loc"][-1]) for o in others if o["type"] == "extra_forbidden" and o["loc"][:-1] == loc[:-1]]
        return bool(difflib.get_close_matches(str(loc[-1]), unknown, 1, cutoff=_CLOSE))
    if error["type"] != "too_short":
        return False
    return any(len(o["loc"]) > len(loc) and o["loc"][: len(loc)] == loc for o in others)


def _placed(document: Document, complaint: Complaint) -> Finding:
    mark = _mark_of(document, complaint.path)
    return Finding(mark.line, mark.column, complaint.message, complaint.fix, complaint.severity, complaint.rule_id)


def _mark_of(document: Document, path: Path) -> Mark:
    """The place of a value, or of the nearest thing around it."""
    for end in range(len(path), -1, -1):
        if path[:end] in document.values:
            return document.values[path[:end]]
    return Mark(1, 1)


def _finding(document: Document, error: ErrorDetails) -> Finding:
    """One pydantic error in the words of a merchandiser."""
    path = _data_path(error["loc"])
    kind, rule_id = error["type"], _rule_id(document, path)
    name = next((part for part in reversed(path) if isinstance(part, str)), "the book")
    mark = document.keys.get(path) if kind == "extra_forbidden" else _mark_of(document, path)
    place = mark or Mark(1, 1)
    if kind == "union_tag_invalid":
        place = document.values.get((*path, "type"), place)
    message, fix = _words(kind, name, error)
    return Finding(place.line, place.column, message, fix, "error", rule_id)


def _data_path(loc: tuple[int | str, ...]) -> Path:
    """The path in the data: pydantic's location without the tag of the rule type it adds."""
    is_rule = len(loc) >= 3 and loc[0] == "rules"
    return (*loc[:2], *loc[3:]) if is_rule else tuple(loc)


def _rule_id(document: Document, path: Path) -> str | None:
    value = document.value
    if len(path) < 2 or path[0] not in ("rules", "scopes"):
        return None
    try:
        found = value[path[0]][path[1]]["id"]
    except (KeyError, IndexError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _words(kind: str, name: str, error: ErrorDetails) -> tuple[str, str]:
    """Message and fix for an error type of pydantic."""
    given, context = error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(name, error["loc"])
    if kind == "missing":
        return f"'{name}' is missing", f"add `{name}: {_example(error['loc'])}`"
    if kind == "union_tag_invalid":
        tags = [t.strip(" '") for t in str(context["expected_tags"]).split(",")]
        return f"'{context['tag']}' is no rule type", _did_you_mean(str(context["tag"]), tags)
    if kind == "union_tag_not_found":
        return "the rule has no type", "add `type: markdown`, or another type of rule"
    if kind == "literal_error":
        choices = [c.strip(" '") for c in str(context["expected"]).replace(" or ", ",").split(",")]
        if len(choices) == 1:
            value = choices[0].lower()
            return f"{name} is {_shown(given)}", f"write `{name}: {value}`" + (
                ", or delete it" if name == "all" else ""
            )
        return f"{name} is {_shown(given)}", _did_you_mean(str(given), choices)
    if kind == "string_pattern_mismatch":
        return f"{name} is {given!r}", _pattern_fix(name)
    return _wrong_value(kind, name, given, context)


def _wrong_value(kind: str, name: str, given: Any, context: dict[str, Any]) -> tuple[str, str]:
    bounds = {
        "greater_than": "more than {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "less than {lt}",
        "less_than_equal": "at most {le}",
    }
    if kind in bounds:
        limit = bounds[kind].format(**{k: f"{v:g}" for k, v in context.items() if isinstance(v, int | float)})
        return f"{name} is {given}: it must be {limit}", f"write a number that is {limit}"
    types_of = {
        "string_type": ("text", _text_fix(given)),
        "float_type": ("a number", _number_fix(given)),
        "int_type": ("a whole number", _number_fix(given)),
        "bool_type": ("true or false", "write true or false"),
        "date_type": ("a date", _date_fix(given)),
        "tuple_type": ("a list", _list_fix(name, given)),
        "model_type": ("a block of keys and values", _block_fix(name)),
        "model_attributes_type": ("a rule", "write `- id: ...` and its keys below"),
        "too_short": ("a list with something in it", f"name at least one, or delete `{name}`"),
        "string_too_short": ("text", "write a name"),
        "string_too_long": ("shorter text", "shorten it"),
        "finite_number": ("a finite number", "write a finite number"),
    }
    expected, fix = types_of.get(kind, (f"something else ({kind})", "see `merchcast schema pricing`"))
    return f"{name} is {_shown(given)}: it must be {expected}", fix


def _shown(given: Any) -> str:
    """What stands there, in short and as YAML writes it."""
    if isinstance(given, list):
        return "a list" if given else "an empty list"
    if isinstance(given, dict):
        return "a block of keys and values"
    if isinstance(given, bool):
        return str(given).lower()
    text = repr(given) if isinstance(given, str | int | float) else str(given)
    return text if len(text) <= _MOST_SHOWN_CHARACTERS else f"{text[:_MOST_SHOWN_CHARACTERS]}..."


def _text_fix(given: Any) -> str:
    if isinstance(given, list | dict):
        return "write each value by itself, without brackets"
    return f'write "{_shown(given)}" in quotes'


def _date_fix(given: Any) -> str:
    if isinstance(given, str):
        try:
            return f"write {date.fromisoformat(given)} without quotes"
        except ValueError:
            return "write a date such as 2026-06-18"
    return "write a date as YYYY-MM-DD, such as 2026-06-18"


def _block_fix(name: str) -> str:
    if name == "the book":
        return "start with `version: 1`, and write one key a line"
    return f"write `{name}:` and its keys below it, two spaces further in"


def _number_fix(given: Any) -> str:
    """What to write instead of something that was meant as a number."""
    if isinstance(given, str):
        found = _A_NUMBER.match(given.strip())
        if found is None:
            return "write a number such as 10"
        number = found.group(1)
        is_grouped = _GROUPED.match(number) is not None
        number = number.replace(",", "") if is_grouped else number.replace(",", ".")
        return f"write {float(number):g}, without quotes, sign or separator"
    if isinstance(given, float):
        return f"write {round(given)}"
    return "write a number such as 10"


def _list_fix(name: str, given: Any) -> str:
    if isinstance(given, str | int | float):
        return f"write `{name}: [{str(given).strip(' []()').split(chr(10))[0]}]`"
    return "write each item in a line of its own that starts with `- `"


def _pattern_fix(name: str) -> str:
    if name == "currency":
        return "write three capital letters such as CNY"
    return "use small letters, digits and underscores, a letter first"


def _did_you_mean(given: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(given, choices, 1, cutoff=_CLOSE)
    listed = ", ".join(choices)
    return f'did you mean "{close[0]}"? (one of {listed})' if close else f"write one of {listed}"


def _unknown_key(name: str, loc: tuple[int | str, ...]) -> tuple[str, str]:
    model = _model_at(loc[:-1])
    allowed = list(model.model_fields) if model is not None else []
    where = "the book" if len(loc) == 1 else f"`{loc[-2]}`" if isinstance(loc[-2], str) else "this item"
    return f"unknown key '{name}' in {where}", _did_you_mean(name, allowed)


def _model_at(loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model whose keys stand at a location of pydantic."""
    model: type[BaseModel] = RuleBook
    for step in loc:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        options = list(_models(model.model_fields[step])) if field is not None else []
        if field is None:  # the tag of a rule type
            options = [m for m in _models(RuleBook.model_fields["rules"]) if _tag(m) == step]
        if not options:
            return None
        model = options[0]
    return model


def _models(field: FieldInfo) -> Iterator[type[BaseModel]]:
    """Every model that a field may hold."""
    waiting: list[Any] = [field.annotation]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part
        elif get_origin(part) in (Union, types.UnionType, tuple, list) or hasattr(part, "__metadata__"):
            waiting.extend(get_args(part))


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("type")
    return str(get_args(field.annotation)[0]) if field is not None else None


def _example(loc: tuple[int | str, ...]) -> str:
    """A value that a missing key may have."""
    examples = {
        "version": "1",
        "currency": "CNY",
        "min_margin_percent": "15",
        "max_change_percent_per_day": "10",
        "guardrails": "{min_margin_percent: 15, max_change_percent_per_day: 10}",
        "rules": "[]",
        "when": "{all: true}",
        "id": "a_name",
        "price": "99.9",
        "start_days": "30",
    }
    return examples.get(str(loc[-1]), "10")
