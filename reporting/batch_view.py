"""Preorder batches as the restock report shows them: what must be committed, by when, and who must hear what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from reporting.catalogue import Catalogue, as_day, as_float, is_missing
from reporting.plan_lines import records

__all__ = ["DUE_DAYS", "DueCampaign", "batch_rows", "due_campaigns", "promise_rows"]

DUE_DAYS = 7  # a commit date this near is said above the table [days]
PAST = "commit_date_past"  # waits although its promise needs a batch already
UNDER_WAY = "batch_under_way"  # decided and in production: nothing to ask
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


@dataclass(frozen=True)
class DueCampaign:
    """One campaign with a commit date in the next days or past it.

    Attributes:
        campaign: its id.
        day: the date with its weekday, and how far it is.
        text: what to do: SKUs by decision, units and value to commit.
        tone: ``late`` once the date has passed, else ``warn``.
        units: units to commit.
    """

    campaign: str
    day: str
    text: str
    tone: str
    units: int


def batch_rows(batches: pd.DataFrame, *, titles: dict[Any, Any], words: Catalogue, today: date) -> pd.DataFrame:
    """Return the batches in the order in which they ask for a decision, with their arithmetic in words.

    What is to be decided comes first, then what waits, each by its commit date; last what waits with its date past.
    """
    if batches.empty:
        return batches
    named = batches.assign(
        title=batches["sku"].map(titles).astype(object),
        batch_words=[_batch_words(row, words=words) for row in records(batches)],
        final_range=[
            f"{words.number(lo)}–{words.number(hi)}"
            for lo, hi in zip(batches["forecast_final_p10"], batches["forecast_final_p90"], strict=True)
        ],
        commit_note=[
            "" if is_ordered else _note(day, words=words, today=today)
            for is_ordered, day in zip(_reasons(batches) == UNDER_WAY, batches["commit_by_date"], strict=True)
        ],
        commit_tone=[
            _tone(day, today=today) if is_asked else ""
            for is_asked, day in zip(_asked(batches), batches["commit_by_date"], strict=True)
        ],
        reason_words=["" if is_missing(reason) else words.code(reason) for reason in _reasons(batches)],
    )
    waits = named["decision"] == "wait"
    past = named["commit_by_date"] < pd.Timestamp(today)
    placed = named.assign(_waits=waits.astype(int) + (waits & past))
    keys = ["_waits", "commit_by_date", "campaign_id", "sku"]
    return placed.sort_values(keys, kind="stable", na_position="last").drop(columns="_waits")


def due_campaigns(batches: pd.DataFrame, *, words: Catalogue, today: date, currency: str) -> list[DueCampaign]:
    """Return the campaigns to decide within a week, the soonest first.

    What only waits is not asked for, unless its date has passed; nor is a batch that is in production.
    """
    if batches.empty:
        return []
    asked = batches[_asked(batches) & batches["commit_by_date"].notna()]
    near = asked[asked["commit_by_date"] <= pd.Timestamp(today) + pd.Timedelta(days=DUE_DAYS)]
    found = []
    for (day, campaign), rows in near.groupby(["commit_by_date", "campaign_id"], sort=True):
        counts = rows["decision"].value_counts()
        told = [
            words.text("batch.decided", decision=words.code(decision), n=words.number(int(counts[decision])))
            for decision in ("produce", "extend", "cancel", "wait")
            if decision in counts
        ]
        units = int(rows["batch_qty"].fillna(0).sum())
        value = sum(as_float(q) * as_float(c) for q, c in zip(rows["batch_qty"], rows["unit_cost"], strict=True))
        amount = words.text("batch.amount", units=words.number(units), value=words.money(value), currency=currency)
        found.append(
            DueCampaign(
                campaign=str(campaign),
                day=f"{words.near_day(day, today=today)}, {_note(day, words=words, today=today)}",
                text=" · ".join([*told, amount]),
                tone=_tone(day, today=today),
                units=units,
            )
        )
    return found


def promise_rows(promises: pd.DataFrame) -> pd.DataFrame:
    """Return the moved promises, those that somebody must be told first."""
    if promises.empty:
        return promises
    keys = ["must_tell", "promise_now_date", "preorder_id"]
    return promises.sort_values(keys, ascending=[False, True, True], kind="stable")


def _reasons(batches: pd.DataFrame) -> pd.Series[Any]:
    """Return why each batch is decided as it is; nothing where a run does not say."""
    return batches["reason"] if "reason" in batches else pd.Series("", index=batches.index, dtype=object)


def _asked(batches: pd.DataFrame) -> pd.Series[bool]:
    """Return which batches a person has to decide about."""
    reasons = _reasons(batches).fillna("")
    asked: pd.Series[bool] = ((batches["decision"] != "wait") & (reasons != UNDER_WAY)) | (reasons == PAST)
    return asked


def _batch_words(row: dict[str, Any], *, words: Catalogue) -> str:
    """Return the terms of a batch; what an earlier night had made is not undecided, it is under way."""
    terms = [(name, value) for name, value in row.items() if name.startswith("why_") and value]
    told = {name: f"term.{name}" for name, _ in terms}
    if row.get("reason") == UNDER_WAY:
        told["why_decision"] = "term.why_under_way"
    return " · ".join(f"{words.signed(value)} {words.text(told[name])}" for name, value in terms)


def _note(day: Any, *, words: Catalogue, today: date) -> str:
    """Return the weekday of a date, and how far away it is."""
    if is_missing(day):
        return ""
    when = as_day(day)
    away = (when - today).days
    if away == 0:
        distance = words.text("when.today")
    elif away > 0:
        distance = words.text("when.ahead", n=words.number(away))
    else:
        distance = words.text("when.past", n=words.number(-away))
    return f"{words.code(WEEKDAYS[when.weekday()])}, {distance}"


def _tone(day: Any, *, today: date) -> str:
    if is_missing(day):
        return ""
    away = (as_day(day) - today).days
    return "late" if away < 0 else "warn" if away <= DUE_DAYS else ""
