"""What signals add to the shop's own forecast: with heat and without, on rolling origins, where leads were planted.

Run ``python -m benchmarks.trend_gain HOME [ORIGINS]`` on a demo home after ``ingest demand trends ledger`` of its run
date: prints a Markdown table. For each origin, two weeks apart, the forecast is learnt and made twice from what was
known by then (``forecasting.forecast.make_forecast``), once with the heat of IPs and once without, and judged on the 14
days after it, day by day and in total: single days of slow sellers are mostly chance. Touched are the products of IPs
with a planted burst that began before the origin and whose effect on sales falls into those days; the rest are the
others. The gate is asked as of each origin, with the true signals and with signals dealt to other elements; where it
says no, the shop's forecast is the one without.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.interest import LAG_DAYS
from data.settings import load_settings
from data.step_io import StepIO, open_step
from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.forecast import make_forecast
from forecasting.protection import Spans
from forecasting.step import load_inputs, spans_of
from trends.config import TrendConfig
from trends.elements import product_elements
from trends.heat import heat_of
from trends.leads import HeatPanel, signal_leads
from trends.sales import element_sales, sales_panel

HORIZON = 14  # [days] judged after each origin
EPOCH = date(1970, 1, 1)
KEYS = ["element_type", "element", "region"]


@dataclass(frozen=True)
class Shop:
    """What the benchmark reads of a home once."""

    io: StepIO
    inputs: Inputs
    spans: Spans
    step: float
    config: ForecastConfig
    features: pl.DataFrame
    elements: pl.DataFrame
    bursts: pl.DataFrame


@dataclass(frozen=True)
class Line:
    """Absolute errors and demand of one origin: (touched, others) by forecast."""

    origin: date
    gate: str
    gate_of_noise: str
    touched: NDArray[np.bool_]
    errors: dict[str, NDArray[np.float64]]  # by series
    demand: NDArray[np.float64]


def main(arguments: list[str]) -> int:
    """Print the table."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    home, count = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 4
    run_date = load_settings(home).planning.default_run_date
    assert run_date is not None, "a demo home names its run date"
    with open_step("forecast", home=home, run_date=run_date) as io:
        shop = _shop(io, home)
        print("| origin | gate | gate on noise | touched: series; WAPE of days without / with; of totals | others |")
        print("|---|---|---|---|---|")
        lines = []
        for k in range(count, 0, -1):
            lines.append(_line(shop, shop.inputs.panel.n_periods - HORIZON * k))
            print(_row(str(lines[-1].origin), lines[-1:]), flush=True)
        print(_row("all", lines))
    return 0


def _shop(io: StepIO, home: Path) -> Shop:
    config = ForecastConfig.model_validate(io.settings.rooms.get("forecasting", {}))
    inputs, step = load_inputs(io, config)
    features = io.read_polars("trend_features", columns=[*KEYS, "ds", "heat"])
    bursts = pl.read_parquet(home / "truth" / "trend_bursts.parquet").filter(
        pl.col("is_true_burst") & (pl.col("element_type") == "ip")
    )
    elements = product_elements(io.read_polars("stg_products"))
    return Shop(io, inputs, spans_of(io, inputs), step, config, features, elements, bursts)


def _line(shop: Shop, origin: int) -> Line:
    at = shop.inputs.panel.start + timedelta(days=origin - 1)
    kept = shop.inputs.kept_until(origin)
    past = shop.inputs.until(origin)
    place = np.isin(shop.inputs.targets, kept)
    rows = shop.inputs.targets[place]
    panel = shop.inputs.panel.rows(rows)
    known = panel.teaches[:, origin : origin + HORIZON]
    actual = np.where(known, panel.units[:, origin : origin + HORIZON], 0).astype(np.float64)
    ips = shop.features.filter(pl.col("element_type") == "ip")
    errors = {}
    for name, heat in (("without", ips.clear()), ("with", ips)):
        made = make_forecast(
            replace(past, tables=replace(past.tables, heat=heat)),
            shop.spans.rows(np.flatnonzero(place)),
            horizon=HORIZON,
            config=shop.config,
            seed=shop.io.settings.planning.seed,
            step=1.0,
            firm_preorders=pl.DataFrame(schema={"sku": pl.String, "firm_qty": pl.Float64}),
            overrides=shop.io.read_polars("overrides").clear(),
        )
        mean = np.asarray(made.mean, dtype=np.float64)
        off = np.where(known, mean[:, :HORIZON] - actual, 0)
        errors[name] = np.abs(off).sum(axis=1)
        errors[f"{name}, total"] = np.abs(off.sum(axis=1))
    return Line(at, _gate(shop, at, mixed=False), _gate(shop, at, mixed=True), _touched(shop, panel.keys, at), errors,
                actual.sum(axis=1))  # fmt: skip


