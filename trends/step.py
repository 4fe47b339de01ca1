"""The trends step: signals in, ``trend_scores``, ``trend_alerts`` and ``trend_features`` out, for one run date."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from data.contracts import TABLES
from data.step_io import StepIO, open_step
from trends.action import costed_alerts, proposals
from trends.alerts import affected_skus, feature_frame, score_frame, trend_alerts
from trends.config import TrendConfig
from trends.elements import product_elements, resolved_names
from trends.heat import Heat, heat_of
from trends.judgement import judgement, map_of_hits
from trends.record import history_frame
from trends.shop_step import shop_picture, suggestions
from trends.signals import ALL_REGIONS, Cube, cleaned, signal_cube, without_late
from trends.traffic import traffic_signals
from trends.vintages import signal_history, vintages_of

__all__ = ["run", "run_exposure"]

_EPOCH = date(1970, 1, 1)
_FAULT_NOTES = {
    "stale": ("STALE", "repeats its figures"),
    "all_zero": ("ALL_ZERO_SIGNALS", "sends zeros only"),
}


def run(home: Path, run_date: date) -> dict[str, int]:
    """Write the trend tables of ``run_date``, features for the forecast, proposals for the plan; return counts."""
    with open_step("trends", home=home, run_date=run_date) as io:
        config = TrendConfig.model_validate(io.settings.trends)
        products = io.read_polars("stg_products")
        elements = product_elements(products)
        io.write("product_elements", elements)
        signals, changes = _signals(io, elements, config)
        last_day = (run_date - _EPOCH).days
        cube, faults = cleaned(signal_cube(signals, changes, last_day=last_day, config=config), config=config)
        heat = heat_of(cube, config=config)
        scores = score_frame(cube, heat, elements)
        io.write("trend_scores", scores.drop("started", "is_stale"))
        alerts = trend_alerts(scores, cube, heat, affected_skus(elements, _places(io)), config=config)
        timely = without_late(signals, config=config)
        if timely.height < signals.height:  # past runs did not know what came late
            cube, _ = cleaned(signal_cube(timely, changes, last_day=last_day, config=config), config=config)
            heat = heat_of(cube, config=config)
        features = feature_frame(cube, heat, config=config)
        io.write("trend_features", features)
        _act(io, cube, heat, alerts, products, elements, config)
        _report(io, signals, scores, faults, last_day=last_day)
        _check(io, scores, features)
    return io.counts


def run_exposure(home: Path, run_date: date) -> dict[str, int]:
    """Write ``exposure_suggestions`` of ``run_date`` from the plan that stands by then; return row counts."""
    with open_step("exposure", home=home, run_date=run_date) as io:
        config = TrendConfig.model_validate(io.settings.trends)
        found = suggestions(io, config)
        io.write("exposure_suggestions", found if found.width else io.empty("exposure_suggestions"))
        io.check(
            "never_push_what_sells_out",
            table="exposure_suggestions",
            failed=0 if found.is_empty() else found.filter(~pl.col("stock_ok")).height,
            rows=found.height,
            expected="stock lasts through the days shown",
        )
    return io.counts


def _act(
    io: StepIO,
    cube: Cube,
    heat: Heat,
    alerts: pl.DataFrame,
    products: pl.DataFrame,
    elements: pl.DataFrame,
    config: TrendConfig,
) -> None:
    """Judge the signals by sales, put money on the alerts, write what came of it."""
    day = (io.run_date - _EPOCH).days
    shop = shop_picture(io, products, elements, config)
    said = judgement(
        cube, heat, shop.panel(config.sales_days), elements, shop.money, config=config, seed=io.settings.planning.seed
    )
    traffic = shop.traffic_heat(alerts, config)
    costed, lines = costed_alerts(alerts, said, traffic, shop.goods, day=day, config=config)
    pairs, hits, priors = map_of_hits(
        cube, heat, shop.panel(config.feature_days), shop.styles, elements, shop.zones, said.strengths,
        last_day=day, config=config,
    )  # fmt: skip
    for name, frame in (
        ("trend_alerts", costed),
        ("trend_proposals", proposals(lines)),
        ("trend_alert_history", history_frame(said.history)),
        ("trend_scorecard", said.card),
        ("signal_leads", said.leads),
        ("element_pairs", pairs),
        ("hit_map", hits),
        ("new_item_priors", priors),
    ):
        wanted = [c for c in TABLES[name].names if c in frame.columns]
        io.write(name, frame.select(wanted) if frame.height else io.empty(name))


def _signals(io: StepIO, elements: pl.DataFrame, config: TrendConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the signals of all sources as first known, and their corrections, by element, region and day."""
    aliases = io.read_polars("stg_element_aliases", columns=["alias", "element_type", "element"])
    vintages = io.read_polars("stg_signal_vintages")
    if vintages.is_empty():
        vintages = vintages_of(io.read_polars("stg_signals"), timezone=io.settings.shop.timezone)
    signals, changes = signal_history(resolved_names(vintages, aliases))
    if not config.use_site_traffic or not io.has_source("site_traffic"):
        return signals, changes
    regions = io.read_polars("stg_locations", columns=["location_id", "region"])
    lacking = elements.join(
        signals.select("element_type", "element").unique(), on=["element_type", "element"], how="anti"
    )
    own, _ = signal_history(traffic_signals(io.read_polars("stg_site_traffic"), lacking, regions))
    return pl.concat([signals, own.select(signals.columns)]), changes


