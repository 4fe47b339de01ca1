"""Exact, additive explanations of an order: the why columns, and the same terms in words.

A quantity is built in steps; each step replaces the running value by a new one. The running values are rounded half up,
and a why column is the difference of two neighbours, so that the columns add up to the last value whatever the
rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from data.contracts import WHY_COLUMNS

__all__ = ["WhyTrail", "describe_line", "round_half_up"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TOLERANCE = 1e-6  # float noise of summed forecasts [units]


def round_half_up(values: npt.ArrayLike) -> Ints:
    """Return ``values`` rounded half up: unlike half-to-even it commutes with adding whole numbers.

    >>> round_half_up([2.5, 3.5, -0.5, 0.4999999]).tolist()
    [3, 4, 0, 1]
    """
    return np.floor(np.asarray(values, dtype=np.float64) + 0.5 + _TOLERANCE).astype(np.int64)


class WhyTrail:
    """The running value of ``n`` order quantities, and what each step did to it [units]."""

    def __init__(self, n: int) -> None:
        self._value: Floats = np.zeros(n)
        self._whole: Ints = np.zeros(n, dtype=np.int64)
        self._steps: dict[str, Ints] = {name: np.zeros(n, dtype=np.int64) for name in WHY_COLUMNS}

    @property
    def value(self) -> Floats:
        """The running value [units]."""
        return self._value.copy()

    def move_to(self, why: str, value: npt.ArrayLike) -> None:
        """Replace the running value; the move is booked to the column ``why``."""
        value = np.asarray(value, dtype=np.float64)
        whole = round_half_up(value)
        self._steps[why] = self._steps[why] + (whole - self._whole)
        self._value, self._whole = value.copy(), whole

    def order_qty(self) -> Ints:
        """The last value in whole units; the sum of all columns."""
        return self._whole.copy()

    def columns(self) -> dict[str, Ints]:
        """The why columns in contract order [whole units]."""
        return {name: steps.copy() for name, steps in self._steps.items()}


_TERMS: dict[str, str] = {
    "why_moq": "lifted to the minimum order",
    "why_pack": "rounded up to whole packs",
    "why_cap": "cut to the cover cap",
    "why_max_order": "cut to the largest order",
    "why_capacity": "cut to the supplier's capacity",
    "why_budget": "cut by the budget",
    "why_set": "for whole size sets",
    "why_transfer": "comes from another location",
    "why_off_date": "waits for the next order date",
    "why_override": "typed by a planner",
}


def describe_line(line: Mapping[str, Any]) -> str:
    """Return one plan line in words, with the terms of its why columns.

    Args:
        line: one row of ``restock_plan``.

    Example:
        >>> row = dict.fromkeys(WHY_COLUMNS, 0) | {"sku": "A", "location_id": "main", "why_need": 360,
        ...     "why_lost_sales": -38, "why_position": -150, "why_buffer": 90, "why_pack": 2, "order_qty": 264,
        ...     "lead_time_days": 14, "review_period_days": 7, "service_level": 0.95,
        ...     "on_hand": 120, "on_order": 40, "backorders": 10, "preorders_open": 0}
        >>> print(describe_line(row))  # doctest: +NORMALIZE_WHITESPACE
        A at main: expect 360 in the next 21 days, of which 38 are lost before the order can arrive; have 150 = 120 + 40
        - 10 - 0; 90 more for a 95% chance of no stock-out; +2 rounded up to whole packs; order 264.
    """
    days = round(line["lead_time_days"] + line["review_period_days"])
    parts = [f"expect {line['why_need']} in the next {days} days"]
    if line["why_lost_sales"]:
        parts[0] += f", of which {-line['why_lost_sales']} are lost before the order can arrive"
    have = " - ".join(f"{line[name]:g}" for name in ("backorders", "preorders_open"))
    parts.append(f"have {-line['why_position']} = {line['on_hand']:g} + {line['on_order']:g} - {have}")
    if line["why_buffer"]:
        chance = f"for a {line['service_level']:.0%} chance of no stock-out"
        more = "more" if line["why_buffer"] > 0 else "less"
        parts.append(f"{abs(line['why_buffer'])} {more} {chance}")
    if line["why_surplus"]:
        parts.append(f"nothing is needed (surplus {line['why_surplus']})")
    parts += [f"{line[name]:+d} {words}" for name, words in _TERMS.items() if line[name]]
    return f"{line['sku']} at {line['location_id']}: " + "; ".join(parts) + f"; order {line['order_qty']}."
