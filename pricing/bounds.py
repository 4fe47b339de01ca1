"""The bounds of each line, from the guardrails of the book, its scopes and its limits, in whole cents."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.guardrails import MAX_CENTS, Bounds, Cents, Flags, Soft, floor_for_margin, to_cents
from pricing.matching import matches
from pricing.rules import Approval, Band, RuleBook
from pricing.targets import rule_limits

__all__ = ["LineRails", "line_bounds", "line_rails"]

Floats = npt.NDArray[np.float64]

_NUMBERS = (
    "min_margin_percent",
    "max_change_percent_per_day",
    "max_change_percent_per_30_days",
    "price_ending",
    "price_step",
    "cooldown_days",
    "family_band_percent",
    "min_percent_of_list_price",
    "max_percent_of_list_price",
    "price_protection_days",
    "preorder_price_guarantee",
)


class LineRails:
    """The guardrails in force for each line, scopes applied; NaN: not set."""

    def __init__(self, book: RuleBook, n: int) -> None:
        whole = book.guardrails
        self.numbers: dict[str, Floats] = {name: np.full(n, _or_nan(getattr(whole, name))) for name in _NUMBERS}
        self.below, self.above = np.full(n, np.nan), np.full(n, np.nan)
        self.one_person, self.two_persons = np.full(n, np.nan), np.full(n, np.nan)
        everything = np.ones(n, dtype=bool)
        self._set_band(whole.competitor_band, everything)
        self._set_approval(whole.approval, everything)

    def __getitem__(self, name: str) -> Floats:
        return self.numbers[name]

    def apply_scope(self, book: RuleBook, number: int, mask: Flags) -> None:
        """Put what a scope says over what was in force for the lines in ``mask``."""
        part = book.scopes[number].guardrails
        given = part.model_fields_set
        for name in _NUMBERS:
            if name in given:
                self.numbers[name] = np.where(mask, _or_nan(getattr(part, name)), self.numbers[name])
        for name, other in (("price_step", "price_ending"), ("price_ending", "price_step")):
            if name in given and other not in given:  # one grid at a time
                self.numbers[other] = np.where(mask, np.nan, self.numbers[other])
        if "competitor_band" in given:
            self._set_band(part.competitor_band, mask)
        if "approval" in given:
            self._set_approval(part.approval, mask)

    def _set_band(self, band: Band | None, mask: Flags) -> None:
        self.below = np.where(mask, np.nan if band is None else band.max_below_percent, self.below)
        self.above = np.where(mask, np.nan if band is None else band.max_above_percent, self.above)

    def _set_approval(self, approval: Approval | None, mask: Flags) -> None:
        one = None if approval is None else approval.one_person_above_percent
        two = None if approval is None else approval.two_persons_above_percent
        self.one_person = np.where(mask, _or_nan(one), self.one_person)
        self.two_persons = np.where(mask, _or_nan(two), self.two_persons)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def line_rails(book: RuleBook, lines: pd.DataFrame, *, run_date: date) -> LineRails:
    """Return the guardrails in force for each line."""
    rails = LineRails(book, len(lines))
    for number, scope in enumerate(book.scopes):
        rails.apply_scope(book, number, matches(scope.when, lines, run_date=run_date))
    return rails


def line_bounds(
    book: RuleBook, lines: pd.DataFrame, rails: LineRails, *, run_date: date, clears: Flags, frozen: Flags
) -> Bounds:
    """Return the bounds of each line.

    Args:
        book: the rule book.
        lines: as :func:`pricing.lines.price_lines`, with a price and a cost on every line.
        rails: from :func:`line_rails`.
        run_date: the business date.
        clears: a clearance set the target: the salvage value is the floor, where it is known and lower.
        frozen: no change.
    """
    current = to_cents(_column(lines, "current_price"))
    ending, modulus = _grid(rails)
    return Bounds(
        current=current,
        hard=(*_hard(lines, rails, clears), *rule_limits(book, lines, run_date=run_date)),
        soft=_soft(lines, rails, current),
        ending=ending,
        modulus=modulus,
        frozen=frozen,
    )


def _column(lines: pd.DataFrame, name: str) -> Floats:
    return np.asarray(lines[name].to_numpy(dtype=float), dtype=float)


def _hard(lines: pd.DataFrame, rails: LineRails, clears: Flags) -> list[Soft]:
    n = len(lines)
    no_low, no_high = np.zeros(n, dtype=np.int64), np.full(n, MAX_CENTS, dtype=np.int64)
    floor = floor_for_margin(_column(lines, "unit_cost"), rails["min_margin_percent"])
    salvage_value = _column(lines, "salvage_value")
    salvage = floor_for_margin(salvage_value, np.zeros(n))
    may_clear = clears & np.isfinite(salvage_value) & (salvage > 0) & (salvage < floor)
    licensor = floor_for_margin(_column(lines, "licensor_min_price"), np.zeros(n))
    list_price = to_cents(_column(lines, "list_price"))
    low_share, high_share = rails["min_percent_of_list_price"], rails["max_percent_of_list_price"]
    has_low, has_high = np.isfinite(low_share) & (list_price > 0), np.isfinite(high_share) & (list_price > 0)
    return [
        ("min_margin", np.where(may_clear, 0, floor), no_high),
        ("salvage_value", np.where(may_clear, salvage, 0), no_high),
        ("licensor_min_price", licensor, no_high),
        ("min_percent_of_list_price", np.where(has_low, _share(list_price, low_share, up=True), no_low), no_high),
        ("max_percent_of_list_price", no_low, np.where(has_high, _share(list_price, high_share, up=False), no_high)),
    ]


def _soft(lines: pd.DataFrame, rails: LineRails, current: Cents) -> tuple[Soft, ...]:
    """Soft bounds in dropping order, each widened to contain the current price."""
    family = _about(
        to_cents(_column(lines, "family_price")), rails["family_band_percent"], rails["family_band_percent"]
    )
    band = _about(to_cents(_column(lines, "competitor_median")), rails.below, rails.above)
    days = _column(lines, "days_since_change")
    cooling = np.isfinite(days) & (days < np.nan_to_num(rails["cooldown_days"], nan=0.0))
    none_low, none_high = np.zeros_like(current), np.full_like(current, MAX_CENTS)
    cooldown = np.where(cooling, current, none_low), np.where(cooling, current, none_high)
    daily = _about(current, rails["max_change_percent_per_day"], rails["max_change_percent_per_day"])
    lowest, highest = (
        to_cents(_column(lines, "lowest_price_30_days")),
        to_cents(_column(lines, "highest_price_30_days")),
    )
    monthly_percent = rails["max_change_percent_per_30_days"]
    monthly = _about(highest, monthly_percent, monthly_percent)[0], _about(lowest, monthly_percent, monthly_percent)[1]
    named = (
        ("family_band", *family),
        ("competitor_band", *band),
        ("cooldown", *cooldown),
        ("max_change_per_30_days", *monthly),
        ("max_change_per_day", *daily),
    )
    return tuple((name, np.minimum(low, current), np.maximum(high, current)) for name, low, high in named)


def _about(centre: Cents, below: Floats, above: Floats) -> tuple[Cents, Cents]:
    """The range from so many percent below to so many above, rounded inward; no bound where anything is missing."""
    low = np.where(np.isfinite(below) & (centre > 0), _share(centre, 100 - below, up=True), 0)
    high = np.where(np.isfinite(above) & (centre > 0), _share(centre, 100 + above, up=False), MAX_CENTS)
    return low, high


def _share(cents: Cents, percent: Floats, *, up: bool) -> Cents:
    """Cents times a percentage, rounded up or down to a whole cent, in integers."""
    scaled = np.rint(np.nan_to_num(percent, nan=0.0) * 10_000).astype(np.int64)
    product = cents * scaled
    return np.asarray(-(-product // 1_000_000) if up else product // 1_000_000, dtype=np.int64)


def _grid(rails: LineRails) -> tuple[Cents, Cents]:
    """Ending and modulus of the grid: .9 repeats every 1, 9 every 10, 99 every 100; a step every step."""
    ending, step = rails["price_ending"], rails["price_step"]
    has_ending, has_step = np.isfinite(ending), np.isfinite(step)
    cents = np.rint(np.nan_to_num(ending, nan=0.0) * 100).astype(np.int64)
    whole = np.where(cents < 100, 100, np.where(cents < 1000, 1000, 10_000))
    steps = np.rint(np.nan_to_num(step, nan=0.01) * 100).astype(np.int64)
    modulus = np.where(has_ending, whole, np.where(has_step, np.maximum(steps, 1), 1)).astype(np.int64)
    return np.where(has_ending, cents, 0).astype(np.int64), modulus
