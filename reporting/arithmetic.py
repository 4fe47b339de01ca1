"""The arithmetic of one order line in words: the same terms as the ``why_*`` columns, nothing else.

A line's terms become *clauses* (a key and its figures). The page fills in the words of its language when a line is
unfolded; ``in_words`` does it here, for the terminal. The running total of the clauses ends at ``order_qty`` on every
line whose why columns add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from reporting.catalogue import Catalogue, as_float, is_missing

__all__ = ["STEPS", "WHY_TERMS", "Clause", "clauses", "in_words"]

WHY_TERMS = (
    "why_need",
    "why_lost_sales",
    "why_position",
    "why_buffer",
    "why_surplus",
    "why_round",
    "why_moq",
    "why_pack",
    "why_cap",
    "why_max_order",
    "why_capacity",
    "why_budget",
    "why_set",
    "why_transfer",
    "why_off_date",
    "why_override",
)
"""The terms in the order in which they are told; they add up to order_qty in any order."""

STEPS = ("why_cap", "why_max_order", "why_capacity", "why_budget", "why_set", "why_transfer", "why_off_date",
         "why_override")  # fmt: skip


@dataclass(frozen=True)
class Clause:
    """One part of the sentence. Figures are numbers; ``d21`` is the day 21 days after D, ``p0.95`` a share."""

    key: str
    figures: tuple[float | int | str, ...] = ()


def clauses(line: Mapping[str, Any]) -> list[Clause]:
    """Return the clauses of one plan line, in the order of the calculation.

    Args:
        line: one row of ``restock_plan``.

    Example:
        >>> line = {"why_need": 360, "why_lost_sales": -38, "why_position": -150, "why_buffer": 90, "why_pack": 2,
        ...     "lead_time_days": 14, "review_period_days": 7, "on_hand": 120, "on_order": 40, "backorders": 10,
        ...     "preorders_open": 0, "inventory_position": 150, "service_level": 0.95, "min_order_qty": 100,
        ...     "pack_size": 24, "order_qty": 264}
        >>> [clause.key for clause in clauses(line)]
        ['need', 'lost', 'have_sum', 'buffer', 'sum', 'moq_met', 'pack', 'total']
    """
    term = {name: _whole(line.get(name)) for name in WHY_TERMS}
    days = _days(line.get("lead_time_days")) + _days(line.get("review_period_days"))
    parts = [Clause("need", (term["why_need"], days, f"d{days}"))]
    if term["why_lost_sales"]:
        parts.append(Clause("lost", (-term["why_lost_sales"],)))
    parts.append(_have(line, position=-term["why_position"]))
    parts += _buffer(line, buffer=term["why_buffer"])
    running = sum(term[name] for name in WHY_TERMS[:4])
    if term["why_surplus"]:
        parts.append(Clause("surplus", (term["why_surplus"],)))
        running += term["why_surplus"]
    running += term["why_round"]
    parts.append(Clause("sum", (running,)))
    parts += _legal(line, term=term, running=running)
    running += term["why_moq"] + term["why_pack"]
    for name in STEPS:
        if term[name]:
            running += term[name]
            parts.append(Clause(name[4:], (term[name], running)))
    parts.append(Clause("total", (_whole(line.get("order_qty")),)))
    return parts


def in_words(line: Mapping[str, Any], *, words: Catalogue, today: date) -> str:
    """Return the sentence for one plan line in the reader's language."""
    told = []
    for clause in clauses(line):
        figures = [_figure(figure, words=words, today=today) for figure in clause.figures]
        told.append(words.texts["why." + clause.key].format(*figures))
    return words.texts["why.joint"].join(told) + words.texts["why.stop"]


def _have(line: Mapping[str, Any], *, position: int) -> Clause:
    parts = [_whole(line.get(name)) for name in ("on_hand", "on_order", "backorders", "preorders_open")]
    if parts[0] + parts[1] - parts[2] - parts[3] == position:
        return Clause("have_sum" if not parts[3] else "have_preorders", (position, *parts[: 3 + bool(parts[3])]))
    return Clause("have", (position,))


def _buffer(line: Mapping[str, Any], *, buffer: int) -> list[Clause]:
    if not buffer:
        return []
    level = line.get("service_level")
    share = f"p{as_float(level)}" if not is_missing(level) else ""
    if not share:
        return [Clause("buffer_plain" if buffer > 0 else "buffer_less_plain", (abs(buffer),))]
    return [Clause("buffer" if buffer > 0 else "buffer_less", (abs(buffer), share))]


def _legal(line: Mapping[str, Any], *, term: Mapping[str, int], running: int) -> list[Clause]:
    """Return the clauses of minimum order and packs; a rule that was met without a change is said only on an order."""
    parts: list[Clause] = []
    moq, pack = _whole(line.get("min_order_qty")), _whole(line.get("pack_size"))
    if term["why_moq"]:
        parts.append(Clause("moq", (moq, running + term["why_moq"])))
    elif moq > 1 and running > 0:
        parts.append(Clause("moq_met", (moq,)))
    after = running + term["why_moq"]
    if term["why_pack"]:
        parts.append(Clause("pack", (pack, after + term["why_pack"])))
    elif pack > 1 and after > 0:
        parts.append(Clause("pack_met", (pack,)))
    return parts


def _figure(figure: float | str, *, words: Catalogue, today: date) -> str:
    if isinstance(figure, str) and figure.startswith("d"):
        return words.near_day(today + timedelta(days=int(figure[1:])), today=today)
    if isinstance(figure, str):
        return words.percent(float(figure[1:]), digits=0 if round(float(figure[1:]) * 1000) % 10 == 0 else 1)
    return words.quantity(figure)


def _whole(value: Any) -> int:
    return round(as_float(value))


def _days(value: Any) -> int:
    return round(as_float(value))
