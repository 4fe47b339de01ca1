"""Signals enter the forecast where they led sales, and are kept out where they are noise."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from trends.config import TrendConfig
from trends.heat import heat_of
from trends.leads import GateReason, HeatPanel, signal_leads
from trends.sales import SalesPanel
from trends.signals import Cube

CONFIG = TrendConfig(gate_permutations=49)
LEAD, STRENGTH, N_DAYS = 14, 0.7, 420


def shop(seed: int, *, is_noise: bool):
    """A shop of 20 IPs in two regions; interest bursts; sales follow it a fortnight later, or not at all."""
    rng = np.random.default_rng(seed)
    n = 20
    log = np.zeros((N_DAYS + LEAD, n))
    for ip in range(n):
        for start in range(int(rng.integers(20, 90)), N_DAYS, 110):
            days = np.arange(N_DAYS + LEAD) - start
            log[:, ip] += np.where(
                days >= 0, np.log(3) * np.clip(days / 5, 0, 1) * np.exp(-np.maximum(days - 5, 0) / 25), 0
            )
    seen = rng.poisson(200 * np.exp(log[LEAD:] if not is_noise else rng.permuted(log[LEAD:], axis=1)))
    names = [f"ip{i:02d}" for i in range(n)]
    series = pl.DataFrame({"element_type": ["ip"] * n, "element": names, "region": ["*"] * n})
    cube = Cube(seen[:, None, :].astype(np.float32), series, pl.DataFrame({"source": ["s"], "metric": ["m"]}), 20_000)
    keys = pl.DataFrame({"sku": [f"{x}-{k}" for x in names for k in range(6)]}).with_columns(region=pl.lit("east"))
    rate = rng.lognormal(1.0, 0.6, (n, 6))[:, :, None] * np.exp(STRENGTH * log[:-LEAD].T[:, None, :])
    units = rng.poisson(rate.reshape(n * 6, N_DAYS)).astype(np.float32)
    elements = pl.DataFrame({"sku": keys["sku"], "element_type": "ip", "element": keys["sku"].str.slice(0, 4)})
    return cube, SalesPanel(keys, units, 20_000), elements


def leads_of(cube, panel, elements):
    told = HeatPanel(cube.series, heat_of(cube, config=CONFIG).attention)
    return signal_leads(told, panel, elements, config=CONFIG, seed=1).row(0, named=True)


@pytest.mark.parametrize("seed", [31, 32])
def test_a_planted_lead_is_found_and_lets_the_signals_in(seed):
    row = leads_of(*shop(seed, is_noise=False))
    assert row["use_in_forecast"]
    assert abs(row["lead_days"] - LEAD) <= 4
    assert row["strength_lo"] < row["strength"] < row["strength_hi"]
    assert row["strength"] == pytest.approx(STRENGTH, abs=0.25)
    assert row["gain_percent"] >= 5
    assert row["elsewhere_percent"] >= -0.5


@pytest.mark.parametrize("seed", [41, 42, 43])
def test_noise_is_kept_out(seed):
    row = leads_of(*shop(seed, is_noise=True))
    assert not row["use_in_forecast"]
    assert row["reason"] in set(GateReason) - {"helps"}


def test_no_later_sale_changes_an_earlier_verdict():
    cube, panel, elements = shop(31, is_noise=False)
    cut = N_DAYS - 60
    early = SalesPanel(panel.keys, panel.units[:, :cut], panel.first_day)
    longer = Cube(cube.values[:cut], cube.series, cube.metrics, cube.first_day)
    other = panel.units.copy()
    other[:, cut:] = 999
    assert leads_of(longer, early, elements) == leads_of(
        longer, SalesPanel(panel.keys, other[:, :cut], panel.first_day), elements
    )


def test_a_short_history_keeps_the_gate_shut():
    cube, panel, elements = shop(31, is_noise=False)
    short = SalesPanel(panel.keys, panel.units[:, :60], panel.first_day)
    row = leads_of(Cube(cube.values[:60], cube.series, cube.metrics, cube.first_day), short, elements)
    assert row["reason"] == "too_few"
