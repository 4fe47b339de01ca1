"""The order policy, tuned by simulating what it would have cost on the shop's own earlier weeks.

A textbook ratio p / (p + h R) says that a unit too many is held for one review period. In a shop whose forecasts move
it is held longer: where the next forecast is lower nothing is ordered, and the unit waits. How much longer is found by
simulation: ``holding_factor`` k makes the ratio p / (p + k h R). It is chosen by size of demand, beside a plain cover
of so many periods of demand, on windows that all lie before tonight; then it is frozen until the next weekly review.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restocking.plain_forecast import SIZES, PlainForecast, plain_forecast, size_of
from restocking.sample_paths import PathSampler
from restocking.simulate import Costs, Policy, PolicyView, cover_policy, projected_need, simulate

__all__ = ["COVER", "NEED", "ChosenPolicy", "TuningSetup", "choose_policy", "windows_before"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEED, COVER = "projected_need", "cover"
HOLDING_FACTORS = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5)
COVERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # beyond L + R [periods]
_ORDERS = 6  # a window
_STEP = 4  # windows begin so many periods apart
_MOST_WINDOWS = 6
_FIRST_PERIODS = 26  # of history before the first window
_RATE_PERIODS = 13
_PATHS = 100
_MOST_SERIES = 600
_SHRINKAGE_SERIES = 300.0  # a size with so many series counts half for itself, half for the whole shop
_COVER_MUST_GAIN = 0.01  # a cover replaces the projection only where it is cheaper by more than this share


@dataclass(frozen=True)
class TuningSetup:
    """What the simulated shop pays and how it orders. Periods are weeks with a weekly ``planning.freq``."""

    costs: Costs
    lead: int  # L [periods]
    lost_sales: bool
    seed: int

    def ratio(self, factor: float) -> float:
        """Return p / (p + k h R) with R = 1 period."""
        return self.costs.shortage / (self.costs.shortage + factor * self.costs.holding)


@dataclass(frozen=True)
class ChosenPolicy:
    """What the nightly plan uses, by size of demand; and what it cost on the windows it was chosen on."""

    family: Mapping[str, str]
    parameter: Mapping[str, float]  # holding factor, or cover beyond L + R [periods]
    gain: Mapping[str, float]  # saved against the untuned projection on those windows (share)
    n_windows: int
    n_series: int

    def ratios(self, ratio: Floats, mean: Floats) -> Floats:
        """Return each line's ratio with its holding factor: r / (r + k (1 - r)).

        Args:
            ratio: critical ratios (0-1).
            mean: demand [units/period].

        >>> tuned = ChosenPolicy({"under_1": NEED}, {"under_1": 2.0}, {}, 6, 99)
        >>> tuned.ratios(np.array([0.8, 0.8]), np.array([0.5, 50.0])).round(4).tolist()
        [0.6667, 0.8]
        """
        factor = np.array([self.parameter.get(s, 1.0) if self.family.get(s) == NEED else 1.0 for s in SIZES])
        k = factor[size_of(mean)]
        tuned: Floats = ratio / (ratio + k * (1 - ratio))
        return tuned

    def covers(self, mean: Floats) -> Floats:
        """Return each line's cover beyond L + R [periods]; nan where its level comes from the projection."""
        own = np.array([self.parameter.get(s, np.nan) if self.family.get(s) == COVER else np.nan for s in SIZES])
        cover: Floats = own[size_of(mean)]
        return cover


def windows_before(n_periods: int, *, lead: int, count: int = _MOST_WINDOWS) -> list[int]:
    """Return the first periods of the windows, latest first; each ends with or before the history.

    >>> windows_before(60, lead=2)
    [52, 48, 44, 40, 36, 32]
    """
    last = n_periods - lead - _ORDERS
    return [start for start in (last - _STEP * k for k in range(count)) if start >= _FIRST_PERIODS]


