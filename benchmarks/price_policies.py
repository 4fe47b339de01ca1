"""What pricing earns where the truth is known to the simulator alone: rules, rules with the optimiser, and an oracle.

    python -m benchmarks.price_policies

Four worlds of one shop each: constant elasticity; linear demand with season and wandering demand; stock that must be
gone by a date; and one whose prices are right already. All policies look once a week, under the same guardrails and
the same clearance rules. The policy under test gets prices, costs and weekly sales and nothing else:
it learns elasticities and the form of demand anew every four weeks with the pricing room's own estimator. The oracle
has the true elasticity at each price and the true mean.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricing.book import load_book
from pricing.config import PricingConfig
from pricing.curve import bent, carried
from pricing.elasticity import estimate_elasticities
from pricing.lines import LINE_COLUMNS
from pricing.rules import RuleBook
from pricing.suggest import suggest_prices

__all__ = ["WORLDS", "Outcome", "played"]

Floats = npt.NDArray[np.float64]

WORLDS = ("constant", "linear", "ending", "right")
_HISTORY_WEEKS, _WEEKS = 78, 26
_START = date(2025, 1, 5)
_RELEARN_WEEKS = 4
_CAP_PERCENT = 25.0
_GUARDRAILS = (
    "{min_margin_percent: 10, max_change_percent_per_day: 10, max_change_percent_per_30_days: 25, price_step: 0.1, "
    f"max_percent_of_list_price: 200, max_changed_percent_per_night: {_CAP_PERCENT:g}}}"
)
_CLEAR = """
  - {id: slow, type: markdown, when: {min_days_of_cover: 150, min_age_days: 60}, percent: 8}
  - {id: ends, type: clearance, when: {max_days_to_end_of_sale: 45, min_on_hand: 1}, start_days: 45, percent_at_end: 50}
"""
_TUNE = "\n  - {id: tune, type: optimise, when: {all: true}, within_percent: 10}"


@dataclass(frozen=True)
class Outcome:
    """Expected profit over the weeks, and the largest share of lines changed in one night [percent]."""

    profit: float
    most_changed_percent: float


@dataclass(frozen=True)
class _World:
    """Hidden parameters, and the state in which a policy takes over. Arrays of shape (n,)."""

    name: str
    kind: npt.NDArray[np.int64]
    elasticity: Floats
    reference: Floats
    base: Floats
    cost: Floats
    price: Floats
    season: Floats
    wander: Floats
    stock: Floats
    ends_week: int | None

    def local_elasticity(self, price: Floats) -> Floats:
        """Return the elasticity at a price: constant, or that of a straight line."""
        if self.name != "linear":
            return self.elasticity
        ratio = price / self.reference
        return np.asarray(self.elasticity * ratio / np.maximum(1 + self.elasticity * (ratio - 1), 0.05), dtype=float)

    def mean(self, price: Floats, week: int) -> Floats:
        """Return expected units in a week at a price."""
        ratio = price / self.reference
        if self.name == "linear":
            answer = np.maximum(1 + self.elasticity * (ratio - 1), 0.02)
        else:
            answer = ratio**self.elasticity
        return np.asarray(self.base * answer * self.season[:, week] * self.wander[:, week], dtype=float)


def _world(name: str, n: int, rng: np.random.Generator) -> _World:
    kind = np.arange(n) % 6
    steep = np.clip(1.7 + 0.3 * kind + rng.normal(0, 0.3, n), 1.4, 4.0)
    cost = np.exp(rng.normal(3.5, 0.6, n))
    if name == "linear":  # the best price of a straight line through (reference, base) with this elasticity there
        reference = cost * rng.uniform(1.6, 2.4, n)
        best = (reference * (1 + 1 / steep) + cost) / 2
    else:
        best = np.minimum(cost * steep / (steep - 1), 3.2 * cost)
        reference = best
    off = 0.0 if name == "right" else 0.22
    price = np.maximum(np.round(best * np.exp(rng.normal(0, off, n)), 1), np.round(cost * 1.15, 1))
    weeks = _HISTORY_WEEKS + _WEEKS
    moves = name in ("linear", "ending")
    season = 1 + 0.3 * moves * np.sin(np.arange(weeks) / 52 * 2 * np.pi + kind[:, None])
    wander = np.exp(np.cumsum(rng.normal(0, 0.03 * moves, (n, weeks)), axis=1))
    base = np.exp(rng.normal(2.5, 0.7, n))
    world = _World(name, kind, -steep, reference, base, cost, price, season, wander, np.full(n, np.inf), None)
    if name != "ending":
        return world
    expected = world.mean(price, _HISTORY_WEEKS) * _WEEKS
    return replace(world, stock=np.round(expected * rng.uniform(0.6, 2.0, n)), ends_week=weeks)


def _past(world: _World, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Prices and sales of the weeks before, shape (n, weeks): prices step now and then about today's."""
    n, weeks = len(world.price), _HISTORY_WEEKS
    step = (rng.random((n, weeks)) < 0.1).cumsum(axis=1)
    levels = np.exp(np.clip(rng.normal(0, 0.09, (n, weeks + 1)), -0.25, 0.25))
    prices = world.price[:, None] * np.take_along_axis(levels, step, axis=1)
    prices[:, -3:] = world.price[:, None]
    prices = np.round(prices, 1)
    units = np.column_stack([_drawn(world.mean(prices[:, w], w), rng) for w in range(weeks)])
    return prices, units


