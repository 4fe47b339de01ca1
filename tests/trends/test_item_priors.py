"""Priors of launches: what was foreseen of a style before its first season, from the seasons before that alone."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import polars as pl

from trends.item_priors import foreseen_levels, item_priors
from trends.sales import SalesPanel
from trends.seasons import season_days, style_seasons
from trends.signals import Cube

FIRST, DAYS = season_days("2025Q1")[0], 365
OLD, NEW = 80, 20  # styles sold all year, and launched in each of the last two quarters
ZONES = pl.DataFrame({"region": ["east", "north"], "climate_zone": ["mild", "cold"]})
LAUNCHES = {"2025Q3": date(2025, 6, 30), "2025Q4": date(2025, 9, 30)}  # and the day before they begin
NO_SIGNALS = Cube(
    np.zeros((0, 1, 0), dtype=np.float32),
    pl.DataFrame(schema=dict.fromkeys(("element_type", "element", "region"), pl.String)),
    pl.DataFrame({"source": ["none"], "metric": ["none"]}),
    FIRST,
)


def world() -> tuple[np.ndarray, pl.DataFrame, np.ndarray]:
    """Return daily sales of style by region, elements, and the level that the elements of each style decide."""
    rng = np.random.default_rng(3)
    n = OLD + 2 * NEW
    ip = rng.integers(0, 6, n)
    told = np.linspace(-1.0, 1.0, 6)[ip]
    mean = 3 * np.exp(told + rng.normal(0, 0.3, n))
    units = rng.poisson(mean[:, None, None], (n, 2, DAYS)).astype(np.float32)
    for rows, season in ((slice(OLD, OLD + NEW), "2025Q3"), (slice(OLD + NEW, None), "2025Q4")):
        units[rows, :, : season_days(season)[0] - FIRST + 10] = np.nan  # on sale from the tenth day on
    elements = pl.DataFrame({"style_id": names(n), "element_type": "ip", "element": [f"ip{v}" for v in ip]})
    return units, elements, told


def names(n: int) -> list[str]:
    return [f"S{i:03d}" for i in range(n)]


def styles(n: int) -> pl.DataFrame:
    return pl.DataFrame({"sku": names(n), "style_id": names(n)}).with_columns(
        category=pl.lit("badge"), is_open=pl.lit(True), is_new=pl.lit(False)
    )


def foreseen(units: np.ndarray, elements: pl.DataFrame) -> pl.DataFrame:
    n = len(units)
    keys = pl.DataFrame({"sku": np.repeat(names(n), 2), "region": ["east", "north"] * n})
    panel = SalesPanel(keys, units.reshape(2 * n, DAYS), FIRST)
    goods = styles(n)
    seasons = style_seasons(panel, goods.select("sku", "style_id", "category"))
    heat = SimpleNamespace(heat=None)  # without signals nothing is read of it
    return foreseen_levels(panel, seasons, goods, elements, ZONES, (NO_SIGNALS, heat)).sort("style_id", "region")


def test_sales_from_a_season_on_do_not_change_what_was_foreseen_of_its_launches() -> None:
    units, elements, _ = world()
    start = season_days("2025Q3")[0] - FIRST
    rng = np.random.default_rng(9)
    moved = units.copy()
    later = moved[:, :, start:]
    later[:] = np.where(np.isnan(later), np.nan, rng.poisson(rng.gamma(1.0, 40.0, (len(units), 2, 1)), later.shape))
    later[:OLD][rng.random((OLD, 2)) < 0.3] = np.nan  # and what ceases to be sold
    was, now = (
        frame.with_columns(style=pl.col("style_id").str.slice(1).cast(pl.Int64))
        for frame in (foreseen(units, elements), foreseen(moved, elements))
    )
    third = pl.col("known_date") == LAUNCHES["2025Q3"]
    assert was.filter(third).equals(now.filter(third))
    assert set(was.filter(third)["style"]) == set(range(OLD, OLD + NEW))
    fourth = pl.col("known_date") == LAUNCHES["2025Q4"]
    assert set(was.filter(fourth)["style"]) == set(range(OLD + NEW, len(units)))
    assert not was.filter(fourth)["level_ratio"].equals(now.filter(fourth)["level_ratio"]), "it has seen the third"
    assert was.height == 4 * NEW, "styles sold before the third season have none"


def test_what_was_foreseen_follows_the_elements() -> None:
    units, elements, told = world()
    was = foreseen(units, elements)
    truth = was["style_id"].replace_strict(names(len(units)), told.tolist(), return_dtype=pl.Float64)
    assert np.corrcoef(was["level_ratio"].log(), truth)[0, 1] > 0.9
    assert was["level_ratio"].is_between(0.5, 2.0).all()


def test_a_new_style_has_its_chance_and_a_sold_one_keeps_what_was_foreseen() -> None:
    goods = styles(4).with_columns(is_new=pl.col("sku").is_in(["S001", "S002"]))
    before = date(2026, 3, 31)
    was = pl.DataFrame(
        {"style_id": ["S000", "S001"], "region": ["east"] * 2, "level_ratio": [0.7, 0.8], "known_date": [before] * 2}
    )
    tonight = pl.DataFrame(
        {"style_id": names(4), "region": ["east"] * 4, "p_hit": [0.1, 0.2, 0.3, 0.4], "level_ratio": [1.5] * 4}
    )
    day = (date(2026, 4, 20) - date(1970, 1, 1)).days
    got = item_priors(was, tonight, goods, last_day=day)
    assert got.rows() == [
        ("S000", "east", None, 0.7, before),
        ("S001", "east", 0.2, 0.8, before),
        ("S002", "east", 0.3, 1.5, date(2026, 4, 20)),
    ]
