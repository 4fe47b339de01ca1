"""YAML of a rule book, read strictly: every value keeps its line and column, nothing is guessed.

The reader works on the event stream of the parser, so an anchor is refused before anything could expand it. Only
plain data is admitted: mappings with text keys, lists, text, whole and decimal numbers, ``true`` and ``false``, dates
as YYYY-MM-DD. Whatever YAML would read as something else than it looks (``yes``, ``007``, ``1_000``, ``12:30``,
``~``, ``.inf``) is refused with what to write instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from pricing.findings import Finding
from pricing.syntax import syntax_finding

__all__ = ["Document", "Mark", "Path", "read_document"]

Path = tuple[str | int, ...]

_MAX_CHARACTERS = 1_000_000
_MAX_DEPTH = 12
_MAX_DIGITS = 18  # more do not fit a whole number of 64 bits
_INTEGER = re.compile(r"[-+]?[0-9]+$")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]+$")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_WIDE_DIGITS = re.compile(r"[-+\uff0b\uff0d]?[\uff10-\uff19][\uff10-\uff19.\uff0e%\uff05]*$")
_WIDE_MARKS = re.compile(r"[\uff0c\uff1b\uff1a\u3001\uff3b\uff3d]")
_BOOLEAN_WORDS = re.compile(r"(?i:y|yes|n|no|on|off|true|false)$")
_NULL_WORDS = {"", "~", "null", "Null", "NULL"}
_LOOKS_ODD: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"[-+]?\d[\d_]*_[\d_.]*$"), "digits joined by an underscore", "write the number without underscores"),
    (
        re.compile(r"[-+]?0[xX][\da-fA-F]+$|[-+]?0[oObB]\d+$"),
        "a hexadecimal, octal or binary number",
        "write it in decimal",
    ),
    (re.compile(r"[-+]?(?i:\.?inf(inity)?|\.?nan)$"), "no finite number", "write a finite number"),
    (re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), "a number in scientific notation", "write all its digits"),
    (re.compile(r"[-+]?(\.\d+|\d+\.)$"), "a decimal with a digit missing", "write a digit on both sides of the point"),
    (re.compile(r"\d+(:\d{1,2})+(\.\d+)?$"), "what YAML may read as a number in base 60", "put it in quotes"),
    (re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?$"), "no date as YYYY-MM-DD", "write a date such as 2026-06-18"),
    (re.compile(r"\d{1,4}/\d{1,2}/\d{1,4}$"), "no date as YYYY-MM-DD", "write a date such as 2026-06-18"),
)


@dataclass(frozen=True)
class Mark:
    """A place in the text, from 1."""

    line: int
    column: int


@dataclass
class Document:
    """The data of a rule book with the place of every key and value, or what keeps it from being read."""

    value: Any = None
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_document(text: str) -> Document:
    """Return the data of ``text``; the first mistakes are in ``findings``, and then ``value`` is None.

    Example:
        >>> read_document("version: 1").value
        {'version': 1}
        >>> str(read_document("a: 1_000").findings[0])
        "1:4: error: '1_000' is digits joined by an underscore; write the number without underscores"
    """
    document = Document()
    if len(text) > _MAX_CHARACTERS:
        document.findings.append(
            Finding(1, 1, f"the book has {len(text)} characters; at most {_MAX_CHARACTERS} are read", "split the book")
        )
        return document
    reader = _Reader(document)
    directive = next((i for i, line in enumerate(text.split("\n"), 1) if line.startswith("%")), None)
    try:
        for event in YAML(typ="safe", pure=True).parse(text.removeprefix("\ufeff")):
            reader.take(event)
            if document.findings and reader.is_lost:
                break
    except MarkedYAMLError as error:
        document.findings.append(syntax_finding(text, error))
    except YAMLError as error:
        line, column = _place_of(text, getattr(error, "position", 0))
        message = "a character that YAML does not admit"
        document.findings.append(Finding(line, column, message, "delete the character"))
    if document.findings:
        document.value = None
        if directive is not None and "directive" in document.findings[0].message:
            document.findings = [replace(document.findings[0], line=directive, column=1)]
    elif document.value is None:
        document.findings.append(Finding(1, 1, "the book is empty", "start with `version: 1`"))
    return document


def _place_of(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


class _Reader:
    """Builds plain data from parser events; ``is_lost`` once the structure itself is refused."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.is_lost = False
        self._open: list[tuple[Any, Path]] = []
        self._key: list[str | None] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take the next event of the parser."""
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(
                    event, "a second document in one book", "delete the line `---` and what follows", lost=True
                )
            elif event.tags or event.version:
                self._refuse(event, "a YAML directive", "delete the line that starts with %", lost=True)
        elif isinstance(event, AliasEvent):
            self._refuse(event, f"an alias (*{event.anchor})", "write the value out in full", lost=True)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._open.pop()
            self._key.pop()
        elif isinstance(event, ScalarEvent):
            self._scalar(event)

    def _begin(self, event: Any) -> None:
        if self._has_extras(event):
            return
        if len(self._open) >= _MAX_DEPTH:
            self._refuse(event, f"nested more than {_MAX_DEPTH} levels deep", "write the book flatter", lost=True)
            return
        if self._expects_key():
            self._refuse(event, "a key that is a list or a mapping", "write a name as key", lost=True)
            return
        container: Any = {} if isinstance(event, MappingStartEvent) else []
        path = self._place(container, event)
        self._open.append((container, path))
        self._key.append(None)

    def _has_extras(self, event: Any) -> bool:
        if event.anchor:
            self._refuse(event, f"an anchor (&{event.anchor})", "write the value out where it is needed", lost=True)
            return True
        if event.tag and str(event.tag) != "!":
            self._refuse(event, f"a tag ({event.tag})", "delete the tag", lost=True)
            return True
        return False

    def _scalar(self, event: ScalarEvent) -> None:
        if self._has_extras(event):
            return
        if self._expects_key():
            self._take_key(event)
            return
        value, problem = _value(str(event.value), is_plain=not event.style)
        path = self._place(value, event)
        wide = _WIDE_MARKS.search(str(event.value))
        if wide and not event.style and not problem and "description" not in path:
            problem = f"'{wide.group()}' of a Chinese keyboard", "write , ; : [ or ] of a Latin keyboard, or use quotes"
        if problem:
            is_empty = not event.value and path in self.document.keys  # the parser places nothing after its key
            mark = self.document.keys[path] if is_empty else _mark(event)
            self.document.findings.append(Finding(mark.line, mark.column, *problem))

    def _take_key(self, event: ScalarEvent) -> None:
        container, path = self._open[-1]
        name = str(event.value)
        if name == "<<":
            self._refuse(event, "a merge key (<<)", "write the keys out in full", lost=True)
            return
        if name in container:
            first = self.document.keys[(*path, name)]
            self._refuse(event, f"the key '{name}' stands twice, first in line {first.line}", "delete one of the two")
        self.document.keys.setdefault((*path, name), _mark(event))
        self._key[-1] = name

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1][0], dict) and self._key[-1] is None

    def _place(self, value: Any, event: Any) -> Path:
        """Put a value where it belongs and return its path."""
        path: Path
        if not self._open:
            path, self.document.value = (), value
        else:
            container, parent = self._open[-1]
            if isinstance(container, dict):
                name = self._key[-1]
                assert name is not None
                path, container[name] = (*parent, name), value
                self._key[-1] = None
            else:
                path = (*parent, len(container))
                container.append(value)
        self.document.values[path] = _mark(event)
        return path

    def _refuse(self, event: Any, message: str, fix: str, *, lost: bool = False) -> None:
        mark = _mark(event)
        self.document.findings.append(Finding(mark.line, mark.column, message, fix))
        self.is_lost = self.is_lost or lost


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _value(text: str, *, is_plain: bool) -> tuple[Any, tuple[str, str] | None]:
    """The value of a scalar, and what is wrong with it: message and fix."""
    if not is_plain:
        return text, None
    if text in ("true", "false"):
        return text == "true", None
    if text in _NULL_WORDS:
        return None, (
            "a key without a value" if not text else f"'{text}' is no value",
            "write a value, or delete the key",
        )
    if _BOOLEAN_WORDS.match(text):
        return None, (
            f"'{text}' is a word that YAML may read as true or false",
            "write true or false, or put the text in quotes",
        )
    if (_INTEGER.match(text) or _DECIMAL.match(text)) and len(text) > _MAX_DIGITS:
        return None, (
            f"a number of {len(text)} characters",
            "put it in quotes if it is a name, else write fewer digits",
        )
    if _INTEGER.match(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits.startswith("0"):
            return None, (f"'{text}' starts with a zero", f'write "{text}" in quotes if it is a name, else {int(text)}')
        return int(text), None
    if _DECIMAL.match(text):
        return float(text), None
    if _DATE.match(text):
        try:
            return date.fromisoformat(text), None
        except ValueError:
            return None, (f"{text} is no day of the calendar", "write a date that exists")
    if _WIDE_DIGITS.match(text):
        return None, (f"'{text}' is written with wide digits", "write the number with the digits 0 to 9")
    for pattern, what, fix in _LOOKS_ODD:
        if pattern.match(text):
            return None, (f"'{text}' is {what}", fix)
    return text, None
