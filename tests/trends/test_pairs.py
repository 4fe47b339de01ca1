"""Combinations: planted pairs are found, shuffled sales report next to none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from trends.config import TrendConfig
from trends.pairs import element_pairs

CONFIG = TrendConfig()
LIFT = 2.6


def styles(seed: int, *, n=1600, spread=0.6, planted=10):
    """Styles of 20 IPs and 8 types with levels of their own; some pairs sell ``LIFT`` times as much."""
    rng = np.random.default_rng(seed)
    ip, kind = rng.integers(0, 20, n), rng.integers(0, 8, n)
    level = rng.normal(0, 0.5, 20)[ip] + rng.normal(0, 0.7, 8)[kind] + rng.normal(0, spread, n)
    chosen = {(int(p) // 8, int(p) % 8) for p in rng.choice(160, planted, replace=False)} if planted else set()
    level += np.array([np.log(LIFT) if (a, b) in chosen else 0.0 for a, b in zip(ip, kind, strict=True)])
    names = [f"S{i:04d}" for i in range(n)]
    elements = pl.concat(
        pl.DataFrame({"style_id": names, "element_type": kind_name, "element": [f"{kind_name}{v:02d}" for v in values]})
        for kind_name, values in (("ip", ip), ("product_type", kind))
    )
    truth = {(f"ip{a:02d}", f"product_type{b:02d}") for a, b in chosen}
    return pl.DataFrame({"style_id": names, "level": level}), elements, truth


def reported(levels, elements):
    found = element_pairs(levels, elements, config=CONFIG).filter("is_reported")
    return set(found.select("first_element", "second_element").iter_rows()), found


def test_planted_pairs_are_found_and_few_reported_are_false():
    hits = planted = false = said = 0
    for seed in range(50, 60):
        levels, elements, truth = styles(seed)
        found, _ = reported(levels, elements)
        hits, planted = hits + len(found & truth), planted + len(truth)
        false, said = false + len(found - truth), said + len(found)
    assert hits / planted >= 0.8
    assert false / said <= 0.1


def test_shuffled_sales_report_next_to_nothing():
    nights_with_any = 0
    for seed in range(60, 100):
        levels, elements, _ = styles(seed, planted=0)
        rng = np.random.default_rng(seed)
        shuffled = levels.with_columns(level=pl.Series(rng.permutation(levels["level"].to_numpy())))
        nights_with_any += bool(reported(shuffled, elements)[0])
    assert nights_with_any / 40 <= 0.15  # 10% expected


def test_a_lift_is_shrunk_and_stands_inside_its_interval():
    levels, elements, truth = styles(70)
    found, frame = reported(levels, elements)
    mine = frame.filter(pl.struct("first_element", "second_element").is_in([
        {"first_element": a, "second_element": b} for a, b in found & truth
    ]))  # fmt: skip
    assert float(mine["lift"].mean()) == pytest.approx(LIFT, rel=0.3)
    assert ((frame["lift_lo"] < frame["lift"]) & (frame["lift"] < frame["lift_hi"])).all()


def test_no_style_no_pair():
    empty = pl.DataFrame(schema={"style_id": pl.String, "level": pl.Float64})
    elements = pl.DataFrame(schema=dict.fromkeys(("style_id", "element_type", "element"), pl.String))
    assert element_pairs(empty, elements, config=CONFIG).is_empty()