def choose_policy(history: Floats, setup: TuningSetup, *, sold: Floats | None = None) -> ChosenPolicy | None:
    """Return the cheapest policy of each size on earlier windows; None where the history is too short.

    Args:
        history: shape (n_series, t): demand, nan where not on sale or stocked out [units/period].
        setup: costs and lead time.
        sold: same shape: what was sold, stock-outs or not; nan not on sale. Demand was at least that.
    """
    starts = windows_before(history.shape[1], lead=setup.lead)
    if not starts or not len(history):
        return None
    kept = np.linspace(0, len(history) - 1, min(len(history), _MOST_SERIES)).round().astype(np.int64)
    history, least = history[kept], None if sold is None else sold[kept]
    options = [(NEED, k) for k in HOLDING_FACTORS] + [(COVER, c) for c in COVERS]
    costs, counts = np.zeros((len(options), len(SIZES))), np.zeros(len(SIZES))
    for start in starts:
        cost, size = _window(history, least, start, options, setup)
        for number, of_series in enumerate(cost):
            costs[number] += np.bincount(size, weights=of_series, minlength=len(SIZES))
        counts += np.bincount(size, minlength=len(SIZES))
    if not costs.sum():
        return None
    return _cheapest(options, costs, counts / len(starts), n_windows=len(starts))


def _window(
    history: Floats, sold: Floats | None, start: int, options: list[tuple[str, float]], setup: TuningSetup
) -> tuple[list[Floats], Ints]:
    """Return the cost of each series under each option in one window, and the series' sizes."""
    length = setup.lead + _ORDERS
    past, coming = history[:, :start], history[:, start : start + length]
    known = ~np.isnan(past[:, -_RATE_PERIODS:]).all(axis=1) & ((~np.isnan(coming)).sum(axis=1) >= length - 2)
    rows = np.flatnonzero(known)
    recent = past[rows, -_RATE_PERIODS:]
    rate = np.nan_to_num(recent).sum(axis=1) / (~np.isnan(recent)).sum(axis=1)
    hidden = np.repeat(np.round(rate)[:, None], length, axis=1)  # in a stock-out demand is what is usual, or more
    if sold is not None:
        hidden = np.fmax(hidden, sold[rows, start : start + length])
    demand = np.where(np.isnan(coming[rows]), hidden, coming[rows])
    forecasts = [plain_forecast(history[:, : start + t], rows, periods=setup.lead + 1) for t in range(_ORDERS)]
    sampler = PathSampler(_PATHS, setup.lead + 1, setup.seed)
    paths = [forecast.paths(sampler) for forecast in forecasts]
    opening, due = np.round(2 * rate), np.repeat(np.round(rate)[:, None], setup.lead, axis=1)
    found = []
    for family, parameter in options:
        policy = _stopping(_policy(family, parameter, forecasts, paths, setup))
        run = simulate(demand, policy, opening=opening, due=due, lost_sales=setup.lost_sales)
        found.append(run.cost(setup.costs, first=setup.lead))
    return found, size_of(rate)


def _policy(
    family: str, parameter: float, forecasts: list[PlainForecast], paths: list[Floats], setup: TuningSetup
) -> Policy:
    if family == COVER:
        return cover_policy(lambda view: forecasts[view.period + 1].mean, periods=setup.lead + 1 + parameter)
    return projected_need(
        lambda view: paths[view.period + 1], ratio=setup.ratio(parameter), lost_sales=setup.lost_sales
    )


def _stopping(policy: Policy) -> Policy:
    """Return the policy without orders after the last one of the window: they would come after it."""

    def order(view: PolicyView) -> npt.ArrayLike:
        return policy(view) if view.period < _ORDERS - 1 else np.zeros_like(view.on_hand)

    return order


def _cheapest(options: list[tuple[str, float]], costs: Floats, counts: Floats, *, n_windows: int) -> ChosenPolicy:
    """Return the option of each size with the lowest cost, pulled to the whole shop's where the size is small."""
    untuned = options.index((NEED, 1.0))
    overall = costs.sum(axis=1) / costs[untuned].sum()
    is_cover = np.array([family == COVER for family, _ in options])
    family, parameter, gain = {}, {}, {}
    for s, name in enumerate(SIZES):
        own = costs[:, s] / costs[untuned, s] if costs[untuned, s] > 0 else overall
        weight = counts[s] / (counts[s] + _SHRINKAGE_SERIES)
        score = weight * own + (1 - weight) * overall + np.where(is_cover, _COVER_MUST_GAIN, 0.0)
        best = int(np.argmin(score))
        family[name], parameter[name] = options[best]
        gain[name] = round(float(1 - own[best]), 6)
    return ChosenPolicy(family, parameter, gain, n_windows, round(float(counts.sum())))
