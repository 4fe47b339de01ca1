"""Suppliers of the demo shop: lead times, reliability, order sizes, factory holidays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

__all__ = ["SECOND_SUPPLIER", "SUPPLIERS", "Supplier", "closed_spans", "expected_receipt_date", "true_lead_times"]


@dataclass(frozen=True)
class Supplier:
    """One supplier. Lead times [days] are what it says; ``true_*`` is what it does."""

    supplier_id: str
    name: str
    lead_time_days: int
    lead_time_sd_days: int
    true_lead_days: float
    true_sd_days: float
    short_share: float  # chance that a delivery is short (0-1)
    min_order_value: int  # [CNY]
    capacity_per_period: int  # [units/day]
    freight_per_order: int  # [CNY]


SUPPLIERS: tuple[Supplier, ...] = (
    Supplier("SUP-BADGE", "义乌亮闪徽章厂", 10, 2, 10, 1.5, 0.03, 500, 4000, 60),
    Supplier("SUP-PRINT", "东莞彩印社", 7, 1, 7, 1.0, 0.02, 300, 8000, 40),
    Supplier("SUP-ACRYL", "深圳晶立亚克力", 14, 3, 14.5, 2.5, 0.04, 800, 2500, 80),
    Supplier("SUP-FIGURE", "中山塑形模玩", 56, 7, 58, 6.0, 0.05, 5000, 400, 600),
    Supplier("SUP-COSA", "曹县云裳服饰", 21, 3, 21, 2.5, 0.05, 2000, 500, 150),
    Supplier("SUP-COSB", "杭州临时工坊", 21, 5, 27, 9.0, 0.22, 1500, 300, 120),  # the unreliable one
    Supplier("SUP-CLOTH", "广州织潮制衣", 24, 3, 24, 2.5, 0.04, 3000, 700, 200),
    Supplier("SUP-DOWN", "常熟暖羽", 35, 5, 36, 5.0, 0.04, 4000, 250, 300),
)
SECOND_SUPPLIER = Supplier("SUP-QUICK", "苏州快反仓", 5, 1, 5, 1.0, 0.02, 200, 600, 90)
"""A dearer, faster second source that the simulated shop itself never uses."""

_LUNAR_NEW_YEAR = {2024: date(2024, 2, 10), 2025: date(2025, 1, 29), 2026: date(2026, 2, 17), 2027: date(2027, 2, 6)}


def closed_spans(supplier_id: str, *, first: date, last: date) -> list[tuple[date, date]]:
    """Return the supplier's factory holidays that touch ``first`` to ``last``, as (first, last) closed days.

    Factories close around Lunar New Year (the small workshops longer), Labour Day and National Day.
    """
    before, after = (10, 14) if supplier_id in {"SUP-COSA", "SUP-COSB", "SUP-FIGURE"} else (5, 9)
    spans: list[tuple[date, date]] = []
    for year in range(first.year, last.year + 1):
        if year in _LUNAR_NEW_YEAR:
            new_year = _LUNAR_NEW_YEAR[year]
            spans.append((new_year - timedelta(days=before), new_year + timedelta(days=after)))
        spans.append((date(year, 5, 1), date(year, 5, 3)))
        spans.append((date(year, 10, 1), date(year, 10, 6)))
    return sorted(span for span in spans if span[1] >= first and span[0] <= last)


def expected_receipt_date(ordered: date, lead_time_days: int, spans: list[tuple[date, date]]) -> date:
    """Return the day from whose start the order can be sold; closed days do not count toward the lead time.

    >>> expected_receipt_date(date(2026, 6, 28), 2, [])
    datetime.date(2026, 7, 1)
    """
    day, worked = ordered, 0
    while worked < lead_time_days:
        day += timedelta(days=1)
        if not any(first <= day <= last for first, last in spans):
            worked += 1
    return day + timedelta(days=1)


def true_lead_times(supplier: Supplier, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return ``count`` real lead times [days], shape (count,): gamma around the true mean, at least 2."""
    shape = (supplier.true_lead_days / supplier.true_sd_days) ** 2
    draws = rng.gamma(shape, supplier.true_lead_days / shape, count)
    return np.maximum(2, np.rint(draws)).astype(np.int64)
