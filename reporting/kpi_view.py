"""The five numbers in words: on the restock page, in the mail and in the chat they are written by the same hand."""

from __future__ import annotations

from dataclasses import dataclass

from reporting.catalogue import DASH, Catalogue
from reporting.headline import Headline

__all__ = ["COUNTED", "Kpi", "kpis"]

COUNTED = ("lines_to_order", "order_value", "skus_at_risk", "excess_value")
MONEY = ("order_value", "excess_value")
FILTERS = {"lines_to_order": "today=to_order", "skus_at_risk": "danger=at_risk"}
"""Which filter of the list shows the lines behind a number."""


@dataclass(frozen=True)
class Kpi:
    """One of the five numbers: its words, its figure, what it was before, and the change.

    Attributes:
        key: its name.
        label: what it is.
        figure: as written.
        unit: the currency of an amount, else empty.
        note: how to read it.
        change: against the run before.
        raw: the figure for machines; empty where it is not known.
        filter: column and code of the list's filter that shows its lines; empty: none.
    """

    key: str
    label: str
    figure: str
    unit: str
    note: str
    change: str
    raw: str
    filter: str = ""


def kpis(now: Headline, before: Headline | None, *, words: Catalogue, currency: str) -> list[Kpi]:
    """Return the five numbers in the reader's language."""
    return [_counted(key, now, before, words=words, currency=currency) for key in COUNTED] + [
        _accuracy(now, before, words=words)
    ]


def _counted(key: str, now: Headline, before: Headline | None, *, words: Catalogue, currency: str) -> Kpi:
    figure: float | None = getattr(now, key)
    earlier: float | None = None if before is None else getattr(before, key)
    if figure is None or earlier is None:
        change = words.text("kpi.first")
    else:
        change = words.text("kpi.change", change=words.signed(figure - earlier))
    note = words.text(f"kpi.{key}.note", lines=words.number(now.lines_at_risk))
    if key in MONEY and now.lines_without_cost:
        note = words.text("kpi.no_cost", lines=words.number(now.lines_without_cost))
    return Kpi(
        key=key,
        label=words.text(f"kpi.{key}.label"),
        figure=words.number(figure),
        unit=currency if key in MONEY else "",
        note=note,
        change=change if before is None or figure is not None else "",
        raw="" if figure is None else repr(figure),
        filter=FILTERS.get(key, "") if figure else "",
    )


def _accuracy(now: Headline, before: Headline | None, *, words: Catalogue) -> Kpi:
    bias = DASH if now.bias is None else words.signed(now.bias * 100, digits=1) + "%"
    if before is None or before.wape is None or now.wape is None:
        change = words.text("kpi.first")
    else:
        points = words.text("kpi.points", points=words.signed((now.wape - before.wape) * 100, digits=1))
        change = words.text("kpi.change", change=points)
    return Kpi(
        key="accuracy",
        label=words.text("kpi.accuracy.label"),
        figure=words.percent(now.wape, digits=1),
        unit="",
        note=words.text("kpi.accuracy.bias", bias=bias),
        change=change,
        raw="" if now.wape is None else repr(now.wape),
    )
