"""Shops without social signals, and the weather rule: ``python -m benchmarks.trend_shop [SEED ...]``.

First table: the planted bursts of IPs that people everywhere talk about, looked for in the shop's own page views and
carts alone. Views follow demand, which follows the talk by the planted lead, so delay counts from the day on which
demand begins to move. Second table: planted cold snaps. Three days before each, with the true weather as the forecast,
does the room see it in the region that it hits, does it suggest down jackets there before it comes, and not elsewhere?
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmarks.trend_bursts import WARM_UP_DAYS, alarm_frame
from data.demo.catalogue import LOCATIONS, REGIONS, Catalogue, catalogue
from data.demo.config import DemoConfig
from data.demo.demand import Demand, demand, viral_spikes
from data.demo.interest import LAG_DAYS, VISIBLE, interest
from data.demo.prices import prices
from data.demo.shop_events import shop_events
from data.demo.signals import site_traffic
from data.demo.weather import cold_snaps as planted_snaps
from data.demo.weather import weather_table
from trends.config import TrendConfig
from trends.exposure import ExposureReason, cold_snaps, exposure_suggestions
from trends.heat import heat_of
from trends.sales import sales_panel
from trends.signals import cleaned, signal_cube
from trends.traffic import traffic_signals
from trends.vintages import signal_history
from trends.weather import weather_effects

SEEDS = (203, 204)
TRAFFIC_DAYS = 420
BEFORE = 3  # days before a snap on which the room is asked
KIND = "down_jacket"
QUARTER_DAYS = 91
ALARM_FROM = -3  # days around the start of demand's rise in which an alarm is the burst's


@dataclass(frozen=True)
class Shop:
    """What is simulated of a demo shop."""

    config: DemoConfig
    shop: Catalogue
    wanted: Demand
    bursts: pl.DataFrame
    regions: pl.DataFrame


def main(arguments: list[str]) -> int:
    """Print both tables."""
    shops = [shop_of(int(seed)) for seed in arguments or SEEDS]
    print("| seed | bursts of IPs found in traffic alone | delay [days] | false alarms per element-quarter |")
    print("|---|---:|---:|---:|")
    for made in shops:
        print(f"| {made.config.seed} | {' | '.join(traffic_cells(made))} |", flush=True)
    print("\n| seed | effect of a degree on down jackets | snaps seen | suggested there before | suggested elsewhere |")
    print("|---|---:|---:|---:|---:|")
    for made in shops:
        print(f"| {made.config.seed} | {' | '.join(weather_cells(made))} |", flush=True)
    return 0


def shop_of(seed: int) -> Shop:
    """Return a shop with long site traffic."""
    config = DemoConfig(seed=seed, traffic_days=TRAFFIC_DAYS)
    shop, events = catalogue(config), shop_events(config)
    viral = viral_spikes(config, shop)
    talk = interest(config, shop, viral)
    wanted = demand(config, shop, talk, prices(config, shop, events), events, viral)
    regions = pl.DataFrame([(n, r) for n, r, *_ in LOCATIONS], schema=["location_id", "region"], orient="row")
    return Shop(config, shop, wanted, talk.bursts, regions)


def traffic_cells(made: Shop) -> list[str]:
    """Return bursts found, median delay, false alarms."""
    config, first = TrendConfig(), _number(made.config.start_date)
    last = first + made.config.n_days - 1
    carried = (
        made.shop.skus.with_columns(ip=made.shop.styles["ip"].gather(made.shop.skus["style"]))
        .drop_nulls("ip")
        .select("sku", element_type=pl.lit("ip"), element="ip")
    )
    seen, _ = signal_history(traffic_signals(site_traffic(made.config, made.shop, made.wanted), carried, made.regions))
    cube, _ = cleaned(signal_cube(seen, last_day=last, config=config), config=config)
    alarms = alarm_frame(cube, heat_of(cube, config=config).state).filter(pl.col("region") == "*")
    lag = LAG_DAYS["ip"]
    real = made.bursts.filter("is_true_burst").with_columns(
        begins=pl.col("visible_day") + lag + first, ends=pl.col("end_day") + lag + first
    )
    begin = last - TRAFFIC_DAYS + 1 + WARM_UP_DAYS
    asked = real.filter(
        (pl.col("element_type") == "ip")
        & (pl.col("region") == "*")
        & pl.col("kind").is_in(["sudden", "slow", "season"])
        & pl.col("element").is_in(carried["element"].unique().to_list())
        & (pl.col("begins") >= begin)
        & (pl.col("peak_day") + lag + first <= last)
    )
    delays = []
    for burst in asked.iter_rows(named=True):
        own = alarms.filter(
            (pl.col("element") == burst["element"])
            & pl.col("day").is_between(burst["begins"] + ALARM_FROM - lag // 2, burst["ends"])
        )
        if own.height:
            delays.append(int(own["day"].min()) - burst["begins"])  # type: ignore[arg-type]
    ip_of = dict(zip(made.shop.styles["character"].to_list(), made.shop.styles["ip"].to_list(), strict=True))
    windows = real.with_columns(ip=pl.col("element").replace_strict(ip_of, default=pl.col("element")))
    false = sum(
        not ((windows["ip"] == e) & (windows["begins"] - lag <= d) & (windows["ends"] + 14 >= d)).any()
        for e, d in alarms.filter(pl.col("day") >= begin).select("element", "day").rows()
    )
    quarters = carried["element"].n_unique() * (last - begin + 1) / QUARTER_DAYS
    delay = f"{np.median(delays):g}" if delays else "-"
    return [f"{len(delays)} of {asked.height} (at +{VISIBLE:.0%} of talk)", delay, f"{false / quarters:.2f}"]


def weather_cells(made: Shop) -> list[str]:
    """Return the learnt effect, snaps seen ahead, suggested where they hit, suggested where they do not."""
    config, first = TrendConfig(), _number(made.config.start_date)
    last = first + made.config.n_days - 1
    row, day = np.nonzero(made.wanted.on_sale)
    sku = made.shop.skus["sku"].to_numpy()[made.shop.series["sku_index"].to_numpy()]
    place = np.array([n for n, *_ in LOCATIONS])[made.shop.series["location"].to_numpy()]
    history = pl.DataFrame({"sku": sku[row], "location_id": place[row], "day": day}).select(
        "sku", "location_id", units=pl.Series(made.wanted.units[row, day].astype(np.float64)),
        ds=pl.lit(made.config.start_date) + pl.duration(days="day"),
    )  # fmt: skip
    panel = sales_panel(history, made.regions, last_day=last, days=made.config.n_days, period_days=1)
    kinds = made.shop.skus.select(
        "sku", element_type=pl.lit("product_type"),
        element=made.shop.styles["product_type"].gather(made.shop.skus["style"]),
    )  # fmt: skip
    weather = weather_table(made.config)
    known = weather.filter(pl.col("date") <= made.config.run_date)
    effects = weather_effects(panel, kinds, known, config=config)
    effect = effects.filter(pl.col("product_type") == KIND)["weather_effect"]
    degree = float(effect[0]) if len(effect) else 0.0
    snaps = planted_snaps(made.config).filter(pl.col("starts_day") > WARM_UP_DAYS)
    n = seen = right = elsewhere = places = 0
    for (start,), part in snaps.group_by(["starts_day"], maintain_order=True):
        at = first + int(start) - BEFORE  # type: ignore[call-overload]
        turns = cold_snaps(weather, day=at, config=config)
        coming = turns.filter((pl.col("change") < 0) & (pl.col("from_day") <= first + int(start) + 1))  # type: ignore[call-overload]
        shown = exposure_suggestions(_jackets(degree), _no_alerts(), turns, day=at, config=config)
        shown = shown.filter((pl.col("reason") == ExposureReason.WEATHER.value) & (pl.col("from_day") <= first + start))
        hit = set(part["region"].to_list())
        n += len(hit)
        seen += len(hit & set(coming["region"].to_list()))
        right += len(hit & set(shown["region"].to_list()))
        busy = snaps.filter((pl.col("starts_day") - start).abs() <= config.exposure_days)["region"].to_list()
        quiet = set(REGIONS) - set(busy)
        places += len(quiet)
        elsewhere += len(quiet & set(shown["region"].to_list()))
    return [f"{degree:+.3f}", f"{seen} of {n}", f"{right} of {n}", f"{elsewhere} of {places}"]


def _jackets(effect: float) -> pl.DataFrame:
    return pl.DataFrame({"sku": ["JACKET"] * len(REGIONS), "region": list(REGIONS)}).with_columns(
        stock_units=pl.lit(5_000.0), daily_units=pl.lit(3.0), p90_daily_units=pl.lit(6.0), cover_days=pl.lit(60.0),
        margin=pl.lit(100.0), size_group=pl.lit("standard"), weather_effect=pl.lit(effect), is_tail=pl.lit(False),
    )  # fmt: skip


def _no_alerts() -> pl.DataFrame:
    return pl.DataFrame(schema={"sku": pl.String, "region": pl.String, "lift": pl.Float64})


def _number(day: object) -> int:
    return int(np.datetime64(str(day), "D").astype(int))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
