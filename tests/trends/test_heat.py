"""Bursts are found within days, by what was known that day; holidays, outages and lone sources do not alarm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from trends.alerts import affected_skus, feature_frame, score_frame, trend_alerts
from trends.bursts import State, advanced, fresh_bursts
from trends.config import TrendConfig
from trends.heat import heat_of
from trends.signals import cleaned

CONFIG = TrendConfig()
BURST_DAY = 120
NO = np.zeros(1, np.bool_)


def changed(cube, change):
    values = cube.values.copy()
    change(values)
    return replace(cube, values=values)


def alarm_days(heat, series=0):
    state = heat.state[:, series]
    return (np.flatnonzero((state[1:] != State.QUIET) & (state[:-1] == State.QUIET)) + 1).tolist()


def n_alarms(heat):
    return int(((heat.state[1:] != State.QUIET) & (heat.state[:-1] == State.QUIET)).sum())


def doubled(values, *, sources=slice(None), days=slice(BURST_DAY, BURST_DAY + 20), series=0, factor=2.0):
    values[days, sources, series] *= factor


def test_a_sudden_burst_alarms_within_three_days_and_ends(make_cube):
    heat = heat_of(changed(make_cube(), doubled), config=CONFIG)
    days = alarm_days(heat)
    assert len(days) == 1
    assert BURST_DAY <= days[0] <= BURST_DAY + 2
    assert heat.state[days[0], 0] == State.RISING
    assert heat.state[BURST_DAY + 30, 0] == State.QUIET
    # the sum may have left zero by chance some days before
    assert BURST_DAY - 7 <= heat.started[days[0], 0] <= BURST_DAY
    assert heat.heat[BURST_DAY + 8, 0] == pytest.approx(np.log(2), abs=0.15)


def test_a_quiet_shop_hardly_alarms(make_cube):
    heat = heat_of(make_cube(n_days=400, n_series=100), config=CONFIG)
    assert n_alarms(heat) / (100 * 330 / 91) < 0.15


def test_one_source_alone_does_not_alarm(make_cube):
    cube = changed(make_cube(), lambda v: doubled(v, sources=0, days=slice(BURST_DAY, None), factor=3.0))
    assert alarm_days(heat_of(cube, config=CONFIG)) == []


def test_a_spike_of_one_day_does_not_alarm(make_cube):
    cube = changed(make_cube(), lambda v: doubled(v, days=slice(BURST_DAY, BURST_DAY + 1), factor=6.0))
    assert alarm_days(heat_of(cube, config=CONFIG)) == []


def test_a_holiday_that_lifts_everything_does_not_alarm(make_cube):
    quiet = n_alarms(heat_of(make_cube(), config=CONFIG))
    cube = changed(make_cube(), lambda v: doubled(v, series=slice(None), days=slice(BURST_DAY, BURST_DAY + 7)))
    assert n_alarms(heat_of(cube, config=CONFIG)) <= quiet + 1


def test_an_outage_freezes_and_then_neutralises(make_cube):
    def outage(values):
        doubled(values)
        values[BURST_DAY + 6 : BURST_DAY + 14] = np.nan

    heat = heat_of(changed(make_cube(), outage), config=CONFIG)
    assert not heat.is_stale[BURST_DAY + 6 + CONFIG.stale_days - 1].any()
    assert heat.is_stale[BURST_DAY + 10].all()
    assert not heat.heat[BURST_DAY + 10].any()
    assert not heat.score[BURST_DAY + 10].any()
    assert not heat.is_stale[BURST_DAY + 14].any()


def test_nothing_looks_ahead(make_cube):
    cube = changed(make_cube(), doubled)
    whole = heat_of(cleaned(cube, config=CONFIG)[0], config=CONFIG)
    rng = np.random.default_rng(9)
    for day in (80, BURST_DAY + 1, 170):

        def scramble(values, day=day):
            values[day + 1 :] = rng.permuted(values[day + 1 :], axis=0) * 7

        other = heat_of(cleaned(changed(cube, scramble), config=CONFIG)[0], config=CONFIG)
        for name in ("heat", "growth", "score", "state", "streak", "started", "is_stale"):
            np.testing.assert_array_equal(getattr(whole, name)[: day + 1], getattr(other, name)[: day + 1])


def test_the_streak_counts_days_and_breaks_off():
    now, streaks = fresh_bursts(1), []
    for day, z in enumerate([0, 2, 2, 2, 2, 2, -4, -4, -4, 0]):
        now = advanced(now, np.array([z], np.float32), np.array([0.5], np.float32), NO, NO, day=day, config=CONFIG)
        streaks.append(int(now.streak[0]))
    assert streaks[1:6] == [1, 2, 3, 4, 5]
    assert streaks[-1] == 0


def test_the_cusum_is_page_s():
    config = TrendConfig(drift=0.5, alarm_level=4.0, daily_cap=3.0, days_above=1)
    z = [0.4, 1.0, 2.0, 0.0, 5.0, 1.0]
    now, sums = fresh_bursts(1), []
    for day, value in enumerate(z):
        now = advanced(now, np.array([value], np.float32), np.array([1.0], np.float32), NO, NO, day=day, config=config)
        sums.append(round(float(now.up[0]), 6))
    # 0, .5, 2, 1.5, then 1.5 + 3 - .5 = 4: the alarm, which empties the sum
    assert sums == [0.0, 0.5, 2.0, 1.5, 0.0, 0.0]
    assert (bool(now.active[0]), int(now.started[0]), int(now.alarmed[0])) == (True, 1, 4)


def test_a_rise_too_small_to_matter_does_not_start_a_burst():
    now = fresh_bursts(1)
    for day in range(6):
        now = advanced(now, np.array([3.0], np.float32), np.array([0.1], np.float32), NO, NO, day=day, config=CONFIG)
    assert not now.active[0]


@pytest.fixture
def burst(make_cube):
    cube = changed(make_cube(n_days=BURST_DAY + 6), doubled)
    return cube, heat_of(cube, config=CONFIG)


def test_scores_name_the_state_and_elements_nobody_sells(burst):
    cube, heat = burst
    sold = pl.DataFrame({"element_type": ["ip"], "element": ["e000"]})
    known = score_frame(cube, heat, sold).row(0, named=True)
    unknown = score_frame(cube, heat, sold.with_columns(element=pl.lit("other"))).row(0, named=True)
    assert (known["state"], unknown["state"]) == ("rising", "unknown_element")
    assert known["score_lo"] < known["score"] < known["score_hi"]
    assert known["breadth"] == 1.0
    assert BURST_DAY - 7 <= known["started"] - cube.first_day <= BURST_DAY


def test_an_alert_shows_its_figures_and_the_skus(burst):
    cube, heat = burst
    elements = pl.DataFrame({"sku": ["B", "A"], "element_type": ["ip", "ip"], "element": ["e000", "e000"]})
    affected = affected_skus(elements, pl.DataFrame({"sku": ["A", "B"], "region": ["east", "east"]}))
    scores = score_frame(cube, heat, elements)
    alerts = trend_alerts(scores, cube, heat, affected, config=CONFIG)
    alert = alerts.filter(pl.col("element") == "e000").row(0, named=True)
    assert alert["affected_skus"] == ["A", "B"]
    assert alert["reason"] == "rising_signals"
    assert alert["evidence"].startswith("mentions +")
    assert "% (s0)" in alert["evidence"]
    assert len(alert["series"].split(",")) == 28
    assert alert["evidence"].count(";") == 2


def test_one_fact_under_two_types_alerts_once(burst):
    cube, _ = burst
    copy = cube.series.with_columns(element_type=pl.lit("material"))
    twice = replace(
        cube, values=np.concatenate([cube.values, cube.values], axis=2), series=pl.concat([cube.series, copy])
    )
    heat = heat_of(twice, config=CONFIG)
    nobody = pl.DataFrame(
        {"element_type": [], "element": []}, schema_overrides=dict.fromkeys(("element_type", "element"), pl.String)
    )
    scores = score_frame(twice, heat, nobody)
    affected = affected_skus(nobody.with_columns(sku=pl.lit("A")), pl.DataFrame({"sku": ["A"], "region": ["east"]}))
    alerts = trend_alerts(scores, twice, heat, affected, config=CONFIG).filter(pl.col("element") == "e000")
    assert scores.filter((pl.col("element") == "e000") & (pl.col("state") == "rising")).height == 2
    assert alerts["element_type"].to_list() == ["ip"]


def test_features_are_one_row_a_day_from_the_first_figure(make_cube):
    cube = make_cube(n_days=60, n_series=10)
    values = cube.values.copy()
    values[:40, :, 3] = np.nan
    cube = replace(cube, values=values)
    features = feature_frame(cube, heat_of(cube, config=CONFIG), config=TrendConfig(feature_days=50))
    counts = dict(features.group_by("element").len().iter_rows())
    assert counts["e003"] == 20
    assert counts["e000"] == 50
    assert features.unique(["element_type", "element", "region", "ds"]).height == features.height
    assert features.select("element", "ds").rows() == sorted(features.select("element", "ds").rows())


def test_no_signal_at_all_gives_no_score():
    from trends.signals import signal_cube
    from trends.vintages import signal_history, vintages_of

    empty = pl.DataFrame(
        schema={
            "date": pl.Date,
            **dict.fromkeys(("source", "region", "element_type", "element", "metric"), pl.String),
            "value": pl.Float64,
            "available_at": pl.Datetime("us", "UTC"),
        }
    )
    cube, _ = cleaned(
        signal_cube(signal_history(vintages_of(empty, timezone="UTC"))[0], last_day=20_000, config=CONFIG),
        config=CONFIG,
    )
    heat = heat_of(cube, config=CONFIG)
    assert score_frame(cube, heat, pl.DataFrame({"element_type": [], "element": []})).is_empty()
    assert feature_frame(cube, heat, config=CONFIG).is_empty()
