"""The assortment: every SKU and location that matters, whether it is planned, and what planning must know of it.

Active items get forecasts and a plan line; every other one is listed with the reason why it is not replenished. A
launch ahead is active where the shop is known to sell it: its demand from the launch on has to be ordered before.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import polars as pl

from demand.config import StatusConfig
from demand.panel import Floats, Ints, Mask, Panel, Periods

__all__ = ["Flag", "Status", "StatusReason", "assortment_frame", "demand_classes", "series_span"]

_WEEK = 7


class Status(StrEnum):
    """Whether an item is planned."""

    ACTIVE = "active"
    ENDED = "ended"
    NOT_PRODUCT = "not_product"
    NOT_LAUNCHED = "not_launched"
    DORMANT = "dormant"
    SUPERSEDED = "superseded"


class StatusReason(StrEnum):
    """Why an item has its status."""

    ON_SALE = "on_sale"
    NOT_A_PRODUCT = "not_a_product"
    END_OF_SALE = "end_of_sale"
    LICENCE_ENDED = "licence_ended"
    LEFT_THE_FEED = "left_the_feed"
    REPLACED = "replaced"
    LAUNCH_AHEAD = "launch_ahead"
    NO_SALE_FOR_LONG = "no_sale_for_long"
    NEVER_SOLD_HERE = "never_sold_here"


class Flag(StrEnum):
    """What a planner should know of an item's history."""

    SPIKE = "spike"
    DEMAND_SHIFT = "demand_shift"
    RETURN_UNMATCHED = "return_unmatched"
    NO_STOCK_HISTORY = "no_stock_history"


def series_span(items: pl.DataFrame, *, first_day: int, run_day: int, config: StatusConfig) -> pl.DataFrame:
    """Return ``start`` and ``end`` (day numbers) of each item of order lines; null start: it was never on sale.

    A series runs from its launch, or its first sale where that is earlier or no launch is known, to the run date; to
    its end of sale, or to its last sale where it is dormant. Sales and returns beyond stretch it.

    Args:
        items: one row per item, day numbers or null: ``first_sale``, ``last_sale``, ``first_receipt``,
            ``last_receipt`` (returns), ``launch``, ``end_of_sale``, ``first_stocked``; ``is_held`` (stock or open
            order) and ``launch_is_local``: the launch holds for this location.
        first_day: first day of the shop's history.
        run_day: the run date.
        config: when an item is dormant.
    """
    launch = pl.max_horizontal(pl.col("launch"), pl.lit(first_day), pl.col("first_stocked"))
    began = pl.when(pl.col("launch").is_not_null() & pl.col("launch_is_local")).then(launch)
    began = pl.when(began <= run_day).then(began)
    start = pl.min_horizontal("first_sale", began)
    dormant = (pl.col("last_sale") <= run_day - config.dormant_days) & ~pl.col("is_held")
    end = (
        pl.when(pl.col("end_of_sale") <= run_day)
        .then(pl.max_horizontal("end_of_sale", "last_sale", start))
        .when(dormant)
        .then("last_sale")
        .otherwise(pl.lit(run_day))
    )
    # an item that only took returns is on sale nowhere, but what came back must be booked
    spans = items.with_columns(start=start, end=pl.when(start.is_not_null()).then(end))
    return spans.with_columns(
        start=pl.min_horizontal("start", "first_receipt"), end=pl.max_horizontal("end", "last_receipt")
    )


