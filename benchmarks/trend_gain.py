"""What signals add to the shop's own forecast: with and without them, on rolling origins, where leads were planted.

Run ``python -m benchmarks.trend_gain HOME [SEED [DAYS_BACK ...]]`` on a demo home of that seed after ``ingest demand
trends ledger`` of its run date: prints a Markdown table. For each origin, so many days before the run date, the
forecast is learnt and made twice from what was known by then (``forecasting.forecast.make_forecast``): without signals,
and with those that the gate let in as of that day, by the leads and strengths learnt as of that day. Signals dealt to
other elements go through the same gate; where it lets none of them in, the forecast is the one without. Judged on the
14 days after the origin, day by day and in total: single days of slow sellers are mostly chance.

Affected are the products whose demand the planted interest moves by ``AFFECTED`` from the four weeks before the origin
to the days after it; the rest are the others. Beside the gain stands the ceiling: the same forecaster, learnt and made
again, told the planted effect itself, day by day into the future, where it was told what signals say. No signals can
give it more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.demo.catalogue import LOCATIONS, catalogue
from data.demo.config import demo_config
from data.demo.demand import interest_lift, viral_spikes
from data.demo.interest import interest
from data.settings import load_settings
from data.step_io import StepIO, open_step
from forecasting import backtest, forecast, middle_out
from forecasting.backtest import Inputs
from forecasting.config import ForecastConfig
from forecasting.forecast import make_forecast
from forecasting.heat_lift import Signals
from forecasting.panel import Panel
from forecasting.protection import Spans
from forecasting.step import load_inputs, spans_of
from trends.config import TrendConfig
from trends.elements import product_elements
from trends.leads import HeatPanel, signal_leads
from trends.sales import sales_panel

HORIZON = 14  # [days] judged after each origin
LEVEL_DAYS = 28
AFFECTED = 0.2  # [log ratio]
ORIGINS = (28, 42, 98, 182)  # [days] before the run date
EPOCH = date(1970, 1, 1)
KEYS = ["element_type", "element", "region"]


@dataclass(frozen=True)
class Shop:
    """What the benchmark reads of a home once; ``lift``: (n, t) what planted interest did to demand."""

    io: StepIO
    inputs: Inputs
    spans: Spans
    config: ForecastConfig
    features: pl.DataFrame
    elements: pl.DataFrame
    lift: NDArray[np.float32]


@dataclass(frozen=True)
class Line:
    """One origin: verdicts of the gate, who is affected, absolute errors by forecast and series, demand."""

    origin: date
    gate: str
    gate_of_noise: str
    affected: NDArray[np.bool_]
    errors: dict[str, NDArray[np.float64]]
    demand: NDArray[np.float64]


def main(arguments: list[str]) -> int:
    """Print the table."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    home, seed = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 2026
    run_date = load_settings(home).planning.default_run_date
    assert run_date is not None, "a demo home names its run date"
    with open_step("forecast", home=home, run_date=run_date) as io:
        shop = _shop(io, seed)
        print("| origin | let in | of signals dealt to others | affected: series; WAPE of days without / with, gain "
              "(ceiling: the planted effect known); of totals | others |")  # fmt: skip
        print("|---|---|---|---|---|")
        lines = []
        for back in [int(a) for a in arguments[2:]] or ORIGINS:
            lines.append(_line(shop, shop.inputs.panel.n_periods - back))
            print(_row(str(lines[-1].origin), lines[-1:]), flush=True)
        print(_row("all", lines))
    return 0


def _shop(io: StepIO, seed: int) -> Shop:
    config = ForecastConfig.model_validate(io.settings.rooms.get("forecasting", {}))
    inputs, _ = load_inputs(io, config)
    features = io.read_polars("trend_features", columns=[*KEYS, "ds", "attention"])
    elements = product_elements(io.read_polars("stg_products"))
    return Shop(io, inputs, spans_of(io, inputs), config, features, elements, _planted(inputs, seed))


def _planted(inputs: Inputs, seed: int) -> NDArray[np.float32]:
    """Return (n, t) what the planted interest did to the demand of each series of the panel."""
    demo = demo_config(seed=seed)
    shop = catalogue(demo)
    lift = interest_lift(demo, shop, interest(demo, shop, viral_spikes(demo, shop)))
    skus = shop.skus["sku"].to_numpy()[shop.series["sku_index"].to_numpy()]
    places = np.array([name for name, *_ in LOCATIONS])[shop.series["location"].to_numpy()]
    at = {key: i for i, key in enumerate(zip(skus, places, strict=True))}
    rows = [at[key] for key in inputs.panel.keys.select("sku", "location_id").iter_rows()]
    first = (inputs.panel.start - demo.start_date).days
    return lift[rows, first : first + inputs.panel.n_periods]


