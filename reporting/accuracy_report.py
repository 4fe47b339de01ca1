"""The accuracy page: how good the forecasts were by segment and horizon, over time, and which lines were worst."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue
from reporting.charts import line_chart
from reporting.config import ReportingConfig
from reporting.headline import TOTAL_SEGMENTS, total_accuracy
from reporting.override_view import (
    OVERRIDE_COLUMNS,
    OVERRIDE_SUM_COLUMNS,
    override_rows_shown,
    override_sums,
)
from reporting.page import Frame, file_name, render
from reporting.restock_view import subtitle
from reporting.run_tables import RunFacts, RunTables
from reporting.tables import Column, TableView, table_view

__all__ = ["AccuracyView", "accuracy_html", "accuracy_view", "worst_lines"]

SEGMENT_COLUMNS = (
    Column("segment", "code"),
    Column("horizon", "code"),
    Column("n_series", "integer"),
    Column("wape", "share1"),
    Column("bias", "share1"),
    Column("rmsse", "number2"),
    Column("pinball", "number2"),
    Column("coverage_80", "share"),
    Column("value_added", "share1"),
    Column("champion", "code"),
    Column("runner_up", "code"),
    Column("margin", "share1"),
)
WORST_COLUMNS = (
    Column("sku", sub="title"),
    Column("location_id"),
    Column("error_units", "quantity"),
    Column("forecast_wape", "share"),
    Column("forecast_bias", "share"),
    Column("demand_mean", "number1"),
    Column("confidence", "code", tone="confidence"),
    Column("action", "code"),
)


@dataclass(frozen=True)
class AccuracyView:
    """What the accuracy page shows."""

    wape: float | None
    bias: float | None
    segments: TableView
    by_horizon: str
    over_time: str
    worst: TableView
    overrides: TableView
    by_role: TableView
    by_reason: TableView


def worst_lines(lines: pd.DataFrame, *, limit: int) -> pd.DataFrame:
    """Return the lines with the most units forecast wrong (WAPE times mean demand), with ``error_units``."""
    judged = lines[lines["forecast_wape"].notna()]
    scored = judged.assign(error_units=judged["forecast_wape"] * judged["demand_mean"].fillna(0.0))
    keys = ["error_units", "sku", "location_id"]
    return scored.sort_values(keys, ascending=[False, True, True], kind="stable").head(limit)


def accuracy_view(
    tables: RunTables,
    *,
    lines: pd.DataFrame,
    facts: RunFacts,
    words: Catalogue,
    config: ReportingConfig,
    restock_page: str = "restock.html",
) -> AccuracyView:
    """Return what the accuracy page shows; ``lines`` are ``plan_lines`` of the run, SKUs lead to ``restock_page``."""
    accuracy = tables.frame("forecast_accuracy")
    common: dict[str, Any] = {"words": words, "today": facts.run_date, "currency": facts.currency}
    wape, bias = total_accuracy(accuracy, lines)
    overrides = override_rows_shown(tables.frame("override_value"), words=words)
    return AccuracyView(
        wape=wape,
        bias=bias,
        segments=table_view(_ordered(accuracy), SEGMENT_COLUMNS, name="segments", limit=config.table_limit, **common),
        by_horizon=_by_horizon(accuracy, words=words),
        over_time=_over_time(tables.frame("accuracy_history"), words=words),
        worst=table_view(
            worst_lines(lines, limit=config.group_limit), WORST_COLUMNS, name="worst", link=restock_page, **common
        ),
        overrides=table_view(overrides, OVERRIDE_COLUMNS, name="overrides", limit=config.table_limit, **common),
        by_role=table_view(override_sums(overrides, by="role"), OVERRIDE_SUM_COLUMNS, name="by-role", **common),
        by_reason=table_view(
            override_sums(overrides, by="override_reason"),
            OVERRIDE_SUM_COLUMNS,
            name="by-reason",
            limit=config.group_limit,
            **common,
        ),
    )


def accuracy_html(
    tables: RunTables,
    *,
    lines: pd.DataFrame,
    facts: RunFacts,
    words: Catalogue,
    main_language: str,
    config: ReportingConfig,
) -> str:
    """Return the accuracy page in one language."""
    page = file_name("restock", words.language, main_language=main_language)
    view = accuracy_view(tables, lines=lines, facts=facts, words=words, config=config, restock_page=page)
    frame = Frame("accuracy", words, main_language, words.text("accuracy.title"), subtitle(facts, words=words))
    return render("accuracy.html.j2", frame, view=view)


def _ordered(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the segments worst first, the total on top, each by its horizon."""
    if accuracy.empty:
        return accuracy
    error = accuracy.groupby("segment", sort=True)["wape"].max()
    placed = accuracy.assign(
        _total=~accuracy["segment"].isin(TOTAL_SEGMENTS),
        _error=-accuracy["segment"].map(error).fillna(-1.0),
        _start=[_first_period(text) for text in accuracy["horizon"]],
    )
    keys = ["_total", "_error", "segment", "_start", "horizon"]
    return placed.sort_values(keys, kind="stable").drop(columns=["_total", "_error", "_start"])


def _by_horizon(accuracy: pd.DataFrame, *, words: Catalogue) -> str:
    """Return a chart of WAPE by horizon, the total and the three largest segments; empty with one horizon only."""
    if accuracy.empty:
        return ""
    horizons = sorted({str(h) for h in accuracy["horizon"]} - set(TOTAL_SEGMENTS), key=lambda h: (_first_period(h), h))
    whole = f"{_first_period(horizons[0])}-" if horizons else ""
    spans = [h for h in horizons if not (h.startswith(whole) and len(horizons) > 2 and h == _widest(horizons))]
    if len(spans) < 2:
        return ""
    sizes = accuracy.groupby("segment", sort=True)["n_series"].max().fillna(0)
    ranked = sorted(sizes.index, key=lambda s: (s not in TOTAL_SEGMENTS, -float(sizes[s]), s))[:4]
    series = []
    for segment in ranked:
        mine = accuracy[accuracy["segment"] == segment].set_index("horizon")["wape"]
        series.append((words.code(segment), [float(mine.get(h, float("nan"))) for h in spans]))
    return line_chart(series, ticks=spans, label=words.text("accuracy.by_horizon"), as_share=True)


def _over_time(history: pd.DataFrame, *, words: Catalogue) -> str:
    """Return a chart of the total WAPE and absolute bias of the last published runs."""
    if history.empty:
        return ""
    points = []
    for run_date, rows in history.groupby("run_date", sort=True):
        wape, bias = total_accuracy(rows, pd.DataFrame(columns=["forecast_wape", "forecast_bias", "demand_mean"]))
        nan = float("nan")
        points.append((str(run_date)[:10], nan if wape is None else wape, nan if bias is None else abs(bias)))
    if len(points) < 2:
        return ""
    series = [("WAPE", [p[1] for p in points]), (words.text("accuracy.abs_bias"), [p[2] for p in points])]
    return line_chart(series, ticks=[p[0][5:] for p in points], label=words.text("accuracy.over_time"), as_share=True)


def _first_period(horizon: Any) -> int:
    found = re.match(r"\d+", str(horizon))
    return int(found.group()) if found else 10**6


def _widest(horizons: list[str]) -> str:
    def span(text: str) -> int:
        numbers = [int(n) for n in re.findall(r"\d+", text)]
        return numbers[-1] - numbers[0] if numbers else -1

    return max(horizons, key=lambda h: (span(h), h))
