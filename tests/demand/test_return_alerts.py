"""Return alerts: planted faults of size and fabric are found, ordinary returns are not, recent sales are corrected."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from demand.config import ReturnConfig
from demand.return_alerts import lag_distribution, return_alerts, return_reasons

CONFIG = ReturnConfig()
RUN_DAY = 400
SIZES = ("S", "M", "L")


def season(rng, *, factor=None, n_styles=14, per_day=3, rate=0.10, sides=("size_too_small",)):
    """A year of sales and returns of one category; ``factor`` is (style, size or None, reason, times)."""
    lines, back = [], []
    for style in range(n_styles):
        for size in SIZES:
            for day in range(RUN_DAY - 300, RUN_DAY + 1):
                for _ in range(rng.poisson(per_day)):
                    line = str(len(lines))
                    lines.append((line, day, f"T{style}-{size}", 1.0))
                    for reason in ("size", "fabric", "changed_mind"):
                        hit = factor and (style, reason) == (factor[0], factor[2]) and factor[1] in (None, size)
                        if rng.random() < rate * (factor[3] if hit else 1.0):
                            lag = 3 + int(rng.gamma(4, 3))
                            text = str(rng.choice(sides)) if reason == "size" else reason
                            if day + lag <= RUN_DAY:
                                back.append((line, day + lag, 1.0, text))
                            break
    sales = pl.DataFrame(lines, schema=["order_line_id", "day", "sku", "units"], orient="row")
    returns = pl.DataFrame(back, schema=["order_line_id", "day", "units", "reason"], orient="row")
    items = pl.DataFrame(
        [(f"T{i}-{s}", f"T{i}", s, "tops") for i in range(n_styles) for s in SIZES],
        schema=["sku", "style_id", "size", "category"],
        orient="row",
    )
    return sales, returns, items


def alerts(frames):
    return return_alerts(*frames, run_day=RUN_DAY, config=CONFIG)


@pytest.mark.parametrize(
    ("factor", "sides", "expected"),
    [
        ((3, "M", "size", 2.5), ("size_too_small",), ("T3", "M", "size", "size_text_runs_small")),
        ((5, "L", "size", 2.5), ("too large",), ("T5", "L", "size", "size_text_runs_large")),
        ((5, "L", "size", 2.5), ("too large", "too small"), ("T5", "L", "size", "check_pattern")),
        ((7, None, "fabric", 2.5), ("size_too_small",), ("T7", "*", "fabric", "check_fabric_text")),
        ((2, None, "size", 2.5), ("size_too_small",), ("T2", "*", "size", "size_text_runs_small")),
    ],
)
def test_a_planted_fault_is_found_named_and_alone(factor, sides, expected):
    found = alerts(season(np.random.default_rng(4), factor=factor, sides=sides))
    assert found.select("style_id", "size", "reason", "advice").rows() == [expected]
    row = found.row(0, named=True)
    assert row["p_above"] >= 0.95
    assert row["return_rate_lo"] < row["return_rate"] < row["return_rate_hi"]
    assert 0.15 < row["return_rate"] < 0.35
    assert row["category_rate"] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_ordinary_returns_and_a_mild_excess_raise_no_alarm(seed):
    assert alerts(season(np.random.default_rng(seed), factor=(3, "M", "size", 1.2))).is_empty()


def test_a_handful_of_returns_is_no_evidence():
    frames = season(np.random.default_rng(1), per_day=0.02, factor=(3, "M", "size", 2.5))
    assert alerts(frames).is_empty()


def test_returns_of_excluded_or_old_sales_and_without_reason_do_not_count():
    sales, returns, items = season(np.random.default_rng(4), factor=(3, "M", "size", 2.5))
    assert alerts((sales, returns.with_columns(reason=pl.lit(None, dtype=pl.String)), items)).is_empty()
    old = sales.with_columns(day=pl.col("day") - 800)
    assert alerts((old, returns, items)).is_empty()


def test_lags_of_recent_sales_do_not_make_returns_look_quick():
    rng = np.random.default_rng(8)
    age, lag = rng.integers(0, 60, 40_000), rng.integers(5, 41, 40_000)
    seen = lag <= age
    found = lag_distribution(lag[seen], age[seen], np.ones(seen.sum()), longest=60)
    true = np.clip((np.arange(61) - 4) / 36, 0, 1)
    naive = np.array([(lag[seen] <= day).mean() for day in range(61)])
    assert np.abs(found - true).max() < 0.03
    assert np.abs(naive - true).max() > 0.1


def test_recent_cohorts_are_corrected_for_returns_still_to_come():
    """A style sold in the last weeks alone shows its true rate, though half of its returns are not back yet."""
    rng = np.random.default_rng(3)
    sales, returns, items = season(rng, factor=(3, None, "size", 2.5), per_day=9)
    young = pl.col("sku").str.starts_with("T3-") & (pl.col("day") < RUN_DAY - 25)
    kept = sales.filter(~young)
    found = alerts((kept, returns.join(kept.select("order_line_id"), on="order_line_id", how="semi"), items))
    (row,) = found.filter(pl.col("style_id") == "T3").rows(named=True)
    assert row["return_rate"] == pytest.approx(0.25, abs=0.06)
    assert row["returned_units"] / row["sold_units"] < 0.2


def test_reasons_are_told_apart_in_both_languages():
    texts = pl.Series(["size_too_small", "尺码偏大", "面料太薄", "fabric", "changed_mind", None, "too tight"])
    found = return_reasons(texts)
    assert found["reason"].to_list() == ["size", "size", "fabric", "fabric", None, None, "size"]
    assert found["side"].to_list() == ["small", "large", None, None, None, None, "small"]


def cells(rng, *, factor, n_styles=150, sold=150, rate=0.10):
    """Many styles of three sizes, ``sold`` units each, ``factor`` of (style, size) -> times its size returns."""
    lines, back = [], []
    for style in range(n_styles):
        usual = rate * rng.lognormal(0, 0.1)
        for size in SIZES:
            came = rng.binomial(sold, usual * factor.get((style, size), 1.0))
            for nth in range(sold):
                lines.append((f"{style}{size}{nth}", RUN_DAY - 150 - nth, f"T{style}-{size}", 1.0))
                if nth < came:
                    back.append((f"{style}{size}{nth}", RUN_DAY - 100 - nth, 1.0, "too small"))
    items = [(f"T{i}-{s}", f"T{i}", s, "tops") for i in range(n_styles) for s in SIZES]
    return (
        pl.DataFrame(lines, schema=["order_line_id", "day", "sku", "units"], orient="row"),
        pl.DataFrame(back, schema=["order_line_id", "day", "units", "reason"], orient="row"),
        pl.DataFrame(items, schema=["sku", "style_id", "size", "category"], orient="row"),
    )


def test_few_faults_among_many_small_ordinary_cells_are_neither_drowned_nor_multiplied():
    """Six sizes of 150 units at 2.5 times; a bell curve fitted to all 600 sizes would shrink them to the ordinary."""
    planted = {(style, "M"): 2.5 for style in range(6)}
    found = [alerts(cells(np.random.default_rng(seed), factor=planted)) for seed in range(3)]
    named = [(row["style_id"], row["size"]) for f in found for row in f.iter_rows(named=True)]
    right = [n for n in named if n[1] == "M" and n[0] in {f"T{i}" for i in range(6)}]
    assert len(right) >= 12  # of 18
    assert len(named) - len(right) <= 1


def test_a_whole_style_at_fault_is_found_though_no_size_of_it_stands_out():
    factor = {(3, size): 2.5 for size in SIZES}
    found = [alerts(cells(np.random.default_rng(seed), factor=factor, sold=70)) for seed in range(5)]
    named = [f.select("style_id", "size").rows() for f in found]
    assert named.count([("T3", "*")]) >= 3
    assert all(rows in ([], [("T3", "*")]) for rows in named)


def test_an_alert_is_taken_back_once_recent_sales_come_back_no_more_than_others():
    sales, returns, items = season(np.random.default_rng(4), factor=(3, "M", "size", 2.5))
    assert alerts((sales, returns, items)).height == 1
    later = RUN_DAY + 300  # a year's sales again, T3 in M now as ordinary as the rest
    fresh, back, _ = season(np.random.default_rng(5))
    fresh, back = (
        f.with_columns(day=pl.col("day") + 300, order_line_id="n" + pl.col("order_line_id")) for f in (fresh, back)
    )
    both = pl.concat([sales, fresh]), pl.concat([returns, back])
    assert return_alerts(*both, items, run_day=later, config=CONFIG).is_empty()
    never = CONFIG.model_copy(update={"alert_taken_back": 1e-9})
    assert return_alerts(*both, items, run_day=later, config=never).height == 1


def test_one_buyer_who_sends_many_back_is_one_verdict():
    frames = cells(np.random.default_rng(2), factor={})
    sales, returns, items = frames
    bulk = pl.DataFrame(
        {"order_line_id": ["bulk"], "day": [RUN_DAY - 200], "sku": ["T9-M"], "units": [40.0]}, schema=sales.schema
    )
    came = pl.DataFrame(
        {"order_line_id": ["bulk"], "day": [RUN_DAY - 190], "units": [40.0], "reason": ["too small"]},
        schema=returns.schema,
    )
    assert alerts((pl.concat([sales, bulk]), pl.concat([returns, came]), items)).is_empty()