def _line(shop: Shop, origin: int) -> Line:
    at = shop.inputs.panel.start + timedelta(days=origin - 1)
    past = shop.inputs.until(origin)
    place = np.isin(shop.inputs.targets, shop.inputs.kept_until(origin))
    rows = shop.inputs.targets[place]
    panel = shop.inputs.panel.rows(rows)
    known = panel.teaches[:, origin : origin + HORIZON]
    actual = np.where(known, panel.units[:, origin : origin + HORIZON], 0).astype(np.float64)
    gate, signals = _let_in(shop, at, mixed=False)
    lift = shop.lift[rows]
    ahead, before = lift[:, origin : origin + HORIZON], lift[:, origin - LEVEL_DAYS : origin].mean(axis=1)
    made = {name: _forecast(shop, past, place, told) for name, told in (("without", Signals.none()), ("with", signals))}
    with ExitStack() as told_truth:
        for room in (backtest, forecast, middle_out):
            told_truth.enter_context(patch.object(room, "heat_lift", _truth(shop)))
        made["planted"] = _forecast(shop, past, place, Signals.none())
    errors = {}
    for name, mean in made.items():
        off = np.where(known, mean - actual, 0)
        errors[name], errors[f"{name}, total"] = np.abs(off).sum(axis=1), np.abs(off.sum(axis=1))
    affected = np.abs(np.log(ahead.mean(axis=1) / before)) >= AFFECTED
    return Line(at, gate, _let_in(shop, at, mixed=True)[0], affected, errors, actual.sum(axis=1))


def _truth(shop: Shop) -> Callable[..., NDArray[np.float32]]:
    """Return what stands in for ``forecasting.heat_lift.heat_lift``: the planted effect, known ahead."""
    at = {key: i for i, key in enumerate(shop.inputs.panel.keys.select("sku", "location_id").iter_rows())}

    def lift(panel: Panel, signals: Signals, *, horizon: int) -> NDArray[np.float32]:
        rows = [at[key] for key in panel.keys.select("sku", "location_id").iter_rows()]
        first, days = (panel.start - shop.inputs.panel.start).days, panel.n_periods
        log = np.log(shop.lift[rows, first : first + days + horizon])
        log -= log[:, max(days - LEVEL_DAYS, 0) : days].mean(axis=1, keepdims=True)
        return np.asarray(np.exp(log), dtype=np.float32)

    return lift


def _forecast(shop: Shop, past: Inputs, place: NDArray[np.bool_], signals: Signals) -> NDArray[np.float64]:
    made = make_forecast(
        replace(past, tables=replace(past.tables, signals=signals)),
        shop.spans.rows(np.flatnonzero(place)),
        horizon=HORIZON,
        config=shop.config,
        seed=shop.io.settings.planning.seed,
        step=1.0,
        firm_preorders=pl.DataFrame(schema={"sku": pl.String, "firm_qty": pl.Float64}),
        overrides=shop.io.read_polars("overrides").clear(),
    )
    return np.asarray(made.mean, dtype=np.float64)[:, :HORIZON]


def _let_in(shop: Shop, at: date, *, mixed: bool) -> tuple[str, Signals]:
    """Return the types that the gate let in as of a past day, and their signals; ``mixed``: dealt to other elements."""
    config, last = TrendConfig(), (at - EPOCH).days
    history = shop.io.query_polars(
        "select sku, location_id, ds, units from demand_history where not is_gap and not is_censored and units is not "
        f"null and ds > date '{at}' - {config.sales_days} and ds <= date '{at}' order by sku, location_id, ds"
    ).with_columns(pl.col("units").cast(pl.Float64))
    begun = history["ds"].min()
    assert isinstance(begun, date)
    days = min(config.sales_days, last - (begun - EPOCH).days + 1)
    regions = shop.io.read_polars("stg_locations", columns=["location_id", "region"])
    panel = sales_panel(history, regions, last_day=last, days=days, period_days=1)
    told = shop.features.filter(pl.col("ds") <= at)
    if mixed:
        names = told.select("element_type", "element").unique().sort("element_type", "element")
        dealt = names.with_columns(other=pl.col("element").shuffle(seed=last).over("element_type"))
        told = told.join(dealt, on=["element_type", "element"]).drop("element").rename({"other": "element"})
    series = told.select(KEYS).unique().sort(KEYS)
    day = pl.col("ds").cast(pl.Int32).cast(pl.Int64) - panel.first_day
    placed = told.with_columns(day=day).filter(pl.col("day").is_between(0, panel.n_days - 1))
    coded = placed.join(series.with_row_index("s"), on=KEYS)
    values = np.zeros((panel.n_days, series.height), dtype=np.float32)
    values[coded["day"].to_numpy(), coded["s"].to_numpy()] = coded["attention"].to_numpy()
    found = signal_leads(
        HeatPanel(series, values), panel, shop.elements, config=config, seed=shop.io.settings.planning.seed
    ).filter("use_in_forecast")
    names_in = ", ".join(
        f"{k} {lead} d {s:.2f}" for k, lead, s in found.select("element_type", "lead_days", "strength").rows()
    )
    gated = told.join(found.select("element_type", "lead_days", "strength"), on="element_type")
    return names_in or "none", Signals(gated, shop.elements)


def _row(name: str, lines: list[Line]) -> str:
    cells = []
    for of in (True, False):
        parts = [line.affected if of else ~line.affected for line in lines]
        demand = sum(float(line.demand[p].sum()) for line, p in zip(lines, parts, strict=True))
        text = str(sum(int(p.sum()) for p in parts))
        for span in ("", ", total"):
            without, told, planted = (
                sum(float(line.errors[made + span][p].sum()) for line, p in zip(lines, parts, strict=True))
                for made in ("without", "with", "planted")
            )
            gain, most = (100 * (1 - e / without) if without else 0.0 for e in (told, planted))
            text += f"; {without / max(demand, 1):.3f} / {told / max(demand, 1):.3f}, {gain:+.1f}% ({most:+.1f}%)"
        cells.append(text)
    gates = "; ".join(sorted({line.gate for line in lines})), "; ".join(sorted({line.gate_of_noise for line in lines}))
    return f"| {name} | {gates[0]} | {gates[1]} | {cells[0]} | {cells[1]} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
