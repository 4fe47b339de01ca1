"""One price per style: sizes and colours that have one price get one price, whichever rule moves them.

A rule looks at each SKU; a shop puts one price on a style. So what most of a style's stock is to do, all of it does;
and where guardrails leave its SKUs different prices, all get the one nearest the current price, which lies inside the
bounds of each. While one SKU of a style has a planned price, the others wait with it. Prices that a person sets,
ladders, freezes and prices beyond a hard bound stay a SKU's own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.guardrails import Bounds, Cents, Clamped, Flags
from pricing.rules import Ladder, RuleBook, SetPrice
from pricing.targets import Targets

__all__ = ["ONE_PRICE", "follow_their_style", "kept_together", "styled_trails", "with_style"]

ONE_PRICE = "one_price_per_style"

Codes = npt.NDArray[np.int64]


def follow_their_style(wanted: Targets, lines: pd.DataFrame, family: Codes, book: RuleBook) -> Targets:
    """Return the targets with the lines of a family wanting what most of its stock and sales want.

    Where most of it wants nothing, targets stay; :func:`kept_together` then holds those that do.

    Args:
        wanted: what the rules want of each line.
        lines: ``on_hand``, ``units_mean``.
        family: lines of one style, place, channel and current price; -1: alone.
        book: the rule book.
    """
    free = _moves_with_its_style(wanted, family, book)
    if not free.any():
        return wanted
    weight = np.nan_to_num(lines["on_hand"].to_numpy(dtype=float)) + np.nan_to_num(lines["units_mean"].to_numpy(float))
    frame = pd.DataFrame(
        {"family": family, "decider": wanted.decider, "target": wanted.target, "weight": weight + 1e-9}
    )
    groups = frame[free].groupby(["family", "decider", "target"], sort=True)["weight"].sum().reset_index()
    first = groups.sort_values("weight", ascending=False, kind="stable").drop_duplicates("family").set_index("family")
    chosen = first.reindex(family)
    leads = free & (chosen["decider"].fillna(-1).to_numpy() >= 0)
    target = np.where(leads, chosen["target"].fillna(0).to_numpy(), wanted.target).astype(np.int64)
    decider = np.where(leads, chosen["decider"].fillna(-1).to_numpy(), wanted.decider).astype(np.int64)
    follows = leads & ((decider != wanted.decider) | (target != wanted.target))
    return replace(
        wanted,
        target=target,
        decider=decider,
        clears=np.where(follows, _of_the_leaders(wanted.clears, leads & ~follows, family), wanted.clears),
        needs_approval=np.where(
            follows, _of_the_leaders(wanted.needs_approval, leads & ~follows, family), wanted.needs_approval
        ),
        rule_ids=[
            [*ids, wanted.names[d]] if f and wanted.names[d] not in ids else ids
            for ids, d, f in zip(wanted.rule_ids, decider, follows, strict=True)
        ],
        follows=follows,
    )


def kept_together(
    wanted: Targets, family: Codes, bounds: Bounds, result: Clamped, book: RuleBook
) -> tuple[Clamped, Flags]:
    """Return the prices with each family at one price, and which lines that changed.

    Of the prices that guardrails leave its lines, the one nearest the current price: it lies between that and each of
    the others, and so inside the bounds of each line. Where some would rise and some fall, none moves.
    """
    free = _moves_with_its_style(wanted, family, book) & ~result.breaks_hard & ~result.is_empty
    if not free.any():
        return result, np.zeros(len(family), dtype=bool)
    move = result.price - bounds.current
    codes = np.where(free, family, -1)
    size = int(codes.max(initial=0)) + 1
    lowest, highest = np.full(size, np.iinfo(np.int64).max), np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(lowest, codes[free], move[free])
    np.maximum.at(highest, codes[free], move[free])
    nearest = np.where(lowest > 0, lowest, np.where(highest < 0, highest, 0))
    nearest[family[_waits_with_its_style(wanted, family, book) & free]] = 0
    price: Cents = np.where(free, bounds.current + nearest[np.maximum(codes, 0)], result.price)
    return replace(result, price=price), price != result.price


def with_style(names: list[str | None], changed: Flags) -> list[str | None]:
    """Return the binding rules with the one price named where it decided."""
    return [ONE_PRICE if is_changed else name for name, is_changed in zip(names, changed, strict=True)]


def styled_trails(trails: list[str | None], result: Clamped, changed: Flags) -> list[str | None]:
    """Return the trails with what the one price did at their end."""
    return [
        f"{t};  {ONE_PRICE} -> {price / 100:.2f}" if is_changed and t else t
        for t, price, is_changed in zip(trails, result.price, changed, strict=True)
    ]


def _moves_with_its_style(wanted: Targets, family: Codes, book: RuleBook) -> Flags:
    """Lines of a family of two and more whose price no person, ladder or freeze decides."""
    own = [i for i, rule in enumerate(book.rules) if isinstance(rule, Ladder | SetPrice)]
    by_itself = np.isin(wanted.decider, [*own, *range(len(book.rules), len(wanted.names))])
    free = (family >= 0) & ~wanted.frozen & ~by_itself
    counts = np.bincount(family[free], minlength=int(family.max(initial=-1)) + 1)
    several = counts[np.maximum(family, 0)] > 1 if len(counts) else free
    return np.asarray(free & (several | _waits_with_its_style(wanted, family, book)), dtype=bool)


def _waits_with_its_style(wanted: Targets, family: Codes, book: RuleBook) -> Flags:
    """Lines of a family in which a price is planned already: the rest of it would part from that one."""
    planned = (wanted.freezer == len(book.rules) + 1) & (family >= 0)
    return np.asarray((family >= 0) & np.isin(family, family[planned]), dtype=bool)


def _of_the_leaders(flags: Flags, leaders: Flags, family: Codes) -> Flags:
    said = np.unique(family[leaders & flags])
    return np.asarray(np.isin(family, said[said >= 0]), dtype=bool)
