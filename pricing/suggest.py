"""Price suggestions: rules give targets, guardrails give prices, each line says why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.bounds import LineRails, line_bounds, line_rails
from pricing.config import PricingConfig
from pricing.effects import Effects, Outlook, price_effects, profit_at
from pricing.exploration import EXPLORE, HOLDOUT, arms, trial_prices
from pricing.guardrails import Bounds, Cents, Clamped, Flags, clamp, floor_for_margin, to_cents
from pricing.matching import margin_percent
from pricing.nightly_cap import beyond_the_cap, capped_trails, with_cap
from pricing.one_price import follow_their_style, kept_together, styled_trails, with_style
from pricing.optimise import best_prices
from pricing.outlook import outlook_of, whole_life_outlook
from pricing.rules import RuleBook
from pricing.targets import OVERRIDE, Targets, targets, with_arms
from pricing.trail import binding_rules, trails

__all__ = ["SUGGESTION_COLUMNS", "Reason", "Status", "priceable", "suggest_prices"]

Floats = npt.NDArray[np.float64]


class Status(StrEnum):
    """State of a suggestion."""

    UNCHANGED = "unchanged"
    AUTO = "auto"
    NEEDS_APPROVAL = "needs_approval"
    HELD = "held"
    CONFLICT = "conflict"


class Reason(StrEnum):
    """Why a line stands as it does."""

    NO_RULE = "no_rule"  # nothing asks for another price
    AT_TARGET = "at_target"  # the price is what the rule asks for
    RULE = "rule"
    OVERRIDE = "override"
    GUARDRAIL = "guardrail"  # wanted to move, and a guardrail keeps it
    HARD_BOUND = "hard_bound"  # the current price breaks a hard bound
    FROZEN = "frozen"
    ON_HOLD = "on_hold"
    NO_PRICE_LEFT = "no_price_left"  # hard bounds at odds


SUGGESTION_COLUMNS = (
    "sku",
    "location_id",
    "channel",
    "current_price",
    "suggested_price",
    "change_percent",
    "regular_price",
    "reference_price",
    "unit_cost",
    "margin_percent_now",
    "margin_percent_new",
    "elasticity",
    "elasticity_lo",
    "elasticity_hi",
    "elasticity_level",
    "units_now",
    "units_new",
    "profit_change",
    "profit_change_p10",
    "profit_change_p90",
    "p_profit_up",
    "refund_cost",
    "days_of_cover",
    "age_days",
    "competitor_median",
    "rule_ids",
    "binding_rule",
    "clamp_trail",
    "status",
    "approval_level",
    "experiment_arm",
    "expires_date",
    "reason",
)

_MOST = 1e9  # [currency, units, days] a number beyond it is no number of a shop
_RANGES_OF: tuple[tuple[tuple[str, ...], float, float], ...] = (
    (
        ("competitor_median", "salvage_value", "licensor_min_price", "list_price", "regular_price", "family_price"),
        0,
        _MOST,
    ),
    (
        ("reference_price", "lowest_price_30_days", "highest_price_30_days", "override_price", "switchback_price"),
        0,
        _MOST,
    ),
    (("on_hand", "supply_units", "units_mean", "units_sd", "weekly_units", "recent_units"), 0, _MOST),
    (("days_of_cover", "age_days", "days_to_end_of_sale", "days_since_change", "reorder_days"), 0, 1e5),
    (("guaranteed_units", "guaranteed_price"), 0, _MOST),
    (("royalty_share",), 0, 1),
    (("elasticity", "elasticity_lo", "elasticity_hi"), -50, 0),
    (("curvature",), 0, 10),
    (("trend_heat",), -50, 50),
)


@dataclass(frozen=True)
class _Why:
    """Lines that wait for another night, the arm of each in an experiment, what decided it, and its trail."""

    late: Flags
    arm: npt.NDArray[np.object_]
    binding: list[str | None]
    trails: list[str | None]


def priceable(lines: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which lines may get a suggestion: a price and a cost that are finite, above zero and below a billion.

    A missing floor or cost means no suggestion.
    """
    price = lines["current_price"].to_numpy(dtype=float)
    cost = lines["unit_cost"].to_numpy(dtype=float)
    mask = np.isfinite(price) & np.isfinite(cost) & (cost > 0) & (cost < _MOST)
    return np.asarray(mask & (to_cents(price) > 0), dtype=bool)


