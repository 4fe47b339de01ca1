"""Lead and strength of several element types at once, and attention that outlives its own baseline."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from trends.attention import Attention
from trends.config import TrendConfig
from trends.effects import BEFORE_DAYS, LEADS, carried_series, cases_of, effects
from trends.sales import SalesPanel

N_DAYS, N = 360, 12
PLANTED = {"colour": (18, 0.4), "ip": (10, 0.7)}


def bursts(rng, n):
    log = np.zeros((N_DAYS + LEADS[-1], n))
    for element in range(n):
        for start in range(int(rng.integers(0, 80)), len(log), 90):
            days = np.arange(len(log)) - start
            log[:, element] += np.where(days >= 0, np.clip(days / 6, 0, 1) * np.exp(-np.maximum(days - 6, 0) / 30), 0)
    return log


@pytest.fixture(scope="module")
def shop():
    """Products that carry an IP and a colour, both of which have bursts that sales follow, each by its own lead."""
    rng = np.random.default_rng(8)
    log = {kind: bursts(rng, N) for kind in PLANTED}
    skus = [(i, c) for i in range(N) for c in rng.permutation(N)[:5]]
    keys = pl.DataFrame({"sku": [f"{i}-{c}" for i, c in skus]}).with_columns(region=pl.lit("east"))
    index = np.array(skus).T
    mean = rng.lognormal(0.5, 0.7, len(skus))[:, None] * np.ones(N_DAYS)
    for (kind, (lead, strength)), of in zip(sorted(PLANTED.items(), reverse=True), index, strict=True):
        begin = LEADS[-1] - lead
        mean = mean * np.exp(strength * log[kind][begin : begin + N_DAYS, of].T)
    units = rng.poisson(mean).astype(np.float32)
    elements = pl.DataFrame(
        [(f"{i}-{c}", kind, f"{kind}{e}") for i, c in skus for kind, e in (("ip", i), ("colour", c))],
        schema=["sku", "element_type", "element"],
        orient="row",
    )
    series = pl.DataFrame(
        [(kind, f"{kind}{e}", "*") for kind in PLANTED for e in range(N)],
        orient="row",
        schema=["element_type", "element", "region"],
    )
    told = np.hstack([log[kind][LEADS[-1] :] for kind in PLANTED]) + rng.normal(0, 0.05, (N_DAYS, 2 * N))
    return SalesPanel(keys, units, 20_000), elements, series, told.astype(np.float32)


def cases(shop):
    panel, elements, series, told = shop
    return cases_of(panel, told, {k: carried_series(k, panel, elements, series) for k in PLANTED})


def test_each_type_has_its_own_lead_and_strength(shop):
    found = effects(cases(shop), until=N_DAYS)
    for kind, (lead, strength) in PLANTED.items():
        assert abs(found[kind].lead - lead) <= 2
        assert found[kind].strength == pytest.approx(strength, abs=0.12)
        assert 0 < found[kind].error < 0.2


def test_later_weeks_teach_nothing_of_an_earlier_day(shop):
    panel, elements, series, told = shop
    cut = 250
    units, later = panel.units.copy(), told.copy()
    units[:, cut:], later[cut:] = 999, 9
    # weeks are counted back from the end, so that both panels have the same ones
    assert (N_DAYS - cut) % 7 == 5
    changed = cases((SalesPanel(panel.keys, units, 20_000), elements, series, later))
    assert effects(changed, until=cut) == effects(cases(shop), until=cut)


def test_a_week_is_compared_with_the_four_before_it(shop):
    found = cases(shop)
    panel = shop[0]
    row, week = int(found.series[0]), int(found.week[0])
    before = panel.units[row, week - BEFORE_DAYS : week].mean()
    share = found.expected[0] / (7 * before)
    assert found.actual[0] == pytest.approx(panel.units[row, week : week + 7].sum())
    same = found.week == week
    assert found.actual[same].sum() == pytest.approx(found.expected[same].sum(), rel=1e-6)
    assert 0.5 < share < 2


def test_too_few_weeks_say_nothing(shop):
    assert effects(cases(shop), until=70) == {}


def follow(levels, sources):
    attention = Attention([np.array(rows) for rows in sources], levels.shape[2], TrendConfig())
    return np.stack([attention.after(day.astype(np.float32)) for day in levels])


def test_attention_stays_up_as_long_as_the_burst_does():
    levels = np.full((200, 1, 12), 99.0)
    levels[80:, 0, 0] = 299.0
    found = follow(levels, [[0]])
    assert found[-1, 0] - found[70, 0] == pytest.approx(np.log(3), abs=0.02)


def test_one_of_three_sources_moves_nothing_and_everyone_together_neither():
    levels = np.full((200, 3, 12), 99.0)
    levels[80:, 1, 0] = 199.0  # one source doubles for one element
    levels[120:] *= 1.5  # everyone talks more
    found = follow(levels, [[0], [1], [2]])
    assert np.abs(found[:, 0]).max() < 0.02


def test_a_source_that_falls_silent_leaves_no_step():
    levels = np.full((300, 2, 12), 99.0)
    levels[60:, 1, 0] = 150.0  # counts otherwise for good
    levels[250:, 1, 0] = np.nan
    found = follow(levels, [[0], [1]])
    assert abs(found[-1, 0] - found[249, 0]) < 0.03