def _drawn(mean: Floats, rng: np.random.Generator) -> Floats:
    return rng.poisson(mean * rng.gamma(10.0, 0.1, len(mean))).astype(float)


def played(name: str, policy: str, *, n: int = 120, seed: int) -> Outcome:
    """Return what a policy ("rules", "optimise", "oracle") earns in a world.

    Args:
        name: one of ``WORLDS``.
        policy: which.
        n: SKUs.
        seed: the same seed is the same world, past and luck for every policy.
    """
    world = _world(name, n, np.random.default_rng([seed, 1]))
    prices, units = _past(world, np.random.default_rng([seed, 2]))
    luck = np.random.default_rng([seed, 3])
    tune = "" if policy == "rules" else _TUNE
    text = f"version: 1\ncurrency: CNY\nguardrails: {_GUARDRAILS}\nrules:{tune}{_CLEAR}"
    book = load_book(text, currency="CNY")
    config = PricingConfig()
    if policy == "oracle":
        config = PricingConfig(least_profit_gain_percent=0, least_profit_probability=0, candidate_prices=101)
    stock, earned, most = world.stock.copy(), 0.0, 0.0
    table = pd.DataFrame()
    for week in range(_HISTORY_WEEKS, _HISTORY_WEEKS + _WEEKS):
        if policy == "optimise" and (week - _HISTORY_WEEKS) % _RELEARN_WEEKS == 0:
            table = _learnt(world, prices, units, config)
        known = _oracle(world, prices[:, -1])
        if policy == "optimise":
            known = carried(table, learnt_at=table["at_price"].to_numpy(dtype=float), price=prices[:, -1])
        mean = (
            _true_mean(world, prices[:, -1], week)
            if policy == "oracle"
            else _forecast(world, prices, units, known, _ahead(world, week))
        )
        lines = _lines(world, prices, mean, known, stock, week, config)
        new = _decided(lines, book, week, config)
        most = max(most, 100 * float((new != prices[:, -1]).mean()))
        expected = np.minimum(world.mean(new, week), stock)
        earned += float(((new - world.cost) * expected).sum())
        sold = np.minimum(_drawn(world.mean(new, week), luck), stock)
        stock = stock - sold
        prices, units = np.column_stack([prices, new]), np.column_stack([units, sold])
    if world.ends_week is not None:  # what is left is worth the salvage value
        earned -= float((stock * world.cost * 0.7).sum())
    return Outcome(earned, most)


def _decided(lines: pd.DataFrame, book: RuleBook, week: int, config: PricingConfig) -> Floats:
    day = _START + timedelta(weeks=week)
    table = suggest_prices(lines, book, run_date=day, config=config)
    does = table["status"].isin(["auto", "needs_approval"]).to_numpy()
    new = table["suggested_price"].to_numpy(dtype=float)
    return np.asarray(np.where(does, new, lines["current_price"].to_numpy(dtype=float)), dtype=float)


def _learnt(world: _World, prices: Floats, units: Floats, config: PricingConfig) -> pd.DataFrame:
    """Elasticities by the pricing room's estimator, from prices and sales alone."""
    n, weeks = units.shape
    skus = np.array([f"S{i:05d}" for i in range(n)])
    weekly = pd.DataFrame(
        {
            "sku": np.repeat(skus, weeks),
            "location_id": "web",
            "week": np.tile(pd.date_range(_START, periods=weeks, freq="7D"), n),
            "units": units.ravel(),
            "days": 7.0,
            "price": np.where(units > 0, prices, np.nan).ravel(),
            "regular_price": prices.ravel(),
        }
    )
    kinds = [f"T{k}" for k in world.kind]
    groups = [f"C{k // 2}" for k in world.kind]
    products = pd.DataFrame({"sku": skus, "product_type": kinds, "category": groups, "unit_cost": world.cost})
    table = estimate_elasticities(weekly, products, config=config)
    return table[table["sku"] != "*"].set_index("sku").loc[skus].reset_index()


