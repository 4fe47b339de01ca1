"""What was foreseen of each style before it sold: the prior that launches are forecast with (``new_item_priors``).

A style that has sold keeps what the seasons before its first one said of its elements, fitted on those alone, so that a
backtest meets the figure that stood at the launch. A style that has not sold yet has tonight's.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from trends.heat import Heat
from trends.hit_features import heat_on_eves, hit_features
from trends.hits import fit_levels, level_ratios
from trends.sales import SalesPanel
from trends.seasons import season_days, season_of
from trends.signals import Cube

__all__ = ["foreseen_levels", "item_priors", "relative_levels"]

_FURTHEST = 2.0  # [ratio] elements alone never say more than this of a launch
_STRENGTH = 0.3  # [log/log] of heat, alike for all types: what was learnt since would tell of later sales
_EPOCH = date(1970, 1, 1)


def foreseen_levels(
    panel: SalesPanel,
    seasons: pl.DataFrame,
    styles: pl.DataFrame,
    elements: pl.DataFrame,
    zones: pl.DataFrame,
    signals: tuple[Cube, Heat],
) -> pl.DataFrame:
    """Return ``style_id``, ``region``, ``level_ratio``, ``known_date`` of styles first sold while watched.

    Args:
        panel: sales by SKU and region.
        seasons: of the same, as :func:`trends.seasons.style_seasons` gives them.
        styles: ``sku``, ``style_id``, ``category``.
        elements: ``style_id``, ``element_type``, ``element``.
        zones: ``region``, ``climate_zone``.
        signals: and their heat.
    """
    first = _first_seasons(panel, styles)
    category = styles.unique("style_id").select("style_id", "category")
    last_day = panel.first_day + panel.n_days - 1
    out = []
    for season in sorted(set(first["season"].to_list())):
        before = seasons.filter(pl.col("season") < season)
        if before.is_empty():
            continue
        # the usual level is that of styles already known by then: later launches of the season are not
        shown = before.filter(pl.col("season") == pl.col("season").max()).select("style_id").unique()
        new = first.filter(pl.col("season") == season).select("style_id")
        both = pl.concat([new.with_columns(is_known=pl.lit(False)), shown.with_columns(is_known=pl.lit(True))])
        rows = both.join(zones.select("region").unique(), how="cross").with_columns(season=pl.lit(season))
        keys = pl.concat([before.select("style_id", "region", "season"), rows.select("style_id", "region", "season")])
        strengths = dict.fromkeys(elements["element_type"].unique().to_list(), _STRENGTH)
        features = hit_features(keys, elements, zones, heat_on_eves(*signals, keys, last_day), strengths)
        model = fit_levels(before, features)
        if model is None:
            continue
        told = rows.with_columns(level_ratio=pl.Series(level_ratios(model, rows, features))).join(
            category, on="style_id"
        )
        relative = relative_levels(told, usual=pl.col("level_ratio").filter("is_known"))
        out.append(relative.filter(~pl.col("is_known")).with_columns(known_date=pl.lit(_eve(season))))
    schema = {"style_id": pl.String, "region": pl.String, "level_ratio": pl.Float64, "known_date": pl.Date}
    return pl.concat([frame.select(schema.keys()) for frame in out]) if out else pl.DataFrame(schema=schema)


def relative_levels(told: pl.DataFrame, *, usual: pl.Expr) -> pl.DataFrame:
    """Return ``told`` with ``level_ratio`` over the mean of ``usual`` in its category and region, within bounds."""
    mean = usual.mean().over("category", "region").fill_null(1.0)
    return told.with_columns(level_ratio=(pl.col("level_ratio") / mean).clip(1 / _FURTHEST, _FURTHEST))


def item_priors(foreseen: pl.DataFrame, tonight: pl.DataFrame, styles: pl.DataFrame, *, last_day: int) -> pl.DataFrame:
    """Return ``new_item_priors``: each SKU has its style's level as foreseen at first, a new one its chance of a hit.

    Args:
        foreseen: as :func:`foreseen_levels` gives them.
        tonight: ``style_id``, ``region``, ``p_hit``, ``level_ratio`` of next season.
        styles: ``sku``, ``style_id``, ``is_new``.
        last_day: day number of D.
    """
    new = styles.filter("is_new").select("style_id").unique()
    now = tonight.join(new, on="style_id", how="semi").select("style_id", "region", "p_hit", now="level_ratio")
    both = foreseen.join(now, on=["style_id", "region"], how="full", coalesce=True).with_columns(
        level_ratio=pl.coalesce("level_ratio", "now"),
        is_tonight=pl.col("known_date").is_null(),
        known_date=pl.col("known_date").fill_null(_EPOCH + timedelta(days=last_day)),
    )
    return (
        styles.select("sku", "style_id", "is_new")
        .join(both, on="style_id")
        .filter(pl.col("is_new") | ~pl.col("is_tonight"))
        .select("sku", "region", pl.when("is_new").then("p_hit").alias("p_hit"), "level_ratio", "known_date")
        .sort("sku", "region")
    )


def _first_seasons(panel: SalesPanel, styles: pl.DataFrame) -> pl.DataFrame:
    """Return ``style_id``, ``season``: the quarter of a style's first day on sale, wherever that was."""
    known = np.isfinite(panel.units)
    first = panel.keys.with_columns(day=pl.Series(panel.first_day + known.argmax(axis=1), dtype=pl.Int64))
    day = (
        first.filter(pl.Series(known.any(axis=1)))
        .join(styles, on="sku")
        .group_by("style_id")
        .agg(pl.col("day").min())
        .sort("style_id")
    )
    return day.select("style_id", season=pl.col("day").map_elements(season_of, return_dtype=pl.String))


def _eve(season: str) -> date:
    return _EPOCH + timedelta(days=season_days(season)[0] - 1)
