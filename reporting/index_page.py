"""The index of published runs: one line a run, by date, with its status, what changed and where its reports are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from reporting.catalogue import Catalogue, load_catalogue
from reporting.page import PAGES, Frame, file_name, render

__all__ = ["CHANGES", "IndexRow", "RunEntry", "index_html", "index_name", "index_rows", "month_word"]

CHANGES = ("new", "gone", "up", "down")
MOST_MISSING = 14  # nights without a run that are named one by one; a longer gap is one row [days]


@dataclass(frozen=True)
class RunEntry:
    """What the index says about one published run.

    Attributes:
        run_date: its business date.
        checks: how many checks passed, warned and failed.
        lines_to_order: released lines with a quantity.
        order_value: their value [shop.currency].
        expedite: lines that run out before the next receipt.
        changes: orders that are new, gone, up or down against the run before.
        files: reports of the run that are there.
        versions: how often this date was published.
    """

    run_date: date
    checks: Mapping[str, int]
    lines_to_order: int
    order_value: float
    expedite: int
    changes: Mapping[str, int]
    files: frozenset[str] = frozenset()
    versions: int = 1


@dataclass(frozen=True)
class IndexRow:
    """One row of the page: a run, or nights on which nothing was published."""

    run: RunEntry | None
    first: date
    last: date
    is_current: bool = False
    links: tuple[tuple[str, str], ...] = field(default=())

    @property
    def status(self) -> str:
        """``fail``, ``warn`` or ``pass`` for a run, ``missing`` for nights without one."""
        if self.run is None:
            return "missing"
        return next((s for s in ("fail", "warn") if self.run.checks.get(s)), "pass")


def index_name(language: str, *, main_language: str) -> str:
    """Return the index page's file name in ``published/``."""
    return "index.html" if language == main_language else f"index.{language}.html"


def index_rows(
    runs: Sequence[RunEntry], *, words: Catalogue, main_language: str, expected_days: int | None
) -> list[IndexRow]:
    """Return the rows of the page, the latest first.

    Args:
        runs: the published runs, one a date.
        words: catalogue of the page.
        main_language: ``shop.language``.
        expected_days: days from one run to the next; a longer pause is shown as missing. None: not known.
    """
    rows: list[IndexRow] = []
    ordered = sorted(runs, key=lambda run: run.run_date, reverse=True)
    for older, run in zip([*ordered[1:], None], ordered, strict=True):
        links = tuple(
            (words.text(f"page.{page}"), f"{run.run_date}/reports/{name}")
            for page in PAGES
            if (name := file_name(page, words.language, main_language=main_language)) in run.files
        )
        if "restock.xlsx" in run.files:
            links += ((words.text("index.workbook"), f"{run.run_date}/reports/restock.xlsx"),)
        rows.append(IndexRow(run, run.run_date, run.run_date, is_current=run is ordered[0], links=links))
        if older is not None and expected_days:
            rows += _missing(older.run_date, run.run_date, step=expected_days)
    return rows


def index_html(
    runs: Sequence[RunEntry],
    *,
    shop: str,
    currency: str,
    language: str,
    main_language: str,
    expected_days: int | None = None,
) -> str:
    """Return the index page in one language; links are relative to ``published/``."""
    words = load_catalogue(language)
    rows = index_rows(runs, words=words, main_language=main_language, expected_days=expected_days)
    latest = rows[0].first if rows else None
    subtitle = words.text(
        "index.subtitle",
        shop=shop,
        runs=words.number(len(runs)),
        date=words.day(latest) if latest else words.text("header.unknown"),
    )
    frame = Frame("index", words, main_language, words.text("index.title"), subtitle, folder="current/reports/")
    return render("index.html.j2", frame, rows=rows, months=_months(rows, words=words), currency=currency)


def month_word(day: date, *, words: Catalogue) -> str:
    """Return the month of a day as a heading: ``Nov 2026``, ``2026年11月``."""
    return words.text("index.month", year=day.year, month=words.months[day.month - 1])


def _months(rows: Sequence[IndexRow], *, words: Catalogue) -> list[tuple[str, list[IndexRow]]]:
    """Return the rows by month, the latest month first."""
    grouped: dict[str, list[IndexRow]] = {}
    for row in rows:
        grouped.setdefault(month_word(row.last, words=words), []).append(row)
    return list(grouped.items())


def _missing(older: date, newer: date, *, step: int) -> list[IndexRow]:
    """Return the run dates between two runs that have none, the latest first; a long pause as one row."""
    days: list[Any] = []
    day = newer - timedelta(days=step)
    while day > older:
        days.append(day)
        day -= timedelta(days=step)
    if len(days) > MOST_MISSING:
        return [IndexRow(None, days[-1], days[0])]
    return [IndexRow(None, day, day) for day in days]
