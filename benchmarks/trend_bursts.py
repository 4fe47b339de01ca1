"""How well planted bursts are found, on seeds on which no threshold was chosen: recall, delay, false alarms.

Run ``python -m benchmarks.trend_bursts [SEED ...]``: prints a Markdown table, one line a seed and one over all. Each
seed is a demo shop of two years with sudden and slow bursts, anime seasons, one-day spikes, sources that double by
themselves, holidays and an outage. Scores look back only, so the state of each past night is the one that night's run
showed. The last thresholds were chosen on seeds 101 to 103; the first ones, before that, on 2026.
``python -m benchmarks.trend_floor`` says how soon anyone could see them.

A burst can be seen only once it stands out: delay is stated from the planted first day, on which nothing has happened
yet (a slow burst has added 4% after three days), and from the first day that adds ``VISIBLE`` to the usual interest.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import polars as pl

from data.demo.catalogue import catalogue
from data.demo.config import demo_config
from data.demo.demand import viral_spikes
from data.demo.interest import interest
from data.demo.shop_events import shop_events
from data.demo.signals import element_aliases, signals_table
from trends.bursts import State
from trends.config import TrendConfig
from trends.elements import resolved_names
from trends.heat import heat_of
from trends.signals import Cube, cleaned, signal_cube, without_late
from trends.vintages import signal_history, vintages_of

__all__ = ["Verdict", "alarm_frame", "burst_world", "verdict_of"]

CHOSEN_ON = (101, 102, 103)
REPORTED_ON = (2026, 201, 202, 203, 204)
WARM_UP_DAYS = 70  # a baseline needs eight weeks, and a few days of noise
GRACE_DAYS = 14  # an alarm so soon after a burst belongs to it: its tail is real
QUARTER_DAYS = 91
VISIBLE = 0.25  # [ratio] what a burst must add to the usual interest to be seen by anyone
KINDS = ("sudden", "slow", "season")
BURSTS = ("sudden", "slow")  # what was planted as a burst; a season comes every quarter, by the calendar


@dataclass(frozen=True)
class Verdict:
    """What was found of the bursts planted in one world.

    Attributes:
        found: kind, delay (from the planted start), visible_delay (from the visible day), null where missed.
        false_alarms: of any region, those of one element within two weeks taken as one.
        element_quarters: elements times quarters judged.
        traps: one-day spikes and doublings that alarmed, and how many there were.
        withdrawn: share of the alarms of bursts long over that were taken back.
    """

    found: pl.DataFrame
    false_alarms: int
    false_series_alarms: int
    element_quarters: float
    traps: tuple[int, int]
    withdrawn: float


def burst_world(seed: int, *, config: TrendConfig) -> tuple[Cube, pl.DataFrame]:
    """Return the cleaned cube of a demo shop's signals, and its planted bursts with day numbers."""
    demo = demo_config(seed=seed)
    shop = catalogue(demo)
    talk = interest(demo, shop, viral_spikes(demo, shop))
    signals = signals_table(demo, talk, shop_events(demo)).drop("day")
    vintages = vintages_of(resolved_names(signals, element_aliases(demo)), timezone="Asia/Shanghai")
    timely = without_late(signal_history(vintages)[0], config=config)
    first = _day_number(demo.start_date)
    last = _day_number(demo.run_date)
    cube, _ = cleaned(signal_cube(timely, last_day=last, config=config), config=config)
    days = {name: pl.col(f"{name}_day") + first for name in ("start", "peak", "end")}
    return cube, talk.bursts.rename({"peak": "height"}).with_columns(**days)


def _day_number(day: object) -> int:
    return int(np.datetime64(str(day), "D").astype(int))


def alarm_frame(cube: Cube, state: np.ndarray) -> pl.DataFrame:  # type: ignore[type-arg]
    """Return ``element_type``, ``element``, ``region``, ``day``, ``over``: first and last night of each burst."""
    active = (state != State.QUIET).astype(np.int8)
    step = np.diff(active, axis=0, prepend=0)
    rows = []
    for series in range(state.shape[1]):
        begins, ends = np.flatnonzero(step[:, series] == 1), np.flatnonzero(step[:, series] == -1)
        for i, day in enumerate(begins):
            rows.append((series, int(day) + cube.first_day, int(ends[i]) + cube.first_day if i < len(ends) else None))
    found = pl.DataFrame(rows, schema={"series": pl.Int64, "day": pl.Int64, "over": pl.Int64}, orient="row")
    return cube.series[found["series"].to_list()].with_columns(found["day"], found["over"])


def visible_delay_start(row: dict[str, object]) -> int:
    """Return the first day on which the planted burst adds ``VISIBLE`` to the usual interest."""
    start, peak, height = int(row["start"]), int(row["peak"]), float(row["height"])  # type: ignore[call-overload, arg-type]
    rise = np.clip((np.arange(start, peak + 1) - start) / max(1, peak - start), 0, 1)
    added = (height - 1) * (3 * rise**2 - 2 * rise**3)
    return start + int(np.argmax(added >= VISIBLE))


