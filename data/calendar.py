"""Pure date arithmetic of a run: periods, order dates, lead times. No clock, no I/O.

A run for D plans at the close of D; the first period starts on D + 1. An order placed on D with a lead time of L
days can be sold from the start of D + 1 + L. R is the number of days from D to the next order date, and the
protection period is the L + R days that start on D + 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

__all__ = ["WEEKDAYS", "Calendar", "last_closed_day"]

WEEKDAYS: tuple[str, ...] = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_DAYS_A_WEEK = 7
_LONGEST_CLOSURE_DAYS = 400  # a supplier closed for longer than a year delivers nothing that can be planned


@dataclass(frozen=True)
class Calendar:
    """The calendar of one run.

    ``freq`` is ``D`` or ``W-MON`` ... ``W-SUN``: weeks that *start* on that weekday, labelled by their first day.
    ``order_weekdays`` are the business dates on which orders are placed; with a weekly ``freq`` every run is one.
    """

    run_date: date
    freq: str = "D"
    order_weekdays: tuple[str, ...] = ("SUN",)

    def __post_init__(self) -> None:
        if self.is_weekly and self.run_date + timedelta(days=1) != self.period_of(self.run_date + timedelta(days=1)):
            raise ValueError(
                f"with freq {self.freq} a run date is the last day of a week; {self.run_date} is a "
                f"{WEEKDAYS[self.run_date.weekday()]}"
            )

    @property
    def is_weekly(self) -> bool:
        """True where a period is a week."""
        return self.freq != "D"

    @property
    def period_days(self) -> int:
        """Length of a period [days]: 1 or 7."""
        return _DAYS_A_WEEK if self.is_weekly else 1

    @property
    def first_period(self) -> date:
        """Label of the first forecast period: D + 1."""
        return self.run_date + timedelta(days=1)

    @property
    def last_period(self) -> date:
        """Label of the last closed period: D, or the first day of the week that ends on D."""
        return self.first_period - timedelta(days=self.period_days)

    def period_of(self, day: date) -> date:
        """Return the label of the period that ``day`` falls into."""
        if not self.is_weekly:
            return day
        start = WEEKDAYS.index(self.freq.removeprefix("W-"))
        return day - timedelta(days=(day.weekday() - start) % _DAYS_A_WEEK)

    def periods(self, count: int) -> list[date]:
        """Return the labels of the first ``count`` forecast periods."""
        return [self.first_period + timedelta(days=i * self.period_days) for i in range(count)]

    def to_periods(self, days: float) -> int:
        """Return the whole periods that cover ``days``, rounded up.

        >>> Calendar(date(2026, 6, 28), freq="W-MON").to_periods(10)
        2
        """
        return ceil(round(days / self.period_days, 9))

    def lead_time(self, days: float) -> int:
        """Return L in whole days; weekly: in whole weeks, rounded up [days]."""
        return self.to_periods(ceil(days)) * self.period_days

    @property
    def is_order_date(self) -> bool:
        """True where orders are placed on D."""
        return self.is_weekly or WEEKDAYS[self.run_date.weekday()] in self.order_weekdays

    @property
    def next_order_date(self) -> date:
        """The first order date after D."""
        if self.is_weekly:
            return self.run_date + timedelta(days=_DAYS_A_WEEK)
        days = (self.run_date + timedelta(days=i) for i in range(1, _DAYS_A_WEEK + 1))
        return next(day for day in days if WEEKDAYS[day.weekday()] in self.order_weekdays)

    @property
    def closes_week(self) -> bool:
        """True where D is the last day of a week: any run date of a weekly shop, else a Sunday."""
        return self.is_weekly or WEEKDAYS[self.run_date.weekday()] == "SUN"

    @property
    def days_since_week_closed(self) -> int:
        """Days from the last day of the last closed week to D [days]: 0 where D closes a week."""
        return 0 if self.closes_week else (self.run_date.weekday() - WEEKDAYS.index("SUN")) % _DAYS_A_WEEK

    @property
    def review_period_days(self) -> int:
        """R: days from D to the next order date [days]."""
        return (self.next_order_date - self.run_date).days

    def receipt_date(self, lead_time_days: float, closures: Iterable[tuple[date, date]] = ()) -> date:
        """Return the day from whose start an order placed on D can be sold.

        Closed days of the supplier do not count toward L. ``closures`` are ``(first, last)`` closed days.

        >>> Calendar(date(2026, 6, 28)).receipt_date(2)
        datetime.date(2026, 7, 1)
        >>> Calendar(date(2026, 6, 28)).receipt_date(2, [(date(2026, 6, 29), date(2026, 6, 30))])
        datetime.date(2026, 7, 3)
        """
        spans = sorted(closures)
        day, worked = self.run_date, 0
        while worked < self.lead_time(lead_time_days) and (day - self.run_date).days < 10 * _LONGEST_CLOSURE_DAYS:
            day += timedelta(days=1)
            if not any(first <= day <= last for first, last in spans):
                worked += 1
        receipt = day + timedelta(days=1)
        if self.is_weekly and self.period_of(receipt) != receipt:
            receipt = self.period_of(receipt) + timedelta(days=_DAYS_A_WEEK)
        return receipt


def last_closed_day(today: date, freq: str) -> date:
    """Return the default run date: yesterday, or weekly the last day of the last closed week before ``today``.

    >>> last_closed_day(date(2026, 7, 1), "W-MON")
    datetime.date(2026, 6, 28)
    """
    yesterday = today - timedelta(days=1)
    if freq == "D":
        return yesterday
    last_weekday = (WEEKDAYS.index(freq.removeprefix("W-")) - 1) % _DAYS_A_WEEK
    return yesterday - timedelta(days=(yesterday.weekday() - last_weekday) % _DAYS_A_WEEK)
