"""The trend page's tables: which columns they show, and their rows in the reader's language."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue, is_missing
from reporting.charts import sparkline
from reporting.plan_lines import records
from reporting.tables import Column

__all__ = [
    "ALERT_COLUMNS",
    "EXPOSURE_COLUMNS",
    "HISTORY_COLUMNS",
    "PAIR_COLUMNS",
    "SCORECARD_COLUMNS",
    "SCORE_COLUMNS",
    "STATES",
    "alert_rows",
    "element_rows",
    "evidence",
    "pair_rows",
    "region_word",
    "score_rows",
]

STATES = ("hot", "rising", "cooling", "quiet", "unknown_element")
ALERT_ORDER = ("proposed", "watch", "withdrawn")
SKUS_SHOWN = 6  # of an alert's SKUs; the rest is a count
PARTS_SHOWN = 2  # of its materials and suppliers, likewise
METRIC = re.compile(r"\b(searches|mentions|likes|saves|resale_price)(?= [+-]?\d)")

ALERT_COLUMNS = (
    Column("element", sub="element_kind"),
    Column("region"),
    Column("status", "code", tone="status", sub="reason_words"),
    Column("proposed_qty", "quantity", sub="stock_words"),
    Column("order_by_date", "date"),
    Column("gain_if_right", "money", sub="chance_words"),
    Column("cost_if_wrong", "money"),
    Column("streak_days", "integer", sub="since_words"),
    Column("course", "svg"),
    Column("evidence", "wide", sub="confirmed_words"),
    Column("affected_skus", "wide"),
    Column("materials", "wide"),
    Column("capacity", "wide"),
    Column("withdraw_when", "code"),
)
SCORE_COLUMNS = (
    Column("element", sub="element_kind"),
    Column("region"),
    Column("state", "code", tone="state"),
    Column("score", "number1"),
    Column("score_range"),
    Column("heat", "number2"),
    Column("growth", "number2"),
    Column("breadth", "share"),
    Column("streak_days", "integer"),
)
SCORECARD_COLUMNS = (
    Column("element_type", "code"),
    Column("alerts", "integer"),
    Column("hits", "integer"),
    Column("misses", "integer"),
    Column("pending", "integer"),
    Column("precision", "share", sub="precision_range"),
    Column("median_lead_days", "number1"),
    Column("gain", "money"),
    Column("cost", "money"),
)
HISTORY_COLUMNS = (
    Column("element", sub="element_kind"),
    Column("region"),
    Column("noticed_date", "date"),
    Column("ended_date", "date"),
    Column("outcome", "code", tone="outcome"),
    Column("sales_lift", "number2"),
    Column("proposed_qty", "quantity"),
    Column("money", "money_change"),
)
PAIR_COLUMNS = (
    Column("pair"),
    Column("lift", "number2", sub="lift_range"),
    Column("p_value", "number2"),
    Column("n_styles", "integer"),
)
EXPOSURE_COLUMNS = (
    Column("rank", "integer"),
    Column("sku", sub="title"),
    Column("region"),
    Column("reason", "code"),
    Column("from_date", "date"),
    Column("to_date", "date"),
    Column("expected_units", "quantity"),
    Column("stock_units", "quantity"),
    Column("stock_ok", "flag"),
)


def alert_rows(alerts: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    """Return the alerts, what is proposed first, by the money that is on them."""
    if alerts.empty:
        return alerts
    named = element_rows(alerts, words=words)
    shown = named.assign(
        affected_skus=[_skus(skus, words=words) for skus in named["affected_skus"]],
        evidence=[evidence(text, words=words) for text in named["evidence"]],
        materials=[_first_parts(text, words=words) for text in _values(named, "materials")],
        capacity=[_first_parts(text, words=words) for text in _values(named, "capacity")],
        reason_words=[words.code(reason) for reason in named["reason"]],
        since_words=[
            "" if is_missing(day) else words.text("trends.since", date=words.day(day)) for day in named["started_date"]
        ],
        confirmed_words=_told(named, "confirmed_by", "trends.confirmed_by", words=words),
        chance_words=_told(named, "p_right", "trends.chance", words=words, share=True),
        stock_words=[_stock(row, words=words) for row in records(named)],
        course=[_course(text, words=words) for text in _values(named, "series")],
        _status=_values(named, "status").map({s: i for i, s in enumerate(ALERT_ORDER)}).fillna(len(ALERT_ORDER)),
        _money=-pd.to_numeric(_values(named, "gain_if_right")).fillna(0.0),
        _streak=-named["streak_days"].fillna(0).astype(float),
    )
    keys = ["_status", "_money", "_streak", "element_type", "element", "region"]
    return shown.sort_values(keys, kind="stable").drop(columns=["_status", "_money", "_streak"])


def _first_parts(text: Any, *, words: Catalogue) -> str:
    """Return the first parts of a list joined by semicolons, and how many more there are; the table has them all."""
    if is_missing(text):
        return ""
    parts = str(text).split("; ")
    shown = "; ".join(words.phrase(part) for part in parts[:PARTS_SHOWN])
    rest = len(parts) - PARTS_SHOWN
    return shown if rest <= 0 else shown + " " + words.text("trends.and_more", n=words.number(rest))


def score_rows(scores: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    """Return the elements by state, the hottest first."""
    if scores.empty:
        return scores
    shown = element_rows(scores, words=words).assign(
        score_range=[
            _range(lo, hi, words=words) for lo, hi in zip(scores["score_lo"], scores["score_hi"], strict=True)
        ],
        _state=scores["state"].map({state: i for i, state in enumerate(STATES)}).fillna(len(STATES)),
        _score=-scores["score"].fillna(-1e9),
    )
    keys = ["_state", "_score", "element_type", "element", "region"]
    return shown.sort_values(keys, kind="stable").drop(columns=["_state", "_score"])


def pair_rows(pairs: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    """Return the pairs of elements that sell beyond their parts and beyond chance, the strongest first."""
    if pairs.empty:
        return pairs
    known = pairs[pairs["is_reported"].fillna(False).astype(bool)]
    shown = known.assign(
        pair=[
            f"{a} ({words.code(x)}) × {b} ({words.code(y)})"
            for x, a, y, b in known[["first_type", "first_element", "second_type", "second_element"]].itertuples(
                index=False
            )
        ],
        lift_range=[
            _range(lo, hi, words=words, digits=2) for lo, hi in zip(known["lift_lo"], known["lift_hi"], strict=True)
        ],
    )
    return shown.sort_values(["lift", "pair"], ascending=[False, True], kind="stable")


def element_rows(frame: pd.DataFrame, *, words: Catalogue) -> pd.DataFrame:
    """Return the frame with the element's kind and the region in words."""
    if frame.empty:
        return frame
    return frame.assign(
        element_kind=[words.code(kind) for kind in frame["element_type"]],
        region=[region_word(region, words=words) for region in frame["region"]],
    )


