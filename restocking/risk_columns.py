"""Cover, stock-out dates, risks and money of every line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.calendar import WEEKDAYS, Calendar
from restocking.config import RestockConfig
from restocking.picture import Picture
from restocking.pieces import expected_sold

__all__ = ["cover_columns", "days_of_cover", "excess_orders", "longest_review_days", "risk_columns", "stockout_columns"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MEDIAN, _EARLY = 0.5, 0.1  # share of paths that have run out by the date
_SELLS = 1e-9  # a smaller mean is no demand [units per period]
_LONGEST_COVER_DAYS = 9999.0  # more is as good as never


def days_of_cover(units: Floats, mean: Floats, *, period_days: int) -> Floats:
    """Return how long ``units`` last at mean demand [days]; nan where nothing sells.

    Beyond the forecast its own average goes on.

    Args:
        units: shape (n,) [units].
        mean: shape (horizon, n) [units per period].
        period_days: length of a period [days].

    >>> days_of_cover(np.array([10.0, 30.0]), np.full((5, 2), 4.0), period_days=1).tolist()
    [2.5, 7.5]
    """
    total = mean.cumsum(axis=0)
    rate = total[-1] / len(mean)
    whole = (total <= units).sum(axis=0)
    before = np.where(whole > 0, np.take_along_axis(total, np.maximum(whole - 1, 0)[None, :], axis=0)[0], 0.0)
    next_period = np.take_along_axis(mean, np.minimum(whole, len(mean) - 1)[None, :], axis=0)[0]
    speed = np.where(whole < len(mean), next_period, rate)
    part = np.divide(np.maximum(units, 0.0) - before, speed, out=np.zeros_like(units), where=speed > _SELLS)
    cover = np.minimum((whole + part) * period_days, _LONGEST_COVER_DAYS)
    return np.where(rate > _SELLS, np.where(units > 0, cover, 0.0), np.nan)


def cover_columns(picture: Picture, *, calendar: Calendar) -> pd.DataFrame:
    """Return ``days_of_cover`` (from stock on hand alone) and ``days_of_cover_with_orders`` [days]."""
    on_hand = picture.position["on_hand"].to_numpy(np.float64)
    on_order = picture.position["on_order"].to_numpy(np.float64)
    mean, days = picture.outlook.mean, calendar.period_days
    with_orders = days_of_cover(on_hand + on_order, mean, period_days=days)
    return pd.DataFrame(
        {"days_of_cover": days_of_cover(on_hand, mean, period_days=days), "days_of_cover_with_orders": with_orders}
    )


def stockout_columns(picture: Picture, *, calendar: Calendar) -> pd.DataFrame:
    """Return the dates on which stock, open orders included, runs out, and the last day to order against it.

    ``stockout_date``: the first period by which half of the paths have run out (median demand);
    ``stockout_date_early``: by which a tenth have (P90 demand); null within the forecast otherwise.
    ``order_by_date``: an order of that day can be sold from ``stockout_date_early`` on, the lead time included; a day
    before D is too late already. Where nothing needs ordering, a gap before receipt that no order can fill is left out.
    """
    outcomes = picture.outcomes
    by = outcomes.stocked_out_by
    early = _first_day(by >= _EARLY, calendar=calendar)
    later = _first_day(outcomes.stocked_out_after_receipt_by >= _EARLY, calendar=calendar)
    lead = pd.to_timedelta(picture.lines["lead_days"].to_numpy(np.float64) + 1, unit="D")
    is_needed = pd.Series(picture.base_qty > 0)
    return pd.DataFrame(
        {
            "stockout_date": _first_day(by >= _MEDIAN, calendar=calendar),
            "stockout_date_early": early,
            "order_by_date": early.where(is_needed, later) - pd.Series(lead),
        }
    )


def _first_day(reached: npt.NDArray[np.bool_], *, calendar: Calendar) -> pd.Series:
    first = pd.Timestamp(calendar.first_period)
    days = pd.Series(reached.argmax(axis=1) * calendar.period_days)
    dates = first + pd.to_timedelta(days, unit="D")
    return dates.where(pd.Series(reached.any(axis=1)))


def risk_columns(picture: Picture, order_qty: Ints, *, supplied: Ints, calendar: Calendar) -> pd.DataFrame:
    """Return risks with and without the order, and what is at stake.

    Excess is what is left after L and the longest time between two order dates, whichever day of the week it is: on
    the eve of an order date R is one day, and stock for the week to come would be called excess.

    Args:
        picture: the lines.
        order_qty: to order tonight [units].
        supplied: what "if ordered" means: the order, transfers included; off order dates the need that waits [units].
        calendar: of this run.
    """
    outcomes, economics = picture.outcomes, picture.economics
    nothing = np.zeros(len(order_qty))
    unmet_without = outcomes.unmet_after(nothing).mean(axis=1)
    avoided = np.maximum(unmet_without - outcomes.unmet_after(supplied).mean(axis=1), 0.0)
    later = np.maximum(longest_review_days(calendar) - picture.column("review_period_days"), 0.0) * picture.daily
    excess = outcomes.excess(supplied, demand_later=later)
    last_pack = np.minimum(np.maximum(picture.lines["pack_size"].to_numpy(np.int64), 1), order_qty)
    sold = expected_sold(outcomes.need, order_qty) - expected_sold(outcomes.need, order_qty - last_pack)
    spent = last_pack * picture.column("unit_cost")
    earned = np.where(spent > 0, economics.gain * sold, np.nan)
    lost = outcomes.unmet_before.mean(axis=1) + unmet_without
    return pd.DataFrame(
        {
            "p_stockout_before_receipt": outcomes.p_stockout_before(),
            "p_stockout_if_not_ordered": outcomes.p_stockout_after(nothing),
            "p_stockout_if_ordered": outcomes.p_stockout_after(supplied),
            "expected_fill_rate": outcomes.fill_rate(supplied),
            "expected_lost_units_avoided": avoided,
            "expected_excess_units": excess,
            "excess_value": excess * picture.column("unit_cost"),
            "marginal_return": np.divide(earned, spent, out=np.full_like(spent, np.nan), where=spent > 0),
            "money_at_risk": economics.gain * lost,
        }
    )


def longest_review_days(calendar: Calendar) -> int:
    """Return the longest time between two order dates [days].

    >>> from datetime import date
    >>> longest_review_days(Calendar(date(2026, 6, 28), order_weekdays=("MON", "THU")))
    4
    """
    if calendar.is_weekly:
        return calendar.period_days
    days = sorted(WEEKDAYS.index(name) for name in calendar.order_weekdays)
    return max(after - day for day, after in zip(days, [*days[1:], days[0] + len(WEEKDAYS)], strict=True))


def excess_orders(picture: Picture, *, config: RestockConfig) -> pd.DataFrame:
    """Return which lines have too much, and the open order that is not needed.

    Returns:
        ``is_excess`` (all that is there and coming exceeds ``excess_cover_days`` of demand and the order-up-to level),
        ``is_excess_on_order`` (and the level is met without the latest open order), ``unneeded_po_id``, ``next_po_id``
        (the earliest).
    """
    n = len(picture.lines)
    orders: pd.DataFrame = picture.orders.orders
    everything = picture.need.position - picture.orders.counted(n) + picture.orders.total(n)
    enough = np.maximum(config.excess_cover_days * picture.daily, np.maximum(picture.level, 0.0))
    is_excess = everything > enough
    by_date = orders.sort_values(["row", "arrives_date", "po_id"]).groupby("row")
    latest, earliest = by_date.last(), by_date.first()
    latest_qty = np.zeros(n)
    latest_qty[latest.index.to_numpy(np.int64)] = latest["qty"].to_numpy(np.float64)
    unneeded = is_excess & (latest_qty > 0) & (everything - latest_qty >= picture.level)
    rows = pd.RangeIndex(n)
    return pd.DataFrame(
        {
            "is_excess": is_excess,
            "is_excess_on_order": unneeded,
            "unneeded_po_id": latest["po_id"].reindex(rows).where(unneeded),
            "next_po_id": earliest["po_id"].reindex(rows),
        }
    )
