"""What a tuned order policy is: an order rule for each size of demand.

The quantile of need knows the season and the spread; the mean of the last thirteen periods is steady, and right where a
forecast's tail is not. A rule mixes the two levels, as forecasters mix forecasts: the errors of the one are not those
of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restocking.plain_forecast import SIZES, size_of
from restocking.safety_stock import need_quantile

__all__ = ["BLEND", "COVER", "NEED", "RATE_PERIODS", "ChosenPolicy", "OrderRule"]

Floats = npt.NDArray[np.float64]

NEED, BLEND, COVER = "projected_need", "blend", "cover"
RATE_PERIODS = 13  # of the mean that a cover is counted in


@dataclass(frozen=True)
class OrderRule:
    """How much to order: the quantile of need at a ratio with k times the holding cost, mixed with a plain cover."""

    holding_factor: float = 1.0  # k of the ratio p / (p + k h R)
    cover_weight: float = 0.0  # of the cover's level in the mix (0-1)
    cover: float = 0.0  # periods of the recent mean beyond L + R [periods]

    @property
    def family(self) -> str:
        """The kind of rule."""
        return NEED if self.cover_weight == 0 else COVER if self.cover_weight == 1 else BLEND

    @property
    def text(self) -> str:
        """The rule as a check shows it."""
        quantile = f"holding factor {self.holding_factor:g}"
        cover = f"{self.cover_weight:.0%} L + R + {self.cover:g} periods of the recent mean"
        return {NEED: quantile, COVER: cover, BLEND: f"{quantile}, {cover}"}[self.family]


@dataclass(frozen=True)
class ChosenPolicy:
    """What the nightly plan uses, by size of demand; and what it saved on the windows it was chosen on."""

    rules: Mapping[str, OrderRule]
    gain: Mapping[str, float]  # saved against the untuned projection on those windows (share)
    n_windows: int
    n_series: int

    def wanted(self, need: Floats, ratio: Floats, *, rate: Floats, periods: Floats, position: Floats) -> Floats:
        """Return what to order before any limit; may be negative [units].

        Args:
            need: shape (n, n_paths): what an order has to bring [units].
            ratio: critical ratios of the shop's objective (0-1).
            rate: mean demand of the last thirteen periods; nan: unknown, then need alone counts [units/period].
            periods: L + R.
            position: inventory position [units].

        Example: need says 5, two periods and a half of 4 a period less a position of 3 say 7.
            >>> tuned = ChosenPolicy({"4_to_16": OrderRule(1.0, 0.5, 0.5)}, {}, 6, 99)
            >>> one = np.ones(1)
            >>> tuned.wanted(np.full((1, 50), 5.0), 0.8 * one, rate=4 * one, periods=2 * one, position=3 * one).item()
            6.0
        """
        is_known = ~np.isnan(rate)
        rules = [self.rules.get(name, OrderRule()) for name in SIZES]
        number = size_of(np.nan_to_num(rate))
        factor, weight, cover = (
            np.array([getattr(rule, name) for rule in rules])[number]
            for name in ("holding_factor", "cover_weight", "cover")
        )
        weight = np.where(is_known, weight, 0.0)
        factor = np.where(is_known, factor, 1.0)
        by_need = need_quantile(need, ratio / (ratio + factor * (1 - ratio)))
        by_cover = (periods + cover) * np.nan_to_num(rate) - position
        mixed: Floats = (1 - weight) * by_need + weight * by_cover
        return mixed
