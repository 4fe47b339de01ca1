"""`prices simulate`: what a rule book would have done in the last weeks, and what it would do in the next ones.

Both follow the same path: once a week the book is applied to the lines as they stand then (everything that no
guardrail, hold or conflict stops is taken as approved), and stock (in a replay with what was received meanwhile),
cover, ages and the windows of the caps move on. The path of prices is that of expected sales; money is then drawn over
what is not known: elasticities (normal between their bounds) and, for the next weeks, demand. The same draws serve
every book, so that differences are of the books.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.config import PricingConfig
from pricing.curve import bent, carried
from pricing.rules import RuleBook
from pricing.suggest import priceable, suggest_prices

__all__ = ["Paths", "drawn_levels", "drawn_together", "forward_paths", "replayed", "simulation_text"]

Floats = npt.NDArray[np.float64]

_DRAWS = 200
_INTERVAL = 2 * 1.6448536269514722  # standard deviations across a 90% interval
_WINDOW_WEEKS = 4  # [weeks] prices that the 30-day caps still remember
_TRAILING_WEEKS = 4  # [weeks] of sales that say what cover was
_SHARED = 0.2  # [0-1] of the variance of elasticities and demand that all SKUs have in common
_MOST_COVER = 3650.0
_MOST_LOG = 5.0


@dataclass(frozen=True)
class Paths:
    """Weekly totals by draw, arrays of shape (draws, weeks), and the prices, shape (weeks, lines)."""

    prices: Floats
    units: Floats
    revenue: Floats
    profit: Floats


Weekly = Callable[[int, Floats, Floats], Floats]
"""Expected units of each line in a week, given its number, the prices and the elasticities."""


def forward_paths(
    lines: pd.DataFrame, book: RuleBook | None, *, run_date: date, weeks: int, config: PricingConfig, seed: int
) -> Paths:
    """Return the next weeks under a book, or with prices as they are where it is None.

    Args:
        lines: tonight's lines that have a price and a cost.
        book: applied once a week, from tonight on.
        run_date: date of the lines.
        weeks: how many [weeks].
        config: validated settings.
        seed: of the draws.
    """
    base, curve = lines["current_price"].to_numpy(dtype=float), _curvature(lines)
    weekly = np.nan_to_num(lines["units_mean"].to_numpy(dtype=float)) * 7 / config.horizon_days
    spread = np.nan_to_num(lines["units_sd"].to_numpy(dtype=float)) * 7 / config.horizon_days

    def demand(_: int, price: Floats, elasticity: Floats) -> Floats:
        return np.asarray(weekly * _ratio(price, base, base, elasticity, curve), dtype=float)

    prices = _path(lines, book, demand, run_date=run_date, weeks=weeks, config=config)
    cv = np.divide(spread, weekly, out=np.zeros_like(weekly), where=weekly > 0)
    return _money(lines, prices, demand, seed=seed, demand_cv=np.minimum(cv, 2.0))


def replayed(
    lines: pd.DataFrame, history: pd.DataFrame, book: RuleBook | None, *, run_date: date, weeks: int,
    config: PricingConfig, seed: int,
) -> Paths:  # fmt: skip
    """Return the last weeks as the book would have priced them; with None, as they were.

    Args:
        lines: tonight's lines that have a price and a cost.
        history: ``sku``, ``location_id``, ``weeks_ago`` (0: the last), ``units``, ``price``; ``received`` if known.
        book: applied once a week; what it would have sold is what was sold, times the price ratio to the elasticity.
        run_date: date of the lines; conditions on dates are looked at week by week.
        weeks: how many [weeks].
        config: validated settings.
        seed: of the draws of elasticities.
    """
    sold, charged, received = _history(lines, history, weeks + _TRAILING_WEEKS)
    past, curve = charged[_TRAILING_WEEKS:], _curvature(lines)

    def demand(week: int, price: Floats, elasticity: Floats) -> Floats:
        answer = _ratio(price, past[week], past[0], elasticity, curve)
        return np.asarray(sold[_TRAILING_WEEKS + week] * answer, dtype=float)

    start, came = _as_it_stood(lines, sold, past, received[_TRAILING_WEEKS:]), received[_TRAILING_WEEKS:]
    if book is None:
        return _money(start, past, demand, seed=seed, demand_cv=None)
    began = run_date - timedelta(weeks=weeks)
    prices = _path(start, book, demand, run_date=began, weeks=weeks, config=config, received=came)
    return _money(start, prices, demand, seed=seed, demand_cv=None)


def _curvature(lines: pd.DataFrame) -> Floats:
    return np.asarray(np.nan_to_num(lines["curvature"].to_numpy(dtype=float)), dtype=float)


def _ratio(price: Floats, base: Floats, learnt_at: Floats, elasticity: Floats, curvature: Floats) -> Floats:
    """Demand at a price over that at the base, given the elasticity at a third; 1 where it is not known."""
    at = np.log(np.maximum(learnt_at, 0.01))
    log = bent(np.log(np.maximum(price, 0.01)) - at, curvature) - bent(np.log(np.maximum(base, 0.01)) - at, curvature)
    log = log * np.nan_to_num(elasticity)
    return np.asarray(np.exp(np.clip(log, -_MOST_LOG, _MOST_LOG)), dtype=float)


def _path(
    lines: pd.DataFrame,
    book: RuleBook | None,
    demand: Weekly,
    *,
    run_date: date,
    weeks: int,
    config: PricingConfig,
    received: Floats | None = None,
) -> Floats:
    """Prices week by week, shape (weeks, lines); ``received`` came into stock in each week, likewise."""
    state, recent = lines, [lines["current_price"].to_numpy(dtype=float)]
    elasticity = lines["elasticity"].to_numpy(dtype=float)
    prices = []
    for week in range(weeks):
        price = state["current_price"].to_numpy(dtype=float)
        if book is not None:
            table = suggest_prices(state, book, run_date=run_date + timedelta(weeks=week), config=config)
            does = table["status"].isin(["auto", "needs_approval"]).to_numpy()
            price = np.where(does, table["suggested_price"].to_numpy(dtype=float), price)
        prices.append(price)
        recent = [*recent, price][-_WINDOW_WEEKS - 1 :]
        comes = np.zeros(len(price)) if received is None else received[week]
        state = _a_week_later(state, price, demand(week, price, elasticity), recent, config, comes)
    return np.stack(prices)


def _a_week_later(
    state: pd.DataFrame, price: Floats, wanted: Floats, recent: list[Floats], config: PricingConfig, comes: Floats
) -> pd.DataFrame:
    """The lines after a week: stock sold and received, ages and windows moved on."""
    before = state["current_price"].to_numpy(dtype=float)
    on_hand, supply = (state[c].to_numpy(dtype=float) for c in ("on_hand", "supply_units"))
    sold = np.minimum(wanted, np.maximum(supply, 0.0))
    left = np.maximum(on_hand - sold, 0.0) + comes
    daily = wanted / 7
    cover = np.where(left > 0, left / np.maximum(daily, 1e-9), 0.0)
    since = state["days_since_change"].to_numpy(dtype=float) + 7
    stack = np.stack(recent)
    return carried(state, learnt_at=before, price=price).assign(
        current_price=price,
        regular_price=price,
        on_hand=left,
        supply_units=np.maximum(supply - sold, left),
        units_mean=daily * config.horizon_days,
        weekly_units=wanted,
        days_of_cover=np.minimum(cover, _MOST_COVER),
        days_since_change=np.where(price != before, 0.0, since),
        age_days=state["age_days"].to_numpy(dtype=float) + 7,
        days_to_end_of_sale=np.maximum(state["days_to_end_of_sale"].to_numpy(dtype=float) - 7, 0.0),
        lowest_price_30_days=stack.min(axis=0),
        highest_price_30_days=stack.max(axis=0),
        override_price=np.nan,
    )


def _money(lines: pd.DataFrame, prices: Floats, demand: Weekly, *, seed: int, demand_cv: Floats | None) -> Paths:
    """Units, revenue and profit by draw and week along a path of prices; nothing is sold that is not there."""
    rng = np.random.default_rng(seed)
    mean, cost = lines["elasticity"].to_numpy(dtype=float), lines["unit_cost"].to_numpy(dtype=float)
    sd = (lines["elasticity_hi"].to_numpy(dtype=float) - lines["elasticity_lo"].to_numpy(dtype=float)) / _INTERVAL
    weeks, n = prices.shape
    supply = np.maximum(np.nan_to_num(lines["supply_units"].to_numpy(dtype=float)), 0.0)
    totals = np.zeros((3, _DRAWS, weeks))
    for draw in range(_DRAWS):
        elasticity = np.minimum(mean + np.nan_to_num(sd) * drawn_together(n, rng), 0.0)
        level = 1.0 if demand_cv is None else drawn_levels(demand_cv, rng)
        left = supply
        for week in range(weeks):
            units = demand(week, prices[week], elasticity) * level
            units = units if demand_cv is None else np.minimum(units, left)
            left = left - units
            totals[:, draw, week] = units.sum(), (units * prices[week]).sum(), (units * (prices[week] - cost)).sum()
    return Paths(prices, totals[0], totals[1], totals[2])


def drawn_together(n: int, rng: np.random.Generator) -> Floats:
    """Return standard normals that share a part: what is wrong about one SKU is partly wrong about all."""
    shared = rng.standard_normal()
    return np.asarray(np.sqrt(_SHARED) * shared + np.sqrt(1 - _SHARED) * rng.standard_normal(n), dtype=float)


def drawn_levels(cv: Floats, rng: np.random.Generator) -> Floats:
    """Return lognormal factors of mean 1 and the given coefficients of variation."""
    sd = np.sqrt(np.log1p(cv**2))
    return np.asarray(np.exp(sd * drawn_together(len(cv), rng) - 0.5 * sd**2), dtype=float)


def _history(lines: pd.DataFrame, history: pd.DataFrame, weeks: int) -> tuple[Floats, Floats, Floats]:
    """Units, prices and receipts of each line, shape (weeks, lines), the oldest first; a price not seen is the next."""
    places = pd.MultiIndex.from_frame(lines[["sku", "location_id"]].astype(object))
    keyed = {ago: part.set_index(["sku", "location_id"]) for ago, part in history.groupby("weeks_ago")}
    nothing = history.iloc[:0].set_index(["sku", "location_id"])
    sold, charged, came, later = [], [], [], lines["current_price"].to_numpy(dtype=float)
    for ago in range(weeks):
        part = keyed.get(ago, nothing).reindex(places)
        price = part["price"].to_numpy(dtype=float)
        later = np.where(np.isfinite(price) & (price > 0), price, later)
        sold.append(np.nan_to_num(part["units"].to_numpy(dtype=float)))
        charged.append(later)
        received = part["received"].to_numpy(dtype=float) if "received" in part.columns else np.zeros(len(lines))
        came.append(np.nan_to_num(received))
    return np.stack(sold[::-1]), np.stack(charged[::-1]), np.stack(came[::-1])


def _as_it_stood(lines: pd.DataFrame, sold: Floats, past: Floats, received: Floats) -> pd.DataFrame:
    """The lines before the weeks of ``past``: what was sold since lay in stock, what was received since did not."""
    weeks, since = len(past), sold[_TRAILING_WEEKS:].sum(axis=0)
    trailing = sold[:_TRAILING_WEEKS].mean(axis=0)
    on_hand = np.maximum(lines["on_hand"].to_numpy(dtype=float) + since - received.sum(axis=0), 0.0)
    cover = np.where(on_hand > 0, on_hand * 7 / np.maximum(trailing, 1e-9), 0.0)
    days = 7.0 * weeks
    tonight = lines["current_price"].to_numpy(dtype=float)
    return carried(lines, learnt_at=tonight, price=past[0]).assign(
        current_price=past[0],
        regular_price=past[0],
        lowest_price_30_days=past[0],
        highest_price_30_days=past[0],
        on_hand=on_hand,
        supply_units=lines["supply_units"].to_numpy(dtype=float) + since,
        weekly_units=trailing,
        days_of_cover=np.minimum(cover, _MOST_COVER),
        age_days=np.maximum(lines["age_days"].to_numpy(dtype=float) - days, 0.0),
        days_to_end_of_sale=lines["days_to_end_of_sale"].to_numpy(dtype=float) + days,
        days_since_change=np.nan,
        override_price=np.nan,
        has_planned_price=False,
        is_held=False,
    )


def simulation_text(
    lines: pd.DataFrame, history: pd.DataFrame, working: RuleBook, in_force: RuleBook, *, run_date: date, weeks: int,
    config: PricingConfig, seed: int,
) -> str:  # fmt: skip
    """Return the replay and the forward paths of two books against prices as they are, as text.

    Every figure is the change against prices as they are (replay: as they were), with its P10 and P90.
    """
    kept = lines[priceable(lines)].reset_index(drop=True)
    is_same = working == in_force
    books = [("working copy", working)] if is_same else [("working copy", working), ("book in force", in_force)]
    weekly = f"{weeks} weeks back and forward, prices looked at once a week"
    out = [f"Price simulation for {run_date}   {weekly}   currency {working.currency}", ""]
    as_were = replayed(kept, history, None, run_date=run_date, weeks=weeks, config=config, seed=seed)
    as_are = forward_paths(kept, None, run_date=run_date, weeks=weeks, config=config, seed=seed)
    for name, book in books:
        back = replayed(kept, history, book, run_date=run_date, weeks=weeks, config=config, seed=seed)
        ahead = forward_paths(kept, book, run_date=run_date, weeks=weeks, config=config, seed=seed)
        out.extend([f"{name}, the last {weeks} weeks replayed against what was charged:", *_table(back, as_were), ""])
        out.extend([f"{name}, the next {weeks} weeks against prices as they are:", *_table(ahead, as_are), ""])
    return "\n".join(out).rstrip()


def _table(paths: Paths, control: Paths) -> list[str]:
    rows = [f"  {'':8s}{'prices moved':>14s}{'units':>26s}{'revenue':>26s}{'profit':>34s}"]
    for week in range(paths.prices.shape[0]):
        before = paths.prices[week - 1] if week else control.prices[0]
        moved = int((np.abs(paths.prices[week] - before) > 0.004).sum())
        rows.append(_row(f"week {week + 1}", moved, paths, control, slice(week, week + 1)))
    rows.append(_row("together", None, paths, control, slice(None)))
    return rows


def _row(label: str, moved: int | None, paths: Paths, control: Paths, weeks: slice) -> str:
    def percent(new: Floats, old: Floats) -> str:
        base = np.maximum(old[:, weeks].sum(axis=1), 1e-9)
        low, middle, high = np.quantile((new - old)[:, weeks].sum(axis=1) / base * 100, [0.1, 0.5, 0.9])
        return f"{middle:+.1f} % ({low:+.1f} to {high:+.1f})"

    low, middle, high = np.quantile((paths.profit - control.profit)[:, weeks].sum(axis=1), [0.1, 0.5, 0.9])
    money = f"{middle:+,.0f} ({low:+,.0f} to {high:+,.0f})"
    count = "" if moved is None else str(moved)
    units, revenue = percent(paths.units, control.units), percent(paths.revenue, control.revenue)
    return f"  {label:8s}{count:>14s}{units:>26s}{revenue:>26s}{money:>34s}"
