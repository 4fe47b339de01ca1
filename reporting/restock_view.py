"""What the restock report shows, as plain values in the reader's language: frames in, dataclasses out.

No plan figure is computed here; sums and counts are of the published columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from reporting.batch_view import DueCampaign, batch_rows, due_campaigns, promise_rows
from reporting.catalogue import Catalogue, is_missing
from reporting.chart_data import Key, LineSeries
from reporting.charts import sparkline
from reporting.config import ReportingConfig
from reporting.glossary import GlossaryEntry, glossary
from reporting.headline import Headline, headline
from reporting.kpi_view import Kpi, kpis
from reporting.line_notes import line_notes
from reporting.plan_lines import ActionGroup, action_groups, records
from reporting.restock_columns import (
    BATCH_COLUMNS,
    CHANGE_COLUMNS,
    IDLE_COLUMNS,
    LINE_COLUMNS,
    PROMISE_COLUMNS,
    SUPPLIER_COLUMNS,
    TRANSFER_COLUMNS,
)
from reporting.run_tables import RunFacts, RunTables
from reporting.tables import TableView, table_view

__all__ = [
    "GroupView",
    "RestockView",
    "Shared",
    "check_summary",
    "headlines",
    "idle_items",
    "policy_text",
    "product_titles",
    "restock_view",
    "subtitle",
    "titled",
]

MODELS_NAMED = 2  # in the header; the rest is a share
ROW_COUNTS = ("rows_in", "rows_loaded", "rows_quarantined", "rows_duplicate")


@dataclass(frozen=True)
class GroupView:
    """One group of exceptions ready for the page."""

    group: ActionGroup
    table: TableView
    suppliers: TableView


@dataclass(frozen=True)
class RestockView:
    """Everything the page shows, apart from the script's data blocks."""

    facts: RunFacts
    kpis: list[Kpi]
    common: list[str]
    checks: dict[str, int]
    warnings: list[dict[str, str]]
    rows: dict[str, int]
    models: str
    policy: str
    previous: str
    change_counts: dict[str, int]
    changes: TableView
    change_causes: list[tuple[str, int]]
    groups: list[GroupView]
    n_lines: int
    n_none: int
    transfers: TableView
    batches: TableView
    due: list[DueCampaign]
    promises: TableView
    idle: TableView
    idle_reasons: list[tuple[str, int]]
    glossary: list[GlossaryEntry]
    parameters: list[tuple[str, str]]


@dataclass(frozen=True)
class Shared:
    """What both languages' pages have in common.

    Attributes:
        lines: ``plan_lines`` of the whole plan.
        series: chart series of the lines that can be unfolded.
        common: flags that nearly every line carries.
        details: how many of the first lines can be unfolded.
        beyond: lines after those that can be unfolded too.
        packed: their unfolded parts, see ``detail_blocks``.
    """

    lines: pd.DataFrame
    series: dict[Key, LineSeries]
    common: tuple[str, ...]
    details: int
    beyond: list[int]
    packed: list[str]


def subtitle(facts: RunFacts, *, words: Catalogue) -> str:
    """Return shop, run date and data date in one line."""
    through = words.day(facts.data_through) if facts.data_through else words.text("header.unknown")
    return words.text(
        "header.subtitle", shop=facts.shop, run_date=words.day(facts.run_date), through=through, currency=facts.currency
    )


def restock_view(
    tables: RunTables, *, shared: Shared, facts: RunFacts, words: Catalogue, config: ReportingConfig
) -> RestockView:
    """Return what the page shows, in the reader's language."""
    lines, today = shared.lines, facts.run_date
    common: dict[str, Any] = {"words": words, "today": today, "currency": facts.currency, "limit": config.table_limit}
    titles = dict(zip(lines["sku"], lines["title"], strict=True))
    changes = tables.frame("plan_changes")
    idle = idle_items(tables)
    batches, transfers = tables.frame("batch_plan"), tables.frame("transfer_plan")
    return RestockView(
        facts=facts,
        kpis=kpis(*headlines(tables, lines=lines, config=config), words=words, currency=facts.currency),
        common=[words.code(flag) for flag in shared.common],
        checks=check_summary(tables.frame("checks")),
        warnings=_warnings(tables.frame("checks"), words=words),
        rows=_row_counts(tables.frame("row_accounts")),
        models=_models(tables.frame("forecast_models"), words=words),
        policy=policy_text(facts, words=words),
        previous=words.day(tables.previous_date) if tables.previous_date else "",
        change_counts={
            c: int((changes["change"] == c).sum()) if len(changes) else 0 for c in ("new", "gone", "up", "down")
        },
        changes=table_view(_changes(changes, tables), CHANGE_COLUMNS, name="changes", link="#", **common),
        change_causes=_counts(changes, words=words, column="cause"),
        groups=[
            _group(g, shared=shared, transfers=transfers, facts=facts, words=words, config=config)
            for g in action_groups(lines, limit=config.group_limit)
        ],
        n_lines=len(lines),
        n_none=int((lines["action"] == "none").sum()),
        transfers=table_view(
            _dearest_first(titled(transfers, titles)), TRANSFER_COLUMNS, name="transfers", link="#", **common
        ),
        batches=table_view(
            batch_rows(batches, titles=product_titles(tables), words=words, today=today),
            BATCH_COLUMNS,
            name="batches",
            **common,
        ),
        due=due_campaigns(batches, words=words, today=today, currency=facts.currency),
        promises=table_view(promise_rows(tables.frame("promise_changes")), PROMISE_COLUMNS, name="promises", **common),
        idle=table_view(idle, IDLE_COLUMNS, name="idle", **common),
        idle_reasons=_counts(idle, words=words),
        glossary=glossary(words),
        parameters=sorted(facts.parameters.items()),
    )


