"""The words of the reports in one language: texts, translated codes, numbers and dates as that language writes them.

A catalogue is one JSON file per language in ``locale/``. Texts must be there (a missing one is an error of ours);
codes come from other rooms' tables, so an unknown code is shown as it is instead of hiding the line.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["LANGUAGES", "Catalogue", "is_missing", "load_catalogue"]

LANGUAGES = ("en", "zh")
LOCALE_DIR = Path(__file__).parent / "locale"
DASH = "–"  # stands for "no value", so that an empty cell is never read as zero
MIXTURE = re.compile(r"[a-z_]+ [01]\.\d+( \+ [a-z_]+ [01]\.\d+)+")  # as the forecasts name their blends
MINUS = "−"  # the typographic minus is as wide as a digit and does not break off from its number


def is_missing(value: Any) -> bool:
    """Return whether a cell holds no value (None, NaN, NaT, pandas.NA).

    >>> [is_missing(None), is_missing(float("nan")), is_missing(0), is_missing("")]
    [True, True, False, False]
    """
    if value is None:
        return True
    if isinstance(value, str | list | tuple | dict):
        return False
    return bool(pd.isna(value))


@dataclass(frozen=True)
class Catalogue:
    """Texts of one language. ``texts`` maps dotted keys to templates, ``codes`` enum codes to words.

    ``phrases`` turn the fixed English phrases of checks and price trails, with their figures, into the language.
    """

    language: str
    texts: Mapping[str, str]
    codes: Mapping[str, str]
    months: tuple[str, ...]
    phrases: tuple[tuple[re.Pattern[str], str], ...] = ()

    def text(self, key: str, **values: Any) -> str:
        """Return the text of a key, its ``{placeholders}`` filled in.

        Raises:
            KeyError: if the catalogue has no such key, which a test rules out for every key in use.
        """
        template = self.texts[key]
        return template.format(**values) if values else template

    def code(self, code: Any) -> str:
        """Return the words for an enum code; a code nobody translated is shown as it is.

        ``surplus_12`` is the code ``surplus_N`` with its figure; ``a; b`` are two codes.

        >>> load_catalogue("en").code("surplus_12")
        'surplus of 12'
        """
        if is_missing(code) or code == "":
            return DASH
        text = str(code)
        if text in self.codes:
            return self.codes[text]
        if "; " in text:
            return "; ".join(self.code(part) for part in text.split("; "))
        if MIXTURE.fullmatch(text):
            return " + ".join(self._part(part) for part in text.split(" + "))
        stem, _, figure = text.rpartition("_")
        if figure.isdigit() and f"{stem}_N" in self.codes:
            return self.codes[f"{stem}_N"].format(n=self.number(int(figure)))
        return text

    def _part(self, part: str) -> str:
        """Return one model of a mixture with its weight: ``lightgbm 0.85`` is ``LightGBM 85%``."""
        model, _, weight = part.rpartition(" ")
        return f"{self.codes.get(model, model)} {self.percent(float(weight))}"

    def advice(self, check: Any, text: Any) -> str:
        """Return what to do about a check in the reader's language; where nobody translated it, as the check says."""
        return self.codes.get(f"advice:{check}") or self.phrase(text)

    def phrase(self, text: Any) -> str:
        """Return a free text with its fixed phrases in the reader's language; the rest stays as it is.

        >>> load_catalogue("zh").phrase("12 of 3400 rows")
        '3400 行中 12 行'
        """
        told = "" if is_missing(text) else str(text)
        for pattern, words in self.phrases:
            told = pattern.sub(words, told)
        return told

    def code_list(self, codes: Any) -> str:
        """Return several codes as one text, in the given order."""
        if not isinstance(codes, list | tuple) and not hasattr(codes, "tolist"):
            return DASH if is_missing(codes) or codes == "" else self.code(codes)
        return ", ".join(self.code(code) for code in list(codes)) or DASH

    def number(self, value: Any, *, digits: int = 0) -> str:
        """Return a number with thousands separators; ``digits`` decimals. NaN and None give a dash.

        >>> load_catalogue("en").number(-1234.5, digits=1)
        '−1,234.5'
        """
        if is_missing(value):
            return DASH
        figure = float(value)
        if not math.isfinite(figure):
            return "∞" if figure > 0 else MINUS + "∞"
        shown = f"{abs(figure):,.{digits}f}"
        negative = figure < 0 and any(c in "123456789" for c in shown)
        return (MINUS if negative else "") + shown

    def signed(self, value: Any, *, digits: int = 0) -> str:
        """Return a change with its sign: ``+3``, ``−2``, ``±0``."""
        if is_missing(value):
            return DASH
        shown = self.number(value, digits=digits)
        if not any(c in "123456789∞" for c in shown):
            return "±" + shown
        return shown if shown.startswith(MINUS) else "+" + shown

    def quantity(self, value: Any) -> str:
        """Return units: whole where they are whole, else with one decimal."""
        if is_missing(value):
            return DASH
        return self.number(value, digits=0 if float(value).is_integer() or abs(float(value)) >= 100 else 1)

    def percent(self, share: Any, *, digits: int = 0) -> str:
        """Return a share (0-1) as a percentage."""
        return DASH if is_missing(share) else self.number(float(share) * 100, digits=digits) + "%"

    def money(self, value: Any, *, digits: int = 2) -> str:
        """Return an amount without its currency, which stands in the heading."""
        return self.number(value, digits=digits)

    def day(self, value: Any, *, with_year: bool = True) -> str:
        """Return a calendar day: ``22 Nov 2026`` or ``2026年11月22日``."""
        if is_missing(value) or value == "":
            return DASH
        when = as_day(value)
        template = self.texts["format.day_year" if with_year else "format.day"]
        return template.format(year=when.year, month=self.months[when.month - 1], day=when.day)

    def near_day(self, value: Any, *, today: date) -> str:
        """Return a day, with its year only where that is not the run's year."""
        if is_missing(value) or value == "":
            return DASH
        return self.day(value, with_year=as_day(value).year != today.year)


def as_day(value: Any) -> date:
    """Return any of pandas', Python's or ISO text's days as a date."""
    if isinstance(value, datetime | pd.Timestamp):
        return value.date()
    if isinstance(value, date):
        return value
    return pd.Timestamp(value).date()


def as_float(value: Any, default: float = 0.0) -> float:
    """Return a cell as a finite float, or the default."""
    if is_missing(value):
        return default
    figure = float(value)
    return figure if math.isfinite(figure) else default


@cache
def load_catalogue(language: str) -> Catalogue:
    """Return the catalogue of ``en`` or ``zh``.

    Raises:
        ValueError: for a language there is no catalogue of.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, found {language!r} (shop.language)")
    raw = json.loads((LOCALE_DIR / f"{language}.json").read_text(encoding="utf-8"))
    texts = dict(_flat({key: part for key, part in raw.items() if key not in ("codes", "months")}))
    book = LOCALE_DIR / f"phrases.{language}.json"
    pairs = json.loads(book.read_text(encoding="utf-8")) if book.is_file() else []
    return Catalogue(
        language=language,
        texts=texts,
        codes=raw["codes"],
        months=tuple(raw["months"]),
        phrases=tuple((re.compile(pattern), words) for pattern, words in pairs),
    )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, part in tree.items():
        if isinstance(part, Mapping):
            pairs += _flat(part, f"{prefix}{key}.")
        else:
            pairs.append((prefix + key, part))
    return pairs