def demand_classes(
    units: Floats, ignored: Mask, panel: Panel, *, periods: Periods, config: StatusConfig
) -> tuple[pl.Series, Ints, Ints]:
    """Return the demand class of each series, and the periods of its first and last sale (0: never sold).

    Syntetos and Boylan (2005): smooth or erratic where ADI, the mean number of periods between sales, is below 1.32,
    else intermittent or lumpy; erratic and lumpy where the squared coefficient of variation of the sizes is 0.49 or
    more. ``new`` with less than 8 weeks on sale, ``dead`` without a sale in the last 26 weeks.

    Args:
        units: shape (panel.size,) [units].
        ignored: cells that say nothing: closed, gap, partial, stocked out without a sale.
        panel: the series.
        periods: the periods of ``panel``.
        config: cut-offs and windows.
    """
    n_series, series, index = len(panel.first), panel.series(), panel.index()
    sold = units > 0
    # periods are negative, so 0 stands for "never"
    last = np.full(n_series, np.iinfo(np.int64).min)
    np.maximum.at(last, series[sold], index[sold])
    first = np.zeros(n_series, dtype=np.int64)
    np.minimum.at(first, series[sold], index[sold])
    last = np.where(first < 0, last, 0)
    recent = ~ignored & (index >= -(config.class_days // periods.days))
    n = np.bincount(series[recent], minlength=n_series)
    hit = recent & sold
    n_sold = np.bincount(series[hit], minlength=n_series)
    total = np.bincount(series[hit], weights=units[hit], minlength=n_series)
    squares = np.bincount(series[hit], weights=units[hit] ** 2, minlength=n_series)
    with np.errstate(invalid="ignore", divide="ignore"):
        adi = np.where(n_sold > 0, n / n_sold, np.inf)
        cv2 = np.where(n_sold > 0, squares * n_sold / total**2 - 1.0, 0.0)
    age = -panel.first * periods.days
    silent = np.where(last < 0, -last * periods.days, age)
    is_new = age < config.new_weeks * _WEEK
    is_dead = (silent > config.dead_weeks * _WEEK) | (last == 0)
    regular, steady = adi < config.adi_cutoff, cv2 < config.cv2_cutoff
    names = np.select(
        [is_new, is_dead, regular & steady, regular, steady],
        ["new", "dead", "smooth", "erratic", "intermittent"],
        default="lumpy",
    )
    return pl.Series("demand_class", names), first, last


def assortment_frame(items: pl.DataFrame, *, run_day: int, config: StatusConfig) -> pl.DataFrame:
    """Return ``assortment`` without its flags: status, reason and facts of each item, ordered by key.

    Args:
        items: one row per SKU and location: ``sku``, ``location_id``, ``is_product``, ``is_held``, ``first_sale``,
            ``last_sale``, ``launch``, ``end_of_sale``, ``licence_end``, ``replaced_on`` (when another SKU took over),
            ``feed_end`` (last row of period sales; null: order lines), ``first_seen`` (day numbers or null),
            ``demand_class``, and the facts ``regular_price``, ``unit_cost``, ``style_id``, ``title``, ``category``,
            ``ip``, ``product_type``, ``size``, ``supplier_id``.
        run_day: day number of the run date.
        config: when an item is dormant.
    """
    rules = _rules(run_day=run_day, config=config)
    codes = pl.lit(len(rules))
    for number, (condition, *_) in reversed(list(enumerate(rules))):
        codes = pl.when(condition.fill_null(value=False)).then(number).otherwise(codes)
    when = pl.coalesce(*(pl.when(pl.col("rule") == i).then(day) for i, (_, _, _, day) in enumerate(rules)))
    state = dict(enumerate([name.value for _, name, _, _ in rules] + [Status.ACTIVE.value]))
    why = dict(enumerate([code.value for _, _, code, _ in rules] + [StatusReason.ON_SALE.value]))
    active_since = pl.coalesce("launch", "first_sale", "first_seen")
    named = items.with_columns(rule=codes.cast(pl.Int64)).with_columns(
        status=pl.col("rule").replace_strict(state, return_dtype=pl.String),
        reason=pl.col("rule").replace_strict(why, return_dtype=pl.String),
        since_date=pl.when(pl.col("rule") == len(rules)).then(active_since).otherwise(when),
    )
    return named.select(
        "sku",
        "location_id",
        "status",
        "reason",
        *(
            pl.col(source).cast(pl.Int32).cast(pl.Date).alias(name)
            for name, source in (
                ("since_date", "since_date"),
                ("first_sale_date", "first_sale"),
                ("last_sale_date", "last_sale"),
                ("launch_date", "launch"),
                ("end_of_sale_date", "end_of_sale"),
            )
        ),
        pl.col("demand_class").fill_null("new"),
        "regular_price",
        "unit_cost",
        "style_id",
        "title",
        "category",
        "ip",
        "product_type",
        "size",
        "supplier_id",
    ).sort("sku", "location_id")


def _rules(*, run_day: int, config: StatusConfig) -> list[tuple[pl.Expr, Status, StatusReason, pl.Expr]]:
    """Return the rules that stop an item from being planned: condition, status, reason, since when. The first wins."""
    unsold = pl.col("first_sale").is_null()
    # a feed that still states the item's zeros says that it is on sale
    silent = (pl.col("last_sale") <= run_day - config.dormant_days) & pl.col("feed_end").is_null()
    coming = (pl.col("launch") > run_day) & unsold
    # where a launch will be sold is known where stock or its first order is, or where there is one place
    placed = pl.col("is_held") | (pl.col("location_id").n_unique() == 1)
    return [
        (~pl.col("is_product"), Status.NOT_PRODUCT, StatusReason.NOT_A_PRODUCT, pl.col("first_seen")),
        (pl.col("end_of_sale") <= run_day, Status.ENDED, StatusReason.END_OF_SALE, pl.col("end_of_sale")),
        (pl.col("licence_end") <= run_day, Status.ENDED, StatusReason.LICENCE_ENDED, pl.col("licence_end")),
        (pl.col("replaced_on") <= run_day, Status.SUPERSEDED, StatusReason.REPLACED, pl.col("replaced_on")),
        (
            pl.col("feed_end") < run_day - config.feed_end_days,
            Status.ENDED,
            StatusReason.LEFT_THE_FEED,
            pl.col("feed_end"),
        ),
        (
            coming & ~placed,
            Status.NOT_LAUNCHED,
            StatusReason.LAUNCH_AHEAD,
            pl.lit(None, dtype=pl.Int64),
        ),
        (
            silent & ~pl.col("is_held"),
            Status.DORMANT,
            StatusReason.NO_SALE_FOR_LONG,
            pl.col("last_sale") + config.dormant_days,
        ),
        (
            unsold & ~pl.col("is_held") & ~coming.fill_null(value=False),
            Status.DORMANT,
            StatusReason.NEVER_SOLD_HERE,
            pl.col("first_seen"),
        ),
    ]
