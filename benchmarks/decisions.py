"""What orders cost on sales that really came: the plan's policy against cover policies, week by week.

    python -m benchmarks.decisions [m5] [online_retail] [--windows 3] [--back 0] [--data FOLDER] [--cache FOLDER]

Six orders a window, L two weeks, holding 0.2 a week, lost sale 1.0, opening stock two weeks of demand and one week in
each of two transits, cost of weeks 3 to 8, windows two weeks apart. Forecasts are the room's own, as of every order
date. Controls: the 13-week mean with four weeks of cover, the same with the cover that was best on earlier windows, and
no orders. The tuned cover is chosen on windows that end before the first reported one; the plan's policy by what the
weekly review runs, from the history before it.
Standard errors: bootstrap over SKUs of the paired difference. What everybody sees is demand, not sales cut by the
policy's own stock-outs: the shops' files do not say when a shelf was empty.
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.decision_shops import (
    LEAD,
    REVIEW,
    AsOfForecast,
    WeeklySales,
    forecast_as_of,
    m5_by_weeks,
    online_retail_by_weeks,
    sold_regularly,
)
from forecasting.config import ForecastConfig
from restocking.chosen_policy import ChosenPolicy
from restocking.sample_paths import PathSampler, calibrate_totals
from restocking.simulate import Costs, Policy, PolicyView, cover_policy, no_orders, simulate
from restocking.tuning import TuningSetup, choose_policy, mixed_policy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COSTS = Costs(holding=0.2, shortage=1.0)
SETUP = TuningSetup(COSTS, LEAD, lost_sales=True, seed=1)
UNTUNED = ChosenPolicy({}, {}, 0, 0)
ORDERS, WEEKS, STEP = 6, 8, 2
FOUR_WEEKS = 4.0
COVERS = (2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0, 4.25, 4.5, 5.0)
TUNING_WINDOWS = 2
N_PATHS, DRAWS = 200, 400


class Forecasts:
    """Forecasts as of each order date, made when first asked for and kept."""

    def __init__(self, shop: WeeklySales, cache: Path | None) -> None:
        self._shop, self._cache = shop, cache
        self._known: dict[int, AsOfForecast] = {}
        self._sampler = PathSampler(N_PATHS, LEAD + REVIEW, seed=1)

    def paths(self, week: int, rows: Ints) -> Floats:
        """Return sample paths of demand from ``week`` on over L + R, shape (weeks, n, n_paths) [units]."""
        forecast = self._as_of(week)
        at = np.searchsorted(forecast.rows, rows)
        quantiles = np.moveaxis(forecast.quantiles[at, : LEAD + REVIEW], 1, 0)
        drawn = self._sampler.draw(quantiles, correlation=forecast.correlation[at], scale=forecast.scale[at])
        return calibrate_totals(
            drawn,
            window=np.full((len(rows), N_PATHS), LEAD + REVIEW),
            quantiles=forecast.total_quantiles[at],
            mean=forecast.mean[at, : LEAD + REVIEW].T,
            known=np.ones(len(rows), dtype=bool),
        )

    def _as_of(self, week: int) -> AsOfForecast:
        place = self._cache / f"{self._shop.name}_{week}.pkl" if self._cache else None
        if week not in self._known and place is not None and place.is_file():
            self._known[week] = pickle.loads(place.read_bytes())
        if week not in self._known:
            self._known[week] = forecast_as_of(self._shop, week, config=ForecastConfig())
            if place is not None:
                place.write_bytes(pickle.dumps(self._known[week]))
        return self._known[week]


class Window:
    """One window: what was sold before it, what came, and the cost of a policy by series."""

    def __init__(self, shop: WeeklySales, start: int, forecasts: Forecasts) -> None:
        coming = shop.units[:, start : start + WEEKS]
        rows = sold_regularly(shop, start)
        self.rows = rows[~np.isnan(coming[rows]).any(axis=1)]
        self.start, self.past, self.demand = start, shop.units[self.rows, :start], coming[self.rows]
        self.rate = self.past[:, -13:].mean(axis=1)
        self._forecasts = forecasts
        self._paths: dict[int, Floats] = {}

    def cost(self, policy: Policy) -> Floats:
        """Return the cost of weeks 3 to 8 of each series; the last order is the one after week 5."""

        def order(view: PolicyView) -> npt.ArrayLike:
            return policy(view) if view.period < ORDERS - 1 else no_orders(view)

        start = {"opening": np.round(2 * self.rate), "due": np.repeat(np.round(self.rate)[:, None], LEAD, axis=1)}
        return simulate(self.demand, order, **start).cost(COSTS, first=LEAD)

    def cover(self, weeks: float) -> Floats:
        """Return the cost of so many weeks of the 13-week mean."""

        def mean(view: PolicyView) -> Floats:
            return np.concatenate([self.past, view.history], axis=1)[:, -13:].mean(axis=1)

        return self.cost(cover_policy(mean, periods=weeks))

    def plan(self, policy: ChosenPolicy | None) -> Floats:
        """Return the cost of the plan: with the textbook ratio, or with a tuned policy."""

        def paths(view: PolicyView) -> Floats:
            week = self.start + view.period + 1
            if week not in self._paths:
                self._paths[week] = self._forecasts.paths(week, self.rows)
            return self._paths[week]

        return self.cost(mixed_policy(policy or UNTUNED, paths, past=self.past, setup=SETUP))


def decide(shop: WeeklySales, *, n_windows: int, back: int, cache: Path | None) -> None:
    """Print what every policy costs on the reported windows, with settings from earlier ones."""
    forecasts = Forecasts(shop, cache)
    last = shop.n_weeks - WEEKS - back
    starts = [last - STEP * k for k in range(n_windows)]
    before = [starts[-1] - WEEKS - STEP * k for k in range(TUNING_WINDOWS)]
    early = [Window(shop, start, forecasts) for start in before]
    cover = min(COVERS, key=lambda c: sum(float(w.cover(c).sum()) for w in early))
    policy = choose_policy(shop.units[sold_regularly(shop, starts[-1]), : starts[-1]], SETUP)
    windows = [Window(shop, start, forecasts) for start in starts]
    costs = {
        "four weeks of cover": [w.cover(FOUR_WEEKS) for w in windows],
        f"tuned cover, {cover:g} weeks": [w.cover(cover) for w in windows],
        "no orders": [w.cost(no_orders) for w in windows],
        "plan, untuned": [w.plan(None) for w in windows],
        "plan, tuned": [w.plan(policy) for w in windows],
    }
    print(f"{shop.name}: windows from weeks {starts}, cover from {before}, {[len(w.rows) for w in windows]} series")
    print(f"  policy: {policy and {size: rule.text for size, rule in policy.rules.items()}}")
    *_, plan = costs.values()
    for name, cost in costs.items():
        total = sum(float(c.sum()) for c in cost)
        saved, error = paired(plan, cost, [w.rows for w in windows])
        print(f"  {name:28} {total:12,.0f}   the tuned plan saves {saved:6.1%} +- {error:.1%}")


def paired(plan: list[Floats], other: list[Floats], rows: list[Ints]) -> tuple[float, float]:
    """Return the share that the plan saves, and its standard error by bootstrap over SKUs, windows kept together."""
    everyone = np.concatenate(rows)
    size = int(everyone.max()) + 1
    sums = [np.bincount(everyone, weights=np.concatenate(c), minlength=size) for c in (plan, other)]
    known = np.flatnonzero(np.bincount(everyone, minlength=size))
    a, b = sums[0][known], sums[1][known]
    picks = np.random.default_rng(1).integers(0, len(known), (DRAWS, len(known)))
    drawn = 1 - a[picks].sum(axis=1) / b[picks].sum(axis=1)
    return float(1 - a.sum() / b.sum()), float(drawn.std(ddof=1))


def main() -> None:
    """Run the shops that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shops", nargs="*", default=["m5", "online_retail"])
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--back", type=int, default=0, help="end so many weeks before the sales do")
    parser.add_argument("--every", type=int, help="take every so many series: M5 30, online_retail 1")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--cache", type=Path, help="keep forecasts here, to look at policies again")
    asked = parser.parse_args()
    if asked.cache:
        asked.cache.mkdir(parents=True, exist_ok=True)
    for name in asked.shops:
        if not asked.data.is_dir():
            print(f"{name}: skipped, no real data at {asked.data}")
            continue
        shop = (
            m5_by_weeks(asked.data, every=asked.every or 30)
            if name == "m5"
            else online_retail_by_weeks(asked.data, every=asked.every or 1)
        )
        decide(shop, n_windows=asked.windows, back=asked.back, cache=asked.cache)


if __name__ == "__main__":
    main()
