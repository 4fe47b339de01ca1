"""The report step: reads this run's tables, writes the pages and the workbook of the run. Changes no table."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from data.publish.step import reports_folder
from data.settings import Settings
from data.step_io import StepIO, open_step
from reporting.accuracy_report import accuracy_html
from reporting.catalogue import LANGUAGES, load_catalogue
from reporting.config import ReportingConfig
from reporting.page import PAGES, file_name
from reporting.price_preview import price_html
from reporting.quality_report import quality_html
from reporting.restock_report import restock_html, shared_series
from reporting.restock_workbook import write_workbook
from reporting.run_tables import Policy, RunFacts, RunTables
from reporting.trend_report import trend_html

__all__ = ["run", "write_reports"]

WHOLE_TABLES = (
    "restock_plan",
    "not_replenished",
    "plan_changes",
    "transfer_plan",
    "batch_plan",
    "promise_changes",
    "price_suggestions",
    "experiments",
    "forecast_accuracy",
    "override_value",
    "forecast_drivers",
    "trend_scores",
    "trend_alerts",
    "trend_alert_history",
    "trend_proposals",
    "trend_scorecard",
    "element_pairs",
    "hit_map",
    "exposure_suggestions",
    "checks",
    "row_accounts",
    "stg_suppliers",
    "stg_purchase_orders",
)
PREVIOUS_TABLES = ("restock_plan", "forecast_accuracy")
RUNS_OVER_TIME = 28
N_FILES = len(LANGUAGES) * len(PAGES) + 1
LATER_STEPS = ("report", "publish")


def run(home: Path, run_date: date) -> dict[str, int]:
    """Write all reports of a run into ``<home>/.build/<run_date>/reports`` and return rows read and files written."""
    with open_step("report", home=home, run_date=run_date) as io:
        config = ReportingConfig.model_validate(io.settings.rooms.get("reporting", {}))
        tables = _read(io, config=config)
        facts = _facts(io, tables=tables)
        folder = reports_folder(home, run_date)
        shutil.rmtree(folder, ignore_errors=True)  # what an earlier attempt left is not published
        io.progress.stage("pages and workbook", total=N_FILES)
        written = write_reports(
            folder,
            tables=tables,
            facts=facts,
            main_language=io.settings.shop.language,
            config=config,
            advance=io.progress.advance,
        )
        rows = len(tables.frame("restock_plan"))
        io.check(
            "REPORTS_WRITTEN",
            failed=sum(path.stat().st_size == 0 for path in written),
            rows=len(written),
            observed=f"{len(written)} files over {rows} plan lines",
            expected="no empty file",
        )
    return io.counts


def write_reports(
    folder: Path,
    *,
    tables: RunTables,
    facts: RunFacts,
    main_language: str,
    config: ReportingConfig,
    advance: Callable[[], None] | None = None,
) -> list[Path]:
    """Write the pages in both languages and the workbook in the shop's; return the files in order of name.

    A file is written beside its place and moved there, so that a reader never sees half of it. ``advance`` is called
    after each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shared = shared_series(tables, facts=facts, config=config)
    written = []
    for language in LANGUAGES:
        words = load_catalogue(language)
        common: dict[str, Any] = {"facts": facts, "words": words, "main_language": main_language, "config": config}
        pages: dict[str, Callable[[], str]] = {
            "restock": partial(restock_html, tables, shared=shared, **common),
            "prices": partial(price_html, tables, **common),
            "accuracy": partial(accuracy_html, tables, lines=shared.lines, **common),
            "trends": partial(trend_html, tables, **common),
            "quality": partial(quality_html, tables, **common),
        }
        for page, html in pages.items():
            written.append(_place(folder / file_name(page, language, main_language=main_language), html().encode()))
            if advance is not None:
                advance()
    workbook = folder / "restock.xlsx"
    draft = folder / ".restock.xlsx.part"
    write_workbook(
        draft, lines=shared.lines, tables=tables, facts=facts, words=load_catalogue(main_language), config=config
    )
    draft.replace(workbook)
    if advance is not None:
        advance()
    return sorted([*written, workbook])


