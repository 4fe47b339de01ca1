"""Hit map and combinations on demo homes: calibration on quarters not trained on, planted pairs found, chance kept out.

Run ``python -m benchmarks.trend_hits HOME ...`` on demo homes after ``ingest demand trends`` of their run date: prints
two Markdown tables. Each quarter is predicted from the quarters before it; what heat counts for is the default,
not what was learnt later. Pairs are asked for once as they sold and ``SHUFFLES`` times with the styles' levels dealt at
random within their category.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data.settings import load_settings
from data.step_io import open_step
from trends.config import TrendConfig
from trends.elements import product_elements
from trends.hit_features import hit_features
from trends.hits import brier, calibration_error, fit_hits, predicted_hits
from trends.pairs import element_pairs, style_levels
from trends.seasons import season_days, style_seasons
from trends.shop_step import shop_picture

SHUFFLES = 10
EPOCH = date(1970, 1, 1)
STRENGTH = 0.3  # log change of demand per unit of heat, before anything was learnt
MIN_PAST = 3  # quarters that teach before one is predicted
PAIR = ["first_type", "first_element", "second_type", "second_element"]


@dataclass(frozen=True)
class Ground:
    """What a home says of its styles: quarters of sales, elements, zones, heat."""

    seasons: pl.DataFrame
    elements: pl.DataFrame
    zones: pl.DataFrame
    heat: pl.DataFrame
    last_day: int


def main(arguments: list[str]) -> int:
    """Print the tables."""
    found = {home: ground_of(Path(home)) for home in arguments}
    print("| home | quarter | styles and regions | Brier better than base rate | calibration error | unseen styles |")
    print("|---|---|---:|---:|---:|---:|")
    for home, ground in found.items():
        for row in quarters(ground):
            print(f"| {Path(home).name} | {row[0]} | {row[1]} | {row[2]:.1%} | {row[3]:.3f} | {row[4]:.1%} |")
    print("\n| home | planted pairs found | reported, not planted | shuffles that report any | falsely reported |")
    print("|---|---:|---:|---:|---:|")
    for home, ground in found.items():
        print(f"| {Path(home).name} | {' | '.join(pairs(ground, Path(home)))} |")
    return 0


def ground_of(home: Path) -> Ground:
    """Return what the home's warehouse says."""
    run_date = load_settings(home).planning.default_run_date
    assert run_date is not None, "a demo home names its run date"
    config = TrendConfig()
    with open_step("trends", home=home, run_date=run_date) as io:
        products = io.read_polars("stg_products")
        elements = product_elements(products)
        shop = shop_picture(io, products, elements, config)
        heat = io.read_polars("trend_features", columns=["element_type", "element", "region", "ds", "heat"])
    styles = shop.styles.select("sku", "style_id", "category")
    of_style = styles.select("sku", "style_id").join(elements, on="sku")
    return Ground(
        style_seasons(shop.panel(config.feature_days), styles),
        of_style.select("style_id", "element_type", "element").unique().sort("style_id", "element_type", "element"),
        shop.zones,
        heat.with_columns(day=pl.col("ds").cast(pl.Int32)),
        (run_date - EPOCH).days,
    )


def quarters(ground: Ground) -> list[tuple[str, int, float, float, float]]:
    """Return for each quarter predicted: rows, Brier skill, calibration error, skill on styles not seen before."""
    known = sorted(ground.seasons["season"].unique().to_list())
    eves = ground.heat.filter(pl.col("day").is_in([season_days(s)[0] - 1 for s in known]))
    strengths = dict.fromkeys(ground.heat["element_type"].unique().to_list(), STRENGTH)
    rows = []
    for place in range(MIN_PAST, len(known)):
        past = ground.seasons.filter(pl.col("season").is_in(known[:place]))
        asked = ground.seasons.filter(pl.col("season") == known[place]).sort("style_id", "region")
        both = pl.concat([past, asked]).select("style_id", "region", "season")
        features = hit_features(both, ground.elements, ground.zones, eves, strengths)
        model = fit_hits(past, features)
        if model is None or asked.is_empty():
            continue
        p = predicted_hits(model, asked.select("style_id", "region", "season"), features)["p_hit"].to_numpy()
        y = asked["is_hit"].to_numpy().astype(np.float64)
        base = np.full(len(y), float(past["is_hit"].mean()))  # type: ignore[arg-type]
        new = ~asked["style_id"].is_in(past["style_id"].unique().to_list()).to_numpy()
        unseen = 1 - brier(p[new], y[new]) / brier(base[new], y[new]) if new.sum() > 20 else float("nan")
        rows.append((known[place], len(y), 1 - brier(p, y) / brier(base, y), calibration_error(p, y), unseen))
    return rows


def pairs(ground: Ground, home: Path) -> list[str]:
    """Return the cells of a home's line: planted pairs found, others reported, what chance makes of it."""
    config = TrendConfig()
    levels = style_levels(ground.seasons)
    truth = set()
    for kind, first, second in pl.read_parquet(home / "truth" / "planted_pairs.parquet")[:, :3].rows():
        a, b = str(kind).split("_x_")
        truth.add((a, first, b, second))
    said = set(element_pairs(levels, ground.elements, config=config).filter("is_reported").select(PAIR).rows())
    rng = np.random.default_rng(0)
    category = ground.seasons.group_by("style_id").agg(pl.col("category").first())
    grouped = levels.join(category, on="style_id").sort("category", "style_id")
    counts = []
    for _ in range(SHUFFLES):
        mixed = pl.concat(
            [
                part.with_columns(level=pl.Series(rng.permutation(part["level"].to_numpy())))
                for _, part in grouped.group_by("category", maintain_order=True)
            ]
        ).select("style_id", "level").sort("style_id")  # fmt: skip
        counts.append(element_pairs(mixed, ground.elements, config=config)["is_reported"].sum())
    return [
        f"{len(said & truth)} of {len(truth)}",
        f"{len(said - truth)} of {len(said)}",
        f"{sum(c > 0 for c in counts)} of {SHUFFLES}",
        str(sum(counts)),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