def region_word(region: Any, *, words: Catalogue) -> str:
    """Return a region as written; ``*`` is every region."""
    return words.text("trends.all_regions") if region == "*" else str(region)


def evidence(text: Any, *, words: Catalogue) -> str:
    """Return an alert's evidence with its metrics in words; what is no signal stays as it is.

    >>> from reporting.catalogue import load_catalogue
    >>> evidence("searches +14% (search_index); rain", words=load_catalogue("zh"))
    '搜索 +14% (search_index); rain'
    """
    if is_missing(text):
        return ""
    return METRIC.sub(lambda found: words.code(found[1]), str(text))


def _values(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    return frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index, dtype=object)


def _told(frame: pd.DataFrame, name: str, key: str, *, words: Catalogue, share: bool = False) -> list[str]:
    write = words.percent if share else words.code
    return [
        "" if is_missing(value) or value == "none" else words.text(key, value=write(value))
        for value in _values(frame, name)
    ]


def _stock(row: dict[str, Any], *, words: Catalogue) -> str:
    stock, orders = row.get("stock_units"), row.get("open_order_units")
    if is_missing(stock) and is_missing(orders):
        return ""
    return words.text("trends.stock", stock=words.quantity(stock), orders=words.quantity(orders))


def _course(text: Any, *, words: Catalogue) -> str:
    """Return a drawing of the last days' level over the baseline; the dotted line is the usual level."""
    if is_missing(text) or not str(text):
        return ""
    values = []
    for part in str(text).split(","):
        try:
            values.append(float(part))
        except ValueError:
            values.append(math.nan)
    return sparkline(values, (), reorder_line=1.0, label=words.text("trends.course"))


def _range(lo: Any, hi: Any, *, words: Catalogue, digits: int = 1) -> str:
    if is_missing(lo) or is_missing(hi):
        return ""
    return f"{words.number(lo, digits=digits)} … {words.number(hi, digits=digits)}"


def _skus(skus: Any, *, words: Catalogue) -> str:
    listed = [] if skus is None or isinstance(skus, float) else [str(sku) for sku in skus]
    rest = len(listed) - SKUS_SHOWN
    text = ", ".join(listed[:SKUS_SHOWN])
    return text if rest <= 0 else text + " " + words.text("trends.and_more", n=words.number(rest))
