"""How well the planted facts of the demo shop are found again: fake orders, stock-outs, trend bursts.

Run ``python -m benchmarks.planted_facts [HOME]``: prints a Markdown table. Without HOME a demo shop is made in a
temporary folder and the steps up to trends are run on it. The truth is read here only, never by an estimator.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data.settings import load_settings
from data.warehouse import open_warehouse
from trends.bursts import State
from trends.config import TrendConfig
from trends.elements import resolved_names
from trends.heat import heat_of
from trends.signals import ALL_REGIONS, cleaned, signal_cube, without_late
from trends.vintages import signal_history, vintages_of

EPOCH = date(1970, 1, 1)
WARM_UP_DAYS = 70  # a baseline needs eight weeks, and a few days of noise
GRACE_DAYS = 14  # an alarm so soon after a burst belongs to it: its tail is real
QUARTER_DAYS = 91
BRUSHING_KINDS = ("few_buyers", "ring", "night_burst")
BURST_KINDS = ("sudden", "slow", "season")


@dataclass(frozen=True)
class Fact:
    """One line of the table."""

    fact: str
    recall: float | None
    precision: float | None
    remark: str


def main(arguments: list[str]) -> int:
    """Print the table for the home given, or for a demo made on the spot."""
    if arguments:
        print_table(planted_facts(Path(arguments[0])))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "demo"
        _make_demo(home)
        print_table(planted_facts(home))
    return 0


def _make_demo(home: Path) -> None:
    from data.demo import write_demo
    from data.step import run as ingest
    from demand.step import run as demand

    run_date = date.fromisoformat(write_demo(home).run_date)
    ingest(home, run_date)
    demand(home, run_date)


def planted_facts(home: Path) -> list[Fact]:
    """Return what was planted in the demo shop at ``home`` and how much of it was found; demand must have been run."""
    truth = home / "truth"
    with open_warehouse(home) as warehouse:
        excluded = warehouse.polars("select order_line_id, reason from excluded_lines")
        lines = warehouse.polars("select order_line_id, sku, ordered_at from stg_order_lines where quantity > 0")
        history = warehouse.polars(
            "select sku, location_id, ds, is_censored, in_stock_share from demand_history where not is_gap"
        )
        signals = warehouse.polars("select * from stg_signals")
        aliases = warehouse.polars("select alias, element_type, element from stg_element_aliases")
    return [
        *brushing_facts(excluded, lines, pl.read_parquet(truth / "brushing.parquet")),
        viral_fact(excluded, pl.read_parquet(truth / "viral.parquet")),
        *censoring_facts(history, pl.read_parquet(truth / "daily.parquet")),
        *burst_facts(signals, aliases, pl.read_parquet(truth / "trend_bursts.parquet"), home),
    ]


def brushing_facts(excluded: pl.DataFrame, lines: pl.DataFrame, truth: pl.DataFrame) -> list[Fact]:
    """Return recall and precision of fake order lines, by kind and over all; only lines that were loaded count."""
    loaded = truth.join(lines.select("order_line_id"), on="order_line_id", how="semi")
    found = excluded.filter(pl.col("reason").str.starts_with("brushing_"))
    hits = found.join(loaded, on="order_line_id", how="inner")
    facts = []
    for kind in BRUSHING_KINDS:
        planted = loaded.filter(pl.col("kind") == kind)
        called = found.filter(pl.col("reason") == f"brushing_{kind}")
        right = called.join(loaded, on="order_line_id", how="semi").height
        caught = hits.filter(pl.col("kind") == kind)
        incidents = f"{caught['incident'].n_unique()} of {planted['incident'].n_unique()} incidents"
        facts.append(
            Fact(f"brushing, {kind}", _share(caught.height, planted.height), _share(right, called.height), incidents)
        )
    overall = f"{found.height} lines called, {loaded.height} planted"
    facts.append(Fact("brushing, all", _share(hits.height, loaded.height), _share(hits.height, found.height), overall))
    return facts


def viral_fact(excluded: pl.DataFrame, truth: pl.DataFrame) -> Fact:
    """Return how much of the real viral demand was kept (as recall)."""
    lost = truth.join(excluded, on="order_line_id", how="semi").height
    return Fact(
        "viral demand kept", 1 - (_share(lost, truth.height) or 0.0), None, f"{lost} of {truth.height} lines excluded"
    )


def censoring_facts(history: pl.DataFrame, truth: pl.DataFrame) -> list[Fact]:
    """Return recall and precision of stocked-out days.

    Recall is over the days on which demand was truly lost. A called day is right where stock truly was at zero at some
    time of the day: at its start without a receipt, or at its close.
    """
    day = truth.select(
        "sku",
        "location_id",
        "ds",
        lost=pl.col("lost_qty") > 0,
        was_out=(pl.col("end_qty") <= 0) | (pl.col("start_qty") + pl.col("received_qty") <= 0),
        lost_qty="lost_qty",
    )
    both = history.join(day, on=["sku", "location_id", "ds"], how="inner")
    lost = both.filter("lost")
    caught = lost.filter("is_censored")
    called = both.filter("is_censored")
    by_units = _share(int(caught["lost_qty"].sum()), int(lost["lost_qty"].sum())) or 0.0
    return [
        Fact(
            "stocked-out days",
            _share(caught.height, lost.height),
            _share(called.filter("was_out").height, called.height),
            f"{lost.height} days with lost demand, {100 * by_units:.1f}% of the lost units on days called",
        )
    ]


def burst_facts(signals: pl.DataFrame, aliases: pl.DataFrame, truth: pl.DataFrame, home: Path) -> list[Fact]:
    """Return recall, delay and false alarms of trend bursts over all nights on which a baseline was known.

    Scores look back only, so the state of each past night is the one that night's run would have shown.
    """
    settings = load_settings(home)
    config = TrendConfig.model_validate(settings.trends)
    timezone = settings.shop.timezone
    vintages = vintages_of(resolved_names(signals, aliases), timezone=timezone)
    timely = without_late(signal_history(vintages)[0], config=config)
    last_day = int(timely["known"].max())  # type: ignore[arg-type]
    cube, _ = cleaned(signal_cube(timely, last_day=last_day, config=config), config=config)
    state = heat_of(cube, config=config).state
    begins = (state[1:] == State.RISING) & (state[:-1] == State.QUIET)
    day, series = np.nonzero(begins)
    keys = cube.series[series.tolist()]
    alarms = keys.with_columns(day=pl.Series(day + 1 + cube.first_day))
    first_night = cube.first_day + WARM_UP_DAYS
    alarms = alarms.filter(pl.col("day") >= first_night)
    planted = truth.filter("is_true_burst").with_columns(
        start=pl.col("starts_date").cast(pl.Int32).cast(pl.Int64), end=pl.col("ends_date").cast(pl.Int32).cast(pl.Int64)
    )
    peaked = pl.col("peak_date").cast(pl.Int32).cast(pl.Int64) <= last_day
    judged = planted.filter((pl.col("start") >= first_night) & peaked)
    facts = [_burst_fact(judged.filter(pl.col("kind") == kind), alarms, kind) for kind in BURST_KINDS]
    facts.append(_burst_fact(judged.filter(pl.col("kind").is_in(BURST_KINDS)), alarms, "all"))
    return [*facts, *_false_alarms(alarms, planted, truth, cube.series, last_day - first_night + 1)]


def _burst_fact(planted: pl.DataFrame, alarms: pl.DataFrame, kind: str) -> Fact:
    delays, seen = [], []
    for burst in planted.iter_rows(named=True):
        own = alarms.filter(
            (pl.col("element_type") == burst["element_type"])
            & (pl.col("element") == burst["element"])
            & (pl.col("region").is_in([burst["region"], ALL_REGIONS]))
            & (pl.col("day") >= burst["start"])
            & (pl.col("day") <= burst["end"])
        )
        if own.height:
            noticed = int(own["day"].min())  # type: ignore[arg-type]
            delays.append(noticed - burst["start"])
            seen.append(max(noticed - (burst["visible_date"] - EPOCH).days, 0))
    spread = "none found"
    if delays:
        spread = f"delay median {np.median(delays):g} days, {np.median(seen):g} from the day it adds a quarter"
    return Fact(
        f"trend bursts, {kind}",
        _share(len(delays), planted.height),
        None,
        f"{len(delays)} of {planted.height}; {spread}",
    )


def _false_alarms(
    alarms: pl.DataFrame, planted: pl.DataFrame, truth: pl.DataFrame, series: pl.DataFrame, n_days: int
) -> list[Fact]:
    """Return false alarms per element-quarter, all regions taken as one, and over every element and region."""
    windows = planted.select("element_type", "element", "start", "end")
    matched = (
        alarms.with_row_index("alarm")
        .join(windows, on=["element_type", "element"])
        .filter((pl.col("day") >= pl.col("start")) & (pl.col("day") <= pl.col("end") + GRACE_DAYS))
    )
    false = alarms.with_row_index("alarm").join(matched.select("alarm"), on="alarm", how="anti")
    facts = []
    for name, part, n_series in (
        (
            "all regions together",
            false.filter(pl.col("region") == ALL_REGIONS),
            series.filter(pl.col("region") == ALL_REGIONS).height,
        ),
        ("every region", false, series.height),
    ):
        rate = part.height / max(n_series * n_days / QUARTER_DAYS, 1e-9)
        remark = f"{part.height} false alarms, {rate:.3f} per element-quarter over {n_series} series"
        facts.append(Fact(f"trend false alarms, {name}", None, None, remark))
    traps = truth.filter(~pl.col("is_true_burst")).with_columns(
        start=pl.col("starts_date").cast(pl.Int32).cast(pl.Int64), end=pl.col("ends_date").cast(pl.Int32).cast(pl.Int64)
    )
    caught = false.join(
        traps.select("element_type", "element", "start", "end", "kind"), on=["element_type", "element"]
    ).filter((pl.col("day") >= pl.col("start")) & (pl.col("day") <= pl.col("end") + 3))
    fallen = caught.unique(["element_type", "element", "start"]).height
    facts.append(
        Fact(
            "trend traps that alarmed",
            None,
            None,
            f"{fallen} of {traps.height} (one-day spikes, a source that doubles)",
        )
    )
    return facts


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def print_table(facts: list[Fact]) -> None:
    """Print the facts as a Markdown table."""
    print("| planted fact | recall | precision | remark |")
    print("| --- | ---: | ---: | --- |")
    for fact in facts:
        shown = ["-" if v is None else f"{100 * v:.1f}%" for v in (fact.recall, fact.precision)]
        print(f"| {fact.fact} | {shown[0]} | {shown[1]} | {fact.remark} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
