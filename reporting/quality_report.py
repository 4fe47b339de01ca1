"""The data-quality page: every check with what to do about it, every delivered row accounted for, and why rows wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue, is_missing
from reporting.config import ReportingConfig
from reporting.page import Frame, render
from reporting.restock_view import ROW_COUNTS, check_summary, subtitle
from reporting.run_tables import RunFacts, RunTables
from reporting.tables import Column, TableView, table_view

__all__ = ["QualityView", "account_summary", "quality_html", "quality_view", "quarantine_summary"]

LOUD = {"fail": 0, "warn": 1, "pass": 2}

CHECK_COLUMNS = (
    Column("check", "code", sub="where"),
    Column("status", "code", tone="status"),
    Column("severity", "code"),
    Column("observed", "phrase"),
    Column("expected", "phrase"),
    Column("rows_checked", "integer"),
    Column("rows_failed", "integer"),
    Column("sample_keys", "list"),
    Column("advice"),
)
ACCOUNT_COLUMNS = (
    Column("table"),
    Column("source"),
    Column("files", "integer"),
    Column("rows_in", "integer"),
    Column("rows_loaded", "integer"),
    Column("rows_quarantined", "integer"),
    Column("rows_duplicate", "integer"),
)
FILE_COLUMNS = (
    Column("file_name", sub="fingerprint"),
    Column("table"),
    Column("first_run_date", "date"),
    Column("rows_in", "integer"),
    Column("rows_loaded", "integer"),
    Column("rows_quarantined", "integer"),
    Column("rows_duplicate", "integer"),
)
QUARANTINE_COLUMNS = (
    Column("reason", "code"),
    Column("table"),
    Column("source"),
    Column("column"),
    Column("status", "code"),
    Column("rows", "integer"),
    Column("examples"),
)


@dataclass(frozen=True)
class QualityView:
    """What the data-quality page shows."""

    counts: dict[str, int]
    totals: dict[str, int]
    adds_up: bool
    loud: TableView
    passed: TableView
    accounts: TableView
    files: TableView
    quarantine: TableView


def account_summary(accounts: pd.DataFrame) -> pd.DataFrame:
    """Return rows in, loaded, quarantined and duplicate summed by table and source, with the number of files."""
    if accounts.empty:
        return accounts
    grouped = accounts.assign(files=1).groupby(["table", "source"], sort=True)
    return grouped[["files", *ROW_COUNTS]].sum().reset_index()


def quarantine_summary(quarantine: pd.DataFrame) -> pd.DataFrame:
    """Return the quarantined rows counted by reason, table, source, column and status, most first, with examples."""
    if quarantine.empty:
        return quarantine
    keys = ["reason", "table", "source", "column", "status"]
    known = quarantine.assign(column=quarantine["column"].fillna(""), rows=1)
    counts = known.groupby(keys, sort=True)["rows"].sum().reset_index()
    seen = known.groupby(keys, sort=True)["value"].agg(_examples).reset_index(name="examples")
    both = counts.merge(seen, on=keys, how="left", validate="one_to_one")
    return both.sort_values(["rows", *keys], ascending=[False, *[True] * len(keys)], kind="stable")


def quality_view(tables: RunTables, *, facts: RunFacts, words: Catalogue, config: ReportingConfig) -> QualityView:
    """Return what the data-quality page shows."""
    checks, accounts = tables.frame("checks"), tables.frame("row_accounts")
    common: dict[str, Any] = {"words": words, "today": facts.run_date, "limit": config.table_limit}
    ordered = _checks(checks, words=words)
    totals = {name: int(accounts[name].sum()) if len(accounts) else 0 for name in ROW_COUNTS}
    loud = ordered[ordered["status"] != "pass"] if len(ordered) else ordered
    passed = ordered[ordered["status"] == "pass"] if len(ordered) else ordered
    return QualityView(
        counts=check_summary(checks),
        totals=totals,
        adds_up=_adds_up(accounts),
        loud=table_view(loud, CHECK_COLUMNS, name="loud", **{**common, "limit": max(len(loud), 1)}),
        passed=table_view(passed, CHECK_COLUMNS, name="passed", **{**common, "limit": max(len(passed), 1)}),
        accounts=table_view(account_summary(accounts), ACCOUNT_COLUMNS, name="accounts", **common),
        files=table_view(_files(accounts), FILE_COLUMNS, name="files", **common),
        quarantine=table_view(
            quarantine_summary(tables.frame("quarantine")), QUARANTINE_COLUMNS, name="quarantine-reasons", **common
        ),
    )


def quality_html(
    tables: RunTables, *, facts: RunFacts, words: Catalogue, main_language: str, config: ReportingConfig
) -> str:
    """Return the data-quality page in one language."""
    view = quality_view(tables, facts=facts, words=words, config=config)
    frame = Frame("quality", words, main_language, words.text("quality.title"), subtitle(facts, words=words))
    return render("quality.html.j2", frame, view=view)


def _checks(checks: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    if checks.empty:
        return checks
    placed = checks.assign(
        where=checks["step"] + " / " + checks["table"],
        advice=[words.advice(check, text) for check, text in zip(checks["check"], checks["advice"], strict=True)],
        _loud=checks["status"].map(LOUD).fillna(0),
    )
    return placed.sort_values(["_loud", "step", "table", "check"], kind="stable").drop(columns="_loud")


def _files(accounts: pd.DataFrame) -> pd.DataFrame:
    """Return the deliveries, those with quarantined rows first, then the latest."""
    if accounts.empty:
        return accounts
    shown = accounts.assign(fingerprint=accounts["file_sha256"].astype(str).str.slice(0, 12))
    keys = ["rows_quarantined", "first_run_date", "file_name", "file_sha256"]
    return shown.sort_values(keys, ascending=[False, False, True, True], kind="stable")


def _adds_up(accounts: pd.DataFrame) -> bool:
    if accounts.empty:
        return True
    parts = accounts["rows_loaded"] + accounts["rows_quarantined"] + accounts["rows_duplicate"]
    return bool((accounts["rows_in"] == parts).all())


def _examples(values: pd.Series[Any]) -> str:
    distinct = sorted({str(value)[:40] for value in values if not is_missing(value)})
    return ", ".join(distinct[:4])
