"""What the rules want: a target price a line, the rule that set it, and limits that rules add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.guardrails import Cents, Flags, Soft, floor_for_margin, to_cents
from pricing.matching import holds_today, matches
from pricing.rules import (
    Clearance,
    EventPrice,
    Freeze,
    Ladder,
    LaunchPrice,
    Limit,
    Markdown,
    Markup,
    MatchCompetitor,
    Rule,
    RuleBook,
    SetPrice,
)

__all__ = [
    "EXPLORATION",
    "HELD_OUT",
    "OVERRIDE",
    "PLANNED_PRICE",
    "SWITCHBACK",
    "Optimiser",
    "Targets",
    "rule_limits",
    "targets",
    "with_arms",
]

OVERRIDE, PLANNED_PRICE = "override", "planned_price"
EXPLORATION, HELD_OUT, SWITCHBACK = "exploration", "holdout", "switchback"
_NO_PRICE = 10**11

Optimiser = Callable[[npt.NDArray[np.bool_], float], Cents]
"""Gives the best price in cents of the lines in a mask, within so many percent; the current one where it has none."""


@dataclass
class Targets:
    """What the rules want of n lines.

    Attributes:
        target: [cents]; the current price where nothing is wanted.
        decider: index into ``names`` of the rule that set the target, -1: none.
        rule_ids: all rules that matched, in the order of the book, a list a line.
        frozen: a freeze matched, or a price is already planned.
        freezer: index into ``names`` of what froze the line, -1: nothing.
        clears: a clearance set the target: the floor is the salvage value.
        needs_approval: the rule that set the target asks for a person.
        names: ids, in the order of the book; then override and planned price.
        follows: the line does what most of its style does, whether or not it meets the rule's conditions itself.
    """

    target: Cents
    decider: npt.NDArray[np.int64]
    rule_ids: list[list[str]]
    frozen: Flags
    freezer: npt.NDArray[np.int64]
    clears: Flags
    needs_approval: Flags
    names: list[str] = field(default_factory=list)
    follows: Flags = field(default_factory=lambda: np.zeros(0, dtype=bool))


def rule_limits(book: RuleBook, lines: pd.DataFrame, *, run_date: date) -> tuple[Soft, ...]:
    """Return the hard bounds that ``limit`` rules add, one each [cents]."""
    n = len(lines)
    bounds: list[Soft] = []
    for rule in book.rules:
        if not isinstance(rule, Limit) or not holds_today(rule, run_date):
            continue
        mask = matches(rule.when, lines, run_date=run_date)
        low, high = np.zeros(n, dtype=np.int64), np.full(n, _NO_PRICE, dtype=np.int64)
        if rule.min_price is not None:
            low = np.where(mask, round(rule.min_price * 100), low)
        if rule.max_price is not None:
            high = np.where(mask, round(rule.max_price * 100), high)
        if rule.min_margin_percent is not None:
            cost = lines["unit_cost"].to_numpy(dtype=float)
            low = np.maximum(low, np.where(mask, floor_for_margin(cost, np.full(n, rule.min_margin_percent)), 0))
        bounds.append((rule.id, low, high))
    return tuple(bounds)


def targets(book: RuleBook, lines: pd.DataFrame, *, run_date: date, optimiser: Optimiser) -> Targets:
    """Return what the rules of the book want of each line; the last rule that sets a target wins.

    An override of the day wins over every rule. A freeze or a planned price keeps the current price whatever else
    wants to move it.
    """
    n = len(lines)
    current = to_cents(lines["current_price"].to_numpy(dtype=float))
    found = Targets(
        target=current.copy(),
        decider=np.full(n, -1, dtype=np.int64),
        rule_ids=[[] for _ in range(n)],
        frozen=np.zeros(n, dtype=bool),
        freezer=np.full(n, -1, dtype=np.int64),
        clears=np.zeros(n, dtype=bool),
        needs_approval=np.zeros(n, dtype=bool),
        follows=np.zeros(n, dtype=bool),
        names=[*(r.id for r in book.rules), OVERRIDE, PLANNED_PRICE, EXPLORATION, HELD_OUT, SWITCHBACK],
    )
    for number, rule in enumerate(book.rules):
        if holds_today(rule, run_date):
            _apply(found, number, rule, lines, current, run_date, optimiser)
    _apply_override(found, lines, len(book.rules))
    planned = lines["has_planned_price"].to_numpy(dtype=bool)
    found.freezer = np.where(planned & ~found.frozen, len(book.rules) + 1, found.freezer)
    found.frozen = found.frozen | planned
    return found


def with_arms(found: Targets, held_out: Flags, tried: Cents, current: Cents, level_price: Cents) -> Targets:
    """Return the targets with holdouts kept as they are, trials where nothing else wants to move a price, and levels.

    A level of a switchback (0: none) stands above the rules: only a freeze, a planned price or an override of the day
    keeps its style from it.
    """
    level, trial, override = len(found.names) - 1, len(found.names) - 3, len(found.names) - 5
    switched = (level_price > 0) & ~found.frozen & (found.decider != override)
    explores = (tried != current) & (found.target == current) & ~found.frozen & ~switched
    held = held_out & ~found.frozen & (found.decider != override) & ~switched
    return replace(
        found,
        target=np.where(switched, level_price, np.where(explores, tried, found.target)),
        decider=np.where(switched, level, np.where(explores, trial, found.decider)),
        clears=found.clears & ~explores & ~switched,
        needs_approval=found.needs_approval & ~switched,
        freezer=np.where(held, trial + 1, found.freezer),
        frozen=found.frozen | held,
    )


def _apply(
    found: Targets, number: int, rule: Rule, lines: pd.DataFrame, current: Cents, run_date: date, optimiser: Optimiser
) -> None:
    mask = matches(rule.when, lines, run_date=run_date)
    if isinstance(rule, Freeze):
        found.freezer = np.where(mask & ~found.frozen, number, found.freezer)
        found.frozen = found.frozen | mask
    elif not isinstance(rule, Limit):
        wanted, has_one = _wanted(rule, lines, current, mask, run_date, optimiser)
        mask = mask & has_one
        found.target = np.where(mask, wanted, found.target)
        found.decider = np.where(mask, number, found.decider)
        found.clears = np.where(mask, isinstance(rule, Clearance), found.clears)
        found.needs_approval = np.where(mask, rule.needs_approval, found.needs_approval)
    for i in np.flatnonzero(mask):
        found.rule_ids[int(i)].append(rule.id)


def _apply_override(found: Targets, lines: pd.DataFrame, number: int) -> None:
    price = lines["override_price"].to_numpy(dtype=float)
    mask = np.isfinite(price) & (price > 0)
    found.target = np.where(mask, to_cents(price), found.target)
    found.decider = np.where(mask, number, found.decider)
    found.clears = np.where(mask, False, found.clears)
    found.needs_approval = np.where(mask, False, found.needs_approval)
    for i in np.flatnonzero(mask):
        found.rule_ids[int(i)].append(OVERRIDE)


def _wanted(
    rule: Rule, lines: pd.DataFrame, current: Cents, mask: Flags, run_date: date, optimiser: Optimiser
) -> tuple[Cents, Flags]:
    """The target of a rule for every line, and whether it has one there."""
    always = np.ones(len(lines), dtype=bool)
    if isinstance(rule, Markdown | Markup):
        sign = -1.0 if isinstance(rule, Markdown) else 1.0
        basis = to_cents(lines[f"{rule.of}_price"].to_numpy(dtype=float))
        return _times(basis, 100.0 + sign * rule.percent), basis > 0
    if isinstance(rule, SetPrice):
        return np.full(len(lines), round(rule.price * 100), dtype=np.int64), always
    if isinstance(rule, MatchCompetitor):
        median = to_cents(lines["competitor_median"].to_numpy(dtype=float))
        low, high = _times(current, 100.0 - rule.within_percent), _times(current, 100.0 + rule.within_percent)
        return np.clip(_times(median, 100.0 + rule.offset_percent), low, high), median > 0
    if isinstance(rule, Clearance):
        return _cleared(rule, lines, current, run_date)
    if isinstance(rule, Ladder):
        return _on_rungs(rule, lines)
    if isinstance(rule, LaunchPrice | EventPrice):
        return _below_list(rule, lines, run_date)
    assert rule.type == "optimise"
    best = optimiser(mask, rule.within_percent)
    return best, best != current


def _on_rungs(rule: Ladder, lines: pd.DataFrame) -> tuple[Cents, Flags]:
    """The median price of the family, so much higher or lower on each rung."""
    family = to_cents(lines["family_price"].to_numpy(dtype=float))
    percent = np.full(len(lines), np.nan)
    for rung in rule.rungs:
        percent = np.where(lines[rule.by].isin(list(rung.values)).to_numpy(), rung.percent, percent)
    known = np.isfinite(percent) & (family > 0)
    return _times(family, 100.0 + np.where(known, percent, 0.0)), known


def _below_list(rule: LaunchPrice | EventPrice, lines: pd.DataFrame, run_date: date) -> tuple[Cents, Flags]:
    """A price below the list price while it lasts, the list price on the way back."""
    list_price = to_cents(lines["list_price"].to_numpy(dtype=float))
    n = len(lines)
    if isinstance(rule, LaunchPrice):
        age = lines["age_days"].to_numpy(dtype=float)
        lasts, back = age < rule.days, (age >= rule.days) & (age < rule.days + rule.return_days)
    else:
        lasts = np.full(n, rule.to_date is None or run_date <= rule.to_date)
        back = ~lasts
    return _times(list_price, 100.0 - np.where(lasts, rule.percent, 0.0)), (lasts | back) & (list_price > 0)


def _cleared(rule: Clearance, lines: pd.DataFrame, current: Cents, run_date: date) -> tuple[Cents, Flags]:
    """A cut of the list price that grows evenly up to the last day; never a rise; not for what sells out."""
    left = lines["days_to_end_of_sale"].to_numpy(dtype=float)
    if rule.by_date is not None:
        left = np.full(len(lines), float(max((rule.by_date - run_date).days, 0)))
    cover = lines["days_of_cover"].to_numpy(dtype=float)
    applies = np.isfinite(left) & (left <= rule.start_days) & (cover > left)
    share = np.where(applies, (rule.start_days - left) / rule.start_days, 0.0)
    list_price = lines["list_price"].to_numpy(dtype=float)
    basis = to_cents(np.where(np.isfinite(list_price), list_price, lines["regular_price"].to_numpy(dtype=float)))
    cut = np.minimum(_times(basis, 100.0 - rule.percent_at_end * share), current)
    return cut, applies & (basis > 0)


def _times(cents: Cents, percent: float | npt.NDArray[np.float64]) -> Cents:
    """Cents times a percentage, to the nearest cent, in integers: percentages have four decimals."""
    scaled = np.rint(np.asarray(percent) * 10_000).astype(np.int64)
    return np.asarray((cents * scaled + 500_000) // 1_000_000, dtype=np.int64)