def verdict_of(cube: Cube, truth: pl.DataFrame, alarms: pl.DataFrame) -> Verdict:
    """Return what the alarms made of the planted truth, over all nights on which a baseline was known."""
    first, last = cube.first_day + WARM_UP_DAYS, cube.first_day + cube.n_days - 1
    alarms = alarms.filter(pl.col("day") >= first)
    real = truth.filter("is_true_burst")
    judged = real.filter(pl.col("kind").is_in(KINDS) & (pl.col("start") >= first) & (pl.col("peak") <= last))
    rows = []
    for burst in judged.iter_rows(named=True):
        own = alarms.filter(
            (pl.col("element_type") == burst["element_type"])
            & (pl.col("element") == burst["element"])
            & pl.col("region").is_in(
                [burst["region"], "*"] if burst["region"] != "*" else cube.series["region"].unique().to_list()
            )
            & pl.col("day").is_between(burst["start"], burst["end"])
        )
        day = own["day"].min()
        delay = None if day is None else int(day) - burst["start"]  # type: ignore[arg-type]
        seen = None if day is None else max(int(day) - visible_delay_start(burst), 0)  # type: ignore[arg-type]
        rows.append((burst["kind"], delay, seen))
    found = pl.DataFrame(rows, schema={"kind": pl.String, "delay": pl.Int64, "visible_delay": pl.Int64}, orient="row")
    near = real.select("element_type", "element", "start", "end")
    numbered = alarms.with_row_index("alarm")
    matched = numbered.join(near, on=["element_type", "element"]).filter(
        pl.col("day").is_between(pl.col("start"), pl.col("end") + GRACE_DAYS)
    )
    false = numbered.join(matched.select("alarm").unique(), on="alarm", how="anti")
    merged = (
        false.sort("element_type", "element", "day")
        .with_columns(gap=pl.col("day").diff().over("element_type", "element").fill_null(10**6))
        .filter(pl.col("gap") > GRACE_DAYS)
    )
    n_elements = cube.series.select("element_type", "element").unique().height
    quarters = n_elements * (last - first + 1) / QUARTER_DAYS
    return Verdict(found, merged.height, false.height, quarters, _traps(false, truth), _withdrawn(matched, last))


def _traps(false: pl.DataFrame, truth: pl.DataFrame) -> tuple[int, int]:
    traps = truth.filter(~pl.col("is_true_burst"))
    caught = (
        false.drop("alarm")
        .join(traps.select("element_type", "element", "start", "end"), on=["element_type", "element"])
        .filter(pl.col("day").is_between(pl.col("start"), pl.col("end") + 3))
    )
    return caught.unique(["element_type", "element", "start"]).height, traps.height


def _withdrawn(matched: pl.DataFrame, last: int) -> float:
    """Return the share of true alarms whose burst ended 30 days ago or longer that are no longer in force."""
    done = matched.filter(pl.col("end") + 30 <= last)
    taken = done.filter(pl.col("over").is_not_null() & (pl.col("over") <= pl.col("end") + 30))
    return taken.height / max(done.height, 1)


def line_of(name: str, verdicts: list[Verdict]) -> str:
    """Return one line of the table over one or several worlds."""
    found = pl.concat([v.found for v in verdicts])
    cells = [name]
    for kinds in (*((kind,) for kind in KINDS), BURSTS, KINDS):
        part = found.filter(pl.col("kind").is_in(kinds))
        hit = part["delay"].drop_nulls()
        delay = f"{hit.median():g} / {part['visible_delay'].drop_nulls().median():g}" if len(hit) else "-"
        cells.append(f"{len(hit)} of {part.height}; {delay}")
    quarters = sum(v.element_quarters for v in verdicts)
    cells.append(f"{sum(v.false_alarms for v in verdicts) / quarters:.2f}")
    cells.append(f"{sum(v.traps[0] for v in verdicts)} of {sum(v.traps[1] for v in verdicts)}")
    cells.append(f"{np.mean([v.withdrawn for v in verdicts]):.0%}")
    return "| " + " | ".join(cells) + " |"


def main(arguments: list[str]) -> int:
    """Print the table."""
    config = TrendConfig()
    seeds = [int(a) for a in arguments] or list(REPORTED_ON)
    print(
        "| seed | sudden: found; delay from start / visible [days] | slow | season | sudden and slow | all "
        "| false alarms | traps | withdrawn |"
    )
    print("|---|---|---|---|---|---|---:|---:|---:|")
    verdicts = []
    for seed in seeds:
        cube, truth = burst_world(seed, config=config)
        verdicts.append(verdict_of(cube, truth, alarm_frame(cube, heat_of(cube, config=config).state)))
        print(line_of(str(seed), verdicts[-1:]), flush=True)
    print(line_of("all", verdicts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
