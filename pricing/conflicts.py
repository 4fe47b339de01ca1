"""What a well-formed rule book may still get wrong: empty ranges, rules that never decide, rules at odds.

All of it is found without data, from the conditions alone: a condition is a set of values or an interval a field,
so whether one rule's SKUs contain another's, or can overlap with them, is a question of sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pricing.rules import (
    Clearance,
    EventPrice,
    Freeze,
    Guardrails,
    Ladder,
    Limit,
    Markdown,
    Markup,
    PartialGuardrails,
    Rule,
    RuleBook,
    SetPrice,
    When,
)
from pricing.rules_yaml import Path

__all__ = ["Complaint", "book_complaints", "can_overlap", "covers", "direction"]

_RANGES = ("days_of_cover", "age_days", "margin_percent", "price", "on_hand", "weekly_units", "trend_heat")
RANGES = (*_RANGES, "days_to_end_of_sale")
SETS = tuple(name for name in When.model_fields if name != "all" and not name.startswith(("min_", "max_")))


@dataclass(frozen=True)
class Complaint:
    """Something wrong at a path of the book."""

    path: Path
    message: str
    fix: str
    severity: Literal["error", "warning"] = "error"
    rule_id: str | None = None


def book_complaints(book: RuleBook, *, currency: str | None) -> list[Complaint]:
    """Return everything that is wrong with a well-formed book, in the order of the checks."""
    found: list[Complaint] = []
    if currency is not None and book.currency != currency:
        found.append(
            Complaint(("currency",), f"the book is in {book.currency}, the shop in {currency}", f"write {currency}")
        )
    found.extend(_guardrail_complaints(book.guardrails, ("guardrails",)))
    for i, scope in enumerate(book.scopes):
        merged = merged_guardrails(book.guardrails, scope.guardrails)
        inherited = {c.path for c in _guardrail_complaints(book.guardrails, ())}
        own = _guardrail_complaints(merged, ("scopes", i, "guardrails"))
        found.extend(c for c in own if c.path[3:] not in inherited)
        if not scope.guardrails.model_fields_set:
            message, fix = "a scope that changes nothing", "write what differs for it, or delete the scope"
            found.append(Complaint(("scopes", i, "guardrails"), message, fix, "error", scope.id))
        found.extend(_when_complaints(scope.when, ("scopes", i, "when"), scope.id))
    found.extend(_repeated_ids([s.id for s in book.scopes], "scopes"))
    found.extend(_repeated_ids([r.id for r in book.rules], "rules"))
    for i, rule in enumerate(book.rules):
        found.extend(_when_complaints(rule.when, ("rules", i, "when"), rule.id))
        found.extend(_rule_complaints(rule, ("rules", i)))
    found.extend(_pair_complaints(book.rules))
    return found


def merged_guardrails(whole: Guardrails, part: PartialGuardrails) -> Guardrails:
    """Return the guardrails of a scope with what it leaves out inherited; a step or ending replaces the other."""
    own = {k: getattr(part, k) for k in part.model_fields_set}
    if "price_step" in own:
        own.setdefault("price_ending", None)
    if "price_ending" in own:
        own.setdefault("price_step", None)
    return whole.model_copy(update=own)


def _repeated_ids(ids: list[str], where: str) -> Iterator[Complaint]:
    for i, name in enumerate(ids):
        if name in ids[:i]:
            yield Complaint((where, i, "id"), f"the id '{name}' stands twice", "give each its own id", "error", name)


def _guardrail_complaints(rails: Guardrails, path: Path) -> Iterator[Complaint]:
    low, high = rails.min_percent_of_list_price, rails.max_percent_of_list_price
    if low is not None and high is not None and low > high:
        message = f"the floor ({low:g} % of the list price) lies above the ceiling ({high:g} %)"
        yield Complaint((*path, "min_percent_of_list_price"), message, "lower the floor or raise the ceiling")
    month, day = rails.max_change_percent_per_30_days, rails.max_change_percent_per_day
    if month is not None and month < day:
        message = f"{month:g} % in 30 days is less than {day:g} % in one day: the daily cap means nothing"
        yield Complaint((*path, "max_change_percent_per_30_days"), message, "raise it, or lower the daily cap")
    if rails.price_ending is not None and rails.price_step is not None:
        yield Complaint((*path, "price_step"), "both price_ending and price_step are given", "keep one of the two")
    for name in ("price_ending", "price_step"):
        value = getattr(rails, name)
        if value is not None and abs(value * 100 - round(value * 100)) > 1e-9:
            yield Complaint((*path, name), f"{name} {value:g} is finer than 0.01", "write at most two decimals")
    approval = rails.approval
    if approval is not None:
        one, two = approval.one_person_above_percent, approval.two_persons_above_percent
        if one is not None and two is not None and two <= one:
            where = (*path, "approval", "two_persons_above_percent")
            yield Complaint(where, f"two persons from {two:g} % on, one from {one:g} % on", f"write more than {one:g}")


def _when_complaints(when: When, path: Path, rule_id: str) -> Iterator[Complaint]:
    if not when.model_fields_set:
        yield Complaint(path, "no condition", "write `{all: true}` for every SKU", "error", rule_id)
    if when.all and any(getattr(when, s) is not None for s in ("sku", "category", "product_type", "style_id")):
        message = "`all: true` beside a list of what it is for"
        yield Complaint((*path, "all"), message, "delete `all: true`", "error", rule_id)
    for field in RANGES:
        low, high = getattr(when, f"min_{field}"), getattr(when, f"max_{field}")
        if low is not None and high is not None and low > high:
            message = f"min_{field} {low:g} lies above max_{field} {high:g}: no SKU can match"
            yield Complaint((*path, f"min_{field}"), message, "exchange the two", "error", rule_id)
    for field in SETS:
        values = getattr(when, field) or ()
        for i, value in enumerate(values):
            if value in values[:i]:
                yield Complaint((*path, field, i), f"'{value}' stands twice", "delete one of the two", "error", rule_id)


def _rule_complaints(rule: Rule, path: Path) -> Iterator[Complaint]:
    if rule.from_date is not None and rule.to_date is not None and rule.from_date > rule.to_date:
        message = f"from_date {rule.from_date} lies after to_date {rule.to_date}: the rule never holds"
        yield Complaint((*path, "from_date"), message, "exchange the two", "error", rule.id)
    if isinstance(rule, EventPrice) and (rule.from_date is None or rule.to_date is None):
        missing = "from_date" if rule.from_date is None else "to_date"
        yield Complaint(path, f"an event without {missing}", f"add `{missing}: YYYY-MM-DD`", "error", rule.id)
    if isinstance(rule, Ladder):
        yield from _ladder_complaints(rule, path)
    for name in ("price", "min_price", "max_price"):
        money = getattr(rule, name, None)
        if money is not None and abs(money * 100 - round(money * 100)) > 1e-6:
            message = f"{name} {money:g} is finer than 0.01"
            yield Complaint((*path, name), message, "write at most two decimals", "error", rule.id)
    if isinstance(rule, Limit):
        if rule.min_price is None and rule.max_price is None and rule.min_margin_percent is None:
            message = "a limit without a limit"
            yield Complaint(path, message, "add min_price, max_price or min_margin_percent", "error", rule.id)
        if rule.min_price is not None and rule.max_price is not None and rule.min_price > rule.max_price:
            message = f"the floor {rule.min_price:g} lies above the ceiling {rule.max_price:g}"
            yield Complaint((*path, "min_price"), message, "exchange the two", "error", rule.id)


def _ladder_complaints(rule: Ladder, path: Path) -> Iterator[Complaint]:
    seen: set[str] = set()
    for i, rung in enumerate(rule.rungs):
        for j, value in enumerate(rung.values):
            if value in seen:
                message = f"'{value}' stands on two rungs"
                yield Complaint((*path, "rungs", i, "values", j), message, "delete one of the two", "error", rule.id)
            seen.add(value)


def covers(wide: Rule, narrow: Rule) -> bool:
    """Return whether ``wide`` matches everything that ``narrow`` matches, whatever the data."""
    if not _covers_dates(wide, narrow):
        return False
    for field in SETS:
        outer, inner = getattr(wide.when, field), getattr(narrow.when, field)
        if outer is not None and (inner is None or not set(inner) <= set(outer)):
            return False
    for field in RANGES:
        for side, inside in (("min", float.__ge__), ("max", float.__le__)):
            outer, inner = getattr(wide.when, f"{side}_{field}"), getattr(narrow.when, f"{side}_{field}")
            if outer is not None and (inner is None or not inside(float(inner), float(outer))):
                return False
    return True


def can_overlap(one: Rule, other: Rule) -> bool:
    """Return whether some SKU could match both rules."""
    for field in SETS:
        left, right = getattr(one.when, field), getattr(other.when, field)
        if left is not None and right is not None and not set(left) & set(right):
            return False
    for field in RANGES:
        lows = [v for r in (one, other) if (v := getattr(r.when, f"min_{field}")) is not None]
        highs = [v for r in (one, other) if (v := getattr(r.when, f"max_{field}")) is not None]
        if lows and highs and max(lows) > min(highs):
            return False
    starts = [r.from_date for r in (one, other) if r.from_date is not None]
    ends = [r.to_date for r in (one, other) if r.to_date is not None]
    return not (starts and ends and max(starts) > min(ends))


def _covers_dates(wide: Rule, narrow: Rule) -> bool:
    if wide.from_date is not None and (narrow.from_date is None or narrow.from_date < wide.from_date):
        return False
    return wide.to_date is None or (narrow.to_date is not None and narrow.to_date <= wide.to_date)


def direction(rule: Rule) -> str:
    """Return which way a rule moves prices: down, up, none (freeze, limit) or either."""
    if isinstance(rule, Markdown | Clearance):
        return "down"
    if isinstance(rule, Markup):
        return "up"
    return "none" if isinstance(rule, Limit | Freeze) else "either"


def _pair_complaints(rules: tuple[Rule, ...]) -> Iterator[Complaint]:
    """Rules that contradict or hide each other for certain, the later one named with the earlier."""
    for j, later in enumerate(rules):
        for i in range(j):
            yield from _pair(rules[i], later, i, j)


def _pair(earlier: Rule, later: Rule, i: int, j: int) -> Iterator[Complaint]:
    if isinstance(earlier, Limit) and isinstance(later, Limit):
        yield from _limit_conflict(earlier, later, j)
        return
    if isinstance(earlier, SetPrice) and isinstance(later, SetPrice) and can_overlap(earlier, later):
        shared = set(earlier.when.sku or ()) & set(later.when.sku or ())
        if shared and earlier.price != later.price:
            message = f"'{earlier.id}' sets {earlier.price:g} and '{later.id}' {later.price:g} for {min(shared)}"
            yield Complaint(("rules", j, "price"), message, "keep one price", "error", later.id)
            return
    for limit, fixed, at in ((earlier, later, j), (later, earlier, j)):
        if isinstance(limit, Limit) and isinstance(fixed, SetPrice) and covers(limit, fixed):
            low, high = limit.min_price or 0.0, limit.max_price or float("inf")
            if not low <= fixed.price <= high:
                message = f"'{fixed.id}' sets {fixed.price:g}, which '{limit.id}' forbids"
                yield Complaint(("rules", at), message, "change the price or the limit", "error", rule_id=later.id)
                return
    if isinstance(later, Limit) or isinstance(earlier, Limit):
        return
    if isinstance(earlier, Freeze):
        if covers(earlier, later):
            message = f"dead: '{earlier.id}' freezes everything that '{later.id}' matches"
            yield Complaint(("rules", j, "id"), message, "delete it, or narrow the freeze", "error", later.id)
        return
    if covers(later, earlier):
        yield _hidden(earlier, later, i)


def _hidden(earlier: Rule, later: Rule, i: int) -> Complaint:
    ways = {direction(earlier), direction(later)}
    if ways == {"down", "up"}:
        message = (
            f"contradiction: '{earlier.id}' moves prices {direction(earlier)}, '{later.id}' below it the other way"
        )
        return Complaint(("rules", i, "id"), message, "give the two rules different SKUs", "error", earlier.id)
    verb = "freezes" if isinstance(later, Freeze) else "decides"
    message = f"shadowed: '{later.id}' below it {verb} everything that '{earlier.id}' matches"
    return Complaint(("rules", i, "id"), message, f"move it below '{later.id}', or delete it", "error", earlier.id)


def _limit_conflict(earlier: Limit, later: Limit, j: int) -> Iterator[Complaint]:
    lows = [r.min_price for r in (earlier, later) if r.min_price is not None]
    highs = [r.max_price for r in (earlier, later) if r.max_price is not None]
    if not lows or not highs or max(lows) <= min(highs) or not can_overlap(earlier, later):
        return
    certain = covers(earlier, later) or covers(later, earlier)
    message = f"'{earlier.id}' and '{later.id}' leave no price: floor {max(lows):g}, ceiling {min(highs):g}"
    yield Complaint(("rules", j), message, "give them different SKUs", "error" if certain else "warning", later.id)
