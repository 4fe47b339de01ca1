"""Signals with vintages: what each figure was first known as, and every correction with the day it became known.

A source that is pulled again with other values has spoken anew: its figure before that day stays what it was. Those of
several aliases of an element, and of several regions, add up; so do their corrections.
"""

from __future__ import annotations

import polars as pl

from trends.signals import ALL_REGIONS, AVERAGED_METRICS

__all__ = ["signal_history", "vintages_of"]

_NAMED = ["element_type", "element", "source", "metric"]
_KEY = ["element_type", "element", "region", "source", "metric", "day"]
_WAIT_DAYS = 2  # for a region that is late [days]


def vintages_of(signals: pl.DataFrame, *, timezone: str) -> pl.DataFrame:
    """Return a table of last versions as vintages: each known on its ``available_at``, else at the close of its day."""
    known = pl.col("available_at").dt.convert_time_zone(timezone).dt.date()
    return signals.with_columns(known_date=pl.max_horizontal("date", known))


def signal_history(vintages: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the figures as first known, and their later changes.

    Elements without a figure of all regions get one: the sum of the regions' (the mean for prices and times), known
    when all of them are.

    Args:
        vintages: ``date``, ``source``, ``region``, ``element_type``, ``element``, ``metric``, ``known_date``,
            ``value``; names resolved.

    Returns:
        ``element_type``, ``element``, ``region``, ``source``, ``metric``, ``day``, ``known`` (day numbers) and
        ``value``; and the same with ``change`` for ``value``, one row a correction.
    """
    steps = _steps(_coded(vintages))
    everywhere = steps.filter(pl.col("region") == ALL_REGIONS)
    lacking = steps.filter(pl.col("region") != ALL_REGIONS).join(
        everywhere.select(_NAMED).unique(), on=_NAMED, how="anti"
    )
    own = steps.with_columns(begun=pl.col("known").min().over(_KEY))
    both = pl.concat([own, _national(lacking)])
    # prices and times are means of their parts, so each part's steps count by its share
    averaged = pl.col("metric").is_in(AVERAGED_METRICS)
    parts = pl.col("is_first").sum().over(_KEY)
    summed = both.with_columns(change=pl.when(averaged).then(pl.col("change") / parts).otherwise("change"))
    first = (
        summed.filter(pl.col("known") <= pl.col("begun"))
        .group_by(_KEY)
        .agg(known=pl.col("begun").first(), value=pl.col("change").sum())
        .sort(_KEY)
    )
    later = (
        summed.filter(pl.col("known") > pl.col("begun"))
        .group_by(*_KEY, "known")
        .agg(pl.col("change").sum())
        .filter(pl.col("change") != 0)
        .sort(*_KEY, "known")
    )
    words = pl.col(_KEY[:-1]).cast(pl.String)
    return first.with_columns(words), later.with_columns(words)


def _coded(vintages: pl.DataFrame) -> pl.DataFrame:
    """Return the names as numbers in their order: a million rows are sorted and joined by them."""
    names = [c for c in (*_KEY[:-1], "spoken") if c in vintages.columns]
    words = {c: sorted({*vintages[c].unique().drop_nulls().to_list(), ALL_REGIONS}) for c in names}
    return vintages.with_columns(pl.col(c).cast(pl.Enum(words[c])) for c in names)


def _national(steps: pl.DataFrame) -> pl.DataFrame:
    """Return the steps of all regions together, with ``begun``: the day their sum counts from.

    It counts once every region that had spoken before has, or after ``_WAIT_DAYS`` with those that have: a region that
    is a day late is no dip. What a night could not know does not move its figure.
    """
    begins = (
        steps.group_by(*_NAMED, "region")
        .agg(day=pl.col("known").min())
        .sort(*_NAMED, "day", "region")
        .with_columns(expected=pl.int_range(1, pl.len() + 1).over(_NAMED))
        .unique([*_NAMED, "day"], keep="last", maintain_order=True)
        .select(*_NAMED, "day", "expected")
        .sort("day")
    )
    spoken = (
        steps.filter("is_first")
        .group_by(*_NAMED, "day")
        .agg(n=pl.len(), first=pl.col("known").min(), last=pl.col("known").max())
    )
    counted = spoken.sort("day").join_asof(begins, on="day", by=_NAMED, check_sortedness=False)
    waited = pl.max_horizontal("first", pl.col("day") + _WAIT_DAYS)
    complete = pl.col("n") >= pl.col("expected").fill_null(1)
    begun = counted.with_columns(begun=pl.when(complete).then(pl.min_horizontal("last", waited)).otherwise(waited))
    return (
        steps.with_columns(region=pl.lit(ALL_REGIONS, dtype=steps.schema["region"]))
        .join(begun.select(*_NAMED, "day", "begun"), on=[*_NAMED, "day"], how="left", maintain_order="left")
        .select(*steps.columns, "begun")
    )


def _steps(vintages: pl.DataFrame) -> pl.DataFrame:
    """Return each version as a step from the one before: ``change``, the value itself for the first."""
    # rows of several aliases share a key once their names are resolved: the name as delivered tells them apart
    raw = [*_KEY, "spoken"] if "spoken" in vintages.columns else _KEY
    return (
        vintages.filter(pl.col("value").is_finite())
        .with_columns(
            day=pl.col("date").cast(pl.Int32).cast(pl.Int64), known=pl.col("known_date").cast(pl.Int32).cast(pl.Int64)
        )
        .with_columns(known=pl.max_horizontal("day", "known"))
        .sort(*raw, "known", "value")
        # sorted, so the version before is the row before, where it is of the same figure
        .with_columns(is_first=~pl.all_horizontal(pl.col(c) == pl.col(c).shift(1) for c in raw).fill_null(False))
        .with_columns(before=pl.when("is_first").then(0.0).otherwise(pl.col("value").shift(1)))
        .select(*_KEY, "known", "is_first", change=pl.col("value") - pl.col("before"))
    )
