"""The restock report: the plan of one run as one page that a planner finishes with a coffee.

``shared_series`` prepares what both languages' pages have in common, ``restock_html`` writes one page.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue
from reporting.chart_data import line_series, receipts_by_line
from reporting.config import ReportingConfig
from reporting.line_notes import common_flags
from reporting.page import Frame, render
from reporting.plan_lines import action_groups, plan_lines
from reporting.restock_columns import COLUMN_GROUPS
from reporting.restock_payload import detail_blocks, driver_parts, idle_block, list_block
from reporting.restock_view import Shared, idle_items, restock_view, subtitle
from reporting.run_tables import RunFacts, RunTables

__all__ = ["restock_html", "shared_series", "unfoldable"]


def shared_series(tables: RunTables, *, facts: RunFacts, config: ReportingConfig) -> Shared:
    """Return the plan's lines in reading order, with the chart series of those that can be unfolded."""
    lines = plan_lines(
        tables.frame("restock_plan"), products=tables.frame("stg_products"), suppliers=tables.frame("stg_suppliers")
    )
    details, beyond = unfoldable(lines, config=config)
    first = lines.iloc[[*range(details), *beyond]]
    days = config.chart_ahead_periods * facts.period_days
    series = line_series(
        tables.history,
        tables.forecasts,
        keys=zip(first["sku"], first["location_id"], strict=True),
        first_period=facts.first_period,
        period_days=facts.period_days,
        history_periods=config.chart_history_periods,
        ahead_periods=config.chart_ahead_periods,
    )
    receipts = receipts_by_line(tables.frame("stg_purchase_orders"), run_date=facts.run_date, days=days)
    drivers = driver_parts(tables.frame("forecast_drivers"))
    packed = detail_blocks(first, series=series, receipts=receipts, facts=facts, drivers=drivers)
    return Shared(lines=lines, series=series, common=common_flags(lines), details=details, beyond=beyond, packed=packed)


def unfoldable(lines: pd.DataFrame, *, config: ReportingConfig) -> tuple[int, list[int]]:
    """Return how many of the first lines can be unfolded, and which lines beyond them.

    A line that stands in a group of exceptions always can; ``detail_limit`` decides about the others.
    """
    groups = action_groups(lines, limit=config.group_limit)
    listed = sorted(int(i) for group in groups for i in group.lines.index)
    limit = min(len(lines), config.detail_limit)
    details = max(0, limit - sum(i >= limit for i in listed))
    return details, [i for i in listed if i >= details]


def restock_html(
    tables: RunTables,
    *,
    shared: Shared,
    facts: RunFacts,
    words: Catalogue,
    main_language: str,
    config: ReportingConfig,
) -> str:
    """Return the restock report in one language as a self-contained page."""
    view = restock_view(tables, shared=shared, facts=facts, words=words, config=config)
    blocks: list[tuple[str, Any]] = [
        (
            "lines",
            list_block(
                shared.lines, words=words, facts=facts, config=config, details=shared.details, beyond=shared.beyond
            ),
        ),
        (
            "idle-lines",
            idle_block(
                idle_items(tables),
                words=words,
                facts=facts,
                limit=config.table_limit,
            ),
        ),
    ]
    frame = Frame("restock", words, main_language, words.text("restock.title"), subtitle(facts, words=words))
    return render(
        "restock.html.j2",
        frame,
        blocks=blocks,
        packed=[(f"detail-{i}", text) for i, text in enumerate(shared.packed)],
        scripts=("tables.js", "fan.js", "restock.js"),
        view=view,
        column_groups=COLUMN_GROUPS,
    )
