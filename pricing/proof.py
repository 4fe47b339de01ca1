"""What a rule book can do at most, for any data: interval arithmetic over its closed grammar.

A rule is a formula in a few numbers, so the range of its target over all data is an interval of ratios to the current
price; guardrails cut that interval. Nothing is sampled: what is stated holds for every SKU, number and night.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pricing.conflicts import merged_guardrails
from pricing.rules import Freeze, Guardrails, Limit, Markdown, Markup, MatchCompetitor, Optimise, Rule, RuleBook

__all__ = ["Reach", "proof_text", "reaches"]


@dataclass(frozen=True)
class Reach:
    """How far a rule can move a price in a night without a person: ratios to the current price."""

    rule_id: str
    low: float
    high: float


def reaches(book: RuleBook) -> list[Reach]:
    """Return the reach of every rule that sets a target, under the loosest guardrails that any scope gives.

    The target's interval is intersected with the daily cap's; the current price lies in the cap, so the result is
    never empty. Rounding to the grid goes toward the current price and never leaves the interval.
    """
    cap = max(g.max_change_percent_per_day for g in _every_guardrails(book)) / 100
    found = []
    for rule in book.rules:
        if isinstance(rule, Limit | Freeze):
            continue
        low, high = _target(rule)
        # the price goes toward its target and stops at the cap: the hull of the current price and the cut interval
        found.append(Reach(rule.id, min(1.0, max(low, 1 - cap)), max(1.0, min(high, 1 + cap))))
    return found


def _every_guardrails(book: RuleBook) -> list[Guardrails]:
    """The shop's guardrails, and those that any set of scopes together may make of them, number by number."""
    return [book.guardrails, *(merged_guardrails(book.guardrails, scope.guardrails) for scope in book.scopes)]


def _target(rule: Rule) -> tuple[float, float]:
    """The interval of the target over all data, as ratios to the current price."""
    if isinstance(rule, Markdown) and rule.of == "current":
        return 1 - rule.percent / 100, 1 - rule.percent / 100
    if isinstance(rule, Markup) and rule.of == "current":
        return 1 + rule.percent / 100, 1 + rule.percent / 100
    if isinstance(rule, MatchCompetitor | Optimise):
        return 1 - rule.within_percent / 100, 1 + rule.within_percent / 100
    if rule.type == "clearance":
        return 0.0, 1.0
    return 0.0, math.inf  # of other prices than the current one: anything


def proof_text(book: RuleBook) -> list[str]:
    """Return what is proved of a book, a line each, in a merchandiser's words."""
    margin = min(g.min_margin_percent for g in _every_guardrails(book))
    cap = max(g.max_change_percent_per_day for g in _every_guardrails(book))
    lines = [
        "proved for any data, of every price that no person has to approve:",
        f"  never below unit cost plus {margin:g} % margin, never below the licensor's minimum",
        f"  never moved by more than {cap:g} % in a night",
    ]
    month = book.guardrails.max_change_percent_per_30_days
    if month is not None:
        lines.append(f"  never further than {month:g} % from any price of the last 30 days (scopes may differ)")
    for reach in reaches(book):
        lines.append(f"  {reach.rule_id}: {(reach.low - 1) * 100:+.1f} % to {(reach.high - 1) * 100:+.1f} % in a night")
    return lines