def _place(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    draft.replace(path)
    return path


def _read(io: StepIO, *, config: ReportingConfig) -> RunTables:
    """Read what the pages show; of the two big tables only the periods that a chart can show."""
    days = io.calendar.period_days
    oldest = io.run_date + timedelta(days=1 - config.chart_history_periods * days)
    newest = io.run_date + timedelta(days=1 + config.chart_ahead_periods * days)
    frames = {name: io.read(name) for name in WHOLE_TABLES}
    checks = frames["checks"]
    frames["checks"] = checks[~checks["step"].isin(LATER_STEPS)]  # of an earlier attempt at this very run
    frames["stg_products"] = _titles(io)
    frames["quarantine"] = io.read("quarantine", columns=["source", "table", "reason", "column", "value", "status"])
    if _has_rows(io, "forecasts"):
        frames["forecast_models"] = io.query(
            "select model, count(*) as lines from (select distinct sku, location_id, model from forecasts) "
            "group by model order by model"
        )
        forecasts = io.query_polars(
            "select sku, location_id, ds, mean, q025, q10, q50, q90, q975 from forecasts where ds < ? "
            "order by sku, location_id, ds",
            [newest],
        )
    else:
        forecasts = io.read_polars(
            "forecasts", columns=["sku", "location_id", "ds", "mean", "q025", "q10", "q50", "q90", "q975"]
        )
    if _has_rows(io, "demand_history"):
        history = io.query_polars(
            "select sku, location_id, ds, units, is_censored from demand_history where ds >= ? "
            "order by sku, location_id, ds",
            [oldest],
        )
        frames["data_through"] = io.query(
            "select max(ds) as ds from demand_history where not is_gap and gross_units > 0"
        )
    else:
        history = io.read_polars("demand_history", columns=["sku", "location_id", "ds", "units", "is_censored"])
    previous = {name: frame for name in PREVIOUS_TABLES if (frame := _before(io, name)) is not None}
    over_time = _before(io, "forecast_accuracy", runs=RUNS_OVER_TIME)
    now = frames["forecast_accuracy"].assign(run_date=pd.Timestamp(io.run_date))
    frames["accuracy_history"] = (
        now if over_time is None else pd.concat([over_time[now.columns], now], ignore_index=True)
    )
    return RunTables(
        frames=frames, history=history, forecasts=forecasts, previous=previous, previous_date=_date_of(previous)
    )


def _has_rows(io: StepIO, table: str) -> bool:
    """Return whether this run wrote the table: a step run alone may find that it did not."""
    return bool(len(io.read("restock_plan", columns=["sku"]))) and io.warehouse.has(table)


def _titles(io: StepIO) -> pd.DataFrame:
    """Return SKU and title: the products', and for SKUs without one the assortment's."""
    products = io.read("stg_products", columns=["sku", "title"])
    assortment = io.read("assortment", columns=["sku", "title"])
    both = pd.concat([frame for frame in (products, assortment) if len(frame)] or [products], ignore_index=True)
    named = both.assign(_unnamed=both["title"].isna()).sort_values(["sku", "_unnamed"], kind="stable")
    return named.drop_duplicates("sku")[["sku", "title"]].reset_index(drop=True)


def _before(io: StepIO, table: str, *, runs: int = 1) -> pd.DataFrame | None:
    """Return a table of earlier published runs with plain numbers; None on the first run."""
    frame = io.previous(table, runs=runs) if runs > 1 else io.previous(table)
    if frame is None or frame.empty:
        return None
    plain = {str(name): frame[name].astype(float) for name in frame.columns if _holds_decimals(frame[name])}
    return frame.assign(**plain)


def _holds_decimals(values: pd.Series[Any]) -> bool:
    known = values.dropna() if values.dtype == object else values.iloc[:0]
    return bool(len(known)) and isinstance(known.iloc[0], Decimal)


def _date_of(previous: dict[str, pd.DataFrame]) -> date | None:
    plan = previous.get("restock_plan")
    if plan is None or "run_date" not in plan:
        return None
    return pd.Timestamp(plan["run_date"].iloc[0]).date()


def _facts(io: StepIO, *, tables: RunTables) -> RunFacts:
    settings = io.settings
    through = tables.frame("data_through")
    last = None if through.empty or pd.isna(through["ds"].iloc[0]) else pd.Timestamp(through["ds"].iloc[0]).date()
    days = io.calendar.period_days
    return RunFacts(
        run_date=io.run_date,
        shop=settings.shop.name,
        currency=settings.shop.currency,
        policy=_policy(settings),
        timezone=settings.shop.timezone,
        period_days=days,
        data_through=None if last is None else min(last + timedelta(days=days - 1), io.run_date),
        parameters=_parameters(settings),
    )


def _policy(settings: Settings) -> Policy:
    planning, objective = settings.planning, settings.planning.objective
    kind = "service_level" if objective.service_level is not None else "margin" if objective.margin else "costs"
    cover = settings.rooms.get("restocking", {}).get("max_cover_days")
    return Policy(
        objective=kind,
        service_level=objective.service_level,
        unmet_demand=planning.unmet_demand,
        order_weekdays=planning.order_weekdays if planning.freq == "D" else (),
        budget=planning.budget,
        max_cover_days=cover,
    )


def _parameters(settings: Settings) -> dict[str, str]:
    """Return the settings that decide a plan, by their key in merchcast.yml. Connections and paths are left out."""
    found: dict[str, str] = {}
    plain = settings.model_dump(mode="json", include={"shop", "planning", "demand"})
    for room, values in sorted(settings.rooms.items()):
        if room != "demand":
            # Who gets the report decides nothing about the plan, and an address is nobody else's business.
            plain[room] = {key: value for key, value in values.items() if key != "delivery"}
    _flatten(plain, "", found)
    return found


def _flatten(value: Any, key: str, found: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name in sorted(value):
            _flatten(value[name], f"{key}.{name}" if key else name, found)
    elif isinstance(value, list):
        found[key] = ", ".join(str(item) for item in value)
    elif value is not None:
        found[key] = str(value)
