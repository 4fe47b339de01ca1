"""Hands the delivery of reports what only Airflow has: its connections and its mail provider."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook


def run(home: Path, run_date: date) -> dict[str, int]:
    """Deliver the reports of the run as the home's settings say; a failure is logged and fails nothing."""
    from reporting import delivery_step

    return delivery_step.run(home, run_date, airflow=delivery_step.AirflowHands(uri=_uri, mail=_send_mail))


def _uri(connection: str) -> str:
    return str(BaseHook.get_connection(connection).get_uri())


def _send_mail(connection: str, mail: Any) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(smtp_conn_id=connection) as hook:
        hook.send_email_smtp(
            to=list(mail.to),
            subject=mail.subject,
            html_content=mail.html,
            from_email=mail.sender or None,
            files=[str(path) for path in mail.files],
        )