def _true_mean(world: _World, price: Floats, week: int) -> Floats:
    """The mean of the weeks that count: the next four, or what is left of an item's life."""
    weeks = range(week, min(week + _ahead(world, week), world.season.shape[1]))
    return np.asarray(np.mean([world.mean(price, w) for w in weeks], axis=0), dtype=float)


def _ahead(world: _World, week: int) -> int:
    return 4 if world.ends_week is None else world.ends_week - week


def _oracle(world: _World, price: Floats) -> pd.DataFrame:
    true = np.clip(world.local_elasticity(price), -12.0, -0.05)
    names = ("elasticity_lo", "elasticity", "elasticity_hi")
    return pd.DataFrame({name: true + side * 1e-6 for side, name in enumerate(names, -1)}).assign(curvature=0.0)


def _forecast(world: _World, prices: Floats, units: Floats, known: pd.DataFrame, ahead: int) -> Floats:
    """The mean of the last six weeks, each taken to today's price, times what the type did a year ago from there on."""
    e, curvature = (known[c].to_numpy(dtype=float)[:, None] for c in ("elasticity", "curvature"))
    recent = units[:, -6:] * np.exp(-e * bent(np.log(prices[:, -6:] / prices[:, -1:]), curvature))
    by_type = np.stack([units[world.kind == k].sum(axis=0) for k in range(6)])
    now = units.shape[1] - 52
    season = by_type[:, now : now + ahead].mean(axis=1) / np.maximum(by_type[:, now - 6 : now].mean(axis=1), 1.0)
    return np.asarray(recent.mean(axis=1) * np.clip(season, 0.5, 2.0)[world.kind], dtype=float)


def _lines(
    world: _World, prices: Floats, mean: Floats, known: pd.DataFrame, stock: Floats, week: int, config: PricingConfig
) -> pd.DataFrame:
    n, price = len(mean), prices[:, -1]
    horizon = mean * config.horizon_days / 7
    supply = np.where(np.isfinite(stock), stock, horizon * 2 + 50)
    left = np.nan if world.ends_week is None else float((world.ends_week - week) * 7)
    values: dict[str, object] = dict.fromkeys(LINE_COLUMNS) | {
        "sku": [f"S{i:05d}" for i in range(n)],
        "location_id": "web",
        "channel": "*",
        "category": "c",
        "current_price": price,
        "regular_price": price,
        "list_price": world.price,
        "unit_cost": world.cost,
        "salvage_value": world.cost * 0.3,
        "lowest_price_30_days": prices[:, -5:].min(axis=1),
        "highest_price_30_days": prices[:, -5:].max(axis=1),
        "on_hand": supply,
        "supply_units": supply,
        "units_mean": horizon,
        "units_sd": horizon * 0.3,
        "weekly_units": mean,
        "recent_units": 0.0,
        "days_of_cover": supply * 7 / np.maximum(mean, 1e-6),
        "age_days": 300.0,
        "days_to_end_of_sale": left,
        "elasticity": known["elasticity"].to_numpy(),
        "elasticity_lo": known["elasticity_lo"].to_numpy(),
        "elasticity_hi": known["elasticity_hi"].to_numpy(),
        "elasticity_level": "sku",
        "curvature": known["curvature"].to_numpy(),
        "has_planned_price": False,
        "is_held": False,
    }
    frame = pd.DataFrame(values, columns=list(LINE_COLUMNS))
    numbers = [c for c in LINE_COLUMNS if frame[c].isna().all() and c.endswith(("price", "days", "median", "heat"))]
    more = ["royalty_share", "guaranteed_units", "guaranteed_price", "licensor_min_price"]
    return frame.astype(dict.fromkeys([*numbers, *more], float))


def main() -> None:
    """Print the figures of the seeds that were asked for: 1, 2 and 3 without any."""
    seeds = [int(text) for text in sys.argv[1:]] or [1, 2, 3]
    for name in WORLDS:
        for seed in seeds:
            rules, ours, oracle = (played(name, p, seed=seed) for p in ("rules", "optimise", "oracle"))
            gap = oracle.profit - rules.profit
            closed = (ours.profit - rules.profit) / gap if gap > 0 else float("nan")
            change = (ours.profit / rules.profit - 1) * 100
            print(
                f"{name:9s} seed {seed}: rules {rules.profit:12,.0f}  oracle {oracle.profit / rules.profit - 1:+7.2%}  "
                f"ours {change:+6.2f} %  gap closed {closed:6.1%}  changed at most {ours.most_changed_percent:.1f} %"
            )


if __name__ == "__main__":
    main()
