"""The markdown path of what must go: its planned prices week by week up to the end of sale, families together.

Each night the price is found anew for the stock and the days that are left, reckoned over the rest of an item's life.
The path is that same search run ahead, once a week, on expected sales: what the nights to come will suggest if sales
come as forecast. Demand that stays the same at the same price is sold best at one price for the rest of a life
(Gallego & van Ryzin 1994); steps come from the caps on moves and from clearance rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.config import PricingConfig
from pricing.curve import bent
from pricing.matching import holds_today, matches
from pricing.rules import Clearance, RuleBook
from pricing.simulate import drawn_levels, drawn_together, forward_paths

__all__ = ["MarkdownPath", "markdown_paths", "markdown_text"]

Floats = npt.NDArray[np.float64]

_LONGEST_DAYS = 182.0  # [days] what ends later need not go yet
_MOST_WEEKS = 26
_MOST_SHOWN = 15  # families
_MOST_CV = 2.0
_MOST_LOG = 5.0
_DRAWS = 200
_INTERVAL = 2 * 1.6448536269514722  # standard deviations across a 90% interval
_FAMILY = ["style", "location_id", "channel"]


@dataclass(frozen=True)
class MarkdownPath:
    """Planned prices of some SKUs of one style, place and channel.

    ``weekly_prices`` [currency] run from tonight's suggestion on, a week each; ``stock`` is what is there and ordered
    [units]; ``left`` is what the path leaves at the end: P10, mean, P90; ``left_as_is`` the mean at today's price.
    """

    skus: tuple[str, ...]
    location_id: str
    channel: str
    ends_on: date
    price_now: float
    weekly_prices: tuple[float, ...]
    stock: float
    left: tuple[float, float, float]
    left_as_is: float

    def steps(self) -> list[tuple[int, float]]:
        """Return the weeks (from 0) in which the price changes, with the price from then on."""
        before = (self.price_now, *self.weekly_prices)
        return [(w, p) for w, p in enumerate(self.weekly_prices) if abs(p - before[w]) > 0.004]


def markdown_paths(
    lines: pd.DataFrame, book: RuleBook, *, run_date: date, config: PricingConfig, seed: int
) -> list[MarkdownPath]:
    """Return the path of every family that must go, the most stock at cost first.

    A family must go where a line of it ends its sale (or has to be gone by a clearance rule) within half a year and
    would not sell out by then at today's price. Steps that wait for a person are taken as approved; the share of
    prices that change in one night is left out of account, since a week has seven.

    Args:
        lines: tonight's lines that have a price and a cost.
        book: the rule book.
        run_date: date of the lines.
        config: validated settings.
        seed: of the draws.
    """
    days = _days_left(lines, book, run_date)
    daily = np.nan_to_num(lines["units_mean"].to_numpy(dtype=float)) / config.horizon_days
    supply = np.maximum(np.nan_to_num(lines["supply_units"].to_numpy(dtype=float)), 0.0)
    must = (days <= _LONGEST_DAYS) & (days > 0) & (supply > daily * np.minimum(days, _LONGEST_DAYS))
    style = lines["style_id"].where(lines["style_id"].notna(), lines["sku"]).astype(str)
    keyed = lines.assign(style=style, days_left=days)
    mask = must | _in_family(keyed, must) if book.guardrails.one_price_per_style else must
    if not mask.any():
        return []
    kept = keyed[mask].reset_index(drop=True)
    kept = kept.assign(days_left=kept["days_left"].clip(upper=_LONGEST_DAYS))
    weeks = min(math.ceil(float(kept["days_left"].max()) / 7), _MOST_WEEKS)
    alone = book.model_copy(
        update={"guardrails": book.guardrails.model_copy(update={"max_changed_percent_per_night": None})}
    )
    ahead = kept.drop(columns=["style", "days_left"])
    prices = forward_paths(ahead, alone, run_date=run_date, weeks=weeks, config=config, seed=seed).prices
    return _grouped(kept, prices, run_date=run_date, config=config, seed=seed)


def _days_left(lines: pd.DataFrame, book: RuleBook, run_date: date) -> Floats:
    """Days to the end of sale, or to the day by which a clearance rule wants it gone; infinite without either."""
    days = lines["days_to_end_of_sale"].to_numpy(dtype=float)
    days = np.where(np.isfinite(days), days, np.inf)
    for rule in book.rules:
        if isinstance(rule, Clearance) and rule.by_date is not None and holds_today(rule, run_date):
            mask = matches(rule.when, lines, run_date=run_date)
            days = np.where(mask, np.minimum(days, float((rule.by_date - run_date).days)), days)
    return np.asarray(days, dtype=float)


def _in_family(keyed: pd.DataFrame, must: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Lines that share style, place, channel and price with one that must go: they move with it."""
    whole = pd.Series(must, index=keyed.index).groupby([keyed[c] for c in [*_FAMILY, "current_price"]]).transform("any")
    return np.asarray(whole.to_numpy(dtype=bool))


