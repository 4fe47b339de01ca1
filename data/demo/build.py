"""The demo home folder, built: simulate, write the drop files, write the truth beside them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from data.demo.config import DEFAULT_SEED, SMALL_STYLES, DemoConfig, demo_config, small_config
from data.demo.dirt import LedgerRow
from data.demo.drop import write_drop
from data.demo.files import write_parquet
from data.demo.home_files import write_home_files
from data.demo.truth import truth_tables
from data.demo.world import World, simulate

__all__ = ["DemoSummary", "write_demo", "write_small", "write_world"]


@dataclass(frozen=True)
class DemoSummary:
    """What was written.

    Attributes:
        home: the home folder.
        run_date: D.
        skus, series, order_lines, units_sold, units_wanted: sizes [SKUs, SKU-locations, rows, units, units].
        rows: rows in the drop files by table, dirt included.
        dirt: rows by expected outcome (Q, N, DUP, D, L).
        planted: how many of each thing were planted.
        files: paths of all files below the home, in order of writing.
        seconds: wall time [s].
    """

    home: Path
    run_date: str
    skus: int
    series: int
    order_lines: int
    units_sold: int
    units_wanted: int
    rows: dict[str, int]
    dirt: dict[str, int]
    planted: dict[str, int]
    files: tuple[str, ...]
    seconds: float = field(compare=False)


def write_demo(home: Path, *, seed: int = DEFAULT_SEED) -> DemoSummary:
    """Write the demo shop into ``home`` (made where it does not exist) and return what was written.

    The home then holds ``merchcast.yml``, ``overrides.csv``, ``holds.csv``, ``drop/`` and ``truth/``; a rule book is
    not part of it. The same seed gives the same bytes.
    """
    return write_world(home, demo_config(seed=seed))


def write_small(home: Path, *, seed: int = DEFAULT_SEED, n_styles: int = SMALL_STYLES) -> DemoSummary:
    """Write a small version of the same world: about 60 SKUs with 24 styles, 200 days, the same kinds of files."""
    return write_world(home, small_config(seed=seed, n_styles=n_styles))


def write_world(home: Path, config: DemoConfig) -> DemoSummary:
    """Simulate and write the world of a config."""
    began = time.perf_counter()
    home.mkdir(parents=True, exist_ok=True)
    world = simulate(config)
    names = write_home_files(home, world)
    drop = write_drop(home, world)
    names += drop.files + _write_truth(home, world, drop.ledger)
    return _summary(home, world, drop.ledger, drop.rows, names, time.perf_counter() - began)


def _write_truth(home: Path, world: World, ledger: list[LedgerRow]) -> list[str]:
    """Write ``truth/`` and return the file names."""
    tables = truth_tables(world)
    tables["dirt"] = pl.DataFrame([asdict(row) for row in ledger], infer_schema_length=None)
    tables["dirt_counts"] = (
        tables["dirt"]
        .group_by("table", "file", "fault", "kind", "outcome", "reason")
        .agg(pl.col("n_rows").sum())
        .sort("table", "file", "fault", "kind", "outcome")
    )
    for name, table in tables.items():
        write_parquet(home / "truth" / f"{name}.parquet", table)
    config = json.dumps(world.config.model_dump(mode="json"), indent=1, sort_keys=True)
    (home / "truth" / "config.json").write_text(config + "\n", encoding="utf-8", newline="\n")
    return [*(f"truth/{name}.parquet" for name in tables), "truth/config.json"]


def _summary(
    home: Path, world: World, ledger: list[LedgerRow], rows: dict[str, int], files: list[str], seconds: float
) -> DemoSummary:
    """Return the summary of what was written."""
    dirt: dict[str, int] = {}
    for row in ledger:
        dirt[row.outcome] = dirt.get(row.outcome, 0) + row.n_rows
    lines = world.lines
    planted = {f"brushing_{kind}": n for kind, n in lines.drop_nulls("kind").group_by("kind").len().sort("kind").rows()}
    planted |= {f"burst_{kind}": n for kind, n in world.talk.bursts.group_by("kind").len().sort("kind").rows()}
    planted["censored_series_days"] = int((world.demand.units > world.stock.sold).sum())
    planted["return_problems"] = len(world.habits.problems)
    planted["pairs"] = len(world.shop.pairs)
    return DemoSummary(
        home=home,
        run_date=world.config.run_date.isoformat(),
        skus=len(world.shop.skus),
        series=len(world.shop.series),
        order_lines=len(lines),
        units_sold=int(world.stock.sold.sum()),
        units_wanted=int(world.demand.units.sum()),
        rows=rows,
        dirt=dict(sorted(dirt.items())),
        planted=planted,
        files=tuple(files),
        seconds=seconds,
    )
