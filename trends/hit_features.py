"""What is known of a style in a region when a quarter begins: its elements, the climate, the time of year, its heat."""

from __future__ import annotations

import polars as pl

from trends.heat import Heat
from trends.seasons import season_days
from trends.signals import ALL_REGIONS, Cube

__all__ = ["heat_on_eves", "hit_features"]

_ROW = ["style_id", "region", "season"]


def hit_features(
    rows: pl.DataFrame, elements: pl.DataFrame, zones: pl.DataFrame, heat: pl.DataFrame, strengths: dict[str, float]
) -> pl.DataFrame:
    """Return ``style_id``, ``region``, ``season``, ``feature``, ``value`` of each row.

    Args:
        rows: ``style_id``, ``region``, ``season``.
        elements: ``style_id``, ``element_type``, ``element``.
        zones: ``region``, ``climate_zone``.
        heat: ``element_type``, ``element``, ``region``, ``day``, ``heat``: as known at the close of the day.
        strengths: log change of demand per unit of heat, by element type.
    """
    keys = rows.select(_ROW).unique().sort(_ROW)
    carried = keys.join(elements, on="style_id")
    named = carried.select(*_ROW, feature=pl.format("{}={}", "element_type", "element"), value=pl.lit(1.0))
    kinds = carried.filter(pl.col("element_type") == "product_type").join(zones, on="region", how="left")
    zone = pl.col("climate_zone").fill_null("-")
    quarter = pl.col("season").str.slice(4)
    parts = [
        named,
        keys.select(*_ROW, feature=pl.format("region={}", "region"), value=pl.lit(1.0)),
        kinds.select(*_ROW, feature=pl.format("zone={}|{}", zone, "element"), value=pl.lit(0.7)),
        kinds.select(*_ROW, feature=pl.format("quarter={}|{}", quarter, "element"), value=pl.lit(0.7)),
    ]
    warm = _heat_when_it_begins(carried, heat, strengths)
    if warm.height:
        parts.append(warm)
    return pl.concat(parts)


def heat_on_eves(cube: Cube, heat: Heat, rows: pl.DataFrame, last_day: int) -> pl.DataFrame:
    """Return heat on the day before each quarter of ``rows`` begins, at the latest on ``last_day``."""
    frames = []
    eves = {min(season_days(s)[0] - 1, last_day) for s in rows["season"].unique().to_list()}
    for day in sorted(eves):
        at = day - cube.first_day
        if 0 <= at < cube.n_days:
            frames.append(cube.series.with_columns(day=pl.lit(day), heat=pl.Series(heat.heat[at].astype(float))))
    schema = {**dict.fromkeys(("element_type", "element", "region"), pl.String), "day": pl.Int32, "heat": pl.Float64}
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def _heat_when_it_begins(carried: pl.DataFrame, heat: pl.DataFrame, strengths: dict[str, float]) -> pl.DataFrame:
    """Return the feature ``heat``: the log lift that a style's elements promise on the eve of the quarter.

    For a quarter to come the newest day known stands for its eve.
    """
    if heat.is_empty() or not any(strengths.values()):
        return pl.DataFrame()
    newest = int(heat["day"].max())  # type: ignore[arg-type]
    seasons = carried["season"].unique().sort().to_list()
    eve = pl.DataFrame(
        {"season": seasons, "day": [min(season_days(s)[0] - 1, newest) for s in seasons]},
        schema={"season": carried.schema["season"], "day": heat.schema["day"]},
    )
    known = heat.join(eve, on="day").select("season", "element_type", "element", "region", "heat")
    everywhere = known.filter(pl.col("region") == ALL_REGIONS).drop("region").rename({"heat": "heat_all"})
    strength = pl.col("element_type").replace_strict(strengths, default=0.0, return_dtype=pl.Float64)
    return (
        carried.join(known, on=["season", "element_type", "element", "region"], how="left")
        .join(everywhere, on=["season", "element_type", "element"], how="left")
        .with_columns(lift=strength * pl.coalesce("heat", "heat_all").fill_null(0.0))
        .group_by(_ROW)
        .agg(value=pl.col("lift").sum())
        .sort(_ROW)
        .select(*_ROW, feature=pl.lit("heat"), value="value")
    )
