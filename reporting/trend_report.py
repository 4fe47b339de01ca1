"""The trend page: what is hot, since when and on what evidence, and which SKUs carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue, is_missing
from reporting.charts import heat_cell
from reporting.config import ReportingConfig
from reporting.page import Frame, render
from reporting.restock_view import subtitle
from reporting.run_tables import RunFacts, RunTables
from reporting.tables import Column, TableView, table_view

__all__ = ["HeatMap", "TrendView", "heat_map", "trend_html", "trend_view"]

MAP_ROWS = 30  # elements in the map: about one screen
SKUS_SHOWN = 6  # of an alert's SKUs; the rest is a count
SCORES_SHOWN = 150  # the hottest; all are in the published table
STATES = ("hot", "rising", "cooling", "quiet", "unknown_element")

ALERT_COLUMNS = (
    Column("element", sub="element_kind"),
    Column("region", "code"),
    Column("started_date", "date"),
    Column("streak_days", "integer"),
    Column("reason", "code"),
    Column("evidence"),
    Column("affected_skus", "text"),
    Column("proposed_qty", "quantity"),
    Column("materials"),
    Column("capacity"),
)
SCORE_COLUMNS = (
    Column("element", sub="element_kind"),
    Column("region", "code"),
    Column("state", "code", tone="state"),
    Column("score", "number1"),
    Column("score_range"),
    Column("heat", "number2"),
    Column("growth", "number2"),
    Column("breadth", "share"),
    Column("streak_days", "integer"),
)


@dataclass(frozen=True)
class HeatMap:
    """Scores by element (rows) and region (columns); a cell is (text, shade 0-4)."""

    regions: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


@dataclass(frozen=True)
class TrendView:
    """What the trend page shows."""

    counts: list[tuple[str, str, int]]
    alerts: TableView
    scores: TableView
    heat: HeatMap


def heat_map(scores: pd.DataFrame, *, words: Catalogue) -> HeatMap:
    """Return the map of the elements with the highest score in any region, the hottest first."""
    if scores.empty:
        return HeatMap((), ())
    known = scores[scores["score"].notna()]
    best = known.groupby(["element_type", "element"], sort=True)["score"].max().reset_index()
    best = best.sort_values(["score", "element_type", "element"], ascending=[False, True, True], kind="stable")
    regions = sorted(known["region"].unique())
    cells = {(r.element_type, r.element, r.region): float(r.score) for r in known.itertuples()}  # type: ignore[arg-type]
    rows = []
    for kind, element in best[["element_type", "element"]].head(MAP_ROWS).itertuples(index=False):
        found = [cells.get((kind, element, region)) for region in regions]
        shown = tuple(("–", 0) if v is None else (words.number(v, digits=1), heat_cell(v)) for v in found)
        rows.append((f"{element} ({words.code(kind)})", shown))
    return HeatMap(tuple(_region(region, words=words) for region in regions), tuple(rows))


def trend_view(tables: RunTables, *, facts: RunFacts, words: Catalogue, config: ReportingConfig) -> TrendView:
    """Return what the trend page shows."""
    scores, alerts = tables.frame("trend_scores"), tables.frame("trend_alerts")
    common: dict[str, Any] = {"words": words, "today": facts.run_date, "limit": config.table_limit}
    states = list(scores["state"]) if len(scores) else []
    return TrendView(
        counts=[(state, words.code(state), states.count(state)) for state in STATES],
        alerts=table_view(_alerts(alerts, words=words), ALERT_COLUMNS, name="alerts", **common),
        scores=table_view(
            _scores(scores, words=words), SCORE_COLUMNS, name="scores", **{**common, "limit": SCORES_SHOWN}
        ),
        heat=heat_map(scores, words=words),
    )


def trend_html(
    tables: RunTables, *, facts: RunFacts, words: Catalogue, main_language: str, config: ReportingConfig
) -> str:
    """Return the trend page in one language."""
    view = trend_view(tables, facts=facts, words=words, config=config)
    frame = Frame("trends", words, main_language, words.text("trends.title"), subtitle(facts, words=words))
    return render("trends.html.j2", frame, view=view)


def _alerts(alerts: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    if alerts.empty:
        return alerts
    shown = alerts.assign(
        element_kind=[words.code(kind) for kind in alerts["element_type"]],
        region=[_region(region, words=words) for region in alerts["region"]],
        affected_skus=[_skus(skus, words=words) for skus in alerts["affected_skus"]],
    )
    keys = ["streak_days", "element_type", "element", "region"]
    return shown.sort_values(keys, ascending=[False, True, True, True], kind="stable")


def _scores(scores: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    if scores.empty:
        return scores
    shown = scores.assign(
        element_kind=[words.code(kind) for kind in scores["element_type"]],
        region=[_region(region, words=words) for region in scores["region"]],
        score_range=[
            "" if is_missing(lo) or is_missing(hi) else f"{words.number(lo, digits=1)} … {words.number(hi, digits=1)}"
            for lo, hi in zip(scores["score_lo"], scores["score_hi"], strict=True)
        ],
        _state=scores["state"].map({state: i for i, state in enumerate(STATES)}).fillna(len(STATES)),
        _score=-scores["score"].fillna(-1e9),
    )
    keys = ["_state", "_score", "element_type", "element", "region"]
    return shown.sort_values(keys, kind="stable").drop(columns=["_state", "_score"])


def _region(region: Any, *, words: Catalogue) -> str:
    return words.text("trends.all_regions") if region == "*" else str(region)


def _skus(skus: Any, *, words: Catalogue) -> str:
    listed = [] if skus is None or isinstance(skus, float) else [str(sku) for sku in skus]
    rest = len(listed) - SKUS_SHOWN
    text = ", ".join(listed[:SKUS_SHOWN])
    return text if rest <= 0 else text + " " + words.text("trends.and_more", n=words.number(rest))