def _touched(shop: Shop, keys: pl.DataFrame, at: date) -> NDArray[np.bool_]:
    """Return which series a planted burst, begun by ``at``, moves in the days after it."""
    lag = timedelta(days=LAG_DAYS["ip"])
    live = shop.bursts.filter(
        (pl.col("starts_date") <= at)
        & (pl.col("starts_date") + lag <= at + timedelta(days=HORIZON))
        & (pl.col("ends_date") + lag > at)
    )
    moved = {(e, r) for e, r in live.select("element", "region").iter_rows()}
    return np.array([(ip, region) in moved or (ip, "*") in moved for ip, region in keys.select("ip", "region").rows()])


def _gate(shop: Shop, at: date, *, mixed: bool) -> str:
    """Return the verdict on IPs as of a past day; ``mixed``: of signals handed to the wrong IPs."""
    config, last = TrendConfig(), (at - EPOCH).days
    history = shop.io.query_polars(
        "select sku, location_id, ds, units from demand_history where not is_gap and not is_censored and units is not "
        f"null and ds > date '{at}' - {config.sales_days} and ds <= date '{at}' order by sku, location_id, ds"
    ).with_columns(pl.col("units").cast(pl.Float64))
    days = min(config.sales_days, last - (history["ds"].min() - EPOCH).days + 1)  # type: ignore[operator]
    regions = shop.io.read_polars("stg_locations", columns=["location_id", "region"])
    panel = sales_panel(history, regions, last_day=last, days=days, period_days=1)
    told = shop.features.filter((pl.col("element_type") == "ip") & (pl.col("ds") <= at))
    series = told.select(KEYS).unique().sort(KEYS)
    day = pl.col("ds").cast(pl.Int32).cast(pl.Int64) - panel.first_day
    placed = told.with_columns(day=day).filter(pl.col("day").is_between(0, panel.n_days - 1))
    coded = placed.join(series.with_row_index("s"), on=KEYS)
    values = np.zeros((panel.n_days, series.height), dtype=np.float32)
    values[coded["day"].to_numpy(), coded["s"].to_numpy()] = coded["heat"].to_numpy()
    if mixed:
        rng = np.random.default_rng(last)
        names = series["element"].unique().sort().to_list()
        other = dict(zip(names, rng.permutation(names).tolist(), strict=True))
        series = series.with_columns(element=pl.col("element").replace_strict(other))
    carried = shop.elements.filter(pl.col("element_type") == "ip")
    sold = element_sales(panel, carried)
    found = signal_leads(
        HeatPanel(series, values), HeatPanel(sold.series, heat_of(sold, config=config).heat), panel, carried,
        config=config, seed=shop.io.settings.planning.seed,
    )  # fmt: skip
    return "/".join(found["reason"].to_list())


def _row(name: str, lines: list[Line]) -> str:
    cells = []
    for of in (True, False):
        parts = [line.touched if of else ~line.touched for line in lines]
        demand = sum(float(line.demand[p].sum()) for line, p in zip(lines, parts, strict=True))
        text = str(sum(int(p.sum()) for p in parts))
        for span in ("", ", total"):
            without, told = (
                sum(float(line.errors[made + span][p].sum()) for line, p in zip(lines, parts, strict=True))
                for made in ("without", "with")
            )
            gain = 100 * (1 - told / without) if without else 0.0
            text += f"; {without / max(demand, 1):.3f} / {told / max(demand, 1):.3f} {gain:+.1f}%"
        cells.append(text)
    gates = ", ".join(sorted({line.gate for line in lines})), ", ".join(sorted({line.gate_of_noise for line in lines}))
    return f"| {name} | {gates[0]} | {gates[1]} | {cells[0]} | {cells[1]} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