def suggest_prices(lines: pd.DataFrame, book: RuleBook, *, run_date: date, config: PricingConfig) -> pd.DataFrame:
    """Return a suggestion for every line that has a price and a cost, with ``SUGGESTION_COLUMNS``.

    Args:
        lines: as :func:`pricing.lines.price_lines`.
        book: the rule book.
        run_date: the business date.
        config: validated settings.

    Returns:
        The lines' order. ``suggested_price`` equals ``current_price`` on ``unchanged`` and ``conflict`` lines, and
        on those that a guardrail holds; a line on a hold keeps its computed price with status ``held``.
    """
    kept = _sane(lines[priceable(lines)]).reset_index(drop=True)
    rails = line_rails(book, kept, run_date=run_date)
    outlook = outlook_of(kept, book, rails, config=config)
    whole_life = whole_life_outlook(outlook, kept["days_to_end_of_sale"].to_numpy(dtype=float), config=config)
    nothing = np.zeros(len(kept), dtype=bool)
    free = line_bounds(book, kept, rails, run_date=run_date, clears=nothing, frozen=nothing)
    low, high = free.soft_range()

    def optimiser(mask: Flags, within_percent: float) -> Cents:
        best = free.current.copy()
        part = whole_life.rows(mask)
        best[mask] = best_prices(part, low[mask], high[mask], within_percent=within_percent, config=config)
        return best

    wanted = targets(book, kept, run_date=run_date, optimiser=optimiser)
    wanted = follow_their_style(wanted, kept, outlook.family, book)
    level = kept["switchback_level"].to_numpy(dtype=object)
    arm = np.where(pd.isna(level), arms(kept, config=config), level)
    tried = trial_prices(outlook, low, high, arm == EXPLORE, within_percent=config.exploration_percent, config=config,
                         seed=run_date.toordinal())  # fmt: skip
    level_price = to_cents(kept["switchback_price"].to_numpy(dtype=float))
    wanted = with_arms(wanted, arm == HOLDOUT, tried, free.current, level_price)
    bounds = line_bounds(book, kept, rails, run_date=run_date, clears=wanted.clears, frozen=wanted.frozen)
    clamped = clamp(wanted.target, bounds)
    result, styled = kept_together(wanted, outlook.family, bounds, clamped, book)
    price = _prices(kept, result, bounds)
    effects = _effects(price, outlook, whole_life)
    late = beyond_the_cap(kept, book, bounds, wanted, price, effects)
    if late.any():
        price = np.where(late, kept["current_price"].to_numpy(dtype=float), price)
        effects = effects.without(late)
    names = with_cap(with_style(binding_rules(wanted, bounds, clamped, rails), styled), late)
    told = styled_trails(trails(kept, book, wanted, bounds, clamped, rails), result, styled)
    why = _Why(late, arm, names, capped_trails(told, book, late))
    return _table(kept, rails, wanted, bounds, result, price, effects, why, run_date=run_date, config=config)


def _sane(lines: pd.DataFrame) -> pd.DataFrame:
    """The lines with every number finite and of a size that means something, else missing.

    Nothing downstream can then overflow; a quantity or a price that makes no sense counts as unknown.
    """
    clean = {}
    for names, low, high in _RANGES_OF:
        for name in names:
            values = lines[name].to_numpy(dtype=float)
            clean[name] = np.where(np.isfinite(values) & (values >= low) & (values <= high), values, np.nan)
    return lines.assign(**clean)


def _prices(lines: pd.DataFrame, result: Clamped, bounds: Bounds) -> Floats:
    """Suggested prices [currency]: the current one to the last digit where nothing changes."""
    current = lines["current_price"].to_numpy(dtype=float)
    return np.asarray(np.where(result.price == bounds.current, current, result.price / 100), dtype=float)


def _effects(price: Floats, outlook: Outlook, whole_life: Outlook) -> Effects:
    """Effects of the moved lines; the others sell what they sell.

    Units over the horizon; profit over the rest of its life where an item's end of sale is known and near.
    """
    moved = price != outlook.price
    _, units = profit_at(outlook.price, outlook, np.zeros(len(price)))
    part = price_effects(price[moved], whole_life.rows(moved))
    _, then = profit_at(price[moved], outlook.rows(moved), outlook.elasticity[moved])

    def spread(values: Floats, base: Floats) -> Floats:
        out = base.copy()
        out[moved] = values
        return out

    zero = np.zeros(len(price))
    return Effects(
        units_now=units,
        units_new=spread(then, units),
        profit_change=spread(part.profit_change, zero),
        profit_change_p10=spread(part.profit_change_p10, zero),
        profit_change_p90=spread(part.profit_change_p90, zero),
        p_profit_up=spread(part.p_profit_up, zero),
        refund_cost=spread(part.refund_cost, zero),
    )