def _grouped(
    kept: pd.DataFrame, prices: Floats, *, run_date: date, config: PricingConfig, seed: int
) -> list[MarkdownPath]:
    """One path for all lines of a family that have the same prices in every week, today's included."""
    left, as_is = (_left_over(kept, p, config=config, seed=seed) for p in (prices, np.tile(_price(kept), (1, 1))))
    paths: dict[tuple[object, ...], list[int]] = {}
    for i, family in enumerate(kept[[*_FAMILY, "current_price", "days_left"]].itertuples(index=False, name=None)):
        paths.setdefault((*family, *np.rint(prices[:, i] * 100).astype(int).tolist()), []).append(i)
    value = kept["unit_cost"].to_numpy(dtype=float) * np.nan_to_num(kept["supply_units"].to_numpy(dtype=float))
    found = []
    for rows in sorted(paths.values(), key=lambda r: (-float(value[r].sum()), r)):
        first, total = kept.iloc[rows[0]], left[:, rows].sum(axis=1)
        low, high = np.quantile(total, [0.1, 0.9])
        weeks = max(math.ceil(float(first["days_left"]) / 7), 1)
        found.append(
            MarkdownPath(
                skus=tuple(str(s) for s in kept["sku"].iloc[rows]),
                location_id=str(first["location_id"]),
                channel=str(first["channel"]),
                ends_on=run_date + timedelta(days=int(first["days_left"])),
                price_now=float(first["current_price"]),
                weekly_prices=tuple(float(p) for p in prices[:weeks, rows[0]]),
                stock=float(np.nan_to_num(kept["supply_units"].iloc[rows].to_numpy(dtype=float)).sum()),
                left=(float(low), float(total.mean()), float(high)),
                left_as_is=float(as_is[:, rows].sum(axis=1).mean()),
            )
        )
    return found


def _price(kept: pd.DataFrame) -> Floats:
    return np.asarray(kept["current_price"].to_numpy(dtype=float), dtype=float)


def _left_over(kept: pd.DataFrame, prices: Floats, *, config: PricingConfig, seed: int) -> Floats:
    """Units left at the end of sale by draw and line, shape (draws, lines); the last price holds on to the end.

    Drawn are the elasticity (normal between its bounds) and demand. A week that the end cuts short counts its days.
    """
    rng = np.random.default_rng(seed)
    days = kept["days_left"].to_numpy(dtype=float)
    mean = kept["elasticity"].to_numpy(dtype=float)
    sd = (kept["elasticity_hi"].to_numpy(dtype=float) - kept["elasticity_lo"].to_numpy(dtype=float)) / _INTERVAL
    units = np.nan_to_num(kept["units_mean"].to_numpy(dtype=float))
    cv = np.nan_to_num(kept["units_sd"].to_numpy(dtype=float)) / np.where(units > 0, units, 1.0)
    supply = np.maximum(np.nan_to_num(kept["supply_units"].to_numpy(dtype=float)), 0.0)
    curve = np.nan_to_num(kept["curvature"].to_numpy(dtype=float))
    weeks = math.ceil(float(days.max()) / 7)
    spans = [np.clip(days - 7 * w, 0.0, 7.0) * units / config.horizon_days for w in range(weeks)]
    bends = [
        bent(np.log(np.maximum(prices[min(w, len(prices) - 1)], 0.01) / _price(kept)), curve) for w in range(weeks)
    ]
    left = np.zeros((_DRAWS, len(kept)))
    for draw in range(_DRAWS):
        elasticity = np.nan_to_num(np.minimum(mean + np.nan_to_num(sd) * drawn_together(len(kept), rng), 0.0))
        level = drawn_levels(np.minimum(cv, _MOST_CV), rng)
        wanted = sum(
            s * np.exp(np.clip(elasticity * b, -_MOST_LOG, _MOST_LOG)) for s, b in zip(spans, bends, strict=True)
        )
        left[draw] = np.maximum(supply - wanted * level, 0.0)
    return left


def markdown_text(paths: list[MarkdownPath], *, run_date: date) -> str:
    """Return the planned paths as text, a family each: its steps, and what they leave unsold with P10 and P90."""
    if not paths:
        return "What must go: nothing ends its sale within half a year with more stock than it will sell."
    out = ["What must go, planned prices by week if sales come as forecast (working copy; each night finds them anew):"]
    for path in paths[:_MOST_SHOWN]:
        low, middle, high = path.left
        more = f" and {len(path.skus) - 1} more of its style" if len(path.skus) > 1 else ""
        out.append(f"  {path.skus[0]}{more}  {path.location_id} {path.channel}  ends {path.ends_on}")
        steps = [f"{run_date + timedelta(days=7 * w + 1)} {p:.2f}" for w, p in path.steps()]
        out.append(f"      now {path.price_now:.2f};  {',  '.join(steps) or 'no step within the guardrails'}")
        out.append(
            f"      {path.stock:,.0f} units, left at the end {middle:,.0f} ({low:,.0f} to {high:,.0f}); "
            f"at today's price {path.left_as_is:,.0f}"
        )
    if len(paths) > _MOST_SHOWN:
        out.append(f"  ... and {len(paths) - _MOST_SHOWN} more families")
    return "\n".join(out)