def policy_text(facts: RunFacts, *, words: Catalogue) -> str:
    """Return the planning policy in one line."""
    policy = facts.policy
    if policy.service_level is not None:
        parts = [words.text("policy.service_level", level=words.percent(policy.service_level))]
    else:
        parts = [words.text(f"policy.{policy.objective}")]
    parts.append(words.code(policy.unmet_demand))
    if policy.order_weekdays:
        days = words.text("policy.comma").join(words.code(day) for day in policy.order_weekdays)
        parts.append(words.text("policy.order_days", days=days))
    if policy.budget is not None:
        parts.append(words.text("policy.budget", budget=words.money(policy.budget), currency=facts.currency))
    if policy.max_cover_days is not None:
        parts.append(words.text("policy.max_cover", days=words.number(policy.max_cover_days)))
    return " · ".join(parts)


def check_summary(checks: pd.DataFrame) -> dict[str, int]:
    """Return how many checks passed, warned and failed."""
    if checks.empty:
        return {"pass": 0, "warn": 0, "fail": 0}
    return {status: int((checks["status"] == status).sum()) for status in ("pass", "warn", "fail")}


def _warnings(checks: pd.DataFrame, *, words: Catalogue) -> list[dict[str, str]]:
    """Return the checks that did not pass, failures first, as the header names them."""
    if checks.empty:
        return []
    loud = checks[checks["status"] != "pass"].sort_values(["status", "step", "table", "check"], kind="stable")
    return [
        {
            "status": str(row["status"]),
            "check": words.code(row["check"]),
            "where": f"{row['step']} / {row['table']}",
            "observed": words.phrase(row["observed"]),
            "advice": words.advice(row["check"], row["advice"]),
        }
        for row in records(loud)
    ]


def headlines(tables: RunTables, *, lines: pd.DataFrame, config: ReportingConfig) -> tuple[Headline, Headline | None]:
    """Return the five numbers of this run and of the run before it."""
    now = headline(lines, tables.frame("forecast_accuracy"), at_risk_probability=config.at_risk_probability)
    earlier, accuracy = tables.before("restock_plan"), tables.before("forecast_accuracy")
    if earlier is None:
        return now, None
    judged = pd.DataFrame() if accuracy is None else accuracy
    return now, headline(earlier, judged, at_risk_probability=config.at_risk_probability)


def _group(
    group: ActionGroup,
    *,
    shared: Shared,
    transfers: pd.DataFrame,
    facts: RunFacts,
    words: Catalogue,
    config: ReportingConfig,
) -> GroupView:
    """Return one group with its drawn sparklines; row numbers point into the script's list of lines."""
    common: dict[str, Any] = {"words": words, "today": facts.run_date, "currency": facts.currency}
    listed = group.lines.assign(
        sparkline=[
            _spark(line, shared=shared, facts=facts, words=words, config=config) for line in records(group.lines)
        ],
        late=["late" if day < pd.Timestamp(facts.run_date) else "" for day in group.lines["order_by_date"]],
        line_tone=["" if status == "ok" else status for status in group.lines["status"]],
        status_note=line_notes(
            group.lines, transfers=transfers, words=words, today=facts.run_date, common=shared.common
        ),
    )
    table = table_view(listed, LINE_COLUMNS, name=f"lines-{group.action}", total=group.total, **common)
    rows = tuple(replace(row, index=int(i)) for row, i in zip(table.rows, listed.index, strict=True))
    mine = shared.lines[shared.lines["action"] == group.action]
    by_supplier = (
        mine.assign(lines=1, supplier_name=mine["supplier_name"].fillna("-"))
        .groupby("supplier_name", sort=True)[["lines", "order_qty", "order_value", "money_at_risk"]]
        .sum()
        .reset_index()
        .sort_values(["money_at_risk", "supplier_name"], ascending=[False, True], kind="stable")
    )
    return GroupView(
        group=group,
        table=replace(table, rows=rows),
        suppliers=table_view(
            by_supplier, SUPPLIER_COLUMNS, name=f"suppliers-{group.action}", limit=config.group_limit, **common
        ),
    )