def _table(
    lines: pd.DataFrame,
    rails: LineRails,
    wanted: Targets,
    bounds: Bounds,
    result: Clamped,
    price: Floats,
    effects: Effects,
    why: _Why,
    *,
    run_date: date,
    config: PricingConfig,
) -> pd.DataFrame:
    current, cost = lines["current_price"].to_numpy(dtype=float), lines["unit_cost"].to_numpy(dtype=float)
    change = (price / current - 1) * 100
    status, level, reason = _statuses(lines, rails, wanted, bounds, result, change, why.late)
    open_until = pd.Timestamp(run_date + timedelta(days=config.expiry_days))

    def texts(values: list[str | None]) -> pd.Series:
        return pd.Series(values, index=lines.index, dtype=object)

    has_expiry = pd.Series(status).isin([Status.AUTO, Status.NEEDS_APPROVAL, Status.HELD])
    table = lines.assign(
        suggested_price=price,
        change_percent=change,
        margin_percent_now=margin_percent(current, cost),
        margin_percent_new=margin_percent(price, cost),
        units_now=effects.units_now,
        units_new=effects.units_new,
        profit_change=np.where(np.isfinite(effects.profit_change), effects.profit_change, np.nan),
        profit_change_p10=np.where(np.isfinite(effects.profit_change_p10), effects.profit_change_p10, np.nan),
        profit_change_p90=np.where(np.isfinite(effects.profit_change_p90), effects.profit_change_p90, np.nan),
        p_profit_up=np.where(np.isfinite(effects.profit_change), effects.p_profit_up, np.nan),
        refund_cost=np.where(np.isfinite(effects.refund_cost), effects.refund_cost, np.nan),
        rule_ids=pd.Series(wanted.rule_ids, index=lines.index, dtype=object),
        binding_rule=texts(why.binding),
        clamp_trail=texts(why.trails),
        status=status,
        approval_level=texts(level),
        experiment_arm=pd.Series(why.arm, index=lines.index, dtype=object),
        expires_date=pd.Series([open_until] * len(lines), index=lines.index).where(has_expiry.to_numpy()),
        reason=reason,
    )
    return table[list(SUGGESTION_COLUMNS)]


def _statuses(
    lines: pd.DataFrame,
    rails: LineRails,
    wanted: Targets,
    bounds: Bounds,
    result: Clamped,
    change: Floats,
    late: Flags,
) -> tuple[list[str], list[str | None], list[str]]:
    moved = (result.price != bounds.current) & ~late
    aims = wanted.target != bounds.current
    on_hold = lines["is_held"].to_numpy(dtype=bool)
    floor = floor_for_margin(lines["unit_cost"].to_numpy(dtype=float), rails["min_margin_percent"])
    below_cost = moved & wanted.clears & (result.price < floor)
    size = np.round(np.abs(change), 9)  # 5 % of 268 is 5.000000000000004 in floats
    two = moved & (size > np.nan_to_num(rails.two_persons, nan=np.inf))
    one = moved & (size > np.nan_to_num(rails.one_person, nan=np.inf))
    asks = moved & (result.breaks_hard | below_cost | wanted.needs_approval | one | two)
    wants_but_stays = ~moved & (aims | result.breaks_hard)
    frozen = bounds.frozen
    status = np.select(
        [result.is_empty & ~frozen, moved & on_hold, asks, moved, wants_but_stays],
        [Status.CONFLICT.value, Status.HELD.value, Status.NEEDS_APPROVAL.value, Status.AUTO.value, Status.HELD.value],
        default=Status.UNCHANGED.value,
    )
    level = np.where(asks | (moved & on_hold), np.where(two, "two_persons", "one_person"), "")
    is_override = wanted.decider == wanted.names.index(OVERRIDE)
    reason = np.select(
        [
            result.is_empty & ~frozen,
            frozen & (aims | result.breaks_hard),
            moved & on_hold,
            moved & result.breaks_hard,
            moved & is_override,
            moved,
            wants_but_stays,
            wanted.decider >= 0,
        ],
        [
            Reason.NO_PRICE_LEFT.value,
            Reason.FROZEN.value,
            Reason.ON_HOLD.value,
            Reason.HARD_BOUND.value,
            Reason.OVERRIDE.value,
            Reason.RULE.value,
            Reason.GUARDRAIL.value,
            Reason.AT_TARGET.value,
        ],
        default=Reason.NO_RULE.value,
    )
    return [str(s) for s in status], [str(x) or None for x in level], [str(r) for r in reason]
