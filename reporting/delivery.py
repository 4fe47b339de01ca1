"""What is told about a published run: the five numbers as a mail and as a message. Pure: nothing is sent from here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any

from reporting.catalogue import Catalogue
from reporting.headline import Headline
from reporting.kpi_view import kpis
from reporting.plan_lines import EXCEPTION_ACTIONS

__all__ = ["Notice", "chat_message", "mail_html", "mail_subject", "notice_lines", "notice_text", "webhook_payload"]


@dataclass(frozen=True)
class Notice:
    """What a message says about one run.

    Attributes:
        shop: its name.
        currency: of the amounts.
        run_date: the run.
        now: the five numbers.
        before: those of the run before; None on the first.
        checks: how many passed, warned and failed.
        actions: lines by action.
        changes: orders that are new, gone, up or down.
        report: where the report lies.
        content_sha256: of the run's manifest.
    """

    shop: str
    currency: str
    run_date: date
    now: Headline
    before: Headline | None
    checks: Mapping[str, int]
    actions: Mapping[str, int]
    changes: Mapping[str, int]
    report: str
    content_sha256: str


def notice_lines(notice: Notice, *, words: Catalogue) -> list[tuple[str, str, str]]:
    """Return the five numbers as (what, figure, change), written as on the restock report."""
    rows = []
    for kpi in kpis(notice.now, notice.before, words=words, currency=notice.currency):
        figure = " ".join(part for part in (kpi.figure, kpi.unit, kpi.note if kpi.key == "accuracy" else "") if part)
        rows.append((kpi.label, figure, kpi.change))
    return rows


def mail_subject(notice: Notice, *, words: Catalogue) -> str:
    """Return the subject: shop, run, lines and value; on one line whatever the shop is called."""
    text = words.text(
        "delivery.subject",
        shop=notice.shop,
        run_date=words.day(notice.run_date),
        lines=words.number(notice.now.lines_to_order),
        value=words.number(notice.now.order_value),
        currency=notice.currency,
    )
    return " ".join(text.split())


def notice_text(notice: Notice, *, words: Catalogue, left_out: tuple[str, ...] = ()) -> str:
    """Return the message as plain text."""
    parts = [mail_subject(notice, words=words), ""]
    parts += [f"{what}: {figure} ({change})" for what, figure, change in notice_lines(notice, words=words)]
    parts += ["", _actions(notice, words=words), _changes(notice, words=words), _checks(notice, words=words)]
    if left_out:
        parts.append(words.text("delivery.left_out", files=", ".join(left_out)))
    parts += ["", words.text("delivery.where", report=notice.report)]
    return "\n".join(part for part in parts) + "\n"


def mail_html(notice: Notice, *, words: Catalogue, left_out: tuple[str, ...] = ()) -> str:
    """Return the mail's body: a plain table that every mail program shows; text from data is escaped."""
    cell = 'style="padding:4px 14px 4px 0;text-align:left;vertical-align:top"'
    rows = "".join(
        f"<tr><td {cell}>{escape(what)}</td><td {cell}><strong>{escape(figure)}</strong></td>"
        f"<td {cell}>{escape(change)}</td></tr>"
        for what, figure, change in notice_lines(notice, words=words)
    )
    notes = [_actions(notice, words=words), _changes(notice, words=words), _checks(notice, words=words)]
    if left_out:
        notes.append(words.text("delivery.left_out", files=", ".join(left_out)))
    notes.append(words.text("delivery.where", report=notice.report))
    told = "".join(f"<p>{escape(note)}</p>" for note in notes)
    language = "zh-CN" if words.language == "zh" else "en"
    return (
        f'<html lang="{language}"><body style="font-family:sans-serif"><h2>{escape(mail_subject(notice, words=words))}'
        f"</h2><table>{rows}</table>{told}</body></html>"
    )


def webhook_payload(notice: Notice, *, words: Catalogue) -> dict[str, Any]:
    """Return our own message: raw figures for machines, ``text`` for people."""
    now, before = notice.now, notice.before
    figures = ("lines_to_order", "order_value", "skus_at_risk", "excess_value", "wape", "bias")
    return {
        "event": "run_published",
        "shop": notice.shop,
        "currency": notice.currency,
        "run_date": notice.run_date.isoformat(),
        "numbers": {name: getattr(now, name) for name in figures},
        "numbers_before": None if before is None else {name: getattr(before, name) for name in figures},
        "checks": dict(notice.checks),
        "actions": dict(notice.actions),
        "changes": dict(notice.changes),
        "report": notice.report,
        "content_sha256": notice.content_sha256,
        "text": notice_text(notice, words=words),
    }


def chat_message(notice: Notice, *, style: str, words: Catalogue) -> bytes:
    """Return the body of a webhook in the shape that ``style`` names, as UTF-8 JSON."""
    text = notice_text(notice, words=words)
    shapes: dict[str, Any] = {
        "json": webhook_payload(notice, words=words),
        "slack": {"text": text},
        "wecom": {"msgtype": "text", "text": {"content": text}},
        "dingtalk": {"msgtype": "text", "text": {"content": text}},
        "feishu": {"msg_type": "text", "content": {"text": text}},
    }
    return json.dumps(shapes[style], ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def _actions(notice: Notice, *, words: Catalogue) -> str:
    told = [f"{words.code(a)} {words.number(notice.actions.get(a, 0))}" for a in EXCEPTION_ACTIONS]
    return " · ".join(told)


def _changes(notice: Notice, *, words: Catalogue) -> str:
    if notice.before is None:
        return words.text("header.first_run")
    told = [f"{words.code(change)} {words.number(n)}" for change, n in notice.changes.items()]
    return f"{words.text('header.changed')}: " + " · ".join(told)


def _checks(notice: Notice, *, words: Catalogue) -> str:
    told = [words.text(f"header.{status}", n=notice.checks.get(status, 0)) for status in ("pass", "warn", "fail")]
    return f"{words.text('header.checks')}: " + " · ".join(told)
