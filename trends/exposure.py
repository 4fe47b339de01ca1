"""Exposure: what to show more of, where and when; never what would sell out while it is shown.

Suggested are products that a trend or the weather will ask for and that stock can serve, and those that lie too long. A
stated share of the places goes to the long tail and to sizes beyond standard: algorithms that show what sells hide
what was never shown. Nothing is suggested whose stock, with what arrives in time, would not last through the days with
the lift that showing it brings.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from trends.config import TrendConfig

__all__ = ["ExposureReason", "cold_snaps", "exposure_suggestions"]

_AHEAD_DAYS = 3  # that showing begins before the weather turns [days]
_SCHEMA = {
    "sku": pl.String,
    "region": pl.String,
    "from_day": pl.Int64,
    "to_day": pl.Int64,
    "reason": pl.String,
    "stock_ok": pl.Boolean,
    "expected_units": pl.Float64,
    "stock_units": pl.Float64,
    "rank": pl.Int64,
}


class ExposureReason(StrEnum):
    """Why a product should be shown more."""

    WEATHER = "weather"
    TREND = "trend"
    EXCESS_STOCK = "excess_stock"
    LONG_TAIL = "long_tail"
    EXTENDED_SIZES = "extended_sizes"


def cold_snaps(weather: pl.DataFrame, *, day: int, config: TrendConfig) -> pl.DataFrame:
    """Return ``region``, ``from_day``, ``to_day``, ``change`` [degC]: forecast turns of the weather, from D + 1 on.

    A turn is a run of forecast days at least ``weather_turn_degrees`` colder (or, positive, warmer) than the median of
    the last two weeks; ``change`` is its mean difference. Showing begins today: buyers dress for the forecast.

    Args:
        weather: ``date``, ``region``, ``temperature_mean``; rows after D are forecasts.
        day: day number of D.
        config: what counts as a turn.
    """
    known = weather.with_columns(day=pl.col("date").cast(pl.Int32).cast(pl.Int64)).drop_nulls("temperature_mean")
    usual = (
        known.filter(pl.col("day").is_between(day - 13, day))
        .group_by("region")
        .agg(usual=pl.col("temperature_mean").median())
    )
    ahead = known.filter(pl.col("day").is_between(day + 1, day + config.exposure_days)).join(usual, on="region")
    turned = ahead.with_columns(change=pl.col("temperature_mean") - pl.col("usual")).filter(
        pl.col("change").abs() >= config.weather_turn_degrees
    )
    return (
        turned.with_columns(is_cold=pl.col("change") < 0)
        .group_by("region", "is_cold")
        .agg(from_day=pl.col("day").min(), to_day=pl.col("day").max(), change=pl.col("change").mean(), n=pl.len())
        .filter(pl.col("n") >= config.weather_turn_days)
        .sort("region", "is_cold")
        .select("region", "from_day", "to_day", "change")
    )


def exposure_suggestions(
    items: pl.DataFrame, alerts: pl.DataFrame, turns: pl.DataFrame, *, day: int, config: TrendConfig
) -> pl.DataFrame:
    """Return ``exposure_suggestions`` with day numbers: the best places of each region, its shares kept.

    Args:
        items: ``sku``, ``region``, ``stock_units`` (on hand, and due within the days), ``daily_units`` (forecast),
            ``p90_daily_units``, ``cover_days``, ``margin``, ``size_group``, ``weather_effect`` (log change per degree),
            ``is_tail`` (sells less than most of its category).
        alerts: ``sku``, ``region``, ``lift``: what trend alerts expect of it [log]; none where no alert holds.
        turns: as :func:`cold_snaps` gives them.
        day: day number of D.
        config: days, places, shares, the lift of showing.
    """
    wanted = pl.concat(
        [_by_trend(items, alerts, day, config), _by_weather(items, turns, day), _by_stock(items, day, config)]
    )
    lasting = wanted.with_columns(
        expected_units=pl.col("daily_units")
        * (pl.col("to_day") - day)
        * pl.col("lift").exp()
        * (1 + config.exposure_lift),
        careful=pl.col("p90_daily_units")
        * (pl.col("to_day") - day)
        * pl.col("lift").exp()
        * (1 + config.exposure_lift),
    ).with_columns(stock_ok=pl.col("stock_units") >= pl.max_horizontal("careful", pl.lit(1.0)))
    sound = lasting.filter("stock_ok").with_columns(
        worth=pl.col("margin").clip(lower_bound=0.01) * pl.min_horizontal("expected_units", "stock_units")
    )
    best = sound.sort("worth", "sku", "reason", descending=[True, False, False]).unique(
        ["sku", "region"], keep="first", maintain_order=True
    )
    return _with_shares(best, config)


def _by_trend(items: pl.DataFrame, alerts: pl.DataFrame, day: int, config: TrendConfig) -> pl.DataFrame:
    return (
        items.join(alerts, on=["sku", "region"])
        .with_columns(
            reason=pl.lit(ExposureReason.TREND.value),
            from_day=pl.lit(day + 1),
            to_day=pl.lit(day + config.exposure_days),
        )
        .pipe(_shaped)
    )


def _by_weather(items: pl.DataFrame, turns: pl.DataFrame, day: int) -> pl.DataFrame:
    return (
        items.join(turns, on="region")
        .with_columns(lift=pl.col("weather_effect") * pl.col("change"), reason=pl.lit(ExposureReason.WEATHER.value))
        .filter(pl.col("lift") > 0.1)
        # before it comes: buyers look for a jacket when they hear of the frost
        .with_columns(from_day=pl.max_horizontal(pl.lit(day + 1), pl.col("from_day") - _AHEAD_DAYS))
        .pipe(_shaped)
    )


def _by_stock(items: pl.DataFrame, day: int, config: TrendConfig) -> pl.DataFrame:
    """Return what lies too long, the long tail, and sizes beyond standard: no lift of their own."""
    plain = items.with_columns(lift=pl.lit(0.0), from_day=pl.lit(day + 1), to_day=pl.lit(day + config.exposure_days))
    return pl.concat(
        [
            plain.filter(condition).with_columns(reason=pl.lit(reason.value)).pipe(_shaped)
            for reason, condition in (
                (ExposureReason.EXCESS_STOCK, pl.col("cover_days") >= config.excess_cover_days),
                (ExposureReason.LONG_TAIL, pl.col("is_tail")),
                (ExposureReason.EXTENDED_SIZES, pl.col("size_group") == "extended"),
            )
        ]
    )


def _shaped(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        "sku", "region", "reason", "size_group", "is_tail", "daily_units", "p90_daily_units", "stock_units", "margin",
        pl.col("lift").cast(pl.Float64), pl.col("from_day").cast(pl.Int64), pl.col("to_day").cast(pl.Int64),
    )  # fmt: skip


def _with_shares(best: pl.DataFrame, config: TrendConfig) -> pl.DataFrame:
    """Return the places of each region: the shares of the tail and of sizes beyond standard first, then by worth."""
    kept = []
    for _, part in best.sort("region").group_by("region", maintain_order=True):
        part = part.sort("worth", "sku", descending=[True, False])
        reserved_tail = part.filter("is_tail").head(round(config.exposure_places * config.tail_share))
        sized = part.filter(pl.col("size_group") == "extended").join(reserved_tail, on="sku", how="anti")
        already = reserved_tail.filter(pl.col("size_group") == "extended").height
        reserved_size = sized.head(max(round(config.exposure_places * config.extended_share) - already, 0))
        reserved = pl.concat([reserved_tail, reserved_size])
        rest = part.join(reserved, on="sku", how="anti").head(config.exposure_places - reserved.height)
        chosen = pl.concat([reserved, rest]).sort("worth", "sku", descending=[True, False])
        kept.append(chosen.with_columns(rank=pl.int_range(1, pl.len() + 1)))
    if not kept:
        return pl.DataFrame(schema=_SCHEMA)
    return pl.concat(kept).select(_SCHEMA.keys()).cast(_SCHEMA)  # type: ignore[arg-type]
