"""The price page: what would change, held lines, the trail of rules behind each price, and one count line.

It reads like a plan: changes only, with the rest as a count. The sums are of the published columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue, is_missing
from reporting.config import ReportingConfig
from reporting.page import Frame, render
from reporting.restock_view import subtitle
from reporting.run_tables import RunFacts, RunTables
from reporting.tables import Column, TableView, table_view

__all__ = ["PRICE_COLUMNS", "PriceView", "price_html", "price_lines", "price_view"]

SYMBOLS = {"auto": "~", "needs_approval": "?", "held": "!", "conflict": "×", "unchanged": "="}
"""One sign per status, explained in the legend of the page."""

ORDER = {"conflict": 0, "needs_approval": 1, "held": 2, "auto": 3, "unchanged": 4}

PRICE_COLUMNS = (
    Column("sku", sub="title"),
    Column("location_id", sub="channel_words"),
    Column("status", "code", tone="status", sub="approval_words"),
    Column("current_price", "money"),
    Column("suggested_price", "money"),
    Column("change_percent", "change"),
    Column("margin_percent_new", "percent", sub="margin_before"),
    Column("clamp_trail", "wide", sub="binding_words"),
    Column("profit_change", "money", sub="profit_range"),
    Column("p_profit_up", "share"),
    Column("refund_cost", "money"),
    Column("units_new", "quantity", sub="units_before"),
    Column("days_of_cover", "number1"),
    Column("elasticity", "number2", sub="elasticity_words"),
    Column("competitor_median", "money"),
    Column("reference_price", "money"),
    Column("expires_date", "date"),
)
EXPERIMENT_COLUMNS = (
    Column("experiment_id"),
    Column("arms", "list"),
    Column("exposure", "quantity"),
    Column("effect", "number2", sub="effect_range"),
    Column("decision", "code"),
    Column("days_needed", "quantity"),
)


@dataclass(frozen=True)
class PriceView:
    """The plan of prices: counts by status, expected totals and the lines."""

    counts: dict[str, int]
    symbols: dict[str, str]
    revenue_change: float | None
    units_change: float | None
    profit_change: float
    lines: TableView
    experiments: TableView
    n_all: int


def price_lines(prices: pd.DataFrame, *, titles: dict[Any, Any], words: Catalogue) -> pd.DataFrame:
    """Return the suggestions that are no plain "unchanged", the ones that need a person first, then by profit."""
    changed = prices[prices["status"] != "unchanged"]
    named = changed.assign(
        title=changed["sku"].map(titles).astype(object),
        channel_words=[words.text("prices.all_channels") if c == "*" else str(c) for c in changed["channel"]],
        approval_words=["" if is_missing(level) else words.code(level) for level in changed["approval_level"]],
        binding_words=[_binding(rule, words=words) for rule in changed["binding_rule"]],
        profit_range=[
            f"{words.money(lo)} … {words.money(hi)}"
            for lo, hi in zip(changed["profit_change_p10"], changed["profit_change_p90"], strict=True)
        ],
        margin_before=[
            words.text("prices.was", value=words.number(v, digits=1) + "%") for v in changed["margin_percent_now"]
        ],
        units_before=[words.text("prices.was", value=words.quantity(v)) for v in changed["units_now"]],
        elasticity_words=[words.code(level) for level in changed["elasticity_level"]],
        _order=changed["status"].map(ORDER).fillna(0),
        _profit=-changed["profit_change"].fillna(0.0).abs(),
    )
    keys = ["_order", "_profit", "sku", "location_id", "channel"]
    return named.sort_values(keys, kind="stable").drop(columns=["_order", "_profit"])


def price_view(tables: RunTables, *, facts: RunFacts, words: Catalogue, config: ReportingConfig) -> PriceView:
    """Return what the price page shows."""
    prices = tables.frame("price_suggestions")
    common: dict[str, Any] = {"words": words, "today": facts.run_date}
    tried = table_view(
        _experiments(tables.frame("experiments"), words=words), EXPERIMENT_COLUMNS, name="experiments", **common
    )
    if prices.empty:
        empty = table_view(prices, PRICE_COLUMNS, name="prices", **common)
        return PriceView(dict.fromkeys(SYMBOLS, 0), SYMBOLS, None, None, 0.0, empty, tried, 0)
    products = tables.frame("stg_products")
    titles = dict(zip(products["sku"], products["title"], strict=True)) if len(products) else {}
    lines = price_lines(prices, titles=titles, words=words)
    revenue_now = float((prices["units_now"] * prices["current_price"]).sum())
    revenue_new = float((prices["units_new"] * prices["suggested_price"]).sum())
    units_now = float(prices["units_now"].sum())
    return PriceView(
        counts={status: int((prices["status"] == status).sum()) for status in SYMBOLS},
        symbols=SYMBOLS,
        revenue_change=(revenue_new / revenue_now - 1) if revenue_now > 0 else None,
        units_change=(float(prices["units_new"].sum()) / units_now - 1) if units_now > 0 else None,
        profit_change=float(prices["profit_change"].fillna(0.0).sum()),
        lines=table_view(
            lines,
            PRICE_COLUMNS,
            name="prices",
            currency=facts.currency,
            limit=config.table_limit,
            **common,
        ),
        experiments=tried,
        n_all=len(prices),
    )


def price_html(
    tables: RunTables, *, facts: RunFacts, words: Catalogue, main_language: str, config: ReportingConfig
) -> str:
    """Return the price page in one language."""
    view = price_view(tables, facts=facts, words=words, config=config)
    frame = Frame("prices", words, main_language, words.text("prices.title"), subtitle(facts, words=words))
    return render("prices.html.j2", frame, view=view, facts=facts)


def _experiments(experiments: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    """Return the experiments with the interval of each effect in words."""
    if experiments.empty:
        return experiments
    ends = zip(experiments["effect_lo"], experiments["effect_hi"], strict=True)
    return experiments.assign(
        effect_range=[f"{words.number(lo, digits=2)} … {words.number(hi, digits=2)}" for lo, hi in ends]
    )


def _binding(rule: Any, *, words: Catalogue) -> str:
    return "" if rule is None or rule != rule or rule == "" else words.text("prices.binding", rule=words.code(rule))
