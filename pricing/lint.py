"""`prices lint`: what is wrong with a rule book, and on tonight's data which rules never decide anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.book import parse_book
from pricing.bounds import line_bounds, line_rails
from pricing.conflicts import direction
from pricing.findings import Finding
from pricing.matching import holds_today, matches
from pricing.rules import Clearance, Freeze, Limit, Rule, RuleBook
from pricing.rules_yaml import Mark, Path, read_document
from pricing.suggest import priceable

__all__ = ["lint"]


def lint(
    text: str, *, currency: str | None = None, lines: pd.DataFrame | None = None, run_date: date | None = None
) -> list[Finding]:
    """Return the findings of a rule book, ordered by line and column; errors make `prices lint` end with exit code 2.

    Args:
        text: content of pricing_rules.yml.
        currency: the shop's.
        lines: tonight's lines; with them, rules that match nothing, that never decide, or that pull a SKU both ways
            are warned of, with a witness SKU.
        run_date: date of the lines; needed with them.

    Example:
        >>> [str(f) for f in lint("version: 2")][0][:31]
        "1:1: error: 'currency' is missi"
    """
    book, findings = parse_book(text, currency=currency)
    if book is None or lines is None or run_date is None:
        return findings
    return sorted([*findings, *_on_data(text, book, lines, run_date)])


def _on_data(text: str, book: RuleBook, lines: pd.DataFrame, run_date: date) -> list[Finding]:
    keys = read_document(text).values
    today = [(i, r) for i, r in enumerate(book.rules) if holds_today(r, run_date)]
    masks = {i: matches(rule.when, lines, run_date=run_date) for i, rule in today}
    found = []
    for position, (i, rule) in enumerate(today):
        mark = keys["rules", i, "id"]
        problem = _problem(i, rule, today[position + 1 :], masks, lines)
        if problem is not None:
            message, fix, witness = problem
            found.append(Finding(mark.line, mark.column, message, fix, "warning", rule.id, witness))
    found.extend(_bound_problems(book, keys, lines, run_date))
    return found


def _bound_problems(book: RuleBook, marks: dict[Path, Mark], lines: pd.DataFrame, run_date: date) -> Iterator[Finding]:
    """Ranges that are empty for a SKU of tonight, and clearances that go below cost."""
    kept = lines[priceable(lines)].reset_index(drop=True)
    rails = line_rails(book, kept, run_date=run_date)
    nothing = np.zeros(len(kept), dtype=bool)
    bounds = line_bounds(book, kept, rails, run_date=run_date, clears=nothing, frozen=nothing)
    low, high = bounds.hard_range()
    empty = low > high
    if empty.any():
        i = int(np.flatnonzero(empty)[0])
        names = sorted(
            {max(bounds.hard, key=lambda b: int(b[1][i]))[0], min(bounds.hard, key=lambda b: int(b[2][i]))[0]}
        )
        mark = marks["guardrails",]
        message = f"{int(empty.sum())} SKUs have no price left: {' and '.join(names)} exclude each other"
        yield Finding(mark.line, mark.column, message, "loosen one of them", "warning", None, _sku(kept, empty))
    cost, salvage = kept["unit_cost"].to_numpy(dtype=float), kept["salvage_value"].to_numpy(dtype=float)
    for i, rule in enumerate(book.rules):
        if not isinstance(rule, Clearance) or not holds_today(rule, run_date):
            continue
        below = matches(rule.when, kept, run_date=run_date) & np.isfinite(salvage) & (salvage > 0) & (salvage < cost)
        if below.any():
            mark = marks["rules", i, "id"]
            message = f"'{rule.id}' may price {int(below.sum())} SKUs below cost, down to the salvage value"
            fix = "each such price waits for a person; delete salvage_value to keep the cost floor"
            yield Finding(mark.line, mark.column, message, fix, "warning", rule.id, _sku(kept, below))


def _problem(
    i: int, rule: Rule, later: list[tuple[int, Rule]], masks: dict[int, npt.NDArray[np.bool_]], lines: pd.DataFrame
) -> tuple[str, str, str | None] | None:
    mine = masks[i]
    if not mine.any():
        return f"dead: '{rule.id}' matches no SKU tonight", "check its conditions", None
    if isinstance(rule, Limit | Freeze):
        return None
    deciding: list[tuple[int, Rule]] = [(j, other) for j, other in later if not isinstance(other, Limit)]
    hidden = np.zeros(len(mine), dtype=bool)
    for j, _ in deciding:
        hidden |= masks[j]
    if (mine & ~hidden).any():
        return _opposed(rule, mine, deciding, masks, lines)
    witness = _sku(lines, mine)
    return f"shadowed: rules below decide every SKU that '{rule.id}' matches tonight", "move it down", witness


def _opposed(
    rule: Rule,
    mine: npt.NDArray[np.bool_],
    deciding: list[tuple[int, Rule]],
    masks: dict[int, npt.NDArray[np.bool_]],
    lines: pd.DataFrame,
) -> tuple[str, str, str | None] | None:
    """A later rule that pulls some of the same SKUs the other way."""
    for j, other in deciding:
        if {direction(rule), direction(other)} == {"down", "up"} and (mine & masks[j]).any():
            message = f"contradiction: '{rule.id}' pulls {direction(rule)}, '{other.id}' below it {direction(other)}"
            return message, "narrow one of the two; the lower one wins", _sku(lines, mine & masks[j])
    return None


def _sku(lines: pd.DataFrame, mask: npt.NDArray[np.bool_]) -> str:
    return str(lines["sku"].to_numpy()[mask][0])