def _spark(line: dict[str, Any], *, shared: Shared, facts: RunFacts, words: Catalogue, config: ReportingConfig) -> str:
    series = shared.series.get((str(line["sku"]), str(line["location_id"])))
    if series is None:
        return ""
    history = [float("nan") if v is None else v for v in series.history[-config.sparkline_periods :]]
    ahead = series.ahead.get("mean", ())[: config.sparkline_ahead]
    days = _number(line.get("lead_time_days")) + _number(line.get("review_period_days"))
    level = line.get("reorder_point")
    drawn = None if is_missing(level) or days <= 0 else max(float(str(level)), 0.0) / days * facts.period_days
    return sparkline(history, ahead, reorder_line=drawn, label=words.text("spark.label", sku=line["sku"]))


def _row_counts(accounts: pd.DataFrame) -> dict[str, int]:
    return {name: int(accounts[name].sum()) if len(accounts) else 0 for name in ROW_COUNTS}


def _models(models: pd.DataFrame, *, words: Catalogue) -> str:
    """Return the models in use with their share of the lines, the most used first."""
    if models.empty:
        return words.text("header.unknown")
    ranked = models.sort_values(["lines", "model"], ascending=[False, True], kind="stable")
    total = float(ranked["lines"].sum())
    shares = list(zip(ranked["model"], ranked["lines"] / total, strict=True))
    told = [f"{words.percent(share)} {words.code(model)}" for model, share in shares[:MODELS_NAMED]]
    if len(shares) > MODELS_NAMED:
        rest = sum(share for _, share in shares[MODELS_NAMED:])
        told.append(words.text("header.other_models", share=words.percent(rest)))
    return " · ".join(told)


def titled(frame: pd.DataFrame, titles: dict[Any, Any]) -> pd.DataFrame:
    """Return the frame with the ``title`` of each SKU."""
    return frame.assign(title=frame["sku"].map(titles).astype(object)) if len(frame) else frame


def idle_items(tables: RunTables) -> pd.DataFrame:
    """Return what is not replenished, with titles, in the order of SKU and location."""
    idle = titled(tables.frame("not_replenished"), product_titles(tables))
    return idle.sort_values(["sku", "location_id"], kind="stable") if len(idle) else idle


def product_titles(tables: RunTables) -> dict[Any, Any]:
    """Return the title of every SKU that has one."""
    products = tables.frame("stg_products")
    return dict(zip(products["sku"], products["title"], strict=True)) if len(products) and "title" in products else {}


def _dearest_first(transfers: pd.DataFrame) -> pd.DataFrame:
    """Return the transfers by what they move, the most money first."""
    if transfers.empty:
        return transfers
    keys = ["value", "sku", "from_location_id", "to_location_id"]
    return transfers.sort_values(keys, ascending=[False, True, True, True], kind="stable")


def _changes(changes: pd.DataFrame, tables: RunTables) -> pd.DataFrame:
    """Return the changed orders with what the change is worth, the largest first."""
    if changes.empty:
        return changes
    plan = tables.frame("restock_plan")
    earlier = tables.before("restock_plan")
    known = plan if earlier is None else pd.concat([plan, earlier], ignore_index=True)
    cost = (
        known.dropna(subset=["unit_cost"])
        .sort_values(["sku", "unit_cost"])
        .drop_duplicates("sku")
        .set_index("sku")["unit_cost"]
        .astype(float)
    )
    moved = (changes["qty_now"].fillna(0) - changes["qty_before"].fillna(0)).astype(float)
    valued = titled(changes, product_titles(tables)).assign(value_change=moved * changes["sku"].map(cost))
    placed = valued.assign(_value=-valued["value_change"].abs(), _units=-moved.abs())
    keys = ["_value", "_units", "sku", "location_id"]
    return placed.sort_values(keys, kind="stable", na_position="last").drop(columns=["_value", "_units"])


def _counts(frame: pd.DataFrame, *, words: Catalogue, column: str = "reason") -> list[tuple[str, int]]:
    if frame.empty:
        return []
    counts = frame[column].fillna("").value_counts()
    return sorted(((words.code(code), int(n)) for code, n in counts.items()), key=lambda pair: (-pair[1], pair[0]))


def _number(value: Any) -> float:
    return 0.0 if is_missing(value) else float(value)
