"""Nothing known after D changes any table of the room for D, at random dates of a small shop.

Fifty dates of a demo shop, all steps run: ``python -m benchmarks.trend_look_ahead``.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from trends.action import Goods, costed_alerts
from trends.alerts import affected_skus, feature_frame, score_frame, trend_alerts
from trends.config import TrendConfig
from trends.exposure import cold_snaps
from trends.heat import heat_of
from trends.judgement import judgement, map_of_hits
from trends.sales import sales_panel
from trends.signals import cleaned, signal_cube, without_late
from trends.vintages import signal_history
from trends.weather import weather_effects

CONFIG = TrendConfig(gate_windows=4, gate_permutations=19, sales_days=200, common_min_elements=4)
START = date(2025, 9, 1)
FIRST = (START - date(1970, 1, 1)).days
N_DAYS, N_SKUS = 170, 44
DATES = 4
REGIONS = pl.DataFrame({"location_id": ["web", "shop"], "region": ["east", "north"]})
ZONES = pl.DataFrame({"region": ["east", "north"], "climate_zone": ["mild", "cold"]})
SKUS = [f"S{i:02d}" for i in range(N_SKUS)]
LAUNCHED = dict.fromkeys(("S11", "S22", "S33"), 123)  # in the third quarter of the shop
ELEMENTS = pl.DataFrame(
    [(sku, kind, f"{kind}{i % n}") for i, sku in enumerate(SKUS) for kind, n in (("ip", 5), ("product_type", 3))],
    schema=["sku", "element_type", "element"],
    orient="row",
)
STYLES = pl.DataFrame({"sku": SKUS, "style_id": SKUS}).with_columns(
    category=pl.lit("badge"), is_open=pl.lit(True), is_new=pl.col("sku") < "S05"
)


@pytest.fixture(scope="module")
def shop():
    """Signals with late figures and corrections, sales that follow them, and the weather with its forecasts."""
    rng = np.random.default_rng(4)
    heat = np.ones((5, N_DAYS))
    for burst in range(9):
        day = 18 * burst
        heat[burst % 5, day : day + 30] *= 2.2
    rows = []
    for ip in range(5):
        for region in ("east", "north"):
            said = rng.poisson(80 * heat[ip])
            late = np.where(rng.random(N_DAYS) < 0.1, rng.integers(1, 4, N_DAYS), 0)
            rows += [(d, region, f"ip{ip}", float(said[d]), d + int(late[d])) for d in range(N_DAYS)]
            rows += [(d, region, f"ip{ip}", said[d] * 1.3, d + 6) for d in range(0, N_DAYS, 17)]
    signals = pl.DataFrame(rows, schema=["at", "region", "element", "value", "known"], orient="row").select(
        "region", "element", "value", source=pl.lit("s"), metric=pl.lit("mentions"), element_type=pl.lit("ip"),
        date=pl.lit(START) + pl.duration(days="at"), known_date=pl.lit(START) + pl.duration(days="known"),
    )  # fmt: skip
    sold = [
        (sku, place, START + timedelta(days=d), float(rng.poisson((1 + i % 7) * heat[i % 5, max(d - 10, 0)])))
        for i, sku in enumerate(SKUS)
        for place in ("web", "shop")
        for d in range(LAUNCHED.get(sku, 0), N_DAYS)
    ]
    history = pl.DataFrame(sold, schema=["sku", "location_id", "ds", "units"], orient="row")
    weather = pl.DataFrame(
        [(START + timedelta(days=d), r, 15 + 10 * np.sin(d / 4) + rng.normal()) for d in range(N_DAYS)
         for r in ("east", "north")],
        schema=["date", "region", "temperature_mean"], orient="row",
    )  # fmt: skip
    return signals, history, weather


def room(shop, day: int) -> dict[str, pl.DataFrame]:
    """Return what the room says on the night of a day, as its step does."""
    signals, history, weather = shop
    last, night = FIRST + day, START + timedelta(days=day)
    first, later = signal_history(signals.filter(pl.col("known_date") <= night))
    cube, _ = cleaned(signal_cube(first, later, last_day=last, config=CONFIG), config=CONFIG)
    heat = heat_of(cube, config=CONFIG)
    scores = score_frame(cube, heat, ELEMENTS)
    places = pl.DataFrame({"sku": SKUS}).join(ZONES.select("region"), how="cross")
    alerts = trend_alerts(scores, cube, heat, affected_skus(ELEMENTS, places), config=CONFIG)
    timely = without_late(first, config=CONFIG)
    cube, _ = cleaned(signal_cube(timely, later, last_day=last, config=CONFIG), config=CONFIG)
    heat = heat_of(cube, config=CONFIG)
    panel = sales_panel(history, REGIONS, last_day=last, days=day + 1, period_days=1)
    money = dict.fromkeys(SKUS, (5.0, 1.0))
    said = judgement(cube, heat, panel, ELEMENTS, money, config=CONFIG, seed=1)
    no_traffic = alerts.select("element_type", "element", "region", traffic_heat=pl.lit(None, dtype=pl.Float64))
    costed, lines = costed_alerts(alerts, said, no_traffic, goods(), day=last, config=CONFIG)
    pairs, hits, priors = map_of_hits(
        cube, heat, panel, STYLES, ELEMENTS, ZONES, said.strengths, last_day=last, config=CONFIG
    )
    kinds = weather_effects(panel, ELEMENTS, weather.filter(pl.col("date") <= night), config=CONFIG)
    return {
        "trend_scores": scores, "trend_alerts": costed, "trend_proposals": lines, "signal_leads": said.leads,
        "trend_features": feature_frame(cube, heat, config=CONFIG), "trend_alert_history": said.history,
        "trend_scorecard": said.card, "element_pairs": pairs, "hit_map": hits, "new_item_priors": priors,
        "weather_effects": kinds, "turns": cold_snaps(weather, day=last, config=CONFIG),
    }  # fmt: skip


def goods() -> Goods:
    items = pl.DataFrame({"sku": SKUS}).join(REGIONS, how="cross").with_columns(
        rate=pl.lit(3.0), earlier_rate=pl.lit(3.0), stock=pl.lit(5.0), open_orders=pl.lit(0.0),
        supplier_id=pl.lit("SUP"), unit_cost=pl.lit(5.0), price=pl.lit(20.0), salvage_value=pl.lit(1.0),
        royalty_share=pl.lit(0.0),
        lead_time_days=pl.lit(5.0), review_period_days=pl.lit(7.0), pack_size=pl.lit(1), days_on_sale=pl.lit(3650.0),
    )  # fmt: skip
    return Goods(
        items,
        ELEMENTS,
        pl.DataFrame(schema={"sku": pl.String, "component_sku": pl.String, "quantity": pl.Float64}),
        pl.DataFrame({"sku": SKUS, "material": ["tin"] * N_SKUS}),
        pl.DataFrame({"supplier_id": ["SUP"], "capacity_per_period": [400.0]}),
    )


def scrambled(shop, day: int):
    """Return the shop with everything known after a day made up anew; weather forecasts are known in advance."""
    signals, history, weather = shop
    rng, night = np.random.default_rng(day), START + timedelta(days=day)
    noise = pl.Series(rng.uniform(0, 900, signals.height))
    made_up = signals.with_columns(value=pl.when(pl.col("known_date") > night).then(noise).otherwise("value"))
    units = pl.Series(rng.uniform(0, 90, history.height))
    sold = history.with_columns(units=pl.when(pl.col("ds") > night).then(units).otherwise("units"))
    return made_up, sold, weather


def test_scrambling_what_is_known_after_a_day_changes_no_table(shop):
    days = np.random.default_rng(6).choice(np.arange(125, N_DAYS - 5), DATES, replace=False)
    rows: dict[str, int] = {}
    for day in days.tolist():
        told, again = room(shop, day), room(scrambled(shop, day), day)
        assert [name for name in told if not told[name].equals(again[name])] == [], START + timedelta(days=day)
        rows = {name: rows.get(name, 0) + frame.height for name, frame in told.items()}
        first = told["new_item_priors"].filter(pl.col("known_date") < START + timedelta(days=122))
        assert set(first["sku"]) == set(LAUNCHED), "what was foreseen before their first quarter"
    # nothing is equal because it is empty: weather is too short to say anything, and combinations are one kind
    assert all(rows[name] > 0 for name in rows if name not in {"weather_effects", "element_pairs"}), rows


def test_what_is_known_by_the_day_does_change_it(shop):
    signals, history, weather = shop
    day = 150
    recent = pl.col("known_date") > START + timedelta(days=day - 5)
    moved = signals.with_columns(value=pl.when(recent).then(pl.col("value") * 3).otherwise("value"))
    told, again = room(shop, day), room((moved, history, weather), day)
    assert not told["trend_scores"].equals(again["trend_scores"])
