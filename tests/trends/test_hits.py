"""Hit map: better than the base rate and calibrated, on a season and on styles it did not learn from."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from trends.hit_features import hit_features
from trends.hits import brier, calibration_error, fit_hits, hit_map, predicted_hits

SEASONS = ["2025Q1", "2025Q2", "2025Q3", "2025Q4"]
ZONES = pl.DataFrame({"region": ["north", "south"], "climate_zone": ["cold", "warm"]})
NO_HEAT = pl.DataFrame(
    schema={"element_type": pl.String, "element": pl.String, "region": pl.String, "day": pl.Int32, "heat": pl.Float64}
)


def world(seed: int, *, n=600, strength=1.0):
    """Styles whose IP, colour and climate decide a part of how they sell; the rest is each style's own."""
    rng = np.random.default_rng(seed)
    ip, colour, kind = rng.integers(0, 12, n), rng.integers(0, 6, n), rng.integers(0, 4, n)
    level = strength * (rng.normal(0, 0.9, 12)[ip] + rng.normal(0, 0.4, 6)[colour]) + rng.normal(0, 0.6, n)
    names = [f"S{i:03d}" for i in range(n)]
    elements = pl.concat(
        pl.DataFrame({"style_id": names, "element_type": t, "element": [f"{t}{v}" for v in values]})
        for t, values in (("ip", ip), ("colour", colour), ("product_type", kind))
    )
    rows = []
    for season in SEASONS:
        for r, region in enumerate(ZONES["region"]):
            now = level + strength * 0.8 * np.where(kind == 0, 1 - 2 * r, 0) + rng.normal(0, 0.3, n)
            hit = now >= np.quantile(now, 0.8)
            rows.append(
                pl.DataFrame({"style_id": names, "region": region, "season": season, "log_ratio": now, "is_hit": hit})
            )
    return pl.concat(rows).sort("style_id", "region", "season"), elements


@pytest.fixture(scope="module")
def learned():
    seasons, elements = world(5)
    known = pl.Series("style_id", [f"S{i:03d}" for i in range(450)])
    features = hit_features(seasons, elements, ZONES, NO_HEAT, {})
    past = seasons.filter((pl.col("season") < "2025Q4") & pl.col("style_id").is_in(known.implode()))
    return fit_hits(past, features), seasons, elements, features, known


@pytest.mark.parametrize("is_new", [False, True])
def test_a_season_nobody_trained_on(learned, is_new):
    model, seasons, _, features, known = learned
    ahead = seasons.filter((pl.col("season") == "2025Q4") & (pl.col("style_id").is_in(known.implode()) != is_new))
    p = predicted_hits(model, ahead.select("style_id", "region", "season"), features)
    said, was = p["p_hit"].to_numpy(), ahead["is_hit"].to_numpy().astype(float)
    assert brier(said, was) <= 0.9 * brier(np.full(len(was), model.base_rate), was)
    assert calibration_error(said, was, bins=5) <= (0.08 if is_new else 0.05)  # 300 rows of new styles only
    assert np.corrcoef(np.log(p["level_ratio"]), ahead["log_ratio"])[0, 1] > 0.5


def test_the_map_shows_what_was_planted(learned):
    model, seasons, elements, features, _ = learned
    rows = seasons.filter(pl.col("season") == "2025Q4").select("style_id", "region", "season")
    found = hit_map(model, rows, features, elements)
    assert ((found["p_hit_lo"] <= found["p_hit"]) & (found["p_hit"] <= found["p_hit_hi"])).all()
    warm = dict(found.filter(pl.col("element") == "product_type0").select("region", "p_hit").iter_rows())
    assert warm["north"] > warm["south"] + 0.1
    true = seasons.join(elements.filter(pl.col("element_type") == "ip"), on="style_id")
    rate = true.group_by("element").agg(rate=pl.col("is_hit").mean())
    both = (
        found.filter(pl.col("element_type") == "ip")
        .group_by("element")
        .agg(pl.col("p_hit").mean())
        .join(rate, on="element")
    )
    assert both.select(pl.corr("p_hit", "rate")).item() > 0.9


def test_elements_that_decide_nothing_give_the_base_rate():
    seasons, elements = world(6, strength=0.0)
    features = hit_features(seasons, elements, ZONES, NO_HEAT, {})
    model = fit_hits(seasons.filter(pl.col("season") < "2025Q4"), features)
    rows = seasons.filter(pl.col("season") == "2025Q4").select("style_id", "region", "season")
    said = predicted_hits(model, rows, features)["p_hit"]
    assert said.std() < 0.05
    assert said.mean() == pytest.approx(0.2, abs=0.03)


def test_one_season_is_no_map():
    seasons, elements = world(7, n=60)
    first = seasons.filter(pl.col("season") == "2025Q1")
    assert fit_hits(first, hit_features(first, elements, ZONES, NO_HEAT, {})) is None


def test_heat_on_the_eve_is_a_feature():
    seasons, elements = world(8, n=50)
    day = 20_178  # 2025-03-31
    heat = pl.DataFrame(
        {"element_type": ["ip"], "element": ["ip1"], "region": ["*"], "day": [day], "heat": [2.0]},
        schema_overrides={"day": pl.Int32},
    )
    features = hit_features(seasons, elements, ZONES, heat, {"ip": 0.5})
    warm = features.filter((pl.col("feature") == "heat") & (pl.col("value") != 0))
    carriers = elements.filter(pl.col("element") == "ip1")["style_id"]
    assert set(warm["style_id"]) == set(carriers)
    assert set(warm["season"]) >= {"2025Q2"}
    assert warm["value"].unique().to_list() == [1.0]
