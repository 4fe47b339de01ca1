"""How a target became a price, in a merchandiser's words: the clamp trail and the binding rule of each line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.bounds import LineRails
from pricing.guardrails import Bounds, Clamped
from pricing.matching import condition_numbers, witness_text
from pricing.rules import (
    Clearance,
    EventPrice,
    Ladder,
    LaunchPrice,
    Markdown,
    Markup,
    MatchCompetitor,
    Optimise,
    Rule,
    RuleBook,
    SetPrice,
)
from pricing.targets import Targets

__all__ = ["SEPARATOR", "binding_rules", "trails"]

SEPARATOR = ";  "
_PERCENT_BOUNDS = {
    "min_margin": ("min_margin", "min_margin_percent"),
    "family_band": ("family_band", "family_band_percent"),
    "max_change_per_day": ("max_change_per_day", "max_change_percent_per_day"),
    "max_change_per_30_days": ("max_change_per_30_days", "max_change_percent_per_30_days"),
    "min_percent_of_list_price": ("list_price_floor", "min_percent_of_list_price"),
    "max_percent_of_list_price": ("list_price_ceiling", "max_percent_of_list_price"),
}


def binding_rules(wanted: Targets, bounds: Bounds, result: Clamped, rails: LineRails) -> list[str | None]:
    """Return the name of the rule or guardrail that decided each price, None where nothing asks for a change.

    The last one to move the price names the line: the grid, else the bound it met, else the rule.
    """
    return [_binding(i, wanted, bounds, result, rails) for i in range(len(bounds.current))]


def _binding(i: int, wanted: Targets, bounds: Bounds, result: Clamped, rails: LineRails) -> str | None:
    asks = wanted.target[i] != bounds.current[i] or result.breaks_hard[i]
    if wanted.freezer[i] >= 0:
        return wanted.names[int(wanted.freezer[i])] if asks else None
    if result.is_empty[i]:
        return _at_odds(i, bounds)
    if not asks:
        return None
    if result.on_grid[i]:
        return _grid_name(i, rails)
    for name in (result.low_name[i], result.high_name[i]):
        if name >= 0:
            return result.names[int(name)]
    return wanted.names[int(wanted.decider[i])] if wanted.decider[i] >= 0 else None


def _at_odds(i: int, bounds: Bounds) -> str:
    """The two hard bounds that leave no price."""
    low = max(bounds.hard, key=lambda b: int(b[1][i]))[0]
    high = min(bounds.hard, key=lambda b: int(b[2][i]))[0]
    return f"{low} > {high}"


def _grid_name(i: int, rails: LineRails) -> str:
    return "price_ending" if np.isfinite(rails["price_ending"][i]) else "price_step"


def trails(
    lines: pd.DataFrame, book: RuleBook, wanted: Targets, bounds: Bounds, result: Clamped, rails: LineRails
) -> list[str | None]:
    """Return the clamp trail of each line, None where nothing asks for a change.

    "clear_slow: 164 days of cover (>= 120) -> -10 % = 241.20;  price_ending .90 -> 241.90"
    """
    asks = (wanted.target != bounds.current) | result.breaks_hard | result.is_empty
    texts: list[str | None] = [None] * len(lines)
    numbers = condition_numbers(lines)
    for i in np.flatnonzero(asks):
        parts = [_rule_part(int(i), numbers, book, wanted), *_bound_parts(int(i), wanted, bounds, result, rails)]
        texts[int(i)] = SEPARATOR.join(p for p in parts if p)
    return texts


def _rule_part(i: int, numbers: dict[str, npt.NDArray[np.float64]], book: RuleBook, wanted: Targets) -> str:
    number = int(wanted.decider[i])
    if number < 0:
        return ""
    price = _money(wanted.target[i])
    if number >= len(book.rules):
        return f"{wanted.names[number]} -> {price}"
    rule = book.rules[number]
    if wanted.follows[i]:
        return f"{rule.id}: with the rest of its style -> {_step(rule)} = {price}"
    why = witness_text(rule.when, numbers, i)
    return f"{rule.id}: {why + ' ' if why else ''}-> {_step(rule)} = {price}".replace("->  =", "->")


def _step(rule: Rule) -> str:
    """What a rule asks for, in short."""
    if isinstance(rule, Markdown | Markup):
        sign = "-" if isinstance(rule, Markdown) else "+"
        of = "" if rule.of == "current" else f" of the {rule.of} price"
        return f"{sign}{rule.percent:g} %{of}"
    if isinstance(rule, MatchCompetitor):
        return "competitors' median" + (f" {rule.offset_percent:+g} %" if rule.offset_percent else "")
    if isinstance(rule, Clearance):
        return f"clearance down to -{rule.percent_at_end:g} %"
    if isinstance(rule, Ladder):
        return f"rung of the {rule.by} in its family"
    if isinstance(rule, LaunchPrice | EventPrice):
        return f"-{rule.percent:g} % of the list price while it lasts, then the list price"
    if isinstance(rule, Optimise):
        return "best expected margin"
    assert isinstance(rule, SetPrice)
    return "set"


def _bound_parts(i: int, wanted: Targets, bounds: Bounds, result: Clamped, rails: LineRails) -> list[str]:
    if wanted.freezer[i] >= 0:
        return [f"{wanted.names[int(wanted.freezer[i])]}: no change"]
    if result.is_empty[i]:
        return [f"no price left: {_at_odds(i, bounds)}"]
    parts = []
    stays = result.price[i] == bounds.current[i]
    for name in (result.low_name[i], result.high_name[i]):
        if name >= 0:
            label = _label(result.names[int(name)], i, rails)
            ends = stays and result.inside[i] == bounds.current[i]
            note = ": already at the floor" if name == result.low_name[i] else ": already at the ceiling"
            is_cap = result.names[int(name)] == "cooldown"
            end = (": no change" if is_cap else note) if ends else ""
            parts.append(f"{label} -> {_money(result.inside[i])}{end}")
    if result.on_grid[i]:
        parts.append(f"{_grid_label(i, rails)} -> {_money(result.price[i])}{': no step left' if stays else ''}")
    elif result.dropped[i] > 0:
        parts.append(f"given up to reach it: {', '.join(_dropped(i, bounds, result, rails))}")
    return parts


def _dropped(i: int, bounds: Bounds, result: Clamped, rails: LineRails) -> list[str]:
    soft = [name for name, _, _ in bounds.soft]
    return [_grid_name(i, rails), *soft[: max(int(result.dropped[i]) - 1, 0)]]


def _label(name: str, i: int, rails: LineRails) -> str:
    if name in _PERCENT_BOUNDS:
        label, key = _PERCENT_BOUNDS[name]
        return f"{label} {rails[key][i]:g} %"
    if name == "cooldown":
        return f"cooldown {rails['cooldown_days'][i]:g} days"
    return name


def _grid_label(i: int, rails: LineRails) -> str:
    ending = rails["price_ending"][i]
    if np.isfinite(ending):
        return f"price_ending {ending:.2f}".replace(" 0.", " .")
    return f"price_step {rails['price_step'][i]:g}"


def _money(cents: int | np.int64) -> str:
    return f"{int(cents) / 100:.2f}"
