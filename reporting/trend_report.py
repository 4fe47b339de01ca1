"""The trend page: what is hot and what it asks for, where it will hit, what to show, and how past alarms turned out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue, is_missing
from reporting.charts import heat_cell
from reporting.config import ReportingConfig
from reporting.page import Frame, file_name, render
from reporting.restock_view import product_titles, subtitle, titled
from reporting.run_tables import RunFacts, RunTables
from reporting.tables import TableView, table_view
from reporting.trend_tables import (
    ALERT_COLUMNS,
    EXPOSURE_COLUMNS,
    HISTORY_COLUMNS,
    PAIR_COLUMNS,
    SCORE_COLUMNS,
    SCORECARD_COLUMNS,
    STATES,
    alert_rows,
    element_rows,
    pair_rows,
    region_word,
    score_rows,
)

__all__ = ["HeatMap", "TrendView", "heat_map", "hit_map", "trend_html", "trend_view"]

MAP_ROWS = 30  # elements in a map: about one screen
SCORES_SHOWN = 150  # the hottest; all are in the published table
HIT_STEP = 0.5  # a shade deeper for each half of the base rate above it


@dataclass(frozen=True)
class HeatMap:
    """Figures by element (rows) and region (columns); a cell is (text, shade 0-4, what it rests on)."""

    regions: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, int, str], ...]], ...]


@dataclass(frozen=True)
class TrendView:
    """What the trend page shows."""

    counts: list[tuple[str, str, int]]
    alerts: TableView
    money: tuple[float, float, int]
    scores: TableView
    heat: HeatMap
    hits: HeatMap
    season: str
    scorecard: TableView
    history: TableView
    pairs: TableView
    exposure: TableView


def heat_map(scores: pd.DataFrame, *, words: Catalogue) -> HeatMap:
    """Return the map of the elements with the highest score in any region, the hottest first."""
    if scores.empty:
        return HeatMap((), ())
    known = scores[scores["score"].notna()]
    cells = {
        (row["element_type"], row["element"], row["region"]): (
            words.number(row["score"], digits=1),
            heat_cell(float(row["score"])),
            "",
        )
        for row in known.to_dict("records")
    }
    return _map(known, cells, "score", words=words)


def hit_map(hits: pd.DataFrame, *, words: Catalogue) -> HeatMap:
    """Return the chances of a hit by element and region in the coming season, the best chance first.

    A cell is shaded by how far its chance lies above the region's base rate, and only where the interval does too.
    """
    if hits.empty:
        return HeatMap((), ())
    cells = {}
    for row in hits.to_dict("records"):
        base, chance = float(row["base_rate"]), float(row["p_hit"])
        sure = not is_missing(row["p_hit_lo"]) and float(row["p_hit_lo"]) > base
        shade = min(4, 1 + int((chance / base - 1) / HIT_STEP)) if sure and base > 0 else 0
        resting = words.text(
            "trends.hit_cell",
            lo=words.percent(row["p_hit_lo"]),
            hi=words.percent(row["p_hit_hi"]),
            base=words.percent(base),
            n=words.number(row["n_products"]),
        )
        cells[(row["element_type"], row["element"], row["region"])] = (words.percent(chance), shade, resting)
    return _map(hits, cells, "p_hit", words=words)


def trend_view(
    tables: RunTables, *, facts: RunFacts, words: Catalogue, config: ReportingConfig, restock_page: str = "restock.html"
) -> TrendView:
    """Return what the trend page shows; SKUs lead to ``restock_page``."""
    scores, alerts, hits = tables.frame("trend_scores"), tables.frame("trend_alerts"), tables.frame("hit_map")
    common: dict[str, Any] = {
        "words": words,
        "today": facts.run_date,
        "currency": facts.currency,
        "limit": config.table_limit,
    }
    states = list(scores["state"]) if len(scores) else []
    exposure = titled(tables.frame("exposure_suggestions"), product_titles(tables))
    history = element_rows(tables.frame("trend_alert_history"), words=words)
    seasons = sorted(hits["season"].unique()) if len(hits) else []
    return TrendView(
        counts=[(state, words.code(state), states.count(state)) for state in STATES],
        alerts=table_view(alert_rows(alerts, words=words), ALERT_COLUMNS, name="alerts", **common),
        money=_money(tables.frame("trend_proposals")),
        scores=table_view(
            score_rows(scores, words=words), SCORE_COLUMNS, name="scores", **{**common, "limit": SCORES_SHOWN}
        ),
        heat=heat_map(scores, words=words),
        hits=hit_map(hits[hits["season"] == seasons[0]] if seasons else hits, words=words),
        season=seasons[0] if seasons else "",
        scorecard=table_view(
            _scorecard(tables.frame("trend_scorecard"), words=words), SCORECARD_COLUMNS, name="scorecard", **common
        ),
        history=table_view(_latest_first(history), HISTORY_COLUMNS, name="history", **common),
        pairs=table_view(pair_rows(tables.frame("element_pairs"), words=words), PAIR_COLUMNS, name="pairs", **common),
        exposure=table_view(
            _ranked(exposure, words=words),
            EXPOSURE_COLUMNS,
            name="exposure",
            link=restock_page,
            **common,
        ),
    )


def trend_html(
    tables: RunTables, *, facts: RunFacts, words: Catalogue, main_language: str, config: ReportingConfig
) -> str:
    """Return the trend page in one language."""
    page = file_name("restock", words.language, main_language=main_language)
    view = trend_view(tables, facts=facts, words=words, config=config, restock_page=page)
    frame = Frame("trends", words, main_language, words.text("trends.title"), subtitle(facts, words=words))
    return render("trends.html.j2", frame, view=view, currency=facts.currency)


def _map(
    known: pd.DataFrame, cells: dict[tuple[Any, Any, Any], tuple[str, int, str]], by: str, *, words: Catalogue
) -> HeatMap:
    """Return a map of the elements with the highest ``by`` in any region."""
    best = known.groupby(["element_type", "element"], sort=True)[by].max().reset_index()
    best = best.sort_values([by, "element_type", "element"], ascending=[False, True, True], kind="stable")
    regions = sorted(known["region"].unique())
    rows = [
        (
            f"{element} ({words.code(kind)})",
            tuple(cells.get((kind, element, region), ("–", 0, "")) for region in regions),
        )
        for kind, element in best[["element_type", "element"]].head(MAP_ROWS).itertuples(index=False)
    ]
    return HeatMap(tuple(region_word(region, words=words) for region in regions), tuple(rows))


def _money(proposals: pd.DataFrame) -> tuple[float, float, int]:
    """Return gain if right, cost if wrong and units of all that is proposed, each SKU and location once.

    The alerts' own figures do not add up: a rise in one region is part of the rise in all of them.
    """
    if proposals.empty:
        return 0.0, 0.0, 0
    asked = proposals[proposals["status"] == "proposed"]
    gain, cost = (float(asked[name].fillna(0.0).sum()) for name in ("gain_if_right", "cost_if_wrong"))
    return gain, cost, int(asked["proposed_qty"].fillna(0).sum())


def _scorecard(scorecard: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    if scorecard.empty:
        return scorecard
    total = scorecard["element_type"] == "*"
    shown = scorecard.assign(
        element_type=scorecard["element_type"].where(~total, "total"),
        precision_range=[
            "" if is_missing(lo) else f"{words.percent(lo)} … {words.percent(hi)}"
            for lo, hi in zip(scorecard["precision_lo"], scorecard["precision_hi"], strict=True)
        ],
        _total=~total,
    )
    return shown.sort_values(["_total", "element_type"], kind="stable").drop(columns="_total")


def _latest_first(history: pd.DataFrame) -> pd.DataFrame:
    if history.empty:
        return history
    keys = ["noticed_date", "element_type", "element", "region"]
    return history.sort_values(keys, ascending=[False, True, True, True], kind="stable")


def _ranked(exposure: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    if exposure.empty:
        return exposure
    named = exposure.assign(region=[region_word(region, words=words) for region in exposure["region"]])
    return named.sort_values(["rank", "sku", "region"], kind="stable")
