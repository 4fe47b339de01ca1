"""How many prices may change in one night: the most useful first, whole families, hard bounds and people before all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pricing.effects import Effects, Floats
from pricing.guardrails import Bounds, Flags
from pricing.rules import RuleBook
from pricing.targets import OVERRIDE, SWITCHBACK, Targets

__all__ = ["NIGHTLY_CAP", "beyond_the_cap", "capped_trails", "with_cap"]

NIGHTLY_CAP = "max_changed_percent_per_night"


def beyond_the_cap(
    lines: pd.DataFrame, book: RuleBook, bounds: Bounds, wanted: Targets, price: Floats, effects: Effects
) -> Flags:
    """Return which lines must wait for another night, shape (n,).

    What leaves a hard bound and what a person asked for (overrides, levels of a switchback) goes first and is never
    held back; then clearances; then by expected profit of the family (style, place, channel), so that no family is cut
    in two.
    """
    none = np.zeros(len(lines), dtype=bool)
    share = book.guardrails.max_changed_percent_per_night
    if share is None or lines.empty:
        return none
    moved = price != lines["current_price"].to_numpy(dtype=float)
    low, high = bounds.hard_range()
    by_person = np.isin(wanted.decider, [i for i, name in enumerate(wanted.names) if name in (OVERRIDE, SWITCHBACK)])
    must = moved & ((bounds.current < low) | (bounds.current > high) | by_person)
    room = int(np.floor(len(lines) * share / 100)) - int(must.sum())
    waiting = moved & ~must
    if int(waiting.sum()) <= room:
        return none
    style = lines["style_id"].where(lines["style_id"].notna(), lines["sku"])
    keys = pd.DataFrame({"style": style, "place": lines["location_id"], "channel": lines["channel"]}).astype(str)
    family = pd.MultiIndex.from_frame(keys).factorize()[0]
    size = np.bincount(family, weights=waiting)
    profit = np.bincount(family, weights=np.where(waiting, np.nan_to_num(effects.profit_change), 0.0))
    clears = np.bincount(family, weights=waiting & wanted.clears) > 0
    order = np.lexsort((np.arange(len(size)), -profit, ~clears))
    order = order[size[order] > 0]
    fits = np.zeros(len(size), dtype=bool)
    fits[order[np.cumsum(size[order]) <= max(room, 0)]] = True
    return np.asarray(waiting & ~fits[family], dtype=bool)


def with_cap(names: list[str | None], late: Flags) -> list[str | None]:
    """Return the binding rules with the cap named where it holds a line."""
    return [NIGHTLY_CAP if is_late else name for name, is_late in zip(names, late, strict=True)]


def capped_trails(trails: list[str | None], book: RuleBook, late: Flags) -> list[str | None]:
    """Return the trails with what the cap did at their end."""
    share = book.guardrails.max_changed_percent_per_night
    end = f"{NIGHTLY_CAP} {share or 0:g} %: waits for another night"
    return [f"{t};  {end}" if is_late and t else t for t, is_late in zip(trails, late, strict=True)]
