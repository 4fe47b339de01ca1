"""The plan of prices as text: changes only, the rule and the clamp trail of each, and one count line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from pricing.approval import Plan, price_plan
from pricing.config import PricingConfig
from pricing.experiments import LEVELS
from pricing.plan_order import held_line, printed
from pricing.rules import RuleBook
from pricing.suggest import Status, priceable, suggest_prices
from pricing.targets import EXPLORATION
from pricing.tipping import tipping_points

__all__ = ["PreviewBook", "plan_text", "preview_plan"]

_CHANGE, _HELD, _ASKS, _CONFLICT, _OTHER = "~", "!", "?", "x", "*"
_LEGEND = {
    _CHANGE: "change",
    _ASKS: "change that waits for a person",
    _HELD: "held by a guardrail",
    _CONFLICT: "no price left",
    _OTHER: "differs from the book in force",
}
_SYMBOLS = {
    Status.AUTO.value: _CHANGE,
    Status.NEEDS_APPROVAL.value: _ASKS,
    Status.HELD.value: _HELD,
    Status.CONFLICT.value: _CONFLICT,
}
_NAME_WIDTH = 24
_DIGEST_CHARACTERS = 6


@dataclass(frozen=True)
class PreviewBook:
    """A rule book with the digest of its text."""

    book: RuleBook
    digest: str


def preview_plan(
    lines: pd.DataFrame,
    working: PreviewBook,
    in_force: PreviewBook,
    *,
    run_date: date,
    config: PricingConfig,
    everything: bool = False,
) -> str:
    """Return the plan of the working copy on tonight's lines, lines that differ from the book in force first.

    Args:
        lines: tonight's lines, as :func:`pricing.lines.price_lines`.
        working: the working copy.
        in_force: the book that the last night followed.
        run_date: date of the lines.
        config: validated settings.
        everything: print every line on its own, held ones too.
    """
    plan = suggest_prices(lines, working.book, run_date=run_date, config=config)
    is_same = working.digest == in_force.digest
    before = plan if is_same else suggest_prices(lines, in_force.book, run_date=run_date, config=config)
    differs = (plan["suggested_price"].to_numpy() != before["suggested_price"].to_numpy()) | (
        plan["status"].to_numpy() != before["status"].to_numpy()
    )
    kept = lines[priceable(lines)].reset_index(drop=True)
    source = f"pricing_rules.yml {in_force.digest[:_DIGEST_CHARACTERS]} -> "
    source += "working copy" if not is_same else "working copy (the same)"
    text = plan_text(
        plan.assign(
            title=kept["title"].to_numpy(), on_hand=kept["on_hand"].to_numpy(), style_id=kept["style_id"].to_numpy()
        ),
        run_date=run_date,
        source=source,
        currency=working.book.currency,
        horizon_days=config.horizon_days,
        differs=differs,
        before=before["suggested_price"].to_numpy(dtype=float),
        most_lines=len(plan) if everything else config.preview_lines,
        everything=everything,
        tips=tipping_points(kept, plan, working.book, run_date=run_date, config=config),
    )
    bound = price_plan(plan, run_date=run_date, book_digest=working.digest, config=config)
    body, count = text.rsplit("\n", 1)
    return "\n".join([body, *_trial_lines(plan, config), _approval_line(bound), count])


def _trial_lines(plan: pd.DataFrame, config: PricingConfig) -> list[str]:
    """What is tried out and held out, where the shop has set a share for it."""
    arm = plan["experiment_arm"]
    told = []
    if config.exploration_share:
        tried = int(plan["clamp_trail"].fillna("").str.startswith(EXPLORATION).sum())
        told.append(
            f"Trials: {config.exploration_share:.0%} of styles explore ({int(arm.eq('explore').sum())} lines), "
            f"{tried} prices tried tonight, for at most {config.regret_budget_percent:g} % of the expected profit."
        )
    at_level = arm[arm.isin(LEVELS)].value_counts()
    if config.switchback is not None and len(at_level):
        told.append(
            f"Switchback {config.switchback.experiment_id}: "
            + ", ".join(f"{at_level.get(level, 0)} lines {level}" for level in LEVELS)
            + f" tomorrow, {config.switchback.percent:g} % apart from control."
        )
    if config.holdout_share:
        told.append(
            f"Holdout: {config.holdout_share:.0%} of styles ({int(arm.eq('holdout').sum())} lines) keep prices."
        )
    return told


def _approval_line(bound: Plan) -> str:
    """Which plan this is, for `prices approve`, and how many persons it takes."""
    persons = "one person" if bound.reason_for_two is None else f"two persons ({bound.reason_for_two})"
    return f"Plan {bound.short}, good until {bound.expires_date}: {persons} must approve it."


def plan_text(
    plan: pd.DataFrame,
    *,
    run_date: date,
    source: str,
    currency: str,
    horizon_days: int,
    differs: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None,
    before: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None,
    most_lines: int = 200,
    tips: list[str | None] | None = None,
    everything: bool = False,
) -> str:
    """Return a plan of prices as text.

    Args:
        plan: suggestions with ``title`` and ``on_hand`` beside them.
        run_date: the business date.
        source: which book, in words.
        currency: of all money.
        horizon_days: of the expected effects [days].
        differs: lines that another book would price otherwise; they come first and carry a star.
        before: what that book would suggest [currency].
        most_lines: entries printed at most.
        tips: what would change the answer, a line each or None.
        everything: every line on its own, held ones too.
    """
    other = np.zeros(len(plan), dtype=bool) if differs is None else differs
    entries, counted = printed(plan, other, everything=everything)
    shown = [rows[0] for rows in entries]
    records: list[dict[str, object]] = [{str(k): v for k, v in row.items()} for row in _named(plan).to_dict("records")]
    out = [f"Price plan for {run_date}   {source}   currency {currency}"]
    if len(shown):
        out += [_legend([_symbol(records[i]) for i in shown[:most_lines]], bool(other[shown[:most_lines]].any())), ""]
    width = max((len(str(records[i]["sku"])) for i in shown[:most_lines]), default=0)
    for i, *rest in entries[:most_lines]:
        out += _entry(records[i], width, bool(other[i]), None if before is None else before[i])
        if rest:
            out.append(f"      and so {', '.join(plan['sku'].iloc[rest].astype(str))}")
        if tips is not None and tips[i] is not None:
            out.append(f"      would change it: {tips[i]}")
    if len(shown) > most_lines:
        out.append(f"  ... and {len(shown) - most_lines} more entries (--all lists them)")
    out += [*held_line(counted), "", _count_line(plan, horizon_days)]
    return "\n".join(out)


def _named(plan: pd.DataFrame) -> pd.DataFrame:
    """The plan with what is printed as its SKU: with the place where there are several, and the channel likewise."""
    told = plan["sku"].astype(str)
    for name in ("location_id", "channel"):
        if len(plan[name].unique()) > 1:
            told = told + "  " + plan[name].astype(str)
    return plan.assign(sku=told)


def _symbol(row: dict[str, object]) -> str:
    return _SYMBOLS.get(str(row["status"]), " ")


def _legend(symbols: list[str], has_other: bool) -> str:
    used = [s for s in _LEGEND if s in symbols or (s == _OTHER and has_other)]
    return "  " + "   ".join(f"{s} {_LEGEND[s]}" for s in used)


def _entry(row: dict[str, object], width: int, differs: bool, before: float | None) -> list[str]:
    """One line of the plan and, below it, its trail."""
    title = str(row["title"]) if isinstance(row["title"], str) else ""
    now, new = float(str(row["current_price"])), float(str(row["suggested_price"]))
    margin_now, margin_new = float(str(row["margin_percent_now"])), float(str(row["margin_percent_new"]))
    margin = f"margin {margin_now:.1f} %" + (f" -> {margin_new:.1f} %" if new != now else "")
    mark = _OTHER if differs else " "
    name = _padded(title, _NAME_WIDTH)
    change = float(str(row["change_percent"]))
    prices = f"{now:>7.2f} -> {new:>6.2f}  {change:>5.1f} %"
    head = f"  {_symbol(row)}{mark}{str(row['sku']).ljust(width)}  {name}  {prices}   {margin}"
    trail = str(row["clamp_trail"]) if isinstance(row["clamp_trail"], str) else "no rule"
    binding = f"   (binding: {row['binding_rule']})" if isinstance(row["binding_rule"], str) else ""
    told = f";  in force {before:.2f}" if differs and before is not None else ""
    return [head, f"      {trail}{told}{binding}"]


def _padded(text: str, width: int) -> str:
    """Text cut and padded to a width in terminal columns; a wide character takes two."""
    out, used = "", 0
    for character in text:
        size = 2 if ord(character) >= 0x1100 else 1
        if used + size > width:
            break
        out, used = out + character, used + size
    return out + " " * (width - used)


def _count_line(plan: pd.DataFrame, horizon_days: int) -> str:
    counts = plan["status"].value_counts()

    def count(status: Status) -> int:
        return int(counts.get(status.value, 0))

    parts = [f"{count(Status.AUTO) + count(Status.NEEDS_APPROVAL)} to change"]
    if count(Status.NEEDS_APPROVAL):
        parts[0] += f" ({count(Status.NEEDS_APPROVAL)} with approval)"
    parts.append(f"{count(Status.HELD)} held")
    if count(Status.CONFLICT):
        parts.append(f"{count(Status.CONFLICT)} in conflict")
    parts.append(f"{count(Status.UNCHANGED)} unchanged")
    return f"Plan: {', '.join(parts)}.   {_effects_line(plan, horizon_days)}"


def _effects_line(plan: pd.DataFrame, horizon_days: int) -> str:
    """Expected change of revenue, units and excess stock, if everything but holds and conflicts is done."""
    doing = plan["status"].isin([Status.AUTO.value, Status.NEEDS_APPROVAL.value]).to_numpy()
    units_now, units_new = plan["units_now"].to_numpy(dtype=float), plan["units_new"].to_numpy(dtype=float)
    units = np.where(doing & np.isfinite(units_new), units_new, units_now)
    price_now, price_new = plan["current_price"].to_numpy(dtype=float), plan["suggested_price"].to_numpy(dtype=float)
    price = np.where(doing, price_new, price_now)
    cost, on_hand = plan["unit_cost"].to_numpy(dtype=float), plan["on_hand"].to_numpy(dtype=float)
    excess = float((cost * (np.maximum(on_hand - units, 0) - np.maximum(on_hand - units_now, 0))).sum())
    revenue = _change(float((price * units).sum()), float((price_now * units_now).sum()))
    sold = _change(float(units.sum()), float(units_now.sum()))
    stock = "0" if abs(excess) < 0.5 else f"{excess:+,.0f}"
    refunds = float(np.nan_to_num(plan["refund_cost"].to_numpy(dtype=float))[doing].sum())
    owed = f", refunds {refunds:,.0f}" if refunds >= 0.5 else ""
    return f"Expected {horizon_days} days: revenue {revenue}, units {sold}, excess stock {stock}{owed}"


def _change(new: float, now: float) -> str:
    return "n/a" if now <= 0 else f"{(new / now - 1) * 100:+.1f} %"