def _places(io: StepIO) -> pl.DataFrame:
    """Return the regions in which each active SKU is sold."""
    active = io.read_polars("assortment", columns=["sku", "location_id", "status"]).filter(pl.col("status") == "active")
    regions = io.read_polars("stg_locations", columns=["location_id", "region"])
    return (
        active.join(regions, on="location_id", how="left")
        .select("sku", region=pl.col("region").fill_null(ALL_REGIONS))
        .unique()
        .sort("sku", "region")
    )


def _report(io: StepIO, signals: pl.DataFrame, scores: pl.DataFrame, faults: pl.DataFrame, *, last_day: int) -> None:
    """Say which sources could not be used."""
    if signals.is_empty():
        io.note("NO_SIGNALS", "No signals: trend scores are empty, trend features neutral.", table="trend_scores")
        return
    recent = faults.filter(pl.col("day") == pl.col("day").max().over("source", "metric"))
    newest = signals.group_by("source").agg(pl.col("known").max()).sort("source")
    for fault, (code, words) in _FAULT_NOTES.items():
        bad = recent.filter((pl.col("fault") == fault) & (pl.col("day") >= last_day - 1))
        names = sorted({f"{s}/{m}" for s, m in bad.select("source", "metric").iter_rows()})
        if names:
            io.note(code, f"{', '.join(names)} {words}: left out, features neutral.", table="trend_features")
    silent = newest.filter(pl.col("known") < last_day - 2)["source"].to_list()
    if silent:
        io.note("STALE_SOURCE", f"No new figures from {', '.join(silent)}.", table="trend_features")
    stale = int(scores["is_stale"].sum())
    io.check(
        "stale_series",
        table="trend_scores",
        failed=stale,
        rows=max(scores.height, 1),
        severity="warn",
        observed=f"{stale} of {scores.height} series have no fresh figure",
        expected="each series has a figure of the last days",
        advice="Look at the sources named; scores of these series are neutral.",
    )


def _check(io: StepIO, scores: pl.DataFrame, features: pl.DataFrame) -> None:
    if scores.is_empty():
        return
    wrong = scores.filter((pl.col("score_lo") > pl.col("score")) | (pl.col("score_hi") < pl.col("score")))
    io.check(
        "score_inside_interval",
        table="trend_scores",
        failed=wrong.height,
        rows=scores.height,
        expected="score_lo <= score <= score_hi",
    )
    loud = features.filter(
        pl.col("is_stale") & ((pl.col("heat") != 0) | (pl.col("score") != 0) | (pl.col("growth") != 0))
    )
    io.check(
        "stale_is_neutral",
        table="trend_features",
        failed=loud.height,
        rows=max(features.height, 1),
        expected="features of a stale series are 0",
    )
