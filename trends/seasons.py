"""What each style sold in each region and quarter, and which of them were hits: the ground hit map and pairs stand on.

A hit is a style among the best fifth of its category in its region and quarter, by demand per day on sale. Relative to
its category, so that a badge is compared with badges, and to its region and quarter, so that a holiday makes no hits.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from trends.sales import SalesPanel

__all__ = ["HIT_SHARE", "next_season", "season_days", "season_of", "style_seasons"]

HIT_SHARE = 0.2  # of a category's styles in a region and quarter
_MIN_DAYS = 28  # on sale in the quarter: fewer say little
_MIN_STYLES = 5  # of a category in a region and quarter: fewer have no best fifth
_EPOCH = date(1970, 1, 1)


def season_of(day: int) -> str:
    """Return the quarter of a day number, as ``2026Q3``.

    >>> season_of((date(2026, 7, 1) - date(1970, 1, 1)).days)
    '2026Q3'
    """
    found = _EPOCH + timedelta(days=day)
    return f"{found.year}Q{(found.month + 2) // 3}"


def next_season(day: int) -> str:
    """Return the quarter that begins next after a day number.

    >>> next_season((date(2026, 12, 30) - date(1970, 1, 1)).days)
    '2027Q1'
    """
    year, quarter = season_of(day).split("Q")
    return f"{int(year) + (quarter == '4')}Q{int(quarter) % 4 + 1}"


def season_days(season: str) -> tuple[int, int]:
    """Return the first day number of a quarter and of the one after it."""
    year, quarter = (int(part) for part in season.split("Q"))
    after = date(year + 1, 1, 1) if quarter == 4 else date(year, 3 * quarter + 1, 1)
    return (date(year, 3 * quarter - 2, 1) - _EPOCH).days, (after - _EPOCH).days


def style_seasons(panel: SalesPanel, styles: pl.DataFrame) -> pl.DataFrame:
    """Return ``style_id``, ``category``, ``region``, ``season``, ``rate`` [units/day], ``log_ratio``, ``is_hit``.

    ``log_ratio`` is the log of the rate over the median of the category in the region and quarter.

    Args:
        panel: sales by SKU and region.
        styles: ``sku``, ``style_id``, ``category``.
    """
    last = panel.first_day + panel.n_days
    rows, season = [], season_of(panel.first_day)
    while season_days(season)[0] < last:
        first, after = season_days(season)
        rate = panel.rate(first - panel.first_day, min(after, last) - panel.first_day, at_least=_MIN_DAYS)
        rows.append(
            panel.keys.with_columns(season=pl.lit(season), rate=pl.Series(rate).fill_nan(None)).drop_nulls("rate")
        )
        season = next_season(first)
    sold = pl.concat(rows).join(styles, on="sku")
    by_style = (
        sold.group_by("style_id", "category", "region", "season")
        .agg(pl.col("rate").sum())
        .sort("style_id", "region", "season")
    )
    group = ["category", "region", "season"]
    return by_style.filter(pl.len().over(group) >= _MIN_STYLES).with_columns(
        log_ratio=((pl.col("rate") + 0.02) / (pl.col("rate").median().over(group) + 0.02)).log(),
        is_hit=pl.col("rate").rank("average", descending=True).over(group) <= pl.len().over(group) * HIT_SHARE,
    )
